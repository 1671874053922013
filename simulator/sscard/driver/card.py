"""A card under power in the driver's hands: what it is, and one verb per exchange."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Final, NamedTuple

from sscard.driver.errors import Code, DriverError, wrong_pin
from sscard.driver.fields import identification_code
from sscard.issuer.hierarchy import CardReference
from sscard.standard.apdu import SW, Answer, command, tries_in
from sscard.standard.atr import HISTORICAL_LENGTH, SERIAL_LENGTH, check_byte, historical_bytes
from sscard.standard.encoding import decode_an, decode_cn, encode_pin, records
from sscard.standard.generations import build_layout
from sscard.standard.suite import ALGORITHM_MARK
from sscard.standard.tree import MF, SSSE_NAME, FileSpec, Layout
from sscard.terminal.card import Identity
from sscard.terminal.errors import ApduError
from sscard.terminal.flows import CHALLENGE_LENGTH
from sscard.transport.connection import Connection, exchange

GENERATIONS: Final = ("1.0", "2.0", "3.0")
DES_ID: Final = 0x01
SSF33_ID: Final = 0x02
ALGORITHMS: Final = (DES_ID, SSF33_ID, 0x03)
SSF33_CITY: Final = "11"
"""Cities whose cards are SSF33 where the FCI names no algorithm (flows §1.3)."""

EF_ISSUER, EF_HOLDER = 0xEF05, 0xEF06
ISSUER_SIZE, HOLDER_SIZE = 0x40, 0x5B
ALL_RECORDS: Final = 0x05
"""P2 of READ RECORD: from record P1 to the last of the current EF."""
FIRST, NEXT, NUMBER = 0b000, 0b010, 0b100
"""P2 of READ RECORD in the current EF: identifier, first and next; record number."""
BINARY_PIECE: Final = 0xF0


@dataclass(frozen=True, slots=True)
class IssuerData:
    """EF05 (发卡机构数据) as text: dates YYYYMMDD, ``body`` the initializing body number, 24 digits."""

    identity: Identity
    category: str
    version: str
    body: str
    issued: str
    expires: str

    @property
    def generation(self) -> str:
        """The first three characters of the version, blank is 1.0."""
        return self.version[:3] or "1.0"


@dataclass(frozen=True, slots=True)
class Opening:
    """The end of INITIALIZE FOR PURCHASE's answer: count(2) ‖ key version(1) ‖ algorithm id(1) ‖ random(4)."""

    whole: bytes

    @property
    def count(self) -> bytes:
        return self.whole[:2]

    @property
    def random(self) -> bytes:
        return self.whole[4:]


class Access(NamedTuple):
    """What a file asks for: the PIN, a key by name (empty: none), or both."""

    pin: bool
    key: str


@cache
def layout_of(generation: str) -> Layout:
    """The files and keys of a generation, those of the annex included; SSSE has the FID of the MF here.

    −13 for a generation this driver does not know.
    """
    if generation not in GENERATIONS:
        raise DriverError(Code.UNSUPPORTED)
    return build_layout(generation, optional_applications=True)


