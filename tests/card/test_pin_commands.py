"""Every status word that card-commands.md lists for the commands of the PIN's life, and their order.

A case says what the sheet demands, not what the chip does. ``PIN_SHEET`` repeats the error lists of
card-commands.md; each word on them is reached by a case or named in ``UNREACHABLE`` with the reason.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit import BK, NAME, ORIGINAL, PIN, PUK, RKSSSE, Desk, change, scripted, span, vector_card, verify
from kit.command_sheet import PIN_SHEET, generic
from sscard.card import Chip, Personality
from sscard.card.commands import COMMANDS
from sscard.issuer import issue_card, preset
from sscard.standard.cipher import SUITES_BY_NAME

Send = Callable[[Desk], bytes]
Before = Callable[[Desk], object]


def at_once(desk: Desk) -> None:
    """Nothing comes before."""


@dataclass(frozen=True)
class Case:
    """``send`` (hex or made at the desk) after ``before`` answers ``sw``, and leaves ``tries`` of the PIN."""

    says: str
    send: str | Send
    sw: int
    before: Before = at_once
    tries: int | None = None
    switches: dict[str, Any] = field(default_factory=dict)
    only: str = ""
    pin: str = PIN
    contact: bool = False

    def __str__(self) -> str:
        return self.says


UNREACHABLE = {
    ("VERIFY", 0x6984): "VERIFY refers to no challenge and no other data that could be invalid",
}


def card_blocked(desk: Desk) -> None:
    desk.block_card()


def application_blocked(desk: Desk) -> None:
    desk.block_application()


def worn_out(desk: Desk) -> None:
    desk.memory.fail()


def blocked(desk: Desk) -> None:
    desk.block_pin()


def outside(desk: Desk) -> None:
    """Under an MF that is not SSSE, whose keys and PIN do not reach there."""
    desk.repower()


def authenticated(desk: Desk) -> None:
    desk.authenticate()
    desk.challenge()


def challenged(desk: Desk) -> None:
    desk.challenge()


BELOW_MF = {"ssse_fid": 0xDDF1}
WRONG_PIN = "0020000003999999"

VERIFY = [
    Case("the PIN", "0020000003123456", 0x9000, tries=6),
    Case("a wrong PIN costs a try", "0020000003123457", 0x63C5, tries=5),
    Case("a PIN of another length costs a try", "00200000021234", 0x63C5, tries=5),
    Case("the PIN with padding where it has none", "0020000004123456FF", 0x63C5, tries=5),
    Case("data that are no digits are compared all the same", "0020000003ABCDEF", 0x63C5, tries=5),
    Case("8 bytes are taken", "00200000081234567890123456", 0x63C5, tries=5),
    Case("a query costs nothing", "0020000000", 0x63C6, tries=6),
    Case("a query of 4 bytes, as case 1 is sent", "00200000", 0x63C6, tries=6),
    Case("a query with no PIN set", "0020000000", 0x9000, pin=""),
    Case("a PIN given with no PIN set", "0020000003123456", 0x63C5, tries=5, pin=""),
    Case("the last try", WRONG_PIN, 0x63C0, lambda desk: drain(desk, 1), tries=0),
    Case("the PIN when blocked", "0020000003123456", 0x6983, blocked, tries=0),
    Case("a wrong PIN when blocked", WRONG_PIN, 0x6983, blocked, tries=0),
    Case("a query when blocked [OC-3]", "0020000000", 0x63C0, blocked, tries=0),
    Case("a query when blocked [OC-3]", "0020000000", 0x6983, blocked, switches={"blocked_query": 0x6983}),
    Case("a query once verified [OC-4]", "0020000000", 0x63C6, lambda desk: desk.verify()),
    Case(
        "a query once verified [OC-4]",
        "0020000000",
        0x9000,
        lambda desk: desk.verify(),
        switches={"verified_query_ok": True},
    ),
    Case(
        "a PIN given with no PIN set [OC-5]",
        "0020000003123456",
        0x63C6,
        tries=6,
        pin="",
        switches={"empty_pin_counts": False},
    ),
    Case("1 byte", "002000000112", 0x6700, tries=6),
    Case("9 bytes", "0020000009123456789012345678", 0x6700, tries=6),
    Case("1 byte when blocked: length before lock", "002000000112", 0x6700, blocked, tries=0),
    Case("Lc without its data", "0020000003", 0x6700, tries=6),
    Case("P1", "0020010003123456", 0x6A86, tries=6),
    Case("P2", "0020000103123456", 0x6A86, tries=6),
    Case("P1 P2 before length", "002001000112", 0x6A86, tries=6),
    Case("a CLA it does not have", "8020000003123456", 0x6E00, tries=6),
    Case("secure messaging", "8420000003123456", 0x6E00, tries=6),
    Case("a CLA no command has", "F020000003123456", 0x6E00, tries=6),
    Case("where no PIN is", "0020000003123456", 0x6A88, outside, switches=BELOW_MF),
    Case("a blocked card", "0020000003123456", 0x6A81, card_blocked, tries=6),
    Case("a blocked application", "0020000003123456", 0x9303, application_blocked, tries=6),
    Case("memory worn out: no comparison", "0020000003123456", 0x6581, worn_out, tries=6),
]


def drain(desk: Desk, left: int) -> None:
    while desk.tries > left:
        desk.send(WRONG_PIN)


CHANGE_PIN = [
    Case("old and new", "805E010007123456FF654321", 0x9000, tries=6),
    Case("the same again [OC-19]", "805E010007123456FF123456", 0x9000, tries=6),
    Case("the same again [OC-19]", "805E010007123456FF123456", 0x6A80, tries=6, switches={"same_pin_allowed": False}),
    Case("the longest", "805E01000C123456FF1234567890123456", 0x9000, tries=6),
    Case("odd digits", "805E010007123456FF12345F", 0x9000, tries=6),
    Case("new absent: the PIN is switched off", "805E010004123456FF", 0x9000, tries=6),
    Case("old absent: a PIN is set", "805E010004FF123456", 0x9000, tries=6, pin=""),
    Case("17 bytes, wrong", "805E0100111234567890123456FF6543210987654321", 0x63C5, tries=5),
    Case("a wrong old PIN costs a try", "805E010007123457FF654321", 0x63C5, tries=5),
    Case("a wrong old PIN after a right VERIFY", "805E010007123457FF654321", 0x63C5, Desk.verify, tries=5),
    Case("the last try", "805E010007999999FF654321", 0x63C0, lambda desk: drain(desk, 1), tries=0),
    Case("old absent while a PIN is set [OC-35]", "805E010004FF654321", 0x63C5, tries=5),
    Case(
        "old absent while a PIN is set [OC-35]",
        "805E010004FF654321",
        0x6A80,
        tries=6,
        switches={"absent_old_pin_counts": False},
    ),
    Case("old given with no PIN set [OC-36]", "805E010007123456FF654321", 0x63C5, tries=5, pin=""),
    Case(
        "old given with no PIN set [OC-36]",
        "805E010007123456FF654321",
        0x63C6,
        tries=6,
        pin="",
        switches={"empty_pin_counts": False},
    ),
    Case("blocked", "805E010007123456FF654321", 0x6983, blocked, tries=0),
    Case("blocked before the data are parsed", "805E010003ABCDEF", 0x6983, blocked, tries=0),
    Case("no PIN set, blocked", "805E010004FF123456", 0x6983, blocked, tries=0, pin=""),
    Case("no separator", "805E010006123456654321", 0x6A80, tries=6),
    Case("old too short", "805E01000512FF654321", 0x6A80, tries=6),
    Case("old too long", "805E01000D123456789012345678FF654321", 0x6A80, tries=6),
    Case("new too short", "805E010005123456FF65", 0x6A80, tries=6),
    Case("new too long", "805E01000D123456FF123456789012345678", 0x6A80, tries=6),
    Case("a second separator", "805E010008123456FFFF654321", 0x6A80, tries=6),
    Case("a letter in old", "805E0100071234A6FF654321", 0x6A80, tries=6),
    Case("a letter in new", "805E010007123456FF6543A1", 0x6A80, tries=6),
    Case("F in the middle of new", "805E010007123456FF65F321", 0x6A80, tries=6),
    Case("a letter in new, with a wrong old: parsed before compared", "805E010007999999FF6543A1", 0x6A80, tries=6),
    Case("3 digits [OC-19b]", "805E010006123456FF123F", 0x6A80, tries=6),
    Case("3 digits [OC-19b]", "805E010006123456FF123F", 0x9000, tries=6, switches={"pin_min_digits": 3}),
    Case("nothing", "805E010000", 0x6700, tries=6),
    Case("2 bytes", "805E010002FF12", 0x6700, tries=6),
    Case("18 bytes", "805E0100121234567890123456FF123456789012345678", 0x6700, tries=6),
    Case("length before lock", "805E010002FF12", 0x6700, blocked, tries=0),
    Case("P1=00, the reload of other cards [OC-15]", "805E000003123456", 0x6A86, tries=6),
    Case("[OC-15]", "805E000003123456", 0x6D00, switches={"reload_pin": 0x6D00}),
    Case("[OC-15]", "805E000003123456", 0x6A81, switches={"reload_pin": 0x6A81}),
    Case("P2", "805E010107123456FF654321", 0x6A86, tries=6),
    Case("P1", "805E020007123456FF654321", 0x6A86, tries=6),
    Case("P1 P2 before length", "805E020002FF12", 0x6A86, tries=6),
    Case("CLA 00", "005E010007123456FF654321", 0x6E00, tries=6),
    Case("CLA 84", "845E010007123456FF654321", 0x6E00, tries=6),
    Case("where no PIN is", "805E010007123456FF654321", 0x6A88, outside, switches=BELOW_MF),
    Case("a blocked card", "805E010007123456FF654321", 0x6A81, card_blocked, tries=6),
    Case("a blocked application", "805E010007123456FF654321", 0x9303, application_blocked, tries=6),
    Case("memory worn out", "805E010007123456FF654321", 0x6581, worn_out, tries=6),
    Case(
        "memory worn out at the new PIN: the try is gone, the PIN is not",
        "805E010007123456FF654321",
        0x6581,
        lambda desk: desk.memory.fail(3),
        tries=5,
    ),
]


def unblock(desk: Desk) -> bytes:
    return desk.message(0x00)


def reset(pin: str = "654321") -> Send:
    return lambda desk: desk.message(0x01, desk.block(bytes.fromhex(pin)))


def empty_block(desk: Desk) -> bytes:
    return desk.message(0x01, desk.block(b""))


def wrong(made: Send) -> Send:
    """The same command with its last bit, in the MAC or authentication data, turned."""
    return lambda desk: flip(made(desk))


def flip(command: bytes) -> bytes:
    return command[:-1] + bytes((command[-1] ^ 1,))


def raw(*plain: str) -> Send:
    """A reset whose enciphered block is this plain text, per block length."""
    by_block = {len(text) // 2: bytes.fromhex(text) for text in plain}
    return lambda desk: desk.message(0x01, by_block[desk.suite.block])


def only_authenticated(desk: Desk) -> None:
    desk.authenticate()


def locked_after_authentication(desk: Desk) -> None:
    """PUK proven, then blocked by wrong proofs, its status kept by the issuer's choice."""
    desk.authenticate()
    desk.block_key()
    desk.challenge()


