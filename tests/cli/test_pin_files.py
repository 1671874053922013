"""A PIN need not stand on a command line: files, standard input, environment."""

from __future__ import annotations

from pathlib import Path

import pytest

import kit
from kit.programs import CommandLine
from sscard.issuer.cardfile import load_card, save_card

PIN, NEW = "123456", "654321"


@pytest.fixture
def card(tmp_path: Path) -> Path:
    path = tmp_path / "card.db"
    save_card(kit.card_of("v3-sm4"), path)
    return path


@pytest.fixture
def pin_file(tmp_path: Path) -> Path:
    file = tmp_path / "pin"
    file.touch(0o600)
    file.write_text(f"{PIN}\n", encoding="ascii")
    return file


@pytest.mark.parametrize(
    "content",
    [b"123456", b"123456\n", b"123456\r\n", b"\xef\xbb\xbf123456\r\n", b"123456\nmore\n", b"123456\r"],
    ids=["no line end", "LF", "CRLF", "BOM", "further lines", "CR"],
)
def test_the_first_line_of_a_file_is_the_pin(sscard: CommandLine, card: Path, pin_file: Path, content: bytes) -> None:
    pin_file.write_bytes(content)
    assert sscard("verify-pin", card, "--pin-file", pin_file) == (0, "PIN is right\n", "")
    if content != b"123456\r":
        assert sscard("verify-pin", card, "--pin-file", "-", stdin=content.decode())[:2] == (0, "PIN is right\n")


@pytest.mark.parametrize("content", [b"", b"\n123456", b"13579 x", b"135790,", b"1357901357901357901", b"\xff13579"])
def test_a_file_with_anything_else_is_refused_and_not_repeated(
    sscard: CommandLine, card: Path, pin_file: Path, content: bytes
) -> None:
    pin_file.write_bytes(content)
    code, output, errors = sscard("verify-pin", card, "--pin-file", pin_file)
    assert (code, output) == (2, "")
    assert errors.startswith(f"sscard: {pin_file}: ")
    assert "13579" not in errors
    assert "4 to 16" in errors or "digits" in errors


@pytest.mark.parametrize("command", ["apdu {card}", "replay - {card}", "record {card} -o {talk}"])
def test_a_script_may_follow_the_pin_on_standard_input(
    sscard: CommandLine, card: Path, tmp_path: Path, command: str
) -> None:
    arguments = command.format(card=card, talk=tmp_path / "talk.jsonl").split()
    script = f"{PIN}\n00A404000F{kit.NAME}\n0020000003{{pin}} (9000)\n0084000008 (9000)\n"
    code, out, errors = sscard(*arguments, "--pin-file", "-", stdin=script)
    assert code == 0, out + errors
    assert PIN not in out + errors
    if arguments[0] == "replay":
        assert "3 of 3 commands played" in out


def test_a_file_that_cannot_be_read_is_named(sscard: CommandLine, card: Path, tmp_path: Path) -> None:
    for file, reason in ((tmp_path / "none", "No such file"), (tmp_path, "Is a directory")):
        code, _, errors = sscard("verify-pin", card, "--pin-file", file)
        assert code == 2
        assert f"{file}: cannot be read: {reason}" in errors


def test_a_file_that_other_users_can_read_is_named_in_a_warning(
    sscard: CommandLine, card: Path, pin_file: Path
) -> None:
    pin_file.chmod(0o644)
    code, output, errors = sscard("verify-pin", card, "--pin-file", pin_file)
    assert (code, output) == (0, "PIN is right\n")
    assert f"chmod 600 {pin_file}" in errors


def test_old_and_new_pin_are_lines_of_standard_input(sscard: CommandLine, card: Path) -> None:
    words = ("change-pin", card, "--new-file", "-", "--old-file", "-")
    assert sscard(*words, stdin=f"{PIN}\n{NEW}\n")[:2] == (0, "PIN changed\n")
    assert sscard("reset-pin", card, "--new-file", "-", stdin=f"{PIN}\n")[0] == 0
    assert sscard("verify-pin", card, "--pin", PIN)[0] == 0


def test_pins_come_from_the_environment(
    sscard: CommandLine, card: Path, pin_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSCARD_PIN", PIN)
    monkeypatch.setenv("SSCARD_NEW_PIN", NEW)
    assert sscard("change-pin", card)[:2] == (0, "PIN changed\n")
    code, output, _ = sscard("verify-pin", card)
    assert code == 1, output
    assert sscard("verify-pin", card, "--pin", NEW)[0] == 0, "an option counts before the variable"
    monkeypatch.setenv("SSCARD_PIN", NEW)
    pin_file.write_text(PIN, encoding="ascii")
    assert sscard("verify-pin", card, "--pin-file", pin_file)[0] == 1, "a file counts before the variable"
    assert sscard("verify-pin", card)[0] == 0
    monkeypatch.setenv("SSCARD_PIN", "13579x")
    code, _, errors = sscard("verify-pin", card)
    assert code == 2
    assert errors.startswith("sscard: SSCARD_PIN: ")
    assert "13579" not in errors


def test_a_script_takes_its_pins_from_files(
    sscard: CommandLine, card: Path, pin_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    verify = "0020000003{pin}"
    code, output, errors = sscard("apdu", card, "--pin-file", pin_file, "--raw", verify)
    assert (code, errors) == (0, "")
    monkeypatch.setenv("SSCARD_PIN", f"{PIN} {NEW}")
    assert sscard("apdu", card, "--raw", verify)[:2] == (code, output)
    monkeypatch.delenv("SSCARD_PIN")
    assert sscard("apdu", card, "--pin-file", "-", "--raw", stdin=f"{PIN}\n{verify}\n")[:2] == (code, output)


@pytest.mark.parametrize(
    ("words", "flag"),
    [(("verify-pin", "--pin"), "--pin"), (("change-pin", "--new"), "--new"), (("apdu", "--pin"), "--pin")],
    ids=["verify-pin", "change-pin", "apdu"],
)
def test_an_option_and_its_file_exclude_each_other(
    sscard: CommandLine, card: Path, pin_file: Path, words: tuple[str, str], flag: str
) -> None:
    command, option = words
    code, _, errors = sscard(command, card, option, PIN, f"{flag}-file", pin_file)
    assert code == 2
    assert f"{flag}: excludes {flag}-file" in errors
    assert PIN not in errors


def test_the_pins_of_the_certificate_application_come_from_files(
    sscard: CommandLine, tmp_path: Path, pin_file: Path
) -> None:
    pin_file.write_text(NEW, encoding="ascii")
    files = ("--certificate-pin-file", pin_file, "--administrator-pin-file", pin_file)
    code, out, errors = sscard("issue", "-o", tmp_path / "new.db", "--certificates", *files, "--json")
    assert (code, errors, NEW in out) == (0, "", False)
    card = load_card(tmp_path / "new.db")
    first = card.profile.layout.certificate_pins
    assert card.memory.strings[first : first + 2] == [bytes.fromhex(NEW)] * 2


def test_a_card_is_issued_with_the_pin_of_a_file(sscard: CommandLine, tmp_path: Path, pin_file: Path) -> None:
    card = tmp_path / "new.db"
    pin_file.write_text(NEW, encoding="ascii")
    assert sscard("issue", "-o", card, "--pin-file", pin_file)[0] == 0
    assert sscard("verify-pin", card, "--pin", NEW)[0] == 0
