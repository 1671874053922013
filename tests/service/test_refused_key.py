"""A key of the HSM that the card refuses: the case waits, and does not cost the card its tries."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from kit.cards import citizens_card
from kit.citizens import ID_NUMBER, NEW_PIN, Citizen, Ticking, make_citizen
from kit.counter import foreign_keys
from kit.programs import CommandLine
from sscard.chip.memory import Moment
from sscard.hsm import HsmUnavailable, SoftHsm
from sscard.i18n.phrase import Phrase
from sscard.issuer import builtin_keys
from sscard.issuer.cardfile import load_card, save_card
from sscard.issuer.places import place_of
from sscard.service import Act, Case, Channel, NotDone, Operated, PinService, Reason, ResultNotice, Stage
from sscard.service.counter import present, read_card
from sscard.terminal import CardSession
from sscard.transport.faults import CardRemoved, FaultyConnection, Removal

WRONG = SoftHsm(foreign_keys("RKSSSE"))
BY_ID = place_of({"name": "", "initial_pin": "last 6 of ID", "initial_pin_use": "must change"})
TRIES = make_citizen().chip.snapshot().key_tries["RKSSSE"][0]


class Down(SoftHsm):
    """An HSM that cannot be asked for a proof."""

    def authentication_data(self, *_given: object, **_named: object) -> bytes:
        raise HsmUnavailable(Phrase("down"), "")


def tries_of(citizen: Citizen) -> int:
    return citizen.chip.snapshot().key_tries["RKSSSE"][0]


@pytest.fixture
def service() -> PinService:
    return PinService(Ticking(), place=BY_ID)


@pytest.fixture
def case(service: PinService, citizen: Citizen) -> Case:
    accepted = service.intake(citizen.application(Reason.FORGOTTEN))
    service.accept(accepted)
    return accepted


@pytest.fixture
def wrong(citizen: Citizen) -> CardSession:
    return citizen.at_hsm(WRONG)


def complete(service: PinService, case: Case, session: CardSession) -> NotDone | ResultNotice:
    return service.complete(case, session, NEW_PIN)


def operate(service: PinService, case: Case, session: CardSession) -> NotDone | Operated:
    return service.operate(case, session, NEW_PIN)


@pytest.mark.parametrize("step", [operate, complete])
def test_only_the_first_reading_costs_a_try(
    service: PinService, case: Case, citizen: Citizen, wrong: CardSession, step: object
) -> None:
    if step is complete:
        operate(service, case, citizen.session)
    stage = case.stage
    answers = [step(service, case, wrong) for _ in range(3)]  # type: ignore[operator]
    assert tries_of(citizen) == TRIES - 1
    assert [answer.tries_left for answer in answers] == [TRIES - 1] * 3
    assert all(f"takes it {TRIES - 1} more time" in answer.text for answer in answers)
    assert (case.stage, case.waits, case.in_doubt) == (stage, True, False)
    assert [event.act for event in case.events[-3:]] == [Act.WAITED] * 3


def test_a_waiting_case_does_not_try_the_pin_either(
    service: PinService, case: Case, citizen: Citizen, wrong: CardSession
) -> None:
    operate(service, case, citizen.session)
    complete(service, case, wrong)
    service.complete(case, wrong, "000000")
    assert citizen.session.tries_left() == 6


@pytest.mark.parametrize("hsm", [WRONG, Down(builtin_keys())])
def test_after_another_failure_the_key_waits_for_the_same_order(
    service: PinService, case: Case, citizen: Citizen, wrong: CardSession, hsm: SoftHsm
) -> None:
    operate(service, case, wrong)
    service.operate(case, citizen.at_hsm(hsm), NEW_PIN, retry_key=True)
    left = tries_of(citizen)
    assert left == (TRIES - 2 if hsm is WRONG else TRIES - 1)
    assert isinstance(operate(service, case, citizen.session), NotDone)
    assert tries_of(citizen) == left
    assert service.operate(case, citizen.session, NEW_PIN, retry_key=True) == Operated(case.operation)
    assert isinstance(complete(service, case, citizen.session), ResultNotice)
    assert (tries_of(citizen), case.stage, case.waits) == (TRIES, Stage.COMPLETED, False)


def test_the_events_of_the_case_say_so_in_another_process(
    service: PinService, case: Case, citizen: Citizen, wrong: CardSession
) -> None:
    operate(service, case, wrong)
    again = Case(case.number, case.events)
    assert again.key_tries == TRIES - 1
    operate(service, again, wrong)
    assert tries_of(citizen) == TRIES - 1


@pytest.fixture
def card(tmp_path: Path, sscard: CommandLine, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A card in a folder with keys that do not read it, and a place with rules by the ID number."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.delenv("SSCARD_JOURNAL", raising=False)
    keys = resources.files("sscard.issuer").joinpath("test-keys.yaml").read_text("utf-8")
    Path("keys.yaml").write_text(keys.replace("CD30BA9FC484FD25", "DD30BA9FC484FD25"), encoding="utf-8")
    Path("place.yaml").write_text("name: here\ninitial_pin: last 6 of ID\ninitial_pin_use: must change\n")
    save_card(citizens_card("739104", id_number=ID_NUMBER), Path("card.db"))
    return Path("card.db")


def left(card: Path) -> int:
    return load_card(card).snapshot().key_tries["RKSSSE"][0]


@pytest.mark.parametrize("presented", [True, False], ids=["presented", "applied online"])
def test_the_command_reads_the_card_again_with_the_option_only(
    card: Path, sscard: CommandLine, presented: bool
) -> None:
    """The wrong keys come with the first operation, or with the card that was not read at the application."""
    online = ("--channel", "online", "--handling", "window", "--name", "张三", "--id", ID_NUMBER, "--json")
    if presented:
        blocked = ("--place", "place.yaml", "--new", ID_NUMBER[-6:], "--json")
        opened = sscard("case", "open", card, "--reason", "forgotten", *blocked)
    else:
        opened = sscard("case", "open", "--reason", "forgotten", "--place", "place.yaml", *online)
    number = json.loads(opened[1])["number"]
    resume = ("case", "resume", number, card, "--new", NEW_PIN, "--place", "place.yaml")
    for _ in range(3):
        code, out, _err = sscard(*resume, "--keys", "keys.yaml")
        assert (code, left(card)) == (1, TRIES - 1)
        assert f"takes it {TRIES - 1} more time" in out
        assert f"check --hsm and --keys, then continue with: sscard case resume {number} --place place.yaml CARD" in out
    assert sscard(*resume)[0] == 1
    code, out, _err = sscard(*resume, "--retry-key")
    assert (code, left(card)) == (0, TRIES)
    assert "the PIN of the social security card was reset" in out


def test_a_change_that_is_no_case_says_what_cannot_be_read(card: Path, sscard: CommandLine) -> None:
    changed = ("change-pin", card, "--old", "739104", "--new", NEW_PIN, "--place", "place.yaml")
    code, _out, err = sscard(*changed, "--keys", "keys.yaml")
    assert (code, left(card)) == (1, TRIES - 1)
    assert "the PIN rules of this place need the holder's ID number, which cannot be read" in err


def test_an_application_with_a_refused_key_opens_no_case_and_names_the_key(card: Path, sscard: CommandLine) -> None:
    code, out, err = sscard("case", "open", card, "--reason", "forgotten", "--new", NEW_PIN, "--keys", "keys.yaml")
    assert (code, out, left(card)) == (1, "", TRIES - 1)
    assert f"takes it {TRIES - 1} more time" in err
    assert "no case was opened" in err
    assert not Path("sscard", "journal.db").exists()


def test_the_last_try_of_a_key_is_reported_as_its_block(card: Path, sscard: CommandLine) -> None:
    opens = ("case", "open", card, "--reason", "forgotten", "--new", NEW_PIN, "--keys", "keys.yaml")
    err = ""
    for _ in range(TRIES):
        _code, _out, err = sscard(*opens)
    assert left(card) == 0
    assert "has blocked it permanently" in err
    code, out, _err = sscard(*opens)
    assert code == 1
    assert "the social security card cannot be read" in out
    assert "the number of the" not in out  # nobody stated one


def test_a_card_that_is_handed_in_later_and_refuses_the_key_does_not_end_the_case(
    card: Path, sscard: CommandLine
) -> None:
    """The command reads the card once, and not again without the option."""
    opened = sscard("case", "open", card, "--reason", "forgotten", "--paper", "id-card", "--new", NEW_PIN, "--json")
    number = json.loads(opened[1])["number"]
    resume = ("case", "resume", number, card, "--paper", "social-security-card")
    for _ in range(3):
        code, out, _err = sscard(*resume, "--keys", "keys.yaml")
        assert (code, left(card)) == (1, TRIES - 1)
        assert "supplement" in out
        assert f"takes it {TRIES - 1} more time" in out
    code, out, _err = sscard(*resume, "--new", NEW_PIN, "--retry-key")
    assert (code, left(card)) == (0, TRIES), out


@pytest.mark.parametrize("moment", [Moment.BEFORE, Moment.DURING])
def test_a_card_that_is_removed_while_it_is_read_is_not_an_unreadable_one(citizen: Citizen, moment: Moment) -> None:
    reader = FaultyConnection(citizen.chip)
    session = CardSession.start(reader, SoftHsm(builtin_keys()))
    reader.arm(Removal(moment), ins=0xB2)
    with pytest.raises(CardRemoved):
        read_card(session)


def test_a_key_that_was_retried_and_fits_needs_no_second_order(
    service: PinService, case: Case, citizen: Citizen, wrong: CardSession
) -> None:
    """Also if the operation is refused for another reason after the card was read."""
    operate(service, case, wrong)
    assert isinstance(service.operate(case, citizen.session, ID_NUMBER[-6:], retry_key=True), NotDone)
    assert case.stage is Stage.ACCEPTED
    assert case.key_tries is None
    assert isinstance(operate(service, case, citizen.session), Operated)


class Counting(SoftHsm):
    """Counts the readings: each asks for a proof of the key that reads the card."""

    proofs = 0

    def authentication_data(self, *given: Any, **named: Any) -> bytes:
        self.proofs += 1
        return super().authentication_data(*given, **named)


def test_a_presented_card_is_read_once_also_when_its_key_is_retried(service: PinService, citizen: Citizen) -> None:
    unread = replace(citizen.application(Reason.FORGOTTEN), card=None)
    readings = []
    for refused in (False, True):
        accepted = service.intake(replace(unread, channel=Channel.ONLINE, handling=Channel.WINDOW))
        service.accept(accepted)
        if refused:
            present(service, accepted, citizen.at_hsm(WRONG))
        hsm = Counting(builtin_keys())
        assert present(service, accepted, citizen.at_hsm(hsm), retry_key=refused) is None
        readings.append(hsm.proofs)
    assert readings[0] == readings[1] > 0


def test_a_presented_card_that_cannot_be_read_is_not_called_another_card(card: Path, sscard: CommandLine) -> None:
    online = ("--channel", "online", "--handling", "window", "--name", "张三", "--id", ID_NUMBER, "--json")
    number = json.loads(sscard("case", "open", "--reason", "forgotten", *online)[1])["number"]
    resume = ("case", "resume", number, card, "--new", NEW_PIN, "--retry-key")
    for _ in range(TRIES):
        sscard(*resume, "--keys", "keys.yaml")
    code, out, _err = sscard(*resume)
    assert (code, left(card)) == (1, 0)
    assert "the social security card cannot be read" in out
    assert "this is not the social security card of the case" not in out
