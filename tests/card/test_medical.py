"""The medical account of DF04 (card-commands.md §3): vectors, state machine, amounts, proofs, the pulled plug."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit import scripted, span
from kit.desk import LOAD, PURCHASE, TERMINAL, TIME, Desk, amounts
from sscard.card import Chip, Personality, Profile
from sscard.chip.memory import Moment, PowerLost
from sscard.issuer import Card, preset
from sscard.standard.cipher import DES, SM4
from sscard.standard.encoding import tlv
from sscard.standard.generations import build_layout
from sscard.standard.tree import Account, Item, Layout

PRESETS = ("v1-des", "v2-3des", "v3-sm4")
OK = b"\x90\x00"


@pytest.fixture(params=PRESETS)
def any_card(request: pytest.FixtureRequest) -> Personality:
    return preset(request.param)


@pytest.fixture
def desk(any_card: Personality) -> Desk:
    """DF04 open, 1000 fen on the account."""
    desk = Desk(any_card)
    desk.set_account(Account.BALANCE, 1000)
    desk.open_account()
    return desk


def balance(desk: Desk) -> tuple[int, int, int]:
    """Account, self-paid total, pool total as GET BALANCE returns them."""
    told = [desk.send(f"B02600{p2:02X}{length:02X}") for p2, length in ((1, 4), (2, 6), (3, 6))]
    assert all(answer[-2:] == OK for answer in told)
    assert told[1][4:6] == told[2][4:6]
    first, second, third = (int.from_bytes(answer[:4], "big") for answer in told)
    return first, second, third


def year(desk: Desk) -> str:
    return desk.send("B026000206")[4:6].hex()


# Vectors of card-commands.md §3.3: DPK=404142…4F, DTK=505152…5F, random A1A2A3A4, card seq 0007, terminal seq 00000023

RANDOM = bytes.fromhex("A1A2A3A4")
ENTRY = bytes.fromhex("000003E8000000C80000006402" + TERMINAL)
VECTORS = [
    ("v2-3des", DES, "6833DA36DE5C68FA", "DBB7F34B", "D01842AE", "B0CB5733"),
    ("v3-sm4", SM4, "0AE27D936E0E4B43610BE6B97FBC4132", "DD62E8FB", "FDC8B990", "27FF33C4"),
]


def vector_chip(name: str) -> Chip:
    """A chip with the vectors' keys and random, six purchases behind it and 2000 fen on the account."""
    personality = preset(name)
    layout = build_layout(personality.generation)
    held = {"DPK": span(0x40), "DTK": span(0x50)}
    values = [(held.get(key.name, span(0xE0)),) * key.versions for key in layout.keys]
    profile = Profile(personality, layout, bytes.fromhex("1234A1B2C38649510100000001"), values)
    basic = layout.file(0xDF04, 0x05)
    assert basic is not None
    content = b"".join(tlv(item.tag, b"2" if item.tag == 0x8F else item.blank()) for item in basic.items)
    memory = profile.new_memory(b"", {basic.cell: content})
    memory.put_number(layout.medical + Account.PURCHASE_COUNT, 7)
    memory.put_number(layout.medical + Account.BALANCE, 2000)
    return Chip(profile, memory, scripted(RANDOM), contact=False)


@pytest.mark.parametrize(("name", "suite", "sespk", "mac1", "mac2", "tac"), VECTORS)
def test_arithmetic_of_the_vectors(name: str, suite: object, sespk: str, mac1: str, mac2: str, tac: str) -> None:
    assert suite is DES or suite is SM4
    factor = RANDOM + bytes.fromhex("0007") + bytes.fromhex("0023")
    value = suite.key(span(0x40)).encrypt(factor.ljust(suite.block, b"\x00"))
    assert value.hex().upper() == sespk
    session = suite.session_key(suite.key(span(0x40)), factor)
    assert suite.mac(session, ENTRY + bytes.fromhex(TIME)).hex().upper() == mac1
    assert suite.mac(session, ENTRY[:12]).hex().upper() == mac2
    halves = bytes(left ^ right for left, right in zip(span(0x50)[:8], span(0x50)[8:], strict=True))
    proof = suite.key(halves if suite is DES else span(0x50))
    message = ENTRY + bytes.fromhex("00000023") + bytes.fromhex(TIME)
    assert suite.mac(proof, message).hex().upper() == tac


