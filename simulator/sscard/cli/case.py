"""``sscard case open|list|show|resume|overdue|verify``: the service's cases in the journal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import typer

from sscard.cli.usage import Commands
from sscard.errors import InputError
from sscard.i18n.language import _, padded, say

if TYPE_CHECKING:
    from datetime import datetime

    from sscard.service import Case, Event, PinService
    from sscard.service.counter import ApplicationFile, Keypad
    from sscard.service.journal.database import SqlJournal
    from sscard.service.words import Word
    from sscard.terminal import CardSession

    W = TypeVar("W", bound=Word)

case = Commands(
    help=_("Cases of the PIN service: run them on cards, look at them, check their journal."),
)

JOURNAL_HELP = _(
    "An SQLite file or postgresql://…; else journal.db in $XDG_DATA_HOME/sscard (~/.local/share/sscard), "
    "where its key is as well."
)

Target = Annotated[str, typer.Argument(metavar="[CARD]", help=_("A card image, or pcsc[:READER]; none: no card yet."))]
Number = Annotated[str, typer.Argument(help=_("The case's number."))]
JournalUrl = Annotated[str, typer.Option("--journal", metavar="URL", envvar="SSCARD_JOURNAL", help=JOURNAL_HELP)]
JournalKey = Annotated[
    Path | None,
    typer.Option(metavar="FILE", envvar="SSCARD_JOURNAL_KEY", help=_("The journal's key; made where there is none.")),
]
PolicyFile = Annotated[
    Path | None, typer.Option("--policy", metavar="FILE", help=_("The place's policy of the service."))
]
PlaceName = Annotated[str, typer.Option("--place", metavar="P", help=_("A place policy: which PIN counts as initial."))]
Keys = Annotated[
    Path | None, typer.Option(metavar="FILE", help=_("The issuer's root keys; else the built-in test keys."))
]
New = Annotated[str, typer.Option("--new", help=_("The new PIN, 4 to 16 digits; asked for where not given."))]
Old = Annotated[str, typer.Option("--old", help=_("For a change: the PIN now, or 'none'; asked for where not given."))]
Papers = Annotated[list[str] | None, typer.Option("--paper", help=_("id-card, social-security-card; may be repeated."))]
AsJson = Annotated[bool, typer.Option("--json", help=_("For programs."))]
Pharmacy = Annotated[bool, typer.Option("--pharmacy", help=_("Then try the PIN at a pharmacy terminal."))]


@case.command("open")
def open_case(
    target: Target = "",
    application: Annotated[
        Path | None, typer.Option("-f", "--application", metavar="FILE", help=_("The application as YAML."))
    ] = None,
    channel: Annotated[str, typer.Option(help=_("window, self-service or online."))] = "",
    handling: Annotated[str, typer.Option(help=_("The channel that shall operate the card, if another."))] = "",
    reason: Annotated[str, typer.Option(help=_("leaked, forgotten or locked."))] = "",
    paper: Papers = None,
    name: Annotated[str, typer.Option(help=_("The applicant's name; else the card holder's."))] = "",
    id_number: Annotated[
        str, typer.Option("--id", metavar="NUMBER", help=_("The applicant's; else the holder's."))
    ] = "",
    kind: Annotated[str, typer.Option(help=_("citizen, hong-kong-macao-taiwan, overseas-chinese, foreigner."))] = "",
    key: Annotated[str, typer.Option(help=_("Idempotency key: the same key is the same case."))] = "",
    new: New = "",
    old: Old = "",
    pharmacy: Pharmacy = False,
    journal: JournalUrl = "",
    journal_key: JournalKey = None,
    policy: PolicyFile = None,
    place: PlaceName = "",
    keys: Keys = None,
    as_json: AsJson = False,
) -> None:
    """Open a case and take it as far as it goes: to the end with a card, to acceptance without one.

    Ends with 1 where the case is refused, waits for papers, or the card did not do it.
    """
    from sscard.service.counter import read_card

    given = {"channel": channel, "handling": handling, "reason": reason, "key": key, "papers": paper or []}
    wanted = _application(application, given, {"name": name, "id_number": id_number, "kind": kind})
    keypad = _keypad(new, old)
    with _desk(journal, journal_key, policy, place) as (service, _), _terminal(target, keys) as session:
        opened = service.intake(wanted.application(read_card(session)), key=wanted.key)
        told = _serve(service, opened, session, keypad, key=wanted.key)
        if pharmacy and told.just_completed and session is not None:
            told.say(_trial(session, keypad, keys, place))
        _finish(told, as_json, without_card=session is None)


@case.command()
def resume(
    number: Number,
    target: Target = "",
    paper: Papers = None,
    at: Annotated[str, typer.Option("--at", metavar="CHANNEL", help=_("Hand the case over to this channel."))] = "",
    abandon: Annotated[bool, typer.Option("--abandon", help=_("End a case that nobody goes on with."))] = False,
    new: New = "",
    old: Old = "",
    pharmacy: Pharmacy = False,
    journal: JournalUrl = "",
    journal_key: JournalKey = None,
    policy: PolicyFile = None,
    place: PlaceName = "",
    keys: Keys = None,
    as_json: AsJson = False,
) -> None:
    """Go on with a case where it stands: bring papers, the card, or clear up what a broken-off operation came to."""
    from sscard.service import Channel, Paper, Stage
    from sscard.service.counter import read_card

    brought = [_word(Paper, word, "--paper") for word in paper or []]
    keypad = _keypad(new, old)
    with _desk(journal, journal_key, policy, place, create=False) as (service, cases):
        found = _found(cases, number)
        if abandon:
            _end(service, found, as_json)
        with _terminal(target, keys) as session:
            if found.stage is Stage.SUPPLEMENT:
                service.supplement(
                    found, brought, read_card(session) if Paper.SOCIAL_SECURITY_CARD in brought else None
                )
            if at:
                _hand_over(service, found, _word(Channel, at, "--at"))
            told = _serve(service, found, session, keypad)
            if pharmacy and told.just_completed and session is not None:
                told.say(_trial(session, keypad, keys, place))
            _finish(told, as_json, without_card=session is None)


@case.command("list")
def list_cases(
    stage: Annotated[str, typer.Option(help=_("Only cases at this stage."))] = "",
    channel: Annotated[str, typer.Option(help=_("Only cases of this channel."))] = "",
    reason: Annotated[str, typer.Option(help=_("Only cases for this reason."))] = "",
    since: Annotated[str, typer.Option(metavar="YYYY-MM-DD", help=_("Only cases opened on or after this day."))] = "",
    journal: JournalUrl = "",
    journal_key: JournalKey = None,
    as_json: AsJson = False,
) -> None:
    """List cases."""
    from sscard.service import Channel, Reason, Stage

    stages = [_word(Stage, stage, "--stage")] if stage else list(Stage)
    wanted = _word(Channel, channel, "--channel") if channel else None
    why = _word(Reason, reason, "--reason") if reason else None
    with _desk(journal, journal_key, create=False) as (__, cases):
        _show_list(
            (
                found
                for found in cases.cases(stages, _day(since))
                if wanted in (None, found.channel) and why in (None, found.reason_given)
            ),
            as_json,
        )


@case.command()
def overdue(journal: JournalUrl = "", journal_key: JournalKey = None, as_json: AsJson = False) -> None:
    """List accepted cases whose last day is over."""
    from sscard.service import Stage
    from sscard.service.workdays import day_in_china

    today = day_in_china(_now())
    with _desk(journal, journal_key, create=False) as (__, cases):
        waiting = cases.cases([Stage.ACCEPTED, Stage.OPERATED])
        _show_list((found for found in waiting if found.is_overdue(today)), as_json)


@case.command()
def show(number: Number, journal: JournalUrl = "", journal_key: JournalKey = None, as_json: AsJson = False) -> None:
    """Show a case with all its events."""
    with _desk(journal, journal_key, create=False) as (__, cases):
        found = _found(cases, number)
    if as_json:
        _print_json(_content(found) | {"events": [_event(event) for event in found.events]})
        return
    for line in _lines(found):
        typer.echo(line)


@case.command()
def verify(journal: JournalUrl = "", journal_key: JournalKey = None, as_json: AsJson = False) -> None:
    """Check the journal's chain; ends with 1 where an event was removed, edited or moved."""
    from dataclasses import asdict

    with _desk(journal, journal_key, create=False) as (__, cases):
        found = cases.verify()
    if as_json:
        _print_json(asdict(found))
    else:
        for finding in found.findings:
            typer.echo(str(finding))
        verdict = _("findings: {count}", count=len(found.findings)) if found.findings else _("the chain is whole")
        typer.echo(
            _("{cases} cases, {events} events: {verdict}", cases=found.cases, events=found.events, verdict=verdict)
        )
    if found.findings:
        raise typer.Exit(1)


