"""``sscard personality list|show|check``."""

from __future__ import annotations

from typing import Annotated

import typer

from sscard.cli.usage import Commands
from sscard.i18n.language import _

personality = Commands(help=_("Personalities: card products with what the documents leave open."))

Which = Annotated[str, typer.Argument(metavar="P", help=_("A preset or a personality file."))]


@personality.command("list")
def list_presets() -> None:
    """The personalities and place policies that come with sscard."""
    from rich.console import Console
    from rich.table import Table

    from sscard.issuer import find_place, places, preset, presets

    console = Console(highlight=False)
    cards = Table(_("personality"), _("generation"), _("algorithm"), _("PIN tries"), box=None)
    for name in presets():
        found = preset(name)
        cards.add_row(name, found.generation, found.algorithm, str(found.pin_tries))
    console.print(cards)
    policies = Table(_("place policy"), _("PIN tries"), _("initial PIN"), _("its use"), box=None)
    for name in places():
        place = find_place(name)
        policies.add_row(name, str(place.pin_tries), place.initial_pin, place.initial_pin_use)
    console.print(policies)


@personality.command()
def show(which: Which) -> None:
    """Every field of a personality with its value and meaning, as a file that can be edited."""
    from dataclasses import asdict

    from sscard.issuer import find_personality
    from sscard.issuer.personalities import written_fields
    from sscard.standard.choices import CHOICES

    for field, value in written_fields(asdict(find_personality(which))).items():
        if field in CHOICES:
            typer.echo(f"# {_(CHOICES[field].help)}")
        typer.echo(f"{field}: {value}")


@personality.command()
def check(which: Which) -> None:
    """Say whether a personality file is good, and where it is not."""
    from sscard.issuer import find_personality

    typer.echo(_("{file}: {name} is good", file=which, name=find_personality(which).name))