@pytest.mark.parametrize(("name", "suite", "sespk", "mac1", "mac2", "tac"), VECTORS)
def test_the_chip_gives_the_vectors(name: str, suite: object, sespk: str, mac1: str, mac2: str, tac: str) -> None:
    chip = vector_chip(name)
    algorithm = "01" if suite is DES else "03"
    chip.power_on()
    chip.transmit(bytes.fromhex("00A4000002DF04"))
    opened = chip.transmit(bytes.fromhex(f"B02801011301000003E8000000C800000064{TERMINAL}"))
    assert opened.hex().upper() == f"000007D000000000000000000000000701{algorithm}A1A2A3A49000"
    done = chip.transmit(bytes.fromhex(f"B02C01000F00000023{TIME}{mac1}"))
    assert done.hex().upper() == f"{tac}{mac2}9000"
    assert chip.transmit(bytes.fromhex("B02E0002020007")).hex().upper() == f"{mac2}{tac}9000"
    assert chip.transmit(bytes.fromhex("B026000104")).hex().upper() == "000003E89000"
    record = f"000702{TERMINAL}{TIME}000003E8000000C800000064"
    assert chip.transmit(bytes.fromhex("00B201441C")).hex().upper() == f"{record}9000"


# Load (card-commands.md §3.2)


def test_a_load(desk: Desk) -> None:
    desk.set_account(Account.LOAD_COUNT, 0x0102)
    opened = desk.begin_load(500, version=2)
    assert opened[-2:] == OK
    assert opened[:8] == (1000).to_bytes(4, "big") + b"\x01\x02" + bytes((2, desk.suite.algorithm_id))
    assert len(opened) == 16 + 2
    entry = (500).to_bytes(4, "big") + b"\x01" + bytes.fromhex(TERMINAL)
    assert opened[12:16] == desk.suite.mac(desk.load_key(opened, 2), opened[:4] + entry)
    assert balance(desk) == (1000, 0, 0)
    done = desk.send(desk.credit(opened, 500, version=2))
    tac = desk.tac((1500).to_bytes(4, "big") + b"\x01\x02" + entry + bytes.fromhex(TIME))
    assert done == tac + OK
    assert balance(desk) == (1500, 0, 0)
    assert desk.account(Account.LOAD_COUNT) == 0x0103
    assert desk.details() == [b"\x01\x02\x01" + bytes.fromhex(TERMINAL + TIME) + amounts(500, 0, 0)]
    assert desk.proof_of(LOAD, 0x0102) == bytes(4) + tac + OK
    assert desk.proof_of(LOAD, 0x0103) == desk.proof_of(PURCHASE, 0x0102) == b"\x94\x06"


def test_a_purchase_with_another_key_version(desk: Desk) -> None:
    opened = desk.begin_purchase(100, 20, 3, version=3)
    assert opened[16:18] == bytes((3, desk.suite.algorithm_id))
    assert desk.send(desk.debit(opened, 100, 20, 3, version=1)) == b"\x93\x02"
    opened = desk.begin_purchase(100, 20, 3, version=3)
    assert desk.send(desk.debit(opened, 100, 20, 3, version=3))[-2:] == OK
    assert balance(desk) == (900, 20, 3)


def test_every_transaction_has_a_random_of_its_own(desk: Desk) -> None:
    assert len({desk.begin_purchase(1)[18:22] for _ in range(20)}) == 20


@pytest.mark.parametrize(("ascii_type", "load", "purchase"), [(False, 0x01, 0x02), (True, 0x31, 0x32)])
def test_the_transaction_type_as_the_issuer_chose(
    any_card: Personality, ascii_type: bool, load: int, purchase: int
) -> None:
    """OC-18, in records and MACs alike."""
    desk = Desk(replace(any_card, transaction_type_ascii=ascii_type))
    desk.open_account()
    assert desk.load(500)[-2:] == OK
    assert desk.purchase(100)[-2:] == OK
    assert [record[2] for record in desk.details()] == [purchase, load]


