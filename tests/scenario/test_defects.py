"""The catalogue of defects: each changes what the product does, and the scenarios that it names notice it."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from pathlib import Path

import pytest

import defects_page
from kit import browser
from kit.programs import ENDS, CommandLine, children, gone, run, running
from kit.waiting import until
from sscard.i18n.language import CHINESE, say, speaking
from sscard.scenario import Scenario, ScenarioResult
from sscard.scenario.defect_parts import Part
from sscard.scenario.defects import DEFECTS, Defect
from sscard.scenario.defects.measure import Measure, Measured, measured
from sscard.scenario.defects.noticed import Noticing, noticed_by
from sscard.scenario.library import builtin_folder
from sscard.scenario.reports.defects import Matrix, summary_line
from sscard.scenario.runner import crashed
from sscard.scenario.selection import select
from witnesses import WITNESSES

on_sources = pytest.mark.skipif("SSCARD_COMPILED" in os.environ, reason="compiled methods cannot be replaced")
each_defect = pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.name)

PIN = "739184"
VERIFIES = f"""
name: a wrong PIN costs a try
proves: VERIFY counts
card: {{pin: {PIN}}}
steps:
  - verify_pin: 415926
    sw: 63C5
    tries: 5
"""
FAILS = f"name: fails always\nproves: b\ncard: {{pin: {PIN}}}\nsteps:\n  - verify_pin: {PIN}\n    sw: 63C5\n"
UNJUDGED = """
name: a wrong proof of PUK costs a try
proves: c
card: {choices: {key_tries: 3}}
steps:
  - driver_unblock_pin: {by: hsm, wrong_step: 2}
    code: -25538
    key_tries: {PUK: 2}
