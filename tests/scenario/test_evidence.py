"""Evidence of a run: a log per scenario with true times, sums that coreutils verify, and nothing secret."""

from __future__ import annotations

import json
import re
import stat
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kit.programs import ENDS, CommandLine, running
from kit.report_page import without_fractions
from kit.suites import write_suite
from kit.waiting import PATIENCE
from sscard.i18n.language import CHINESE, speaking
from sscard.scenario import find_scenarios, run_scenario
from sscard.scenario.reports.evidence import log_of
from sscard.scenario.reports.run import Run

pytestmark = pytest.mark.usefixtures("own_cache")
PIN = "739184"
GOOD = f"name: good {{}}\nproves: b\ncard: {{{{pin: {PIN}}}}}\nsteps:\n  - verify_pin: {PIN}\n    state: verified\n"
BAD = "name: bad {}\nproves: b\nsteps:\n  - verify_pin: 415926\n"
HANGS = "name: hangs {}\nproves: b\nsteps:\n  - fault: {{slow: 60}}\n  - get_challenge: 8\n    state: challenge\n"
LINE = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z) +([+-]\d+\.\d{6}) (--|>>|<<|##|\.\.|==)")


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    return tmp_path / "suite"


def verified(folder: Path) -> list[str]:
    """The logs that coreutils find unchanged."""
    check = ["sha256sum", "-c", "SHA256SUMS"]
    done = subprocess.run(check, cwd=folder, capture_output=True, text=True, check=True)  # noqa: S603
    return [line.removesuffix(": OK") for line in done.stdout.splitlines()]


def logs(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.log"))


@pytest.mark.parametrize("workers", ["1", "2"])
def test_every_run_has_a_log_that_sha256sum_verifies(
    sscard: CommandLine, suite: Path, tmp_path: Path, workers: str
) -> None:
    write_suite(suite, GOOD, BAD, GOOD, GOOD)
    folder, form = tmp_path / "proofs", tmp_path / "form.html"
    options = ("-n", workers, "--seeds", "1,2", "--report", f"form={form}")
    assert sscard("run", suite, "--evidence", folder, *options)[0] == 1
    names = ["good-0", "good-0", "bad-1", "bad-1", "good-2", "good-2", "good-3", "good-3"]
    expected = [f"{number:04}-{name}-v3-sm4.log" for number, name in enumerate(names, 1)]
    assert logs(folder) == verified(folder) == expected
    index = json.loads((folder / "index.json").read_text("utf-8"))
    assert (index["schema"], index["complete"], index["planned"]) == ("sscard.evidence/1", True, 8)
    assert [entry["log"] for entry in index["logs"]] == expected
    assert [entry["seed"] for entry in index["logs"]] == [1, 2] * 4
    assert [entry["verdict"] for entry in index["logs"]][:4] == ["passed", "passed", "failed", "failed"]
    page = form.read_text("utf-8")
    assert all(entry["sha256"] in page for entry in index["logs"] if entry["verdict"] == "failed")
    assert index["sums_sha256"] in page
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in folder.iterdir())
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_log_that_was_changed_is_found(sscard: CommandLine, suite: Path, tmp_path: Path) -> None:
    write_suite(suite, GOOD)
    sscard("run", suite, "--evidence", tmp_path / "proofs")
    (log,) = (tmp_path / "proofs").glob("*.log")
    log.write_text(log.read_text("utf-8").replace("9000", "6982"), "utf-8")
    with pytest.raises(subprocess.CalledProcessError):
        verified(tmp_path / "proofs")


def test_a_log_has_head_events_and_verdict(sscard: CommandLine, suite: Path, tmp_path: Path) -> None:
    write_suite(suite, BAD)
    sscard("run", suite, "--evidence", tmp_path / "proofs", "--personality", "v1-des")
    (log,) = (tmp_path / "proofs").glob("*.log")
    text = log.read_text("utf-8")
    head, _, body = text.partition("\n\n")
    for line in (
        "scenario: bad 0",
        f"file: {suite}/0.yaml:1",
        "seed: 1",
        "personality: v1-des",
        "transport: local",
        f"repeat with: sscard run {suite}/0.yaml --only 'bad 0 [v1-des]' --seed 1 --personality v1-des",
    ):
        assert line in head.splitlines()
    kinds = [found[3] for found in LINE.finditer(body)]
    assert kinds[:4] == ["--", "##", ">>", "<<"]
    assert kinds[-4:] == ["--", ">>", "<<", "=="]
    assert ">> 0020000003 ******\n" in body
    assert "VERIFY (PIN of 3 bytes)" in body
    assert "== 63C5 verification failed, 5 tries left; tries 5 of 6; state ready" in body
    verdict = body.partition("\nverdict: ")[2]
    assert verdict.startswith("✗ failed\n")
    assert "line 4: sw: expected 9000 done, got 63C5" in verdict


def test_a_log_has_the_name_of_a_personality_beside_the_file_it_is_from(
    sscard: CommandLine, suite: Path, tmp_path: Path
) -> None:
    write_suite(suite, BAD)
    five = tmp_path / "five.yaml"
    five.write_text("{name: my-five, generation: '3.0', algorithm: SM4, pin_tries: 5}\n", encoding="utf-8")
    sscard("run", suite, "--evidence", tmp_path / "proofs", "--personality", five)
    (log,) = (tmp_path / "proofs").glob("*.log")
    head = log.read_text("utf-8").partition("\n\n")[0].splitlines()
    assert [line for line in head if line.startswith("personality: ")] == [
        "personality: my-five",
        f"personality: {five}",
    ]


def test_the_times_of_a_log_are_those_of_the_machine(suite: Path) -> None:
    write_suite(
        suite,
        "name: slow {}\nproves: p\nsteps:\n  - fault: {{slow: 0.05}}\n  - get_challenge: 8\n    state: challenge\n",
    )
    before = datetime.now(UTC)
    (result,) = [run_scenario(scenario) for scenario in find_scenarios([suite])]
    after = datetime.now(UTC)
    run = Run(results=[result], seeds=(1,), planned=1, started=before, seconds=1.0)
    times = []
    for moment, offset, kind in LINE.findall(log_of(result, run)):
        at = datetime.strptime(moment, "%Y-%m-%dT%H:%M:%S.%f%z")
        assert before <= at <= after
        times.append((at, timedelta(seconds=float(offset)), kind))
    assert times == sorted(times, key=lambda each: each[0])
    assert len({round((at - offset).timestamp(), 5) for at, offset, _kind in times}) <= 2  # one moment, rounded
    sent, answered = [at for at, _offset, kind in times if kind in (">>", "<<")][-2:]
    assert answered - sent >= timedelta(milliseconds=50)


def test_messages_to_other_parts_and_notices_are_in_the_log(suite: Path) -> None:
    write_suite(suite, "name: n {}\nproves: p\nsteps:\n  - reset_pin: 654321\n    state: PUK\n")
    (result,) = [run_scenario(scenario) for scenario in find_scenarios([suite])]
    run = Run(results=[result], seeds=(1,), planned=1, started=result.started, seconds=1.0)
    assert re.search(r" \.\. HSM: .+", log_of(result, run))
    with speaking(CHINESE):
        assert "判定：✓ 已通过" in log_of(result, run).replace(": ", "：")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_no_log_holds_a_pin(sscard: CommandLine, suite: Path, tmp_path: Path, workers: str) -> None:
    write_suite(suite, GOOD, BAD)
    sscard("run", suite, "--evidence", tmp_path / "proofs", "-n", workers)
    text = without_fractions("".join(path.read_text("utf-8") for path in (tmp_path / "proofs").iterdir()))
    assert PIN not in text
    assert "415926" not in text


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_signal_leaves_the_evidence_of_what_was_run(suite: Path, tmp_path: Path, workers: str) -> None:
    write_suite(suite, GOOD, BAD, HANGS, HANGS, HANGS)
    folder, form = tmp_path / "proofs", tmp_path / "form.html"
    with running("run", suite, "-n", workers, "--evidence", folder, "--report", f"form={form}") as program:
        program.line_with("bad 1")
        program.process.send_signal(ENDS[0])
        assert program.process.wait(PATIENCE) == 130
        program.join()
    assert logs(folder) == verified(folder) == ["0001-good-0-v3-sm4.log", "0002-bad-1-v3-sm4.log"]
    index = json.loads((folder / "index.json").read_text("utf-8"))
    assert (index["complete"], index["planned"], len(index["logs"])) == (False, 5, 2)
    assert "INCOMPLETE: the run ended after 2 of 5 scenarios" in form.read_text("utf-8")


def test_a_folder_with_content_is_refused_and_kept(sscard: CommandLine, suite: Path, tmp_path: Path) -> None:
    write_suite(suite, GOOD)
    folder = tmp_path / "proofs"
    assert sscard("run", suite, "--evidence", folder)[0] == 0
    kept = {path.name: path.read_bytes() for path in folder.iterdir()}
    code, _out, err = sscard("run", suite, "--evidence", folder)
    assert code == 2
    assert f"{folder}: the folder is not empty" in err
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == kept


def test_a_file_in_the_place_of_the_folder_is_named_and_kept(sscard: CommandLine, suite: Path, tmp_path: Path) -> None:
    write_suite(suite, GOOD)
    file = tmp_path / "proofs"
    file.write_text("mine")
    code, _out, err = sscard("run", suite, "--evidence", file)
    assert (code, file.read_text()) == (2, "mine")
    assert f"{file}: is not a folder\n  name a new folder" in err


def test_an_empty_folder_is_used_also_for_the_form(sscard: CommandLine, suite: Path, tmp_path: Path) -> None:
    write_suite(suite, GOOD)
    folder = tmp_path / "proofs"
    folder.mkdir()
    assert sscard("run", suite, "--evidence", folder, "--report", f"form={folder}/form.html")[0] == 0
    assert {path.name for path in folder.iterdir()} >= {"form.html", "index.json", "SHA256SUMS"}
