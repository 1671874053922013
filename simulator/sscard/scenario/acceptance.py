"""Writes observed values into a scenario file, in the place of expectations that are not met.

A person reviews the difference. Only expectations of steps change: a step that
could not be executed, or a value that comes from a variable or an expression,
is left as it is and named.
"""

from __future__ import annotations

import json
import re
from codecs import BOM_UTF8
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, get_args, get_origin

import yaml

from sscard.conversation.redaction import MASK
from sscard.document import Model
from sscard.errors import InputError
from sscard.fields import Path_
from sscard.files import read_text, write_text
from sscard.i18n.phrase import Phrase, Sayable
from sscard.scenario.expressions import NAME, number_names
from sscard.scenario.pins import pins_of, without_pins
from sscard.scenario.runner import ScenarioResult
from sscard.scenario.step import Mismatch, Step
from sscard.standard.choices import CHOICES

PLACEHOLDER: Final = "${"
_SECRET: Final = re.compile(
    r"\b((?:\w*pin|old|new|user|administrator|verify|change|apdu|pin_bytes|complete|entries)\s*:\s*)"
    r"(\[[^]]*\]|[^\s,{}\]][^,}\]\n#]*)"
)
"""A field with a PIN or with bytes of a command, and its value."""
_QUOTED: Final = re.compile(r"[:#\[\]{},&*!|>'\"%@`]|^\s|\s$|^$")
"""Text that YAML takes for something else without quotes."""


class NotAccepted(NamedTuple):
    """An expectation that stays as it is, or that holds for one seed only: its place and why."""

    place: str
    reason: Sayable