PIN_CHANGE_UNBLOCK = [
    Case("unblock", unblock, 0x9000, authenticated, tries=6),
    Case("unblock a blocked PIN", unblock, 0x9000, lambda desk: (blocked(desk), authenticated(desk)), tries=6),
    Case("reset", reset(), 0x9000, authenticated, tries=6),
    Case("reset a blocked PIN", reset(), 0x9000, lambda desk: (blocked(desk), authenticated(desk)), tries=6),
    Case("reset with no PIN set [OC-31]", reset(), 0x9000, authenticated, tries=6, pin=""),
    Case("[OC-31]", reset(), 0x6985, authenticated, pin="", switches={"reset_empty_pin": False}),
    Case("8 bytes", reset("1234567890123456"), 0x9000, authenticated),
    Case(
        "8 bytes under DES [OC-20]",
        reset("1234567890123456"),
        0x6A80,
        authenticated,
        switches={"two_block_pin": False},
        only="v2-3des",
    ),
    Case("7 bytes", reset("12345678901234"), 0x9000, authenticated),
    Case("empty PIN, no enciphered part [OC-14 A]", lambda desk: desk.message(0x01), 0x9000, authenticated),
    Case(
        "[OC-14 A]",
        lambda desk: desk.message(0x01),
        0x6A80,
        authenticated,
        switches={"empty_pin_without_block": False},
    ),
    Case("empty PIN, a block of LD=00 [OC-14 B]", empty_block, 0x9000, authenticated),
    Case("[OC-14 B]", empty_block, 0x6A80, authenticated, switches={"empty_pin_as_block": False}),
    Case("a wrong MAC", wrong(reset()), 0x6988, authenticated),
    Case("a wrong MAC of an unblock", wrong(unblock), 0x6988, authenticated),
    Case(
        "a wrong MAC before bad content",
        wrong(raw("0312345600000000", "03123456" + "00" * 12)),
        0x6988,
        authenticated,
    ),
    Case("a PIN with a letter", reset("1234A6"), 0x6A80, authenticated),
    Case("a PIN of 1 byte", reset("12"), 0x6A80, authenticated),
    Case("3 digits [OC-19b]", reset("123F"), 0x6A80, authenticated),
    Case("3 digits [OC-19b]", reset("123F"), 0x9000, authenticated, switches={"pin_min_digits": 3}),
    Case("LD larger than the block", raw("0812345678901234", "FF" + "12" * 15), 0x6A80, authenticated),
    Case("LD above 8", raw("0980000000000000", "09" + "12" * 9 + "80" + "00" * 5), 0x6A80, authenticated),
    Case("wrong padding", raw("0312345600000000", "03123456" + "00" * 12), 0x6A80, authenticated),
    Case("the same PIN [OC-19]", reset("123456"), 0x9000, authenticated),
    Case("[OC-19]", reset("123456"), 0x6A80, authenticated, switches={"same_pin_allowed": False}),
    Case("without PUK", reset(), 0x6982, challenged),
    Case("without PUK and challenge: rights come first", reset(), 0x6982),
    Case("with PIN verified but without PUK", reset(), 0x6982, lambda desk: (desk.verify(), desk.challenge())),
    Case("with another key", reset(), 0x6982, lambda desk: (desk.authenticate(BK), desk.challenge())),
    Case("without a new challenge", reset(), 0x6984, only_authenticated),
    Case("[OC-12b]", reset(), 0x6985, only_authenticated, switches={"no_challenge": 0x6985}),
    Case(
        "PUK blocked since: 6982, for 6983 is not in the list",
        unblock,
        0x6982,
        locked_after_authentication,
        switches={"failed_authentication_clears": False},
    ),
    Case("unblock with a block", lambda desk: header(desk, 0x00), 0x6700, authenticated),
    Case("no data", "8424000100", 0x6700, authenticated),
    Case("a MAC of 3 bytes", "8424000003AABBCC", 0x6700, authenticated),
    Case("a block of 8 bytes under SM4", "842400010C" + "00" * 12, 0x6700, authenticated, only="v3-sm4"),
    Case("length before rights", "8424000003AABBCC", 0x6700),
    Case("P2", lambda desk: flipped(desk, 3, 2), 0x6A86, authenticated),
    Case("P1", lambda desk: flipped(desk, 2, 1), 0x6A86, authenticated),
    Case("P1 P2 before length", "8424000203AABBCC", 0x6A86, authenticated),
    Case("CLA 00", lambda desk: flipped(desk, 0, 0x84), 0x6E00, authenticated),
    Case("CLA 04", lambda desk: flipped(desk, 0, 0x80), 0x6E00, authenticated),
    Case("where no STK is", unblock, 0x6A88, outside, switches=BELOW_MF),
    Case("a blocked card", unblock, 0x6A81, card_blocked),
    Case("a blocked application", unblock, 0x9303, application_blocked),
    Case("memory worn out", reset(), 0x6581, lambda desk: (authenticated(desk), worn_out(desk))),
    Case("memory worn out at unblock", unblock, 0x6581, lambda desk: (authenticated(desk), worn_out(desk))),
]


