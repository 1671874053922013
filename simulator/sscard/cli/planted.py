"""Cards with planted defects: the options, and what insert, farm and apdu do with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any, Final

import click

from sscard.cli.types import NAME, Text
from sscard.cli.usage import option
from sscard.errors import InputError
from sscard.i18n.language import N_, _

EVERY: Final = "all-of-card"


def _sources_first(_ctx: click.Context, _parameter: click.Parameter, names: Any) -> Any:
    """Prefer the sources of the chip before another option imports it compiled."""
    if names:
        from sscard.sources import prefer_sources

        prefer_sources()
    return names


defect_option: Final = option(
    "--defect",
    "defects",
    type=NAME,
    multiple=True,
    is_eager=True,
    callback=_sources_first,
    help=N_("Plant a defect in the card: a name of 'sscard defects list --part card'."),
)
defects_option: Final = option(
    "--defects",
    type=Text(N_("NAMES")),
    default="",
    is_eager=True,
    callback=_sources_first,
    help=N_("Plant a defect in each of the first cards: NAME,NAME of 'sscard defects list', or all-of-card."),
)


def planted_lines(opened: ExitStack, names: Sequence[str], *, psam: bool = False) -> Iterator[str]:
    """Plant defects in every card of this process, or every PSAM, until the stack is closed; a line about each.

    Errors: ``InputError`` for a defect of another part.
    """
    if not names:
        return
    from sscard.scenario.defect_parts import Part
    from sscard.scenario.defects.measure import defects_of, planted

    found = defects_of(Part.PSAM if psam else Part.CARD, names)
    opened.enter_context(planted(found))
    for defect in found:
        yield _("defect {name}: {says}", name=defect.name, says=defect.says)


def defect_of_each(names: str, cards: int) -> list[str]:
    """The defect of each card of a farm, empty for a good one. Errors: ``InputError`` for more defects than cards."""
    if not names:
        return [""] * cards
    from sscard.scenario.defect_parts import Part
    from sscard.scenario.defects import DEFECTS
    from sscard.scenario.defects.measure import defects_of

    asked = [name.strip() for name in names.split(",")]
    every = [defect.name for defect in DEFECTS if defect.part is Part.CARD]
    found = every if names == EVERY else [defect.name for defect in defects_of(Part.CARD, asked)]
    if len(found) > cards:
        raise InputError(
            _("{defects} defects need as many cards, and there are {cards}", defects=len(found), cards=cards),
            remedy=_("sscard issue --count {count} -o cards makes them", count=len(found)),
        )
    return [*found, *[""] * (cards - len(found))]
