"""The program that stores runs of the benchmarks and updates RESULTS.md by them."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from itertools import pairwise
from math import log10
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import fromstring

import pytest

import record
from drawing import decades_axis, linear_axis
from kit.documents import ROOT
from kit.programs import run
from sscard.errors import InputError
from stored import Figures, Run, Store, What, of_suite

PROGRAM = ROOT / "bench" / "record.py"
TEXT = "by hand\n<!-- generated: {what} -->\nold\n<!-- end: {what} -->\nmore by hand\n"
STABLE = (1.0, 1.01, 0.99, 1.0, 1.0)


def run_of(hour: int, *, factor: float = 1.0, what: What = "pipelines", python: str = "3.11", **others: float) -> Run:
    """A run whose change by the session takes this factor of a millisecond, and further benchmarks in seconds."""
    figures = Figures(p50=1e-3 * factor, p99=2e-3, parts=[1e-3 * factor * each for each in STABLE])
    return Run(
        what=what,
        started=datetime(2026, 1, 5, hour, tzinfo=UTC),
        command="make bench",
        environment={"processor": "quick one", "python": python},
        benchmarks={
            "change, session": {"v3-sm4": figures},
            **{name: {"": Figures(p50=value, p99=value, parts=[value])} for name, value in others.items()},
        },
    )


@pytest.fixture(autouse=True)
def no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """pytest-benchmark disables itself in a worker of pytest-xdist, and in programs that one starts."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    file = tmp_path / "RESULTS.md"
    file.write_text(TEXT.format(what="pipelines"), "utf-8")
    return file


def recorded(results: Path, *runs: Run) -> str:
    """What RESULTS.md has after these runs."""
    folder = results.parent
    for each in runs:
        record.record(each, Store(folder / "runs"), results, folder / "plots")
    return results.read_text("utf-8")


def test_the_first_run_is_stored_and_has_nothing_to_compare_with(results: Path) -> None:
    text = recorded(results, run_of(9, other=5e-6))
    assert text.startswith(
        "by hand\n<!-- generated: pipelines -->\n`make bench`, 2026-01-05 09:00 UTC. processor quick one"
    )
    assert text.endswith("<!-- end: pipelines -->\nmore by hand\n")
    assert "The first stored run of this machine" in text
    assert "| change, session |  | 1 ms / 2 ms |" in text
    assert "| other | 5 µs / 5 µs |  |" in text
    assert "\nold\n" not in text
    assert len(Store(results.parent / "runs").runs("pipelines")) == 1
    assert Store(results.parent / "runs").runs("suites") == []


@pytest.mark.parametrize(
    ("factor", "cell"),
    [
        (1.02, "1.02 ms / 2 ms (+2 % ± 5)"),
        (1.5, "1.5 ms / 2 ms (**+50 % ± 5, slower**)"),
        (0.5, "500 µs / 2 ms (**-50 % ± 5, faster**)"),
    ],
)
def test_a_run_is_compared_with_the_one_before(results: Path, factor: float, cell: str) -> None:
    text = recorded(results, run_of(8, factor=7), run_of(9), run_of(10, factor=factor, new=1.0))
    assert f"| {cell} |" in text
    assert "change since 2026-01-05 09:00 UTC" in text
    assert "| new | 1 s / 1 s |  |" in text


def test_another_python_is_stated_with_the_comparison(results: Path) -> None:
    assert "Different: python 3.11 → 3.13." in recorded(results, run_of(9), run_of(10, python="3.13"))


def test_the_plot_has_a_point_for_each_stored_run(results: Path) -> None:
    recorded(results, run_of(9), run_of(10), run_of(11))
    drawn = results.parent / "plots" / "runs-change-v3-sm4.svg"
    assert [path.name for path in drawn.parent.iterdir()] == [drawn.name]
    circles = [*fromstring(drawn.read_text("utf-8")).iter("{http://www.w3.org/2000/svg}circle")]  # noqa: S314
    assert len(circles) == 3


def test_the_plot_of_the_suites_is_relative_to_the_first_run(results: Path) -> None:
    results.write_text(TEXT.format(what="suites"), "utf-8")
    recorded(results, run_of(9, what="suites", other=1.0), run_of(10, what="suites", factor=2))
    assert record.relative(run_of(9), run_of(10, factor=2), "v3-sm4") == pytest.approx(200)
    text = (results.parent / "plots" / "runs-suites.svg").read_text("utf-8")
    assert "v3-sm4, %" in text
    assert "any card, %" in text


