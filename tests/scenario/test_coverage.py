"""What a run covers: exact attribution, the figures of the built-in suite, thresholds, text, JSON and heat map."""

from __future__ import annotations

import json
import pickle
import re
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from card import test_pin_commands, test_status_words
from kit.programs import CommandLine
from sscard.cli.coverage import report_thresholds
from sscard.errors import InvalidValue
from sscard.i18n.language import speaking
from sscard.scenario import Scenario, ScenarioResult, run_scenario, run_scenarios
from sscard.scenario.coverage.dimensions import dimensions
from sscard.scenario.coverage.facts import Fact, addressed, command_name
from sscard.scenario.coverage.items import ITEMS
from sscard.scenario.coverage.measure import Coverage, Entry, Measured, coverage_of, read_threshold
from sscard.scenario.coverage.unreachable import PARTLY, UNREACHABLE
from sscard.scenario.library import FOLDER, builtin_folder
from sscard.scenario.reports.coverage import html_page, summary_lines, text_lines

Read = Callable[[str], list[Scenario]]
NAMES = tuple(dimension.name for dimension in dimensions())

FIGURES = {
    "command_status": 270,
    "key_versions": 173,
    "file_rights": 390,
    "choice_values": 120,
    "transports": 6,
    "applicants": 36,
    "faults": 17,
    "grounds": 11,
    "hand_overs": 3,
    "situations": 19,
    "driver_functions": 30,
    "seed_clauses": 73,
    "standard_items": 52,
}
"""What the built-in suite covers, in this process."""
HEAD = "name: a\nproves: b\n"


@pytest.fixture(scope="module")
def some() -> list[ScenarioResult]:
    """The results of one group of the suite."""
    return run_scenarios(builtin_folder() / "10-certificate")


def part(coverage: Coverage, name: str) -> Measured:
    return next(measured for measured in coverage.measured() if measured.dimension.name == name)


def covered(coverage: Coverage, name: str) -> set[tuple[str, ...]]:
    return {entry.key for entry in part(coverage, name).having("covered")}


@pytest.fixture
def of(read: Read) -> Callable[..., Coverage]:
    """The coverage of steps; ``head`` are further lines of the scenario."""

    def of(steps: str, head: str = "", transport: str = "local") -> Coverage:
        return coverage_of(map(run_scenario, read(f"{HEAD}{head}\nsteps:\n{steps}\n")), transport)

    return of


# Attribution


@pytest.mark.parametrize(
    ("header", "certificates", "commands", "only"),
    [
        ("00200000", False, ["VERIFY (00 20)"], 0),
        ("00200001", False, ["VERIFY (00 20)"], 0x6A86),
        ("80200000", False, ["VERIFY (00 20)"], 0x6E00),
        ("00200181", True, ["VERIFY CERTIFICATE PIN (00 20)"], 0),
        ("00200000", True, ["VERIFY CERTIFICATE PIN (00 20)"], 0x6A86),
        ("00D68500", False, ["UPDATE BINARY (00 D6)"], 0),
        ("04D68500", False, ["UPDATE BINARY (04 D6)"], 0),
        ("80D68500", False, ["UPDATE BINARY (00 D6)", "UPDATE BINARY (04 D6)"], 0x6E00),
        ("B0280001", False, ["INITIALIZE FOR LOAD (B0 28)"], 0),
        ("B0280101", False, ["INITIALIZE FOR PURCHASE (B0 28)"], 0),
        ("B0280909", False, ["INITIALIZE FOR LOAD (B0 28)", "INITIALIZE FOR PURCHASE (B0 28)"], 0x6A86),
        ("B0280000", True, [], 0x6E00),
        ("00FE0000", False, [], 0x6E00),
    ],
)
def test_a_header_belongs_to_the_command_that_it_addresses(
    header: str, certificates: bool, commands: list[str], only: int
) -> None:
    found = addressed(bytes.fromhex(header), certificates)
    assert sorted(map(command_name, found.commands)) == commands
    assert found.only == only


def test_a_pair_is_covered_by_the_answer_of_the_card(of: Callable[..., Coverage]) -> None:
    pairs = covered(of("  - verify_pin: 654321\n    sw: 63C5\n    tries: 5"), "command_status")
    assert ("VERIFY (00 20)", "63Cx") in pairs
    assert ("VERIFY (00 20)", "9000") not in pairs


