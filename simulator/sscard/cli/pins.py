"""``sscard verify-pin``, ``change-pin``, ``reset-pin``, ``unblock-pin``: the terminal's operations on one card."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sscard.cli.hsm import HsmToken, HsmUrl, Keys, chosen_hsm
from sscard.cli.target import TARGET_HELP, open_target
from sscard.errors import InputError, said_by
from sscard.i18n.language import _, say

if TYPE_CHECKING:
    from sscard.terminal import CardSession

Target = Annotated[str, typer.Argument(help=TARGET_HELP)]
NewPin = Annotated[str, typer.Option("--new", help=_("The new PIN, 4 to 16 digits; asked for where not given."))]


def verify_pin(
    target: Target,
    pin: Annotated[str, typer.Option(help=_("4 to 16 digits; asked for where not given."))] = "",
    keys: Keys = None,
) -> None:
    """Try a PIN on a card."""
    given = _given(pin, "--pin", _("PIN"))
    with _session(target, keys) as session:
        session.verify_pin(given)
        typer.echo(_("PIN is right"))


def change_pin(
    target: Target,
    old: Annotated[str, typer.Option(help=_("The PIN now, or 'none'; asked for where not given."))] = "",
    new: NewPin = "",
    keys: Keys = None,
) -> None:
    """Change the PIN: the holder knows the old one."""
    before = "" if old == "none" else _given(old, "--old", _("Old PIN"))
    after = checked_new_pin(new)
    with _session(target, keys) as session:
        session.change_pin(before, after)
        typer.echo(_("PIN changed"))


def reset_pin(
    target: Target, new: NewPin = "", keys: Keys = None, hsm: HsmUrl = "", hsm_token: HsmToken = None
) -> None:
    """Reset the PIN: the issuer sets a new one."""
    after = checked_new_pin(new)
    with _session(target, keys, hsm, hsm_token) as session:
        session.reset_pin(after)
        _tell_tries(session, _("PIN reset"))


def unblock_pin(target: Target, keys: Keys = None, hsm: HsmUrl = "", hsm_token: HsmToken = None) -> None:
    """Unblock the PIN: the old one is valid again."""
    with _session(target, keys, hsm, hsm_token) as session:
        session.unblock_pin()
        _tell_tries(session, _("PIN unblocked"))


def checked_pin(pin: str, option: str) -> str:
    """A PIN of 4–16 digits; ``InputError`` names the option and never repeats the PIN."""
    from sscard.standard.encoding import encode_pin

    try:
        if encode_pin(pin):
            return pin
    except ValueError as error:
        raise InputError(f"{option}: {say(said_by(error))}", remedy=_("for example 123456")) from None
    raise InputError(_("{option}: a PIN has 4 to 16 digits, got none", option=option))


def _given(pin: str, option: str, prompt: str) -> str:
    return checked_pin(pin or typer.prompt(prompt, hide_input=True), option)


def checked_new_pin(pin: str) -> str:
    """The PIN that is given, else asked for twice."""
    if pin:
        return checked_pin(pin, "--new")
    first = _given("", "--new", _("New PIN"))
    if first != typer.prompt(_("New PIN once more"), hide_input=True):
        raise InputError(_("the two entries differ"), remedy=_("enter the new PIN twice, the same"))
    return first


@contextmanager
def _session(target: str, keys: Path | None, hsm: str = "", hsm_token: Path | None = None) -> Iterator[CardSession]:
    """A card session; a refusal of the card or the HSM is told in one line and ends with 1."""
    from sscard.terminal import CardSession
    from sscard.terminal.errors import ApduError

    with chosen_hsm(hsm, keys, hsm_token) as behind, open_target(target) as connection:
        try:
            session = CardSession.start(connection, behind)
            yield session
            session.close()
        except ApduError as error:
            typer.echo(_("the card refused: {error}", error=error), err=True)
            raise typer.Exit(1) from None


def _tell_tries(session: CardSession, done: str) -> None:
    tries = session.tries_left()
    typer.echo(_("{done}, {tries} tries left", done=done, tries=tries))
