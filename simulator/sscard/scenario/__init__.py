"""The scenario language, its runner and its reports."""

from sscard.scenario.library import builtin_scenarios, find_scenarios, run_scenarios
from sscard.scenario.reader import Scenario, read_scenario
from sscard.scenario.runner import DEFAULT_SEED, Connect, ScenarioResult, StepResult, in_process, run_scenario

__all__ = [
    "DEFAULT_SEED",
    "Connect",
    "Scenario",
    "ScenarioResult",
    "StepResult",
    "builtin_scenarios",
    "find_scenarios",
    "in_process",
    "read_scenario",
    "run_scenario",
    "run_scenarios",
]