@pytest.mark.parametrize(
    "text",
    [
        "no markers",
        "<!-- generated: pipelines -->\n",
        "<!-- end: pipelines --><!-- generated: pipelines -->",
        2 * TEXT.format(what="pipelines"),
    ],
)
def test_without_its_markers_nothing_is_written(results: Path, text: str) -> None:
    results.write_text(text, "utf-8")
    with pytest.raises(InputError, match="generated: pipelines"):
        recorded(results, run_of(9))
    assert results.read_text("utf-8") == text
    assert not (results.parent / "runs").exists()


def test_markers_are_checked_before_anything_is_measured(results: Path) -> None:
    results.write_text("no markers", "utf-8")
    done = run(PROGRAM, "--results", results, "--store", results.parent / "runs", program=(sys.executable,))
    assert (done.returncode, done.stdout) == (2, "")
    assert "RESULTS.md: does not have <!-- generated: suites -->" in done.stderr


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"schema": "sscard.bench/1"}', "\udcff"])
def test_a_stored_file_that_is_no_run_is_named_before_anything_is_measured(results: Path, content: str) -> None:
    store = results.parent / "runs"
    store.mkdir()
    (store / "pipelines-1.json").write_text(content, "utf-8", "surrogateescape")
    given = ("pipelines", "--results", results, "--store", store)
    done = run(PROGRAM, *given, program=(sys.executable,))
    assert (done.returncode, done.stdout) == (2, "")
    assert "pipelines-1.json: is not a stored run of the benchmarks" in done.stderr
    assert "remove the file" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "problem"), [(["all"], "all: expected suites"), (["--count", "4"], "at least 5")]
)
def test_wrong_arguments_are_unusable_input(arguments: list[str], problem: str) -> None:
    done = run(PROGRAM, *arguments, program=(sys.executable,))
    assert (done.returncode, done.stdout) == (2, "")
    assert problem in done.stderr


def report(**times: list[float]) -> dict[str, Any]:
    """A JSON of pytest-benchmark, as far as it is read."""
    return {
        "benchmarks": [
            {"name": name, "stats": {"data": data}, "extra_info": {"operations": 10} if "ten" in name else {}}
            for name, data in times.items()
        ]
    }


def test_personalities_become_columns_and_the_rounds_parts() -> None:
    found = of_suite(
        "bench_it",
        report(
            **{
                "bench_a[v3-sm4]": [1.0] * 50 + [2.0] * 50,
                "bench_a[v1-des-more]": [3.0],
                "bench_a[v1-des]": [3.0, 3.0, 3.0, 4.0],
                "bench_b": [5.0] * 7,
                "bench_ten": [5.0] * 7,
            }
        ),
    )
    assert {name: [*row] for name, row in found.items()} == {
        "bench_it: bench_a": ["v3-sm4", "v1-des"],
        "bench_it: bench_a[more]": ["v1-des"],
        "bench_it: bench_b": [""],
        "bench_it: bench_ten": [""],
    }
    assert found["bench_it: bench_a"]["v3-sm4"].parts == [1.0, 1.0, 1.5, 2.0, 2.0]
    assert found["bench_it: bench_a"]["v1-des"].parts == [3.0, 3.0, 3.0, 4.0]
    assert found["bench_it: bench_b"][""].p50 == 5.0
    assert found["bench_it: bench_ten"][""].p50 == 0.5


@pytest.mark.nightly
def test_suites_are_measured_stored_and_compared(results: Path) -> None:
    results.write_text(TEXT.format(what="suites"), "utf-8")
    folder = results.parent
    places = ("--results", results, "--store", folder / "runs", "--plots", folder / "plots")
    for _ in range(2):
        chosen = ("suites", "--files", ROOT / "bench" / "bench_reset.py", "-k", "v3-sm4 and change", *places)
        done = run(PROGRAM, *chosen, program=(sys.executable,))
        assert done.returncode == 0, done.stdout + done.stderr
    assert "| bench_reset: bench_operation[change] |" in results.read_text("utf-8")
    assert "In brackets: change since" in results.read_text("utf-8")
    stored = [json.loads(path.read_bytes()) for path in (folder / "runs").iterdir()]
    assert [each["schema"] for each in stored] == ["sscard.bench-run/1"] * 2
    assert {each["environment"]["chip"] for each in stored} <= {"plain", "compiled"}


