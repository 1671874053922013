"""Defects made from the tables of rules, one for each row: a check is left out, a field of a policy is not applied."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from sscard.i18n.phrase import Phrase, Words
from sscard.issuer import Place, preset
from sscard.issuer.places import FORBIDDEN, INITIAL_REFUSED, NO_ID_NUMBER, PIN_FORMS
from sscard.scenario.cards import CardData, bench_of
from sscard.scenario.context import Bench
from sscard.scenario.defect_parts import Part
from sscard.scenario.defects.acceptance import _no_ground, _replace_check
from sscard.scenario.defects.catalogue import Catalogue, Patch, Plant
from sscard.service import Case, Policy, Rule, conditions
from sscard.service.conditions import Check, Rules
from sscard.service.notices import Ground
from sscard.service.policy import PAGE, preset_policy

catalogue = Catalogue(Part.SERVICE)

CHECKS: Final[dict[str, tuple[Words, str]]] = {
    "_channel": (Words("the channel", "办理渠道"), "not-offered or handed-over-from"),
    "_online_step": (Words("the depth of online processing", "网上办理深度"), "depth.yaml"),
    "_person": (Words("the applicant", "申请人"), "not-in-province or foreigner"),
    "_presence": (Words("who may come in person", "本人到场"), "proxy"),
    "_agent": (Words("whether the citizen's agent may act", "代为办理人资格"), "agent-of-full-age"),
    "_age": (Words("the age", "年龄"), "minor"),
    "_card": (Words("the issuer of the card", "发卡地区"), "another-province"),
    "_reason": (Words("the reason", "申请原因"), "no-reason"),
    "_which_pin": (Words("which PIN is meant", "所指的PIN"), "another-pin"),
    "_genuine_id": (Words("whether the identity document is genuine", "证件真实性"), "wrong-document or false-id"),
    "_valid_id": (Words("whether the identity document is valid", "证件有效期"), "expired-id"),
    "_readable_card": (Words("whether the card can be read", "卡可读"), "unreadable-card"),
    "_card_in_use": (Words("the standing of the card", "卡状态"), "card-standing"),
    "_valid_card": (Words("the last day of the card", "卡有效期"), "expired-card"),
    "_same_person": (Words("whether document and card are of one person", "人卡一致"), "another-persons"),
    "_genuine_agent": (Words("whether the document of the agent is genuine", "代为办理人证件真实性"), "false-agent"),
    "_identity": (Words("the proof of identity", "身份核验"), "proof-of-identity"),
}
"""The checks of an application: what is checked, and the scenarios that are most likely to notice its absence."""
RULES: Final = {
    Rule.CHANNEL: "not-offered or handed-over-from",
    Rule.ONLINE_STEP: "depth.yaml",
    Rule.PERSON: "not-in-province or foreigner",
    Rule.PRESENCE: "proxy",
    Rule.AGE: "minor",
    Rule.CARD: "another-province",
    Rule.REASON: "no-reason",
    Rule.GENUINE_PAPERS: "wrong-document or false-id",
    Rule.SAME_PERSON: "another-persons",
    Rule.WHICH_PIN: "another-pin",
    Rule.IDENTITY: "proof-of-identity",
}
"""The grounds of refusal."""
POLICY: Final = {
    "proxy": "proxy-by-policy or proxy-papers",
    "minors": "minor-accepted or minor-with",
    "adult_age": "of-age-today",
    "register_age": "household-register",
    "card_as_id": "province",
    "unblock": "unblock.yaml",
    "documents": "local-documents",
    "identity_proof": "proof-of-identity",
    "cards": "card-listed",
    "calendar": "due-by-policy",
}
"""The fields of a policy that the service applies."""
PLACE: Final = {
    "pin_tries": "place-of-its-own",
    "max_unblocks": "place-of-its-own",
    "initial_pin": "place-of-its-own",
    "initial_pin_use": "place-of-its-own",
    "forbidden_pins": "place-of-its-own",
}
"""The fields of a place policy that card or service apply."""
OF_THE_CARD: Final = {"pin_tries": "pin_tries", "max_unblocks": "unlock_limit"}
"""The fields of a place policy that a card is issued with, and the choices that they set."""
REFUSALS: Final[dict[str, tuple[Phrase, str]]] = {
    "initial PIN": (INITIAL_REFUSED, "new-pin-refused"),
    "forbidden PIN": (FORBIDDEN, "new-pin-forbidden"),
    "ID number that is not valid": (NO_ID_NUMBER, "new-pin-foreigner"),
    **{form: (said, "new-pin-forbidden") for form, (_pin, said) in PIN_FORMS.items()},
}
"""The refusals of a new PIN by a place."""


def _named(plant: Plant, *words: str) -> Plant:
    plant.__name__ = "_".join(words).replace(" ", "_").replace("-", "_")
    return plant


def _without_check(check: Check) -> Plant:
    return lambda patch: _replace_check(patch, check, _no_ground)


def _without_rule(rule: Rule) -> Plant:
    def plant(patch: Patch) -> None:
        original = conditions.grounds_against

        def grounds_against(
            rules: Rules, case: Case, checks: tuple[Check, ...] = conditions.CHECKS
        ) -> tuple[Ground, ...]:
            return tuple(ground for ground in original(rules, case, checks) if ground.rule is not rule)

        patch.function(original, grounds_against)

    return plant


def _not_applied(of: type, field: str, default: object) -> Plant:
    """Every object of a class has the default in one field."""

    def plant(patch: Patch) -> None:
        original: Any = of.__getattribute__
        patch.attribute(
            of,
            "__getattribute__",
            lambda owner, name: default if name == field else original(owner, name),
        )

    return plant


def _issued_without(choice: str) -> Plant:
    """Cards are issued with the choice of their preset, whatever the place says."""

    def plant(patch: Patch) -> None:
        original: Callable[..., Any] = bench_of

        @contextmanager
        def issued(wanted: CardData, personality: Any, *given: Any, **named: Any) -> Iterator[Bench]:
            own = {choice: getattr(preset(personality.name), choice)} if wanted.place else {}
            with original(wanted, dataclasses.replace(personality, **own), *given, **named) as bench:
                yield bench

        patch.function(original, issued)

    return plant


def _permits(said: Phrase) -> Plant:
    def plant(patch: Patch) -> None:
        def refusal(place: Place, new_pin: str, id_number: str = "") -> Phrase | None:
            found: Phrase | None = original(place, new_pin, id_number)
            return None if found == said else found

        original = patch.attribute(Place, "refusal", refusal)

    return plant


for _name, (_what, _hint) in CHECKS.items():
    catalogue.defect(
        "item.yaml and policy.yaml: every condition is checked",
        _hint,
        Phrase("The service does not check {what}.", what=_what),
    )(_named(_without_check(getattr(conditions, _name)), _name.removeprefix("_"), "is not checked"))
for _rule, _hint in RULES.items():
    catalogue.defect(
        "item.yaml: each rule is a ground of refusal",
        _hint,
        Phrase("The service refuses no application by the rule: {rule}.", rule=_rule.words),
    )(_named(_without_rule(_rule), _rule.value, "is no ground of refusal"))
for _name, _hint in POLICY.items():
    catalogue.defect(
        f"policy.yaml: {_name}",
        _hint,
        Phrase("The service does not apply the field {field} of the policy.", field=_name),
    )(_named(_not_applied(Policy, _name, getattr(preset_policy(PAGE), _name)), _name, "of the policy is not applied"))
for _name, _hint in PLACE.items():
    _plant = (
        _issued_without(OF_THE_CARD[_name])
        if _name in OF_THE_CARD
        else _not_applied(Place, _name, getattr(Place(name=""), _name))
    )
    catalogue.defect(
        f"open-choices.md §3: {_name} of a place policy",
        _hint,
        Phrase("The field {field} of a place policy is not applied.", field=_name),
    )(_named(_plant, _name, "of the place is not applied"))
for _name, (_said, _hint) in REFUSALS.items():
    catalogue.defect(
        "open-choices.md §3.1: PINs that a place does not permit",
        _hint,
        Phrase("A new PIN is accepted where this answer is expected: {refusal}.", refusal=_said),
    )(_named(_permits(_said), _name.lower(), "is permitted as new pin"))

DEFECTS = tuple(catalogue.defects)