def test_an_answer_that_the_reader_corrupts_is_the_one_of_the_card(of: Callable[..., Coverage]) -> None:
    fault = "  - insert:\n  - fault: {corrupted: -2, ins: '84'}\n"
    steps = f"{fault}  - apdu: 00 84 00 00 08\n    sw: 6F00\n    state: challenge"
    found = of(steps)
    assert ("GET CHALLENGE (00 84)", "9000") in covered(found, "command_status")
    assert ("corrupted",) in covered(found, "faults")


def test_another_card_covers_nothing(of: Callable[..., Coverage]) -> None:
    steps = """  - insert:
  - fault: {swapped: v1-des}
  - apdu: 00 84 00 00 08
    sw: none
  - power_on:
  - apdu: 00 B2 01 2C 12
    data: ...
"""
    assert not {key for key in covered(of(steps), "file_rights") if key[0] == "1.0"}


def test_a_scenario_that_fails_covers_nothing(of: Callable[..., Coverage]) -> None:
    found = of("  - verify_pin: 654321")
    assert found.scenarios == 0
    assert sum(measured.covered for measured in found.measured()) == 0


def test_a_known_issue_covers_nothing(of: Callable[..., Coverage]) -> None:
    assert of("  - verify_pin: 654321", "known_issue: ABC-1").scenarios == 0


def test_keys_rights_and_choices_are_those_of_the_exchanges(of: Callable[..., Coverage]) -> None:
    found = of("  - read_basic: {version: 3.00}\n    state: RKSSSE", "card: {choices: {key_tries: 15}}")
    assert covered(found, "key_versions") == {("RKSSSE", "1")}
    assert ("3.0", "SSSE EF06", "read-granted") in covered(found, "file_rights")
    assert ("3.0", "SSSE EF06", "read-refused") not in covered(found, "file_rights")
    values = covered(found, "choice_values")
    assert ("key_tries", "15") in values
    assert ("generation", "3.0") in values
    assert not {value for value in values if value[0] == "reset_pin_status"}  # no reset was sent


def test_an_ef_that_a_binary_command_names_is_the_current_one(of: Callable[..., Coverage]) -> None:
    steps = """  - authenticate: {key: RKSSSE}
    state: RKSSSE
  - apdu: 00 B0 87 00 02
    data: ...
  - apdu: 00 B0 00 00 02
    data: ...
  - apdu: 00 D6 00 00 01 00
    sw: 6982
"""
    rights = covered(of(steps), "file_rights")
    assert {("3.0", "SSSE EF07", "read-granted"), ("3.0", "SSSE EF07", "write-refused")} <= rights
    assert not {key for key in rights if key[2] == "write-refused" and key[1] != "SSSE EF07"}


def test_a_driver_function_succeeds_with_its_last_step_and_is_refused_by_its_code(of: Callable[..., Coverage]) -> None:
    steps = """  - driver_unblock_pin: {by: hsm}
    tries: 6
  - driver_unblock_pin: {card: other}
    code: -22
"""
    assert covered(of(steps, "card: {tries_left: 0}"), "driver_functions") == {
        ("iUnblockPIN", "HSM", "success"),
        ("iUnblockPIN", "PSAM", "refusal"),
    }


def test_a_case_covers_its_applicant_once_it_is_operated_and_a_refusal_its_grounds(of: Callable[..., Coverage]) -> None:
    accepted = "  - apply: {channel: online, reason: forgotten}\n"
    assert not covered(of(accepted), "applicants")
    operated = accepted + "  - operate: {new: 246810}\n    state: PUK\n"
    assert covered(of(operated), "applicants") == {("online", "reset", "citizen")}
    refused = "  - apply: {channel: window}\n    stage: refused\n    grounds: [reason]\n"
    assert covered(of(refused), "grounds") == {("reason",)}


def test_situations_are_those_of_the_case_and_of_its_trial(of: Callable[..., Coverage]) -> None:
    accepted = "  - apply: {reason: forgotten}\n"
    place = "service: {place: {initial_pin_use: must change, initial_pin: '975310'}}\n"
    refused = accepted + "  - operate: {new: 975310}\n    stage: accepted\n    state: ready\n"
    assert covered(of(refused, place), "situations") == {("refused-pin", "initial")}
    lost = "  - standing: lost\n  - apply: {reason: forgotten}\n    stage: refused\n    grounds: [genuine-papers]\n"
    assert covered(of(lost), "situations") == {("standing", "lost")}
    operated = accepted + "  - operate: {new: 246810}\n    state: PUK\n"
    assert covered(of(operated), "situations") == set()
    assert covered(of(operated, "card: {city_code: 410100}"), "situations") == {("city", "another-of-the-province")}
    assert covered(of("  - pharmacy: 123456\n    state: verified\n"), "situations") == {("pharmacy", "success")}
    initial = "  - pharmacy: 975310\n    passed: no\n    state: ready\n"
    own = place + "card: {pin: 975310}\n"
    assert covered(of(initial, own), "situations") == {("pharmacy", "refusal")}


