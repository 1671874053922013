"""CREATE KEY and CHANGE KEY (写密钥, driver-api.md §8): create or replace a key record, protected by the file's key."""

from __future__ import annotations

from typing import Final

from sscard.chip.answers import (
    CONDITIONS_NOT_SATISFIED,
    FILE_FULL,
    FILE_NOT_FOUND,
    KEY_NOT_FOUND,
    NOT_SUPPORTED,
    OK,
    RECORD_NOT_FOUND,
    WRONG_DATA,
    WRONG_LENGTH,
    WRONG_SECURE_MESSAGE,
)
from sscard.chip.command import Command, Field, Parameter, Sent
from sscard.i18n.phrase import Phrase, Words
from sscard.psam.authenticate import WITHOUT_CHALLENGE, right_refusal
from sscard.psam.chaining import chain
from sscard.psam.declared import CHALLENGE, IN_APPLICATION, MAC, NO_CHALLENGE, OPEN, PROVE_NATIONAL, SHEET, WRITE_FAILED
from sscard.psam.keys import (
    KEY_IDS,
    LEVELS_SHIFT,
    MAX_LEVELS,
    PURCHASE_VERSIONS,
    TYPE_MASK,
    KeyRecord,
    KeyType,
    read_records,
    record_algorithm,
    value_length,
)
from sscard.psam.layout import FILES_BY_SFI
from sscard.psam.session import PsamSession
from sscard.standard.apdu import SW
from sscard.standard.cipher import DES, MAC_LENGTH, BlockKey, equal, pad

CREATE, CHANGE = 0x00, 0x01
CREATE_HEAD, CHANGE_HEAD = 8, 3
"""Bytes before the value: usage ‖ id ‖ 00 [‖ algorithm ‖ 00×4]."""
LENGTHS: Final = ((0x1C, 0x24), (0x14, 0x1C))
"""Lc of CREATE and CHANGE under blocks of 8: LD ‖ record in whole blocks, and the MAC."""
LENGTHS_OF_16: Final = (0x24,)
"""Lc of both under blocks of 16."""


def create_or_change_key(session: PsamSession) -> bytes:
    """P1 00 creates, 01 changes a key of the file P2: enciphered record ‖ MAC(4)."""
    p1 = session.p1
    p2 = session.p2
    data = session.data
    if len(data) not in (LENGTHS[p1] if session.suite is DES else LENGTHS_OF_16):
        return WRONG_LENGTH
    if not session.in_application:
        return CONDITIONS_NOT_SATISFIED
    if p2 not in KEY_IDS:
        return FILE_NOT_FOUND
    writer = FILES_BY_SFI[p2].writer
    value = session.own_key(writer)
    if value is None:
        return KEY_NOT_FOUND
    refused = right_refusal(session, writer)
    if refused:
        return refused
    if not session.challenge:
        return WITHOUT_CHALLENGE
    suite = session.suite
    key = suite.key(value)
    message = pad(bytes((0x84, 0xD4, p1, p2, len(data))) + data[:-MAC_LENGTH], suite.block)
    initial = session.challenge.ljust(suite.block, b"\x00")  # the MAC is computed with the key itself
    if not equal(suite.fold(chain(key, initial, message)), data[-MAC_LENGTH:]):
        return WRONG_SECURE_MESSAGE
    plain = _decipher(session, key, data[:-MAC_LENGTH])
    if plain is None:
        return WRONG_DATA
    return _create(session, p2, plain) if p1 == CREATE else _change(session, p2, plain)


def _decipher(session: PsamSession, key: BlockKey, enciphered: bytes) -> bytes | None:
    """The data counted by LD in a block enciphered as in card-security.md §5; ``None`` if LD or padding is wrong."""
    suite = session.suite
    plain = suite.session_key(key, session.challenge).decrypt(enciphered)
    body = plain[1 : 1 + plain[0]]
    whole = plain[:1] + body
    if len(whole) % suite.block:
        whole = pad(whole, suite.block)
    return body if len(body) == plain[0] and equal(whole, plain) else None


