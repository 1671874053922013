"""ATR and waits against a PC/SC library that answers with what was true before, as libpcsclite before 2.0.1 can."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from kit.fake_driver import ATR
from kit.fake_scard import (
    ATR_STRING,
    EMPTY,
    NOT_TRANSACTED,
    PRESENT,
    READER,
    REMOVED_CARD,
    RESET_CARD,
    UNSUPPORTED,
    VENDOR_TAG,
    FakeScard,
    State,
)
from sscard.transport.faults import CardMute, CardRemoved
from sscard.transport.pcsc import (
    ERROR_NOT_SUPPORTED,
    SLICE,
    CardReset,
    PcscConnection,
    ReaderError,
    find_card,
    wait_for_card,
)

STALE = bytes.fromhex("3B6D00001234A1B2C38649510200000002")
HERE, HERE_BEFORE, GONE = (PRESENT, ATR), (PRESENT, STALE), (EMPTY, b"")
Attributes = Mapping[int, Callable[[], bytes] | int]


@pytest.mark.parametrize(
    ("attributes", "asked"),
    [
        ({ATR_STRING: lambda: ATR}, [ATR_STRING]),
        ({VENDOR_TAG: lambda: ATR}, [ATR_STRING, VENDOR_TAG]),
        ({ATR_STRING: ERROR_NOT_SUPPORTED, VENDOR_TAG: lambda: ATR}, [ATR_STRING, VENDOR_TAG]),
        ({ATR_STRING: lambda: b"", VENDOR_TAG: lambda: ATR}, [ATR_STRING, VENDOR_TAG]),
        ({ATR_STRING: NOT_TRANSACTED, VENDOR_TAG: lambda: ATR}, [ATR_STRING, VENDOR_TAG]),
    ],
)
def test_the_atr_is_asked_over_the_connection(
    monkeypatch: pytest.MonkeyPatch, attributes: Attributes, asked: list[int]
) -> None:
    scard = FakeScard([HERE], attributes, status=(0, STALE)).install(monkeypatch)
    with PcscConnection(READER) as connection:
        assert connection.power_on() == ATR
        assert connection.reset() == ATR
    assert scard.asked == asked * 2


@pytest.mark.parametrize("unsupported", [UNSUPPORTED, ERROR_NOT_SUPPORTED])
def test_a_reader_without_the_attribute_is_asked_for_its_status(
    monkeypatch: pytest.MonkeyPatch, unsupported: int
) -> None:
    tags = {ATR_STRING: unsupported, VENDOR_TAG: unsupported}
    scard = FakeScard([HERE], tags, status=(0, ATR)).install(monkeypatch)
    with PcscConnection(READER) as connection:
        assert connection.power_on() == ATR
    assert scard.asked == [ATR_STRING, VENDOR_TAG, "status"]


@pytest.mark.parametrize(
    ("tag", "result", "error"),
    [
        (ATR_STRING, REMOVED_CARD, CardRemoved),
        (VENDOR_TAG, REMOVED_CARD, CardRemoved),
        (VENDOR_TAG, RESET_CARD, CardReset),
        (ATR_STRING, 0x80100001, ReaderError),
    ],
)
def test_an_error_is_not_answered_from_the_status(
    monkeypatch: pytest.MonkeyPatch, tag: int, result: int, error: type[Exception]
) -> None:
    scard = FakeScard([HERE], {tag: result}, status=(0, STALE)).install(monkeypatch)
    with PcscConnection(READER) as connection, pytest.raises(error):
        connection.power_on()
    assert "status" not in scard.asked


@pytest.mark.parametrize(("afterwards", "error"), [(GONE, CardRemoved), (None, CardMute)])
def test_a_card_that_gives_no_atr_was_removed_or_is_mute(
    monkeypatch: pytest.MonkeyPatch, afterwards: State | None, error: type[Exception]
) -> None:
    monkeypatch.setattr("sscard.transport.pcsc.NOTICE", 0)
    states = [HERE, HERE, afterwards]
    scard = FakeScard(states, {VENDOR_TAG: NOT_TRANSACTED}, status=(0, STALE)).install(monkeypatch)
    with PcscConnection(READER) as connection, pytest.raises(error):
        connection.power_on()
    assert "status" not in scard.asked


@pytest.mark.parametrize(("present", "wanted", "before"), [(True, HERE, GONE), (False, GONE, HERE)])
def test_a_wait_survives_a_missed_event(
    monkeypatch: pytest.MonkeyPatch, present: bool, wanted: State, before: State
) -> None:
    scard = FakeScard([before, None, None, wanted], {}).install(monkeypatch)
    assert wait_for_card(READER, present=present)
    assert max(scard.waits) == round(SLICE * 1000)


@pytest.mark.parametrize(("present", "stale", "current"), [(True, HERE, GONE), (False, GONE, HERE)])
def test_a_wait_does_not_end_with_an_answer_that_the_next_one_denies(
    monkeypatch: pytest.MonkeyPatch, present: bool, stale: State, current: State
) -> None:
    FakeScard([stale, current, stale, current], {}).install(monkeypatch)
    assert not wait_for_card(READER, present=present, timeout=0)


def test_a_card_is_found_after_a_missed_event(monkeypatch: pytest.MonkeyPatch) -> None:
    scard = FakeScard([HERE_BEFORE, None, None, HERE], {}).install(monkeypatch)
    assert find_card(ATR) == READER
    assert max(scard.waits) == round(SLICE * 1000)


@pytest.mark.parametrize("current", [GONE, HERE_BEFORE])
def test_a_card_is_not_found_by_an_atr_that_the_next_answer_denies(
    monkeypatch: pytest.MonkeyPatch, current: State
) -> None:
    FakeScard([HERE, current], {}).install(monkeypatch)
    assert find_card(ATR, timeout=0) == ""
    assert find_card(ATR, besides=[READER]) == ""


class CountingScard(FakeScard):
    """Counts the threads inside the calls that libpcsclite does not protect against each other."""

    inside = most = 0

    @contextmanager
    def _counted(self) -> Iterator[None]:
        with self._count:
            self.inside += 1
            self.most = max(self.most, self.inside)
        time.sleep(0.002)  # long enough for the other threads to come in
        yield
        with self._count:
            self.inside -= 1

    def __init__(self) -> None:
        super().__init__([HERE], {VENDOR_TAG: lambda: ATR})
        self._count = threading.Lock()

    def SCardEstablishContext(self, *asked: object) -> tuple[int, int]:  # noqa: N802
        with self._counted():
            return super().SCardEstablishContext(*asked)

    def SCardReleaseContext(self, *asked: object) -> int:  # noqa: N802
        with self._counted():
            return super().SCardReleaseContext(*asked)

    def SCardDisconnect(self, *asked: object) -> int:  # noqa: N802
        with self._counted():
            return super().SCardDisconnect(*asked)


def test_threads_do_not_open_and_close_contexts_and_cards_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    def use(_turn: int) -> bytes:
        assert wait_for_card(READER)
        with PcscConnection(READER) as connection:
            return connection.power_on()

    scard = CountingScard()
    scard.install(monkeypatch)
    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(use, range(12))) == {ATR}
    assert (scard.most, scard.inside) == (1, 0)
