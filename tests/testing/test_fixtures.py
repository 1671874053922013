"""The fixtures of ``sscard.testing`` in a project that uses them, and in one that does not."""

from __future__ import annotations

import re
from importlib import resources

import pytest

from kit.pcsc import demand_pcsc, demand_pyscard
from kit.waiting import PATIENCE

IN_PROCESS = """
import pytest
import sscard

def test_a_session_verifies_the_initial_pin(card_session):
    card_session.verify_pin("123456")

@pytest.mark.social_card(personality="v2-3des", pin="7391")
def test_the_marker_gives_the_parameters_of_issue_card(social_card, card_session):
    assert social_card.profile.personality.name == "v2-3des"
    card_session.verify_pin("7391")

@pytest.mark.social_card(place="tries-3", pin="0000")
class TestMarkers:
    @pytest.mark.social_card(pin="7391")
    def test_the_nearest_counts_and_the_others_stay(self, social_card, card_session):
        assert card_session.tries_left() == 3
        card_session.verify_pin("7391")

def test_the_session_works_on_the_card_of_the_fixture(social_card, card_session):
    with pytest.raises(sscard.WrongPin):
        card_session.verify_pin("000000")
    assert social_card.snapshot().pin_tries == 5

def test_the_card_is_the_seeds(social_card):
    assert social_card.profile.historical == sscard.issue_card(seed=1).profile.historical
"""
OTHER_SEED = """
import sscard

def test_the_seed_of_the_command_line_counts(social_card):
    assert social_card.profile.historical == sscard.issue_card(seed=5).profile.historical
"""
OTHER_KEYS = """
import pytest
import sscard

KEYS = sscard.load_keys({file!r})

@pytest.mark.social_card(keys=KEYS)
def test_the_hsm_of_the_session_has_the_keys_of_the_card(card_session):
    card_session.reset_pin("654321")
    card_session.verify_pin("654321")
"""
IN_A_READER = """
import os
import subprocess
import sys

import pytest
from sscard.transport.pcsc import wait_for_card

PROGRAM = '''
import sys
from smartcard.System import readers
reader = next(reader for reader in readers() if reader.name == sys.argv[1])
connection = reader.createConnection()
connection.connect()
print(*map("{:02X}".format, connection.transmit([0x00, 0x20, 0x00, 0x00, 0x03, 0x12, 0x34, 0x56])[1:]))
'''

def answer(reader):
    command = [sys.executable, "-c", PROGRAM, reader.name]
    environment = {**os.environ, **reader.environment}
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True, timeout=60).stdout

def test_a_program_finds_the_card(virtual_reader):
    assert answer(virtual_reader) == "90 00\\n"

@pytest.mark.social_card(pin="999999")
def test_the_card_is_the_markers(virtual_reader, social_card):
    assert answer(virtual_reader) == "63 C5\\n"
    assert virtual_reader.card is social_card
    assert social_card.snapshot().pin_tries == 5

def test_it_can_be_taken_out(virtual_reader):
    virtual_reader.slot.remove()
    assert wait_for_card(virtual_reader.name, present=False, timeout=60)
    virtual_reader.slot.insert()
    assert wait_for_card(virtual_reader.name, timeout=60)
"""
UNUSED = """
import sys

def test_nothing_of_the_simulator_is_imported():
    heavy = {"sscard.issuer", "sscard.card", "sscard.scenario", "pydantic", "cryptography", "hypothesis", "smartcard"}
    assert not heavy & set(sys.modules)
"""


def run(pytester: pytest.Pytester, source: str, *options: str) -> pytest.RunResult:
    pytester.makepyfile(source)
    return pytester.runpytest_inprocess("-p", "no:cacheprovider", *options)


def test_card_and_session(pytester: pytest.Pytester) -> None:
    run(pytester, IN_PROCESS, "--strict-markers").assert_outcomes(passed=5)


def test_the_seed_is_an_option(pytester: pytest.Pytester) -> None:
    run(pytester, OTHER_SEED, "--scenario-seed", "5").assert_outcomes(passed=1)


def test_cards_of_other_keys(pytester: pytest.Pytester) -> None:
    text = (resources.files("sscard.issuer") / "test-keys.yaml").read_text(encoding="utf-8")
    changed = re.sub("[0-9A-F]{32}", lambda found: found[0][::-1], text)
    assert changed != text
    file = pytester.path / "keys.yaml"
    file.write_text(changed, encoding="utf-8")
    run(pytester, OTHER_KEYS.format(file=str(file))).assert_outcomes(passed=1)


def test_an_unknown_option_of_the_marker_is_an_error_of_the_test(pytester: pytest.Pytester) -> None:
    source = "import pytest\n@pytest.mark.social_card(pim='1')\ndef test_it(social_card): ...\n"
    result = run(pytester, source)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*unexpected keyword argument 'pim'*"])


@pytest.mark.slow
def test_a_card_in_a_reader(pytester: pytest.Pytester) -> None:
    demand_pcsc()
    pytester.makepyfile(IN_A_READER)
    # A process of its own: PC/SC finds its daemon once in a process.
    pytester.runpytest_subprocess("-p", "no:cacheprovider", timeout=PATIENCE).assert_outcomes(passed=3)


def test_a_reader_that_cannot_be_had_skips_with_the_reason(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    demand_pyscard()
    monkeypatch.setenv("PATH", str(pytester.path))
    result = run(pytester, "def test_it(virtual_reader): ...", "-rs")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*a private pcscd needs unshare*", "*apt-get install util-linux*"])


def test_a_project_that_uses_none_of_it_does_not_pay_for_it(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(UNUSED)
    pytester.runpytest_subprocess("-p", "no:cacheprovider", timeout=PATIENCE).assert_outcomes(passed=1)
