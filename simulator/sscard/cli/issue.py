"""``sscard issue``: personalise cards into card files."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sscard.cli.options import OR_NONE, force_option, json_option, pin_option, place_option
from sscard.cli.output import check_output, print_json
from sscard.cli.types import FILE, NAME, PERSONALITY, SEED, Number, Text, Words
from sscard.cli.usage import command, option
from sscard.errors import InputError
from sscard.i18n.language import N_, _, reason_of
from sscard.i18n.phrase import Phrase

if TYPE_CHECKING:
    from collections.abc import Callable

    from sscard.issuer import Order
    from sscard.issuer.standing import Standing

CITY = "410400"
NO_PIN = "none"


@command("issue")
@option("-o", "--output", type=FILE, required=True, help=N_("Card file, or the folder of the card files with --count."))
@option("--personality", type=PERSONALITY, default="v3-sm4", help=N_("Personality: a preset or a file."))
@place_option
@option("--name", type=NAME, default="", help=N_("Name of the holder. Default: a made-up name."))
@option("--id", "id_number", type=Text("ID"), default="", help=N_("ID number of the holder. Default: a made-up one."))
@pin_option(
    "--pin", text=N_("4 to 16 digits, or 'none'. Default: the initial PIN of the place policy."), expected=OR_NONE
)
@option(
    "--certificates",
    is_flag=True,
    help=N_("Add a stub of the certificate application, which has its own PINs (3.0 only)."),
)
@pin_option("--certificate-pin", text=N_("User PIN of the certificate application, 4 to 16 digits. Default: 123456."))
@pin_option(
    "--administrator-pin",
    text=N_("Administrator PIN of the certificate application, 4 to 16 digits. Default: 12345678."),
)
@option("--city", type=Text(N_("CODE")), default=CITY, help=N_("City code of the issuer, 6 digits."))
@option("--count", type=Number(1), help=N_("Number of cards, with made-up holders: card-000001.db, …"))
@option(
    "--number",
    type=Number(1),
    help=N_("Number of the card, or of the first one, in the series of --seed. Default: 1."),
)
@option("--seed", type=SEED, help=N_("Seed of everything made up; it fixes the date of issue too."))
@option("--keys", type=FILE, help=N_("Root keys. Default: the built-in test keys."))
@option(
    "--holder-base",
    type=FILE,
    help=N_("Holder base in which the cards are registered. Created if it does not exist."),
)
@option(
    "--standing",
    type=Words("sscard.issuer.standing:Standing"),
    help=N_("Standing of the cards in the holder base. Default: in-use."),
)
@force_option
@json_option
def issue(
    output: Path,
    personality: str,
    place: str,
    name: str,
    id_number: str,
    pin: str | None,
    certificates: bool,
    certificate_pin: str | None,
    administrator_pin: str | None,
    city: str,
    count: int | None,
    number: int | None,
    seed: int | None,
    keys: Path | None,
    holder_base: Path | None,
    standing: Standing | None,
    force: bool,
    as_json: bool,
) -> None:
    """Personalise a card, or many, into a card file."""
    from dataclasses import replace

    from sscard.cli.prompt import checked_pin
    from sscard.cli.target import keys_of, tell
    from sscard.issuer import find_personality, find_place, order_card, personalise
    from sscard.issuer.cardfile import save_card
    from sscard.issuer.personalities import served_as

    if count is not None and count > 1 and (name or id_number):
        raise InputError(_("--name and --id are for one card"), remedy=_("leave them out, or leave --count out"))
    if number is not None and seed is None:
        raise InputError(_("--number needs --seed"), remedy=_("the same seed and number make the same card"))
    if standing is not None and holder_base is None:
        raise InputError(_("--standing needs --holder-base"), remedy=_("add --holder-base FILE"))
    product = find_personality(personality)
    if certificates:
        product = replace(product, certificate_application="stub")
    order = partial(
        order_card,
        personality=product,
        place=find_place(place) if place else "",
        name=name,
        id_number=id_number,
        pin="" if pin == NO_PIN else checked_pin(pin, "--pin") if pin is not None else None,
        certificate_pin=None if certificate_pin is None else checked_pin(certificate_pin, "--certificate-pin"),
        administrator_pin=None if administrator_pin is None else checked_pin(administrator_pin, "--administrator-pin"),
        city=city,
        seed=seed,
    )
    numbers = range(number or 1, (number or 1) + (count or 1))
    roots = keys_of(keys)
    first = order(number=numbers[0])  # its errors come before a folder is made
    warning = served_as(product, city)
    if warning:
        tell(warning)
    if count is None:
        check_output(output, replace=force)
        _registering(holder_base, standing)(first)
        save_card(personalise(first, roots), output, tell)
        if as_json:
            print_json("issue", {"cards": [_facts(first, output)]})
            return
        click.echo(
            _(
                "{path}: card of {name}, {personality}; look at it with: sscard show {path}",
                path=output,
                name=first.holder.name,
                personality=first.personality.name,
            )
        )
        return
    from rich.console import Console
    from rich.progress import track

    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            _("cannot be a folder: {reason}", reason=reason_of(error)),
            file=str(output),
            remedy=_("with --count, -o is the folder of the cards"),
        ) from None
    paths = [output / f"card-{each:06d}.db" for each in numbers]
    for path in paths:
        check_output(path, replace=force)
    register = _registering(holder_base, standing)
    cards = []
    issued = zip(numbers, paths, strict=True)
    console = Console(stderr=True)
    still = not console.is_terminal
    for each, path in track(issued, _("issuing"), total=len(paths), console=console, disable=still):
        ordered = order(number=each)
        register(ordered)
        save_card(personalise(ordered, roots), path, tell)
        cards.append(_facts(ordered, path))
    if as_json:
        print_json("issue", {"cards": cards})
        return
    click.echo(
        _("{folder}: {cards}", folder=output, cards=Phrase.plural("{count} card", "{count} cards", count=len(paths)))
    )


def _registering(file: Path | None, standing: Standing | None) -> Callable[[Order], None]:
    """What writes the standing of an ordered card to the holder base, before the card exists."""
    if file is None:
        return lambda _order: None
    from sscard.issuer.holder import card_number
    from sscard.issuer.holderbase import ListedCards
    from sscard.issuer.holderbasefile import SqliteHolderBase
    from sscard.issuer.standing import Standing

    base = SqliteHolderBase(file, create=True)
    return lambda order: base.put(ListedCards(first=card_number(order.card_body), standing=standing or Standing.IN_USE))


def _facts(order: Order, path: Path) -> dict[str, str]:
    return {"file": str(path), "holder": order.holder.name, "personality": order.personality.name}
