"""The reference of the scenario language, generated from the models of the steps.

``python tools/scenarios_page.py`` writes it to docs/reference, ``sscard scenario
verbs`` prints a verb of it. The texts are the docstrings of verbs and of their
arguments.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from inspect import cleandoc
from types import UnionType
from typing import Annotated, Any, Final, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from sscard.i18n.language import _, say
from sscard.i18n.phrase import EITHER, Phrase, Sayable
from sscard.scenario.cards import CardData
from sscard.scenario.expressions import Number, number_names
from sscard.scenario.faults import ALL_FAULTS, FaultData
from sscard.scenario.service_host import ServiceData
from sscard.scenario.step import (
    Captures,
    Duration,
    Hex,
    KeyName,
    KeyTries,
    Nothing,
    Pattern,
    Pin,
    PinOrNone,
    State,
    StatusWord,
    Step,
    all_words,
    authenticated_keys,
)
from sscard.scenario.verbs import STEPS


class Row(NamedTuple):
    """A field of a verb: its name, with that of the field around it, its kind, and its default (empty: required)."""

    name: str
    kind: Sayable
    default: str


def documentation() -> Iterator[str]:
    """Every text of the reference that is translated, for the catalog."""
    models: tuple[type[BaseModel], ...] = (*STEPS, Step, CardData, ServiceData, FaultData)
    for model in models:
        yield from _docs(model)


def _docs(model: type[BaseModel]) -> Iterator[str]:
    yield _doc(model)
    for found in model.model_fields.values():
        for inner in _models(found.annotation):
            yield from _docs(inner)


def _doc(model: type[BaseModel]) -> str:
    return cleandoc(model.__doc__ or "").replace("``", "`")


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        return
    for argument in get_args(annotation):
        yield from _models(argument)


def rows_of(model: type[BaseModel], names: tuple[str, ...], before: str = "") -> list[Row]:
    """The fields of a model by name, those of an argument after the argument."""
    found: list[Row] = []
    for name in names:
        field = model.model_fields[name]
        inner = [*_models(field.annotation)]
        if inner:
            found += rows_of(inner[0], tuple(inner[0].model_fields), f"{before}{name}.")
        else:
            kind = _kind(field.annotation, tuple(field.metadata))
            found.append(Row(before + name, kind, _default(field, kind)))
    return found


def _default(field: FieldInfo, kind: Sayable) -> str:
    if field.is_required():
        return ""
    value = field.get_default(call_default_factory=True)
    if isinstance(value, tuple | frozenset):
        return " ".join(str(getattr(each, "value", each)) for each in value) or "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if kind == NAMED[_mark(StatusWord)]:
        return f"{value:04X}"
    return str(getattr(value, "value", value)) if value not in (None, "", {}, b"") else "–"


def _kind(annotation: Any, metadata: tuple[Any, ...] = ()) -> Sayable:
    """What a field takes, in words, with the limits of a number or a length."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _kind(arguments[0], (*arguments[1:], *metadata))
    if origin in (Union, UnionType):
        kinds = [_kind(each, metadata) for each in arguments if each is not type(None)]
        return Phrase.joined(EITHER, kinds)
    known = next((NAMED[function] for function in map(_function, metadata) if function in NAMED), None)
    kind = known or _plain(annotation, origin, arguments)
    limits = {name: getattr(each, name) for each in _flat(metadata) for name in (*LOW, *HIGH) if hasattr(each, name)}
    low, high = (next((limits[name] for name in names if name in limits), None) for names in (LOW, HIGH))
    if low is None or high is None:
        return kind
    return Phrase("{kind}, {low}–{high}", kind=kind, low=str(low), high=str(high))


def _plain(annotation: Any, origin: Any, arguments: tuple[Any, ...]) -> Sayable:
    if origin is Literal:
        return Phrase("one of: {words}", words=", ".join(map(str, arguments)))
    if origin in (tuple, list):
        return Phrase("list: {item}", item=_kind(arguments[0]))
    if origin is dict:
        return Phrase("names with values: {item}", item=_kind(arguments[1]))
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return Phrase("one of: {words}", words=", ".join(each.value for each in annotation))
    return PLAIN.get(getattr(annotation, "__name__", ""), Phrase("text"))


def _flat(metadata: tuple[Any, ...]) -> Iterator[Any]:
    for each in metadata:
        yield from each.metadata if isinstance(each, FieldInfo) else (each,)


def _function(metadata: Any) -> Any:
    return getattr(metadata, "func", None)