def header(desk: Desk, p2: int) -> bytes:
    """A reset with the P2 of an unblock."""
    made = bytearray(desk.message(0x01, desk.block(bytes.fromhex("654321"))))
    made[3] = p2
    return bytes(made)


def flipped(desk: Desk, place: int, bits: int) -> bytes:
    made = bytearray(desk.message(0x00))
    made[place] ^= bits
    return bytes(made)


def proof(number: int = PUK, version: int | None = None) -> Send:
    return lambda desk: desk.proof(number, version=version)


def wrong_proof(number: int = PUK, version: int | None = None) -> Send:
    return lambda desk: desk.proof(number, right=False, version=version)


EXTERNAL_AUTHENTICATION = [
    Case("PUK", proof(), 0x9000, challenged),
    Case("PUK version 01", proof(version=1), 0x9000, challenged),
    Case("BK, which has no counter", proof(BK), 0x9000, challenged),
    Case("RKSSSE version 03", proof(RKSSSE, 3), 0x9000, challenged),
    Case("a challenge of 4 bytes", proof(), 0x9000, lambda desk: desk.challenge(4)),
    Case("a challenge of 16 bytes", proof(), 0x9000, lambda desk: desk.challenge(16), only="v3-sm4"),
    Case("a second challenge replaces the first", proof(), 0x9000, lambda desk: (challenged(desk), challenged(desk))),
    Case("wrong", wrong_proof(), 0x63C2, challenged),
    Case("wrong original data", wrong(proof()), 0x63C2, challenged),
    Case("wrong, no counter", wrong_proof(BK), 0x63CF, challenged),
    Case("[OC-10]", wrong_proof(BK), 0x6982, challenged, switches={"uncounted_failure": 0x6982}),
    Case("[OC-10]", wrong_proof(BK), 0x6988, challenged, switches={"uncounted_failure": 0x6988}),
    Case("key blocked", proof(), 0x6983, lambda desk: (desk.block_key(), challenged(desk))),
    Case("key blocked, no challenge: the lock comes first", proof(), 0x6983, lambda desk: desk.block_key()),
    Case("no challenge", proof(), 0x6984),
    Case("[OC-28]", proof(), 0x6985, switches={"no_challenge_external": 0x6985}),
    Case("a challenge used already", proof(), 0x6984, only_authenticated),
    Case("a challenge used by a wrong proof", proof(), 0x6984, lambda desk: (challenged(desk), fail_puk(desk))),
    Case("15 bytes", "008200060F" + "00" * 15, 0x6700, challenged),
    Case("18 bytes", "0082000612" + "00" * 18, 0x6700, challenged),
    Case("no data", "0082000600", 0x6700, challenged),
    Case("P1", "0082010610" + "00" * 16, 0x6A86, challenged),
    Case("P1 before length", "008201060F" + "00" * 15, 0x6A86, challenged),
    Case("P2=00 [OC-32]", "0082000010" + "00" * 16, 0x6A88, challenged),
    Case("[OC-32]", "0082000010" + "00" * 16, 0x6A86, challenged, switches={"reserved_key": 0x6A86}),
    Case("a key that is not there", "0082000710" + "00" * 16, 0x6A88, challenged),
    Case("a key of the DF that is not there", "0082008610" + "00" * 16, 0x6A88, challenged),
    Case("STK, which serves one function only", "0082000210" + "00" * 16, 0x6A88, challenged),
    Case("a version that is not there [OC-23]", "0082000611" + "00" * 16 + "02", 0x6A88, challenged),
    Case("version 00 [OC-23]", "0082000611" + "00" * 17, 0x6A88, challenged),
    Case(
        "[OC-23]",
        "0082000611" + "00" * 16 + "02",
        0x6A80,
        challenged,
        switches={"unknown_key_version": 0x6A80},
    ),
    Case("the key comes before the challenge", "0082000710" + "00" * 16, 0x6A88),
    Case("CLA 84", "8482000610" + "00" * 16, 0x6E00, challenged),
    Case("where SSSE does not reach", proof(), 0x6A88, outside, switches=BELOW_MF),
    Case("a blocked card", proof(), 0x6A81, card_blocked),
    Case("a blocked application", proof(), 0x9303, application_blocked),
    Case("memory worn out", proof(), 0x6581, lambda desk: (challenged(desk), worn_out(desk))),
]


def fail_puk(desk: Desk) -> None:
    assert desk.sw(desk.proof(right=False)) == 0x63C2


