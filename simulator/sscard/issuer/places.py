"""Place policies (地方政策): a city's changes to a personality (open-choices.md §3)."""

from __future__ import annotations

import dataclasses
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from sscard.card import Personality
from sscard.document import Model, parse_document, read_document
from sscard.errors import InputError, suggestion
from sscard.i18n.phrase import Phrase
from sscard.issuer.holder import Holder
from sscard.standard.encoding import encode_pin

PRESETS = resources.files("sscard.issuer") / "places"
DEFAULT_PLACE = "tries-6"
LAST_6 = "last 6 of ID"
BIRTH_DATE = "birth date"


def _initial_pin(text: str) -> str:
    if text not in (LAST_6, BIRTH_DATE):
        encode_pin(text)
    return text


class Place(Model):
    """A place policy.

    ``initial_pin`` is a PIN, ``last 6 of ID`` or ``birth date`` (YYMMDD);
    ``initial_pin_use`` what a holder may do before changing it: nothing,
    queries, or all, or the PIN counts as switched off.
    """

    name: str
    pin_tries: Annotated[int, Field(ge=1, le=15)] = 6
    initial_pin: Annotated[str, AfterValidator(_initial_pin)] = "123456"
    initial_pin_use: Literal["must change", "query only", "off", "free"] = "free"

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


def places() -> list[str]:
    """The names of the place policies that come with sscard."""
    return sorted(entry.name.removesuffix(".yaml") for entry in PRESETS.iterdir() if entry.name.endswith(".yaml"))


def find_place(name: str) -> Place:
    """A place policy by name, or a file by path (anything with a suffix or a slash)."""
    path = Path(name)
    if path.suffix or len(path.parts) > 1:
        return read_document(path).as_model(Place)
    if name not in places():
        raise InputError(Phrase("no place policy {name!r}", name=name), remedy=suggestion(name, places()))
    return parse_document((PRESETS / f"{name}.yaml").read_text(encoding="utf-8"), f"{name}.yaml").as_model(Place)
