"""The form of a laboratory: every item once, verdicts, choices, digests, and runs that have not ended."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kit.browser import chromium
from sscard.errors import InputError
from sscard.i18n.language import CHINESE, ENGLISH, ranges, speaking
from sscard.issuer import KeyHierarchy, builtin_keys, preset
from sscard.issuer.hierarchy import KeyFile, RootKey
from sscard.scenario import ScenarioResult, find_scenarios, run_scenario
from sscard.scenario.coverage.items import ITEMS
from sscard.scenario.reports import form
from sscard.scenario.reports.form_data import read_form
from sscard.scenario.reports.form_items import sheet_of
from sscard.scenario.reports.run import Log, Run, environment_of, sums
from sscard.scenario.reports.tested import tested
from sscard.scenario.runner import crashed
from sscard.scenario.step import Mismatch
from sscard.standard.cipher import DES, SM4

PIN = "739184"
PASSES = f"""\
name: {{en: The right PIN, zh: 正确的密码}}
proves: It is <accepted>.
covers: [LD/T 6001.2 function, LD/T 32.5 6.4, OC-13]
card: {{personality: [v3-sm4, v1-des], pin: {PIN}}}
steps:
  - verify_pin: {PIN}
    state: verified
    tries: max
    note: as at a pharmacy
"""
FAILS = """\
name: A wrong claim
proves: Nothing.
covers: [LD/T 6001.2 function, LD/T 6001.3 6.1, LD/T 32.5 7.3.5]
steps:
  - get_challenge: 8
    state: challenge
  - verify_pin: 000000
  - verify_pin: 111111
"""
KNOWN = """\
name: A known defect
proves: Nothing.
covers: seed 4.3
known_issue: CARD-7
steps:
  - verify_pin: 000000
"""
NEEDS = """\
name: Only on 1.0
proves: p
covers: LD/T 6001.3 11.1
needs: {generation: 1.0}
card: {personality: v1-des}
steps:
  - get_challenge: 8
    state: challenge
