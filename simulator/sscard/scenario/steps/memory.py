"""The verbs of the memory: power cuts at write points, one or every, and write failures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, model_validator

from sscard.chip.memory import NEVER, Memory, Moment
from sscard.document import Model
from sscard.errors import InvalidValue, PhrasedError, suggestion
from sscard.fields import hidden
from sscard.i18n.phrase import ROW, Phrase, Sayable
from sscard.scenario.context import Bench
from sscard.scenario.execution import perform, view_at
from sscard.scenario.state_words import state_name
from sscard.scenario.step import Count, Nothing, Outcome, Step, View, authenticated_keys, lasting_words, show_state
from sscard.scenario.steps.power import PowerStep
from sscard.scenario.steps.repeatable import REPEATABLE_VERBS
from sscard.standard.apdu import SW
from sscard.terminal.errors import ApduError

EVERY = "every"
REFUSED = ("within", "capture", "fault", "cut_power", "fail_memory", "mend_memory")
"""What a repeated step cannot have: a repetition is not timed, keeps no values and has no other fault."""
PIN = "PIN"
OWN_PINS = ("certificate-user", "certificate-administrator")
"""The PINs of the certificate application, in the order of ``certificate_tries``."""


def _step(content: Any, info: ValidationInfo) -> Step:
    """A step within a step."""
    fields = content if isinstance(content, dict) else {}
    for word in REFUSED:
        if word in fields:
            raise InvalidValue(
                Phrase("{word} is not possible in a step of point: every", word=word),
                Phrase("write it at a step of the scenario: these steps are repeated"),
            )
    verbs = [key for key in fields if key in REPEATABLE_VERBS]
    if len(verbs) == 1:
        return REPEATABLE_VERBS[verbs[0]].model_validate(content, context=info.context)
    if unknown := [key for key in fields if key not in (*Step.model_fields, *verbs)]:
        raise InvalidValue(
            Phrase("unknown verb {verb!r}", verb=hidden(unknown[0])), suggestion(unknown[0], REPEATABLE_VERBS)
        )
    raise InvalidValue(
        Phrase("a step is a verb, a colon and its value"), Phrase("write one verb in each step, as `- insert:`")
    )


def _point(text: object) -> object:
    if text == EVERY or isinstance(text, int):
        return text
    if not isinstance(text, str) or not text.isdecimal():
        raise InvalidValue(Phrase("not a write point"), Phrase("write a number from 0 (the next one), or every"))
    return int(text)


def _counter(name: str) -> str:
    known = (PIN, *OWN_PINS, *authenticated_keys())
    if name not in known:
        raise InvalidValue(Phrase("unknown key {name!r}", name=hidden(name)), suggestion(name, known))
    return name


InnerStep = Annotated[Any, AfterValidator(_step)]
Steps = Annotated[list[InnerStep], Field(min_length=1)]
WritePoint = Annotated[int | str, BeforeValidator(_point)]
"""The number of a write point from now, or ``every``."""
Counter = Annotated[str, AfterValidator(_counter)]
"""PIN, certificate-user, certificate-administrator, or the name of a key."""


StepAt = tuple[tuple[str | int, ...], Step]
"""A step of a sweep, and where it is in ``cut_power``."""


class Cut(Model):
    """Where the power is cut.

    ``point`` counts write points from now (0 is the next); the power is cut before it, during it (the cell is torn) or
    after it. ``point: every`` repeats ``steps`` on a copy of the card with a cut before, during and after each write
    point they reach, until a repetition reaches none. Each repetition inserts the card, runs ``first``, runs
    ``steps`` up to the cut, inserts the card again, and then one of the alternatives in ``after`` must pass whole, and
    each of them must pass at least once. The tries left are those before or after the whole operation, one less for
    the PINs and keys in ``spends``; a lock is set as before or after it. At the end the card is as it was before, and
    inserted. A step within has no ``within`` and no ``capture``, and injects no fault.
    """

    point: WritePoint
    moment: Literal["before", "during", "after"] | None = None
    first: Steps | None = None
    steps: Steps | None = None
    after: Annotated[dict[str, Steps], Field(min_length=1)] | None = None
    spends: tuple[Counter, ...] = ()

    @model_validator(mode="after")
    def _fits(self) -> Self:
        sweeps = self.point == EVERY
        if sweeps and not (self.steps and self.after):
            raise InvalidValue(
                Phrase("point: every needs the operation and what may be the case after a cut"),
                Phrase("write steps: and after: {form}", form="{old: […], new: […]}"),
            )
        if sweeps and self.moment:
            raise InvalidValue(
                Phrase("point: every cuts the power at every moment"), Phrase("leave moment: out, or write a number")
            )
        if not sweeps and (self.first or self.steps or self.after or self.spends):
            raise InvalidValue(
                Phrase("steps belong to point: every"), Phrase("write the step with sw: none after this one")
            )
        return self

    def inner(self) -> Iterator[StepAt]:
        """The steps of a sweep."""
        parts: dict[tuple[str, ...], list[Step] | None] = {("first",): self.first, ("steps",): self.steps}
        parts |= {("after", name): steps for name, steps in (self.after or {}).items()}
        for path, steps in parts.items():
            for place, step in enumerate(steps or ()):
                yield (*path, place), step


@dataclass
class MemoryFault:
    """A fault of the memory that a scenario waits for; ``obstacle`` as in ``transport.faults.Armed``."""

    memory: Memory
    at: int
    obstacle: Sayable = ""

    @property
    def happened(self) -> bool:
        return self.memory.writes > self.at


@dataclass
class WriteFailure:
    """A write failure that a scenario waits for: some command answers 6581."""

    bench: Bench
    since: int
    obstacle: Sayable = ""

    @property
    def happened(self) -> bool:
        later = self.bench.connection.events[self.since :]
        return any(getattr(event, "answer", "").endswith(f"{SW.MEMORY_FAILURE:04X}") for event in later)


def withdraw(bench: Bench, *kinds: type[MemoryFault | WriteFailure]) -> None:
    """Faults of the memory that are replaced or cancelled now: those that did not happen never will."""
    for _owner, armed in bench.armed:
        if isinstance(armed, kinds) and not armed.happened:
            armed.obstacle = Phrase("replaced or cancelled before a command reached it")


class CutPower(PowerStep):
    """Cut the power at a write point of a later step, which then expects ``sw: none``; or at each write point."""

    verb: ClassVar[str] = "cut_power"
    cut_power: Cut

    def run(self, bench: Bench) -> Outcome:
        asked = self.cut_power
        memory = bench.chip.memory
        if not isinstance(asked.point, int):
            return Sweep(bench, asked).outcome()
        withdraw(bench, MemoryFault)
        memory.cut_power(asked.point, Moment[(asked.moment or "before").upper()])
        bench.armed.append((self, MemoryFault(memory, memory.cut_at)))
        return Outcome()

    def expected_state(self, before: frozenset[str], tries: int) -> frozenset[str]:
        if self.cut_power.point == EVERY:
            return super().expected_state(before, tries)
        return Step.expected_state(self, before, tries)

    def title(self) -> Sayable:
        asked = self.cut_power
        if asked.point == EVERY:
            return Phrase("cut_power at every write point of {steps}", steps=titles(asked.steps or ()))
        return Phrase("cut_power {moment} write point {point}", moment=asked.moment or "before", point=asked.point)


def titles(steps: Sequence[Step]) -> Sayable:
    """The titles of steps, in a row."""
    return Phrase.joined(ROW, [step.title() for step in steps])


class SweepFailed(PhrasedError):
    """A repetition of a sweep does not end as it must; ``cause`` is the outcome of a step that was not executed."""

    def __init__(self, said: Sayable, cause: Outcome | None = None) -> None:
        super().__init__(said)
        self.cause = cause if cause and cause.failure else None


class Sweep:
    """The repetitions of ``point: every``."""

    def __init__(self, bench: Bench, asked: Cut) -> None:
        self.bench = bench
        self.memory = bench.chip.memory
        self.asked = asked
        self.met: set[str] = set()

    def outcome(self) -> Outcome:
        """Passed, or the first write point at which the card is not as it must be."""
        withdraw(self.bench, MemoryFault, WriteFailure)
        self.memory.mend()
        cells = self._cells()
        try:
            points = self._all_points(cells)
        except SweepFailed as failed:
            return replace(failed.cause, failure=failed.said) if failed.cause else Outcome(unmet=failed.said)
        if not points:
            return Outcome(failure=Phrase("the steps reach no write point"))
        if missing := [name for name in self.asked.after or {} if name not in self.met]:
            return Outcome(unmet=Phrase("after no cut the card is as in {names}", names=", ".join(missing)))
        self._restore(cells)
        inserted(self.bench)
        return Outcome(reported={"points": str(points)})

    def _all_points(self, cells: tuple[list[int], list[bytes]]) -> int:
        """Cut at every point and moment; return the number of points."""
        before, whole = self._whole(cells)
        for point in count():
            for moment in Moment:
                seen = len(self.bench.connection.events)
                self._restore(cells)
                inserted(self.bench)
                self._run(self.asked.first or ())
                self.memory.cut_power(point, moment)
                if not self._torn():
                    return point
                inserted(self.bench)
                try:
                    self._check(before, whole)
                except SweepFailed as failed:
                    where = Phrase("power cut {moment} write point {point}", moment=moment.name.lower(), point=point)
                    raise SweepFailed(
                        Phrase("{place}: {problem}", place=where, problem=failed.said), failed.cause
                    ) from None
                # The wire of a repetition that passed says no more than that of the whole operation.
                del self.bench.connection.events[seen:]
        raise AssertionError

    def _whole(self, cells: tuple[list[int], list[bytes]]) -> tuple[View, View]:
        """The card before and after the operation without a cut."""
        self._restore(cells)
        inserted(self.bench)
        self._run(self.asked.first or ())
        before = view_at(self.bench)
        self._run(self.asked.steps or ())
        return before, view_at(self.bench)

    def _torn(self) -> bool:
        """Run the operation up to the cut; whether it was reached."""
        for step in self.asked.steps or ():
            self._run([step])
            if self.memory.cut_at == NEVER:
                return True
        self.memory.mend()
        return False

    def _run(self, steps: Sequence[Step]) -> None:
        """Run steps; ``SweepFailed`` at the first that is not as expected, unless the power was cut in it."""
        armed = self.memory.cut_at != NEVER
        try:
            run_steps(self.bench, steps)
        except SweepFailed:
            if not armed or self.memory.cut_at != NEVER:
                raise

    def _check(self, before: View, whole: View) -> None:
        """Counters and locks are those of before or after, and one of the alternatives passes."""
        now = view_at(self.bench)
        for name, allowed, left in self._counters(before, whole, now):
            if left not in allowed:
                expected = " / ".join(map(str, sorted(allowed)))
                raise SweepFailed(
                    Phrase("{name}: expected {expected} tries, got {left}", name=name, expected=expected, left=left)
                )
        locks = [frozenset(view.state & {*lasting_words()} - {"blocked"}) for view in (before, whole, now)]
        if locks[-1] not in locks[:-1]:
            raise SweepFailed(Phrase("state: got {state}", state=state_name(show_state(locks[-1]))))
        cells, failures = self._cells(), []
        for name, steps in (self.asked.after or {}).items():
            try:
                self._run(steps)
            except SweepFailed as failed:
                failures.append(
                    SweepFailed(Phrase("{place}: {problem}", place=name, problem=failed.said), failed.cause)
                )
                self._restore(cells)
                inserted(self.bench)
            else:
                self.met.add(name)
                return
        problems = Phrase.joined("{first}; {rest}", [failed.said for failed in failures])
        cause = next((failed.cause for failed in failures if failed.cause), None)
        raise SweepFailed(Phrase("no alternative holds: {problems}", problems=problems), cause)

    def _counters(self, before: View, whole: View, now: View) -> Iterator[tuple[str, set[int], int]]:
        """Name, allowed and present value of each retry counter."""
        cards = [view.card for view in (before, whole, now)]
        yield self._counter(PIN, *(card.pin_tries for card in cards))
        for pin, *left in zip(OWN_PINS, *(card.certificate_tries for card in cards), strict=False):
            yield self._counter(pin, *left)
        first, done, last = (card.key_tries for card in cards)
        for key, tries in last.items():
            for counts in zip(first[key], done[key], tries, strict=True):
                yield self._counter(key, *counts)

    def _counter(self, name: str, before: int, whole: int, now: int) -> tuple[str, set[int], int]:
        return name, {before, whole, before - (name in self.asked.spends)}, now

    def _cells(self) -> tuple[list[int], list[bytes]]:
        """The cells of the memory, recovered."""
        memory = self.memory.recovered()
        return memory.numbers, memory.strings

    def _restore(self, cells: tuple[list[int], list[bytes]]) -> None:
        """Take the card out, and give its memory these cells."""
        self.bench.remove()
        self.memory.recover()
        self.memory.commit(list(enumerate(cells[0])), list(enumerate(cells[1])))


def run_steps(bench: Bench, steps: Sequence[Step]) -> None:
    """Run steps; ``SweepFailed`` at the first that is not as expected."""
    for step in steps:
        before = view_at(bench)
        outcome = perform(step, bench)
        for each in step.check(before, view_at(bench), outcome):
            raise SweepFailed(
                Phrase(
                    "{step}: {field}: expected {expected}, got {actual}",
                    step=step.title(),
                    field=each.field,
                    expected=each.expected,
                    actual=each.actual,
                ),
                outcome,
            )


def inserted(bench: Bench) -> None:
    """Insert the card; a locked one cannot be selected, and has power only."""
    bench.session = None
    try:
        bench.insert()
    except ApduError:
        return


class FailMemory(Step):
    """Make every write fail from this write point on (counted from now, 0 is the next); the card answers 6581."""

    verb: ClassVar[str] = "fail_memory"
    fail_memory: Count

    def run(self, bench: Bench) -> Outcome:
        withdraw(bench, WriteFailure)
        bench.chip.memory.fail(self.fail_memory)
        bench.armed.append((self, WriteFailure(bench, len(bench.connection.events))))
        return Outcome()


class MendMemory(Step):
    """Cancel ``cut_power`` and ``fail_memory``."""

    verb: ClassVar[str] = "mend_memory"
    mend_memory: Nothing = ""

    def run(self, bench: Bench) -> Outcome:
        withdraw(bench, MemoryFault, WriteFailure)
        bench.chip.memory.mend()
        return Outcome()
