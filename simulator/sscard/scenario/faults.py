"""Faults that a scenario injects: the verb ``fault`` and its vocabulary.

A fault waits for a command and happens once. If no command reaches it, the
scenario fails at its end. To add a fault of the reader, add a class to
``transport.faults``, a field to ``FaultData`` and a row to ``FAULTS``; for one of
HSM, journal or process, a field and a row of ``SERVICE_FAULTS``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import AfterValidator, Field, ValidationError, model_validator

from sscard.card import Personality
from sscard.chip.memory import Moment
from sscard.document import Model, problem_in
from sscard.errors import InvalidValue, suggestion
from sscard.fields import hidden
from sscard.i18n.phrase import Phrase, Sayable
from sscard.issuer import make_holder, make_order, personalise, preset, presets
from sscard.scenario.context import Bench
from sscard.scenario.service_faults import ProcessKilled, Waiting
from sscard.scenario.step import Hex, Nothing, Outcome, Step
from sscard.transport.connection import Connection
from sscard.transport.contactless import in_reader
from sscard.transport.faults import Armed, Corrupted, Fault, Mute, Removal, Slow, Swap, Truncated

ISSUED: Final = date(2025, 1, 6)
"""The day of issue of a swapped-in card."""
IN_A_FILE: Final = Phrase("only a journal in a file has other processes: write journal: sqlite under service:")


def _preset(name: str) -> str:
    if name not in presets():
        raise InvalidValue(Phrase("no personality {name!r}", name=hidden(name)), suggestion(name, presets()))
    return name


Preset = Annotated[str, AfterValidator(_preset)]
"""The name of a built-in personality."""


def other_card(personality: Personality, bench: Bench) -> Connection:
    """Another holder's card; it runs in this process for every transport."""
    holder = make_holder(bench.random)
    order = make_order(personality, bench.random, holder, bench.reference.city_code, ISSUED)
    chip = personalise(order, bench.keys).chip(bench.random, contact=bench.contact)
    return in_reader(chip, contact=bench.contact)


Issue = Callable[[str], Connection]
"""Issues a card of a personality, to be swapped in."""

FAULTS: Final[dict[str, Callable[[Any, Issue], Fault]]] = {
    "removed": lambda moment, _issue: Removal(Moment[moment.upper()]),
    "mute": lambda _value, _issue: Mute(),
    "slow": lambda seconds, _issue: Slow(seconds),
    "truncated": lambda length, _issue: Truncated(length),
    "corrupted": lambda position, _issue: Corrupted(position),
    "swapped": lambda personality, issue: Swap(issue(personality)),
}


def _at_hsm(name: str) -> Callable[[Bench, Any, int, int | None], Waiting]:
    return lambda bench, value, nth, __: bench.hsm.arm(Waiting(name, nth, value))


def _at_base(name: str) -> Callable[[Bench, Any, int, int | None], Waiting]:
    return lambda bench, value, nth, __: bench.host.holder_base.arm(Waiting(name, nth, value))


def _at_journal(bench: Bench, nth: int, name: str, value: Any = None) -> Waiting:
    return bench.host.journal.arm(Waiting(name, nth, value))


def _overtaken(bench: Bench, nth: int) -> Waiting:
    waiting = _at_journal(bench, nth, "overtaken")
    waiting.obstacle = "" if bench.host.durable else IN_A_FILE
    return waiting


def _killed(bench: Bench, when: str, nth: int, ins: int | None) -> Armed | Waiting:
    if when.endswith("event"):
        return _at_journal(bench, nth, "killed", when)
    moment = Moment.AFTER if when == "after-command" else Moment.DURING
    return bench.reader.arm(Removal(moment, interrupt=_kill), nth=nth, ins=ins)


def _kill() -> None:
    raise ProcessKilled


