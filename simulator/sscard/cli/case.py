"""``sscard case open|resume``: take a case of the service through the journal and to the card."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sscard.cli.application import CHANNEL, application_of, application_options, paper_option, proof_option
from sscard.cli.case_journal import archive, reindex, verify
from sscard.cli.case_list import list_cases, number_argument, overdue, show
from sscard.cli.case_output import print_answer
from sscard.cli.case_papers import card_of, check_card, check_hand_over, check_proof, hand_in
from sscard.cli.case_pins import check_pins, check_unused, keypad_of
from sscard.cli.case_settings import change_settings_option, check_settings, preset_of
from sscard.cli.case_stats import stats
from sscard.cli.chosen import chosen_holder_base, chosen_hsm
from sscard.cli.consult import consult, item_option
from sscard.cli.journal import case_of, check_journal, now_in_china, open_cases, service_of
from sscard.cli.options import (
    OR_NONE,
    holder_base_option,
    hsm_option,
    hsm_token_option,
    journal_key_option,
    journal_option,
    json_option,
    keys_option,
    new_pin_option,
    pin_option,
    place_option,
    sync_option,
)
from sscard.cli.types import CARD, FILE, SERVICE_POLICY
from sscard.cli.usage import argument, exclude, group, option
from sscard.errors import InputError
from sscard.i18n.language import N_, _

if TYPE_CHECKING:
    from sscard.hsm import Hsm
    from sscard.service import Case, Channel, Operation, Paper, PinService, ProofResult
    from sscard.service.counter import Keypad
    from sscard.terminal import CardSession

card_option = argument(
    "target",
    metavar=N_("CARD"),
    type=CARD,
    required=False,
    default="",
    help=N_("Card file, or pcsc[:READER]. Default: no card yet."),
)
old_option = pin_option(
    "--old",
    variable="SSCARD_PIN",
    default="",
    text=N_("Present PIN, for a change ('none': no PIN) or an unblock. Prompted for if it is not given."),
    expected=OR_NONE,
)
pharmacy_option = option("--pharmacy", is_flag=True, help=N_("Then try the PIN at a pharmacy terminal."))
policy_option = option(
    "--policy", type=SERVICE_POLICY, default="", help=N_("Policy of the service, by name or file. Default: page.")
)


@group("case")
def case() -> None:
    """Cases of the PIN service: open and resume them with cards, list them, check their journal."""


@case.command("open")
@card_option
@option("-f", "--application", type=FILE, help=N_("Application as YAML. Options override it."))
@application_options
@new_pin_option
@old_option
@pharmacy_option
@journal_option
@journal_key_option
@policy_option
@item_option
@place_option
@keys_option
@hsm_option
@hsm_token_option
@holder_base_option
@sync_option
@json_option
def open_case(
    target: str,
    application: Path | None,
    new: str,
    old: str,
    pharmacy: bool,
    journal: str,
    journal_key: Path | None,
    policy: str,
    item: Path | None,
    place: str,
    keys: Path | None,
    hsm: str,
    hsm_token: Path | None,
    holder_base: str,
    as_json: bool,
    **given: Any,
) -> None:
    """Open a case and process it: to the end with a card, to acceptance without one.

    Exits 1 if the case is refused or waits for papers or for an answer, or if
    the card did not complete the operation. Without a reason, a card that is
    among the papers, or a terminal to enter a PIN that is needed, no case is
    opened (exit code 2; 3 if the reader has no card).
    """
    from sscard.service import KeyTaken
    from sscard.service.counter import advance, needs_pin
    from sscard.service.journal.memory import MemoryJournal

    def needed() -> bool:
        rehearsal = over(MemoryJournal())
        case = rehearsal.intake(submitted)
        advance(rehearsal, case, None, keypad)
        return needs_pin(rehearsal, case)

    check_journal(journal)
    wanted = application_of(application, given)
    keypad = keypad_of(new, old)
    check_unused(wanted.reason, operated=bool(target))
    read_elsewhere = _(
        "give the card; or --handling and the channel that reads it; or the papers without it: --paper id-card"
    )
    check_card(target, wanted.papers, wanted.handling not in (None, wanted.channel), read_elsewhere)
    with (
        chosen_holder_base(holder_base, hsm_token) as base,
        chosen_hsm(hsm, keys, hsm_token) as behind,
        _terminal(target, behind) as session,
    ):
        submitted = wanted.application(card_of(session))
        over = service_of(policy, place, base, holder_base, item)
        if target:
            check_pins(new, old, wanted.reason, needed)
        with open_cases(journal, journal_key) as cases:
            service = over(cases)
            try:
                opened = service.intake(submitted, key=wanted.key)
            except KeyTaken as error:
                raise InputError(_("--key: {error}", error=error)) from None
            if opened.open:
                check_settings(opened, service.settings)
            _process(service, opened, session, behind, keypad, place if pharmacy else None, as_json, key=wanted.key)


@case.command("resume")
@number_argument
@card_option
@paper_option
@proof_option
@option("--at", type=CHANNEL, help=N_("Hand the case over to this channel, after acceptance."))
@option(
    "--retry-key",
    is_flag=True,
    help=N_("Read the card again although it refused the key of the HSM, at the cost of one try of the key."),
)
@option("--abandon", is_flag=True, help=N_("Close a case that is not continued."))
@change_settings_option
@new_pin_option
@old_option
@pharmacy_option
@journal_option
@journal_key_option
@policy_option
@item_option
@place_option
@keys_option
@hsm_option
@hsm_token_option
@holder_base_option
@sync_option
@json_option
def resume(
    number: str,
    target: str,
    papers: tuple[Paper, ...],
    proof: ProofResult | None,
    at: Channel | None,
    retry_key: bool,
    abandon: bool,
    change: bool,
    new: str,
    old: str,
    pharmacy: bool,
    journal: str,
    journal_key: Path | None,
    policy: str,
    item: Path | None,
    place: str,
    keys: Path | None,
    hsm: str,
    hsm_token: Path | None,
    holder_base: str,
    as_json: bool,
) -> None:
    """Continue a case: hand in papers, present the card, or resolve an operation that was interrupted.

    A case is continued with the --policy, --item, --place and --holder-base
    that it was opened with; presets of --policy and --place may be left out.
    Others exit 2, unless --change-settings records them.

    Exits as sscard case open.
    """
    from sscard.service import Case, Operation, Paper, Stage, WrongStage
    from sscard.service.counter import advance, needs_pin, read_paper, take_paper
    from sscard.service.intake import changed_settings
    from sscard.service.journal.memory import MemoryJournal

    def needed() -> bool:
        rehearsal = over(MemoryJournal(cases.key))
        copy = Case(found.number, found.events)
        hand_in(rehearsal, copy, papers, proof, card.data, at)
        advance(rehearsal, copy, None, keypad, at=at)
        return needs_pin(rehearsal, copy)

    keypad = keypad_of(new, old)
    with (
        chosen_holder_base(holder_base, hsm_token) as base,
        open_cases(journal, journal_key, create=False) as cases,
    ):
        found = case_of(cases, number)
        policy, place = preset_of(found, policy, "policy"), preset_of(found, place, "place")
        over = service_of(policy, place, base, holder_base, item)
        service = over(cases)
        check_unused(found.reason_given, operated=bool(target) and found.open and not abandon)
        if abandon:
            exclude("--abandon", ("--at", "--paper", "--proof"))
            try:
                print_answer(found, [service.abandon(found).text], as_json)
            except WrongStage as error:
                raise InputError(_("--abandon: {error}", error=error)) from None
            return
        if found.open and not change:
            check_settings(found, service.settings)
        if at and at is not found.handling:
            check_hand_over(found, at)
        check_proof(found, proof)
        handed = found.stage is Stage.SUPPLEMENT and Paper.SOCIAL_SECURITY_CARD in papers
        if handed:
            give = _("give the card: sscard case resume {number} CARD", number=number)
            check_card(target, papers, found.handling is not found.channel, give)
        with chosen_hsm(hsm, keys, hsm_token) as behind, _terminal(target, behind) as session:
            card = read_paper(found, session if handed else None, retry_key=retry_key)
            if target and found.open and not card.refused:
                tried = found.stage is Stage.OPERATED and found.operation is Operation.CHANGE  # with the new PIN only
                check_pins(new, old or ("none" if tried else ""), found.reason_given, needed)
            if change and found.open and service.settings not in (None, found.settings):
                cases.append(found, changed_settings(now_in_china(), found.stage, service.settings))
            if take_paper(service, found, card) is None:
                hand_in(service, found, papers, proof, card.data, at)
            trial = place if pharmacy else None
            _process(service, found, session, behind, keypad, trial, as_json, at=at, retry_key=retry_key)


for reading in (list_cases, overdue, show, stats, archive, verify, reindex, consult):
    case.add_command(reading)


@contextmanager
def _terminal(target: str, hsm: Hsm) -> Iterator[CardSession | None]:
    """The terminal's session with the card, ``None`` without a card or with one it cannot speak to.

    An HSM that cannot be asked ends the command before anything of the case is written.
    """
    from sscard.cli.target import open_target
    from sscard.hsm import HsmError, HsmUnavailable
    from sscard.terminal import CardSession
    from sscard.terminal.errors import ApduError
    from sscard.transport.faults import CardRemoved, TransportError

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
        except CardRemoved:  # there is no card, so there is no case
            raise
        except (ApduError, TransportError) as error:
            click.echo(_("the card cannot be read: {error}", error=error), err=True)
            session = None
        yield session
        if session is not None:
            session.close()


def _process(
    service: PinService,
    found: Case,
    session: CardSession | None,
    hsm: Hsm,
    keypad: Keypad,
    pharmacy: str | None,
    as_json: bool,
    *,
    key: str = "",
    at: Channel | None = None,
    retry_key: bool = False,
) -> None:
    """Take a case as far as it goes and print the result; ``pharmacy`` is the place policy of the PIN's trial.

    Exit code 1 unless the case is completed, or accepted and waiting for its card.
    """
    from sscard.service import Stage
    from sscard.service.counter import advance

    was_open = found.open
    texts = [advance(service, found, session, keypad, key=key, at=at, retry_key=retry_key)]
    completed = found.stage is Stage.COMPLETED
    if pharmacy is not None and was_open and completed and session is not None:
        texts.append(_trial(session, hsm, keypad.pin_after(found.operation), pharmacy, found.operation))
    print_answer(found, texts, as_json)
    if not completed and not (session is None and found.stage is Stage.ACCEPTED and not found.waits):
        raise SystemExit(1)


def _trial(session: CardSession, hsm: Hsm, pin: str, place: str, operation: Operation) -> str:
    from sscard.hsm import HsmError
    from sscard.issuer.lookup import find_place
    from sscard.issuer.places import DEFAULT_PLACE
    from sscard.service.aftercare import try_at_pharmacy
    from sscard.terminal.errors import ApduError

    try:
        where = find_place(place or DEFAULT_PLACE)
        return try_at_pharmacy(session, hsm, where, pin, now_in_china(), operation).text
    except (ApduError, HsmError) as error:
        return _("the trial at the pharmacy failed: {error}", error=error)
