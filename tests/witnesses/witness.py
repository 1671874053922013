"""What a witness is."""

from __future__ import annotations

from collections.abc import Callable

Witness = Callable[[], object]
"""Observes something: it always returns the same without the defect of its name, and something else with it."""
