"""A second implementation of an HSM, written from docs/standard/card-security.md, and wrong ones made of it.

It uses the block ciphers of ``cryptography``, and of sscard only the error of a
refusal and the fields of a card. ``tests/hsm`` computes the published vectors
with it.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import SM4
from cryptography.hazmat.primitives.ciphers.modes import CBC, ECB

from sscard.hsm import HsmError

TEST_KEYS = Path(__file__).parents[2] / "simulator" / "sscard" / "issuer" / "test-keys.yaml"
BLOCKS = {1: 8, 3: 16}


def xor(left: bytes, right: bytes) -> bytes:
    return bytes(one ^ other for one, other in zip(left, right, strict=True))


def inverted(data: bytes) -> bytes:
    return bytes(255 - byte for byte in data)


def enciphered(algorithm: int, key: bytes, blocks: bytes, mode: Any = None) -> bytes:
    """ECB by default; a DES key of 8 bytes is single DES, one of 16 bytes 3DES with two keys (card-security.md §3)."""
    cipher = SM4(key) if algorithm == 3 else TripleDES(key * 3 if len(key) == 8 else key + key[:8])
    encryptor = Cipher(cipher, mode or ECB()).encryptor()
    return encryptor.update(blocks) + encryptor.finalize()


@cache
def roots(text: str) -> dict[str, Any]:
    """The keys of a key file by name; tests make dozens of HSMs of one file, and none changes a key."""
    return {key["name"]: key for key in yaml.safe_load(text)["keys"]}


class ReferenceHsm:
    """The HSM of a key file; each step is a method that a wrong HSM replaces."""

    def __init__(self, file: Path = TEST_KEYS) -> None:
        self.keys = roots(file.read_text("utf-8"))

    # The steps

    def root(self, algorithm: int, key: str, version: int) -> bytes:
        return bytes.fromhex(self.keys[key]["sm4" if algorithm == 3 else "des"][version])

    def factors(self, city_code: str, serial: bytes) -> list[bytes]:
        """card-security.md §8: province, city, card."""
        city = city_code[:4] + "00" if city_code.startswith("33") else city_code
        return [f"{city_code[:2]}0000sh".encode(), f"{city}sx".encode(), serial]

    def child(self, algorithm: int, key: bytes, factor: bytes) -> bytes:
        return enciphered(algorithm, key, factor if len(key) == 8 else factor + inverted(factor))

    def card_key(self, algorithm: int, key: str, version: int, city_code: str, serial: bytes, levels: int = 3) -> bytes:
        value = self.root(algorithm, key, version)
        for factor in self.factors(city_code, serial)[:levels]:
            value = self.child(algorithm, value, factor)
        return value

    def session_key(self, algorithm: int, card_key: bytes, factor: bytes) -> bytes:
        """card-security.md §4."""
        block = BLOCKS[algorithm]
        return enciphered(algorithm, card_key, factor + bytes(block - len(factor)))

    def proof(self, algorithm: int, card_key: bytes, factor: bytes, original: bytes) -> bytes:
        """card-security.md §4: authentication data."""
        session = self.session_key(algorithm, card_key, factor)
        if algorithm == 1:
            return enciphered(1, session, original)
        whole = enciphered(3, session, original + bytes(8))
        return xor(whole[:8], whole[8:])

    def padded(self, data: bytes, block: int) -> bytes:
        """card-security.md §6, step 2."""
        data += b"\x80"
        while len(data) % block:
            data += b"\0"
        return data

    def mac_of(self, algorithm: int, session: bytes, data: bytes) -> bytes:
        """card-security.md §6."""
        block = BLOCKS[algorithm]
        last = enciphered(algorithm, session, self.padded(data, block), CBC(bytes(block)))[-block:]
        return last[:4] if algorithm == 1 else xor(xor(last[:4], last[4:8]), xor(last[8:12], last[12:]))

    def pin_block(self, pin: bytes, block: int) -> bytes:
        """card-security.md §5."""
        plain = bytes([len(pin)]) + pin
        if len(plain) % block:
            plain += b"\x80"
            plain += bytes(-len(plain) % block)
        return plain

    def command(self, algorithm: int, card_key: bytes, factor: bytes, header: bytes, pin: bytes | None) -> bytes:
        session = self.session_key(algorithm, card_key, factor)
        data = header
        if pin is not None:
            data += enciphered(algorithm, session, self.pin_block(pin, BLOCKS[algorithm]))
        return data + self.mac_of(algorithm, session, data)

    def transaction(self, algorithm: int, card_key: bytes, message: bytes) -> bytes:
        """card-commands.md §3: TAC."""
        return self.mac_of(algorithm, xor(card_key[:8], card_key[8:]) if algorithm == 1 else card_key, message)

    # The operations

    def address_of(self, key: str, version: int = 0) -> str:
        try:
            return str(self.keys[key]["addresses"][version])
        except (KeyError, IndexError):
            raise HsmError("no such key") from None

    def authentication_data(self, algorithm: int, address: str, card: Any, factor: bytes, original: bytes) -> bytes:
        key = self.permitted(algorithm, address, card, factor, "authenticate")
        if len(original) != 8:
            raise HsmError("original data")
        return self.proof(algorithm, key, factor, original) + original

    def safe_message(
        self, algorithm: int, address: str, card: Any, factor: bytes, header: bytes, pin: bytes | None
    ) -> bytes:
        uses = ("mac and encipher",) if pin is not None else ("mac", "mac and encipher")
        key = self.permitted(algorithm, address, card, factor, *uses)
        if len(header) < 5 or (pin is not None and (len(header) != 5 or len(pin) > 8)):
            raise HsmError("header or PIN")
        block = BLOCKS[algorithm]
        data = len(header) - 5 if pin is None else len(self.pin_block(pin, block))
        if header[4] != data + 4:
            raise HsmError("Lc")
        return self.command(algorithm, key, factor, header, pin)

    def purchase_mac(self, algorithm: int, address: str, card: Any, factor: bytes, message: bytes) -> bytes:
        key = self.permitted(algorithm, address, card, factor, "purchase", "load")
        return self.mac_of(algorithm, self.session_key(algorithm, key, factor), message)

    def transaction_proof(self, algorithm: int, address: str, card: Any, message: bytes) -> bytes:
        return self.transaction(algorithm, self.permitted(algorithm, address, card, bytes(8), "proof"), message)

    def permitted(self, algorithm: int, address: str, card: Any, factor: bytes, *uses: str) -> bytes:
        """The card key, if the key may be used so and the factor has a length of the algorithm."""
        if algorithm not in BLOCKS or len(factor) not in {1: (4, 8), 3: (4, 8, 16)}[algorithm]:
            raise HsmError("algorithm or factor")
        for name, key in self.keys.items():
            if address in key["addresses"] and key["use"] in uses:
                return self.card_key(algorithm, name, key["addresses"].index(address), card.city_code, card.serial)
        raise HsmError("address or use")


class ZeroPadding(ReferenceHsm):
    """Pads a MAC with 00 only."""

    def padded(self, data: bytes, block: int) -> bytes:
        return data + bytes(-len(data) % block)


class SwappedFactor(ReferenceHsm):
    """Takes the original data for the process factor."""

    def proof(self, algorithm: int, card_key: bytes, factor: bytes, original: bytes) -> bytes:
        return super().proof(algorithm, card_key, original, (factor + bytes(8))[:8])


class TruncatedMac(ReferenceHsm):
    """Takes a MAC of 3 bytes."""

    def mac_of(self, algorithm: int, session: bytes, data: bytes) -> bytes:
        return super().mac_of(algorithm, session, data)[:3]


class OtherRoots(ReferenceHsm):
    """Has roots that nobody knows."""

    def root(self, algorithm: int, key: str, version: int) -> bytes:
        known = super().root(algorithm, key, version)
        return xor(known, b"\x5a" * len(known))
