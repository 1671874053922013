"""Place policies (地方政策): a city's changes to a personality (open-choices.md §3)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final, Literal, get_args

from sscard.errors import InputError, said_by, suggestion
from sscard.fields import check_names, hidden, not_one_of, whole_number, wrong_kind, wrong_value
from sscard.i18n.phrase import Phrase
from sscard.issuer.holder import Holder
from sscard.standard.choices import CHOICES, Personality
from sscard.standard.encoding import encode_pin

DEFAULT_PLACE: Final = "tries-6"
LAST_6: Final = "last 6 of ID"
BIRTH_DATE: Final = "birth date"

InitialUse = Literal["must change", "query only", "off", "free"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place policy.

    ``pin_tries`` is the PIN retry limit, 1–15. ``initial_pin`` is a PIN,
    ``last 6 of ID`` or ``birth date`` (YYMMDD); ``initial_pin_use`` what a
    holder may do before changing it: nothing, queries, or all, or the PIN
    counts as switched off. ``FieldError`` for another value.
    """

    name: str
    pin_tries: int = 6
    initial_pin: str = "123456"
    initial_pin_use: InitialUse = "free"

    def __post_init__(self) -> None:
        tries = CHOICES["pin_tries"].allowed
        object.__setattr__(
            self, "pin_tries", whole_number(("pin_tries",), self.pin_tries, int(tries[0]), int(tries[-1]))
        )
        for field in ("name", "initial_pin"):
            if not isinstance(getattr(self, field), str):
                raise wrong_kind((field,), "string_type")
        if self.initial_pin not in (LAST_6, BIRTH_DATE):
            try:
                encode_pin(self.initial_pin)
            except ValueError as error:
                raise wrong_value(("initial_pin",), said_by(error)) from None
        if self.initial_pin_use not in get_args(InitialUse):
            raise not_one_of(("initial_pin_use",), self.initial_pin_use, get_args(InitialUse))

    def over(self, personality: Personality) -> Personality:
        """The personality with the changes of this policy."""
        return dataclasses.replace(personality, pin_tries=self.pin_tries)

    def initial_pin_of(self, holder: Holder) -> str:
        """The initial PIN of a holder's card, digits. An X at the end of an ID number counts as 0."""
        if self.initial_pin == LAST_6:
            return holder.id_number[-6:].replace("X", "0")
        if self.initial_pin == BIRTH_DATE:
            return f"{holder.birth_date:%y%m%d}"
        return self.initial_pin

    def initial_pin_by(self, id_number: str) -> str:
        """The initial PIN of the card with an ID number; empty if it depends on the number, which is not valid."""
        if self.initial_pin.isdigit():
            return self.initial_pin
        try:
            return self.initial_pin_of(Holder("", id_number))
        except InputError:
            return ""


PRESETS: Final = {
    place.name: place
    for place in (
        # The cautious: three tries, and the initial PIN does nothing until it is changed.
        Place(name="tries-3", pin_tries=3, initial_pin="123456", initial_pin_use="must change"),
        # The most common: six tries.
        Place(name="tries-6", pin_tries=6, initial_pin="123456", initial_pin_use="free"),
        # Eight tries; with the initial PIN queries work, payment does not.
        Place(name="tries-8", pin_tries=8, initial_pin=LAST_6, initial_pin_use="query only"),
        # Ten tries; an initial PIN counts as no PIN.
        Place(name="tries-10", pin_tries=10, initial_pin="000000", initial_pin_use="off"),
    )
}
"""The place policies that come with sscard."""


def places() -> list[str]:
    """The names of the place policies that come with sscard."""
    return sorted(PRESETS)


def preset_place(name: str) -> Place:
    """A place policy that comes with sscard, by name."""
    if name not in PRESETS:
        raise InputError(Phrase("no place policy {name!r}", name=hidden(name)), remedy=suggestion(name, PRESETS))
    return PRESETS[name]


def place_of(fields: Mapping[str, Any]) -> Place:
    """The place policy with these fields, in the format of a file; ``FieldError`` if one is unknown, missing, wrong."""
    check_names(fields, [field.name for field in dataclasses.fields(Place)], ["name"])
    return Place(**fields)
