"""``sscard holder-base set|show|list|import``: the standing of cards in the issuer's holder base."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from sscard.cli.chosen import chosen_holder_base
from sscard.cli.options import hsm_token_option, json_option
from sscard.cli.output import print_json
from sscard.cli.types import FILE, HOLDER_BASE, File, Text, Words
from sscard.cli.usage import BadValue, argument, group, option
from sscard.i18n.language import N_, _, say
from sscard.i18n.phrase import Phrase

if TYPE_CHECKING:
    from sscard.issuer.holderbase import ListedCards
    from sscard.issuer.standing import Standing


class CardNumber(Text):
    """A card number of 9 characters with its check character, or the path of a card file, whose number it is."""

    def __init__(self) -> None:
        super().__init__(N_("CARD"), files=True, path="(?P<path>.*[./].*)")

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The card number."""
        from sscard.issuer.holder import is_card_number

        text = super().convert(value, param, ctx)
        if not text or is_card_number(text):
            return text
        if not os.path.isfile(text):  # noqa: PTH113 - Path raises for a name too long
            raise BadValue(
                _("neither a card number nor a card file"), _("expected 9 characters, the last one of which is a check")
            )
        from sscard.issuer.cardfile import load_card
        from sscard.issuer.personalise import number_of

        return number_of(load_card(Path(text)))


class BaseFile(File):
    """The file of a holder base, also as ``sqlite:FILE``; a service is only asked, so its URL is refused."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The path, which may not exist."""
        if "://" in str(value):
            raise BadValue(
                _("a service is asked only, with: sscard holder-base show"),
                _("give the file on the host of the service"),
            )
        return super().convert(str(value).removeprefix("sqlite:"), param, ctx)


STANDING: Final = Words("sscard.issuer.standing:Standing")

file_argument = argument("file", metavar=N_("FILE"), type=BaseFile(), help=N_("SQLite file of the holder base."))
card_argument = argument("card", metavar=N_("CARD"), type=CardNumber(), help=N_("Card number, or a card file."))


@group("holder-base")
def holder_base() -> None:
    """The holder base: which cards are lost, not enabled or otherwise not in use.

    A card that it does not list is in use. The PIN service asks it with
    sscard case open|resume --holder-base; sscard hsm serve --holder-base
    offers it to other hosts.
    """


@holder_base.command("set")
@file_argument
@card_argument
@argument("standing", metavar=N_("STANDING"), type=STANDING, help=N_("The standing of the card from now on."))
@option("--last", type=CardNumber(), default="", help=N_("Last card of a range that begins with CARD."))
@json_option
def set_standing(file: Path, card: str, standing: Standing, last: str, as_json: bool) -> None:
    """Set the standing of a card, or of a range of cards. The file is created if it does not exist."""
    from sscard.errors import InputError
    from sscard.issuer.holderbase import ListedCards
    from sscard.issuer.holderbasefile import SqliteHolderBase

    if last and last[:-1] < card[:-1]:
        raise InputError(_("--last is before CARD"), remedy=_("exchange them"))
    entry = ListedCards(first=card, last=last, standing=standing)
    SqliteHolderBase(file, create=True).put(entry)
    _print(entry, as_json)


@holder_base.command("show")
@argument("base", metavar=N_("URL"), type=HOLDER_BASE, help=N_("Holder base: a file, or the URL of a service."))
@card_argument
@hsm_token_option
@json_option
def show(base: str, card: str, hsm_token: Path | None, as_json: bool) -> None:
    """Print the standing of a card. Exits 3 if the holder base gives no answer."""
    from sscard.issuer.holderbase import ListedCards

    with chosen_holder_base(base, hsm_token) as opened:
        assert opened is not None
        standing = opened.standing(card)
    _print(ListedCards(first=card, standing=standing), as_json)


@holder_base.command("list")
@file_argument
@json_option
def list_entries(file: Path, as_json: bool) -> None:
    """List the entries, the newest first; of two entries for a card the newer one counts."""
    from sscard.issuer.holderbasefile import SqliteHolderBase

    entries = SqliteHolderBase(file).listed()
    if as_json:
        print_json("holder-base-list", {"cards": [_content(entry) for entry in entries]})
        return
    for entry in entries:
        _print(entry, as_json=False)


@holder_base.command("import")
@file_argument
@argument("source", metavar=N_("LIST"), type=FILE, help=N_("YAML with cards: first, last, standing; or a policy."))
@json_option
def import_list(file: Path, source: Path, as_json: bool) -> None:
    """Add the cards of a list, or of a policy, to a holder base. The file is created if it does not exist."""
    from sscard.document import read_document
    from sscard.issuer.holderbase import CardList, wrong_numbers
    from sscard.issuer.holderbasefile import SqliteHolderBase

    document = read_document(source)
    cards = document.as_model(CardList).cards
    for wrong in wrong_numbers(document):
        raise wrong
    SqliteHolderBase(file, create=True).put(*reversed(cards))  # of a list, the first entry for a card counts
    if as_json:
        print_json("holder-base-import", {"file": str(file), "entries": len(cards)})
        return
    entries = Phrase.plural("{count} entry", "{count} entries", count=len(cards))
    click.echo(_("{file}: {entries} added", file=file, entries=entries))


def _content(entry: ListedCards) -> dict[str, Any]:
    return {"first": entry.first, "last": entry.last or entry.first, "standing": entry.standing.value}


def _print(entry: ListedCards, as_json: bool) -> None:
    if as_json:
        print_json("holder-base", _content(entry))
        return
    cards = f"{entry.first}-{entry.last}" if entry.last else entry.first
    click.echo(f"{cards}: {say(entry.standing.words)}")
