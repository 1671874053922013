"""What a terminal owes the holder: pre-processing and recovery (terminal-flows.md §1 and §8)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from functools import partial

import pytest

import kit
from kit.counter import ALL, CARD, PAY, Counter, foreign_keys, ok, psam_of, varied
from sscard.chip.memory import Moment
from sscard.driver.card import DriverCard, IssuerData
from sscard.driver.duties import (
    Admission,
    Blacklist,
    Finding,
    PinCard,
    Prover,
    Standing,
    TerminalRules,
    pre_process,
    recover_change,
    recover_purchase,
    recover_reset,
    recover_unblock,
)
from sscard.hsm import SoftHsm
from sscard.issuer import builtin_keys
from sscard.terminal import CardSession, Identity
from sscard.transport.faults import Removal

TODAY = date(2026, 1, 5)
IDENTITY = Identity(*CARD.split("|")[:2])
OTHER = Identity("510100D15600000500000002A1B2C3D4", "B00000019")
OLD, NEW = kit.PIN, "654321"


@pytest.fixture(params=ALL)
def counter(request: pytest.FixtureRequest) -> Counter:
    return Counter(request.param)


@pytest.fixture(params=["driver", "session"])
def face(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def start(counter: Counter) -> DriverCard:
    return DriverCard.start(counter.reader, counter.reader.power_on())


def inserted(counter: Counter, face: str) -> PinCard:
    """The re-inserted card as the driver or as the service sees it."""
    if face == "driver":
        return start(counter)
    return CardSession.start(counter.reader, SoftHsm(builtin_keys()))


def prover(card: DriverCard, *foreign: str) -> Prover:
    hsm = SoftHsm(foreign_keys(*foreign))
    return partial(hsm.authentication_data, card.algorithm, hsm.address_of("IRK"), card.reference)


# Before


def test_a_good_card_is_admitted(counter: Counter) -> None:
    card = start(counter)
    found = pre_process(card, prover(card), TerminalRules(), TODAY)
    assert found == Admission((), 6)
    assert found.admitted
    assert found.pin_needed


def test_the_psam_proves_as_well(counter: Counter) -> None:
    card = start(counter)
    psam = psam_of("national")
    found = pre_process(card, partial(psam.authentication_data, card.algorithm, "IRK", card.reference), RULES, TODAY)
    assert found.admitted


RULES = TerminalRules()


def test_a_card_without_pin_needs_none(counter: Counter) -> None:
    bare = Counter(counter.personality, pin="")
    card = start(bare)
    found = pre_process(card, prover(card), RULES, TODAY)
    assert found.admitted
    assert not found.pin_needed


def test_a_card_that_is_not_genuine_is_asked_nothing_more(counter: Counter) -> None:
    card = start(counter)
    listed = TerminalRules(Blacklist(frozenset({IDENTITY})))
    found = pre_process(card, prover(card, "IRK"), listed, TODAY)
    assert found == Admission((Finding.NOT_GENUINE,), None)
    assert not found.admitted
    assert "VERIFY" not in counter.sent()


def issuer(**changes: str) -> IssuerData:
    told = {
        "category": "3",
        "version": "3.00",
        "body": "915600000251000051010001",
        "issued": "20250101",
        "expires": "20350101",
    }
    return IssuerData(IDENTITY, **(told | changes))


@pytest.mark.parametrize(
    ("rules", "changes", "findings"),
    [
        (TerminalRules(), {}, []),
        (TerminalRules(Blacklist(frozenset({IDENTITY}))), {}, [Finding.BLACKLISTED]),
        (TerminalRules(Blacklist(frozenset({OTHER}))), {}, []),
        (
            TerminalRules(Blacklist(frozenset({Identity(IDENTITY.identification_code, OTHER.card_number)}))),
            {},
            [],
        ),
        (TerminalRules(Blacklist(ranges=(("A00000000", "A00000011"),))), {}, [Finding.BLACKLISTED]),
        (TerminalRules(Blacklist(ranges=(("A00000011", "A00000020"),))), {}, [Finding.BLACKLISTED]),
        (TerminalRules(Blacklist(ranges=(("A00000012", "B00000000"),))), {}, []),
        (TerminalRules(bodies=("9156000002510000", "9156000002410000")), {}, []),
        (TerminalRules(bodies=("9156000002410000",)), {}, [Finding.UNSUPPORTED_BODY]),
        (TerminalRules(categories=frozenset("34")), {}, []),
        (TerminalRules(categories=frozenset("12")), {}, [Finding.UNSUPPORTED_CATEGORY]),
        (TerminalRules(versions=frozenset({"3.0"})), {}, []),
        (TerminalRules(versions=frozenset({"1.0"})), {"version": ""}, []),
        (TerminalRules(versions=frozenset({"2.0"})), {"version": "2.01"}, []),
        (TerminalRules(), {"version": "4.00"}, [Finding.UNSUPPORTED_VERSION]),
        (TerminalRules(), {"expires": "20260104"}, [Finding.EXPIRED]),
        (TerminalRules(), {"expires": "20260105"}, []),
        (TerminalRules(), {"expires": ""}, []),
        (
            TerminalRules(Blacklist(frozenset({IDENTITY}))),
            {"expires": "20200101", "version": "0.9"},
            [Finding.BLACKLISTED, Finding.UNSUPPORTED_VERSION, Finding.EXPIRED],
        ),
    ],
)
def test_what_speaks_against_a_card(rules: TerminalRules, changes: dict[str, str], findings: list[Finding]) -> None:
    assert list(rules.findings(issuer(**changes), TODAY)) == findings


def test_a_card_that_is_refused_is_not_asked_for_its_pin(counter: Counter) -> None:
    card = start(counter)
    found = pre_process(card, prover(card), TerminalRules(Blacklist(frozenset({IDENTITY}))), TODAY)
    assert found == Admission((Finding.BLACKLISTED,), None)


# After


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
    found = recover_change(inserted(counter, face), IDENTITY, OLD, NEW)
    assert found.standing is (Standing.DONE if counter.has_pin(NEW) else Standing.NOT_DONE)
    assert found.text == found.standing.value
    assert counter.tries == 6


def test_another_card_is_left_alone(counter: Counter, face: str) -> None:
    card = inserted(counter, face)
    sent = len(counter.sent())
    for found in (
        recover_change(card, OTHER, OLD, NEW),
        recover_reset(card, OTHER, NEW),
        recover_unblock(card, OTHER),
    ):
        assert found.standing is Standing.OTHER_CARD
    assert len(counter.sent()) == sent
    assert counter.tries == 6


@pytest.mark.parametrize(("tries", "standing"), [(0, Standing.PIN_BLOCKED), (1, Standing.UNDECIDED)])
def test_no_try_is_spent_that_could_block_the_pin(counter: Counter, face: str, tries: int, standing: Standing) -> None:
    counter.card.memory.put_number(0, tries)
    assert recover_change(inserted(counter, face), IDENTITY, OLD, NEW).standing is standing
    assert counter.tries == tries


def test_with_two_tries_one_is_spent(counter: Counter, face: str) -> None:
    counter.card.memory.put_number(0, 2)
    assert recover_change(inserted(counter, face), IDENTITY, OLD, NEW).standing is Standing.UNDECIDED
    assert counter.tries == 1


def test_neither_the_old_nor_the_new_pin(counter: Counter, face: str) -> None:
    found = recover_change(inserted(counter, face), IDENTITY, "999999", NEW)
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
    card = inserted(Counter(pin=stored), face)
    assert recover_change(card, IDENTITY, old, new).standing is standing


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
    assert recover_reset(inserted(counter, face), IDENTITY, NEW).standing is standing
    assert counter.tries >= min(tries, 1)


@pytest.mark.parametrize(("tries", "standing"), [(0, Standing.NOT_DONE), (6, Standing.DONE)])
@pytest.mark.parametrize("answer", [0x63C0, 0x6983])
def test_an_unblock_is_found_done_or_not_done(face: str, tries: int, standing: Standing, answer: int) -> None:
    counter = Counter(varied(blocked_query=answer))
    counter.card.memory.put_number(0, tries)
    assert recover_unblock(inserted(counter, face), IDENTITY).standing is standing


@pytest.mark.parametrize(("point", "moment"), list(write_points()))
def test_a_purchase_is_found_done_or_not_done(counter: Counter, point: int, moment: Moment) -> None:
    """GET TRANSACTION PROOF tells: MAC and TAC, or 9406 and nothing was taken."""
    counter.pad.script(OLD)
    asked = ok(counter.driver.iDoDebit_HSM_Step1(1, CARD, PAY))
    key = counter.host.purchase(counter.basic, asked)
    counter.reader.arm(Removal(Moment.DURING, partial(counter.card.memory.cut_power, point, moment)), ins=0x2C)
    assert counter.driver.iDoDebit_HSM_Step2(key)[0] == -2
    counter.card.memory.cut_power(1 << 62)
    counter.reader.insert()
    found = recover_purchase(start(counter), IDENTITY, 0)
    counter.pad.script(OLD)
    posted = ok(counter.driver.iReadDebitRecord(1)) != ""
    assert found.standing is (Standing.DONE if posted else Standing.NOT_DONE)
    assert (len(found.tac) == 4) is posted
    assert recover_purchase(start(counter), OTHER, 0).standing is Standing.OTHER_CARD
