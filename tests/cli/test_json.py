"""`--json` of every command that reports: one document with a schema name, in either language."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import kit
from kit.programs import CommandLine
from sscard.cli.app import app
from sscard.i18n.language import speaking
from sscard.issuer.cardfile import save_card

PIN, NEW = "739184", "582036"
CASE = "--journal journal.db --journal-key journal.key"
OPEN = f"--channel window --reason leaked --paper id-card --paper social-security-card --new {NEW} {CASE}"

IMAGES = Path(__file__).parent.parent / "images"
SCHEMAS = {
    "show": ("card.db", "sscard.show/1"),
    "image check": (f"{IMAGES}/2/v3-sm4-fresh.json", "sscard.image-check/1"),
    "commands": ("", "sscard.commands/1"),
    "item": ("", "sscard.item/1"),
    "doctor": ("", "sscard.doctor/1"),
    "personality list": ("", "sscard.personalities/1"),
    "personality show": ("v3-sm4", "sscard.personality/1"),
    "personality check": ("v3-sm4", "sscard.personality-check/1"),
    "case open": (f"card.db --old {PIN} {OPEN}", "sscard.case/1"),
    "case show": (f"{{number}} {CASE}", "sscard.case/1"),
    "case resume": (f"{{number}} {CASE} --old {PIN} --new {NEW}", "sscard.case/1"),
    "case list": (CASE, "sscard.cases/1"),
    "case overdue": (CASE, "sscard.cases/1"),
    "case verify": (CASE, "sscard.journal-check/1"),
}
ELSEWHERE = {"driver call"}
"""Needs a library: tests/driver/test_libraries.py."""


def commands_with_json(group: click.Group, *names: str) -> Iterator[str]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands_with_json(command, *names, name)
        elif command is not None and any("--json" in each.opts for each in command.params):
            yield " ".join((*names, name))


def test_every_command_with_json_is_tested() -> None:
    assert set(commands_with_json(app)) == SCHEMAS.keys() | ELSEWHERE


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("command", SCHEMAS)
def test_json_has_a_schema_name(
    sscard: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, language: str
) -> None:
    monkeypatch.chdir(tmp_path)
    save_card(kit.card_of("v3-sm4", PIN), "card.db")
    arguments, schema = SCHEMAS[command]
    number = ""
    if CASE in arguments and command != "case open":
        number = json.loads(sscard("case", "open", *shlex.split(OPEN), "--name", "张三", "--json")[1] or "{}")["number"]
    words = shlex.split(arguments.format(number=number))
    monkeypatch.setenv("LANGUAGE", "en")
    with speaking("en"):  # --lang changes both
        _, out, err = sscard("--lang", language, *command.split(), *words, "--json")
    content = json.loads(out)
    assert content["schema"] == schema
    assert len(content) > 1
    assert PIN not in out + err
