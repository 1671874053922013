"""Results as JUnit XML, the form every CI server reads."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import PurePath
from xml.etree.ElementTree import Element, SubElement, tostring

from sscard.i18n.language import say, visible
from sscard.scenario.reports.console import failure_text, missed_text
from sscard.scenario.runner import KNOWN_ISSUE, NOT_APPLICABLE, ScenarioResult


def write(results: Sequence[ScenarioResult], _seed: int) -> str:
    """One test suite with a case per scenario; a failure carries its step and redacted trace.

    ``time`` is in seconds, ``timestamp`` in UTC. The class name is the path of
    the file with dots, as pytest writes it, so that CI servers group by folder.
    """
    failed = sum(not result.passed for result in results)
    suite = Element(
        "testsuite",
        name="sscard",
        tests=str(len(results)),
        failures=str(failed),
        errors="0",
        skipped=str(sum(result.verdict in (NOT_APPLICABLE, KNOWN_ISSUE) for result in results)),
        time=f"{sum(result.seconds for result in results):.6f}",
        timestamp=min((result.started for result in results), default=datetime.now(UTC)).isoformat(timespec="seconds"),
    )
    for result in results:
        scenario = result.scenario
        file = visible(scenario.source)
        path = PurePath(file).with_suffix("")
        case = SubElement(
            suite,
            "testcase",
            classname=".".join(part for part in path.relative_to(path.anchor).parts if part != ".."),
            name=visible(scenario.title),
            file=file,
            time=f"{result.seconds:.6f}",
        )
        if result.verdict in (NOT_APPLICABLE, KNOWN_ISSUE):
            SubElement(case, "skipped", message=visible(say(result.reason)))
        elif result.failure is not None:
            message = missed_text(scenario, result.failure, result.failure.mismatches[0])
            SubElement(case, "failure", message=message).text = failure_text(result)
        elif not result.passed:
            SubElement(case, "failure", message=visible(say(result.reason)))
    root = Element("testsuites")
    root.append(suite)
    return tostring(root, encoding="unicode", xml_declaration=True) + "\n"
