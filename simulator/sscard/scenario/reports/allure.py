"""Results as a folder of Allure result files (format 2), which Allure and its CI plug-ins read."""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import md5
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid5

from sscard.files import make_folder, unwritable, write_text
from sscard.i18n.language import _, say, visible
from sscard.i18n.phrase import Phrase
from sscard.scenario.library import group_name
from sscard.scenario.messages import PARTIES
from sscard.scenario.reader import Scenario
from sscard.scenario.reports import json
from sscard.scenario.reports.console import failure_text, missed_text, reason_text, repetition_text, step_name
from sscard.scenario.reports.junit import dotted
from sscard.scenario.reports.run import Run
from sscard.scenario.reports.trace import step_lines, text_of
from sscard.scenario.runner import INCONCLUSIVE, KNOWN_ISSUE, NOT_APPLICABLE, WAIVED, ScenarioResult, StepResult

NAMESPACE: Final = UUID("6d2a4f0e-8b57-5c1d-9e36-2f7b1c9ad504")
RESULT, ATTACHMENT = "-result.json", "-attachment.txt"
WRITTEN: Final = re.compile(
    rf"[0-9a-f]{{8}}-[0-9a-f]{{4}}-5[0-9a-f]{{3}}-[89ab][0-9a-f]{{3}}-[0-9a-f]{{12}}({RESULT}|{ATTACHMENT})"
)
"""Names of files that an earlier run has written: a UUID of version 5, other tools make those of version 4."""
ENVIRONMENT, CATEGORIES = "environment.properties", "categories.json"
KEPT: Final = (ENVIRONMENT, CATEGORIES, "executor.json", "history")
"""Other names that a folder of results may have: ours and those of CI servers, which stay."""
STATUS: Final = {
    "passed": "passed",
    "failed": "failed",
    INCONCLUSIVE: "broken",
    NOT_APPLICABLE: "skipped",
    KNOWN_ISSUE: "skipped",
    WAIVED: "skipped",
}
"""The status of Allure for each verdict."""

Json = dict[str, Any]


class AllureFolder:
    """Result files of a run, written as each scenario ends: a run that is killed leaves those up to there.

    Results that sscard has written to the folder before are removed with the first scenario; no other file is.
    """

    shows_passed = False

    def __init__(self, path: Path) -> None:
        self._path = path
        self._run: Run | None = None
        self._count = 0

    def foreign(self) -> str:
        """See ``Folder``."""
        names = sorted(entry.name for entry in self._path.iterdir())
        return next((name for name in names if name not in KEPT and not WRITTEN.fullmatch(name)), "")

    def begin(self, run: Run) -> None:
        """See ``Report``."""
        self._run = run

    def add(self, result: ScenarioResult) -> None:
        """Write the results of a scenario."""
        assert self._run is not None
        if not self._count:
            make_folder(self._path)
            self._remove_earlier()
            self._write_facts(self._run)
        self._count += 1
        entry = _Entry(self._path, self._run, result, self._count)
        write_text(self._path / f"{entry.uuid}{RESULT}", json.text(entry.content()))

    def finish(self, run: Run) -> None:
        """Write the facts of the run."""
        if self._count or not self._path.exists():
            make_folder(self._path)
            self._write_facts(run)

    def _remove_earlier(self) -> None:
        try:
            for file in list(self._path.iterdir()):
                if WRITTEN.fullmatch(file.name):
                    file.unlink()
        except OSError as error:
            raise unwritable(self._path, error) from None

    def _write_facts(self, run: Run) -> None:
        write_text(self._path / ENVIRONMENT, properties_text(facts(run)))
        if not (self._path / CATEGORIES).exists():
            write_text(self._path / CATEGORIES, json.text(_categories()))