"""
"""With the defect ``UNCLEAR`` the driver asks for more than the step answers."""
NAMED = {
    "EXTERNAL AUTHENTICATE compares 7 of 8 bytes": "external-authentication-compares-7-of-8-bytes",
    "CHANGE PIN accepts any old PIN after a right VERIFY": "change-pin-takes-any-old-pin-after-verify",
    "the challenge survives a change of DF": "challenge-survives-a-change-of-df",
    "the key version of EXTERNAL AUTHENTICATE is ignored": "key-version-of-external-authentication-is-ignored",
    "the key counter of version 1 is used for all versions": "all-key-versions-use-the-counter-of-version-1",
    "a blocked PUK still resets": "blocked-puk-still-resets",
    "access rule and treated as or": "access-rule-and-is-treated-as-or",
    "read and write right of one file swapped": "read-and-write-right-of-the-fingerprint-are-swapped",
    "APPLICATION BLOCK without its lock key": "application-block-without-its-lock-key",
    "CREDIT FOR LOAD without checking MAC2": "credit-for-load-without-checking-mac2",
    "a purchase of the whole balance is refused": "purchase-of-the-whole-balance-is-refused",
    "a purchase without PIN": "purchase-without-pin",
    "the medical transaction survives foreign commands": "medical-transaction-survives-foreign-commands",
    "yearly totals restart a day late": "yearly-totals-restart-a-day-late",
    "a purchase in two transactions": "purchase-in-two-transactions",
    "READ BINARY ignores the offset": "read-binary-ignores-the-offset",
    "UPDATE without the right": "update-without-the-right",
    "INTERNAL AUTHENTICATE answers zeros": "internal-authentication-answers-zeros",
    "DEBIT without MAC1": "debit-without-checking-mac1",
    "CARD BLOCK accepts a wrong MAC": "card-block-takes-a-wrong-mac",
    "the terminal resets another card than the one it read": "driver-resets-another-card-than-the-one-it-read",
    "it spends the last try while recovering": "recovery-spends-the-last-try",
    "VERIFY data not masked in a trace": "verify-is-not-masked-in-a-trace",
    "unequal double entry of a PIN accepted": "unequal-double-entry-of-a-pin-is-accepted",
    "the HSM service accepts any token": "hsm-service-accepts-any-token",
    "a wrong PUK proof is repeated until blocked": "wrong-puk-proof-is-repeated-until-blocked",
    "expired ID accepted": "valid-id-is-not-checked",
    "lost card accepted": "lost-in-the-holder-base-is-accepted",
    "expired card accepted": "expired-card-is-accepted",
    "wrong document for the applicant's kind accepted": "wrong-document-for-the-kind-of-applicant-is-accepted",
    "passport accepted at the self-service terminal": "passport-is-accepted-at-the-self-service-terminal",
    "no pre-review online": "no-pre-review-online",
    "hand-over impossible": "hand-over-is-impossible",
    "another card operated": "another-card-is-operated",
    "done reported while the HSM is down": "done-is-reported-while-the-hsm-is-down",
    "due date one day late": "due-date-is-one-day-late",
    "in doubt, the new PIN is tried last": "in-doubt-the-new-pin-is-tried-last",
    "the intent is journalled after the card": "intent-is-journalled-after-the-card",
    "the operation's idempotency key ignored": "idempotency-key-of-an-operation-is-ignored",
    "a resume writes no event": "resume-writes-no-event",
    "6581 taken for a clear refusal": "memory-failure-is-taken-for-a-clear-refusal",
}
"""The defects that the catalogue was asked to have, and their names in it."""


def test_the_catalogue_has_the_defects_it_was_asked_for() -> None:
    names = [defect.name for defect in DEFECTS]
    assert {*NAMED.values()} <= {*names}
    assert len(names) >= 60
    assert all(sum(defect.part is part for defect in DEFECTS) >= 2 for part in Part)


def test_every_defect_has_a_name_of_its_own_and_a_witness() -> None:
    names = [defect.name for defect in DEFECTS]
    assert sorted(names) == sorted(WITNESSES)
    assert all(re.fullmatch("[a-z0-9]+(-[a-z0-9]+)*", name) for name in names)


@each_defect
def test_every_defect_says_in_both_languages_what_is_wrong(defect: Defect) -> None:
    english = say(defect.says)
    with speaking(CHINESE):
        chinese = say(defect.says)
    assert english.endswith(".")
    assert "\n" not in english
    assert chinese.endswith("。")
    assert defect.citation
    assert defect.citation != defect.source


def test_the_pages_of_the_catalogue_are_up_to_date() -> None:
    differing = [path.name for path, text in defects_page.generated().items() if path.read_text("utf-8") != text]
    assert not differing, "python tools/defects_page.py"


@on_sources
@each_defect
def test_the_defect_changes_what_its_witness_observes(defect: Defect) -> None:
    witness = WITNESSES[defect.name]
    before = witness()
    with defect.planted():
        planted = witness()
    assert planted != before
    assert witness() == before


@pytest.fixture(scope="module")
def runs(scenarios: list[Scenario]) -> dict[Noticing, list[tuple[int, Scenario]]]:
    """The runs of the suite by what the catalogue names, each with its place in the suite."""
    found: dict[Noticing, list[tuple[int, Scenario]]] = {}
    for place, scenario in enumerate(scenarios):
        found.setdefault(Noticing.of(scenario), []).append((place, scenario))
    return found


@on_sources
@each_defect
def test_the_scenarios_that_the_catalogue_names_notice_the_defect(
    runs: dict[Noticing, list[tuple[int, Scenario]]], defect: Defect
) -> None:
    """They are some of those that the hint selects; after a change: python tools/defects_page.py --measure."""
    named = noticed_by()[defect.name]
    known = dict(each for name in named for each in runs[name])
    likely = select([known[place] for place in sorted(known)], defect.hint)
    assert named
    assert [*map(Noticing.of, likely)] == [*named]
    assert len(Measure(likely, 0).of(defect).noticed_by) == len(named)


def test_the_list_names_scenarios_that_notice_a_defect(sscard: CommandLine) -> None:
    listed = json.loads(sscard("defects", "list", ONE, "--json")[1])["defects"]
    assert [(each["name"], each["noticed_by"]) for each in listed] == [
        (ONE, [each._asdict() for each in noticed_by()[ONE]])
    ]
    assert sscard("defects", "list", ONE)[1].endswith(f"{noticed_by()[ONE][0].file}\n")


@on_sources
@pytest.mark.parametrize("part", Part)
def test_sscard_run_ends_with_1_if_there_is_a_defect(
    sscard: CommandLine, scenarios: list[Scenario], part: Part
) -> None:
    """The form in which a user meets it: the command line, and its exit code."""
    defect = next(defect for defect in DEFECTS if defect.part is part)
    likely = select(scenarios, defect.hint)
    [noticing] = Measure(likely).of(defect).noticed_by
    file = builtin_folder().parent / likely[noticing].source
    assert sscard("run", file)[0] == 0
    with defect.planted():
        assert sscard("run", file)[0] == 1


@on_sources
def test_several_processes_find_what_one_finds(scenarios: list[Scenario]) -> None:
    suite = select(scenarios, "01-function/verify")
    chosen = [defect for defect in DEFECTS if defect.part is Part.CARD][10:20]

    def found(processes: int) -> dict[str, tuple[int, ...]]:
        coming = measured(Measure(suite, 2), chosen, processes)
        return {each.defect.name: each.noticed_by for each in coming}

    assert found(2) == found(1)


@pytest.fixture
def suite_of_two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One scenario that notices that a wrong PIN answers with 630x, and one that fails always."""
    monkeypatch.chdir(tmp_path)
    Path("suite").mkdir()
    Path("suite/verifies.yaml").write_text(VERIFIES)
    Path("suite/fails.yaml").write_text(FAILS)
    return Path("suite")


