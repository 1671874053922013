"""`--json` of every command that reports: one document with a schema name, in either language."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import kit
from kit.campaigns import task_in
from kit.programs import CommandLine
from sscard.campaign.results_writer import ResultsWriter
from sscard.campaign.running import plan_of
from sscard.cli.app import app
from sscard.i18n.language import speaking
from sscard.issuer import builtin_keys
from sscard.issuer.cardfile import save_card
from sscard.issuer.holderbasefile import SqliteHolderBase
from sscard.issuer.psam import issue_psam
from sscard.issuer.psamfile import save_psam

PIN, NEW = "739184", "582036"
CASE = "--journal journal.db --journal-key journal.key"
OPEN = f"--channel window --reason leaked --paper id-card --paper social-security-card --new {NEW} {CASE}"

IMAGES = Path(__file__).parent.parent / "images"
SCHEMAS = {
    "run": ("one.yaml", "sscard.run/1"),
    "testbed check": ("testbed.yaml one.yaml", "sscard.testbed-plan/1"),
    "probe": (f"card.db --pin {PIN}", "sscard.probe/1"),
    "coverage": ("one.yaml", "sscard.coverage/1"),
    "bench": ("verify --count 5 --warm-up 0", "sscard.bench/1"),
    "campaign run": ("--cards 3 --workers 1 --through card", "sscard.campaign/1"),
    "campaign show": ("campaign.db", "sscard.campaign/1"),
    "defects list": ("630x", "sscard.defects/1"),
    "scenario check": ("one.yaml", "sscard.scenario-check/1"),
    "scenario list": ("one.yaml", "sscard.scenarios/1"),
    "issue": ("-o new.db", "sscard.issue/1"),
    "psam issue": ("-o new.db", "sscard.psam-issue/1"),
    "psam show": ("psam.db", "sscard.psam-show/1"),
    "holder-base set": ("base.db card.db lost", "sscard.holder-base/1"),
    "holder-base show": ("base.db card.db", "sscard.holder-base/1"),
    "holder-base list": ("base.db", "sscard.holder-base-list/1"),
    "holder-base import": ("base.db list.yaml", "sscard.holder-base-import/1"),
    "apdu": (f"card.db 0084000008 0020000003{PIN}", "sscard.conversation/1"),
    "verify-pin": (f"card.db --pin {PIN}", "sscard.pin/1"),
    "change-pin": (f"card.db --old {PIN} --new {NEW}", "sscard.pin/1"),
    "reset-pin": (f"card.db --new {NEW}", "sscard.pin/1"),
    "unblock-pin": ("card.db", "sscard.pin/1"),
    "record": ("card.db -o new.rec 0084000008", "sscard.conversation/1"),
    "replay": ("script card.db", "sscard.comparison/1"),
    "compare": ("script card.db other.db", "sscard.comparison/1"),
    "show": ("card.db", "sscard.show/1"),
    "image check": (f"{IMAGES}/2/v3-sm4-fresh.json", "sscard.image-check/1"),
    "commands": ("", "sscard.commands/1"),
    "item": ("", "sscard.item/1"),
    "doctor": ("", "sscard.doctor/1"),
    "policy list": ("", "sscard.policies/1"),
    "policy show": ("henan", "sscard.policy/1"),
    "policy check": ("policy.yaml", "sscard.policy-check/1"),
    "personality list": ("", "sscard.personalities/1"),
    "personality show": ("v3-sm4", "sscard.personality/1"),
    "personality check": ("v3-sm4", "sscard.personality-check/1"),
    "place list": ("", "sscard.places/1"),
    "place show": ("tries-8", "sscard.place/1"),
    "place check": ("place.yaml", "sscard.place-check/1"),
    "prove fuzz": ("hsm --input script", "sscard.proof/1"),
    "prove kills": ("--what apdu --count 1", "sscard.proof/1"),
    "hsm vectors": ("", "sscard.hsm-vectors/1"),
    "hsm check": ("soft:", "sscard.hsm-check/1"),
    "case open": (f"card.db --old {PIN} {OPEN}", "sscard.case/1"),
    "case show": (f"{{number}} {CASE}", "sscard.case/1"),
    "case resume": (f"{{number}} {CASE} --old {PIN} --new {NEW}", "sscard.case/1"),
    "case list": (CASE, "sscard.cases/1"),
    "case consult": ("--channel online", "sscard.consultation/1"),
    "case overdue": (CASE, "sscard.cases/1"),
    "case archive": (f"--before 2000-01-01 --to archive.db {CASE}", "sscard.case-archive/1"),
    "case stats": (CASE, "sscard.case-stats/1"),
    "case verify": (CASE, "sscard.journal-check/1"),
    "case reindex": (CASE, "sscard.journal-check/1"),
}
ELSEWHERE = {
    "run --list": "sscard.run-list/1",
    "campaign run --card": "sscard.campaign-card/1",
    "defects run": "sscard.defects-run/1",
    "run --evidence": "sscard.evidence/1",
    "driver build": "sscard.driver-library/1",
    "driver path": "sscard.driver-library/1",
    "driver call": "sscard.driver-call/1",
    "farm": "sscard.farm/1",
    "hsm load": "sscard.hsm-load/1",
    "prove tears": "sscard.proof/1",
    "prove model": "sscard.proof/1",
    "compare of a scenario": "sscard.scenario-comparison/1",
}
"""They take long, or need a compiler, a library, a daemon, a token: their tests are with those parts."""
WITHOUT = {
    "insert": "serves a card; its output is the reader's name and a log",
    "driver serve": "serves a driver",
    "hsm serve": "serves an HSM",
    "export": "its output is the script",
    "image export": "its output is the image",
    "image import": "its output is the card file",
    "campaign schema": "its output is the schema",
    "scenario new": "its output is the files",
    "scenario explain": "its output is sentences",
    "scenario verbs": "its output is a page",
    "scenario schema": "its output is the schema",
    "testbed schema": "its output is the schema",
}
"""Commands that report nothing, and why."""
PAGE = Path(__file__).parents[2] / "docs" / "reference" / "json.md"


def every_command(group: click.Group, *names: str) -> Iterator[tuple[str, bool]]:
    """Name of each command, and whether it has --json."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from every_command(command, *names, name)
        elif command is not None:
            yield " ".join((*names, name)), any("--json" in each.opts for each in command.params)


