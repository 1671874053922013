"""The scenarios for a card under test: each once, on the claim, the ones that may destroy a card last."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from sscard.card import Personality
from sscard.errors import InputError
from sscard.i18n.phrase import Sayable
from sscard.issuer import make_holder, make_order, personalise
from sscard.issuer.personalise import card_reference
from sscard.scenario.cards import CITY_CODE
from sscard.scenario.issuing import Issuer
from sscard.scenario.library import find_files
from sscard.scenario.reader import Scenario, read_scenario
from sscard.scenario.runner import run_scenario
from sscard.scenario.testbed.decision import Decision, Reason, decide
from sscard.scenario.testbed.file import Testbed, stand_in
from sscard.scenario.testbed.removals import replaces, with_removals
from sscard.scenario.testbed.survey import DAY_OF_ISSUE, Surveyed


def scenarios_on(claim: Personality | None, paths: Iterable[Path]) -> list[Scenario]:
    """The scenarios of these files and folders on a claim; those that name no card like it have a ``misfit``.

    ``None`` is the claim of a card without one.
    """
    files = find_files(paths)
    return [each for file in files for each in scenarios_in(claim, file.path, file.source, file.group)]


def scenarios_in(claim: Personality | None, path: Path, source: str, group: str) -> list[Scenario]:
    """Those of one file, which reports call ``source``; ``group`` is the name of its folder."""
    own = [*map(with_removals, read_scenario(path, source, group))]
    if claim is None:
        return [*{each.name: replace(each, personality=stand_in()) for each in own}.values()]
    kind = claim.generation, claim.algorithm
    alike = {
        scenario.name: scenario
        for scenario in own
        if (scenario.personality.generation, scenario.personality.algorithm) == kind
    }
    others = {scenario.name: scenario for scenario in own if scenario.name not in alike}
    forced = map(with_removals, read_scenario(path, source, group, claim) if alike else [])
    generation, product = InputError(Reason.GENERATION.value), InputError(Reason.PRODUCT.value)
    return [
        *(
            replace(each, misfit=product) if _needs_its_own(alike[each.name], each) else each
            for each in forced
            if each.name in alike
        ),
        *(replace(scenario, personality=claim, misfit=generation) for scenario in others.values()),
    ]


def _needs_its_own(own: Scenario, forced: Scenario) -> bool:
    """Whether a scenario passes on the personality that it names only, and not on the claim."""
    if forced.misfit or replace(own.personality, name="") == replace(forced.personality, name=""):
        return False
    return not run_scenario(forced).passed and run_scenario(own).passed


@dataclass(frozen=True, slots=True)
class Planned:
    """A scenario of a plan, and what is to be done with it; ``decision`` is ``None`` on a card of sscard's own."""

    scenario: Scenario
    decision: Decision | None = None

    @property
    def runs(self) -> bool:
        return self.decision.runs if self.decision else not self.scenario.misfit

    @property
    def removes(self) -> bool:
        """Whether it runs with removals in the place of power cuts."""
        return bool(self.decision) and self.runs and replaces(self.scenario)

    @property
    def reason(self) -> Sayable:
        """Why it does not run, empty if it does."""
        misfit = self.scenario.misfit
        if misfit:
            return misfit.problem
        return self.decision.said if self.decision else ""


def plan(scenarios: Iterable[Scenario], seed: int, testbed: Testbed, issuer: Issuer) -> Iterator[Planned]:
    """What would be done with each scenario on a new card of the claim, without touching the card."""
    new = new_card(testbed, issuer)
    for scenario in scenarios:
        if scenario.misfit:
            yield Planned(scenario, Decision())
        else:
            yield Planned(scenario, decide(scenario, seed, testbed, new, new.card.memory, issuer))


def new_card(testbed: Testbed, issuer: Issuer) -> Surveyed:
    """A new card of the claim, with the PIN of the testbed, as a survey would find it."""
    holder = make_holder(Random(0))
    order = make_order(testbed.claim, Random(0), holder, CITY_CODE, DAY_OF_ISSUE)
    card = personalise(replace(order, pin=testbed.card.pin), issuer.keys)
    return Surveyed(card, card_reference(order), holder)


def destroying(scenarios: Iterable[Scenario], seed: int, testbed: Testbed) -> list[Scenario]:
    """Those that may destroy the card and so run after all others; none without the permission.

    Only with it the HSM of the testbed is opened.
    """
    if not testbed.card.may_destroy:
        return []
    with testbed.open() as issuer:
        planned = [*plan(scenarios, seed, testbed, issuer)]
    return [each.scenario for each in planned if each.decision and each.decision.runs and each.decision.destroys]