def test_the_transport_is_that_of_the_run(of: Callable[..., Coverage]) -> None:
    found = of("  - verify_pin: 123456\n    state: verified", "card: {interface: contactless}", "pcsc")
    assert covered(found, "transports") == {("v3-sm4", "contactless", "pcsc")}


def test_an_item_is_covered_on_every_generation_that_has_it(of: Callable[..., Coverage]) -> None:
    steps = "  - verify_pin: 123456\n    state: verified"
    head = "covers: [LD/T 6001.2 function, LD/T 6001.3 10.1, LD/T 32.5 7.3.5, seed 4.3]\n"
    one = part(of(steps, head), "standard_items")
    assert {entry.key[0] for entry in one.having("partly")} == {
        "LD/T 6001.2 function",
        "LD/T 6001.3 10.1",
        "LD/T 32.5 7.3",
    }
    every = of(steps, head + "card: {personality: [v1-des, v2-3des, v3-sm4]}")
    assert covered(every, "standard_items") == {("LD/T 6001.2 function",), ("LD/T 32.5 7.3",)}
    assert [entry.key[0] for entry in part(every, "standard_items").having("partly")] == ["LD/T 6001.3 10.1"]
    assert covered(every, "seed_clauses") == {("4.3",)}


def test_facts_are_kept_without_exchanges_and_through_a_pickle(some: list[ScenarioResult]) -> None:
    for result in some:
        again = pickle.loads(pickle.dumps(result.facts))  # noqa: S301 - of this process
        assert result.without_events().facts == again == result.facts
        assert all(isinstance(fact, Fact) for fact in again)


# The tables


def test_what_cannot_be_reached_is_a_key_with_a_reason_in_both_languages() -> None:
    keys = {dimension.name: set(dimension.keys) for dimension in dimensions()}
    for name, reasons in UNREACHABLE.items():
        assert reasons.keys() <= keys[name]
    assert PARTLY.keys() <= {(mark,) for mark in ITEMS}
    for reasons in (*UNREACHABLE.values(), PARTLY):
        assert all(reason.english and reason.chinese for reason in reasons.values())


def test_the_unreachable_pairs_are_those_of_the_tests_of_the_card() -> None:
    tested = {*test_pin_commands.UNREACHABLE, *test_status_words.UNREACHABLE}
    found = {(command.split(" (")[0], int(sw, 16)) for command, sw in UNREACHABLE["command_status"]}
    # There another command with the same INS stands for this one.
    assert found - {("VERIFY CERTIFICATE PIN", 0x6A81), ("VERIFY CERTIFICATE PIN", 0x9303)} == tested


# The built-in suite


@pytest.mark.slow
def test_the_figures_of_the_built_in_suite(suite: list[ScenarioResult]) -> None:
    found = {measured.dimension.name: measured.covered for measured in coverage_of(suite, "local").measured()}
    assert found == FIGURES, f"write into FIGURES of {Path(__file__).name}: {json.dumps(found, indent=4)}"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["applicants", "grounds", "hand_overs", "situations"])
def test_the_built_in_suite_has_a_scenario_for_each(suite: list[ScenarioResult], name: str) -> None:
    """Each applicant by channel and operation, ground of refusal, hand-over, and situation of the service."""
    assert part(coverage_of(suite, "local"), name).having("missing") == []


@pytest.mark.slow
def test_nothing_is_reached_that_cannot_be(suite: list[ScenarioResult]) -> None:
    facts = {fact for result in suite for fact in result.facts}
    assert not facts & {Fact(name, key) for name, reasons in UNREACHABLE.items() for key in reasons}


@pytest.mark.slow
def test_deleting_a_scenario_lowers_the_figures(tmp_path: Path, suite: list[ScenarioResult]) -> None:
    files: dict[Fact, set[str]] = {}
    for result in suite:
        for fact in result.facts:
            files.setdefault(fact, set()).add(result.scenario.source)
    members = Counter(folder_of(source) for source in {result.scenario.source for result in suite})
    alone, source = next(
        (fact, source)
        for fact, (source, *others) in sorted((fact, sorted(sources)) for fact, sources in files.items())
        if not others and members[folder_of(source)] > 1
    )
    shutil.copytree(builtin_folder(), tmp_path / FOLDER)
    group = tmp_path / folder_of(source)
    before = coverage_of(run_scenarios(group), "local")
    (tmp_path / source).unlink()
    after = coverage_of(run_scenarios(group), "local")
    assert alone.key in covered(before, alone.dimension) - covered(after, alone.dimension)
    assert part(after, alone.dimension).covered < part(before, alone.dimension).covered


