"""The card-holder base (持卡库): the host service that answers the strings of a driver's HSM steps with its HSM.

An application keeps the output of iReadCardBas (``basic``) and sends it with
the string of a step (``asked``); the answer is the next step's pKey
(driver-api.md §4, §5). A string of another form raises ``HostError`` with the
field's number, name and expected form, never with the value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import count
from typing import Annotated, Any, Final, NamedTuple

from pydantic import Field

from sscard.driver.fields import SERIAL, join, upper_hex
from sscard.errors import InputError
from sscard.hsm import Hsm
from sscard.hsm.operations import Operation, Request
from sscard.i18n.phrase import EITHER, Phrase
from sscard.issuer.hierarchy import CardReference
from sscard.standard.atr import SERIAL_LENGTH
from sscard.standard.cipher import DES, equal

NO_ACCOUNT: Final = bytes(4)
"""The account amount in purchases by the driver."""
BASIC, ASKED = "basic", "asked"
LONGEST_STRING: Final = 1024


class HostError(InputError):
    """The strings of an application are invalid; the text never contains a key or PIN."""


class _Field(NamedTuple):
    """A field of a string: name, pattern, and description of the expected form."""

    name: Phrase
    shape: re.Pattern[str]
    expected: Phrase

    def or_empty(self) -> _Field:
        return self._replace(
            shape=re.compile(f"(?:{self.shape.pattern})?"),
            expected=Phrase("{expected}, or an empty field", expected=self.expected),
        )


class _Form:
    """The fields of a string, each ended by a bar; the last ``optional`` ones may be left out."""

    def __init__(self, *fields: _Field, optional: int = 0) -> None:
        self.fields = fields
        self.optional = optional
        shapes = [rf"(?:{field.shape.pattern})\|" for field in fields]
        required = len(fields) - optional
        self._whole = re.compile("".join(shapes[:required]) + "".join(f"(?:{shape})?" for shape in shapes[required:]))

    def read(self, text: str) -> list[str]:
        """The fields. A string is matched as a whole, and field by field only if it is wrong, for the message."""
        *values, rest = text.split("|")
        if self._whole.fullmatch(text):
            return values
        least, most = len(self.fields) - self.optional, len(self.fields)
        if rest or not least <= len(values) <= most:
            counts = Phrase.joined(EITHER, range(least, most + 1))
            raise HostError(
                Phrase(
                    "{expected} fields expected, each ended by a bar, got {count}", expected=counts, count=len(values)
                ),
                file=ASKED,
            )
        for number, (field, given) in enumerate(zip(self.fields, values, strict=False), 1):
            _check(ASKED, number, field, given)
        return values


def _digits(name: Phrase, *lengths: int) -> _Field:
    shape = "|".join(f"[0-9A-Fa-f]{{{length}}}" for length in lengths)
    return _Field(name, re.compile(shape), Phrase("{count} hex digits", count=Phrase.joined(EITHER, lengths)))


def _decimal(name: Phrase, length: int) -> _Field:
    return _Field(name, re.compile(f"[0-9]{{{length}}}"), Phrase("{count} digits", count=length))


_PROCESS, _PROCESS_DES = (_digits(Phrase("process factor"), *lengths) for lengths in ((8, 16, 32), (8, 16)))
_ORIGINAL = _digits(Phrase("original data"), 16)
_DISTRICT, _HISTORICAL = _decimal(Phrase("district"), 6), _digits(Phrase("ATR historical bytes"), 26)
_ALGORITHM = _Field(Phrase("algorithm"), re.compile("0[123]"), Phrase("01, 02 or 03"))
_ADDRESS = _digits(Phrase("key address"), 4)
_TERMINAL, _TIME = _decimal(Phrase("terminal number"), 12), _decimal(Phrase("time"), 14)
_AMOUNTS, _KIND = _digits(Phrase("amounts"), 16), _digits(Phrase("transaction type"), 2)

_CHECK_CARD = _Form(
    _DISTRICT,
    _HISTORICAL,
    _ALGORITHM,
    _digits(Phrase("identification code"), 32),
    _PROCESS.or_empty(),
    _ORIGINAL.or_empty(),
    _PROCESS.or_empty(),
    _ORIGINAL.or_empty(),
    _Field(Phrase("device serial"), SERIAL, Phrase("up to 128 characters")),
    optional=1,
)
"""Output of iReadCardBas_HSM_Step1; existing drivers add a ninth field, or leave fields 5 to 8 empty."""
_AUTHENTICATE = _Form(_ALGORITHM, _ADDRESS, _PROCESS, _ORIGINAL)
_PIN = _Field(Phrase("new PIN"), re.compile("(?:[0-9]{2}){1,7}[0-9][0-9Ff]"), Phrase("4 to 16 digits padded with F"))
_SAFE_MESSAGE = _Form(_ALGORITHM, _ADDRESS, _PROCESS, _digits(Phrase("command header"), 10), _PIN.or_empty())
_PURCHASE = _Form(
    _ALGORITHM,
    _ADDRESS,
    _digits(Phrase("random of the card"), 8),
    _digits(Phrase("purchase sequence"), 4),
    _AMOUNTS,
    _KIND,
    _TERMINAL,
    _TIME,
)
_RECEIPT = _Form(
    _ALGORITHM,
    _ADDRESS,
    _AMOUNTS,
    _KIND,
    _TERMINAL,
    _digits(Phrase("terminal sequence"), 8),
    _TIME,
    _digits(Phrase("TAC"), 8),
)
_RECEIPT_WITH_MAC2 = _Form(_digits(Phrase("MAC2"), 8), *_RECEIPT.fields)


class CardHolderBase:
    """The services for a driver's HSM steps; ``HostError`` for a string of another form, ``HsmError`` of the HSM.

    ``sequences`` numbers the purchases, because no PSAM is involved.
    """

    def __init__(self, hsm: Hsm, sequences: Iterator[int] | None = None) -> None:
        self._hsm = hsm
        self._sequences = sequences or count(1)

    def check_card(self, asked: str) -> str:
        """Internal authentication: the pKey for iReadCardBas_HSM_Step2 from the output of step 1.

        For an empty process factor the field of the proof is empty.
        """
        city, historical, algorithm, __, *proofs = _CHECK_CARD.read(asked)
        card = CardReference(city, bytes.fromhex(historical)[-SERIAL_LENGTH:])
        answers = []
        for number, key in ((5, "IRK"), (7, "RKSSSE")):
            factor, original = proofs[number - 5], proofs[number - 4]
            if factor or original:
                _check(ASKED, number, _PROCESS, factor)
                _check(ASKED, number + 1, _ORIGINAL, original)
                answers.append(self._prove(algorithm, self._hsm.address_of(key), card, (number, factor), original))
            else:
                answers.append("")
        return join(*answers)

    def authenticate(self, basic: str, asked: str) -> str:
        """Card check and external authentication (卡鉴权及外部认证): the pKey of Step2 from the output of Step1."""
        algorithm, address, factor, original = _AUTHENTICATE.read(asked)
        return self._prove(algorithm, address, _card(basic), (3, factor), original)

    def safe_message(self, basic: str, asked: str) -> str:
        """Safe-message (安全报文认证): the pKey of Step3, a complete command, from the output of Step2."""
        algorithm, address, factor, header, plain = _SAFE_MESSAGE.read(asked)
        challenge = _challenge(algorithm, 3, factor)
        pin = bytes.fromhex(plain) if plain else None
        return upper_hex(
            self._hsm.safe_message(int(algorithm), address.upper(), _card(basic), challenge, bytes.fromhex(header), pin)
        )

    def purchase(self, basic: str, asked: str) -> str:
        """Card check and purchase: the pKey of iDoDebit_HSM_Step2 from the output of step 1."""
        algorithm, address, random, purchase_count, *paid = _PURCHASE.read(asked)
        card = _card(basic)
        sequence = next(self._sequences).to_bytes(4, "big")
        factor = bytes.fromhex(random + purchase_count) + sequence[2:]
        message = NO_ACCOUNT + bytes.fromhex("".join(paid))
        mac1 = self._hsm.purchase_mac(int(algorithm), address.upper(), card, factor, message)
        return join(upper_hex(sequence), paid[-1], upper_hex(mac1))

    def settle(self, basic: str, receipt: str) -> bool:
        """Settlement check: whether the TAC in the output of iDoDebit or of its last HSM step is right."""
        if receipt.count("|") > len(_RECEIPT.fields):
            __, algorithm, address, *paid, tac = _RECEIPT_WITH_MAC2.read(receipt)
        else:
            algorithm, address, *paid, tac = _RECEIPT.read(receipt)
        message = NO_ACCOUNT + bytes.fromhex("".join(paid))
        proof = self._hsm.transaction_proof(int(algorithm), address.upper(), _card(basic), message)
        return equal(proof, bytes.fromhex(tac))

    def _prove(self, algorithm: str, address: str, card: CardReference, factor: tuple[int, str], original: str) -> str:
        challenge = _challenge(algorithm, *factor)
        return upper_hex(
            self._hsm.authentication_data(int(algorithm), address.upper(), card, challenge, bytes.fromhex(original))
        )


class _Strings(Request):
    """Request of an application: the output of iReadCardBas, and the string of the step."""

    basic: Annotated[str, Field(max_length=LONGEST_STRING)] = ""
    asked: Annotated[str, Field(max_length=LONGEST_STRING)]

    @property
    def words(self) -> str:
        """The key's address and the card's district for the log, if the strings are valid."""
        address = re.match(r"(?:[0-9A-Fa-f]{8}\|)?0[123]\|([0-9A-Fa-f]{4})\|", self.asked)
        card = re.match(r"([0-9]{6})\|(?:[^|]*\|){0,4}[0-9A-Fa-f]{26}\|", self.basic or self.asked)
        return " ".join(found[1] if found else "-" for found in (address, card))


def host_operations(base: CardHolderBase) -> dict[str, Operation]:
    """The operations of a card-holder base, for ``HsmServer``."""
    answers: dict[str, Any] = {
        "check-card": lambda sent: base.check_card(sent.asked),
        "authenticate": lambda sent: base.authenticate(sent.basic, sent.asked),
        "safe-message": lambda sent: base.safe_message(sent.basic, sent.asked),
        "purchase": lambda sent: base.purchase(sent.basic, sent.asked),
        "settle": lambda sent: "true" if base.settle(sent.basic, sent.asked) else "false",
    }
    return {f"host/{name}": Operation(_Strings, answer) for name, answer in answers.items()}


def _card(basic: str) -> CardReference:
    """The card of the output of iReadCardBas: fields 1 and 6."""
    values = [*basic.split("|", 6), *[""] * 6]
    for number, field in ((1, _DISTRICT), (6, _HISTORICAL)):
        _check(BASIC, number, field, values[number - 1])
    return CardReference(values[0], bytes.fromhex(values[5])[-SERIAL_LENGTH:])


def _check(string: str, number: int, field: _Field, given: str) -> None:
    if not field.shape.fullmatch(given):
        raise HostError(
            Phrase(
                "field {number} ({name}): {expected} expected",
                number=number,
                name=field.name,
                expected=field.expected,
            ),
            file=string,
        )


def _challenge(algorithm: str, number: int, factor: str) -> bytes:
    """A process factor with a length that the algorithm accepts."""
    _check(ASKED, number, _PROCESS_DES if int(algorithm) == DES.algorithm_id else _PROCESS, factor)
    return bytes.fromhex(factor)
