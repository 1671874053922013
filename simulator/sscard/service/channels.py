"""The channels (办理渠道) as a table: who acts at each, what it can read, where it may send the citizen on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sscard.i18n.phrase import Phrase, Words
from sscard.i18n.word import Word
from sscard.service.words import Document, PinPhrase, Presence, Proof


class Channel(Word):
    """How a citizen applies (办理形式)."""

    WINDOW = "window", "窗口办理"
    SELF_SERVICE = "self-service", "自助终端办理", "self-service terminal"
    ONLINE = "online", "网上办理"


@dataclass(frozen=True, slots=True)
class ChannelRules:
    """How one channel works.

    ``reads`` are the documents it can read, ``admits`` who may apply there (the
    policy may restrict it), ``proofs`` the proofs of identity that the policy may
    require, ``hands_over_to`` the channels that may operate the card instead,
    ``closing`` the text of the last event, with the way in which the citizen is
    informed.
    """

    actor: Words
    reads: frozenset[Document]
    admits: frozenset[Presence]
    proofs: frozenset[Proof]
    hands_over_to: frozenset[Channel]
    closing: PinPhrase


_CHIP_DOCUMENTS: Final = frozenset(Document) - {Document.PASSPORT, Document.HOUSEHOLD_REGISTER}
_ALONE: Final = frozenset({Presence.IN_PERSON})

CHANNEL_RULES: Final[dict[Channel, ChannelRules]] = {
    Channel.WINDOW: ChannelRules(
        actor=Words("clerk", "窗口人员"),
        reads=frozenset(Document),  # a clerk looks at any paper
        admits=frozenset(Presence),
        proofs=frozenset({Proof.NONE, Proof.ID_READER}),
        hands_over_to=frozenset(),
        closing=PinPhrase(
            Phrase("The new PIN was right; the citizen was informed"),
            Phrase("The PIN was right; the citizen was informed"),
        ),
    ),
    Channel.SELF_SERVICE: ChannelRules(
        actor=Words("self-service terminal", "自助终端"),
        reads=_CHIP_DOCUMENTS,  # what an ID reader reads
        admits=_ALONE,
        proofs=frozenset({Proof.NONE, Proof.ID_READER, Proof.FACE}),
        hands_over_to=frozenset({Channel.WINDOW}),
        closing=PinPhrase(
            Phrase("The new PIN was right; the result was shown"), Phrase("The PIN was right; the result was shown")
        ),
    ),
    Channel.ONLINE: ChannelRules(
        actor=Words("online platform", "网上办理平台"),
        reads=frozenset(Document),
        admits=_ALONE,
        proofs=frozenset({Proof.NONE, Proof.FACE, Proof.SMS}),
        hands_over_to=frozenset({Channel.WINDOW, Channel.SELF_SERVICE}),
        closing=PinPhrase(
            Phrase("The new PIN was right; the result was sent online"),
            Phrase("The PIN was right; the result was sent online"),
        ),
    ),
}
