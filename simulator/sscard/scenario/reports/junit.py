"""Results as JUnit XML, the form every CI server reads."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Final
from xml.etree.ElementTree import Element, SubElement, tostring

from sscard.i18n.language import say, visible
from sscard.scenario.reports.console import failure_text, missed_text, repetition_text
from sscard.scenario.reports.run import Run, case_properties
from sscard.scenario.reports.summary import failure_place
from sscard.scenario.reports.trace import text_of
from sscard.scenario.runner import INCONCLUSIVE, KNOWN_ISSUE, NOT_APPLICABLE, WAIVED, ScenarioResult

SKIPPED: Final = (NOT_APPLICABLE, KNOWN_ISSUE, WAIVED)
"""Verdicts of cases that are skipped; the message is the reason."""


def write(run: Run) -> str:
    """One test suite with a case per scenario and seed; a failure carries its step and redacted trace.

    An inconclusive scenario is an error; a known issue and a waived one are skipped, like one that is not applicable.

    ``time`` is in seconds, ``timestamp`` in UTC. The class name is the path of
    the file with dots, as pytest writes it, so that CI servers group by folder.
    Elements and attributes are those of junit-10.xsd of Jenkins; a case has
    ``properties``, ``file`` and ``line`` besides, as that of pytest.
    """
    results = run.results
    verdicts = Counter(result.verdict for result in results)
    several = len({result.seed for result in results}) > 1
    suite = Element(
        "testsuite",
        name="sscard",
        tests=str(len(results)),
        failures=str(verdicts["failed"]),
        errors=str(verdicts[INCONCLUSIVE]),
        skipped=str(sum(verdicts[verdict] for verdict in SKIPPED)),
        time=f"{sum(result.seconds for result in results):.3f}",
        timestamp=min((result.started for result in results), default=datetime.now(UTC)).isoformat(timespec="seconds"),
        hostname=platform.node(),
    )
    facts = {name: say(value) for name, value in run.environment.items()}
    facts |= {"seed": " ".join(map(str, run.seeds)), "command": run.called}
    facts |= {"planned": str(run.planned), "interrupted": str(not run.complete).lower()}
    _add_properties(suite, facts)
    for result in results:
        _add_case(suite, run, result, seed=several)
    root = Element("testsuites")
    root.append(suite)
    return tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def dotted(source: str) -> str:
    """The path of a file as the name of a class or package: ``suite/a.yaml`` is ``suite.a``."""
    path = PurePath(visible(source)).with_suffix("")
    return ".".join(part for part in path.relative_to(path.anchor).parts if part != "..")


def _add_case(suite: Element, run: Run, result: ScenarioResult, *, seed: bool) -> None:
    scenario = result.scenario
    file, line = scenario.source, scenario.line
    if not result.passed:
        file, line = failure_place(result)
    case = SubElement(
        suite,
        "testcase",
        classname=dotted(scenario.source),
        name=visible(scenario.title + (f" seed {result.seed}" if seed else "")),
        file=visible(file),
        line=str(line),
        time=f"{result.seconds:.6f}",
    )
    properties = case_properties(scenario, result.seed, say(run.environment["transport"]))
    if result.waivers:
        properties["waivers"] = ", ".join(entry.waiver.ticket for entry in result.waivers)
    _add_properties(case, properties)
    if result.verdict in SKIPPED:
        SubElement(case, "skipped", message=visible(say(result.reason)))
    elif not result.passed:
        message = visible(say(result.reason))
        if result.failure is not None:
            missed = missed_text(scenario, result.failure, result.failure.mismatches[0])
            parts = (message if result.unwaived else "", missed, repetition_text(result))
            message = "; ".join(part for part in parts if part)
        kind = "error" if result.verdict == INCONCLUSIVE else "failure"
        SubElement(case, kind, message=message, type=kind).text = failure_text(result)
        again = visible(run.again(scenario, result.seed))
        SubElement(case, "system-out").text = f"$ {again}\n\n{text_of(result, result.seed)}"


def _add_properties(parent: Element, facts: Mapping[str, str]) -> None:
    properties = SubElement(parent, "properties")
    for name, value in facts.items():
        if value:
            SubElement(properties, "property", name=name, value=visible(value))
