"""A card and the oracle of its PIN's life, side by side: the moves that both make, and what must agree after each."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, replace
from random import Random
from typing import Final, NamedTuple

from sscard.chip.memory import Moment, PowerLost
from sscard.i18n.phrase import Phrase
from sscard.issuer import Card, issue_card, preset
from sscard.model import invariants
from sscard.model.choices import Choices
from sscard.model.invariants import AS_THE_ORACLE, Facts, Interrupted
from sscard.model.oracle import Oracle
from sscard.pickling import PortableError
from sscard.standard.certificates import INITIAL_PINS, PIN_BY_P1P2, cryptogram
from sscard.standard.encoding import encode_pin
from sscard.standard.tree import PIN, PIN_TRIES, SSSE_NAME

ORIGINAL: Final = bytes.fromhex("0102030405060708")
NUMBERS: Final = {"PUK": 0x06, "BK": 0x05, "none": 0x07}
"""Of keys, the last one of none that the card has."""


class Move(NamedTuple):
    """One command, or a power cycle, with its parameters."""

    name: str
    data: bytes = b""
    right: bool = True
    word: str = ""
    number: int = 0


class Fault(NamedTuple):
    """A power cut or a memory failure at a write point, and a cut of the recovery after it."""

    point: int
    moment: Moment | None
    """``None``: the memory fails."""
    again: tuple[int, Moment] | None = None


class Difference(PortableError):
    """Card and oracle differ, or an invariant is broken: its name, and how."""

    def __init__(self, invariant: str, happened: Phrase) -> None:
        super().__init__(invariant)
        self.invariant = invariant
        self.happened = happened


class PinLife:
    """A powered card of a preset with these choices and this PIN, and its oracle."""

    def __init__(
        self, name: str, choices: Choices, pin: bytes, card: Card | None = None, *, contact: bool = False
    ) -> None:
        personality = replace(preset(name), **asdict(choices))
        self.card = card or issue_card(personality=personality, seed=1)
        self.memory = self.card.memory
        self.memory.put_string(PIN, pin)
        self._chip = self.card.chip(Random(1), contact=contact)
        self._chip.power_on()
        profile = self.card.profile
        layout = profile.layout
        self._suite = suite = profile.suite
        self._puk_tries = layout.counter(layout.puk, 0)
        self._keys = {name: suite.key(profile.key(layout.key_named(name))) for name in ("PUK", "BK", "STK")}
        self._unlocks = layout.unlocks
        issuer_data = self.memory.strings[layout.files[0].cell]
        self.oracle = Oracle(
            suite.block,
            choices,
            pin,
            generation=personality.generation,
            contact=contact,
            issuer_data=issuer_data,
        )
        self._challenge = b""
        self._data = b""
        self._own = {which.name.lower(): encode_pin(INITIAL_PINS[which]) for which in layout.own_pins}
        """The PINs of the certificate application, which no command of the stub changes."""

    def play(self, move: Move, fault: Fault | None = None) -> bool:
        """Make a move on both; ``Difference`` if they differ. Returns whether the fault happened."""
        if move.name in ("unblock", "reset") and self.oracle.df != "SSSE":
            return False  # PIN CHANGE/UNBLOCK belongs to SSSE (terminal-flows.md §6)
        if self.oracle.inside and move.name in NOT_INSIDE and self.oracle.choices.challenge_lasts == "command":
            return False  # whether a command that the card does not know ends the challenge is not in the sheets
        before = self._expected()
        if move.name == "restart":
            self._restart(move.number)
        else:
            command = self._command(move)
            expected = self._ask(move)
            if fault is not None:
                return self._under_fault(fault, command, expected, before, own=move.name == "verify-own")
            self._same(expected, self._send(command))
            if self.oracle.data not in (None, self._data):
                raise Difference(AS_THE_ORACLE, Phrase("card and oracle differ in: {names}", names="data"))
        self._compare()
        return False

    def lead(self, moves: list[Move]) -> None:
        """Make moves that were compared before."""
        for move in moves:
            if move.name == "restart":
                self._restart(move.number)
            elif move.name not in ("unblock", "reset") or self.oracle.df == "SSSE":
                command = self._command(move)
                self._ask(move)
                self._send(command)

    def _restart(self, warm: int) -> None:
        if not warm:
            self._chip.power_off()
        self._chip.power_on()
        self.oracle.power_on()
        self._challenge = b""

    def _send(self, command: bytes) -> int:
        answer = self._chip.transmit(command)
        self._data = answer[:-2]
        if command[1] == 0x84 and len(answer) > 2:
            self._challenge = answer[:-2]
        return int.from_bytes(answer[-2:], "big")

    def _under_fault(self, fault: Fault, command: bytes, expected: int, before: Facts, *, own: bool) -> bool:
        if fault.moment is None:
            self.memory.fail(fault.point)
        else:
            self.memory.cut_power(fault.point, fault.moment)
        answer, lost = 0, False
        try:
            answer = self._send(command)
        except PowerLost:
            lost = True
        self.memory.mend()
        if not lost and answer != invariants.MEMORY_FAILURE:
            self._same(expected, answer)
            self._compare()
            return False
        self._chip.power_off()
        if fault.again is not None:
            self.memory.cut_power(*fault.again)
            with suppress(PowerLost):
                self._chip.power_on()
            self.memory.mend()
        self._chip.power_on()
        secrets = (self.memory.strings[PIN], *self._own_pins())
        after = Facts(self._tries(), secrets=secrets, files=(self._counted(),), apart=len(self._own))
        for name, happened in invariants.broken(Interrupted(before, self._expected(), after, answer, expected, own)):
            raise Difference(name, happened)
        # Old and new are both right: the oracle follows the card.
        self.oracle.tries, self.oracle.puk_tries, *own_tries = self._tries()
        self.oracle.own_tries = dict(zip(self._own, own_tries, strict=True))
        self.oracle.pin = after.secrets[0]
        self.oracle.unlocks = self.memory.numbers[self._unlocks]
        self.oracle.power_on()
        self._challenge = b""
        self._compare()
        return True

    def _tries(self) -> tuple[int, ...]:
        numbers, first = self.memory.numbers, self.card.profile.layout.certificate_tries
        return numbers[PIN_TRIES], numbers[self._puk_tries], *numbers[first : first + len(self._own)]

    def _own_pins(self) -> list[bytes]:
        first = self.card.profile.layout.certificate_pins
        return self.memory.strings[first : first + len(self._own)]

    def _counted(self) -> bytes:
        """The unlocks so far: they change with the PIN and its tries or not at all."""
        return bytes((self.memory.numbers[self._unlocks],))

    def _expected(self) -> Facts:
        oracle = self.oracle
        tries = oracle.tries, oracle.puk_tries, *oracle.own_tries.values()
        secrets = (oracle.pin, *self._own.values())
        return Facts(tries, secrets=secrets, files=(bytes((oracle.unlocks,)),), apart=len(self._own))

    def _same(self, expected: int, answered: int) -> None:
        if answered != expected:
            raise Difference(
                AS_THE_ORACLE,
                Phrase("answers {answer}, the oracle {expected}", answer=f"{answered:04X}", expected=f"{expected:04X}"),
            )

    def _compare(self) -> None:
        """Values, counters and statuses agree."""
        oracle, shown = self.oracle, self._chip.snapshot()
        pairs: dict[str, tuple[object, object]] = {
            "PIN": (self.memory.strings[PIN], oracle.pin),
            "tries": (self._tries(), self._expected().tries),
            "own PINs": (self._own_pins(), list(self._own.values())),
            "own PINs verified": (set(shown.certificate_verified), oracle.own_verified),
            "blocked": (shown.pin_blocked, oracle.tries == 0),
            "verified": (shown.pin_verified, oracle.verified),
            "proven": (set(shown.authenticated), oracle.proven),
            "challenge": (shown.challenge_waiting, oracle.challenge),
            "unlocks": (self._counted(), bytes((oracle.unlocks,))),
            "DF": (shown.current_df, oracle.df),
            "EF": (shown.current_ef, oracle.ef and 0xEF00 | oracle.ef),
        }
        different = [name for name, (found, expected) in pairs.items() if found != expected]
        if different:
            raise Difference(AS_THE_ORACLE, Phrase("card and oracle differ in: {names}", names=", ".join(different)))

    def _command(self, move: Move) -> bytes:
        """The command of a move."""
        data, right = move.data, move.right
        if move.name == "authenticate":
            key = self._keys.get(move.word, self._keys["PUK"])
            proof = self._suite.authenticate(key, self._challenge or bytes(8), ORIGINAL)
            data = (proof if right else spoilt(proof)) + ORIGINAL + (bytes((move.number,)) if move.number else b"")
            return bytes((0x00, 0x82, 0x00, NUMBERS[move.word], len(data))) + data
        if move.name in ("unblock", "reset"):
            session = self._suite.session_key(self._keys["STK"], self._challenge or bytes(8))
            enciphered = session.encrypt(data) if data else b""
            message = bytes((0x84, 0x24, 0x00, move.name == "reset", len(enciphered) + 4)) + enciphered
            mac = self._suite.mac(session, message)
            return message + (mac if right else spoilt(mac))
        if move.name == "verify-own":
            pin = self._own.get(move.word, OTHER_PIN) if right else OTHER_PIN
            data = cryptogram(pin, self._challenge)[: move.number]
            return bytes((0x00, 0x20, *OWN[move.word].to_bytes(2, "big"), len(data))) + data
        if move.name == "challenge":
            return bytes((0x00, 0x84, 0x00, 0x00, move.number))
        if move.name == "file":
            return b"\x00\xa4" + move.number.to_bytes(2, "big") + bytes((len(data),)) + data
        if move.name in ("read", "response"):
            return (b"\x00\xb2" + data if data else b"\x00\xc0\x00\x00") + bytes((move.number,))
        header = HEADERS.get(move.name)
        return header + bytes((len(data),)) + data if header else FIXED[move.name]

    def _ask(self, move: Move) -> int:
        """What the oracle answers."""
        oracle = self.oracle
        if move.name != "response":
            oracle.begin()
        answers: dict[str, Callable[[], int]] = {
            "verify": lambda: oracle.verify(move.data),
            "change": lambda: oracle.change(move.data),
            "challenge": lambda: oracle.get_challenge(move.number),
            "authenticate": lambda: oracle.authenticate(move.word, move.right, move.number or None),
            "unblock": lambda: oracle.unblock(move.right),
            "reset": lambda: oracle.reset(move.data, move.right),
            "verify-own": lambda: oracle.verify_own(move.word, move.right, move.number),
            "reload": oracle.reload,
            "select": lambda: oracle.select("SSSE"),
            "select-DF01": lambda: oracle.select("DF01"),
            "file": lambda: oracle.select_file(move.number >> 8, move.number & 0xFF, move.data),
            "read": lambda: oracle.read(move.data[0], move.data[1], move.number),
            "response": lambda: oracle.get_response(move.number),
            "select-PKI": lambda: oracle.select("PKI"),
            "select-ADF": lambda: oracle.select("certificates"),
            "unknown-INS": oracle.unknown_ins,
            "unknown-CLA": oracle.unknown_cla,
        }
        return answers[move.name]()


HEADERS: Final = {"verify": bytes.fromhex("00200000"), "change": bytes.fromhex("805E0100")}
FIXED: Final = {
    "reload": bytes.fromhex("805E000003123456"),
    "select": bytes.fromhex("00A404000F") + SSSE_NAME,
    "select-DF01": bytes.fromhex("00A4040006D15600000500"),
    "select-PKI": bytes.fromhex("00A404000C504B492EC9E7BBE1B1A3D5CF"),
    "select-ADF": bytes.fromhex("00A404000C53532E434552542E41444631"),
    "unknown-INS": bytes.fromhex("00FF000000"),
    "unknown-CLA": bytes.fromhex("F0FF000000"),
}
OWN: Final = {which.name.lower(): p1p2 for p1p2, which in PIN_BY_P1P2.items()}
OTHER_PIN: Final = b"\x98\x76\x54"
NOT_INSIDE: Final = ("change", "authenticate", "reload", "read")
"""Moves with commands that the certificate application does not know."""


def spoilt(data: bytes) -> bytes:
    """The same bytes but for one bit."""
    return bytes((data[0] ^ 1,)) + data[1:]