def folder_of(source: str) -> Path:
    return Path(*Path(source).parts[:2])


# Thresholds


@pytest.mark.parametrize(
    ("text", "problem", "remedy"),
    [
        ("commandstatus=5", "no dimension 'commandstatus'", "did you mean 'command_status'?"),
        ("=5", "no dimension ''", "expected one of: "),
        ("many", "a percentage expected, 0 to 100", "write it as 80 or command_status=80"),
        ("101", "a percentage expected, 0 to 100", "write it as 80 or command_status=80"),
        ("faults=nan", "a percentage expected, 0 to 100", "write it as 80 or command_status=80"),
    ],
)
def test_a_threshold_is_a_percentage(text: str, problem: str, remedy: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        read_threshold(text)
    assert str(caught.value).startswith(f"{problem}\n  {remedy}")


def test_a_threshold_counts_what_can_be_covered(some: list[ScenarioResult]) -> None:
    measured = coverage_of(some, "local").measured()
    status = next(each for each in measured if each.dimension.name == "command_status")
    assert status.reachable == status.total - len(UNREACHABLE["command_status"])
    assert 0 < status.percent < 100
    assert read_threshold(f"command_status={status.percent - 0.1}").missed(measured) is None
    assert read_threshold("command_status=100").missed(measured) == pytest.approx(status.percent)
    assert read_threshold("0").missed(measured) is None


# Output


def test_the_text_has_every_dimension_and_every_item(some: list[ScenarioResult]) -> None:
    text = "\n".join(text_lines(coverage_of(some, "local")))
    for dimension in dimensions():
        assert dimension.title.text in text
    for mark in ITEMS:
        assert re.search(rf"^  [✓~✗–] {re.escape(mark)} ", text, re.MULTILINE)


class Nearly(Coverage):
    """All of a dimension is covered but one entry in 3,000."""

    def measured(self) -> list[Measured]:
        covered = [Entry((str(number),), "covered", 1) for number in range(2999)]
        return [Measured(dimensions()[0], (*covered, Entry(("2999",), "missing", 0)))]


def test_what_lacks_one_entry_is_nowhere_shown_as_whole(capsys: pytest.CaptureFixture[str]) -> None:
    nearly = Nearly()
    assert re.search(r" 2999 +3000 +99 %$", summary_lines(nearly)[2])
    assert '<td class="number">99 %</td>' in html_page(nearly)
    assert report_thresholds(nearly, (read_threshold("100"),))
    assert capsys.readouterr().err.endswith("99.9 % covered, at least 100 % expected\n")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_heat_map_is_one_page_without_network(some: list[ScenarioResult], language: str) -> None:
    with speaking(language):
        page = html_page(coverage_of(some, "local"))
    assert f'lang="{language}"' in page
    assert not re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?(?![#"'])[^"' >]+""", page)
    assert "prefers-color-scheme: dark" in page
    for name in NAMES:
        assert f'id="{name}"' in page
    assert ("不可能" in page or "无法覆盖" in page) is (language == "zh")


def test_json_has_covered_and_total_of_each_dimension(sscard: CommandLine, tmp_path: Path) -> None:
    page, group = tmp_path / "map.html", builtin_folder() / "10-certificate"
    code, out, err = sscard("coverage", group, "--json", "--html", page)
    content = json.loads(out)
    assert (code, err, content["schema"]) == (0, "", "sscard.coverage/1")
    assert page.read_text("utf-8").startswith("<!doctype html>")
    for name in NAMES:
        found = content[name]
        counts = [len(found[status]) for status in ("missing", "partly", "unreachable")]
        assert found["covered"] + sum(counts) == found["total"] > 0
    assert {"command": "VERIFY (00 20)", "sw": "6581"} in content["command_status"]["missing"]
    assert all(entry["reason"] for name in NAMES for entry in content[name]["unreachable"])


def test_a_run_prints_the_same_coverage(sscard: CommandLine) -> None:
    group = builtin_folder() / "10-certificate"
    code, alone, _err = sscard("coverage", group)
    assert code == 0
    code, out, _err = sscard("run", group, "--coverage")
    assert code == 0
    assert out.endswith(f"\n{alone}")
    code, out, err = sscard("run", group, "--coverage", "--json")
    assert json.loads(out)["schema"] == "sscard.run/1"
    assert err.endswith(f"\n{alone}")
