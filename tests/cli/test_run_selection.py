"""`sscard run`: which scenarios are run, with which seeds, until which failure, and compared with which run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kit.programs import CommandLine

pytestmark = pytest.mark.usefixtures("own_cache")
GOOD = "name: good\nproves: b\ntags: verify quick\nsteps:\n  - verify_pin: 123456\n    state: verified\n"
BAD = "name: {name}\nproves: b\ntags: verify slow\nsteps:\n  - verify_pin: 000000\n    sw: 63C5\n    tries: 4\n"
OTHER = "name: challenge\nproves: b\ntags: challenge\nsteps:\n  - get_challenge: 8\n    state: challenge\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    suite = tmp_path / "work" / "suite"
    suite.mkdir(parents=True)
    for name in ("bad1", "bad2"):
        (suite / f"{name}.yaml").write_text(BAD.format(name=name))
    (suite / "good.yaml").write_text(GOOD)
    (suite / "other.yaml").write_text(OTHER)
    monkeypatch.chdir(tmp_path / "work")
    return suite


def results(sscard: CommandLine, *arguments: object) -> list[dict[str, Any]]:
    _, out, _ = sscard("run", "suite", *arguments, "--json")
    found: list[dict[str, Any]] = json.loads(out)["results"]
    return found


def names(sscard: CommandLine, *arguments: object) -> list[str]:
    return [entry["name"] for entry in results(sscard, *arguments)]


@pytest.mark.parametrize(
    ("options", "selected"),
    [
        (["-m", "verify"], ["bad1", "bad2", "good"]),
        (["-m", "VERIFY and not slow"], ["good"]),
        (["-m", "(quick or challenge)"], ["good", "challenge"]),
        (["-m", "verify", "-k", "bad1 or challenge"], ["bad1"]),
        (["--only", "bad2 [v3-sm4]"], ["bad2"]),
    ],
    ids=" ".join,
)
@pytest.mark.usefixtures("folder")
def test_m_selects_by_whole_tags(sscard: CommandLine, options: list[str], selected: list[str]) -> None:
    assert names(sscard, *options) == selected


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["-m", "very"], "-m: no scenario has the tag 'very'\n  did you mean 'verify'?"),
        (["-m", "verify and"], "-m: a word is missing"),
        (["-m", " "], "-m is empty"),
        (["--only", ""], "--only: is empty"),
        (["--only", "bad3 [v3-sm4]"], "--only: no scenario is called 'bad3 [v3-sm4]'\n  did you mean 'bad"),
        (["-m", "quick and slow"], "no scenario fits -m 'quick and slow'"),
        (["-k", "zzz", "-m", "quick"], "no scenario fits -k 'zzz' -m 'quick'"),
        (["--seeds", "1-"], "--seeds: no seeds '1-'\n  for example 1,7 or 1-5"),
        (["--seeds", "5-1"], "--seeds: 5-1 is out of range"),
        (["--seeds", "1-20000"], "--seeds: 1-20000 is out of range"),
        (["--maxfail", "0"], "--maxfail: 0 is out of range"),
        (["-n", "0"], "-n: 0 is out of range"),
        (["--against", "nowhere.json"], "nowhere.json: cannot be read"),
        (["--against", "suite/good.yaml"], "suite/good.yaml: is not the JSON report of a run"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
@pytest.mark.usefixtures("folder")
def test_what_selects_nothing_or_cannot_be_read_ends_with_2(
    sscard: CommandLine, options: list[str], problem: str
) -> None:
    code, out, err = sscard("run", "suite", *options)
    assert (code, out) == (2, "")
    assert problem in err


def test_a_file_of_step_groups_alone_has_nothing_to_run(sscard: CommandLine, folder: Path) -> None:
    groups = folder / "groups.yaml"
    groups.write_text("groups:\n  g:\n    steps:\n      - insert:\n")
    code, _, err = sscard("run", groups)
    assert code == 2
    assert "no scenarios in these files\n  a file of step groups alone belongs to include:" in err


@pytest.mark.usefixtures("folder")
def test_list_runs_nothing_and_names_file_line_and_tags(sscard: CommandLine) -> None:
    code, out, err = sscard("run", "suite", "--list", "-m", "slow")
    assert (code, err) == (0, "")
    assert "  bad1  v3-sm4  suite/bad1.yaml:1  verify slow\n" in out
    assert out.endswith("\n2 scenarios\n")
    listed = json.loads(sscard("run", "suite", "--list", "--json")[1])
    assert listed["schema"] == "sscard.run-list/1"
    assert [entry["name"] for entry in listed["scenarios"]] == ["bad1", "bad2", "good", "challenge"]
    assert listed["scenarios"][0]["file"] == "suite/bad1.yaml"


@pytest.mark.usefixtures("folder")
def test_list_counts_the_runs_with_several_seeds(sscard: CommandLine) -> None:
    several = sscard("run", "suite", "--list", "--seeds", "1-3")[1]
    assert several.endswith("\n4 scenarios\nwith each of 3 seeds: 12 runs\n")
    assert sscard("run", "suite", "--list", "--seeds", "3")[1].endswith("\n4 scenarios\n")


@pytest.mark.parametrize("options", [["-x"], ["--maxfail", "1"], ["-x", "-n", "2"]], ids=" ".join)
@pytest.mark.usefixtures("folder")
def test_x_stops_at_the_first_failure_and_says_how_far_it_came(sscard: CommandLine, options: list[str]) -> None:
    code, out, err = sscard("run", "suite", *options)
    assert (code, err) == (1, "stopped at a failure after 1 of 4 scenarios\n")
    assert out.endswith("\n0 passed, 1 failed\n")


@pytest.mark.usefixtures("folder")
def test_maxfail_that_is_not_reached_runs_everything(sscard: CommandLine) -> None:
    code, out, err = sscard("run", "suite", "--maxfail", "3")
    assert (code, err) == (1, "")
    assert out.endswith("\n2 passed, 2 failed\n")


@pytest.mark.usefixtures("folder")
def test_seeds_run_each_scenario_with_each_seed_as_seed_does(sscard: CommandLine, tmp_path: Path) -> None:
    files = ("--junit", tmp_path / "junit.xml", "--trace", tmp_path / "trace.txt", "--html", tmp_path / "page.html")
    code, out, _ = sscard("run", "suite", "-k", "challenge", "--seeds", "3,7-8", *files)
    assert (code, out.splitlines()[-1]) == (0, "3 passed, 0 failed")
    assert [line.split()[-1] for line in out.splitlines() if "seed" in line] == ["3", "7", "8"]
    entries = results(sscard, "-k", "challenge", "--seeds", "3,7-8")
    assert [(entry["name"], entry["seed"]) for entry in entries] == [
        ("challenge", 3),
        ("challenge", 7),
        ("challenge", 8),
    ]
    junit = (tmp_path / "junit.xml").read_text("utf-8")
    assert all(f'name="challenge [v3-sm4] seed {seed}"' in junit for seed in (3, 7, 8))
    trace = (tmp_path / "trace.txt").read_text("utf-8")
    assert sscard("run", "suite", "-k", "challenge", "--seed", "7", "--trace", tmp_path / "one.txt")[0] == 0
    alone = (tmp_path / "one.txt").read_text("utf-8").partition("\n")[2]
    assert f"== challenge [v3-sm4] seed 7\n{alone}" in trace
    assert (tmp_path / "page.html").read_text("utf-8").count("seed 8") == 2, "the row, and the longest scenarios"


# --last-failed


@pytest.mark.usefixtures("folder")
def test_last_failed_runs_what_failed_until_it_passes(sscard: CommandLine, folder: Path) -> None:
    _, _, err = sscard("run", "suite", "--last-failed")
    assert err == "No recorded failures: running all scenarios\n"
    assert names(sscard, "--last-failed") == ["bad1", "bad2"]
    (folder / "bad1.yaml").write_text(BAD.format(name="bad1").replace("tries: 4", "tries: 5"))
    assert [entry["verdict"] for entry in results(sscard, "--last-failed")] == ["passed", "failed"]
    assert names(sscard, "--last-failed") == ["bad2"]
    assert names(sscard, "-k", "good") == ["good"]  # a run of others keeps what is recorded
    assert names(sscard, "--last-failed") == ["bad2"]
    assert names(sscard, "--last-failed", "-k", "good or challenge") == ["good", "challenge"]


def test_last_failed_is_kept_per_working_folder_and_by_file(
    sscard: CommandLine, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sscard("run", "suite")
    assert names(sscard, "--last-failed", folder) == ["bad1", "bad2"]  # the same files under another path
    monkeypatch.chdir(tmp_path)
    assert sscard("run", folder, "--last-failed")[2] == "No recorded failures: running all scenarios\n"
    assert [path.name for path in (tmp_path / "work").iterdir()] == ["suite"]


@pytest.mark.usefixtures("folder")
def test_a_damaged_or_unwritable_record_of_failures_does_not_matter(sscard: CommandLine, tmp_path: Path) -> None:
    sscard("run", "suite")
    [record] = (tmp_path / "cache" / "sscard" / "last-failed").iterdir()
    record.write_text("{]")
    assert sscard("run", "suite", "-k", "good", "--last-failed")[0] == 0
    record.unlink()
    record.parent.rmdir()
    record.parent.write_text("no folder")
    assert sscard("run", "suite", "-k", "good")[0] == 0


# --against


@pytest.fixture
def before(sscard: CommandLine, folder: Path) -> Path:
    """The report of a run."""
    (folder / "left.yaml").write_text(GOOD.replace("name: good", "name: left"))
    sscard("run", "suite", "--report", "json=before.json")
    (folder / "left.yaml").unlink()
    return folder


def test_against_lists_newly_failing_fixed_missing_new_and_slower(sscard: CommandLine, before: Path) -> None:
    (before / "bad1.yaml").write_text(BAD.format(name="bad1").replace("tries: 4", "tries: 5"))
    (before / "good.yaml").write_text(GOOD.replace("state: verified", "state: ready"))
    (before / "fresh.yaml").write_text(OTHER.replace("name: challenge", "name: fresh"))
    (before / "late.yaml").write_text(BAD.format(name="late"))
    (before / "other.yaml").write_text(OTHER.replace("steps:", "steps:\n  - fault: {slow: 0.3}"))
    report = json.loads(Path("before.json").read_text("utf-8"))
    for entry in report["results"]:
        entry["seconds"] = 0.1 if entry["name"] == "challenge" else 600
    Path("before.json").write_text(json.dumps(report), "utf-8")
    code, out, _ = sscard("run", "suite", "--against", "before.json")
    assert code == 1
    compared = out[out.index("compared with before.json") :]
    rows = [row.strip() for row in compared.splitlines()]
    assert rows[rows.index("newly failing: 2") + 1 :][:2] == [
        "good  v3-sm4  suite/good.yaml",
        "late  v3-sm4  suite/late.yaml",
    ]
    assert rows[rows.index("now fixed: 1") + 1] == "bad1  v3-sm4  suite/bad1.yaml"
    assert rows[rows.index("now missing: 1") + 1] == "left  v3-sm4  suite/left.yaml"
    assert rows[rows.index("new: 2") + 1] == "fresh  v3-sm4  suite/fresh.yaml"
    assert rows[rows.index("slower: 1") + 1].startswith("challenge  v3-sm4  suite/other.yaml  ")
    assert rows[rows.index("slower: 1") + 1].endswith(" s, before 0.10 s")
    facts = json.loads(sscard("run", "suite", "--against", "before.json", "--json")[1])["against"]
    kinds = {kind: [entry["name"] for entry in rows] for kind, rows in facts.items() if kind != "file"}
    assert kinds == {
        "newly_failing": ["good", "late"],
        "fixed": ["bad1"],
        "missing": ["left"],
        "no_longer_applicable": [],
        "new": ["fresh", "late"],
        "slower": ["challenge"],
    }


def test_neither_a_known_issue_nor_what_is_not_applicable_is_fixed(sscard: CommandLine, before: Path) -> None:
    (before / "left.yaml").write_text(GOOD.replace("name: good", "name: left"))
    (before / "bad1.yaml").write_text(BAD.format(name="bad1").replace("steps:", "known_issue: T-1\nsteps:"))
    for name, text in (("bad2", BAD.format(name="bad2")), ("good", GOOD)):
        (before / f"{name}.yaml").write_text(text.replace("steps:", "needs: {generation: 3.0}\nsteps:"))
    report = json.loads(Path("before.json").read_text("utf-8"))
    for entry in report["results"]:
        entry["personality"] = "v2-3des"
    Path("before.json").write_text(json.dumps(report), "utf-8")
    options = ("--personality", "v2-3des", "--against", "before.json")
    facts = json.loads(sscard("run", "suite", *options, "--json")[1])["against"]
    assert facts["fixed"] == []
    assert [entry["name"] for entry in facts["no_longer_applicable"]] == ["bad2", "good"]
    assert "no longer applicable: 2\n    bad2  v2-3des  suite/bad2.yaml\n" in sscard("run", "suite", *options)[1]


def without_times() -> None:
    """Take the times out of the report, as in those of older versions: a busy machine is slower."""
    report = json.loads(Path("before.json").read_text("utf-8"))
    for entry in report["results"]:
        del entry["seconds"], entry["seed"]
    Path("before.json").write_text(json.dumps(report), "utf-8")


def test_against_an_equal_run_there_is_no_difference(sscard: CommandLine, before: Path) -> None:
    without_times()
    (before / "left.yaml").write_text(GOOD.replace("name: good", "name: left"))
    code, out, _ = sscard("run", "suite", "--against", "before.json")
    assert code == 1  # as without --against
    assert "compared with before.json\n  no difference\n" in out


@pytest.mark.usefixtures("before")
def test_what_is_not_selected_is_not_missing(sscard: CommandLine) -> None:
    _, out, _ = sscard("run", "suite", "-k", "good", "--against", "before.json")
    assert "now missing: 1\n    left" in out


@pytest.mark.parametrize("paths", [["suite/good.yaml"], ["suite/fresh.yaml"], ["suite/bad1.yaml", "suite/bad2.yaml"]])
def test_what_the_paths_do_not_name_is_not_missing(sscard: CommandLine, before: Path, paths: list[str]) -> None:
    (before / "fresh.yaml").write_text(OTHER.replace("name: challenge", "name: fresh"))
    _, out, _ = sscard("run", *paths, "--against", "before.json")
    assert "now missing: 1\n    left" in out


def test_what_a_copy_of_the_suite_does_not_have_is_missing(sscard: CommandLine, before: Path) -> None:
    (before.parent / "copy").mkdir()
    (before.parent / "copy" / "moved.yaml").write_text(GOOD)
    _, out, _ = sscard("run", "copy", "--against", "before.json")
    assert "now missing: 4\n    bad1" in out


@pytest.mark.usefixtures("before")
def test_an_earlier_run_that_did_not_end_is_named(sscard: CommandLine) -> None:
    sscard("run", "suite", "-x", "--report", "json=stopped.json")
    _, out, _ = sscard("run", "suite", "--against", "stopped.json")
    assert "compared with stopped.json\n  that run ended after 1 of 4 scenarios\n" in out
    assert "that run ended" not in sscard("run", "suite", "--against", "before.json")[1]


def test_a_scenario_that_was_moved_is_found_by_its_name(sscard: CommandLine, before: Path) -> None:
    without_times()
    (before / "left.yaml").write_text(GOOD.replace("name: good", "name: left"))
    (before / "deeper").mkdir()
    (before / "good.yaml").rename(before / "deeper" / "renamed.yaml")
    assert "no difference" in sscard("run", "suite", "--against", "before.json")[1]


@pytest.mark.usefixtures("before")
def test_the_seed_counts_only_if_a_run_has_several(sscard: CommandLine) -> None:
    options = ("-k", "not left", "--against", "before.json")
    assert "new: " not in sscard("run", "suite", "--seed", "5", *options)[1]
    assert "new: 4\n" in sscard("run", "suite", "--seeds", "1,5", *options)[1]


def test_one_seed_and_several_exclude_each_other(
    sscard: CommandLine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, _out, err = sscard("run", folder / "good.yaml", "--seed", 1, "--seeds", "2")
    assert code == 2
    assert "--seed and --seeds exclude each other" in err
    monkeypatch.setenv("SSCARD_RUN_SEED", "1")  # which holds for other calls too
    assert sscard("run", folder / "good.yaml", "--seeds", "2")[0] == 0


# Equal failures


@pytest.mark.usefixtures("folder")
def test_equal_failures_are_summed_up_once(sscard: CommandLine) -> None:
    _, out, _ = sscard("run", "suite")
    tail = out[out.index("2 scenarios failed alike: verify_pin") :]
    assert tail.splitlines()[1:4] == [
        "  tries: expected 4, got 5",
        "    suite/bad1.yaml:7  bad1  v3-sm4",
        "    suite/bad2.yaml:7  bad2  v3-sm4",
    ]


def test_different_failures_are_not(sscard: CommandLine, folder: Path) -> None:
    (folder / "bad2.yaml").write_text(BAD.format(name="bad2").replace("tries: 4", "tries: 3"))
    assert "failed alike" not in sscard("run", "suite")[1]
    for number in range(12):
        (folder / f"many{number}.yaml").write_text(BAD.format(name=f"many{number}"))
    assert "    and 3 more\n" in sscard("run", "suite")[1]


def test_a_file_whose_name_is_no_text_is_refused_before_the_run(sscard: CommandLine, folder: Path) -> None:
    """No JSON, Allure or JUnit report could name it."""
    (folder / "x\udcff.yaml").write_text(GOOD)
    code, out, err = sscard("run", "suite", "--report", "allure=results")
    assert (code, out) == (2, "")
    assert r"x\udcff.yaml: the name of the file is not UTF-8 text" in err
    assert not Path("results").exists()
