"""PIN entry at the driver: prompts, lengths, repeated entry, and the PIN rules of a place."""

from __future__ import annotations

from sscard.driver.errors import Code, DriverError
from sscard.i18n.phrase import Phrase
from sscard.issuer.places import PinUse, Place
from sscard.standard.cipher import equal
from sscard.standard.encoding import PIN_MIN_DIGITS
from sscard.terminal.flow import AskPin, Flow
from sscard.terminal.pinpad import ENTER_AGAIN, ENTER_NEW, EntryCancelled, EntryTimedOut, PinPad, standard_prompt


class PinEntry:
    """The PIN pad with the rules of the place; PINs are digits and never stored."""

    def __init__(self, pad: PinPad, longest: int, place: Place | None) -> None:
        self._pad = pad
        self._longest = longest
        self._place = place

    @property
    def needs_id_number(self) -> bool:
        """Whether the initial PIN is derived from the holder's ID number."""
        return self._place is not None and self._place.restricts_initial and self._place.initial_depends_on_id

    @property
    def rules_need_id_number(self) -> bool:
        """Whether the place's rules for new PINs depend on the holder's ID number."""
        return self._place is not None and self._place.rules_depend_on_id

    def initial_pin(self, id_number: str) -> str:
        """The holder's initial PIN if the place restricts it; empty if it does not or the PIN cannot be determined."""
        if self._place is None or not self._place.restricts_initial:
            return ""
        return self._place.initial_pin_by(id_number)

    def ask(self, prompt: Phrase) -> str:
        """A PIN as entered; −31 cancelled, −32 timed out, −41 invalid characters, −33 wrong length."""
        try:
            pin = self._pad.enter(standard_prompt(prompt))
        except EntryCancelled:
            raise DriverError(Code.CANCELLED) from None
        except EntryTimedOut:
            raise DriverError(Code.TIMED_OUT) from None
        return self._checked(pin)

    def given(self, pin: str) -> str:
        """The digits of a PIN that the program gives, in place of ``ask``.

        An odd number of digits ends with the program's own F; without it −33,
        because existing drivers lose the last digit (driver-api.md §3.1).
        """
        if len(pin) % 2:
            raise DriverError(Code.PIN_LENGTH)
        return self._checked(pin[:-1] if pin.endswith(("F", "f")) else pin)

    def ask_new(self, id_number: str) -> Flow[str]:
        """A new PIN entered twice; −34 if the entries differ, −36 if the place does not permit it."""
        pin: str = yield AskPin(ENTER_NEW)
        if not _same(pin, (yield AskPin(ENTER_AGAIN))):
            raise DriverError(Code.PINS_DIFFER)
        self.check_new(pin, id_number)
        return pin

    def check_new(self, pin: str, id_number: str) -> None:
        """Raise −36 if the place does not permit a new PIN; ``id_number`` is used if ``rules_need_id_number``."""
        if self._place is not None and self._place.refusal(pin, id_number) is not None:
            raise DriverError(Code.TO_INITIAL_PIN)

    def permit(self, pin: str, initial: str, use: PinUse) -> None:
        """Raise −35 if the place forbids this use of the initial PIN."""
        if self._place and use in self._place.initial_rule.forbids and _same(pin, initial):
            raise DriverError(Code.INITIAL_PIN)

    def _checked(self, pin: str) -> str:
        if not PIN_MIN_DIGITS <= len(pin) <= self._longest:
            raise DriverError(Code.PIN_LENGTH)
        if not (pin.isascii() and pin.isdigit()):
            raise DriverError(Code.CHARACTERS)
        return pin


def _same(one: str, other: str) -> bool:
    return equal(one.encode(), other.encode())
