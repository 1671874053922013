"""The JSON Schema takes every scenario of the suite and refuses what the reader refuses."""

from __future__ import annotations

import pytest
import yaml
from jsonschema import Draft202012Validator

from sscard.scenario.library import builtin_folder
from sscard.scenario.schema import scenario_schema
from sscard.scenario.step import Step
from sscard.scenario.verbs import VERBS

SCHEMA = scenario_schema()
VALIDATOR = Draft202012Validator(SCHEMA)
STEPS = "name: a\nproves: b\nsteps:\n"


class Text(yaml.SafeLoader):
    """Every scalar as text, as the reader takes it; an editor has numbers and dates too."""


Text.yaml_implicit_resolvers = {}


def test_the_schema_is_one():
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("each", [5, pytest.param(1, marks=pytest.mark.nightly)])
def test_the_schema_takes_the_suite(each):
    for path in sorted(builtin_folder().rglob("*.yaml"))[::each]:
        error = next(VALIDATOR.iter_errors(yaml.load(path.read_text("utf-8"), Text)), None)  # noqa: S506
        assert error is None, f"{path}: {error.message[:300]}"


REFUSED = {
    "an unknown verb": f"{STEPS}  - verify_pn: 123456\n",
    "an unknown field of a step": f"{STEPS}  - verify_pin: 123456\n    trys: 1\n",
    "an unknown field of a verb": f"{STEPS}  - authenticate: {{kay: PUK}}\n",
    "an unknown key": f"{STEPS}  - authenticate: {{key: PUKK}}\n",
    "an unknown word of a list of states": f"{STEPS}  - reset:\n    state: [verifed]\n",
    "an unknown stage": f"{STEPS}  - reset:\n    stage: done\n",
    "an unknown need": f"needs: {{pin_trys: 3}}\n{STEPS}  - reset:\n",
    "an unknown fault": f"{STEPS}  - fault: {{brokn: 1}}\n",
    "no steps": "name: a\nproves: b\nsteps: []\n",
    "no purpose": "name: a\nsteps: [{reset: }]\n",
    "an unknown field of the file": f"prooves: b\n{STEPS}  - reset:\n",
    "an unknown severity": f"severity: high\n{STEPS}  - reset:\n",
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_the_schema_refuses(text):
    assert list(VALIDATOR.iter_errors(yaml.load(text, Text)))  # noqa: S506


TAKEN = {
    "a placeholder in the place of a word": f"{STEPS}  - reset:\n    state: ${{words}}\n    stage: ${{stage}}\n",
    "a step group": f"{STEPS}  - use: group\n    with: {{pin: 1}}\n",
    "a table": f"with: rows.csv\n{STEPS}  - reset:\n",
    "groups alone": "groups: {a: {steps: [{reset: }]}}\n",
    "both languages": "name: {en: a, zh: 甲}\nproves: {en: b, zh: 乙}\nsteps: [{reset: }]\n",
}


@pytest.mark.parametrize("text", TAKEN.values(), ids=TAKEN)
def test_the_schema_takes(text):
    assert not list(VALIDATOR.iter_errors(yaml.load(text, Text)))  # noqa: S506


SWEEP = f"{STEPS}  - cut_power: {{point: every, %s}}\n"
SWEPT = {
    "right": ("steps: [{change_pin: {old: 1, new: 2}}], after: {old: [{verify_pin: 1, tries: 6}]}", True),
    "an unknown verb": ("steps: [{change_pn: 1}], after: {old: [{reset: }]}", False),
    "an unknown verb of first": ("first: [{rest: }], steps: [{reset: }], after: {old: [{reset: }]}", False),
    "an unknown field": ("steps: [{reset: , trys: 1}], after: {old: [{reset: }]}", False),
    "an unknown field after": ("steps: [{reset: }], after: {old: [{reset: , trys: 1}]}", False),
    "a time": ("steps: [{reset: , within: 1 s}], after: {old: [{reset: }]}", False),
    "a cut in a cut": ("steps: [{cut_power: {point: 1}}], after: {old: [{reset: }]}", False),
}


@pytest.mark.parametrize(("text", "right"), SWEPT.values(), ids=SWEPT)
def test_the_schema_knows_the_steps_within_cut_power(text, right):
    assert VALIDATOR.is_valid(yaml.load(SWEEP % text, Text)) is right  # noqa: S506


def test_every_verb_and_its_fields_can_be_completed():
    steps = [step for step in SCHEMA["$defs"]["steps"]["items"]["anyOf"] if "required" in step]
    verbs = {step["required"][0]: step["properties"] for step in steps}
    assert verbs.keys() == VERBS.keys() | {"use"}
    for name, verb in VERBS.items():
        assert verbs[name].keys() == verb.model_fields.keys() >= Step.model_fields.keys()
