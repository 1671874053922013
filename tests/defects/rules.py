"""Defects made from the tables of rules, one for each row: a check is left out, a field of a policy is not applied."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from defects.acceptance import _no_ground, _replace_check
from defects.catalogue import Catalogue, Patch, Plant
from sscard.i18n.phrase import Phrase
from sscard.issuer import Place, preset
from sscard.issuer.places import FORBIDDEN, INITIAL_REFUSED, NO_ID_NUMBER, PIN_FORMS
from sscard.scenario.cards import CardData, bench_of
from sscard.scenario.context import Bench
from sscard.service import Case, Policy, Rule, conditions
from sscard.service.conditions import Check, Rules
from sscard.service.notices import Ground
from sscard.service.policy import PAGE, preset_policy

catalogue = Catalogue("service")

CHECKS: Final = {
    "_channel": "not-offered or handed-over-from",
    "_online_step": "depth.yaml",
    "_person": "not-in-province or foreigner",
    "_presence": "proxy",
    "_agent": "agent-of-full-age",
    "_age": "minor",
    "_card": "another-province",
    "_reason": "no-reason",
    "_which_pin": "another-pin",
    "_genuine_id": "wrong-document or false-id",
    "_valid_id": "expired-id",
    "_readable_card": "unreadable-card",
    "_card_in_use": "card-standing",
    "_valid_card": "expired-card",
    "_same_person": "another-persons",
    "_genuine_agent": "false-agent",
    "_identity": "proof-of-identity",
}
"""The checks of an application, and the scenarios that are most likely to notice that one is left out."""
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
        original = of.__getattribute__
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


for _name, _hint in CHECKS.items():
    catalogue.add("item.yaml and policy.yaml: every condition is checked", _hint)(
        _named(_without_check(getattr(conditions, _name)), _name.removeprefix("_"), "is not checked")
    )
for _rule, _hint in RULES.items():
    catalogue.add("item.yaml: each rule is a ground of refusal", _hint)(
        _named(_without_rule(_rule), _rule.value, "is no ground of refusal")
    )
for _name, _hint in POLICY.items():
    catalogue.add(f"policy.yaml: {_name}", _hint)(
        _named(_not_applied(Policy, _name, getattr(preset_policy(PAGE), _name)), _name, "of the policy is not applied")
    )
for _name, _hint in PLACE.items():
    _plant = (
        _issued_without(OF_THE_CARD[_name])
        if _name in OF_THE_CARD
        else _not_applied(Place, _name, getattr(Place(name=""), _name))
    )
    catalogue.add(f"open-choices.md §3: {_name} of a place policy", _hint)(
        _named(_plant, _name, "of the place is not applied")
    )
for _name, (_said, _hint) in REFUSALS.items():
    catalogue.add("open-choices.md §3.1: PINs that a place does not permit", _hint)(
        _named(_permits(_said), _name, "is permitted as new PIN")
    )

DEFECTS = tuple(catalogue.defects)
