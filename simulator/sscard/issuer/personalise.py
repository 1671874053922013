"""Personalisation (个人化): a blank card becomes a holder's card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cache
from random import Random, SystemRandom

from sscard.card import Chip, Personality, Profile, Snapshot
from sscard.card.snapshot import take_snapshot
from sscard.chip.memory import Memory
from sscard.errors import InputError
from sscard.i18n.phrase import Phrase
from sscard.issuer.hierarchy import CardReference, KeyHierarchy, builtin_keys
from sscard.issuer.holder import Holder, card_number, make_holder
from sscard.issuer.personalities import DEFAULT, find_personality
from sscard.issuer.places import Place, find_place
from sscard.standard.cipher import SUITES_BY_NAME
from sscard.standard.encoding import encode_an, encode_cn, encode_pin, tlv
from sscard.standard.generations import GENERATIONS, build_layout
from sscard.standard.tree import Item, Layout

CHIP_MAKER = bytes.fromhex("1234")
COS = bytes.fromhex("A1B2C3")
CARD_MAKER = bytes.fromhex("8649")
APPLICATION = "D156000005"
INITIAL_PIN = "123456"
VALID_YEARS = 10
IDENTIFICATION_CODE = 0x01
CITY = "410400"
CITY_DIGITS = 6
SEEDED_DATE = date(2026, 1, 5)
"""The default day of issue if a seed is given, so that the card is reproducible."""

DF01, DF04 = 0xDF01, 0xDF04
OFF_LINE = "2"

_layout = cache(build_layout)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order for a card: holder, numbers, dates and PIN.

    ``city_code`` has six digits (GB/T 2260), ``serial`` distinguishes the
    issuer's cards and ``code`` is the opaque end of the identification code (each
    0–2³²−1), ``card_body`` is the card number without its check
    character, ``pin`` has 4–16 digits or is empty for a card without PIN.
    """

    personality: Personality
    holder: Holder
    city_code: str
    serial: int
    code: int
    card_body: str
    issued: date
    pin: str = field(default=INITIAL_PIN, repr=False)

    @property
    def expires(self) -> date:
        # A card issued on 29 February expires on the 28th.
        day = min(self.issued.day, 28) if self.issued.month == 2 else self.issued.day
        return self.issued.replace(year=self.issued.year + VALID_YEARS, day=day)


@dataclass(frozen=True, slots=True)
class Card:
    """An issued card without power: the constant ``profile`` and the non-volatile ``memory``."""

    profile: Profile
    memory: Memory

    def chip(self, random: Random | None = None, *, contact: bool = True) -> Chip:
        """The card's chip, without power: a ``Connection`` in this process.

        Its challenges come from ``random``, by default from the operating
        system. ``contact`` chooses the interface, T=0 or contactless.
        """
        return Chip(self.profile, self.memory, (random or SystemRandom()).randbytes, contact=contact)

    def snapshot(self) -> Snapshot:
        """Counters and states of the card without power; no secrets."""
        return take_snapshot(self.profile, self.memory, None)


def issue_card(
    *,
    personality: Personality | str = DEFAULT,
    place: Place | str = "",
    name: str = "",
    id_number: str = "",
    pin: str | None = None,
    city: str = CITY,
    issued: date | None = None,
    seed: int | Random | None = None,
    keys: KeyHierarchy | None = None,
) -> Card:
    """Personalise a card; values that are not given are made up, as by ``order_card``.

    ``keys`` are the root keys, by default the built-in test keys. Errors and
    source: those of ``order_card``.
    """
    return personalise(
        order_card(
            personality=personality,
            place=place,
            name=name,
            id_number=id_number,
            pin=pin,
            city=city,
            issued=issued,
            seed=seed,
        ),
        keys or builtin_keys(),
    )


