"""The JSON Schema of scenario files, with which editors complete verbs, fields and states.

Every value may also be a placeholder, ``${name}``, so a text is allowed
everywhere; types are as wide as the language takes them.
"""

from __future__ import annotations

from enum import StrEnum
from inspect import cleandoc
from types import UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator

from sscard.issuer.places import FIELDS as PLACE_FIELDS
from sscard.scenario.cards import CardData
from sscard.scenario.faults import ALL_FAULTS
from sscard.scenario.needs import INTERFACES, MEMORY_FAULTS
from sscard.scenario.reader import Written
from sscard.scenario.service_host import ServiceData
from sscard.scenario.state_words import READY
from sscard.scenario.step import KeyName, State, Step, all_words, authenticated_keys
from sscard.scenario.steps.memory import REFUSED, Steps
from sscard.scenario.verbs import VERBS
from sscard.standard.choices import CHOICES
from sscard.version import __version__

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
PLACEHOLDER: Final = {"type": "string", "pattern": r"\$\{[A-Za-z_][A-Za-z0-9_]*\}"}
SCALAR: Final = {"type": ["string", "number", "boolean", "null"]}

Schema = dict[str, Any]


def scenario_schema() -> Schema:
    """The schema of a scenario file."""
    steps = {"type": "array", "minItems": 1, "items": {"anyOf": [*map(_step, VERBS.values()), _USE, PLACEHOLDER]}}
    both = {"anyOf": [{"type": "string"}, _object({"en": {"type": "string"}, "zh": {"type": "string"}}, ["en", "zh"])]}
    group = _object({"parameters": {"type": ["array", "object"]}, "steps": {"$ref": "#/$defs/steps"}}, ["steps"])
    own: dict[str, Schema] = {
        "name": both,
        "proves": both,
        "tags": _one_or_more({"type": "string"}),
        "card": _with(_model(CardData), place=_PLACE),
        # Not the fields of policy and item: a scenario states some, and the built-in ones have the others.
        "service": _with(
            _model(ServiceData), policy={"type": ["object", "string"]}, item={"type": "object"}, place=_PLACE
        ),
        "needs": _needs(),
        "variables": {"type": "object"},
        "groups": {"type": "object", "additionalProperties": group},
        "include": _one_or_more({"type": "string"}),
        "with": {"anyOf": [{"type": "array", "items": {"type": "object"}}, {"type": "string"}]},
        "steps": {"$ref": "#/$defs/steps"},
    }
    fields = {name: own.get(name) or of_type(found.annotation) for name, found in Written.model_fields.items()}
    scenario = _object(fields, ["name", "proves", "steps"])
    groups = _object({"groups": own["groups"]}, ["groups"])
    return {
        "$schema": DIALECT,
        "title": f"sscard {__version__}: scenario",
        "anyOf": [scenario, groups],
        "$defs": {"steps": steps, "repeated": _repeated(), "state": _state(), "key": _words(authenticated_keys())},
    }


def _step(verb: type[Step]) -> Schema:
    return {**_model(verb), "required": [verb.verb]}


def _repeated() -> Schema:
    """Steps of ``cut_power: {point: every}``, which cannot have some verbs and fields."""
    steps = [_step(verb) for name, verb in VERBS.items() if name not in REFUSED]
    for step in steps:
        step["properties"] = {name: field for name, field in step["properties"].items() if name not in REFUSED}
    return {"type": "array", "minItems": 1, "items": {"anyOf": steps}}


def _model(model: type[BaseModel]) -> Schema:
    fields = {name: of_type(found.annotation, *found.metadata) for name, found in model.model_fields.items()}
    required = [name for name, found in model.model_fields.items() if found.is_required()]
    return {**_object(fields, required), "description": cleandoc(model.__doc__ or "").partition("\n\n")[0]}


def of_type(annotation: Any, *metadata: Any) -> Schema:
    """The schema of a field by its type."""
    whole = Annotated[(annotation, *metadata)] if metadata else annotation
    for known, name in _KNOWN:
        if known in (whole, annotation):
            return {"$ref": f"#/$defs/{name}"}
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return of_type(*arguments)
    if origin in (Union, UnionType):
        return _any_of([of_type(each) for each in arguments if each is not type(None)])
    if origin is Literal:
        return _words([str(each) for each in arguments])
    if origin is tuple:
        return _one_or_more(of_type(arguments[0]))
    if origin is list:
        return {"type": "array"}
    if origin is dict:
        names = of_type(arguments[0])
        schema = {"type": "object", **({"propertyNames": names} if names != SCALAR else {})}
        if arguments[1] == Steps:
            schema["additionalProperties"] = of_type(Steps)
        return {"anyOf": [schema, PLACEHOLDER]}
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        has_short_form = any(isinstance(each, BeforeValidator) for each in metadata)
        return {"anyOf": [_model(annotation), SCALAR if has_short_form else PLACEHOLDER]}
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return _words([each.value for each in annotation])
    return SCALAR


def _state() -> Schema:
    return _one_or_more(_words([READY, *all_words()]), {"type": "string"})


_KNOWN: Final = ((State, "state"), (KeyName, "key"), (Steps, "repeated"))
"""Types that are checked by functions, and where the schema has the words that these allow."""


def _with(schema: Schema, **fields: Schema) -> Schema:
    """The schema of an object with other schemas of some fields."""
    return schema | {"properties": schema["properties"] | fields}


def _needs() -> Schema:
    values = {name: _one_or_more(SCALAR) for name in CHOICES}
    words = {
        "interface": _one_or_more(_words(INTERFACES)),
        "keys": _one_or_more({"$ref": "#/$defs/key"}),
        "applications": _one_or_more({"type": "string"}),
        "faults": _one_or_more(_words((*MEMORY_FAULTS, *ALL_FAULTS))),
    }
    described = {name: {**schema, "description": CHOICES[name].help} for name, schema in values.items()}
    return {"type": "object", "properties": {**described, **words}, "additionalProperties": False}


def _object(fields: dict[str, Schema], required: list[str]) -> Schema:
    return {"type": "object", "properties": fields, "required": required, "additionalProperties": False}


def _words(words: Any) -> Schema:
    return {"anyOf": [{"enum": list(words)}, PLACEHOLDER]}


def _one_or_more(item: Schema, text: Schema | None = None) -> Schema:
    return {"anyOf": [item, *([text] if text else []), {"type": "array", "items": item}, PLACEHOLDER]}


def _any_of(schemas: list[Schema]) -> Schema:
    return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}


_PLACE: Final = {"anyOf": [{"type": "string"}, _object(dict.fromkeys(PLACE_FIELDS, _one_or_more(SCALAR)), [])]}
_USE: Final = _object(
    {"use": {"type": "string"}, "with": {"type": "object"}, "note": {"type": "string"}},
    ["use"],
)
