"""The program that stores runs of the benchmarks and updates RESULTS.md by them."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import fromstring

import pytest

import record
from kit.documents import ROOT
from kit.programs import run
from sscard.errors import InputError
from stored import Figures, Run, Store, What, of_suites

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
            {"name": name, "fullname": f"bench/bench_it.py::{name}", "stats": {"data": data}}
            for name, data in times.items()
        ]
    }


def test_personalities_become_columns_and_the_rounds_parts() -> None:
    found = of_suites(
        report(
            **{
                "bench_a[v3-sm4]": [1.0] * 50 + [2.0] * 50,
                "bench_a[v1-des-more]": [3.0],
                "bench_a[v1-des]": [3.0, 3.0, 3.0, 4.0],
                "bench_b": [5.0] * 7,
            }
        )
    )
    assert {name: [*row] for name, row in found.items()} == {
        "bench_it: bench_a": ["v3-sm4", "v1-des"],
        "bench_it: bench_a[more]": ["v1-des"],
        "bench_it: bench_b": [""],
    }
    assert found["bench_it: bench_a"]["v3-sm4"].parts == [1.0, 1.0, 1.5, 2.0, 2.0]
    assert found["bench_it: bench_a"]["v1-des"].parts == [3.0, 3.0, 3.0, 4.0]
    assert found["bench_it: bench_b"][""].p50 == 5.0


@pytest.mark.nightly
def test_suites_are_measured_stored_and_compared(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)  # pytest-benchmark disables itself in such a worker
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


def test_a_program_that_fails_ends_the_measurement_with_its_exit_code(tmp_path: Path) -> None:
    with pytest.raises(record.Failed) as failed:
        record.measured([sys.executable, "-c", "raise SystemExit(3)"], tmp_path / "unused.json")
    assert failed.value.args == (3,)
