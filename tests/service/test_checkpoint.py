"""The checkpoint: a rollback that leaves a valid chain is noticed with one line kept outside the journal."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from kit.citizens import JOURNAL_KEY, OPENING, Citizen, run_cases
from kit.databases import execute
from kit.programs import CommandLine
from sscard.errors import InputError
from sscard.i18n.language import say
from sscard.service import PinService, Reason
from sscard.service.journal.database import SqlJournal
from sscard.service.journal.verification import Checkpoint

Tamper = Callable[..., None]


def problems(journal: SqlJournal, line: str) -> list[str]:
    return [say(finding.problem) for finding in journal.verify(Checkpoint.read(line)).findings]


def roll_back(tamper: Tamper, saved: dict[str, object]) -> None:
    """Put the only lane with events back to an earlier state: its head as it was, later events removed."""
    columns = ", ".join(f"{name} = '{value}'" for name, value in saved.items())
    later = "position > EVENTS".replace("EVENTS", str(saved["events"]))
    tamper(
        'DELETE FROM opening WHERE "case" IN (SELECT "case" FROM event WHERE LATER)'.replace("LATER", later),
        'DELETE FROM summary WHERE "case" IN (SELECT "case" FROM event WHERE LATER)'.replace("LATER", later),
        "DELETE FROM event WHERE LATER".replace("LATER", later),
        "UPDATE lane SET COLUMNS WHERE events > 0".replace("COLUMNS", columns),
    )


def test_a_journal_that_grew_still_fits_its_checkpoint(kept: PinService, journal: SqlJournal, citizen: Citizen) -> None:
    lines = [journal.verify().checkpoint]
    for _ in range(3):
        run_cases(kept, citizen, 1)
        lines.append(journal.verify().checkpoint)
    assert len(set(lines)) == 4
    assert [problems(journal, line) for line in lines] == [[]] * 4


def test_a_lane_that_was_rolled_back_is_only_noticed_with_the_checkpoint(
    kept: PinService, journal: SqlJournal, journal_url: str, citizen: Citizen, tamper: Tamper
) -> None:
    run_cases(kept, citizen, 1)
    names = ("lane", "events", "cases", "last", "seal")
    saved = dict(zip(names, *execute(journal_url, "SELECT * FROM lane WHERE events > 0"), strict=True))
    run_cases(kept, citizen, 1)
    line = journal.verify().checkpoint
    roll_back(tamper, saved)
    assert journal.verify().findings == ()
    assert problems(journal, line) == ["the lane is shorter: it ended with event 10 at the checkpoint"]
    run_cases(kept, citizen, 2)  # longer again, with other events
    assert journal.verify().findings == ()
    assert problems(journal, line) == ["the lane differs from what it was at the checkpoint"]


def test_a_lane_that_is_missing_is_named(
    kept: PinService, journal: SqlJournal, citizen: Citizen, tamper: Tamper
) -> None:
    run_cases(kept, citizen, 1)
    line = journal.verify().checkpoint
    tamper("DELETE FROM lane WHERE events > 0")
    assert "the lane is missing, it ended with event 5 at the checkpoint" in problems(journal, line)


def test_the_whole_database_put_back_ends_with_one(
    kept: PinService, journal: SqlJournal, citizen: Citizen, sscard: CommandLine, tmp_path: Path
) -> None:
    if journal.file is None:
        pytest.skip("a copy of a PostgreSQL server")
    run_cases(kept, citizen, 1)
    journal.close()
    file = Path(journal.shown)
    shutil.copy(file, tmp_path / "older.db")
    run_cases(kept, citizen, 1)
    journal.close()
    (tmp_path / "key").write_text(JOURNAL_KEY.hex())
    verify = ("case", "verify", "--journal-key", tmp_path / "key", "--journal")
    line = sscard(*verify, file)[1].split()[-1]
    assert sscard(*verify, file, "--since", line)[0] == 0
    assert sscard(*verify, tmp_path / "older.db")[0] == 0
    code, out, _ = sscard(*verify, tmp_path / "older.db", "--since", line)
    assert code == 1
    assert "lane 0, event 5: the lane is shorter" in out
    assert "checkpoint:" not in out


@pytest.mark.parametrize("at", range(0, 70, 7))
def test_a_typing_error_is_not_a_rollback(kept: PinService, journal: SqlJournal, citizen: Citizen, at: int) -> None:
    run_cases(kept, citizen, 1)
    line = journal.verify().checkpoint
    wrong = line[:at] + ("1" if line[at] != "1" else "2") + line[at + 1 :]
    with pytest.raises(InputError, match="typing error"):
        Checkpoint.read(wrong)
    assert str(Checkpoint.read(f" {line[:20]}\n  {line[20:]} ")) == line


def test_a_clock_that_goes_back_is_noted_and_a_short_wait_is_not(
    kept: PinService, journal: SqlJournal, journal_url: str, citizen: Citizen, sscard: CommandLine, tmp_path: Path
) -> None:
    clock = [OPENING]
    service = PinService(lambda: clock[0], journal=journal)
    case = service.intake(citizen.application(Reason.FORGOTTEN))
    clock[0] -= timedelta(seconds=20)
    service.accept(case)
    assert case.events[1].time == case.events[0].time
    assert journal.verify().notes == ()
    clock[0] = OPENING - timedelta(hours=2)
    service.abandon(case)
    assert case.events[2].time < OPENING
    assert case.events[2].facts["clock_back"] == 7200
    (tmp_path / "key").write_text(JOURNAL_KEY.hex())
    options = ("--journal", journal_url, "--journal-key", tmp_path / "key")
    for verb in (("verify",), ("show", case.number)):
        code, out, _ = sscard("case", *verb, *options)
        assert code == 0
        assert f"event 3 (case {case.number}): the clock went back" in out
