"""The terminal's PSAM, with the operations of an HSM (driver-api.md §5 and §8)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sscard.chip.engine import PowerError
from sscard.chip.memory import PowerLost
from sscard.errors import PhrasedError, said_by
from sscard.hsm.protocol import factor_refusal
from sscard.i18n.phrase import Phrase, Sayable
from sscard.issuer.hierarchy import CardReference
from sscard.psam.keys import CARD_KEYS, ENCIPHERING_KEY, MAX_LEVELS, PURCHASE_KEY, KeyType, usage_byte
from sscard.psam.layout import APPLICATION_AID, ENVIRONMENT_NAMES, TERMINAL_INFO
from sscard.standard.apdu import SW, Answer, command, named_status
from sscard.standard.cipher import FACTOR_LENGTH, MAC_LENGTH, SUITES, Suite, city_factor, pad, province_factor
from sscard.standard.keys import ROOT_OF
from sscard.terminal.flow import AskPin, CheckMac2, Mac1, Prove, Request, Seal
from sscard.transport.connection import Connection, exchange
from sscard.transport.faults import TransportError

NO_PSAM: Final = -2201
ALGORITHM_MISSING: Final = -2202
READ_KEY_MISSING: Final = -2203
KEY_LEVEL_TOO_LOW: Final = -24
PARAMETER_ERROR: Final = -14

HEADER_LENGTH: Final = 5
PURCHASE_LENGTH: Final = 28
"""Data of INIT SAM FOR PURCHASE before the factors."""
BINARY_BY_SFI: Final = 0x80
NO_ENVIRONMENT: Final = 0
LAST_ENCRYPT, MORE_ENCRYPT, ONLY_MAC = 0x00, 0x02, 0x05

Factors = tuple[bytes, bytes, bytes]
"""f3, f2, f1: card, city, province, in the order the PSAM takes them."""


class PsamError(PhrasedError):
    """The PSAM is missing or refused; ``code`` is the driver's return code (driver-api.md §6–7)."""

    def __init__(self, code: int, problem: Sayable) -> None:
        super().__init__(Phrase("{problem} ({code})", problem=problem, code=code))
        self.args = (code, problem)
        self.code = code
        self.problem = problem


