"""The command line `sscard`, in this process and in processes of its own."""

from __future__ import annotations

import ctypes
import io
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue

import pytest

from kit.waiting import PATIENCE, until

ENGLISH = {"LANGUAGE": "en"}
ENDS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT") if hasattr(signal, name)]
"""The signals that end a program."""
EACH_END = [pytest.param(end, marks=() if place in (0, 1) else pytest.mark.nightly) for place, end in enumerate(ENDS)]
"""Them as parameters: Ctrl-C and SIGTERM in make test, the others in make nightly."""
FUTEX = ("202", "98")
"""The system call that waits for a lock, of x86-64 and AArch64."""
SSCARD = (sys.executable, "-m", "sscard.cli.main")
WINDOWS = (sys.executable, str(Path(__file__).with_name("windows.py")))
"""`sscard` without what a Python for Windows lacks."""


class CommandLine:
    """The command line in this process: exit code, output and errors; ``said`` is all that was ever printed."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capsys = capsys
        self._monkeypatch = monkeypatch
        self.said = ""

    def __call__(self, *arguments: object, stdin: str | bytes = "") -> tuple[int, str, str]:
        from sscard.cli.main import main  # kept out of the tests that do not need it

        self._monkeypatch.setattr("sys.stdin", standard_input(stdin))
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        output = self._capsys.readouterr()
        self.said += output.out + output.err
        return int(ended.value.code or 0), output.out, output.err


def standard_input(content: str | bytes) -> io.TextIOWrapper:
    """A standard input with this content, without a file behind it."""
    return io.TextIOWrapper(io.BytesIO(content.encode() if isinstance(content, str) else content), encoding="utf-8")


class Program:
    """A running `sscard`; its output line by line."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._lines: SimpleQueue[str | None] = SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def line(self) -> str:
        """The next line, waited for."""
        try:
            line = self._lines.get(timeout=PATIENCE)
        except Empty:
            raise AssertionError("no further line came") from None
        assert line is not None, "the program has ended"
        return line

    def line_with(self, words: str) -> str:
        """The next line with these words; those before it are skipped."""
        while words not in (line := self.line()):
            pass
        return line

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def send_to_another_thread(self, number: signal.Signals) -> None:
        """The system may give a signal to any thread; this one is not the main thread, which waits for a lock."""
        tasks = Path(f"/proc/{self.process.pid}/task")
        main = tasks / str(self.process.pid) / "syscall"
        assert until(lambda: len(list(tasks.iterdir())) > 1 and main.read_text().split()[0] in FUTEX)
        other = max(int(task.name) for task in tasks.iterdir())
        assert ctypes.CDLL(None).tgkill(self.process.pid, other, number) == 0

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """End it; exit code and the rest of its output."""
        self.send(number)
        code = self.process.wait(PATIENCE)
        self.join()
        return code, "".join(iter(self._lines.get, None))

    def join(self) -> None:
        """Wait until all that the program has printed is read: the pipe closes after."""
        self._reader.join(PATIENCE)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(None)


@contextmanager
def running(*arguments: object, program: Sequence[str] = SSCARD, **variables: str) -> Iterator[Program]:
    """`sscard` with these arguments, killed at the end where it still runs."""
    command = [*program, *map(str, arguments)]
    environment = {**os.environ, **ENGLISH, **variables}
    with subprocess.Popen(  # noqa: S603
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        started = Program(process)
        try:
            yield started
        finally:
            process.kill()
            started.join()


def run(*arguments: object, program: Sequence[str] = SSCARD, **environment: str) -> subprocess.CompletedProcess[str]:
    """`sscard` from beginning to end."""
    command = [*program, *map(str, arguments)]
    return subprocess.run(  # noqa: S603
        command,
        env={**os.environ, **ENGLISH, **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def children(pid: int) -> list[int]:
    """The worker processes of a run; its resource tracker is none."""
    listed = Path(f"/proc/{pid}/task")
    found = [int(child) for task in listed.iterdir() for child in (task / "children").read_text().split()]
    return [child for child in found if "resource_tracker" not in Path(f"/proc/{child}/cmdline").read_text()]


def gone(pid: int) -> bool:
    """Whether a process has ended."""
    try:
        return "State:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return True
