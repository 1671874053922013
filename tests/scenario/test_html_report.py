"""The HTML report: what it states, how failures are shown, and that it holds no secret and no script of others."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from html import unescape
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import pytest

from kit import browser
from kit.report_page import unpacked, whole
from sscard.i18n.language import CHINESE, choose_language, say, speaking
from sscard.i18n.phrase import Phrase
from sscard.issuer import preset
from sscard.scenario import Scenario, ScenarioResult, find_scenarios, run_scenario
from sscard.scenario.cards import INTERFACES, CardData
from sscard.scenario.comparison import Earlier
from sscard.scenario.reader import Severity
from sscard.scenario.reports import form, html, json
from sscard.scenario.reports.run import SEVERITIES, Run, this_machine
from sscard.scenario.state_words import READY, state_name
from sscard.scenario.step import Mismatch, all_words, authenticated_keys, show_sw

SEED = 7
COUNTER = """\
name: {en: The counter of <the> PIN, zh: 密码计数}
proves: {en: A wrong PIN takes a try., zh: 错误密码扣减一次。}
tags: verify counter
needs: {pin_tries: 6}
steps:
  - verify_pin: 975310
    sw: 63C5
    tries: 5
  - verify_pin: 123456
    tries: max
    state: verified
"""
WRONG = """\
name: A wrong status word
proves: The status word differs in its second byte.
steps:
  - verify_pin: 975310
    sw: 63C4
    tries: 5
"""
SERVICE = """\
name: At the window
proves: A forgotten PIN is reset.
steps:
  - apply: {reason: forgotten}
  - operate: {new: 864209}
    stage: operated
    state: PUK
"""
ISSUE = """\
name: Known
proves: p
known_issue: SSC-17
steps:
  - verify_pin: 975310
"""
MISFIT = """\
name: Only with certificates
proves: p
needs: {generation: 3.0}
steps:
  - verify_pin: 123456
    state: verified
