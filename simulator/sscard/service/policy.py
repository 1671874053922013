"""The service's policy: what the item leaves open, as fields with defaults that a place may change."""

from __future__ import annotations

from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from sscard.document import Model, parse_document, read_document
from sscard.errors import InvalidValue
from sscard.i18n.phrase import Phrase
from sscard.service.words import ApplicantKind, Document, Standing
from sscard.service.workdays import AnnouncedYear

FILE = "policy.yaml"
YEARS = range(1000, 10_000)


class ListedCards(Model):
    """Card numbers (9 characters) from ``first`` to ``last``; a single card without ``last``."""

    first: str = Field(pattern="^[0-9A-Z]{9}$")
    last: str = Field("", pattern="^([0-9A-Z]{9})?$")
    standing: Standing

    def holds(self, card_number: str) -> bool:
        """Whether the range contains a card; the check character at the end is ignored."""
        return self.first[:-1] <= card_number[:-1] <= (self.last or self.first)[:-1]


def _of_four_digits(year: int) -> int:
    if year not in YEARS:
        raise InvalidValue(Phrase("{year} is not a year", year=year), Phrase("write its four digits: 2026"))
    return year


class Policy(Model):
    """See ``policy.yaml``, which documents each field and the reason for its default."""

    proxy: Literal["refuse", "accept"] = "refuse"
    minors: Literal["refuse", "with guardian", "accept"] = "refuse"
    adult_age: int = Field(18, ge=1, le=100)
    documents: dict[ApplicantKind, tuple[Document, ...]]
    cards: tuple[ListedCards, ...] = ()
    calendar: dict[Annotated[int, AfterValidator(_of_four_digits)], AnnouncedYear] = Field({})

    @field_validator("calendar")
    @classmethod
    def _days_are_of_their_year(cls, calendar: dict[int, AnnouncedYear]) -> dict[int, AnnouncedYear]:
        for number, year in calendar.items():
            for day in (*year.off, *year.worked):
                if day.year != number:
                    raise InvalidValue(
                        Phrase("{day} is not in {year}", day=day.isoformat(), year=number),
                        Phrase("write it under the year it is in"),
                    )
        return calendar

    @model_validator(mode="after")
    def _everybody_has_a_document(self) -> Policy:
        without = [kind.value for kind in ApplicantKind if not self.documents.get(kind)]
        if without:
            raise InvalidValue(
                Phrase("documents: none for {names}", names=", ".join(without)),
                Phrase("name at least one for each kind of applicant"),
            )
        return self

    def standing_of(self, card_number: str) -> Standing:
        """The standing of a card in the list."""
        return next((listed.standing for listed in self.cards if listed.holds(card_number)), Standing.IN_USE)


def load_policy(path: Path | None = None) -> Policy:
    """A place's policy from its file, or the built-in policy."""
    return read_document(path).as_model(Policy) if path else _default()


def builtin_policy_text() -> str:
    """The file of the built-in policy."""
    return (resources.files("sscard.service") / FILE).read_text(encoding="utf-8")


@cache
def _default() -> Policy:
    return parse_document(builtin_policy_text(), FILE).as_model(Policy)
