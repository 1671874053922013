"""What a terminal owes the holder around an operation (terminal flows §1 and §8).

Before: is the card genuine, may it be served here, must a PIN be given. After
a card that left too early: is it the same card, and did the operation happen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from enum import Enum
from typing import Protocol

from sscard.driver.card import GENERATIONS, DriverCard, IssuerData
from sscard.driver.errors import Code, DriverError
from sscard.i18n.language import N_, _
from sscard.standard.apdu import SW
from sscard.standard.applications import DF04
from sscard.standard.cipher import equal
from sscard.terminal.card import Identity
from sscard.terminal.errors import ApduError, PinBlocked, WrongPin

PURCHASE = 0x02


class Finding(Enum):
    """Why a card is not served."""

    NOT_GENUINE = N_("internal authentication failed: the card is not genuine")
    BLACKLISTED = N_("the card is on the black list")
    UNSUPPORTED_BODY = N_("cards of this initializing body are not served")
    UNSUPPORTED_CATEGORY = N_("cards of this category are not served")
    UNSUPPORTED_VERSION = N_("cards of this version are not served")
    EXPIRED = N_("the card has expired")

    @property
    def text(self) -> str:
        """For the operator."""
        return _(self.value)


@dataclass(frozen=True, slots=True)
class Blacklist:
    """The black list (黑名单): single cards, and ranges of card numbers, both ends included."""

    cards: frozenset[Identity] = frozenset()
    ranges: tuple[tuple[str, str], ...] = ()

    def holds(self, card: Identity) -> bool:
        """Whether a card is on the list."""
        return card in self.cards or any(first <= card.card_number <= last for first, last in self.ranges)


@dataclass(frozen=True, slots=True)
class TerminalRules:
    """Which cards a terminal serves; ``None`` is all.

    ``bodies`` are beginnings of the initializing body number (24 digits),
    ``categories`` the characters of item 02, ``versions`` "1.0", "2.0", "3.0".
    """

    blacklist: Blacklist = field(default_factory=Blacklist)
    bodies: tuple[str, ...] | None = None
    categories: frozenset[str] | None = None
    versions: frozenset[str] = frozenset(GENERATIONS)

    def findings(self, issuer: IssuerData, today: date) -> tuple[Finding, ...]:
        """Everything in EF05 that speaks against a card (flows §1.4b)."""
        checks = (
            (self.blacklist.holds(issuer.identity), Finding.BLACKLISTED),
            (self.bodies is not None and not issuer.body.startswith(self.bodies), Finding.UNSUPPORTED_BODY),
            (self.categories is not None and issuer.category not in self.categories, Finding.UNSUPPORTED_CATEGORY),
            (issuer.generation not in self.versions, Finding.UNSUPPORTED_VERSION),
            (is_expired(issuer.expires, today), Finding.EXPIRED),
        )
        return tuple(finding for found, finding in checks if found)


@dataclass(frozen=True, slots=True)
class Admission:
    """What pre-processing (交易预处理) found; ``tries_left`` is ``None`` where no PIN need be given."""

    findings: tuple[Finding, ...]
    tries_left: int | None

    @property
    def admitted(self) -> bool:
        """Whether the card is served."""
        return not self.findings

    @property
    def pin_needed(self) -> bool:
        return self.tries_left is not None


Prover = Callable[[bytes, bytes], bytes]
"""Process factor(8), original data(8) → authentication data(8) [‖ more] of IRK, by PSAM or HSM."""


def pre_process(card: DriverCard, prove: Prover, rules: TerminalRules, today: date) -> Admission:
    """Flows §1.4 to §1.6: a card that is not genuine is asked nothing more."""
    if not is_genuine(card, prove):
        return Admission((Finding.NOT_GENUINE,), None)
    findings = rules.findings(card.issuer, today)
    return Admission(findings, None if findings else card.tries_left())


def is_genuine(card: DriverCard, prove: Prover) -> bool:
    """Internal authentication (内部认证) over two randoms of the card."""
    original, factor = card.two_challenges()
    expected = prove(factor, original)
    proof = card.internal_authentication(factor, original)
    return equal(expected[: len(proof)], proof)


def is_expired(expires: str, today: date) -> bool:
    """Whether a day YYYYMMDD is over; an unwritten one never is."""
    return bool(expires) and expires < f"{today:%Y%m%d}"


class Standing(Enum):
    """How an operation stands after its answer did not come, and what to do."""

    OTHER_CARD = N_("not the card that was there before: give up")
    DONE = N_("the card did it")
    NOT_DONE = N_("the card did not do it: begin again")
    PIN_BLOCKED = N_("the PIN is blocked")
    UNDECIDED = N_("nobody can tell whether the card did it: let the holder try the PIN")


@dataclass(frozen=True, slots=True)
class Recovery:
    """What a re-inserted card says; ``tac`` of a purchase that was completed."""

    standing: Standing
    tries_left: int | None = None
    tac: bytes = b""

    @property
    def text(self) -> str:
        """For the operator."""
        return _(self.standing.value)


class PinCard(Protocol):
    """A re-inserted card, identified: a ``DriverCard`` or a ``CardSession``."""

    @property
    def identity(self) -> Identity: ...

    def tries_left(self) -> int | None:
        """Tries left of the PIN; ``None`` where the card has none."""

    def verify_pin(self, pin: str) -> None:
        """VERIFY; a wrong PIN raises."""


def recover_change(card: PinCard, expected: Identity, old: str, new: str) -> Recovery:
    """After a PIN change (修改): try the new PIN, then the old one (flows §8).

    No try is spent that could block the PIN: with one left the holder is asked.
    """
    if card.identity != expected:
        return Recovery(Standing.OTHER_CARD)
    tries = card.tries_left()
    if tries is None:
        return Recovery(Standing.UNDECIDED if old and new else Standing.DONE if old else Standing.NOT_DONE)
    if tries == 0:
        return Recovery(Standing.PIN_BLOCKED, 0)
    for pin, standing in ((new, Standing.DONE), (old, Standing.NOT_DONE)):
        if pin and (card.tries_left() or 0) > 1 and _is_pin(card, pin):
            return Recovery(standing, card.tries_left())
    return Recovery(Standing.UNDECIDED, card.tries_left())


def recover_reset(card: PinCard, expected: Identity, new: str) -> Recovery:
    """After a PIN reset (重置): is the new PIN valid? A doubt counts as not done: to reset again does no harm."""
    if card.identity != expected:
        return Recovery(Standing.OTHER_CARD)
    if (card.tries_left() or 0) > 1 and _is_pin(card, new):
        return Recovery(Standing.DONE, card.tries_left())
    return Recovery(Standing.NOT_DONE, card.tries_left())


def recover_unblock(card: PinCard, expected: Identity) -> Recovery:
    """After a PIN unblock (解锁): are there tries again?"""
    if card.identity != expected:
        return Recovery(Standing.OTHER_CARD)
    tries = card.tries_left()
    return Recovery(Standing.NOT_DONE if tries == 0 else Standing.DONE, tries)


def recover_purchase(card: DriverCard, expected: Identity, count: int) -> Recovery:
    """After DEBIT FOR PURCHASE: the card's proof of this count, or 9406: nothing was taken."""
    if card.identity != expected:
        return Recovery(Standing.OTHER_CARD)
    card.enter(DF04)
    try:
        _, tac = card.transaction_proof(PURCHASE, count)
    except ApduError as error:
        if error.sw != SW.MAC_NOT_AVAILABLE:
            raise
        return Recovery(Standing.NOT_DONE)
    return Recovery(Standing.DONE, tac=tac)


def _is_pin(card: PinCard, pin: str) -> bool:
    try:
        card.verify_pin(pin)
    except (WrongPin, PinBlocked):
        return False
    except DriverError as error:
        if error.code not in (Code.PIN_WRONG, Code.PIN_BLOCKED):
            raise
        return False
    return True
