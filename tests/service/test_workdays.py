"""One working day: weekends, holidays, days worked instead, years nobody knows yet."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from importlib import resources
from pathlib import Path

import pytest

from kit.citizens import Ticking, make_citizen
from sscard.errors import InputError
from sscard.i18n.language import say
from sscard.service import PinService, Reason, Stage, load_policy
from sscard.service.workdays import Due, day_in_china, due_after


@pytest.mark.parametrize(
    ("start", "days", "due"),
    [
        ("2026-03-02", 1, "2026-03-03"),  # Monday
        ("2026-03-06", 1, "2026-03-09"),  # Friday
        ("2026-03-07", 1, "2026-03-09"),  # Saturday
        ("2026-03-06", 3, "2026-03-11"),
        ("2025-09-30", 1, "2025-10-09"),  # National Day and Mid-Autumn
        ("2025-01-24", 1, "2025-01-26"),  # a Sunday worked for the Spring Festival
    ],
)
def test_working_days_are_chinas(start: str, days: int, due: str) -> None:
    assert due_after(date.fromisoformat(start), days, {}) == Due(date.fromisoformat(due))


def test_the_calendar_of_the_policy_agrees_with_the_package() -> None:
    """Every day of the years that the built-in policy has; they are there because the package takes long to import."""
    calendar = load_policy().calendar
    assert set(calendar) == {2026}
    for number, year in calendar.items():
        assert str(number) in year.notice
        for start in (date(number, 1, 1) + timedelta(days) for days in range(363)):
            assert due_after(start, 1, calendar) == due_after(start, 1, {}), start


def test_a_policy_gives_a_year_that_the_package_does_not_have(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    text = (resources.files("sscard.service") / "policy.yaml").read_text(encoding="utf-8")
    year = "  2099:\n    notice: a notice\n    off: [2099-10-01, 2099-10-02]\n    worked: [2099-10-03]\n"
    path.write_text(text + year, encoding="utf-8")
    calendar = load_policy(path).calendar
    assert due_after(date(2099, 9, 30), 1, calendar) == Due(date(2099, 10, 3))
    assert due_after(date(2099, 10, 3), 1, calendar) == Due(date(2099, 10, 5))
    path.write_text(text + year.replace("2099-10-03", "2100-10-02"), encoding="utf-8")
    with pytest.raises(InputError, match="calendar: 2100-10-02 is not in 2099"):
        load_policy(path)


YEAR = "  2099:\n    notice: n\n"


@pytest.mark.parametrize(
    ("year", "line", "problem"),
    [
        ("  26: {notice: n, off: [0026-01-01]}\n", 1, "26 is not a year"),
        ("  -999: {notice: n}\n", 1, "-999 is not a year"),
        ("  10000: {notice: n}\n", 1, "10000 is not a year"),
        (f"{YEAR}    off:\n      - 2099-10-01\n      - 2098-10-02\n", 0, "2098-10-02 is not in 2099"),
        (f"{YEAR}    off: []\n    worked:\n      - 2099-10-03\n      - 2099-10-02\n", 6, "neither a Saturday"),
        (f"{YEAR}    off: [2099-10-03]\n    worked: [2099-10-03]\n", 1, "is under 'off' and under 'worked'"),
        ("  2099:\n    notice: ' '\n    off: []\n", 2, "notice: is empty"),
        ("  2099:\n    notice: ''\n    off: []\n", 2, "notice: is empty"),
    ],
)
def test_a_wrong_entry_of_the_calendar_is_named_with_its_line(
    tmp_path: Path, year: str, line: int, problem: str
) -> None:
    path = tmp_path / "policy.yaml"
    text = (resources.files("sscard.service") / "policy.yaml").read_text(encoding="utf-8")
    text = text[: text.index("\ncalendar:")] + "\ncalendar:\n"
    path.write_text(text + year, encoding="utf-8")
    with pytest.raises(InputError, match=problem) as refused:
        load_policy(path)
    assert (refused.value.file, refused.value.line) == (str(path), text.count("\n") + line)
    assert "[key]" not in str(refused.value)
    assert say(refused.value.remedy)


def test_a_year_without_a_calendar_counts_weekends_and_says_so() -> None:
    assert due_after(date(2099, 10, 1), 1, {}) == Due(date(2099, 10, 2), certain=False)
    assert due_after(date(2099, 10, 2), 1, {}) == Due(date(2099, 10, 5), certain=False)


def test_an_acceptance_says_that_its_day_is_not_certain() -> None:
    service = PinService(lambda: datetime(2099, 1, 5, 1, tzinfo=UTC))
    citizen = make_citizen()
    answer = service.accept(service.intake(_unexpired(citizen.application(Reason.LEAKED))))
    assert "by 2099-01-06 (holidays are not announced yet, only weekends are counted)" in answer.text


def _unexpired(application):  # type: ignore[no-untyped-def]
    from dataclasses import replace

    return replace(application, card=replace(application.card, expires="20991231"))


def test_the_day_is_the_one_at_the_counter() -> None:
    assert day_in_china(datetime(2026, 3, 2, 16, 0, tzinfo=UTC)) == date(2026, 3, 3)


def test_a_case_is_overdue_the_day_after_its_last() -> None:
    service = PinService(Ticking())
    citizen = make_citizen()
    case = service.intake(citizen.application(Reason.FORGOTTEN))
    assert not case.is_overdue(date(2030, 1, 1))
    service.accept(case)
    assert [case.is_overdue(date(2026, 3, day)) for day in (3, 4)] == [False, True]
    service.operate(case, citizen.session, "80264153")
    assert case.is_overdue(date(2026, 3, 4))
    service.complete(case, citizen.session, "80264153")
    assert case.stage is Stage.COMPLETED
    assert not case.is_overdue(date(2026, 3, 4))
