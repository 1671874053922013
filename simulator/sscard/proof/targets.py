"""What is fuzzed: each target takes bytes, and only errors of sscard may come out of it.

A target is made by a function that gets an empty folder for its files. Inputs
are small programs where bytes alone would reach little: commands with proofs
and MACs for the chip, changed bytes of a card file, changed fields of an image.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import suppress
from copy import deepcopy
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import Any, Final

from sscard.chip.engine import PowerError
from sscard.chip.memory import Memory, Moment, PowerLost
from sscard.driver.api import FUNCTIONS, DriverOptions, Readers, SSCardDriver
from sscard.driver.server import CHARSETS, HELLO, Conversation, Turns
from sscard.errors import PhrasedError
from sscard.hsm import SoftHsm
from sscard.hsm.operations import HsmOperations
from sscard.i18n.phrase import Phrase
from sscard.issuer import Card, builtin_keys, issue_card, presets
from sscard.issuer.cardfile import load_card, open_card
from sscard.issuer.database import CARD, PAGE, new_file, wal_of
from sscard.issuer.image import digest_of, read_image, write_image
from sscard.issuer.psam import issue_psam
from sscard.proof.fuzz import Target, Wrong
from sscard.proof.tears import card_sweeps, psam_sweeps
from sscard.scenario.library import builtin_folder
from sscard.scenario.reader import read_scenario
from sscard.terminal.pinpad import ScriptedPad
from sscard.terminal.psam import Psam
from sscard.transport.connection import Connection
from sscard.transport.vpcd_wire import Control, FrameReader, WireError, frame

SEED: Final = 1
RAW, SCRIPT, CUT = 0xC0, 0xF0, 0xFF
"""Operations of the target ``apdu``: below RAW the length of a command, below SCRIPT a script, else a power cut."""
OPERATIONS: Final = 16
"""At most so many in one input: more of them are slow and find nothing new."""
COMMANDS: Final = tuple(
    map(bytes.fromhex, ("00A404000F7378312E73682EC9E7BBE1B1A3D5CF", "0020000003123456", "00B2012C00", "0084000008"))
)
PATCH: Final = 4
"""Bytes that change one byte of a card file: where (3), and the new value."""
VALUES: Final[tuple[Any, ...]] = (
    *(None, True, 0, -1, 15, 16, 255, 1 << 31, 1 << 32, 1 << 70, 1.5, "", "0", "00", "FF" * 8, "00" * 300, "x"),
    *("\ud800", "v3-sm4", [], ["00" * 16], [[]], {}, {"x": 1}),
)
REPLIES: Final = {200, 400, 404, 409, 503}


def apdu(_folder: Path) -> Target:
    """Commands to every preset of the card and to PSAMs, on both interfaces, in all states that scripts reach."""
    sweeps = [*card_sweeps(SEED), *psam_sweeps(SEED)]

    def run(data: bytes) -> None:
        sweep = sweeps[int.from_bytes(data[:1]) % len(sweeps)]
        memory = Memory(sweep.memory.numbers[:], sweep.memory.strings[:])
        script = sweep.script(memory)
        scripts = [*sweep.states.values(), *(case.script for case in sweep.commands)]
        rest, done = data[1:], 0
        while rest and done < OPERATIONS:
            done += 1
            code, rest = rest[0], rest[1:]
            try:
                if code < RAW:
                    check_answer(script.chip.transmit(rest[:code]))
                    rest = rest[code:]
                elif code < SCRIPT:
                    for text in scripts[int.from_bytes(rest[:1]) % len(scripts)]:
                        with suppress(LookupError, StopIteration):  # a script that does not fit this state
                            check_answer(script.send([text]))
                    rest = rest[1:]
                else:
                    memory.cut_power(int.from_bytes(rest[:1]) % 12, Moment(code % len(Moment)))
                    rest = rest[1:]
            except PowerLost:
                script.chip.power_on()
        memory.mend()
        talk(script.chip)

    seeds = [bytes((sweep, RAW, number)) for sweep in range(len(sweeps)) for number in range(40)]
    seeds += [bytes((sweep, *(byte for sent in COMMANDS for byte in (len(sent), *sent)))) for sweep in range(6)]
    return Target(run, seeds, 300)


def check_answer(answer: bytes) -> None:
    """``Wrong`` for what is no answer of a card."""
    if not 2 <= len(answer) <= 258:
        raise Wrong(Phrase("an answer of {length} bytes", length=len(answer)))


def talk(card: Connection) -> None:
    """Power a card on and use it: it answers."""
    card.power_on()
    for command in COMMANDS:
        check_answer(card.transmit(command))
    card.power_off()


def vpcd(_folder: Path) -> Target:
    """The frames of a reader: split the same in one piece and in pieces, and answered by a card."""
    fresh = issue_card(seed=SEED)

    def run(data: bytes) -> None:
        size = int.from_bytes(data[:1]) + 1
        stream = data[1:]
        whole = messages_in([stream])
        if messages_in([stream[at : at + size] for at in range(0, len(stream), size)]) != whole:
            raise Wrong(Phrase("messages depend on the pieces that arrive"))
        chip = Card(fresh.profile, Memory(fresh.memory.numbers[:], fresh.memory.strings[:])).chip(Random(1))
        for message in whole[0]:
            try:
                if len(message) > 1:
                    check_answer(answer := chip.transmit(message))
                    frame(answer)
                elif message[0] in (Control.POWER_ON, Control.RESET, Control.ATR):
                    frame(chip.power_on())
                elif message[0] == Control.POWER_OFF:
                    chip.power_off()
            except PowerError:  # the slot closes the connection
                chip.power_on()
        talk(chip)

    frames = [frame(each) for each in (bytes((Control.POWER_ON,)), *COMMANDS, bytes((Control.RESET,)))]
    return Target(run, [b"\0" + b"".join(frames), b"\2" + frames[0] + frames[2]], 1000)


def messages_in(pieces: list[bytes]) -> tuple[list[bytes], bool]:
    """The messages of a stream, and whether it ends with an error or in mid-frame."""
    reader = FrameReader()
    found = []
    try:
        for piece in pieces:
            for message in reader.feed(piece):
                found.append(message)  # noqa: PERF402 - those before an error too
        reader.finish()
    except WireError:
        return found, True
    return found, False


def image(_folder: Path) -> Target:
    """JSON images: any text, and real images with other fields, with their digest set right."""
    texts = [write_image(issue_card(personality=name, seed=SEED)) for name in presets()]

    def run(data: bytes) -> None:
        kind, rest = int.from_bytes(data[:1]), data[1:]
        if kind < 0x80:
            with suppress(UnicodeDecodeError):
                read(rest.decode())
            return
        content = json.loads(texts[kind % len(texts)])
        numbers = iter(rest)
        with suppress(StopIteration):
            while True:
                change(content, numbers)
        with suppress(ValueError):  # half a surrogate pair, of which there is no digest
            content["digest"] = digest_of(content)
        read(json.dumps(content))

    def read(text: str) -> None:
        with suppress(PhrasedError):
            card = read_image(text, "image.json")
            talk(card.chip(Random(1)))
            write_image(card)

    return Target(
        run, [*(bytes((0x80 + kind,)) for kind in range(len(texts))), *(text[:9].encode() for text in texts)], 300
    )


def change(content: Any, numbers: Iterator[int]) -> None:
    """Replace, remove or add one value somewhere in JSON content; the numbers choose where and what."""
    part, step = content, next(numbers)
    while True:
        keys: list[Any] = list(part) if isinstance(part, dict) else list(range(len(part)))
        if not keys:
            return
        key = keys[(step << 8 | next(numbers)) % len(keys)]
        step = next(numbers)
        if isinstance(part[key], dict | list) and part[key] and step < 0xC0:
            part = part[key]
            continue
        value = deepcopy(VALUES[next(numbers) % len(VALUES)])  # each input begins with the same values
        if step >= 0xF0:
            del part[key]
        elif step >= 0xE0 and isinstance(part, dict):
            part[f"{key} {value}"] = value
        else:
            part[key] = value
        return


def card_file(folder: Path) -> Target:
    """Card files with changed bytes, shown and used."""
    files = [new_file(CARD, issue_card(personality=name, seed=SEED)) for name in presets()]
    path = folder / "card.db"

    def run(data: bytes) -> None:
        content = bytearray(files[int.from_bytes(data[:1]) % len(files)])
        for at in range(1, len(data) - PATCH + 1, PATCH):
            content[int.from_bytes(data[at : at + 3]) % len(content)] = data[at + 3]
        path.write_bytes(content)
        wal_of(path).unlink(missing_ok=True)
        with suppress(PhrasedError):
            talk(load_card(path).chip(Random(1)))
        with suppress(PhrasedError), open_card(path, Random(1)) as card:
            talk(card)

    places = [page + at for page in range(0, len(files[0]) // 2, PAGE) for at in (1, 9, PAGE - 40, PAGE - 9)]
    seeds = [bytes((kind, *place.to_bytes(3, "big"), 0x31)) for kind in range(len(files)) for place in places]
    return Target(run, [bytes((kind,)) for kind in range(len(files))] + seeds, 200)


def scenario(folder: Path) -> Target:
    """Scenario files."""
    path = folder / "scenario.yaml"

    def run(data: bytes) -> None:
        path.write_bytes(data)
        with suppress(PhrasedError):
            read_scenario(path)

    return Target(run, [each.read_bytes() for each in sorted(builtin_folder().rglob("*.yaml"))], 3000)


def driver(_folder: Path) -> Target:
    """The lines of a program to ``sscard driver serve``."""
    cards = [issue_card(personality=name, seed=SEED) for name in presets()]
    psam = Psam(issue_psam(builtin_keys(), level="province").chip(Random(2)))

    def run(data: bytes) -> None:
        fresh = cards[int.from_bytes(data[:1]) % len(cards)]
        card = Card(fresh.profile, Memory(fresh.memory.numbers[:], fresh.memory.strings[:]))
        chips = [card.chip(Random(1), contact=contact) for contact in (True, False)]
        pad = ScriptedPad()
        pad.script("123456", "654321", "654321")
        turns = Turns(SSCardDriver(Readers(lambda: chips[0], lambda: chips[1]), pad, psam, options=DriverOptions()))
        first, *lines = data[1:].split(b"\n")
        caller, peer = socket.socketpair()
        with caller, peer:
            conversation = Conversation(turns, caller, lambda _words: None)
            check_line(conversation.open(first + b"\n")[0])
            for line in lines:
                check_line(conversation.answer(line + b"\n"))
            turns.leave(caller)
        talk(card.chip(Random(1)))

    hellos = [f"{HELLO}\t1\t{charset}".encode() for charset in CHARSETS]
    calls = [
        "\t".join([name, *["1"] * row.numbers, *["510100D15600000500000001A1B2C3D4|A00000011|"] * row.texts]).encode()
        for name, row in FUNCTIONS.items()
    ]
    return Target(run, [b"\0" + hello + b"\n" + call for hello in hellos for call in calls], 1500)


def check_line(line: bytes) -> None:
    """``Wrong`` for what is no answer line of the driver: code, tab, text."""
    code, tab, _text = line.partition(b"\t")
    if not (tab and line.endswith(b"\n") and line.count(b"\n") == 1 and code.lstrip(b"-").isdigit()):
        raise Wrong(Phrase("an answer that begins with {start}", start=line[:20].hex()))


def hsm(_folder: Path) -> Target:
    """The requests to ``sscard hsm serve``."""
    served = HsmOperations(SoftHsm(builtin_keys()), "token")
    operations = ["address-of", "authentication-data", "safe-message", "purchase-mac", "transaction-proof", "x"]
    charsets = ["utf-8", "gbk", "utf-16", "utf-7", "idna", "hex", "x\0", "unicode_escape"]

    def run(data: bytes) -> None:
        chosen = int.from_bytes(data[:1])
        operation, charset = operations[chosen % len(operations)], charsets[chosen // len(operations) % len(charsets)]
        reply = served.reply(operation, data[1:], charset)
        if reply.status not in REPLIES:
            raise Wrong(Phrase("status {status}", status=reply.status))
        json.dumps(reply.body, ensure_ascii=False).encode()

    card: dict[str, Any] = {"algorithm": 3, "address": "0006", "city_code": "510100", "serial": "8649510100000001"}
    factor = {"factor": "00" * 16}
    bodies: list[dict[str, Any]] = [
        {"key": "PUK", "version": 0},
        card | factor | {"original": "00" * 8},
        card | factor | {"header": "8424000114", "pin": "654321"},
        card | factor | {"message": "00" * 20},
        card | {"message": "00" * 20},
    ]
    named = {"algorithm": 3, "key": "PUK", "city_code": "510100", "serial": card["serial"], "original": "00" * 8}
    seeds = [bytes((number,)) + json.dumps(body).encode() for number, body in enumerate(bodies)]
    return Target(run, [*seeds, b"\1" + json.dumps(named | factor).encode()], 600)


class Fuzzed(StrEnum):
    """The targets; a function of this module makes each."""

    APDU = "apdu"
    VPCD = "vpcd"
    IMAGE = "image"
    CARD_FILE = "card-file"
    SCENARIO = "scenario"
    DRIVER = "driver"
    HSM = "hsm"
