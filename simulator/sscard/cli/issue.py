"""``sscard issue``: personalise cards into image files."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sscard.cli.options import force_option, place_option
from sscard.cli.output import check_output
from sscard.cli.types import DIGITS, FILE, NAME, PERSONALITY, SEED, Number, Text
from sscard.cli.usage import command, option
from sscard.errors import InputError
from sscard.i18n.language import N_, _, reason_of

if TYPE_CHECKING:
    from random import Random

    from sscard.card import Personality
    from sscard.issuer import Order
    from sscard.issuer.places import Place

CITY = "410400"
SEEDED_DATE = date(2026, 1, 5)
"""The day of issue where a seed fixes everything."""
NO_PIN = "none"


@command("issue")
@option("-o", "--output", type=FILE, required=True, help=N_("Image file, or the folder of the images with --count."))
@option("--personality", type=PERSONALITY, default="v3-sm4", help=N_("Personality: a preset or a file."))
@place_option
@option("--name", type=NAME, default="", help=N_("Name of the holder. Default: a made-up name."))
@option("--id", "id_number", type=Text("ID"), default="", help=N_("ID number of the holder. Default: a made-up one."))
@option("--pin", type=DIGITS, help=N_("4 to 16 digits, or 'none'. Default: the initial PIN of the place policy."))
@option("--city", type=Text(N_("CODE")), default=CITY, help=N_("City code of the issuer, 6 digits."))
@option("--count", type=Number(1), default=1, help=N_("Number of cards, with made-up holders."))
@option("--seed", type=SEED, help=N_("Seed of everything made up; it fixes the date of issue too."))
@option("--keys", type=FILE, help=N_("Root keys. Default: the built-in test keys."))
@force_option
def issue(
    output: Path,
    personality: str,
    place: str,
    name: str,
    id_number: str,
    pin: str | None,
    city: str,
    count: int,
    seed: int | None,
    keys: Path | None,
    force: bool,
) -> None:
    """Personalise a card, or many, into an image file."""
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
    inputs: list[Path | str] = [personality, *([keys] if keys else [])]
    wanted = orders.of(name, id_number, city, pin)
    roots = keys_of(keys)
    if count == 1:
        order = next(wanted)
        check_output(output, inputs, replace=force)
        save_card(personalise(order, roots), output)
        click.echo(
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
        check_output(path, inputs, replace=force)
    for path in track(paths, description=_("issuing")):
        save_card(personalise(next(wanted), roots), path)
    click.echo(_("{folder}: {count} cards", folder=output, count=count))


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
