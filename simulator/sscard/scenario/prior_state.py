"""What is on a scenario's card before the first step: counters, locks, files, amounts, PINs of the certificates."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Final, NamedTuple

from pydantic import AfterValidator, Field

from sscard.card import Personality
from sscard.document import Model
from sscard.errors import InvalidValue, first_of, suggestion
from sscard.fields import FieldError, Path_, hidden, unknown_field, wrong_value
from sscard.i18n.phrase import Phrase
from sscard.issuer.values import content_problem
from sscard.scenario.expressions import Tries
from sscard.scenario.step import BYTES, KeyName, KeyTries, Pin, application_names
from sscard.standard.encoding import encode_an, encode_cn, encode_pin, records, tlv
from sscard.standard.tree import (
    CARD_BLOCKED,
    PIN_TRIES,
    Account,
    CertificatePin,
    FileSpec,
    Item,
    Layout,
    Structure,
)

SSSE: Final = "SSSE"
OCCURRENCE: Final = ":"
_TRIES: Final = Phrase("write it as {form}")
_LENGTH: Final = Phrase("write a value of this length")
_CONTENT: Final = Phrase("write records or bytes that fit into the file")
HEX_EXPECTED: Final = Phrase("pairs of hex digits expected")


def _application(name: str) -> str:
    if name not in application_names():
        raise InvalidValue(Phrase("no application {name!r}", name=hidden(name)), suggestion(name, application_names()))
    return name


Application = Annotated[str, AfterValidator(_application)]
"""The name of an application, DF01."""


class AccountData(Model):
    """The medical account: amounts in fen, counts, the year of the totals, the day on which a year starts (MMDD)."""

    load_count: Annotated[int, Field(ge=0, le=0xFFFF)] | None = None
    purchase_count: Annotated[int, Field(ge=0, le=0xFFFF)] | None = None
    balance: Annotated[int, Field(ge=0, le=0xFFFFFFFF)] | None = None
    self_paid: Annotated[int, Field(ge=0, le=0xFFFFFFFF)] | None = None
    pool_paid: Annotated[int, Field(ge=0, le=0xFFFFFFFF)] | None = None
    year: Annotated[int, Field(ge=0, le=9999)] | None = None
    start_day: Annotated[int, Field(ge=101, le=1231)] | None = None


class PriorState(Model):
    """The state of the card before the first step; what is not given is that of a new card.

    ``tries_left`` are those of the PIN, ``key_tries`` those of the keys, one number for all versions or one for each.
    ``card_blocked`` locks the card, ``locked`` applications. ``files`` are contents by file,
    ``EF07`` of SSSE or ``DF03/EF05``: values by tag (``40:2`` is the second item 40), a list of records in hex, or the
    bytes of a transparent file in hex. ``certificate_tries`` are those of the user and the administrator PIN.
    """

    tries_left: Tries | None = None
    key_tries: dict[KeyName, KeyTries] = Field(default_factory=dict)
    card_blocked: bool = False
    locked: tuple[Application, ...] = ()
    files: dict[str, Any] = Field(default_factory=dict)
    account: AccountData = AccountData()
    certificate_tries: KeyTries | None = None
    certificate_pin: Pin | None = Field(default=None, repr=False)
    administrator_pin: Pin | None = Field(default=None, repr=False)


class Cells(NamedTuple):
    """New values of cells of the memory, as ``Memory.commit`` takes them."""

    numbers: list[tuple[int, int]]
    strings: list[tuple[int, bytes]]


def prior_cells(
    wanted: PriorState,
    personality: Personality,
    layout: Layout,
    strings: list[bytes],
    report: Callable[[FieldError], object] | None = None,
) -> Cells:
    """The cells that differ from those of the card as it is issued; ``strings`` are its string cells.

    ``FieldError`` for state that no such card can have; ``report`` gets those after the first, one of each kind.
    """
    account = wanted.account.model_dump(exclude_none=True)
    cells = Cells([], [])
    wrong: list[FieldError] = []
    for numbers in (
        _tries(wanted, personality),
        _key_tries(wanted, personality, layout),
        _locks(wanted, layout),
        ((layout.medical + Account[name.upper()], value) for name, value in account.items()),
        _certificate_tries(wanted, personality, layout),
    ):
        with _noted(wrong):
            cells.numbers.extend(numbers)
    for written in (_files(wanted, personality, layout, strings), _certificate_pins(wanted, layout)):
        with _noted(wrong):
            cells.strings.extend(written)
    if wrong:
        raise first_of(wrong, report)
    return cells


@contextmanager
def _noted(wrong: list[FieldError]) -> Iterator[None]:
    try:
        yield
    except FieldError as error:
        wrong.append(error)


def _tries(wanted: PriorState, personality: Personality) -> Iterator[tuple[int, int]]:
    if wanted.tries_left is None:
        return
    if wanted.tries_left > personality.pin_tries:
        limit = Phrase("write 0 to {limit}, or raise choices: pin_tries", limit=personality.pin_tries)
        raise FieldError(("tries_left",), Phrase("more tries left than the card's limit"), limit)
    yield PIN_TRIES, wanted.tries_left


def _key_tries(wanted: PriorState, personality: Personality, layout: Layout) -> Iterator[tuple[int, int]]:
    counted = {key.name: index for index, key in enumerate(layout.keys) if key.counted}
    for name, given in wanted.key_tries.items():
        path = ("key_tries", name)
        if name not in counted:
            problem = Phrase("this card has no counted key {name!r}", name=hidden(name))
            raise FieldError(path, problem, suggestion(name, counted))
        versions = layout.keys[counted[name]].versions
        tries = given * versions if len(given) == 1 else given
        if len(tries) != versions or max(tries) > personality.key_tries:
            many = Phrase.plural(
                "{count} number of 0 to {limit} expected",
                "{count} numbers of 0 to {limit} expected",
                count=versions,
                limit=personality.key_tries,
            )
            form = f"{{{name}: {' '.join([str(personality.key_tries)] * versions)}}}"
            raise wrong_value(path, many, _TRIES.filled(form=form))
        yield from ((layout.counter(counted[name], version), left) for version, left in enumerate(tries))


def _locks(wanted: PriorState, layout: Layout) -> Iterator[tuple[int, int]]:
    if wanted.card_blocked:
        yield CARD_BLOCKED, 1
    cells = {df.name: df.blocked_cell for df in layout.dfs}
    for place, name in enumerate(wanted.locked):
        if name not in cells:
            raise FieldError(
                ("locked", place),
                Phrase("this card has no application {name!r}", name=hidden(name)),
                suggestion(name, cells),
            )
        yield cells[name], 1


def _certificate_tries(wanted: PriorState, personality: Personality, layout: Layout) -> Iterator[tuple[int, int]]:
    if wanted.certificate_tries is None:
        return
    limits = (personality.certificate_user_tries, personality.certificate_administrator_tries)
    _needs_certificates(("certificate_tries",), layout)
    if len(wanted.certificate_tries) != len(limits) or any(map(int.__gt__, wanted.certificate_tries, limits)):
        user, administrator = limits
        problem = Phrase(
            "two numbers up to {user} and {administrator} expected", user=user, administrator=administrator
        )
        form = f"certificate_tries: {user} {administrator}"
        raise wrong_value(("certificate_tries",), problem, _TRIES.filled(form=form))
    yield from ((layout.certificate_tries + which, left) for which, left in enumerate(wanted.certificate_tries))


def _certificate_pins(wanted: PriorState, layout: Layout) -> Iterator[tuple[int, bytes]]:
    pins = {CertificatePin.USER: "certificate_pin", CertificatePin.ADMINISTRATOR: "administrator_pin"}
    for which, field in pins.items():
        digits = getattr(wanted, field)
        if digits is not None:
            _needs_certificates((field,), layout)
            yield layout.certificate_pins + which, encode_pin(digits)


def _needs_certificates(path: Path_, layout: Layout) -> None:
    if not layout.own_pins:
        raise FieldError(
            path,
            Phrase("the card has no certificate application"),
            Phrase("add certificate_application: stub to choices:, on a card of generation 3.0"),
        )


def _files(
    wanted: PriorState, personality: Personality, layout: Layout, strings: list[bytes]
) -> Iterator[tuple[int, bytes]]:
    known = {_file_name(layout, file): file for file in layout.files} if wanted.files else {}
    for name, given in wanted.files.items():
        file = known.get(name)
        path = ("files", name)
        if file is None:
            raise unknown_field(path, known)
        if isinstance(given, dict):
            content = _items(path, file, given, strings[file.cell], personality.an_padding)
        elif isinstance(given, list):
            content = b"".join(_hex((*path, place), record) for place, record in enumerate(given))
        else:
            content = _hex(path, given).ljust(file.size if file.structure == Structure.TRANSPARENT else 0, b"\0")
        if problem := content_problem(file, content):
            raise wrong_value(path, problem, _CONTENT)
        yield file.cell, content


def _file_name(layout: Layout, file: FileSpec) -> str:
    """A file as a scenario writes it."""
    ef = f"EF{file.sfi:02X}"
    return ef if file.df == layout.ssse.fid else f"{layout.df_name(file.df)}/{ef}"


def _items(path: Path_, file: FileSpec, given: dict[str, Any], content: bytes, padding: int) -> bytes:
    """The records of a file, those of the named items with their new values."""
    if file.structure not in (Structure.VARIABLE, Structure.FIXED):
        raise wrong_value(path, Phrase("this file has no items"), Phrase("write its records or bytes in hex"))
    held = list(records(content))
    seen: dict[int, int] = {}
    places: dict[str, int] = {}
    for place, item in enumerate(file.items):
        seen[item.tag] = seen.get(item.tag, 0) + 1
        places[f"{item.tag:02X}{OCCURRENCE}{seen[item.tag]}"] = place
    for tag, value in given.items():
        place = places.get(tag if OCCURRENCE in tag else f"{tag}{OCCURRENCE}1", -1)
        if place < 0:
            raise unknown_field((*path, tag), (name.removesuffix(":1") for name in places))
        held[place] = tlv(file.items[place].tag, _value((*path, tag), file.items[place], str(value), padding))
    return b"".join(held)


def _value(path: Path_, item: Item, text: str, padding: int) -> bytes:
    """The value of an item from its text, or from hex digits if it is neither text nor digits."""
    try:
        if item.type == "cn":
            return encode_cn(text, item.length)
        if item.type == "an":
            return encode_an(text, item.length, padding)
    except ValueError:
        many = Phrase("{type} of up to {length} bytes expected", type=item.type, length=item.length)
        raise wrong_value(path, many, _LENGTH) from None
    content = _hex(path, text)
    if len(content) != item.length:
        raise wrong_value(
            path, Phrase("{length} bytes expected, got {found}", length=item.length, found=len(content)), _LENGTH
        )
    return content


def _hex(path: Path_, text: object) -> bytes:
    try:
        return bytes.fromhex(str(text))
    except ValueError:
        raise wrong_value(path, HEX_EXPECTED, BYTES) from None
