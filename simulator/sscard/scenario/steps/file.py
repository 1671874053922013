"""The verbs of files: select, read and write them, byte for byte as the commands of the card do."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from sscard.document import Model
from sscard.errors import InvalidValue
from sscard.i18n.phrase import Phrase, Sayable
from sscard.scenario.context import Bench
from sscard.scenario.step import Hex, Outcome, Step
from sscard.scenario.steps.secure import SafeMessage, current_stk, from_word, send_safely, wrong_parts
from sscard.standard.addressing import BY_NUMBER, FIRST, FROM_NUMBER, LAST, NEXT, PREVIOUS
from sscard.standard.apdu import command
from sscard.standard.tree import MF, NAME_LENGTHS, SSSE_NAME
from sscard.transport.connection import answer_to, exchange

WRITTEN_FILES: Final = {"MF": MF.to_bytes(2, "big"), "SSSE": SSSE_NAME}
FID_LENGTH: Final = 2
P1: Final = {"fid": 0x00, "child": 0x01, "ef": 0x02, "name": 0x04}
NEXT_DF: Final = 0x02
WITH_MAC: Final = 0x04

ORDER: Final = {"first": FIRST, "last": LAST, "next": NEXT, "previous": PREVIOUS}
RUNS: Final = {"to last": FROM_NUMBER, "from last": FROM_NUMBER + 1}
SOME_FILE: Final = Phrase("write MF, SSSE, an EF as EF05, a FID or AID in hex digits, or the label of an application")


def _fid(text: str) -> bytes:
    """The FID, name or AID in a SELECT."""
    if text in WRITTEN_FILES:
        return WRITTEN_FILES[text]
    digits = f"EF{text[2:]}" if text.startswith("EF") and len(text) == 4 else text
    try:
        return bytes.fromhex(digits)
    except ValueError:
        label = text.encode("gbk", "replace")
        if len(label) in NAME_LENGTHS:
            return label
        raise InvalidValue(Phrase("not a file"), SOME_FILE) from None


def _file(text: str) -> str:
    _fid(text)
    return text


def _ef(text: str) -> str:
    if len(text) != 4 or not text.startswith("EF") or not 1 <= _sfi(text) <= 30:
        raise InvalidValue(Phrase("not an EF"), Phrase("write EF01 to EF1E: the last two digits are the SFI"))
    return text


def _sfi(text: str) -> int:
    """The SFI of an EF as written, 0 for the current EF."""
    try:
        return int(text[2:] or "0", 16)
    except ValueError:
        return -1


File = Annotated[str, AfterValidator(_file)]
"""A file as SELECT names it."""
Length = Annotated[int, Field(ge=0, le=255)]
Content = Annotated[Hex, Field(min_length=1, max_length=255, repr=False)]
Ef = Annotated[str, AfterValidator(_ef)]
"""An EF of the current DF that the command names by its SFI."""


class Selection(Model):
    """What to select, and by which rule.

    ``by``: ``fid`` (P1=00), ``child`` of the current DF (P1=01), ``ef`` of the current DF (P1=02), ``name``, an AID or
    a label (P1=04); by default the rule that fits ``file``. ``next: yes`` selects the next DF with the beginning of
    its name in ``file``.
    """

    file: File
    by: Literal["fid", "child", "ef", "name"] | None = None
    next: bool = False

    @property
    def fid(self) -> bytes:
        return _fid(self.file)

    @property
    def p1(self) -> int:
        if self.by:
            return P1[self.by]
        if len(self.fid) > FID_LENGTH:
            return P1["name"]
        return P1["ef"] if self.fid[:1] == b"\xef" else P1["fid"]


class Select(Step):
    """SELECT the MF, SSSE, an EF (EF05), a FID, AID or label; ``data`` is the FCI of a DF."""

    verb: ClassVar[str] = "select"
    select: Annotated[Selection, BeforeValidator(from_word("file"))]

    def run(self, bench: Bench) -> Outcome:
        asked = self.select
        sent = command(0x00, 0xA4, asked.p1, NEXT_DF if asked.next else 0x00, asked.fid)
        data, sw = exchange(bench.connection, sent)
        return Outcome(sw, data)

    def title(self) -> Sayable:
        asked = self.select
        words = ["select", *(["next"] if asked.next else []), asked.file]
        return " ".join([*words, *([f"({asked.by})"] if asked.by else [])])


class Part(Model):
    """A part of a transparent EF, from ``offset`` in bytes; ``file`` is the EF, by default the current one."""

    file: Ef = ""
    offset: Annotated[int, Field(ge=0, le=0x7FFF)] = 0

    @model_validator(mode="after")
    def _offset_fits(self) -> Self:
        if self.file and self.offset > 0xFF:
            raise InvalidValue(
                Phrase("with an SFI the offset is at most 255"),
                Phrase("select the EF in a step before this one, and leave file: out"),
            )
        return self

    @property
    def parameters(self) -> tuple[int, int]:
        """P1 and P2."""
        if self.file:
            return 0x80 | _sfi(self.file), self.offset
        return self.offset >> 8, self.offset & 0xFF

    @property
    def label(self) -> Sayable:
        """The part in a few words."""
        return Phrase("{file} from offset {offset}", file=self.file or CURRENT, offset=self.offset)


class PartToRead(Part):
    """Which part to read; ``length`` is Le in bytes, sent as it is.

    Without ``length`` the terminal asks with Le=00, and again with the length that the card names (6Cxx).
    """

    length: Length | None = None


class ReadBinary(Step):
    """READ BINARY of a transparent EF; ``data`` is the content."""

    verb: ClassVar[str] = "read_binary"
    read_binary: Annotated[PartToRead, BeforeValidator(from_word("file"))]

    def run(self, bench: Bench) -> Outcome:
        asked = self.read_binary
        return _read(bench, 0xB0, asked.parameters, asked.length)

    def title(self) -> Sayable:
        return Phrase("{verb} {what}", verb=self.verb, what=self.read_binary.label)


class Record(Model):
    """Which record: by ``tag`` (with ``order``; 00: any tag), or by ``number`` (00: the current one, or a run from it).

    ``file`` is the EF, by default the current one.
    """

    file: Ef = ""
    tag: Annotated[Hex, Field(min_length=1, max_length=1)] | None = None
    order: Literal["first", "last", "next", "previous"] = "first"
    number: Annotated[int, Field(ge=0, le=255)] | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.tag is None) is (self.number is None):
            raise InvalidValue(
                Phrase("a record is named by its tag or by its number"), Phrase("write one of tag: and number:")
            )
        if self.tag is None and "order" in self.model_fields_set:
            raise InvalidValue(
                Phrase("records with a tag have an order"),
                Phrase("write tag: in place of number:, or leave order: out"),
            )
        return self

    @property
    def parameters(self) -> tuple[int, int]:
        """P1 and P2."""
        mode = BY_NUMBER if self.number is not None else ORDER[self.order]
        return self.number if self.number is not None else self.tag[0] if self.tag else 0, _sfi(self.file) << 3 | mode

    @property
    def label(self) -> Sayable:
        """The record in a few words."""
        if self.number is not None:
            return Phrase("record {number} of {file}", number=self.number, file=self.file or CURRENT)
        tag = self.tag.hex().upper() if self.tag else ""
        return Phrase("{order} record {tag} of {file}", order=self.order, tag=tag, file=self.file or CURRENT)


class ReadData(Record):
    """Which record, or with ``run`` the records from ``number`` ``to last``, or ``from last`` down to it.

    ``length`` is Le in bytes, sent as it is; without it the terminal asks with Le=00, and again with the length that
    the card names (6Cxx).
    """

    run: Literal["to last", "from last"] | None = None
    length: Length | None = None

    @model_validator(mode="after")
    def _runs_from_a_number(self) -> Self:
        if self.run and self.number is None:
            raise InvalidValue(
                Phrase("a run of records begins at a number"),
                Phrase("write number: in place of tag:, or leave run: out"),
            )
        return self


class ReadRecord(Step):
    """READ RECORD by tag, as ``read_record: 08``, or with its fields; ``data`` has tag and length too."""

    verb: ClassVar[str] = "read_record"
    read_record: Annotated[ReadData, BeforeValidator(from_word("tag"))]

    def run(self, bench: Bench) -> Outcome:
        asked = self.read_record
        p1, p2 = asked.parameters
        if asked.run:
            p2 = p2 & ~BY_NUMBER | RUNS[asked.run]
        return _read(bench, 0xB2, (p1, p2), asked.length)

    def title(self) -> Sayable:
        return Phrase("{verb} {what}", verb=self.verb, what=self.read_record.label)


class PartToWrite(Part):
    """Which part to write; with ``secure`` the command has class 04 and a MAC."""

    data: Content
    secure: SafeMessage | None = None


class UpdateBinary(Step):
    """UPDATE BINARY of a transparent EF."""

    verb: ClassVar[str] = "update_binary"
    update_binary: PartToWrite

    def run(self, bench: Bench) -> Outcome:
        asked = self.update_binary
        return _write(bench, 0xD6, asked.parameters, asked.data, asked.secure)

    def title(self) -> Sayable:
        asked = self.update_binary
        return wrong_parts(Phrase("{verb} {what}", verb=self.verb, what=asked.label), asked.secure)


class RecordToWrite(Record):
    """Which record to write, with tag and length, in a cyclic file without them; ``secure``: class 04 and a MAC."""

    data: Content
    secure: SafeMessage | None = None


class UpdateRecord(Step):
    """UPDATE RECORD; a number or tag that the file does not have yet appends the record."""

    verb: ClassVar[str] = "update_record"
    update_record: RecordToWrite

    def run(self, bench: Bench) -> Outcome:
        asked = self.update_record
        return _write(bench, 0xDC, asked.parameters, asked.data, asked.secure)

    def title(self) -> Sayable:
        asked = self.update_record
        return wrong_parts(Phrase("{verb} {what}", verb=self.verb, what=asked.label), asked.secure)


def _read(bench: Bench, ins: int, parameters: tuple[int, int], length: int | None) -> Outcome:
    send = exchange if length is None else answer_to
    data, sw = send(bench.connection, command(0x00, ins, *parameters, le=length or 0))
    return Outcome(sw, data)


def _write(bench: Bench, ins: int, parameters: tuple[int, int], content: bytes, secure: SafeMessage | None) -> Outcome:
    if secure is not None:
        return send_safely(bench, bytes((WITH_MAC, ins, *parameters)), secure, content, stk=current_stk(bench))
    data, sw = answer_to(bench.connection, command(0x00, ins, *parameters, content))
    return Outcome(sw, data)


CURRENT: Final = Phrase("the current EF")
