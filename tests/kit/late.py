"""A planted defect: a card file that gets each change only with the next command."""

from __future__ import annotations

from typing import Any

import pytest

from sscard.issuer.cardfile import FileCard
from sscard.issuer.store import CardStore


def commit_late(monkeypatch: pytest.MonkeyPatch) -> None:
    waiting: list[tuple[Any, ...]] = []
    commit, transmit = CardStore.commit, FileCard.transmit

    def keep(_store: CardStore, numbers: list[tuple[int, int]], strings: list[tuple[int, bytes]]) -> None:
        waiting.append((numbers, strings))

    def answer(card: FileCard, command: bytes) -> bytes:
        for change in waiting:
            commit(card.store, *change)
        waiting.clear()
        return transmit(card, command)

    monkeypatch.setattr(CardStore, "commit", keep)
    monkeypatch.setattr(FileCard, "transmit", answer)
