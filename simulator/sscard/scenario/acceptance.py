"""Writes observed values into a scenario file, in the place of expectations that are not met.

A person reviews the difference. Only expectations of steps change: a step that
could not be executed, or a value that comes from a variable or an expression,
is left as it is and named.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, NamedTuple, get_args, get_origin

import yaml

from sscard.document import Model, read_document
from sscard.errors import InputError
from sscard.fields import Path_
from sscard.files import read_text, write_text
from sscard.i18n.phrase import Phrase, Sayable
from sscard.scenario.runner import ScenarioResult, StepResult
from sscard.scenario.step import Mismatch, Step

PLACEHOLDER: Final = "${"
_QUOTED: Final = re.compile(r"[:#\[\]{},&*!|>'\"%@`]|^\s|\s$|^$")
"""Text that YAML takes for something else without quotes."""


class NotAccepted(NamedTuple):
    """An expectation that stays as it is: its place and why."""

    place: str
    reason: Sayable


@dataclass(slots=True)
class Acceptance:
    """What was written into files: their texts ``before`` by path, and the expectations that were ``left``."""

    before: dict[Path, str] = field(default_factory=dict)
    left: list[NotAccepted] = field(default_factory=list)
    _written: set[tuple[str, Path_]] = field(default_factory=set)

    def accept(self, run: Callable[[], Iterable[ScenarioResult]], files: dict[str, Path]) -> None:
        """Write and run again until no result changes a file; ``files`` are paths by source."""
        while True:
            results = [result for result in run() if result.verdict == "failed" and result.failure]
            if not any([self._take(result, files) for result in results][:1]):
                seen: set[str] = set()
                for result in results:
                    self.left += [each for each in self._left(result) if each.place not in seen]
                    seen.update(each.place for each in self.left)
                return

    def _take(self, result: ScenarioResult, files: dict[str, Path]) -> bool:
        """Write what one failed step observed; whether anything was written."""
        assert result.failure is not None
        changed = False
        for wrong in result.failure.mismatches:
            if not self._reason(result, result.failure, wrong):
                part = result.scenario.parts[result.failure.number - 1].document
                path = files.get(part.source, Path(part.source))
                text = read_text(path)
                self.before.setdefault(path, text)
                path_of = (*part.root, *where(result.failure.step, wrong))
                write_text(path, with_value(text, path_of, observed(result.failure.step, wrong)))
                self._written.add((part.source, path_of))
                changed = True
        return changed

    def _left(self, result: ScenarioResult) -> list[NotAccepted]:
        assert result.failure is not None
        scenario, step = result.scenario, result.failure
        return [
            NotAccepted(f"{scenario.file(step.number)}:{scenario.place(step.number, wrong.field).line}", reason)
            for wrong in step.mismatches
            if (reason := self._reason(result, step, wrong))
        ]

    def _reason(self, result: ScenarioResult, step: StepResult, wrong: Mismatch) -> Sayable:
        """Why an expectation cannot be replaced; empty if it can."""
        if not observed(step.step, wrong):
            return Phrase("{field}: what was observed cannot be stated", field=wrong.field)
        if step.number == 0:
            return Phrase("{field}: the insertion is not in the file, add a step insert:", field=wrong.field)
        part = result.scenario.parts[step.number - 1].document
        path_of = (*part.root, *where(step.step, wrong))
        content = read_document(Path(part.source)).content if Path(part.source).is_file() else None
        for name in path_of:
            fits = isinstance(content, list) or (isinstance(content, dict) and name in content)
            content = content[name] if fits and content is not None else None
        if isinstance(content, str) and (PLACEHOLDER in content or "(" in content or " - " in content):
            return Phrase("{field}: {text!r} computes the value", field=wrong.field, text=content)
        if (part.source, path_of) in self._written:
            return Phrase(
                "{field}: the runs of the scenario observe different values, state them by an expression or a table",
                field=wrong.field,
            )
        return ""


def where(step: Step, wrong: Mismatch) -> tuple[str, ...]:
    """The names that lead to the field of an expectation in a step."""
    if wrong.field in type(step).model_fields:
        return (wrong.field, wrong.key) if wrong.key else (wrong.field,)
    value = getattr(step, step.verb)
    if isinstance(value, Model) and wrong.field in type(value).model_fields:
        return (step.verb, wrong.field)
    return (step.verb,)


def observed(step: Step, wrong: Mismatch) -> str:
    """What was observed as the scenario file states it; empty if no value of the field states it."""
    if wrong.field not in step.answers() or not isinstance(wrong.actual, str):
        return wrong.write
    owner = step if wrong.field in type(step).model_fields else getattr(step, step.verb)
    if isinstance(owner, Model) and wrong.field not in type(owner).model_fields:
        return ""  # such as a MAC that the HSM has checked
    if isinstance(owner, Model) and isinstance(getattr(owner, wrong.field, None), tuple):
        words = get_args(type(owner).model_fields[wrong.field].annotation)[0]
        separator = ", " if get_origin(words) is Literal else " "
        return f"[{', '.join([] if wrong.actual == 'none' else wrong.actual.split(separator))}]"
    return json.dumps(wrong.actual, ensure_ascii=False) if _QUOTED.search(wrong.actual) else wrong.actual


def with_value(text: str, path: Path_, value: str) -> str:
    """YAML text with a value at a path, replaced or added; everything else stays as it is written."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    assert root is not None
    node: yaml.Node = root
    for place, name in enumerate(path):
        found = _child(node, name)
        if found is None:
            nested = path[place + 1 :]
            for inner in reversed(nested):
                value = f"{{{inner}: {value}}}"
            return _added(text, node, f"{name}: {value}")
        node = found
    start, end = node.start_mark, node.end_mark
    assert start is not None
    assert end is not None
    last = _end(node)
    between = "" if text[start.index - 1 : start.index] in (" ", "{", "[") else " "
    return text[: start.index] + between + value + text[max(last, start.index) :]


def _child(node: yaml.Node, name: int | str) -> yaml.Node | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(name, int):
        return node.value[name]  # type: ignore[no-any-return]
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == name), None)
    return None


def _end(node: yaml.Node) -> int:
    """Where the text of a node ends: a block ends at the start of the next one, its last leaf does not."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last)
    assert node.end_mark is not None
    return node.end_mark.index


def _added(text: str, node: yaml.Node, entry: str) -> str:
    """YAML text with one more field in a mapping."""
    if not isinstance(node, yaml.MappingNode):
        raise InputError(Phrase("no fields here: {entry}", entry=entry))
    assert node.end_mark is not None
    if node.flow_style:
        place = node.end_mark.index - 1
        return f"{text[:place].rstrip()}, {entry}{text[place:]}"
    first = node.value[0][0].start_mark
    end = _end(node)
    line_end = text.find("\n", end)
    line_end = len(text) if line_end < 0 else line_end
    return f"{text[:line_end]}\n{' ' * first.column}{entry}{text[line_end:]}"
