"""The fixture ``card_benchmark``: what an operation finds, what is measured, and what a project sees."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kit.pcsc import demand_pcsc
from kit.waiting import PATIENCE

ROUNDS = 50
CONSUMES = """
import pytest
import sscard

def use_up_the_tries(session):
    tries = []
    while session.tries_left():
        with pytest.raises(sscard.WrongPin) as refused:
            session.verify_pin("000000")
        tries.append(refused.value.tries_left)
    return tries

def test_tries(card_benchmark):
    assert card_benchmark.pedantic(use_up_the_tries, rounds=50, warmup_rounds=2) == [5, 4, 3, 2, 1, 0]
    assert card_benchmark.card.snapshot().pin_tries == 0

def test_change(card_benchmark):
    card_benchmark.pedantic(lambda session, old, *, new: session.change_pin(old, new), ["123456"], {"new": "654321"},
        rounds=50)

def test_blocked(card_benchmark):
    def unblock(session):
        before = session.tries_left()
        session.unblock_pin()
        return before, session.tries_left()
    assert card_benchmark.pedantic(unblock, blocked=True, rounds=50) == (0, 6)

def test_setup(card_benchmark):
    def setup(session):
        assert session.tries_left() == 6
        with pytest.raises(sscard.WrongPin):
            session.verify_pin("000000")
    assert card_benchmark.pedantic(lambda session: session.tries_left(), setup=setup, rounds=50) == 5

def test_raw(card_benchmark):
    wrong = bytes.fromhex("0020000003000000")
    assert card_benchmark.pedantic(lambda _: card_benchmark.connection.transmit(wrong), rounds=50) == b"\\x63\\xC5"
"""
ONE = """
def test_reset(card_benchmark):
    card_benchmark(lambda session, new: session.reset_pin(new), "654321")
    assert card_benchmark.restart().tries_left() == 6
"""


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The projects do not run in the worker of pytest-xdist that runs this test: it would disable benchmarks."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)


def run(pytester: pytest.Pytester, source: str, *options: str) -> pytest.RunResult:
    pytester.makepyfile(source)
    return pytester.runpytest_inprocess("-p", "no:cacheprovider", *options)


def measured(pytester: pytest.Pytester, source: str, *options: str) -> list[dict[str, Any]]:
    """The benchmarks of a run that passes, from its JSON."""
    result = run(pytester, source, "--benchmark-json", "found.json", "-q", *options)
    assert result.ret == 0, result.stdout.str()
    found: list[dict[str, Any]] = json.loads((pytester.path / "found.json").read_text("utf-8"))["benchmarks"]
    return found


def test_each_of_fifty_rounds_finds_the_card_as_issued(pytester: pytest.Pytester) -> None:
    found = measured(pytester, CONSUMES)
    assert [each["stats"]["rounds"] for each in found] == [ROUNDS] * 5


def test_it_is_called_like_benchmark_and_its_options_decide_the_rounds(pytester: pytest.Pytester) -> None:
    (few,) = measured(pytester, ONE, "--benchmark-max-time", "0", "--benchmark-min-rounds", "7")
    assert few["stats"]["rounds"] == 7
    marked = f"import pytest\npytestmark = pytest.mark.benchmark(min_rounds=3, max_time=0)\n{ONE}"
    (marker,) = measured(pytester, marked)
    assert marker["stats"]["rounds"] == 3


def test_more_time_gives_more_rounds(pytester: pytest.Pytester) -> None:
    (found,) = measured(pytester, ONE, "--benchmark-max-time", "0.05", "--benchmark-min-rounds", "1")
    assert found["stats"]["rounds"] > 1


@pytest.mark.parametrize(
    ("marker", "options", "expected"),
    [
        ("", (), "v3-sm4"),
        ("", ("--sscard-personality", "v1-des"), "v1-des"),
        ("@pytest.mark.social_card(personality='v2-3des')", ("--sscard-personality", "v1-des"), "v2-3des"),
    ],
)
def test_extra_info_names_personality_transport_and_python(
    pytester: pytest.Pytester, marker: str, options: tuple[str, ...], expected: str
) -> None:
    (found,) = measured(pytester, f"import pytest\n{marker}{ONE}", "--benchmark-max-time", "0", *options)
    assert (found["extra_info"]["personality"], found["extra_info"]["transport"]) == (expected, "local")
    assert found["extra_info"]["python"].startswith("CPython 3")


def test_a_personality_file_is_measured(pytester: pytest.Pytester) -> None:
    (pytester.path / "ours.yaml").write_text('name: ours\ngeneration: "3.0"\nalgorithm: SM4\n', "utf-8")
    (found,) = measured(pytester, ONE, "--benchmark-max-time", "0", "--sscard-personality", "ours.yaml")
    assert found["extra_info"]["personality"] == "ours"


@pytest.mark.parametrize("call", ["card_benchmark(operate)", "card_benchmark.pedantic(operate, rounds=3)"])
def test_an_error_of_the_operation_fails_the_test_and_is_shown(pytester: pytest.Pytester, call: str) -> None:
    source = f"""
