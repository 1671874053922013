"""The built-in suite notices the planted defects, each by the scenarios that its hint names."""

from __future__ import annotations

import os

import pytest

from defects import DEFECTS, Defect
from kit.programs import CommandLine
from sscard.scenario import builtin_scenarios

pytestmark = pytest.mark.skipif("SSCARD_COMPILED" in os.environ, reason="compiled methods cannot be replaced")

SCENARIOS = builtin_scenarios()
UNNOTICED = frozenset(
    (
        "credit-for-load-without-checking-mac2",
        "debit-without-checking-mac1",
        "purchase-of-the-whole-balance-is-refused",
        "purchase-without-pin",
        "medical-transaction-survives-foreign-commands",
        "yearly-totals-restart-a-day-late",
        "purchase-in-two-transactions",
        "transaction-proof-of-any-number",
        "starting-day-is-written-without-its-key",
        "a-load-is-not-in-the-details",
        "load-count-stays",
        "wrong-puk-proof-is-repeated-until-blocked",
        "a-card-that-is-not-genuine-is-served",
        "driver-resets-another-card-than-the-one-it-read",
        "unequal-double-entry-of-a-pin-is-accepted",
        "driver-asks-for-a-pin-that-is-not-set",
        "driver-reads-a-card-that-is-not-genuine",
        "driver-sets-the-initial-pin-where-it-is-forbidden",
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


def test_names_are_unique() -> None:
    names = [defect.name for defect in DEFECTS]
    assert sorted(set(names)) == sorted(names)


@each_defect
def test_the_defect_changes_what_its_witness_observes(defect: Defect) -> None:
    before = defect.witness()
    with defect.planted():
        planted = defect.witness()
    assert planted != before
    assert defect.witness() == before


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