GET_CHALLENGE = [
    Case("4", "0084000004", 0x9000),
    Case("8", "0084000008", 0x9000),
    Case("16 under SM4", "0084000010", 0x9000, only="v3-sm4"),
    Case("16 under DES", "0084000010", 0x6700, only="v2-3des"),
    Case("0", "0084000000", 0x6700),
    Case("no Le", "00840000", 0x6700),
    Case("5", "0084000005", 0x6700),
    Case("P1", "0084010008", 0x6A86),
    Case("P2", "0084000108", 0x6A86),
    Case("P1 P2 before Le", "0084000100", 0x6A86),
    Case("CLA 80", "8084000008", 0x6E00),
    Case("a blocked card", "0084000008", 0x6A81, card_blocked),
    Case("a blocked application [OC-34]", "0084000008", 0x9303, application_blocked),
]
SELECT = [
    Case("SSSE by name", f"00A404000F{NAME}", 0x9000),
    Case("SSSE by name with Le", f"00A404000F{NAME}00", 0x9000),
    Case("SSSE by name over contacts: FCI waits", f"00A404000F{NAME}00", 0x611E, contact=True),
    Case("by the beginning of its name", "00A40400057378312E73", 0x9000),
    Case("the next of that name: there is none", "00A40402057378312E73", 0x6A82, lambda desk: desk.send(PARTIAL)),
    Case("MF by FID", "00A40000023F00", 0x9000),
    Case("MF by nothing", "00A4000000", 0x9000),
    Case("an EF by FID", "00A4020002EF05", 0x9000),
    Case("an EF as if it were a DF, as terminals do [OC-17]", "00A4000002EF05", 0x9000),
    Case("[OC-17]", "00A4000002EF05", 0x6A82, switches={"select_ef_as_file": 0x6A82}),
    Case("[OC-17]", "00A4000002EF05", 0x6A86, switches={"select_ef_as_file": 0x6A86}),
    Case("no such name", "00A40400064D51324D5132", 0x6A82),
    Case("no such EF", "00A4020002EF1D", 0x6A82),
    Case("no such FID", "00A4000002DFEE", 0x6A82),
    Case("a name of 4 bytes", "00A40400047378312E", 0x6700),
    Case("a name of 17 bytes", "00A4040011" + "73" * 17, 0x6700),
    Case("a FID of 1 byte", "00A40000013F", 0x6700),
    Case("a FID of 5 bytes", "00A40000053F003F003F", 0x6700),
    Case("an EF by nothing", "00A4020000", 0x6700),
    Case("a child DF", "00A4010002DF03", 0x9000),
    Case("a child DF over contacts: FCI waits", "00A4010002DF03", 0x610A, contact=True),
    Case("no such child", "00A4010002DFEE", 0x6A82),
    Case("the MF is no child", "00A40100023F00", 0x6A82),
    Case("an EF is no child", "00A4010002EF05", 0x6A82),
    Case("a child by nothing", "00A4010000", 0x6700),
    Case("a child by 1 byte", "00A4010001DF", 0x6700),
    Case("a child with P2", "00A4010202DF03", 0x6A86),
    Case("[OC-37]", "00A4010002DF03", 0x6A86, switches={"select_child": "6A86"}),
    Case("P1", "00A40300023F00", 0x6A86),
    Case("P2", f"00A404010F{NAME}", 0x6A86),
    Case("P1 P2 before length", "00A403000173", 0x6A86),
    Case("P1 P2 before length [OC-37]", "00A401000173", 0x6A86, switches={"select_child": "6A86"}),
    Case("CLA 80", f"80A404000F{NAME}", 0x6E00),
    Case("a blocked card", f"00A404000F{NAME}", 0x6A81, card_blocked),
    Case("a blocked application", f"00A404000F{NAME}", 0x9303, application_blocked),
]
PARTIAL = "00A40400057378312E73"


def ef05(desk: Desk) -> None:
    assert desk.sw("00A4020002EF05") == 0x9000


def ef06(desk: Desk) -> None:
    assert desk.sw("00A4020002EF06") == 0x9000


READ_RECORD = [
    Case("by tag", "00B2010012", 0x9000, ef05),
    Case("by number", "00B207040B", 0x9000, ef05),
    Case("the whole file: 05 is current EF, not SFI 05", "00B2010540", 0x9000, ef05),
    Case("by SFI", "00B2012C12", 0x9000),
    Case("Le=00 tells the length", "00B2010000", 0x6C12, ef05, contact=True),
    Case("no Le tells it too", "00B20100", 0x6C12, ef05, contact=True),
    Case("[OC-38] Le=00 contactless", "00B2010000", 0x9000, ef05),
    Case("[OC-38]", "00B2010000", 0x6C12, ef05, switches={"whole_record_contactless": False}),
    Case("[OC-38]", "00B2010000", 0x9000, ef05, switches={"whole_record_contact": True}, contact=True),
    Case("[OC-38] whatever contact does", "00B2010000", 0x9000, ef05, switches={"whole_record_contact": False}),
    Case(
        "[OC-38] whatever contactless does",
        "00B2010000",
        0x6C12,
        ef05,
        switches={"whole_record_contactless": True},
        contact=True,
    ),
    Case("Le too long", "00B2010013", 0x6C12, ef05),
    Case("Le too short [OC-30]", "00B2010010", 0x6C12, ef05),
    Case("[OC-30]", "00B2010010", 0x9000, ef05, switches={"short_record_le": "truncate"}),
    Case("the whole file, Le=00", "00B2010500", 0x6C40, ef05, contact=True),
    Case("no current EF", "00B2010012", 0x6986),
    Case("no such SFI", "00B201EC00", 0x6A82),
    Case("no such tag", "00B2990000", 0x6A83, ef05),
    Case("beyond the last", "00B2080400", 0x6A83, ef05),
    Case("a transparent EF", "00B2013C00", 0x6981),
    Case("SFI 31", "00B201FC00", 0x6A86, ef05),
    Case("mode 111", "00B2010700", 0x6A86, ef05),
    Case("EF06 without RKSSSE on a 3.0 card", "00B2080014", 0x6982, ef06, only="v3-sm4"),
    Case("EF06 with the PIN is not enough", "00B2080014", 0x6982, lambda d: (d.verify(), ef06(d)), only="v3-sm4"),
    Case("EF06 with RKSSSE", "00B2080014", 0x9000, lambda desk: (desk.authenticate(RKSSSE), ef06(desk))),
    Case("EF06 is free on a 2.0 card", "00B2080014", 0x9000, ef06, only="v2-3des"),
    Case("EF06 whole", "00B201055B", 0x9000, lambda desk: (desk.authenticate(RKSSSE), ef06(desk))),
    Case("CLA 80", "80B2010012", 0x6E00, ef05),
    Case("a blocked card", "00B2010012", 0x6A81, card_blocked),
    Case("a blocked application", "00B2010012", 0x9303, application_blocked),
    Case("data where none belong", "00B2012C02AABB", 0x6700),
]


def waiting(desk: Desk) -> None:
    assert desk.sw(f"00A404000F{NAME}") == 0x611E


