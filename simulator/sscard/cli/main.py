"""The command ``sscard``: chooses the language, runs the command line, one handler of errors."""

from __future__ import annotations

import gettext
import os
import sys
from typing import Any, Final

from sscard.errors import InputError, MissingPart, TransportError
from sscard.i18n.language import DOMAIN, LOCALE, choose_language

NO_ANSWER: Final = 1
UNUSABLE_INPUT: Final = 2
MISSING_PART: Final = 3
OPTION: Final = "--lang"


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; a mute card ends with 1, unusable input with 2, a missing part with 3."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal without Chinese shows what it can.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    speak(language_option(sys.argv[1:] if arguments is None else arguments))
    from sscard.cli.app import app

    try:
        app(arguments)
    except InputError as error:
        _end(error, UNUSABLE_INPUT)
    except MissingPart as error:
        _end(error, MISSING_PART)
    except TransportError as error:
        _end(error, NO_ANSWER)


def language_option(arguments: list[str]) -> str:
    """What ``--lang`` says before the command, empty where it is not there: help is made before options are read."""
    rest = iter(arguments)
    for argument in rest:
        if argument == OPTION:
            return next(rest, "")
        if argument.startswith(f"{OPTION}="):
            return argument.removeprefix(f"{OPTION}=")
        if not argument.startswith("-"):
            return ""
    return ""


def speak(name: str) -> None:
    """Choose the language for us, for Typer, which asks gettext by itself, and for the processes we start."""
    os.environ["LANGUAGE"] = choose_language(name)
    gettext.bindtextdomain(DOMAIN, str(LOCALE))
    gettext.textdomain(DOMAIN)


def _end(error: Exception, code: int) -> None:
    import typer

    typer.echo(f"sscard: {error}", err=True)
    raise SystemExit(code)


def __getattr__(name: str) -> Any:
    """``app``, with help in the language that is chosen by then."""
    if name != "app":
        raise AttributeError(name)
    from sscard.cli.app import app

    return app


if __name__ == "__main__":
    main()
