"""Pre-processing: which cards a terminal serves (terminal-flows.md §1)."""

from __future__ import annotations

from datetime import date

import pytest

from kit.counter import ALL, CARD, Counter, foreign_keys, psam_of
from sscard.hsm import SoftHsm
from sscard.issuer import builtin_keys
from sscard.terminal import Admission, Blacklist, CardSession, Finding, Identity, TerminalRules, pre_process
from sscard.terminal.card import IssuerData

TODAY = date(2026, 1, 5)
IDENTITY = Identity(*CARD.split("|")[:2])
OTHER = Identity("510100D15600000500000002A1B2C3D4", "B00000019")


@pytest.fixture(params=ALL)
def counter(request: pytest.FixtureRequest) -> Counter:
    return Counter(request.param)


def admit(counter: Counter, rules: TerminalRules, *foreign: str) -> Admission:
    hsm = SoftHsm(foreign_keys(*foreign) if foreign else builtin_keys())
    session = CardSession.start(counter.wire, hsm)
    return session.run(pre_process(session.card, rules, TODAY))


def test_a_good_card_is_admitted(counter: Counter) -> None:
    found = admit(counter, TerminalRules())
    assert found == Admission((), 6)
    assert found.admitted
    assert found.pin_needed


def test_the_psam_proves_as_well(counter: Counter) -> None:
    session = CardSession.open(counter.wire, psam_of("national").answer)
    assert session.run(pre_process(session.card, TerminalRules(), TODAY)) == Admission((), 6)


def test_a_card_without_pin_needs_none(counter: Counter) -> None:
    found = admit(Counter(counter.personality, pin=""), TerminalRules())
    assert found.admitted
    assert not found.pin_needed


def test_a_card_that_is_not_genuine_is_asked_nothing_more(counter: Counter) -> None:
    found = admit(counter, TerminalRules(Blacklist(frozenset({IDENTITY}))), "IRK")
    assert found == Admission((Finding.NOT_GENUINE,), None)
    assert not found.admitted
    assert "VERIFY" not in counter.sent()
    assert counter.sent()[-1].startswith(("INTERNAL AUTHENTICATION", "GET RESPONSE"))


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
    found = admit(counter, TerminalRules(Blacklist(frozenset({IDENTITY}))))
    assert found == Admission((Finding.BLACKLISTED,), None)
    assert "VERIFY" not in counter.sent()
