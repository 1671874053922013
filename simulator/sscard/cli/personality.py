"""``sscard personality list|show|check``."""

from __future__ import annotations

import click

from sscard.cli.formatter import terminal_width
from sscard.cli.options import json_option
from sscard.cli.output import print_json
from sscard.cli.place import table_of
from sscard.cli.types import PERSONALITY
from sscard.cli.usage import argument, group
from sscard.i18n.language import N_, _, say

which_argument = argument("which", type=PERSONALITY, help=N_("A preset or a personality file."))


@group("personality")
def personality() -> None:
    """Personalities: card products, with a value for everything the documents leave open."""


@personality.command("list")
@json_option
def list_presets(as_json: bool) -> None:
    """List the personalities and place policies that come with sscard."""
    from dataclasses import asdict

    from rich.console import Console
    from rich.table import Table

    from sscard.issuer import find_place, preset, presets
    from sscard.issuer.places import places

    if as_json:
        kinds = {
            "personalities": [asdict(preset(name)) for name in presets()],
            "places": [asdict(find_place(name)) for name in places()],
        }
        print_json("personalities", kinds)
        return
    console = Console(highlight=False, width=terminal_width())
    cards = Table(_("personality"), _("generation"), _("algorithm"), _("PIN tries"), box=None)
    for name in presets():
        found = preset(name)
        cards.add_row(name, found.generation, found.algorithm, str(found.pin_tries))
    console.print(cards)
    console.print(table_of([find_place(name) for name in places()]))


@personality.command("show")
@which_argument
@json_option
def show(which: str, as_json: bool) -> None:
    """Print every field of a personality with its value and meaning, as a file that can be edited."""
    from dataclasses import asdict

    from sscard.issuer import find_personality
    from sscard.issuer.personalities import written_fields
    from sscard.standard.choices import CHOICES

    fields = asdict(find_personality(which))
    if as_json:
        print_json("personality", fields)
        return
    for field, value in written_fields(fields).items():
        if field in CHOICES:
            click.echo(f"# {_(CHOICES[field].help)}")
        click.echo(f"{field}: {value}")


@personality.command("check")
@which_argument
@json_option
def check(which: str, as_json: bool) -> None:
    """Check a personality file: report the first error with its line, and what terminals cannot use."""
    from sscard.cli.target import tell
    from sscard.issuer import find_personality
    from sscard.issuer.issue import CITY
    from sscard.issuer.personalities import served_as

    found = find_personality(which)
    name, warning = found.name, served_as(found, CITY)
    if warning:
        tell(warning)
    if as_json:
        print_json("personality-check", {"file": which, "name": name, "warnings": [say(warning)] if warning else []})
    else:
        click.echo(_("{file}: {name} is good", file=which, name=name))