GET_RESPONSE = [
    Case("all", "00C000001E", 0x9000, waiting, contact=True),
    Case("a part: the rest waits", "00C0000010", 0x610E, waiting, contact=True),
    Case("Le=00 tells the length", "00C0000000", 0x6C1E, waiting, contact=True),
    Case("and costs nothing", "00C000001E", 0x9000, lambda d: (waiting(d), d.send("00C0000000")), contact=True),
    Case("more than waits", "00C000001F", 0x6C1E, waiting, contact=True),
    Case("nothing waits", "00C0000008", 0x6F00),
    Case("nothing waits, Le=00", "00C0000000", 0x6F00),
    Case("once fetched", "00C000001E", 0x6F00, lambda d: (waiting(d), d.send("00C000001E")), contact=True),
    Case("after another command", "00C000001E", 0x6F00, lambda d: (waiting(d), d.verify()), contact=True),
    Case("after a failed command", "00C000001E", 0x6F00, lambda d: (waiting(d), d.send("0084000005")), contact=True),
    Case("after an unknown INS", "00C000001E", 0x6F00, lambda d: (waiting(d), d.send("00FF0000")), contact=True),
    Case("after an unknown CLA", "00C000001E", 0x6F00, lambda d: (waiting(d), d.send("F0A40000")), contact=True),
    Case("after a reset", "00C000001E", 0x6F00, lambda d: (waiting(d), d.chip.reset()), contact=True),
    Case("with data", "00C00000021234", 0x6700, waiting, contact=True),
    Case("P1", "00C001001E", 0x6A86, waiting, contact=True),
    Case("P2", "00C000011E", 0x6A86, waiting, contact=True),
    Case("CLA 80", "80C000001E", 0x6E00, waiting, contact=True),
    Case("a blocked card", "00C0000008", 0x6A81, card_blocked),
    Case("a blocked application", "00C0000008", 0x9303, application_blocked),
]
CASES = {
    "SELECT": SELECT,
    "READ RECORD": READ_RECORD,
    "GET CHALLENGE": GET_CHALLENGE,
    "EXTERNAL AUTHENTICATION": EXTERNAL_AUTHENTICATION,
    "VERIFY": VERIFY,
    "CHANGE PIN": CHANGE_PIN,
    "PIN CHANGE/UNBLOCK": PIN_CHANGE_UNBLOCK,
    "GET RESPONSE": GET_RESPONSE,
}


def table() -> list[Any]:
    return [
        pytest.param(case, preset_name, id=f"{name}: {case.says} {case.sw:04X} {preset_name}")
        for name, cases in CASES.items()
        for case in cases
        for preset_name in ("v3-sm4", "v2-3des")
        if case.only in ("", preset_name)
    ]


@pytest.mark.parametrize(("case", "preset_name"), table())
def test_case(case: Case, preset_name: str) -> None:
    desk = Desk(replace(preset(preset_name), **case.switches), case.pin, contact=case.contact)
    case.before(desk)
    sent = bytes.fromhex(case.send) if isinstance(case.send, str) else case.send(desk)
    assert f"{desk.sw(sent):04X}" == f"{case.sw:04X}"
    if case.tries is not None:
        assert desk.tries == case.tries


def test_every_word_of_the_sheet_is_reached_or_excused() -> None:
    for name, listed in PIN_SHEET.items():
        reached = {generic(case.sw) for case in CASES[name]}
        excused = {word for command, word in UNREACHABLE if command == name}
        assert {f"{word:04X}" for word in listed - excused - reached} == set(), name


@pytest.mark.parametrize("name", list(PIN_SHEET))
def test_declarations_list_what_the_sheet_lists(name: str) -> None:
    """The sheet has one list for UPDATE with and without a MAC; each has a declaration of its own."""
    declared = {generic(word) for command in COMMANDS if command.name == name for word in command.statuses}
    assert {f"{word:04X}" for word in PIN_SHEET[name] - declared} == set()


INSES = [0xA4, 0xB2, 0x84, 0x82, 0x20, 0x5E, 0x24, 0xC0]
NAME_OF = dict(zip(INSES, PIN_SHEET, strict=True))
headers = st.tuples(
    st.sampled_from([0x00, 0x80, 0x84]),
    st.sampled_from(INSES),
    st.integers(0, 5) | st.integers(0, 255),
    st.integers(0, 6) | st.integers(0, 255),
)
bodies = st.binary(max_size=20).map(lambda data: bytes((len(data),)) + data) | st.binary(max_size=2)


@settings(max_examples=60)
@given(st.sampled_from(["v3-sm4", "v2-3des"]), st.lists(st.tuples(headers, bodies), max_size=12), st.booleans())
def test_any_command_is_answered_from_its_list(
    preset_name: str, commands: list[tuple[tuple[int, int, int, int], bytes]], contact: bool
) -> None:
    desk = Desk(preset_name, contact=contact)
    for head, body in commands:
        word = generic(desk.sw(bytes(head) + body))
        # A transport error of a command without data is not on its list.
        allowed = PIN_SHEET[NAME_OF[head[1]]] | {0x9000, 0x6700}
        assert word in allowed or (word == 0x6100 and contact), f"{word:04X}"


# Order of checks, over commands (card-commands.md §0)

ORDER = [
    ("a blocked card, whatever the CLA", card_blocked, "F0FF000000", 0x6A81),
    ("a blocked card, whatever the P1 P2", card_blocked, "0020FFFF00", 0x6A81),
    ("a blocked card, an unknown INS", card_blocked, "00FF0000", 0x6A81),
    ("unknown CLA and INS", at_once, "F0FF0000", 0x6E00),
    ("unknown INS [OC-16]", at_once, "00FF0000", 0x6D00),
    ("unblock of other card families [OC-16]", at_once, "8418000004AABBCCDD", 0x6D00),
    ("unknown INS of a blocked application", application_blocked, "00FF0000", 0x6D00),
    ("a CLA the INS does not have, in a blocked application", application_blocked, "8020000000", 0x6E00),
    ("P1 P2 in a blocked application: the block comes first", application_blocked, "0020010000", 0x9303),
    ("length in a blocked application: the block comes first", application_blocked, "002000000112", 0x9303),
]


@pytest.mark.parametrize(("before", "sent", "sw"), [row[1:] for row in ORDER], ids=[row[0] for row in ORDER])
def test_order_of_checks(desk: Desk, before: Before, sent: str, sw: int) -> None:
    before(desk)
    assert f"{desk.sw(sent):04X}" == f"{sw:04X}"


def test_unknown_ins_as_the_issuer_chose(personality: Personality) -> None:
    desk = Desk(replace(personality, unknown_ins=0x6A81))
    assert desk.sw("00FF0000") == 0x6A81
    assert desk.sw("F0FF0000") == 0x6E00


# The vectors of card-security.md §7 on a chip with their keys

