"""A card implemented by a program: a line of hex digits to its standard input, a line ``DATA SW`` from its output.

The lines are those of ``sscard apdu CARD --raw``. ``reset`` is answered with
the ATR as data. There is no line for power off: ``power_on`` sends ``reset``.
"""

from __future__ import annotations

import logging
import os
import shlex
import signal
import subprocess
import threading
import time
from contextlib import suppress
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Final

from sscard.errors import InputError, TransportError
from sscard.i18n.language import reason_of
from sscard.i18n.phrase import Phrase
from sscard.transport.faults import CardMute, CardRemoved

logger = logging.getLogger("sscard.transport")

PATIENCE: Final = 30.0
"""Seconds to wait for an answer."""
LAST_WAIT: Final = 2.0
"""Seconds a program may take to end after its input is closed, before it is killed."""
RESET: Final = "reset"
INS_END: Final = 2
"""Bytes of a command that say which one it is: CLA INS."""


class ExecConnection:
    """The card behind a command line.

    ``with`` starts the process and ends it; ``power_on`` starts it again if it
    has ended. Errors: ``InputError`` (cannot be started), ``CardRemoved``
    (ended, or has no power), ``CardMute`` (no answer within ``patience``
    seconds; the process is ended, because a late answer would be taken for the
    next one), ``TransportError`` (the answer is not in hex digits).
    """

    def __init__(self, command: str, *, patience: float = PATIENCE) -> None:
        self._command = command
        self._patience = patience
        self._process: subprocess.Popen[str] | None = None
        self._answers: SimpleQueue[str] = SimpleQueue()
        self._powered = False
        self._took: dict[bytes, float] = {}

    def __enter__(self) -> ExecConnection:
        self._start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def power_on(self) -> bytes:
        if self._process is None:
            self._start()
        self._powered = True
        return self.reset()

    def power_off(self) -> None:
        self._powered = False

    def reset(self) -> bytes:
        return self._ask(RESET)[:-2]

    def transmit(self, command: bytes) -> bytes:
        begin = time.perf_counter()
        answer = self._ask(command.hex().upper())
        self._took[command[:INS_END]] = time.perf_counter() - begin
        return answer

    def unplug(self) -> None:
        """Kill the program, as a card loses its power; ``power_on`` starts it again."""
        self._powered = False
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        assert process.stdin is not None
        with suppress(OSError):
            process.stdin.close()
        process.wait()
        with suppress(Empty):  # a program of the program may live longer
            while self._answers.get(timeout=LAST_WAIT):
                continue

    def cut(self, command: bytes, attempt: int) -> bool:
        """See ``Removable``: without a wait, then after half the time that an answer to it took."""
        process = self._process
        if process is None or not self._powered:
            raise CardRemoved(Phrase("the card has no power: call power_on() first"))
        assert process.stdin is not None
        took = self._took.get(command[:INS_END], 0.0)
        with suppress(OSError):
            process.stdin.write(f"{command.hex().upper()}\n")
            process.stdin.flush()
        if attempt:
            time.sleep(took / 2)
        self.unplug()
        return not attempt and took > 0

    def _start(self) -> None:
        try:
            # On Windows the system splits the command line itself.
            command = self._command if os.name == "nt" else shlex.split(self._command)
            pipe = subprocess.PIPE
            process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, encoding="ascii", errors="replace")  # noqa: S603 - the user's own command
        except (OSError, ValueError, IndexError) as error:
            reason = reason_of(error) if isinstance(error, OSError) else Phrase("not a command line")
            raise InputError(
                Phrase("exec:{command}: cannot be started: {reason}", command=self._command, reason=reason),
                remedy=Phrase("for example exec:'./card --raw'"),
            ) from None
        answers: SimpleQueue[str] = SimpleQueue()

        def read() -> None:
            assert process.stdout is not None
            with process.stdout as lines:
                for line in lines:
                    answers.put(line)
            answers.put("")

        reader = threading.Thread(target=read, daemon=True)
        if hasattr(signal, "pthread_sigmask"):
            # The thread inherits the mask: it takes no signal from a server that waits for one.
            before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
            reader.start()
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        else:
            reader.start()
        self._process, self._answers = process, answers
        logger.info("card program started", extra={"pid": process.pid})

    def _ask(self, line: str) -> bytes:
        """Data and status word for a line."""
        process = self._process
        if process is None or not self._powered:
            raise CardRemoved(Phrase("the card has no power: call power_on() first"))
        assert process.stdin is not None
        try:
            process.stdin.write(f"{line}\n")
            process.stdin.flush()
            answer = self._answers.get(timeout=self._patience)
        except Empty:
            self._end()
            raise CardMute(Phrase("the program of the card does not answer")) from None
        except OSError:
            answer = ""
        except BaseException:
            self._end()
            raise
        if not answer:
            raise CardRemoved(Phrase("the program of the card has ended, exit code {code}", code=self._end()))
        try:
            data = bytes.fromhex(answer)
        except ValueError:
            data = b""
        if len(data) < 2:
            self._end()
            raise TransportError(Phrase("the program of the card answered no line of the form DATA SW in hex digits"))
        return data

    def _end(self) -> int:
        """End the process, if any; return its exit code."""
        process, self._process = self._process, None
        self._powered = False
        if process is None:
            return 0
        assert process.stdin is not None
        try:
            with suppress(OSError):  # it ended before it read everything
                process.stdin.close()
            with suppress(subprocess.TimeoutExpired):
                process.wait(LAST_WAIT)
        finally:
            process.kill()
            code = process.wait()
        return code
