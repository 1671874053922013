"""The slot against a driver that misbehaves as networks, daemons and people do."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from random import Random

import pytest

import kit
from kit.vpcd_driver import ATR, GET_ATR, POWER_OFF, POWER_ON, RESET, EchoCard, FakeDriver
from kit.waiting import PATIENCE
from sscard.chip.engine import PowerError
from sscard.chip.memory import Moment
from sscard.transport.faults import CardMute, CardRemoved
from sscard.transport.vpcd import Seat, VirtualReaderSlot, Wire
from sscard.transport.vpcd_wire import frame

CHALLENGE = bytes.fromhex("0084000008")
Slots = Callable[..., VirtualReaderSlot]


@pytest.fixture
def driver() -> Iterator[FakeDriver]:
    driver = FakeDriver()
    yield driver
    driver.close()


@pytest.fixture
def slot_with(driver: FakeDriver) -> Iterator[Slots]:
    """``slot_with(card, …)``: a slot at work on the driver's port, stopped at the end of the test."""
    slots = []

    def start(card: object, **options: object) -> VirtualReaderSlot:
        slot = VirtualReaderSlot(driver.port, card, **{"hold_off": 0.0, **options})  # type: ignore[arg-type]
        slots.append(slot)
        slot.start()
        return slot

    yield start
    for slot in slots:
        try:
            slot.stop()
        except OSError:
            continue  # the test gave it that failure


def test_the_atr_is_told_before_power_is_given_and_the_card_left_without(driver: FakeDriver, slot_with: Slots) -> None:
    card = EchoCard()
    slot_with(card)
    driver.accept()
    assert driver.ask(GET_ATR) == ATR
    assert driver.ask(GET_ATR) == ATR
    assert card.events == ["on", "off"]


def test_coalesced_controls_get_one_answer(driver: FakeDriver, slot_with: Slots) -> None:
    card = EchoCard()
    slot_with(card)
    driver.accept()
    assert driver.ask(POWER_ON + GET_ATR) == ATR
    assert driver.ask(RESET + GET_ATR + frame(CHALLENGE)[:1]) == ATR
    assert driver.ask(frame(CHALLENGE)[1:]) == CHALLENGE + b"\x90\x00"
    assert card.events == ["on", "reset", CHALLENGE.hex()]


@pytest.mark.parametrize("cut", range(1, 7))
def test_a_command_split_at_any_byte_is_answered_once(driver: FakeDriver, slot_with: Slots, cut: int) -> None:
    slot_with(EchoCard())
    driver.accept()
    message = frame(CHALLENGE)
    assert driver.ask(POWER_ON, message[:cut], message[cut:]) == CHALLENGE + b"\x90\x00"
    assert driver.hears_nothing()


def test_power_off_and_unknown_controls_are_not_answered(driver: FakeDriver, slot_with: Slots) -> None:
    card = EchoCard()
    slot_with(card)
    driver.accept()
    assert driver.ask(POWER_ON, POWER_OFF, frame(b"\x55"), GET_ATR) == ATR
    assert card.events == ["on", "off"]


def test_after_runs_before_the_answer_leaves(driver: FakeDriver, slot_with: Slots) -> None:
    reached, go_on = threading.Event(), threading.Event()

    def write_to_disk(command: bytes) -> None:
        if command == CHALLENGE:
            reached.set()
            assert go_on.wait(PATIENCE)

    slot_with(EchoCard(), after=write_to_disk)
    driver.accept()
    driver.send(POWER_ON, frame(CHALLENGE))
    assert reached.wait(PATIENCE)
    assert driver.hears_nothing()
    go_on.set()
    assert driver.receive() == [CHALLENGE + b"\x90\x00"]


def test_after_is_told_of_power_which_may_recover_memory(driver: FakeDriver, slot_with: Slots) -> None:
    heard: list[bytes] = []
    slot_with(EchoCard(), after=heard.append)
    driver.accept()
    driver.ask(GET_ATR)
    driver.ask(POWER_ON, RESET, frame(CHALLENGE))
    assert heard == [b"", b"", b"", CHALLENGE]


def test_an_image_that_cannot_be_written_lets_no_answer_leave(driver: FakeDriver, slot_with: Slots) -> None:
    def write_to_disk(command: bytes) -> None:
        if command:
            raise OSError(28, "No space left on device")

    slot = slot_with(EchoCard(), after=write_to_disk)
    driver.accept()
    driver.send(POWER_ON, frame(CHALLENGE))
    assert driver.receive() == []
    with pytest.raises(OSError, match="No space"):
        slot.wait_for(Seat.SEEKING, timeout=PATIENCE)
    with pytest.raises(OSError, match="No space"):
        slot.stop()


