"""``sscard verify-pin``, ``change-pin``, ``reset-pin``, ``unblock-pin``: the terminal's operations on one card."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from sscard.cli.chosen import chosen_hsm, default_token_file
from sscard.cli.options import (
    OR_NONE,
    card_argument,
    force_option,
    hsm_option,
    hsm_token_option,
    json_option,
    keys_option,
    new_pin_option,
    pin_option,
    rules_option,
    sync_option,
    trace_option,
)
from sscard.cli.output import check_output, print_json, written_trace
from sscard.cli.prompt import ask_secret, checked_pin, in_a_file
from sscard.cli.target import open_target
from sscard.cli.usage import command
from sscard.errors import InputError
from sscard.i18n.language import N_, _
from sscard.i18n.phrase import Phrase

if TYPE_CHECKING:
    from sscard.issuer import Place
    from sscard.terminal import CardSession


@command("verify-pin")
@card_argument
@pin_option(
    "--pin", variable="SSCARD_PIN", default="", text=N_("PIN, 4 to 16 digits. Prompted for if it is not given.")
)
@keys_option
@trace_option
@force_option
@json_option
@sync_option
def verify_pin(target: str, pin: str, keys: Path | None, trace: Path | None, force: bool, as_json: bool) -> None:
    """Verify the PIN of a card. Exits 1 if it is wrong, with the tries left."""
    with _session(target, keys, trace=trace, force=force, as_json=as_json) as session:
        session.verify_pin(_given(pin, "--pin", _("PIN")))
        _report(_("PIN is right"), as_json=as_json)


@command("change-pin")
@card_argument
@pin_option(
    "--old",
    variable="SSCARD_PIN",
    default="",
    text=N_("Present PIN, or 'none'. Prompted for if it is not given."),
    expected=OR_NONE,
)
@new_pin_option
@rules_option
@keys_option
@trace_option
@force_option
@json_option
@sync_option
def change_pin(
    target: str, old: str, new: str, place: str, keys: Path | None, trace: Path | None, force: bool, as_json: bool
) -> None:
    """Change the PIN: the holder knows the old one.

    With --place, exits 1 if the place does not permit the new PIN; the card is not changed.
    """
    where = _place(place)
    with _session(target, keys, trace=trace, force=force, as_json=as_json) as session:
        before = "" if old == "none" else _given(old, "--old", _("Old PIN"))
        session.change_pin(before, _permitted(session, where, checked_new_pin(new), as_json=as_json))
        _report(_("PIN changed"), as_json=as_json)


@command("reset-pin")
@card_argument
@new_pin_option
@rules_option
@keys_option
@hsm_option
@hsm_token_option
@trace_option
@force_option
@json_option
@sync_option
def reset_pin(
    target: str,
    new: str,
    place: str,
    keys: Path | None,
    hsm: str,
    hsm_token: Path | None,
    trace: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Reset the PIN: the issuer sets a new one.

    With --place, exits 1 if the place does not permit the new PIN; the card is not changed.
    """
    where = _place(place)
    with _session(target, keys, hsm, hsm_token, trace=trace, force=force, as_json=as_json) as session:
        session.reset_pin(_permitted(session, where, checked_new_pin(new), as_json=as_json))
        _report(_("PIN reset"), session.tries_left(), as_json=as_json)


@command("unblock-pin")
@card_argument
@keys_option
@hsm_option
@hsm_token_option
@trace_option
@force_option
@json_option
@sync_option
def unblock_pin(
    target: str, keys: Path | None, hsm: str, hsm_token: Path | None, trace: Path | None, force: bool, as_json: bool
) -> None:
    """Unblock the PIN: the old one is valid again."""
    with _session(target, keys, hsm, hsm_token, trace=trace, force=force, as_json=as_json) as session:
        session.unblock_pin()
        _report(_("PIN unblocked"), session.tries_left(), as_json=as_json)


def _place(name: str) -> Place | None:
    """The place policy of ``--place``, ``None`` without one."""
    from sscard.issuer import find_place

    return find_place(name) if name else None


def _permitted(session: CardSession, place: Place | None, pin: str, *, as_json: bool) -> str:
    """A new PIN, if the place permits it; otherwise print why and exit with code 1."""
    from sscard.terminal import AuthenticationFailed
    from sscard.terminal.newpin import UNREADABLE, refusal_of

    try:
        refused = refusal_of(place, session, pin) if place else None
    except AuthenticationFailed as error:
        refused = UNREADABLE.filled(error=error.said)
    if refused is not None:
        _refuse(_("refused, and the card is unchanged: {reason}", reason=refused), None, None, as_json=as_json)
    return pin


def _refuse(said: str, status: str | None, tries: int | None, *, as_json: bool) -> NoReturn:
    """Print a refusal and exit with code 1; no ``status`` if the card was not asked."""
    click.echo(said, err=True)
    if as_json:
        print_json("pin", {"done": False, "said": said, "status": status, "tries_left": tries})
    raise SystemExit(1) from None


def _given(pin: str, option: str, prompt: str) -> str:
    return checked_pin(pin or ask_secret(prompt, in_a_file(option)), option)


def checked_new_pin(pin: str) -> str:
    """The PIN that is given, else asked for twice."""
    if pin:
        return checked_pin(pin, "--new")
    first = _given("", "--new", _("New PIN"))
    if first != _given("", "--new", _("New PIN once more")):
        raise InputError(_("the two entries differ"), remedy=_("enter the new PIN twice, the same"))
    return first


@contextmanager
def _session(
    target: str,
    keys: Path | None,
    hsm: str = "",
    hsm_token: Path | None = None,
    *,
    trace: Path | None,
    force: bool,
    as_json: bool,
) -> Iterator[CardSession]:
    """A card session; if the card or the HSM refuses, print one line and exit with code 1."""
    from sscard.terminal import CardSession
    from sscard.terminal.errors import ApduError

    if trace is not None:
        check_output(trace, [default_token_file()], replace=force)
    with ExitStack() as opened:
        behind = opened.enter_context(chosen_hsm(hsm, keys, hsm_token))
        connection = opened.enter_context(open_target(target))
        if trace is not None:
            from sscard.conversation import Recorder

            connection = Recorder(connection, heard=opened.enter_context(written_trace(trace)))
        try:
            session = CardSession.start(connection, behind)
            yield session
            session.close()
        except ApduError as error:
            from sscard.standard.apdu import tries_in

            refusal = _("the card refused: {error}", error=error)
            _refuse(refusal, f"{error.sw:04X}", tries_in(error.sw), as_json=as_json)


def _report(done: str, tries: int | None = None, *, as_json: bool) -> None:
    """Print what was done, and the tries left if the card was asked for them."""
    if as_json:
        print_json("pin", {"done": True, "said": done, "status": "9000", "tries_left": tries})
        return
    if tries is not None:
        left = Phrase.plural("{count} try left", "{count} tries left", count=tries)
        done = _("{done}, {left}", done=done, left=left)
    click.echo(done)