SUITE = """
import pytest

def bench_right(benchmark):
    benchmark.pedantic(int, rounds=5)

@pytest.mark.parametrize("wrong", {wrong})
def bench_other(benchmark, wrong):
    assert not wrong
    benchmark.pedantic(int, rounds=5)
"""


@pytest.mark.nightly
def test_a_part_that_fails_is_named_and_the_others_are_kept(results: Path) -> None:
    results.write_text(TEXT.format(what="suites"), "utf-8")
    folder = results.parent
    for name, wrong in (("a", [True]), ("b", [False])):
        (folder / f"bench_{name}.py").write_text(SUITE.format(wrong=wrong), "utf-8")
    (folder / "bench_program.py").write_text("raise SystemExit(1)\n", "utf-8")
    places = ("--results", results, "--store", folder / "runs", "--plots", folder / "plots")
    done = run(PROGRAM, "suites", "--files", folder, *places, program=(sys.executable,))
    assert done.returncode == 1, done.stdout + done.stderr
    assert "record.py: 1 of 2: bench_a.py\nrecord.py: failed: bench_a.py (exit code 1)\n" in done.stderr
    text = results.read_text("utf-8")
    assert "Failed, so not or only partly in the table: bench_a.py (exit code 1)." in text
    assert "| bench_a: bench_right |" in text
    assert "| bench_a: bench_other[True] |" not in text
    assert "| bench_b: bench_other[False] |" in text
    (stored,) = Store(folder / "runs").runs("suites")
    assert stored.failed == ["bench_a.py (exit code 1)"]


def test_an_expression_that_selects_nothing_is_unusable_input(results: Path) -> None:
    results.write_text(TEXT.format(what="suites"), "utf-8")
    suite = ROOT / "bench" / "bench_reset.py"
    done = run(PROGRAM, "suites", "--files", suite, "-k", "zzz", "--results", results, program=(sys.executable,))
    assert done.returncode == 2, done.stdout + done.stderr
    assert "record.py: error: no benchmark is selected" in done.stderr


@pytest.mark.parametrize("code", [1, 3])
def test_a_command_that_fails_gives_no_figures(capfd: pytest.CaptureFixture[str], tmp_path: Path, code: int) -> None:
    parts = record.Parts()
    command = [sys.executable, "-c", f"print('{{}}'); raise SystemExit({code})"]
    assert parts.measured("a part", 2, command, tmp_path / "unused.json") is None
    assert parts.failed == [f"a part (exit code {code})"]
    assert "record.py: 1 of 2: a part\n" in capfd.readouterr().err


def test_a_run_over_decades_is_drawn_on_a_logarithmic_axis(results: Path) -> None:
    run = run_of(9)
    times = {"change, driver": 50e-6, "change, service + journal + PC/SC": 130e-3}
    run.benchmarks |= {name: {"v3-sm4": Figures(p50=time, p99=time, parts=[time])} for name, time in times.items()}
    text = recorded(results, run)
    assert "[runs-change-v3-sm4](plots/runs-change-v3-sm4.svg)" in text
    drawn = fromstring((results.parent / "plots" / "runs-change-v3-sm4.svg").read_text("utf-8"))  # noqa: S314
    heights = sorted(float(each.attrib["cy"]) for each in drawn.iter("{http://www.w3.org/2000/svg}circle"))
    between = [below - above for above, below in pairwise(heights)]
    assert len(heights) == 3
    assert between[0] / between[1] == pytest.approx(log10(130) / log10(20), rel=0.01)


@pytest.mark.parametrize(
    ("values", "factors", "ticks"),
    [
        ([1000.0], (1,), [1000.0]),
        ([100.0, 1_000_000.0], (1,), [100.0, 1e3, 1e4, 1e5, 1e6]),
        ([50.0, 130_000.0], (1, 2, 5), [50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5]),
        ([0.3, 7.0], (1,), [0.1, 1.0, 10.0]),
    ],
)
def test_a_logarithmic_axis_reaches_from_below_the_least_to_above_the_highest(
    values: list[float], factors: tuple[int, ...], ticks: list[float]
) -> None:
    assert decades_axis(values, factors).ticks == pytest.approx(ticks)


@pytest.mark.parametrize(("highest", "last"), [(0.7, 0.8), (2231.0, 2500.0), (54.0, 60.0), (100.0, 150.0), (3.0, 4.0)])
def test_a_linear_axis_begins_at_zero_and_ends_above_the_highest(highest: float, last: float) -> None:
    axis = linear_axis([highest, highest / 2])
    assert axis.ticks[0] == 0
    assert axis.ticks[-1] == pytest.approx(last)
