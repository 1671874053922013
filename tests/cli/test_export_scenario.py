"""`sscard record --from` and `sscard export --as scenario`: a log or recording as a recording or scenario that runs."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest
import yaml

import kit
from kit.desk import Desk
from kit.programs import CommandLine
from sscard.conversation import Recorder
from sscard.conversation.recording import RecordingWriter
from sscard.hsm import SoftHsm
from sscard.issuer.cardfile import load_card, save_card
from sscard.terminal import CardSession, flows

PRESETS = ("v1-des", "v2-3des", "v3-sm4")
ANY = " ".join(["XX"] * 8)
LOG = f"""# 医保窗口读卡日志
RST
CMD 00 A4 04 00 0F 73 78 31 2E 73 68 2E C9 E7 BB E1 B1 A3 D5 CF (61 18)
CMD 00 C0 00 00 18 [6F 16 84 0F 73 78 31 2E 73 68 2E C9 E7 BB E1 B1 A3 D5 CF A5 03 88 01 0B] (90 00)
CMD 00 A4 02 00 02 EF 05 (90 00)
CMD 00 B2 01 00 12 [01 10 XX XX XX D1 56 00 00 05 {ANY}] (90 00)
REM 旧密码
CMD 00 20 00 00 03 XX XX XX (63 C5)
CMD 00 84 00 00 08 [{ANY}] (90 00)
CMD 00 84 00 00 08 [{ANY}] (90 00)
CMD 00 82 00 06 10 {ANY} {ANY} (90 00)
CMD 00 84 00 00 08 [{ANY}] (90 00)
CMD 84 24 00 01 0C {ANY} \\
    XX XX XX XX (90 00)   # 新密码