def test_a_card_taken_out_has_no_power_and_hangs_up(driver: FakeDriver, slot_with: Slots) -> None:
    card = EchoCard()
    slot = slot_with(card)
    driver.accept()
    driver.ask(POWER_ON + GET_ATR)
    slot.remove()
    assert not card.powered.is_set()
    assert slot.seat is Seat.EMPTY
    assert driver.receive() == []


def test_the_same_card_can_be_put_back_and_another_in_its_place(driver: FakeDriver, slot_with: Slots) -> None:
    slot = slot_with(EchoCard())
    driver.accept()
    slot.remove()
    slot.insert()
    driver.accept()
    assert driver.ask(POWER_ON, frame(CHALLENGE)) == CHALLENGE + b"\x90\x00"
    slot.remove()
    slot.insert(EchoCard(lambda _command: b"\x6d\x00"))
    driver.accept()
    assert driver.ask(POWER_ON, frame(CHALLENGE)) == b"\x6d\x00"


def test_a_slot_stays_empty_for_a_while_after_a_removal(driver: FakeDriver, slot_with: Slots) -> None:
    slot = slot_with(EchoCard(), hold_off=3600.0)
    driver.accept()
    slot.remove()
    slot.insert()
    assert not slot.wait_for(Seat.SEEKING, Seat.WAITING, Seat.SEATED, timeout=0.05)


