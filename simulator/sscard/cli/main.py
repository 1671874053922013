"""The command ``sscard``: language, configuration file, command line, and the exit codes of errors.

0: passed or done. 1: a scenario failed, the card refused or did not answer. 2:
unusable input, or nothing was executed. 3: something is missing in the
environment (HSM, reader, card, a writable standard output). 130: interrupted
by Ctrl-C, SIGTERM, SIGHUP or SIGQUIT.

Imports are inside the functions: ``sscard --version`` needs almost none of them.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys

from sscard.version import version_and_chip

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Final, TextIO, TypeVar

    T = TypeVar("T")

VERSION: Final = ["--version"]
COLLECTED: Final = 50_000
"""New objects after which Python looks for unused ones. Those of imports stay: looking after every 700 objects, as
is the default, and when Python ends is a tenth of the time of a command."""
INTERRUPTED: Final = 130
"""The exit code after Ctrl-C."""
BROKEN_PIPE: Final = 3
"""The exit code if the reader of standard output has gone."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit; an error prints its message, never a traceback."""
    words = _own_arguments() if arguments is None else arguments
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        # A stream that the caller closed is None.
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123 - as long as Python
    for stream in (sys.stdout, sys.stderr):
        # A terminal without Chinese shows what it can.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    if hasattr(sys.stdin, "reconfigure"):
        sys.stdin.reconfigure(errors="strict")
    plain = sys.stdout
    sys.stdout = _Output(plain)
    try:
        try:
            if words == VERSION:
                from sscard.i18n.language import say

                sys.stdout.write(f"sscard {say(version_and_chip())}\n")
            else:
                from sscard.cli.config import find_configuration, option_value

                chosen = option_value(words, "--lang") or os.environ.get("SSCARD_LANG", "")
                speak(chosen)
                from sscard.cli.app import COMPLETE, app

                configuration = None if COMPLETE in os.environ else find_configuration(words)
                if configuration is not None and not chosen:
                    speak(configuration.language)
                from sscard.cli.serving import interruptible

                with interruptible():
                    app(words, configuration)
        finally:
            sys.stdout.flush()
    except tuple(exit_codes()) as error:
        sys.stderr.write(_notice(error))
        codes = exit_codes()
        raise SystemExit(next(codes[kind] for kind in type(error).__mro__ if kind in codes)) from None
    finally:
        sys.stdout = plain
    raise SystemExit(0)


def _notice(error: BaseException) -> str:
    """The line about an error that ends the command; empty if it has no text."""
    if isinstance(error, KeyboardInterrupt):
        from sscard.i18n.language import _

        return f"{_('interrupted')}\n"
    return f"sscard: {error}\n" if str(error) else ""


def _own_arguments() -> list[str]:
    """The words of a process that is the command's own; its garbage collection is that of a short program."""
    gc.set_threshold(COLLECTED, *gc.get_threshold()[1:])
    atexit.register(gc.freeze)  # otherwise all objects are looked at twice when Python ends
    return sys.argv[1:]


def exit_codes() -> dict[type[BaseException], int]:
    """The exit codes of errors. For an error of a derived class the nearest base counts."""
    from sscard.errors import CardRemoved, HolderBaseUnavailable, InputError, MissingPart, ReaderMissing, TransportError

    return {
        TransportError: 1,
        InputError: 2,
        MissingPart: 3,
        ReaderMissing: 3,
        CardRemoved: 3,
        HolderBaseUnavailable: 3,
        KeyboardInterrupt: INTERRUPTED,
    }


class _Output:
    """Standard output that fails as a missing part: no space on the disk, for example. A closed pipe ends silently."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._failure: BaseException | None = None

    def write(self, text: str) -> int:
        return self._do(lambda: self._stream.write(text))

    def flush(self) -> None:
        self._do(self._stream.flush)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _do(self, act: Callable[[], T]) -> T:
        """Write or flush; after an error every further call raises it again."""
        if self._failure is None:
            try:
                return act()
            except BrokenPipeError:
                self._failure = SystemExit(BROKEN_PIPE)
            except OSError as error:
                from sscard.errors import MissingPart
                from sscard.i18n.language import _, reason_of

                self._failure = MissingPart(
                    _("standard output cannot be written: {reason}", reason=reason_of(error)),
                    _("free space on the disk, or redirect the output to another place"),
                )
            # What is still in the buffer would fail again when Python ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
        raise self._failure


def speak(name: str) -> None:
    """Choose the language, for this process and those it starts."""
    from sscard.i18n.language import choose_language

    os.environ["LANGUAGE"] = choose_language(name)


if __name__ == "__main__":
    main()
