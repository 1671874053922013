"""Place policies (地方政策): a city's changes to a personality, and its rules for PINs (open-choices.md §3)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final, Literal, get_args

from sscard.errors import InputError, said_by, suggestion
from sscard.fields import (
    FieldError,
    Path_,
    hidden,
    missing_field,
    not_one_of,
    unknown_field,
    whole_number,
    wrong_kind,
    wrong_value,
)
from sscard.i18n.phrase import Phrase
from sscard.issuer.holder import Holder
from sscard.standard.choices import CHOICES, Personality
from sscard.standard.cipher import equal
from sscard.standard.encoding import encode_given_pin

DEFAULT_PLACE: Final = "tries-6"
NO_PIN: Final = "none"
PIN_REMEDY: Final = Phrase("write 4 to 16 digits, 'last 6 of ID' or 'birth date'")

PIN_FORMS: Final[dict[str, tuple[Callable[[Holder], str], Phrase]]] = {
    "last 6 of ID": (
        # An X at the end of an ID number counts as 0.
        lambda holder: holder.id_number[-6:].replace("X", "0"),
        Phrase("this place does not permit the last six digits of the ID number as a PIN: choose another PIN"),
    ),
    "birth date": (
        lambda holder: f"{holder.birth_date:%y%m%d}",
        Phrase("this place does not permit the birth date as a PIN: choose another PIN"),
    ),
}
"""PINs that depend on the holder's ID number: how each is derived, and the refusal of it as a new PIN."""
INITIAL_REFUSED: Final = Phrase("this place does not permit the initial PIN as a new PIN: choose another PIN")
FORBIDDEN: Final = Phrase("this place does not permit this PIN, which is easy to guess: choose another PIN")
NO_ID_NUMBER: Final = Phrase(
    "the PIN rules of this place need the holder's ID number, and that of the card is not valid"
)

InitialUse = Literal["must change", "query only", "off", "free"]
PinUse = Literal["verify", "query", "transact"]
"""What a PIN is verified for."""


@dataclasses.dataclass(frozen=True, slots=True)
class InitialPinRule:
    """What a place forbids a holder with an initial PIN (open-choices.md §3), and the text for the holder.

    If it forbids anything, the PIN has to be changed, so that it is no new PIN.
    """

    forbids: frozenset[PinUse] = frozenset()
    notice: Phrase | None = None


