"""All operations of a terminal (terminal-flows.md §1 to §7) as flows, for card sessions and the driver."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sscard.i18n.phrase import Phrase
from sscard.standard.apdu import SW, Answer, command, tries_in
from sscard.standard.cipher import MAC_LENGTH, equal
from sscard.standard.encoding import decode_an, decode_cn, decode_name, encode_given_pin, encode_pin, records
from sscard.standard.generations import generation_in
from sscard.standard.suite import block_of
from sscard.standard.tree import SSSE_NAME
from sscard.terminal.card import BasicData, Identity, IssuerData, OpenedCard
from sscard.terminal.errors import ApduError, authentication_error, pin_error
from sscard.terminal.flow import (
    OK,
    CheckMac2,
    Flow,
    Mac1,
    Prove,
    PurchaseMac,
    Seal,
    checked,
)

CHALLENGE_LENGTH: Final = 8
SELECT_SSSE: Final = command(0x00, 0xA4, 0x04, 0x00, SSSE_NAME)
GET_CHALLENGE: Final = command(0x00, 0x84, 0x00, 0x00, le=CHALLENGE_LENGTH)
EF_ISSUER, EF_HOLDER = 0xEF05, 0xEF06
ISSUER_SIZE, HOLDER_SIZE = 0x40, 0x5B
IRK, STK, PUK = "IRK", "STK", "PUK"
PUK_NUMBER, RKSSSE_NUMBER = 0x06, 0x0A

FIRST, NEXT, NUMBER = 0b000, 0b010, 0b100
"""P2 of READ RECORD and UPDATE RECORD in the current EF: identifier, first and next; record number."""
PREVIOUS: Final = 0b011
"""P2 of UPDATE RECORD that adds to a cyclic file."""
ALL_RECORDS: Final = 0b101
"""P2 of READ RECORD: from record P1 to the last of the current EF."""
BINARY_PIECE: Final = 0xF0
"""Bytes of one READ BINARY or UPDATE BINARY."""
UNBLOCK, RESET = 0x00, 0x01
"""P2 of PIN CHANGE/UNBLOCK."""
PURCHASE: Final = 0x02
"""P2 of GET TRANSACTION PROOF."""

CHALLENGE: Final = Phrase("get challenge")
INTERNAL_AUTHENTICATION: Final = Phrase("internal authentication")
ASK_TRIES: Final = Phrase("ask the tries left")
VERIFY: Final = Phrase("verify PIN")
CHANGE: Final = Phrase("change PIN")
RESET_PIN: Final = Phrase("reset PIN")
UNBLOCK_PIN: Final = Phrase("unblock PIN")
INITIALIZE: Final = Phrase("initialize for purchase")
DEBIT: Final = Phrase("debit for purchase")


# Opening a card


def select_ssse() -> Flow[bytes]:
    """SELECT SSSE by name; its FCI."""
    return checked((yield SELECT_SSSE), "SELECT SSSE")


def open_card(historical: bytes) -> Flow[OpenedCard]:
    """Select SSSE and read the identity of the card; ``historical`` are the historical bytes of its ATR."""
    fci = yield from select_ssse()
    yield from select_ef(EF_ISSUER)
    code = (yield from read_tag(0x01)).hex().upper()
    return OpenedCard(historical, fci, Identity(code, decode_an((yield from read_tag(0x07)))))


def read_issuer() -> Flow[IssuerData]:
    """All of EF05."""
    yield from select_ef(EF_ISSUER)
    found = yield from read_all(ISSUER_SIZE)
    return IssuerData(
        Identity(found.get(0x01, b"").hex().upper(), decode_an(found.get(0x07, b""))),
        decode_an(found.get(0x02, b"")),
        decode_an(found.get(0x03, b"")).strip(),
        decode_cn(found.get(0x04, b"")),
        decode_cn(found.get(0x05, b"")),
        decode_cn(found.get(0x06, b"")),
    )


def issuer_of(card: OpenedCard) -> Flow[IssuerData]:
    """All of EF05, read only once."""
    if card.issuer is None:
        card.issuer = yield from read_issuer()
    return card.issuer


# Data


def select_ef(fid: int) -> Flow[None]:
    """SELECT an EF of the current DF."""
    checked((yield command(0x00, 0xA4, 0x02, 0x00, fid.to_bytes(2, "big"))), f"SELECT EF{fid & 0xFF:02X}")


def select_df(fid: int) -> Flow[None]:
    """SELECT a DF by its FID."""
    checked((yield command(0x00, 0xA4, 0x00, 0x00, fid.to_bytes(2, "big"))), f"SELECT DF{fid & 0xFF:02X}")


def enter(card: OpenedCard, fid: int) -> Flow[None]:
    """SELECT a DF of the card's generation by its name, unless it is selected."""
    if card.df != fid:
        df = next(df for df in card.layout.dfs if df.fid == fid)
        checked((yield command(0x00, 0xA4, 0x04, 0x00, df.aid)), f"SELECT {df.name}")
        card.df = fid


