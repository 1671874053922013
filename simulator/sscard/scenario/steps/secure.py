"""The verbs of keys: authentication in both directions, and the commands that carry a MAC."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from sscard.document import Model
from sscard.errors import InvalidValue
from sscard.i18n.phrase import ROW, Phrase, Sayable
from sscard.scenario.context import CHALLENGE_LENGTH, Bench, NotPossible
from sscard.scenario.step import Hex, KeyName, Outcome, PinOrNone, Step
from sscard.standard.apdu import SW, command
from sscard.standard.cipher import AUTHENTICATION_LENGTH, MAC_LENGTH
from sscard.standard.encoding import encode_pin
from sscard.transport.connection import answer_to, exchange

ChallengeUse = Literal["fresh", "last", "none"]
"""Get a new challenge; use the last one; use no challenge."""
Right = Literal["right", "wrong"]
Version = Annotated[int, Field(ge=0, le=255)]

RIGHT, WRONG = "right", "wrong"


def from_word(field: str) -> Callable[[Any], Any]:
    """A validator that takes a plain word as a mapping with this one field, and no value as an empty mapping."""

    def fields(value: Any) -> Any:
        return ({field: value} if value else {}) if isinstance(value, str) else value

    return fields


class ChallengeData(Model):
    """Over which challenge of the card a proof or a MAC is computed.

    ``fresh``: a new one of ``challenge_length`` bytes, by GET CHALLENGE; ``last``: the last one again; ``none``: eight
    zero bytes, without GET CHALLENGE.
    """

    challenge: ChallengeUse = "fresh"
    challenge_length: Annotated[int, Field(ge=0, le=255)] = CHALLENGE_LENGTH

    def factor(self, bench: Bench) -> bytes:
        """The challenge for the computation; a new one sends GET CHALLENGE."""
        if self.challenge == "fresh":
            sent = command(0x00, 0x84, 0x00, 0x00, le=self.challenge_length)
            bench.challenge = exchange(bench.connection, sent).data
        return bench.challenge if self.challenge != "none" else bytes(CHALLENGE_LENGTH)


class Authentication(ChallengeData):
    """Which key to prove, with right or wrong authentication data.

    ``version`` is the key version in the 17th byte of the data, left out by default. ``computed_with`` and
    ``computed_version`` are the key and the version that make the proof, by default those that are proven.
    ``wrong_byte`` is the byte of wrong authentication data that differs, from 1 to 8.
    """

    key: KeyName
    proof: Right = "right"
    wrong_byte: Annotated[int, Field(ge=1, le=AUTHENTICATION_LENGTH)] = 1
    version: Version | None = None
    computed_with: KeyName | None = None
    computed_version: Annotated[int, Field(ge=1, le=255)] | None = None


class Authenticate(Step):
    """EXTERNAL AUTHENTICATION: prove one of the issuer's keys to the card."""

    verb: ClassVar[str] = "authenticate"
    authenticate: Authentication

    def run(self, bench: Bench) -> Outcome:
        asked = self.authenticate
        layout = bench.chip.profile.layout
        try:
            number = layout.keys[layout.key_named(asked.key)].number
        except KeyError:
            raise NotPossible(Phrase("this card has no {key}", key=asked.key)) from None
        factor = asked.factor(bench)
        key = asked.computed_with or asked.key
        version = asked.computed_version or meant_version(bench, key, asked.version)
        proof = bench.hsm.authentication_data(
            bench.suite.algorithm_id,
            bench.hsm.address_of(key, version - 1),
            bench.reference,
            factor,
            bench.random.randbytes(CHALLENGE_LENGTH),
        )
        if asked.proof == WRONG:
            proof = _altered(proof, asked.wrong_byte - 1)
        data, sw = answer_to(bench.connection, command(0x00, 0x82, 0x00, number, proof + _version(asked.version)))
        return Outcome(sw, data)

    def title(self) -> Sayable:
        asked = self.authenticate
        done = f"authenticate {asked.key}" + (f" {asked.version}" if asked.version is not None else "")
        with_key = asked.computed_with or asked.key
        other = "" if with_key == asked.key else with_key
        if asked.computed_version:
            other = f"{with_key} {asked.computed_version}"
        return _title(done, asked.proof, asked.challenge, other)


