"""`sscard prove kills`: a card file and a journal after SIGKILL, and defects that it finds."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from random import Random

import pytest

from kit.late import commit_late
from kit.programs import CommandLine
from sscard.cli.main import main
from sscard.i18n.language import say
from sscard.issuer.standing import Standing
from sscard.model.invariants import AS_THE_BASE, FILE_OPENS, NO_TRY_BACK
from sscard.proof.kills import What, prove_kills
from sscard.proof.outages import MOST_ATTEMPTS, UnreliableOffice, Weather
from sscard.proof.replacement import KINDS, Replacement
from sscard.proof.report import Proof
from sscard.proof.sessions import CardUnderTest, Session, check_strace, killed_at_call, system_calls
from sscard.proof.workers import REASONS
from sscard.service import PinService, Stage
from sscard.service.conditions import Rules

WRONG, RIGHT = False, True


def killed(what: What, count: int) -> Proof:
    proof = Proof("kills", seed=20260105)
    prove_kills(proof, main, [what], count)
    return proof


# What counts as a violation

SESSIONS = {
    "all answered": (Session([WRONG] * 2, 15, ["63CE", "63CD"], 13), ""),
    "killed before it began": (Session([WRONG] * 2, 15, [], 15), ""),
    "killed after the decrement": (Session([WRONG] * 2, 15, ["63CE"], 13, 2), ""),
    "killed after a right PIN": (Session([WRONG, RIGHT], 15, ["63CE"], 15, 2), ""),
    "killed in a right PIN": (Session([WRONG, RIGHT], 15, ["63CE"], 13, 2), ""),
    "a try given back": (Session([WRONG] * 2, 15, ["63CE"], 15), "15 tries left after 1 answers"),
    "an answer lost": (Session([WRONG] * 2, 15, ["63CE", "63CD"], 14), "14 tries left after 2 answers"),
    "two tries for one": (Session([WRONG] * 2, 15, [], 13), "13 tries left after 0 answers"),
    "a free comparison": (Session([WRONG] * 2, 15, ["63CE"], 14, 2), "14 tries left after 1 answers and 2 comparisons"),
    "comparisons without answer": (Session([WRONG] * 3, 15, [], 14, 2), "2 comparisons, 0 answers"),
    "a wrong answer": (Session([WRONG] * 2, 15, ["63CE", "63CE"], 13), "answers 63CE 63CE, expected 63CE 63CD"),
}


@pytest.mark.parametrize("name", SESSIONS)
def test_what_a_killed_session_may_leave(name: str) -> None:
    session, problem = SESSIONS[name]
    found = list(session.broken())
    assert len(found) == bool(problem)
    assert all(problem in say(happened) for _, happened in found)


# Card files


@pytest.mark.parametrize(
    "count", [pytest.param(20, marks=pytest.mark.slow), pytest.param(1000, marks=pytest.mark.campaign)]
)
def test_a_killed_session_leaves_a_card_that_loads_and_owes_no_try(count: int) -> None:
    proof = killed(What.APDU, count)
    assert proof.violations == []
    assert proof.counts["apdu_kills"] == count
    assert proof.counts["logs_left"] > 0


@pytest.mark.skipif("SSCARD_COMPILED" in os.environ, reason="watches the interpreted chip")
def test_a_store_that_commits_after_the_answer_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    commit_late(monkeypatch)
    found = {violation.invariant for violation in killed(What.APDU, 10).violations}
    assert NO_TRY_BACK in found


@pytest.fixture
def _strace() -> None:
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    check_strace()


@pytest.mark.slow
@pytest.mark.usefixtures("_strace")
def test_a_session_is_killed_at_the_system_call_that_was_chosen(tmp_path: Path) -> None:
    card = CardUnderTest(tmp_path, Random(1))
    calls = system_calls(card)
    assert {call.name for call in calls} == {"write", "pwrite64", "fdatasync", "ftruncate", "unlink"}
    last = killed_at_call(card, calls[-1])
    assert card.end(last) == []
    assert last.answers == ["63CE", "9000", "63CE", "63CD"]
    assert last.log


@pytest.mark.nightly
@pytest.mark.usefixtures("_strace")
def test_a_session_may_be_killed_at_each_system_call_of_the_store() -> None:
    proof = killed(What.SYSTEM_CALLS, 0)
    assert proof.violations == []
    assert proof.counts["system_call_kills"] == proof.counts["system_calls"] > 50


@pytest.mark.nightly
@pytest.mark.usefixtures("_strace")
def test_a_file_is_replaced_whole_or_not_at_all_whatever_fails() -> None:
    proof = killed(What.REPLACE, 0)
    assert proof.violations == []
    assert proof.counts["replacements"] == 3 * proof.counts["system_calls"] > 40


@pytest.mark.slow
@pytest.mark.usefixtures("_strace")
def test_a_replacement_without_a_sync_is_found(tmp_path: Path) -> None:
    replacement = Replacement(tmp_path, KINDS[0])
    assert not any(replacement.powerless(Random(1)))
    sync = next(call for call in replacement.calls if call.name == "fsync")
    replacement.calls.remove(sync)
    assert {invariant for broken in replacement.powerless(Random(1)) for invariant, _ in broken} == {FILE_OPENS}


# Services: tests/service/test_kills.py kills at each step


@pytest.mark.slow
@pytest.mark.parametrize("what", [What.CASE_SQLITE, What.CASE_POSTGRES])
def test_killed_case_workers(what: What) -> None:
    check_cases(what, 3)


@pytest.mark.slow
def test_case_workers_killed_during_outages() -> None:
    check_outages(3)


@pytest.mark.campaign
def test_hundreds_of_case_workers_killed_during_outages() -> None:
    check_outages(200)


def check_outages(count: int) -> None:
    proof = killed(What.CASE_OUTAGES, count)
    assert proof.violations == []
    assert proof.counts["outage_kills"] >= count
    assert proof.counts["outage_cases"] > count // (MOST_ATTEMPTS + 1)
    assert proof.counts["journals_verified"] == 1


@pytest.fixture
def unreliable(tmp_path: Path) -> UnreliableOffice:
    """An office with a fresh card."""
    office = UnreliableOffice(str(tmp_path / "journal.db"), tmp_path, main, Random(6))
    office.fresh_card()
    return office


def test_a_service_that_takes_no_answer_for_in_use_is_found(
    unreliable: UnreliableOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert unreliable.attempt("k", REASONS[0], Weather(base=1.0)) == []
    monkeypatch.setattr(PinService, "_rules_for", lambda self, _card: Rules(self.item, self.policy, self._today))
    assert AS_THE_BASE in dict(unreliable.attempt("k", REASONS[0], Weather(base=1.0)))


def test_a_service_that_operates_a_card_that_was_lost_is_found(
    unreliable: UnreliableOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PinService, "_stopped", lambda *_: None)
    step = unreliable.steps_of(REASONS[0])
    unreliable.fresh_card()
    while unreliable.stage_of(f"k{step}") is not Stage.ACCEPTED or unreliable.changed:
        step -= 4
        unreliable.fresh_card()
        assert unreliable.attempt(f"k{step}", REASONS[0], Weather(kill_at=step)) == []
    assert AS_THE_BASE in dict(unreliable.attempt(f"k{step}", REASONS[0], Weather(standing=Standing.LOST)))


@pytest.mark.campaign
@pytest.mark.parametrize(("what", "count"), [(What.CASE_SQLITE, 200), (What.CASE_POSTGRES, 100)])
def test_hundreds_of_killed_case_workers(what: What, count: int) -> None:
    check_cases(what, count)


def check_cases(what: What, count: int) -> None:
    proof = killed(what, count)
    assert proof.violations == []
    assert proof.counts["worker_kills"] >= count
    assert proof.counts["journals_verified"] == 1


# The command


@pytest.mark.slow
def test_the_command_prints_its_counts(sscard: CommandLine) -> None:
    code, out, err = sscard("prove", "kills", "--what", "apdu", "--count", 2, "--seed", 7, "--json")
    assert (code, err) == (0, "")
    shown = json.loads(out)
    assert shown["counts"]["apdu_kills"] == 2
    assert shown["violations"] == []


@pytest.mark.skipif("SSCARD_COMPILED" in os.environ, reason="watches the interpreted chip")
def test_the_command_exits_with_1_and_prints_how_to_repeat_a_violation(
    sscard: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit_late(monkeypatch)
    code, out, _ = sscard("prove", "kills", "--what", "apdu", "--count", 5)
    assert code == 1
    assert f"{NO_TRY_BACK}: No try is given back." in out
    assert "sscard prove kills --what apdu --count" in out


def test_without_fork_it_exits_with_3(sscard: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "fork")
    code, _, err = sscard("prove", "kills")
    assert code == 3
    assert "use Linux or WSL" in err


def test_without_strace_it_exits_with_3(sscard: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    code, _, err = sscard("prove", "kills", "--what", "system-calls")
    assert code == 3
    assert "sudo apt-get install strace" in err
