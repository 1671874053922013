"""The verbs that send commands to the card, directly or through the terminal."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from sscard.conversation.redaction import redact
from sscard.document import Model
from sscard.errors import InvalidValue
from sscard.i18n.phrase import ROW, Phrase, Sayable
from sscard.scenario.context import CHALLENGE_LENGTH, Bench, NotPossible
from sscard.scenario.step import Hex, KeyName, Nothing, Outcome, Pin, PinOrNone, Step
from sscard.standard.apdu import command
from sscard.standard.cipher import MAC_LENGTH
from sscard.standard.encoding import encode_pin
from sscard.standard.tree import MF, SSSE_NAME
from sscard.transport.connection import answer_to, exchange

ChallengeUse = Literal["fresh", "last", "none"]
"""Get a new challenge; use the last one; use no challenge."""
Right = Literal["right", "wrong"]

WRITTEN_FILES = {"MF": MF.to_bytes(2, "big"), "SSSE": SSSE_NAME}
NO_PIN_NEEDED = "none"


def _file(text: str) -> str:
    _fid(text)
    return text


def _fid(text: str) -> bytes:
    """The FID, name or AID in a SELECT."""
    if text in WRITTEN_FILES:
        return WRITTEN_FILES[text]
    digits = f"EF{text[2:]}" if text.startswith("EF") and len(text) == 4 else text
    try:
        return bytes.fromhex(digits)
    except ValueError:
        raise InvalidValue(
            Phrase("not a file"), Phrase("write MF, SSSE, an EF as EF05, or a FID or AID in hex digits")
        ) from None


def asked_tries(text: str) -> str:
    """The expected tries left, or ``none``; ``ValueError`` for anything else."""
    if text != NO_PIN_NEEDED and not text.isdecimal():
        raise InvalidValue(
            Phrase("not a count"), Phrase("write the tries that the terminal must read, or {none}", none=NO_PIN_NEEDED)
        )
    return text


class Apdu(Step):
    """Send these bytes unchanged; ``61xx`` and ``6Cxx`` are not handled."""

    verb: ClassVar[str] = "apdu"
    apdu: Annotated[Hex, Field(repr=False)]

    def run(self, bench: Bench) -> Outcome:
        data, sw = answer_to(bench.connection, self.apdu)
        return Outcome(sw, data)

    def title(self) -> Sayable:
        return f"apdu {redact(self.apdu)}"


class Select(Step):
    """SELECT the MF, SSSE, an EF (EF05), or a FID or AID."""

    verb: ClassVar[str] = "select"
    select: Annotated[str, AfterValidator(_file)]

    def run(self, bench: Bench) -> Outcome:
        fid = _fid(self.select)
        p1 = 0x04 if len(fid) > 2 else 0x02 if fid[0] == 0xEF else 0x00
        data, sw = exchange(bench.connection, command(0x00, 0xA4, p1, 0x00, fid))
        return Outcome(sw, data)

    def title(self) -> Sayable:
        return f"select {self.select}"


class ReadRecord(Step):
    """READ RECORD of the current EF by tag; ``data`` is the record with tag and length."""

    verb: ClassVar[str] = "read_record"
    read_record: Annotated[Hex, Field(min_length=1, max_length=1)]

    def run(self, bench: Bench) -> Outcome:
        data, sw = exchange(bench.connection, command(0x00, 0xB2, self.read_record[0], 0x00, le=0))
        return Outcome(sw, data)

    def title(self) -> Sayable:
        return f"read_record {self.read_record.hex().upper()}"


class GetChallenge(Step):
    """GET CHALLENGE with this number of bytes."""

    verb: ClassVar[str] = "get_challenge"
    get_challenge: Annotated[int, Field(ge=0, le=255)]

    def run(self, bench: Bench) -> Outcome:
        data, sw = answer_to(bench.connection, command(0x00, 0x84, 0x00, 0x00, le=self.get_challenge))
        bench.challenge = data or bench.challenge
        return Outcome(sw, data)


class Authentication(Model):
    """Which key to prove, with right or wrong authentication data, over which challenge."""

    key: KeyName
    proof: Right = "right"
    challenge: ChallengeUse = "fresh"


class Authenticate(Step):
    """EXTERNAL AUTHENTICATION of one of the issuer's keys."""

    verb: ClassVar[str] = "authenticate"
    authenticate: Authentication

    def run(self, bench: Bench) -> Outcome:
        asked = self.authenticate
        layout = bench.chip.profile.layout
        try:
            number = layout.keys[layout.key_named(asked.key)].number
        except KeyError:
            raise NotPossible(Phrase("this card has no {key}", key=asked.key)) from None
        factor = _challenge(bench, asked.challenge)
        proof = bench.hsm.authentication_data(
            bench.suite.algorithm_id,
            bench.hsm.address_of(asked.key),
            bench.reference,
            factor,
            bench.random.randbytes(CHALLENGE_LENGTH),
        )
        if asked.proof == "wrong":
            proof = bytes((proof[0] ^ 1,)) + proof[1:]
        data, sw = answer_to(bench.connection, command(0x00, 0x82, 0x00, number, proof))
        return Outcome(sw, data)

    def title(self) -> Sayable:
        asked = self.authenticate
        return _title(f"authenticate {asked.key}", asked.proof, asked.challenge)