@dataclass(slots=True)
class Acceptance:
    """What was written into files: their texts ``before`` by path, and the expectations that were ``left``.

    ``pins`` are those of the scenarios, which a change must not show.
    """

    before: dict[Path, str] = field(default_factory=dict)
    left: list[NotAccepted] = field(default_factory=list)
    pins: set[str] = field(default_factory=set)
    _written: set[tuple[str, Path_]] = field(default_factory=set)
    _differing: set[tuple[str, Path_]] = field(default_factory=set)
    _spoiling: dict[tuple[str, Path_], Sayable] = field(default_factory=dict)
    _last: dict[tuple[str, Path_], tuple[Path, str]] = field(default_factory=dict)

    def accept(self, run: Callable[[], Iterable[ScenarioResult]], files: dict[str, Path]) -> None:
        """Write and run again until no result changes a file; ``files`` are paths by source."""
        while True:
            try:
                results = list(run())
            except InputError as error:
                if not self._last:
                    raise
                self._take_back(error)
                continue
            self.pins.update(*(pins_of(result.scenario) for result in results))
            failed = [result for result in results if result.verdict == "failed" and result.failure]
            # Of each file the earliest failing step: every run of the file has reached it.
            failed.sort(key=_number, reverse=True)
            self._last.clear()
            written = [
                self._take(result, results, files)
                for result in {result.scenario.source: result for result in failed}.values()
            ]
            if not any(written):
                if self._withdrawn(failed):
                    continue
                for result in reversed(failed):
                    self._leave(result, results, files)
                return

    def _withdrawn(self, failed: list[ScenarioResult]) -> bool:
        """Whether files were put back, because a later use of a step observes another value than was written."""
        found = {key for result in failed for key, __ in _missed(result)}
        differing = found & self._written
        if not differing:
            return False
        for path, text in self.before.items():
            write_as_it_was(path, text)
        self.before.clear()
        self._written.clear()
        self._differing |= differing
        return True

    def _take_back(self, error: InputError) -> None:
        """Put files back to what they were before the last run: with what was written since, one cannot be read.

        Of a step's values the first is not written again: the status word or error that rules others out.
        """
        for key, (path, text) in reversed(self._last.items()):
            write_as_it_was(path, text)
            self._written.discard(key)
            if text == self.before.get(path):
                del self.before[path]
        first = next((key for key in self._last if key[0] == error.file), next(iter(self._last)))
        self._spoiling[first] = error.problem
        self._last.clear()

    def _take(self, result: ScenarioResult, results: list[ScenarioResult], files: dict[str, Path]) -> bool:
        """Write what one failed step observed; whether anything was written."""
        assert result.failure is not None
        changed = False
        for wrong in result.failure.mismatches:
            if not self._reason(result, wrong, results, files):
                part = result.scenario.parts[result.failure.number - 1].document
                path = files.get(part.source, Path(part.source))
                path_of = (*part.root, *where(result.failure.step, wrong))
                before, after = read_text(path), edited(path, path_of, observed(result.failure.step, wrong))
                self.before.setdefault(path, before)
                write_as_it_was(path, after)
                self._written.add((part.source, path_of))
                self._last[part.source, path_of] = path, before
                changed = True
        return changed

    def compare_seeds(self, results: Iterable[ScenarioResult]) -> None:
        """Note what was written and is not met by these results, those of another seed."""
        for result in results:
            for key, wrong in _missed(result):
                if key in self._written:
                    self._note(
                        result,
                        wrong,
                        Phrase(
                            "{field}: holds for this seed only, in data write ?? for any byte and ... for any rest",
                            field=wrong.field,
                        ),
                    )

    def _note(self, result: ScenarioResult, wrong: Mismatch, reason: Sayable) -> None:
        """Note an expectation that stays, or holds for one seed only; each place once."""
        assert result.failure is not None
        scenario, number = result.scenario, result.failure.number
        place = f"{scenario.file(number)}:{scenario.place(number, wrong.field).line}"
        if reason and place not in [left.place for left in self.left]:
            self.left.append(NotAccepted(place, reason))

    def _leave(self, result: ScenarioResult, results: list[ScenarioResult], files: dict[str, Path]) -> None:
        """Note the expectations of a failed step that stay."""
        assert result.failure is not None
        for wrong in result.failure.mismatches:
            self._note(result, wrong, self._reason(result, wrong, results, files))

    def _reason(
        self, result: ScenarioResult, wrong: Mismatch, results: list[ScenarioResult], files: dict[str, Path]
    ) -> Sayable:
        """Why an expectation cannot be replaced; empty if it can."""
        step = result.failure
        assert step is not None
        value = observed(step.step, wrong)
        if not value:
            return Phrase("{field}: what was observed cannot be stated", field=wrong.field)
        if step.number == 0:
            return Phrase("{field}: the insertion is not in the file, add a step insert:", field=wrong.field)
        part = result.scenario.parts[step.number - 1].document
        path = files.get(part.source, Path(part.source))
        path_of = (*part.root, *where(step.step, wrong))
        stated = part_at(_plain(read_text(path)), path_of)
        if isinstance(stated, str) and computes(stated):
            return Phrase("{field}: {text!r} computes the value", field=wrong.field, text=stated)
        if is_shared(read_text(path), path_of):
            return Phrase("{field}: shared by an alias, write it in full here", field=wrong.field)
        key = part.source, path_of
        if key in self._spoiling:
            return Phrase(
                "{field}: with {value} the file is wrong: {problem}",
                field=wrong.field,
                value=value,
                problem=self._spoiling[key],
            )
        if key in self._written | self._differing or not _agreed(result, wrong, results):
            return Phrase(
                "{field}: the runs of the scenario observe different values, state them by an expression or a table",
                field=wrong.field,
            )
        if not edited(path, path_of, value):
            return Phrase(
                "{field}: write {value} by hand, the step has an unusual form", field=wrong.field, value=value
            )
        return ""


def _missed(result: ScenarioResult) -> Iterator[tuple[tuple[str, Path_], Mismatch]]:
    """The expectations of the file that a result did not meet, each with its file and path there."""
    failed = result.failure
    if failed and failed.number:
        part = result.scenario.parts[failed.number - 1].document
        for wrong in failed.mismatches:
            yield (part.source, (*part.root, *where(failed.step, wrong))), wrong


def _number(result: ScenarioResult) -> int:
    return result.failure.number if result.failure else 0


def _agreed(result: ScenarioResult, wrong: Mismatch, results: list[ScenarioResult]) -> bool:
    """Whether all runs that reached a step of the file observed the same there; a step of a group has several uses."""
    assert result.failure is not None
    own = result.scenario.parts[result.failure.number - 1].document
    values = set()
    for other in results:
        for step in other.steps:
            part = other.scenario.parts[step.number - 1].document if step.number else None
            if part is not None and (part.source, part.root) == (own.source, own.root):
                same = (each for each in step.mismatches if (each.field, each.key) == (wrong.field, wrong.key))
                values.add(next((observed(step.step, each) for each in same), None))
    return len(values) == 1


