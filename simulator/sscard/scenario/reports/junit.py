"""Results as JUnit XML, the form every CI server reads."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import PurePath
from xml.etree.ElementTree import Element, SubElement, tostring

from sscard.i18n.language import say, visible
from sscard.scenario.reports.console import failure_text, missed_text
from sscard.scenario.reports.run import Run
from sscard.scenario.runner import INCONCLUSIVE, KNOWN_ISSUE, NOT_APPLICABLE


def write(run: Run) -> str:
    """One test suite with a case per scenario and seed; a failure carries its step and redacted trace.

    An inconclusive scenario is an error; a known issue is skipped, like one that is not applicable.

    ``time`` is in seconds, ``timestamp`` in UTC. The class name is the path of
    the file with dots, as pytest writes it, so that CI servers group by folder.
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
        skipped=str(verdicts[NOT_APPLICABLE] + verdicts[KNOWN_ISSUE]),
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
            name=visible(scenario.title + (f" seed {result.seed}" if several else "")),
            file=file,
            time=f"{result.seconds:.6f}",
        )
        if result.verdict in (NOT_APPLICABLE, KNOWN_ISSUE):
            SubElement(case, "skipped", message=visible(say(result.reason)))
        elif not result.passed:
            message = visible(say(result.reason))
            if result.failure is not None:
                message = missed_text(scenario, result.failure, result.failure.mismatches[0])
            kind = "error" if result.verdict == INCONCLUSIVE else "failure"
            SubElement(case, kind, message=message).text = failure_text(result)
    root = Element("testsuites")
    root.append(suite)
    return tostring(root, encoding="unicode", xml_declaration=True) + "\n"