class _Entry:
    """The result file of one scenario, with its attachments."""

    def __init__(self, folder: Path, run: Run, result: ScenarioResult, number: int) -> None:
        self._folder = folder
        self._run = run
        self._result = result
        self._full_name = f"{result.scenario.source}: {result.scenario.name}"
        begin = result.started.isoformat()
        self._identity = "\n".join((self._full_name, *self._parameters().values(), begin, str(number)))
        self._attachments = 0
        self.uuid = str(uuid5(NAMESPACE, self._identity))

    def _parameters(self) -> dict[str, str]:
        transport = say(self._run.environment["transport"])
        personality = self._result.scenario.personality.name
        return {"personality": personality, "seed": str(self._result.seed), "transport": transport}

    def content(self) -> Json:
        """The result file."""
        result, scenario, parameters = self._result, self._result.scenario, self._parameters()
        case = md5(self._full_name.encode(), usedforsecurity=False)
        history = md5("\n".join((self._full_name, *parameters.values())).encode(), usedforsecurity=False)
        again = self._run.again(scenario, result.seed)
        command = _("Run this scenario again: {command}", command=f"`{visible(again)}`")
        return {
            "uuid": self.uuid,
            "historyId": history.hexdigest(),
            "testCaseId": case.hexdigest(),
            "fullName": visible(self._full_name),
            "name": f"{visible(say(scenario.label))} [{visible(scenario.personality.name)}]",
            "description": f"{visible(say(scenario.proves))}\n\n{command}",
            "status": STATUS[result.verdict],
            "statusDetails": self._details(again),
            "stage": "finished",
            "start": milliseconds(result.started),
            "stop": milliseconds(result.started + timedelta(seconds=result.seconds)),
            "labels": _labels(scenario),
            "links": _links(result),
            "parameters": _pairs(parameters),
            "steps": [self._step(step) for step in result.steps],
            "attachments": [self._attached(_("trace"), text_of(result, result.seed))] if result.steps else [],
        }

    def _details(self, again: str) -> Json:
        result, failure = self._result, self._result.failure
        message = reason_text(result)
        if failure is not None:
            missed = [missed_text(result.scenario, failure, wrong) for wrong in failure.mismatches]
            parts = [message, *missed, repetition_text(result)]
            message = "\n".join(part for part in parts if part)
        if not message:
            return {}
        trace = "\n".join(text for text in (failure_text(result), visible(again)) if text)
        excused = result.verdict in (KNOWN_ISSUE, WAIVED)
        return {"known": excused, "muted": result.verdict == WAIVED, "message": message, "trace": trace}

    def _step(self, step: StepResult) -> Json:
        scenario = self._result.scenario
        status = STATUS[step.verdict]
        begin = (self._result.zero or self._result.started) + timedelta(seconds=step.at)
        end = begin + timedelta(seconds=step.seconds)
        times = {"stage": "finished", "start": milliseconds(begin), "stop": milliseconds(end)}
        parts: list[Json] = [
            {"name": visible(f"{say(PARTIES[message.to])}: {say(message.said)}"), "status": "passed", **times}
            for message in step.messages
        ]
        for wrong in step.mismatches:
            values = {_("expected"): say(wrong.expected), _("actual"): say(wrong.actual)}
            name = missed_text(scenario, step, wrong)
            parts.append({"name": name, "status": status, **times, "parameters": _pairs(values)})
        observed = {"sw": "" if step.sw is None else f"{step.sw:04X}"}
        if step.after is not None:
            observed |= {"tries": str(step.after.tries), "state": step.after.words, "stage": step.after.stage or ""}
        attachments = []
        if step.mismatches:
            attachments.append(self._attached(_("exchanges"), "\n".join([*step_lines(scenario, step), ""])))
        return {
            "name": visible(step_name(scenario, step)),
            "status": status,
            **times,
            "parameters": _pairs({name: value for name, value in observed.items() if value}),
            "steps": parts,
            "attachments": attachments,
        }

    def _attached(self, name: str, text: str) -> Json:
        self._attachments += 1
        source = f"{uuid5(NAMESPACE, f'{self._identity} {self._attachments}')}{ATTACHMENT}"
        write_text(self._folder / source, text)
        return {"name": name, "type": "text/plain", "source": source}


def milliseconds(moment: datetime) -> int:
    """A moment as Allure has it: milliseconds since 1970."""
    return round(1000 * moment.timestamp())


def facts(run: Run) -> dict[str, str]:
    """The environment of a run with its seeds and command, and how much of it was run."""
    own = {
        "seeds": " ".join(map(str, run.seeds)),
        "command": run.called,
        "scenarios": f"{len(run.results)}/{run.planned}",
    }
    return {name: say(value) for name, value in run.environment.items()} | own


def properties_text(values: Mapping[str, str]) -> str:
    """A file of Java properties, in ASCII. Each value is one line."""
    lines = (f"{name} = {_property(value)}\n" for name, value in values.items())
    return "".join(lines)


def _property(value: str) -> str:
    units = visible(value).replace("\\", "\\\\").encode("utf-16-be")
    codes = (int.from_bytes(units[place : place + 2], "big") for place in range(0, len(units), 2))
    return "".join(chr(code) if 0x20 <= code < 0x7F else f"\\u{code:04X}" for code in codes)


def _labels(scenario: Scenario) -> list[Json]:
    group = say(group_name(scenario.group))
    labels = [
        ("framework", "sscard"),
        ("language", "yaml"),
        ("host", platform.node()),
        ("severity", scenario.severity),
        ("parentSuite", "sscard"),
        ("suite", group),
        ("subSuite", say(scenario.own_label)),
        ("feature", group),
        ("story", say(scenario.own_label)),
        ("package", dotted(scenario.source)),
        *(("tag", tag) for tag in scenario.tags),
        *(("covers", mark) for mark in scenario.covers),
    ]
    return _pairs_of(labels)


def _links(result: ScenarioResult) -> list[Json]:
    tickets = map(visible, (result.scenario.known_issue, *(entry.waiver.ticket for entry in result.waivers)))
    addresses = {ticket: {"url": ticket} if re.match("https?://", ticket) else {} for ticket in tickets if ticket}
    return [{"type": "issue", "name": ticket, **address} for ticket, address in addresses.items()]


def _pairs(values: Mapping[str, str]) -> list[Json]:
    return _pairs_of(list(values.items()))


def _pairs_of(values: Sequence[tuple[str, str]]) -> list[Json]:
    return [{"name": name, "value": visible(value)} for name, value in values]


def _categories() -> list[Json]:
    known = say(Phrase("known issue {ticket}", ticket="")).strip()
    misfit = say(Phrase("not applicable: {problem}", problem="")).strip()
    waived, _rest = say(Phrase("waived until {day}, {ticket}: {reason}", day="@", ticket="", reason="")).split("@")
    return [
        {"name": _("Failed"), "matchedStatuses": ["failed"]},
        {"name": _("Inconclusive: a step could not be judged"), "matchedStatuses": ["broken"]},
        {"name": _("Known issue"), "matchedStatuses": ["skipped"], "messageRegex": f"(?s).*{re.escape(known)}.*"},
        {"name": _("Waived"), "matchedStatuses": ["skipped"], "messageRegex": f"(?s)^{re.escape(waived.strip())}.*"},
        {"name": _("Not applicable"), "matchedStatuses": ["skipped"], "messageRegex": f"(?s).*{re.escape(misfit)}.*"},
    ]
