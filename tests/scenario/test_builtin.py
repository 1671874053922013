"""The built-in suite passes, on every seed, and covers what it is there for."""

from __future__ import annotations

import re
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from sscard.card.commands import CardCommand
from sscard.card.commands.pin import CHANGE_PIN, PIN_CHANGE_UNBLOCK, VERIFY
from sscard.conversation.reference import written_sw
from sscard.i18n.phrase import Words
from sscard.scenario import ScenarioResult, builtin_scenarios, run_scenario
from sscard.scenario.coverage.facts import COMMAND_STATUS
from sscard.scenario.library import GROUPS, builtin_folder
from sscard.service import Reason, Rule

# No scenario reaches this: VERIFY uses no challenge.
UNREACHABLE = {"VERIFY": {0x6984}}
SERVICE = ("11-service-window", "12-service-terminal", "13-service-online", "14-service-faults")
V1_RUNS, NAMES = 60, 300
"""At least so many runs on a 1.0 card, and scenario names; the rows of a table count once."""


def test_passes(suite: list[ScenarioResult]) -> None:
    assert [result.scenario.title for result in suite if result.verdict != "passed"] == []


@pytest.mark.nightly
@pytest.mark.parametrize("seed", [2, 20260105])
def test_passes_on_other_seeds(seed: int) -> None:
    results = map(partial(run_scenario, seed=seed), builtin_scenarios())
    assert [result.scenario.title for result in results if result.verdict != "passed"] == []


def test_titles_are_told_apart(suite: list[ScenarioResult]) -> None:
    titles = Counter(result.scenario.title for result in suite)
    assert [title for title, count in titles.items() if count > 1] == []


def test_the_suite_is_large_enough(suite: list[ScenarioResult]) -> None:
    assert len({result.scenario.source for result in suite}) >= NAMES
    assert sum(result.scenario.personality.name == "v1-des" for result in suite) >= V1_RUNS


def test_every_scenario_has_name_and_purpose_in_both_languages(suite: list[ScenarioResult]) -> None:
    scenarios = {result.scenario.source: result.scenario for result in suite}
    assert [
        source
        for source, scenario in scenarios.items()
        if not isinstance(scenario.own_label, Words) or not isinstance(scenario.proves, Words)
    ] == []


def test_every_scenario_is_traced_to_the_documents(suite: list[ScenarioResult]) -> None:
    assert sorted({result.scenario.source for result in suite if not result.scenario.covers}) == []


@pytest.mark.parametrize("command", [VERIFY, CHANGE_PIN, PIN_CHANGE_UNBLOCK], ids=lambda command: command.name)
def test_every_status_word_of_a_pin_command_is_met(suite: list[ScenarioResult], command: CardCommand) -> None:
    facts = {fact.key for result in suite for fact in result.facts if fact.dimension == COMMAND_STATUS}
    met = {word for name, word in facts if name.startswith(f"{command.name} (")}
    words = set(command.statuses) - UNREACHABLE.get(command.name, set())
    assert {written_sw(word) for word in words} <= met


def test_every_reason_comes_to_completion():
    completed = " ".join(text for group in SERVICE for text in _text(group))
    assert all(f"reason: {reason}" in completed for reason in Reason)


def test_every_rule_refuses_somewhere():
    files = [*_text("11-service-window/refusals"), *_text("13-service-online")]
    grounds = " ".join(re.findall(r"grounds: \[(.*)\]", "\n".join(files)))
    assert {rule for rule in Rule if rule in grounds} == set(Rule)


def test_all_generations_are_run(suite: list[ScenarioResult]) -> None:
    assert {result.scenario.personality.name for result in suite} >= {"v3-sm4", "v2-3des", "v1-des"}


def test_every_group_has_a_name_in_both_languages(suite: list[ScenarioResult]) -> None:
    assert {result.scenario.group for result in suite} == set(GROUPS)


def _text(group: str) -> list[str]:
    folder: Path = builtin_folder() / group
    return [path.read_text(encoding="utf-8") for path in folder.glob("*.yaml")]
