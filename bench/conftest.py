"""Cards for the benchmarks: the same made-up holder and seed every time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from random import Random

import pytest

from sscard.issuer import Card, builtin_keys, make_holder, make_order, personalise, preset


@pytest.fixture(scope="session", params=["v3-sm4", "v2-3des", "v1-des"])
def new_card(request: pytest.FixtureRequest) -> Callable[[], Card]:
    """Issue cards of one personality, one serial after the other."""
    random = Random(20260105)

    def issue() -> Card:
        order = make_order(preset(request.param), random, make_holder(random), "410400", date(2026, 1, 5))
        return personalise(order, builtin_keys())

    return issue


@pytest.fixture
def social_card(new_card: Callable[[], Card]) -> Card:
    """The card of ``card_benchmark``, of each personality in turn."""
    return new_card()
