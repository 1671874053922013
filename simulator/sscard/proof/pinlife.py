"""A card and the oracle of its PIN's life, side by side: the moves that both make, and what must agree after each."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, replace
from random import Random
from typing import Any, Final, NamedTuple, get_args

from sscard.chip.memory import Moment, PowerLost
from sscard.i18n.phrase import Phrase
from sscard.issuer import Card, issue_card, preset
from sscard.model import invariants
from sscard.model.invariants import AS_THE_ORACLE, Facts, Interrupted
from sscard.model.oracle import Choices, Effect, Oracle, digits, padded
from sscard.pickling import PortableError
from sscard.standard.tree import PIN, PIN_TRIES, SSSE_NAME

PRESETS: Final = ("v3-sm4", "v2-3des")
ORIGINAL: Final = bytes.fromhex("0102030405060708")
NUMBERS: Final = {"PUK": 0x06, "BK": 0x05, "none": 0x07}
"""Of keys, the last one of none that the card has."""
PINS: Final = [
    bytes.fromhex(pin)
    for pin in ("123456", "654321", "1234", "12345F", "12345678901234", "123456789012345F", "1234567890123456")
]
MALFORMED: Final = [
    bytes.fromhex(pin) for pin in ("12", "12A4", "123A", "1F34", "123456789012345678", "F1234F", "AAFF")
]
NEW_PINS: Final = [*PINS, *PINS, b"", b"\x12\x3f", *MALFORMED]
EFFECTS: Final = get_args(Effect)
BOTH: Final = (True, False)
ALTERNATIVES: Final[dict[str, tuple[Any, ...]]] = {
    "pin_tries": (1, 2, 3, 6, 15),
    "key_tries": (1, 2, 3, 15),
    "blocked_query": (0x63C0, 0x6983),
    "verified_query_ok": BOTH,
    "empty_pin_counts": BOTH,
    "change_pin_status": EFFECTS,
    "reset_pin_status": EFFECTS,
    "failed_mac_counts": BOTH,
    "failed_mac_clears": BOTH,
    "puk_once": BOTH,
    "select_keeps": ("pin", "nothing", "all"),
    "uncounted_failure": (0x63CF, 0x6982, 0x6988),
    "failed_authentication_clears": BOTH,
    "challenge_lasts": ("use", "success", "command"),
    "no_challenge": (0x6984, 0x6985),
    "failed_verify_clears": BOTH,
    "empty_pin_without_block": BOTH,
    "empty_pin_as_block": BOTH,
    "reload_pin": (0x6A86, 0x6D00, 0x6A81),
    "unknown_ins": (0x6D00, 0x6A81),
    "same_pin_allowed": BOTH,
    "pin_min_digits": (3, 4),
    "two_block_pin": BOTH,
    "no_challenge_external": (0x6984, 0x6985),
    "reset_empty_pin": BOTH,
    "absent_old_pin_counts": BOTH,
}
"""The values of every open choice that the oracle knows."""


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

    def __init__(self, name: str, choices: Choices, pin: bytes, card: Card | None = None) -> None:
        personality = replace(preset(name), **asdict(choices))
        self.card = card or issue_card(personality=personality, seed=1)
        self.memory = self.card.memory
        self.memory.put_string(PIN, pin)
        self._chip = self.card.chip(Random(1), contact=False)
        self._chip.power_on()
        profile = self.card.profile
        layout = profile.layout
        self._suite = suite = profile.suite
        self._puk_tries = layout.counter(layout.puk, 0)
        self._keys = {name: suite.key(profile.key(layout.key_named(name))) for name in ("PUK", "BK", "STK")}
        self.oracle = Oracle(suite.block, choices, pin)
        self._challenge = b""

    def play(self, move: Move, fault: Fault | None = None) -> bool:
        """Make a move on both; ``Difference`` if they differ. Returns whether the fault happened."""
        if move.name in ("unblock", "reset") and self.oracle.df != "SSSE":
            return False  # PIN CHANGE/UNBLOCK belongs to SSSE (terminal-flows.md §6)
        before = self._expected()
        if move.name == "restart":
            self._restart(move.number)
        else:
            command = self._command(move)
            expected = self._ask(move)
            if fault is not None:
                return self._under_fault(fault, command, expected, before)
            self._same(expected, self._send(command))
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
        if command[1] == 0x84 and len(answer) > 2:
            self._challenge = answer[:-2]
        return int.from_bytes(answer[-2:], "big")

    def _under_fault(self, fault: Fault, command: bytes, expected: int, before: Facts) -> bool:
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
        after = Facts(self._tries(), secrets=(self.memory.strings[PIN],))
        for name, happened in invariants.broken(Interrupted(before, self._expected(), after, answer, expected)):
            raise Difference(name, happened)
        # Old and new are both right: the oracle follows the card.
        self.oracle.tries, self.oracle.puk_tries = self._tries()
        self.oracle.pin = after.secrets[0]
        self.oracle.power_on()
        self._challenge = b""
        self._compare()
        return True

    def _tries(self) -> tuple[int, int]:
        return self.memory.numbers[PIN_TRIES], self.memory.numbers[self._puk_tries]

    def _expected(self) -> Facts:
        return Facts((self.oracle.tries, self.oracle.puk_tries), secrets=(self.oracle.pin,))

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
            "tries": (self._tries(), (oracle.tries, oracle.puk_tries)),
            "blocked": (shown.pin_blocked, oracle.tries == 0),
            "verified": (shown.pin_verified, oracle.verified),
            "proven": (set(shown.authenticated), oracle.proven),
            "challenge": (shown.challenge_waiting, oracle.challenge),
            "DF": (shown.current_df, oracle.df),
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
        if move.name == "challenge":
            return bytes((0x00, 0x84, 0x00, 0x00, move.number))
        header = HEADERS.get(move.name)
        return header + bytes((len(data),)) + data if header else FIXED[move.name]

    def _ask(self, move: Move) -> int:
        """What the oracle answers."""
        oracle = self.oracle
        answers: dict[str, Callable[[], int]] = {
            "verify": lambda: oracle.verify(move.data),
            "change": lambda: oracle.change(move.data),
            "challenge": lambda: oracle.get_challenge(move.number),
            "authenticate": lambda: oracle.authenticate(move.word, move.right, move.number or None),
            "unblock": lambda: oracle.unblock(move.right),
            "reset": lambda: oracle.reset(move.data, move.right),
            "reload": oracle.reload,
            "select": lambda: oracle.select("SSSE"),
            "select-MF": lambda: oracle.select("SSSE"),
            "select-DF01": lambda: oracle.select("DF01"),
            "select-EF05": oracle.select_ef,
            "select-unknown": oracle.select_unknown,
            "unknown-INS": oracle.unknown_ins,
            "unknown-CLA": oracle.unknown_cla,
        }
        return answers[move.name]()


HEADERS: Final = {"verify": bytes.fromhex("00200000"), "change": bytes.fromhex("805E0100")}
FIXED: Final = {
    "reload": bytes.fromhex("805E000003123456"),
    "select": bytes.fromhex("00A404000F") + SSSE_NAME,
    "select-MF": bytes.fromhex("00A40000023F00"),
    "select-DF01": bytes.fromhex("00A4040006D15600000500"),
    "select-EF05": bytes.fromhex("00A4020002EF05"),
    "select-unknown": bytes.fromhex("00A4020002EF1E"),
    "unknown-INS": bytes.fromhex("00FF000000"),
    "unknown-CLA": bytes.fromhex("F0FF000000"),
}
READY: Final = [
    Move("select"),
    Move("challenge", number=8),
    Move("authenticate", word="PUK"),
    Move("challenge", number=8),
]
"""Straight to where a reset can succeed."""


def spoilt(data: bytes) -> bytes:
    """The same bytes but for one bit."""
    return bytes((data[0] ^ 1,)) + data[1:]


def draw_life(random: Random) -> PinLife:
    """A card of a preset with the sheet's choices, or with choices made by dice, and any PIN or none."""
    name = random.choice(PRESETS)
    choices = Choices()
    if random.random() < 0.5:
        choices = Choices(**{field: random.choice(values) for field, values in ALTERNATIVES.items()})
    return PinLife(name, choices, random.choice([*PINS, b""]))


