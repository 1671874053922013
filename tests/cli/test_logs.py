"""The log on standard error: levels, forms, and that no secret gets into it."""

from __future__ import annotations

import json
import re
import socket
from datetime import datetime
from importlib import resources
from pathlib import Path

import pytest

import kit
from kit.programs import CommandLine, running
from kit.waiting import PATIENCE
from sscard.issuer.cardfile import save_card
from sscard.scenario.library import builtin_folder

PIN, NEW, NEXT = "739184", "582036", "617290"
FORMS = ("text", "json")
FOLDERS = ("01-function/reset", "09-driver-hsm", "11-service-window", "14-service-faults")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with a card and no configuration."""
    monkeypatch.chdir(tmp_path)
    save_card(kit.card_of("v3-sm4", pin=PIN), Path("card.json"))


@pytest.mark.parametrize(
    ("options", "levels"),
    [
        ([], set()),
        (["--log-format", "json"], set()),
        (["--log-format", "json", "-v"], {"INFO"}),
        (["--log-format", "json", "-vv"], {"INFO", "DEBUG"}),
        (["--log-format", "json", "-v", "--verbose"], {"INFO", "DEBUG"}),
        (["--log-format", "json", "-vvv"], {"INFO", "DEBUG"}),
    ],
)
def test_the_level_follows_from_the_number_of_v(sscard: CommandLine, options: list[str], levels: set[str]) -> None:
    code, output, error = sscard(*options, "verify-pin", "card.json", "--pin", PIN)
    assert (code, output) == (0, "PIN is right\n")
    assert {json.loads(line)["level"] for line in error.splitlines()} == levels


def test_a_line_of_the_json_log_has_a_schema_time_and_fields(sscard: CommandLine) -> None:
    lines = sscard("--log-format", "json", "-v", "verify-pin", "card.json", "--pin", PIN)[2].splitlines()
    facts = next(fact for fact in map(json.loads, lines) if fact["message"] == "card opened")
    time = facts.pop("time")
    assert time.endswith("Z")
    assert datetime.fromisoformat(time).utcoffset() is not None
    assert facts == {
        "schema": "sscard.log/1",
        "level": "INFO",
        "logger": "sscard.terminal",
        "message": "card opened",
        "fields": {"kind": "image"},
    }


def test_a_line_of_the_text_log_has_the_same(sscard: CommandLine) -> None:
    error = sscard("-v", "verify-pin", "card.json", "--pin", PIN)[2]
    assert re.search(r'^\d{4}-\d\d-\d\dT[\d:.]+Z INFO sscard\.terminal: card opened kind="image"$', error, re.MULTILINE)


def test_the_log_ends_with_the_command(sscard: CommandLine) -> None:
    assert sscard("-vv", "verify-pin", "card.json", "--pin", PIN)[2]
    assert sscard("verify-pin", "card.json", "--pin", PIN)[2] == ""


def test_the_file_and_the_options_from_it_and_from_variables_are_logged(
    sscard: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("sscard.toml").write_text(
        '[case]\njournal = "postgresql://u:geheim@127.0.0.1:1/x"\n[case.list]\njson = true\n'
    )
    monkeypatch.setenv("SSCARD_CASE_LIST_JOURNAL_KEY", "key")
    error = sscard("-v", "case", "list")[2]
    logged = [line.partition("sscard.cli: ")[2] for line in error.splitlines() if "sscard.cli" in line]
    assert logged[0] == 'configuration file file="sscard.toml"'
    start = "option from the configuration file command="
    assert f'{start}"sscard case list" option="--journal" value="postgresql:…"' in logged
    assert f'{start}"sscard case list" option="--json" value=true' in logged
    start = "option from the environment command="
    assert f'{start}"sscard case list" option="--journal-key" variable="SSCARD_CASE_LIST_JOURNAL_KEY"' in logged
    assert "geheim" not in error


# Secrets


def keys() -> set[str]:
    """The values of the built-in keys, without those of less than 8 bytes."""
    text = (resources.files("sscard.issuer") / "test-keys.yaml").read_text("utf-8")
    return set(re.findall(r"\b[0-9A-F]{16,}\b", text.upper()))


def check_no_secret(log: str, *more: str) -> None:
    assert "sscard." in log
    for secret in (PIN, NEW, NEXT, *(pin.encode().hex() for pin in (PIN, NEW, NEXT)), *keys(), *more):
        assert secret.upper() not in log.upper()


@pytest.mark.parametrize("form", FORMS)
def test_no_command_logs_a_pin_or_key(sscard: CommandLine, form: str) -> None:
    cases = ["--journal", "j.db", "--journal-key", "key"]
    log = ""
    for command in (
        ["issue", "-o", "new.json", "--pin", PIN, "--seed", "1"],
        ["show", "new.json", "--all"],
        ["verify-pin", "new.json", "--pin", NEXT],
        ["verify-pin", "new.json", "--pin", PIN],
        ["change-pin", "new.json", "--old", PIN, "--new", NEW],
        ["reset-pin", "new.json", "--new", NEXT, "--hsm", "soft:"],
        ["unblock-pin", "new.json"],
        ["apdu", "new.json", f"00200000{len(NEXT) // 2:02X}{NEXT}"],
        ["case", "open", "new.json", "--reason", "forgotten", "--new", NEW, "--pharmacy", *cases],
        ["case", "list", *cases],
        ["run", *(builtin_folder() / name for name in FOLDERS), "-k", "blocked"],
    ):
        log += sscard("-vv", "--log-format", form, *command)[2]
    check_no_secret(log, Path("key").read_bytes().hex())
    assert "card opened" in log
    assert "journal opened" in log


@pytest.mark.parametrize("form", FORMS)
def test_neither_client_nor_service_of_an_hsm_logs_what_is_in_a_request(sscard: CommandLine, form: str) -> None:
    options = ("-vv", "--log-format", form)
    with running(*options, "hsm", "serve", "--port", 0, "--token-file", "token") as service:
        begin = service.line_with("HSM at ")
        url = begin.split()[2].rstrip(",")
        done = sscard(*options, "reset-pin", "card.json", "--new", NEW, "--hsm", url, "--hsm-token", "token")
        assert done[0] == 0
        code, rest = service.end()
    assert code == 0
    token = Path("token").read_text("ascii").strip()
    check_no_secret(done[2], token)
    check_no_secret(rest, token)
    assert re.search(r"HSM request.*/v1/safe-message.*200", done[2])
    assert re.search(r"HSM request served.*safe-message.*200", rest)


@pytest.mark.parametrize("form", FORMS)
def test_the_server_of_the_driver_logs_clients_and_functions_only(form: str) -> None:
    serve = ("driver", "serve", "card.json", "--listen", "tcp:0", "--pins", f"{NEXT},{PIN}")
    with running("-vv", "--log-format", form, *serve) as server:
        log = line = ""
        while "driver at tcp:" not in line:
            log += (line := server.line())
        port = int(line.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as client, client.makefile("rwb") as lines:
            for sent in (b"sscard-driver\t1\tUTF-8\n", b"iVerifyPIN\t1\n", b"iVerifyPIN\t1\n"):
                lines.write(sent)
                lines.flush()
                answer = lines.readline()
        assert answer.startswith(b"0\t")
        while "driver client disconnected" not in log:
            log += server.line()
        code, rest = server.end()
    assert code == 0
    assert log.count("iVerifyPIN") >= 2
    check_no_secret(log + rest)


def test_a_line_of_the_text_log_has_no_character_that_a_terminal_obeys(sscard: CommandLine) -> None:
    odd = Path("a\x9b31m\u202e")
    odd.mkdir()
    (odd / "c.toml").write_text("lang = 'en'\n")
    error = sscard("-v", "--config", odd / "c.toml", "personality", "list")[2]
    assert r"a\x9b31m\u202e" in error
    assert not {"\x9b", "\u202e"} & {*error}
