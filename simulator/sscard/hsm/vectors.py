"""Test vectors of an HSM: questions with their right answers, and questions that it has to refuse.

The cases are the same for every key file, with the same ids; a key file whose
roots lack a key, or have it with another length, has no vector of that case. A
suite of the vectors is DES with keys of 8 bytes (``des``), DES with keys of 16
bytes (``3des``), or ``sm4``. The vectors of the test keys also have those for
implementers, which no HSM is asked: the keys of the diversification, session
keys, and operations under a card key if the test keys have no such root.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sscard.hsm.calculation import DIVERSIFY, LEVELS, RIGHT, SESSION_KEY, Question
from sscard.i18n.phrase import Phrase
from sscard.issuer.hierarchy import CardReference, KeyHierarchy, builtin_keys
from sscard.standard.cipher import DES, MAC_LENGTH, SM4, SSF33_ID, SUITES, Suite, pin_block
from sscard.standard.encoding import encode_pin

VERSION: Final = 1
"""Of the cases: raised when a vector is added, removed or changed."""


class Kind(NamedTuple):
    """A suite of the vectors: the algorithm with one length of its keys."""

    name: str
    suite: Suite
    length: int


KINDS: Final = (Kind("des", DES, 8), Kind("3des", DES, 16), Kind("sm4", SM4, 16))
GROUPS: Final = (DIVERSIFY, SESSION_KEY, "authenticate", "message", "pin", "purchase", "proof", "refused")
"""The groups of each suite, in the order of the vectors."""


@dataclass(frozen=True, slots=True)
class Vector:
    """A question with the answer, or with the word of the refusal: ``wrong-use``, ``factor-length``…

    ``id`` is suite, group and number, as in ``sm4/authenticate/3``.
    """

    id: str
    asked: Question
    result: bytes = b""
    refused: str = ""

    @property
    def group(self) -> str:
        return self.id.rpartition("/")[0]

    @property
    def for_hsm(self) -> bool:
        """Whether an HSM can be asked; otherwise the vector is for implementers."""
        return not self.asked.card_key and self.asked.operation not in (DIVERSIFY, SESSION_KEY)

    def to_facts(self) -> dict[str, Any]:
        """The JSON form; ``input`` of a vector for an HSM is the body of a request to the HTTP service."""
        asked = self.asked
        facts: dict[str, Any] = {"algorithm": asked.algorithm}
        if asked.address:
            facts["address"] = asked.address
        elif asked.card_key:
            facts["card_key"] = asked.card_key.hex().upper()
        else:
            facts |= {"key": asked.key, "version": asked.version}
        if asked.card.serial:
            facts |= {"city_code": asked.card.city_code, "serial": asked.card.serial.hex().upper()}
        if asked.level:
            facts["level"] = asked.level
        facts |= {name: None if value is None else value.hex().upper() for name, value in asked.data.items()}
        answer = {"refused": self.refused} if self.refused else {"result": self.result.hex().upper()}
        return {"id": self.id, "operation": asked.operation, "for_hsm": self.for_hsm, "input": facts} | answer


def make_vectors(roots: KeyHierarchy) -> list[Vector]:
    """The vectors of an issuer's roots, in the order of their ids; those for implementers only of the test keys."""
    published = roots is builtin_keys()
    return [
        vector
        for kind in KINDS
        for vector in (*_answered(kind, roots, published=published), *_refused(kind, roots))
        if published or vector.for_hsm
    ]


