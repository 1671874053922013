"""The channel that operates the card asks for its own proof of identity, unless that kind passed before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from kit.cards import citizens_card
from kit.citizens import ID_NUMBER, Citizen, Ticking
from kit.programs import CommandLine
from sscard.chip.memory import Moment
from sscard.hsm import SoftHsm
from sscard.issuer import builtin_keys
from sscard.issuer.cardfile import load_card, save_card
from sscard.service import (
    Act,
    Case,
    Channel,
    NotDone,
    Operated,
    PinService,
    ProofResult,
    Reason,
    Refusal,
    Rule,
    Stage,
    Waiting,
    WrongStage,
    load_policy,
)
from sscard.service.words import Proof
from sscard.terminal import CardSession
from sscard.transport.faults import FaultyConnection, Removal

NEW = "80264153"
PROOFS = {Channel.ONLINE: Proof.SMS, Channel.SELF_SERVICE: Proof.FACE, Channel.WINDOW: Proof.ID_READER}


def with_proofs(proofs: dict[Channel, Proof]) -> PinService:
    return PinService(Ticking(), policy=load_policy().model_copy(update={"identity_proof": proofs}))


def at_the_window(service: PinService, citizen: Citizen, *, read: bool = True) -> Case:
    """A case from a terminal, proved there by face, handed over to the window."""
    application = citizen.application(Reason.FORGOTTEN, Channel.SELF_SERVICE)
    if not read:
        application = replace(citizen.application(Reason.FORGOTTEN, Channel.ONLINE), card=None, handling=Channel.WINDOW)
    case = service.intake(replace(application, proof=ProofResult.PASSED))
    service.accept(case)
    if read:
        assert service.hand_over(case, Channel.WINDOW)
    assert case.stage is Stage.ACCEPTED
    return case


@pytest.fixture
def service() -> PinService:
    return with_proofs(PROOFS)


@pytest.mark.parametrize("first", [None, ProofResult.UNAVAILABLE])
def test_the_card_is_not_operated_before_the_proof_of_the_window_passed(
    service: PinService, citizen: Citizen, first: ProofResult | None
) -> None:
    case = at_the_window(service, citizen)
    if first:
        assert isinstance(service.prove(case, first), Waiting)
    writes = citizen.chip.memory.writes
    waits = service.operate(case, citizen.session, NEW)
    assert isinstance(waits, NotDone)
    assert "the proof of identity by ID reader cannot be made now" in waits.text
    assert (case.waits, case.stage, citizen.chip.memory.writes) == (True, Stage.ACCEPTED, writes)
    again = Case(case.number, case.events)
    assert service.prove(again, ProofResult.PASSED) is None
    assert isinstance(service.operate(again, citizen.session, NEW), Operated)


def test_a_card_is_not_presented_before_the_proof_passed(service: PinService, citizen: Citizen) -> None:
    case = at_the_window(service, citizen, read=False)
    assert isinstance(service.present(case, citizen.basic), Waiting)
    assert case.card is None
    assert service.prove(case, ProofResult.PASSED) is None
    assert service.present(case, citizen.basic) is None
    assert case.card is not None


def test_a_proof_that_fails_ends_the_case_with_its_ground(service: PinService, citizen: Citizen) -> None:
    case = at_the_window(service, citizen)
    refusal = service.prove(case, ProofResult.FAILED)
    assert isinstance(refusal, Refusal)
    assert [ground.rule for ground in refusal.grounds] == [Rule.IDENTITY]
    assert (case.stage, case.events[-1].facts["grounds"]) == (Stage.FAILED, [Rule.IDENTITY])
    assert case.events[-1].text.endswith("the PIN is unchanged")
    assert case.complaints


@pytest.mark.parametrize("there", ["present", "operate"])
def test_a_failed_proof_whose_process_was_killed_ends_the_case_at_the_next_step(
    service: PinService, citizen: Citizen, there: str
) -> None:
    case = at_the_window(service, citizen, read=there == "operate")
    service.prove(case, ProofResult.FAILED)
    killed = Case(case.number, case.events[:-1])
    assert killed.events[-1].act is Act.PROVED
    if there == "present":
        assert isinstance(service.present(killed, citizen.basic), Refusal)
    else:
        assert isinstance(service.operate(killed, citizen.session, NEW), NotDone)
    assert killed.stage is Stage.FAILED
    assert killed.events[-1].facts["grounds"] == [Rule.IDENTITY]


def test_a_kind_that_passed_before_is_not_asked_for_again(citizen: Citizen) -> None:
    service = with_proofs({Channel.SELF_SERVICE: Proof.ID_READER, Channel.WINDOW: Proof.ID_READER})
    case = at_the_window(service, citizen)
    with pytest.raises(WrongStage):
        service.prove(case, ProofResult.PASSED)
    assert isinstance(service.operate(case, citizen.session, NEW), Operated)


def test_without_a_proof_at_the_window_none_is_asked_for(citizen: Citizen) -> None:
    service = with_proofs({Channel.SELF_SERVICE: Proof.FACE})
    case = at_the_window(service, citizen)
    with pytest.raises(WrongStage):
        service.prove(case, ProofResult.PASSED)
    assert isinstance(service.operate(case, citizen.session, NEW), Operated)


def test_in_doubt_the_operation_is_not_resumed_for_somebody_who_was_not_identified(
    service: PinService, citizen: Citizen
) -> None:
    reader = FaultyConnection(citizen.chip)
    reader.insert()
    session = CardSession.start(reader, SoftHsm(builtin_keys()))
    case = service.intake(
        replace(citizen.application(Reason.FORGOTTEN, Channel.SELF_SERVICE), proof=ProofResult.PASSED)
    )
    service.accept(case)
    reader.arm(Removal(Moment.DURING), ins=0x24)
    service.operate(case, session, NEW)
    assert case.in_doubt
    service.hand_over(case, Channel.WINDOW)
    reader.insert()
    session = CardSession.start(reader, SoftHsm(builtin_keys()))
    assert isinstance(service.operate(case, session, NEW), NotDone)
    assert (case.in_doubt, case.waits) == (True, True)
    service.prove(case, ProofResult.PASSED)
    assert isinstance(service.operate(case, session, NEW), Operated)


def test_a_proof_after_the_hand_over_is_a_visit_to_the_window(service: PinService, citizen: Citizen) -> None:
    case = at_the_window(service, citizen, read=False)
    assert len(case.days_on_site) == 0
    service.prove(case, ProofResult.UNAVAILABLE)
    assert len(case.days_on_site) == 1


# The commands


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, sscard: CommandLine, monkeypatch: pytest.MonkeyPatch) -> Run:
    """``run("resume", …)`` in a folder with a card and a policy; there is no terminal to enter a PIN."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("SSCARD_JOURNAL", raising=False)
    monkeypatch.setattr("sscard.terminal.pinpad.CONTROLLING_TERMINAL", Path("/nonexistent/tty"))
    monkeypatch.chdir(tmp_path)
    save_card(citizens_card("739104", id_number=ID_NUMBER, seed=ID_NUMBER), tmp_path / "card.db")
    text = "based_on: page\nidentity_proof: {online: face, self-service: face, window: id-reader}\n"
    (tmp_path / "policy.yaml").write_text(text, encoding="utf-8")
    return lambda *arguments: sscard("case", *arguments, "--policy", "policy.yaml")