ONE, MISSED = "wrong-pin-answers-630x", "load-count-stays"
UNCLEAR = "wrong-puk-proof-is-repeated-until-blocked"


@on_sources
def test_the_command_names_what_notices_a_defect_and_what_is_left_to_write(
    sscard: CommandLine, suite_of_two: Path
) -> None:
    code, out, _err = sscard("defects", "run", suite_of_two, "--defect", ONE, "--defect", MISSED)
    assert code == 1
    assert f"✓ card  {ONE}\n    suite/verifies.yaml: a wrong PIN costs a try (v3-sm4)" in out
    assert f"✗ card  {MISSED}: not noticed\n    The sequence number of loads is not increased." in out
    assert "1 scenario fails without a defect too\n  suite/fails.yaml: fails always" in out
    assert "1 of 2 defects noticed (50 %)" in out


@on_sources
def test_a_scenario_that_fails_without_a_defect_is_named_without_control_characters(
    sscard: CommandLine, suite_of_two: Path
) -> None:
    odd = suite_of_two / "\x1b[31mfails.yaml"
    (suite_of_two / "fails.yaml").rename(odd)
    out = sscard("defects", "run", suite_of_two, "--defect", ONE, "--all")[1]
    assert r"  suite/\x1b[31mfails.yaml: fails always" in out
    assert "\x1b" not in out


@on_sources
@pytest.mark.parametrize(("percent", "code"), [("50", 0), ("50.1", 1), ("0", 0)])
def test_a_threshold_decides_the_exit_code(sscard: CommandLine, suite_of_two: Path, percent: str, code: int) -> None:
    names = ("--defect", ONE, "--defect", MISSED)
    assert sscard("defects", "run", suite_of_two, *names, "--fail-under", percent)[0] == code


def _matrix(noticed: int, missed: int) -> Matrix:
    found = [Measured(defect, (0,) * (number < noticed), (), 1, 0.1) for number, defect in enumerate(DEFECTS)]
    return Matrix((), DEFECTS, found=found[: noticed + missed])


@pytest.mark.parametrize(("noticed", "missed", "percent"), [(1, 4, 20), (11, 9, 55), (7, 93, 7), (7, 0, 100)])
def test_a_whole_percentage_is_exact(noticed: int, missed: int, percent: int) -> None:
    """``--fail-under 20`` passes with one defect of five."""
    assert _matrix(noticed, missed).percent == percent


def test_the_summary_says_100_percent_only_if_every_defect_is_noticed() -> None:
    assert "(99 %)" in summary_line(_matrix(len(DEFECTS) - 1, 1))
    assert "(100 %)" in summary_line(_matrix(len(DEFECTS), 0))


