"""Faults at the reader, as a terminal sees them."""

from __future__ import annotations

from functools import partial
from random import Random

import pytest

import kit
from kit.vpcd_driver import ATR, EchoCard
from sscard.chip.memory import Moment
from sscard.i18n.language import say
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

ONE, TWO = bytes.fromhex("0084000008"), bytes.fromhex("00B0850000")


def powered(card: EchoCard) -> FaultyConnection:
    connection = FaultyConnection(card)
    connection.power_on()
    return connection


def test_without_faults_everything_passes() -> None:
    card = EchoCard()
    connection = FaultyConnection(card)
    assert connection.power_on() == connection.reset() == ATR
    assert connection.transmit(ONE) == ONE + b"\x90\x00"
    connection.power_off()
    assert card.events == ["on", "reset", ONE.hex().upper(), "off"]


@pytest.mark.parametrize(("nth", "ins", "expected"), [(1, None, 0), (3, None, 2), (1, 0xB0, 1), (2, 0x84, 2)])
def test_a_fault_strikes_the_armed_command_once(nth: int, ins: int | None, expected: int) -> None:
    connection = powered(EchoCard())
    connection.arm(Truncated(1), nth=nth, ins=ins)
    answers = [connection.transmit(command) for command in (ONE, TWO, ONE, TWO, ONE, TWO)]
    assert [place for place, answer in enumerate(answers) if len(answer) == 1] == [expected]


def test_of_two_faults_due_at_once_the_second_waits_for_the_next_command() -> None:
    connection = powered(EchoCard())
    connection.arm(Truncated(1))
    connection.arm(Truncated(2), ins=0x84)
    assert [len(connection.transmit(ONE)) for _ in range(3)] == [1, 2, 7]


def test_disarmed_faults_do_not_strike() -> None:
    connection = powered(EchoCard())
    connection.arm(Mute())
    connection.disarm()
    assert connection.transmit(ONE) == ONE + b"\x90\x00"


@pytest.mark.parametrize(("moment", "heard"), [(Moment.BEFORE, False), (Moment.DURING, True)])
def test_a_card_that_leaves_before_or_during_a_command_gives_no_answer(moment: Moment, heard: bool) -> None:
    card = EchoCard()
    connection = powered(card)
    connection.arm(Removal(moment))
    with pytest.raises(CardRemoved):
        connection.transmit(ONE)
    assert (ONE.hex().upper() in card.events) is heard
    assert not card.powered.is_set()


def test_a_card_that_leaves_after_a_command_is_missed_by_the_next() -> None:
    connection = powered(EchoCard())
    connection.arm(Removal(Moment.AFTER))
    assert connection.transmit(ONE) == ONE + b"\x90\x00"
    with pytest.raises(CardRemoved):
        connection.transmit(ONE)
    with pytest.raises(CardRemoved):
        connection.reset()
    with pytest.raises(CardRemoved):
        connection.power_on()


def test_a_card_put_back_answers_once_it_has_power() -> None:
    connection = powered(EchoCard())
    connection.remove()
    connection.insert()
    with pytest.raises(CardRemoved):
        connection.transmit(ONE)
    connection.power_on()
    assert connection.transmit(ONE) == ONE + b"\x90\x00"


@pytest.mark.parametrize(("point", "tries"), [(0, 6), (1, 5)])
def test_an_interrupted_command_leaves_the_memory_where_the_power_went(point: int, tries: int) -> None:
    card = kit.card_of("v3-sm4")
    chip = card.chip(Random(1))
    connection = FaultyConnection(chip)
    connection.power_on()
    connection.arm(Removal(Moment.DURING, partial(card.memory.cut_power, point)), ins=0x20)
    with pytest.raises(CardRemoved):
        connection.transmit(kit.verify("999999"))
    connection.insert()
    connection.power_on()
    assert chip.snapshot().pin_tries == tries


def test_power_lost_by_other_means_is_a_removal_too() -> None:
    card = kit.card_of("v3-sm4")
    connection = FaultyConnection(card.chip(Random(1)))
    connection.power_on()
    card.memory.cut_power(0)
    with pytest.raises(CardRemoved):
        connection.transmit(kit.verify("999999"))


@pytest.mark.parametrize("verb", ["reset", "power_on"])
def test_a_mute_card_hears_nothing_until_it_starts_anew(verb: str) -> None:
    card = EchoCard()
    connection = powered(card)
    connection.arm(Mute())
    for _ in range(2):
        with pytest.raises(CardMute):
            connection.transmit(ONE)
    assert ONE.hex().upper() not in card.events
    getattr(connection, verb)()
    assert connection.transmit(ONE) == ONE + b"\x90\x00"


def test_a_slow_answer_comes_whole_after_its_time() -> None:
    waited: list[float] = []
    connection = FaultyConnection(EchoCard(), wait=waited.append)
    connection.power_on()
    connection.arm(Slow(2.5))
    assert connection.transmit(ONE) == ONE + b"\x90\x00"
    assert waited == [2.5]


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Truncated(1), "00"),
        (Truncated(99), "0102030405069000"),
        (Corrupted(), "01020304050690FF"),
        (Corrupted(0, 0x80), "8102030405069000"),
    ],
)
def test_a_damaged_answer(fault: Truncated | Corrupted, expected: str) -> None:
    answer = bytes.fromhex("0102030405069000") if expected != "00" else b"\x00\x90\x00"
    connection = powered(EchoCard(lambda _command: answer))
    connection.arm(fault)
    assert connection.transmit(ONE) == bytes.fromhex(expected)


@pytest.mark.parametrize("fault", [Truncated(2), Truncated(257), Corrupted(2), Corrupted(-3), Corrupted(200)], ids=str)
def test_an_answer_too_short_for_its_fault_arrives_unchanged_and_the_fault_says_why(fault: Fault) -> None:
    connection = powered(EchoCard(lambda _command: b"\x90\x00"))
    armed = connection.arm(fault)
    assert connection.transmit(ONE) == b"\x90\x00"
    assert armed.happened
    assert "the answer has " in say(armed.obstacle)


@pytest.mark.parametrize("length", [0, -1])
def test_an_answer_cannot_be_truncated_to_nothing(length: int) -> None:
    with pytest.raises(ValueError, match="Mute"):
        Truncated(length)


def test_commands_are_counted_from_one() -> None:
    with pytest.raises(ValueError, match="from 1"):
        FaultyConnection(EchoCard()).arm(Mute(), nth=0)


def test_after_a_swap_the_other_card_answers() -> None:
    card, other = EchoCard(), EchoCard(lambda _command: b"\x6d\x00")
    connection = powered(card)
    connection.arm(Swap(other))
    for _ in range(2):
        with pytest.raises(CardRemoved):
            connection.transmit(ONE)
    assert card.events == ["on", "off"]
    assert other.events == []
    connection.power_on()
    assert connection.transmit(ONE) == b"\x6d\x00"
