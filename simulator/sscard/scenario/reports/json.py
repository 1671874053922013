"""Results as JSON for programs, schema ``sscard.run/1``."""

from __future__ import annotations

import json
from typing import Any

from sscard.i18n.language import say, visible_lines
from sscard.scenario.reader import Scenario
from sscard.scenario.reports.run import Run
from sscard.scenario.runner import ScenarioResult, StepResult
from sscard.version import __version__

SCHEMA = "sscard.run/1"


def write(run: Run) -> str:
    """The text of ``content``."""
    return text(content(run))


def text(content: object) -> str:
    """JSON, indented."""
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def content(run: Run) -> dict[str, Any]:
    """The object that ``json_schema.run_schema`` describes.

    ``results`` has an entry per scenario with its ``verdict``: ``passed``, ``failed``,
    ``inconclusive``, ``not applicable``, ``known issue`` or ``waived``, with the ``reason`` if it is not a step's,
    the ``waivers`` that apply to it,
    its ``seed`` and the ``seconds`` it took, its ``steps``, and as ``predicted`` the
    number of steps after which the tries left of a card under test could not be observed, as ``removals`` the
    number of removals that took the place of power cuts.

    ``failure`` is ``None``, or the step that failed: ``file`` and ``line``, which for
    a step of an included group are those of the group, ``step``, each
    expectation with its own ``line``, ``field``, ``expected`` and ``actual``, and
    the ``trace`` of the step. ``repetition`` is ``None``, or what a card under test did when the commands of a
    failure were sent again.
    """
    report = {
        "schema": SCHEMA,
        "version": __version__,
        "seed": run.seed,
        "started": run.started.isoformat(timespec="milliseconds"),
        "seconds": round(run.seconds, 3),
        "planned": run.planned,
        "environment": {label: say(value) for label, value in run.environment.items()},
        "command": list(run.command),
        "results": [_entry(run, result) for result in run.results],
    }
    return report | ({"against": run.comparison.facts(run.earlier)} if run.comparison else {})


def _entry(run: Run, result: ScenarioResult) -> dict[str, Any]:
    scenario, failed = result.scenario, result.failure
    failure: dict[str, Any] | None = None
    if failed is not None:
        failure = {
            "file": scenario.file(failed.number),
            "line": scenario.place(failed.number).line,
            "step": say(failed.step.title()),
            "mismatches": _mismatches(scenario, failed),
            "trace": [line for event in failed.events for line in visible_lines(str(event)).split("\n")],
        }
    repetition = result.repetition
    return {
        "name": scenario.name,
        "group": scenario.group,
        "file": scenario.source,
        "line": scenario.line,
        "personality": scenario.personality.name,
        "tags": list(scenario.tags),
        "covers": list(scenario.covers),
        "severity": scenario.severity,
        "verdict": result.verdict,
        "reason": say(result.reason),
        "waivers": [
            {
                "file": entry.file,
                "line": entry.line,
                "ticket": entry.waiver.ticket,
                "reason": entry.waiver.reason,
                "expires": entry.waiver.expires.isoformat(),
            }
            for entry in result.waivers
        ],
        "seed": result.seed,
        "started": result.started.isoformat(timespec="milliseconds"),
        "seconds": round(result.seconds, 3),
        "commands": result.commands,
        "predicted": result.predicted,
        "removals": result.removals,
        "repetition": None
        if repetition is None
        else {
            "outcome": repetition.outcome,
            "commands": repetition.commands,
            "unlike": repetition.unlike,
            "expected": say(repetition.expected),
            "actual": say(repetition.actual),
            "text": say(repetition.said),
        },
        "again": run.again(scenario, result.seed),
        "steps": [_step(scenario, step) for step in result.steps],
        "failure": failure,
    }


def _step(scenario: Scenario, step: StepResult) -> dict[str, Any]:
    after = step.after
    return {
        "number": step.number,
        "file": scenario.file(step.number),
        "line": scenario.place(step.number).line,
        "title": say(step.step.title()),
        "verdict": step.verdict,
        "seconds": round(step.seconds, 6),
        "sw": None if step.sw is None else f"{step.sw:04X}",
        "tries": after.tries if after else None,
        "tries_max": after.limit if after else None,
        "state": after.words if after else None,
        "stage": after.stage if after else None,
        "mismatches": _mismatches(scenario, step),
    }


def _mismatches(scenario: Scenario, step: StepResult) -> list[dict[str, Any]]:
    return [
        {
            "line": scenario.place(step.number, wrong.field).line,
            "field": wrong.field,
            "expected": say(wrong.expected),
            "actual": say(wrong.actual),
        }
        for wrong in step.mismatches
    ]