@on_sources
def test_the_json_has_the_matrix(sscard: CommandLine, suite_of_two: Path) -> None:
    code, out, err = sscard("defects", "run", suite_of_two, "--defect", ONE, "--defect", MISSED, "--all", "--json")
    facts = json.loads(out)
    assert code == 1
    assert (facts["scenarios"], facts["most"], facts["noticed"], facts["percent"]) == (2, 0, 1, 50.0)
    noticed, missed = facts["defects"]
    assert (noticed["name"], noticed["part"], noticed["runs"]) == (ONE, "card", 2)
    assert noticed["noticed_by"] == [
        {"file": "suite/verifies.yaml", "name": "a wrong PIN costs a try", "personality": "v3-sm4"}
    ]
    assert (missed["name"], missed["noticed_by"]) == (MISSED, [])
    assert [each["name"] for each in facts["failing"]] == ["fails always"]
    assert "not noticed" in err


@on_sources
def test_the_page_has_the_matrix_in_both_languages(sscard: CommandLine, suite_of_two: Path) -> None:
    names = ("--defect", ONE, "--defect", MISSED)
    for language, word in (("zh", "未发现"), ("en", "not noticed")):
        sscard("--lang", language, "defects", "run", suite_of_two, *names, "--all", "--html", "page.html")
        page = Path("page.html").read_text("utf-8")
        assert f'<html lang="{language}">' in page
        assert word in page
        assert {ONE, MISSED} <= {*re.findall(r'<th scope="row">([^<]*)</th>', page)}
        assert page.count('<td class="yes" title="suite/verifies.yaml') == 1
        assert not re.search(r"https?://", page)


@pytest.fixture
def unjudged(suite_of_two: Path) -> Path:
    """The suite with a scenario that is inconclusive with the defect ``UNCLEAR``."""
    (suite_of_two / "judges.yaml").write_text(UNJUDGED)
    return suite_of_two


@on_sources
def test_a_defect_that_makes_scenarios_inconclusive_is_not_noticed_but_named(
    sscard: CommandLine, unjudged: Path
) -> None:
    code, out, _err = sscard("defects", "run", unjudged, "--defect", UNCLEAR, "--defect", ONE, "--defect", MISSED)
    assert code == 1
    assert (
        f"? terminal  {UNCLEAR}: not noticed\n    A wrong proof of PUK is repeated until PUK is blocked.\n"
        "    inconclusive: suite/judges.yaml: a wrong proof of PUK costs a try (v3-sm4)\n" in out
    )
    table = out[out.index("\nnot noticed\n") :]
    assert re.search(rf"^\?\s+terminal\s+{UNCLEAR}", table, re.MULTILINE)
    assert re.search(rf"^✗\s+card\s+{MISSED}", table, re.MULTILINE)
    assert "1 of 3 defects noticed (33 %)" in out
    assert out.endswith("; 1 of the others makes scenarios inconclusive\n")


@on_sources
def test_the_json_names_inconclusive_scenarios(sscard: CommandLine, unjudged: Path) -> None:
    names = ("--defect", UNCLEAR, "--defect", ONE)
    facts = json.loads(sscard("defects", "run", unjudged, *names, "--all", "--json", "-n", "2")[1])
    noticed, unclear = sorted(facts["defects"], key=lambda each: each["name"] == UNCLEAR)
    assert (facts["noticed"], facts["inconclusive"], facts["percent"]) == (1, 1, 50.0)
    assert (noticed["inconclusive"], unclear["noticed_by"]) == ([], [])
    assert [each["file"] for each in unclear["inconclusive"]] == ["suite/judges.yaml"]