R4, R8, R16 = "11223344", "1122334455667788", "112233445566778899AABBCCDDEEFF00"
VECTORS = [
    ("SM4", 16, R4, "8424000114C51CBBDDBDF117509B65267F6114BDBD25BA4407", "123456"),
    ("SM4", 16, R8, "8424000114831FFAE8E8BA9B235027E88E4038BA835F462402", "123456"),
    ("SM4", 16, R16, "84240001145514094763AA764719FD46F6D7B43CF75833CCC0", "123456"),
    ("SM4", 16, R8, "8424000114D876BB8E75000F1C5B52F924E9B3EDE3E8C7336E", "1234"),
    ("SM4", 16, R8, "84240001143317F9009A8D3F41C8C45DDC1F0E48CDEB6BC6DE", "12345F"),
    ("SM4", 16, R8, "8424000114C6F9FABF40EFEFCC46C71F5C164A9E51F9A4DA47", "1234567890123456"),
    ("SM4", 16, R8, "8424000114A4BFF153AE249C190FD9297544CC1D96547D3899", ""),
    ("SM4", 16, R8, "842400010459FB307E", ""),
    ("DES", 8, R4, "842400010C93BBBA0952427266D7EF1B24", "123456"),
    ("DES", 8, R8, "842400010CF824C6AFCA6FD16A90B763EC", "123456"),
    ("DES", 16, R8, "842400010C8038FB7CE702AA2B7B84666C", "123456"),
    ("DES", 8, R8, "842400010CA71D1F6798C2BAE1B6BB4422", "1234"),
    ("DES", 8, R8, "842400010CBA77B0C7A9F8C4378D1CCC43", "12345F"),
    ("DES", 8, R8, "842400010CB26EFC32743A15691D8DB820", "12345678901234"),
    ("DES", 8, R8, "8424000114ACFA91BAC72515FE05EADFE687ADA300278ACAF0", "1234567890123456"),
    ("DES", 8, R8, "842400010C3AC9126A5E6501F38C09F90F", ""),
    ("DES", 8, R8, "8424000104874C870C", ""),
]
AUTHENTICATIONS = {("SM4", 4): "AFF51F314A0BC1B4", ("SM4", 8): "B7C9880EA1BE5A53", ("SM4", 16): "0B83F7EF7C25068C"}
AUTHENTICATIONS |= {("DES", 4): "EAEF908F0A6D93C0", ("DES", 8): "3F9F856020E9CB9B"}


@pytest.mark.parametrize(("algorithm", "stk_length", "challenge", "message", "pin"), VECTORS)
def test_chip_takes_the_vectors(algorithm: str, stk_length: int, challenge: str, message: str, pin: str) -> None:
    random = bytes.fromhex(challenge)
    card = vector_card(algorithm, span(0x10, stk_length), "999999")
    chip = Chip(card.profile, card.memory, scripted(random, random))
    chip.power_on()
    get_challenge = bytes((0x00, 0x84, 0, 0, len(random)))
    proven = bytes.fromhex("0082000610" + AUTHENTICATIONS[algorithm, len(random)]) + ORIGINAL
    assert chip.transmit(get_challenge) == random + b"\x90\x00"
    assert chip.transmit(proven) == b"\x90\x00"
    assert chip.transmit(get_challenge) == random + b"\x90\x00"
    assert chip.transmit(bytes.fromhex(message)) == b"\x90\x00"
    given_pin = bytes.fromhex(pin)
    answer = chip.transmit(bytes((0x00, 0x20, 0, 0, len(given_pin))) + given_pin)
    assert answer == b"\x90\x00"
    assert chip.snapshot().pin_set is bool(pin)


def test_chip_refuses_a_puk_used_as_single_des() -> None:
    card = vector_card("DES", span(0x10, 8))
    chip = Chip(card.profile, card.memory, scripted(bytes.fromhex(R8)))
    chip.power_on()
    chip.transmit(bytes.fromhex("0084000008"))
    assert chip.transmit(bytes.fromhex("0082000610C88B67601EAC4920") + ORIGINAL) == b"\x63\xc2"


@pytest.mark.parametrize(
    ("algorithm", "challenge", "mac"),
    [
        ("SM4", R4, "0B2DC615"),
        ("SM4", R8, "52BED249"),
        ("SM4", R16, "FB6539AE"),
        ("DES", R4, "1D9731A1"),
        ("DES", R8, "163FF12A"),
    ],
)
def test_chip_takes_the_unblock_vectors(algorithm: str, challenge: str, mac: str) -> None:
    random = bytes.fromhex(challenge)
    card = vector_card(algorithm, span(0x10, 16 if algorithm == "SM4" else 8), PIN)
    chip = Chip(card.profile, card.memory, scripted(random, random))
    chip.power_on()
    for _ in range(6):
        chip.transmit(verify("999999"))
    assert chip.snapshot().pin_blocked
    chip.transmit(bytes((0x00, 0x84, 0, 0, len(random))))
    chip.transmit(bytes.fromhex("0082000610" + AUTHENTICATIONS[algorithm, len(random)]) + ORIGINAL)
    chip.transmit(bytes((0x00, 0x84, 0, 0, len(random))))
    assert chip.transmit(bytes.fromhex("8424000004" + mac)) == b"\x90\x00"
    assert chip.transmit(verify(PIN)) == b"\x90\x00"


# FCI, ATR and files, byte for byte


@pytest.mark.parametrize(("name", "algorithm"), [("v3-sm4", "03"), ("v2-3des", "01")])
def test_fci_of_ssse(name: str, algorithm: str) -> None:
    answer = Desk(name).send(f"00A404000F{NAME}00")
    assert answer.hex().upper() == f"6F1C840F{NAME}A50988011E9F0C038601{algorithm}9000"


def test_products_with_one_layout_have_their_own_fci() -> None:
    plain = preset("v3-sm4")
    products = (plain, replace(plain, algorithm="DES"))
    ours, others = (Desk(card=issue_card(personality=product, seed=1)) for product in products)
    assert ours.card.profile.layout is others.card.profile.layout
    for _ in range(2):
        for desk, algorithm in ((ours, "03"), (others, "01")):
            answer = desk.send(f"00A404000F{NAME}00")
            assert answer.hex().upper() == f"6F1C840F{NAME}A50988011E9F0C038601{algorithm}9000"


def test_fci_over_contacts_is_fetched(personality: Personality) -> None:
    desk = Desk(personality, contact=True)
    assert desk.send(f"00A404000F{NAME}") == b"\x61\x1e"
    first = desk.send("00C0000010")
    assert first[-2:] == b"\x61\x0e"
    rest = desk.send("00C000000E")
    assert first[:-2] + rest == Desk(personality).send(f"00A404000F{NAME}")


def test_atr_holds_the_card_serial(personality: Personality) -> None:
    desk = Desk(personality)
    historical = desk.card.profile.historical
    assert historical[-8:].hex() == "8649510100000001"
    assert desk.card.chip(Random(1)).power_on() == b"\x3b\x6d\x00\x00" + historical
    contactless = desk.chip.reset()
    assert (len(contactless), contactless[4:17]) == (18, historical)
    check = 0
    for byte in contactless[1:]:
        check ^= byte
    assert check == 0


