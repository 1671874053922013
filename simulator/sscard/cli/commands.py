"""``sscard commands``."""

from __future__ import annotations

import json

import click

from sscard.cli.options import json_option
from sscard.cli.types import Text
from sscard.cli.usage import argument, command, option
from sscard.i18n.language import N_


def command_names() -> list[str]:
    """The names of the commands of both chips."""
    from sscard.conversation.reference import CARD, PSAM

    return [declared.name for chip in (CARD, PSAM) for declared in chip.commands]


@command("commands")
@argument(
    "ins",
    type=Text(N_("INS"), command_names),
    default="",
    help=N_("INS in hex, or a name or its beginning. Default: all commands."),
)
@option("--psam", is_flag=True, help=N_("Commands of the PSAM instead of the card."))
@json_option
def commands(ins: str, psam: bool, as_json: bool) -> None:
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
        facts = {"schema": SCHEMA, "commands": [as_facts(chip, declared) for declared in found]}
        click.echo(json.dumps(facts, ensure_ascii=False, indent=1))
    elif ins:
        click.echo("\n\n".join("\n".join(entry_lines(chip, declared)) for declared in found))
    else:
        click.echo("\n".join(table_lines(index(chip))))
