"""The contents of files in the driver's strings, for reading and writing (driver-api.md §2).

An item is text (an), digits (cn) or hex (b). The parts of a composite item or
of a record of a cyclic file end with ``^`` each. A transparent file is one
value in hex.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from sscard.driver.errors import Code, DriverError
from sscard.driver.fields import SSSE, FileFields, any_hexadecimal, file_text, upper_hex
from sscard.standard.apdu import SW, command
from sscard.standard.encoding import decode_an, decode_cn, encode_an, encode_cn, records, tlv
from sscard.standard.generations import GENERATIONS
from sscard.standard.tree import FileSpec, Item, Structure
from sscard.terminal import flows
from sscard.terminal.card import OpenedCard
from sscard.terminal.errors import ApduError
from sscard.terminal.flow import Flow
from sscard.terminal.flows import BINARY_PIECE, FIRST, NUMBER, PREVIOUS

BY_PIN, BY_KEY = 1, 2
"""Values of iAuthType."""

_ITEM = re.compile(r"([0-9A-F]{2})(?::([1-9][0-9]?))?", re.ASCII)
_RECORD = re.compile(r"[1-9][0-9]?", re.ASCII)


@dataclass(frozen=True, slots=True)
class ItemAddress:
    """An item of a file: tag, and which of the records with this tag, from 1."""

    tag: int
    occurrence: int


class Access(NamedTuple):
    """What a file requires: the PIN, a key by name (empty: no key), or both."""

    pin: bool
    key: str


def check_address(spec: FileSpec, file: FileFields) -> None:
    """Raise −14 if an address does not fit the structure of the file, before any prompt for a PIN."""
    if spec.structure == Structure.TRANSPARENT:
        _no_items(file)
    elif spec.structure == Structure.CYCLIC:
        _record_number(file)
    else:
        _items(file)


def file_at(card: OpenedCard, df: str, ef: int) -> FileSpec:
    """The file at an address such as DF01, EF15; fails like a card without the file if the standard has none."""
    layout = card.layout
    fid = layout.ssse.fid if df == SSSE else int(df, 16)
    spec = layout.file(fid, ef & 0xFF)
    if spec is None:
        raise ApduError(f"find {df} EF{ef & 0xFF:02X}", SW.FILE_NOT_FOUND)
    return spec


def writable_file(card: OpenedCard, file: FileFields) -> FileSpec:
    """The file at an address, for writing; the card's status word if only the card may write it."""
    spec = file_at(card, *file.place)
    if spec.write_rule == "never":
        raise ApduError(f"write {file.df} EF{file.ef & 0xFF:02X}", SW.SECURITY_NOT_SATISFIED)
    return spec


def read_access(rule: str, by: int) -> Access:
    """What an access rule requires for reading.

    ``by`` is iAuthType; it selects between alternatives with and without the
    PIN: −14 if it is neither ``BY_PIN`` nor ``BY_KEY``.
    """
    if rule == "free":
        return Access(False, "")
    ways = [
        Access("PIN" in statuses, next((status for status in statuses if status != "PIN"), ""))
        for statuses in (way.split(" & ") for way in rule.split(" | "))
    ]
    if len(ways) == 1:
        return ways[0]
    if by not in (BY_PIN, BY_KEY):
        raise DriverError(Code.PARAMETER)
    return next(way for way in ways if way.pin is (by == BY_PIN))


def read_file(card: OpenedCard, spec: FileSpec, file: FileFields) -> Flow[str]:
    """The content of a readable file of the current DF, in the form of pFileAddr."""
    yield from flows.select_ef(spec.fid)
    texts = []
    if spec.structure == Structure.TRANSPARENT:
        texts.append(upper_hex((yield from flows.read_binary(spec.size))))
    elif spec.structure == Structure.CYCLIC:
        number = _record_number(file)
        held = [(yield from flows.read_record(number, NUMBER))] if number else (yield from flows.read_cycle())
        texts += [_parts(record_texts(spec, record)) for record in held]
    else:
        for address in _items(file):
            value = yield from flows.read_tag(address.tag, address.occurrence)
            value = value.rstrip(GENERATIONS[card.generation].fill)
            texts.append(item_text(_item(spec, address)[1], value))
    return file_text(file, texts)


def write_file(spec: FileSpec, updates: list[bytes]) -> Flow[None]:
    """Send the updates from ``prepare``; the file's key must be authenticated."""
    yield from flows.select_ef(spec.fid)
    yield from flows.update(updates)


def prepare(spec: FileSpec, file: FileFields, values: FileFields) -> list[bytes]:
    """The commands that write values into a file, all built before the first is sent.

    −14 if the address and −23 if the values do not fit the structure of the
    file, −41 and −42 if a value does not fit its item.
    """
    if values.place != file.place:
        raise DriverError(Code.ILLEGAL_DATA)
    if spec.structure in (Structure.TRANSPARENT, Structure.CYCLIC):
        _no_items(file)
        if len(values.fields) != 1:
            raise DriverError(Code.ILLEGAL_DATA)
        return _update_whole(spec, values.fields[0])
    items = _items(file)
    if len(values.fields) != len(items):
        raise DriverError(Code.ILLEGAL_DATA)
    return [_update_item(spec, item, value) for item, value in zip(items, values.fields, strict=True)]