def order_card(
    *,
    personality: Personality | str = DEFAULT,
    place: Place | str = "",
    name: str = "",
    id_number: str = "",
    pin: str | None = None,
    city: str = CITY,
    issued: date | None = None,
    seed: int | Random | None = None,
) -> Order:
    """Order a card; values that are not given are made up.

    ``personality`` is a preset (``v1-des``, ``v2-3des``, ``v3-sm4``), the path
    of a personality file, or a ``Personality``. ``place`` is a place policy by
    name or path; it sets the PIN retry limit and the initial PIN. ``name`` and
    ``id_number`` (18 characters, GB 11643) are the holder's. ``pin`` has 4–16
    digits, is empty for a card without PIN, and defaults to the initial PIN of
    the place, ``123456`` without a place. ``city`` is the issuer's city code,
    6 digits (GB/T 2260).

    ``seed`` determines all made-up values, and the day of issue unless
    ``issued`` gives it: the card is that of ``sscard issue --seed``. Pass one
    ``random.Random`` as the seed of several cards to make them differ.

    Errors: ``InputError`` for an unknown personality or place, a name that does
    not fit into the card, a wrong ID number or city code; ``ValueError`` for a
    PIN of another form. Source: LD/T 32.6, docs/standard/card-files.md §5.
    """
    if len(city) != CITY_DIGITS or not (city.isascii() and city.isdigit()):
        raise InputError(Phrase("a city code has six digits"), remedy=Phrase("for example {city}", city=CITY))
    product = find_personality(personality) if isinstance(personality, str) else personality
    policy = find_place(place) if isinstance(place, str) and place else place or None
    random = seed if isinstance(seed, Random) else Random(seed)
    made_up = make_holder(random)
    order = make_order(
        policy.over(product) if policy else product,
        random,
        Holder(name or made_up.name, id_number or made_up.id_number),
        city,
        issued or (date.today() if seed is None else SEEDED_DATE),  # noqa: DTZ011 - the day at the counter
    )
    if pin is None:
        pin = policy.initial_pin_of(order.holder) if policy else INITIAL_PIN
    return replace(order, pin=pin)


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
    """The card of an order, with diversified keys and data items."""
    personality = order.personality
    layout = layout_of(personality)
    reference = card_reference(order)
    historical = CHIP_MAKER + COS + reference.serial
    suite = SUITES_BY_NAME[personality.algorithm]
    values = [
        tuple(keys.card_key(suite, spec.name, version, reference) for version in range(spec.versions))
        for spec in layout.keys
    ]
    profile = Profile(personality, layout, historical, values)
    texts = {(layout.ssse.fid, 0x05): _issuer_data(order), (layout.ssse.fid, 0x06): _holder_data(order)}
    contents = _written(layout, texts | _application_texts(order.city_code), personality.an_padding)
    return Card(profile, profile.new_memory(encode_pin(order.pin), contents))


def layout_of(personality: Personality, held: Mapping[str, int] | None = None) -> Layout:
    """The layout of a card product, built once and shared by all cards of the product.

    ``held`` is the number of versions per key on a card that lacks some keys.
    """
    build = _layout if held is None else build_layout
    return build(
        personality.generation,
        personality.ssse_fid,
        optional_applications=personality.optional_applications,
        financial=personality.financial,
        dir_sfi=personality.dir_sfi,
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
    if text is None:
        return item.blank(padding)
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
    return {
        IDENTIFICATION_CODE: f"{order.city_code}{APPLICATION}{order.serial:08X}{order.code:08X}",
        0x02: "3",
        0x03: GENERATIONS[order.personality.generation].version,
        0x04: f"9156000002{order.city_code[:2]}0000{order.city_code}01",
        0x05: f"{order.issued:%Y%m%d}",
        0x06: f"{order.expires:%Y%m%d}",
        0x07: card_number(order.card_body),
    }


def _holder_data(order: Order) -> dict[int, str]:
    """EF06 by tag (card-files.md §5)."""
    holder = order.holder
    return {
        0x08: holder.id_number,
        0x09: holder.name[:15],
        0x4E: holder.name[15:],
        0x0A: holder.sex,
        0x0B: "01",
        0x0C: holder.birthplace,
        0x0D: f"{holder.birth_date:%Y%m%d}",
    }
