"""Results as JSON for programs, schema ``sscard.run/1``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sscard.i18n.language import say
from sscard.scenario.runner import ScenarioResult
from sscard.version import __version__

SCHEMA = "sscard.run/1"


def write(results: Sequence[ScenarioResult], seed: int) -> str:
    """The text of ``content``."""
    return text(content(results, seed))


def text(content: dict[str, Any]) -> str:
    """JSON, indented."""
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def content(results: Sequence[ScenarioResult], seed: int) -> dict[str, Any]:
    """One object: ``results`` has an entry per scenario with its ``verdict``: ``passed``, ``failed``,
    ``inconclusive``, ``not applicable`` or ``known issue``, with the ``reason`` if it is not a step's,
    its ``seed`` and the ``seconds`` it took.

    ``failure`` is ``None``, or the step that failed: ``file`` and ``line``, which for
    a step of an included group are those of the group, ``step``, and each
    expectation with its own ``line``, ``field``, ``expected`` and ``actual``.
    """
    entries = []
    for result in results:
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
    return {"schema": SCHEMA, "version": __version__, "seed": seed, "results": entries}