@pytest.mark.parametrize("spoiled", ["amount", "time", "terminal count"])
def test_a_mac_is_over_all_that_matters(desk: Desk, spoiled: str) -> None:
    opened = desk.begin_purchase(100, 20, 3)
    good = desk.debit(opened, 100, 20, 3)
    if spoiled == "amount":
        sent = desk.debit(opened, 101, 20, 3)
    elif spoiled == "time":
        sent = good[:9] + bytes.fromhex("20250102") + good[13:]
    else:
        sent = good[:8] + bytes((good[8] ^ 1,)) + good[9:]
    assert sent != good
    assert desk.send(sent) == b"\x93\x02"
    assert balance(desk) == (1000, 0, 0)


def test_a_card_that_keeps_the_account_only(any_card: Personality) -> None:
    """Records of 20 bytes: "the other amounts are sent as zero" and are not recorded."""
    model = Desk(any_card)
    profile = model.card.profile
    whole = profile.layout
    details = whole.file(0xDF04, 0x08)
    assert details is not None
    shorter = replace(details, items=(Item(0, "b", 20),), size=30 * 20)
    files = [shorter if file is details else file for file in whole.files]
    layout = Layout(whole.generation, whole.dfs, whole.keys, files, origin=(build_layout, (whole.generation,)))
    values = [
        tuple(profile.key(index, version) for version in range(key.versions)) for index, key in enumerate(layout.keys)
    ]
    own = Profile(any_card, layout, profile.historical, values)
    model.card = Card(own, model.card.memory)
    model.chip = Chip(own, model.card.memory, scripted(RANDOM), contact=False)
    model.chip.power_on()
    model.set_account(Account.BALANCE, 1000)
    model.open_account()
    assert model.purchase(100, 0, 0)[-2:] == OK
    record = b"\x00\x00\x02" + bytes.fromhex(TERMINAL + TIME) + amounts(100, 0, 0)[:4]
    assert model.send("00B2014414") == record + OK
    assert model.send("00B2014401") == b"\x6c\x14"


# The state machine (card-commands.md §3.1)

IDLE, LOADING, PURCHASING = "idle", "load", "purchase"
STATES = (IDLE, LOADING, PURCHASING)


def enter(personality: Personality, state: str) -> Desk:
    desk = Desk(personality)
    desk.set_account(Account.BALANCE, 1000)
    desk.open_account()
    if state == LOADING:
        desk.last = desk.begin_load(500)
    elif state == PURCHASING:
        desk.last = desk.begin_purchase(100, 20, 3)
    return desk


def probe(desk: Desk, state: str) -> bytes:
    """The command that only this state takes, right for what was begun last."""
    if not desk.last:
        return bytes.fromhex("B02A00000B" + "00" * 11 if state == LOADING else "B02C01000F" + "00" * 15)
    return desk.credit(desk.last, 500) if state == LOADING else desk.debit(desk.last, 100, 20, 3)


def state_after(personality: Personality, state: str, do: Callable[[Desk], object]) -> str:
    """The state in which the card takes the command that belongs to it, ``idle`` where it takes none."""
    taken = []
    for asked in (LOADING, PURCHASING):
        desk = enter(personality, state)
        do(desk)
        if desk.sw(probe(desk, asked)) == 0x9000:
            taken.append(asked)
    assert len(taken) <= 1
    return taken[0] if taken else IDLE


@dataclass(frozen=True)
class Move:
    """A command: its answer in each state, and the state it leads to."""

    says: str
    do: Callable[[Desk], int]
    words: tuple[int, int, int]
    leads: tuple[str, str, str]

    def __str__(self) -> str:
        return self.says


def begin(state: str) -> Callable[[Desk], int]:
    def do(desk: Desk) -> int:
        desk.last = desk.begin_load(500) if state == LOADING else desk.begin_purchase(100, 20, 3)
        return int.from_bytes(desk.last[-2:], "big")

    return do


def say(command: str) -> Callable[[Desk], int]:
    return lambda desk: desk.sw(command)


def finish(state: str, *, right: bool = True) -> Callable[[Desk], int]:
    def do(desk: Desk) -> int:
        opened = desk.last or bytes(24)
        made = (
            desk.credit(opened, 500, right=right) if state == LOADING else desk.debit(opened, 100, 20, 3, right=right)
        )
        return desk.sw(made)

    return do