class DriverCard:
    """A card with power, SSSE selected, EF05 read.

    Make one with ``DriverCard.start``. A refusal raises ``ApduError``, or
    ``DriverError`` where the driver has a code of its own.
    """

    def __init__(self, connection: Connection, historical: bytes) -> None:
        self._connection = connection
        self._df = MF
        self.historical = historical
        self.issuer: IssuerData
        self.algorithm: int

    @classmethod
    def start(cls, connection: Connection, atr: bytes) -> DriverCard:
        """The card behind an ATR: −15 where the ATR's checksum is wrong, −1 where it is no social security card."""
        card = cls(connection, _historical(atr))
        fci = card._select_ssse()
        card.issuer = card._read_issuer()
        card.algorithm = _algorithm(fci, card.identity.city_code)
        return card

    @property
    def identity(self) -> Identity:
        return self.issuer.identity

    @property
    def layout(self) -> Layout:
        """The files and keys of the card's generation."""
        return layout_of(self.issuer.generation)

    @property
    def block(self) -> int:
        """Bytes of a cipher block: 8 under DES, 16 under SSF33 and SM4."""
        return 8 if self.algorithm == DES_ID else 16

    @property
    def reference(self) -> CardReference:
        return CardReference(self.identity.city_code, self.historical[-SERIAL_LENGTH:])

    def file(self, df: str, ef: int) -> FileSpec:
        """The file at an address such as DF01, EF15; the answer of a card without it where the standard has none."""
        fid = self.layout.ssse.fid if df == "SSSE" else int(df, 16)
        spec = self.layout.file(fid, ef & 0xFF)
        if spec is None:
            raise ApduError(f"find {df} EF{ef & 0xFF:02X}", SW.FILE_NOT_FOUND)
        return spec

    def writable(self, df: str, ef: int) -> FileSpec:
        """The file at an address, to be written; the card's own answer where only the card writes it."""
        spec = self.file(df, ef)
        if spec.write_rule == "never":
            raise ApduError(f"write {df} EF{ef & 0xFF:02X}", SW.SECURITY_NOT_SATISFIED)
        return spec

    def enter(self, fid: int) -> None:
        """SELECT a DF by its name, unless it is selected."""
        if self._df == fid:
            return
        df = next(df for df in self.layout.dfs if df.fid == fid)
        self.demand(command(0x00, 0xA4, 0x04, 0x00, df.aid), f"SELECT {df.name}")
        self._df = fid

    def select(self, ef: int) -> None:
        self.demand(command(0x00, 0xA4, 0x02, 0x00, ef.to_bytes(2, "big")), f"SELECT EF{ef & 0xFF:02X}")

    def holder(self) -> tuple[str, str]:
        """ID number and full name out of EF06."""
        self.enter(self.layout.ssse.fid)
        self.select(EF_HOLDER)
        found = self._records_by_tag(HOLDER_SIZE)
        id_number, name, extension = (decode_an(found.get(tag, b"")) for tag in (0x08, 0x09, 0x4E))
        return id_number, name + extension

    def challenge(self) -> bytes:
        """GET CHALLENGE: 8 randoms of the card."""
        return self.demand(command(0x00, 0x84, 0x00, 0x00, le=CHALLENGE_LENGTH), "get challenge")

    def two_challenges(self) -> tuple[bytes, bytes]:
        """Original data, then process factor, 8 bytes each: the card keeps the second (flows §6.1)."""
        original = self.challenge()
        return original, self.challenge()

    def internal_authentication(self, factor: bytes, original: bytes) -> bytes:
        """The card's proof of IRK, 8 bytes, over 8 + 8 bytes."""
        return self.demand(command(0x00, 0x88, 0x00, 0x00, factor + original), "internal authentication")

    def prove(self, key: str, proof: bytes) -> None:
        """EXTERNAL AUTHENTICATION with authentication data(8) ‖ original data(8)."""
        operation = f"authenticate {key}"
        try:
            number = self.layout.keys[self.layout.key_named(key)].number
        except KeyError:
            raise ApduError(operation, SW.KEY_NOT_FOUND) from None
        self.demand(command(0x00, 0x82, 0x00, number, proof), operation)

    def tries_left(self) -> int | None:
        """Tries left of the PIN without costing one; ``None`` where no PIN need be given (flows §1.6)."""
        _, sw = self.send(command(0x00, 0x20, 0x00, 0x00, le=0))
        if sw == SW.OK:
            return None
        tries = 0 if sw == SW.METHOD_BLOCKED else tries_in(sw)
        if tries is None:
            raise ApduError("ask the tries left", sw)
        return tries

    def verify_pin(self, pin: str) -> None:
        """VERIFY: −51 with the tries left, −52 where the PIN is blocked."""
        self._with_pin(command(0x00, 0x20, 0x00, 0x00, encode_pin(pin)), "verify PIN")

    def change_pin(self, old: str, new: str) -> None:
        """CHANGE PIN; an empty old PIN where the card has none."""
        data = encode_pin(old) + b"\xff" + encode_pin(new)
        self._with_pin(command(0x80, 0x5E, 0x01, 0x00, data), "change PIN")

    def read_tag(self, tag: int, occurrence: int) -> bytes:
        """The value of the n-th record (from 1) with a tag in the current EF."""
        value = self._record(tag, FIRST)
        for _ in range(occurrence - 1):
            value = self._record(tag, NEXT)
        return value[2:]

    def read_number(self, number: int) -> bytes:
        """A record by number (from 1), whole."""
        return self._record(number, NUMBER)

    def read_binary(self, size: int) -> bytes:
        """The current transparent EF from its beginning."""
        data = b""
        while len(data) < size:
            place = len(data)
            piece = command(0x00, 0xB0, place >> 8, place & 0xFF, le=min(BINARY_PIECE, size - place))
            data += self.demand(piece, "READ BINARY")
        return data

    def initialize_purchase(self, key: int, amounts: bytes, terminal: bytes) -> Opening:
        """INITIALIZE FOR PURCHASE: key index, account, self-paid and pool amount (12 bytes), terminal (6 bytes)."""
        data = bytes((key,)) + amounts + terminal
        answer = self.demand(command(0xB0, 0x28, 0x01, 0x01, data), "INITIALIZE FOR PURCHASE")
        return Opening(answer[14:22])

    def debit(self, data: bytes) -> tuple[bytes, bytes]:
        """DEBIT FOR PURCHASE: terminal sequence(4) ‖ time(7) ‖ MAC1(4) → TAC(4), MAC2(4)."""
        answer = self.demand(command(0xB0, 0x2C, 0x01, 0x00, data), "DEBIT FOR PURCHASE")
        return answer[:4], answer[4:]

    def transaction_proof(self, kind: int, count: int) -> tuple[bytes, bytes]:
        """GET TRANSACTION PROOF of a load (1) or purchase (2): MAC(4), TAC(4); 9406 where there is none."""
        data = count.to_bytes(2, "big")
        answer = self.demand(command(0xB0, 0x2E, 0x00, kind, data), "GET TRANSACTION PROOF")
        return answer[:4], answer[4:]

    def demand(self, sent: bytes, operation: str) -> bytes:
        """The data of an answer; ``ApduError`` for any status word but 9000."""
        answer = self.send(sent)
        if answer.sw != SW.OK:
            raise ApduError(operation, answer.sw)
        return answer.data

    def send(self, sent: bytes) -> Answer:
        try:
            return exchange(self._connection, sent)
        except ValueError:  # less than a status word came
            raise DriverError(Code.NO_ANSWER) from None

    def _select_ssse(self) -> bytes:
        fci, sw = self.send(command(0x00, 0xA4, 0x04, 0x00, SSSE_NAME))
        if sw == SW.FILE_NOT_FOUND:
            raise DriverError(Code.CARD_TYPE)
        if sw != SW.OK:
            raise ApduError("SELECT SSSE", sw)
        return fci

    def _read_issuer(self) -> IssuerData:
        self.select(EF_ISSUER)
        found = self._records_by_tag(ISSUER_SIZE)
        code = identification_code(found.get(0x01, b"").hex().upper())
        return IssuerData(
            Identity(code, decode_an(found.get(0x07, b""))),
            decode_an(found.get(0x02, b"")),
            decode_an(found.get(0x03, b"")).strip(),
            decode_cn(found.get(0x04, b"")),
            decode_cn(found.get(0x05, b"")),
            decode_cn(found.get(0x06, b"")),
        )

    def _records_by_tag(self, size: int) -> dict[int, bytes]:
        data = self.demand(command(0x00, 0xB2, 0x01, ALL_RECORDS, le=size), "READ RECORD")
        return {record[0]: record[2:] for record in records(data)}

    def _record(self, p1: int, mode: int) -> bytes:
        return self.demand(command(0x00, 0xB2, p1, mode, le=0), f"READ RECORD {p1:02X}")

    def _with_pin(self, sent: bytes, operation: str) -> None:
        _, sw = self.send(sent)
        tries = tries_in(sw)
        if tries is not None:
            raise wrong_pin(tries)
        if sw == SW.METHOD_BLOCKED:
            raise DriverError(Code.PIN_BLOCKED)
        if sw != SW.OK:
            raise ApduError(operation, sw)