def _application(file: Path | None, given: dict[str, Any], person: dict[str, str]) -> ApplicationFile:
    """The application of a file, with what the options say instead."""
    from sscard.document import read_document
    from sscard.service import ApplicantKind, Channel, Paper, Reason
    from sscard.service.counter import ApplicantFile, ApplicationFile

    wanted = read_document(file).as_model(ApplicationFile) if file else ApplicationFile()
    words = {"channel": Channel, "handling": Channel, "reason": Reason}
    update: dict[str, Any] = {
        field: _word(words[field], text, f"--{field}") for field, text in given.items() if field in words and text
    }
    if given["papers"]:
        update["papers"] = tuple(_word(Paper, word, "--paper") for word in given["papers"])
    if given["key"]:
        update["key"] = given["key"]
    changes: dict[str, Any] = {field: text for field, text in person.items() if text}
    if "kind" in changes:
        changes["kind"] = _word(ApplicantKind, person["kind"], "--kind")
    applicant: ApplicantFile = wanted.applicant.model_copy(update=changes)
    return wanted.model_copy(update=update | {"applicant": applicant})


def _word(words: type[W], text: str, option: str) -> W:
    from sscard.document import suggestion

    try:
        return words(text)
    except ValueError:
        raise InputError(
            _("{option}: no {text!r}", option=option, text=text),
            remedy=suggestion(text, [word.value for word in words]),
        ) from None