SERVICE_FAULTS: Final[dict[str, Callable[[Bench, Any, int, int | None], Armed | Waiting]]] = {
    "hsm_down": _at_hsm("hsm_down"),
    "hsm_slow": _at_hsm("hsm_slow"),
    "hsm_wrong_key": _at_hsm("hsm_wrong_key"),
    "base_down": _at_base("base_down"),
    "base_slow": _at_base("base_slow"),
    "proof_down": lambda bench, _, nth, __: bench.host.prover.arm(Waiting("proof_down", nth)),
    "journal_locked": lambda bench, _, nth, __: _at_journal(bench, nth, "journal_locked"),
    "overtaken": lambda bench, _, nth, __: _overtaken(bench, nth),
    "killed": _killed,
}
"""How each fault is armed: for a bench, its value, the nth operation, event or command, and the INS if it is stated."""

ALL_FAULTS: Final = (*FAULTS, *SERVICE_FAULTS)


class FaultData(Model):
    """One fault, and the command it waits for: the ``nth`` from here, or the ``nth`` with this INS (one byte).

    ``removed``: the card is removed before the command, during it (the answer
    is lost), or after its answer. ``mute``: no answer until a reset. ``slow``:
    delay of the answer in seconds. ``truncated``: number of bytes that arrive.
    ``corrupted``: the bits of the byte at this position are inverted, -1 is the
    last. ``swapped``: the card is replaced by one of this personality.

    ``hsm_down``, ``hsm_slow`` (seconds) and ``hsm_wrong_key`` wait for the
    ``nth`` operation of the HSM, ``base_down`` and ``base_slow`` (seconds) for
    the ``nth`` question to the holder base; ``proof_down``: the ``nth`` proof of
    identity is unavailable; ``journal_locked`` and ``overtaken`` (another
    process writes to the case first) for the ``nth`` event of the journal.
    ``killed``: the process of the service ends before or after an event or a
    command, and all that it had in memory is lost.
    """

    removed: Literal["before", "during", "after"] | None = None
    mute: Nothing | None = None
    slow: Annotated[float, Field(gt=0, le=60)] | None = None
    truncated: Annotated[int, Field(ge=1, le=257)] | None = None
    corrupted: Annotated[int, Field(ge=-258, le=257)] | None = None
    swapped: Preset | None = None
    hsm_down: Nothing | None = None
    hsm_slow: Annotated[float, Field(gt=0, le=60)] | None = None
    hsm_wrong_key: Nothing | None = None
    base_down: Nothing | None = None
    base_slow: Annotated[float, Field(gt=0, le=60)] | None = None
    proof_down: Nothing | None = None
    journal_locked: Nothing | None = None
    overtaken: Nothing | None = None
    killed: Literal["before-event", "after-event", "before-command", "after-command"] | None = None
    nth: Annotated[int, Field(ge=1)] = 1
    ins: Annotated[Hex, Field(min_length=1, max_length=1)] | None = None

    @property
    def name(self) -> str:
        """The name of the fault."""
        return next(name for name in ALL_FAULTS if getattr(self, name) is not None)

    @property
    def label(self) -> str:
        """The name of the fault and its value."""
        return f"{self.name} {getattr(self, self.name)}".rstrip()

    def fault(self, issue: Issue) -> Fault:
        """The fault for a reader; ``issue`` makes the card of a swap."""
        return FAULTS[self.name](getattr(self, self.name), issue)

    @property
    def waits_for(self) -> Literal["command", "operation", "question", "proof", "event"]:
        """What ``nth`` counts: commands at the reader, operations of the HSM, questions to the base, proofs, events."""
        if self.name.startswith("hsm_"):
            return "operation"
        if self.name.startswith("base_"):
            return "question"
        if self.name == "proof_down":
            return "proof"
        at_journal = self.name in ("journal_locked", "overtaken") or (self.killed or "").endswith("event")
        return "event" if at_journal else "command"

    @model_validator(mode="after")
    def _is_one(self) -> FaultData:
        if sum(getattr(self, name) is not None for name in ALL_FAULTS) != 1:
            raise InvalidValue(
                Phrase("a step injects one fault"),
                Phrase("expected one of: {words}", words=", ".join(sorted(ALL_FAULTS))),
            )
        if self.ins is not None and self.waits_for != "command":
            raise InvalidValue(
                Phrase("{fault} does not wait for a command", fault=self.label),
                Phrase("remove ins: nth counts operations of the HSM, questions to the holder base, or events"),
            )
        return self