STAYS, TO_IDLE = STATES, (IDLE, IDLE, IDLE)
MOVES = [
    Move("INITIALIZE FOR LOAD", begin(LOADING), (0x9000,) * 3, (LOADING,) * 3),
    Move("INITIALIZE FOR PURCHASE", begin(PURCHASING), (0x9000,) * 3, (PURCHASING,) * 3),
    Move("CREDIT FOR LOAD", finish(LOADING), (0x6901, 0x9000, 0x6901), TO_IDLE),
    Move("DEBIT FOR PURCHASE", finish(PURCHASING), (0x6901, 0x6901, 0x9000), TO_IDLE),
    Move("CREDIT with a wrong MAC", finish(LOADING, right=False), (0x6901, 0x9302, 0x6901), TO_IDLE),
    Move("DEBIT with a wrong MAC", finish(PURCHASING, right=False), (0x6901, 0x6901, 0x9302), TO_IDLE),
    Move("GET BALANCE", say("B026000104"), (0x9000,) * 3, STAYS),
    Move("GET BALANCE, asked for its Le: no failure (card-commands.md §0)", say("B026000100"), (0x6C04,) * 3, STAYS),
    Move("GET TRANSACTION PROOF there is none of", say("B02E0002020099"), (0x9406,) * 3, TO_IDLE),
    Move("GET STARTING DAY", say("B056010002"), (0x9000,) * 3, STAYS),
    Move("GET STARTING DAY, asked for its Le", say("B056010000"), (0x6C02,) * 3, STAYS),
    Move("UPDATE STARTING DAY without DSK", say("B0560000020401"), (0x6982,) * 3, TO_IDLE),
    Move("INITIALIZE with an unknown key", say("B02800010B09000001F4" + TERMINAL), (0x9403,) * 3, TO_IDLE),
    Move("INITIALIZE of more than there is", say("B028010113010000FFFF" + "00" * 14), (0x9401,) * 3, TO_IDLE),
    Move("a wrong length", say("B02A00000A" + "00" * 10), (0x6700,) * 3, TO_IDLE),
    Move("wrong P1 P2", say("B026000404"), (0x6A86,) * 3, TO_IDLE),
    Move("an unknown INS", say("B0FF0000"), (0x6D00,) * 3, TO_IDLE),
    Move("GET CHALLENGE", say("0084000008"), (0x9000,) * 3, TO_IDLE),
    Move("VERIFY without data", say("0020000000"), (0x63C6,) * 3, TO_IDLE),
    Move("READ RECORD of the details", say("00B2014400"), (0x6A83,) * 3, TO_IDLE),
    Move("SELECT of the same application", say("00A4000002DF04"), (0x9000,) * 3, TO_IDLE),
    Move("CHANGE PIN", say("805E010007123456FF123456"), (0x9000,) * 3, TO_IDLE),
    Move("PIN unblock without rights", say("842400000400000000"), (0x6982,) * 3, TO_IDLE),
    Move("CLA 84 unknown", say("84FF0000"), (0x6D00,) * 3, TO_IDLE),
]


@pytest.mark.parametrize("move", MOVES, ids=str)
@pytest.mark.parametrize("state", STATES)
def test_the_state_machine(any_card: Personality, move: Move, state: str) -> None:
    place = STATES.index(state)
    assert f"{move.do(enter(any_card, state)):04X}" == f"{move.words[place]:04X}"
    assert state_after(any_card, state, move.do) == move.leads[place]


def test_a_proof_that_is_there_disturbs_no_transaction(desk: Desk) -> None:
    assert desk.purchase(100)[-2:] == OK
    opened = desk.begin_purchase(100, 20, 3)
    assert desk.proof_of(PURCHASE, 0)[-2:] == OK
    assert desk.send(desk.debit(opened, 100, 20, 3))[-2:] == OK


def test_an_update_of_the_starting_day_disturbs_no_transaction(any_card: Personality) -> None:
    desk = Desk(any_card)
    desk.open_account()
    desk.authenticate("DSK")
    opened = desk.begin_load(500)
    assert desk.sw("B0560000020401") == 0x9000
    assert desk.send(desk.credit(opened, 500))[-2:] == OK


def test_over_contacts_fetching_the_answer_disturbs_no_transaction(any_card: Personality) -> None:
    desk = Desk(any_card, contact=True)
    desk.open_account()
    opened = desk.begin_load(500)
    assert len(opened) == 18
    assert desk.sw(desk.credit(opened, 500)) == 0x6104
    assert desk.send("00C0000004")[-2:] == OK
    assert balance(desk)[0] == 500


