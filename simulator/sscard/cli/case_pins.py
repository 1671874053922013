"""The PINs of a case: checked before it is opened or resumed, and entered when they are needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sscard.cli.options import is_typed
from sscard.cli.prompt import ask_secret
from sscard.cli.target import tell
from sscard.errors import InputError
from sscard.i18n.language import _

if TYPE_CHECKING:
    from sscard.service import Reason
    from sscard.service.counter import Keypad


def check_pins(new: str, old: str, reason: Reason | None, needed: Callable[[], bool]) -> None:
    """``InputError`` if a PIN that the case needs is not given and cannot be entered.

    ``needed`` says whether the case, in a journal in memory, gets to its operation; if not, it needs no PIN.
    """
    from sscard.cli.prompt import check_entry
    from sscard.service import Operation

    if reason is None:
        return
    try:
        if not new and not reason.operation.keeps_pin:
            check_entry("--new", _("New PIN"))
        if not old and reason.operation is not Operation.RESET:
            check_entry("--old", _("Old PIN") if reason.operation is Operation.CHANGE else _("PIN"))
    except InputError:
        if needed():
            raise


def check_unused(reason: Reason | None, *, operated: bool = True) -> None:
    """Say which PINs of the command line are not used; ``InputError`` for a new one that an unblock would not set.

    ``operated``: whether the card can be operated by this command.
    """
    from sscard.service import Operation

    operation = reason.operation if reason and operated else None
    if reason and reason.operation.keeps_pin and is_typed("--new"):
        raise InputError(
            _("--new: an unblock keeps the PIN of the card"),
            remedy=_("leave it out; or apply for a new PIN: --reason locked"),
        )
    unused = {None: ("--new", "--old"), Operation.RESET: ("--old",)}.get(operation, ())
    for flag in filter(is_typed, unused):
        why = _("a reset needs no old PIN") if operation else _("the card is not operated now")
        tell(_("note: {option} is not used: {why}", option=flag, why=why))


def keypad_of(new: str, old: str) -> Keypad:
    """Options stand for what the citizen types; each PIN is asked for at most once."""
    from functools import cache

    from sscard.cli.pins import checked_new_pin
    from sscard.cli.prompt import checked_pin, in_a_file
    from sscard.service.counter import Keypad

    if new:
        checked_pin(new, "--new")
    if old and old != "none":
        checked_pin(old, "--old")

    @cache
    def new_pin() -> str:
        return checked_new_pin(new)

    @cache
    def old_pin(prompt: str) -> str:
        return old or ask_secret(prompt, in_a_file("--old"))

    def changed_pin() -> str:
        typed = old_pin(_("Old PIN"))
        return "" if typed == "none" else checked_pin(typed, "--old")

    return Keypad(new_pin, changed_pin, lambda: checked_pin(old_pin(_("PIN")), "--old"))
