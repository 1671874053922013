"""Ask for a PIN at the terminal, without echo, or read it from a file."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from typing import Final

from sscard.cli.target import STDIN as STDIN_NAME
from sscard.cli.target import tell
from sscard.errors import InputError, said_by
from sscard.files import unreadable, warn_if_exposed
from sscard.i18n.language import _, say

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
        try:
            line = sys.stdin.readline(LONGEST_LINE)
        except UnicodeDecodeError:
            raise InputError(_("is not UTF-8 text"), file=STDIN_NAME) from None
        return checked_pin(line.removeprefix("\ufeff").rstrip("\r\n"), f"{STDIN_NAME}, {option}")
    try:
        with file.open("rb") as opened:
            mode = os.fstat(opened.fileno()).st_mode
            content = opened.readline(LONGEST_LINE)
    except OSError as error:
        raise unreadable(file, error) from None
    if stat.S_ISREG(mode):
        warn_if_exposed(file, tell)
    return checked_pin(content.decode("utf-8-sig", errors="replace").rstrip("\r\n"), str(file))
