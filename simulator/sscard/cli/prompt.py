"""Ask for a PIN at the terminal, without echo, or read it from a file; the PIN pad of a driver."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sscard.cli.target import STDIN as STDIN_NAME
from sscard.cli.target import tell
from sscard.errors import InputError, said_by
from sscard.files import unreadable, warn_if_exposed, without_mark
from sscard.i18n.language import _, say

if TYPE_CHECKING:
    from sscard.terminal.pinpad import PinPad

CANCEL: Final = "cancel"
TIMEOUT: Final = "timeout"
STDIN: Final = Path("-")
LONGEST_LINE: Final = 1000
"""Bytes of a file that are read for a PIN."""


def ask_secret(prompt: str, remedy: str) -> str:
    """What is typed, never empty. ``InputError`` with the remedy without a terminal, or if the input ends."""
    import getpass
    import warnings

    with warnings.catch_warnings():
        # getpass warns before it reads with echo; a PIN must not appear on the screen or in a log.
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            while not (typed := getpass.getpass(f"{prompt}: ")):
                pass
        except getpass.GetPassWarning:
            raise InputError(_("no terminal to enter it at: {prompt}", prompt=prompt), remedy=remedy) from None
        except EOFError:
            raise InputError(_("standard input ended before the answer"), remedy=remedy) from None
    return typed


def check_entry(option: str, prompt: str) -> None:
    """``InputError`` as ``ask_secret`` raises it, before there is anything to ask: there is no terminal."""
    if not (_has_terminal() or sys.stdin.isatty()):
        raise InputError(_("no terminal to enter it at: {prompt}", prompt=prompt), remedy=in_a_file(option))


def in_a_file(option: str) -> str:
    """The remedy if the PIN of an option cannot be entered."""
    return _("give it in a file: {option} FILE, - for standard input", option=f"{option}-file")


def _has_terminal() -> bool:
    """Whether the process has a controlling terminal, from which a PIN is read also if standard input is a pipe."""
    from sscard.terminal.pinpad import CONTROLLING_TERMINAL

    try:
        CONTROLLING_TERMINAL.open("rb").close()
    except OSError:
        return False
    return True


def checked_pin(pin: str, option: str) -> str:
    """A PIN of 4–16 digits; ``InputError`` names the option and never repeats the PIN."""
    from sscard.standard.encoding import encode_pin

    try:
        if encode_pin(pin):
            return pin
    except ValueError as error:
        raise InputError(f"{option}: {say(said_by(error))}", remedy=_("for example 123456")) from None
    raise InputError(_("{option}: a PIN has 4 to 16 digits, got none", option=option))


def read_pin(file: Path, option: str) -> str:
    """The PIN of an option in the first line of a file, of standard input for ``-``; an error never repeats the line.

    A byte order mark and the line end, of any system, do not count. A warning
    if other users can read the file.
    """
    if file == STDIN:
        if sys.stdin.isatty():
            return checked_pin(ask_secret(_("PIN"), _("give it in a file")), option)
        # The bytes, because decoding would read ahead, and a script may follow.
        return _pin_in(sys.stdin.buffer.readline(LONGEST_LINE), f"{STDIN_NAME}, {option}")
    try:
        with file.open("rb") as opened:
            mode = os.fstat(opened.fileno()).st_mode
            content = opened.readline(LONGEST_LINE)
    except OSError as error:
        raise unreadable(file, error) from None
    if stat.S_ISREG(mode):
        warn_if_exposed(file, tell)
    return _pin_in(content, str(file))


def _pin_in(line: bytes, source: str) -> str:
    return checked_pin(without_mark(line.decode(errors="replace")).rstrip("\r\n"), source)


def pin_pad(pins: str | None, repeat: bool, timeout: float) -> PinPad:
    """The pad of a driver: scripted entries, else this terminal, which waits ``timeout`` seconds for each."""
    from sscard.terminal.pinpad import ScriptedPad, TerminalPad

    if pins:
        entries = pins.split(",")
        return _ScriptedPad(cycle(entries) if repeat else iter(entries))
    if not _has_terminal():
        tell(_("no terminal for PIN entry: each entry times out; to script the entries, use --pins"))
        return ScriptedPad()
    return TerminalPad(timeout)


class _ScriptedPad:
    """A pad that types what the command line says; nothing of it shows anywhere."""

    def __init__(self, entries: Iterator[str]) -> None:
        self._entries = entries

    def enter(self, prompt: str) -> str:
        from sscard.terminal.pinpad import EntryCancelled, EntryTimedOut

        tell(_("pad: {prompt}", prompt=prompt))
        entry = next(self._entries, TIMEOUT)
        if entry == CANCEL:
            raise EntryCancelled
        if entry == TIMEOUT:
            raise EntryTimedOut
        return entry


@contextmanager
def terminal_kept() -> Iterator[None]:
    """Whatever a PIN prompt has done to the terminal is undone at the end, also in the middle of one."""

    try:
        import termios
    except ImportError:  # Windows
        yield
        return
    if not sys.stdin.isatty():
        yield
        return
    before = termios.tcgetattr(sys.stdin)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
