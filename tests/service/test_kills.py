"""The process killed between any two steps of a case: after ``sscard case resume`` card and journal agree.

A step is a command to the card or a write to the journal; the process is
killed by a real SIGKILL before or after one, or whenever the signal arrives.
At random moments: tests/proof.
"""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from kit.late import commit_late
from sscard.cli.main import main
from sscard.i18n.language import say
from sscard.proof.sessions import Broken
from sscard.proof.workers import REASONS, Office


@pytest.fixture
def office(journal_url: str, tmp_path: Path) -> Office:
    return Office(journal_url, tmp_path, main, Random(6))


def killed_at_each_step(office: Office) -> list[Broken]:
    """Each step of a reset and of a change from the intake on; those before it only read the card."""
    first = office.steps_before_intake()
    found: list[Broken] = []
    for reason in REASONS:
        for step in range(first, office.steps_of(reason)):
            found += office.killed_at(step, f"{reason} {step}", reason)
    return found + office.check_journal()


@pytest.mark.slow
@pytest.mark.parametrize("journal_url", ["sqlite", pytest.param("postgres", marks=pytest.mark.nightly)], indirect=True)
def test_killed_at_each_step_that_matters(office: Office) -> None:
    assert killed_at_each_step(office) == []


def test_a_card_that_keeps_its_change_too_late_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit_late(monkeypatch)
    office = Office(str(tmp_path / "journal.db"), tmp_path, main, Random(6))
    steps = office.steps_of(REASONS[0])
    killed = (office.killed_at(step, f"late {step}", REASONS[0]) for step in range(steps - 12, steps))
    found = (say(said) for broken in killed for _, said in broken)
    assert "the case says that the change is done, and the card has the old PIN" in found