def needs_pin(card: DriverCard) -> bool:
    """Whether the card asks for a PIN (flows §1.6): −52 where it is blocked."""
    tries = card.tries_left()
    if tries == 0:
        raise DriverError(Code.PIN_BLOCKED)
    return tries is not None


def _historical(atr: bytes) -> bytes:
    """The 13 historical bytes; what follows them is the check byte TCK (ISO 7816-3 §8.2.5)."""
    try:
        historical = historical_bytes(atr)
    except IndexError:
        raise DriverError(Code.CARD_TYPE) from None
    if len(historical) != HISTORICAL_LENGTH:
        raise DriverError(Code.CARD_TYPE)
    if not atr.endswith(historical) and check_byte(atr[1:]):
        raise DriverError(Code.CHECKSUM)
    return historical


def _algorithm(fci: bytes, city_code: str) -> int:
    """Algorithm id of FCI tag 86 (−13: unknown); without it SSF33 for some cities, else DES (flows §1.3)."""
    _, mark, rest = fci.partition(ALGORITHM_MARK)
    if mark and rest:
        if rest[0] not in ALGORITHMS:
            raise DriverError(Code.UNSUPPORTED)
        return rest[0]
    return SSF33_ID if city_code.startswith(SSF33_CITY) else DES_ID


def read_access(rule: str, prefer_key: Callable[[], bool]) -> Access:
    """What reading by a rule asks for; ``prefer_key`` decides where a way with and one without the PIN exist."""
    if rule == "free":
        return Access(False, "")
    ways = [_access(way) for way in rule.split(" | ")]
    if len(ways) == 1:
        return ways[0]
    pin = not prefer_key()
    return next(way for way in ways if way.pin is pin)


def _access(way: str) -> Access:
    statuses = way.split(" & ")
    return Access("PIN" in statuses, next((status for status in statuses if status != "PIN"), ""))