def operate(session):
    session.verify_pin("000000")

def test_wrong(card_benchmark):
    {call}
"""
    result = run(pytester, source, "-W", "error")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*WrongPin: *63C5*"])
    result.stdout.no_fnmatch_line("*was not used*")


def test_it_is_used_once_in_a_test_as_benchmark_is(pytester: pytest.Pytester) -> None:
    twice = "def test_it(card_benchmark):\n" + "    card_benchmark.pedantic(lambda _: 1)\n" * 2
    result = run(pytester, twice)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*FixtureAlreadyUsed*"])


def test_only_and_skip_of_pytest_benchmark_select_it(pytester: pytest.Pytester) -> None:
    source = f"{ONE}\ndef test_other(): ...\n"
    run(pytester, source, "--benchmark-only", "--benchmark-max-time=0").assert_outcomes(passed=1, skipped=1)
    run(pytester, source, "--benchmark-skip").assert_outcomes(passed=1, skipped=1)


@pytest.mark.parametrize("options", [(), pytest.param(("-n", "2"), marks=pytest.mark.nightly)])
def test_disabled_it_runs_once_also_in_workers(pytester: pytest.Pytester, options: tuple[str, ...]) -> None:
    run(pytester, CONSUMES, "--benchmark-disable", *options).assert_outcomes(passed=5)


@pytest.mark.parametrize("without", ["no:benchmark", "no:pytest_benchmark.plugin"])
def test_without_pytest_benchmark_it_is_skipped_with_the_remedy(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, without: str
) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    result = run(pytester, ONE, "-rs", "-p", "sscard", "-p", without)
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*pip install 'sscard[[]testing]'*"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "fixtures"),
    [
        ("--sscard-transport=pcsc", ""),
        pytest.param("--sscard-transport=local", ", virtual_reader", marks=pytest.mark.nightly),
    ],
)
def test_over_pcsc_the_card_is_restored_in_its_reader(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, options: str, fixtures: str
) -> None:
    demand_pcsc()
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile(CONSUMES.replace("(card_benchmark)", f"(card_benchmark{fixtures})"))
    given = (
        "-p",
        "no:cacheprovider",
        "-p",
        "sscard",
        "-p",
        "pytest_benchmark.plugin",
        "-k",
        "tries or raw",
        "--benchmark-json",
        "found.json",
        "-q",
        options,
    )
    # A process of its own: PC/SC finds its daemon once in a process.
    assert pytester.runpytest_subprocess(*given, timeout=5 * PATIENCE).ret == 0
    found = json.loads((pytester.path / "found.json").read_text("utf-8"))["benchmarks"]
    assert [each["extra_info"]["transport"] for each in found] == ["pcsc"] * 2
    assert [each["stats"]["rounds"] for each in found] == [ROUNDS] * 2