def _create(session: PsamSession, sfi: int, plain: bytes) -> bytes:
    if len(plain) < CREATE_HEAD or plain[2] or any(plain[4:CREATE_HEAD]):
        return WRONG_DATA
    kind, levels, id_ = plain[0] & TYPE_MASK, plain[0] >> LEVELS_SHIFT, plain[1]
    suite, algorithm = session.suite, plain[3]
    if algorithm not in [record_algorithm(suite, length) for length in suite.key_lengths]:
        return NOT_SUPPORTED
    record = KeyRecord(kind, levels, id_, algorithm, 0, plain[CREATE_HEAD:])
    acceptable = (
        kind in set(KeyType)
        and levels <= MAX_LEVELS
        and id_ in KEY_IDS[sfi]
        and (kind == KeyType.PURCHASE) == (id_ in PURCHASE_VERSIONS)
        and len(record.value) == value_length(record.algorithm)
    )
    if not acceptable or session.find_key(kind, id_):
        return WRONG_DATA
    content = session.content(sfi) + record.encode()
    if len(content) > FILES_BY_SFI[sfi].size:
        return FILE_FULL
    session.memory.put_string(session.file_cell(sfi), content)
    return OK


def _change(session: PsamSession, sfi: int, plain: bytes) -> bytes:
    if len(plain) < CHANGE_HEAD or plain[2]:
        return WRONG_DATA
    records = read_records(session.content(sfi))
    place = next((at for at, held in enumerate(records) if (held.usage, held.id) == (plain[0], plain[1])), None)
    if place is None:
        return RECORD_NOT_FOUND
    value = plain[CHANGE_HEAD:]
    if len(value) != value_length(records[place].algorithm):
        return WRONG_DATA
    records[place] = records[place]._replace(value=value)
    session.memory.put_string(session.file_cell(sfi), b"".join(record.encode() for record in records))
    return OK


CREATE_OR_CHANGE_KEY: Final = Command(
    "CREATE KEY / CHANGE KEY",
    "写密钥",
    SHEET,
    (0x84,),
    0xD4,
    create_or_change_key,
    {
        **IN_APPLICATION,
        SW.OK: Phrase("key written"),
        SW.MEMORY_FAILURE: WRITE_FAILED,
        SW.WRONG_LENGTH: Phrase("Lc does not fit P1 or the block length"),
        SW.SECURITY_NOT_SATISFIED: Phrase("the key that writes the EF is not proven"),
        SW.METHOD_BLOCKED: Phrase("the key that writes the EF is blocked"),
        SW.NO_CHALLENGE: NO_CHALLENGE,
        SW.WRONG_SECURE_MESSAGE: Phrase("MAC wrong"),
        SW.WRONG_DATA: Phrase("LD, padding, usage, id or length of the value wrong, or the key exists already"),
        SW.NOT_SUPPORTED: Phrase("the PSAM is locked, or the algorithm is not that of the environment"),
        SW.FILE_NOT_FOUND: Phrase("P2 is no EF of keys"),
        SW.RECORD_NOT_FOUND: Phrase("no key with this usage and id to change"),
        SW.FILE_FULL: Phrase("not enough space for the key in the EF"),
        SW.KEY_NOT_FOUND: Phrase("the PSAM lacks the key that writes the EF"),
    },
    parameters=(
        Parameter("00", "11–13", Phrase("create a key in the EF of nation, province, city (Lc 1C or 24)")),
        Parameter("01", "11–13", Phrase("change its value (Lc 14, 1C or 24)")),
    ),
    p1p2=range(0x200),
    data=(
        Field(
            Words(
                "LD ‖ usage ‖ id ‖ 00 [‖ algorithm ‖ 00×4] ‖ value ‖ padding, enciphered",
                "LD‖用途‖标识‖00[‖算法‖00×4]‖密钥值‖填充，加密",
            ),
            (16, 24, 32),
        ),
        MAC,
    ),
    example=(
        *OPEN,
        *PROVE_NATIONAL,
        CHALLENGE,
        Sent("84D4001124 {enciphered 670F000300000000ABABABABABABABABABABABABABABABAB} {mac KID-01}"),
    ),
    secret=slice(None, -MAC_LENGTH),
    spends_challenge=True,
)
