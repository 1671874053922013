"""A private PostgreSQL server: a folder and a Unix socket, gone with the process that started it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import threading
from glob import glob
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final

from sscard.errors import MissingPart
from sscard.i18n.phrase import Phrase

READY: Final = "ready to accept connections"
WITH_US: Final = ("setpriv", "--pdeathsig", "QUIT", "--")
"""The server ends when this process does, in whatever way it ends."""
USER: Final = "postgres"
INSTALL: Final = "sudo apt-get install postgresql"


class PrivatePostgres:
    """A context manager: a server with one database, ``url``, which ends with the context.

    ``MissingPart`` with the reason if it cannot run here. Only if it is
    ``durable`` is a commit on disk when it ends, as it is in production.
    """

    def __init__(self, *, durable: bool = False) -> None:
        self._settings = ["listen_addresses=", "max_connections=60"]
        if not durable:
            self._settings += ["fsync=off", "full_page_writes=off", "synchronous_commit=off"]
        self._folder = Path()
        self._programs = Path()
        self._server: subprocess.Popen[str] | None = None
        self._drain: threading.Thread | None = None

    def __enter__(self) -> PrivatePostgres:
        self._programs = find_programs()
        self._folder = Path(tempfile.mkdtemp(prefix="sscard-pg-"))
        try:
            if os.geteuid() == 0:
                shutil.chown(self._folder, USER)
            self._initialise()
            self._start()
        except BaseException:
            self._leave(signal.SIGQUIT)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave(signal.SIGINT)  # a fast shutdown, which ends every session

    @property
    def url(self) -> str:
        """The URL of its database."""
        return f"postgresql://{USER}@/postgres?host={self._folder}"

    def restart(self) -> None:
        """End it without shutting down sessions, as in a crash, and start it again: it recovers what was committed."""
        self._end(signal.SIGQUIT)
        self._start()

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _initialise(self) -> None:
        made = subprocess.run(  # noqa: S603
            [
                *(self._programs / "initdb", "-D", self._data, "-U", USER, "-A", "trust", "-N"),
                *("--no-instructions", "--encoding=UTF8", "--no-locale"),
            ],
            cwd=self._folder,
            capture_output=True,
            text=True,
            check=False,
            **_as_user(),
        )
        if made.returncode:
            raise MissingPart(Phrase("PostgreSQL does not start: {reason}", reason=made.stderr.strip()), INSTALL)

    def _start(self) -> None:
        settings = [word for setting in self._settings for word in ("-c", setting)]
        self._server = server = subprocess.Popen(  # noqa: S603
            [*WITH_US, self._programs / "postgres", "-D", self._data, "-k", self._folder, *settings],
            cwd=self._folder,
            stderr=subprocess.PIPE,
            text=True,
            **_as_user(),
        )
        assert server.stderr is not None
        said = []
        for line in server.stderr:
            said.append(line)
            if READY in line:
                break
        else:
            raise MissingPart(Phrase("PostgreSQL does not start: {reason}", reason="".join(said)), INSTALL)
        self._drain = threading.Thread(target=_read_all, args=(server.stderr,), daemon=True)
        self._drain.start()

    def _leave(self, number: signal.Signals) -> None:
        self._end(number)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _end(self, number: signal.Signals) -> None:
        if self._server is None:
            return
        self._server.send_signal(number)
        self._server.wait()
        if self._drain is not None:
            self._drain.join()
        assert self._server.stderr is not None
        self._server.stderr.close()
        self._server = self._drain = None


def find_programs() -> Path:
    """The folder with initdb and postgres, of Debian or the PATH; ``MissingPart`` if there is none."""
    found = sorted(glob("/usr/lib/postgresql/*/bin/initdb"), key=lambda path: int(Path(path).parts[4]))  # noqa: PTH207
    program = found[-1] if found else shutil.which("initdb")
    if program is None or shutil.which(WITH_US[0]) is None:
        raise MissingPart(Phrase("PostgreSQL is not installed"), INSTALL)
    if os.geteuid() == 0:
        import pwd  # noqa: PLC0415 - not on Windows

        try:
            pwd.getpwnam(USER)
        except KeyError:
            raise MissingPart(
                Phrase("PostgreSQL does not run as root, and there is no user postgres"), INSTALL
            ) from None
    return Path(program).parent


def _as_user() -> dict[str, Any]:
    return {"user": USER, "group": USER, "extra_groups": []} if os.geteuid() == 0 else {}


def _read_all(stderr: IO[str]) -> None:
    for _line in stderr:
        pass