CARDS: Final = (
    CardReference("510100", bytes.fromhex("8649510100000001")),
    CardReference("330203", bytes.fromhex("00013302030A0B0C")),
    CardReference("110105", bytes.fromhex("FFEE110105C0FFEE")),
    CardReference("410400", bytes.fromhex("8649410480000000")),
)
"""Cards of four provinces; in province 33 the factor of the city drops the district."""
FACTORS: Final = {
    4: bytes.fromhex("11223344"),
    8: bytes.fromhex("1122334455667788"),
    16: bytes.fromhex("112233445566778899AABBCCDDEEFF00"),
}
ORIGINALS: Final = (bytes.fromhex("0102030405060708"), bytes.fromhex("F1E2D3C4B5A69788"))
CARD_KEYS: Final = {"PUK": 0x00, "STK": 0x10, "IRK": 0x30, "DPK": 0x40, "DTK": 0x50}
"""Card keys of the sheets, by their first byte; the others count up (card-security.md §7)."""
PROVED: Final = (
    ("PUK", 0), ("IRK", 0), ("IRK", 1), ("IRK", 2), ("BK", 0), ("UKSSSE", 1), ("RKSSSE", 2), ("UK1DF01", 0),
    ("LKDF03", 0),
)  # fmt: skip
"""Keys of authentication data, and their versions from 0."""
COMMANDS: Final = (
    ("STK", "8424000004", ""),
    ("STK", "8416000004", ""),
    ("STKDF03", "841E000104", ""),
    ("STKDF04", "841E000004", ""),
    ("STKDF03", "8418000004", ""),
    ("STK", "04DC012C07", "510100"),
    ("STKDF01", "04D685000F", "3132333435363738393A3B"),
    ("STKDF04", "04DC024418", "303132333435363738393A3B3C3D3E3F40414243"),
)
"""Key, header and plain data of commands with a MAC: PIN, card and application block, updates of records and files."""
PIN_DIGITS: Final = "1234567890123456"
TERMINAL: Final = "510100000001"
TIME: Final = "20250101123000"
PURCHASES: Final = (
    ("DPK", 0, "A1A2A3A400070023", f"000003E8000000C80000006402{TERMINAL}{TIME}"),
    ("DPK", 0, "A1A2A3A400070023", "000003E8000000C800000064"),
    ("DPK", 1, "0BADF00D01000001", f"00000001000000000000000002{TERMINAL}{TIME}"),
    ("DPK", 2, "0BADF00DFFFEFFFF", "FFFFFFFF00000000000F4240"),
    ("DLK", 0, "A1A2A3A400078000", f"000003E8000186A001{TERMINAL}"),
    ("DLK", 1, "A1A2A3A400078000", f"000186A001{TERMINAL}{TIME}"),
)
"""Key, version, factor and data of MAC1 and MAC2 of a purchase and of a load (card-commands.md §3)."""
PROOFS: Final = (
    (0, f"000003E8000000C80000006402{TERMINAL}00000023{TIME}"),
    (1, f"000003E8000000C80000006402{TERMINAL}00000023{TIME}"),
    (2, f"000186A000070000271001{TERMINAL}{TIME}"),
)
"""Version of DTK and data of a TAC."""


REASONS: Final = {
    "unknown-version": Phrase("the key has no such version"),
    "unknown-address": Phrase("there is no key at this address"),
    "unknown-algorithm": Phrase("there is no such algorithm"),
    "algorithm-not-public": Phrase("the algorithm is not public"),
    "wrong-use": Phrase("the key is not for this operation"),
    "factor-length": Phrase("the process factor has a wrong length"),
    "original-length": Phrase("the original data has not 8 bytes"),
    "pin-length": Phrase("the PIN has more than 8 bytes"),
    "wrong-lc": Phrase("Lc does not count the data with its MAC"),
    "header-length": Phrase("the header has not 5 bytes"),
    "data-beside-pin": Phrase("a PIN and plain data exclude each other"),
}
"""Why an HSM has to refuse a question, by the word of its vector."""


class _Case(NamedTuple):
    """A question of a group, without algorithm and card."""

    group: str
    operation: str
    key: str
    data: dict[str, bytes | None]
    version: int = 0
    level: str = ""


def _cases(kind: Kind) -> Iterator[_Case]:
    for key in ("PUK", "STK"):
        for level in LEVELS:
            yield _Case(DIVERSIFY, DIVERSIFY, key, {}, level=level)
    factors = [FACTORS[length] for length in kind.suite.challenge_lengths]
    for key in ("PUK", "STK"):
        for factor in factors:
            yield _Case(SESSION_KEY, SESSION_KEY, key, {"factor": factor})
    proved = [("PUK", 0, factor) for factor in factors] + [("IRK", 0, factor) for factor in factors]
    proved += [(key, version, FACTORS[8]) for key, version in PROVED]
    for number, (key, version, factor) in enumerate(proved):
        original = ORIGINALS[number % 2]
        yield _Case("authenticate", "authentication-data", key, {"factor": factor, "original": original}, version)
    for key, header, plain in COMMANDS:
        for factor in factors:
            command = bytes.fromhex(header + plain)
            yield _Case("message", "safe-message", key, {"factor": factor, "header": command, "pin": None})
    pins = [(FACTORS[8], PIN_DIGITS[:count]) for count in range(4, 17)] + [(factor, "123456") for factor in factors]
    for factor, digits in pins:
        pin = encode_pin(digits)
        reset = bytes((0x84, 0x24, 0, 1, len(pin_block(pin, kind.suite.block)) + MAC_LENGTH))
        yield _Case("pin", "safe-message", "STK", {"factor": factor, "header": reset, "pin": pin})
    for key, version, purchase, message in PURCHASES:
        data: dict[str, bytes | None] = {"factor": bytes.fromhex(purchase), "message": bytes.fromhex(message)}
        yield _Case("purchase", "purchase-mac", key, data, version)
    if (kind.suite, kind.length) != (DES, 8):  # a TAC takes the two halves of DTK
        for version, message in PROOFS:
            yield _Case("proof", "transaction-proof", "DTK", {"message": bytes.fromhex(message)}, version)


