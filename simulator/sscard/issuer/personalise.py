"""Personalisation (个人化): a blank card becomes a holder's card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from random import Random, SystemRandom
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from sscard.card import Chip, Personality, Profile, Snapshot
from sscard.card.profile import Diversify
from sscard.card.snapshot import take_snapshot
from sscard.chip.memory import Log, Memory
from sscard.errors import InputError
from sscard.i18n.phrase import Phrase
from sscard.issuer.hierarchy import CardReference, KeyHierarchy
from sscard.standard.certificates import INITIAL_PINS
from sscard.standard.cipher import SSF33_ID, SUITES_BY_NAME
from sscard.standard.encoding import decode_an, encode_an, encode_cn, encode_pin, records, tlv
from sscard.standard.generations import GENERATIONS, build_layout
from sscard.standard.suite import algorithm_of
from sscard.standard.tree import PIN, CertificatePin, Item, Layout

if TYPE_CHECKING:
    from sscard.issuer.holder import Holder

CHIP_MAKER = bytes.fromhex("1234")
COS = bytes.fromhex("A1B2C3")
CARD_MAKER = bytes.fromhex("8649")
APPLICATION = "D156000005"
INITIAL_PIN = "123456"
VALID_YEARS = 10
EF_ISSUER, IDENTIFICATION_CODE, CARD_NUMBER = 0x05, 0x01, 0x07
"""The SFI of EF05, and two of its items."""
SERIAL_LENGTH = 8
SHARED_LIMIT = 256
"""Products, and cities of each, whose blank memory is kept."""

DF01, DF04 = 0xDF01, 0xDF04
OFF_LINE = "2"

_SYSTEM: Final = SystemRandom()
"""The source of challenges of all cards without another one; it has no state."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order for a card: holder, numbers, dates and PIN.

    ``city_code`` has six digits (GB/T 2260), ``serial`` distinguishes the
    issuer's cards and ``code`` is the opaque end of the identification code (each
    0–2³²−1), ``card_body`` is the card number without its check
    character, ``pin`` has 4–16 digits or is empty for a card without PIN.
    ``certificate_pin`` and ``administrator_pin``, 4–16 digits, are those of the
    certificate application, if the personality has it.
    """

    personality: Personality
    holder: Holder
    city_code: str
    serial: int
    code: int
    card_body: str
    issued: date
    pin: str = field(default=INITIAL_PIN, repr=False)
    certificate_pin: str = field(default=INITIAL_PINS[CertificatePin.USER], repr=False)
    administrator_pin: str = field(default=INITIAL_PINS[CertificatePin.ADMINISTRATOR], repr=False)

    @property
    def expires(self) -> date:
        # A card issued on 29 February expires on the 28th.
        day = min(self.issued.day, 28) if self.issued.month == 2 else self.issued.day
        return self.issued.replace(year=self.issued.year + VALID_YEARS, day=day)


@dataclass(frozen=True, slots=True)
class Card:
    """An issued card without power: the constant ``profile`` and the non-volatile ``memory``.

    A pickle holds the PIN, every key of the card and the state of its memory, but
    no root key, no store and no fault to come. The loaded card, and a copy, has
    the layout of its product, and its ``memory.writes`` begins at 0.
    """

    profile: Profile
    memory: Memory

    def __reduce__(self) -> tuple[Any, ...]:
        personality, layout, memory = self.profile.personality, self.profile.layout, self.memory
        keys = [value for versions in self.profile.all_keys() for value in versions]
        blank = _blank_memory(personality, layout)
        return _loaded, (
            *(personality, layout, self.profile.historical),
            *(b"".join(keys), bytes(map(len, keys))),
            *(_changes(blank.numbers, memory.numbers), _changes(blank.strings, memory.strings), memory.log),
        )

    def chip(self, random: Random | None = None, *, contact: bool = True) -> Chip:
        """The card's chip, without power: a ``Connection`` in this process.

        Its challenges come from ``random``, by default from the operating
        system. ``contact`` chooses the interface, T=0 or contactless.
        """
        return Chip(self.profile, self.memory, (random or _SYSTEM).randbytes, contact=contact)

    def snapshot(self) -> Snapshot:
        """Counters and states of the card without power; no secrets."""
        return take_snapshot(self.profile, self.memory, None)


def item_on(card: Card | Chip, sfi: int, tag: int) -> bytes:
    """The value of an item of SSSE on a card, empty if the file lacks it."""
    layout = card.profile.layout
    file = layout.file(layout.ssse.fid, sfi)
    held = records(card.memory.strings[file.cell]) if file else ()
    return next((record[2:] for record in held if record[0] == tag), b"")


def number_of(card: Card | Chip) -> str:
    """The card number on a card."""
    return decode_an(item_on(card, EF_ISSUER, CARD_NUMBER))


def make_order(personality: Personality, random: Random, holder: Holder, city_code: str, issued: date) -> Order:
    """An order with made-up numbers."""
    body = f"{'ABCD'[random.randrange(4)]}{random.randrange(10**7):07d}"
    return Order(
        personality=personality,
        holder=holder,
        city_code=city_code,
        serial=random.randrange(1 << 32),
        code=random.randrange(1 << 32),
        card_body=body,
        issued=issued,
    )


def personalise(order: Order, keys: KeyHierarchy) -> Card:
    """The card of an order, with its data items; each of its keys is diversified on first use.

    ``InputError`` if ``keys`` lacks a root that the card needs, and for a card
    that a terminal takes for one with SSF33 (terminal-flows.md §1.3).
    """
    personality = order.personality
    shared = _shared(personality, order.city_code, keys)
    layout = shared.layout
    historical = CHIP_MAKER + COS + card_reference(order).serial
    texts = {(layout.ssse.fid, 0x05): _issuer_data(order), (layout.ssse.fid, 0x06): _holder_data(order)}
    strings = shared.strings[:]
    strings[PIN] = encode_pin(order.pin)
    for cell, content in _written(layout, texts, personality.an_padding).items():
        strings[cell] = content
    for which, pin in zip(layout.own_pins, (order.certificate_pin, order.administrator_pin), strict=False):
        strings[layout.certificate_pins + which] = encode_pin(pin)
    return Card(
        Profile(personality, layout, historical, shared.diversify), Memory(shared.numbers, strings, shared=True)
    )


class _Shared(NamedTuple):
    """What the cards of one product, city and key file share: a new card copies the strings, and few of them differ."""

    layout: Layout
    diversify: Diversify
    numbers: list[int]
    strings: list[bytes]


def diversify_for(city_code: str, keys: KeyHierarchy) -> Diversify:
    """What derives the keys of cards of a city from root keys, by the serial number in their historical bytes."""

    def diversify(profile: Profile, index: int, version: int) -> bytes:
        reference = CardReference(city_code, profile.historical[-SERIAL_LENGTH:])
        return keys.card_key(profile.suite, profile.layout.keys[index].name, version, reference)

    return diversify


@lru_cache(maxsize=SHARED_LIMIT)
def _shared(personality: Personality, city_code: str, keys: KeyHierarchy) -> _Shared:
    if not personality.fci_algorithm and algorithm_of(b"", city_code) == SSF33_ID:
        raise InputError(
            Phrase(
                "terminals take a card of city {city} for an SSF33 card if its FCI names no algorithm", city=city_code
            ),
            remedy=Phrase("set fci_algorithm: yes in its personality, or choose another city"),
        )
    layout = layout_of(personality)
    for spec in layout.keys:
        for version in range(spec.versions):
            keys.needed(SUITES_BY_NAME[personality.algorithm], spec.name, version)
    blank = _blank_memory(personality, layout)
    applications = fresh_applications(layout, city_code, personality.an_padding)
    strings = [applications.get(cell, content) for cell, content in enumerate(blank.strings)]
    return _Shared(layout, diversify_for(city_code, keys), blank.numbers, strings)


@lru_cache(maxsize=SHARED_LIMIT)
def _blank_memory(personality: Personality, layout: Layout) -> Memory:
    """The memory of a card that nothing was written to; it is shared, so it stays as it is."""
    return Profile(personality, layout, b"", []).new_memory(b"", {})


def _changes(blank: list[T], now: list[T]) -> dict[int, T]:
    """The cells that differ from those of a blank card."""
    return {cell: value for cell, (old, value) in enumerate(zip(blank, now, strict=True)) if value != old}


def _loaded(
    personality: Personality,
    layout: Layout,
    historical: bytes,
    keys: bytes,
    lengths: bytes,
    changed: dict[int, int],
    strings: dict[int, bytes],
    log: Log | None,
) -> Card:
    """The card of a pickle: all its keys in one string, the length of each, and what differs from a blank card."""

    def key(profile: Profile, index: int, version: int) -> bytes:
        place = profile.layout.counter(index, version) - profile.layout.counters[0]
        start = sum(lengths[:place])
        return keys[start : start + lengths[place]]

    blank = _blank_memory(personality, layout)
    numbers = [changed.get(cell, number) for cell, number in enumerate(blank.numbers)] if changed else blank.numbers
    contents = [strings.get(cell, content) for cell, content in enumerate(blank.strings)]
    memory = Memory(numbers, contents, shared=not changed)
    memory.log = log
    return Card(Profile(personality, layout, historical, key), memory)


def layout_of(personality: Personality, held: Mapping[str, int] | None = None) -> Layout:
    """The layout of a card product, built once and shared by all cards of the product.

    ``held`` is the number of versions per key on a card that lacks some keys.
    """
    return build_layout(
        personality.generation,
        personality.ssse_fid,
        optional_applications=personality.optional_applications,
        health_application=personality.health_application,
        financial=personality.financial,
        dir_sfi=personality.dir_sfi,
        certificates=personality.certificate_application == "stub",
        bank=personality.bank_application,
        held=held,
    )


def card_reference(order: Order) -> CardReference:
    """City code and card serial f3: card maker(2) ‖ district(2) ‖ serial(4)."""
    return CardReference(
        order.city_code,
        CARD_MAKER + bytes.fromhex(order.city_code[:4]) + order.serial.to_bytes(4, "big"),
    )


def fresh_applications(layout: Layout, city_code: str, padding: int) -> dict[int, bytes]:
    """The files of the applications that are not blank on a new card, by cell."""
    return _written(layout, _application_texts(city_code), padding)


def _written(layout: Layout, files: dict[tuple[int, int], dict[int, str]], padding: int) -> dict[int, bytes]:
    """The contents of files, by cell, from texts by DF and SFI and then by tag; other items stay blank."""
    contents = {}
    for (df, sfi), texts in files.items():
        file = layout.file(df, sfi)
        if file is not None:
            values = (tlv(item.tag, _value(item, texts, padding)) for item in file.items)
            contents[file.cell] = b"".join(values)
    return contents


def _value(item: Item, texts: dict[int, str], padding: int) -> bytes:
    text = texts.get(item.tag)
    if not text:
        return item.blank()
    if item.tag == IDENTIFICATION_CODE:  # of type cn, but contains the hex digit D
        return bytes.fromhex(text)
    return encode_cn(text, item.length) if item.type == "cn" else encode_an(text, item.length, padding)


def _application_texts(district: str) -> dict[tuple[int, int], dict[int, str]]:
    """The data items in the applications of a new card: text by DF and SFI, then by tag."""
    return {
        (DF01, 0x05): {0x0E: district},
        (DF01, 0x06): {0x24: district},
        (DF04, 0x05): {0x84: district, 0x8F: OFF_LINE},
    }


def _issuer_data(order: Order) -> dict[int, str]:
    """EF05 by tag (card-files.md §5)."""
    from sscard.issuer.holder import card_number

    return {
        IDENTIFICATION_CODE: f"{order.city_code}{APPLICATION}{order.serial:08X}{order.code:08X}",
        0x02: "3",
        0x03: GENERATIONS[order.personality.generation].version,
        0x04: f"9156000002{order.city_code[:2]}0000{order.city_code}01",
        0x05: order.issued.isoformat().replace("-", ""),
        0x06: order.expires.isoformat().replace("-", ""),
        CARD_NUMBER: card_number(order.card_body),
    }


def _holder_data(order: Order) -> dict[int, str]:
    """EF06 by tag (card-files.md §5)."""
    from sscard.issuer.holder import name_parts

    holder = order.holder
    first, extension = name_parts(holder.name, order.personality.generation)
    return {
        0x08: holder.id_number,
        0x09: first,
        0x4E: extension,
        0x0A: holder.sex,
        0x0B: "01",
        0x0C: holder.birthplace,
        0x0D: holder.id_number[6:14],
    }
