"""`sscard bench` as its user calls it: files, comparison, thresholds, journals, an interruption."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from kit.programs import CommandLine, run
from sscard.benchmark.load import Load, Recorded
from sscard.i18n.language import speaking

SHORT = ("--count", "50", "--warm-up", "0")


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def measured(sscard: CommandLine, *arguments: str, code: int = 0) -> dict[str, Any]:
    """The JSON of a benchmark."""
    found, out, err = sscard("bench", *arguments, *SHORT, "--json")
    assert found == code, err
    content: dict[str, Any] = json.loads(out)
    return content


def test_the_names_that_others_rely_on(sscard: CommandLine) -> None:
    found = measured(sscard, "change", "--clients", "2")
    flow = found["flows"][0]
    assert 0 < flow["p50"] <= flow["p90"] <= flow["p99"] <= flow["p99.9"] <= flow["max"]
    assert (flow["operations"], flow["failed"], flow["errors"]) == (50, 0, {})
    assert [each["layer"] for each in flow["layers"]] == ["terminal", "hsm", "transport", "card", "remainder"]
    assert sum(each["mean"] for each in flow["layers"]) == pytest.approx(flow["mean"], rel=1e-3)
    assert sum(each["operations"] for each in flow["histogram"]) == 50
    assert sum(each["operations"] for each in flow["over_time"]) == 50
    assert [each["operations"] for each in flow["rounds"]] == [10] * 5
    assert found["environment"].keys() >= {"python", "system", "processor", "processors", "sscard", "hdrhistogram"}


def test_case_means_each_reason(sscard: CommandLine) -> None:
    found = measured(sscard, "case", "--rate", "1000")
    assert [flow["flow"] for flow in found["flows"]] == [
        "case:leaked",
        "case:forgotten",
        "case:locked",
        "case:locked-known",
    ]
    assert found["load"] | {"clients": 8, "kind": "open", "rate": 1000} == found["load"]
    assert all(flow["layers"][0]["layer"] == "waiting" for flow in found["flows"])


def test_pytest_benchmark_compares_two_of_its_files(sscard: CommandLine) -> None:
    for name in ("a.json", "b.json"):
        measured(sscard, "reset", "verify", "--pytest-benchmark", name)
    columns = "--columns=min,median,ops,rounds"
    done = run("compare", "a.json", "b.json", columns, program=[sys.executable, "-m", "pytest_benchmark"])
    assert done.returncode == 0, done.stderr
    rows = re.findall(r"^sscard bench (\w+) \((a|b)\) .* 50$", done.stdout, re.MULTILINE)
    assert sorted(rows) == [("reset", "a"), ("reset", "b"), ("verify", "a"), ("verify", "b")]


def earlier(found: dict[str, Any], factor: float) -> None:
    """The JSON of a benchmark whose rounds were all alike, and that was so much faster."""
    for flow in found["flows"]:
        middle = {name: factor * sorted(each[name] for each in flow["rounds"])[2] for name in ("p50", "p90", "p99")}
        flow["rounds"] = [middle] * 5
    Path("before.json").write_text(json.dumps(found))


def test_a_slowdown_is_exit_code_1(sscard: CommandLine) -> None:
    earlier(measured(sscard, "change"), 1e-6)
    code, out, _err = sscard("bench", "change", *SHORT, "--against", "before.json", "--fail-above", "400%")
    assert code == 1
    assert re.search(r"^change +p50 .* slower$", out, re.MULTILINE)
    compared = measured(sscard, "change", "--against", "before.json", code=1)
    assert compared["passed"] is False
    assert compared["against"]["changes"][0]["verdict"] == "slower"
    earlier(measured(sscard, "change"), 100)
    compared = measured(sscard, "change", "--against", "before.json")
    assert compared["passed"] is True
    assert compared["against"]["changes"][0]["verdict"] != "slower"  # on a busy machine the noise may hide the gain


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_what_failed_is_on_standard_error_beside_any_form_of_output(sscard: CommandLine, form: tuple[str, ...]) -> None:
    earlier(measured(sscard, "change"), 1e-6)
    limits = ("--threshold", "change:p50>3600s", "--threshold", "errors<1%", "--against", "before.json")
    code, _out, err = sscard("bench", "change", "verify", *SHORT, *limits, *form)
    assert code == 1
    missed, *slower = err.splitlines()
    assert re.fullmatch(r"change: threshold change:p50>3600s not met: [0-9.]+ (?:µs|ms|s)", missed)
    assert all(re.fullmatch(r"change: p\d+ is \d+\.\d % slower, noise ±\d+\.\d %", line) for line in slower)
    assert slower


def test_a_benchmark_that_passes_is_silent_on_standard_error(sscard: CommandLine) -> None:
    earlier(measured(sscard, "change"), 100)
    limits = ("--threshold", "p99<3600s", "--against", "before.json")
    code, _out, err = sscard("bench", "change", *SHORT, *limits, "--json")
    assert (code, err) == (0, "")


def test_what_differs_from_the_earlier_benchmark_is_printed(sscard: CommandLine) -> None:
    earlier(measured(sscard, "change"), 100)
    _code, out, _err = sscard("bench", "change", *SHORT, "--against", "before.json", "--personality", "v1-des")
    assert "different personality: v3-sm4 → v1-des" in out


def test_what_differs_is_named_in_chinese(sscard: CommandLine) -> None:
    earlier(found := measured(sscard, "change"), 100)
    assert found["environment"]["chip"] in ("plain", "compiled")
    found["environment"] |= {"processor": "A", "processors": 999, "chip": "other", "journal": "sqlite"}
    found["load"]["think"] = 3
    Path("before.json").write_text(json.dumps(found))
    with speaking("zh"):
        options = ("--clients", "2", "--against", "before.json", "--html", "page.html")
        code, out, err = sscard("bench", "change", "case:leaked", *SHORT, *options)
    assert code == 0, err
    named = re.findall(r"^  不同之处 (.+?)：", out, re.MULTILINE)
    assert named == ["办件日志", "芯片", "处理器", "处理器数", "客户端数", "思考时间（秒）"]
    assert "SQLite → 内存" in out
    assert re.search("^  .*case:leaked.*未测", out, re.MULTILINE)
    page = Path("page.html").read_text("utf-8")
    assert all(f"不同之处 {name}" in page for name in named)


def test_a_flow_that_the_earlier_benchmark_lacks_is_named(sscard: CommandLine) -> None:
    earlier(measured(sscard, "change"), 100)
    compared = measured(sscard, "change", "verify", "--against", "before.json")["against"]
    assert compared["missing"] == ["verify"]
    _code, out, _err = sscard("bench", "change", "verify", *SHORT, "--against", "before.json")
    assert "  verify was not measured then\n" in out


def test_a_flow_of_which_no_operation_succeeded_has_no_times(sscard: CommandLine) -> None:
    Path("bad.yaml").write_text("name: bad\nproves: b\nsteps:\n  - verify_pin: 111111\n    state: verified\n")
    code, out, _err = sscard("bench", "bad.yaml", *SHORT, "--html", "page.html", "--threshold", "p99<1s")
    assert code == 1
    assert re.search(r"^bad \[v3-sm4\] +0 +50 +0\.0( +–){5}$", out, re.MULTILINE)
    assert "µs" not in out + Path("page.html").read_text("utf-8")
    assert "failed: 50 × scenario failed\n" in out


@pytest.mark.parametrize(("language", "second"), [("en", "0 s"), ("zh", "0秒")])
def test_the_page_of_a_scenario_names_it_once_and_has_seconds_in_the_language(
    sscard: CommandLine, language: str, second: str
) -> None:
    title = "A citizen comes with a wrong certificate to a window in another district"
    Path("long.yaml").write_text(
        f"name: {title}\nproves: b\nsteps:\n  - verify_pin: 123456\n    state: verified\n", "utf-8"
    )
    options = ("--duration", "0.5", "--warm-up", "0", "--html", "page.html")
    with speaking(language):
        code, _out, err = sscard("bench", "long.yaml", "verify", *options)
    assert code == 0, err
    page = Path("page.html").read_text("utf-8")
    assert f"<h2>{title} [v3-sm4]</h2>" in page
    assert re.search("<h2>verify: .+</h2>", page)
    assert f">{second}<" in page


def test_the_histogram_of_one_operation_says_how_long_it_took(sscard: CommandLine) -> None:
    options = ("--count", "1", "--rounds", "1", "--warm-up", "0", "--html", "page.html")
    assert sscard("bench", "verify", *options)[0] == 0
    histogram = Path("page.html").read_text("utf-8").partition("histogram of the latency")[2]
    assert len(re.findall(r">[0-9.]+ (?:µs|ms|s)<", histogram)) >= 2


def test_a_time_stays_beside_its_unit_in_80_columns(sscard: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    _code, out, err = sscard("bench", "case", *SHORT)
    assert not err
    lines = out.split("\n\n")[0].splitlines()
    assert all(len(line) <= 80 for line in lines)
    rows = [line for line in lines if line.startswith("case:")]
    assert [row.split()[0] for row in rows] == ["case:leaked", "case:forgotten", "case:locked", "case:locked-known"]
    assert all(len(re.findall(r"\d (?:µs|ms|s)\b", row)) == 5 for row in rows)


def test_the_personalities_that_were_measured_are_stated(sscard: CommandLine) -> None:
    text = (
        "name: {name}\nproves: b\ncard:\n  personality: {kind}\nsteps:\n  - verify_pin: 123456\n    state: verified\n"
    )
    for name, personality in (("one", "v1-des"), ("two", "v2-3des")):
        Path(f"{name}.yaml").write_text(text.format(name=name, kind=personality))
    assert measured(sscard, "one.yaml")["environment"]["personality"] == "v1-des"
    found = measured(sscard, "one.yaml", "two.yaml", "verify")["environment"]
    assert found["personality"] == "v1-des, v2-3des, v3-sm4"
    assert "journal" not in found


def test_a_journal_without_a_case_is_refused(sscard: CommandLine) -> None:
    Path("good.yaml").write_text("name: good\nproves: b\nsteps:\n  - verify_pin: 123456\n")
    for flows in (["verify"], ["good.yaml"], ["read", "good.yaml"]):
        code, out, err = sscard("bench", *flows, *SHORT, "--journal", "journal.db", "--journal-key", "journal.key")
        assert (code, out) == (2, "")
        assert err.startswith("sscard: --journal: only cases are written to a journal\n")
    assert not Path("journal.db").exists()


def test_two_scenarios_with_one_title_are_refused(sscard: CommandLine) -> None:
    for name in ("a.yaml", "b.yaml"):
        Path(name).write_text("name: good\nproves: b\nsteps:\n  - verify_pin: 123456\n")
    code, out, err = sscard("bench", "a.yaml", "b.yaml", *SHORT)
    assert (code, out) == (2, "")
    assert err.startswith("sscard: b.yaml: the second scenario with the title good [v3-sm4]\n")


def test_only_a_case_opens_the_journal(sscard: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    from sscard.service.journal.database import SqlJournal

    opened = []
    made = SqlJournal.__init__

    def counting(self: SqlJournal, *given: Any, **named: Any) -> None:
        opened.append(given)
        made(self, *given, **named)

    monkeypatch.setattr(SqlJournal, "__init__", counting)
    options = ("--journal", "journal.db", "--journal-key", "journal.key")
    found = measured(sscard, "verify", "case:leaked", "read", "--clients", "3", *options)
    assert len(opened) == 3
    assert found["environment"]["journal"] == "sqlite"


def test_cases_are_written_to_a_journal(sscard: CommandLine) -> None:
    options = ("--journal", "journal.db", "--journal-key", "journal.key")
    found = measured(sscard, "case:leaked", "--clients", "2", *options)
    assert found["environment"]["journal"] == "sqlite"
    assert next(each for each in found["flows"][0]["layers"] if each["layer"] == "journal")["mean"] > 0
    checked = json.loads(sscard("case", "verify", *options, "--json")[1])
    assert (checked["cases"], checked["findings"]) == (52, [])


def test_an_own_personality_is_measured(sscard: CommandLine) -> None:
    Path("mine.yaml").write_text("based_on: v2-3des\nname: mine\npin_tries: 3\n")
    found = measured(sscard, "unblock", "--personality", "mine.yaml")
    assert found["flows"][0]["operations"] == 50
    assert found["environment"]["personality"] == "mine"


def test_the_page_has_the_layer_of_the_driver_and_names_the_layer_that_grew(sscard: CommandLine) -> None:
    code, out, _err = sscard("bench", "driver-change", *SHORT, "--json")
    assert code == 0
    earlier = json.loads(out)
    for flow in earlier["flows"]:
        for found in (*flow["layers"], *flow["rounds"]):
            found |= {name: found[name] / 1e6 for name in ("mean", "p50", "p90", "p99") if name in found}
    Path("before.json").write_text(json.dumps(earlier), "utf-8")
    code, out, _err = sscard("bench", "driver-change", *SHORT, "--against", "before.json", "--html", "page.html")
    assert code == 1
    page = Path("page.html").read_text("utf-8")
    assert "</i>driver</th>" in page
    (grown,) = (line for line in out.splitlines() if "grew most" in line)
    assert grown.startswith("driver-change: the mean time of ")
    assert "grew most" in page


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_is_whole_and_in_the_language(sscard: CommandLine, language: str) -> None:
    options = ("--rate", "200", "--html", "page.html", "--threshold", "p99<100s")
    with speaking(language):
        code, _out, err = sscard("bench", "case:forgotten", *SHORT, *options)
    assert code == 0, err
    page = Path("page.html").read_text("utf-8")
    assert not re.search(r"(?:src|href)=|@import|url\(", page)
    for english, chinese in (
        ("time per layer", "各层所用的时间"),
        ("latency over time", "延迟随时间的变化"),
        ("histogram of the latency", "延迟直方图"),
        ("thresholds", "阈值"),
        ("environment", "环境"),
    ):
        assert (chinese if language == "zh" else english) in page, english
    assert page.count("<polyline") == 4
    assert "prefers-color-scheme: dark" in page


def test_the_password_of_a_journal_is_in_no_error(sscard: CommandLine) -> None:
    url = "postgresql://clerk:hunter2@127.0.0.1:1/cases"
    code, out, err = sscard("bench", "case:leaked", *SHORT, "--journal", url, "--journal-key", "journal.key")
    assert (code, out) == (3, ""), err
    assert "hunter2" not in err


def test_ctrl_c_prints_what_was_measured(sscard: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def interrupting(_name: str, _load: Load) -> Iterator[Callable[[Recorded], None]]:
        def stop(recorded: Recorded) -> None:
            if recorded.done:
                raise KeyboardInterrupt

        yield stop

    monkeypatch.setattr("sscard.cli.bench_output.progress", interrupting)
    code, out, err = sscard("bench", "verify", "reset", "--duration", "600", "--warm-up", "0", "--json")
    found = json.loads(out)
    assert (code, found["interrupted"]) == (130, True)
    assert [flow["flow"] for flow in found["flows"]] == ["verify"]
    assert found["flows"][0]["operations"] > 0
    assert err == "interrupted\n"


def test_the_progress_shows_the_title_of_a_scenario_as_it_is(
    sscard: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its personality and whatever else is in brackets are no markup."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    Path("odd.yaml").write_text("name: odd [/red]\nproves: b\nsteps:\n  - verify_pin: 123456\n    state: verified\n")
    code, _out, err = sscard("bench", "odd.yaml", *SHORT)
    assert code == 0, err
    assert "odd [/red] [v3-sm4]" in err
