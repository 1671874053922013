"""The built-in suite on every product: each allowed value of each choice, and each generation; at night."""

from __future__ import annotations

from dataclasses import replace

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


def products() -> dict[str, Personality]:
    found = {name: preset(name) for name in ("v1-des", "v2-3des", "v3-sm4")}
    for name, choice in CHOICES.items():
        for value in choice.allowed if name not in OF_ANOTHER_PRODUCT else ():
            if value in choice.refused or value == getattr(BASE, name):
                continue
            product = replace(BASE, name=f"{name}-{value}", **{name: value})
            try:
                check_generation(product)
            except InputError:
                continue
            found[product.name] = product
    return found


PRODUCTS = products()


@pytest.mark.nightly
@pytest.mark.parametrize("product", PRODUCTS.values(), ids=PRODUCTS)
def test_the_suite_passes_on_every_product(product: Personality, scenarios: list[Scenario]) -> None:
    applicable = set()
    for scenario in find_scenarios((), product):
        result = run_scenario(scenario)
        assert result.passed, (scenario.title, scenario.source, result.failure and result.failure.mismatches)
        if result.verdict != NOT_APPLICABLE:
            applicable.add(scenario.name)
    own = [scenario for scenario in scenarios if scenario.personality.generation == product.generation]
    assert sum(scenario.name in applicable for scenario in own) >= APPLICABLE * len(own)