class SafeMessage(Model):
    """How a command with a MAC is made: right or wrong, over which challenge."""

    mac: Right = "right"
    challenge: ChallengeUse = "fresh"


class ResetOrUnblock(SafeMessage):
    """The parts of a PIN CHANGE/UNBLOCK.

    ``pin`` is 4–16 digits or empty (a block without a PIN), ``pin_bytes`` is up
    to 8 arbitrary bytes; without both the command has no enciphered part.
    """

    p2: Annotated[Hex, Field(min_length=1, max_length=1)]
    pin: PinOrNone | None = Field(default=None, repr=False)
    pin_bytes: Annotated[Hex, Field(max_length=8)] | None = Field(default=None, repr=False)

    def plain(self) -> bytes | None:
        """The content of the block; ``None`` for no block."""
        return self.pin_bytes if self.pin is None else encode_pin(self.pin)


class PinChangeUnblock(Step):
    """Only PIN CHANGE/UNBLOCK, without authenticating the PUK first."""

    verb: ClassVar[str] = "pin_change_unblock"
    pin_change_unblock: ResetOrUnblock

    def run(self, bench: Bench) -> Outcome:
        asked = self.pin_change_unblock
        return _send_safely(bench, bytes((0x84, 0x24, 0x00, asked.p2[0])), asked, asked.plain())

    def title(self) -> Sayable:
        asked = self.pin_change_unblock
        return _title(f"pin_change_unblock P2={asked.p2.hex()}", f"{asked.mac} MAC", asked.challenge)


class CardBlock(Step):
    """Only CARD BLOCK (卡片锁定), without authenticating BK first."""

    verb: ClassVar[str] = "card_block"
    card_block: SafeMessage

    def run(self, bench: Bench) -> Outcome:
        return _send_safely(bench, bytes((0x84, 0x16, 0x00, 0x00)), self.card_block)

    def title(self) -> Sayable:
        return _title("card_block", f"{self.card_block.mac} MAC", self.card_block.challenge)


class ApplicationBlock(Step):
    """Only APPLICATION BLOCK (应用锁定) of the current DF, without authenticating its lock key first."""

    verb: ClassVar[str] = "application_block"
    application_block: SafeMessage

    def run(self, bench: Bench) -> Outcome:
        stk = f"STK{bench.chip.snapshot().current_df}"
        return _send_safely(bench, bytes((0x84, 0x1E, 0x00, 0x01)), self.application_block, stk=stk)

    def title(self) -> Sayable:
        asked = self.application_block
        return _title("application_block", f"{asked.mac} MAC", asked.challenge)


class TriesLeft(Step):
    """Read the tries left at the terminal and compare them with the value (``none``: no PIN is required)."""

    verb: ClassVar[str] = "tries_left"
    tries_left: Annotated[str, AfterValidator(asked_tries)]

    def run(self, bench: Bench) -> Outcome:
        tries = bench.terminal.tries_left()
        return Outcome(reported={"tries_left": NO_PIN_NEEDED if tries is None else str(tries)})

    def answers(self) -> dict[str, str]:
        return {"tries_left": self.tries_left}


