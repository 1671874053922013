"""sscard scenario: what a user of its commands sees."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from kit.broken import EXPANSION, STRUCTURE, expanded
from sscard import issue_card
from sscard.i18n.language import CHINESE, say, speaking
from sscard.issuer.image import write_image
from sscard.scenario.library import builtin_folder

HAN = re.compile("[\u4e00-\u9fff]")


@pytest.fixture
def broken(tmp_path: Path) -> dict[str, int]:
    """A folder of broken scenario files; the line of the error by file."""
    texts = {f"structure-{n:02}.yaml": (text, line) for n, (text, line, *_rest) in enumerate(STRUCTURE.values())}
    texts |= {f"expansion-{n:02}.yaml": (expanded(name), EXPANSION[name][1]) for n, name in enumerate(EXPANSION)}
    assert len(texts) >= 60
    for name, (text, _line) in texts.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return {str(tmp_path / name): line for name, (_text, line) in texts.items()}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_one_check_reports_every_broken_file_with_its_place_and_a_remedy(sscard, broken, tmp_path, language):
    code, out, _ = sscard("--lang", language, "scenario", "check", tmp_path, "--json")
    assert code == 2
    errors = json.loads(out)["errors"]
    by_file = {file: [error for error in errors if error["file"] == file] for file in broken}
    for file, line in broken.items():
        assert line in [error["line"] for error in by_file[file]], file
        assert all(error["problem"] for error in by_file[file])
        assert not line or all(error["column"] for error in by_file[file])
    if language == "zh":
        assert all(HAN.search(error["problem"]) for error in errors)


def test_check_prints_the_form_that_editors_read(sscard, broken, tmp_path):
    code, out, _ = sscard("--lang", "en", "scenario", "check", tmp_path)
    assert code == 2
    places = [line.partition(": ")[0] for line in out.splitlines() if not line.startswith(" ")]
    assert places[-1] == f"{len(broken)} files"
    with_line = {file for file, line in broken.items() if line}
    assert {place.rsplit(":", 2)[0] for place in places[:-1] if place.count(":") >= 2} == with_line


def test_check_of_good_files_counts_them(sscard, tmp_path):
    assert sscard("--lang", "en", "scenario", "new", tmp_path / "a.yaml")[0] == 0
    assert sscard("--lang", "en", "scenario", "check", tmp_path)[:2] == (0, "1 file, 1 scenario, 2 runs: no errors\n")


def test_a_new_scenario_passes_and_is_not_replaced(sscard, tmp_path):
    path = tmp_path / "a.yaml"
    for language in ("en", "zh"):
        assert sscard("--lang", language, "scenario", "new", path, "--force")[0] == 0
        assert sscard("--lang", "en", "run", path)[0] == 0
    text = path.read_text("utf-8")
    code, _out, err = sscard("--lang", "en", "scenario", "new", path)
    assert (code, path.read_text("utf-8")) == (2, text)
    assert "--force" in err


def test_a_new_project_runs_and_nothing_of_it_is_replaced(sscard, tmp_path):
    folder = tmp_path / "project"
    assert sscard("--lang", "en", "scenario", "new", "--project", folder)[0] == 0
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} == {
        "scenarios/wrong-pin.yaml",
        "scenarios/scenario.schema.json",
        "pytest.ini",
        ".github/workflows/scenarios.yml",
        ".gitlab-ci.yml",
    }
    for paths in (folder, folder / "scenarios"):
        assert sscard("--lang", "en", "run", paths)[0] == 0
        assert sscard("--lang", "en", "scenario", "check", paths)[0] == 0
    (folder / "pytest.ini").write_text("mine", encoding="utf-8")
    assert sscard("--lang", "en", "scenario", "new", "--project", folder)[0] == 2
    assert (folder / "pytest.ini").read_text("utf-8") == "mine"


def test_file_and_project_exclude_each_other(sscard, tmp_path):
    assert sscard("--lang", "en", "scenario", "new", tmp_path / "a.yaml", "--project", tmp_path / "p")[0] == 2
    assert not list(tmp_path.iterdir())


def test_list_names_runs_tags_and_marks(sscard, tmp_path):
    (tmp_path / "a.yaml").write_text(
        "name: {en: Right, zh: 正确}\nproves: {en: It works., zh: 可用。}\ntags: pin\ncovers: OC-1\n"
        "card: {personality: [v3-sm4, v1-des]}\nsteps:\n  - reset:\n",
        encoding="utf-8",
    )
    _code, out, _ = sscard("--lang", "en", "scenario", "list", tmp_path)
    assert "Right  v3-sm4 v1-des" in out
    assert "pin, OC-1" in out
    assert "1 scenario, 2 runs" in out
    assert "正确" in sscard("--lang", "zh", "scenario", "list", tmp_path)[1]
    [entry] = json.loads(sscard("--lang", "en", "scenario", "list", tmp_path, "--json")[1])["scenarios"]
    assert (entry["personalities"], entry["covers"]) == (["v3-sm4", "v1-des"], ["OC-1"])


def test_list_names_severity_and_known_issue(sscard, tmp_path):
    (tmp_path / "a.yaml").write_text(
        "name: a\nproves: b\nseverity: blocker\nknown_issue: CARD-7\ntags: pin\nsteps:\n  - reset:\n", encoding="utf-8"
    )
    assert "blocker, known issue CARD-7, pin" in sscard("--lang", "en", "scenario", "list", tmp_path)[1]
    assert "CARD-7" in sscard("--lang", "zh", "scenario", "list", tmp_path)[1]


def test_explain_states_card_steps_and_expectations(sscard, tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(
        "name: a\nproves: b\ncard: {tries_left: 2}\nsteps:\n  - verify_pin: 999999\n    sw: 63C(1)\n    tries: 1\n",
        encoding="utf-8",
    )
    code, out, _ = sscard("--lang", "en", "scenario", "explain", path)
    assert code == 0
    assert "over the contact interface: 2 tries left" in out
    assert "line 5: verify_pin. Expected: 63C1 verification failed, 1 try left." in out
    assert "999999" not in out


def test_explain_states_the_history_of_the_card_and_the_service(sscard, tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(
        "name: a\nproves: b\ncard: {key_tries: {PUK: 1}, files: {EF07: AABB}, account: {balance: 5},"
        " issued: 2024-01-02, place: {initial_pin: 739184}}\nservice: {place: tries-8, clock: 2026-02-13,"
        " journal: sqlite, policy: {proxy: accept}, holder_base: [{first: A00000001, standing: lost}]}\n"
        "steps:\n  - reset:\n",
        encoding="utf-8",
    )
    out = sscard("--lang", "en", "scenario", "explain", path)[1]
    card = "tries left of PUK 1, files: EF07, account.balance: 5, place: initial_pin, issued: 2024-01-02."
    service = "clock: 2026-02-13 09:00, journal: sqlite, place: tries-8, policy: proxy, holder_base: A00000001 lost."
    assert card in out
    assert f"The service has {service}" in out
    assert "739184" not in out


def test_explain_states_the_policy_of_each_row(sscard, tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(
        "name: a\nproves: b\nwith: [{p: page, c: {initial_pin: 739184}}, {p: henan, c: {pin_tries: 8}}]\n"
        "card: {place: '${c}'}\nservice: {policy: '${p}'}\nsteps:\n  - reset:\n",
        encoding="utf-8",
    )
    out = sscard("--lang", "en", "scenario", "explain", path)[1]
    assert [line.strip() for line in out.splitlines() if "The service" in line] == [
        "The service has policy: page.",
        "The service has policy: henan.",
    ]
    assert "place: initial_pin." in out
    assert "739184" not in out


def test_explain_does_not_state_the_tries_left_of_an_image(sscard, tmp_path):
    path = tmp_path / "a.yaml"
    (tmp_path / "card.json").write_text(write_image(issue_card(seed=3)), encoding="utf-8")
    path.write_text("name: a\nproves: b\ncard: {image: card.json}\nsteps:\n  - reset:\n", encoding="utf-8")
    out = sscard("--lang", "en", "scenario", "explain", path)[1]
    assert "over the contact interface: image: card.json." in out


def test_explain_states_captured_values_as_they_are_written(sscard, tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(
        "name: a\nproves: b\nsteps:\n  - initialize_for_purchase: {account: 0.00}\n"
        "    capture: {purchases: count, word: sw}\n"
        "  - initialize_for_purchase: {account: 0.00, count: '${purchases}'}\n    sw: ${word}\n    note: as ${word}\n",
        encoding="utf-8",
    )
    out = sscard("--lang", "en", "scenario", "explain", path)[1]
    assert "Expected: sw: ${word}, count: ${purchases}." in out
    assert "  as ${word}" in out.splitlines()


def test_explain_states_where_the_group_of_a_step_is_used(sscard, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "g.yaml").write_text("groups:\n  restart:\n    steps:\n      - reset:\n", encoding="utf-8")
    text = "name: a\nproves: b\ninclude: g.yaml\nsteps:\n  - insert:\n  - use: restart\n  - use: restart\n"
    (tmp_path / "a.yaml").write_text(text, encoding="utf-8")
    out = sscard("--lang", "en", "scenario", "explain", "a.yaml")[1]
    assert [line.partition(". ")[0].strip() for line in out.splitlines() if "Expected" in line] == [
        "line 5: insert",
        "g.yaml:4 (used at a.yaml:6): reset",
        "g.yaml:4 (used at a.yaml:7): reset",
    ]


def test_explain_names_in_chinese_what_driver_and_service_report(sscard, scenarios):
    from sscard.scenario.captures import REPORTED

    answers = {name for scenario in scenarios for step in scenario.steps for name in step.answers()}
    assert answers <= REPORTED.keys()
    with speaking(CHINESE):
        assert not [name for name, label in REPORTED.items() if not HAN.search(say(label))]
    folder = builtin_folder() / "11-service-window"
    assert not re.search("[:：] ?(grounds|missing|acts): ", sscard("--lang", "zh", "scenario", "explain", folder)[1])


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ("{verify_pin: 999999, sw: 63C5, tries: 5}", "63C5 verification failed, 5 tries left."),
        ("{reset: , tries: 6}", "success, 6 tries left."),
        ("{tries_left: 6, tries: 6}", "success, tries_left: 6."),
        (
            "{authenticate: {key: PUK, proof: wrong}, sw: 63C2, tries: 2, key_tries: {PUK: 2}}",
            "63C2 verification failed, 2 tries left, 2 tries left, tries left of PUK 2.",
        ),
    ],
)
def test_explain_counts_the_tries_left_once(sscard, tmp_path, step, expected):
    path = tmp_path / "a.yaml"
    path.write_text(f"name: a\nproves: b\nsteps:\n  - {step}\n", encoding="utf-8")
    assert f"Expected: {expected}" in sscard("--lang", "en", "scenario", "explain", path)[1]


@pytest.mark.parametrize(
    ("text", "written", "change"),
    [
        ("variables: {n: 5}\nsteps:\n  - tries_left: ${n}\n", "${n}", "the value of"),
        ("with: [{n: 5}]\nsteps:\n  - tries_left: ${n}\n", "${n}", "the value of"),
        ("steps:\n  - reset:\n    tries: max - 1\n", "max - 1", "the expression"),
        ("steps:\n  - reset:\n    tries: key_tries\n", "key_tries", "the expression"),
        ("steps:\n  - reset:\n    sw: 63C(max - 1)\n", "63C(max - 1)", "the expression"),
    ],
)
def test_a_mismatch_of_a_computed_value_says_what_to_change(sscard, tmp_path, text, written, change):
    path = tmp_path / "a.yaml"
    path.write_text(f"name: a\nproves: b\n{text}", encoding="utf-8")
    code, out, _err = sscard("--lang", "en", "run", path)
    assert code == 1
    assert f"if this is right, change {change} {written}" in " ".join(out.split())
    assert "if this is right, write" not in out


def test_verbs_shows_the_fields_of_one_and_suggests_a_known_one(sscard):
    assert "authenticate.key" in sscard("--lang", "en", "scenario", "verbs", "authenticate")[1]
    assert len(sscard("--lang", "en", "scenario", "verbs")[1].splitlines()) > 60
    code, _out, err = sscard("--lang", "en", "scenario", "verbs", "autenticate")
    assert code == 2
    assert "'authenticate'" in err


def test_the_schema_is_json(sscard):
    assert json.loads(sscard("--lang", "en", "scenario", "schema")[1])["$schema"].startswith("https://json-schema.org/")


ACCEPTED = "name: a\nproves: b\nsteps:\n  - verify_pin: 999999\n    sw: 63C5\n    tries: 5\n"


def test_accept_writes_what_was_observed_and_shows_the_change(sscard, tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("name: a\nproves: b\nsteps:\n  - verify_pin: 999999\n", encoding="utf-8")
    code, out, _ = sscard("--lang", "en", "run", "--accept", path)
    assert (code, path.read_text("utf-8")) == (0, ACCEPTED)
    assert "+    sw: 63C5" in out.splitlines()
    assert "1 passed, 0 failed" in out


def test_accept_changes_the_selected_scenarios_only(sscard, tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text(
            f"name: {name}\nproves: b\ntags: {name}\nsteps:\n  - verify_pin: 999999\n", encoding="utf-8"
        )
    assert sscard("--lang", "en", "run", "--accept", tmp_path, "-m", "a")[0] == 0
    assert "sw" in (tmp_path / "a.yaml").read_text("utf-8")
    assert "sw" not in (tmp_path / "b.yaml").read_text("utf-8")


def test_accept_hides_pins_in_the_changes_that_it_shows(sscard, tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(
        "name: a\nproves: b\ncard: {pin: 73918264}\nsteps:\n  - {verify_pin: 99887766}\n"
        "  - apdu: 00 20 00 00 04 73 91 82 64\n  - change_pin: {old: 73918264, new: 11223344}\n",
        encoding="utf-8",
    )
    _code, out, _ = sscard("--lang", "en", "run", "--accept", path)
    assert "63C5" in out
    assert not [secret for secret in ("73918264", "99887766", "73 91 82 64", "11223344") if secret in out]


def test_accept_hides_pins_of_variables_and_rows_in_the_changes_that_it_shows(sscard, tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(
        "name: a\nproves: b\nvariables: {right: 73918264}\nwith: [{first: 99887766}]\ncard: {pin: '${right}'}\n"
        "steps:\n  - {verify_pin: '${first}'}\n",
        encoding="utf-8",
    )
    _code, out, _ = sscard("--lang", "en", "run", "--accept", path)
    assert "63C5" in out
    assert "first: " in out
    assert not [secret for secret in ("73918264", "99887766") if secret in out]


def test_accept_is_for_the_cards_of_the_files(sscard, tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(ACCEPTED, encoding="utf-8")
    for options in (("--personality", "v1-des"), ("--seeds", "1-3")):
        assert sscard("--lang", "en", "run", "--accept", path, *options)[0] == 2


def test_accept_needs_a_file_and_leaves_expressions(sscard, tmp_path):
    code, _out, err = sscard("--lang", "en", "run", "--accept")
    assert code == 2
    assert "sscard run --accept scenarios" in err
    path = tmp_path / "a.yaml"
    text = ACCEPTED.replace("63C5", "63C(max - 2)")
    path.write_text(text, encoding="utf-8")
    code, out, _ = sscard("--lang", "en", "run", "--accept", path)
    assert (code, path.read_text("utf-8")) == (1, text)
    assert f"{path}:5: sw: '63C(max - 2)' computes the value" in out


def test_accept_warns_of_a_value_that_depends_on_the_seed(sscard, tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(
        "name: a\nproves: b\nsteps:\n  - verify_pin: 999999\n  - get_challenge: 8\n    state: challenge\n"
        "    data: 00\n",
        encoding="utf-8",
    )
    code, out, _ = sscard("--lang", "en", "run", "--accept", path)
    assert code == 0
    assert "sw: 63C5" in path.read_text("utf-8")
    warning = f"{path}:9: data: holds for this seed only, in data write ?? for any byte and ... for any rest"
    assert " ".join(out.split()).count("holds for this seed only") == 1
    assert warning in " ".join(out.split())
    code, out, _ = sscard("--lang", "en", "run", "--accept", path)
    assert (code, "this seed only" in out) == (0, False)
