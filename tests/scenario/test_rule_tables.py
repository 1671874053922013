"""Each row of the tables of rules has a defect that inverts it: a rule that no scenario proves is found here.

``test_defects`` checks that the suite notices each of them.
"""

from __future__ import annotations

import dataclasses
import inspect

import pytest

from sscard.i18n.phrase import Phrase
from sscard.issuer import Place
from sscard.issuer.places import PIN_FORMS, PIN_REMEDY
from sscard.issuer.standing import Standing
from sscard.scenario.defects import DEFECTS, rules
from sscard.service import PinService, Policy, Rule, conditions

NAMES = {defect.name for defect in DEFECTS}

NOT_APPLIED = {
    Policy: {"sources": "shown by sscard policy show"},
    Place: {"name": "named by sscard place list, and in the JSON of the result notice"},
}
"""Fields that no rule applies, and what they are for."""
PIPELINE = {
    "consult": ["inquiries-are-always-answered-online"],
    "intake": [
        "key-of-an-application-is-ignored",
        "key-of-another-application-is-accepted",
        "register-age-is-the-age-of-majority",
    ],
    "accept": [
        "no-pre-review-online",
        "refusal-states-the-first-ground-only",
        "no-answer-of-the-holder-base-is-taken-for-in-use",
        "unavailable-proof-of-identity-is-taken-for-passed",
        "acceptance-names-the-handler-of-the-intake",
        "due-date-is-one-day-late",
        "legal-limit-is-not-named",
    ],
    "supplement": ["supplement-notice-names-the-first-paper-only", "second-supplement-notice"],
    "prove": ["later-proof-of-identity-is-ignored", "proof-of-identity-is-not-asked-for-after-a-hand-over"],
    "hand_over": ["hand-over-is-impossible", "case-is-handed-over-to-a-channel-that-the-item-lacks"],
    "present": ["presented-card-is-not-checked"],
    "operate": [
        "another-card-is-operated",
        "holder-base-is-not-asked-before-the-operation",
        "holder-base-is-not-asked-before-a-resume",
        "service-sets-the-initial-pin-where-it-is-forbidden",
        "leaked-pin-is-set-again",
        "id-number-that-cannot-be-read-permits-every-pin",
        "refused-key-is-tried-again",
        "card-without-an-answer-permits-every-pin",
        "idempotency-key-of-an-operation-is-ignored",
        "intent-is-journalled-after-the-card",
        "in-doubt-the-new-pin-is-tried-last",
        "last-reset-in-doubt-is-not-tried",
        "unblock-in-doubt-is-repeated",
        "pin-that-is-not-blocked-is-unblocked",
        "memory-failure-is-taken-for-a-clear-refusal",
        "case-without-remedy-stays-open",
        "resume-writes-no-event",
    ],
    "complete": [
        "a-case-is-completed-with-a-wrong-pin",
        "every-case-takes-one-visit",
        "refused-key-is-tried-again",
    ],
    "result": ["result-notice-has-no-advice", "result-notice-states-a-fee"],
    "abandon": ["abandoned-case-in-doubt-says-unchanged", "case-is-not-abandoned-before-acceptance"],
    "refused_key": ["refused-key-is-tried-again"],
    "wait_for_key": ["refused-key-is-tried-again"],
    "note_key": ["key-that-fits-again-is-not-noted"],
    "unread": ["unreadable-presented-card-is-not-noted"],
}
"""The defects that invert the rules of each step of the pipeline."""


def test_each_check_of_an_application_has_a_defect_that_leaves_it_out() -> None:
    assert [*rules.CHECKS] == [check.__name__ for check in conditions.CHECKS]


def test_each_rule_has_a_defect_that_makes_it_no_ground_of_refusal() -> None:
    assert [*rules.RULES] == [*Rule]


@pytest.mark.parametrize(
    ("of", "fields", "covered"),
    [
        (Policy, [*Policy.model_fields], rules.POLICY),
        (Place, [field.name for field in dataclasses.fields(Place)], rules.PLACE),
    ],
)
def test_each_field_of_a_policy_has_a_defect_that_does_not_apply_it(
    of: type, fields: list[str], covered: dict[str, str]
) -> None:
    assert sorted(fields) == sorted([*covered, *NOT_APPLIED[of]])


def test_each_standing_out_of_use_has_a_defect_that_accepts_it() -> None:
    assert set(conditions.OUT_OF_USE) == set(Standing) - {Standing.IN_USE}
    assert {f"{standing.value}-in-the-holder-base-is-accepted" for standing in conditions.OUT_OF_USE} <= NAMES


def test_each_refusal_of_a_place_has_a_defect_that_permits_the_pin() -> None:
    module = inspect.getmodule(Place)
    constants = {said for said in vars(module).values() if isinstance(said, Phrase)} - {PIN_REMEDY}
    by_form = {said for _pin, said in PIN_FORMS.values()}
    assert {said for said, _hint in rules.REFUSALS.values()} == constants | by_form


def test_each_step_of_the_pipeline_has_defects_that_invert_its_rules() -> None:
    steps = {name for name, _ in inspect.getmembers(PinService, inspect.isfunction) if not name.startswith("_")}
    assert PIPELINE.keys() == steps
    assert {name for names in PIPELINE.values() for name in names} <= NAMES