@on_sources
def test_the_page_marks_inconclusive_scenarios(sscard: CommandLine, unjudged: Path) -> None:
    names = ("--defect", UNCLEAR, "--defect", ONE)
    sscard("defects", "run", unjudged, *names, "--all", "--html", "page.html")
    page = Path("page.html").read_text("utf-8")
    said = "inconclusive: suite/judges.yaml: a wrong proof of PUK costs a try (v3-sm4)"
    assert page.count(f'<td class="sign unclear">?</td><td class="name">{UNCLEAR}</td>') == 2
    assert f'<div class="soft">{said}</div>' in page
    assert f'<td class="unclear" title="{said}">?</td>' in page
    assert "inconclusive with the defect" in page


@on_sources
def test_a_scenario_that_is_inconclusive_without_a_defect_too_says_nothing_about_it(
    monkeypatch: pytest.MonkeyPatch, scenarios: list[Scenario]
) -> None:
    [scenario] = select(scenarios, "puk-not-repeated and v3-sm4")[:1]

    def dies(*_arguments: object) -> ScenarioResult:
        return crashed(scenario, 1, RuntimeError())

    monkeypatch.setattr("sscard.scenario.defects.measure.run_scenario", dies)
    found = Measure([scenario]).of(DEFECTS[0])
    assert (found.noticed_by, found.inconclusive, found.failing) == ((), (), (0,))


@on_sources
@pytest.mark.slow
@pytest.mark.parametrize("width", [360, 1280])
def test_no_width_makes_the_page_scroll_sideways(sscard: CommandLine, suite_of_two: Path, width: int) -> None:
    sscard("defects", "run", suite_of_two, "--part", "card", "--html", "page.html")
    with browser.chromium() as started:
        page = started.new_page(viewport={"width": width, "height": 800})
        page.goto(Path("page.html").absolute().as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") == width


def test_the_list_finds_words_of_names_and_descriptions(sscard: CommandLine) -> None:
    code, out, _err = sscard("defects", "list", "630x", "--part", "card")
    assert code == 0
    assert ONE in out
    assert "A wrong PIN is answered with 630x" in out
    assert len([line for line in out.splitlines() if not line.startswith(" ")]) == 1


@on_sources
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "--defect", "wrong-pin-answers-63x"], f"did you mean '{ONE}'?"),
        (["run", "--defect", ONE, "--part", "hsm"], "none of these defects is of the part HSM"),
        (["run", "--most", "2", "--all"], "--most and --all exclude each other"),
        (["run", "nowhere"], "nowhere"),
        (["run", "--fail-under", "101"], "101 is out of range"),
        (["run", "--fail-under", "nan"], "nan is out of range"),
        (["run", "--part", "chip"], "no 'chip'"),
        (["list", "no-such-word"], "no defect has one of these words"),
    ],
)
def test_bad_input_is_explained(sscard: CommandLine, arguments: list[str], said: str) -> None:
    code, out, err = sscard("defects", *arguments)
    assert (code, out) == (2, "")
    assert said in err


def test_a_run_does_not_import_the_catalogue(suite_of_two: Path) -> None:
    program = (
        "import sys\nfrom sscard.cli.main import main\n"
        "try:\n    main(['run', 'suite/verifies.yaml'])\n"
        "finally:\n    print([name for name in sys.modules if 'defects' in name])\n"
    )
    assert run("-c", program, program=[sys.executable]).stdout.splitlines()[-1] == "[]"


@on_sources
@pytest.mark.parametrize(
    ("end", "processes"),
    [
        pytest.param(end, processes, marks=() if processes == place + 1 else pytest.mark.nightly)
        for place, end in enumerate(ENDS)
        for processes in (1, 2)
    ],
)
def test_an_interrupted_measurement_reports_what_was_done(end: signal.Signals, processes: int) -> None:
    with running("defects", "run", "-n", processes) as program:
        program.line_with("✓")
        code, rest = program.end(end)
    assert code == 130
    assert "interrupted after" in rest
    assert "noticed (100 %)" in rest
    assert "Traceback" not in rest


@on_sources
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.slow
def test_workers_end_with_a_measurement_that_is_killed() -> None:
    with running("defects", "run", "-n", 2) as program:
        program.line_with("✓")
        started = children(program.process.pid)
        program.end(signal.SIGKILL)
    assert len(started) == 2
    assert until(lambda: all(map(gone, started)))
