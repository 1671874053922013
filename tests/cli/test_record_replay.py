"""`sscard record`, `replay`, `compare`, `export`, and scripts in `sscard apdu`: exit codes, differences, words."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import kit
from kit.programs import SSCARD, CommandLine, run
from sscard.issuer.cardfile import load_card, save_card

SELECT = "00A404000F" + kit.NAME
TALK = f"""
RST
CMD {SELECT} (61 XX)
00 C0 00 00 1E
00 A4 02 00 02 EF 05
00 B2 01 00 12
00 84 00 00 08
00 20 00 00 03 {{pin}} (9000)
00 20 00 00 03 {{pin2}} (63C5)
80 5E 01 00 07 {{pin}} FF {{pin3}}
00 20 00 00 03 {{pin3}}
"""
PINS = ("--pin", "123456", "--pin", "999999", "--pin", "654321")
PROOF = "0082000610" + "00" * 16


@pytest.fixture
def card(tmp_path: Path) -> Path:
    save_card(kit.card_of("v3-sm4"), tmp_path / "card.db")
    return tmp_path / "card.db"


@pytest.mark.parametrize("text", ["", "\n# nothing\n"])
@pytest.mark.parametrize("command", ["replay {talk} {card}", "export {talk} --as etsi"])
def test_a_script_without_a_command_is_unusable(
    card: Path, tmp_path: Path, text: str, command: str, sscard: CommandLine
) -> None:
    talk = tmp_path / "talk"
    talk.write_text(text)
    code, out, err = sscard(*command.format(talk=talk, card=card).split())
    assert (code, out) == (2, "")
    assert f"{talk}: holds no command" in err


@pytest.mark.parametrize("closed", ["<&-", "0084000008 >&-", "0084000008 2>&-"])
@pytest.mark.skipif(os.name == "nt", reason="the shell's words")
def test_a_stream_that_the_caller_closed(card: Path, closed: str) -> None:
    command = shlex.join([sys.executable, "-m", "sscard.cli.main", "apdu", str(card)])
    done = run(f"{command} {closed}", program=("sh", "-c"))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture
def twin(card: Path) -> Path:
    """A copy of the card, as it was before anything was done with it."""
    return Path(shutil.copy(card, card.with_name("twin.db")))


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """The same holder's card of another personality."""
    save_card(kit.card_of("v2-3des"), tmp_path / "other.db")
    return tmp_path / "other.db"


@pytest.fixture
def recording(sscard: CommandLine, card: Path, twin: Path) -> Path:
    path = card.with_name("talk.jsonl")
    code, _, error = sscard("record", card, "-o", path, *PINS, stdin=TALK)
    assert code == 0, error
    assert twin.exists()
    return path


