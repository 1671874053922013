"""Figures over cases: times from the events, and counts that agree with the cases."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from html.parser import HTMLParser
from math import ceil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.browser import chromium
from kit.citizens import JOURNAL_KEY, NEW_PIN, OPENING, Citizen, make_citizen
from kit.programs import CommandLine
from sscard.cli.case_figures import ground_text
from sscard.i18n.duration import duration_text
from sscard.i18n.language import speaking
from sscard.service import Case, Channel, Event, Paper, PinService, Reason, Refusal, Stage
from sscard.service.case import Application
from sscard.service.journal.database import SqlJournal
from sscard.service.notices import Rule
from sscard.service.statistics import Durations, Statistics

TODAY = date(2026, 3, 10)


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now: datetime = OPENING

    def __call__(self) -> datetime:
        return self.now

    def move(self, **time: int) -> None:
        self.now += timedelta(**time)


def figures(*cases: Case) -> Statistics:
    found = Statistics(TODAY)
    for case in cases:
        found.add(case)
    return found


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-5, 10**7), min_size=1), st.floats(0, 1))
def test_a_quantile_is_that_of_the_sorted_times_to_one_percent(times: list[int], share: float) -> None:
    found = Durations()
    for seconds in times:
        found.add(seconds)
    exact = sorted(max(0, seconds) for seconds in times)
    expected = exact[max(1, ceil(share * len(times))) - 1]
    assert expected * 127 / 128 - 1 < found.quantile(share) <= expected
    assert (found.count, found.longest) == (len(times), exact[-1])


def test_the_memory_of_times_does_not_grow_with_their_number() -> None:
    found = Durations()
    for seconds in range(100_000):
        found.add(seconds * 10)
    assert len(found._classes) < 128 * 21


def test_a_stage_lasts_from_its_first_event_to_the_first_of_another(citizen: Citizen) -> None:
    clock = Clock()
    service = PinService(clock)
    case = service.intake(citizen.application(Reason.FORGOTTEN, Channel.ONLINE))
    clock.move(seconds=40)
    service.accept(case)
    clock.move(minutes=5)
    service.operate(case, citizen.session, NEW_PIN)
    clock.move(days=2)
    service.complete(case, citizen.session, NEW_PIN)
    found = figures(case, case)
    times = {stage: (each.count, each.quantile(0.5), each.longest) for stage, each in found.stages.items()}
    assert times == {
        Stage.INTAKE: (2, 40, 40),
        Stage.PRE_REVIEW: (2, 0, 0),
        Stage.ACCEPTED: (2, 300, 300),
        Stage.OPERATED: (2, 172032, 172800),
    }
    assert (found.whole.count, found.whole.longest) == (2, 173140)


def test_open_cases_wait_are_in_doubt_or_overdue(service: PinService, citizen: Citizen) -> None:
    accepted = service.intake(citizen.application(Reason.FORGOTTEN))
    service.accept(accepted)
    for_papers = service.intake(
        Application(citizen.application(None).applicant, Channel.WINDOW, Reason.LOCKED, frozenset())
    )
    service.accept(for_papers)
    doubtful = service.intake(citizen.application(Reason.FORGOTTEN))
    service.accept(doubtful)
    citizen.chip.memory.fail()
    service.operate(doubtful, citizen.session, NEW_PIN)
    found = figures(accepted, for_papers, doubtful)
    assert (found.cases, found.open, found.waiting, found.in_doubt, found.overdue) == (3, 3, 1, 1, 2)


def test_each_ground_is_counted_by_channel_also_if_the_card_is_presented_later(
    service: PinService, citizen_with: Callable[..., Citizen]
) -> None:
    elsewhere = citizen_with(city="510100")
    at_once = service.intake(elsewhere.application(None))
    service.accept(at_once)
    asked = elsewhere.application(Reason.FORGOTTEN, Channel.ONLINE)
    later = service.intake(
        Application(asked.applicant, Channel.ONLINE, asked.reason, asked.papers, None, Channel.WINDOW)
    )
    service.accept(later)
    assert isinstance(service.present(later, elsewhere.basic), Refusal)
    assert later.events[-1].facts["grounds"] == ["card"]
    found = figures(at_once, later)
    assert found.refusals == {("card", Channel.WINDOW): 1, ("reason", Channel.WINDOW): 1, ("card", Channel.ONLINE): 1}
    assert {(kind.operation, kind.channel): dict(stages) for kind, stages in found.outcomes.items()} == {
        (None, Channel.WINDOW): {Stage.REFUSED: 1},
        ("reset", Channel.ONLINE): {Stage.FAILED: 1},
    }


def test_a_ground_of_another_version_is_counted(service: PinService, citizen: Citizen) -> None:
    case = service.intake(citizen.application(None))
    service.accept(case)
    last = case.events[-1]
    newer = Event(last.time, last.stage, last.said, last.act, {"grounds": ["star-sign"]})
    assert figures(Case(case.number, [*case.events[:-1], newer])).refusals == {("star-sign", Channel.WINDOW): 1}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59, "59 s"), (61, "1 min 1 s"), (3600, "1 h"), (90061, "1 d 1 h"), (86401, "1 d 1 s")],
)
def test_a_time_is_written_with_two_units(seconds: int, text: str) -> None:
    assert duration_text(seconds) == text


# The command


@pytest.fixture
def stats(tmp_path: Path, sscard: CommandLine) -> Callable[..., tuple[int, str, str]]:
    """``sscard case stats`` on a journal with a completed, a refused and a waiting case, opened on two days."""
    journal = SqlJournal(str(tmp_path / "journal.db"), JOURNAL_KEY)
    (tmp_path / "key").write_text(JOURNAL_KEY.hex())
    (tmp_path / "key").chmod(0o600)
    clock, citizen = Clock(), make_citizen()
    service = PinService(clock, journal=journal)
    case = service.intake(citizen.application(Reason.FORGOTTEN))
    service.accept(case)
    clock.move(minutes=2)
    service.operate(case, citizen.session, NEW_PIN)
    service.complete(case, citizen.session, NEW_PIN)
    service.accept(service.intake(citizen.application(None, Channel.SELF_SERVICE)))
    clock.move(days=1)
    asked = Application(citizen.application(None).applicant, Channel.ONLINE, Reason.LEAKED, frozenset({Paper.ID_CARD}))
    service.accept(service.intake(asked))
    journal.close()
    where = ("--journal", tmp_path / "journal.db", "--journal-key", tmp_path / "key")
    return lambda *options: sscard("case", "stats", *where, *options)


def test_the_figures_as_text(stats: Callable[..., tuple[int, str, str]]) -> None:
    code, out, err = stats()
    assert (code, err) == (0, "")
    lines = [re.split(r"\s{2,}", line) for line in out.splitlines()]
    assert lines[0] == ["cases 3 · open 1 · waiting 1 · in doubt 0 · overdue 0"]
    assert ["accepted", "1", "2 min", "2 min", "2 min"] in lines
    assert ["reset", "window", "1", "0", "0", "0"] in lines
    assert ["change", "online", "0", "0", "0", "1"] in lines
    assert ["reason", "0", "1", "0"] in lines


@pytest.mark.parametrize(
    ("options", "cases"),
    [
        ((), 3),
        (("--since", "2026-03-03"), 1),
        (("--until", "2026-03-02"), 2),
        (("--since", "2026-03-02", "--until", "2026-03-02"), 2),
        (("--until", "2026-03-01"), 0),
    ],
)
def test_a_period_is_that_of_the_openings(
    stats: Callable[..., tuple[int, str, str]], options: tuple[str, ...], cases: int
) -> None:
    found: dict[str, Any] = json.loads(stats("--json", *options)[1])
    assert found["cases"] == cases == sum(sum(row[name] for name in ENDS) for row in found["outcomes"])
    assert stats(*options)[1].startswith(f"cases {cases} ")


ENDS = ("completed", "refused", "failed", "open")


def test_the_figures_as_json(stats: Callable[..., tuple[int, str, str]]) -> None:
    found = json.loads(stats("--json", "--until", "2026-03-02")[1])
    assert (found["since"], found["until"], found["open"]) == (None, "2026-03-02", 0)
    assert {"stage": "accepted", "count": 1, "median": 120, "p90": 120, "max": 120} in found["stages"]
    assert found["refusals"] == [{"ground": "reason", "channel": "self-service", "cases": 1}]
    assert found["outcomes"][0] == {
        "operation": "reset", "channel": "window", "completed": 1, "refused": 0, "failed": 0, "open": 0
    }  # fmt: skip


class Links(HTMLParser):
    """What a page loads, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.bars = 0
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loaded += [str(value) for name, value in attrs if name in ("src", "href")]
        self.loaded += [tag] if tag in ("script", "link", "img") else []
        self.bars += tag == "rect"

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize(("language", "words"), [("en", "time per stage"), ("zh", "各环节用时")])
def test_the_charts_are_one_page_that_loads_nothing(
    stats: Callable[..., tuple[int, str, str]], tmp_path: Path, language: str, words: str
) -> None:
    page = tmp_path / "cases.html"
    with speaking(language):
        code, _, err = stats("--html", page)
    assert (code, err) == (0, "")
    read = Links()
    read.feed(page.read_text("utf-8"))
    assert read.loaded == []
    assert words in read.text
    assert read.bars > 8
    assert "prefers-color-scheme: dark" in read.text
    assert f'lang="{language}"' in page.read_text("utf-8")
    assert stats("--html", page)[0] == 2
    assert stats("--html", page, "--force")[0] == 0


