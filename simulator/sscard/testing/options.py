"""What the options of the command line and the marker ``social_card`` say about the card of a test."""

from __future__ import annotations

from typing import Any

import pytest


def seed_of(request: pytest.FixtureRequest) -> int:
    """The seed of cards and their challenges."""
    return int(request.config.getoption("--sscard-seed"))


def marked(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The parameters of ``issue_card`` from the markers around a test; the nearest counts."""
    options: dict[str, Any] = {}
    for marker in request.node.iter_markers("social_card"):
        options = {**marker.kwargs, **options}
    return options