def record_texts(spec: FileSpec, record: bytes) -> list[str]:
    """The items of one record of a cyclic file."""
    texts = []
    for item in spec.items:
        texts.append(item_text(item, record[: item.length]))
        record = record[item.length :]
    return texts


def item_text(item: Item, value: bytes) -> str:
    """An item in the driver's format; empty if it was never written."""
    if item.type == "tlv":
        parts = {record[0]: record[2:] for record in records(value)}
        return _parts([item_text(part, parts.get(part.tag, b"")) for part in item.parts])
    if item.type == "an":
        return decode_an(value)
    return decode_cn(value) if item.type == "cn" else upper_hex(value)


def item_value(item: Item, text: str) -> bytes:
    """An item in the card's format."""
    if item.type == "tlv":
        texts = _split_parts(text, len(item.parts))
        values = zip(item.parts, texts, strict=True)
        return b"".join(tlv(part.tag, item_value(part, value)) for part, value in values)
    if item.type == "an":
        return _text_value(text, item.length)
    if item.type == "cn":
        return _digits_value(text, item.length)
    return _hex_value(text, item.length)


def _items(file: FileFields) -> list[ItemAddress]:
    found = [match for match in map(_ITEM.fullmatch, file.fields) if match]
    if not found or len(found) != len(file.fields):
        raise DriverError(Code.PARAMETER)
    return [ItemAddress(int(match[1], 16), int(match[2] or 1)) for match in found]


def _no_items(file: FileFields) -> None:
    if file.fields:
        raise DriverError(Code.PARAMETER)


def _item(spec: FileSpec, address: ItemAddress) -> tuple[int, Item]:
    """Record number (0 if the standard lists no such item) and item at an address; an unlisted item is hex."""
    found = [(number, item) for number, item in enumerate(spec.items, 1) if item.tag == address.tag]
    if address.occurrence <= len(found):
        return found[address.occurrence - 1]
    return 0, Item(address.tag, "b", 0)


def _record_number(file: FileFields) -> int:
    """The record number of a cyclic file, 0 for all records."""
    if not file.fields:
        return 0
    if len(file.fields) > 1 or not _RECORD.fullmatch(file.fields[0]):
        raise DriverError(Code.PARAMETER)
    return int(file.fields[0])


def _update_item(spec: FileSpec, address: ItemAddress, text: str) -> bytes:
    """The update of one record; the n-th one with its tag is addressed by number, in the order of personalisation."""
    number, item = _item(spec, address)
    if address.occurrence > 1 and not number:
        raise ApduError(f"find item {address.tag:02X}", SW.RECORD_NOT_FOUND)
    record = tlv(address.tag, item_value(item, text))
    p1, mode = (address.tag, FIRST) if address.occurrence == 1 else (number, NUMBER)
    return command(0x00, 0xDC, p1, mode, record)


def _update_whole(spec: FileSpec, text: str) -> list[bytes]:
    """Update a whole transparent file, or append a record to a cyclic one."""
    if spec.structure == Structure.TRANSPARENT:
        content = _hex_value(text, spec.size)
        pieces = range(0, spec.size, BINARY_PIECE)
        return [
            command(0x00, 0xD6, place >> 8, place & 0xFF, content[place : place + BINARY_PIECE]) for place in pieces
        ]
    values = zip(spec.items, _split_parts(text, len(spec.items)), strict=True)
    return [command(0x00, 0xDC, 0x00, PREVIOUS, b"".join(item_value(item, value) for item, value in values))]


def _parts(texts: list[str]) -> str:
    return "".join(f"{text}^" for text in texts)


def _split_parts(text: str, count: int) -> list[str]:
    parts = text.split("^")
    if len(parts) != count + 1 or parts.pop():
        raise DriverError(Code.ILLEGAL_DATA)
    return parts


def _text_value(text: str, length: int) -> bytes:
    try:
        raw = text.encode("gbk")
    except UnicodeEncodeError:
        raise DriverError(Code.CHARACTERS) from None
    if len(raw) > length:
        raise DriverError(Code.LENGTH)
    return encode_an(text, length)


def _digits_value(text: str, length: int) -> bytes:
    if text and not (text.isascii() and text.isdigit()):
        raise DriverError(Code.CHARACTERS)
    if len(text) > 2 * length:
        raise DriverError(Code.LENGTH)
    return encode_cn(text, length)


def _hex_value(text: str, length: int) -> bytes:
    """Hex digits of up to ``length`` bytes (0: up to 253), filled with 00."""
    value = any_hexadecimal(text)
    if len(value) > (length or 253):
        raise DriverError(Code.LENGTH)
    return value.ljust(length, b"\x00")
