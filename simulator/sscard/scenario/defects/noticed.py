"""The scenarios of the built-in suite that notice each defect, as ``python tools/defects_page.py --measure`` found."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Final, NamedTuple

from sscard.scenario.defects import DEFECTS
from sscard.scenario.defects.measure import Measure
from sscard.scenario.reader import Scenario
from sscard.scenario.selection import select

FILE: Final = "noticed.json"
"""Beside this module: by defect, the scenarios that notice it."""


class Noticing(NamedTuple):
    """A scenario that notices a defect; ``file`` is its path as reports show it, from the folder of the suite."""

    file: str
    name: str
    personality: str

    @classmethod
    def of(cls, scenario: Scenario) -> Noticing:
        return cls(scenario.source, scenario.name, scenario.personality.name)


@cache
def noticed_by() -> Mapping[str, tuple[Noticing, ...]]:
    """By the name of each defect, the scenarios that notice it: the first of each file that its hint selects."""
    written = json.loads((resources.files(__package__) / FILE).read_text("utf-8"))
    return {name: tuple(Noticing(**each) for each in found) for name, found in written.items()}


def measured_text(scenarios: Sequence[Scenario]) -> str:
    """The content of ``FILE`` for a suite: each defect is planted, and the scenarios of its hint are run."""
    rows: list[str] = []
    for defect in DEFECTS:
        likely = select([*scenarios], defect.hint)
        files: dict[str, Noticing] = {}
        for number in Measure(likely, 0).of(defect).noticed_by:
            files.setdefault(likely[number].source, Noticing.of(likely[number]))
        entries = ",\n".join(f"  {json.dumps(each._asdict(), ensure_ascii=False)}" for each in files.values())
        rows.append(f" {json.dumps(defect.name)}: [\n{entries}\n ]")
    return "{\n" + ",\n".join(rows) + "\n}\n"
