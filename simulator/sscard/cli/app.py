"""The commands of ``sscard``, one module each, registered here in the order of the help.

Help is put into the language as the modules are imported: choose it before.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from sscard.cli.apdu import apdu
from sscard.cli.case import case
from sscard.cli.commands import commands
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
from sscard.cli.usage import Commands
from sscard.i18n.language import CHINESE, ENGLISH, _, choose_language
from sscard.version import __version__

app = Commands(
    name="sscard",
    help=_("A virtual social security card and the test bench of its PIN service."),
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
    commands,
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


class Language(StrEnum):
    """What sscard speaks."""

    ZH = CHINESE
    EN = ENGLISH


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"sscard {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    lang: Annotated[
        Language | None, typer.Option("--lang", help=_("The language, zh or en; else LANGUAGE, LC_ALL or LANG tell."))
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help=_("Show the version and exit."))
    ] = False,
) -> None:
    if lang is not None:
        choose_language(lang.value)
