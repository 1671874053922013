"""What a terminal finds out after a card was removed too early (terminal-flows.md §8)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

import kit
from kit.counter import ALL, CARD, PAY, Counter, ok, psam_of, varied
from sscard.chip.memory import Moment
from sscard.hsm import SoftHsm
from sscard.i18n.language import say
from sscard.issuer import builtin_keys
from sscard.terminal import (
    CardSession,
    Identity,
    Standing,
    recover_change,
    recover_purchase,
    recover_reset,
    recover_unblock,
)
from sscard.transport.faults import Removal

IDENTITY = Identity(*CARD.split("|")[:2])
OTHER = Identity("510100D15600000500000002A1B2C3D4", "B00000019")
OLD, NEW = kit.PIN, "654321"


@pytest.fixture(params=ALL)
def counter(request: pytest.FixtureRequest) -> Counter:
    return Counter(request.param)


@pytest.fixture(params=["hsm", "psam"])
def face(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def inserted(counter: Counter, face: str = "hsm") -> CardSession:
    """The re-inserted card at a terminal with an HSM or with a PSAM."""
    if face == "psam":
        return CardSession.open(counter.reader, psam_of("national").answer)
    return CardSession.start(counter.reader, SoftHsm(builtin_keys()))


def changed(counter: Counter, point: int, moment: Moment) -> None:
    """A change during which the card left, at this write point; then it is put back."""
    counter.pad.script(OLD, NEW, NEW)
    counter.reader.arm(Removal(Moment.DURING, partial(counter.card.memory.cut_power, point, moment)), ins=0x5E)
    assert counter.driver.iChangePIN(1)[0] == -2
    counter.card.memory.cut_power(1 << 62)
    counter.reader.insert()


def write_points() -> Iterator[tuple[int, Moment]]:
    for point in range(8):
        for moment in Moment:
            yield point, moment


@pytest.mark.parametrize(("point", "moment"), list(write_points()))
def test_a_change_is_found_done_or_not_done(counter: Counter, face: str, point: int, moment: Moment) -> None:
    changed(counter, point, moment)
    session = inserted(counter, face)
    found = session.run(recover_change(session.card, IDENTITY, OLD, NEW))
    assert found.standing is (Standing.DONE if counter.has_pin(NEW) else Standing.NOT_DONE)
    assert found.text == say(found.standing.value)
    assert counter.tries == 6


def test_another_card_is_left_alone(counter: Counter, face: str) -> None:
    session = inserted(counter, face)
    sent = len(counter.sent())
    for recovery in (
        recover_change(session.card, OTHER, OLD, NEW),
        recover_reset(session.card, OTHER, NEW),
        recover_unblock(session.card, OTHER),
        recover_purchase(session.card, OTHER, 0),
    ):
        assert session.run(recovery).standing is Standing.OTHER_CARD
    assert len(counter.sent()) == sent
    assert counter.tries == 6


@pytest.mark.parametrize(("tries", "standing"), [(0, Standing.PIN_BLOCKED), (1, Standing.UNDECIDED)])
def test_no_try_is_spent_that_could_block_the_pin(counter: Counter, face: str, tries: int, standing: Standing) -> None:
    counter.card.memory.put_number(0, tries)
    session = inserted(counter, face)
    assert session.run(recover_change(session.card, IDENTITY, OLD, NEW)).standing is standing
    assert counter.tries == tries


def test_with_two_tries_one_is_spent(counter: Counter, face: str) -> None:
    counter.card.memory.put_number(0, 2)
    session = inserted(counter, face)
    assert session.run(recover_change(session.card, IDENTITY, OLD, NEW)).standing is Standing.UNDECIDED
    assert counter.tries == 1


def test_neither_the_old_nor_the_new_pin(counter: Counter, face: str) -> None:
    session = inserted(counter, face)
    found = session.run(recover_change(session.card, IDENTITY, "999999", NEW))
    assert (found.standing, found.tries_left) == (Standing.UNDECIDED, 4)


@pytest.mark.parametrize(
    ("stored", "old", "new", "standing"),
    [
        ("", OLD, "", Standing.DONE),
        (OLD, OLD, "", Standing.NOT_DONE),
        ("", "", NEW, Standing.NOT_DONE),
        (NEW, "", NEW, Standing.DONE),
        ("", OLD, NEW, Standing.UNDECIDED),
    ],
)
def test_changes_from_and_to_no_pin(face: str, stored: str, old: str, new: str, standing: Standing) -> None:
    session = inserted(Counter(pin=stored), face)
    assert session.run(recover_change(session.card, IDENTITY, old, new)).standing is standing


@pytest.mark.parametrize(
    ("pin", "tries", "standing"),
    [
        (NEW, 6, Standing.DONE),
        (OLD, 6, Standing.NOT_DONE),
        (OLD, 0, Standing.NOT_DONE),
        (OLD, 1, Standing.NOT_DONE),
        ("", 6, Standing.NOT_DONE),
    ],
)
def test_a_reset_is_found_done_or_not_done(face: str, pin: str, tries: int, standing: Standing) -> None:
    counter = Counter(pin=pin)
    counter.card.memory.put_number(0, tries)
    session = inserted(counter, face)
    assert session.run(recover_reset(session.card, IDENTITY, NEW)).standing is standing
    assert counter.tries >= min(tries, 1)


@pytest.mark.parametrize(("tries", "standing"), [(0, Standing.NOT_DONE), (6, Standing.DONE)])
@pytest.mark.parametrize("answer", [0x63C0, 0x6983])
def test_an_unblock_is_found_done_or_not_done(face: str, tries: int, standing: Standing, answer: int) -> None:
    counter = Counter(varied(blocked_query=answer))
    counter.card.memory.put_number(0, tries)
    session = inserted(counter, face)
    assert session.run(recover_unblock(session.card, IDENTITY)).standing is standing


@pytest.mark.parametrize(("point", "moment"), list(write_points()))
def test_a_purchase_is_found_done_or_not_done(counter: Counter, point: int, moment: Moment) -> None:
    """GET TRANSACTION PROOF returns MAC and TAC, or 9406 if no amount was taken."""
    counter.pad.script(OLD)
    asked = ok(counter.driver.iDoDebit_HSM_Step1(1, CARD, PAY))
    key = counter.host.purchase(counter.basic, asked)
    counter.reader.arm(Removal(Moment.DURING, partial(counter.card.memory.cut_power, point, moment)), ins=0x2C)
    assert counter.driver.iDoDebit_HSM_Step2(key)[0] == -2
    counter.card.memory.cut_power(1 << 62)
    counter.reader.insert()
    session = inserted(counter)
    found = session.run(recover_purchase(session.card, IDENTITY, 0))
    counter.pad.script(OLD)
    posted = ok(counter.driver.iReadDebitRecord(1)) != ""
    assert found.standing is (Standing.DONE if posted else Standing.NOT_DONE)
    assert (len(found.tac) == 4) is posted
