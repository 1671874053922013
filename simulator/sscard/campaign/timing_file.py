"""The file of a timing model: each parameter with value, unit and source, strict, with the place of every error.

A file is complete, or ``based_on: contact`` (``contactless``) and states the parameters that differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal, Self, get_args

from pydantic import Field, StringConstraints, model_validator

from sscard.campaign.line_time import ContactlessLine, ContactLine
from sscard.campaign.timing import LONGEST, PersonTime, TimingModel
from sscard.campaign.units import MS_NS, SECOND_NS, US_NS
from sscard.document import Document, Model, parse_document, read_document
from sscard.errors import InputError, InvalidValue, suggestion
from sscard.i18n.phrase import Phrase
from sscard.issuer.lookup import is_path
from sscard.service.words import Operation

Interface = Literal["contact", "contactless"]
BASE: Final = "based_on"
BUILT_IN: Final = "timing.yaml"
PRESETS: Final[tuple[Interface, ...]] = get_args(Interface)
NANOSECONDS: Final[Mapping[str, int]] = {"us": US_NS, "ms": MS_NS, "s": SECOND_NS, "min": 60 * SECOND_NS}
HERTZ: Final[Mapping[str, int]] = {"kHz": 1_000, "MHz": 1_000_000}


class Parameter(Model):
    """A parameter: ``source`` names the document with section or page, or the command that measured it."""

    value: float = Field(ge=0, allow_inf_nan=False)
    source: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class Time(Parameter):
    """A time."""

    limit: ClassVar[int] = 60
    """Seconds: a visit of this time with some hundred APDUs fits the 32 bits of its milliseconds."""
    unit: Literal["us", "ms", "s", "min"]

    @model_validator(mode="after")
    def _not_too_long(self) -> Self:
        if self.longest * NANOSECONDS[self.unit] > self.limit * SECOND_NS:
            raise InvalidValue(Phrase("a time of at most {limit} s expected", limit=self.limit))
        return self

    @property
    def longest(self) -> float:
        """The longest of its values, in its unit."""
        return self.value

    @property
    def nanoseconds(self) -> int:
        return round(self.value * NANOSECONDS[self.unit])


class TimeOfPeople(Time):
    """A time that differs from person to person: the median, and the 95th percentile if it is known."""

    limit: ClassVar[int] = LONGEST // SECOND_NS
    p95: float | None = Field(None, ge=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _in_order(self) -> TimeOfPeople:
        if self.p95 is not None and (self.p95 < self.value or not self.nanoseconds):
            raise InvalidValue(
                Phrase("p95 is the 95th percentile and value the median, so p95 is not below value, and value above 0")
            )
        return self

    @property
    def longest(self) -> float:
        """The 95th percentile, or the value without one."""
        return self.value if self.p95 is None else self.p95

    def person_time(self) -> PersonTime:
        """As the model takes it."""
        return PersonTime(self.nanoseconds, round(self.longest * NANOSECONDS[self.unit]))


class Frequency(Parameter):
    """A frequency."""

    limits: ClassVar[tuple[int, int]]
    """MHz."""
    value: float = Field(gt=0, allow_inf_nan=False)
    unit: Literal["kHz", "MHz"]

    @model_validator(mode="after")
    def _in_limits(self) -> Self:
        least, most = self.limits
        if not least <= self.value * HERTZ[self.unit] / HERTZ["MHz"] <= most:
            raise InvalidValue(Phrase("{least} to {most} MHz expected", least=least, most=most))
        return self

    @property
    def hertz(self) -> int:
        return round(self.value * HERTZ[self.unit])


class Clock(Frequency):
    """The clock of the contacts: 1 to 5 MHz, up to 20 MHz if TA1 says so (ISO/IEC 7816-3)."""

    limits = 1, 20


class Carrier(Frequency):
    """The carrier, 13.56 MHz (ISO/IEC 14443-2)."""

    limits = 13, 14


class Etu(Parameter):
    """Elementary time units."""

    value: int = Field(ge=12, le=1000)
    unit: Literal["etu"]


class Cycles(Parameter):
    """Periods of clock or carrier."""

    value: int = Field(ge=0, le=10_000_000)
    unit: Literal["cycles"]


class Bytes(Parameter):
    """A number of bytes."""

    value: int = Field(ge=1, le=65536)
    unit: Literal["bytes"]


class TimingFile(Model):
    """The parameters of a timing model; see ``timing.yaml``."""

    file_fields: ClassVar[tuple[str, ...]] = (BASE,)
    interface: Interface
    clock: Clock
    turn: Etu
    reset: Cycles
    answer: Cycles
    carrier: Carrier
    frame_delay: Cycles
    field: Time
    write: Time
    page: Bytes
    cipher: Time
    terminal: Time
    hsm: Time
    key: Time
    thought: Time
    papers: dict[Operation, TimeOfPeople] = Field({})

    def model(self) -> TimingModel:
        """What computes with the parameters."""
        return TimingModel(
            line=ContactLine(self.clock.hertz, self.turn.value, self.reset.value, self.answer.value)
            if self.interface == "contact"
            else ContactlessLine(self.carrier.hertz, self.frame_delay.value, self.field.nanoseconds),
            write=self.write.nanoseconds,
            page=self.page.value,
            cipher=self.cipher.nanoseconds,
            terminal=self.terminal.nanoseconds,
            hsm_operation=self.hsm.nanoseconds,
            key=self.key.nanoseconds,
            thought=self.thought.nanoseconds,
            papers={operation: time.person_time() for operation, time in self.papers.items()},
        )

    def for_windows(self) -> TimingFile:
        """The same; ``InputError`` if it does not state the times that no public source does."""
        for operation in Operation:
            if operation not in self.papers:
                name = operation.value
                raise InputError(
                    Phrase("the timing model does not state papers.{name}, and no public source does", name=name),
                    remedy=Phrase(
                        "write a file with based_on: {interface} and papers, how long a clerk at your windows takes "
                        "with papers and identity: {example}",
                        interface=self.interface,
                        example=f"papers: {{{name}: {{value: …, p95: …, unit: s, source: …}}, …}}",
                    ),
                )
        return self


@cache
def preset(interface: str) -> dict[str, Any]:
    """The parameters that come with sscard, as written, for one interface."""
    text = (resources.files("sscard.campaign") / BUILT_IN).read_text(encoding="utf-8")
    return {"interface": interface, **parse_document(text, BUILT_IN).content}


def completed(given: Any) -> Any:
    """The content of a timing model, completed by the preset that it is based on, if there is one."""
    if not isinstance(given, dict) or BASE not in given:
        return given
    name = given[BASE]
    if name not in PRESETS:
        raise InvalidValue(Phrase("no timing model {name!r}", name=str(name)), suggestion(str(name), PRESETS))
    return preset(name) | {field: value for field, value in given.items() if field != BASE}


def timing_in(document: Document) -> TimingFile:
    """The timing model that a document describes; ``InputError`` with line and column."""
    try:
        content = completed(document.content)
    except InvalidValue as error:
        raise document.error((BASE,), error.said, error.remedy) from None
    return document.with_content(content).as_model(TimingFile)


def find_timing(name: str) -> TimingFile:
    """A timing model by the name of a preset, or a file by its path (anything else).

    ``InputError``, with the presets if the name is not that of a file.
    """
    if name in PRESETS:
        return TimingFile.model_validate(preset(name))
    if not is_path(name) and not Path(name).exists():
        raise InputError(Phrase("no timing model {name!r}", name=name), remedy=suggestion(name, PRESETS))
    return timing_in(read_document(Path(name)))


def timing_schema() -> dict[str, Any]:
    """The JSON Schema of a timing model: all parameters, or the preset that it is based on and some of them."""
    schema = TimingFile.model_json_schema()
    changed = schema | {"required": [BASE]}
    changed["properties"] = {BASE: {"enum": list(PRESETS)}, **schema["properties"]}
    definitions = changed.pop("$defs")
    whole = {name: part for name, part in schema.items() if name != "$defs"}
    return {"anyOf": [whole, changed], "$defs": definitions}
