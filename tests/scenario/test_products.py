"""The built-in suite on every product: each allowed value of each choice, and each generation.

At night. Of a choice with more than ``FEW`` numbers, those at the ends and around the default; the others, which
differ in nothing but the number, in campaigns.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from _pytest.mark.structures import ParameterSet

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
EDGE = 2
"""Numbers of such a choice at each end."""


def products() -> Iterator[ParameterSet]:
    """Each product; the mark says whether the suite runs on it at night or in a campaign."""
    for name in ("v1-des", "v2-3des", "v3-sm4"):
        yield pytest.param(preset(name), id=name, marks=pytest.mark.nightly)
    for name, choice in CHOICES.items():
        for place, value in enumerate(choice.allowed) if name not in OF_ANOTHER_PRODUCT else ():
            default = getattr(BASE, name)
            if value in choice.refused or value == default:
                continue
            product = replace(BASE, name=f"{name}-{value}", **{name: value})
            try:
                check_generation(product)
            except InputError:
                continue
            at_end = not EDGE <= place < len(choice.allowed) - EDGE
            beside = abs(place - choice.allowed.index(default)) == 1
            often = len(choice.allowed) <= FEW or at_end or beside
            yield pytest.param(product, id=product.name, marks=pytest.mark.nightly if often else pytest.mark.campaign)


@pytest.mark.parametrize("product", list(products()))
def test_the_suite_passes_on_every_product(product: Personality, scenarios: list[Scenario]) -> None:
    applicable = set()
    for scenario in find_scenarios((), product):
        result = run_scenario(scenario)
        assert result.passed, (scenario.title, scenario.source, result.failure and result.failure.mismatches)
        if result.verdict != NOT_APPLICABLE:
            applicable.add(scenario.name)
    own = [scenario for scenario in scenarios if scenario.personality.generation == product.generation]
    assert sum(scenario.name in applicable for scenario in own) >= APPLICABLE * len(own)
