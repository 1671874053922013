"""Every field of a scenario file refuses broken values with what to write, in both languages, and repeats no PIN."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from kit.broken import HEAD, STEPS
from sscard.document import Document, Place
from sscard.errors import InputError
from sscard.i18n.language import CHINESE, ENGLISH, say, speaking
from sscard.issuer import preset
from sscard.scenario.cards import CardData
from sscard.scenario.expressions import Names
from sscard.scenario.reader import Written
from sscard.scenario.service_host import ServiceData
from sscard.scenario.step import Step
from sscard.scenario.steps.power import Insert
from sscard.scenario.verbs import VERBS

BROKEN = ("-1", "99999999999", "0.5", "~", "", [], {}, ["~"], [[]], {"~": "~"}, {"steps": "~"})
NAMES = Names(preset("v3-sm4"))
HAN = re.compile("[\u4e00-\u9fff]")
Wrap = Callable[[Any], dict[str, Any]]


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from models_in(argument)


def broken_fields(model: type[BaseModel], wrap: Wrap) -> Iterator[dict[str, Any]]:
    """Contents in which one field of a model, or of a model in it, has a broken value."""
    shared = Step.model_fields.keys() if issubclass(model, Step) and model is not Insert else ()
    for name, field in model.model_fields.items():
        if name in shared:  # insert has them too
            continue
        inner: Wrap = lambda value, name=name: wrap({name: value})  # noqa: E731
        yield from map(inner, BROKEN)
        for part in models_in(field.annotation):
            yield from broken_fields(part, inner)


def errors_of(model: type[BaseModel], content: Any) -> list[InputError]:
    found: list[InputError] = []
    try:
        Document(content, {(): Place(1, 1)}, "a.yaml").as_model(model, NAMES, found.append)
    except InputError as error:
        found.append(error)
    return found


SECTIONS: dict[str, type[BaseModel]] = {"card": CardData, "service": ServiceData, "file": Written}


@pytest.mark.parametrize("model", [*SECTIONS.values(), *VERBS.values()], ids=[*SECTIONS, *VERBS])
def test_every_broken_value_is_refused_with_what_to_write_in_both_languages(model):
    verb = getattr(model, "verb", None)
    contents = [*broken_fields(model, lambda fields: fields if verb is None else {verb: "", **fields})]
    errors = [error for content in contents for error in errors_of(model, content)]
    assert errors
    for problem, remedy in {(error.problem, error.remedy) for error in errors}:
        assert remedy, say(problem)
        assert not re.search(r"[a-z_]\.[0-9]+\b(?!')", say(problem).partition(":")[0])
        with speaking(CHINESE):
            assert HAN.search(say(problem))
            assert HAN.search(say(remedy)) or "," in say(remedy)


@pytest.mark.parametrize(
    ("step", "field", "chinese"),
    [
        ("apply: {papers: [id-card, passport]}", "apply.papers, entry 2", "apply.papers 第 2 项"),
        ("apply:\n    grounds: [card, x]", "grounds, entry 2", "grounds 第 2 项"),
    ],
)
def test_an_item_of_a_list_is_named_by_its_number_from_1(read, step, field, chinese):
    with pytest.raises(InputError) as caught:
        read(f"{STEPS}  - {step}\n")
    assert field in say(caught.value.problem)
    with speaking(CHINESE):
        assert chinese in say(caught.value.problem)


def test_a_word_that_is_nearly_right_is_suggested(read):
    with pytest.raises(InputError) as caught:
        read(f"{STEPS}  - apply: {{reason: forgoten}}\n")
    assert say(caught.value.remedy) == "did you mean 'forgotten'?"


PIN = "73918264"
MISPLACED = {
    "a field of a PIN": f"verify_pin: {{pim: {PIN}}}",
    "a name in a PIN": f"verify_pin: {{{PIN}: }}",
    "a verb": f"{PIN}: ",
    "a verb and a PIN": f"verify_pin {PIN}: ",
    "a variable": f"verify_pin: ${{{PIN}}}",
    "a variable and a PIN": f"verify_pin: ${{pim {PIN}}}",
    "an expression": f"reset:\n    tries: {PIN}",
    "an expression with a name": f"reset:\n    tries: pin_{PIN}",
    "a status word": f"reset:\n    sw: {PIN}",
    "a status word that counts": f"reset:\n    sw: 63C({PIN})",
    "a state": f"reset:\n    state: {PIN}",
    "states": f"reset:\n    state: [verified, {PIN}]",
    "a key": f"reset:\n    key_tries: {{{PIN}: 3}}",
    "a stage": f"reset:\n    stage: {PIN}",
    "a capture": f"reset:\n    capture: {{{PIN}: data}}",
    "a captured part": f"reset:\n    capture: {{a: {PIN}}}",
    "a time": f"reset:\n    within: {PIN}",
    "an unknown field": f"reset:\n    {PIN}: 1",
    "a step group": f"use: {PIN}",
    "a proof key": f"authenticate: {{key: {PIN}}}",
    "a fault": f"fault: {{{PIN}: }}",
    "a personality": f"fault: {{swapped: {PIN}}}",
    "a write point": "cut_power: {point: every, steps: [{" + PIN + ": }], after: {old: [{reset: }]}}",
    "an item of a page": f"item: {PIN}",
    "a function": f"driver: {{call: {PIN}}}",
    "a parameter": f"driver: {{call: iVerifyPIN, parameters: {{{PIN}: 1}}}}",
    "a new PIN too long": f"change_pin: {{old: {PIN}, new: {PIN}{PIN}1}}",
    "a key in hex": "authenticate: {key: " + "A1" * 16 + "}",
}


@pytest.mark.parametrize("step", MISPLACED.values(), ids=MISPLACED)
def test_a_misplaced_pin_or_key_is_not_repeated(read, step):
    with pytest.raises(InputError) as caught:
        read(f"{STEPS}  - {step}\n")
    for language in (CHINESE, ENGLISH):
        with speaking(language):
            assert PIN[:4] not in str(caught.value)
            assert "A1A1" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        f"card: {{{PIN}: 1}}",
        f"card: {{personality: {PIN}}}",
        f"card: {{choices: {{{PIN}: 3}}}}",
        f"card: {{choices: {{no_challenge: {PIN[:4]}}}}}",
        f"card: {{locked: [{PIN}]}}",
        f"card: {{place: {PIN}}}",
        f"service: {{place: {PIN}}}",
        f"needs: {{{PIN}: 1}}",
        f"needs: {{keys: {PIN}}}",
        f"covers: {PIN}",
        f"severity: {PIN}",
        f"variables: {{{PIN}: 1}}",
        f"with: [{{{PIN}: 1}}]",
        f"groups: {{a: {{parameters: [{PIN}], steps: [{{reset: }}]}}}}",
        f"groups: {{a: {{{PIN}: 1, steps: [{{reset: }}]}}}}",
    ],
)
def test_a_pin_that_is_misplaced_before_the_steps_is_not_repeated(read, text):
    with pytest.raises(InputError) as caught:
        read(f"{HEAD}{text}\nsteps:\n  - reset:\n")
    assert PIN[:4] not in str(caught.value)
