"""``sscard case open|list|show|resume|overdue|verify``: the service's cases in the journal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from sscard.cli.case_output import print_answer, print_list, print_verification, print_whole
from sscard.cli.hsm import HsmToken, HsmUrl, Keys, chosen_hsm
from sscard.cli.journal import JournalKey, JournalUrl, case_of, now_in_china, open_service
from sscard.cli.usage import Commands
from sscard.errors import InputError
from sscard.i18n.language import _, say

if TYPE_CHECKING:
    from sscard.hsm import Hsm
    from sscard.service import Case, PinService
    from sscard.service.counter import ApplicationFile, Keypad
    from sscard.service.words import Word
    from sscard.terminal import CardSession

    W = TypeVar("W", bound=Word)

case = Commands(
    help=_("Cases of the PIN service: run them on cards, look at them, check their journal."),
)

Target = Annotated[str, typer.Argument(metavar="[CARD]", help=_("A card image, or pcsc[:READER]; none: no card yet."))]
Number = Annotated[str, typer.Argument(help=_("The case's number."))]
PolicyFile = Annotated[
    Path | None, typer.Option("--policy", metavar="FILE", help=_("The place's policy of the service."))
]
PlaceName = Annotated[str, typer.Option("--place", metavar="P", help=_("A place policy: which PIN counts as initial."))]
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
    hsm: HsmUrl = "",
    hsm_token: HsmToken = None,
    as_json: AsJson = False,
) -> None:
    """Open a case and take it as far as it goes: to the end with a card, to acceptance without one.

    Ends with 1 where the case is refused, waits for papers, or the card did not do it.
    """
    from sscard.service.counter import read_card

    given = {"channel": channel, "handling": handling, "reason": reason, "key": key, "papers": paper or []}
    wanted = _application(application, given, {"name": name, "id_number": id_number, "kind": kind})
    keypad = _keypad(new, old)
    with (
        open_service(journal, journal_key, policy, place) as (service, _),
        chosen_hsm(hsm, keys, hsm_token) as behind,
        _terminal(target, behind) as session,
    ):
        opened = service.intake(wanted.application(read_card(session)), key=wanted.key)
        told = _serve(service, opened, session, keypad, key=wanted.key)
        if pharmacy and told.just_completed and session is not None:
            told.say(_trial(session, behind, keypad, place))
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
    hsm: HsmUrl = "",
    hsm_token: HsmToken = None,
    as_json: AsJson = False,
) -> None:
    """Go on with a case where it stands: bring papers, the card, or clear up what a broken-off operation came to."""
    from sscard.service import Channel, Paper, Stage, WrongStage
    from sscard.service.counter import read_card

    brought = [_word(Paper, word, "--paper") for word in paper or []]
    keypad = _keypad(new, old)
    with open_service(journal, journal_key, policy, place, create=False) as (service, cases):
        found = case_of(cases, number)
        if abandon:
            try:
                print_answer(found, [service.abandon(found).text], as_json)
            except WrongStage as error:
                raise InputError(_("--abandon: {error}", error=error)) from None
            return
        with chosen_hsm(hsm, keys, hsm_token) as behind, _terminal(target, behind) as session:
            if found.stage is Stage.SUPPLEMENT:
                service.supplement(
                    found, brought, read_card(session) if Paper.SOCIAL_SECURITY_CARD in brought else None
                )
            if at:
                _hand_over(service, found, _word(Channel, at, "--at"))
            told = _serve(service, found, session, keypad)
            if pharmacy and told.just_completed and session is not None:
                told.say(_trial(session, behind, keypad, place))
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
    from datetime import datetime

    from sscard.service import Channel, Reason, Stage
    from sscard.service.workdays import CHINA

    try:
        day = datetime.fromisoformat(since).replace(tzinfo=CHINA) if since else None
    except ValueError:
        raise InputError(_("--since: no day {text!r}", text=since), remedy=_("for example 2026-03-02")) from None
    stages = [_word(Stage, stage, "--stage")] if stage else list(Stage)
    wanted = _word(Channel, channel, "--channel") if channel else None
    why = _word(Reason, reason, "--reason") if reason else None
    with open_service(journal, journal_key, create=False) as (__, cases):
        print_list(
            (
                found
                for found in cases.cases(stages, day)
                if wanted in (None, found.channel) and why in (None, found.reason_given)
            ),
            as_json,
        )


@case.command()
def overdue(journal: JournalUrl = "", journal_key: JournalKey = None, as_json: AsJson = False) -> None:
    """List accepted cases whose last day is over."""
    from sscard.service import Stage
    from sscard.service.workdays import day_in_china

    today = day_in_china(now_in_china())
    with open_service(journal, journal_key, create=False) as (__, cases):
        waiting = cases.cases([Stage.ACCEPTED, Stage.OPERATED])
        print_list((found for found in waiting if found.is_overdue(today)), as_json)


@case.command()
def show(number: Number, journal: JournalUrl = "", journal_key: JournalKey = None, as_json: AsJson = False) -> None:
    """Show a case with all its events."""
    with open_service(journal, journal_key, create=False) as (__, cases):
        found = case_of(cases, number)
    print_whole(found, as_json)


@case.command()
def verify(journal: JournalUrl = "", journal_key: JournalKey = None, as_json: AsJson = False) -> None:
    """Check the journal's chain; ends with 1 where an event was removed, edited or moved."""
    with open_service(journal, journal_key, create=False) as (__, cases):
        found = cases.verify()
    print_verification(found, as_json)
    if found.findings:
        raise typer.Exit(1)


def _application(file: Path | None, given: dict[str, Any], person: dict[str, str]) -> ApplicationFile:
    """The application of a file, with what the options say instead."""
    from sscard.document import read_document
    from sscard.service import ApplicantKind, Channel, Paper, Reason
    from sscard.service.counter import ApplicationFile

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
    return wanted.model_copy(update=update | {"applicant": wanted.applicant.model_copy(update=changes)})


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
def _terminal(target: str, hsm: Hsm) -> Iterator[CardSession | None]:
    """The terminal's session with the card, ``None`` without a card or with one it cannot speak to.

    An HSM that cannot be asked ends the command before anything of the case is written.
    """
    from sscard.cli.target import open_target
    from sscard.hsm import HsmError, HsmUnavailable
    from sscard.terminal import CardSession
    from sscard.terminal.errors import ApduError
    from sscard.transport.faults import TransportError

    if not target:
        yield None
        return
    try:
        hsm.address_of("PUK")
    except HsmUnavailable:
        raise
    except HsmError:
        pass  # not every operation needs this key
    with open_target(target) as connection:
        try:
            session = CardSession.start(connection, hsm)
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

    print_answer(told.case, told.texts, as_json)
    waits = without_card and told.case.stage is Stage.ACCEPTED
    if told.case.stage is not Stage.COMPLETED and not waits:
        raise typer.Exit(1)


def _trial(session: CardSession, hsm: Hsm, keypad: Keypad, place: str) -> str:
    from sscard.hsm import HsmError
    from sscard.issuer import find_place
    from sscard.service.aftercare import try_at_pharmacy
    from sscard.terminal.errors import ApduError

    try:
        where = find_place(place or "tries-6")
        return try_at_pharmacy(session, hsm, where, keypad.new_pin(), now_in_china()).text
    except (ApduError, HsmError) as error:
        return _("the trial at the pharmacy failed: {error}", error=error)


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