def draw_fault(random: Random) -> Fault | None:
    """None, or one that happens if the command writes so often."""
    if random.random() < 0.6:
        return None
    moment = random.choice([None, *Moment])
    again = (random.randrange(4), random.choice(list(Moment))) if random.random() < 0.3 else None
    return Fault(random.randrange(6), moment, again)


def draw_moves(random: Random, oracle: Oracle) -> list[Move]:
    """The next moves by dice: one, or those that lead to a reset."""
    often = random.random() < 0.75
    new, old = random.choice(NEW_PINS), random.choice([*PINS, b"", *MALFORMED])
    some = bytes(random.randrange(256) for _ in range(random.randrange(1, 19)))
    plain = padded(new, oracle.block)
    at = random.randrange(len(plain))
    moves = {
        "query": [Move("verify")],
        "verify-right": [Move("verify", oracle.pin)],
        "verify-any": [Move("verify", random.choice(PINS))],
        "verify-bytes": [Move("verify", some[:10])],
        "change-right": [Move("change", oracle.pin + b"\xff" + new)],
        "change-any": [Move("change", old + b"\xff" + new)],
        "change-bytes": [Move("change", some)],
        "challenge": [Move("challenge", number=random.choice((4, 8, 8, 8, 16)))],
        "PUK": [Move("authenticate", right=often, word="PUK", number=random.choice((0, 0, 1, 2)))],
        "BK": [Move("authenticate", right=often, word="BK")],
        "no-key": [Move("authenticate", right=False, word="none")],
        "ready": [*READY],
        "unblock": [Move("unblock", right=often)],
        "reset": [Move("reset", plain, often)],
        "reset-none": [Move("reset", b"", often)],
        "reset-spoilt": [Move("reset", plain[:at] + bytes((plain[at] ^ random.randrange(1, 256),)) + plain[at + 1 :])],
        "whole-reset": [*READY, Move("reset", random.choice([plain, padded(oracle.pin, oracle.block), b""]))],
        "whole-unblock": [*READY, Move("unblock")],
        "restart": [Move("restart", number=random.randrange(2))],
        **{name: [Move(name)] for name in FIXED},
    }
    return [move for move in moves[random.choice(list(moves))] if _is_known(move, oracle)]


def _is_known(move: Move, oracle: Oracle) -> bool:
    """Whether the sheet says what this move does."""
    if move.name == "reset":
        return len(move.data) <= 16
    if move.name == "change":  # the sheet counts the digits of a new PIN; whether of an old one is open [OC-19b]
        return digits(move.data.partition(b"\xff")[0]) != 3
    return not move.name.startswith("unknown") or oracle.choices.challenge_lasts != "command"
