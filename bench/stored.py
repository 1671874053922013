"""Stored runs of the benchmarks: figures by benchmark and personality, with what they depend on."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from statistics import median, quantiles
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sscard.benchmark.comparison import Change, changed
from sscard.errors import InputError

SCHEMA: Final = "sscard.bench-run/1"
PARTS: Final = 5
"""Parts of a benchmark of pytest-benchmark, whose medians show its noise."""
_PERSONALITY: Final = re.compile(r"(?<=\[)(v1-des|v2-3des|v3-sm4)(?:-|(?=\]))")

What = Literal["suites", "pipelines"]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Figures(BaseModel):
    """Figures of one benchmark in seconds; ``parts`` are the medians of its parts."""

    p50: Seconds
    p99: Seconds
    parts: list[Seconds] = Field(min_length=1)


class Run(BaseModel):
    """One run: figures by benchmark and personality, which is empty for a benchmark without one.

    ``failed`` are the parts that ended with an error, each with its exit code.
    """

    model_config = ConfigDict(populate_by_name=True)

    schema_: Literal["sscard.bench-run/1"] = Field(SCHEMA, alias="schema")
    what: What
    started: datetime
    command: str
    environment: dict[str, str]
    benchmarks: dict[str, dict[str, Figures]] = Field(min_length=1)
    failed: list[str] = []


class Store:
    """A folder with a file for each run, the earliest first."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def runs(self, what: What) -> list[Run]:
        """The stored runs. Errors: ``InputError`` for a file that is none."""
        runs = []
        for path in sorted(self._folder.glob(f"{what}-*.json")):
            try:
                runs.append(Run.model_validate_json(path.read_bytes()))
            except ValidationError as error:
                problem = error.errors()[0]
                place = ".".join(map(str, problem["loc"])) or "JSON"
                raise InputError(
                    f"is not a stored run of the benchmarks: {place}: {problem['msg']}",
                    file=str(path),
                    remedy="remove the file",
                ) from None
        return runs

    def add(self, run: Run) -> Path:
        """Keep a run; returns its file."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{run.what}-{run.started:%Y%m%dT%H%M%S%fZ}.json"
        path.write_text(run.model_dump_json(by_alias=True, indent=1) + "\n", "utf-8")
        return path


def of_suite(suite: str, report: Mapping[str, Any]) -> dict[str, dict[str, Figures]]:
    """The figures of a suite in a JSON of pytest-benchmark that has the time of each round.

    A benchmark that does something several times in a round says so in ``operations`` of its ``extra_info``.
    """
    found: dict[str, dict[str, Figures]] = {}
    for each in report["benchmarks"]:
        name = f"{suite}: {each['name']}"
        personality = match[1] if (match := _PERSONALITY.search(name)) else ""
        times = [time / each["extra_info"].get("operations", 1) for time in each["stats"]["data"]]
        size = max(1, len(times) // PARTS)
        row = _PERSONALITY.sub("", name).replace("[]", "")
        found.setdefault(row, {})[personality] = Figures(
            p50=median(times),
            p99=quantiles(times, n=100, method="inclusive")[98] if len(times) > 1 else times[0],
            parts=[median(times[start : start + size]) for start in range(0, size * min(PARTS, len(times)), size)],
        )
    return found


def changes(before: Run, now: Run) -> dict[tuple[str, str], Change]:
    """How the medians of the benchmarks of both runs changed, by benchmark and personality."""
    return {
        (name, personality): changed(name, "p50", before.benchmarks[name][personality].parts, figures.parts)
        for name, row in now.benchmarks.items()
        for personality, figures in row.items()
        if personality in before.benchmarks.get(name, {})
    }


def medians(runs: Sequence[Run], name: str, personality: str) -> list[tuple[int, float]]:
    """The median of a benchmark in µs in each run that has it, by the number of the run from 1."""
    return [
        (number, run.benchmarks[name][personality].p50 * 1e6)
        for number, run in enumerate(runs, 1)
        if personality in run.benchmarks.get(name, {})
    ]