@pytest.mark.parametrize("end", ["reset", "another application"])
def test_a_transaction_ends_with_power_or_selection(desk: Desk, end: str) -> None:
    opened = desk.begin_load(500)
    if end == "reset":
        desk.chip.reset()
        desk.open_account()
    else:
        desk.select("DF01")
        desk.select("DF04")
    assert desk.sw(desk.credit(opened, 500)) == 0x6901


def test_a_refused_selection_ends_it_too(desk: Desk) -> None:
    opened = desk.begin_load(500)
    assert desk.sw("00A4020002EF1E") == 0x6A82
    assert desk.sw(desk.credit(opened, 500)) == 0x6901


# Limits


def test_an_account_takes_up_to_its_four_bytes(desk: Desk) -> None:
    room = 0xFFFF_FFFF - 1000
    assert desk.begin_load(room + 1) == b"\x69\x85"
    assert desk.load(room)[-2:] == OK
    assert balance(desk)[0] == 0xFFFF_FFFF
    assert desk.begin_load(1) == b"\x69\x85"
    assert desk.load(0)[-2:] == OK
    assert desk.purchase(0xFFFF_FFFF)[-2:] == OK
    assert balance(desk)[0] == 0


@pytest.mark.parametrize("which", [Account.SELF_PAID, Account.POOL_PAID])
def test_a_total_that_would_run_over_is_refused_whole(desk: Desk, which: Account) -> None:
    assert desk.purchase(1, 1, 1)[-2:] == OK
    desk.set_account(which, 0xFFFF_FFFF)
    before = (balance(desk), desk.details(), desk.account(Account.PURCHASE_COUNT))
    opened = desk.begin_purchase(1, 1, 1)
    assert desk.send(desk.debit(opened, 1, 1, 1)) == b"\x69\x85"
    assert (balance(desk), desk.details(), desk.account(Account.PURCHASE_COUNT)) == before


@pytest.mark.parametrize("kind", [Account.LOAD_COUNT, Account.PURCHASE_COUNT])
def test_the_last_number_is_used_and_no_more(desk: Desk, kind: Account) -> None:
    do = desk.load if kind == Account.LOAD_COUNT else desk.purchase
    again = desk.begin_load if kind == Account.LOAD_COUNT else desk.begin_purchase
    desk.set_account(kind, 0xFFFE)
    assert do(10)[-2:] == OK
    assert desk.account(kind) == 0xFFFF
    assert again(10) == b"\x94\x02"
    assert desk.proof_of(LOAD if kind == Account.LOAD_COUNT else PURCHASE, 0xFFFE)[-2:] == OK


def test_the_details_hold_thirty(desk: Desk) -> None:
    for number in range(33):
        assert desk.purchase(number)[-2:] == OK
    assert [int.from_bytes(record[:2], "big") for record in desk.details()] == list(range(32, 2, -1))
    assert desk.send("00B2014401") == b"\x6c\x1c"
    assert desk.send("00B21E441C")[:2] == b"\x00\x03"
    assert desk.sw("00B21F4400") == 0x6A83


# The settlement year


@pytest.mark.parametrize(
    ("start", "days", "totals", "settled"),
    [
        ("0101", ["20250101", "20251231"], 2, "2025"),
        ("0101", ["20251231", "20260101"], 1, "2026"),
        ("0101", ["20250601", "20280229"], 1, "2028"),
        ("0401", ["20250331"], 1, "2024"),
        ("0401", ["20250331", "20250401"], 1, "2025"),
        ("0401", ["20250401", "20260331"], 2, "2025"),
        ("0401", ["20250401", "20260331", "20260401"], 1, "2026"),
        ("1231", ["20251230", "20251231"], 1, "2025"),
        ("0101", ["20260101", "20251231"], 2, "2026"),
    ],
)
def test_totals_begin_anew_with_the_settlement_year(
    desk: Desk, start: str, days: list[str], totals: int, settled: str
) -> None:
    """n = today − (year·10000 + mmdd); n < 10000 adds, else the totals are replaced."""
    desk.authenticate("DSK")
    assert desk.sw(f"B056000002{start}") == 0x9000
    assert desk.send("B056010002") == bytes.fromhex(start) + OK
    for day in days:
        assert desk.purchase(10, 200, 3, time=day + "120000")[-2:] == OK
    assert balance(desk) == (1000 - 10 * len(days), 200 * totals, 3 * totals)
    assert year(desk) == settled


