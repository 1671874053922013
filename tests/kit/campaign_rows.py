"""A plan of a campaign and rows of its cards, made without a card."""

from __future__ import annotations

from sscard.campaign.results import Plan
from sscard.campaign.rows import NEVER, Outcome, Row, Through

PLAN = Plan(
    population="{}",
    seed=7,
    cards=100,
    through=Through.SERVICE,
    version="1.0",
    products=("v3-sm4", "own"),
    places=("three", "ten"),
    behaviours=("careful", "attacker"),
)


def card(index: int, **changes: int) -> Row:
    """A card that was never blocked, nor at a window."""
    kept = Row(index, 0, 0, 0, Outcome.UNTOUCHED, 6, 6, 0, 0, 9, 0, 0, NEVER, NEVER, 0, NEVER, 0, bytes(8))
    return kept._replace(**changes)
