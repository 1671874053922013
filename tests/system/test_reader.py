"""The card in the reader: what the session holds, what survives, and many cards at the same time."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

import kit
from kit.waiting import PATIENCE, until
from sscard.chip.memory import Moment
from sscard.errors import ReaderMissing
from sscard.hsm import SoftHsm
from sscard.i18n.language import say
from sscard.issuer import Card, builtin_keys
from sscard.proof.readers import clients
from sscard.terminal import CardSession, WrongPin
from sscard.transport import Connection, exchange
from sscard.transport.faults import (
    CardMute,
    CardRemoved,
    Corrupted,
    Fault,
    FaultyConnection,
    Mute,
    Removal,
    Slow,
    Swap,
    Truncated,
)
from sscard.transport.pcsc import PcscConnection, ReaderError, readers, wait_for_card
from sscard.transport.pcscd import PrivatePcscd
from sscard.transport.vpcd import Seat, VirtualReaderSlot

SELECT = bytes.fromhex(f"00A404000F{kit.NAME}")
SELECT_EF05, CARD_NUMBER = bytes.fromhex("00A4020002EF05"), bytes.fromhex("00B2070000")
CHALLENGE = bytes.fromhex("0084000008")
ASK_TRIES = bytes.fromhex("0020000000")
OK = b"\x90\x00"
Insert = Callable[[Connection], VirtualReaderSlot]


def tries(connection: PcscConnection) -> bytes:
    return exchange(connection, ASK_TRIES).sw.to_bytes(2, "big")


def start(connection: PcscConnection) -> None:
    connection.power_on()
    assert exchange(connection, SELECT).sw == 0x9000


def test_the_readers_are_those_of_the_daemon(pcscd: PrivatePcscd) -> None:
    assert readers() == [pcscd.reader_name(reader) for reader in range(pcscd.readers)]


def test_power_and_reset_clear_a_verified_pin(insert: Insert, connection: PcscConnection, card: Card) -> None:
    chip = card.chip(Random(1))
    insert(chip)
    for renew in (connection.reset, connection.power_on, connection.power_off):
        start(connection)
        assert connection.transmit(kit.verify(kit.PIN)) == OK
        assert chip.snapshot().pin_verified
        renew()
        # A control of the vpcd wire has no answer: the card has it a moment later.
        assert until(lambda: not chip.snapshot().pin_verified)


@pytest.mark.usefixtures("slot")
def test_the_atr_is_the_cards(connection: PcscConnection, card: Card) -> None:
    assert connection.power_on() == connection.reset() == card.profile.atr()


@pytest.mark.usefixtures("slot")
def test_the_atr_is_asked_over_the_connection(
    connection: PcscConnection, card: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stale(_card: int) -> tuple[int, str, int, int, list[int]]:
        return 0, connection.reader_name, scard.SCARD_PRESENT, scard.SCARD_PROTOCOL_T1, [0x3B, 0x00]

    scard = pytest.importorskip("smartcard.scard")
    monkeypatch.setattr(scard, "SCardStatus", stale)
    assert connection.power_on() == connection.reset() == card.profile.atr()


@pytest.mark.parametrize("start", ["power_on", "reset"])
def test_a_card_that_left_before_its_atr_was_asked_is_removed(
    slot: VirtualReaderSlot, connection: PcscConnection, monkeypatch: pytest.MonkeyPatch, start: str
) -> None:
    def reconnect_and_leave(*asked: int) -> tuple[int, int]:
        result: tuple[int, int] = reconnect(*asked)
        slot.remove()
        return result

    scard = pytest.importorskip("smartcard.scard")
    connection.power_on()
    reconnect = scard.SCardReconnect
    monkeypatch.setattr(scard, "SCardReconnect", reconnect_and_leave)
    with pytest.raises(CardRemoved):
        getattr(connection, start)()


def test_power_on_is_a_cold_start_whoever_used_the_card_before(
    insert: Insert, reader_name: str, connection: PcscConnection, card: Card
) -> None:
    chip = card.chip(Random(1))
    insert(chip)
    start(connection)
    assert connection.transmit(kit.verify(kit.PIN)) == OK
    with PcscConnection(reader_name) as other:
        other.power_on()
        assert not chip.snapshot().pin_verified


@pytest.mark.usefixtures("slot")
def test_a_whole_pin_reset(connection: PcscConnection) -> None:
    session = CardSession.start(connection, SoftHsm(builtin_keys()))
    for left in (5, 4):
        with pytest.raises(WrongPin) as refused:
            session.verify_pin("999999")
        assert refused.value.tries_left == left
    session.reset_pin("654321")
    assert session.tries_left() == 6
    session.verify_pin("654321")
    session.close()


def test_an_unknown_reader_is_missing(pcscd: PrivatePcscd) -> None:
    with pytest.raises(ReaderMissing, match="no reader called 'none such'") as unusable:
        PcscConnection("none such").power_on()
    assert pcscd.reader_name(0) in say(unusable.value.remedy)


def test_an_empty_reader_holds_no_card(reader_name: str) -> None:
    with pytest.raises(CardRemoved):
        PcscConnection(reader_name, patience=0).power_on()


def test_removal_and_insertion_are_seen(reader_name: str, slot: VirtualReaderSlot) -> None:
    slot.remove()
    assert wait_for_card(reader_name, present=False, timeout=PATIENCE)
    slot.insert()
    assert wait_for_card(reader_name, timeout=PATIENCE)


def test_a_card_taken_out_and_put_back_at_once_is_not_missed(
    slot: VirtualReaderSlot, connection: PcscConnection
) -> None:
    start(connection)
    slot.remove()
    slot.insert()
    assert slot.wait_for(Seat.SEATED, timeout=PATIENCE)
    with pytest.raises(CardRemoved):
        connection.transmit(CHALLENGE)
    start(connection)


def test_a_swap_is_seen_and_the_other_card_answers(slot: VirtualReaderSlot, connection: PcscConnection) -> None:
    start(connection)
    slot.remove()
    slot.insert(kit.card_of("v2-3des", pin="222222").chip(Random(2)))
    assert slot.wait_for(Seat.SEATED, timeout=PATIENCE)
    with pytest.raises(CardRemoved):
        connection.transmit(kit.verify("222222"))
    start(connection)
    assert connection.transmit(kit.verify("222222")) == OK


def test_a_second_card_in_a_taken_slot_waits_for_the_first_to_leave(
    pcscd: PrivatePcscd, reader: int, slot: VirtualReaderSlot, connection: PcscConnection
) -> None:
    with VirtualReaderSlot(pcscd.port(reader), kit.card_of("v2-3des").chip(Random(2))) as second:
        assert second.wait_for(Seat.WAITING, timeout=PATIENCE)
        start(connection)
        assert second.seat is Seat.WAITING
        slot.remove()
        assert second.wait_for(Seat.SEATED, timeout=PATIENCE)


def test_a_daemon_killed_under_the_card_finds_it_again_counters_intact(
    pcscd: PrivatePcscd, slot: VirtualReaderSlot, connection: PcscConnection
) -> None:
    start(connection)
    assert connection.transmit(kit.verify("999999")) == b"\x63\xc5"
    pcscd.restart()
    with pytest.raises(ReaderError):
        connection.transmit(kit.verify("999999"))
    assert slot.wait_for(Seat.SEATED, timeout=PATIENCE)
    start(connection)
    assert tries(connection) == b"\x63\xc5"


def test_16_cards_in_16_readers_answer_16_threads_and_never_each_other(pcscd: PrivatePcscd) -> None:
    assert clients(pcscd, 10_000, Random(16)) == []


def test_an_answer_of_another_card_is_noticed(pcscd: PrivatePcscd, monkeypatch: pytest.MonkeyPatch) -> None:
    port = pcscd.port
    monkeypatch.setattr(pcscd, "port", lambda reader: port(reader ^ 1 if reader < 2 else reader))
    found = clients(pcscd, 200, Random(16))
    assert {say(said).split(":")[0] for _, said in found} == {"reader 0", "reader 1"}


FAULTS = [
    (Removal(Moment.BEFORE), CardRemoved),
    (Removal(Moment.DURING), CardRemoved),
    (Removal(Moment.AFTER), "9000"),
    (Mute(), CardMute),
    (Slow(0.001), "9000"),
    (Truncated(1), "90"),
    (Corrupted(), "90FF"),
    (Swap(kit.card_of("v2-3des").chip(Random(1))), CardRemoved),
]


@pytest.mark.parametrize(("fault", "expected"), FAULTS, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("side", ["card", "terminal"])
def test_a_fault_has_the_same_verdict_on_either_side_of_the_reader(
    insert: Insert, connection: PcscConnection, card: Card, side: str, fault: Fault, expected: str | type[Exception]
) -> None:
    faulty = FaultyConnection(connection if side == "terminal" else card.chip(Random(1)))
    insert(card.chip(Random(1)) if side == "terminal" else faulty)
    terminal = faulty if side == "terminal" else connection
    terminal.power_on()
    assert exchange(terminal, SELECT).sw == 0x9000
    faulty.arm(fault, ins=0x20)
    if isinstance(expected, str):
        assert terminal.transmit(kit.verify(kit.PIN)).hex().upper() == expected
        return
    with pytest.raises(expected):
        terminal.transmit(kit.verify(kit.PIN))
