"""The same verdict over every transport: the built-in suite through PC/SC and in process, step by step."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest

import kit
from kit.programs import ENDS, run, running
from sscard.chip.engine import PowerError
from sscard.chip.memory import Moment, PowerLost
from sscard.i18n.language import say
from sscard.scenario import Scenario, read_scenario, run_scenario
from sscard.scenario.library import builtin_folder
from sscard.scenario.reports import trace
from sscard.scenario.transports import Link, each_result
from sscard.transport.pcsc import ReaderError
from sscard.transport.pcscd import PrivatePcscd
from sscard.transport.readerpool import ReaderPool

SELECT = bytes.fromhex(f"00A404000F{kit.NAME}")


@pytest.fixture
def pool(pcscd: PrivatePcscd) -> Iterator[ReaderPool]:
    with ReaderPool(pcscd) as opened:
        yield opened


@pytest.mark.slow
def test_the_suite_has_the_same_verdicts_and_traces(
    pcscd: PrivatePcscd, pool: ReaderPool, scenarios: list[Scenario]
) -> None:
    """Each fortieth run; ``make nightly`` compares the whole suite."""
    shared = scenarios[::40]
    through = list(each_result(shared, link=Link(partial(run_scenario, connect=pool.connect), pcscd.readers)))
    in_process = list(each_result(shared))
    assert [result.scenario.title for result in through if not result.passed] == []
    assert [trace.text_of(result, 1) for result in through] == [trace.text_of(result, 1) for result in in_process]
    assert through == in_process


def test_a_card_that_loses_its_power_leaves_the_reader_and_comes_back(pool: ReaderPool) -> None:
    card = kit.card_of("v3-sm4")
    with pool.connect(card.chip(Random(1))) as connection:
        connection.power_on()
        connection.transmit(SELECT)
        card.memory.cut_power(2, Moment.AFTER)
        with pytest.raises(PowerLost):
            connection.transmit(kit.verify("999999"))
        with pytest.raises(PowerError):
            connection.transmit(kit.verify("999999"))
        connection.power_on()
        connection.transmit(SELECT)
        assert connection.transmit(kit.verify("999999")) == b"\x63\xc4"


def test_the_power_may_go_when_the_card_is_put_in(pool: ReaderPool) -> None:
    card = kit.card_of("v3-sm4")
    with pool.connect(card.chip(Random(1))) as connection:
        connection.power_on()
        connection.transmit(SELECT)
        card.memory.cut_power(1, Moment.DURING)
        with pytest.raises(PowerLost):
            connection.transmit(kit.verify("999999"))
        card.memory.cut_power(0)
        with pytest.raises(PowerLost):
            connection.power_on()
        assert connection.reset() == card.profile.atr()


def test_a_reader_serves_card_after_card_each_with_its_own_atr(pool: ReaderPool) -> None:
    for personality in ("v3-sm4", "v2-3des", "v1-des"):
        card = kit.card_of(personality)
        for contact, atr in ((True, card.profile.atr()), (False, card.profile.atr(contact=False))):
            chip = card.chip(Random(1), contact=contact)
            with pool.connect(chip) as connection:
                assert connection.power_on() == connection.reset() == atr
                connection.power_off()
                assert not chip.snapshot().powered


def test_a_failure_of_the_card_is_told_as_in_process(pcscd: PrivatePcscd) -> None:
    class Broken:
        def power_on(self) -> bytes:
            raise KeyError("of the chip")

        def power_off(self) -> None:
            pass

    with pytest.raises(KeyError, match="of the chip"), ReaderPool(pcscd) as own:  # noqa: SIM117
        with own.connect(Broken()) as connection:  # type: ignore[arg-type]
            connection.power_on()


def test_a_command_that_cannot_travel_fails_its_step_and_says_why(pool: ReaderPool, tmp_path: Path) -> None:
    short = tmp_path / "short.yaml"
    short.write_text("name: a\nproves: b\nsteps:\n  - apdu: 00\n    sw: 6700\n")
    (scenario,) = read_scenario(short, "short.yaml", "own")
    assert run_scenario(scenario).passed
    failure = run_scenario(scenario, connect=pool.connect).failure
    assert failure is not None
    assert "a command of one byte" in say(failure.mismatches[0].actual)
    with pool.connect(kit.card_of("v3-sm4").chip(Random(1))) as connection:
        connection.power_on()
        with pytest.raises(ReaderError):
            connection.transmit(b"\x00")


@pytest.mark.slow
def test_run_takes_the_road_it_is_told(tmp_path: Path) -> None:
    traces = {transport: tmp_path / transport for transport in ("local", "pcsc")}
    folders = [builtin_folder() / name for name in ("01-function/power-on", "12-service-terminal")]
    for transport, file in traces.items():
        done = run("run", *folders, "-k", "v3-sm4", "--transport", transport, "--trace", file)
        assert done.returncode == 0, done.stdout + done.stderr
    assert traces["local"].read_bytes() == traces["pcsc"].read_bytes()


@pytest.mark.parametrize(
    "end", [pytest.param(end, marks=() if end == signal.SIGTERM else pytest.mark.nightly) for end in ENDS]
)
def test_an_interrupted_run_has_its_summary_report_and_trace(tmp_path: Path, end: signal.Signals) -> None:
    trace, junit = tmp_path / "trace", tmp_path / "junit"
    reports = ("--trace", trace, "--junit", junit)
    with (
        TemporaryDirectory(prefix="s", dir="/tmp") as folder,
        running("run", "--transport", "pcsc", *reports, builtin_folder() / "01-function", TMPDIR=folder) as program,
    ):
        name = program.line_with("✓").split("✓ ")[1].split("  ")[0]
        assert list(Path(folder).iterdir()), "no private daemon"
        code, rest = program.end(end)
        assert not list(Path(folder).iterdir()), "the private daemon was not stopped"
    assert code == 130
    assert "passed, 0 failed" in rest
    assert "interrupted after" in rest
    assert "Traceback" not in rest
    assert f"== {name}" in trace.read_text(encoding="utf-8")
    assert "<testcase" in junit.read_text(encoding="utf-8")


def test_run_without_a_daemon_to_be_had_ends_with_3(tmp_path: Path) -> None:
    done = run("run", builtin_folder() / "11-service-window/leaked.yaml", "--transport", "pcsc", PATH=str(tmp_path))
    assert done.returncode == 3
    assert "util-linux" in done.stderr
