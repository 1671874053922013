"""10,000 byte strings of length 0–300 as commands, in states that valid commands led to: always a status word."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from kit.command_sheet import BEYOND_THE_LIST, OTHER_SHEET, PIN_SHEET, generic
from kit.desk import Desk
from sscard.card.commands import TABLE, CardCommand
from sscard.standard.apdu import SW
from sscard.standard.tree import Account

PRESETS = ("v1-des", "v2-3des", "v3-sm4")
PER_CARD = 1700
"""× 3 personalities × 2 interfaces is more than 10,000."""
IN_ONE_STATE = 20
DEFINED = {int(word) for word in SW}

Step = Callable[[Desk, Random], object]


def money(desk: Desk, random: Random) -> None:
    desk.set_account(Account.BALANCE, random.randrange(1 << 32))


def load(desk: Desk, random: Random) -> None:
    desk.select("DF04")
    desk.begin_load(random.randrange(1000))


def buy(desk: Desk, random: Random) -> None:
    desk.select("DF04")
    desk.begin_purchase(random.randrange(1000))


def hold(desk: Desk, random: Random) -> None:
    """The keys of one DF, proven."""
    df = random.choice(["SSSE", "DF01", "DF02", "DF03", "DF04"])
    desk.select(df)
    updater = "UKMF" if desk.personality.generation == "1.0" else "UKSSSE"
    for name in ("PUK", "BK", updater) if df == "SSSE" else (f"UK1{df}", f"UK2{df}"):
        desk.authenticate(name)


STEPS: tuple[Step, ...] = (
    lambda desk, _: desk.verify(),
    lambda desk, _: desk.verify("999999"),
    lambda desk, random: desk.select(random.choice(["SSSE", "DF01", "DF02", "DF03", "DF04", "financial"])),
    lambda desk, random: desk.sw(f"00A4020002EF{random.choice([5, 6, 7, 8, 9, 0x15, 0x16]):02X}"),
    lambda desk, _: desk.sw("00B2000200"),
    lambda desk, random: desk.challenge(random.choice([4, 8])),
    lambda desk, _: desk.sw("805E010004123456FF"),
    lambda desk, random: desk.block_application(random.choice(["DF01", "DF03", "DF04"])),
    hold,
    hold,
    money,
    load,
    buy,
)
"""What may have happened before. Nothing leads out of a blocked card or a worn-out memory, so these come last."""


def in_some_state(name: str, contact: bool, random: Random) -> Desk:
    desk = Desk(name, contact=contact, seed=random.randrange(1 << 30))
    for _ in range(random.randrange(6)):
        step = random.choice(STEPS)
        try:
            step(desk, random)
        except AssertionError:  # a step that this state does not allow leads nowhere else
            continue
    fate = random.random()
    if fate < 0.02:
        desk.block_card()
    elif fate < 0.1:
        desk.memory.fail(random.randrange(12))
    return desk


def declaration_of(sent: bytes) -> CardCommand | None:
    """The command these bytes are, by CLA and INS, and by P1 P2 if two share them."""
    if len(sent) < 4:
        return None
    first = declared = TABLE.by_code.get(sent[0] << 8 | sent[1])
    while declared is not None and declared.p1p2 and (sent[2] << 8 | sent[3]) not in declared.p1p2:
        declared = declared.sibling
    return declared or first


def some_bytes(random: Random) -> bytes:
    """Anything at all, or something that begins like a command; sometimes with an Lc that fits."""
    length = random.randrange(301)
    kind = random.randrange(4)
    if kind == 0:
        return random.randbytes(length)
    head = bytes((random.choice(CLAS), random.choice(INSES)))
    if kind == 1:
        return (head + random.randbytes(length))[: random.randrange(301)]
    code = random.choice(CODES)
    declared = TABLE.by_code[code]
    p1p2 = random.choice(sorted(declared.p1p2)) if declared.p1p2 else random.randrange(1 << 16)
    data = random.randbytes(random.choice(sorted(declared.lengths) or [0]))
    head = code.to_bytes(2, "big") + p1p2.to_bytes(2, "big")
    if kind == 2:
        return head + bytes((len(data),)) + data
    return head + random.randbytes(random.randrange(0, 297))


CLAS, INSES, CODES = sorted(TABLE.clas), sorted(TABLE.instructions), sorted(TABLE.by_code)
GENERAL = {0x9000, 0x6100, 0x6700, 0x6581, 0x6A81, 0x6D00, 0x6E00, 0x9303}
ALLOWED = {
    name: GENERAL | listed | BEYOND_THE_LIST.get(name, set()) for name, listed in (OTHER_SHEET | PIN_SHEET).items()
} | {"CHANGE PIN": GENERAL | PIN_SHEET["CHANGE PIN"] | {0x6A88}}


@pytest.mark.parametrize("contact", [False, True], ids=["contactless", "contact"])
@pytest.mark.parametrize("name", PRESETS)
def test_any_bytes_get_a_defined_status_word(name: str, contact: bool) -> None:
    random = Random(f"{name} {contact}")
    for number in range(PER_CARD):
        if number % IN_ONE_STATE == 0:
            desk = in_some_state(name, contact, random)
        sent = some_bytes(random)
        answer = desk.send(sent)
        word = int.from_bytes(answer[-2:], "big")
        assert 2 <= len(answer) <= 258, sent.hex()
        assert generic(word) in DEFINED, f"{word:04X} to {sent.hex()}"
        assert len(answer) == 2 or word == SW.OK or generic(word) == SW.MORE_DATA, f"{word:04X} to {sent.hex()}"
        declared = declaration_of(sent)
        if declared is not None:
            assert generic(word) in ALLOWED[declared.name], f"{word:04X} to {sent.hex()}"


def test_ten_thousand_are_tried() -> None:
    assert PER_CARD * len(PRESETS) * 2 >= 10_000


@pytest.mark.parametrize("name", PRESETS)
def test_after_any_bytes_the_card_still_works(name: str) -> None:
    random = Random(name)
    for _ in range(10):
        desk = Desk(name)
        for _ in range(50):
            desk.send(some_bytes(random))
        desk.repower()
        shown = desk.chip.snapshot()
        assert 0 <= shown.pin_tries <= 6
        assert desk.sw("00B2012C12") == 0x9000