@contextmanager
def _desk(
    url: str, key: Path | None, policy: Path | None = None, place: str = "", *, create: bool = True
) -> Iterator[tuple[PinService, SqlJournal]]:
    """The service with its journal; a journal that cannot go on is told in one line and ends with 1."""
    from sscard.issuer import find_place
    from sscard.service import JournalUnavailable, Overtaken, PinService, load_policy
    from sscard.service.journal.database import SqlJournal, load_key

    rules = load_policy(policy)
    where = find_place(place) if place else None
    journal = None
    try:
        journal = SqlJournal(
            url or str(_data_folder() / "journal.db"), load_key(key or _data_folder() / "journal.key"), create=create
        )
        yield PinService(_now, journal=journal, policy=rules, place=where), journal
    except (JournalUnavailable, Overtaken) as error:
        typer.echo(f"sscard: {error}", err=True)
        raise typer.Exit(1) from None
    finally:
        if journal is not None:
            journal.close()


@contextmanager
def _terminal(target: str, keys: Path | None) -> Iterator[CardSession | None]:
    """The terminal's session with the card, ``None`` without a card or with one it cannot speak to."""
    from sscard.cli.target import keys_of, open_target
    from sscard.hsm import SoftHsm
    from sscard.terminal import CardSession
    from sscard.terminal.errors import ApduError
    from sscard.transport.faults import TransportError

    if not target:
        yield None
        return
    with open_target(target) as connection:
        try:
            session = CardSession.start(connection, SoftHsm(keys_of(keys)))
        except (ApduError, TransportError) as error:
            typer.echo(_("the card cannot be read: {error}", error=error), err=True)
            session = None
        yield session
        if session is not None:
            session.close()


class _Told:
    """What came of a case, to be told at the end."""

    def __init__(self, found: Case) -> None:
        self.case = found
        self.texts: list[str] = []
        self._was_open = found.open

    @property
    def just_completed(self) -> bool:
        return self._was_open and self.case.stage.value == "completed"

    def say(self, text: str) -> None:
        self.texts.append(text)


def _serve(service: PinService, found: Case, session: CardSession | None, keypad: Keypad, *, key: str = "") -> _Told:
    """Take a case as far as it goes."""
    from sscard.service.counter import go_on

    told = _Told(found)
    told.say(go_on(service, found, session, keypad, key=key))
    return told


def _finish(told: _Told, as_json: bool, *, without_card: bool) -> None:
    """Tell, and end with 1 unless the case is completed, or accepted and waiting for its card."""
    from sscard.service import Stage

    _tell(told.case, told.texts, as_json)
    waits = without_card and told.case.stage is Stage.ACCEPTED
    if told.case.stage is not Stage.COMPLETED and not waits:
        raise typer.Exit(1)


def _trial(session: CardSession, keypad: Keypad, keys: Path | None, place: str) -> str:
    from sscard.cli.target import keys_of
    from sscard.hsm import SoftHsm
    from sscard.issuer import find_place
    from sscard.service.aftercare import try_at_pharmacy
    from sscard.terminal.errors import ApduError

    try:
        where = find_place(place or "tries-6")
        return try_at_pharmacy(session, SoftHsm(keys_of(keys)), where, keypad.new_pin(), _now()).text
    except ApduError as error:
        return _("the trial at the pharmacy failed: {error}", error=error)


def _end(service: PinService, found: Case, as_json: bool) -> NoReturn:
    from sscard.service import WrongStage

    try:
        told = service.abandon(found).text
    except WrongStage as error:
        raise InputError(_("--abandon: {error}", error=error)) from None
    _tell(found, [told], as_json)
    raise typer.Exit(0)


def _hand_over(service: PinService, found: Case, channel: Any) -> None:
    from sscard.service import Stage

    if found.stage is Stage.ACCEPTED and found.handling is not channel and not service.hand_over(found, channel):
        raise InputError(
            _(
                "--at: a case of channel {channel} cannot be handed over to {other}",
                channel=say(found.channel.words),
                other=say(channel.words),
            )
        )


