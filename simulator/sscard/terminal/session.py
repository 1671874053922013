"""A card at a terminal: one verb per operation (LD/T 32.7 flows §1, §5, §6)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from sscard.hsm import Hsm
from sscard.i18n.language import _
from sscard.issuer.hierarchy import CardReference
from sscard.standard.apdu import SW, Answer, command, tries_in
from sscard.standard.atr import SERIAL_LENGTH, historical_bytes
from sscard.standard.cipher import DES, MAC_LENGTH, SUITES, Suite
from sscard.standard.encoding import decode_an, decode_cn, encode_pin
from sscard.standard.generations import generation_in
from sscard.standard.tree import SSSE_NAME
from sscard.terminal.errors import ApduError, authentication_error, card_error, pin_error
from sscard.transport.connection import Connection, exchange

CHALLENGE_LENGTH = 8
ALGORITHM_MARK = bytes.fromhex("9F0C038601")

EF_ISSUER, EF_HOLDER = 0xEF05, 0xEF06
IDENTIFICATION_CODE, VERSION, ISSUED, EXPIRES, CARD_NUMBER = 0x01, 0x03, 0x05, 0x06, 0x07
PUK_NUMBER, RKSSSE_NUMBER = 0x06, 0x0A


@dataclass(frozen=True, slots=True)
class Identity:
    """Which card it is: identification code (卡的识别码, 32 hex digits) and card number (卡号, 9 characters)."""

    identification_code: str
    card_number: str

    @property
    def city_code(self) -> str:
        return self.identification_code[:6]


@dataclass(frozen=True, slots=True)
class BasicData:
    """The basic data (基本信息) a terminal reads first: EF05 and EF06."""

    identity: Identity
    version: str
    issued: str
    expires: str
    social_security_number: str = field(repr=False)
    name: str
    sex: str
    birth_date: str


class CardSession:
    """A card under power at a terminal, identified, with the HSM behind it.

    Make one with ``CardSession.start``. PINs are given as 4–16 digits; a
    refusal of the card raises an ``ApduError`` of ``terminal.errors``, which
    carries the tries left where the card tells them.
    """

    def __init__(self, connection: Connection, hsm: Hsm, atr: bytes, suite: Suite) -> None:
        self._connection = connection
        self._hsm = hsm
        self._suite = suite
        self.historical = historical_bytes(atr)
        self.identity = Identity("", "")

    @classmethod
    def start(cls, connection: Connection, hsm: Hsm) -> CardSession:
        """Power the card, select SSSE, learn its algorithm, read who it is."""
        atr = connection.power_on()
        fci = _demand(exchange(connection, command(0x00, 0xA4, 0x04, 0x00, SSSE_NAME)), "SELECT SSSE")
        session = cls(connection, hsm, atr, suite_in(fci))
        session.identity = session._identify()
        return session

    def close(self) -> None:
        """Take the power away."""
        self._connection.power_off()

    def read_basic(self) -> BasicData:
        """Read EF05 and EF06, proving RKSSSE first if the generation asks for it."""
        self._select(EF_ISSUER)
        version = decode_an(self._record(VERSION))
        issued, expires = decode_cn(self._record(ISSUED)), decode_cn(self._record(EXPIRES))
        generation = generation_in(version)
        if generation and generation.holder_key:
            self._authenticate(generation.holder_key, RKSSSE_NUMBER)
        self._select(EF_HOLDER)
        name = decode_an(self._record(0x09))
        if generation is None or generation.extends_name:
            name += decode_an(self._record(0x4E))
        return BasicData(
            self.identity,
            version,
            issued,
            expires,
            decode_an(self._record(0x08)),
            name,
            decode_an(self._record(0x0A)),
            decode_cn(self._record(0x0D)),
        )

    def tries_left(self) -> int | None:
        """Tries left of the PIN without costing one; ``None`` where no PIN need be given."""
        __, sw = self._send(command(0x00, 0x20, 0x00, 0x00, le=0))
        if sw == SW.OK:
            return None
        if sw == SW.METHOD_BLOCKED:
            return 0
        tries = tries_in(sw)
        if tries is None:
            raise card_error(_("ask the tries left"), sw)
        return tries

    def verify_pin(self, pin: str) -> None:
        """VERIFY: ``WrongPin`` with the tries left, ``PinBlocked`` where none is."""
        self._demand(command(0x00, 0x20, 0x00, 0x00, _given(pin)), _("verify PIN"), pin_error)

    def change_pin(self, old: str, new: str) -> None:
        """CHANGE PIN (修改): the holder knows the old PIN. An empty one means no PIN."""
        data = encode_pin(old) + b"\xff" + encode_pin(new)
        self._demand(command(0x80, 0x5E, 0x01, 0x00, data), _("change PIN"), pin_error)

    def reset_pin(self, new: str) -> None:
        """PIN reset (重置): the issuer sets a new PIN of 4–16 digits and frees the counter."""
        pin = _given(new)
        self._authenticate("PUK", PUK_NUMBER)
        block = self._suite.block
        enciphered = (len(pin) + block) // block * block
        self._safe_message(bytes((0x84, 0x24, 0x00, 0x01, enciphered + MAC_LENGTH)), pin, _("reset PIN"))

    def unblock_pin(self) -> None:
        """PIN unblock (解锁): the old PIN is valid again, with all its tries."""
        self._authenticate("PUK", PUK_NUMBER)
        self._safe_message(bytes((0x84, 0x24, 0x00, 0x00, MAC_LENGTH)), None, _("unblock PIN"))

    def challenge(self) -> bytes:
        """GET CHALLENGE: 8 randoms of the card."""
        return self._demand(command(0x00, 0x84, 0x00, 0x00, le=CHALLENGE_LENGTH), _("get challenge"))

    def _identify(self) -> Identity:
        self._select(EF_ISSUER)
        code = self._record(IDENTIFICATION_CODE).hex().upper()
        return Identity(code, decode_an(self._record(CARD_NUMBER)))

    @property
    def _reference(self) -> CardReference:
        return CardReference(self.identity.city_code, self.historical[-SERIAL_LENGTH:])

    def _authenticate(self, key: str, number: int) -> None:
        """Prove a key of the issuer: two challenges, the first as original data (flows §6.1, steps 4–7)."""
        original = self.challenge()
        factor = self.challenge()
        proof = self._hsm.authentication_data(
            self._suite.algorithm_id, self._hsm.address_of(key), self._reference, factor, original
        )
        operation = _("authenticate {key}", key=key)
        self._demand(command(0x00, 0x82, 0x00, number, proof), operation, authentication_error)

    def _safe_message(self, header: bytes, pin: bytes | None, operation: str) -> None:
        """A command under the MAC of STK, over a fresh challenge (flows §6.1, steps 9–11)."""
        factor = self.challenge()
        message = self._hsm.safe_message(
            self._suite.algorithm_id, self._hsm.address_of("STK"), self._reference, factor, header, pin
        )
        self._demand(message, operation)

    def _select(self, fid: int) -> None:
        self._demand(command(0x00, 0xA4, 0x02, 0x00, fid.to_bytes(2, "big")), f"SELECT EF{fid & 0xFF:02X}")

    def _record(self, tag: int) -> bytes:
        """The value of the current file's record with this tag."""
        return self._demand(command(0x00, 0xB2, tag, 0x00, le=0), f"READ RECORD {tag:02X}")[2:]

    def _send(self, sent: bytes) -> Answer:
        return exchange(self._connection, sent)

    def _demand(self, sent: bytes, operation: str, error: Callable[[str, int], ApduError] = card_error) -> bytes:
        return _demand(self._send(sent), operation, error)


def _demand(answer: Answer, operation: str, error: Callable[[str, int], ApduError] = card_error) -> bytes:
    if answer.sw != SW.OK:
        raise error(operation, answer.sw)
    return answer.data


def _given(pin: str) -> bytes:
    if not pin:
        raise ValueError("a PIN has 4 to 16 digits, got none")
    return encode_pin(pin)


def suite_in(fci: bytes) -> Suite:
    """The suite that the FCI's tag 86 names; without it DES (flows §1.3)."""
    _, mark, rest = fci.partition(ALGORITHM_MARK)
    return SUITES.get(rest[0], DES) if mark and rest else DES