def test_a_fresh_account(any_card: Personality) -> None:
    desk = Desk(any_card)
    desk.open_account()
    assert balance(desk) == (0, 0, 0)
    assert desk.send("B056010002") == bytes.fromhex("0101") + OK
    assert desk.details() == []
    assert desk.proof_of(LOAD, 0) == desk.proof_of(PURCHASE, 0) == b"\x94\x06"


def test_a_load_leaves_the_totals(desk: Desk) -> None:
    desk.purchase(1, 20, 3)
    desk.load(500, time="20270101000000")
    assert balance(desk) == (1499, 20, 3)
    assert year(desk) == "2025"


def test_account_and_proofs_survive_power(desk: Desk) -> None:
    done = desk.purchase(100, 20, 3)
    desk.repower()
    desk.select("DF04")
    assert desk.proof_of(PURCHASE, 0) == done[4:8] + done[:4] + OK
    desk.open_account()
    assert balance(desk) == (900, 20, 3)


# The pulled plug: a load and a purchase cut at every write point and moment


def before_the_cut(personality: Personality, kind: int) -> tuple[Desk, bytes]:
    """An account with a past, and the command that posts the next transaction."""
    desk = Desk(personality)
    desk.open_account()
    desk.load(2000)
    desk.purchase(300, 40, 5)
    if kind == LOAD:
        return desk, desk.credit(desk.begin_load(500), 500)
    return desk, desk.debit(desk.begin_purchase(100, 20, 3), 100, 20, 3)


def condition(desk: Desk, kind: int) -> tuple[object, ...]:
    """All that the transaction touches, as the outside sees it."""
    desk.open_account()
    opened = desk.begin_purchase(0)
    count = opened[14:16] if kind == PURCHASE else desk.begin_load(0)[4:6]
    records = []
    while (answer := desk.send(bytes((0x00, 0xB2, len(records) + 1, 0x44, 0x1C))))[-2:] == OK:
        records.append(answer[:-2])
    return balance(desk), year(desk), count, tuple(records), desk.proof_of(kind, 1)


def run(personality: Personality, kind: int, *cuts: tuple[int, Moment]) -> tuple[tuple[object, ...], bool]:
    """What the card says after the command and the recovery were cut, and whether the command answered."""
    desk, command = before_the_cut(personality, kind)
    answered = False
    if cuts:
        desk.memory.cut_power(*cuts[0])
    with suppress(PowerLost):
        answered = desk.send(command)[-2:] == OK
    for cut in cuts[1:]:
        desk.memory.cut_power(*cut)
        with suppress(PowerLost):
            desk.chip.power_on()
    desk.memory.mend()
    desk.repower()
    return condition(desk, kind), answered


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("kind", [LOAD, PURCHASE], ids=["load", "purchase"])
def test_a_torn_transaction_is_whole_or_not_at_all(name: str, kind: int) -> None:
    personality = preset(name)
    desk, _ = before_the_cut(personality, kind)
    desk.repower()
    old = condition(desk, kind)
    new, _ = run(personality, kind)
    assert old != new
    assert old[-1] == b"\x94\x06"
    assert isinstance(new[-1], bytes)
    assert new[-1][-2:] == OK
    seen = []
    for point in range(20):
        for moment in Moment:
            found, answered = run(personality, kind, (point, moment))
            assert found in (old, new)
            assert found == new or not answered
            seen.append(found == new)
    assert seen == sorted(seen)
    assert seen.count(False) >= 1
    assert seen.count(True) >= 40


@settings(max_examples=40)
@given(
    st.sampled_from(["v2-3des", "v3-sm4"]),
    st.sampled_from([LOAD, PURCHASE]),
    st.lists(st.tuples(st.integers(0, 9), st.sampled_from(Moment)), min_size=2, max_size=5),
)
def test_a_recovery_torn_again_and_again(name: str, kind: int, cuts: list[tuple[int, Moment]]) -> None:
    personality = preset(name)
    desk, _ = before_the_cut(personality, kind)
    desk.repower()
    old = condition(desk, kind)
    new, _ = run(personality, kind)
    found, answered = run(personality, kind, *cuts)
    assert found in (old, new)
    assert found == new or not answered


# Amounts against a model


