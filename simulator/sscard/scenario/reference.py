"""The reference of the scenario language, generated from the models of the steps.

``python tools/scenarios_page.py`` writes it to docs/reference, ``sscard scenario
verbs`` prints a verb of it. The texts are the docstrings of verbs and of their
arguments.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from inspect import cleandoc
from types import UnionType
from typing import Annotated, Any, Final, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from sscard.document import Model
from sscard.i18n.language import _, say
from sscard.i18n.phrase import EITHER, Phrase, Sayable
from sscard.scenario.captures import Captures
from sscard.scenario.cards import CardData, CityCode
from sscard.scenario.expressions import Number, number_names
from sscard.scenario.faults import ALL_FAULTS, FaultData, Preset
from sscard.scenario.prior_state import Application
from sscard.scenario.service_host import ServiceData
from sscard.scenario.step import (
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
    authenticated_keys,
)
from sscard.scenario.steps.account import Day
from sscard.scenario.steps.card import AskedTries
from sscard.scenario.steps.driver import DriverStep
from sscard.scenario.steps.driver_call import FunctionName
from sscard.scenario.steps.file import Ef, File
from sscard.scenario.steps.medical import Amount, Terminal, Time, Year, Yuan
from sscard.scenario.steps.memory import Counter, InnerStep, WritePoint
from sscard.scenario.steps.psam import DfAndEf, TerminalOrNone
from sscard.scenario.steps.service_step import ServiceStep
from sscard.scenario.verbs import STEPS


class Row(NamedTuple):
    """A field of a verb: its name, with that of the field around it, its kind, and its default (empty: required)."""

    name: str
    kind: Sayable
    default: str


def documentation() -> Iterator[str]:
    """Every text of the reference that is translated, for the catalog."""
    models: tuple[type[BaseModel], ...] = (*STEPS, *SHARED, Step, CardData, ServiceData, FaultData)
    for model in models:
        yield from _docs(model)


def _docs(model: type[BaseModel]) -> Iterator[str]:
    """The texts of a model, of the models that it extends up to those of ``SHARED``, and of those of its fields."""
    for extended in model.__mro__:
        if extended is not model and extended in ENDS:
            break
        if extended.__dict__.get("__doc__"):
            yield _doc(extended)
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
        kinds = dict.fromkeys(_kind(each, metadata) for each in arguments if each is not type(None))
        return Phrase.joined(EITHER, [*kinds])
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
    (AskedTries, Phrase("tries left, or none")),
    (State, Phrase("words of a state")),
    (Nothing, Phrase("no value")),
    (Captures, Phrase("names, each with data[0:8], sw, tries or a reported value")),
    (Duration, Phrase("time, 200 ms or 1.5 s")),
    (Number, Phrase("whole number, or an expression")),
    (Yuan, Phrase("amount in yuan, 12.34")),
    (Amount, Phrase("amount in yuan, 12.34")),
    (Time, Phrase("time, YYYYMMDDhhmmss")),
    (Year, Phrase("{count} digits", count=4)),
    (Terminal, Phrase("{count} digits", count=12)),
    (TerminalOrNone, Phrase("{count} digits", count=12)),
    (CityCode, Phrase("{count} digits", count=6)),
    (Day, Phrase("day, MMDD")),
    (File, Phrase("MF, SSSE, an EF, a FID or AID in hex digits, or the label of an application")),
    (Ef, Phrase("EF01 to EF1E")),
    (DfAndEf, Phrase("DF and EF, DF03 EF05")),
    (InnerStep, Phrase("step")),
    (WritePoint, Phrase("whole number from 0, or every")),
    (Counter, Phrase("PIN, certificate-user, certificate-administrator, or the name of a key")),
    (Preset, Phrase("name of a personality")),
    (Application, Phrase("name of an application, DF01")),
    (FunctionName, Phrase("function of LD/T 33")),
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


def shared_model(verb: type[Step]) -> type[Step] | None:
    """The model with the expectations that a verb shares with others, besides those of every step."""
    return next((model for model in SHARED if issubclass(verb, model)), None)


def verb_page(verb: type[Step], example: str = "", statuses: str = "") -> str:
    """A verb in Markdown: what it does, its fields, an example and the status words of the commands it sends."""
    shared = shared_model(verb)
    known = {*Step.model_fields, *(shared.model_fields if shared else ())}
    own = sorted((name for name in verb.model_fields if name not in known), key=lambda name: name != verb.verb)
    texts = [f"### {verb.verb}", *dict.fromkeys(say(Phrase(text)) for text in _docs(verb))]
    texts.append(_table(rows_of(verb, tuple(own))))
    if shared:
        texts.append(_("Expects too: {fields}", fields=_code(_own_fields(shared))))
    if example:
        texts.append(f"```yaml\n{example}\n```")
    if statuses:
        texts.append(_("Status words of its commands: {words}", words=statuses))
    return "\n\n".join(texts) + "\n"


def common_page(verb: type[Step]) -> str:
    """What every step with a verb may expect, in Markdown."""
    return "\n\n".join(_expectations(model) for model in (shared_model(verb), Step) if model) + "\n"


def _own_fields(model: type[Step]) -> list[str]:
    return [name for name in model.model_fields if model is Step or name not in Step.model_fields]


def _expectations(model: type[Step]) -> str:
    title = say(SHARED.get(model, EVERY))
    return "\n\n".join((f"## {title}", say(Phrase(_doc(model))), _table(rows_of(model, tuple(_own_fields(model))))))


def markdown(examples: dict[str, str], statuses: dict[str, str], points: dict[str, str]) -> str:
    """The whole reference; ``examples`` and ``statuses`` by verb, ``points`` (write points) by command."""
    written = [f"| {command} | {count} |" for command, count in points.items()]
    parts = [
        f"# {_('Scenario language: reference')}",
        _("Generated from the models of the steps: `python tools/scenarios_page.py`."),
        _("`sscard scenario verbs VERB` prints the part of a verb."),
        f"## {_('Verbs')}",
        "\n".join(
            [f"| {_('verb')} | {_('what it does')} |", "|---|---|"]
            + [f"| [`{verb.verb}`](#{verb.verb}) | {summary(verb)} |" for verb in STEPS]
        ),
        _expectations(Step),
        *map(_expectations, SHARED),
        f"## {_('Words of a state')}",
        "\n".join(
            [f"| {_('word')} | {_('meaning')} |", "|---|---|"]
            + [f"| {word} | {say(meaning)} |" for word, meaning in STATE_WORDS.items()]
        ),
        f"## {_('Names in expressions')}",
        say(IN_EXPRESSIONS),
        _code(number_names()),
        f"## {_('Keys')}",
        _code(authenticated_keys()),
        *_section(_("The card"), CardData),
        *_section(_("The service"), ServiceData),
        f"## {_('Write points')}",
        say(AT_WRITE_POINTS),
        "\n".join([f"| {_('command')} | {_('write points')} |", "|---|---|", *written]),
        f"## {_('Faults')}",
        say(Phrase(_doc(FaultData))),
        _code(ALL_FAULTS),
        f"## {_('Fields of each verb')}",
    ]
    parts += [verb_page(verb, examples.get(verb.verb, ""), statuses.get(verb.verb, "")).rstrip() for verb in STEPS]
    return "\n\n".join(parts) + "\n"


def _section(title: str, model: type[BaseModel]) -> tuple[str, ...]:
    texts = [say(Phrase(text)) for text in _docs(model)]
    return (f"## {title}", *dict.fromkeys(texts), _table(rows_of(model, tuple(model.model_fields))))


def _code(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _table(rows: list[Row]) -> str:
    head = [f"| {_('field')} | {_('value')} | {_('default')} |", "|---|---|---|"]
    lines = [f"| `{row.name}` | {say(row.kind)} | {row.default or _('required')} |" for row in rows]
    return "\n".join([*head, *lines])


EVERY: Final = Phrase("Expectations of every step")
SHARED: Final[dict[type[Step], Phrase]] = {
    ServiceStep: Phrase("Expectations of the steps of the service"),
    DriverStep: Phrase("Expectations of the steps of the driver"),
}
"""The models of steps with expectations that many verbs share, and the titles of their parts."""
ENDS: Final = (Model, Step, *SHARED)
IN_EXPRESSIONS: Final = Phrase(
    "A number may be computed with `+`, `-`, `*` and parentheses from the choices of the card; `max` is `pin_tries`."
)
AT_WRITE_POINTS: Final = Phrase(
    "Non-volatile memory changes in write points. `cut_power` and `fail_memory` count them from 0, over all "
    "commands that follow. The table has the most that one command reaches in the built-in suite."
)
STATE_WORDS: Final[dict[str, Phrase]] = {
    "`off`": Phrase("the card has no power"),
    "`no-pin`": Phrase("no PIN is set"),
    "`blocked`": Phrase("the PIN is blocked: no tries left"),
    "`card-blocked`": Phrase("the card is locked"),
    "`DF01-blocked`": Phrase("an application is locked, here DF01"),
    "`verified`": Phrase("the PIN is verified"),
    "`challenge`": Phrase("a challenge of GET CHALLENGE waits for its use"),
    "`PUK`": Phrase("a key is authenticated, here PUK; every name under Keys"),
    "`ready`": Phrase("under power, and no other word applies; never with other words"),
}
