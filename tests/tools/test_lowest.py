"""The constraints for the lowest versions: each direct dependency at its lower bound, extras included."""

from __future__ import annotations

from typing import Any

import pytest

import lowest


def project(*dependencies: str, **extras: list[str]) -> dict[str, Any]:
    return {"project": {"dependencies": list(dependencies), "optional-dependencies": extras}}


def test_each_dependency_is_pinned_to_its_lower_bound() -> None:
    found = lowest.constraints(project("rich>=13.7,<16", "psycopg[binary]>=3.2.1", more=["pyscard >= 2.3, < 3"]))
    assert list(found) == ["rich==13.7", "psycopg==3.2.1", "pyscard==2.3"]


@pytest.mark.parametrize("text", ["rich", "rich<16", "rich==13.7"])
def test_a_dependency_without_lower_bound_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="exactly one lower bound"):
        list(lowest.constraints(project(text)))