class TestRecord:
    def test_keeps_commands_and_answers_and_no_pin(self, recording):
        text = recording.read_text()
        lines = [json.loads(line) for line in text.splitlines()]
        assert lines[0]["format"] == "sscard recording"
        assert [line["sw"] for line in lines if line.get("event") == "command"] == [
            *("611E", "9000", "9000", "9000", "9000", "9000", "63C5", "9000", "9000")
        ]
        for pin in ("123456", "999999", "654321"):
            assert pin not in text

    def test_takes_commands_from_arguments(self, sscard, card, tmp_path):
        code, out, error = sscard("record", card, "-o", tmp_path / "a", "0084000008", "0084000007")
        assert code == 0
        assert out.count("GET CHALLENGE") == 2
        assert "sscard replay" in error
        assert len((tmp_path / "a").read_text().splitlines()) == 5

    def test_keeps_what_was_said_before_a_mistake_in_the_script(self, sscard, card, tmp_path):
        code, _, error = sscard("record", card, "-o", tmp_path / "a", stdin="0084000008\nCMD 0\n")
        assert code == 2
        assert "<stdin>:2:5: not hex digits in pairs" in error
        assert "0084000008" in (tmp_path / "a").read_text()

    @pytest.mark.parametrize(
        ("given", "script"),
        [
            (("008",), ""),
            (("0084000008", "zz"), ""),
            (("0020000003{pin}",), ""),
            ((), "zz\n0084000008\n"),
            ((), "0020000003{pin}\n0084000008\n"),
            ((), "CMD 0\n"),
        ],
    )
    @pytest.mark.parametrize("command", [("record", "-o"), ("apdu", "--trace"), ("apdu", "--json", "--trace")])
    def test_replaces_no_file_for_a_script_that_cannot_be_used(self, sscard, card, tmp_path, command, given, script):
        name, *options = command
        (tmp_path / "kept").write_text("mine")
        code, out, error = sscard(name, card, *given, *options, tmp_path / "kept", "--force", stdin=script)
        assert (code, out) == (2, "")
        assert "Traceback" not in error
        assert (tmp_path / "kept").read_text() == "mine"

    @pytest.mark.parametrize("script", ["0084000008\nzz\n", "0084000008\n0020000003{pin}\n"])
    def test_sends_nothing_of_a_script_in_a_file_that_cannot_be_used(self, card, twin, tmp_path, script):
        (tmp_path / "kept").write_text("mine")
        (tmp_path / "script").write_text(f"00A40000023F00\n0020000003999999\n{script}")
        command = [*SSCARD, "apdu", str(card), "--raw", "--trace", str(tmp_path / "kept"), "--force"]
        with (tmp_path / "script").open() as stdin:
            done = subprocess.run(command, stdin=stdin, capture_output=True, text=True, check=False)  # noqa: S603
        assert (done.returncode, done.stdout) == (2, "")
        assert "<stdin>:" in done.stderr
        assert (tmp_path / "kept").read_text() == "mine"
        assert card.read_bytes() == twin.read_bytes()

    def test_plays_a_script_in_a_file_from_where_it_is_open(self, card, tmp_path):
        (tmp_path / "script").write_text("zz\n0084000008\n0084000004\n")
        command = ["bash", "-c", 'read -r line; exec "$@"', "-", *SSCARD, "apdu", str(card), "--raw"]
        with (tmp_path / "script").open() as stdin:
            done = subprocess.run(command, stdin=stdin, capture_output=True, text=True, check=True)  # noqa: S603
        assert [len(line) for line in done.stdout.splitlines()] == [21, 13]

    @pytest.mark.parametrize("options", [("apdu", "--trace"), ("record", "-o")])
    @pytest.mark.parametrize("end", ["exit\n", "exit", "EXIT\nnot a command\n"])
    def test_ends_at_exit_in_a_script_in_a_file(self, card, tmp_path, options, end):
        name, output = options
        (tmp_path / "script").write_text(f"0084000008\n{end}")
        with (tmp_path / "script").open() as stdin:
            command = [*SSCARD, name, str(card), output, str(tmp_path / "kept")]
            done = subprocess.run(command, stdin=stdin, capture_output=True, text=True, check=False)  # noqa: S603
        assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
        assert (tmp_path / "kept").read_text().count("GET CHALLENGE") == 1

    def test_does_not_touch_the_card_where_it_cannot_write(self, sscard, card, twin, tmp_path):
        code, _, error = sscard("record", card, "-o", tmp_path / "no" / "where", kit.verify("999999").hex())
        assert code == 2
        assert "cannot be written" in error
        assert card.read_bytes() == twin.read_bytes()


