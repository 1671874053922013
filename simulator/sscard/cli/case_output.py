"""What ``sscard case`` prints of cases: for people, and as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import click

from sscard.cli.output import print_json, printed_json_list
from sscard.cli.table import table_lines
from sscard.i18n.language import _, padded, say, visible, visible_lines
from sscard.i18n.phrase import ROW, Phrase, Sayable, Words

if TYPE_CHECKING:
    from datetime import date

    from sscard.service import Case, ResultNotice
    from sscard.service.journal.chain import Finding
    from sscard.service.journal.verification import Verification, VerifiedArchive

PART: Final = 1000
"""Cases in one table."""


def print_answer(found: Case, told: list[str], as_json: bool) -> None:
    """Print a summary of a case and the texts for the citizen, and on standard error where the clock went back."""
    for event in found.events:
        if seconds := event.facts.get("clock_back"):
            click.echo(
                _(
                    "note: the clock went back: {act} is {seconds} s earlier than the journal's event before it",
                    act=say(event.act.words),
                    seconds=seconds,
                ),
                err=True,
            )
    if as_json:
        print_json("case", _content(found) | {"said": told})
        return
    click.echo(f"{found.number} {say(found.stage.words)}")
    for text in told:
        click.echo(visible_lines(text))
    options = found.settings.options if found.settings else ""
    words = {"number": visible(" ".join(filter(None, (found.number, options))))}
    if found.waits and found.key_tries:
        click.echo(
            _(
                "waiting: check --hsm and --keys, then continue with: sscard case resume {number} CARD --retry-key",
                **words,
            )
        )
    elif found.waits and found.key_tries is None:
        click.echo(_("waiting: continue it later with: sscard case resume {number}", **words))
    if found.in_doubt:
        click.echo(_("in doubt: put the card back and continue with: sscard case resume {number} CARD", **words))


def print_list(cases: Iterable[Case], as_json: bool, today: date | None = None) -> None:
    """A table, one case a row, with a heading for each part of 1,000: no more cases are held.

    With the day, cases that are past the legal limit are marked.
    """
    if as_json:
        with printed_json_list("cases", "cases") as add:
            for found in cases:
                add(_content(found))
        return
    headings = (_("case"), _("stage"), _("channel"), _("reason"), _("applicant"), _("opened"), _("due"))
    waiting = iter(cases)
    part = [_row(found, today) for found in islice(waiting, PART)]
    while True:
        click.echo("\n".join(table_lines(headings, part, names=(4,), whole=(0, 5, 6))))
        part = [_row(found, today) for found in islice(waiting, PART)]
        if not part:
            break


def _row(found: Case, today: date | None) -> tuple[str, ...]:
    stage = say(found.stage.words)
    stage = _("{stage}, in doubt", stage=stage) if found.in_doubt else stage
    if today and found.is_past_legal(today):
        stage = _("{stage}, past the legal limit", stage=stage)
    return (
        found.number,
        stage,
        say(found.channel.words),
        say(found.reason_given.words) if found.reason_given else "",
        found.person.name,
        f"{found.events[0].time:%Y-%m-%d}",
        found.due.day.isoformat() if found.due else "",
    )


def print_whole(found: Case, lane: Verification, as_json: bool) -> None:
    """A case with all its events, and what the verification of its lane found."""
    if as_json:
        events = [
            {
                "time": event.time.isoformat(),
                "stage": event.stage.value,
                "act": event.act.value,
                "text": event.text,
                "handler": handler and say(Words(*handler)),
            }
            for event in found.events
            for handler in [event.facts.get("handler")]
        ]
        print_json("case", _content(found) | {"events": events} | _checked(lane))
        return
    from sscard.service.notices import contacts_said

    person, settings = found.person, found.settings
    stage = say(found.stage.words)
    click.echo(f"{found.number} {_('{stage}, in doubt', stage=stage) if found.in_doubt else stage}")
    click.echo(
        _(
            "channel: {channel}, handled at: {handling}",
            channel=say(found.channel.words),
            handling=say(found.handling.words),
        )
    )
    click.echo(
        _(
            "applicant: {name} ({kind}), {document} {number}",
            name=person.name,
            kind=say(person.kind.words),
            document=say(person.document.words),
            number=person.id_shown,
        )
    )
    if person.agent is not None:
        agent = person.agent
        click.echo(
            _(
                "{presence}: {name}, {number}",
                presence=say(person.presence.words),
                name=visible(agent.name),
                number=agent.id_shown,
            )
        )
    if settings is not None and settings.options:
        click.echo(_("opened with: {options}", options=visible(settings.options)))
    if found.due is not None:
        day = found.due.day
        click.echo(_("due: {day}", day=day) if found.due.certain else _("due: {day} (only weekends counted)", day=day))
    if found.legal_due and found.due and found.legal_due != found.due.day:
        click.echo(_("legal limit: {day}", day=found.legal_due))
    for act, handler in found.handlers.items():
        click.echo(_("{act} by: {handler}", act=say(act.words), handler=visible(say(handler))))
    click.echo(_("visits on site: {visits}", visits=len(found.days_on_site)))
    if found.result:
        channels = [channel.words for channel in found.result.feedback] or [Words("none", "无")]
        click.echo(_("result given at: {channels}", channels=say(Phrase.joined(ROW, channels))))
        for line in found.result.lines:
            click.echo(f"  {visible(line)}")
    if found.complaints:
        click.echo(visible(_("complaints: {contacts}", contacts=say(contacts_said(found.complaints)))))
    for event in found.events:
        click.echo(f"  {event.time:%Y-%m-%d %H:%M:%S} {padded(say(event.act.words), 12)} {visible(event.text)}")
    _print_checked(lane)
    if lane.findings:
        click.echo(_("the chain of this case's lane is broken, see: sscard case verify"))


def _content(found: Case) -> dict[str, Any]:
    """A case for programs."""
    agent = found.person.agent
    return {
        "number": found.number,
        "stage": found.stage.value,
        "in_doubt": found.in_doubt,
        "channel": found.channel.value,
        "handling": found.handling.value,
        "reason": found.reason_given.value if found.reason_given else None,
        "applicant": {"name": found.person.name, "kind": found.person.kind.value, "id": found.person.id_shown},
        "agent": agent and {"name": agent.name, "presence": found.person.presence.value, "id": agent.id_shown},
        "opened": found.events[0].time.isoformat(),
        "due": found.due.day.isoformat() if found.due else None,
        "due_certain": found.due.certain if found.due else None,
        "legal_due": found.legal_due.isoformat() if found.legal_due else None,
        "handlers": {act.value: say(handler) for act, handler in found.handlers.items()},
        "visits": len(found.days_on_site),
        "settings": found.settings and {name: value for name, (value, _digest) in found.settings.to_facts().items()},
        "result": found.result and _result(found.result),
        "complaints": [contact.model_dump() for contact in found.complaints],
    }


def _result(notice: ResultNotice) -> dict[str, Any]:
    """A result notice for programs."""
    return notice.to_facts() | {"advice": notice.advice.chinese, "limits": notice.limits and say(notice.limits)}


def print_verification(found: Verification, as_json: bool) -> None:
    """What the check of a journal found, and the checkpoint."""
    if as_json:
        archives = [asdict(archive) for archive in found.archives]
        counts = {"events": found.events, "cases": found.cases, "archives": archives}
        print_json("journal-check", counts | _checked(found) | {"checkpoint": found.checkpoint or None})
        return
    _print_checked(found)
    verdict = _("findings: {count}", count=len(found.findings)) if found.findings else _("the chain is whole")
    click.echo(_("{numbers}: {verdict}", numbers=say(_numbers(found)), verdict=verdict))
    for archive in found.archives:
        click.echo(_("archive {file}: {numbers}", file=visible(archive.file), numbers=say(_numbers(archive))))
    if found.checkpoint:
        click.echo(_("checkpoint: {line}", line=found.checkpoint))


def _numbers(found: Verification | VerifiedArchive) -> Sayable:
    cases = Phrase.plural("{count} case", "{count} cases", count=found.cases)
    events = Phrase.plural("{count} event", "{count} events", count=found.events)
    return Phrase.joined(ROW, [cases, events])


def _checked(found: Verification) -> dict[str, Any]:
    """Findings and notes for programs."""
    kinds: dict[str, tuple[Finding, ...]] = {"findings": found.findings, "notes": found.notes}
    return {
        kind: [asdict(finding) | {"problem": say(finding.problem)} for finding in findings]
        for kind, findings in kinds.items()
    }


def _print_checked(found: Verification) -> None:
    for finding in found.findings:
        click.echo(visible(str(finding)))
    for note in found.notes:
        click.echo(_("note: {note}", note=note.said))