def read_record(p1: int, mode: int) -> Flow[bytes]:
    """A complete record of the current EF; ``mode`` is P2."""
    return checked((yield command(0x00, 0xB2, p1, mode, le=0)), f"READ RECORD {p1:02X}")


def read_tag(tag: int, occurrence: int = 1) -> Flow[bytes]:
    """The value of the n-th record (from 1) with a tag in the current EF."""
    value = checked((yield command(0x00, 0xB2, tag, FIRST, le=0)), f"READ RECORD {tag:02X}")
    for _ in range(occurrence - 1):
        value = yield from read_record(tag, NEXT)
    return value[2:]


def read_all(size: int) -> Flow[dict[int, bytes]]:
    """The values of all records of the current EF, ``size`` bytes with their heads, by tag."""
    data = checked((yield command(0x00, 0xB2, 0x01, ALL_RECORDS, le=size)), "READ RECORD")
    return {record[0]: record[2:] for record in records(data)}


def read_cycle() -> Flow[list[bytes]]:
    """All records of the current cyclic EF, the newest first."""
    held: list[bytes] = []
    try:
        while True:
            held.append((yield from read_record(len(held) + 1, NUMBER)))
    except ApduError as error:
        if error.sw != SW.RECORD_NOT_FOUND:
            raise
    return held


def read_binary(size: int) -> Flow[bytes]:
    """The current transparent EF from its beginning."""
    data = b""
    while len(data) < size:
        place = len(data)
        piece = command(0x00, 0xB0, place >> 8, place & 0xFF, le=min(BINARY_PIECE, size - place))
        data += checked((yield piece), "READ BINARY")
    return data


def update(commands: list[bytes]) -> Flow[None]:
    """Send UPDATE commands in turn; the file's key must be authenticated."""
    for each in commands:
        checked((yield each), "UPDATE")


def read_holder(card: OpenedCard) -> Flow[tuple[str, str]]:
    """ID number and full name from EF06, with one read."""
    yield from enter(card, card.layout.ssse.fid)
    yield from select_ef(EF_HOLDER)
    found = yield from read_all(HOLDER_SIZE)
    id_number, name, extension = (found.get(tag, b"") for tag in (0x08, 0x09, 0x4E))
    return decode_an(id_number), decode_name(name, extension)


def read_basic(card: OpenedCard) -> Flow[BasicData]:
    """EF05 and EF06 record by record, proving RKSSSE first if the generation asks for it."""
    yield from select_ef(EF_ISSUER)
    version = decode_an((yield from read_tag(0x03)))
    issued, expires = decode_cn((yield from read_tag(0x05))), decode_cn((yield from read_tag(0x06)))
    generation = generation_in(version)
    if generation and generation.holder_key:
        yield from authenticate(card, generation.holder_key, RKSSSE_NUMBER)
    yield from select_ef(EF_HOLDER)
    name, extension = (yield from read_tag(0x09)), b""
    if generation is None or generation.extends_name:
        extension = yield from read_tag(0x4E)
    return BasicData(
        card.identity,
        version,
        issued,
        expires,
        decode_an((yield from read_tag(0x08))),
        decode_name(name, extension),
        decode_an((yield from read_tag(0x0A))),
        decode_cn((yield from read_tag(0x0D))),
    )


# Keys


def challenge() -> Flow[bytes]:
    """GET CHALLENGE: 8 random bytes of the card."""
    return checked((yield GET_CHALLENGE), CHALLENGE)


def two_challenges() -> Flow[tuple[bytes, bytes]]:
    """Two challenges: original data(8) and process factor(8); the card keeps the second (terminal-flows.md §6.1)."""
    original = checked((yield GET_CHALLENGE), CHALLENGE)
    return original, checked((yield GET_CHALLENGE), CHALLENGE)


def internal_authentication(factor: bytes, original: bytes) -> Flow[bytes]:
    """The card's proof of IRK, 8 bytes, over 8 + 8 bytes."""
    return checked((yield command(0x00, 0x88, 0x00, 0x00, factor + original)), INTERNAL_AUTHENTICATION)


def is_genuine(card: OpenedCard) -> Flow[bool]:
    """Internal authentication (内部认证) over two challenges of the card."""
    original, factor = yield from two_challenges()
    expected: bytes = yield Prove(card, IRK, factor, original)
    proof = yield from internal_authentication(factor, original)
    return equal(expected[: len(proof)], proof)


def external_authentication(key: str, number: int, proof: bytes) -> Flow[None]:
    """EXTERNAL AUTHENTICATION of a key with authentication data(8) ‖ original data(8)."""
    answer = yield command(0x00, 0x82, 0x00, number, proof)
    if answer.sw != OK:
        raise authentication_error(Phrase("authenticate {key}", key=key), answer.sw)


