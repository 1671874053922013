"""Faults at the reader that a scenario injects: the verb ``fault`` and its vocabulary.

A fault waits for a command and happens once. If no command reaches it, the
scenario fails at its end. To add a fault, add a class to ``transport.faults``,
a field to ``FaultData`` and a row to ``FAULTS``.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import AfterValidator, Field, model_validator

from sscard.chip.memory import Moment
from sscard.document import Model
from sscard.errors import InvalidValue, suggestion
from sscard.i18n.phrase import Phrase, Sayable
from sscard.issuer import builtin_keys, make_holder, make_order, personalise, preset, presets
from sscard.scenario.context import Bench
from sscard.scenario.step import Hex, Nothing, Outcome, Step
from sscard.transport.faults import Corrupted, Fault, Mute, Removal, Slow, Swap, Truncated

ISSUED: Final = date(2025, 1, 6)
"""The day of issue of a swapped-in card."""


def _preset(name: str) -> str:
    if name not in presets():
        raise InvalidValue(Phrase("no personality {name!r}", name=name), suggestion(name, presets()))
    return name


def _swap(personality: str, bench: Bench) -> Swap:
    """Another holder's card; it runs in this process for every transport."""
    holder = make_holder(bench.random)
    order = make_order(preset(personality), bench.random, holder, bench.reference.city_code, ISSUED)
    return Swap(personalise(order, builtin_keys()).chip(bench.random, contact=bench.contact))


FAULTS: Final[dict[str, Callable[[Any, Bench], Fault]]] = {
    "removed": lambda moment, _bench: Removal(Moment[moment.upper()]),
    "mute": lambda _value, _bench: Mute(),
    "slow": lambda seconds, _bench: Slow(seconds),
    "truncated": lambda length, _bench: Truncated(length),
    "corrupted": lambda position, _bench: Corrupted(position),
    "swapped": _swap,
}


class FaultData(Model):
    """One fault, and the command it waits for: the ``nth`` from here, or the ``nth`` with this INS.

    ``removed``: the card is removed before the command, during it (the answer
    is lost), or after its answer. ``mute``: no answer until a reset. ``slow``:
    delay of the answer in seconds. ``truncated``: number of bytes that arrive.
    ``corrupted``: the bits of the byte at this position are inverted, -1 is the
    last. ``swapped``: the card is replaced by one of this personality.
    """

    removed: Literal["before", "during", "after"] | None = None
    mute: Nothing | None = None
    slow: Annotated[float, Field(gt=0, le=60)] | None = None
    truncated: Annotated[int, Field(ge=1, le=257)] | None = None
    corrupted: Annotated[int, Field(ge=-258, le=257)] | None = None
    swapped: Annotated[str, AfterValidator(_preset)] | None = None
    nth: Annotated[int, Field(ge=1)] = 1
    ins: Annotated[Hex, Field(min_length=1, max_length=1)] | None = None

    @property
    def name(self) -> str:
        """The name of the fault."""
        return next(name for name in FAULTS if getattr(self, name) is not None)

    @model_validator(mode="after")
    def _is_one(self) -> FaultData:
        if sum(getattr(self, name) is not None for name in FAULTS) != 1:
            raise InvalidValue(
                Phrase("a step injects one fault"),
                Phrase("expected one of: {words}", words=", ".join(sorted(FAULTS))),
            )
        return self


class FaultStep(Step):
    """Inject a fault at the reader, at a command of a later step."""

    verb: ClassVar[str] = "fault"
    fault: FaultData

    def run(self, bench: Bench) -> Outcome:
        wanted = self.fault
        fault = FAULTS[wanted.name](getattr(wanted, wanted.name), bench)
        bench.armed.append((self, bench.reader.arm(fault, nth=wanted.nth, ins=wanted.ins[0] if wanted.ins else None)))
        return Outcome()

    def title(self) -> Sayable:
        wanted = self.fault
        fault = f"{wanted.name} {getattr(wanted, wanted.name)}".rstrip()
        if wanted.ins is None:
            return Phrase("fault {fault} at command {nth} from here", fault=fault, nth=wanted.nth)
        ins = wanted.ins.hex().upper()
        return Phrase("fault {fault} at command {nth} with INS {ins}", fault=fault, nth=wanted.nth, ins=ins)
