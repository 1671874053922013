"""`sscard run` in worker processes, with another HSM, and however it ends: signals, kills, full disks, exceptions."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from kit.programs import ENDS, SSCARD, CommandLine, children, gone, run, running
from kit.report_page import without_fractions
from kit.suites import write_suite
from kit.waiting import PATIENCE, in_thread, until
from sscard.cli.serving import interruptible
from sscard.hsm import SoftHsm
from sscard.hsm.server import HsmServer, service_token
from sscard.issuer.hierarchy import TEST_KEYS
from sscard.issuer.lookup import load_keys
from sscard.scenario.library import builtin_folder
from sscard.scenario.steps.card import GetChallenge

pytestmark = pytest.mark.usefixtures("own_cache")
GOOD = "name: {name}\nproves: b\nsteps:\n  - reset_pin: 654321\n    tries: 6\n    state: PUK\n"
BAD = "name: {name}\nproves: b\nsteps:\n  - verify_pin: 000000\n    sw: 63C5\n    tries: 4\n"
HANGS = "name: {name}\nproves: b\nsteps:\n  - fault: {{slow: 60}}\n  - get_challenge: 8\n    state: challenge\n"
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    return tmp_path / "suite"


def verdicts(report: Path) -> list[str]:
    return [entry["verdict"] for entry in json.loads(report.read_text("utf-8"))["results"]]


def sleeps(pid: int) -> bool:
    """Whether a process is at a slow command: in nanosleep or clock_nanosleep, of x86-64 or AArch64."""
    return Path(f"/proc/{pid}/syscall").read_text().split()[0] in ("35", "230", "101", "115")


# Worker processes


@pytest.mark.slow
@pytest.mark.parametrize(
    "selected",
    [
        pytest.param([builtin_folder() / "01-function" / "verify"], id="as written"),
        pytest.param(
            [builtin_folder() / "14-service-faults", "--personality", "v1-des"],
            id="on another personality",
            marks=pytest.mark.nightly,
        ),
    ],
)
def test_workers_give_the_results_of_one_process_in_the_same_order(
    sscard: CommandLine, tmp_path: Path, selected: list[object]
) -> None:
    reports = {}
    for workers in ("1", "3"):
        report, trace = tmp_path / f"{workers}.json", tmp_path / f"{workers}.txt"
        options = (*selected, "-n", workers, "--seeds", "1,2", "--report", f"json={report}", "--trace", trace)
        code, out, _ = sscard("run", *options)
        entries = json.loads(report.read_text("utf-8"))["results"]
        for entry in entries:
            for timed in (entry, *entry["steps"]):
                del timed["seconds"]
            del entry["started"]
        lines = [line for line in out.splitlines() if " commands to " not in line]
        reports[workers] = (code, lines, entries, trace.read_text("utf-8"))
    assert reports["1"] == reports["3"]
    assert len(reports["1"][2]) > 20


def test_failures_in_workers_are_shown_with_their_trace(sscard: CommandLine, suite: Path) -> None:
    write_suite(suite, GOOD, BAD, BAD, GOOD)
    code, out, _ = sscard("run", suite, "-n", "2")
    assert code == 1
    assert out.splitlines()[-1] == "2 passed, 2 failed"
    assert "1.yaml:6  verify_pin" in out
    assert "> 0020000003 ******  VERIFY" in out


@LINUX
@pytest.mark.slow
def test_a_killed_worker_costs_its_scenario_only(suite: Path, tmp_path: Path) -> None:
    write_suite(suite, HANGS, HANGS, GOOD, BAD, GOOD)
    report, junit = tmp_path / "report.json", tmp_path / "junit.xml"
    with running("run", suite, "-n", "2", "--report", f"json={report}", "--junit", junit) as program:
        assert until(lambda: len(list(filter(sleeps, children(program.process.pid)))) == 2)
        for worker in children(program.process.pid):
            os.kill(worker, signal.SIGKILL)
        program.line_with("? scenario 0")
        assert "its process died: SIGKILL" in program.line()
        assert program.process.wait(PATIENCE) == 1
        program.join()
    assert verdicts(report) == ["inconclusive", "inconclusive", "passed", "failed", "passed"]
    cases = list(ET.fromstring(junit.read_text("utf-8")).iter("testcase"))  # noqa: S314 - our own text
    assert [case.find("error") is not None for case in cases] == [True, True, False, False, False]


@LINUX
@pytest.mark.slow
@pytest.mark.parametrize(
    ("workers", "number"),
    [
        ("1", signal.SIGINT),
        *(pytest.param("2", end, marks=() if end in ENDS[:2] else pytest.mark.nightly) for end in ENDS),
    ],
    ids=str,
)
def test_a_signal_writes_what_was_run_and_leaves_no_process(
    suite: Path, tmp_path: Path, workers: str, number: signal.Signals
) -> None:
    write_suite(suite, GOOD, BAD, HANGS, GOOD)
    files = {name: tmp_path / name for name in ("json", "junit", "html", "trace")}
    reports = [word for name, file in files.items() for word in ("--report", f"{name}={file}")]
    with running("run", suite, "-n", workers, *reports) as program:
        program.line_with("✗ scenario 1")
        started = children(program.process.pid)
        code, rest = program.end(number)
    assert code == 130
    assert "1 passed, 1 failed" in rest
    assert rest.endswith("interrupted after 2 of 4 scenarios\n")
    assert "Traceback" not in rest
    assert verdicts(files["json"]) == ["passed", "failed"]
    assert files["junit"].read_text("utf-8").count("<testcase") == 2
    assert "1 passed, 1 failed" in files["html"].read_text("utf-8")
    assert files["trace"].read_text("utf-8").count("\n== ") + 1 == 2
    assert len(started) == (2 if workers == "2" else 0)
    assert until(lambda: all(map(gone, started)))


@LINUX
@pytest.mark.slow
def test_a_signal_that_does_not_wake_the_main_thread_ends_the_run(suite: Path) -> None:
    """As one does that another thread gets, or that comes just before the main thread waits."""
    write_suite(suite, GOOD, HANGS, HANGS)
    with running("run", suite, "-n", "2") as program:
        program.line_with("✓ scenario 0")
        program.send_to_another_thread(signal.SIGQUIT)
        assert program.process.wait(PATIENCE / 2) == 130, "it waited for the scenario"


def test_a_signal_between_a_lock_and_its_with_statement_leaves_the_lock_released() -> None:
    """As it came, now and then, while the main thread waited for scenarios: their threads never ended."""
    released: list[object] = []
    lock: Any = SimpleNamespace(acquire=None, release=None)
    lock.__enter__ = partial(signal.raise_signal, signal.SIGTERM)
    lock.__exit__ = lambda *_: released.append(lock)
    with pytest.raises(KeyboardInterrupt), interruptible(), threading.Condition(lock):
        until(lambda: False)
    assert released == [lock]


@LINUX
@pytest.mark.slow
def test_ctrl_c_reaches_the_workers_too_and_none_of_them_prints(suite: Path) -> None:
    """A terminal sends it to all processes of the group, also to one that has just been started."""
    write_suite(suite, GOOD, HANGS, HANGS)
    command = [*SSCARD, "run", str(suite), "-n", "2"]
    environment = {**os.environ, "LANGUAGE": "en"}
    with subprocess.Popen(  # noqa: S603
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, start_new_session=True
    ) as process:
        assert until(lambda: len(children(process.pid)) == 2)
        os.killpg(process.pid, signal.SIGINT)
        out, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert "Traceback" not in out
    assert "of 3 scenarios\n" in out


@LINUX
@pytest.mark.slow
def test_workers_end_with_a_run_that_is_killed(suite: Path, tmp_path: Path) -> None:
    write_suite(suite, GOOD, HANGS.replace("60", "1"), GOOD)
    with running("run", suite, "-n", "2", "--trace", tmp_path / "trace") as program:
        assert until(lambda: len(children(program.process.pid)) == 2)
        started = children(program.process.pid)
        program.line_with("✓ scenario 0")
        program.end(signal.SIGKILL)
    assert until(lambda: all(map(gone, started)))
    assert (tmp_path / "trace").read_text("utf-8").startswith("== scenario 0")


# Exceptions and full disks


@pytest.mark.parametrize("error", [ZeroDivisionError("123456"), MemoryError(), RecursionError("123456")], ids=repr)
def test_an_exception_in_a_scenario_makes_it_inconclusive_without_its_text(
    sscard: CommandLine, suite: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def broken(*_: object) -> Any:
        raise error

    monkeypatch.setattr(GetChallenge, "run", broken)
    write_suite(suite, GOOD, HANGS, GOOD)
    files = {name: suite / name for name in ("json", "junit", "html", "trace")}
    reports = [word for name, file in files.items() for word in ("--report", f"{name}={file}")]
    code, out, err = sscard("run", suite, *reports)
    assert (code, err) == (1, "")
    assert out.splitlines()[-1] == "2 passed, 0 failed, 1 inconclusive"
    assert f"{type(error).__name__} in test_run_ends.py:" in out
    assert verdicts(files["json"]) == ["passed", "inconclusive", "passed"]
    written = "".join(file.read_text("utf-8") for file in files.values())
    assert "123456" not in without_fractions(out + written)
    assert 'errors="1"' in files["junit"].read_text("utf-8")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("full", ["junit", "trace", "html"])
def test_a_full_disk_of_one_report_does_not_cost_the_others(suite: Path, tmp_path: Path, full: str) -> None:
    write_suite(suite, GOOD, BAD)
    report = tmp_path / "report.json"
    done = run("run", suite, "--report", f"{full}=/dev/full", "--report", f"json={report}")
    assert done.returncode == 3
    assert "/dev/full: cannot be written: No space left on device" in done.stderr
    assert "1 passed, 1 failed" in done.stdout
    assert verdicts(report) == ["passed", "failed"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_full_disk_of_the_output_leaves_the_reports(suite: Path, tmp_path: Path, workers: str) -> None:
    write_suite(suite, *[BAD] * 40)
    report = tmp_path / "report.json"
    command = [*SSCARD, "run", str(suite), "-n", workers, "--report", f"json={report}"]
    environment = {**os.environ, "LANGUAGE": "en"}
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(  # noqa: S603
            command, env=environment, stdout=full, stderr=subprocess.PIPE, text=True, timeout=PATIENCE, check=False
        )
    assert done.returncode == 3
    assert "standard output cannot be written" in done.stderr
    assert set(verdicts(report)) == {"failed"}
    assert f"the run ended after {len(verdicts(report))} of 40 scenarios\n" in done.stderr


@pytest.mark.parametrize("command", ["coverage", "case stats"])
def test_a_full_disk_of_the_output_leaves_the_page(
    sscard: CommandLine, suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    write_suite(suite, GOOD)
    assert sscard("case", "open", "--channel", "online", "--handling", "window", "--reason", "none")[0] in (0, 1)
    page = tmp_path / "page.html"
    words = [*command.split(), *([str(suite)] if command == "coverage" else []), "--html", str(page)]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(  # noqa: S603
            [*SSCARD, *words], stdout=full, stderr=subprocess.PIPE, text=True, timeout=PATIENCE, check=False
        )
    assert done.returncode == 3, done.stderr
    assert "</html>" in page.read_text("utf-8")


# HSM


@contextmanager
def hsm_service(hsm: SoftHsm, token: Path) -> Iterator[tuple[str, list[str]]]:
    """The URL of an HSM service, and its log."""
    log: list[str] = []
    server = HsmServer(hsm, service_token(token), port=0, log=log.append)
    with server, in_thread(server.serve_forever, server.shutdown):
        yield server.url, log


@pytest.fixture
def other_keys(tmp_path: Path) -> Path:
    """A key file with values of its own."""
    file = tmp_path / "other.yaml"
    text = Path(TEST_KEYS).read_text("utf-8")
    file.write_text(re.sub("[0-9A-F]{32}", lambda found: found[0][::-1], text), encoding="utf-8")
    return file


@pytest.mark.slow
@pytest.mark.parametrize(
    ("own", "workers", "selected"),
    [
        pytest.param(
            False,
            "1",
            ["01-function/reset", "01-function/medical", "08-driver-psam"],
            id="built-in keys",
            marks=pytest.mark.nightly,
        ),
        pytest.param(True, "2", ["01-function/reset/puk-once.yaml", "01-function/medical"], id="own keys in workers"),
    ],
)
def test_the_terminal_uses_the_hsm_with_the_keys_of_the_cards(
    sscard: CommandLine, tmp_path: Path, other_keys: Path, own: bool, workers: str, selected: list[str]
) -> None:
    keys = load_keys(other_keys) if own else None
    options = ("--keys", other_keys) if own else ()
    token, trace, soft = tmp_path / "token", tmp_path / "hsm.txt", tmp_path / "soft.txt"
    folders = [builtin_folder() / each for each in selected]
    command = ("run", *folders, "-k", "v3-sm4 and (reset or purchase)", "-n", workers, *options)
    with hsm_service(SoftHsm(keys), token) as (url, log):
        code, out, err = sscard(*command, "--hsm", url, "--hsm-token", token, "--trace", trace)
    assert (code, err, out.splitlines()[-1].endswith("passed, 0 failed")) == (0, "", True), out
    assert len(log) > 50
    assert sscard(*command, "--trace", soft)[0] == 0
    assert trace.read_text("utf-8") == soft.read_text("utf-8")


def test_an_hsm_with_other_keys_is_refused_before_the_first_scenario(
    sscard: CommandLine, tmp_path: Path, other_keys: Path
) -> None:
    folder = builtin_folder() / "01-function" / "reset"
    with hsm_service(SoftHsm(load_keys(other_keys)), tmp_path / "token") as (url, log):
        code, out, err = sscard("run", folder, "--hsm", url, "--hsm-token", tmp_path / "token")
    assert (code, out.count("✓")) == (2, 0)
    assert "the HSM has other keys than the cards" in err
    assert "--keys FILE" in err
    assert len(log) <= 3


def test_an_hsm_that_is_not_there_ends_with_3(sscard: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret")
    folder = builtin_folder() / "01-function" / "reset"
    code, out, err = sscard("run", folder, "--hsm", "http://127.0.0.1:9", "--hsm-token", tmp_path / "token")
    assert (code, out.count("✓")) == (3, 0)
    assert "127.0.0.1:9" in err