class Psam:
    """The PSAM in the terminal's slot, ``None`` for an empty one.

    It is powered on at the first use and stays powered until ``close`` or a
    transport error, after which the next use powers it on again. Every method
    raises ``PsamError``. Keys are named as on the card; version 1 is used.
    """

    def __init__(self, connection: Connection | None) -> None:
        self._connection = connection
        self._terminal_number = ""
        self._algorithm = NO_ENVIRONMENT
        self._levels: dict[tuple[int, str], int] = {}

    def close(self) -> None:
        """Power the PSAM off."""
        if self._connection is not None and self._terminal_number:
            self._connection.power_off()
        self._forget()

    def terminal_number(self) -> str:
        """The terminal number (终端机编号), 12 digits: city code and the city's own number."""
        self._start()
        return self._terminal_number

    def environment(self, algorithm: int) -> None:
        """Select an algorithm's environment and the application in it; −2202 if the PSAM lacks it."""
        self._start()
        if algorithm == self._algorithm:
            return
        self._algorithm = NO_ENVIRONMENT
        name = ENVIRONMENT_NAMES.get(algorithm)
        if name is None or algorithm not in SUITES or self._send(_select(name)).sw != SW.OK:
            raise PsamError(ALGORITHM_MISSING, Phrase("the PSAM lacks algorithm {algorithm:02X}", algorithm=algorithm))
        self._demand(_select(APPLICATION_AID), "SELECT DF01")
        self._algorithm = algorithm

    def authentication_data(
        self, algorithm: int, key: str, card: CardReference, factor: bytes, original: bytes
    ) -> bytes:
        """Authentication data(8) ‖ original data(8), as ``Hsm.authentication_data``."""
        _expect(len(original) == FACTOR_LENGTH, Phrase("original data has {length} bytes", length=FACTOR_LENGTH))
        suite = self._deliver(algorithm, key, KeyType.ENCRYPT, card, factor)
        enciphered = self._cipher(LAST_ENCRYPT, original.ljust(suite.block, b"\x00"))
        return _fold(enciphered) + original

    def safe_message(
        self,
        algorithm: int,
        card: CardReference,
        factor: bytes,
        header: bytes,
        pin: bytes | None,
        key: str = ENCIPHERING_KEY,
    ) -> bytes:
        """Header(5) ‖ enciphered PIN ‖ MAC(4), as ``Hsm.safe_message``; ``pin`` may be ``None``."""
        _expect(len(header) == HEADER_LENGTH, Phrase("a command header has {length} bytes", length=HEADER_LENGTH))
        kind = KeyType.MAC if pin is None else KeyType.MAC_AND_ENCRYPT
        suite = self._deliver(algorithm, key, kind, card, factor)
        message = header
        if pin is not None:
            block = bytes((len(pin),)) + pin  # padded only if it does not fill the block (card-security.md §5)
            message += self._cipher(MORE_ENCRYPT, pad(block, suite.block) if len(block) % suite.block else block)
        _expect(header[-1] == len(message) - HEADER_LENGTH + MAC_LENGTH, Phrase("Lc of the header counts data and MAC"))
        return message + self._cipher(ONLY_MAC, bytes(suite.block) + pad(message, suite.block))

    def init_purchase(
        self, algorithm: int, card: CardReference, opening: bytes, amounts: bytes, kind: bytes, time: bytes
    ) -> Mac1:
        """INIT SAM FOR PURCHASE: the next terminal sequence and MAC1; the parameters are those of ``PurchaseMac``."""
        self.environment(algorithm)
        data = opening[4:] + opening[:2] + amounts + kind + time + opening[2:4]
        _expect(len(data) == PURCHASE_LENGTH, Phrase("a purchase has {length} bytes", length=PURCHASE_LENGTH))
        answered = self._at_its_level(
            PURCHASE_KEY,
            card,
            lambda __, factors: command(0x80, 0x70, 0x01, 0x00, data + factors, le=0),
            wrong_level=SW.WRONG_LENGTH,
        )
        return Mac1(answered[:-MAC_LENGTH], time, answered[-MAC_LENGTH:])

    def credit_purchase(self, mac2: bytes) -> None:
        """CREDIT SAM FOR PURCHASE: the PSAM checks the card's MAC2(4); −37634 if it is wrong."""
        self._start()
        self._demand(command(0x80, 0x72, 0x00, 0x00, mac2), "CREDIT SAM FOR PURCHASE")

    def answer(self, request: Request) -> object:
        """Answer a flow's request for a key operation."""
        if isinstance(request, AskPin):
            raise NotImplementedError("a PSAM knows no PIN")
        if isinstance(request, CheckMac2):
            self.credit_purchase(request.mac2)
            return True
        algorithm, reference = request.card.algorithm, request.card.reference
        if isinstance(request, Prove):
            return self.authentication_data(algorithm, request.key, reference, request.factor, request.original)
        if isinstance(request, Seal):
            header, pin = request.header, request.pin
            return self.safe_message(algorithm, reference, request.factor, header, pin, request.key)
        opening, amounts = request.opening, request.amounts
        return self.init_purchase(algorithm, reference, opening, amounts, request.kind, request.time)

    def _forget(self) -> None:
        self._terminal_number = ""
        self._algorithm = NO_ENVIRONMENT
        self._levels = {}

    def _start(self) -> None:
        if self._terminal_number:
            return
        if self._connection is None:
            raise PsamError(NO_PSAM, Phrase("no PSAM in the terminal"))
        try:
            self._connection.power_on()
        except _LOST as error:
            raise PsamError(NO_PSAM, Phrase("no PSAM: {error}", error=_lost(error))) from None
        data, sw = self._send(command(0x00, 0xB0, BINARY_BY_SFI | TERMINAL_INFO, 0x00, le=0))
        if sw != SW.OK:
            raise PsamError(NO_PSAM, Phrase("the card in the terminal's slot is no PSAM"))
        self._terminal_number = data.hex()

    def _deliver(self, algorithm: int, key: str, kind: KeyType, card: CardReference, factor: bytes) -> Suite:
        """DELIVERY SESSION KEY: the card's key over its random becomes the PSAM's session key."""
        self.environment(algorithm)
        suite = SUITES[algorithm]
        _expect(
            len(factor) in suite.challenge_lengths,
            factor_refusal(suite, factor),
        )
        held = CARD_KEYS.get(ROOT_OF.get(key, key))
        if held is None:
            raise _key_refusal(key, SW.KEY_NOT_FOUND)
        whole = factor.ljust(suite.block, b"\x00")
        self._at_its_level(
            key,
            card,
            lambda levels, factors: command(0xBF, 0xDE, usage_byte(kind, levels), held.id, factors + whole),
            wrong_level=SW.WRONG_DATA,
        )
        return suite

    def _at_its_level(
        self, key: str, card: CardReference, build: Callable[[int, bytes], bytes], *, wrong_level: int
    ) -> bytes:
        """Send three factors, then fewer as long as the card is of the PSAM's region (card-security.md §8).

        The level found is cached. A root of another region is never used: its
        wrong result would cost a try of the card's key.
        """
        factors = (card.serial, city_factor(card.city_code), province_factor(card.city_code))
        found = self._levels.get((self._algorithm, key))
        for levels in range(MAX_LEVELS, 0, -1) if found is None else (found,):
            if not self._serves(factors, levels):
                break
            data, sw = self._send(build(levels, b"".join(factors[:levels])))
            if sw == SW.OK:
                self._levels[self._algorithm, key] = levels
                return data
            if sw != wrong_level:
                raise _key_refusal(key, sw)
        raise PsamError(
            KEY_LEVEL_TOO_LOW,
            Phrase("the PSAM's {key} does not reach cards of {district}", key=key, district=card.city_code),
        )

    def _serves(self, factors: Factors, levels: int) -> bool:
        """Whether a root with this number of levels below it is of the card's region."""
        home = self._terminal_number[:6]
        _, city, province = factors
        return levels == MAX_LEVELS or (province == province_factor(home) and (levels > 1 or city == city_factor(home)))

    def _cipher(self, mode: int, blocks: bytes) -> bytes:
        return self._demand(command(0x80, 0xFA, mode, 0x00, blocks, le=0), "CIPHER DATA")

    def _demand(self, sent: bytes, operation: str) -> bytes:
        data, sw = self._send(sent)
        if sw != SW.OK:
            raise PsamError(-sw, Phrase("{operation}: {status}", operation=operation, status=named_status(sw)))
        return data

    def _send(self, sent: bytes) -> Answer:
        if self._connection is None:
            raise PsamError(NO_PSAM, Phrase("no PSAM in the terminal"))
        try:
            return exchange(self._connection, sent)
        except _LOST as error:
            self._forget()
            raise PsamError(NO_PSAM, Phrase("the PSAM gave no answer: {error}", error=_lost(error))) from None


_LOST: Final = (TransportError, PowerLost, PowerError)


def _lost(error: Exception) -> Sayable:
    """Why there is no answer; errors of the chip itself are for programs."""
    return Phrase("no power") if isinstance(error, PowerLost | PowerError) else said_by(error)


def _select(name: bytes) -> bytes:
    return command(0x00, 0xA4, 0x04, 0x00, name, le=0)


def _fold(enciphered: bytes) -> bytes:
    """Authentication data from one block; the halves of a 16-byte block are XORed."""
    if len(enciphered) == FACTOR_LENGTH:
        return enciphered
    halves = zip(enciphered[:FACTOR_LENGTH], enciphered[FACTOR_LENGTH:], strict=True)
    return bytes(left ^ right for left, right in halves)


def _key_refusal(key: str, sw: int) -> PsamError:
    if sw == SW.KEY_NOT_FOUND:
        return PsamError(
            READ_KEY_MISSING if key == "RKSSSE" else -sw, Phrase("the PSAM holds no {key} for this use", key=key)
        )
    return PsamError(-sw, Phrase("{operation}: {status}", operation=key, status=named_status(sw)))


def _expect(right: bool, rule: Phrase) -> None:
    if not right:
        raise PsamError(PARAMETER_ERROR, rule)
