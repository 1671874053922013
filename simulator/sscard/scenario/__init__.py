"""The scenario language, its runner and its reports."""

from sscard.lazy import names_on_use

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sscard.scenario.cards import Connect, in_process
    from sscard.scenario.defaults import DEFAULT_SEED
    from sscard.scenario.library import builtin_scenarios, find_scenarios, run_scenarios
    from sscard.scenario.reader import Scenario, read_scenario
    from sscard.scenario.runner import ScenarioResult, StepResult, run_scenario
else:
    __getattr__, __dir__ = names_on_use(
        __name__,
        {
            "sscard.scenario.defaults": ("DEFAULT_SEED",),
            "sscard.scenario.library": ("builtin_scenarios", "find_scenarios", "run_scenarios"),
            "sscard.scenario.reader": ("Scenario", "read_scenario"),
            "sscard.scenario.cards": ("Connect", "in_process"),
            "sscard.scenario.runner": ("ScenarioResult", "StepResult", "run_scenario"),
        },
    )

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