CMD 00 20 00 00 03 XX XX XX (90 00)
OFF
"""


def recorded(path: Path, name: str, *, contact: bool = True) -> Path:
    lines: list[str] = []
    recorder = Recorder(kit.card_of(name).chip(Random(1), contact=contact), heard=RecordingWriter(lines.append))
    session = CardSession.start(recorder, SoftHsm())
    assert session.tries_left() == 6
    session.verify_pin(kit.PIN)
    session.change_pin(kit.PIN, "87654321")
    session.run(flows.authenticate(session.card, "UKSSSE", kit.UKSSSE))
    session.reset_pin("654321")
    session.verify_pin("654321")
    session.unblock_pin()
    session.close()
    path.write_text("".join(lines), encoding="utf-8")
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk"])
def test_a_masked_log_of_a_reset_becomes_a_recording_that_plays_on_a_card_of_each_generation(
    sscard: CommandLine, tmp_path: Path, encoding: str
) -> None:
    log, talk = tmp_path / "log.txt", tmp_path / "talk.jsonl"
    log.write_bytes(LOG.replace("\n", "\r\n").encode(encoding))
    code, out, error = sscard("record", "--from", log, "-o", talk)
    assert (code, out) == (0, ""), error
    lines = [json.loads(line) for line in talk.read_text().splitlines()]
    assert [line["pins"] for line in lines if "pins" in line] == [[1], [2]]
    for name in PRESETS:
        target = tmp_path / f"{name}.db"
        save_card(kit.card_of(name), target)
        pins = ("--pin", "999999", "--pin", "808080", "--new", "808080", "--sw-only")
        code, out, error = sscard("replay", talk, target, "--hsm", "soft:", *pins)
        assert (code, out, error) == (0, "10 of 10 commands played, no difference\n", "")
        assert Desk(card=load_card(target)).verify("808080") == 0x9000


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk"])
def test_a_log_from_standard_input(sscard: CommandLine, tmp_path: Path, encoding: str) -> None:
    log = tmp_path / "log.txt"
    log.write_bytes(LOG.replace("\n", "\r\n").encode(encoding))
    for source, name in ((log, "file"), ("-", "input")):
        code, _, error = sscard("record", "--from", source, "-o", tmp_path / name, stdin=log.read_bytes())
        assert code == 0, error
    assert '"842400010C' in (tmp_path / "file").read_text()
    assert (tmp_path / "input").read_bytes() == (tmp_path / "file").read_bytes()


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ("--contactless", "--contactless"),
        ("--seed 1", "--seed"),
        ("--pin 123456", "--pin"),
        ("--pin-file pin", "--pin-file"),
        ("--sync", "--sync"),
        ("--explain --sync", "--explain, --sync"),
    ],
)
def test_what_a_log_cannot_use_is_refused(
    sscard: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: str, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pin").write_text("123456\n")
    Path("log").write_text(LOG, encoding="utf-8")
    code, out, error = sscard("record", "--from", "log", "-o", "talk.jsonl", *options.split())
    assert (code, out) == (2, "")
    assert f"no effect with --from: {name}\n" in error
    assert not Path("talk.jsonl").exists()
    monkeypatch.setenv("SSCARD_PIN", "123456")
    assert sscard("record", "--from", "log", "-o", "talk.jsonl", "--json")[0] == 0


def test_a_log_in_another_encoding_is_refused_with_its_line(sscard: CommandLine, tmp_path: Path) -> None:
    code, _, error = sscard("record", "--from", "-", "-o", tmp_path / "talk.jsonl", stdin=b"RST\n# \xff\xff\n")
    assert (code, error) == (2, "sscard: <stdin>:2:3: is neither UTF-8 nor GBK text (byte 6)\n  save it as UTF-8\n")


def test_a_recording_of_a_log_holds_no_pin(sscard: CommandLine, tmp_path: Path) -> None:
    """Plain PINs are masked and numbered, equal ones with the same number, as a recorder does."""
    log = tmp_path / "log.txt"
    log.write_text(
        "00 20 00 00 03 12 34 56 (90 00)\n"
        "80 5E 01 00 07 12 34 56 FF 65 43 21 (90 00)\n"
        "00 20 00 00 03 {pin7} (63 C5)\n"
        "80 5E 01 00 04 {pin0} FF {pin7} (90 00)\n"
        "00 20 00 00 03 65 43 21 (63 C4)\n"
    )
    assert sscard("record", "--from", log, "-o", tmp_path / "talk.jsonl")[0] == 0
    text = (tmp_path / "talk.jsonl").read_text()
    assert "123456" not in text
    assert "654321" not in text
    pins = [json.loads(line).get("pins") for line in text.splitlines()[2:]]
    assert pins == [[1], [1, 2], [3], [0, 3], [2]]


@pytest.mark.parametrize(
    ("text", "place", "problem"),
    [
        ("RST\nCMD 00 84 00 00 04 [XX XX XX XG] (90 00)\n", "2:31", "expected data are not hex digits in pairs"),
        ("# 注释\nCMD 00 84 00 00 08\n", "2", "a log states one status word of each answer, got 0"),
        ("00 84 00 00 08 (9000, 6700)\n", "1", "a log states one status word of each answer, got 2"),
        ("00 82 00 06 03 {pin} (9000)\n", "1", "a PIN is expected in VERIFY and CHANGE PIN only"),
        ("00 20 {pin} (9000)\n", "1", "a PIN is expected in VERIFY and CHANGE PIN only"),
        ("读卡 00 84 00 00 08 (9000)\n", "1:1", "unknown statement '读卡'"),
        ("# nothing\n", "", "holds no command"),
    ],
)
def test_a_mistake_in_a_log_has_its_place_and_writes_nothing(
    sscard: CommandLine, tmp_path: Path, text: str, place: str, problem: str
) -> None:
    log = tmp_path / "log.txt"
    log.write_text(text)
    code, out, error = sscard("record", "--from", log, "-o", tmp_path / "talk.jsonl")
    assert (code, out) == (2, "")
    assert f"{log}:{place + ':' if place else ''} {problem}" in error
    assert not (tmp_path / "talk.jsonl").exists()


def test_a_log_in_no_encoding_is_named(sscard: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_bytes(b"RST\n# \xff\xff\n")
    code, _out, error = sscard("record", "--from", tmp_path / "log.txt", "-o", tmp_path / "talk.jsonl")
    assert code == 2
    assert "log.txt:2:3: is neither UTF-8 nor GBK text (byte 6)" in error


@pytest.mark.parametrize("arguments", ["-o talk", "card.db --from log -o talk", "--from log -o log --force"])
def test_a_card_or_a_log_is_recorded(
    sscard: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("log").write_text(LOG)
    assert sscard("record", *arguments.split())[0] == 2
    assert Path("log").read_text() == LOG


def test_what_a_log_has_masked_is_not_sent(sscard: CommandLine, tmp_path: Path) -> None:
    save_card(kit.card_of("v3-sm4"), tmp_path / "card.db")
    code, _out, error = sscard("apdu", tmp_path / "card.db", stdin="00 20 00 00 03 XX XX XX\n")
    assert code == 2
    assert "<stdin>:1: masked bytes cannot be sent" in error
    assert Desk(card=load_card(tmp_path / "card.db")).tries == 6


@pytest.mark.parametrize("contact", [True, False], ids=["contact", "contactless"])
@pytest.mark.parametrize("name", PRESETS)
def test_an_exported_recording_is_a_scenario_that_passes(
    sscard: CommandLine, tmp_path: Path, name: str, contact: bool
) -> None:
    talk, scenario = recorded(tmp_path / "talk.jsonl", name, contact=contact), tmp_path / "talk.yaml"
    code, _out, error = sscard("export", talk, "--as", "scenario", "--personality", name, "-o", scenario)
    assert (code, error) == (0, "")
    text = scenario.read_text()
    assert "87654321" not in text
    assert "654321" not in text
    code, out, _error = sscard("run", scenario)
    assert code == 0, out + text
    assert f"talk  {name}" in out


def test_a_scenario_fails_if_the_card_does_other_things(sscard: CommandLine, tmp_path: Path) -> None:
    """Its expectations are those of the recording, not of the personality."""
    (tmp_path / "log").write_text("00 20 00 00 00 (63 C6)\n00 20 00 00 03 XX XX XX (90 00)\n00 84 00 00 10 (90 00)\n")
    for name, code in (("v3-sm4", 0), ("v2-3des", 1)):
        scenario = tmp_path / f"{name}.yaml"
        export = ("export", tmp_path / "talk.jsonl", "--as", "scenario", "--personality", name, "-o", scenario)
        assert sscard("record", "--from", tmp_path / "log", "-o", tmp_path / "talk.jsonl", "--force")[0] == 0
        assert sscard(*export)[0] == 0
        assert sscard("run", scenario)[0] == code


def test_a_masked_log_becomes_a_scenario_on_the_personality_that_it_shows(sscard: CommandLine, tmp_path: Path) -> None:
    talk, scenario = tmp_path / "talk.jsonl", tmp_path / "talk.yaml"
    assert sscard("record", "--from", "-", "-o", talk, stdin=LOG)[0] == 0
    assert sscard("export", talk, "--as", "scenario", "-o", scenario)[0] == 0
    assert '"personality": "v1-des"' in scenario.read_text()
    assert sscard("run", scenario, "--personality", "v3-sm4")[0] == 0


PKI, BANK = "00A404000C504B492EC9E7BBE1B1A3D5CF", "00A4040008A000000333010101"


@pytest.mark.parametrize(
    ("script", "choices"),
    [
        (f"{PKI} (61 12)\n", {"certificate_application": "stub"}),
        (f"{BANK} (61 0C)\n", {"bank_application": "yes"}),
        (f"{PKI} (6A 82)\n{BANK} (6A 82)\n", None),
    ],
)
def test_a_scenario_has_the_choices_that_the_recording_shows(
    sscard: CommandLine, tmp_path: Path, script: str, choices: dict[str, str] | None
) -> None:
    scenario, ssse = tmp_path / "talk.yaml", "00A404000F7378312E73682EC9E7BBE1B1A3D5CF (61 1E)\n"
    assert sscard("export", "-", "--as", "scenario", "-o", scenario, stdin=ssse + script)[0] == 0
    card = yaml.safe_load(scenario.read_text())["card"]
    assert (card["personality"], card.get("choices")) == ("v3-sm4", choices)
    assert sscard("run", scenario)[0] == 0


def test_a_command_without_a_verb_is_a_comment(sscard: CommandLine) -> None:
    script = f"00 84 00 00 08 (90 00)\nB0 2C 01 00 0F {'00' * 15} (69 85)\n"
    code, out, _error = sscard("export", "-", "--as", "scenario", stdin=script)
    assert code == 0
    assert "  # DEBIT FOR PURCHASE: not exported: a scenario has no verb for it\n" in out


def test_a_personality_is_for_scenarios(sscard: CommandLine) -> None:
    code, _out, error = sscard("export", "-", "--as", "etsi", "--personality", "v3-sm4", stdin="0084000008")
    assert code == 2
    assert "--personality is for --as scenario only" in error
