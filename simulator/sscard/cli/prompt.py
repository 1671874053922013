"""Ask for a PIN at the terminal, without echo."""

from __future__ import annotations

import getpass
import warnings

from sscard.errors import InputError
from sscard.i18n.language import _


def ask_secret(prompt: str, remedy: str) -> str:
    """What is typed, never empty. ``InputError`` with the remedy without a terminal, or if the input ends."""
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
