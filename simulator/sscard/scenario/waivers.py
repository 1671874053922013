"""The waiver file: failures of a card or an HSM under test that were looked at, with reason, ticket and expiry."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

from pydantic import AfterValidator, BeforeValidator, Field, TypeAdapter

from sscard.document import Document, Model, parse_document
from sscard.errors import InputError, InvalidValue
from sscard.fields import MASK
from sscard.files import read_text
from sscard.i18n.phrase import Phrase, Sayable

NOT_A_LIST: Final = Phrase("a list of waivers expected")
CREATE: Final = Phrase("create it, empty, or let run --accept write it on a card under test")
AN_ENTRY: Final = Phrase("write each waiver as an entry: - scenario: …")


def _one_line(value: object) -> object:
    """The words of a list, as of a state, in one text with single spaces."""
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        value = " ".join(value)
    return " ".join(value.split()) if isinstance(value, str) else value


def _not_masked(value: str) -> str:
    if MASK in value:
        raise InvalidValue(Phrase("a masked value, which hides what was observed"), Phrase("remove the waiver"))
    return value


def _reason(text: str) -> str:
    if not text.strip():
        raise InvalidValue(Phrase("is empty"), Phrase("write the reason: why this failure is accepted"))
    return text


def _ticket(text: str) -> str:
    if not text.strip():
        raise InvalidValue(Phrase("is empty"), Phrase("write the ticket: a number or an address"))
    return text


Ticket = Annotated[str, AfterValidator(_ticket)]
"""Number or address of a ticket."""


def _day(text: object) -> object:
    try:
        return date.fromisoformat(str(text))
    except ValueError:
        raise InvalidValue(Phrase("not a day"), Phrase("write year, month and day: 2026-02-13")) from None


class Waiver(Model):
    """A failure that is waived: a scenario, its step, a field of it, and exactly the value that is observed there.

    ``scenario`` is the name or the title of reports, in either language, with or without the row of a table; ``file``
    its file or the end of its path; ``personality`` and ``row`` limit it to one of each. ``step`` is a number from 1
    (0: the insertion before the first) or the title of reports. ``field`` is that of the report, of ``key_tries`` with
    the key: ``key_tries PUK``. ``expires`` is the last day on which the waiver holds.
    """

    scenario: Annotated[str, Field(min_length=1)]
    file: str = ""
    personality: str = ""
    row: str = ""
    step: Annotated[str, Field(min_length=1)]
    field: Annotated[str, BeforeValidator(_one_line), Field(min_length=1)]
    observed: Annotated[str, BeforeValidator(_one_line), AfterValidator(_not_masked)]
    reason: Annotated[str, AfterValidator(_reason)]
    ticket: Ticket
    expires: Annotated[date, BeforeValidator(_day)]


class WaiverAt(NamedTuple):
    """A waiver, and the file and line that have it."""

    waiver: Waiver
    file: str
    line: int

    @property
    def named(self) -> Sayable:
        """Ticket and place, as messages name the waiver."""
        return Phrase("waiver {ticket} ({place})", ticket=self.waiver.ticket, place=f"{self.file}:{self.line}")


@dataclass(frozen=True, slots=True)
class WaiverFile:
    """A waiver file that was read: ``document`` is its list, ``None`` if it has no entry."""

    path: Path
    waivers: tuple[WaiverAt, ...] = ()
    document: Document | None = None

    def error(self, number: int, field: str, problem: Sayable, remedy: Sayable) -> InputError:
        """An error at a field of the entry with this number, from 0."""
        assert self.document is not None
        return self.document.error((number, field), problem, remedy)


def today() -> date:
    """The day on which waivers expire or not, of this machine."""
    return date.today()  # noqa: DTZ011 - the day where the person sits who wrote the file


def read_waivers(path: Path) -> WaiverFile:
    """The waivers of a file; one of comments alone has none. Errors: ``InputError`` with the place."""
    if not path.exists():
        raise InputError(Phrase("there is no such waiver file"), file=str(path), remedy=CREATE)
    text = read_text(path)
    if is_blank(text):
        return WaiverFile(path)
    document = parse_document(text, str(path))
    if not isinstance(document.content, list):
        raise document.error((), NOT_A_LIST, AN_ENTRY)
    return WaiverFile(path, tuple(_entries(document)), document)


def is_blank(text: str) -> bool:
    """Whether a text has comments only."""
    return all(not line.strip() or line.lstrip().startswith("#") or line.strip() == "---" for line in text.split("\n"))


def _entries(document: Document) -> Iterator[WaiverAt]:
    seen: dict[tuple[str, ...], int] = {}
    for number in range(len(document.content)):
        waiver = document.part((number,)).as_model(Waiver)
        line = document.place((number,)).line
        key = (waiver.scenario, waiver.file, waiver.personality, waiver.row, waiver.step, waiver.field)
        if key in seen:
            problem = Phrase("the field of this step is waived in line {line} too", line=seen[key])
            raise document.error((number,), problem, Phrase("keep one of them"))
        seen[key] = line
        yield WaiverAt(waiver, document.source, line)


def waiver_schema() -> dict[str, Any]:
    """The JSON Schema of a waiver file."""
    return TypeAdapter(list[Waiver]).json_schema()
