"""The built-in suite notices the planted defects, each by the scenarios that its hint names."""

from __future__ import annotations

import os

import pytest

from defects import DEFECTS, Defect
from defects.witnesses import WITNESSES
from kit.programs import CommandLine
from sscard.scenario import builtin_scenarios

pytestmark = pytest.mark.skipif("SSCARD_COMPILED" in os.environ, reason="compiled methods cannot be replaced")

SCENARIOS = builtin_scenarios()
UNNOTICED = frozenset(
    (
        "expired-id-is-accepted",
        "lost-card-is-accepted",
        "expired-card-is-accepted",
        "wrong-document-for-the-kind-of-applicant-is-accepted",
        "passport-is-accepted-at-the-self-service-terminal",
        "no-pre-review-online",
        "hand-over-is-impossible",
        "due-date-is-one-day-late",
        "done-is-reported-while-the-hsm-is-down",
        "in-doubt-the-new-pin-is-tried-last",
        "intent-is-journalled-after-the-card",
        "idempotency-key-of-an-operation-is-ignored",
        "resume-writes-no-event",
        "memory-failure-is-taken-for-a-clear-refusal",
        "abandoned-case-in-doubt-says-unchanged",
    )
)
"""Defects that no scenario can notice yet, because the language has no verbs for them."""
each_defect = pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.name)


def test_every_defect_has_a_name_of_its_own_and_a_witness() -> None:
    names = [defect.name for defect in DEFECTS]
    assert sorted(names) == sorted(WITNESSES)


@each_defect
def test_the_defect_changes_what_its_witness_observes(defect: Defect) -> None:
    witness = WITNESSES[defect.name]
    before = witness()
    with defect.planted():
        planted = witness()
    assert planted != before
    assert witness() == before


@pytest.mark.parametrize(
    "defect", [each for each in DEFECTS if each.name not in UNNOTICED], ids=lambda defect: defect.name
)
def test_the_suite_notices_the_defect(defect: Defect) -> None:
    assert defect.noticed_by(defect.likely(SCENARIOS))


@pytest.mark.parametrize("part", ["card", "terminal", "service"])
def test_sscard_run_ends_with_1_if_there_is_a_defect(sscard: CommandLine, part: str) -> None:
    """The form in which a user meets it: the command line, and its exit code."""
    defect = next(defect for defect in DEFECTS if defect.part == part and defect.name not in UNNOTICED)
    assert sscard("run", "-k", defect.hint)[0] == 0
    with defect.planted():
        assert sscard("run", "-k", defect.hint)[0] == 1