class TestReplay:
    def test_the_same_card_answers_the_same(self, sscard, recording, twin):
        code, out, _ = sscard("replay", recording, twin, *PINS)
        assert (code, out) == (0, "9 of 9 commands played, no difference\n")

    def test_other_pins_do_where_they_play_the_same_parts(self, sscard, recording, tmp_path):
        path = tmp_path / "own.db"
        save_card(kit.card_of("v3-sm4", "739104"), path)
        pins = ("--pin", "739104", "--pin", "111111", "--pin", "222222")
        assert sscard("replay", recording, path, *pins)[0] == 0

    def test_the_first_difference_is_told_with_both_sides(self, sscard, recording, other):
        code, out, _ = sscard("replay", recording, other, *PINS)
        assert code == 1
        first, *rest = out.splitlines()
        assert first == "line 5: GET RESPONSE"
        assert any(line.lstrip().startswith("expected ") for line in rest)
        assert any(line.lstrip().startswith(str(other)) for line in rest)
        assert any("state before" in line and "tries left" in line for line in rest)
        assert rest[-1].endswith("1 difference")

    def test_all_differences_are_told_on_demand(self, sscard, recording, twin):
        wrong = ("--pin", "111111", "--pin", "999999", "--pin", "654321")
        code, out, _ = sscard("replay", recording, twin, *wrong, "--all")
        assert code == 1
        assert out.splitlines()[-1] == "9 of 9 commands played, 4 differences"
        assert "  expected " in out
        assert "9000  done" in out
        assert "63C5  verification failed, 5 tries left" in out
        assert "111111" not in out

    def test_a_missing_pin_is_told_before_anything_is_sent(self, sscard, recording, twin):
        before = twin.read_bytes()
        code, _, error = sscard("replay", recording, twin, "--pin", "123456", "--pin", "999999")
        assert code == 2
        assert f"{recording}:11: PIN 3 is needed here, PINs given: 2" in error
        needed = len(PINS) // 2
        code, _, error = sscard("replay", recording, twin)
        assert code == 2
        assert f"PIN 1 is needed here, PINs given: 0\n  give --pin {needed} times" in error
        assert twin.read_bytes() == before

    def test_a_pin_of_another_length_is_told(self, sscard, recording, twin):
        code, _, error = sscard("replay", recording, twin, "--pin", "12345678", *PINS[2:])
        assert code == 2
        assert f"{recording}:9: Lc counts 3 bytes of data, with the PIN given there are 4" in error

    def test_no_pin_at_all_is_refused_without_repeating_it(self, sscard, recording, twin):
        code, _, error = sscard("replay", recording, twin, "--pin", "12A456")
        assert code == 2
        assert "--pin: a PIN has decimal digits only" in error
        assert "12A456" not in error

    def test_ends_where_a_proof_over_a_challenge_stands(self, sscard, card, twin, tmp_path):
        path = tmp_path / "a.jsonl"
        sscard("record", card, "-o", path, SELECT, "0084000008", PROOF, kit.verify("999999").hex())
        before = load_card(twin).snapshot()
        code, out, _ = sscard("replay", path, twin, "--pin", "999999")
        assert code == 1
        assert "2 of 4 commands played, no difference" in out
        assert f"{path}:5: EXTERNAL AUTHENTICATION" in out
        assert "not replayable: its data are computed over a random number of the card" in out
        assert load_card(twin).snapshot() == before

    def test_the_serial_number_in_the_atr_is_not_compared(self, sscard, card, tmp_path):
        mine, theirs = tmp_path / "mine.jsonl", tmp_path / "theirs.db"
        sscard("issue", "-o", theirs, "--seed", "5")
        sscard("record", card, "-o", mine, SELECT)
        assert sscard("replay", mine, theirs)[0] == 0

    def test_cards_of_other_holders_are_compared_by_status_words(self, sscard, card, tmp_path):
        mine, theirs = tmp_path / "mine.jsonl", tmp_path / "theirs.db"
        sscard("issue", "-o", theirs, "--seed", "5")
        sscard("record", card, "-o", mine, SELECT, "00A4020002EF05", "00B2010012")
        assert sscard("replay", mine, theirs)[0] == 1
        assert sscard("replay", mine, theirs, "--sw-only")[0] == 0

    def test_a_script_with_expected_answers_is_played(self, sscard, card):
        script = f"{SELECT} (61XX)\n0084000008 [XXXXXXXXXXXXXXXX] (9000)\n0084000007 (6700)\n"
        assert sscard("replay", "-", card, stdin=script)[:2] == (0, "3 of 3 commands played, no difference\n")
        code, out, _ = sscard("replay", "-", card, stdin=script.replace("6700", "9000"))
        assert code == 1
        assert "expected" in out
        assert "6700  wrong length" in out

    def test_a_bad_file_is_told_with_its_line(self, sscard, card, tmp_path):
        bad = tmp_path / "bad.jsonl"
        bad.write_text('{"format": "sscard recording", "version": 1}\n{"at": 0, "event": "command"}\n')
        code, _, error = sscard("replay", bad, card)
        assert code == 2
        assert f"{bad}:2:1: field 'command' is missing" in error
        code, _, error = sscard("replay", tmp_path / "absent", card)
        assert code == 2
        assert "cannot be read" in error