def _found(cases: SqlJournal, number: str) -> Case:
    found = cases.case(number)
    if found is None:
        raise InputError(
            _("no case {number!r} in this journal", number=number), remedy=_("see them all with: sscard case list")
        )
    return found


def _keypad(new: str, old: str) -> Keypad:
    """Options stand for what the citizen types; each PIN is asked for at most once."""
    from functools import cache

    from sscard.cli.pins import checked_new_pin, checked_pin
    from sscard.service.counter import Keypad

    if new:
        checked_pin(new, "--new")
    if old and old != "none":
        checked_pin(old, "--old")

    @cache
    def new_pin() -> str:
        return checked_new_pin(new)

    @cache
    def old_pin() -> str:
        typed = old or typer.prompt(_("Old PIN"), hide_input=True)
        return "" if typed == "none" else checked_pin(typed, "--old")

    return Keypad(new_pin, old_pin)


def _tell(found: Case, told: list[str], as_json: bool) -> None:
    if as_json:
        _print_json(_content(found) | {"told": told})
        return
    typer.echo(f"{found.number} {say(found.stage.words)}")
    for text in told:
        typer.echo(text)
    if found.in_doubt:
        typer.echo(
            _(
                "in doubt: put the card back and go on with: sscard case resume {number} CARD",
                number=found.number,
            )
        )


def _show_list(cases: Iterable[Case], as_json: bool) -> None:
    if as_json:
        _print_json([_content(found) for found in cases])
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None)
    whole, folded = (_("case"), _("opened"), _("due")), (_("stage"), _("channel"), _("reason"), _("applicant"))
    for heading in (whole[0], *folded, *whole[1:]):
        table.add_column(heading, no_wrap=heading in whole)
    for found in cases:
        stage = say(found.stage.words)
        stage = _("{stage}, in doubt", stage=stage) if found.in_doubt else stage
        reason = say(found.reason_given.words) if found.reason_given else ""
        opened = f"{found.events[0].time:%Y-%m-%d}"
        due = found.due.day.isoformat() if found.due else ""
        table.add_row(found.number, stage, say(found.channel.words), reason, found.person.name, opened, due)
    Console(highlight=False).print(table)


def _lines(found: Case) -> Iterator[str]:
    """A case in words, its events one a line."""
    person = found.person
    stage = say(found.stage.words)
    yield f"{found.number} {_('{stage}, in doubt', stage=stage) if found.in_doubt else stage}"
    yield _(
        "channel: {channel}, handled at: {handling}",
        channel=say(found.channel.words),
        handling=say(found.handling.words),
    )
    yield _(
        "applicant: {name} ({kind}), {document} {number}",
        name=person.name,
        kind=say(person.kind.words),
        document=say(person.document.words),
        number=person.id_shown,
    )
    if found.due is not None:
        day = found.due.day
        yield _("due: {day}", day=day) if found.due.certain else _("due: {day} (only weekends counted)", day=day)
    for event in found.events:
        yield f"  {event.time:%Y-%m-%d %H:%M:%S} {padded(say(event.act.words), 12)} {event.text}"


def _content(found: Case) -> dict[str, Any]:
    """A case for programs."""
    return {
        "number": found.number,
        "stage": found.stage.value,
        "in_doubt": found.in_doubt,
        "channel": found.channel.value,
        "handling": found.handling.value,
        "reason": found.reason_given.value if found.reason_given else None,
        "applicant": {"name": found.person.name, "kind": found.person.kind.value, "id": found.person.id_shown},
        "opened": found.events[0].time.isoformat(),
        "due": found.due.day.isoformat() if found.due else None,
        "due_certain": found.due.certain if found.due else None,
    }


def _event(event: Event) -> dict[str, Any]:
    return {
        "time": event.time.isoformat(),
        "stage": event.stage.value,
        "act": event.act.value,
        "text": event.text,
    }


def _print_json(content: object) -> None:
    import json

    typer.echo(json.dumps(content, ensure_ascii=False, indent=1))


def _day(text: str) -> datetime | None:
    from datetime import datetime

    from sscard.service.workdays import CHINA

    try:
        return datetime.fromisoformat(text).replace(tzinfo=CHINA) if text else None
    except ValueError:
        raise InputError(_("--since: no day {text!r}", text=text), remedy=_("for example 2026-03-02")) from None


def _now() -> datetime:
    from datetime import datetime

    from sscard.service.workdays import CHINA

    return datetime.now(CHINA)


def _data_folder() -> Path:
    import os

    base = os.environ.get("XDG_DATA_HOME", "")
    return (Path(base) if base else Path.home() / ".local" / "share") / "sscard"
