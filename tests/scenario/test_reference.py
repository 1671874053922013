"""The reference of the scenario language: the pages are those of the sources, and complete for a reader."""

from __future__ import annotations

import re

import pytest

import scenarios_page
from sscard.i18n.language import CHINESE, ENGLISH, _, speaking
from sscard.scenario import Scenario
from sscard.scenario.reference import common_page, summary, verb_page
from sscard.scenario.verbs import STEPS

HAN = re.compile("[\u4e00-\u9fff]")
OF_A_RUN = re.compile(r"^\| [A-Z/ ]+ \| [0-9]+ \|$")
"""A row of the table of write points."""


def without_run(page: str) -> list[str]:
    """The lines of a page without what only a run of the suite shows: status words and write points."""
    statuses = []
    for language in (ENGLISH, CHINESE):
        with speaking(language):
            statuses.append(_("Status words of its commands: {words}", words=""))
    return [
        line for line in page.splitlines() if line and not line.startswith(tuple(statuses)) and not OF_A_RUN.match(line)
    ]


def test_the_pages_are_up_to_date(scenarios: list[Scenario]) -> None:
    pages = scenarios_page.pages(scenarios, {}, {})
    differing = [path.name for path, text in pages.items() if without_run(path.read_text("utf-8")) != without_run(text)]
    assert not differing, "python tools/scenarios_page.py"


@pytest.mark.slow
@pytest.mark.nightly
def test_the_pages_have_what_a_run_shows() -> None:
    differing = [path.name for path, text in scenarios_page.generated().items() if path.read_text("utf-8") != text]
    assert not differing, "python tools/scenarios_page.py"


def test_each_verb_has_an_example_and_is_linked_once(scenarios: list[Scenario]) -> None:
    examples = scenarios_page.examples_by_verb(scenarios)
    assert {verb.verb for verb in STEPS} - examples.keys() == set()
    page = scenarios_page.PAGES[ENGLISH].read_text("utf-8")
    headings = re.findall(r"^### (.*)$", page, re.MULTILINE)
    assert headings == [verb.verb for verb in STEPS]
    assert re.findall(r"\]\(#(\w+)\)", page) == headings


def test_each_verb_is_described_in_chinese() -> None:
    with speaking(CHINESE):
        english = [verb.verb for verb in STEPS if not HAN.search(summary(verb))]
    assert not english


@pytest.mark.parametrize("verb", STEPS, ids=lambda verb: verb.verb)
def test_a_field_that_takes_more_than_any_text_says_what(verb: type) -> None:
    with speaking(ENGLISH):
        page = verb_page(verb) + common_page(verb)
    assert "required" in page or "–" in page
    assert "`sw`" in page
    assert "Unset" not in page