def authenticate(card: OpenedCard, key: str, number: int) -> Flow[None]:
    """Prove a key of the issuer: two challenges, the first as original data (terminal-flows.md §6.1, steps 4–7)."""
    original, factor = yield from two_challenges()
    proof: bytes = yield Prove(card, key, factor, original)
    yield from external_authentication(key, number, proof)


def safe_message(
    card: OpenedCard, header: bytes, pin: bytes | None, operation: str | Phrase, key: str = STK
) -> Flow[None]:
    """A command under the MAC of an STK, over a fresh challenge (terminal-flows.md §6.1, steps 9–11)."""
    factor = yield from challenge()
    message: bytes = yield Seal(card, key, factor, header, pin)
    checked((yield message), operation)


# The PIN


def tries_left() -> Flow[int | None]:
    """Tries left of the PIN, without using a try; ``None`` if no PIN is required (terminal-flows.md §1.6)."""
    answer: Answer = yield command(0x00, 0x20, 0x00, 0x00, le=0)
    if answer.sw == SW.METHOD_BLOCKED:
        return 0
    tries = tries_in(answer.sw)
    if tries is None:
        checked(answer, ASK_TRIES)
    return tries


def verify_pin(pin: str | bytes) -> Flow[None]:
    """VERIFY of digits, or of a PIN as cn: ``WrongPin`` with the tries left, ``PinBlocked`` if no try is left."""
    given = pin if isinstance(pin, bytes) else encode_given_pin(pin)
    checked((yield command(0x00, 0x20, 0x00, 0x00, given)), VERIFY, pin_error)


def change_pin(old: str | bytes, new: str | bytes) -> Flow[None]:
    """CHANGE PIN (修改): the holder knows the old PIN. Digits, or PINs as cn; an empty one means no PIN."""
    first, second = (pin if isinstance(pin, bytes) else encode_pin(pin) for pin in (old, new))
    checked((yield command(0x80, 0x5E, 0x01, 0x00, first + b"\xff" + second)), CHANGE, pin_error)


def reset_pin(card: OpenedCard, new: bytes | Flow[str]) -> Flow[None]:
    """PIN reset (重置): ``new`` is the new PIN (cn), or the request for its digits after the card has accepted PUK."""
    yield from authenticate(card, PUK, PUK_NUMBER)
    pin = new if isinstance(new, bytes) else encode_given_pin((yield from new))
    yield from safe_message(card, reset_header(card, pin), pin, RESET_PIN)


def unblock_pin(card: OpenedCard) -> Flow[None]:
    """PIN unblock (解锁): the old PIN is valid again, with all its tries."""
    yield from authenticate(card, PUK, PUK_NUMBER)
    yield from safe_message(card, _unblock_header(UNBLOCK, 0), None, UNBLOCK_PIN)


def reset_header(card: OpenedCard, pin: bytes) -> bytes:
    """Header(5) of the PIN CHANGE/UNBLOCK that sets this PIN (cn): Lc counts whole blocks of the card's algorithm."""
    block = block_of(card.algorithm)
    return _unblock_header(RESET, (len(pin) + block) // block * block)  # LD ‖ PIN in whole blocks


def _unblock_header(p2: int, enciphered: int) -> bytes:
    """Header of PIN CHANGE/UNBLOCK for this number of bytes of enciphered PIN."""
    return bytes((0x84, 0x24, 0x00, p2, enciphered + MAC_LENGTH))


# Purchase


@dataclass(frozen=True, slots=True)
class Purchase:
    """A purchase posted by the card: the request, MAC1, the proof TAC(4) and MAC2(4), whether MAC2 was checked."""

    asked: PurchaseMac
    made: Mac1
    tac: bytes
    mac2: bytes
    checked: bool


def purchase(
    card: OpenedCard, key_index: int, amounts: bytes, kind: bytes, terminal: str, time: bytes
) -> Flow[Purchase]:
    """Purchase in DF04, selected, with PIN verified (terminal-flows.md §7.3); parameters as of ``PurchaseMac``."""
    opening = command(0xB0, 0x28, 0x01, 0x01, bytes((key_index,)) + amounts + bytes.fromhex(terminal))
    opened = checked((yield opening), INITIALIZE)
    asked = PurchaseMac(card, key_index, opened[14:22], amounts, kind, terminal, time)
    made: Mac1 = yield asked
    debit = command(0xB0, 0x2C, 0x01, 0x00, made.sequence + made.time + made.mac1)
    proof = checked((yield debit), DEBIT)
    tac, mac2 = proof[:4], proof[4:]
    return Purchase(asked, made, tac, mac2, (yield CheckMac2(asked, made, mac2)))


def transaction_proof(kind: int, count: int) -> Flow[tuple[bytes, bytes]]:
    """GET TRANSACTION PROOF of a load (1) or purchase (2): MAC(4), TAC(4); 9406 if there is none."""
    sent = command(0xB0, 0x2E, 0x00, kind, count.to_bytes(2, "big"))
    answer = checked((yield sent), "GET TRANSACTION PROOF")
    return answer[:4], answer[4:]