def edited(path: Path, path_of: Path_, value: str) -> str:
    """The text of a file with a value at a path, nothing else changed; empty if its form does not allow that."""
    text = read_text(path)
    try:
        after = with_value(text, path_of, value)
        found = _plain(after)
        if path.suffix == ".json":
            json.loads(after)
    except (yaml.YAMLError, ValueError, InputError):
        return ""
    same = _common(text, after)
    removed = text[same : len(text) - _common(text[same:][::-1], after[same:][::-1])]
    return after if found == _with(_plain(text), path_of, _plain(value)) and "#" not in removed else ""


def _common(one: str, other: str) -> int:
    """Number of characters with which both texts begin."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (left, right) in pairs if left != right), min(len(one), len(other)))


def _plain(text: str) -> Any:
    """YAML as text, lists and mappings, none of them shared by an alias."""
    return json.loads(json.dumps(yaml.load(text, yaml.BaseLoader)))  # noqa: S506 - it makes text only


def part_at(content: Any, path: Path_) -> Any:
    """The part of a content at a path, ``None`` if there is none."""
    for name in path:
        fits = isinstance(content, list) or (isinstance(content, dict) and name in content)
        content = content[name] if fits else None
    return content


def _with(content: Any, path: Path_, value: Any) -> Any:
    """The same content with a value at a path."""
    inner = content
    for name, following in pairwise(path):
        if isinstance(inner, dict) and name not in inner:
            inner[name] = [] if isinstance(following, int) else {}
        inner = inner[name]
    if isinstance(inner, dict | list):
        inner[path[-1]] = value  # type: ignore[index]
    return content


def write_as_it_was(path: Path, text: str) -> None:
    """Write a file with the line ends and the byte order mark that it has, if it exists."""
    before = path.read_bytes() if path.exists() else b""
    if b"\r\n" in before:
        text = text.replace("\n", "\r\n")
    write_text(path, ("\ufeff" if before.startswith(BOM_UTF8) else "") + text)


def masked(text: str, pins: Collection[str] = ()) -> str:
    """A scenario file as the changes to it are shown: PINs, and bytes that may hold one, are hidden.

    ``pins`` are those of its scenarios, which may stand in fields of any name: variables, rows of a table.
    """
    return _SECRET.sub(lambda found: f"{found[1]}{MASK}", without_pins(text, pins))


def computes(stated: str) -> bool:
    """Whether an expectation as it is written computes the value: by a variable or an expression."""
    return any(sign in stated for sign in (PLACEHOLDER, "(", " - ")) or any(
        name in number_names() or name in CHOICES for name in NAME.findall(stated)
    )


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
        is_word = wrong.field == "state" and "," not in wrong.write
        return wrong.write.strip("[]") if is_word else wrong.write
    owner = step if wrong.field in type(step).model_fields else getattr(step, step.verb)
    if isinstance(owner, Model) and wrong.field not in type(owner).model_fields:
        return ""  # such as a MAC that the HSM has checked
    if isinstance(owner, Model) and isinstance(getattr(owner, wrong.field, None), tuple):
        words = get_args(type(owner).model_fields[wrong.field].annotation)[0]
        separator = ", " if get_origin(words) is Literal else " "
        return f"[{', '.join([] if wrong.actual == 'none' else wrong.actual.split(separator))}]"
    if not wrong.actual:
        return ""
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


class _Aliases(yaml.SafeLoader):
    """Composes nodes, and keeps which places are aliases: the anchored node itself stands there."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.found: set[tuple[int, int | str]] = set()

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            self.found.add((id(parent), index.value if isinstance(index, yaml.Node) else index))
        return super().compose_node(parent, index)


def is_shared(text: str, path: Path_) -> bool:
    """Whether an alias leads to a path of YAML text: what is written there changes other places too."""
    loader = _Aliases(text)
    node = loader.get_single_node()
    for name in path:
        if (id(node), name) in loader.found:
            return True
        node = _child(node, name) if node is not None else None
    return False


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
