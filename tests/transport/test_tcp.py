"""A card at the other end of a TCP connection: power, answers, and every way it can fail."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from random import Random

import pytest

import kit
from kit.vpcd_driver import ATR, EchoCard
from kit.waiting import PATIENCE, until
from sscard.errors import InputError, MissingPart
from sscard.transport.faults import CardMute, CardRemoved, TransportError
from sscard.transport.tcp import TcpConnection
from sscard.transport.vpcd import VirtualReaderSlot
from sscard.transport.vpcd_wire import FrameReader, frame

COMMAND = bytes.fromhex("0084000008")
DONE = b"\x90\x00"


class ListeningCard:
    """A card that listens, as vicc does in reversed mode; it answers commands with what the test gives in turn.

    ``None`` among the answers keeps it silent, ``b""`` closes the connection.
    """

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.answers: list[bytes | None] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listening.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                reader, _ = self._listening.accept()
            except OSError:
                return
            with reader:
                self._answer(reader)

    def _answer(self, reader: socket.socket) -> None:
        frames = FrameReader()
        while received := reader.recv(4096):
            for message in frames.feed(received):
                self.heard.append(message.hex().upper())
                if message == b"\x04":
                    reader.sendall(frame(ATR))
                elif len(message) > 1:
                    answer = self.answers.pop(0)
                    if answer == b"":
                        return
                    reader.sendall(answer or b"")


@pytest.fixture
def card() -> Iterator[ListeningCard]:
    card = ListeningCard()
    yield card
    card.close()


def test_controls_and_commands_as_the_wire_has_them(card: ListeningCard) -> None:
    card.answers = [frame(bytes(8) + DONE)]
    with TcpConnection(card.address) as connection:
        assert connection.power_on() == ATR
        assert connection.transmit(COMMAND) == bytes(8) + DONE
        assert connection.reset() == ATR
    assert until(lambda: card.heard == ["01", "04", COMMAND.hex().upper(), "02", "04", "00"])


def test_an_answer_may_come_in_pieces(card: ListeningCard) -> None:
    whole = frame(bytes(300) + DONE)
    with TcpConnection(card.address) as connection:
        connection.power_on()
        card.answers = [whole]
        assert connection.transmit(COMMAND) == bytes(300) + DONE


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", CardRemoved),
        (None, CardMute),
        (b"\x00\x00", TransportError),
        (frame(b"\x90"), TransportError),
        (frame(DONE) * 2, TransportError),
    ],
    ids=["closed", "silent", "empty frame", "one byte", "two answers"],
)
def test_a_failure_closes_the_connection_and_power_on_opens_it_again(
    card: ListeningCard, answer: bytes | None, error: type[Exception]
) -> None:
    card.answers = [answer, frame(DONE)]
    with TcpConnection(card.address, patience=2.0 if error is CardMute else PATIENCE) as connection:
        connection.power_on()
        with pytest.raises(error):
            connection.transmit(COMMAND)
        assert connection.power_on() == ATR
        assert connection.transmit(COMMAND) == DONE


@pytest.mark.parametrize("action", ["transmit", "reset"])
def test_without_power_nothing_is_sent(card: ListeningCard, action: str) -> None:
    with TcpConnection(card.address) as connection:
        with pytest.raises(CardRemoved, match="power_on"):
            connection.transmit(COMMAND) if action == "transmit" else connection.reset()
        connection.power_off()
    assert card.heard == []


def test_a_command_of_one_byte_does_not_become_a_control(card: ListeningCard) -> None:
    with TcpConnection(card.address) as connection:
        connection.power_on()
        with pytest.raises(TransportError, match="control byte"):
            connection.transmit(b"\x02")
    assert until(lambda: card.heard == ["01", "04", "00"])


def test_no_card_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(MissingPart, match=f"no card listens at 127.0.0.1:{port}"), TcpConnection(f"127.0.0.1:{port}"):
        pass


def test_no_card_connects() -> None:
    with pytest.raises(MissingPart, match="no card connected"), TcpConnection(":0", connect=0.05):
        pass


def test_a_port_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(MissingPart, match=f"tcp::{port}: cannot listen there"), TcpConnection(f":{port}"):
            pass


@pytest.mark.parametrize(
    "address",
    [
        "",
        "localhost",
        "localhost:",
        "localhost:http",
        "localhost:65536",
        "a:b:1",
        "a..b:1",
        ".a:1",
        "a\0b:1",
        "a" * 64 + ":1",
        "a" * 300 + ":1",
    ],
)
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(InputError, match="not an address"):
        TcpConnection(address)


def test_a_card_of_ours_connects_to_a_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    card = kit.card_of("v3-sm4")
    with VirtualReaderSlot(port, card.chip(Random(1))), TcpConnection(f":{port}") as connection:
        assert connection.power_on() == card.profile.atr()
        assert connection.transmit(bytes.fromhex("0020000000")) == b"\x63\xc6"


def test_a_card_that_is_taken_out_and_put_back() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with VirtualReaderSlot(port, EchoCard(), hold_off=0.0) as slot, TcpConnection(f":{port}") as connection:
        connection.power_on()
        slot.remove()
        with pytest.raises(CardRemoved):
            connection.transmit(COMMAND)
        slot.insert()
        assert connection.power_on() == ATR


@pytest.mark.parametrize("late", [frame(b"\x63\xc5"), frame(ATR[:1] + DONE), None], ids=["answer", "like it", "none"])
def test_an_answer_that_comes_after_the_loss_of_power_is_not_the_atr(card: ListeningCard, late: bytes | None) -> None:
    card.answers = [late, frame(DONE)]
    with TcpConnection(card.address) as connection:
        connection.power_on()
        assert not connection.cut(COMMAND, 0)
        with pytest.raises(CardRemoved):
            connection.transmit(COMMAND)
        assert connection.power_on() == ATR
        assert connection.transmit(COMMAND) == DONE
    heard = ["01", "04", COMMAND.hex().upper(), "00", "01", "04", "04", COMMAND.hex().upper(), "00"]
    assert until(lambda: card.heard == heard)
