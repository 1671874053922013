"""The built-in suite passes, on every seed, and covers what it is there for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sscard.card.commands.pin import CHANGE_PIN, PIN_CHANGE_UNBLOCK, VERIFY
from sscard.conversation import Exchange
from sscard.i18n.language import say
from sscard.scenario import ScenarioResult, builtin_scenarios, run_scenario
from sscard.scenario.library import GROUPS, builtin_folder
from sscard.service import Reason, Rule

SCENARIOS = builtin_scenarios()
# No scenario reaches this: VERIFY uses no challenge.
UNREACHABLE = {"VERIFY": {0x6984}}
SERVICE = ("11-service-window", "12-service-terminal", "13-service-online", "14-service-faults")


@pytest.fixture(scope="module")
def results() -> list[ScenarioResult]:
    return [run_scenario(scenario) for scenario in SCENARIOS]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.title)
@pytest.mark.parametrize("seed", [1, 20260105])
def test_passes(scenario, seed):
    assert run_scenario(scenario, seed).failure is None


def test_titles_are_told_apart():
    titles = [scenario.title for scenario in SCENARIOS]
    assert len(titles) == len(set(titles))


@pytest.mark.parametrize("command", [VERIFY, CHANGE_PIN, PIN_CHANGE_UNBLOCK], ids=lambda command: command.name)
def test_every_status_word_of_a_pin_command_is_met(results, command):
    answers = [event.answer for event in _exchanges(results) if say(event.name).startswith(command.name)]
    words = {int(answer[-4:], 16) for answer in answers if answer}
    met = {0x63C0 if word & 0xFFF0 == 0x63C0 else word for word in words}
    assert set(command.statuses) - UNREACHABLE.get(command.name, set()) <= met


def test_every_reason_comes_to_completion():
    completed = " ".join(text for group in SERVICE for text in _text(group))
    assert all(f"reason: {reason}" in completed for reason in Reason)


def test_every_rule_refuses_somewhere():
    grounds = " ".join(re.findall(r"grounds: \[(.*)\]", "\n".join(_text("11-service-window/refusals"))))
    assert {rule for rule in Rule if rule in grounds} == set(Rule)


def test_all_generations_are_run():
    assert {scenario.personality.name for scenario in SCENARIOS} == {"v3-sm4", "v2-3des", "v1-des"}


def test_every_group_has_a_name_in_both_languages():
    assert {scenario.group for scenario in SCENARIOS} == set(GROUPS)


def _exchanges(results: list[ScenarioResult]) -> list[Exchange]:
    return [
        event for result in results for step in result.steps for event in step.events if isinstance(event, Exchange)
    ]


def _text(group: str) -> list[str]:
    folder: Path = builtin_folder() / group
    return [path.read_text(encoding="utf-8") for path in folder.glob("*.yaml")]
