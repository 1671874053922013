"""Run the benchmarks, store the run, compare it with the one before, and update the plots and tables of RESULTS.md.

    python bench/record.py [suites] [pipelines] [--count 1000] [-k EXPRESSION]

``suites`` are the pytest-benchmark suites of this folder. ``pipelines`` are change and reset by session, driver,
service with its journal on disk, and the same over PC/SC, on three personalities, by ``sscard bench``. Runs are kept
in ``bench/runs``, which belongs to this machine. A change within the noise of both runs is stated as none.

Each file of the suites and each personality and transport of the pipelines is a part, measured by a program of its
own and named on standard error as it begins. If a part fails, the others are measured, the run is stored without what
is missing, the table names the part, and the exit code is 1. Ctrl-C ends with 130 and stores nothing.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final

from drawing import Axis, Series, decades_axis, linear_axis, plot, values_of
from sscard.benchmark.comparison import DEPENDS_ON, Change
from sscard.benchmark.environment import machine
from sscard.errors import InputError
from sscard.i18n.language import say
from stored import Figures, Run, Store, What, changes, medians, of_suite

HERE: Final = Path(__file__).parent
PERSONALITIES: Final = ("v1-des", "v2-3des", "v3-sm4")
SETTINGS: Final = {
    "session": ("change", "reset"),
    "driver": ("driver-change", "driver-reset"),
    "service + journal": ("case:leaked", "case:forgotten"),
    "service + journal + PC/SC": ("case:leaked", "case:forgotten"),
}
"""The flows of a change and a reset in each setting. A leaked PIN is changed, a forgotten one is reset."""
OVER_PCSC: Final = "service + journal + PC/SC"
OPERATIONS: Final = ("change", "reset")
NOTHING_SELECTED: Final = 5
"""Exit code of pytest if ``-k`` selects no benchmark of a file."""
FACTS: Final = ("processor", "processors", "system", "python", "sscard", "pcscd", "pyscard")


@dataclass
class Parts:
    """The parts of a run as they are measured: ``failed`` are those that ended with an error, with the exit code."""

    begun: int = 0
    failed: list[str] = field(default_factory=list)

    def measured(self, name: str, of: int, command: Sequence[str], output: Path) -> dict[str, Any] | None:
        """The JSON that a command writes to a file or, if it writes none, to standard output.

        ``of`` is the number of parts, for the progress. ``None`` if the command wrote nothing; what it wrote to a file
        before it failed counts.
        """
        self.begun += 1
        print(f"record.py: {self.begun} of {of}: {name}", file=sys.stderr, flush=True)
        to_file = str(output) in command
        done = subprocess.run(command, stdout=None if to_file else subprocess.PIPE, cwd=HERE.parent, check=False)
        if done.returncode not in (0, NOTHING_SELECTED if to_file else 0):
            self.failed.append(f"{name} (exit code {done.returncode})")
            print(f"record.py: failed: {self.failed[-1]}", file=sys.stderr, flush=True)
            if not to_file:
                return None
        written = output.read_bytes() if to_file and output.exists() else done.stdout
        found: dict[str, Any] | None = json.loads(written) if written else None
        return found


def run_suites(parts: Parts, files: Sequence[str], expression: str) -> Run | None:
    """Run the suites of pytest-benchmark, one process for each file; ``None`` if nothing was measured."""
    started = datetime.now(UTC)
    found: dict[str, dict[str, Figures]] = {}
    chosen = ["pytest", *(["-k", expression] if expression else []), "--benchmark-enable"]
    config = ["-c", str(HERE.parent / "pyproject.toml"), "-W", "ignore:Not saving anything", "-p", "no:cacheprovider"]
    options = [*config, "-v", "--benchmark-quiet"]
    suites = [path for file in files for path in suites_in(HERE.parent / file)]
    with TemporaryDirectory(prefix="sscard-bench-") as folder:
        for suite in suites:
            report = Path(folder) / f"{suite.stem}.json"
            command = [sys.executable, "-m", *chosen, str(suite), *options, "--benchmark-json", str(report)]
            if part := parts.measured(suite.name, len(suites), command, report):
                found |= of_suite(suite.stem, part)
    if not found:
        return None
    environment = {name: say(value) for name, value in machine().items()}
    command_text = shlex.join([*chosen, *files])
    return Run(
        what="suites",
        started=started,
        command=command_text,
        environment=environment,
        benchmarks=found,
        failed=parts.failed,
    )


def suites_in(path: Path) -> list[Path]:
    """The files with benchmarks of pytest-benchmark in a folder, or this file."""
    return sorted(each for each in path.glob("bench_*.py") if "\ndef bench_" in each.read_text("utf-8")) or [path]


def run_pipelines(parts: Parts, count: int) -> Run | None:
    """Run the pipelines by ``sscard bench``: in-process and over PC/SC, on each personality.

    ``None`` if nothing was measured.
    """
    started = datetime.now(UTC)
    found: dict[str, dict[str, Figures]] = {
        f"{operation}, {setting}": {} for setting in SETTINGS for operation in OPERATIONS
    }
    environment: dict[str, str] = {}
    in_process = [flow for name, flows in SETTINGS.items() if name != OVER_PCSC for flow in flows]
    with TemporaryDirectory(prefix="sscard-bench-") as folder:
        for personality in PERSONALITIES:
            for transport, flows in (("local", in_process), ("pcsc", SETTINGS[OVER_PCSC])):
                journal = Path(folder) / f"{personality}-{transport}.db"
                options = ["--personality", personality, "--transport", transport, "--count", str(count), "--json"]
                written = ["--journal", str(journal), "--journal-key", str(journal.with_suffix(".key"))]
                command = [sys.executable, "-m", "sscard", "bench", *flows, *options, *written]
                result = parts.measured(
                    f"{personality}, {transport}", 2 * len(PERSONALITIES), command, Path(folder) / "unused.json"
                )
                if result is None:
                    continue
                environment |= {name: str(value) for name, value in result["environment"].items()}
                by_flow = {flow["flow"]: flow for flow in result["flows"]}
                for setting, pair in SETTINGS.items():
                    if (setting == OVER_PCSC) == (transport == "pcsc"):
                        for operation, flow in zip(OPERATIONS, pair, strict=True):
                            found[f"{operation}, {setting}"][personality] = figures_of(by_flow[flow])
    if not environment:
        return None
    shown = f"sscard bench FLOW --personality P --count {count} --journal FILE [--transport pcsc]"
    return Run(
        what="pipelines",
        started=started,
        command=shown,
        environment=environment,
        benchmarks={name: row for name, row in found.items() if row},
        failed=parts.failed,
    )


def figures_of(flow: dict[str, Any]) -> Figures:
    """The figures of a flow in the JSON of ``sscard bench``."""
    parts = [each["p50"] for each in flow["rounds"] if each["operations"]]
    return Figures(p50=flow["p50"], p99=flow["p99"], parts=parts)


def time_text(seconds: float) -> str:
    """Three digits with their unit."""
    factor, unit = next((each for each in ((1, "s"), (1e3, "ms")) if seconds * each[0] >= 1), (1e6, "µs"))
    return f"{seconds * factor:.3g} {unit}"


def change_text(change: Change | None) -> str:
    """The change in percent with the noise; the verdict if it is more than noise."""
    if change is None:
        return ""
    text = f"{100 * change.change:+.0f} % ± {100 * change.noise:.0f}"
    return f" ({text})" if change.verdict == "no change" else f" (**{text}, {change.verdict}**)"


def section_of(run: Run, before: Run | None, plots: Iterable[str]) -> str:
    """The generated section of RESULTS.md: what the figures depend on, the comparison, the table, links to plots."""
    found = changes(before, run) if before else {}
    facts = "; ".join(f"{name} {run.environment[name]}" for name in FACTS if run.environment.get(name))
    lines = [f"`{run.command}`, {run.started:%Y-%m-%d %H:%M} UTC. {facts}.", ""]
    if run.failed:
        lines += [f"Failed, so not or only partly in the table: {'; '.join(run.failed)}.", ""]
    if before is None:
        lines += ["The first stored run of this machine: no comparison.", ""]
    else:
        differences = ", ".join(
            f"{name} {before.environment.get(name, '–')} → {run.environment.get(name, '–')}"
            for name in DEPENDS_ON
            if before.environment.get(name) != run.environment.get(name)
        )
        verdicts = [each.verdict for each in found.values()]
        counted = ", ".join(f"{verdicts.count(each)} {each}" for each in ("slower", "faster", "no change"))
        other = f" Different: {differences}." if differences else ""
        lines += [f"In brackets: change since {before.started:%Y-%m-%d %H:%M} UTC ± noise; {counted}.{other}", ""]
    columns = sorted({personality for row in run.benchmarks.values() for personality in row})
    lines += [
        f"| median / p99 | {' | '.join(each or 'any card' for each in columns)} |",
        f"|---{'|---' * len(columns)}|",
    ]
    for name, row in run.benchmarks.items():
        cells = [
            f"{time_text(row[each].p50)} / {time_text(row[each].p99)}{change_text(found.get((name, each)))}"
            if each in row
            else ""
            for each in columns
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    if plots:
        linked = ", ".join(f"[{name.removesuffix('.svg')}](plots/{name})" for name in plots)
        lines += ["", f"Medians over the stored runs: {linked}."]
    return "\n".join(lines)


def with_section(text: str, what: What, section: str, file: str) -> str:
    """The text with a section in place of what is between its markers. Errors: ``InputError`` without them."""
    begin, end = f"<!-- generated: {what} -->", f"<!-- end: {what} -->"
    if not (text.count(begin) == text.count(end) == 1 and text.index(begin) < text.index(end)):
        raise InputError(f"does not have {begin} and {end} once each, in this order", file=file, remedy="write them")
    before, _, rest = text.partition(begin)
    return f"{before}{begin}\n{section}\n{end}{rest.partition(end)[2]}"


def plots_of(what: What, runs: Sequence[Run]) -> dict[str, str]:
    """The SVG of medians over the stored runs, by file name."""
    across = Axis(range(1, len(runs) + 1))
    if what == "pipelines":
        lines = {
            f"{operation}, {personality}": [
                Series(setting, "µs", points)
                for setting in SETTINGS
                if (points := medians(runs, f"{operation}, {setting}", personality))
            ]
            for operation in OPERATIONS
            for personality in PERSONALITIES
        }
        return {
            f"runs-{name.replace(', ', '-')}.svg": plot(
                f"PIN {name}: median of each stored run",
                "run",
                found,
                across,
                decades_axis(values_of(found), (1, 2, 5)),
            )
            for name, found in lines.items()
            if found
        }
    series = [
        Series(personality or "any card", "%", [(number, share) for number, share in enumerate(shares, 1) if share])
        for personality in ("", *PERSONALITIES)
        if any(shares := [relative(runs[0], run, personality) for run in runs])
    ]
    title = "Median time of the suites, relative to the first stored run"
    return {"runs-suites.svg": plot(title, "run", series, across, linear_axis(values_of(series)))} if series else {}


def relative(first: Run, run: Run, personality: str) -> float:
    """The median over the benchmarks of both runs of their time, in percent of the first; 0 if they share none."""
    ratios = [
        row[personality].p50 / first.benchmarks[name][personality].p50
        for name, row in run.benchmarks.items()
        if personality in row and personality in first.benchmarks.get(name, {})
    ]
    return 100 * median(ratios) if ratios else 0.0


def record(run: Run, store: Store, results: Path, plots: Path) -> None:
    """Store a run and update table and plots by it and the runs before."""
    earlier = store.runs(run.what)
    drawings = plots_of(run.what, [*earlier, run])
    section = section_of(run, earlier[-1] if earlier else None, drawings)
    text = with_section(results.read_text("utf-8"), run.what, section, str(results))
    print(f"{section}\n\nstored as {store.add(run)}")
    results.write_text(text, "utf-8")
    plots.mkdir(parents=True, exist_ok=True)
    for name, drawn in drawings.items():
        (plots / name).write_text(drawn, "utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", nargs="*", help="suites, pipelines (default: both)")
    parser.add_argument("--count", type=int, default=1000, help="operations of each pipeline (default: 1000)")
    parser.add_argument(
        "--files", nargs="+", default=["bench"], help="their files, seen from the checkout (default: bench)"
    )
    parser.add_argument("-k", dest="expression", default="", help="benchmarks of the suites, as pytest's -k")
    parser.add_argument("--store", type=Path, default=HERE / "runs", help="folder of the stored runs")
    parser.add_argument("--results", type=Path, default=HERE / "RESULTS.md", help="file with the tables")
    parser.add_argument("--plots", type=Path, default=HERE / "plots", help="folder of the plots")
    given = parser.parse_intermixed_args()
    kinds: list[What] = given.what or ["suites", "pipelines"]
    if unknown := {*kinds} - {"suites", "pipelines"}:
        parser.error(f"{', '.join(sorted(unknown))}: expected suites or pipelines")
    if given.count < 5:
        parser.error("at least 5 operations, one for each round")
    store = Store(given.store)
    failed: list[str] = []
    try:
        for what in kinds:  # before hours of measurement
            store.runs(what)
            with_section(given.results.read_text("utf-8"), what, "", str(given.results))
        for what in kinds:
            parts = Parts()
            if what == "suites":
                run = run_suites(parts, given.files, given.expression)
            else:
                run = run_pipelines(parts, given.count)
            failed += parts.failed
            if run:
                record(run, store, given.results, given.plots)
            elif not parts.failed:
                parser.error("no benchmark is selected: name other --files, or another -k")
    except KeyboardInterrupt:
        print("record.py: interrupted, this run is not stored", file=sys.stderr)
        return 130
    except (InputError, OSError) as error:
        print(f"record.py: {error}", file=sys.stderr)
        return 2
    for name in failed:
        print(f"record.py: failed: {name}", file=sys.stderr)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
