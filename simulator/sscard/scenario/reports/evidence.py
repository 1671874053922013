"""Evidence: a raw log of every scenario of a run, also of those that passed, and what proves that none was changed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from sscard.conversation import Exchange, PowerEvent
from sscard.errors import InputError
from sscard.files import TextFile, unwritable
from sscard.i18n.language import _, say, visible, visible_lines
from sscard.i18n.phrase import Phrase
from sscard.scenario.messages import PARTIES, Message
from sscard.scenario.reports import json
from sscard.scenario.reports.console import MARKS, missed_text, reason_text, repetition_text, step_name
from sscard.scenario.reports.run import VERDICTS, Log, Run, slug, sums
from sscard.scenario.runner import ScenarioResult, StepResult
from sscard.scenario.step import show_sw
from sscard.version import __version__

SCHEMA: Final = "sscard.evidence/1"
SUMS: Final = "SHA256SUMS"
INDEX: Final = "index.json"
LONGEST_NAME: Final = 60
"""Characters of a scenario's name in the name of its log."""
DIGITS: Final = 4
"""Digits of the number of a log, at least."""
KINDS: Final = {"step": "--", "sent": ">>", "received": "<<", "power": "##", "message": "..", "state": "=="}
"""How the lines of a log are marked."""
INDENT: Final = " " * 44


class Evidence:
    """A folder with a log per result, written as each scenario ends, with ``SHA256SUMS`` in the form of coreutils.

    A run that is killed leaves the logs and sums up to there; ``index.json`` is written at its end. Only the owner of
    the files can read them.
    """

    shows_passed = False

    def __init__(self, folder: Path) -> None:
        self.logs: list[Log] = []
        self.folder = folder
        self._run: Run | None = None
        self._sums = TextFile(folder / SUMS)
        _prepare(folder)

    def begin(self, run: Run) -> None:
        """See ``Report``."""
        self._run = run

    def add(self, result: ScenarioResult) -> None:
        """Write the log of a scenario and its sum."""
        assert self._run is not None
        number = f"{len(self.logs) + 1:0{max(DIGITS, len(str(self._run.planned)))}}"
        words = slug(result.scenario.title)[:LONGEST_NAME].rstrip("-")
        log = Log(f"{number}-{words}.log", "")
        self.logs.append(log)  # also if it cannot be written: those after it keep their numbers
        text = log_of(result, self._run)
        with TextFile(self.folder / log.name) as file:
            file.write(text)
        self.logs[-1] = Log(log.name, hashlib.sha256(text.encode()).hexdigest())
        self._sums.write(sums(self.logs[-1:]))

    def finish(self, run: Run) -> None:
        """Write the index; without a result the folder stays empty."""
        with self._sums:
            if not self.logs:
                return
            with TextFile(self.folder / INDEX) as file:
                file.write(_index(run, self.logs))


def _prepare(folder: Path) -> None:
    """Create the folder; ``InputError`` if it has content, which may be the evidence of another run."""
    try:
        if folder.exists() and not folder.is_dir():
            remedy = Phrase("name a new folder for the evidence of each run")
            raise InputError(Phrase("is not a folder"), file=str(folder), remedy=remedy)
        folder.mkdir(mode=0o700, exist_ok=True)
        if any(folder.iterdir()):
            raise InputError(
                Phrase("the folder is not empty"),
                file=str(folder),
                remedy=Phrase("name a new folder for the evidence of each run"),
            )
    except OSError as error:
        raise unwritable(folder, error) from None


def log_of(result: ScenarioResult, run: Run) -> str:
    """The log of a scenario: head, one line per event with its time in UTC and in seconds, verdict."""
    lines = [*_head(result, run), ""]
    zero = result.zero or result.started
    for step in result.steps:
        lines += _step_lines(result, step, zero)
    verdict = f"{MARKS[result.verdict][0]} {say(VERDICTS[result.verdict])}"
    lines += ["", f"{_('verdict')}: {verdict}"]
    if reason := reason_text(result):
        lines.append(f"  {reason}")
    if result.failure is not None:
        lines.append(f"  {step_name(result.scenario, result.failure)}")
        lines += [f"  {missed_text(result.scenario, result.failure, wrong)}" for wrong in result.failure.mismatches]
    if repeated := repetition_text(result):
        lines.append(f"  {repeated}")
    return "".join(f"{visible_lines(line)}\n" for line in lines)