@dataclass
class Book:
    """The account as card-commands.md §3.2 keeps it."""

    balance: int = 0
    self_paid: int = 0
    pool: int = 0
    year: int = 0
    start: int = 101
    loads: int = 0
    purchases: int = 0
    records: deque[bytes] = field(default_factory=lambda: deque(maxlen=30))

    def load(self, amount: int, time: str) -> None:
        self._record(self.loads, LOAD, time, amounts(amount, 0, 0))
        self.balance += amount
        self.loads += 1

    def purchase(self, account: int, self_paid: int, pool: int, time: str) -> None:
        today = int(time[:8])
        if today - (self.year * 10000 + self.start) < 10000:
            self.self_paid += self_paid
            self.pool += pool
        else:
            self.year = today // 10000 - (today % 10000 < self.start)
            self.self_paid, self.pool = self_paid, pool
        self._record(self.purchases, PURCHASE, time, amounts(account, self_paid, pool))
        self.balance -= account
        self.purchases += 1

    def _record(self, count: int, kind: int, time: str, money: bytes) -> None:
        self.records.appendleft(count.to_bytes(2, "big") + bytes((kind,)) + bytes.fromhex(TERMINAL + time) + money)


money = st.integers(0, 3000)
days = st.integers(0, 1500).map(lambda day: f"{date(2024, 1, 1) + timedelta(days=day):%Y%m%d}101112")
steps = st.one_of(
    st.tuples(st.just("load"), money, days),
    st.tuples(st.just("purchase"), money, money, money, days),
    st.tuples(st.just("wrong load"), money),
    st.tuples(st.just("wrong purchase"), money),
    st.tuples(st.just("start"), st.sampled_from(["0101", "0401", "0701", "1231"])),
    st.tuples(st.just("power")),
    st.tuples(st.just("tear"), money, st.integers(0, 8), st.sampled_from(Moment)),
)


def follow(desk: Desk, book: Book, step: tuple[object, ...]) -> None:
    what, *rest = step
    if what == "load":
        amount, time = rest
        assert desk.load(amount, time=time)[-2:] == OK
        book.load(amount, time)
    elif what == "purchase":
        account, self_paid, pool, time = rest
        if account > book.balance:
            assert desk.begin_purchase(account, self_paid, pool) == b"\x94\x01"
        else:
            assert desk.purchase(account, self_paid, pool, time=time)[-2:] == OK
            book.purchase(account, self_paid, pool, time)
    elif what == "wrong load":
        assert desk.fetch(desk.credit(desk.begin_load(rest[0]), rest[0], right=False)) == b"\x93\x02"
    elif what == "wrong purchase":
        amount = min(rest[0], book.balance)
        assert desk.fetch(desk.debit(desk.begin_purchase(amount), amount, right=False)) == b"\x93\x02"
    elif what == "start":
        desk.authenticate("DSK")
        assert desk.sw(f"B056000002{rest[0]}") == 0x9000
        book.start = int(rest[0])
    elif what == "tear":
        tear(desk, book, *rest)
    else:
        desk.repower()
        desk.open_account()


def tear(desk: Desk, book: Book, amount: int, point: int, moment: Moment) -> None:
    """A purchase under the cut: the proof shows whether it was posted."""
    amount = min(amount, book.balance)
    command = desk.debit(desk.begin_purchase(amount, 1, 1), amount, 1, 1)
    desk.memory.cut_power(point, moment)
    with suppress(PowerLost):
        desk.send(command)
    desk.memory.mend()
    desk.repower()
    desk.open_account()
    if desk.proof_of(PURCHASE, book.purchases)[-2:] == OK:
        book.purchase(amount, 1, 1, TIME)


@settings(max_examples=60)
@given(st.sampled_from(PRESETS), st.lists(steps, max_size=20), st.booleans())
def test_amounts_follow_the_book(name: str, path: list[tuple[object, ...]], contact: bool) -> None:
    desk, book = Desk(name, contact=contact), Book()
    desk.open_account()
    for step in path:
        follow(desk, book, step)
        assert balance(desk) == (book.balance, book.self_paid, book.pool)
        assert year(desk) == f"{book.year:04d}"
    assert desk.details() == list(book.records)
    assert (desk.account(Account.LOAD_COUNT), desk.account(Account.PURCHASE_COUNT)) == (book.loads, book.purchases)
