"""What card and PSAM have in common: the rules of card-commands.md §0 and §1.14, each on both chips."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any, NamedTuple

import pytest

from kit import NAME, card_of
from sscard.card import Chip
from sscard.card.commands import COMMANDS, TABLE
from sscard.chip.command import KEPT_HEADERS, NOTHING, Command, CommandTable
from sscard.chip.engine import PowerError, get_response
from sscard.chip.memory import Memory, Moment, PowerLost
from sscard.issuer import builtin_keys
from sscard.issuer.psam import issue_psam
from sscard.psam import PSAM_COMMANDS, PsamChip
from sscard.psam.commands import TABLE as PSAM_TABLE
from sscard.psam.layout import BLOCKED
from sscard.standard.tree import CARD_BLOCKED

AnyCommand = Command[Any]

SELECT_BY_NAME = f"00A404000F{NAME}"
"""SSSE of the card, the DES environment of the PSAM: both have this name and answer data."""
GET_CHALLENGE = "0084000008"
WRONG_PROOF = "0082000010" + "00" * 16
"""EXTERNAL AUTHENTICATION, which ends the challenge even if it is refused."""


class Kind(NamedTuple):
    """One of the two chips, and what of it a rule needs."""

    name: str
    commands: tuple[AnyCommand, ...]
    issue: Callable[[bool], Chip | PsamChip]
    lock_cell: int
    writing: tuple[str, ...]
    """Commands of which the last writes the memory, whatever it answers."""


def psam(contact: bool) -> PsamChip:
    return issue_psam(builtin_keys()).chip(Random(1), contact=contact)


def card(contact: bool) -> Chip:
    return card_of("v3-sm4").chip(Random(1), contact=contact)


KINDS = (
    Kind("card", COMMANDS, card, CARD_BLOCKED, ("0020000003111111",)),
    Kind("PSAM", PSAM_COMMANDS, psam, BLOCKED, (GET_CHALLENGE, WRONG_PROOF)),
)
TABLES: dict[str, CommandTable[Any]] = {"card": TABLE, "PSAM": PSAM_TABLE}
EACH_COMMAND = [
    pytest.param(kind, command, id=f"{kind.name} {command.name}") for kind in KINDS for command in kind.commands
]


class Powered:
    """A chip under power: APDUs in hex, status words out."""

    def __init__(self, kind: Kind, *, contact: bool = True) -> None:
        self.chip = kind.issue(contact)
        self.kind = kind
        self.chip.power_on()

    @property
    def memory(self) -> Memory:
        return self.chip.memory

    def send(self, command: str | bytes) -> tuple[bytes, int]:
        answer = self.chip.transmit(bytes.fromhex(command) if isinstance(command, str) else command)
        return answer[:-2], int.from_bytes(answer[-2:], "big")

    def sw(self, command: str | bytes) -> int:
        return self.send(command)[1]

    def wait(self) -> bytes:
        """Leave data for GET RESPONSE; what they are."""
        whole, sw = Powered(self.kind, contact=False).send(SELECT_BY_NAME)
        assert sw == 0x9000
        assert self.send(SELECT_BY_NAME) == (b"", 0x6100 | len(whole))
        return whole

    def lock(self) -> None:
        self.memory.put_number(self.kind.lock_cell, 1)
        self.chip.reset()


@pytest.fixture(params=KINDS, ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest) -> Kind:
    found: Kind = request.param
    return found


@pytest.fixture
def powered(kind: Kind) -> Powered:
    return Powered(kind)


def head(command: AnyCommand) -> bytes:
    p1p2 = min(command.p1p2, default=0)
    return bytes((command.clas[0], command.ins, p1p2 >> 8, p1p2 & 0xFF))


def with_data(command: AnyCommand, lc: int, length: int) -> bytes:
    return head(command) + bytes((lc,)) + bytes(length)


# Power


def test_without_power_no_command_is_taken(kind: Kind) -> None:
    chip = kind.issue(True)
    with pytest.raises(PowerError, match=f"the {kind.name} has no power"):
        chip.transmit(bytes.fromhex(GET_CHALLENGE))
    atr = chip.power_on()
    assert chip.reset() == atr
    chip.power_off()
    with pytest.raises(PowerError):
        chip.transmit(bytes.fromhex(GET_CHALLENGE))


def test_power_lost_in_a_command_ends_the_session(powered: Powered) -> None:
    for command in powered.kind.writing[:-1]:
        powered.sw(command)
    powered.memory.cut_power(0, Moment.DURING)
    with pytest.raises(PowerLost):
        powered.sw(powered.kind.writing[-1])
    assert not powered.chip.snapshot().powered
    with pytest.raises(PowerError):
        powered.sw(GET_CHALLENGE)
    powered.chip.power_on()
    assert powered.sw(GET_CHALLENGE) == 0x9000


def test_a_memory_that_fails_answers_6581(powered: Powered) -> None:
    powered.memory.fail()
    for command in powered.kind.writing[:-1]:
        powered.sw(command)
    assert powered.sw(powered.kind.writing[-1]) == 0x6581
    assert powered.sw(GET_CHALLENGE) == 0x9000


# Dispatch


def test_an_unknown_class_comes_before_an_unknown_instruction(powered: Powered) -> None:
    assert powered.sw("FFA4000000") == 0x6E00
    assert powered.sw("FFFE000000") == 0x6E00
    assert powered.sw("00FE000000") == 0x6D00
    assert powered.sw("80A4000000") == 0x6E00  # both are known, but not together


@pytest.mark.parametrize("length", range(4))
def test_less_than_a_header_is_a_wrong_length(powered: Powered, length: int) -> None:
    assert powered.sw(bytes.fromhex(SELECT_BY_NAME)[:length]) == 0x6700


@pytest.mark.parametrize(("kind", "command"), [param for param in EACH_COMMAND if param.values[1].p1p2])
def test_p1_p2_are_checked_before_the_length(kind: Kind, command: AnyCommand) -> None:
    powered = Powered(kind)
    alike = [other for other in kind.commands if other.ins == command.ins and set(other.clas) & set(command.clas)]
    taken = {p1p2 for other in alike for p1p2 in other.p1p2}
    free = next(p1p2 for p1p2 in range(0x10000) if p1p2 not in taken)
    assert powered.sw(head(command)[:2] + free.to_bytes(2, "big") + b"\xff\x00") == 0x6A86


# Lengths


def refused_lengths(command: AnyCommand) -> Iterator[bytes]:
    """The command in every length that must be refused whatever the state."""
    if not command.lengths:
        yield with_data(command, 1, 1)
        yield with_data(command, 0, 1)
        return
    for lc in set(range(256)) - command.lengths:
        yield with_data(command, lc, lc)
    for lc in command.lengths:
        yield with_data(command, lc, lc + 2)
        if not command.answers_data:
            yield with_data(command, lc, lc + 1)
        if lc:
            yield with_data(command, lc, lc - 1)
            yield with_data(command, lc, 0)
    if 0 not in command.lengths:
        yield head(command)


@pytest.mark.parametrize(("kind", "command"), EACH_COMMAND)
def test_a_length_that_does_not_fit_is_refused(kind: Kind, command: AnyCommand) -> None:
    powered = Powered(kind)
    writes = powered.memory.writes
    for sent in refused_lengths(command):
        assert powered.send(sent) == (b"", 0x6700), sent.hex()
    assert powered.memory.writes == writes


def test_a_command_with_data_may_carry_an_le_if_it_answers_data(powered: Powered) -> None:
    assert powered.sw(SELECT_BY_NAME + "00") == powered.sw(SELECT_BY_NAME)
    assert powered.sw(WRONG_PROOF + "00") == 0x6700


# Data that T=0 keeps


def test_waiting_data_are_fetched_in_pieces(powered: Powered) -> None:
    whole = powered.wait()
    assert powered.sw("00C0000000") == 0x6C00 | len(whole)
    assert powered.sw(f"00C00000{len(whole) + 1:02X}") == 0x6C00 | len(whole)
    assert powered.send("00C0000007") == (whole[:7], 0x6100 | len(whole) - 7)
    assert powered.send(f"00C00000{len(whole) - 7:02X}") == (whole[7:], 0x9000)
    assert powered.sw("00C0000000") == 0x6F00


def test_256_bytes_are_announced_as_00(kind: Kind) -> None:
    session = kind.issue(True).new_session()
    session.pending = bytes(range(256)) + b"\xff"
    session.le = 1
    assert get_response(session) == b"\x00\x61\x00"
    session.le = 0
    assert get_response(session) == b"\x6c\x00"


@pytest.mark.parametrize(
    "between", ["00B2", "FFFE0000", "00FE0000", "0082", GET_CHALLENGE, "00A40400", "00A4010000", "0084010008"]
)
def test_any_other_command_drops_waiting_data(powered: Powered, between: str) -> None:
    powered.wait()
    powered.sw(between)
    assert powered.sw("00C0000001") == 0x6F00


@pytest.mark.parametrize("refused", ["00C0000101", "00C000000100", "00C0000000"])
def test_a_refused_get_response_keeps_waiting_data(powered: Powered, refused: str) -> None:
    whole = powered.wait()
    assert powered.sw(refused) != 0x9000
    assert powered.send(f"00C00000{len(whole):02X}") == (whole, 0x9000)


def test_contactless_data_come_with_the_answer(kind: Kind) -> None:
    powered = Powered(kind, contact=False)
    data, sw = powered.send(SELECT_BY_NAME)
    assert (data[:1], sw) == (b"\x6f", 0x9000)
    assert powered.sw("00C0000001") == 0x6F00


# Locked


def test_a_locked_chip_answers_nothing_but_6a81(powered: Powered) -> None:
    locked = powered.chip.power_on()
    powered.lock()
    assert powered.chip.reset() == locked
    short_unknown_or_select = ("", "00", "00A404", "FFFE0000", "00FE0000", "00A40100", "00A4000002EEEE", SELECT_BY_NAME)
    vain = [bytes.fromhex(sent) for sent in short_unknown_or_select]
    for command in powered.kind.commands:
        longest = max(command.lengths, default=0)
        vain.append(with_data(command, longest, longest))
    before = powered.chip.snapshot()
    for sent in vain:
        assert powered.send(sent) == (b"", 0x6A81), sent.hex()
    assert powered.chip.snapshot() == before


@pytest.mark.parametrize(
    ("sent", "sw"),
    [("00A4", 0x9303), ("00A40100", 0x9303), (GET_CHALLENGE, 0x9303), ("FFFE0000", 0x6E00), ("00FE0000", 0x6D00)],
)
def test_a_locked_application_answers_9303_to_what_the_card_knows(sent: str, sw: int) -> None:
    powered = Powered(KINDS[0])
    layout = card_of("v3-sm4").profile.layout
    powered.memory.put_number(next(df.blocked_cell for df in layout.dfs if df.name == "DF03"), 1)
    assert powered.sw("00A4000002DF03") == 0x9303
    assert powered.sw(sent) == sw
    assert powered.sw(SELECT_BY_NAME) & 0xFF00 == 0x6100


# Challenges


def test_a_challenge_lasts_until_its_use(powered: Powered) -> None:
    assert powered.sw(GET_CHALLENGE) == 0x9000
    for command in (SELECT_BY_NAME, "00C0000000", "00FE0000", "FF", "00A4"):
        powered.sw(command)
        assert powered.chip.snapshot().challenge_waiting
    powered.sw(WRONG_PROOF)
    assert not powered.chip.snapshot().challenge_waiting


@pytest.mark.parametrize("malformed", ["0082000001FF", "0082010010" + "00" * 16])
def test_a_malformed_use_ends_the_challenge_too(powered: Powered, malformed: str) -> None:
    powered.sw(GET_CHALLENGE)
    assert powered.sw(malformed) in (0x6700, 0x6A86)
    assert not powered.chip.snapshot().challenge_waiting


# The table of commands


def test_commands_that_p1_p2_tell_apart_are_chained() -> None:
    def run(session: object) -> bytes:
        return b"\x90\x00"

    first = Command("FIRST", "一", "1", (0x00, 0x80), 0x10, run, {0x9000: NOTHING}, p1p2=(1,))
    second = Command("SECOND", "二", "1", (0x00,), 0x10, run, {0x9000: NOTHING}, p1p2=(2,))
    table = CommandTable((first, second))
    assert table.by_code == {0x0010: second, 0x8010: first}
    assert (second.sibling, first.sibling) == (first, None)
    assert (table.clas, table.instructions) == ({0x00, 0x80}, {0x10})


def test_headers_are_kept_for_all_chips_and_only_so_many(powered: Powered) -> None:
    kept = TABLES[powered.kind.name].headers
    first = powered.send(GET_CHALLENGE)[1]
    header = kept[bytes.fromhex(GET_CHALLENGE)]
    Powered(powered.kind).send(GET_CHALLENGE)
    assert kept[bytes.fromhex(GET_CHALLENGE)] is header
    for p1p2 in range(2 * KEPT_HEADERS):
        powered.send(bytes.fromhex("00B0") + p1p2.to_bytes(2, "big") + b"\x01")
        assert len(kept) <= KEPT_HEADERS
    assert kept.get(bytes.fromhex(GET_CHALLENGE)) is not header
    assert powered.send(GET_CHALLENGE)[1] == first


@pytest.mark.parametrize("contact", [True, False])
@pytest.mark.parametrize("sent", ["0020000000", "00200000", "0084000008", "0020010000", "00B2010012", "9999000000"])
def test_a_kept_header_answers_as_a_new_one(sent: str, contact: bool) -> None:
    powered = Powered(KINDS[0], contact=contact)
    variants = [bytes.fromhex(sent + end) for end in ("", "00", "123456", "123456" * 3)]
    TABLES["card"].headers.clear()
    new = [powered.sw(variant) for variant in variants]
    assert [powered.sw(variant) for variant in variants] == new