def _head(result: ScenarioResult, run: Run) -> Iterator[str]:
    scenario = result.scenario
    facts = [
        (_("scenario"), say(scenario.label)),
        (_("title"), scenario.title),
        (_("proves"), say(scenario.proves)),
        (_("file"), f"{scenario.source}:{scenario.line}"),
        (_("covers"), ", ".join(scenario.covers)),
        (_("personality"), scenario.personality.name),
        (_("seed"), str(result.seed)),
        (_("started"), _moment(result.started)),
        (_("repeat with"), run.again(scenario, result.seed)),
        *((say(label), say(value)) for label, value in run.stated),
    ]
    yield _("sscard {version}: raw log of a scenario. Times are in UTC. Secrets are masked.", version=__version__)
    yield from (f"{name}: {visible(text)}" for name, text in dict.fromkeys(facts) if text)
    yield _(
        "lines: {step} step, {sent} command, {received} answer, {power} power, {message} message to another part, "
        "{state} result of the step and state after it",
        **KINDS,
    )


def _step_lines(result: ScenarioResult, step: StepResult, zero: datetime) -> Iterator[str]:
    yield _line(zero, step.at, KINDS["step"], step_name(result.scenario, step))
    for each in step.happened:
        match each:
            case Exchange():
                yield _line(zero, each.at - each.seconds, KINDS["sent"], each.command)
                yield f"{INDENT}{visible(say(each.name))}"
                yield _line(zero, each.at, KINDS["received"], each.answer)
                yield f"{INDENT}{visible(say(each.meaning))}"
                yield from (f"{INDENT}  {visible(say(detail))}" for detail in each.details)
            case PowerEvent():
                yield _line(zero, each.at, KINDS["power"], f"{say(each.name)} {each.atr}".rstrip())
            case Message():
                yield _line(zero, each.at, KINDS["message"], f"{say(PARTIES[each.to])}: {say(each.said)}")
    after = [] if step.sw is None and step.after is None else [say(show_sw(step.sw))]
    if step.after is not None:
        tries = _("tries {left} of {limit}", left=step.after.tries, limit=step.after.limit)
        after += [tries, _("state {words}", words=step.after.said)]
        if step.after.stage is not None:
            after.append(_("case {stage}", stage=step.after.stage.words))
    yield _line(zero, step.at + step.seconds, KINDS["state"], "; ".join(after))
    if step.notice:
        yield from (f"{INDENT}{line}" for line in step.notice.splitlines())
    for wrong in step.mismatches:
        yield f"{INDENT}{MARKS['failed'][0]} {missed_text(result.scenario, step, wrong)}"


def _line(zero: datetime, at: float, kind: str, text: str) -> str:
    return f"{_moment(zero + timedelta(seconds=at))} {at:+12.6f} {kind} {visible(text)}".rstrip()


def _moment(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _index(run: Run, logs: list[Log]) -> str:
    entries = [
        {
            "log": log.name,
            "sha256": log.digest,
            "name": result.scenario.name,
            "personality": result.scenario.personality.name,
            "file": result.scenario.source,
            "line": result.scenario.line,
            "covers": list(result.scenario.covers),
            "seed": result.seed,
            "started": _moment(result.started),
            "verdict": result.verdict,
        }
        for log, result in zip(logs, run.results, strict=False)
    ]
    content = {
        "schema": SCHEMA,
        "version": __version__,
        "started": _moment(run.started),
        "seconds": round(run.seconds, 3),
        "planned": run.planned,
        "complete": run.complete,
        "environment": {label: say(value) for label, value in run.environment.items()},
        "command": list(run.command),
        "scenarios_sha256": run.tested.scenarios,
        "testbed_sha256": run.tested.testbed,
        "sums_sha256": run.sums_digest,
        "logs": entries,
    }
    return json.text(content)
