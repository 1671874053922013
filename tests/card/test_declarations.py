"""Declarations against what the card does: the status words that the cases reach, lengths of data and answers."""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import fields, replace
from typing import Any

import pytest

from card import test_pin_commands, test_status_words
from kit import Desk
from kit.command_sheet import generic
from sscard.card.commands import COMMANDS
from sscard.chip.command import Command, total_lengths
from sscard.conversation.explain import find_declaration
from sscard.issuer import preset
from sscard.standard.choices import CHOICES, Personality

AnyCommand = Command[Any]
UNREACHABLE = {
    **test_pin_commands.UNREACHABLE,
    **test_status_words.UNREACHABLE,
}
"""Declared because the sheet lists them; the reason beside each."""


COMPILED = "SSCARD_COMPILED" in os.environ
READ_ELSEWHERE = {
    "challenge_lasts": "when the power comes on, for the whole session",
    "select_keeps": "by a SELECT of another DF: test_selecting_another_df",
    "card_block_reaches_financial": "by the commands after CARD BLOCK",
}
"""Choices that no case of the command itself reads; when they are read."""

ASKED: set[str] = set()
"""The fields of a personality that were read."""


class Watched(Personality):
    """A personality that notes which fields are read."""

    def __getattribute__(self, name: str) -> Any:
        ASKED.add(name)
        return super().__getattribute__(name)


class Met:
    """What the cases of one command reached."""

    def __init__(self) -> None:
        self.choices: set[str] = set()
        self.words: set[int] = set()
        self.lc: set[int] = set()
        self.answers: set[int] = set()


def watched(personality: Personality) -> Personality:
    if COMPILED:
        return personality
    return Watched(**{each.name: getattr(personality, each.name) for each in fields(personality)})


@pytest.fixture(scope="module")
def met() -> dict[AnyCommand, Met]:
    found: dict[AnyCommand, Met] = defaultdict(Met)
    for module in (test_pin_commands, test_status_words):
        for case in (case for cases in module.CASES.values() for case in cases):
            cards = getattr(case, "cards", None) or ((case.only,) if case.only else ("v3-sm4", "v2-3des"))
            for card in cards:
                contact = getattr(case, "contact", False)
                desk = Desk(watched(replace(preset(card), **case.switches)), case.pin, contact=contact)
                case.before(desk)
                sent = bytes.fromhex(case.send) if isinstance(case.send, str) else case.send(desk)
                ASKED.clear()
                answer = desk.send(sent)
                asked = ASKED & set(CHOICES)
                declared = find_declaration(sent)
                if declared is None:
                    continue
                found[declared].choices |= asked
                word = int.from_bytes(answer[-2:], "big")
                found[declared].words.add(generic(word))
                if word == 0x9000:
                    found[declared].lc.add(sent[4] if len(sent) > 4 and declared.data else 0)
                    found[declared].answers.add(len(answer) - 2)
    return found


each_command = pytest.mark.parametrize("command", COMMANDS, ids=lambda command: f"{command.clas[0]:02X} {command.name}")


@each_command
def test_every_declared_word_is_reached_or_excused(met: dict[AnyCommand, Met], command: AnyCommand) -> None:
    excused = {word for name, word in UNREACHABLE if name == command.name}
    # Commands with the same INS share their checks: UPDATE with and without a MAC, INITIALIZE for load and purchase.
    reached = {word for other, cases in met.items() if other.ins == command.ins for word in cases.words}
    # 6E00 is often reached under a CLA without a declaration; 61xx comes on contact only, see tests/chip.
    missing = {generic(word) for word in command.statuses} - reached - excused - {0x6E00, 0x6100}
    assert {f"{word:04X}" for word in missing} == set()


@each_command
def test_it_reads_the_choices_it_declares_and_no_other(met: dict[AnyCommand, Met], command: AnyCommand) -> None:
    if COMPILED:
        pytest.skip("compiled code reads a field of a personality without a call")
    read = {choice for other, cases in met.items() if other is command for choice in cases.choices}
    assert read <= set(command.choices)
    assert set(command.choices) - read <= set(READ_ELSEWHERE)


@each_command
def test_what_succeeds_has_a_declared_length(met: dict[AnyCommand, Met], command: AnyCommand) -> None:
    assert met[command].lc
    if command.data:
        assert met[command].lc <= command.lc
    if command.answer and total_lengths(command.answer):
        assert met[command].answers <= total_lengths(command.answer)
    if not command.answer:
        assert met[command].answers == {0}
