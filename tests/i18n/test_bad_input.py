"""What other libraries find wrong with an input is caught by type: no sentence of theirs reaches Chinese output."""

from __future__ import annotations

import errno
import os
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from sscard.conversation.recording import read_recording
from sscard.document import Model, parse_document
from sscard.driver.libraries import DRIVERS
from sscard.errors import InputError, PhrasedError
from sscard.hsm.http import open_url, read_token
from sscard.hsm.protocol import Access
from sscard.i18n.language import CHINESE, REASONS, reason_of, say, speaking
from sscard.issuer import find_personality, load_keys
from sscard.issuer.cardfile import load_card
from sscard.issuer.holder import Holder
from sscard.scenario.reader import read_scenario
from sscard.service.journal.schema import reason_in
from sscard.terminal.cards import open_card

HAN = re.compile("[\u4e00-\u9fff]")
SENTENCE = re.compile(r"[A-Za-z]{2,} [a-z]{2,}")
NAMES = re.compile(r"'[^']*'|/\S+|sscard [a-z]+( [a-z]+)?( TARGET)?( -o FILE)?")

STEPS = "name: n\nproves: p\nsteps:\n"


def scenario(text: str) -> Callable[[Path], object]:
    return lambda path: read_scenario(written(path, text))


def personality(text: str) -> Callable[[Path], object]:
    return lambda path: find_personality(str(written(path, f"based_on: v3-sm4\nname: own\n{text}\n")))


def key_file(text: str) -> Callable[[Path], object]:
    return lambda path: load_keys(written(path, text))


def recording(text: str) -> Callable[[Path], object]:
    return lambda _: read_recording('{"format": "sscard recording", "version": 1}\n' + text, "a.jsonl")


def image(text: str) -> Callable[[Path], object]:
    return lambda path: load_card(written(path, text))


def written(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


BAD = {
    "a file that is not there": lambda path: load_card(path.with_name("none.db")),
    "a folder for a file": lambda path: load_card(path.parent),
    "a name too long": lambda path: load_card(path.with_name("x" * 300)),
    "bytes that are no text": lambda path: path.write_bytes(b"\xff\xfe") and read_scenario(path),
    "an open bracket": scenario(f"{STEPS}  - [x\n"),
    "an open quote": scenario("name: 'n\n"),
    "a colon too many": scenario("name: a: b\n"),
    "a tab": scenario("name:\n\t- x\n"),
    "an alias without anchor": scenario("name: *x\n"),
    "two documents": scenario("a: 1\n---\nb: 2\n"),
    "a control character": scenario("name: \x01\n"),
    "a list for a word": scenario("name: [a]\nproves: p\nsteps: [{reset: }]\n"),
    "an empty word": scenario("name: ''\nproves: p\nsteps: [{reset: }]\n"),
    "no steps": scenario("name: n\nproves: p\nsteps: []\n"),
    "a word for a list": scenario("name: n\nproves: p\nsteps: many\n"),
    "an unknown choice": scenario(f"{STEPS}  - reset:\ncard: {{interface: radio}}\n"),
    "a number too high": scenario(f"{STEPS}  - reset:\ncard: {{tries_left: 16}}\n"),
    "a number below 0": scenario(f"{STEPS}  - fail_memory: -1\n"),
    "a word for a number": scenario(f"{STEPS}  - fail_memory: soon\n"),
    "no date": scenario(f"{STEPS}  - reset:\ncard: {{issued: yesterday}}\n"),
    "no truth value": scenario(f"{STEPS}  - reset:\ncard: {{card_blocked: perhaps}}\n"),
    "a pattern": scenario(f"{STEPS}  - reset:\ncard: {{city_code: '0'}}\n"),
    "a PIN of letters": scenario(f"{STEPS}  - verify_pin: abcdef\n"),
    "a PIN too short": scenario(f"{STEPS}  - verify_pin: 123\n"),
    "a missing field": scenario("name: n\n"),
    "an unknown field": scenario(f"{STEPS}  - reset:\ncolour: red\n"),
    "fields for a list": key_file("name: n\nkeys: {}\n"),
    "a key that is no hex": key_file("name: n\nkeys: [{name: K, use: mac, addresses: [1001], des: [xyz]}]\n"),
    "a limit": personality("pin_tries: 99"),
    "a boolean": personality("puk_once: maybe"),
    "a key that is no JSON": recording("{x}"),
    "a JSON that is cut": recording('{"at": 0, "event": '),
    "a number that is text": recording('{"at": "noon", "event": "power off"}'),
    "text that is a number": recording('{"at": 0, "event": "command", "command": 1, "sw": "9000"}'),
    "an image that is no JSON": image("nothing"),
    "an image with more after it": image('{"format": "sscard card image"} x'),
    "a library that is none": lambda path: DRIVERS.open(str(written(path, "text"))).__enter__(),
    "a library that is not there": lambda path: DRIVERS.open(str(path.with_name("none.so"))).__enter__(),
    "a program that is not there": lambda path: open_card(f"exec:{path}.none").__enter__().power_on(),
    "a command line with an open quote": lambda _: open_card("exec:'x").__enter__().power_on(),
    "a port nobody listens on": lambda _: open_card("tcp:127.0.0.1:1").__enter__().power_on(),
    "a token that is not there": lambda path: read_token(path.with_name("none")),
    "a URL without port": lambda path: open_url("http://:x", access=Access(written(path, "token"))),
    "an ID number that is none": lambda _: Holder("张三", "410402198503150008"),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_a_bad_input_is_refused_in_chinese(tmp_path: Path, bad: Callable[[Path], object]) -> None:
    with pytest.raises(PhrasedError) as caught:
        bad(tmp_path / "bad.yaml")
    english = str(caught.value)
    with speaking(CHINESE):
        chinese = str(caught.value)
    assert HAN.search(chinese)
    assert not HAN.search(english.replace("张三", ""))
    assert not SENTENCE.search(NAMES.sub("", chinese)), chinese


@pytest.mark.parametrize("number", sorted(REASONS), ids=errno.errorcode.get)
def test_a_refusal_of_the_system_is_told_by_its_number(number: int) -> None:
    error = OSError(number, "as the system says it")
    assert say(reason_of(error)) == os.strerror(number)
    with speaking(CHINESE):
        assert HAN.search(say(reason_of(error)))


def test_a_rare_refusal_of_the_system_is_in_its_own_words() -> None:
    assert reason_of(OSError(errno.EXDEV, "Invalid cross-device link")) == "Invalid cross-device link"


def test_a_database_that_is_none_is_told_by_its_number(tmp_path: Path) -> None:
    place = written(tmp_path / "j", "no database " * 100)
    with pytest.raises(sqlite3.DatabaseError) as caught:
        sqlite3.connect(place).execute("select * from sqlite_master")
    assert say(reason_in(caught.value)) == "the file is not an SQLite database"


class Wide(Model):
    """A document with a type that has no phrase of ours."""

    when: complex


def test_a_type_without_a_phrase_is_told_in_the_words_of_the_library() -> None:
    with pytest.raises(InputError, match="when: Input should be a valid"):
        parse_document("when: x", "a.yaml").as_model(Wide)
