"""The reference of the commands: every example is sent, look-up and pages, in both languages."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner

import commands_page
from kit import Desk
from kit.slot import Slot
from sscard.chip.command import Command, total_lengths
from sscard.cli.app import app
from sscard.conversation.reference import CARD, PSAM, as_facts, find_commands, markdown, spans
from sscard.errors import InputError
from sscard.i18n.language import CHINESE, ENGLISH, speaking
from sscard.issuer import preset
from sscard.standard.certificates import cryptogram
from sscard.standard.choices import CHOICES

AnyCommand = Command[Any]
PLACE = re.compile(r"\{(\w+)(?: ([^}]*))?\}")
HAN = re.compile("[\u4e00-\u9fff]")
EVERY = [
    pytest.param(chip, command, id=f"{chip.prefix}{command.name} {command.clas[0]:02X}")
    for chip in (CARD, PSAM)
    for command in chip.commands
]
every_command = pytest.mark.parametrize(("chip", "command"), EVERY)


class CardUnderExample:
    """A card just issued; the computed parts of an example come from its keys."""

    def __init__(self, command: AnyCommand, *, contact: bool) -> None:
        stub = command.section.startswith("certificate-application.md")
        personality = replace(preset("v3-sm4"), certificate_application="stub" if stub else "absent")
        self.desk = Desk(personality, contact=contact)
        self.opened = b""

    def fill(self, text: str, before: str) -> str:
        desk = self.desk
        word, argument = text.split(" ") if " " in text else (text, "")
        if word == "proof":
            return desk.proof(argument)[5:].hex()
        if word == "cryptogram":
            return cryptogram(bytes.fromhex(argument), desk.random).hex()
        if word == "enciphered":
            return desk.message(1, desk.block(bytes.fromhex(argument)))[5:-4].hex()
        if word == "mac":
            return desk.sealed(before[:8], before[10:], stk=argument)[-4:].hex()
        made = desk.credit(self.opened, 500) if word == "MAC2" else desk.debit(self.opened, 0, 200, 100)
        return made[-4:].hex()

    def send(self, command: bytes) -> bytes:
        answer = self.desk.send(command)
        if command[1] == 0x84:
            self.desk.random = answer[:-2]
        if command[:2] == b"\xb0\x28":
            self.opened = answer
        return answer


class PsamUnderExample:
    """A PSAM just issued, as it is after power-on."""

    def __init__(self, *, contact: bool) -> None:
        self.slot = Slot("SM4", contact=contact)
        self.slot.chip.reset()
        self.opened = b""

    def fill(self, text: str, _: str) -> str:
        slot = self.slot
        word, argument = text.split(" ") if " " in text else (text, "")
        if word == "proof":
            return slot.proof(int(argument[-2:]))[10:]
        if word in ("enciphered", "mac"):
            self.plain = argument if word == "enciphered" else self.plain
            written = slot.write_key(0, self.plain)
            return written[10:-8] if word == "enciphered" else written[-8:]
        return slot.mac2(self.opened).hex()

    def send(self, command: bytes) -> bytes:
        answer = self.slot.chip.transmit(command)
        if command[1] == 0x84:
            self.slot.random = answer[:-2]
        if command[1] == 0x70:
            self.opened = answer
        return answer


def filled(text: str, fill: Callable[[str, str], str]) -> bytes:
    """The bytes of a step; each computed part sees what stands before it."""
    done, rest = "", text.replace(" ", "") if "{" not in text else text
    while "{" in rest:
        before, _, after = rest.partition("{")
        place, _, rest = after.partition("}")
        done += before.replace(" ", "")
        done += fill(place, done)
    return bytes.fromhex(done + rest.replace(" ", ""))


@every_command
def test_an_example_is_answered_as_it_says(chip: Any, command: AnyCommand) -> None:
    assert command.example
    contact = any(step.answer.startswith(("61", "6C")) for step in command.example) and command.ins == 0xC0
    at = CardUnderExample(command, contact=contact) if chip is CARD else PsamUnderExample(contact=contact)
    sent = []
    for step in command.example:
        apdu = filled(step.command, at.fill)
        sent.append((apdu[0], apdu[1]))
        answer = at.send(apdu).hex().upper()
        assert re.fullmatch(step.answer.replace("X", "[0-9A-F]"), answer), f"{step.command}: {answer}"
    assert (command.clas[0], command.ins) in sent


@every_command
def test_a_declaration_is_complete_in_both_languages(chip: Any, command: AnyCommand) -> None:
    assert set(command.choices) <= set(CHOICES)
    assert 0x9000 in command.statuses
    assert re.fullmatch(r"[\w-]+\.md \u00a7[0-9.]+", command.section)
    names = [part.name for part in (*command.data, *command.answer)]
    assert all(name.english and name.chinese for name in names)
    assert not [name.english for name in names if HAN.search(name.english)]
    with speaking(CHINESE):
        assert command.chinese in markdown((chip,))
    assert command.lc <= command.lengths
    assert not command.lc or command.lc <= total_lengths(command.data)


def test_every_choice_of_a_command_is_on_some_entry() -> None:
    declared = {name for command in CARD.commands for name in command.choices}
    general = {
        "generation": "which files there are",
        "algorithm": "the suite of all keys",
        "ssse_fid": "the tree",
        "optional_applications": "the tree",
        "health_application": "the tree",
        "long_uid": "the reader's answer",
        "financial": "the tree",
        "certificate_application": "the tree",
        "bank_application": "the tree",
        "an_padding": "written by personalisation",
        "unknown_ins": "no command has that INS",
    }
    assert declared | set(general) == set(CHOICES)
    assert not declared & set(general)


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ("20", ["VERIFY", "VERIFY CERTIFICATE PIN"]),
        ("0x20", ["VERIFY", "VERIFY CERTIFICATE PIN"]),
        ("0X5e", ["CHANGE PIN"]),
        ("verify", ["VERIFY"]),
        ("校验个人密码", ["VERIFY"]),
        ("pin-change", ["PIN CHANGE/UNBLOCK"]),
        ("28", ["INITIALIZE FOR LOAD", "INITIALIZE FOR PURCHASE"]),
        ("update binary", ["UPDATE BINARY", "UPDATE BINARY"]),
        ("debit", ["DEBIT FOR PURCHASE"]),
    ],
)
def test_a_command_is_found(wanted: str, names: list[str]) -> None:
    assert [command.name for command in find_commands(CARD, wanted)] == names


@pytest.mark.parametrize(
    ("wanted", "remedy"),
    [
        ("VERFY", "did you mean 'VERIFY'?"),
        ("initialize", "INITIALIZE FOR LOAD, INITIALIZE FOR PURCHASE"),
        ("F9", "expected one of: "),
    ],
)
def test_an_unknown_command_names_the_nearest(wanted: str, remedy: str) -> None:
    with pytest.raises(InputError) as refused:
        find_commands(CARD, wanted)
    with speaking(ENGLISH):
        assert remedy in str(refused.value)


@pytest.mark.parametrize(
    ("numbers", "text"),
    [((), ""), ((4,), "4"), ((0, *range(2, 9)), "0, 2–8"), ((4, 8, 16), "4, 8, 16"), (range(8, 129, 8), "8, 16 … 128")],
)
def test_lengths_are_written_short(numbers: Any, text: str) -> None:
    assert spans(numbers) == text


def test_the_pages_are_up_to_date() -> None:
    differing = [path.name for path, text in commands_page.generated().items() if path.read_text("utf-8") != text]
    assert not differing, "python tools/commands_page.py"


def test_a_parameter_without_a_meaning_shows_none() -> None:
    with speaking(CHINESE):
        assert "Content-Type" not in markdown() + json.dumps([as_facts(CARD, command) for command in CARD.commands])


def test_each_heading_of_a_page_has_its_own_anchor_and_is_linked() -> None:
    for language in (ENGLISH, CHINESE):
        page = commands_page.PAGES[language].read_text("utf-8")
        headings = re.findall(r"^### (.*)$", page, re.MULTILINE)
        assert len(headings) == len(set(headings)) == len(EVERY)
        assert len(re.findall(r"\]\(#", page)) == len(EVERY)


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["--lang", "en", "commands", *arguments])


def test_the_table_and_an_entry_are_printed() -> None:
    table = run().stdout
    assert all(command.name in table for command in CARD.commands)
    assert "DELIVERY SESSION KEY" in run("--psam").stdout
    entry = run("20").stdout
    assert "63Cx  PIN wrong, x tries left" in entry
    assert "LD/T 32.5, card-commands.md §1.9" in entry
    assert "> 0020000003 111111\n  < 63C5" in entry


def test_an_entry_for_programs() -> None:
    facts = json.loads(run("VERIFY", "--json").stdout)
    assert facts["schema"] == "sscard.commands/1"
    (entry,) = facts["commands"]
    assert (entry["name"], entry["chinese"], entry["cla"], entry["ins"]) == ("VERIFY", "校验个人密码", ["00"], "20")
    assert entry["lc"] == [0, 2, 3, 4, 5, 6, 7, 8]
    assert {"63Cx", "6983"} <= {row["sw"] for row in entry["status_words"]}
    assert len(json.loads(run("--json").stdout)["commands"]) == len(CARD.commands)
