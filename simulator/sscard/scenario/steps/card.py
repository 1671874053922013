"""The verbs that send commands to the card, directly or through the terminal."""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from sscard.conversation.redaction import redact
from sscard.document import Model
from sscard.errors import InvalidValue
from sscard.i18n.phrase import Phrase, Sayable
from sscard.scenario.context import Bench
from sscard.scenario.expressions import computed
from sscard.scenario.step import Hex, Nothing, Outcome, Pin, PinOrNone, Step
from sscard.scenario.steps.secure import RIGHT, ChallengeData, Right
from sscard.standard.apdu import SW, command
from sscard.standard.certificates import VERIFY_ADMINISTRATOR, VERIFY_USER, cryptogram
from sscard.standard.encoding import encode_pin
from sscard.transport.connection import answer_to

NO_PIN_NEEDED = "none"


def asked_tries(text: str, info: ValidationInfo) -> str:
    """The expected tries left, a number or an expression, or ``none``; ``InvalidValue`` for anything else."""
    if text == NO_PIN_NEEDED:
        return text
    try:
        return str(computed(text, info))
    except InvalidValue as error:
        raise InvalidValue(Phrase("not a count, and not {word}", word=NO_PIN_NEEDED), error.remedy) from None


AskedTries = Annotated[str, AfterValidator(asked_tries)]
"""The tries left that the terminal must read, or ``none``."""


class Apdu(Step):
    """Send these bytes to the card unchanged; ``61xx`` and ``6Cxx`` are not handled."""

    verb: ClassVar[str] = "apdu"
    apdu: Annotated[Hex, Field(repr=False)]

    def run(self, bench: Bench) -> Outcome:
        data, sw = answer_to(bench.connection, self.apdu)
        return Outcome(sw, data)

    def title(self) -> Sayable:
        return f"apdu {redact(self.apdu)}"


class GetChallenge(Step):
    """GET CHALLENGE with this Le in bytes; ``data`` is the challenge."""

    verb: ClassVar[str] = "get_challenge"
    get_challenge: Annotated[int, Field(ge=0, le=255)]

    def run(self, bench: Bench) -> Outcome:
        data, sw = answer_to(bench.connection, command(0x00, 0x84, 0x00, 0x00, le=self.get_challenge))
        bench.challenge = data or bench.challenge
        return Outcome(sw, data)


class GetResponse(Step):
    """GET RESPONSE with this Le in bytes: data that an ``apdu:`` left waiting (``61xx``)."""

    verb: ClassVar[str] = "get_response"
    get_response: Annotated[int, Field(ge=0, le=255)]

    def run(self, bench: Bench) -> Outcome:
        data, sw = answer_to(bench.connection, command(0x00, 0xC0, 0x00, 0x00, le=self.get_response))
        return Outcome(sw, data)


class Verify(Step):
    """VERIFY with these bytes, unchanged, also if they are no PIN; without bytes it asks the tries left."""

    verb: ClassVar[str] = "verify"
    verify: Annotated[Hex, Field(max_length=255, repr=False)]

    def run(self, bench: Bench) -> Outcome:
        sent = bytes((0x00, 0x20, 0x00, 0x00, len(self.verify))) + self.verify
        data, sw = answer_to(bench.connection, sent)
        return Outcome(sw, data)

    def title(self) -> Sayable:
        return _counted(self.verb, self.verify)


class Change(Step):
    """CHANGE PIN with these bytes, unchanged: old PIN, FF, new PIN."""

    verb: ClassVar[str] = "change"
    change: Annotated[Hex, Field(min_length=1, max_length=255, repr=False)]

    def run(self, bench: Bench) -> Outcome:
        data, sw = answer_to(bench.connection, command(0x80, 0x5E, 0x01, 0x00, self.change))
        return Outcome(sw, data)

    def title(self) -> Sayable:
        return _counted(self.verb, self.change)


def _counted(verb: str, data: bytes) -> Phrase:
    return Phrase.plural("{verb} ({count} byte)", "{verb} ({count} bytes)", count=len(data), verb=verb)