def meant_version(bench: Bench, key: str, version: int | None) -> int:
    """The key version (from 1) that a proof is made with: the one named, if the card has it, else the default one."""
    layout = bench.chip.profile.layout
    versions = next((spec.versions for spec in layout.keys if spec.name == key), 1)
    if version is not None and 1 <= version <= versions:
        return version
    return 1 if bench.chip.profile.personality.default_key_version == "lowest" else versions


def _version(version: int | None) -> bytes:
    """The 17th byte of the data of an authentication."""
    return b"" if version is None else bytes((version,))


def _altered(data: bytes, place: int) -> bytes:
    return data[:place] + bytes((data[place] ^ 1,)) + data[place + 1 :]


class CardProof(Model):
    """The key version in the 17th byte, left out by default, and whether the proof of the card is right."""

    version: Version | None = None
    proof: Right = "right"


class InternalAuthenticate(Step):
    """INTERNAL AUTHENTICATION: the card proves its key IRK; after ``9000`` the HSM checks the proof."""

    verb: ClassVar[str] = "internal_authenticate"
    internal_authenticate: Annotated[CardProof, BeforeValidator(from_word("version"))]

    def run(self, bench: Bench) -> Outcome:
        asked = self.internal_authenticate
        factor, original = bench.random.randbytes(CHALLENGE_LENGTH), bench.random.randbytes(CHALLENGE_LENGTH)
        sent = command(0x00, 0x88, 0x00, 0x00, factor + original + _version(asked.version), le=0)
        data, sw = exchange(bench.connection, sent)
        if sw != SW.OK:
            return Outcome(sw, data)
        expected = bench.hsm.authentication_data(
            bench.suite.algorithm_id,
            bench.hsm.address_of("IRK", meant_version(bench, "IRK", asked.version) - 1),
            bench.reference,
            factor,
            original,
        )
        proof = RIGHT if data == expected[:AUTHENTICATION_LENGTH] else WRONG
        return Outcome(sw, data, {"proof": proof})

    def title(self) -> Sayable:
        version = self.internal_authenticate.version
        return self.verb if version is None else f"{self.verb} {version}"

    def answers(self) -> dict[str, str]:
        return {"proof": self.internal_authenticate.proof} if self.sw == SW.OK else {}


class SafeMessage(ChallengeData):
    """How the MAC of a command is made.

    ``key`` is the STK that makes the MAC, by default that of the current DF or of SSSE as the command demands.
    ``wrong_byte`` is the byte of a wrong MAC that differs, from 1 to 4.
    """

    mac: Right = "right"
    key: str = ""
    wrong_byte: Annotated[int, Field(ge=1, le=MAC_LENGTH)] = MAC_LENGTH


class ResetOrUnblock(SafeMessage):
    """The parts of a PIN CHANGE/UNBLOCK.

    ``p2`` is 00 to unblock, 01 to reset with a new PIN. ``pin`` is 4–16 digits or empty (a block without
    a PIN), ``pin_bytes`` up to 8 arbitrary bytes, ``enciphered`` is sent in place of the enciphered block; without
    them the command has no enciphered part.
    """

    p2: Annotated[Hex, Field(min_length=1, max_length=1)]
    pin: PinOrNone | None = Field(default=None, repr=False)
    pin_bytes: Annotated[Hex, Field(max_length=8)] | None = Field(default=None, repr=False)
    enciphered: Annotated[Hex, Field(max_length=200)] | None = Field(default=None, repr=False)

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if sum(part is not None for part in (self.pin, self.pin_bytes, self.enciphered)) > 1:
            raise InvalidValue(
                Phrase("the enciphered part is given twice"),
                Phrase("write one of {words}", words="pin, pin_bytes, enciphered"),
            )
        return self

    def plain(self) -> bytes | None:
        """The content of the block; ``None`` for no block."""
        return self.pin_bytes if self.pin is None else encode_pin(self.pin)


