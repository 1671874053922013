"""APPLICATION BLOCK and CARD BLOCK, and the life states after them (card-commands.md §0.2, §1.12–1.13)."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from random import Random

import pytest

from kit import ORIGINAL, scripted, span
from kit.desk import Desk
from sscard.card import Chip, Personality, Profile
from sscard.card.commands import COMMANDS
from sscard.chip.memory import Moment, PowerLost
from sscard.issuer import Card, preset
from sscard.standard.encoding import encode_pin
from sscard.standard.generations import build_layout

PRESETS = ("v1-des", "v2-3des", "v3-sm4")
LOCK_KEYS = {
    "DF01": "BK",
    "DF02": "BK",
    "DF03": "LKDF03",
    "DF04": "LKDF04",
    "DF07": "BK",
    "DF05": "BK",
    "DF06": "LKDF06",
}
"""card-security.md §2; BK for applications without own lock key (inferred)."""


@pytest.fixture(params=PRESETS)
def any_card(request: pytest.FixtureRequest) -> Personality:
    return preset(request.param)


def lock(desk: Desk, df: str, *, right: bool = True) -> int:
    """The whole sequence of terminal-flows.md §6: proof of the lock key, new challenge, MAC."""
    desk.select(df)
    desk.authenticate(LOCK_KEYS[df])
    desk.challenge()
    return desk.sw(desk.sealed("841E0001", stk=f"STK{df}", right=right))


def end(desk: Desk, *, right: bool = True) -> int:
    desk.select("SSSE")
    desk.authenticate("BK")
    desk.challenge()
    return desk.sw(desk.sealed("84160000", right=right))


def every_command() -> list[bytes]:
    """Each command of the card once, shaped so that nothing but the block refuses it."""
    commands = []
    for command in COMMANDS:
        p1p2 = min(command.p1p2, default=0)
        head = bytes((command.clas[0], command.ins, p1p2 >> 8, p1p2 & 0xFF))
        length = max(command.lengths, default=0)
        commands.append(head + bytes((length,)) + bytes(length))
    return commands


# The vectors of card-security.md §7.3

R4, R8, R16 = "11223344", "1122334455667788", "112233445566778899AABBCCDDEEFF00"
MACS = [
    ("SM4", 16, R4, "E17830CE", "4743CFAB"),
    ("SM4", 16, R8, "6F738E6B", "A0AA3044"),
    ("SM4", 16, R16, "4391BC34", "CDED1608"),
    ("DES", 8, R4, "B2A708F3", "D707B62F"),
    ("DES", 8, R8, "6EFA8E09", "E4EB15A6"),
    ("DES", 16, R4, "3D1F0645", "66C3825A"),
    ("DES", 16, R8, "2BEE82CE", "C4F47CBE"),
]


def vector_chip(algorithm: str, stk_length: int, random: bytes) -> Chip:
    """A chip with every STK and lock key of the vectors, giving this challenge twice."""
    personality = preset("v3-sm4" if algorithm == "SM4" else "v2-3des")
    layout = build_layout(personality.generation, personality.ssse_fid)
    stk, bk = span(0x10, stk_length), span(0x20)
    values = [
        (stk if key.name.startswith("STK") else bk if key.name[:2] in ("BK", "LK") else span(0xE0),) * key.versions
        for key in layout.keys
    ]
    profile = Profile(personality, layout, bytes.fromhex("1234A1B2C38649510100000001"), values)
    card = Card(profile, profile.new_memory(encode_pin("123456"), {}))
    return Chip(card.profile, card.memory, scripted(random, random), contact=False)


@pytest.mark.parametrize(("algorithm", "stk_length", "challenge", "application", "card"), MACS)
@pytest.mark.parametrize("whole", [False, True], ids=["application", "card"])
def test_the_chip_takes_the_vectors(
    algorithm: str, stk_length: int, challenge: str, application: str, card: str, whole: bool
) -> None:
    random = bytes.fromhex(challenge)
    chip = vector_chip(algorithm, stk_length, random)
    suite = chip.profile.suite
    chip.power_on()
    if not whole:
        chip.transmit(bytes.fromhex("00A4000002DF03"))
    get_challenge = bytes((0x00, 0x84, 0, 0, len(random)))
    proof = suite.authenticate(suite.key(span(0x20)), random, ORIGINAL)
    if len(random) == 8:
        assert proof.hex().upper() == ("5395A2E3CD31A7C0" if algorithm == "SM4" else "851CAB2279CE78A3")
    chip.transmit(get_challenge)
    assert chip.transmit(bytes((0x00, 0x82, 0, 0x05 if whole else 0x83, 16)) + proof + ORIGINAL) == b"\x90\x00"
    chip.transmit(get_challenge)
    command = f"8416000004{card}" if whole else f"841E000104{application}"
    assert chip.transmit(bytes.fromhex(command)) == b"\x90\x00"
    shown = chip.snapshot()
    assert (shown.card_blocked, shown.blocked_applications) == (whole, () if whole else ("DF03",))


# A blocked application


@pytest.mark.parametrize("df", list(LOCK_KEYS))
def test_an_application_is_blocked_with_its_lock_key(df: str) -> None:
    desk = Desk(replace(preset("v3-sm4"), optional_applications=True))
    assert lock(desk, df) == 0x9000
    assert desk.chip.snapshot().blocked_applications == (df,)
    assert desk.select(df) == 0x9303


@pytest.mark.parametrize("df", list(LOCK_KEYS))
def test_no_other_lock_key_blocks_an_application(df: str) -> None:
    desk = Desk(replace(preset("v3-sm4"), optional_applications=True, select_keeps="all"))
    for other in set(LOCK_KEYS.values()) - {LOCK_KEYS[df]}:
        desk.select("SSSE" if other == "BK" else other[2:])
        desk.authenticate(other)
    desk.select(df)
    desk.challenge()
    assert desk.sw(desk.sealed("841E0001", stk=f"STK{df}")) == 0x6982


def test_a_blocked_application_answers_nothing_else(any_card: Personality) -> None:
    desk = Desk(any_card)
    assert lock(desk, "DF03") == 0x9000
    for command in every_command():
        if command[1] == 0xA4:
            continue
        assert desk.sw(command) == 0x9303, command.hex()
    for select in (
        "00A4020002EF05",
        "00A4020002EF1E",
        "00A4000002EF05",
        "00A4000002DF03",
        "00A40400" + "06D15600000502",
    ):
        assert desk.sw(select) == 0x9303, select
    for malformed in ("00A4030002DF01", "00A40000013F", "00A4020000"):
        assert desk.sw(malformed) == 0x9303, malformed


def test_selecting_a_blocked_application_makes_it_current(any_card: Personality) -> None:
    desk = Desk(any_card)
    lock(desk, "DF03")
    desk.select("DF01")
    assert desk.chip.snapshot().current_df == "DF01"
    assert desk.select("DF03") == 0x9303
    assert desk.chip.snapshot().current_df == "DF03"
    assert desk.sw("0084000008") == 0x9303


def test_the_rest_of_the_card_lives_on(any_card: Personality) -> None:
    desk = Desk(any_card)
    lock(desk, "DF03")
    assert desk.select("SSSE") == 0x9000
    assert desk.verify() == 0x9000
    desk.authenticate("PUK")
    desk.challenge()
    assert desk.sw(desk.sealed("84240000")) == 0x9000
    for df in ("DF01", "DF02", "DF04"):
        assert desk.select(df) == 0x9000
        desk.authenticate(f"UK1{df}")
    desk.verify()
    desk.select("DF04")
    assert desk.sw("B026000104") == 0x9000
    assert desk.select("financial") == 0x9000


@pytest.mark.parametrize("wake", ["reset", "repower"])
def test_nothing_mends_a_blocked_application(any_card: Personality, wake: str) -> None:
    desk = Desk(any_card)
    lock(desk, "DF03")
    for _ in range(3):
        desk.chip.reset() if wake == "reset" else desk.repower()
        assert desk.sw("00B2012C12") == 0x9000
        assert desk.select("DF03") == 0x9303
        assert desk.sw("841E000104AABBCCDD") == 0x9303
        assert desk.sw("8418000004AABBCCDD") == 0x6D00


def test_a_pin_status_survives_the_block_of_an_application(any_card: Personality) -> None:
    desk = Desk(any_card)
    desk.verify()
    lock(desk, "DF03")
    desk.select("DF04")
    assert desk.sw("B026000104") == 0x9000


@pytest.mark.parametrize("df", ["DF01", "DF03"])
def test_failures_lock_no_key_and_block_nothing(any_card: Personality, df: str) -> None:
    """LD/T 32.7 §13.1: neither wrong proofs nor wrong MACs, however many."""
    desk = Desk(any_card)
    desk.select(df)
    for _ in range(20):
        desk.challenge()
        assert desk.sw(desk.proof(LOCK_KEYS[df], right=False)) == 0x63CF
    for _ in range(20):
        assert lock(desk, df, right=False) == 0x6988
    assert desk.chip.snapshot().blocked_applications == ()
    assert desk.sw("00B2012C00") & 0xFF00 in (0x6900, 0x6C00)
    assert lock(desk, df) == 0x9000


def test_a_block_message_is_good_once_and_for_its_challenge_only(any_card: Personality) -> None:
    desk = Desk(any_card)
    desk.select("DF03")
    desk.authenticate("LKDF03")
    desk.challenge()
    message = desk.sealed("841E0001", stk="STKDF03")
    desk.challenge()
    assert desk.sw(message) == 0x6988
    assert desk.sw(message) == 0x6984
    desk.select("DF04")
    desk.authenticate("LKDF04")
    desk.challenge()
    assert desk.sw(desk.sealed("841E0001", stk="STKDF03")) == 0x6988


# A blocked card


def test_a_blocked_card_answers_6a81_to_everything(any_card: Personality) -> None:
    desk = Desk(any_card)
    desk.verify()
    assert end(desk) == 0x9000
    random = Random(5)
    commands = [*every_command(), *(random.randbytes(length) for length in range(4, 40))]
    commands += [bytes.fromhex(text) for text in ("F0FF0000", "00FF0000", "00A4020002EF05", "00A4000002DF01", "00A400")]
    for command in commands:
        assert desk.send(command) == b"\x6a\x81", command.hex()
    assert desk.tries == 6


@pytest.mark.parametrize("wake", ["reset", "repower"])
def test_nothing_mends_a_blocked_card_but_its_atr_is_sent(any_card: Personality, wake: str) -> None:
    desk = Desk(any_card)
    before = desk.chip.reset()
    end(desk)
    for _ in range(3):
        if wake == "repower":
            desk.chip.power_off()
        assert desk.chip.reset() == before
        for df in ("SSSE", "DF01", "DF04"):
            assert desk.select(df) == 0x6A81
        assert desk.sw("00B2012C12") == 0x6A81
    shown = desk.chip.snapshot()
    assert (shown.card_blocked, shown.pin_tries) == (True, 6)


def test_failures_to_block_the_card_lock_no_key(any_card: Personality) -> None:
    """LD/T 32.7 §13.2."""
    desk = Desk(any_card)
    for _ in range(20):
        desk.challenge()
        assert desk.sw(desk.proof("BK", right=False)) == 0x63CF
        assert end(desk, right=False) == 0x6988
    assert not desk.chip.snapshot().card_blocked
    assert end(desk) == 0x9000


@pytest.mark.parametrize("reaches", [False, True])
@pytest.mark.parametrize("repower", [False, True])
def test_whether_the_block_reaches_the_financial_application(
    any_card: Personality, reaches: bool, repower: bool
) -> None:
    """OC-29: the firewall keeps it alive, or "all applications of the card"."""
    desk = Desk(replace(any_card, card_block_reaches_financial=reaches))
    end(desk)
    if repower:
        desk.repower()
    assert desk.select("financial") == (0x6A81 if reaches else 0x9000)
    assert desk.sw("0084000008") == (0x6A81 if reaches else 0x9000)
    assert desk.select("SSSE") == 0x6A81
    assert desk.sw("0084000008") == (0x6A81 if reaches else 0x9000)


def test_a_card_with_a_blocked_application_is_blocked_all_the_same(any_card: Personality) -> None:
    desk = Desk(any_card)
    lock(desk, "DF03")
    assert end(desk) == 0x9000
    assert desk.select("DF03") == 0x6A81
    assert desk.chip.snapshot().blocked_applications == ("DF03",)


# Torn


@pytest.mark.parametrize("whole", [False, True], ids=["application", "card"])
def test_a_torn_block_took_place_or_did_not(any_card: Personality, whole: bool) -> None:
    states = []
    for point in range(6):
        for moment in Moment:
            desk = Desk(any_card)
            desk.select("SSSE" if whole else "DF03")
            desk.authenticate("BK" if whole else "LKDF03")
            desk.challenge()
            message = desk.sealed("84160000") if whole else desk.sealed("841E0001", stk="STKDF03")
            desk.memory.cut_power(point, moment)
            with suppress(PowerLost):
                desk.send(message)
            desk.memory.mend()
            desk.repower()
            word = desk.select("SSSE" if whole else "DF03")
            assert word in ((0x9000, 0x6A81) if whole else (0x9000, 0x9303))
            states.append(word != 0x9000)
            shown = desk.chip.snapshot()
            assert states[-1] == (shown.card_blocked or bool(shown.blocked_applications))
    assert not states[0]
    assert states == sorted(states)
    assert states[-1]