def test_every_command_that_reports_has_json_and_is_tested() -> None:
    known = SCHEMAS.keys() | ELSEWHERE.keys() - {
        "campaign run --card",
        "compare of a scenario",
        "run --list",
        "run --evidence",
    }
    assert dict(every_command(app)) == dict.fromkeys(known, True) | dict.fromkeys(WITHOUT, False)


def test_the_page_lists_every_schema() -> None:
    listed = set(re.findall(r"`(sscard\.[a-z-]+/1)`", PAGE.read_text("utf-8")))
    assert listed == {schema for _arguments, schema in SCHEMAS.values()} | set(ELSEWHERE.values())


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("command", SCHEMAS)
def test_json_has_a_schema_name(
    sscard: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, language: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("card.db", "other.db"):
        save_card(kit.card_of("v3-sm4", PIN), name)
    save_psam(issue_psam(builtin_keys()), "psam.db")
    SqliteHolderBase(Path("base.db"), create=True)
    ResultsWriter.create(Path("campaign.db"), plan_of(task_in(tmp_path), 3)).close()
    Path("list.yaml").write_text("cards: [{first: A00000003, standing: lost}]\n")
    Path("script").write_text("0084000008\n")
    Path("policy.yaml").write_text("based_on: henan\n")
    Path("place.yaml").write_text("name: here\n")
    Path("testbed.yaml").write_text("card: {use: card.db}\n")
    Path("one.yaml").write_text(f"name: n\nproves: p\ncard: {{pin: {PIN}}}\nsteps:\n  - verify_pin: {PIN}\n")
    arguments, schema = SCHEMAS[command]
    number = ""
    if CASE in arguments and command != "case open":
        number = json.loads(sscard("case", "open", "card.db", *shlex.split(OPEN), "--old", PIN, "--json")[1])["number"]
    words = shlex.split(arguments.format(number=number))
    monkeypatch.setenv("LANGUAGE", "en")
    with speaking("en"):  # --lang changes both
        _, out, err = sscard("--lang", language, *command.split(), *words, "--json")
    content = json.loads(out)
    assert content["schema"] == schema
    assert len(content) > 1
    assert PIN not in out + err


def test_a_refused_pin_is_a_document_too(sscard: CommandLine, tmp_path: Path) -> None:
    card = tmp_path / "card.db"
    save_card(kit.card_of("v3-sm4", PIN), card)
    code, out, err = sscard("verify-pin", card, "--pin", NEW, "--json")
    content = json.loads(out)
    assert (code, content["done"], content["status"], content["tries_left"]) == (1, False, "63C5", 5)
    assert content["said"] == err.strip()
    code, out, _err = sscard("reset-pin", card, "--new", NEW, "--json")
    assert (code, json.loads(out)["tries_left"]) == (0, 6)


def test_a_failing_run_prints_its_results_and_the_table_elsewhere(sscard: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(f"name: n\nproves: p\nsteps:\n  - verify_pin: {PIN}\n", encoding="utf-8")
    code, out, err = sscard("run", file, "--json")
    assert (code, [each["verdict"] for each in json.loads(out)["results"]]) == (1, ["failed"])
    assert "0 passed, 1 failed" in err


def test_differences_are_facts(sscard: CommandLine, tmp_path: Path) -> None:
    for name, pin in (("a.db", PIN), ("b.db", NEW)):
        save_card(kit.card_of("v3-sm4", pin), tmp_path / name)
    script = tmp_path / "script"
    script.write_text("0020000003 {pin}\n0084000008\n")
    code, out, _err = sscard("compare", script, tmp_path / "a.db", tmp_path / "b.db", "--pin", PIN, "--json")
    content = json.loads(out)
    assert (code, content["commands"], content["sent"]) == (1, 2, 1)
    (difference,) = content["differences"]
    assert (difference["line"], len(difference["answers"])) == (1, 2)
    assert PIN not in out


def test_a_scenario_on_two_personalities_is_a_document(sscard: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "one.yaml"
    file.write_text("name: n\nproves: p\nsteps:\n  - verify_pin: 123456\n", encoding="utf-8")
    code, out, _err = sscard("compare", file, "v3-sm4", "v2-3des", "--json")
    content = json.loads(out)
    assert (code, content["schema"], content["steps_differ"]) == (0, "sscard.scenario-comparison/1", 0)


def test_a_conversation_has_masked_pins_and_explained_answers(
    sscard: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = tmp_path / "card.db"
    save_card(kit.card_of("v3-sm4", PIN), card)
    code, out, _err = sscard("apdu", card, f"0020000003{PIN}", "--json")
    power, verify, off = json.loads(out)["events"]
    assert code == 0
    assert power["atr"].startswith("3B")
    assert (verify["name"], verify["sw"], verify["data"]) == ("VERIFY (PIN of 3 bytes)", "9000", "")
    assert PIN not in verify["command"]
    monkeypatch.setenv("LANGUAGE", "en")
    with speaking("en"):  # --lang changes both
        chinese = json.loads(sscard("--lang", "zh", "apdu", card, f"0020000003{PIN}", "--json")[1])["events"]
    for events in ([power, verify, off], chinese):
        assert [event["event"] for event in events] == ["power on", "command", "power off"]
