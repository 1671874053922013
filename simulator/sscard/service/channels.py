"""The channels (办理渠道) as a table: who acts at each, what it can read, where it may send the citizen on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sscard.i18n.phrase import Phrase, Words
from sscard.service.words import Document, Presence, Word


class Channel(Word):
    """Through which door a citizen comes (办理形式)."""

    WINDOW = "window", "窗口办理"
    SELF_SERVICE = "self-service", "自助终端办理", "self-service terminal"
    ONLINE = "online", "网上办理"


@dataclass(frozen=True, slots=True)
class Door:
    """How one channel works.

    ``reads`` are the documents it can take, ``admits`` who may stand there at
    all (the policy decides further), ``hands_over_to`` where the card may be
    operated instead, ``tells`` how a case ends, and how the citizen learns
    the result.
    """

    actor: Words
    reads: frozenset[Document]
    admits: frozenset[Presence]
    pre_review: bool
    hands_over_to: frozenset[Channel]
    tells: Phrase


_CHIP_DOCUMENTS: Final = frozenset(Document) - {Document.PASSPORT}
_ALONE: Final = frozenset({Presence.IN_PERSON})

DOORS: Final[dict[Channel, Door]] = {
    Channel.WINDOW: Door(
        actor=Words("clerk", "窗口人员"),
        reads=frozenset(Document),  # a clerk looks at any paper
        admits=frozenset(Presence),
        pre_review=False,
        hands_over_to=frozenset(),
        tells=Phrase("The new PIN was right; the result was told"),
    ),
    Channel.SELF_SERVICE: Door(
        actor=Words("self-service terminal", "自助终端"),
        reads=_CHIP_DOCUMENTS,  # what an ID reader reads
        admits=_ALONE,
        pre_review=False,
        hands_over_to=frozenset({Channel.WINDOW}),
        tells=Phrase("The new PIN was right; the result was shown"),
    ),
    Channel.ONLINE: Door(
        actor=Words("online platform", "网上办理平台"),
        reads=frozenset(Document),
        admits=_ALONE,
        pre_review=True,
        hands_over_to=frozenset({Channel.WINDOW, Channel.SELF_SERVICE}),
        tells=Phrase("The new PIN was right; the result was sent online"),
    ),
}
