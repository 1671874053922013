"""Scripts of commands whose computed parts come from the keys of a card or a PSAM.

A command is a header of 8 hex digits and its data, from which Lc follows, or a
whole command in hex. In braces are computed parts: ``{proof}`` of the key in
P2, ``{mac}``, ``{enciphered HEX}``, ``{pin}``, ``{cryptogram HEX}`` of a PIN, ``{load FEN}`` and ``{purchase FEN
FEN FEN}`` for the MAC of a transaction; ``wrong_`` before the word spoils it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from random import Random
from typing import Any, Final

from sscard.chip.engine import Engine
from sscard.issuer import Card, CardReference, builtin_keys
from sscard.issuer.psam import PsamCard
from sscard.psam.chaining import chain
from sscard.psam.keys import record_algorithm
from sscard.standard.certificates import cryptogram
from sscard.standard.cipher import BlockKey, Suite, pad
from sscard.standard.encoding import encode_pin
from sscard.standard.tree import PIN

PLACE: Final = re.compile(r"\{(wrong_)?(\w+)((?: \w+)*)\}|([0-9A-Fa-f]+)")
ORIGINAL: Final = bytes.fromhex("0102030405060708")
OTHER_PIN: Final = "999999"
LOCAL_STK: Final = 0x82
HEADER: Final = 4
VALUE_LENGTH: Final = 16
"""Of a key that a script creates."""
TERMINAL: Final = bytes.fromhex("510100000001")
CARD: Final = CardReference("510100", bytes.fromhex("8649510100000001"))
"""The card that a PSAM purchases from."""


class Script:
    """A powered chip and the keys that it answers to; ``sent`` are the commands with their computed parts."""

    def __init__(self, chip: Engine[Any]) -> None:
        self.chip = chip
        self.sent: list[bytes] = []
        self._random = bytes(8)
        self._opened = b""
        chip.power_on()

    def send(self, texts: Iterable[str]) -> bytes:
        """Send commands and fetch what waits; the last answer with its data."""
        answer = b""
        for text in texts:
            answer = self.transmit(self.filled(text))
            if len(answer) == 2 and answer[0] == 0x61:
                answer = self.transmit(bytes((0x00, 0xC0, 0x00, 0x00, answer[1])))
        return answer

    def transmit(self, command: bytes) -> bytes:
        """Send a command."""
        answer = self.chip.transmit(command)
        self.sent.append(command)
        if command[1] == 0x84 and len(answer) > 2:
            self._random = answer[:-2]
        if len(answer) > 2:
            self._opened = answer[:-2]
        return answer

    def filled(self, text: str) -> bytes:
        """The command with its computed parts."""
        header, data = b"", b""
        for wrong, word, arguments, digits in PLACE.findall(text):
            if not header:
                header = bytes.fromhex(digits)
                continue
            part = bytes.fromhex(digits) if digits else self.part(header, data, word, arguments.split())
            data += bytes((part[0] ^ 1,)) + part[1:] if wrong else part
        return header + bytes((len(data),)) + data if len(header) == HEADER else header

    def part(self, header: bytes, data: bytes, word: str, arguments: list[str]) -> bytes:
        """A computed part; ``data`` is what is before it."""
        raise NotImplementedError


class CardScript(Script):
    """Scripts for a card."""

    def __init__(self, card: Card, seed: int, *, contact: bool) -> None:
        self._card = card
        self._suite = card.profile.suite
        chip = card.chip(Random(seed), contact=contact)
        super().__init__(chip)
        self._look = chip.snapshot

    def part(self, header: bytes, data: bytes, word: str, arguments: list[str]) -> bytes:
        suite, layout = self._suite, self._card.profile.layout
        current = self._look().current_df
        df = next(found.fid for found in layout.dfs if found.name == current)
        if word == "pin":
            return self._card.memory.strings[PIN] or encode_pin(OTHER_PIN)
        if word == "cryptogram":
            return cryptogram(bytes.fromhex("".join(arguments)), self._random)
        if word == "proof":
            index = layout.key(df if header[3] & 0x80 else layout.ssse.fid, header[3])
            return suite.authenticate(self._key(index), self._random, ORIGINAL) + ORIGINAL
        if word in ("mac", "enciphered"):
            local = None if df == layout.ssse.fid else layout.key(df, LOCAL_STK)
            session = suite.session_key(self._key(layout.stk if local is None else local), self._random)
            if word == "enciphered":
                return suite.encipher_pin(session, bytes.fromhex("".join(arguments)))
            return suite.mac(session, header + bytes((len(data) + 4,)) + data)
        kind = 1 if word == "load" else 2
        return self._transaction_mac(kind, data, b"".join(int(fen).to_bytes(4, "big") for fen in arguments))

    def _transaction_mac(self, kind: int, data: bytes, amounts: bytes) -> bytes:
        """MAC2 of a load or MAC1 of a purchase (card-commands.md §3.3)."""
        opened, layout = self._opened.ljust(22, b"\0"), self._card.profile.layout
        if kind == 1:
            key, secret = "DLK", opened[8:12] + opened[4:6] + b"\x80\x00"
        else:
            key, secret = "DPK", opened[18:22] + opened[14:16] + data[2:4]
        session = self._suite.session_key(self._key(layout.key_named(key)), secret)
        entry = kind + 0x30 if self._card.profile.personality.transaction_type_ascii else kind
        return self._suite.mac(session, amounts + bytes((entry,)) + TERMINAL + data[-7:])

    def _key(self, index: int | None) -> BlockKey:
        return self._suite.key(self._card.profile.key(index) if index is not None else bytes(16))


class PsamScript(Script):
    """Scripts for a PSAM, in the environment of one algorithm."""

    def __init__(self, psam: PsamCard, seed: int, environment: int, *, contact: bool) -> None:
        self._psam = psam
        self._environment = environment
        self._suite: Suite = psam.profile.environments[environment].suite
        super().__init__(psam.chip(Random(seed), contact=contact))

    def part(self, header: bytes, data: bytes, word: str, arguments: list[str]) -> bytes:
        suite = self._suite
        if word == "mac2":
            terms = [bytes.fromhex(argument) for argument in arguments]
            root = suite.key(builtin_keys().card_key(suite, "DPK", 0, CARD))
            return suite.mac(suite.session_key(root, terms[0] + self._opened[2:4]), terms[1])
        if word == "algorithm":
            return bytes((suite.algorithm_id,))
        key = suite.key(self._psam.profile.own_key(self._environment, header[3] & 0x0F) or bytes(16))
        if word == "proof":
            return suite.authenticate(key, self._random, ORIGINAL) + ORIGINAL
        if word == "enciphered":
            algorithm = f"{record_algorithm(suite, VALUE_LENGTH):02X}"
            plain = bytes.fromhex("".join(arguments).replace("algorithm", algorithm))
            plain = bytes((len(plain),)) + plain
            padded = pad(plain, suite.block) if len(plain) % suite.block else plain
            return suite.session_key(key, self._random).encrypt(padded)
        message = pad(header + bytes((len(data) + 4,)) + data, suite.block)
        return suite.fold(chain(key, self._random.ljust(suite.block, b"\0"), message))