def test_issuer_data_are_those_of_the_order(desk: Desk) -> None:
    desk.send("00A4020002EF05")
    content = desk.send("00B2010540")[:-2].hex().upper()
    version = "332E3030" if desk.personality.generation == "3.0" else "322E3030"
    assert content.startswith(f"0110510100D15600000500000001A1B2C3D40201330304{version}040C9156000002")
    assert content.endswith("05042025010106042035010107" + "09413030303030303131")


def test_holder_data_are_those_of_the_order(desk: Desk) -> None:
    desk.authenticate(RKSSSE)
    desk.send("00A4020002EF06")
    content = desk.send("00B201055B")[:-2].hex().upper()
    assert content.startswith(
        "0812343130343032313938353033313530303039" + "091ED5C5C8FD" + "00" * 26 + "4E14" + "00" * 20 + "0A0132"
    )
    assert content.endswith("0D0419850315")


# READ RECORD addressing (card-commands.md §1.3); EF05 has the tags 01 … 07 in this order


def read(desk: Desk, p1: int, p2: int) -> bytes:
    """What Le=00 reads over contactless [OC-38]: the records, or the error."""
    first = desk.send(bytes((0x00, 0xB2, p1, p2, 0)))
    return first[:-2] if first[-2:] == b"\x90\x00" else first


def tags(desk: Desk, *modes: tuple[int, int]) -> list[int]:
    return [read(desk, p1, p2)[0] for p1, p2 in modes]


FIRST, LAST, NEXT, PREVIOUS, NUMBER = 0, 1, 2, 3, 4


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ([(0, FIRST), (0, LAST)], [1, 7]),
        ([(0, NEXT), (0, NEXT), (0, NEXT)], [1, 2, 3]),
        ([(0, PREVIOUS), (0, PREVIOUS)], [7, 6]),
        ([(3, FIRST), (0, NEXT), (0, PREVIOUS)], [3, 4, 3]),
        ([(3, FIRST), (6, NUMBER), (0, NEXT)], [3, 6, 4]),
        ([(3, FIRST), (0, NUMBER)], [3, 3]),
    ],
)
def test_records_are_found_by_identifier(desk: Desk, asked: list[tuple[int, int]], found: list[int]) -> None:
    ef05(desk)
    assert tags(desk, *asked) == found


def test_asking_for_the_length_does_not_move_the_record_pointer(personality: Personality) -> None:
    """6Cxx is a transport byte and returns nothing: else a T=0 terminal would skip every other record."""
    desk = Desk(personality, contact=True)
    ef05(desk)
    assert desk.sw("00B2000200") == 0x6C12
    assert desk.send("00B2000212")[0] == 0x01


def test_a_run_of_records(desk: Desk) -> None:
    ef05(desk)
    whole = read(desk, 1, 5)
    assert [whole[:18], whole[18:21]] == [read(desk, 1, NUMBER), read(desk, 2, NUMBER)]
    assert read(desk, 6, 5) == read(desk, 6, NUMBER) + read(desk, 7, NUMBER)
    assert read(desk, 6, 6) == read(desk, 7, NUMBER) + read(desk, 6, NUMBER)


@pytest.mark.parametrize(
    ("sent", "sw"),
    [
        ("00B201EC00", 0x6A82),
        ("00B2013C00", 0x6981),
        ("00B2083400", 0x6982),
    ],
    ids=["no such file", "a transparent file", "no right"],
)
def test_a_failed_read_leaves_the_current_file(sent: str, sw: int) -> None:
    """card-commands.md §0: an error aborts the command with no state change; here the SFI of another file."""
    desk = Desk("v3-sm4")
    ef05(desk)
    assert desk.sw(sent) == sw
    assert desk.chip.snapshot().current_ef == 0xEF05


# SELECT and what it keeps (card-commands.md §1.1, OC-9)


def test_selecting_ssse_again_keeps_every_status(desk: Desk) -> None:
    desk.verify()
    desk.authenticate()
    assert desk.sw(f"00A404000F{NAME}") == 0x9000
    shown = desk.chip.snapshot()
    assert (shown.pin_verified, shown.authenticated) == (True, ("PUK",))
    desk.challenge()
    assert desk.sw(reset()(desk)) == 0x9000


@pytest.mark.parametrize(("keeps", "pin", "keys"), [("pin", True, ()), ("nothing", False, ()), ("all", True, ("PUK",))])
def test_selecting_another_df(personality: Personality, keeps: str, pin: bool, keys: tuple[str, ...]) -> None:
    desk = Desk(replace(personality, ssse_fid=0xDDF1, select_keeps=keeps))
    desk.verify()
    desk.authenticate()
    desk.challenge()
    assert desk.sw("00A40000023F00") == 0x9000
    shown = desk.chip.snapshot()
    assert (shown.pin_verified, shown.authenticated, shown.challenge_waiting) == (pin, keys, False)
    assert shown.current_df == "MF"


@pytest.mark.parametrize("sent", ["00A4020002EF1D", "00A40400064D51324D5132", "00A4000002DFEE", "00A40400047378312E"])
def test_a_failed_select_leaves_the_old_selection(desk: Desk, sent: str) -> None:
    ef05(desk)
    desk.authenticate()
    before = desk.chip.snapshot()
    assert desk.sw(sent) != 0x9000
    assert desk.chip.snapshot() == before
    assert desk.sw("00B2010012") == 0x9000


def test_selecting_a_df_forgets_the_current_ef(desk: Desk) -> None:
    ef05(desk)
    assert desk.sw(f"00A404000F{NAME}") == 0x9000
    assert desk.sw("00B2010012") == 0x6986


# The challenge (card-commands.md §1.6, OC-12)


def test_challenges_differ(desk: Desk) -> None:
    assert len({desk.challenge() for _ in range(20)}) == 20


def test_an_older_challenge_is_void(desk: Desk) -> None:
    desk.challenge()
    old = desk.proof()
    desk.challenge()
    assert desk.sw(old) == 0x63C2


def test_another_command_keeps_the_challenge(desk: Desk) -> None:
    desk.challenge()
    desk.verify()
    ef05(desk)
    desk.send("00B2010012")
    desk.send("0020000000")
    assert desk.sw(desk.proof()) == 0x9000


@pytest.mark.parametrize(
    ("sent", "sw"),
    [
        ("0082000710" + "00" * 16, 0x6A88),
        ("8424000104AABBCCDD", 0x6982),
        ("8424000003AABBCC", 0x6700),
        ("008200060F" + "00" * 15, 0x6700),
        ("8424000204AABBCCDD", 0x6A86),
        ("0082010610" + "00" * 16, 0x6A86),
    ],
)
def test_a_challenge_ends_with_its_command_in_any_outcome(desk: Desk, sent: str, sw: int) -> None:
    """OC-12: EXT AUTH and 84 xx in any outcome."""
    desk.challenge()
    assert desk.sw(sent) == sw
    assert not desk.chip.snapshot().challenge_waiting