def _answered(kind: Kind, roots: KeyHierarchy, *, published: bool) -> Iterator[Vector]:
    numbers: Counter[str] = Counter()
    for case in _cases(kind):
        numbers[case.group] += 1
        number = numbers[case.group]
        asked = Question(case.operation, kind.suite.algorithm_id, case.data, level=case.level)
        if _holds(roots, kind, case.key, case.version):
            card = (number - 1) // len(LEVELS) if case.level else number  # the levels of a key are those of one card
            asked = asked._replace(key=case.key, version=case.version, card=CARDS[card % len(CARDS)])
        elif published and not case.level and not case.version and case.key in CARD_KEYS:
            first = CARD_KEYS[case.key]
            asked = asked._replace(card_key=bytes(range(first, first + kind.length)))
        else:
            continue
        yield Vector(f"{kind.name}/{case.group}/{number}", asked, RIGHT.run(asked, roots))


def _holds(roots: KeyHierarchy, kind: Kind, key: str, version: int) -> bool:
    return len(roots.root(kind.suite, key, version) or b"") == kind.length


def _refused(kind: Kind, roots: KeyHierarchy) -> Iterator[Vector]:
    """What an HSM has to refuse: each case with a right key, and one thing wrong."""
    block = kind.suite.block
    factor, original = FACTORS[8], ORIGINALS[0]
    proof: dict[str, bytes | None] = {"factor": factor, "original": original}
    command: dict[str, bytes | None] = {"factor": factor, "header": bytes.fromhex("8424000004"), "pin": None}
    header, pin = bytes((0x84, 0x24, 0, 1, block + MAC_LENGTH)), encode_pin("123456")
    reset: dict[str, bytes | None] = {"factor": factor, "header": header, "pin": pin}
    longest = bytes((0x84, 0x24, 0, 1, 16 + MAC_LENGTH))
    purchase: dict[str, bytes | None] = {"factor": factor, "message": bytes(12)}
    wrong_length = bytes(16) if kind.suite is DES else bytes(12)
    other = next(number for number in range(0xFF, 0, -1) if number not in SUITES)
    cases: tuple[tuple[str, str, str, dict[str, bytes | None]], ...] = (
        ("unknown-version", "authentication-data", "PUK", proof),
        ("unknown-address", "authentication-data", "PUK", proof),
        ("unknown-algorithm", "authentication-data", "PUK", proof),
        ("algorithm-not-public", "authentication-data", "PUK", proof),
        ("wrong-use", "authentication-data", "STK", proof),
        ("wrong-use", "authentication-data", "DPK", proof),
        ("wrong-use", "safe-message", "PUK", command),
        ("wrong-use", "safe-message", "STKDF03", reset),
        ("wrong-use", "purchase-mac", "DTK", purchase),
        ("wrong-use", "purchase-mac", "STK", purchase),
        ("wrong-use", "transaction-proof", "DPK", {"message": bytes(12)}),
        ("factor-length", "authentication-data", "PUK", {**proof, "factor": factor[:5]}),
        ("factor-length", "authentication-data", "PUK", {**proof, "factor": b""}),
        ("factor-length", "authentication-data", "PUK", {**proof, "factor": wrong_length}),
        ("factor-length", "safe-message", "STK", {**command, "factor": factor[:7]}),
        ("factor-length", "purchase-mac", "DPK", {**purchase, "factor": factor[:6]}),
        ("original-length", "authentication-data", "PUK", {**proof, "original": original[:7]}),
        ("pin-length", "safe-message", "STK", {**reset, "header": longest, "pin": bytes.fromhex("123456789012345678")}),
        ("wrong-lc", "safe-message", "STK", {**command, "header": bytes.fromhex("8424000000")}),
        ("wrong-lc", "safe-message", "STK", {**reset, "header": header[:4] + bytes((block,))}),
        ("header-length", "safe-message", "STK", {**command, "header": bytes.fromhex("84240000")}),
        ("data-beside-pin", "safe-message", "STK", {**reset, "header": header + b"\x01"}),
    )
    for number, (reason, operation, key, data) in enumerate(cases, 1):
        if not _holds(roots, kind, key, 0):
            continue
        asked = Question(operation, kind.suite.algorithm_id, data, key=key, card=CARDS[number % len(CARDS)])
        match reason:
            case "unknown-version":
                asked = asked._replace(version=99)
            case "unknown-address":
                addresses = (f"{number:04X}" for number in range(0xFFFF, 0, -1))
                unused = next(address for address in addresses if roots.at(address) is None)
                asked = asked._replace(key="", address=unused)
            case "unknown-algorithm":
                asked = asked._replace(algorithm=other)
            case "algorithm-not-public":
                asked = asked._replace(algorithm=SSF33_ID)
        yield Vector(f"{kind.name}/refused/{number}", asked, refused=reason)
