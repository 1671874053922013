"""`sscard run`: exit codes, the report, the trace."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import NoReturn

import pytest

from kit.programs import CommandLine
from sscard import __version__
from sscard.i18n.language import speaking
from sscard.scenario.library import builtin_folder

GOOD = "name: good\nproves: b\nsteps:\n  - verify_pin: 123456\n    state: verified\n"
BAD = "name: bad\nproves: b\nsteps:\n  - verify_pin: 000000\n    sw: 63C5\n    tries: 4\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / "bad.yaml").write_text(BAD)
    return tmp_path


def test_all_passed_ends_with_0(sscard, folder):
    code, out, _ = sscard("run", folder / "good.yaml")
    assert code == 0
    assert out.endswith("1 passed, 0 failed\n")


def test_a_failed_scenario_ends_with_1_and_shows_where_and_what(sscard, folder, monkeypatch):
    monkeypatch.chdir(folder)
    code, out, _ = sscard("run", ".")
    assert code == 1
    assert out.endswith("1 passed, 1 failed\n")
    assert "bad.yaml:6  verify_pin" in out
    assert "expected  4" in out
    assert "got       5" in out
    assert "> 0020000003 ******  VERIFY" in out


def test_a_log_of_a_failure_has_no_blanks_at_the_ends_of_its_lines(sscard, folder):
    out = sscard("run", folder)[1]
    assert "expected  4\n" in out
    assert [line for line in out.splitlines() if line != line.rstrip()] == []


@pytest.mark.parametrize(("language", "heading"), [("en", "2 scenarios failed alike"), ("zh", "2个用例以相同方式失败")])
def test_equal_failures_without_a_step_have_a_heading_without_a_colon(sscard, tmp_path, language, heading):
    for name in "ab":
        text = GOOD.replace("name: good", f"name: {name}\nknown_issue: T-1")
        (tmp_path / f"{name}.yaml").write_text(text)
    with speaking(language):
        code, out, _ = sscard("run", tmp_path)
    assert code == 1
    assert heading in out.splitlines()


@pytest.mark.skipif(os.name != "posix", reason="Windows has no pseudo terminals")
def test_the_table_beside_json_has_the_width_of_its_own_terminal(folder):
    ours, theirs = os.openpty()
    termios = import_module("termios")
    termios.tcsetwinsize(theirs, (24, 60))
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"} | {"TERM": "xterm"}
    command = [sys.executable, "-m", "sscard", "run", str(folder / "good.yaml"), "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=theirs, env=environment, check=False)  # noqa: S603
    assert json.loads(done.stdout)["results"]
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", os.read(ours, 10_000).decode())
    os.close(theirs)
    os.close(ours)
    (row,) = [line for line in shown.splitlines() if line.endswith("  1 step")]
    assert 40 < len(row) <= 60


def test_input_that_cannot_be_used_ends_with_2_and_no_traceback(sscard, folder):
    (folder / "typo.yaml").write_text(BAD.replace("tries", "trys"))
    code, out, err = sscard("run", folder)
    assert code == 2
    assert out == ""
    assert err.startswith(f"sscard: {folder / 'typo.yaml'}:6:5: unknown field 'trys'\n")
    assert "did you mean 'tries'?" in err


@pytest.mark.parametrize(
    "arguments",
    ["nowhere.yaml", "-k zzz", "-k 'a and'", "--personality v9", "--trace no/folder/trace.txt"],
)
def test_arguments_that_lead_nowhere_end_with_2(sscard, arguments, folder, monkeypatch):
    monkeypatch.chdir(folder)
    code, out, err = sscard("run", "good.yaml", *shlex.split(arguments))
    assert (code, out) == (2, "")
    assert err.startswith("sscard: ")


def test_a_folder_without_scenarios_ends_with_2(sscard, tmp_path):
    code, _, err = sscard("run", tmp_path)
    assert code == 2
    assert "no scenarios here" in err


def test_two_runs_with_one_seed_write_the_same_trace(sscard, tmp_path):
    first, again, other = (tmp_path / name for name in ("first", "again", "other"))
    folders = [builtin_folder() / name for name in ("01-function/terminal", "09-driver-hsm", "13-service-online")]
    for path, seed in ((first, 7), (again, 7), (other, 8)):
        assert sscard("run", *folders, "-k", "reset and v3-sm4", "--seed", seed, "--trace", path)[0] == 0
    assert first.read_bytes() == again.read_bytes()
    assert first.read_bytes() != other.read_bytes()
    assert "8424000114 ********************************" in first.read_text()


def test_reports_of_every_format_in_one_run(sscard, folder):
    files = {name: folder / f"report.{name}" for name in ("html", "junit", "trace", "json", "short")}
    options = [
        option for name in ("html", "junit", "trace", "json") for option in ("--report", f"{name}={files[name]}")
    ]
    assert sscard("run", folder / "good.yaml", *options, "--trace", files["short"])[0] == 0
    assert files["html"].read_text().startswith("<!doctype html>")
    assert files["junit"].read_text().startswith("<?xml")
    assert [entry["verdict"] for entry in json.loads(files["json"].read_text())["results"]] == ["passed"]
    assert files["trace"].read_text() == files["short"].read_text() != ""


@pytest.mark.parametrize(
    ("report", "problem"),
    [
        ("pdf=report.pdf", "unknown report format 'pdf'\n  expected one of: allure, form, html, json, junit, trace"),
        ("html", "no file is named"),
        ("html=", "no file is named"),
        ("html=no/folder/report.html", "no/folder/report.html: cannot be written"),
    ],
)
def test_a_report_that_cannot_be_written_is_an_error_before_the_run(sscard, folder, report, problem, monkeypatch):
    monkeypatch.chdir(folder)
    code, out, err = sscard("run", "good.yaml", "--report", report)
    assert (code, out) == (2, "")
    assert problem in err


def test_a_report_in_place_of_a_table_is_refused(sscard, folder, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / "t.json").write_text('[{"row": "a", "pin": "123456"}]')
    (folder / "good.yaml").write_text(GOOD.replace("steps:", "with: t.json\nsteps:").replace("123456", "${pin}"))
    code, _, err = sscard("run", ".", "--report", "json=t.json")
    assert code == 2
    assert err.startswith("sscard: t.json: is an input or another output of this command\n")
    assert (folder / "t.json").read_text() == '[{"row": "a", "pin": "123456"}]'


def test_a_report_that_is_there_stays_until_the_run_has_ended(sscard, folder):
    (folder / "report.html").write_text("yesterday's")
    (folder / "typo.yaml").write_text("nonsense")
    assert sscard("run", folder / "typo.yaml", "--html", folder / "report.html")[0] == 2
    assert (folder / "report.html").read_text() == "yesterday's"


def test_a_forced_personality_takes_the_place_of_those_named(sscard, folder):
    _, out, _ = sscard("run", folder / "good.yaml", "--personality", "v2-3des")
    assert "v2-3des" in out
    assert "v3-sm4" not in out


STUB = """name: Certificates
proves: The stub is there.
card: {personality: v3-sm4, choices: {certificate_application: stub}}
steps: [{select: 53532E434552542E41444631}]
"""


def test_a_scenario_that_fits_no_card_of_the_forced_personality_is_left_out(sscard, folder):
    (folder / "stub.yaml").write_text(STUB)
    report, junit, html, trace = (folder / f"report.{kind}" for kind in ("json", "xml", "html", "txt"))
    files = (*("--report", f"json={report}", "--junit", junit, "--html", html), "--trace", trace)
    code, out, _ = sscard("run", folder / "good.yaml", folder / "stub.yaml", "--personality", "v1-des", *files)
    assert (code, out.splitlines()[-1]) == (0, "1 passed, 0 failed, 1 not applicable")
    good, stub = json.loads(report.read_text())["results"]
    assert (good["verdict"], good["reason"]) == ("passed", "")
    assert (stub["verdict"], stub["personality"]) == ("not applicable", "v1-des")
    assert "'stub' is for cards of generation 3.0 only" in stub["reason"]
    assert 'skipped="1"' in junit.read_text()
    for text in (out, html.read_text(), trace.read_text()):
        assert "stub.yaml:3:" in text
        assert "not applicable: " in text


def test_a_run_of_only_left_out_scenarios_is_an_error(sscard, folder):
    (folder / "stub.yaml").write_text(STUB)
    code, _, err = sscard("run", folder / "stub.yaml", "--personality", "v1-des")
    assert code == 2
    assert "stub.yaml:3:" in err


def test_a_choice_that_no_card_has_is_an_error_with_a_forced_personality_too(sscard, folder):
    (folder / "stub.yaml").write_text(STUB.replace("certificate_application: stub", "certificate_aplication: stub"))
    code, _, err = sscard("run", folder / "good.yaml", folder / "stub.yaml", "--personality", "v1-des")
    assert code == 2
    assert "did you mean 'certificate_application'?" in err


def test_without_paths_the_built_in_suite_runs(sscard):
    code, out, _ = sscard("run", "-k", "window and leaked")
    assert code == 0
    assert "PIN leaked, changed at the window" in out


def test_the_version(sscard):
    chip = "compiled" if "SSCARD_COMPILED" in os.environ else "plain Python"
    assert sscard("--version") == (0, f"sscard {__version__} ({chip} chip)\n", "")
    with speaking("zh"):
        assert "芯片）" in sscard("--version")[1]


def test_the_item(sscard):
    code, out, _ = sscard("item")
    assert code == 0
    assert "社会保障卡密码修改与重置" in out


def test_help_loads_neither_card_nor_models():
    heavy = "('pydantic', 'yaml', 'cryptography', 'stdnum')"
    code = (
        "import sys\nfrom sscard.cli.main import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        f"sys.exit(repr([name for name in {heavy} if name in sys.modules] or ''))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)  # noqa: S603
    assert done.stderr.strip() == "''"


def test_a_pipe_that_closes_leaves_no_traceback(folder):
    command = f"{sys.executable} -m sscard.cli.main run {builtin_folder() / '01-function/change'} | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)  # noqa: S602
    assert "Traceback" not in done.stderr


def test_a_loop_of_links_is_refused(sscard: CommandLine, tmp_path: Path) -> None:
    loop = tmp_path / "loop.yaml"
    loop.symlink_to(loop)
    code, _, err = sscard("run", loop)
    assert (code, err.count("Traceback")) == (2, 0)
    assert f"{loop}: cannot be used: Too many levels of symbolic links\n  it is a link" in err


@pytest.mark.parametrize(
    ("interrupted", "said"),
    [
        ("sscard.scenario.library:find_scenarios", "interrupted before the first scenario"),
        ("sscard.scenario.transports:through_pcsc", "interrupted after 0 of 1 scenario"),
        ("sscard.scenario.transports:run_scenario", "interrupted after 0 of 1 scenario"),
    ],
)
def test_a_run_interrupted_before_its_first_scenario_says_so_in_every_report(
    sscard, tmp_path, monkeypatch, interrupted, said
):
    def interrupt(*_: object, **__: object) -> NoReturn:
        raise KeyboardInterrupt

    module, _, name = interrupted.partition(":")
    monkeypatch.setattr(import_module(module), name, interrupt)
    files = {name: tmp_path / name for name in ("html", "junit", "json", "trace")}
    reports = [word for name, file in files.items() for word in ("--report", f"{name}={file}")]
    transport = "pcsc" if name == "through_pcsc" else "local"
    (tmp_path / "good.yaml").write_text(GOOD)
    code, out, err = sscard("run", tmp_path / "good.yaml", "--transport", transport, *reports)
    assert (code, err) == (130, f"{said}\n")
    assert "0 passed, 0 failed" in out
    assert "0 passed, 0 failed" in files["html"].read_text("utf-8")
    assert json.loads(files["json"].read_text("utf-8"))["results"] == []
    assert "<testcase" not in files["junit"].read_text("utf-8")
    assert files["trace"].read_text("utf-8") == ""


def test_a_run_interrupted_before_its_first_scenario_keeps_the_reports_of_the_last_one(sscard, tmp_path, monkeypatch):
    def interrupt(*_: object, **__: object) -> NoReturn:
        raise KeyboardInterrupt

    files = [tmp_path / name for name in ("html", "junit", "json", "trace")]
    reports = [word for file in files for word in ("--report", f"{file.name}={file}")]
    (tmp_path / "good.yaml").write_text(GOOD)
    assert sscard("run", tmp_path / "good.yaml", *reports)[0] == 0
    before = [file.read_bytes() for file in files]
    monkeypatch.setattr(import_module("sscard.scenario.library"), "find_scenarios", interrupt)
    assert sscard("run", tmp_path / "good.yaml", *reports)[0] == 130
    assert [file.read_bytes() for file in files] == before


@pytest.mark.parametrize("option", ["--accept", "--list"])
def test_what_is_interrupted_before_its_first_scenario_neither_writes_nor_lists(sscard, folder, monkeypatch, option):
    from sscard.scenario import library

    calls, find = [], library.find_scenarios

    def interrupt_once(*arguments: object) -> object:
        calls.append(arguments)
        if len(calls) == 1:
            raise KeyboardInterrupt
        return find(*arguments)

    monkeypatch.setattr(library, "find_scenarios", interrupt_once)
    code, out, err = sscard("run", folder, option)
    assert (code, out, err) == (130, "", "interrupted before the first scenario\n")
    assert (folder / "bad.yaml").read_text() == BAD


def test_a_long_command_is_shortened_in_the_table_and_whole_in_the_report(sscard, tmp_path):
    command = "00 FF 00 00" + " 5A" * 70_000
    for name in ("a", "b"):  # their failures are equal, and shown once more at the end
        (tmp_path / f"{name}.yaml").write_text(f"name: {name}\nproves: b\nsteps:\n  - apdu: {command}\n")
    code, out, _ = sscard("--lang", "en", "run", tmp_path, "--report", f"json={tmp_path / 'r.json'}")
    assert code == 1
    assert len(out) < 10_000
    assert out.count("…") >= 4
    results = json.loads((tmp_path / "r.json").read_text("utf-8"))["results"]
    assert [result["failure"]["step"].count("5A") for result in results] == [70_000, 70_000]