def online(run: Run) -> str:
    """The number of a case that was accepted online."""
    who = ("--name", "张三", "--id", ID_NUMBER, "--reason", "locked", "--proof", "passed")
    code, out, err = run("open", "--channel", "online", "--handling", "self-service", *who)
    assert (code, err) == (0, "")
    return out.split()[0]


def test_a_case_is_handed_over_proved_and_operated_in_one_command(run: Run) -> None:
    number = online(run)
    code, out, err = run("resume", number, "card.db", "--at", "window", "--proof", "passed", "--new", NEW)
    assert (code, err) == (0, ""), out
    assert "completed" in out


def test_a_case_that_waits_for_the_proof_of_the_window_needs_no_pin_and_is_resumed(run: Run) -> None:
    number = online(run)
    code, out, err = run("resume", number, "card.db", "--at", "window")
    assert (code, err) == (1, "")
    assert f"waiting: continue it later with: sscard case resume {number} --policy policy.yaml" in out
    assert run("resume", number, "card.db", "--proof", "unavailable")[0] == 1
    assert run("resume", number, "--proof", "unavailable")[0] == 1
    code, _, err = run("resume", number, "card.db", "--proof", "passed")
    assert code == 2
    assert "no terminal to enter it at: New PIN" in err
    assert run("resume", number, "card.db", "--proof", "passed", "--new", NEW)[0] == 0


def test_a_proof_that_fails_at_the_window_leaves_the_card_as_it_is(run: Run, tmp_path: Path) -> None:
    before = load_card(tmp_path / "card.db").memory.strings
    number = online(run)
    code, out, _ = run("resume", number, "card.db", "--at", "window", "--proof", "failed")
    assert code == 1
    assert "the proof of identity by ID reader failed" in out
    assert "the PIN is unchanged" in out
    assert load_card(tmp_path / "card.db").memory.strings == before


def test_a_proof_that_the_window_does_not_ask_for_is_ignored_with_the_hand_over(run: Run, tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text("based_on: page\nidentity_proof: {online: face}\n", encoding="utf-8")
    number = online(run)
    code, out, err = run("resume", number, "card.db", "--at", "window", "--proof", "passed", "--new", NEW)
    assert (code, err) == (0, "")
    assert "completed" in out


def test_a_proof_that_comes_too_late_changes_no_settings(run: Run, tmp_path: Path, sscard: CommandLine) -> None:
    number = online(run)
    code, out, _err = run("resume", number, "card.db", "--at", "window", "--proof", "passed", "--new", NEW)
    assert code == 0, out
    before = sscard("case", "show", number)
    code, _out, err = run("resume", number, "--proof", "passed", "--change-settings")
    assert code == 2
    assert "--proof: " in err
    assert sscard("case", "show", number) == before
