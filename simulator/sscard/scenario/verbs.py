"""Every verb of the scenario language, and how a step is read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain, islice, product
from pathlib import Path
from typing import Any, Final

from sscard.document import Document, Report
from sscard.errors import InputError, suggestion
from sscard.fields import hidden
from sscard.i18n.phrase import Phrase
from sscard.issuer import preset
from sscard.issuer.issue import DEFAULT
from sscard.issuer.lookup import is_path
from sscard.scenario.expansion import Part, placeholders, replaced
from sscard.scenario.expressions import Names
from sscard.scenario.faults import FaultStep
from sscard.scenario.step import Step
from sscard.scenario.steps.memory import CutPower, FailMemory, MendMemory, StepAt
from sscard.scenario.steps.repeatable import REPEATABLE

STEPS: Final[tuple[type[Step], ...]] = (*REPEATABLE, FaultStep, CutPower, FailMemory, MendMemory)
VERBS: Final[dict[str, type[Step]]] = {step.verb: step for step in STEPS}
PATHS: Final = {"driver_options": "place"}
"""The field of a verb's value that may be a path."""
EXAMPLES: Final = ("00" * 8, "9000", "00", "1", "123456", "0.00", "2026-01-05", "20260105093000", "yes")
"""Values that stand in for captured ones while a file is read; a step must accept some of them."""
MOST_TRIED: Final = 1000
"""Combinations of examples that are tried."""


def read_step(document: Document, names: Names | None = None, report: Report | None = None) -> Step:
    """A step from its fields, of which one is a verb; ``names`` are the numbers of the card's choices."""
    step = document.as_model(_verb_of(document), names, report)
    for at, each in _with_inner(step):
        _check_compared(document, at, each)
    return step


def errors_of(document: Document) -> list[InputError]:
    """What is wrong in a step with placeholders, whatever they are replaced by; names are those of the default card."""
    if any(map(placeholders, document.content if isinstance(document.content, dict) else ())):
        return []
    return document.errors(_verb_of(document), Names(preset(DEFAULT)), is_open=placeholders)


def _verb_of(document: Document) -> type[Step]:
    content = document.content
    if not isinstance(content, dict):
        raise document.error((), Phrase("a step is a verb, a colon and its value"), Phrase("write it as `- insert:`"))
    verbs = [key for key in content if key in VERBS]
    if len(verbs) > 1:
        raise document.error(
            (verbs[1],),
            Phrase("two verbs in one step: {verbs}", verbs=", ".join(verbs)),
            Phrase("write a separate step for each"),
        )
    if verbs:
        return VERBS[verbs[0]]
    unknown = [key for key in content if key not in Step.model_fields]
    if not unknown:
        raise document.error(
            (), Phrase("a step without a verb"), Phrase("add one of: {verbs}", verbs=", ".join(sorted(VERBS)))
        )
    raise document.error(
        (unknown[0],), Phrase("unknown verb {verb!r}", verb=hidden(unknown[0])), suggestion(unknown[0], VERBS)
    )


def beside(part: Part, folder: Path) -> Part:
    """A step with the paths in it, and in the steps of a sweep, from the folder of the scenario."""
    document = part.document
    content = _beside(document.content, folder)
    if content == document.content:
        return part
    return replace(part, document=document.with_content(content))


def _beside(content: Any, folder: Path) -> Any:
    if isinstance(content, list):
        return [_beside(each, folder) for each in content]
    if not isinstance(content, dict):
        return content
    found = {key: _beside(value, folder) for key, value in content.items()}
    for verb in PATHS.keys() & found:
        name = found[verb].get(PATHS[verb]) if isinstance(found[verb], dict) else None
        if isinstance(name, str) and is_path(name):
            found[verb] = {**found[verb], PATHS[verb]: str(folder / name)}
    return found


def files_of(steps: Iterable[Step]) -> list[Path]:
    """The files that steps name."""
    each = [inner for step in steps for _path, inner in _with_inner(step)]
    names = [getattr(getattr(step, step.verb), PATHS[step.verb]) for step in each if step.verb in PATHS]
    return [Path(name) for name in names if name and is_path(name)]


def _with_inner(step: Step) -> Iterator[StepAt]:
    """A step, and those of a sweep, each with its place in the step."""
    yield (), step
    if isinstance(step, CutPower):
        yield from (((step.verb, *path), inner) for path, inner in step.cut_power.inner())


def _check_compared(document: Document, at: tuple[str | int, ...], step: Step) -> None:
    """An expectation that another field rules out is an error: every outcome would meet it."""
    if type(step).answers is Step.answers:  # it compares no reported value
        return
    lacking = step.stated() - step.compared()
    for other in sorted(step.model_fields_set - {step.verb}):
        default = type(step).model_fields[other].get_default(call_default_factory=True)
        for name in sorted(lacking & step.model_copy(update={other: default}).compared() - {other}):
            raise document.error(
                (*at, name) if name in step.model_fields_set else (*at, step.verb, name),
                Phrase("{field} is not compared because of {other}", field=name, other=other),
                Phrase("leave out {field}, or leave out {other}", field=name, other=other),
            )


def example_of(part: Part, names: Names, captured: Iterable[str]) -> Step:
    """A step with examples of the values that are captured when it runs; ``captured`` are their names."""
    known = dict.fromkeys(captured, EXAMPLES[0])
    late = sorted(placeholders(part.document.content) & known.keys())
    same = ((example,) * len(late) for example in EXAMPLES)
    first: InputError | None = None
    for examples in islice(chain(same, product(EXAMPLES, repeat=len(late))), MOST_TRIED):
        values = known | dict(zip(late, examples, strict=True))
        try:
            return read_step(replaced(part.document, values).document, names)
        except InputError as error:
            first = first or error
    assert first is not None
    raise first
