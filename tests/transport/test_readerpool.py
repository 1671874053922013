"""The pool against a PC/SC library that reports another ATR than the card sent."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from kit.fake_driver import ATR, GET_ATR, POWER_OFF, POWER_ON, RESET, EchoCard, FakeDriver
from kit.fake_scard import EMPTY, PRESENT, READER, VENDOR_TAG, FakeScard
from sscard.chip.engine import PowerError
from sscard.transport.pcsc import ReaderError
from sscard.transport.readerpool import ReaderPool

OTHER = bytes.fromhex("3B6D00001234A1B2C38649510200000002")


class Daemon:
    """One virtual reader, as ``PrivatePcscd`` gives it to the pool; ``alter`` replaces the ATR on its way."""

    readers = 1

    def __init__(self) -> None:
        self.driver = FakeDriver()
        self.alter: dict[bytes, bytes] = {}
        self.scard = FakeScard(
            [(EMPTY, b""), (EMPTY, b""), (PRESENT, ATR)],
            {VENDOR_TAG: self._atr},
            started=self._start,
            stopped=self._stop,
        )

    def port(self, _reader: int) -> int:
        return self.driver.port

    def reader_name(self, _reader: int) -> str:
        return READER

    def notice(self) -> None:
        """Power the card that comes into the reader."""
        self.driver.accept()
        self.driver.send(POWER_ON)

    def _atr(self) -> bytes:
        atr = self.driver.ask(GET_ATR)
        return self.alter.get(atr, atr)

    def _start(self, disposition: int) -> None:
        if disposition == FakeScard.SCARD_RESET_CARD:
            self.driver.send(RESET)
        else:
            self.driver.send(POWER_OFF, POWER_ON)

    def _stop(self) -> None:
        self.driver.send(POWER_OFF)


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    daemon = Daemon()
    daemon.scard.install(monkeypatch)
    with ThreadPoolExecutor(1) as noticing:
        noticed = noticing.submit(daemon.notice)
        yield daemon
        noticed.result()
    daemon.driver.close()


@pytest.fixture
def pool(daemon: Daemon) -> Iterator[ReaderPool]:
    with ReaderPool(daemon) as opened:  # type: ignore[arg-type]
        yield opened


def test_another_cards_atr_at_power_on_is_an_error(daemon: Daemon, pool: ReaderPool) -> None:
    card = EchoCard()
    with pool.connect(card) as connection:
        daemon.alter = {ATR: OTHER}
        with pytest.raises(ReaderError) as raised:
            connection.power_on()
        assert not card.powered.is_set()
        with pytest.raises(PowerError):
            connection.transmit(b"\x00\x84\x00\x00\x08")
        daemon.alter = {}
        assert connection.power_on() == ATR
        assert card.powered.is_set()
    for said in (READER, ATR.hex().upper(), OTHER.hex().upper()):
        assert said in str(raised.value)


def test_another_cards_atr_at_reset_is_an_error(daemon: Daemon, pool: ReaderPool) -> None:
    card = EchoCard()
    with pool.connect(card) as connection:
        assert connection.power_on() == connection.reset() == ATR
        daemon.alter = {ATR: OTHER}
        with pytest.raises(ReaderError):
            connection.reset()
        assert not card.powered.is_set()
        with pytest.raises(PowerError):
            connection.transmit(b"\x00\x84\x00\x00\x08")


def test_each_card_is_compared_with_its_own_atr(daemon: Daemon, pool: ReaderPool) -> None:
    class OtherCard(EchoCard):
        def power_on(self) -> bytes:
            super().power_on()
            return OTHER

    for card, atr in ((EchoCard(), ATR), (OtherCard(), OTHER), (EchoCard(), ATR)):
        with pool.connect(card) as connection:
            assert connection.power_on() == atr
    daemon.alter = {ATR: OTHER}
    with pool.connect(EchoCard()) as connection, pytest.raises(ReaderError):
        connection.power_on()