INITIAL_PIN_RULES: Final[dict[InitialUse, InitialPinRule]] = {
    "free": InitialPinRule(),
    "query only": InitialPinRule(
        frozenset({"transact"}), Phrase("An initial PIN is for queries only; you can pay once it is changed")
    ),
    "must change": InitialPinRule(
        frozenset({"query", "transact"}), Phrase("An initial PIN must be changed before it can be used")
    ),
    "off": InitialPinRule(notice=Phrase("An initial PIN counts as no PIN; it has effect once it is changed")),
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place policy.

    ``pin_tries`` is the PIN retry limit, 1–15; ``max_unblocks`` how many unblocks
    and resets a card permits, 0–99 (0: no limit; ``None``: ``unlock_limit`` of
    the personality). ``initial_pin`` is a PIN, ``last 6 of ID``, ``birth date``
    (YYMMDD), or ``none``: the card is issued without a PIN, and the holder sets
    the first one with a change. ``initial_pin_use`` is what a holder may do
    before changing an initial PIN: nothing, queries, or all, or the PIN counts
    as switched off. ``forbidden_pins`` are PINs, ``last 6 of ID`` and ``birth
    date``, that no holder may choose. ``FieldError`` for another value.
    """

    name: str
    pin_tries: int = 6
    max_unblocks: int | None = None
    initial_pin: str = "123456"
    initial_pin_use: InitialUse = "free"
    forbidden_pins: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for field, value in FIELDS.items():
            object.__setattr__(self, field, value(getattr(self, field)))
        _check_use(self.initial_pin, self.initial_pin_use)

    def over(self, personality: Personality) -> Personality:
        """The personality with the changes of this policy."""
        limit = personality.unlock_limit if self.max_unblocks is None else self.max_unblocks
        return dataclasses.replace(personality, pin_tries=self.pin_tries, unlock_limit=limit)

    def initial_pin_of(self, holder: Holder) -> str:
        """The initial PIN of a holder's card, digits; empty if cards are issued without one."""
        return "" if self.initial_pin == NO_PIN else _digits(self.initial_pin, holder)

    def initial_pin_by(self, id_number: str) -> str:
        """The initial PIN of the card with an ID number; empty if it depends on the number, which is not valid."""
        if not self.initial_depends_on_id:
            return "" if self.initial_pin == NO_PIN else self.initial_pin
        try:
            return self.initial_pin_of(Holder("", id_number))
        except InputError:
            return ""

    @property
    def initial_depends_on_id(self) -> bool:
        """Whether the initial PIN is derived from the holder's ID number."""
        return self.initial_pin in PIN_FORMS

    @property
    def restricts_initial(self) -> bool:
        """Whether an initial PIN has to be changed before every use is permitted."""
        return bool(self.initial_rule.forbids)

    @property
    def initial_rule(self) -> InitialPinRule:
        """The rule for an initial PIN that was not changed."""
        return INITIAL_PIN_RULES[self.initial_pin_use]

    @property
    def rules_depend_on_id(self) -> bool:
        """Whether ``refusal`` needs the holder's ID number."""
        restricted = self.restricts_initial and self.initial_depends_on_id
        return restricted or any(pin in PIN_FORMS for pin in self.forbidden_pins)

    def refusal(self, new_pin: str, id_number: str = "") -> Phrase | None:
        """Why this place does not permit a new PIN, ``None`` if it does; the text contains no PIN.

        ``id_number`` is the holder's, read from the card if
        ``rules_depend_on_id``. A number that is not valid refuses every PIN, so
        that no rule is passed over.
        """
        forbidden = {pin: PIN_FORMS[pin][1] if pin in PIN_FORMS else FORBIDDEN for pin in self.forbidden_pins}
        if self.restricts_initial:
            forbidden[self.initial_pin] = INITIAL_REFUSED
        try:
            holder = Holder("", id_number) if self.rules_depend_on_id else None
        except InputError:
            return NO_ID_NUMBER
        refused = (said for pin, said in forbidden.items() if equal(_digits(pin, holder).encode(), new_pin.encode()))
        return next(refused, None)


def _digits(pin: str, holder: Holder | None) -> str:
    """The digits of a PIN of a policy, which may be a form that depends on the holder."""
    return PIN_FORMS[pin][0](holder) if holder and pin in PIN_FORMS else pin


def _text(path: Path_, value: object) -> str:
    if not isinstance(value, str):
        raise wrong_kind(path, "string_type")
    return value


def _pin(path: Path_, value: object) -> str:
    """A PIN of 4–16 digits or one of the forms."""
    text = _text(path, value)
    if text in PIN_FORMS:
        return text
    try:
        encode_given_pin(text)
    except ValueError as error:
        raise wrong_value(path, said_by(error), PIN_REMEDY) from None
    return text


def _initial(value: object) -> str:
    return NO_PIN if value in ("", NO_PIN) else _pin(("initial_pin",), value)


def _use(value: object) -> object:
    if value not in get_args(InitialUse):
        raise not_one_of(("initial_pin_use",), value, get_args(InitialUse))
    return value


def _pins(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise wrong_kind(("forbidden_pins",), "list_type")
    return tuple(_pin(("forbidden_pins", position), pin) for position, pin in enumerate(value))


def _number_of(field: str, choice: str) -> Callable[[object], int]:
    """The check of a field that sets a choice of the personality, with the values of the choice."""
    allowed = CHOICES[choice].allowed
    return lambda value: whole_number((field,), value, int(allowed[0]), int(allowed[-1]))


_limit: Final = _number_of("max_unblocks", "unlock_limit")

FIELDS: Final[dict[str, Callable[[Any], object]]] = {
    "name": lambda value: _text(("name",), value),
    "pin_tries": _number_of("pin_tries", "pin_tries"),
    "max_unblocks": lambda value: None if value is None else _limit(value),
    "initial_pin": _initial,
    "initial_pin_use": _use,
    "forbidden_pins": _pins,
}
"""The value of each field of a policy as it is kept; ``FieldError`` for one that the field does not take."""


def _check_use(initial_pin: object, use: object) -> None:
    if initial_pin == NO_PIN and use != "free":
        raise wrong_value(
            ("initial_pin_use",),
            Phrase("cards of this place have no initial PIN"),
            Phrase("leave initial_pin_use out, or write the initial PIN"),
        )


PRESETS: Final = {
    place.name: place
    for place in (
        # The cautious: three tries, and the initial PIN does nothing until it is changed.
        Place(name="tries-3", pin_tries=3, initial_pin="123456", initial_pin_use="must change"),
        # The most common: six tries.
        Place(name="tries-6", pin_tries=6, initial_pin="123456", initial_pin_use="free"),
        # Eight tries; with the initial PIN queries work, payment does not.
        Place(name="tries-8", pin_tries=8, initial_pin="last 6 of ID", initial_pin_use="query only"),
        # Ten tries; an initial PIN counts as no PIN.
        Place(name="tries-10", pin_tries=10, initial_pin="000000", initial_pin_use="off"),
        # Two places issue cards without a PIN, one of them with ten tries (open-choices.md §3.1, no initial PIN).
        Place(name="no-initial-pin", pin_tries=10, initial_pin=NO_PIN),
        # Places that do not permit 123456 or 000000 as a new PIN (open-choices.md §3.1, forbidden PINs); here also the
        # PINs that other places derive from the ID number.
        Place(name="forbidden-pins", pin_tries=5, forbidden_pins=("123456", "000000", *PIN_FORMS)),
        # Three tries, and ten unblocks, after which the card is void (open-choices.md §3.4).
        Place(name="unblocks-10", pin_tries=3, max_unblocks=10),
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
    for error in errors_in(fields):
        raise error
    return Place(**fields)


def errors_in(fields: Mapping[str, Any]) -> Iterator[FieldError]:
    """Every error in the fields of a place policy."""
    for field in fields:
        if field not in FIELDS:
            yield unknown_field((field,), FIELDS)
    if "name" not in fields:
        yield missing_field(("name",))
    checks: list[Callable[[], object]] = [partial(FIELDS[field], fields[field]) for field in FIELDS if field in fields]
    pins = fields.get("forbidden_pins")
    if isinstance(pins, list):
        checks += [partial(_pin, ("forbidden_pins", position), pin) for position, pin in enumerate(pins)]
    checks.append(partial(_check_use, fields.get("initial_pin"), fields.get("initial_pin_use", "free")))
    found: dict[Path_, FieldError] = {}
    for check in checks:
        try:
            check()
        except FieldError as error:
            found.setdefault(error.path, error)
    yield from found.values()