class VerifyPin(Step):
    """VERIFY at the terminal."""

    verb: ClassVar[str] = "verify_pin"
    verify_pin: Annotated[Pin, Field(repr=False)]

    def run(self, bench: Bench) -> Outcome:
        bench.terminal.verify_pin(self.verify_pin)
        return Outcome()


class OldAndNew(Model):
    """The PINs of a change; an empty one means no PIN."""

    old: PinOrNone = Field(repr=False)
    new: PinOrNone = Field(repr=False)


class ChangePin(Step):
    """CHANGE PIN (修改) at the terminal."""

    verb: ClassVar[str] = "change_pin"
    change_pin: OldAndNew

    def run(self, bench: Bench) -> Outcome:
        bench.terminal.change_pin(self.change_pin.old, self.change_pin.new)
        return Outcome()


class ResetPin(Step):
    """PIN reset (重置) at the terminal: PUK authentication and the new PIN under STK."""

    verb: ClassVar[str] = "reset_pin"
    reset_pin: Annotated[Pin, Field(repr=False)]

    def run(self, bench: Bench) -> Outcome:
        bench.terminal.reset_pin(self.reset_pin)
        return Outcome()


class UnblockPin(Step):
    """PIN unblock (解锁) at the terminal."""

    verb: ClassVar[str] = "unblock_pin"
    unblock_pin: Nothing = ""

    def run(self, bench: Bench) -> Outcome:
        bench.terminal.unblock_pin()
        return Outcome()


class WrittenData(Model):
    """The expected basic data; omitted fields are not checked."""

    name: str | None = None
    social_security_number: str | None = None
    version: str | None = None
    issued: str | None = None
    expires: str | None = None
    sex: str | None = None
    birth_date: str | None = None


class ReadBasic(Step):
    """Read the basic data (EF05 and EF06) at the terminal."""

    verb: ClassVar[str] = "read_basic"
    read_basic: WrittenData

    def run(self, bench: Bench) -> Outcome:
        read = bench.terminal.read_basic()
        return Outcome(reported={field: getattr(read, field) for field in WrittenData.model_fields})

    def answers(self) -> dict[str, str]:
        return self.read_basic.model_dump(exclude_none=True)


def _challenge(bench: Bench, use: ChallengeUse) -> bytes:
    """The challenge for the computation; a new one sends GET CHALLENGE."""
    if use == "fresh":
        bench.challenge = exchange(bench.connection, command(0x00, 0x84, 0x00, 0x00, le=CHALLENGE_LENGTH)).data
    return bench.challenge if use != "none" else bytes(CHALLENGE_LENGTH)


def _send_safely(
    bench: Bench, command: bytes, asked: SafeMessage, pin: bytes | None = None, stk: str = "STK"
) -> Outcome:
    """A command (4-byte header) with its MAC, and with the enciphered PIN if given."""
    factor = _challenge(bench, asked.challenge)
    block = bench.suite.block
    enciphered = 0 if pin is None else -(-(len(pin) + 1) // block) * block
    header = command + bytes((enciphered + MAC_LENGTH,))
    algorithm, address = bench.suite.algorithm_id, bench.hsm.address_of(stk)
    message = bench.hsm.safe_message(algorithm, address, bench.reference, factor, header, pin)
    if asked.mac == "wrong":
        message = message[:-1] + bytes((message[-1] ^ 1,))
    data, sw = answer_to(bench.connection, message)
    return Outcome(sw, data)


def _title(done: str, proof: str, challenge: ChallengeUse) -> Sayable:
    """The operation, and what is wrong in it."""
    words: list[Sayable] = [] if proof.startswith("right") else [proof]
    if challenge != "fresh":
        words.append(Phrase("last challenge") if challenge == "last" else Phrase("no challenge"))
    return Phrase("{command} ({words})", command=done, words=Phrase.joined(ROW, words)) if words else done
