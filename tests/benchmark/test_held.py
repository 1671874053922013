"""A card under test: what may be done to it, what it holds afterwards, and what ends the run."""

from __future__ import annotations

from typing import Any

import pytest

from kit.benchmarks import Slow, VirtualClock
from sscard.benchmark.clients import Behind
from sscard.benchmark.flows import FLOWS, NotCompleted
from sscard.benchmark.held import check_permitted, measure_held
from sscard.benchmark.load import Load
from sscard.benchmark.result import FlowResult
from sscard.errors import HsmError, InputError, TransportError
from sscard.hsm import SoftHsm
from sscard.issuer import find_personality, issue_card
from sscard.scenario.testbed import file
from sscard.scenario.testbed.file import CardUnderTest
from sscard.standard.tree import PIN_TRIES
from sscard.terminal import CardSession, WrongPin
from sscard.terminal.errors import ApduError
from sscard.transport import Connection

PIN = "739184"
LOAD = Load(count=5, warm_up=0, rounds=1)


def placed(pin: str = PIN, **fields: Any) -> file.Testbed:
    given = {"may_write": True, "may_block": True} | fields
    return file.Testbed(CardUnderTest(use="card.db", pin=pin, **given), find_personality("v3-sm4"))


def measured(name: str, card: Any, hsm: Any = None, pin: str = PIN) -> FlowResult:
    return measure_held(FLOWS[name], placed(pin), card, Behind(hsm or SoftHsm()), LOAD, clock=VirtualClock())


@pytest.mark.parametrize("name", FLOWS)
def test_each_flow_leaves_the_card_as_it_was(name: str) -> None:
    card = issue_card(pin=PIN, seed=1)
    chip = card.chip()
    found = measured(name, chip)
    assert (found.recorded.done, found.failed) == (5, 0)
    assert "card" not in {part.name for part in found.budget}
    assert card.snapshot().pin_tries == 6
    CardSession.start(chip, SoftHsm()).verify_pin(PIN)


def test_a_wrong_pin_costs_one_try_and_ends_the_run() -> None:
    card = issue_card(pin=PIN, seed=1)
    with pytest.raises(ApduError):
        measured("verify", card.chip(), pin="111111")
    assert card.snapshot().pin_tries == 5


def test_a_lost_connection_ends_the_run() -> None:
    def lose() -> None:
        raise TransportError

    with pytest.raises(TransportError):
        measured("verify", Slow(issue_card(pin=PIN, seed=1).chip(), "transmit", lose))


class LosesAnAnswer:
    """The connection to a card that does what it is asked, and does not answer to a command the ``nth`` time."""

    def __init__(self, card: Connection, ins: int, nth: int = 1) -> None:
        self._card = card
        self._ins = ins
        self._left = nth
        self.power_on, self.power_off, self.reset = card.power_on, card.power_off, card.reset

    def transmit(self, command: bytes) -> bytes:
        answer = self._card.transmit(command)
        self._left -= command[1] == self._ins
        if command[1] == self._ins and self._left == 0:
            raise TransportError
        return answer


@pytest.mark.parametrize(("name", "ins"), [("change", 0x5E), ("reset", 0x24), ("case:locked", 0x24)])
def test_a_card_whose_answer_to_the_change_is_lost_gets_its_pin_back(name: str, ins: int) -> None:
    card = issue_card(pin=PIN, seed=1)
    with pytest.raises((TransportError, NotCompleted)):
        measured(name, LosesAnAnswer(card.chip(), ins))
    assert card.snapshot().pin_tries == 6
    CardSession.start(card.chip(), SoftHsm()).verify_pin(PIN)


@pytest.mark.parametrize("wrong", [1, 6])
def test_a_card_that_is_lost_while_its_tries_are_used_up_gets_them_back(wrong: int) -> None:
    """After the first wrong PIN, and after the last one."""
    card = issue_card(pin=PIN, seed=1)
    with pytest.raises(TransportError):
        measured("unblock", LosesAnAnswer(card.chip(), 0x20, wrong))
    assert card.snapshot().pin_tries == 6
    CardSession.start(card.chip(), SoftHsm()).verify_pin(PIN)


class Obstinate:
    """The connection to a card with the same answer to every wrong PIN."""

    def __init__(self, card: Connection, answer: str) -> None:
        self._card = card
        self._answer = bytes.fromhex(answer)
        self.power_on, self.power_off, self.reset = card.power_on, card.power_off, card.reset

    def transmit(self, command: bytes) -> bytes:
        answer = self._card.transmit(command)
        return self._answer if command[1] == 0x20 and answer[0] == 0x63 else answer


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [("63C5", WrongPin, "63C5"), ("9000", NotCompleted, "the card accepts a wrong PIN")],
)
def test_a_card_that_cannot_be_blocked_ends_the_run(answer: str, error: type[Exception], said: str) -> None:
    card = issue_card(pin=PIN, seed=1)
    with pytest.raises(error, match=said):
        measured("unblock", Obstinate(card.chip(), answer))
    assert card.snapshot().pin_tries == 6


def test_a_refusal_of_the_hsm_is_counted_and_the_card_stays() -> None:
    card = issue_card(pin=PIN, seed=1)
    calls = iter(range(100))

    def refuse() -> None:
        if next(calls) % 2:
            raise HsmError("no")

    found = measured("reset", card.chip(), Slow(SoftHsm(), "safe_message", refuse))
    assert found.recorded.errors == {"HsmError": 3}
    assert card.memory.numbers[PIN_TRIES] == 6


@pytest.mark.parametrize(
    ("name", "fields", "missing"),
    [
        ("change", {"may_write": False}, "change needs may_write"),
        ("case:leaked", {"may_write": False}, "case:leaked needs may_write"),
        ("unblock", {"may_block": False}, "unblock needs may_block"),
        ("case:locked", {"may_block": False}, "case:locked needs may_block"),
        ("read", {"keys": "none"}, "read needs the keys"),
        ("reset", {"keys": "none"}, "reset needs the keys"),
        ("verify", {"personality": "none"}, "verify is for social security cards"),
    ],
)
def test_a_testbed_has_to_permit_what_a_flow_does(name: str, fields: dict[str, Any], missing: str) -> None:
    with pytest.raises(InputError, match=missing):
        check_permitted(FLOWS[name], placed(**fields))


def test_what_changes_nothing_needs_no_permission() -> None:
    for name in ("verify", "read"):
        check_permitted(FLOWS[name], placed(may_write=False, may_block=False))
    check_permitted(FLOWS["verify"], placed(keys="none"))


def test_a_case_that_the_service_refuses_ends_the_run_with_its_reason() -> None:
    card = issue_card(pin=PIN, seed=1, city="110100")
    with pytest.raises(NotCompleted, match="not issued") as refused:
        measured("case:leaked", card.chip())
    assert refused.value.answer == "Refusal"
    assert card.snapshot().pin_tries == 6