class TestCompare:
    @pytest.fixture
    def script(self, tmp_path: Path) -> Path:
        path = tmp_path / "talk.script"
        path.write_text(TALK)
        return path

    def test_equal_cards(self, sscard, script, card, twin):
        code, out, _ = sscard("compare", script, card, twin, *PINS)
        assert (code, out) == (0, "9 of 9 commands played, no difference\n")
        assert load_card(card).snapshot() == load_card(twin).snapshot()

    def test_the_first_difference_of_two_personalities(self, sscard, script, card, other):
        code, out, _ = sscard("compare", script, card, other, *PINS)
        assert code == 1
        first, sent, *rest = out.splitlines()
        assert first == "line 4: GET RESPONSE"
        assert sent.startswith("  > ")
        assert sum(line.lstrip().startswith(str(card)) for line in rest) == 1
        assert sum(line.lstrip().startswith(str(other)) for line in rest) == 1
        assert f"  state before, {card}: 6 tries left, ready" in rest
        assert "  before it:" in rest
        assert rest[-1].endswith("1 difference")

    def test_what_the_fci_says_of_the_algorithm_differs(self, sscard, card, other):
        code, out, _ = sscard("compare", "-", card, other, stdin=f"{SELECT}\n00C000001E\n00B0000000\n")
        assert code == 1
        assert "line 2: GET RESPONSE" in out
        assert "algorithm 03 SM4" in out
        assert "algorithm 01 DES/3DES" in out

    def test_all_differences(self, sscard, script, card, twin):
        save_card(kit.card_of("v3-sm4", "739104"), twin)
        code, out, _ = sscard("compare", script, card, twin, *PINS, "--all")
        assert code == 1
        assert out.count("line ") == 4
        assert out.splitlines()[-1] == "9 of 9 commands played, 4 differences"

    def test_randoms_are_not_compared(self, sscard, card, twin):
        assert sscard("compare", "-", card, twin, stdin="0084000008\n0084000004\n")[0] == 0

    def test_a_recording_is_compared_too(self, sscard, recording, card, twin):
        pins = ("--pin", "654321", "--pin", "999999", "--pin", "123456")
        code, out, _ = sscard("compare", recording, card, twin, *pins)
        assert code == 1
        assert "63C5  verification failed, 5 tries left" in out

    def test_one_card_cannot_be_both(self, sscard, card):
        code, _, error = sscard("compare", "-", card, card, stdin="0084000008\n")
        assert code == 2
        assert f"{card}: is open in this process already" in error

    def test_a_scenario_on_two_personalities(self, sscard, tmp_path):
        path = tmp_path / "wrong.yaml"
        path.write_text(
            "name: a\nproves: b\nsteps:\n"
            "  - verify_pin: '000000'\n    sw: 63C5\n    tries: 5\n"
            "  - get_challenge: 16\n    state: challenge\n"
            "  - verify_pin: '123456'\n    tries: 6\n    state: verified\n"
        )
        assert sscard("compare", path, "v3-sm4", "v3-sm4")[0] == 0
        code, out, _ = sscard("compare", path, "v3-sm4", "v2-3des")
        assert code == 1
        assert out.splitlines()[0] == "line 7: get_challenge"
        assert "  v3-sm4: 9000 done" in out
        assert "  v2-3des: 6700 wrong length" in out


class TestExport:
    def test_an_exported_recording_is_played_as_the_recording(self, sscard, recording, twin, tmp_path):
        script = tmp_path / "talk.etsi"
        assert sscard("export", recording, "--as", "etsi", "-o", script)[0] == 0
        code, out, error = sscard("replay", script, twin, *PINS)
        assert (code, error) == (0, "")
        assert out == "9 of 9 commands played, no difference\n"

    def test_a_scriptor_file_holds_the_commands(self, sscard, recording):
        code, out, _ = sscard("export", recording, "--as", "scriptor")
        assert code == 0
        commands = [line for line in out.splitlines() if not line.startswith("#")]
        assert commands[:2] == ["reset", "reset"]
        assert commands[-1] == "00 20 00 00 03 {pin3}"
        assert "# expected: XXXXXXXXXXXXXXXX 9000" in out

    def test_an_unknown_form_is_refused(self, sscard, recording):
        assert sscard("export", recording, "--as", "word")[0] == 2


class TestApdu:
    def test_a_script_in_either_form_is_sent(self, sscard, card):
        code, out, _ = sscard("apdu", card, "--pin", "123456", stdin=TALK.partition("00 20 00 00 03 {pin2}")[0])
        assert code == 0
        assert out.count("> ") == 6
        assert out.startswith("# reset 3B6D")

    def test_an_unmet_expectation_is_told_with_its_line(self, sscard, card):
        code, _, error = sscard("apdu", card, stdin="\n0084000008 [00] (9000)\n")
        assert code == 1
        assert "<stdin>:2: expected [00] (9000)" in error

    def test_an_expected_refusal_is_none(self, sscard, card):
        assert sscard("apdu", card, "0084000007 (6700)")[0] == 0
        assert sscard("apdu", card, "0084000007")[0] == 1

    def test_off_and_on_again(self, sscard, card):
        code, out, _ = sscard("apdu", card, stdin="OFF\nRST\nOFF\n0084000008\n")
        assert code == 0
        assert [line.split()[2] for line in out.splitlines() if line.startswith("# power")] == [
            "off",
            "on",
            "off",
            "on",
        ]

    def test_programs_get_a_line_for_a_line(self, sscard, card):
        code, out, _ = sscard("apdu", card, "--raw", stdin="reset\n0084000007\n")
        assert code == 0
        assert out == f"{load_card(card).profile.atr().hex().upper()} 9000\n6700\n"
