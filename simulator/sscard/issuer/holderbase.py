"""The holder base (持卡库) of the issuer: the standing of each card, which the card itself does not know.

Three forms answer the same question: a list in memory, an SQLite file
(``holderbasefile``), and a service (``sscard.hsm.holderbase``). A base lists what differs from normal; a
card that it does not list is in use. Of two entries for a card, the newer one
counts; of those of a list or a policy, the first one. Source: open-choices.md §3.5.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Annotated, Final, Protocol, runtime_checkable

from pydantic import AfterValidator, ConfigDict, model_validator

from sscard.document import Document, Model
from sscard.errors import InputError, InvalidValue
from sscard.fields import of_form, wrong_value
from sscard.i18n.phrase import Phrase
from sscard.issuer.holder import is_card_number
from sscard.issuer.standing import Standing

_NOT_A_NUMBER: Final = Phrase("not a card number")
_NUMBER_FORM: Final = Phrase("write 9 digits and capital letters: {example}", example="B00000019")


class ListedCards(Model):
    """Card numbers (9 characters) from ``first`` to ``last``; a single card without ``last``."""

    first: Annotated[str, AfterValidator(of_form("[0-9A-Z]{9}", _NOT_A_NUMBER, _NUMBER_FORM))]
    last: Annotated[str, AfterValidator(of_form("([0-9A-Z]{9})?", _NOT_A_NUMBER, _NUMBER_FORM))] = ""
    standing: Standing

    @model_validator(mode="after")
    def _begins_before_it_ends(self) -> ListedCards:
        first, last = self.ends
        if last < first:
            raise InvalidValue(Phrase("the last card is before the first one"), Phrase("exchange them"))
        return self

    @property
    def ends(self) -> tuple[str, str]:
        """The first and the last number without the check character, which does not count."""
        return self.first[:-1], (self.last or self.first)[:-1]


class CardList(Model):
    """The cards of a list or a policy, whose other fields are left out."""

    model_config = ConfigDict(extra="ignore")
    cards: tuple[ListedCards, ...]


def wrong_numbers(document: Document) -> Iterator[InputError]:
    """The numbers of listed cards that no card has, because their check characters are wrong.

    Reported to who writes a list: the check character does not count when a standing is looked up.
    """
    listed = document.content.get("cards") if isinstance(document.content, dict) else None
    for index, entry in enumerate(listed if isinstance(listed, list) else ()):
        for name in ("first", "last") if isinstance(entry, dict) else ():
            written = entry.get(name)
            if isinstance(written, str) and re.fullmatch("[0-9A-Z]{9}", written) and not is_card_number(written):
                path = ("cards", index, name)
                wrong = wrong_value(
                    path,
                    _NOT_A_NUMBER,
                    Phrase("expected 9 characters, the last one of which is a check"),
                )
                yield document.error(path, wrong.problem, wrong.remedy)


@runtime_checkable
class HolderBase(Protocol):
    """The question to a holder base."""

    def standing(self, card_number: str) -> Standing:
        """The standing of a card now. Raises ``HolderBaseUnavailable``."""


class MemoryHolderBase:
    """A holder base in memory; of ``listed`` entries the first one that has a card counts."""

    def __init__(self, listed: Iterable[ListedCards] = ()) -> None:
        self._listed = list(listed)

    def standing(self, card_number: str) -> Standing:
        """See ``HolderBase``."""
        number = card_number[:-1]
        found = (each for each in self._listed if each.ends[0] <= number <= each.ends[1])
        return next((each.standing for each in found), Standing.IN_USE)

    def put(self, *listed: ListedCards) -> None:
        """Write entries, the newest last; each replaces an older one of the same cards."""
        for entry in listed:
            self._listed = [entry, *(each for each in self._listed if each.ends != entry.ends)]
