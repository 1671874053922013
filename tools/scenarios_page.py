"""Write docs/reference/scenarios.md and scenarios.zh.md from the models of the steps and the built-in suite.

python tools/scenarios_page.py           writes what differs
python tools/scenarios_page.py --check   exits 1 if a page differs

The example of a verb is its shortest step in the suite. Its status words are those
that the commands it sends there declare.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from textwrap import dedent
from typing import Any

from commands_page import write
from sscard.conversation import Exchange
from sscard.conversation.explain import find_declaration
from sscard.conversation.reference import written_sw
from sscard.i18n.language import CHINESE, ENGLISH, speaking
from sscard.scenario import Scenario, ScenarioResult, builtin_scenarios, run_scenario
from sscard.scenario.library import builtin_folder
from sscard.scenario.reference import markdown
from sscard.transport import Connection

FOLDER = Path(__file__).parents[1] / "docs" / "reference"
PAGES = {ENGLISH: FOLDER / "scenarios.md", CHINESE: FOLDER / "scenarios.zh.md"}
HEADER = 8
"""Hex digits of CLA, INS, P1 and P2."""


def generated() -> dict[Path, str]:
    """Each page as it should be."""
    scenarios = builtin_scenarios()
    points: dict[str, int] = {}
    statuses = statuses_by_verb(run_scenario(each, connect=partial(_counting, points)) for each in scenarios)
    return pages(scenarios, statuses, {name: str(points[name]) for name in sorted(points)})


def pages(scenarios: list[Scenario], statuses: dict[str, str], points: dict[str, str]) -> dict[Path, str]:
    """Each page with what a run of the suite has shown."""
    examples = examples_by_verb(scenarios)
    found = {}
    for language, path in PAGES.items():
        with speaking(language):
            found[path] = markdown(examples, statuses, points)
    return found


@contextmanager
def _counting(points: dict[str, int], card: Connection) -> Iterator[Connection]:
    yield _Counting(card, points)


class _Counting:
    """A card that notes the write points of each command in ``points``: the most for one command, by its name."""

    def __init__(self, card: Any, points: dict[str, int]) -> None:
        self.inner = card
        self.memory = getattr(card, "chip", card).memory
        self.points = points

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def transmit(self, sent: bytes) -> bytes:
        """Send a command."""
        before = self.memory.writes
        answer: bytes = self.inner.transmit(sent)
        declaration = find_declaration(sent)
        if declaration and self.memory.writes > before:
            most = max(self.points.get(declaration.name, 0), self.memory.writes - before)
            self.points[declaration.name] = most
        return answer


def statuses_by_verb(results: Iterable[ScenarioResult]) -> dict[str, str]:
    """The declared status words of the commands that each verb sends, in order."""
    words: dict[str, set[int]] = defaultdict(set)
    for result in results:
        for step in result.steps:
            headers = {event.command[:HEADER] for event in step.events if isinstance(event, Exchange)}
            for header in headers:
                if len(header) == HEADER and (found := find_declaration(bytes.fromhex(header))):
                    words[step.step.verb].update(found.statuses)
    return {verb: ", ".join(written_sw(word) for word in sorted(found)) for verb, found in words.items()}


def examples_by_verb(scenarios: Iterable[Scenario]) -> dict[str, str]:
    """The shortest step with each verb, as it is written in the suite; without placeholders, which need their table."""
    found: dict[str, str] = {}
    for scenario in scenarios:
        path = builtin_folder().parent / scenario.source
        lines = path.read_text("utf-8").splitlines() if path.is_file() else []
        for number, step in enumerate(scenario.steps, 1):
            if scenario.file(number) != scenario.source:
                continue
            text = _step_text(lines, scenario.place(number).line - 1)
            known = found.get(step.verb)
            if text and "${" not in text and (known is None or len(text) < len(known)):
                found[step.verb] = text
    return found


def _step_text(lines: list[str], first: int) -> str:
    """The lines of a block step from its dash to the next step of the list."""
    indent = len(lines[first]) - len(lines[first].lstrip())
    if not lines[first].lstrip().startswith("- "):
        return ""
    last = first + 1
    while last < len(lines) and lines[last][: indent + 1].isspace() and lines[last].strip():
        last += 1
    return dedent("\n".join(lines[first:last]))


if __name__ == "__main__":
    raise SystemExit(write(generated, (__doc__ or "").partition("\n\n")[0]))
