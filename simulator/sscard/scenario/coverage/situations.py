"""Situations of the service that a suite should have met: each value of a few rules, by name."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Final

from sscard.i18n.phrase import Phrase
from sscard.issuer.places import FORBIDDEN, INITIAL_REFUSED, NO_ID_NUMBER, PIN_FORMS
from sscard.scenario.cards import CITY_CODE
from sscard.scenario.context import Bench
from sscard.scenario.coverage.facts import REFUSAL, SITUATIONS, SUCCESS, Fact
from sscard.scenario.faults import FaultStep
from sscard.scenario.step import Outcome
from sscard.service import Act, Case, Operation, Stage
from sscard.service.cardrefusals import NO_ID_NUMBER as NO_ANSWER
from sscard.service.cardrefusals import SAME_PIN
from sscard.service.conditions import OUT_OF_USE

STANDING, REFUSED_PIN, PHARMACY, RESUMED, CITY = "standing", "refused-pin", "pharmacy", "resumed-after-kill", "city"
REFUSED_PINS: Final[dict[Phrase, str]] = {
    SAME_PIN: "leaked",
    INITIAL_REFUSED: "initial",
    FORBIDDEN: "forbidden",
    **{said: form for form, (_pin, said) in PIN_FORMS.items()},
    NO_ID_NUMBER: "no-valid-id-number",
    NO_ANSWER: "no-answer",
}
"""Why a new PIN is not permitted, and the name of it."""
ANOTHER_CITY: Final = "another-of-the-province"
OPERATED: Final = (Stage.OPERATED, Stage.COMPLETED)
PROVINCE, PREFECTURE = 2, 4
"""Digits of a city code."""


def situations() -> Iterator[tuple[str, str]]:
    """Every situation with its values."""
    yield from ((STANDING, standing.value) for standing in OUT_OF_USE)
    yield from ((REFUSED_PIN, name) for name in REFUSED_PINS.values())
    yield from product((PHARMACY,), (SUCCESS, REFUSAL))
    yield from ((RESUMED, operation.value) for operation in Operation)
    yield CITY, ANOTHER_CITY


def situations_of(bench: Bench, outcome: Outcome) -> Iterator[Fact]:
    """Those that a step was in."""
    passed = outcome.reported.get("passed")
    if passed:
        yield Fact(SITUATIONS, (PHARMACY, SUCCESS if passed == "yes" else REFUSAL))
    case = bench.case
    if case is not None:
        yield from (Fact(SITUATIONS, found) for found in _of_case(bench, case))


def _of_case(bench: Bench, case: Case) -> Iterator[tuple[str, str]]:
    last = case.events[-1].said
    if last in REFUSED_PINS:
        yield REFUSED_PIN, REFUSED_PINS[last]
    if case.card is not None and case.stage in (Stage.REFUSED, Stage.FAILED):
        standing = bench.host.holder_base.inner.standing(case.card.identity.card_number)
        if standing in OUT_OF_USE:
            yield STANDING, standing.value
    if case.card is None or case.stage not in OPERATED:
        return
    city = case.card.identity.city_code
    if city[:PROVINCE] == CITY_CODE[:PROVINCE] and city[:PREFECTURE] != CITY_CODE[:PREFECTURE]:
        yield CITY, ANOTHER_CITY
    killed = any(
        isinstance(step, FaultStep) and step.fault.name == "killed" and armed.happened for step, armed in bench.armed
    )
    if killed and any(event.act is Act.RESUMED for event in case.events):
        yield RESUMED, case.operation.value
