"""One private pcscd for the whole run; where there can be none, its reason is the reason to skip."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from random import Random

import pytest

import kit
from kit.pcsc import demand_pcscd, demand_pyscard
from kit.waiting import PATIENCE
from sscard.issuer import Card
from sscard.transport.connection import Connection
from sscard.transport.pcsc import PcscConnection, wait_for_card
from sscard.transport.pcscd import MAX_READERS, PrivatePcscd
from sscard.transport.vpcd import VirtualReaderSlot

_turns = count()


@pytest.fixture(scope="session", autouse=True)
def _private_pcscd_can_be_had() -> None:
    demand_pcscd()


@pytest.fixture(scope="session")
def pcscd(_private_pcscd_can_be_had: None) -> Iterator[PrivatePcscd]:
    """A private daemon with 16 readers and pyscard to talk to it."""
    demand_pyscard()
    with PrivatePcscd(MAX_READERS, timeout=PATIENCE) as daemon:
        yield daemon


@pytest.fixture
def card() -> Card:
    return kit.card_of("v3-sm4")


@pytest.fixture
def reader(pcscd: PrivatePcscd) -> int:
    """A reader without card: each test takes the next, so that none waits for the one before to be noticed."""
    taken = next(_turns) % pcscd.readers
    assert wait_for_card(pcscd.reader_name(taken), present=False, timeout=PATIENCE)
    return taken


@pytest.fixture
def reader_name(pcscd: PrivatePcscd, reader: int) -> str:
    return pcscd.reader_name(reader)


@pytest.fixture
def insert(pcscd: PrivatePcscd, reader: int) -> Iterator[Callable[[Connection], VirtualReaderSlot]]:
    """``insert(card)``: puts it into the reader; pcscd has seen it when this returns."""
    with ExitStack() as slots:

        def put(inserted: Connection) -> VirtualReaderSlot:
            slot = slots.enter_context(VirtualReaderSlot(pcscd.port(reader), inserted))
            assert wait_for_card(pcscd.reader_name(reader), timeout=PATIENCE)
            return slot

        yield put


@pytest.fixture
def slot(insert: Callable[[Connection], VirtualReaderSlot], card: Card) -> VirtualReaderSlot:
    """The card in the reader."""
    return insert(card.chip(Random(1)))


@pytest.fixture
def connection(reader_name: str) -> Iterator[PcscConnection]:
    """A PC/SC connection to the reader, without power yet."""
    with PcscConnection(reader_name, patience=PATIENCE) as opened:
        yield opened