def test_a_challenge_ends_even_where_memory_failed(desk: Desk) -> None:
    desk.challenge()
    desk.memory.fail()
    assert desk.sw(desk.proof()) == 0x6581
    assert not desk.chip.snapshot().challenge_waiting


def test_a_failed_write_grants_no_right(desk: Desk) -> None:
    """card-commands.md §0: an error changes no state but the counter; here the counter cannot be written back."""
    desk.challenge()
    desk.memory.fail(3)
    assert desk.sw(desk.proof()) == 0x6581
    assert desk.chip.snapshot().authenticated == ()


def test_a_reset_message_cannot_be_played_again(desk: Desk) -> None:
    desk.authenticate()
    desk.challenge()
    message = reset()(desk)
    assert desk.sw(message) == 0x9000
    assert desk.sw(message) == 0x6984
    desk.challenge()
    assert desk.sw(message) == 0x6988


# Status and effects of the PIN commands


def test_statuses_of_the_pin_commands(desk: Desk) -> None:
    """OC-6, OC-13 as the default decides: CHANGE PIN keeps, 84 24 clears, a wrong PIN clears."""
    desk.verify()
    assert desk.sw(change(PIN, "654321")) == 0x9000
    assert desk.chip.snapshot().pin_verified
    desk.verify("999999")
    assert not desk.chip.snapshot().pin_verified
    desk.verify("654321")
    desk.authenticate()
    desk.challenge()
    assert desk.sw(unblock(desk)) == 0x9000
    assert not desk.chip.snapshot().pin_verified
    assert desk.verify("654321") == 0x9000


def test_change_pin_alone_grants_no_status(desk: Desk) -> None:
    assert desk.sw(change(PIN, "654321")) == 0x9000
    assert not desk.chip.snapshot().pin_verified


def test_refused_identical_pin_changes_no_counter(personality: Personality) -> None:
    """card-commands.md §0: an error changes no state; the old PIN was right, so no try is lost and none is won."""
    desk = Desk(replace(personality, same_pin_allowed=False))
    drain(desk, 2)
    assert desk.sw(change(PIN, PIN)) == 0x6A80
    assert desk.tries == 2


def test_a_failed_mac_as_the_issuer_chose(personality: Personality) -> None:
    for counts in (False, True):
        for clears in (False, True):
            desk = Desk(replace(personality, failed_mac_counts=counts, failed_mac_clears=clears))
            authenticated(desk)
            assert desk.sw(wrong(unblock)(desk)) == 0x6988
            assert desk.key_tries() == (2 if counts else 3)
            assert desk.chip.snapshot().authenticated == (() if clears else ("PUK",))


def test_failed_macs_that_count_block_the_puk(personality: Personality) -> None:
    """OC-7 b: several failed unblocks lock the unlock key, and then 6982 (6983 is not in the list)."""
    desk = Desk(replace(personality, failed_mac_counts=True))
    desk.authenticate()
    for left in (2, 1, 0):
        desk.challenge()
        assert desk.sw(wrong(unblock)(desk)) == 0x6988
        assert desk.key_tries() == left
    desk.challenge()
    assert desk.sw(unblock(desk)) == 0x6982


# Bugs that other cards had


def test_change_pin_resets_the_counter(desk: Desk) -> None:
    """onomondo-uicc#150."""
    desk.verify("999999")
    assert desk.sw(change(PIN, "654321")) == 0x9000
    assert desk.tries == 6


@pytest.mark.parametrize("new", ["1234", "12345", "1234567", "1234567890123456"])
def test_no_length_is_left_stale_after_a_reset(desk: Desk, new: str) -> None:
    """opcard-rs#158."""
    authenticated(desk)
    data = verify(new)[5:]
    assert desk.sw(desk.message(0x01, desk.block(data))) == 0x9000
    assert desk.verify(new) == 0x9000
    assert desk.sw(change(new, "9876")) == 0x9000
    assert desk.verify("9876") == 0x9000
    assert desk.verify("98761") == 0x63C5
    assert desk.verify("987698") == 0x63C4


def test_a_puk_of_wrong_length_tells_nothing_and_costs_nothing(desk: Desk) -> None:
    """status-keycard#37: here the sheet answers 6700 before any comparison."""
    desk.challenge()
    made = desk.proof()
    assert desk.sw(made[:4] + b"\x0f" + made[5:20]) == 0x6700
    assert desk.key_tries() == 3


def test_wrong_tries_are_63cx_never_630x(desk: Desk) -> None:
    """OpenSC#530, OpenSC#3470."""
    answers = [desk.send(WRONG_PIN) for _ in range(7)]
    assert answers == [bytes((0x63, 0xC0 | left)) for left in (5, 4, 3, 2, 1, 0)] + [b"\x69\x83"]


@pytest.mark.parametrize("end", ["reset", "repower"])
def test_no_status_survives_a_reset(desk: Desk, end: str) -> None:
    """jcardsim#67."""
    desk.verify()
    desk.authenticate()
    desk.challenge()
    ef05(desk)
    if end == "reset":
        desk.chip.reset()
    else:
        desk.repower()
    shown = desk.chip.snapshot()
    assert (shown.pin_verified, shown.authenticated, shown.challenge_waiting) == (False, (), False)
    assert (shown.current_df, shown.current_ef) == ("SSSE", 0)
    assert desk.sw(desk.proof()) == 0x6984


def test_pin_and_counters_survive_power_off(desk: Desk) -> None:
    """canokey-core#116: back to factory state at every start."""
    assert desk.sw(change(PIN, "654321")) == 0x9000
    desk.verify("999999")
    desk.challenge()
    fail_puk(desk)
    desk.repower()
    assert (desk.tries, desk.key_tries()) == (5, 2)
    assert desk.verify("654321") == 0x9000


@pytest.mark.parametrize("query", ["00200000", "0020000000"])
def test_an_empty_verify_burns_no_try(desk: Desk, query: str) -> None:
    """vicc."""
    writes = desk.memory.writes
    for _ in range(20):
        assert desk.sw(query) == 0x63C6
    assert (desk.tries, desk.memory.writes) == (6, writes)


def test_a_wrong_pin_is_paid_for_before_it_is_compared(desk: Desk) -> None:
    """specter-diy#229; the write points are in test_tear.py."""
    desk.memory.fail(3)
    assert desk.verify() == 0x6581
    assert desk.tries == 5
    assert not desk.chip.snapshot().pin_verified
    desk.memory.mend()
    assert desk.verify() == 0x9000


def test_suite_of_a_card_is_that_of_its_personality(desk: Desk) -> None:
    assert desk.card.profile.suite is SUITES_BY_NAME[desk.personality.algorithm]


def test_the_least_count_of_digits_is_for_the_new_pin_alone(desk: Desk) -> None:
    """OC-19b: an old PIN of three digits is a wrong PIN, not wrong data."""
    assert desk.sw("805E010006123FFF654321") == 0x63C5
    assert desk.sw("805E010006123456FF123F") == 0x6A80
