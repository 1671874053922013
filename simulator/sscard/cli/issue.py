"""``sscard issue``: personalise cards into image files."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sscard.errors import InputError
from sscard.i18n.language import _, reason_of

if TYPE_CHECKING:
    from random import Random

    from sscard.card import Personality
    from sscard.issuer import Order
    from sscard.issuer.places import Place

CITY = "410400"
SEEDED_DATE = date(2026, 1, 5)
"""The day of issue where a seed fixes everything."""
NO_PIN = "none"


def issue(
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help=_("The image; a folder with --count."))
    ],
    personality: Annotated[str, typer.Option(metavar="P", help=_("A preset or a personality file."))] = "v3-sm4",
    place: Annotated[str, typer.Option(metavar="P", help=_("A place policy: PIN limit and initial PIN."))] = "",
    name: Annotated[str, typer.Option(help=_("Holder's name; made up where none is given."))] = "",
    id_number: Annotated[str, typer.Option("--id", metavar="NUMBER", help=_("Holder's ID number."))] = "",
    pin: Annotated[
        str | None, typer.Option(help=_("4 to 16 digits, or {none!r}; else the place's initial PIN.", none=NO_PIN))
    ] = None,
    city: Annotated[str, typer.Option(help=_("City code of the issuer, six digits."))] = CITY,
    count: Annotated[int, typer.Option(min=1, help=_("How many cards, of made-up holders."))] = 1,
    seed: Annotated[int | None, typer.Option(help=_("Fixes all that is made up, and the date."))] = None,
    keys: Annotated[
        Path | None, typer.Option(metavar="FILE", help=_("Root keys; else the built-in test keys."))
    ] = None,
    force: Annotated[bool, typer.Option("--force", help=_("Replace images that exist."))] = False,
) -> None:
    """Personalise a card (or many) into an image file."""
    from random import Random

    from rich.progress import track

    from sscard.cli.target import keys_of
    from sscard.issuer import find_personality, find_place, personalise
    from sscard.issuer.cardfile import save_card

    if count > 1 and (name or id_number):
        raise InputError(_("--name and --id are for one card"), remedy=_("leave them out, or leave --count out"))
    if len(city) != 6 or not (city.isascii() and city.isdigit()):
        raise InputError(_("--city is a code of six digits"), remedy=_("for example 410400"))
    policy = find_place(place or "tries-6")
    product = find_personality(personality)
    orders = _Orders(
        Random(seed) if seed is not None else Random(),
        policy.over(product) if place else product,
        policy,
        date.today() if seed is None else SEEDED_DATE,  # noqa: DTZ011 - the day at the counter
    )
    wanted = orders.of(name, id_number, city, pin)
    roots = keys_of(keys)
    if count == 1:
        order = next(wanted)
        _refuse_existing(output, force)
        save_card(personalise(order, roots), output)
        typer.echo(
            _(
                "{path}: card of {name}, {personality}; look at it with: sscard show {path}",
                path=output,
                name=order.holder.name,
                personality=order.personality.name,
            )
        )
        return
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(_("cannot be a folder: {reason}", reason=reason_of(error)), file=str(output)) from None
    paths = [output / f"card-{number:0{len(str(count))}d}.json" for number in range(1, count + 1)]
    for path in paths:
        _refuse_existing(path, force)
    for path in track(paths, description=_("issuing")):
        save_card(personalise(next(wanted), roots), path)
    typer.echo(_("{folder}: {count} cards", folder=output, count=count))


class _Orders:
    """The orders of one run, one after the other."""

    def __init__(self, random: Random, personality: Personality, place: Place, issued: date) -> None:
        self._random = random
        self._personality = personality
        self._place = place
        self._issued = issued

    def of(self, name: str, id_number: str, city: str, pin: str | None) -> Iterator[Order]:
        """Orders for this holder, made up where nothing is given."""
        from dataclasses import replace

        from sscard.cli.pins import checked_pin
        from sscard.issuer import Holder, make_holder, make_order

        if pin == "":
            raise InputError(_("--pin is empty"), remedy=_("4 to 16 digits, or '{none}' for no PIN", none=NO_PIN))
        given = "" if pin == NO_PIN else checked_pin(pin, "--pin") if pin is not None else None
        while True:
            holder = make_holder(self._random)
            holder = Holder(name or holder.name, id_number or holder.id_number)
            order = make_order(self._personality, self._random, holder, city, self._issued)
            yield replace(order, pin=self._place.initial_pin_of(holder) if given is None else given)


def _refuse_existing(path: Path, force: bool) -> None:
    if path.exists() and not force:
        raise InputError(
            _("exists already"), file=str(path), remedy=_("choose another name, or replace it with --force")
        )
