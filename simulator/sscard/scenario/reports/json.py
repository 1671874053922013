"""Results as JSON for programs, schema ``sscard.run/1``."""

from __future__ import annotations

import json
from typing import Any

from sscard.i18n.language import say
from sscard.scenario.reports.run import Run
from sscard.version import __version__

SCHEMA = "sscard.run/1"


def write(run: Run) -> str:
    """The text of ``content``."""
    return text(content(run))


def text(content: dict[str, Any]) -> str:
    """JSON, indented."""
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def content(run: Run) -> dict[str, Any]:
    """One object: ``results`` has an entry per scenario with its ``verdict``: ``passed``, ``failed``,
    ``inconclusive``, ``not applicable`` or ``known issue``, with the ``reason`` if it is not a step's,
    its ``seed`` and the ``seconds`` it took.

    ``failure`` is ``None``, or the step that failed: ``file`` and ``line``, which for
    a step of an included group are those of the group, ``step``, and each
    expectation with its own ``line``, ``field``, ``expected`` and ``actual``.
    """
    entries = []
    for result in run.results:
        scenario, failed = result.scenario, result.failure
        failure: dict[str, Any] | None = None
        if failed is not None:
            line = scenario.place(failed.number).line
            mismatches = [
                {
                    "line": scenario.place(failed.number, wrong.field).line,
                    "field": wrong.field,
                    "expected": say(wrong.expected),
                    "actual": say(wrong.actual),
                }
                for wrong in failed.mismatches
            ]
            file, title = scenario.file(failed.number), say(failed.step.title())
            failure = {"file": file, "line": line, "step": title, "mismatches": mismatches}
        entries.append(
            {
                "name": scenario.name,
                "group": scenario.group,
                "file": scenario.source,
                "personality": scenario.personality.name,
                "tags": list(scenario.tags),
                "covers": list(scenario.covers),
                "severity": scenario.severity,
                "verdict": result.verdict,
                "reason": say(result.reason),
                "seed": result.seed,
                "seconds": round(result.seconds, 3),
                "commands": result.commands,
                "failure": failure,
            }
        )
    report = {
        "schema": SCHEMA,
        "version": __version__,
        "seed": run.seed,
        "started": run.started.isoformat(timespec="milliseconds"),
        "seconds": round(run.seconds, 3),
        "planned": run.planned,
        "environment": {label: say(value) for label, value in run.environment.items()},
        "command": list(run.command),
        "results": entries,
    }
    return report | ({"against": run.comparison.facts(run.earlier)} if run.comparison else {})
