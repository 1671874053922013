"""Before an operation (交易预处理, terminal-flows.md §1): is the card genuine, served here, and is a PIN needed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from enum import Enum

from sscard.i18n.language import say
from sscard.i18n.phrase import Phrase
from sscard.standard.generations import GENERATIONS
from sscard.terminal import flows
from sscard.terminal.card import Identity, IssuerData, OpenedCard
from sscard.terminal.flow import Flow


class Finding(Enum):
    """Why a card is not served."""

    NOT_GENUINE = Phrase("internal authentication failed: the card is not genuine")
    BLACKLISTED = Phrase("the card is on the black list")
    UNSUPPORTED_BODY = Phrase("cards of this initializing body are not served")
    UNSUPPORTED_CATEGORY = Phrase("cards of this category are not served")
    UNSUPPORTED_VERSION = Phrase("cards of this version are not served")
    EXPIRED = Phrase("the card has expired")

    @property
    def text(self) -> str:
        """The text for the operator."""
        return say(self.value)


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
    """Which cards a terminal serves; ``None`` means all.

    ``bodies`` are prefixes of the initializing body number (24 digits),
    ``categories`` the characters of item 02, ``versions`` names of generations.
    """

    blacklist: Blacklist = field(default_factory=Blacklist)
    bodies: tuple[str, ...] | None = None
    categories: frozenset[str] | None = None
    versions: frozenset[str] = frozenset(GENERATIONS)

    def findings(self, issuer: IssuerData, today: date) -> tuple[Finding, ...]:
        """All findings in EF05 against a card (terminal-flows.md §1.4b); a blank expiry date never expires."""
        expired = bool(issuer.expires) and issuer.expires < f"{today:%Y%m%d}"
        checks = (
            (self.blacklist.holds(issuer.identity), Finding.BLACKLISTED),
            (self.bodies is not None and not issuer.body.startswith(self.bodies), Finding.UNSUPPORTED_BODY),
            (self.categories is not None and issuer.category not in self.categories, Finding.UNSUPPORTED_CATEGORY),
            (issuer.generation not in self.versions, Finding.UNSUPPORTED_VERSION),
            (expired, Finding.EXPIRED),
        )
        return tuple(finding for found, finding in checks if found)


@dataclass(frozen=True, slots=True)
class Admission:
    """Result of pre-processing; ``tries_left`` is ``None`` if no PIN is required."""

    findings: tuple[Finding, ...]
    tries_left: int | None

    @property
    def admitted(self) -> bool:
        """Whether the card is served."""
        return not self.findings

    @property
    def pin_needed(self) -> bool:
        return self.tries_left is not None


def pre_process(card: OpenedCard, rules: TerminalRules, today: date) -> Flow[Admission]:
    """Pre-processing, terminal-flows.md §1.4a to §1.6; it ends early if the card is not genuine."""
    if not (yield from flows.is_genuine(card)):
        return Admission((Finding.NOT_GENUINE,), None)
    findings = rules.findings((yield from flows.issuer_of(card)), today)
    return Admission(findings, None if findings else (yield from flows.tries_left()))
