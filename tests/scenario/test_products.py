"""The built-in suite on every product, at night: each allowed value of each choice, and each generation.

A value of a choice is a product of its own. Of a choice with more than ``FEW`` numbers, such as a limit of tries, only
the ends are; all its numbers are in the products that differ from the default in every choice of this kind.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from sscard.card import Personality
from sscard.errors import InputError
from sscard.issuer import preset
from sscard.issuer.personalities import check_generation
from sscard.scenario import Scenario, find_scenarios, run_scenario
from sscard.scenario.runner import NOT_APPLICABLE
from sscard.standard.choices import CHOICES

BASE = preset("v3-sm4")
APPLICABLE = 0.7
"""Share of the runs of a generation that apply to any product of it."""
OF_ANOTHER_PRODUCT = ("generation", "algorithm")
FEW = 6


def with_choices(name: str, **choices: Any) -> Iterator[Personality]:
    """The product with these choices, if there may be one."""
    product = replace(BASE, name=name, **choices)
    try:
        check_generation(product)
    except InputError:
        return
    yield product


def products() -> Iterator[Personality]:
    """Each product that the suite runs on."""
    yield from (preset(name) for name in ("v1-des", "v2-3des", "v3-sm4"))
    numbers = {}
    for name, choice in CHOICES.items():
        if name in OF_ANOTHER_PRODUCT:
            continue
        values = [value for value in choice.allowed if value not in choice.refused]
        alone = values
        if len(values) > FEW:
            numbers[name] = values
            alone = [values[0], values[-1]]
        for value in alone:
            if value != getattr(BASE, name):
                yield from with_choices(f"{name}-{value}", **{name: value})
    for place in range(max(map(len, numbers.values()))):
        chosen = {name: values[place % len(values)] for name, values in numbers.items()}
        yield from with_choices(f"numbers-{place}", **chosen)


@pytest.mark.nightly
@pytest.mark.parametrize("product", list(products()), ids=lambda product: product.name)
def test_the_suite_passes_on_every_product(product: Personality, scenarios: list[Scenario]) -> None:
    applicable = set()
    for scenario in find_scenarios((), product):
        result = run_scenario(scenario)
        assert result.passed, (scenario.title, scenario.source, result.failure and result.failure.mismatches)
        if result.verdict != NOT_APPLICABLE:
            applicable.add(scenario.name)
    own = [scenario for scenario in scenarios if scenario.personality.generation == product.generation]
    assert sum(scenario.name in applicable for scenario in own) >= APPLICABLE * len(own)