class PinChangeUnblock(Step):
    """Only PIN CHANGE/UNBLOCK, without authenticating the PUK first."""

    verb: ClassVar[str] = "pin_change_unblock"
    pin_change_unblock: ResetOrUnblock

    def run(self, bench: Bench) -> Outcome:
        asked = self.pin_change_unblock
        header = bytes((0x84, 0x24, 0x00, asked.p2[0]))
        return send_safely(bench, header, asked, asked.enciphered or b"", asked.plain())

    def title(self) -> Sayable:
        asked = self.pin_change_unblock
        return wrong_parts(f"pin_change_unblock P2={asked.p2.hex()}", asked)


class CardBlock(Step):
    """Only CARD BLOCK, without authenticating BK first."""

    verb: ClassVar[str] = "card_block"
    card_block: Annotated[SafeMessage, BeforeValidator(from_word("mac"))]

    def run(self, bench: Bench) -> Outcome:
        return send_safely(bench, bytes((0x84, 0x16, 0x00, 0x00)), self.card_block)

    def title(self) -> Sayable:
        return wrong_parts("card_block", self.card_block)


class ApplicationBlock(Step):
    """Only APPLICATION BLOCK of the current DF, without authenticating its lock key first."""

    verb: ClassVar[str] = "application_block"
    application_block: Annotated[SafeMessage, BeforeValidator(from_word("mac"))]

    def run(self, bench: Bench) -> Outcome:
        return send_safely(bench, bytes((0x84, 0x1E, 0x00, 0x01)), self.application_block, stk=current_stk(bench))

    def title(self) -> Sayable:
        return wrong_parts("application_block", self.application_block)


def current_stk(bench: Bench) -> str:
    """The STK of the current DF; that of SSSE if the DF has none."""
    own = f"STK{bench.chip.snapshot().current_df}"
    return own if any(key.name == own for key in bench.chip.profile.layout.keys) else "STK"


def send_safely(
    bench: Bench, header: bytes, asked: SafeMessage, data: bytes = b"", pin: bytes | None = None, stk: str = "STK"
) -> Outcome:
    """Send a command (4-byte header) with data, or with the enciphered PIN, and its MAC."""
    factor = asked.factor(bench)
    block = bench.suite.block
    length = len(data) if pin is None else -(-(len(pin) + 1) // block) * block
    message = bench.hsm.safe_message(
        bench.suite.algorithm_id,
        bench.hsm.address_of(asked.key or stk),
        bench.reference,
        factor,
        header + bytes((length + MAC_LENGTH,)) + data,
        pin,
    )
    if asked.mac == WRONG:
        message = _altered(message, len(message) - MAC_LENGTH + asked.wrong_byte - 1)
    sent, sw = answer_to(bench.connection, message)
    return Outcome(sw, sent)


def wrong_parts(done: Sayable, asked: SafeMessage | None) -> Sayable:
    """The operation, and what is wrong in its secure message."""
    return _title(done, f"{asked.mac} MAC", asked.challenge, asked.key) if asked else done


def _title(done: Sayable, proof: str, challenge: ChallengeUse, key: str = "") -> Sayable:
    """The operation, and what is wrong in it."""
    words: list[Sayable] = [] if proof.startswith(RIGHT) else [proof]
    if key:
        words.append(Phrase("with {key}", key=key))
    if challenge != "fresh":
        words.append(Phrase("last challenge") if challenge == "last" else Phrase("no challenge"))
    return Phrase("{command} ({words})", command=done, words=Phrase.joined(ROW, words)) if words else done
