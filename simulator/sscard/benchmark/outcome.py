"""A benchmark with what it is judged by: thresholds, and the comparison with an earlier one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sscard.benchmark.comparison import Change, Comparison
from sscard.benchmark.result import Benchmark, as_json
from sscard.benchmark.thresholds import ERRORS, Checked, Threshold, check


@dataclass(frozen=True, slots=True)
class Outcome:
    """A benchmark, the thresholds that it has to meet, and the comparison with an earlier one, if any."""

    found: Benchmark
    thresholds: Sequence[Threshold] = ()
    comparison: Comparison | None = None

    @property
    def checked(self) -> list[Checked]:
        """Each threshold with each flow that it is about."""
        return check(self.thresholds, self.found.flows)

    @property
    def failing(self) -> list[str]:
        """The flows in which operations failed although no threshold says how many may, or of which none succeeded."""
        excused = {each.flow for each in self.checked if each.threshold.figure == ERRORS}
        return [
            flow.name
            for flow in self.found.flows
            if (flow.failed and flow.name not in excused) or (not flow.recorded.done and not self.found.interrupted)
        ]

    @property
    def slower(self) -> Sequence[Change]:
        """The changes since the earlier benchmark that are too large."""
        return self.comparison.slower if self.comparison else []

    @property
    def passed(self) -> bool:
        return not self.slower and not self.failing and all(each.met for each in self.checked)

    def as_json(self) -> dict[str, Any]:
        """The members of ``sscard.bench/1``."""
        compared = self.comparison
        return {
            **as_json(self.found),
            "passed": self.passed,
            "thresholds": [
                {
                    "threshold": each.threshold.text,
                    "flow": each.flow,
                    "value": each.value,
                    "limit": each.threshold.limit,
                    "met": each.met,
                }
                for each in self.checked
            ],
            "against": None
            if compared is None
            else {
                "file": compared.file,
                "fail_above": compared.fail_above,
                "missing": [*compared.missing],
                "differences": [
                    {"fact": name, "before": before, "now": now} for name, before, now in compared.differences
                ],
                "grown": [
                    {"flow": each.flow, "layer": each.layer, "before": each.before, "now": each.now}
                    for each in compared.grown
                ],
                "changes": [
                    {
                        "flow": each.flow,
                        "figure": each.figure,
                        "before": each.before,
                        "now": each.now,
                        "change": round(each.change, 4),
                        "noise": round(each.noise, 4),
                        "verdict": each.verdict,
                    }
                    for each in compared.changes
                ],
            },
        }
