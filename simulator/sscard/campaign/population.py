"""The population file: which cards of which places, how their holders behave, and when they come."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Collection
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import AfterValidator, Field, PlainSerializer, PlainValidator, TypeAdapter, model_validator

from sscard.campaign.timing_file import PRESETS as TIMINGS
from sscard.campaign.timing_file import TimingFile, find_timing, timing_in, timing_schema
from sscard.campaign.waiting import Windows
from sscard.document import Document, Model, parse_document, read_document
from sscard.errors import InputError, InvalidValue, suggestion
from sscard.fields import hidden
from sscard.i18n.phrase import Phrase
from sscard.issuer.formats import place_in, stated_personality
from sscard.issuer.issue import CITY, issue_card
from sscard.issuer.lookup import find_personality, find_place, is_path
from sscard.issuer.personalities import PRESETS as PERSONALITIES
from sscard.issuer.personalities import personality_of, served_as, written_fields
from sscard.issuer.places import PRESETS as PLACES
from sscard.issuer.places import Place
from sscard.service.policy import Policy, find_policy, policies, policy_in
from sscard.standard.choices import Personality

T = TypeVar("T")

BUILT_IN: Final = "population.yaml"
"""The population that comes with sscard."""
NO_SHARE: Final = Phrase("every share is 0")
SHARE_REMEDY: Final = Phrase("write a share above 0 for one of them")
SERVED: Final = Phrase("set fci_algorithm: yes, or choose another city under holders:")
MOST: Final = 200
"""Products, places and behaviours: a row has one byte for each."""
HOURS: Final = range(24)

Kind = Literal["careful", "forgetful", "careless", "attacker", "torn terminal", "failing HSM"]
Probability = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]
CityCode = Annotated[str, Field(pattern="^[0-9]{6}$")]

PARAMETERS: Final[dict[str, dict[str, float | int]]] = {
    "careful": {"slips": 0.02, "changes": 0.3},
    "forgetful": {"forgets": 1.0, "guesses": 4, "recalls": 0.2, "visits": 0.95},
    "careless": {"slips": 0.6, "visits": 0.95, "remembers": 0.8},
    "attacker": {"stolen": 1.0, "guesses": 15, "visits": 0.8, "remembers": 0.8},
    "torn terminal": {"forgets": 0.5, "guesses": 2, "changes": 1.0, "visits": 1.0, "torn": 1.0, "gives_up": 0.3},
    "failing HSM": {"forgets": 1.0, "guesses": 2, "visits": 1.0, "hsm_down": 1.0, "still_down": 0.1},
}
"""What each kind of behaviour sets; a parameter that it does not set has its default."""


class Behaviour(Model):
    """How a holder uses the card; every parameter can be stated with every kind, which sets the others.

    All but ``guesses`` are probabilities. ``slips``: a PIN is mistyped. ``forgets``: the holder does not know it, and
    tries ``guesses`` PINs at most, of which each ``recalls`` the right one. ``stolen``: somebody else guesses.
    ``changes``: a holder who knows the PIN changes it. ``visits``: a holder with another reason comes to the window.
    ``remembers``: who knows the PIN of a blocked card applies for an unblock, not for a reset. ``torn``: the terminal
    loses its power in the operation, and then ``gives_up``, so that the citizen has to come back. ``hsm_down``: the HSM
    fails at the visit; ``still_down``: also when the citizen comes back.
    """

    kind: Kind
    name: Annotated[str, Field(min_length=1, max_length=64)] = ""
    share: Share = 1
    slips: Probability = 0
    forgets: Probability = 0
    guesses: Annotated[int, Field(ge=0, le=15)] = 0
    recalls: Probability = 0
    stolen: Probability = 0
    changes: Probability = 0
    visits: Probability = 1
    remembers: Probability = 0
    torn: Probability = 0
    gives_up: Probability = 0
    hsm_down: Probability = 0
    still_down: Probability = 0

    @model_validator(mode="before")
    @classmethod
    def _as_the_kind_sets(cls, written: Any) -> Any:
        if not isinstance(written, dict) or not isinstance(kind := written.get("kind"), str):
            return written
        return {"name": kind, **PARAMETERS.get(kind, {}), **written}


def _hours(rates: dict[int, float]) -> dict[int, float]:
    for hour in rates:
        if hour not in HOURS:
            raise InvalidValue(Phrase("{hour} is not an hour of the day", hour=hour), Phrase("write 0 to 23"))
    if not sum(rates.values()):
        raise InvalidValue(Phrase("the rate of every hour is 0"), Phrase("write a rate above 0 for one of them"))
    return rates


Rates = Annotated[dict[int, Share], AfterValidator(_hours)]


class Arrivals(Model):
    """When citizens come: relative rates by hour of the day.

    The cards are first used during ``days`` days, which begin with a Monday, at the hours of ``pharmacy``. The windows
    are open at the hours of ``window``, Monday to the day ``open_days``. A citizen comes to a window up to
    ``delay_days`` after the reason for it.
    """

    days: Annotated[int, Field(ge=1, le=3650)] = 30
    open_days: Annotated[int, Field(ge=1, le=7)] = 5
    delay_days: Annotated[int, Field(ge=0, le=365)] = 3
    pharmacy: Rates = Field(default=dict.fromkeys(range(8, 20), 1))
    window: Rates = Field(default={9: 3, 10: 4, 11: 3, 13: 2, 14: 3, 15: 3, 16: 2})


class Holders(Model):
    """Who holds the cards: the city of their issuer, and the probability that they have chosen a PIN of their own."""

    city: CityCode = CITY
    own_pin: Probability = 0.8


def _kept_personality(value: object) -> object:
    return personality_of(written_fields(value)) if isinstance(value, dict) else value


KeptPersonality = Annotated[Personality, PlainValidator(_kept_personality), PlainSerializer(dataclasses.asdict)]
"""As a card image keeps it; of the compiled class pydantic knows no field."""


class Product(Model):
    """A card product and its share."""

    name: str
    share: Share
    personality: KeptPersonality


class PlaceShare(Model):
    """A place policy and its share."""

    name: str
    share: Share
    place: Place


class _WrittenProduct(Model):
    personality: str | dict[str, str]
    share: Share = 1


class _WrittenPlace(Model):
    place: str | dict[str, str | list[str]]
    share: Share = 1


class _Common(Model):
    behaviours: Annotated[tuple[Behaviour, ...], Field(min_length=1, max_length=MOST)]
    arrivals: Arrivals = Arrivals()
    holders: Holders = Holders()
    interface: Literal["contact", "contactless"] = "contact"
    windows: Windows = Windows()


class _Written(_Common):
    """A population file."""

    products: Annotated[tuple[_WrittenProduct, ...], Field(min_length=1, max_length=MOST)]
    places: Annotated[tuple[_WrittenPlace, ...], Field(min_length=1, max_length=MOST)]
    policy: str | dict[str, Any] = "page"
    timing: str | dict[str, Any] | None = None


class Population(_Common):
    """A population with its personalities, place policies and the policy of the service: no file is needed any more.

    ``model_dump_json`` and ``model_validate_json`` keep it.
    """

    products: Annotated[tuple[Product, ...], Field(min_length=1, max_length=MOST)]
    places: Annotated[tuple[PlaceShare, ...], Field(min_length=1, max_length=MOST)]
    policy: Policy
    timing: TimingFile | None = None

    def timed(self, timing: TimingFile) -> Population:
        """The population with a timing model, and its interface; ``InputError`` if the model is not complete."""
        return self.model_copy(update={"timing": timing.for_windows(), "interface": timing.interface})


def read_population(path: Path | None = None) -> Population:
    """The population of a file, or the built-in one; paths in a file start at its folder.

    Errors: ``InputError`` with line and column.
    """
    if path is None:
        text = (resources.files("sscard.campaign") / BUILT_IN).read_text(encoding="utf-8")
        return population_in(parse_document(text, BUILT_IN), Path())
    return population_in(read_document(path), path.parent)


def population_in(document: Document, folder: Path) -> Population:
    """The population that a document describes; paths in it start at ``folder``. Errors as of ``read_population``."""
    written = document.as_model(_Written)
    for field in ("products", "places", "behaviours"):
        if not sum(each.share for each in getattr(written, field)):
            raise document.error((field,), NO_SHARE, SHARE_REMEDY)
    products, places = (
        tuple((each, document.part((field, at))) for at, each in enumerate(getattr(written, field)))
        for field in ("products", "places")
    )
    policy = _stated(document, "policy", written.policy, folder, policies(), policy_in, find_policy)
    found = Population(
        products=tuple(_product(each, part, folder, written.holders.city) for each, part in products),
        places=tuple(_place(each, part, folder) for each, part in places),
        policy=policy,
        **{name: getattr(written, name) for name in _Common.model_fields},
    )
    if written.timing is None:
        return found
    timing = _stated(document, "timing", written.timing, folder, TIMINGS, timing_in, find_timing)
    if "interface" in written.model_fields_set and timing.interface != written.interface:
        raise document.error(
            ("timing",), Phrase("the timing model is of another interface"), Phrase("leave the field interface out")
        )
    try:
        return found.timed(timing)
    except InputError as error:
        raise document.error(("timing",), error.problem, error.remedy) from None


def _product(written: _WrittenProduct, part: Document, folder: Path, city: str) -> Product:
    stated = written.personality
    personality = _stated(part, "personality", stated, folder, PERSONALITIES, stated_personality, find_personality)
    if (problem := served_as(personality, city)) is not None:
        raise part.error(("personality",), problem, SERVED)
    try:
        issue_card(personality=personality, city=city, seed=0)
    except InputError as error:
        raise part.error(("personality",), error.problem, error.remedy) from None
    return Product(name=personality.name, share=written.share, personality=personality)


def _place(written: _WrittenPlace, part: Document, folder: Path) -> PlaceShare:
    place = _stated(part, "place", written.place, folder, PLACES, place_in, find_place)
    return PlaceShare(name=place.name, share=written.share, place=place)


def _stated(
    document: Document,
    field: str,
    stated: str | dict[str, Any],
    folder: Path,
    presets: Collection[str],
    read: Callable[[Document], T],
    find: Callable[[str], T],
) -> T:
    """What a field states: the name of a preset, the path of a file, or the content of such a file."""
    if not isinstance(stated, str):
        return read(document.part((field,)))
    if is_path(stated):
        return find(os.path.join(folder, stated))  # noqa: PTH118 - a Path drops the ./ that makes a word a path
    if stated not in presets:
        raise document.error((field,), Phrase("no preset {name!r}", name=hidden(stated)), suggestion(stated, presets))
    return find(stated)


def population_schema() -> dict[str, Any]:
    """The JSON Schema of a population file."""
    schema, timing = TypeAdapter(_Written).json_schema(), timing_schema()
    schema["$defs"] |= timing["$defs"]
    schema["properties"]["timing"] = {"anyOf": [{"type": "string"}, *timing["anyOf"]]}
    return schema