def _mark(annotated: Any) -> Any:
    """The function that validates a type, by which a field of it is known."""
    return next(filter(None, map(_function, get_args(annotated)[1:])))


_TYPES: Final[tuple[tuple[Any, Phrase], ...]] = (
    (Hex, Phrase("bytes in hex digits")),
    (Pattern, Phrase("bytes in hex digits, ?? for any byte, ... at the end for any rest")),
    (Pin, Phrase("PIN of 4 to 16 digits")),
    (PinOrNone, Phrase("PIN of 4 to 16 digits, or empty")),
    (StatusWord, Phrase("status word, 63C(max - 1), a choice, or none")),
    (KeyName, Phrase("name of a key")),
    (KeyTries, Phrase("tries left, one number per version")),
    (State, Phrase("words of a state")),
    (Nothing, Phrase("no value")),
    (Captures, Phrase("names, each with data[0:8], sw, tries or a reported value")),
    (Duration, Phrase("time, 200 ms or 1.5 s")),
    (Number, Phrase("whole number, or an expression")),
)
NAMED: Final[dict[Any, Phrase]] = {_mark(annotated): said for annotated, said in _TYPES}
"""What a field is, by the function that validates it."""
LOW: Final = ("ge", "gt", "min_length")
HIGH: Final = ("le", "lt", "max_length")
PLAIN: Final = {
    "int": Phrase("whole number"),
    "float": Phrase("number"),
    "bool": Phrase("yes or no"),
    "str": Phrase("text"),
    "date": Phrase("date, 2026-01-05"),
    "datetime": Phrase("date and time, 2026-01-05 09:00"),
    "bytes": Phrase("bytes in hex digits"),
}


def summary(verb: type[Step]) -> str:
    """What a verb does, in one line."""
    return say(Phrase(_doc(verb))).partition("\n\n")[0].replace("\n", " ")


def verb_rows(verb: type[Step]) -> list[Row]:
    """The fields of a verb that not every step has; the verb itself first."""
    own = [name for name in verb.model_fields if name not in Step.model_fields]
    return rows_of(verb, tuple(sorted(own, key=lambda name: name != verb.verb)))


def verb_page(verb: type[Step], example: str = "", statuses: str = "") -> str:
    """A verb in Markdown: what it does, its fields, an example and the status words of the commands it sends."""
    texts = [f"### {verb.verb}", *dict.fromkeys(say(Phrase(text)) for text in _docs(verb))]
    texts.append(table(verb_rows(verb)))
    if example:
        texts.append(f"```yaml\n{example}\n```")
    if statuses:
        texts.append(_("Status words of its commands: {words}", words=statuses))
    return "\n\n".join(texts) + "\n"


def markdown(examples: dict[str, str], statuses: dict[str, str]) -> str:
    """The whole reference; ``examples`` and ``statuses`` by verb."""
    common = rows_of(Step, tuple(Step.model_fields))
    parts = [
        f"# {_('Scenario language: reference')}",
        _("Generated from the models of the steps: `python tools/scenarios_page.py`."),
        f"## {_('Expectations of every step')}",
        say(Phrase(_doc(Step))),
        table(common),
        f"## {_('Words of a state')}",
        ", ".join(f"`{word}`" for word in all_words()),
        f"## {_('Names in expressions')}",
        ", ".join(f"`{name}`" for name in number_names()),
        f"## {_('Keys')}",
        ", ".join(f"`{key}`" for key in authenticated_keys()),
        f"## {_('The card')}",
        say(Phrase(_doc(CardData))),
        table(rows_of(CardData, tuple(CardData.model_fields))),
        f"## {_('The service')}",
        say(Phrase(_doc(ServiceData))),
        table(rows_of(ServiceData, tuple(ServiceData.model_fields))),
        f"## {_('Faults')}",
        say(Phrase(_doc(FaultData))),
        ", ".join(f"`{name}`" for name in ALL_FAULTS),
        f"## {_('Verbs')}",
    ]
    parts += [verb_page(verb, examples.get(verb.verb, ""), statuses.get(verb.verb, "")).rstrip() for verb in STEPS]
    return "\n\n".join(parts) + "\n"


def table(rows: list[Row]) -> str:
    """Fields as a table in Markdown."""
    head = [f"| {_('field')} | {_('value')} | {_('default')} |", "|---|---|---|"]
    lines = [f"| `{row.name}` | {say(row.kind)} | {row.default or _('required')} |" for row in rows]
    return "\n".join([*head, *lines])
