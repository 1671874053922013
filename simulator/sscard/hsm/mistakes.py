"""Known mistakes of HSMs, and which of them explains a wrong answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from sscard.errors import InputError
from sscard.hsm.calculation import RIGHT, Calculation, Question, session_of
from sscard.hsm.vectors import Vector
from sscard.i18n.phrase import Phrase, Sayable
from sscard.issuer.hierarchy import KeyHierarchy, builtin_keys
from sscard.standard.cipher import (
    AUTHENTICATION_LENGTH,
    DES,
    MAC_LENGTH,
    SM4,
    BlockKey,
    Suite,
    city_factor,
    complement,
    pad,
    pin_block,
    province_factor,
)

SINGLE: Final = 8
"""Bytes of a single-DES key."""


def _zeros(data: bytes, block: int) -> bytes:
    return data + bytes(-len(data) % block)


def _counted(data: bytes, block: int) -> bytes:
    count = block - len(data) % block
    return data + bytes((count,)) * count


def _mixed(left: bytes, right: bytes) -> bytes:
    return (int.from_bytes(left, "big") ^ int.from_bytes(right, "big")).to_bytes(len(left), "big")


def _left_half(suite: Suite, key: bytes) -> bytes:
    return key[:SINGLE] if suite is DES else key


def _double_session(suite: Suite, key: bytes, challenge: bytes) -> BlockKey:
    double = suite.key(key).encrypt(challenge + complement(challenge))
    return suite.passing_key(double if suite is DES else double[: suite.session_key_length])


def _pair(suite: Suite, key: bytes, first: bytes, second: bytes) -> bytes:
    return suite.key(key).encrypt(first + second)[: len(key)]


MISTAKES: Final[dict[str, tuple[Phrase, Calculation]]] = {
    "mac-padding-zeros": (Phrase("MAC padding with 00 only, without 80"), Calculation(pad=_zeros)),
    "mac-padding-pkcs7": (Phrase("MAC padding as of PKCS#7"), Calculation(pad=_counted)),
    "mac-padding-if-needed": (
        Phrase("no MAC padding if the data fills its blocks"),
        Calculation(pad=lambda data, block: pad(data, block) if len(data) % block else data),
    ),
    "mac-first-bytes": (
        Phrase("the first 4 bytes of the last block are the MAC: no XOR of its four parts"),
        Calculation(fold=lambda _suite, block: block[:MAC_LENGTH]),
    ),
    "mac-last-bytes": (
        Phrase("the last 4 bytes of the last block are the MAC"),
        Calculation(fold=lambda _suite, block: block[-MAC_LENGTH:]),
    ),
    "mac-whole-block": (
        Phrase("the whole last block is the MAC"),
        Calculation(fold=lambda _suite, block: block),
    ),
    "mac-reversed": (
        Phrase("the bytes of the MAC are reversed"),
        Calculation(fold=lambda suite, block: suite.fold(block)[::-1]),
    ),
    "mac-ecb": (
        Phrase("the MAC is computed in ECB, not in CBC"),
        Calculation(chain=lambda session, blocks, _factor: session.encrypt(blocks)[-session.block :]),
    ),
    "mac-iv-factor": (
        Phrase("the process factor is the IV of the MAC, not 00"),
        Calculation(
            chain=lambda session, blocks, factor: session.chain(
                _mixed(blocks[: session.block], factor.ljust(session.block, b"\0")) + blocks[session.block :]
            )
        ),
    ),
    "mac-without-header": (
        Phrase("the MAC does not cover the header of the command"),
        Calculation(header=lambda _header: b""),
    ),
    "mac-lc-without-mac": (
        Phrase("Lc in the MAC does not count the 4 bytes of the MAC"),
        Calculation(header=lambda header: header[:4] + bytes(((header[4] - MAC_LENGTH) & 0xFF,))),
    ),
    "mac-plain-class": (
        Phrase("the MAC covers CLA without the bit of secure messaging"),
        Calculation(header=lambda header: bytes((header[0] & 0xFB,)) + header[1:]),
    ),
    "factor-and-original-swapped": (
        Phrase("process factor and original data are swapped"),
        Calculation(exchanged=True),
    ),
    "factor-padded-left": (
        Phrase("the process factor is padded with 00 on the left"),
        Calculation(challenge=lambda factor, block: factor.rjust(block, b"\0")),
    ),
    "factor-padded-80": (
        Phrase("the process factor is padded with 80, not with 00"),
        Calculation(challenge=lambda factor, block: pad(factor, block)[:block] if len(factor) < block else factor),
    ),
    "factor-repeated": (
        Phrase("the process factor is repeated, not padded with 00"),
        Calculation(challenge=lambda factor, block: (factor * 4)[:block]),
    ),
    "factor-reversed": (
        Phrase("the bytes of the process factor are reversed"),
        Calculation(challenge=lambda factor, block: factor[::-1].ljust(block, b"\0")),
    ),
    "no-session-key": (
        Phrase("the card key is used itself, without a session key"),
        Calculation(session=lambda suite, key, _challenge: suite.key(key)),
    ),
    "session-key-double": (
        Phrase("the session key has 16 bytes: it is always single DES"),
        Calculation(session=_double_session),
    ),
    "key-left-half": (
        Phrase("a key of 16 bytes is used as single DES, its left half"),
        Calculation(session=lambda suite, key, challenge: session_of(suite, _left_half(suite, key), challenge)),
    ),
    "no-diversification": (
        Phrase("no diversification: the root key is used itself"),
        Calculation(factors=lambda _card: ()),
    ),
    "diversified-by-card-only": (
        Phrase("diversified by the card only, without province and city"),
        Calculation(factors=lambda card: (card.serial,)),
    ),
    "not-diversified-by-card": (
        Phrase("diversified by province and city only, without the card"),
        Calculation(factors=lambda card: (province_factor(card.city_code), city_factor(card.city_code))),
    ),
    "not-diversified-by-province": (
        Phrase("diversified without the province"),
        Calculation(factors=lambda card: (city_factor(card.city_code), card.serial)),
    ),
    "not-diversified-by-city": (
        Phrase("diversified without the city"),
        Calculation(factors=lambda card: (province_factor(card.city_code), card.serial)),
    ),
    "diversified-backwards": (
        Phrase("diversified by card, city, province: the order is reversed"),
        Calculation(factors=lambda card: (card.serial, city_factor(card.city_code), province_factor(card.city_code))),
    ),
    "district-in-province-33": (
        Phrase("the factor of the city keeps the district in province 33"),
        Calculation(
            factors=lambda card: (province_factor(card.city_code), f"{card.city_code}sx".encode("ascii"), card.serial)
        ),
    ),
    "province-suffix": (
        Phrase("the factor of the province ends with sx, not with sh"),
        Calculation(
            factors=lambda card: (
                province_factor(card.city_code)[:6] + b"sx",
                city_factor(card.city_code),
                card.serial,
            )
        ),
    ),
    "city-suffix": (
        Phrase("the factor of the city ends with sh, not with sx"),
        Calculation(
            factors=lambda card: (
                province_factor(card.city_code),
                city_factor(card.city_code)[:6] + b"sh",
                card.serial,
            )
        ),
    ),
    "serial-reversed": (
        Phrase("the bytes of the card serial are reversed"),
        Calculation(
            factors=lambda card: (province_factor(card.city_code), city_factor(card.city_code), card.serial[::-1])
        ),
    ),
    "complement-missing": (
        Phrase("the factor is repeated in diversification, not followed by its complement"),
        Calculation(child=lambda suite, key, factor: _pair(suite, key, factor, factor)),
    ),
    "complement-first": (
        Phrase("the complement comes before the factor in diversification"),
        Calculation(child=lambda suite, key, factor: _pair(suite, key, complement(factor), factor)),
    ),
    "authentication-first-half": (
        Phrase("the first 8 bytes are the authentication data: no XOR of the two halves"),
        Calculation(authentication=lambda _suite, session, original: _whole(session, original)[:AUTHENTICATION_LENGTH]),
    ),
    "authentication-last-half": (
        Phrase("the last 8 bytes are the authentication data: no XOR of the two halves"),
        Calculation(
            authentication=lambda _suite, session, original: _whole(session, original)[-AUTHENTICATION_LENGTH:]
        ),
    ),
    "original-missing": (
        Phrase("the original data is missing after the authentication data"),
        Calculation(answer=lambda computed, _original: computed),
    ),
    "original-first": (
        Phrase("the original data comes before the authentication data"),
        Calculation(answer=lambda computed, original: original + computed),
    ),
    "pin-always-padded": (
        Phrase("a PIN that fills the block is padded"),
        Calculation(pin_block=lambda pin, block: pad(bytes((len(pin),)) + pin, block)),
    ),
    "pin-padding-zeros": (
        Phrase("the PIN is padded with 00, without 80"),
        Calculation(pin_block=lambda pin, block: _zeros(bytes((len(pin),)) + pin, block)),
    ),
    "pin-padding-ff": (
        Phrase("the PIN is padded with FF"),
        Calculation(pin_block=lambda pin, block: bytes((len(pin),)) + pin + b"\xff" * (-(len(pin) + 1) % block)),
    ),
    "pin-length-in-digits": (
        Phrase("the length before the PIN counts digits, not bytes"),
        Calculation(pin_block=lambda pin, block: bytes((len(pin.hex().rstrip("f")),)) + pin_block(pin, block)[1:]),
    ),
    "pin-without-length": (
        Phrase("the PIN is enciphered without its length"),
        Calculation(pin_block=lambda pin, block: pad(pin, block) if len(pin) % block else pin),
    ),
    "proof-left-half": (
        Phrase("the TAC is computed with the left half of DTK, not with the XOR of its halves"),
        Calculation(proof_key=_left_half),
    ),
    "proof-triple": (
        Phrase("the TAC is computed in 3DES, not with the XOR of the halves of DTK"),
        Calculation(proof_key=lambda _suite, key: key),
    ),
    "suites-swapped": (
        Phrase("DES and SM4 are swapped"),
        Calculation(suite=lambda suite: DES if suite is SM4 else SM4),
    ),
}
"""By name: what is wrong, and the calculation with it."""
TEST_KEYS: Final = "test-keys"
OTHER_KEY: Final = "other-key"
TRUNCATED: Final = "truncated"
WRONG_LENGTH: Final = "wrong-length"
MAC_DIFFERS: Final = "mac"
UNKNOWN: Final = ""


class Diagnosis:
    """What explains the wrong answers to vectors of the roots: first known mistakes, then other keys of the roots."""

    def __init__(self, roots: KeyHierarchy) -> None:
        self._roots = roots
        self._alone: set[tuple[int, str, int]] = set()
        """Keys for which no other key was used in an answer: the search is long, and they have many answers."""

    def of_all(self, wrong: Iterable[tuple[Vector, bytes]], right: Sequence[Vector]) -> list[tuple[str, Sayable]]:
        """Name and sentence of what explains each wrong answer, in their order; both empty for an unknown mistake.

        Of several mistakes that explain an answer, the one is named that
        explains most answers, and then the one that fits more ``right`` answers.
        """
        explained = [self._explanations(vector, given) for vector, given in wrong]
        frequent = Counter(name for found in explained for name in found)
        fitting = {
            name: sum(self._gives(MISTAKES[name][1], vector.asked, vector.result) for vector in right)
            for name in frequent
            if name in MISTAKES
        }
        return [
            max(found.items(), key=lambda each: (frequent[each[0]], fitting.get(each[0], 0)))
            if found
            else (UNKNOWN, "")
            for found in explained
        ]

    def _explanations(self, vector: Vector, given: bytes) -> dict[str, Sayable]:
        asked = vector.asked
        found: dict[str, Sayable] = {
            name: about for name, (about, steps) in MISTAKES.items() if self._gives(steps, asked, given)
        }
        if found:
            return found
        if vector.result.startswith(given) and given:
            text = Phrase("the answer ends after {count} of {whole} bytes", count=len(given), whole=len(vector.result))
            return {TRUNCATED: text}
        other = self._other_key(asked, given)
        if other:
            return other
        if self._roots is not builtin_keys() and self._gives(RIGHT, asked, given, builtin_keys()):
            return {TEST_KEYS: Phrase("the HSM has the test keys of sscard, not those of the key file")}
        if part := _part(vector, given):
            return part
        if len(given) == len(vector.result):
            return {}
        said = Phrase.plural(
            "the answer has {count} byte, not {whole}",
            "the answer has {count} bytes, not {whole}",
            count=len(given),
            whole=len(vector.result),
        )
        return {WRONG_LENGTH: said}

    def _other_key(self, asked: Question, given: bytes) -> dict[str, Sayable]:
        key = (asked.algorithm, asked.key, asked.version)
        if key in self._alone:
            return {}
        for root in self._roots.file.keys:
            for version in range(len(root.addresses)):
                if self._gives(RIGHT, asked._replace(key=root.name, version=version), given):
                    about = Phrase("the root of {key} version {version} is used", key=root.name, version=version + 1)
                    return {f"{OTHER_KEY}-{root.name}-{version + 1}": about}
        self._alone.add(key)
        return {}

    def _gives(self, steps: Calculation, asked: Question, given: bytes, roots: KeyHierarchy | None = None) -> bool:
        try:
            return steps.run(asked, roots or self._roots) == given
        except (InputError, ValueError):  # no such root, or steps for another suite
            return False


def _whole(session: BlockKey, original: bytes) -> bytes:
    return session.encrypt(original.ljust(session.block, b"\0"))


def _part(vector: Vector, given: bytes) -> dict[str, Sayable]:
    """What is right about a command with a PIN that differs."""
    enciphered = vector.asked.data.get("pin") is not None and len(given) == len(vector.result)
    if enciphered and given[:-MAC_LENGTH] == vector.result[:-MAC_LENGTH]:
        return {MAC_DIFFERS: Phrase("the enciphered PIN is right, and the MAC differs")}
    return {}
