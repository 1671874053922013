"""The PIN pad (密码键盘), where the holder enters a PIN, and its errors."""

from __future__ import annotations

import os
import select
from collections.abc import Iterable
from getpass import getpass
from pathlib import Path
from typing import Protocol

from sscard.errors import MissingPart
from sscard.i18n.language import CHINESE, say, speaking
from sscard.i18n.phrase import Phrase
from sscard.pickling import PortableError

ENTER = Phrase("Enter the PIN")
ENTER_OLD = Phrase("Enter the old PIN")
ENTER_NEW = Phrase("Enter the new PIN")
ENTER_AGAIN = Phrase("Enter the new PIN again")

CONTROLLING_TERMINAL = Path("/dev/tty")


class EntryCancelled(PortableError):
    """The holder pressed cancel."""


class EntryTimedOut(PortableError):
    """The holder did not enter a PIN in time."""


class PinPad(Protocol):
    """Asks the holder for a PIN. The caller checks digits and length."""

    def enter(self, prompt: str) -> str:
        """Show a prompt and return the input; raises ``EntryCancelled`` or ``EntryTimedOut``."""


class ScriptedPad:
    """A pad with scripted entries: PINs, or the errors ``EntryCancelled`` and ``EntryTimedOut``, in turn.

    ``prompts`` records the prompts. It times out after the last entry.
    """

    def __init__(self, entries: Iterable[str | type[EntryCancelled | EntryTimedOut]] = ()) -> None:
        self._entries = list(entries)
        self.prompts: list[str] = []

    def __repr__(self) -> str:
        return f"<ScriptedPad, {len(self._entries)} entries left>"

    def script(self, *entries: str | type[EntryCancelled | EntryTimedOut]) -> None:
        """Set the next entries and clear the recorded prompts."""
        self._entries = list(entries)
        self.prompts = []

    def enter(self, prompt: str) -> str:
        self.prompts.append(prompt)
        if not self._entries:
            raise EntryTimedOut
        entry = self._entries.pop(0)
        if isinstance(entry, str):
            return entry
        raise entry


class TerminalPad:
    """A pad at the terminal of this process, without echo; an empty line, Ctrl-C and Ctrl-D cancel.

    Prompts are shown in the language of the process.

    ``timeout`` in seconds, ``None`` waits forever; with a timeout it reads from
    the device ``terminal``, which must be a character terminal: ``MissingPart``
    on Windows, which has no such device.
    """

    def __init__(self, timeout: float | None = None, terminal: Path = CONTROLLING_TERMINAL) -> None:
        self._timeout = timeout
        self._terminal = terminal

    def enter(self, prompt: str) -> str:
        known = (ENTER, ENTER_OLD, ENTER_NEW, ENTER_AGAIN)
        shown = next((say(each) for each in known if standard_prompt(each) == prompt), prompt)
        try:
            if self._timeout is None:
                typed = getpass(f"{shown}: ")
            else:
                typed = _ask_within(self._terminal, f"{shown}: ", self._timeout)
        except (KeyboardInterrupt, EOFError):
            raise EntryCancelled from None
        if not typed:
            raise EntryCancelled
        return typed


def standard_prompt(prompt: Phrase) -> str:
    """A prompt with the text of the standard (terminal-flows.md §9), which every pad gets."""
    with speaking(CHINESE):
        return say(prompt)


def _ask_within(path: Path, prompt: str, seconds: float) -> str:
    """One line from a terminal without echo; ``EntryTimedOut`` after ``timeout`` seconds."""
    try:
        import termios  # noqa: PLC0415 - Windows has none
    except ImportError:
        raise MissingPart(
            Phrase("PIN entry with a timeout needs a Unix terminal"),
            Phrase("use a PIN pad without a timeout, or scripted PINs"),
        ) from None
    terminal = os.open(path, os.O_RDWR | os.O_NOCTTY)
    try:
        before = termios.tcgetattr(terminal)
        quiet = termios.tcgetattr(terminal)
        quiet[3] &= ~termios.ECHO
        termios.tcsetattr(terminal, termios.TCSAFLUSH, quiet)
        try:
            os.write(terminal, prompt.encode())
            if not select.select([terminal], [], [], seconds)[0]:
                raise EntryTimedOut
            return os.read(terminal, 256).decode(errors="replace").rstrip("\r\n")
        finally:
            termios.tcsetattr(terminal, termios.TCSAFLUSH, before)
            os.write(terminal, b"\n")
    finally:
        os.close(terminal)
