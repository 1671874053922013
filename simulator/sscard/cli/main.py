"""The command ``sscard``: one module per command, registered here; one handler of errors."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from sscard import __version__
from sscard.cli.apdu import apdu
from sscard.cli.case import case
from sscard.cli.doctor import doctor
from sscard.cli.driver import driver
from sscard.cli.farm import farm
from sscard.cli.hsm import hsm
from sscard.cli.insert import insert
from sscard.cli.issue import issue
from sscard.cli.personality import personality
from sscard.cli.pins import change_pin, reset_pin, unblock_pin, verify_pin
from sscard.cli.record import compare, export, record, replay
from sscard.cli.run import run
from sscard.cli.show import show
from sscard.cli.show_item import item
from sscard.errors import InputError, MissingPart, TransportError

NO_ANSWER = 1
UNUSABLE_INPUT = 2
MISSING_PART = 3

app = typer.Typer(
    name="sscard",
    help="A virtual social security card (社会保障卡) and the test bench of its PIN service.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for command in (
    run,
    issue,
    show,
    insert,
    farm,
    doctor,
    apdu,
    verify_pin,
    change_pin,
    reset_pin,
    unblock_pin,
    item,
    record,
    replay,
    compare,
    export,
):
    app.command()(command)
app.add_typer(personality, name="personality")
app.add_typer(case, name="case")
app.add_typer(hsm, name="hsm")
app.add_typer(driver, name="driver")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"sscard {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Options that go before the command."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; a mute card ends with 1, unusable input with 2, a missing part with 3."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal without Chinese shows what it can.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        app(arguments)
    except InputError as error:
        _end(error, UNUSABLE_INPUT)
    except MissingPart as error:
        _end(error, MISSING_PART)
    except TransportError as error:
        _end(error, NO_ANSWER)


def _end(error: Exception, code: int) -> None:
    typer.echo(f"sscard: {error}", err=True)
    raise SystemExit(code)


if __name__ == "__main__":
    main()
