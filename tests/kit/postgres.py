"""A private PostgreSQL server for the tests: a folder, a unix socket, gone with the process that started it."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from glob import glob
from pathlib import Path
from typing import IO

READY = "ready to accept connections"
WITH_US = ("setpriv", "--pdeathsig", "QUIT", "--")
"""The server ends when the tests do, in whatever way they end."""
USER = "postgres"


class NoServer(Exception):
    """A server cannot be had; the text says why."""


@contextmanager
def private_server(*, durable: bool = False) -> Iterator[str]:
    """The URL of a database on a server of our own, which is stopped at the end.

    Only where it is ``durable`` is a commit on disk when it ends, as it is in production.
    """
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="sscard-pg-"))
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, USER)
        data = folder / "data"
        quick = ("-A", "trust", "-N", "--no-instructions", "--encoding=UTF8", "--no-locale")
        _run([programs / "initdb", "-D", data, "-U", USER, *quick], folder)
        with _running([programs / "postgres", "-D", data, "-k", folder, *_settings(durable)], folder):
            yield f"postgresql://{USER}@/postgres?host={folder}"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path:
    """Where Debian or the PATH has initdb and postgres."""
    found = sorted(glob("/usr/lib/postgresql/*/bin/initdb"), key=lambda path: int(Path(path).parts[4]))  # noqa: PTH207
    program = found[-1] if found else shutil.which("initdb")
    if program is None:
        raise NoServer("no PostgreSQL here: apt-get install postgresql")
    if not _has_user():
        raise NoServer(f"PostgreSQL does not run as root, and there is no user {USER}")
    return Path(program).parent


def _has_user() -> bool:
    try:
        return os.geteuid() != 0 or bool(pwd.getpwnam(USER))
    except KeyError:
        return False


def _settings(durable: bool) -> list[str]:
    settings = ["listen_addresses=", "max_connections=60"]
    if not durable:
        settings += ["fsync=off", "full_page_writes=off", "synchronous_commit=off"]
    return [argument for setting in settings for argument in ("-c", setting)]


def _run(command: list[str | Path], folder: Path) -> None:
    done = subprocess.run(  # noqa: S603
        command, cwd=folder, capture_output=True, text=True, check=False, **_as_user()
    )
    if done.returncode:
        raise NoServer(f"initdb: {done.stderr.strip()}")


@contextmanager
def _running(command: list[str | Path], folder: Path) -> Iterator[None]:
    server = subprocess.Popen(  # noqa: S603
        [*WITH_US, *command], cwd=folder, stderr=subprocess.PIPE, text=True, **_as_user()
    )
    assert server.stderr is not None
    try:
        said = _wait_until_ready(server.stderr)
        if said is not None:
            raise NoServer(f"postgres: {said}")
        drain = threading.Thread(target=_drain, args=(server.stderr,), daemon=True)
        drain.start()
        yield
        server.send_signal(signal.SIGINT)  # a fast shutdown, which ends every session
        drain.join()
    finally:
        server.send_signal(signal.SIGQUIT)
        server.wait()
        server.stderr.close()


def _wait_until_ready(stderr: IO[str]) -> str | None:
    """``None`` once it is ready; its words where it ended instead."""
    said = []
    for line in stderr:
        if READY in line:
            return None
        said.append(line)
    return "".join(said)


def _drain(stderr: IO[str]) -> None:
    for _ in stderr:
        pass


def _as_user() -> dict[str, object]:
    return {"user": USER, "group": USER, "extra_groups": []} if os.geteuid() == 0 else {}