"""

WORDED = {
    "blocker": "card: {card_blocked: true}\nsteps:\n  - power_on:\n  - power_off:\n    state: [off, card-blocked]",
    "critical": (
        "card: {interface: contactless, locked: [DF03], pin: ''}\nsteps:\n"
        "  - get_challenge: 8\n    state: [no-pin, DF03-blocked, challenge]"
    ),
    "normal": "card: {tries_left: 0}\nsteps:\n  - authenticate: {key: PUK}\n    state: [blocked, PUK]",
    "minor": "steps:\n  - verify_pin: 123456\n    state: verified\n  - insert:\n    state: ready",
}
"""Scenarios by severity that together have the words of a state."""
VOCABULARY = (
    *WORDED,
    *("ready", "off", "no-pin", "blocked", "card-blocked", "DF03-blocked", "verified", "challenge"),
    *("passed", "failed", "inconclusive", "known issue", "not applicable"),
    *("local", "contact", "contactless", "group", "personality", "transport", "severity", "verdict"),
)
"""Words of severities, states, verdicts and filters."""
HIDDEN = re.compile(r"(?s)<(style|script)\b.*?</\1>")
QUOTED = re.compile(r'(?s)<(pre|code)>.*?</\1>|<(span|p) class="(?:soft )?mono">.*?</\2>')
"""What a report repeats as it was written: steps, commands, choices, names of files."""

CONTRASTS = """() => {
  const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => parts(colour).slice(0, 3).map((each) => each / 255)
    .map((each) => (each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4))
    .reduce((sum, each, at) => sum + each * [0.2126, 0.7152, 0.0722][at], 0);
  const below = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const colour = getComputedStyle(each).backgroundColor;
      if (parts(colour)[3] !== 0) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const found = new Set();
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !element.getClientRects().length) continue;
    const style = getComputedStyle(element);
    const colours = [element.closest("svg") ? style.fill : style.color, below(element)];
    const [low, high] = colours.map(light).sort((a, b) => a - b);
    const ratio = (high + 0.05) / (low + 0.05);
    if (ratio < 4.5) found.add(`${ratio.toFixed(2)} ${element.className} ${texts.currentNode.data.trim()}`);
  }
  return [...found];
}"""
"""The texts of a page whose colour is too near to that of their background."""

Made = Callable[..., list[ScenarioResult]]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """Results of scenarios from their texts."""

    def run(*texts: str, seed: int = SEED, personality: str = "") -> list[ScenarioResult]:
        files = [tmp_path / f"{number}.yaml" for number in range(len(texts))]
        for file, text in zip(files, texts, strict=True):
            file.write_text(text, encoding="utf-8")
        found: list[Scenario] = find_scenarios(files, preset(personality) if personality else None)
        return [run_scenario(scenario, seed) for scenario in found]

    return run


def run_of(results: list[ScenarioResult], **others: Any) -> Run:
    """A complete run of these results, unless ``others`` says otherwise."""
    facts: dict[str, Any] = {
        "results": results,
        "seeds": tuple(dict.fromkeys(result.seed for result in results)) or (SEED,),
        "planned": len(results),
        "started": datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC),
        "seconds": 65.2,
        "command": ("sscard", "run", "a b", "--html", "r.html"),
    }
    return Run(**facts | others)


def text_of(page: str) -> str:
    """All text that a reader of the page can see, on one line."""
    return " ".join(unescape(re.sub("<[^>]*>", " ", HIDDEN.sub(" ", whole(page)))).split())


def test_the_page_states_the_run(made: Made) -> None:
    text = text_of(html.write(run_of(made(COUNTER))))
    for said in (
        "1 passed",
        "started 2026-03-04 05:06:07 UTC",
        "duration 1 min 5 s",
        f"seeds {SEED}",
        "transport local",
        "sscard run 'a b' --html r.html",
        f"Python {this_machine()['python']}",
        "local, contact",
    ):
        assert said in text


def test_failures_stand_first_and_need_no_script(made: Made) -> None:
    page = html.write(run_of(made(COUNTER, WRONG)))
    assert page.index("A wrong status word") < page.index("Summary") < page.index("The counter of")
    assert 'class="row failed" id="a-wrong-status-word-v3-sm4-seed-7" open' in page
    assert "VERIFY (PIN of 3 bytes)" in page  # the wire of the failure; that of the other scenario is compressed
    assert len(unpacked(page)["chunks"]) == 1


def test_expected_and_actual_stand_beside_each_other_with_the_first_differing_byte_marked(made: Made) -> None:
    page = html.write(run_of(made(WRONG)))
    assert re.search(r"63<mark>C4</mark> verification failed, 4 tries left\s*<td>63<mark>C5</mark>", page)
    assert "line 5 · first difference: byte 2" in text_of(page)
    assert "if this is right, write sw: 63C5" in text_of(page)


@pytest.mark.parametrize(
    ("expected", "marked", "byte"),
    [
        ("00 00 ...", ("<mark>00</mark> 00 ...", "<mark>01</mark> 10"), 1),
        ("01 10 FF ...", ("01 10 <mark>FF</mark> ...", "01 10 <mark>"), 3),
        ("01 ?? FF ...", ("01 ?? <mark>FF</mark> ...", "01 10 <mark>"), 3),
        ("01 10", ("01 10 <mark>∅</mark>", "01 10 <mark>"), 3),
    ],
)
def test_the_first_byte_that_differs_from_a_pattern_is_marked(
    made: Made, expected: str, marked: tuple[str, str], byte: int
) -> None:
    step = f"  - select: SSSE\n  - read_record: {{file: EF05, tag: 01}}\n    data: {expected}\n"
    page = html.write(run_of(made(f"name: n\nproves: p\nsteps:\n{step}")))
    assert all(each in page for each in marked)
    assert f"first difference: byte {byte}" in text_of(page)


def test_each_step_has_its_line_and_its_yaml_without_the_pin(made: Made) -> None:
    results = made(COUNTER, SERVICE)
    details = unescape("".join(unpacked(html.write(run_of(results)))["chunks"]))
    assert f"{results[0].scenario.source}:6</span><pre>- verify_pin: ••••\n  sw: 63C5\n  tries: 5</pre>" in details
    assert "- operate: {new: ••••}\n  stage: operated\n  state: PUK" in details
    assert "tries<td>5<td>5/6" in details


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("apdu: 0020000003975310", "apdu: 0020000003 ******"),
        ("change: 12 34 56 FF 97 53 10", "change: ••••"),
        ("driver: {call: iVerifyPIN, parameters: {pin: 975310}}", "driver: {call: iVerifyPIN, parameters: ••••}"),
        ("operate: {new: 975310, old: 123456}", "operate: {new: ••••, old: ••••}"),
        ("verify_pin: 975310\n    note: 975310 is wrong", "note: •••• is wrong"),
        (
            "cut_power: {point: every, steps: [verify_pin: 975310], after: {a: [verify_pin: 975310]}}",
            "verify_pin: ••••",
        ),
    ],
)
def test_secret_values_of_a_step_are_masked(made: Made, written: str, shown: str) -> None:
    page = whole(html.write(run_of(made(f"name: n\nproves: p\nsteps:\n  - {written}\n"))))
    assert shown in unescape(page)
    assert not re.search("97 ?53 ?10", page)


def test_the_card_over_time_is_a_chart_with_words(made: Made) -> None:
    page = html.write(run_of(made(COUNTER)))
    (details,) = unpacked(page)["chunks"]
    assert "M41.0 0.0H71.0V10.7H101.0V0.0" in details  # 6, 5 and 6 of 6 tries
    assert "<title>1: 5/6 ready</title>" in details
    assert "0–1: ready" in text_of(page)
    assert "2: verified" in text_of(page)


def test_a_case_is_a_sequence_of_citizen_window_hsm_and_card(made: Made) -> None:
    (details,) = unpacked(html.write(run_of(made(SERVICE))))["chunks"]
    sequence = details[details.index('class="sequence"') :]
    lanes = re.findall("<span>([^<]*)</span>", sequence[: sequence.index("</div>")])
    assert lanes == ["citizen", "window", "holder base", "journal", "HSM", "card"]
    assert re.search(r'class="arrow call" style="--f:0;--w:1"><span>apply', sequence)  # from the citizen
    assert 'class="arrow call" style="--f:1;--w:4"><span>PIN CHANGE/UNBLOCK' in sequence  # to the card
    assert 'class="arrow answer left"' in sequence


def test_the_arrows_of_a_step_are_one_link(made: Made) -> None:
    (result,) = made(SERVICE)
    (details,) = unpacked(html.write(run_of([result])))["chunks"]
    sequence = details[details.index('class="sequence"') :]
    links = re.findall("(?s)<a>(.*?)</a>", sequence)
    assert len(links) == len(result.steps) == details.count('class="step"')
    assert ["apply" in links[0], "PIN CHANGE/UNBLOCK" in links[1]] == [True, True]
    assert sum(each.count('class="arrow ') for each in links) == sequence.count('class="arrow ')


def test_each_step_is_a_bar_on_the_time_axis_of_its_scenario(made: Made) -> None:
    (result,) = made(COUNTER)
    times = [(10.0, 2.0), (13.0, 1.0), (14.0, 6.0)]
    steps = [replace(step, at=at, seconds=took) for step, (at, took) in zip(result.steps, times, strict=True)]
    (details,) = unpacked(html.write(run_of([replace(result, steps=tuple(steps))])))["chunks"]
    bars = re.findall('<i style="--a:([^;]*);--w:([^"]*)"', details)
    assert bars == [("0", "20"), ("30", "10"), ("40", "60")]
    assert "time axis: 10.0 s" in details


def test_a_step_without_a_measured_time_has_a_bar_too(made: Made) -> None:
    (result,) = made(COUNTER)
    steps = tuple(replace(step, at=0.0, seconds=0.0) for step in result.steps)
    (details,) = unpacked(html.write(run_of([replace(result, steps=steps)])))["chunks"]
    assert details.count('style="--a:0;--w:0"') == len(steps)


def test_equal_failures_are_listed_together_the_most_frequent_first(made: Made) -> None:
    other = WRONG.replace("63C4", "9000").replace("A wrong", "Another")
    page = html.write(run_of([*made(other), *made(WRONG), *made(WRONG, seed=8)]))
    index = page[page.index('class="index"') : page.index("<details")]
    assert re.findall('href="#([^"]*)"', index) == [
        "a-wrong-status-word-v3-sm4-seed-7",
        "a-wrong-status-word-v3-sm4-seed-8",
        "another-status-word-v3-sm4-seed-7",
    ]
    assert "<b>2 ×</b> verify_pin" in index
    assert index.count("sw: expected 63C4") == 1
    assert "line 5: sw: expected 9000" in index


def test_of_many_equal_failures_the_first_are_shown_and_the_others_folded(made: Made) -> None:
    (result,) = made(WRONG)
    page = html.write(run_of([replace(result, seed=seed) for seed in range(1, 14)]))
    index = page[page.index('class="index"') : page.index('<details class="row')]
    shown, folded = index.split("<details><summary>and 3 more</summary>")
    assert (shown.count("<a "), folded.count("<a ")) == (10, 3)


def test_the_summary_counts_the_scenarios_by_duration(made: Made) -> None:
    (result,) = made(COUNTER)
    (misfit,) = made(MISFIT, personality="v1-des")
    times = (0.0005, 0.002, 0.003, 0.05, 42)
    page = html.write(run_of([*(replace(result, seconds=seconds) for seconds in times), misfit]))
    table = page[page.index("tally durations") :]
    rows = re.findall(r'row">([^<]*)</th><td><i style="width:([^%]*)%"></i></td><td class="n">(\d*)', table)
    assert rows[:5] == [
        ("≤ 1.00 ms", "50.0", "1"),
        ("≤ 3.00 ms", "100.0", "2"),
        ("≤ 10.0 ms", "0.0", "0"),
        ("≤ 30.0 ms", "0.0", "0"),
        ("≤ 100 ms", "50.0", "1"),
    ]
    assert rows[-1] == ("&gt; 30.0 s", "50.0", "1")


def test_a_step_lists_requests_and_commands_in_the_order_of_time(made: Made) -> None:
    (details,) = unpacked(html.write(run_of(made(SERVICE))))["chunks"]
    operate = details[details.index("line 5: operate") :]
    places = [operate.index(said) for said in ("→ HSM <i>secured command", "PIN CHANGE/UNBLOCK", "The PIN was reset")]
    assert places == sorted(places)


def test_each_scenario_has_a_permalink_and_the_command_that_repeats_it(made: Made) -> None:
    text = COUNTER.replace("needs:", "card: {personality: [v3-sm4, v2-3des]}\nneeds:")
    results = [*made(text), *made(text, seed=8)]
    page = html.write(run_of(results))
    names = re.findall('<details class="row passed" id="([^"]*)"', page)
    assert names == [
        f"the-counter-of-the-pin-{personality}-seed-{seed}" for seed in (7, 8) for personality in ("v3-sm4", "v2-3des")
    ]
    details = unescape(unpacked(page)["chunks"][3])
    file = results[0].scenario.source
    assert f"<code>sscard run {file} --only 'The counter of <the> PIN [v2-3des]' --seed 8</code>" in details
    assert f'href="#{names[3]}"' in details


def test_equal_titles_have_different_permalinks(made: Made) -> None:
    page = html.write(run_of(made(COUNTER, COUNTER)))
    names = re.findall('<details class="row passed" id="([^"]*)"', page)
    assert names == ["the-counter-of-the-pin-v3-sm4-seed-7", "the-counter-of-the-pin-v3-sm4-seed-7-2"]


def test_an_interrupted_run_says_so(made: Made) -> None:
    page = html.write(run_of(made(COUNTER), planned=40))
    assert "The run is incomplete: 1 of 40 scenarios were run." in text_of(page)
    assert '<div class="share"><i class="b-passed" style="flex:1"></i><i style="flex:39"></i></div>' in page
    complete = html.write(run_of(made(COUNTER)))
    assert "incomplete" not in text_of(complete)
    assert '<div class="share"><i class="b-passed" style="flex:1"></i></div>' in complete


def test_an_empty_run_says_so() -> None:
    page = html.write(run_of([], planned=3))
    assert "No scenario was run." in text_of(page)
    assert "The run is incomplete: 0 of 3 scenarios were run." in text_of(page)
    assert unpacked(page) == {"facts": [], "maps": [], "chunks": []}


def test_other_verdicts_have_their_reason_in_the_list(made: Made) -> None:
    known = made(ISSUE)
    misfit = made(MISFIT, personality="v1-des")
    crash = [replace(result, crash="it died") for result in made(COUNTER)]
    page = html.write(run_of([*known, *misfit, *crash]))
    assert "<p>known issue SSC-17</p>" in page
    assert re.search("<p>not applicable: [^<]*needs generation: 3.0", page)
    assert 'class="row inconclusive"' in page
    assert "it died" in page
    assert "0 passed 0 failed ? 1 inconclusive ! 1 known issue – 1 not applicable" in text_of(page).replace(
        "✓ ", ""
    ).replace("✗ ", "")


def test_the_list_of_failures_has_verdict_and_reason_of_each(made: Made) -> None:
    passes = ISSUE.replace("steps:\n  - verify_pin: 975310", "steps:\n  - verify_pin: 123456\n    state: verified")
    crash = [replace(result, crash="it died", steps=()) for result in made(COUNTER)]
    page = html.write(run_of([*made(WRONG), *made(passes), *crash]))
    index = text_of(page[page.index('class="index"') : page.index('<details class="row')])
    assert "Failed and inconclusive scenarios" in page
    assert re.search("✗ A wrong status word v3-sm4 line 5: sw: expected 63C4", index)
    assert "✗ Known v3-sm4 known issue SSC-17: the scenario passes, remove known_issue:" in index
    assert "? The counter of <the> PIN v3-sm4 it died" in index


def test_scenarios_that_were_not_run_are_not_among_the_longest(made: Made) -> None:
    page = html.write(run_of([*made(MISFIT, personality="v1-des"), *made(COUNTER)]))
    longest = page[page.index("longest scenarios") :]
    assert re.findall('href="#([^"]*)"', longest[: longest.index("</table>")]) == [
        "the-counter-of-the-pin-v3-sm4-seed-7"
    ]


def test_a_status_word_that_did_not_come_has_no_first_differing_byte(made: Made) -> None:
    (result,) = made(COUNTER)
    *before, last = result.steps
    unmet = replace(last, sw=None, mismatches=(Mismatch("sw", show_sw(0x9000), show_sw(None)),))
    text = text_of(html.write(run_of([replace(result, steps=(*before, unmet))])))
    assert "line 9" in text
    assert "first difference" not in text


def test_a_step_that_could_not_be_judged_has_its_own_mark(made: Made) -> None:
    (result,) = made(COUNTER)
    *before, last = result.steps
    unmet = replace(last, inconclusive=True, mismatches=(Mismatch("sw", "9000", "no answer"),))
    page = whole(html.write(run_of([replace(result, steps=(*before, unmet))])))
    assert '<summary class="inconclusive"><span class="mark">?</span>' in page


def test_the_summary_counts_by_group_personality_and_transport(made: Made, tmp_path: Path) -> None:
    results = made(COUNTER.replace("needs:", "card: {personality: [v3-sm4, v2-3des]}\nneeds:"), WRONG)
    page = html.write(run_of(results))
    rows = re.findall(r'data-filter="([^"]*)" value="([^"]*)"', page[page.index("Summary") :])
    group = results[0].scenario.group
    assert rows == [
        ("group", group),
        ("personality", "v3-sm4"),
        ("personality", "v2-3des"),
        ("transport", "local, contact"),
    ]
    assert unpacked(page)["facts"][0][:4] == [group, "v3-sm4", "local, contact", str(SEED)]
    assert "counter" in unpacked(page)["facts"][1][4]


def test_the_comparison_links_to_the_scenarios(made: Made, tmp_path: Path) -> None:
    before, now = made(COUNTER), made(COUNTER, WRONG)
    earlier = tmp_path / "before.json"
    earlier.write_text(json.write(run_of(before)), encoding="utf-8")
    compared = Earlier(earlier).compared(now, [])
    page = html.write(run_of(now, comparison=compared, earlier="before.json"))
    assert "compared with before.json" in text_of(page)
    assert "newly failing: 1" in text_of(page)
    assert '<a href="#a-wrong-status-word-v3-sm4-seed-7">A wrong status word [v3-sm4]</a>' in page


def test_coverage_is_a_part_of_the_page(made: Made) -> None:
    page = html.write(run_of(made(COUNTER)))
    (maps,) = unpacked(page)["maps"]
    assert "command × status word" in maps
    assert 'id="coverage"' in page
    assert unpacked(html.write(run_of(made(WRONG))))["maps"] == []


def test_the_page_runs_its_own_script_alone_and_loads_nothing(made: Made) -> None:
    page = html.write(run_of(made(COUNTER.replace("tags: verify", "tags: </script><b>"), WRONG)))
    assert not re.search(r"https?:|//[a-z]|src=|url\(|@import|\bon\w+=", whole(page).replace("</script>", ""))
    policy = unescape(re.findall('Content-Security-Policy" content="([^"]*)"', page)[0])
    (script,) = re.findall("(?s)<script>(.*?)</script>", page)
    assert f"script-src 'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" in policy
    assert policy.startswith("default-src 'none'")
    (details,) = unpacked(page)["chunks"]
    assert not re.search("<the>|</script><b>", page + details)
    assert "&lt;/script&gt;&lt;b&gt;" in details


def test_the_page_is_in_chinese(made: Made) -> None:
    choose_language("zh")
    page = html.write(run_of(made(COUNTER, WRONG), planned=5))
    assert '<html lang="zh">' in page
    text = text_of(page)
    for said in ("密码计数", "运行不完整：共5个用例，已运行2个。", "失败用例", "应为", "实际", "首个不同：第2字节"):
        assert said in text


@pytest.mark.parametrize("report", [html, form])
def test_severities_states_verdicts_and_filters_are_translated(made: Made, report: ModuleType) -> None:
    texts = [
        f"name: {{en: Words {number}, zh: 用词{number}}}\nproves: {{en: It., zh: 用词。}}\nseverity: {severity}\n{rest}"
        for number, (severity, rest) in enumerate(WORDED.items())
    ]
    (unlucky,) = made(COUNTER)
    misfit, known = made(MISFIT, personality="v1-des"), made(ISSUE)
    results = [*made(*texts), replace(unlucky, crash=Phrase("it died")), *misfit, *known]
    run = run_of(results)

    def words() -> set[str]:
        page = report.write(run)
        text = text_of(QUOTED.sub("", "".join((HIDDEN.sub("", page), *unpacked(page)["chunks"]))))
        return {word for word in VOCABULARY if re.search(rf"(?<![-\w]){word}(?![-\w])", text)}

    of_form = {*WORDED, "contact", "contactless", "group", "transport", "severity"}
    assert {*VOCABULARY} - words() <= (of_form if report is form else set())
    choose_language("zh")
    assert words() == set()


def test_every_word_of_a_state_is_translated() -> None:
    """A state has words of the scenario language, names of keys, and ``ready``."""
    names = {*authenticated_keys()}
    for word in (READY, *all_words()):
        assert say(state_name(word)) == word
        with speaking(CHINESE):
            said = say(state_name(word))
        assert (said == word) is (word in names)
        assert not re.search("[a-z]{2}", said) or word in names


def test_every_severity_and_interface_has_its_words() -> None:
    assert [*SEVERITIES] == [*get_args(Severity)]
    assert [*INTERFACES] == [*get_args(CardData.model_fields["interface"].annotation)]


def test_more_failures_than_a_reader_can_use_are_compressed(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(html, "MOST_FAILURES", 1)
    page = html.write(run_of([*made(WRONG), *made(WRONG, seed=8), *made(COUNTER)]))
    assert page.count('class="row failed"') == 2
    assert page.count('<div class="body">') == 1
    assert [name[3] for name in unpacked(page)["facts"]] == ["7", "8", "7"]
    assert "A wrong status word" in unpacked(page)["chunks"][0]


# Size


def test_a_page_of_3000_results_is_under_5_mb(scenarios: list[Scenario]) -> None:
    """From a sample of the suite; what each result adds. ``bench/bench_report.py`` measures the whole page."""
    results = [run_scenario(scenario, SEED) for scenario in scenarios[::10]]
    few = results[:5]
    each = (len(html.write(run_of(results)).encode()) - len(html.write(run_of(few)).encode())) / (
        len(results) - len(few)
    )
    assert len(html.write(run_of(few)).encode()) + 3000 * each < 5_000_000


# In a browser


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser.chromium() as started:
        yield started


@pytest.fixture
def page(chromium: Any, made: Made, tmp_path: Path) -> Iterator[Any]:
    """The page of two passed scenarios and a failed one; a message on its console fails the test."""
    file = tmp_path / "report.html"
    file.write_text(html.write(run_of(made(COUNTER, SERVICE, WRONG))), encoding="utf-8")
    opened = chromium.new_page(viewport={"width": 360, "height": 800})
    said: list[str] = []
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.on("console", lambda message: said.append(message.text))
    opened.goto(f"file://{file}")
    yield opened
    opened.close()
    assert said == []


@pytest.mark.slow
def test_a_scenario_is_decompressed_when_it_is_opened(page: Any) -> None:
    row = page.locator("#at-the-window-v3-sm4-seed-7")
    assert row.locator(".body").count() == 0
    row.locator("> summary").click()
    row.locator(".sequence").wait_for()
    assert "PIN CHANGE/UNBLOCK" in row.locator(".sequence").text_content()
    row.locator(".unfold").click()
    assert row.locator(".step[open]").count() == row.locator(".step").count() == 2
    page.locator("#coverage > summary").click()
    page.locator("#coverage .maps").wait_for()


@pytest.mark.slow
def test_a_permalink_opens_its_scenario(page: Any) -> None:
    page.goto(f"{page.url}#the-counter-of-the-pin-v3-sm4-seed-7")
    page.reload()
    page.locator("#the-counter-of-the-pin-v3-sm4-seed-7[open] .chart").wait_for()


@pytest.mark.slow
def test_search_and_filters_narrow_the_list(page: Any) -> None:
    shown = "details.row:not(#coverage):visible"
    page.locator(".count").get_by_text("3 of 3 shown").wait_for()
    page.fill("[type=search]", "counter verify")
    page.locator(".count").get_by_text("1 of 3 shown").wait_for()
    assert page.locator(shown).get_attribute("id") == "the-counter-of-the-pin-v3-sm4-seed-7"
    page.click("[type=reset]")
    page.locator(".count").get_by_text("3 of 3 shown").wait_for()
    page.click(".chips .passed")
    page.locator(".count").get_by_text("2 of 3 shown").wait_for()
    page.select_option("[name=verdict]", "failed")
    page.locator(".count").get_by_text("1 of 3 shown").wait_for()
    assert page.locator(shown).get_attribute("id") == "a-wrong-status-word-v3-sm4-seed-7"


@pytest.mark.slow
def test_an_arrow_of_the_sequence_opens_its_step(page: Any) -> None:
    row = page.locator("#at-the-window-v3-sm4-seed-7")
    row.locator("> summary").click()
    assert row.locator(".step[open]").count() == 0
    row.locator(".arrow", has_text="PIN CHANGE/UNBLOCK").click()
    row.locator(".step[open]", has_text="operate").wait_for()
    assert row.locator(".step[open]").count() == 1
    page.reload()  # the same link in a new page, whose details are still compressed
    row.locator(".step[open]", has_text="operate").wait_for()


@pytest.mark.slow
def test_the_address_has_the_filters(page: Any) -> None:
    page.select_option("[name=verdict]", "passed")
    page.fill("[type=search]", "PIN & max=+é")
    assert page.evaluate("location.hash") == "#?text=PIN+%26+max%3D%2B%C3%A9&verdict=passed"
    page.fill("[type=search]", "window")
    page.locator(".count").get_by_text("1 of 3 shown").wait_for()
    assert page.locator(".view").get_attribute("href") == "#?text=window&verdict=passed"
    page.reload()
    page.locator(".count").get_by_text("1 of 3 shown").wait_for()
    assert page.locator("[type=search]").input_value() == "window"
    page.evaluate("location.hash = '#?verdict=failed&no=such&group=none'")
    page.locator("#a-wrong-status-word-v3-sm4-seed-7:visible").wait_for()
    assert page.locator("[type=search]").input_value() == ""
    page.click("[type=reset]")
    page.locator(".count").get_by_text("3 of 3 shown").wait_for()
    assert not page.locator(".view").is_visible()
    assert page.evaluate("location.hash") == ""


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_has_enough_contrast(page: Any, theme: str) -> None:
    """WCAG 2.2, 1.4.3: 4.5 to 1, with every part unfolded."""
    page.emulate_media(color_scheme=theme)
    page.evaluate("document.querySelectorAll('details').forEach((each) => (each.open = true))")
    page.locator("#at-the-window-v3-sm4-seed-7 .sequence").wait_for()
    page.locator("#coverage .maps").wait_for()
    page.evaluate("document.querySelectorAll('details').forEach((each) => (each.open = true))")
    assert page.evaluate(CONTRASTS) == []


@pytest.mark.slow
def test_paper_is_white_also_in_the_dark_theme(page: Any) -> None:
    page.emulate_media(color_scheme="dark", media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


@pytest.mark.slow
@pytest.mark.parametrize("width", [360, pytest.param(800, marks=pytest.mark.nightly), 1280])
def test_no_width_makes_the_page_scroll_sideways(page: Any, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.evaluate("document.querySelectorAll('details').forEach((each) => (each.open = true))")
    page.locator("#at-the-window-v3-sm4-seed-7 .sequence").wait_for()
    page.evaluate("document.querySelectorAll('details').forEach((each) => (each.open = true))")
    assert page.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.slow
def test_without_javascript_the_page_shows_list_and_failures(chromium: Any, made: Made, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text(html.write(run_of(made(COUNTER, WRONG))), encoding="utf-8")
    context = chromium.new_context(java_script_enabled=False)
    opened = context.new_page()
    opened.goto(f"file://{file}")
    text = opened.locator("body").inner_text()
    context.close()
    assert "Without JavaScript this page shows" in text
    assert "The counter of <the> PIN" in text
    assert "first difference: byte 2" in text
