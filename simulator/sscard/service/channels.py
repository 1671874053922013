"""The channels (办理渠道) as a table: who acts at each, what it can read, where it may send the citizen on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sscard.service.words import Channel, Document, Presence


@dataclass(frozen=True, slots=True)
class Door:
    """How one channel works.

    ``reads`` are the documents it can take, ``admits`` who may stand there at
    all (the policy decides further), ``hands_over_to`` where the card may be
    operated instead, ``tells`` how the citizen learns the result.
    """

    actor: str
    reads: frozenset[Document]
    admits: frozenset[Presence]
    pre_review: bool
    hands_over_to: frozenset[Channel]
    tells: str


_CHIP_DOCUMENTS: Final = frozenset(Document) - {Document.PASSPORT}
_ALONE: Final = frozenset({Presence.IN_PERSON})

DOORS: Final[dict[Channel, Door]] = {
    Channel.WINDOW: Door(
        actor="窗口人员",
        reads=frozenset(Document),  # a clerk looks at any paper
        admits=frozenset(Presence),
        pre_review=False,
        hands_over_to=frozenset(),
        tells="已告知结果",
    ),
    Channel.SELF_SERVICE: Door(
        actor="自助终端",
        reads=_CHIP_DOCUMENTS,  # what an ID reader reads
        admits=_ALONE,
        pre_review=False,
        hands_over_to=frozenset({Channel.WINDOW}),
        tells="已显示结果",
    ),
    Channel.ONLINE: Door(
        actor="网上办理平台",
        reads=frozenset(Document),
        admits=_ALONE,
        pre_review=True,
        hands_over_to=frozenset({Channel.WINDOW, Channel.SELF_SERVICE}),
        tells="已网上反馈结果",
    ),
}
