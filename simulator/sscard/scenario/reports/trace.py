"""Results as a trace: every step of every scenario with its commands, redacted."""

from __future__ import annotations

from collections.abc import Sequence

from sscard.i18n.language import visible, visible_lines
from sscard.scenario.reports.console import missed_text, reason_text, step_name
from sscard.scenario.runner import ScenarioResult


def write(results: Sequence[ScenarioResult], seed: int) -> str:
    """The trace; the same seed gives the same text. A seed that is not the first one of the run is named."""
    lines = []
    for result in results:
        other = f" seed {result.seed}" if result.seed != seed else ""
        lines += [f"== {visible(result.scenario.title)}{other}", f"   {visible(result.scenario.source)}"]
        if reason := reason_text(result):
            lines.append(reason)
        for step in result.steps:
            lines.append(f"-- {step_name(result.scenario, step)}")
            lines += (visible_lines(str(event)) for event in step.events)
            lines += [f"!! {missed_text(result.scenario, step, wrong)}" for wrong in step.mismatches]
        lines.append("")
    return "".join(f"{line}\n" for line in lines)