class CertificatePinProof(ChallengeData):
    """A PIN of the certificate application, of the ``user`` or the ``administrator``, and a right or wrong cryptogram.

    The cryptogram is computed over the challenge; in a wrong one the last byte differs.
    """

    user: Pin | None = Field(default=None, repr=False)
    administrator: Pin | None = Field(default=None, repr=False)
    cryptogram: Right = "right"

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.user is None) is (self.administrator is None):
            raise InvalidValue(
                Phrase("a step proves one PIN"), Phrase("write one of {words}", words="user, administrator")
            )
        return self


class VerifyCertificatePin(Step):
    """VERIFY CERTIFICATE PIN, in the certificate application, which is selected."""

    verb: ClassVar[str] = "verify_certificate_pin"
    verify_certificate_pin: CertificatePinProof

    def run(self, bench: Bench) -> Outcome:
        asked = self.verify_certificate_pin
        parameters = VERIFY_ADMINISTRATOR if asked.user is None else VERIFY_USER
        proof = cryptogram(encode_pin(asked.user or asked.administrator or ""), asked.factor(bench))
        if asked.cryptogram != RIGHT:
            proof = proof[:-1] + bytes((proof[-1] ^ 1,))
        data, sw = answer_to(bench.connection, command(0x00, 0x20, parameters >> 8, parameters & 0xFF, proof))
        return Outcome(sw, data)

    def title(self) -> Sayable:
        asked = self.verify_certificate_pin
        whose = "administrator" if asked.user is None else "user"
        return f"{self.verb} {whose}" + ("" if asked.cryptogram == RIGHT else f" ({asked.cryptogram})")


class TriesLeft(Step):
    """Read the tries left at the terminal and compare them with the value (``none``: no PIN is required)."""

    verb: ClassVar[str] = "tries_left"
    tries_left: AskedTries

    def run(self, bench: Bench) -> Outcome:
        tries = bench.terminal.tries_left()
        return Outcome(reported={"tries_left": NO_PIN_NEEDED if tries is None else str(tries)})

    def answers(self) -> dict[str, str]:
        return {"tries_left": self.tries_left} if self.sw == SW.OK else {}


class VerifyPin(Step):
    """Verify the PIN at the terminal."""

    verb: ClassVar[str] = "verify_pin"
    verify_pin: Annotated[Pin, Field(repr=False)]

    def run(self, bench: Bench) -> Outcome:
        bench.terminal.verify_pin(self.verify_pin)
        return Outcome()


class OldAndNew(Model):
    """The PINs of a change; an empty one is no PIN."""

    old: PinOrNone = Field(repr=False)
    new: PinOrNone = Field(repr=False)


class ChangePin(Step):
    """Change the PIN at the terminal."""

    verb: ClassVar[str] = "change_pin"
    change_pin: OldAndNew

    def run(self, bench: Bench) -> Outcome:
        bench.terminal.change_pin(self.change_pin.old, self.change_pin.new)
        return Outcome()


class ResetPin(Step):
    """Reset the PIN at the terminal: PUK authentication, and the new PIN enciphered under STK."""

    verb: ClassVar[str] = "reset_pin"
    reset_pin: Annotated[Pin, Field(repr=False)]

    def run(self, bench: Bench) -> Outcome:
        bench.terminal.reset_pin(self.reset_pin)
        return Outcome()


class UnblockPin(Step):
    """Unblock the PIN at the terminal: PUK authentication; the old PIN stays valid."""

    verb: ClassVar[str] = "unblock_pin"
    unblock_pin: Nothing = ""

    def run(self, bench: Bench) -> Outcome:
        bench.terminal.unblock_pin()
        return Outcome()


class WrittenData(Model):
    """The expected basic data; omitted fields are not checked. Days are YYYYMMDD, the sex is 1 or 2."""

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
        return self.read_basic.model_dump(exclude_none=True) if self.sw == SW.OK else {}
