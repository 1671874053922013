"""The built-in suite on every product, at night: each allowed value of each choice, and each generation.

Choices with more than ``FEW`` numbers, such as a limit of tries, take the next number in each product; beside them each
value of another choice has a product of its own.
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
TOO_FEW_TRIES = 2
"""With no more, many scenarios do not apply: such a product shows little of another choice."""


def possible(name: str, choices: dict[str, Any]) -> Personality | None:
    """The product with these choices, if there may be one."""
    product = replace(BASE, name=name, **choices)
    try:
        check_generation(product)
    except InputError:
        return None
    return product


def products() -> Iterator[Personality]:
    """Each product that the suite runs on."""
    yield from (preset(name) for name in ("v1-des", "v2-3des", "v3-sm4"))
    allowed = {
        name: [value for value in choice.allowed if value not in choice.refused]
        for name, choice in CHOICES.items()
        if name not in OF_ANOTHER_PRODUCT
    }
    numbers = {name: values for name, values in allowed.items() if len(values) > FEW}
    others = [
        {name: value}
        for name in allowed.keys() - numbers.keys()
        for value in allowed[name]
        if value != getattr(BASE, name) and possible("", {name: value})
    ]
    others.sort(key=str)
    for place in range(max(map(len, numbers.values()))):
        chosen = {name: values[place % len(values)] for name, values in numbers.items()}
        other = others.pop() if others and chosen["pin_tries"] > TOO_FEW_TRIES else {}
        names = [f"numbers-{place}", *(f"{name}-{value}" for name, value in other.items())]
        product = possible("-".join(names), chosen | other)
        assert product, names
        yield product
    assert not others


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
