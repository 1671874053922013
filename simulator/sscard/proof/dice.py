"""Cards, commands and faults by dice, for :class:`~sscard.proof.pinlife.PinLife`."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any, Final, get_args

from sscard.chip.memory import Moment
from sscard.issuer import preset
from sscard.model.choices import Choices, Effect, choices_of
from sscard.model.files import records
from sscard.model.oracle import Oracle, digits, padded
from sscard.proof.pinlife import FIXED, OWN, Fault, Move, PinLife
from sscard.standard.certificates import CRYPTOGRAM_LENGTH
from sscard.standard.choices import CHOICES, CertificateLevel

PRESETS: Final = ("v3-sm4", "v2-3des", "v1-des")
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
    "ssse_fid": (0x3F00, 0x3F00, 0xDDF1),
    "dir_sfi": (0, 1, 9, 0x0B, 0x1E),
    "fci_algorithm": BOTH,
    "health_application": BOTH,
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
    "select_ef_as_file": (0x9000, 0x6A82, 0x6A86),
    "select_child": ("children", "siblings", "FID", "6A86"),
    "same_pin_allowed": BOTH,
    "pin_min_digits": (3, 4),
    "two_block_pin": BOTH,
    "no_challenge_external": (0x6984, 0x6985),
    "short_record_le": ("6Cxx", "truncate"),
    "reset_empty_pin": BOTH,
    "absent_old_pin_counts": BOTH,
    "whole_record_contact": BOTH,
    "whole_record_contactless": BOTH,
    "unlock_limit": (0, 1, 2, 5),
    "certificate_application": get_args(CertificateLevel),
    "certificate_user_tries": (1, 2, 6, 15),
    "certificate_administrator_tries": (1, 3, 6),
}
"""The values of every open choice that the oracle knows."""
READY: Final = [
    Move("select"),
    Move("challenge", number=8),
    Move("authenticate", word="PUK"),
    Move("challenge", number=8),
]
"""Straight to where a reset can succeed."""


def draw_life(random: Random) -> PinLife:
    """A card of a preset with the sheet's choices, or with choices made by dice, and any PIN or none.

    Half of the cards that can have it have the certificate application.
    """
    name = random.choice(PRESETS)
    generation = preset(name).generation
    own = choices = choices_of(generation)
    choices = replace(choices, certificate_application=random.choice(get_args(CertificateLevel)))
    if random.random() < 0.5:
        choices = Choices(**{field: random.choice(values) for field, values in ALTERNATIVES.items()})
    # Of a choice that cards of other generations only have, the card has the default.
    foreign = (field for field in ALTERNATIVES if generation not in (CHOICES[field].generations or generation))
    choices = replace(choices, **{field: getattr(own, field) for field in foreign})
    return PinLife(name, choices, random.choice([*PINS, b""]), contact=random.random() < 0.5)


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
    length = random.choice((CRYPTOGRAM_LENGTH, CRYPTOGRAM_LENGTH, CRYPTOGRAM_LENGTH, 8))
    own = Move("verify-own", right=often, word=random.choice(list(OWN)), number=length)
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
        "file": [_draw_file(random)],
        "read": [_draw_read(random, oracle)],
        "response": [Move("response", number=random.choice((0, 10, 24, 27, 30, len(oracle.waiting), 31)))],
        "no-key": [Move("authenticate", right=False, word="none")],
        "ready": [*READY],
        "unblock": [Move("unblock", right=often)],
        "reset": [Move("reset", plain, often)],
        "reset-none": [Move("reset", b"", often)],
        "reset-spoilt": [Move("reset", plain[:at] + bytes((plain[at] ^ random.randrange(1, 256),)) + plain[at + 1 :])],
        "whole-reset": [*READY, Move("reset", random.choice([plain, padded(oracle.pin, oracle.block), b""]))],
        "whole-unblock": [*READY, Move("unblock")],
        "own": [own],
        "own-guesses": [Move("select-ADF"), *[Move("challenge", number=8), own._replace(right=False)] * 4],
        "whole-own": [Move(random.choice(("select-PKI", "select-ADF"))), Move("challenge", number=16), own],
        "restart": [Move("restart", number=random.randrange(2))],
        **{name: [Move(name)] for name in FIXED},
    }
    return [move for move in moves[random.choice(list(moves))] if _is_known(move, oracle)]


def _draw_file(random: Random) -> Move:
    """SELECT by FID: mostly a DF or EF of the card."""
    fid = random.choice(
        ("3F00", "DDF1", "DF01", "DF02", "DF03", "DF05", "DF07", "DFEE", "EF05", "EF05", "EF1E", "EF", "")
    )
    p1p2 = random.choice((0x0000, 0x0100, 0x0100, 0x0100, 0x0200, 0x0200, 0x0300, 0x0102, 0x0002))
    return Move("file", bytes.fromhex(fid), number=p1p2)


def _draw_read(random: Random, oracle: Oracle) -> Move:
    """READ RECORD of EF05 of SSSE, by number or tag: with the right Le, 00 or another."""
    p1, mode = random.randrange(1, 10), random.choice((0, 4, 5))
    held = records(oracle.issuer_data)
    right = len(b"".join(held[p1 - 1 : None if mode == 5 else p1])) or 1
    p2 = random.choice((0, 0x05)) << 3 | mode
    return Move("read", bytes((p1, p2)), number=random.choice((0, 0, right, right, right + 1, right - 1)))


def _is_known(move: Move, oracle: Oracle) -> bool:
    """Whether the sheet says what this move does."""
    if move.name == "reset":
        return len(move.data) <= 16
    if move.name == "read":  # other files need rights, or have a content that the oracle does not know
        return (
            oracle.df == "MF"
            or (oracle.df == "SSSE" and oracle.ef in (0, 0x05))
            or (not oracle.ef and move.data[1] < 8)
        )
    if move.name == "change":  # the sheet counts the digits of a new PIN; whether of an old one is open [OC-19b]
        return digits(move.data.partition(b"\xff")[0]) != 3
    return not move.name.startswith("unknown") or oracle.choices.challenge_lasts != "command"