def test_a_card_that_is_looked_at_and_not_powered_leaves_once_to_be_noticed(
    driver: FakeDriver, slot_with: Slots, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sscard.transport.vpcd.NOTICE", -1.0)
    monkeypatch.setattr("sscard.transport.vpcd.HOLD_OFF", 0.0)
    slot_with(EchoCard())
    driver.accept()
    driver.send(GET_ATR)
    assert driver.receive() == []
    driver.accept()
    assert [driver.ask(GET_ATR) for _ in range(2)] == [ATR, ATR]


def test_a_card_that_was_powered_stays(driver: FakeDriver, slot_with: Slots, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sscard.transport.vpcd.NOTICE", -1.0)
    slot_with(EchoCard())
    driver.accept()
    assert driver.ask(POWER_ON + GET_ATR) == ATR
    driver.send(POWER_OFF)
    assert driver.ask(GET_ATR) == ATR


def test_a_slot_holds_one_card() -> None:
    slot = VirtualReaderSlot(1)
    with pytest.raises(ValueError, match="never held a card"):
        slot.insert()
    slot.insert(EchoCard())
    with pytest.raises(ValueError, match="remove"):
        slot.insert(EchoCard())


def test_the_seat_tells_how_far_the_card_has_come(driver: FakeDriver, slot_with: Slots) -> None:
    driver.stop_listening()
    slot = slot_with(EchoCard())
    assert slot.wait_for(Seat.SEEKING, timeout=PATIENCE)
    driver.listen()
    assert slot.wait_for(Seat.WAITING, timeout=PATIENCE)
    driver.accept()
    driver.ask(GET_ATR)
    assert slot.wait_for(Seat.SEATED, timeout=PATIENCE)


def test_a_driver_that_goes_takes_the_power_and_finds_the_card_again(driver: FakeDriver, slot_with: Slots) -> None:
    card = kit.card_of("v3-sm4")
    slot_with(card.chip(Random(1), contact=False))
    driver.accept()
    assert driver.ask(POWER_ON, frame(kit.verify("999999"))) == b"\x63\xc5"
    assert driver.ask(frame(kit.verify(kit.PIN))) == b"\x90\x00"
    assert driver.ask(frame(kit.verify("999999"))) == b"\x63\xc5"
    driver.hang_up()
    driver.accept()
    assert driver.ask(POWER_ON, frame(kit.verify("999999"))) == b"\x63\xc4"


def test_a_driver_that_closes_in_mid_frame_is_met_again(driver: FakeDriver, slot_with: Slots) -> None:
    card = EchoCard()
    slot_with(card)
    driver.accept()
    driver.send(POWER_ON, frame(CHALLENGE)[:4])
    driver.accept()
    assert driver.ask(POWER_ON, frame(CHALLENGE)) == CHALLENGE + b"\x90\x00"
    assert card.events == ["on", "off", "on", CHALLENGE.hex()]


def test_a_driver_that_sends_nonsense_is_hung_up_on(driver: FakeDriver, slot_with: Slots) -> None:
    slot_with(EchoCard())
    driver.accept()
    driver.send(b"\x00\x00")
    assert driver.receive() == []
    driver.accept()
    assert driver.ask(GET_ATR) == ATR


def test_a_card_whose_power_goes_at_a_write_point_leaves_without_an_answer(
    driver: FakeDriver, slot_with: Slots
) -> None:
    card = kit.card_of("v3-sm4")
    heard: list[bytes] = []
    slot = slot_with(card.chip(Random(1), contact=False), after=heard.append)
    driver.accept()
    driver.ask(POWER_ON + GET_ATR)
    card.memory.cut_power(1, Moment.AFTER)
    driver.send(frame(kit.verify("999999")))
    assert driver.receive() == []
    assert slot.wait_for(Seat.EMPTY, timeout=PATIENCE)
    assert heard[-1] == kit.verify("999999")
    slot.insert()
    driver.accept()
    assert driver.ask(POWER_ON, frame(kit.verify("999999"))) == b"\x63\xc4"


@pytest.mark.parametrize("answer", [b"", CardMute("mute"), PowerError("no power")])
def test_a_card_that_gives_nothing_ends_the_command_and_stays(
    driver: FakeDriver, slot_with: Slots, answer: bytes | Exception
) -> None:
    def give(command: bytes) -> bytes:
        if isinstance(answer, Exception):
            raise answer
        return answer

    card = EchoCard(give)
    slot = slot_with(card)
    driver.accept()
    driver.ask(POWER_ON + GET_ATR)
    driver.send(frame(CHALLENGE))
    assert driver.receive() == []
    driver.accept()
    assert driver.ask(GET_ATR) == ATR
    assert slot.seat is Seat.SEATED
    assert card.powered.is_set()


def test_a_card_that_is_pulled_in_mid_command_leaves(driver: FakeDriver, slot_with: Slots) -> None:
    def pulled(command: bytes) -> bytes:
        raise CardRemoved("pulled")

    slot = slot_with(EchoCard(pulled))
    driver.accept()
    driver.send(POWER_ON, frame(CHALLENGE))
    assert driver.receive() == []
    assert slot.wait_for(Seat.EMPTY, timeout=PATIENCE)


@pytest.mark.parametrize("verb", ["remove", "stop"])
def test_a_hook_may_end_the_stay_after_this_answer(driver: FakeDriver, slot_with: Slots, verb: str) -> None:
    slot = slot_with(EchoCard(), after=lambda command: command and getattr(slot, verb)())
    driver.accept()
    assert driver.ask(POWER_ON, frame(CHALLENGE)) == CHALLENGE + b"\x90\x00"
    assert driver.receive() == []
    assert slot.wait_for(Seat.EMPTY, timeout=PATIENCE)
    assert slot.served == 1


def test_who_waits_for_a_slot_is_told_that_it_was_stopped(driver: FakeDriver, slot_with: Slots) -> None:
    slot = slot_with(EchoCard())
    driver.accept()
    slot.remove()
    waited: list[bool] = []
    waiting = threading.Thread(target=lambda: waited.append(slot.wait_for(Seat.SEATED)), daemon=True)
    waiting.start()
    slot.stop()
    waiting.join(PATIENCE)
    assert waited == [False]


def test_stopping_twice_or_before_the_start_does_no_harm(driver: FakeDriver) -> None:
    VirtualReaderSlot(driver.port, EchoCard()).stop()
    with VirtualReaderSlot(driver.port, EchoCard()) as slot:
        driver.accept()
        slot.stop()
    assert driver.receive() == []


class SpySocket:
    """Keeps the order of what is done to a socket."""

    def __init__(self) -> None:
        self.done: list[object] = []

    def setsockopt(self, _level: int, option: int, value: int) -> None:
        self.done.append((option, value))

    def recv(self, _size: int) -> bytes:
        self.done.append("recv")
        return b"\x00"

    def sendall(self, message: bytes) -> None:
        self.done.append(message)


@pytest.mark.skipif(not hasattr(socket, "TCP_QUICKACK"), reason="TCP_QUICKACK is Linux's")
def test_every_read_is_acknowledged_at_once_and_every_answer_goes_in_one_piece() -> None:
    spy = SpySocket()
    wire = Wire(spy)  # type: ignore[arg-type]
    wire.receive()
    wire.receive()
    wire.send(b"\x90\x00")
    quick = (socket.TCP_QUICKACK, 1)
    assert spy.done == [(socket.TCP_NODELAY, 1), quick, "recv", quick, "recv", b"\x00\x02\x90\x00"]