"""


def results_of(folder: Path, *texts: str, personality: str = "") -> list[ScenarioResult]:
    for number, text in enumerate(texts):
        (folder / f"{number}.yaml").write_text(text, encoding="utf-8")
    scenarios = find_scenarios([folder], preset(personality) if personality else None)
    return [run_scenario(scenario) for scenario in scenarios]


def run_of(results: Sequence[ScenarioResult], planned: int | None = None) -> Run:
    count = len(results) if planned is None else planned
    begin = datetime(2026, 11, 26, 9, 30, tzinfo=UTC)
    digests = tested([result.scenario for result in results], (1,), environment_of({}), builtin_keys(), None)
    return Run(
        results=results,
        seeds=(1,),
        planned=count,
        started=begin,
        seconds=75.0,
        tested=digests,
    )


def summary(page: str) -> list[list[str]]:
    """The cells of the rows of the summary: item, title, scenarios, runs, verdict, remark."""
    table = page.partition("Summary by item")[2].partition("</table>")[0]
    rows = re.findall(r"<tr><td.*?</tr>", table)
    return [[re.sub("<[^>]*>", "", cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", row)] for row in rows]


def part(page: str, mark: str) -> str:
    """What the form has about an item."""
    begin = re.search(rf"<h3[^>]*>{re.escape(mark)} ", page)
    assert begin is not None
    return page[begin.start() : page.index("</section>", begin.start())]


def test_every_item_of_the_standard_appears_once_in_its_order(tmp_path: Path) -> None:
    page = form.write(run_of(results_of(tmp_path, PASSES)))
    assert [row[0] for row in summary(page)] == [*ITEMS]
    assert [heading.split(" – ")[0] for heading in re.findall(r"<h3[^>]*>(.*?)</h3>", page)] == [
        f"{mark} {item.title.english}" for mark, item in ITEMS.items()
    ]


def test_an_item_has_the_worst_verdict_of_its_scenarios(tmp_path: Path) -> None:
    rows = {row[0]: row[2:] for row in summary(form.write(run_of(results_of(tmp_path, PASSES, FAILS))))}
    assert rows["LD/T 6001.2 function"] == ["2", "3", "failed", ""]
    assert rows["LD/T 6001.3 6.1"] == ["1", "1", "failed", ""]
    assert rows["LD/T 32.5 7.3"] == ["1", "1", "failed", ""]
    assert rows["LD/T 32.5 6.4"] == ["1", "2", "passed", "no card of generation 2.0 was tested"]
    assert rows["LD/T 6001.3 9.1"] == ["0", "0", "not tested", "no scenario of this run covers it"]
    assert rows["LD/T 6001.1"] == ["0", "0", "not tested", "physical properties: not a matter of software"]


def test_an_item_whose_scenarios_are_not_applicable_says_why(tmp_path: Path) -> None:
    page = form.write(run_of(results_of(tmp_path, NEEDS, PASSES, personality="v3-sm4")))
    rows = {row[0]: row[2:] for row in summary(page)}
    assert rows["LD/T 6001.3 11.1"] == ["1", "1", "not applicable", "needs generation: 1.0, this card has 3.0"]


def test_the_steps_of_a_scenario_are_shown_once_with_what_was_expected_and_what_came(tmp_path: Path) -> None:
    page = form.write(run_of(results_of(tmp_path, PASSES, FAILS)))
    item = part(page, "LD/T 6001.2 function")
    assert "Purpose: It is &lt;accepted&gt;." in item
    personalities = "v3-sm4: 1 passed, 0 failed (runs 1) · v1-des: 1 passed, 0 failed (runs 2)"
    assert personalities in re.sub("<[^>]*>", "", item)
    expected, got = "9000 done; tries 6; state verified", "9000 done; tries 6 of 6; state verified"
    assert f"<td>verify_pin (as at a pharmacy)</td><td>{expected}</td><td>{got}</td>" in item
    assert "63C5 verification failed, 5 tries left; tries 5 of 6; state challenge" in item
    assert "line 7: sw: expected 9000 done, got 63C5" in item
    assert "not executed" in item
    assert "&gt; 0020000003 ******  VERIFY" in item
    assert "--only &#39;A wrong claim [v3-sm4]&#39; --seed 1" in item
    assert page.count("Purpose: It is") == 1
    other = part(page, "LD/T 32.5 6.4")
    assert '<a href="#s1">S1</a>' in other


def test_an_insertion_that_failed_is_a_step_of_the_form(tmp_path: Path) -> None:
    (result,) = results_of(tmp_path, FAILS)
    insertion = replace(result.steps[0], mismatches=(Mismatch("sw", "9000", "6A81"),))
    page = form.write(run_of([replace(result, steps=(insertion,))]))
    assert re.search(r'<td class="number">0</td><td>insert</td>.*sw: expected 9000, got 6A81', page)
    assert page.count("<td>not executed</td>") == 3


def test_the_choices_that_answers_relied_on_are_those_of_commands_needs_and_expressions(tmp_path: Path) -> None:
    item = part(form.write(run_of(results_of(tmp_path, PASSES))), "LD/T 6001.2 function")
    assert "pin_tries [OC-1] = 6" in item
    assert "dir_sfi" in item
    assert "failed_verify_clears [OC-13] = yes" in item
    assert "unlock_limit" not in item
    sheet = sheet_of(results_of(tmp_path, NEEDS))
    (found,) = [each for each in sheet.items if each.item.mark == "LD/T 6001.3 11.1"]
    assert ("generation", "", "1.0") in found.choices


def test_scenarios_without_an_item_and_known_issues_have_places_of_their_own(tmp_path: Path) -> None:
    results = results_of(tmp_path, KNOWN, PASSES)
    page = form.write(run_of(results))
    annex = page.partition("Annex A")[2]
    assert "A known defect" in annex
    assert "Purpose: It is" not in annex
    assert re.search(r"CARD-7: <a href=\"#s\d+\">S\d+</a> A known defect", page)
    assert [each.verdict for each in sheet_of(results).annex] == ["known issue"]
    assert '<p class="conclusion"><span class="verdict v-known-issue">' in page


@pytest.mark.parametrize(
    ("texts", "planned", "verdict"),
    [((PASSES,), 2, "passed"), ((PASSES,), 3, "inconclusive"), ((FAILS,), 3, "failed"), ((), 3, "inconclusive")],
)
def test_a_run_that_is_not_complete_has_not_passed(
    tmp_path: Path, texts: tuple[str, ...], planned: int, verdict: str
) -> None:
    results = results_of(tmp_path, *texts) if texts else []
    page = form.write(run_of(results, planned))
    warning = f"INCOMPLETE: the run ended after {len(results)} of {planned} scenarios"
    in_css = '@top-right { content: "INCOMPLETE\\3a \\20 the'
    complete = len(results) == planned
    assert (warning in page, in_css in page) == (not complete, not complete)
    assert f'<p class="conclusion"><span class="verdict v-{verdict}">' in page


def test_a_step_that_could_not_be_judged_has_not_failed(tmp_path: Path) -> None:
    (result,) = results_of(tmp_path, FAILS)
    *before, last = result.steps
    page = form.write(run_of([replace(result, steps=(*before, replace(last, inconclusive=True)))]))
    assert '<span class="verdict v-inconclusive">inconclusive</span></td></tr>' in page
    assert '<span class="verdict v-failed">' not in page


def test_the_command_line_is_quoted_for_a_shell(tmp_path: Path) -> None:
    run = replace(run_of(results_of(tmp_path, PASSES)), command=("sscard", "run", "a b"))
    assert "<code>sscard run &#39;a b&#39;</code>" in form.write(run)


def test_the_laboratory_fills_in_a_file_of_fields(tmp_path: Path) -> None:
    file = tmp_path / "lab.yaml"
    file.write_text("report: JC-1\ndevice: 'HX \"3.0\" </style>'\noperator: 李明\nremarks: |\n  one\n  two\n", "utf-8")
    page = form.write(replace(run_of([]), form=read_form(file)))
    assert '<th scope="row">Device under test</th><td>HX &#34;3.0&#34; &lt;/style&gt;</td>' in page
    assert page.count("</style>") == 1
    assert '@top-left { content: "JC\\2d 1\\20 \\b7 \\20 HX\\20 \\22 3\\2e 0\\22 \\20 \\3c ' in page
    assert re.search(r"Tested by</th><td[^>]*>李明</td>", page)
    assert "Remarks: one\ntwo" in page
    assert re.search(r"<th scope=\"row\">Laboratory</th><td></td>", page)


def test_a_wrong_field_of_the_form_is_named(tmp_path: Path) -> None:
    file = tmp_path / "lab.yaml"
    file.write_text("laboratry: X\n", "utf-8")
    with pytest.raises(InputError, match="laboratry") as wrong:
        read_form(file)
    assert "laboratory" in str(wrong.value)


def test_the_form_is_in_chinese_too_and_needs_no_network(tmp_path: Path) -> None:
    results = results_of(tmp_path, PASSES, FAILS)
    with speaking(CHINESE):
        page = form.write(run_of(results))
    assert '<html lang="zh">' in page
    assert "检测报告" in page
    assert "正确的密码" in page
    assert "LD/T 6001.1 卡片质量物理特性检测" in page
    assert "http" not in page
    assert "url(" not in page


def test_sections_without_entries_say_so_in_both_languages(tmp_path: Path) -> None:
    results = results_of(tmp_path, PASSES)
    for language, said in ((ENGLISH, "no entries"), (CHINESE, "无")):
        with speaking(language):
            page = form.write(run_of(results))
        assert page.count(f"<p>{said}</p>") == 2  # known issues, scenarios that cover no item


def test_a_scenario_that_did_not_begin_has_the_command_that_repeats_it(tmp_path: Path) -> None:
    (result,) = results_of(tmp_path, FAILS)
    page = form.write(run_of([crashed(result.scenario, 7, OSError())]))
    again = f"sscard run {result.scenario.source} --only &#39;A wrong claim [v3-sm4]&#39; --seed 7"
    assert f"Repeat with: <code>{again}</code>" in page


def test_the_end_that_is_cut_off_a_long_value_leaves_no_part_of_a_pin(tmp_path: Path) -> None:
    data = " ".join(["AA"] * 51 + [PIN[place : place + 2] for place in (0, 2, 4)] + ["AA"])
    text = f"name: n\nproves: p\ncard: {{pin: {PIN}}}\nsteps:\n  - apdu: 0084000004\n    data: {data}\n"
    page = form.write(run_of(results_of(tmp_path, text)))
    assert "AA AA" in page
    assert f"{PIN[:2]} {PIN[2:4]}" not in page


def test_logs_are_referred_to_by_name_and_digest(tmp_path: Path) -> None:
    results = results_of(tmp_path, FAILS)
    log = Log("0001-a-wrong-claim-v3-sm4.log", "ab" * 32)
    run = replace(run_of(results), evidence="proofs", logs=[log])
    page = form.write(run)
    assert f"{log.name} sha256 {log.digest}" in page
    assert "1 log in proofs" in page
    assert run.sums_digest in page
    assert sums([log, Log("0002.log", "")]) == f"{log.digest}  {log.name}\n"


# What a run was tested with


def test_the_digests_depend_on_contents_only(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    first, second = (run_of(results_of(folder, PASSES, FAILS)).tested for folder in (here, there))
    assert (first.scenarios, first.testbed) == (second.scenarios, second.testbed)
    assert len({*first.files.values()}) == 2
    (there / "1.yaml").write_text(FAILS + "# more\n", "utf-8")
    changed = run_of([run_scenario(scenario) for scenario in find_scenarios([there])]).tested
    assert changed.scenarios != first.scenarios
    assert changed.testbed == first.testbed


def test_no_pin_can_be_found_by_trying_the_digests(tmp_path: Path) -> None:
    def digests(pin: str, initial: str, tries: int = 4) -> tuple[str, list[str]]:
        (tmp_path / "place.yaml").write_text(f"name: Ours\ninitial_pin: {initial}\npin_tries: {tries}\n", "utf-8")
        scenario = PASSES.replace(PIN, pin).replace("card: {", "card: {place: ./place.yaml, ")
        (tmp_path / "1.yaml").write_text(scenario, "utf-8")
        found = tested(find_scenarios([tmp_path / "1.yaml"]), (1,), {}, builtin_keys(), None)
        return found.scenarios, [*found.files.values()]

    first = digests(PIN, "64019273")
    assert len(first[1]) == 2
    assert digests("806254", "19735082") == first
    assert digests(PIN, "64019273", tries=5) != first


def test_the_digests_depend_on_seeds_personalities_transport_and_keys(tmp_path: Path) -> None:
    scenarios = [result.scenario for result in results_of(tmp_path, PASSES)]
    keys = KeyHierarchy(KeyFile("other", [RootKey("PUK", "authenticate", ["0001"], {"sm4": [bytes(16)]})]))
    base = tested(scenarios, (1,), {"transport": "local"}, builtin_keys(), None)
    assert tested(scenarios, (2,), {"transport": "local"}, builtin_keys(), None).scenarios != base.scenarios
    one = [replace(each, personality=replace(each.personality, pin_tries=3)) for each in scenarios]
    digests = [
        tested(one, (1,), {"transport": "local"}, builtin_keys(), None).testbed,
        tested(scenarios, (1,), {"transport": "pcsc"}, builtin_keys(), None).testbed,
        tested(scenarios, (1,), {"transport": "local"}, keys, None).testbed,
        base.testbed,
    ]
    assert len({*digests}) == 4


def test_included_files_and_tables_count_as_tested(tmp_path: Path) -> None:
    (tmp_path / "common").mkdir()
    (tmp_path / "common" / "g.yaml").write_text("groups:\n  g:\n    steps:\n      - get_challenge: 8\n", "utf-8")
    (tmp_path / "rows.csv").write_text("length\n8\n", "utf-8")
    text = "name: n\nproves: p\ninclude: common/g.yaml\nwith: rows.csv\nsteps:\n  - use: g\n    state: challenge\n"
    text = text.replace("    state: challenge\n", "")
    (tmp_path / "a.yaml").write_text(text + "  - get_challenge: ${length}\n", "utf-8")
    scenarios = find_scenarios([tmp_path / "a.yaml"])
    names = {Path(name).name for name in tested(scenarios, (1,), {}, builtin_keys(), None).files}
    assert {"a.yaml", "g.yaml", "rows.csv"} <= names


def test_key_check_values_are_three_bytes_of_a_block_of_zeros() -> None:
    # Zeros under a zero key: single DES 8CA64DE9…, SM4 9F1F7BFF… (both published test values).
    values = {"des": [bytes(8)], "sm4": [bytes(16)]}
    keys = KeyHierarchy(KeyFile("zeros", [RootKey("PUK", "authenticate", ["0001"], values)]))
    assert keys.check_values(DES) == {"PUK": ["8CA64D"]}
    assert keys.check_values(SM4) == {"PUK": ["9F1F7B"]}


def test_no_form_holds_a_root_key(tmp_path: Path) -> None:
    page = form.write(run_of(results_of(tmp_path, PASSES))).upper()
    file = builtin_keys().file
    values = [value for key in (*file.keys, *file.psam_keys) for values in key.by_suite.values() for value in values]
    assert len(values) > 100
    assert not [value for value in values if value.hex().upper() in page]
    assert "SSCARD TEST KEYS" in page


def test_numbers_of_runs_are_ranges() -> None:
    assert ranges([1, 2, 3, 5, 7, 8]) == "1–3, 5, 7–8"


@pytest.mark.slow
@pytest.mark.parametrize("width", [360, 800])
def test_no_width_makes_the_form_scroll_sideways(tmp_path: Path, width: int) -> None:
    file = tmp_path / "form.html"
    file.write_text(form.write(run_of(results_of(tmp_path, PASSES))), encoding="utf-8")
    with chromium() as browser:
        page = browser.new_page(viewport={"width": width, "height": 800})
        page.goto(f"file://{file}")
        assert page.evaluate("document.documentElement.scrollWidth") == width
