"""How a command of the PSAM is declared: code, P1 P2 and length rules beside the function that runs it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from sscard.psam.session import PsamSession

Handler = Callable[[PsamSession, int, int, bytes, int], bytes]
"""``run(session, p1, p2, data, le) -> data ‖ SW``; Le is 0–255, 0 where none was given."""


@dataclass(frozen=True, slots=True)
class PsamCommand:
    """One command of the PSAM, as ``sscard.card.commands.declaration.Command`` declares those of the card.

    ``p1p2`` are the accepted pairs (empty: the function checks them),
    ``lengths`` the accepted Lc (empty: no data is taken), ``secret`` is the
    part of the data that no trace may show.
    """

    name: str
    chinese: str
    cla: int
    ins: int
    run: Handler
    statuses: tuple[int, ...]
    p1p2: Collection[int] = ()
    lengths: Collection[int] = ()
    answers_data: bool = False
    secret: slice | None = None
    spends_challenge: bool = False