def test_the_charts_fit_a_narrow_screen_with_every_number(
    stats: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    assert stats("--html", tmp_path / "cases.html")[0] == 0
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 360, "height": 800})
        page.goto((tmp_path / "cases.html").as_uri())
        numbers = page.locator("tbody .number, tbody th, tbody svg").all()
        boxes = [each.bounding_box() for each in numbers]
        assert len(boxes) > 30
        assert all(box["x"] >= 0 and box["width"] > 5 and box["x"] + box["width"] <= 360 for box in boxes)
        assert all(box["height"] < 30 for box in boxes)  # no text of one character a line
        shown = page.locator("body").inner_text()
        assert "self-service terminal" in shown
        assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_an_empty_journal_has_figures_and_a_page(tmp_path: Path, sscard: CommandLine) -> None:
    (tmp_path / "key").write_text(JOURNAL_KEY.hex())
    SqlJournal(str(tmp_path / "journal.db"), JOURNAL_KEY).close()
    where = ("--journal", tmp_path / "journal.db", "--journal-key", tmp_path / "key")
    code, out, _ = sscard("case", "stats", *where, "--html", tmp_path / "cases.html")
    assert (code, out) == (0, "cases 0 · open 0 · waiting 0 · in doubt 0 · overdue 0\n")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_each_rule_has_words_of_its_own(language: str) -> None:
    with speaking(language):
        assert len({ground_text(rule.value) for rule in Rule}) == len(Rule)