def read_fault(text: str) -> FaultData:
    """A fault in one word, ``NAME[=VALUE]@N``, of ``sscard insert --fault``; ``InvalidValue`` if the text is not one.

    The values are those of a scenario: ``removed=before``, ``mute``, ``slow=2.5``, ``truncated=1``, ``corrupted=-1``,
    ``swapped=v1-des``. ``N`` is the number of the command, from 1.
    """
    fault, at, nth = text.rpartition("@")
    name, _equals, value = fault.partition("=")
    if not at:
        raise InvalidValue(Phrase("{text!r} names no command", text=text), FORMS)
    if name not in FAULTS:
        raise InvalidValue(Phrase("no fault {name!r}", name=name), suggestion(name, FAULTS))
    if not re.fullmatch("[0-9]{1,9}", nth) or not int(nth):
        raise InvalidValue(Phrase("{place}: the number of a command expected, from 1", place=nth), FORMS)
    form, expected = _VALUES.get(name, ("(?s).*", ""))
    if not re.fullmatch(form, value):
        raise InvalidValue(Phrase("{place}: {problem}", place=fault, problem=expected), FORMS)
    try:
        return FaultData.model_validate({name: value, "nth": nth})
    except ValidationError as error:
        problem, remedy = problem_in(error.errors(include_url=False, include_input=False)[0])
        problem = Phrase("{place}: {problem}", place=fault, problem=expected or problem)
        raise InvalidValue(problem, FORMS if expected else remedy) from None


_VALUES: Final[dict[str, tuple[str, Phrase]]] = {
    "removed": (r"before|during|after", Phrase("before, during or after expected")),
    "mute": (r"", Phrase("takes no value")),
    "slow": (r"[0-9]+(\.[0-9]+)?", Phrase("seconds expected, more than 0 and at most 60")),
    "truncated": (r"[0-9]{1,9}", Phrase("a number of bytes expected, 1 to 257")),
    "corrupted": (r"-?[0-9]{1,9}", Phrase("the position of a byte expected, -258 to 257")),
}
"""What a value in one word looks like, and what is expected of it; the personality has its own error."""

FORMS: Final = Phrase(
    "expected one of: {words}",
    words="removed=before|during|after@N, mute@N, slow=SECONDS@N, truncated=BYTES@N, corrupted=POSITION@N, "
    "swapped=PERSONALITY@N",
)


AT: Final = {
    "command": Phrase("fault {fault} at command {nth} from here"),
    "operation": Phrase("fault {fault} at operation {nth} of the HSM from here"),
    "proof": Phrase("fault {fault} at proof {nth} of identity from here"),
    "question": Phrase("fault {fault} at question {nth} to the holder base from here"),
    "event": Phrase("fault {fault} at event {nth} of the journal from here"),
}


class FaultStep(Step):
    """Inject a fault at a later command, operation of the HSM, question to the holder base or event of the journal."""

    verb: ClassVar[str] = "fault"
    fault: FaultData

    def run(self, bench: Bench) -> Outcome:
        wanted = self.fault
        ins = wanted.ins[0] if wanted.ins else None
        if wanted.name in SERVICE_FAULTS:
            armed = SERVICE_FAULTS[wanted.name](bench, getattr(wanted, wanted.name), wanted.nth, ins)
        else:
            fault = wanted.fault(lambda name: other_card(preset(name), bench))
            armed = bench.reader.arm(fault, nth=wanted.nth, ins=ins)
        bench.armed.append((self, armed))
        return Outcome()

    def title(self) -> Sayable:
        wanted = self.fault
        fault = wanted.label
        if wanted.ins is None:
            return AT[wanted.waits_for].filled(fault=fault, nth=wanted.nth)
        ins = wanted.ins.hex().upper()
        return Phrase("fault {fault} at command {nth} with INS {ins}", fault=fault, nth=wanted.nth, ins=ins)
