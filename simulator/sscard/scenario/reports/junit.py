"""Results as JUnit XML, the form every CI server reads."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, tostring

from sscard.scenario.reports.console import failure_text, missed_text
from sscard.scenario.runner import ScenarioResult


def write(results: Sequence[ScenarioResult], _seed: int) -> str:
    """One test suite with a case per scenario; a failure carries its step and redacted trace."""
    failed = sum(not result.passed for result in results)
    suite = Element("testsuite", name="sscard", tests=str(len(results)), failures=str(failed), errors="0", skipped="0")
    for result in results:
        scenario = result.scenario
        case = SubElement(suite, "testcase", classname=scenario.group, name=scenario.title, file=scenario.source)
        if result.failure is not None:
            wrong = result.failure.mismatches[0]
            message = missed_text(wrong)
            SubElement(case, "failure", message=message).text = failure_text(result)
    root = Element("testsuites")
    root.append(suite)
    return tostring(root, encoding="unicode", xml_declaration=True) + "\n"
