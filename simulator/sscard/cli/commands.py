"""``sscard commands``."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from sscard.i18n.language import _


def commands(
    ins: Annotated[
        str, typer.Argument(metavar="INS", help=_("INS in hex, or a name or its beginning. Defaults to all commands."))
    ] = "",
    psam: Annotated[bool, typer.Option("--psam", help=_("Commands of the PSAM instead of the card."))] = False,
    as_json: Annotated[bool, typer.Option("--json", help=_("For programs."))] = False,
) -> None:
    """Show the commands of the card: form, data, status words, clause, choices, example.

    Exits 2 if there is no such command.
    """
    from sscard.conversation.reference import (
        CARD,
        PSAM,
        SCHEMA,
        as_facts,
        entry_lines,
        find_commands,
        index,
        table_lines,
    )

    chip = PSAM if psam else CARD
    found = find_commands(chip, ins) if ins else list(chip.commands)
    if as_json:
        facts = {"schema": SCHEMA, "commands": [as_facts(chip, command) for command in found]}
        typer.echo(json.dumps(facts, ensure_ascii=False, indent=1))
    elif ins:
        typer.echo("\n\n".join("\n".join(entry_lines(chip, command)) for command in found))
    else:
        typer.echo("\n".join(table_lines(index(chip))))
