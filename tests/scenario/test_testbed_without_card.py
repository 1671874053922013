"""A testbed that names an HSM only: the cards are sscard's own, issued under the keys of that HSM."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from kit.programs import CommandLine
from sscard.issuer.hierarchy import TEST_KEYS
from sscard.scenario.library import builtin_folder

RESETS = builtin_folder() / "01-function" / "reset" / "replay.yaml"
OTHER_VALUES = re.sub("[0-9A-F]{32}", lambda found: found[0][::-1], Path(TEST_KEYS).read_text("utf-8"))


@pytest.fixture
def testbed(tmp_path: Path) -> Path:
    """An HSM with other roots than the test keys."""
    (tmp_path / "keys.yaml").write_text(OTHER_VALUES, "utf-8")
    file = tmp_path / "testbed.yaml"
    file.write_text(f"hsm: {{use: 'soft:{tmp_path}/keys.yaml', keys: keys.yaml}}\n", "utf-8")
    return file


@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_suite_runs_on_cards_under_the_keys_of_the_hsm(sscard: CommandLine, testbed: Path, workers: str) -> None:
    code, out, _err = sscard("run", RESETS, "--testbed", testbed, "-n", workers, "--json")
    run = json.loads(out)
    assert code == 0
    assert {result["verdict"] for result in run["results"]} == {"passed"}
    assert run["environment"]["hsm"] == f"soft:{testbed.parent}/keys.yaml"
    assert "card" not in run["environment"]


def test_the_plan_names_the_hsm_and_every_scenario(sscard: CommandLine, testbed: Path) -> None:
    code, out, _err = sscard("testbed", "check", testbed, RESETS)
    assert code == 0
    assert out.startswith(f"sscard's own cards, HSM soft:{testbed.parent}/keys.yaml\nto run: 3\n")
    planned = json.loads(sscard("testbed", "check", testbed, RESETS, "--json")[1])["scenarios"]
    assert [(each["runs"], each["reason"], each["permission"]) for each in planned] == [(True, "", "")] * 3


def test_the_hsm_must_have_the_keys_of_the_cards(sscard: CommandLine, testbed: Path) -> None:
    testbed.write_text(f"hsm: {{use: 'soft:{testbed.parent}/keys.yaml'}}\n", "utf-8")
    for command in (("run", "--testbed", testbed), ("testbed", "check", testbed)):
        code, _out, err = sscard(*command, RESETS)
        assert code == 2
        assert "the HSM has other keys than the cards" in err


@pytest.mark.parametrize(
    ("text", "place", "problem"),
    [
        ("{}\n", "1:1", "the testbed names neither a card nor an HSM"),
        ("hsm:\n", "1:1", "hsm: fields expected"),
        ("hsm: {}\n", "1:1", "field 'hsm.use' is missing"),
        ("card: {use: card.db}\nhsm: {use: 'soft:', keys: keys.yaml}\n", "2:21", "the root keys are those of the card"),
    ],
)
def test_what_a_testbed_lacks_is_an_error_with_its_place(
    sscard: CommandLine, testbed: Path, text: str, place: str, problem: str
) -> None:
    testbed.write_text(text, "utf-8")
    for command in (("run", "--testbed", testbed), ("testbed", "check", testbed)):
        code, _out, err = sscard(*command, RESETS)
        assert code == 2
        assert err.startswith(f"sscard: {testbed}:{place}: ")
        assert problem in err


def test_an_hsm_of_the_command_line_beside_that_of_the_testbed_is_an_error(sscard: CommandLine, testbed: Path) -> None:
    code, _out, err = sscard("run", RESETS, "--testbed", testbed, "--hsm", "soft:")
    assert code == 2
    assert "--testbed and --hsm exclude each other" in err
