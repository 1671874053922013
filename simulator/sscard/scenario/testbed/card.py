"""Runs scenarios on the card of a testbed, with care: start state, restore, new cards, and a stop if it fails."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import cached_property
from random import Random
from typing import Final

from sscard.card import Snapshot
from sscard.card.commands.pin import VERIFY
from sscard.errors import InputError, MissingPart, PhrasedError, TransportError
from sscard.hsm.registry import HSMS
from sscard.i18n.language import reason_of
from sscard.i18n.phrase import ROW, Phrase, Sayable
from sscard.issuer import Card
from sscard.scenario.cards import Placed, bench_at, first_moment
from sscard.scenario.context import Bench
from sscard.scenario.issuing import Issuer
from sscard.scenario.pins import without_pins
from sscard.scenario.reader import Scenario
from sscard.scenario.repetition import Repetition, not_repeated
from sscard.scenario.runner import RestoreFailed, ScenarioResult, StepResult, crashed, run_at
from sscard.scenario.testbed.arrange import WRONG_PINS, Arranger, NotArranged, obstacle
from sscard.scenario.testbed.decision import Decision, Reason, decide
from sscard.scenario.testbed.doubled_hsm import DoubledHsm, at_the_card
from sscard.scenario.testbed.file import PROMPT, CardUnderTest, Testbed
from sscard.scenario.testbed.followed import FEWEST, Followed, NotPermitted, Primed, copy_of
from sscard.scenario.testbed.recomputed import Renewal
from sscard.scenario.testbed.rehearsal import destroyed
from sscard.scenario.testbed.removals import replaces
from sscard.scenario.testbed.repeat import Repeater, fewest_tries, known_to, proofs_are_right, tries_at_start, tries_of
from sscard.scenario.testbed.survey import Surveyed, UnusableCard, holder_for, survey
from sscard.standard.apdu import command
from sscard.standard.tree import PIN, PIN_TRIES, SSSE_NAME
from sscard.terminal.cards import EXEC, open_card, scheme_of
from sscard.transport.connection import Connection
from sscard.transport.pcsc import PcscConnection

Ask = Callable[[Sayable], None]
"""Asks a person to do something, and returns when it is done."""
LONGEST: Final = 120.0
"""Seconds that the command of ``fresh`` may take."""


LEFT_TOO_FEW: Final = Phrase("the card left fewer than two tries, and may_block is not set")
NOT_DESTROYED: Final = Phrase(
    "not sent, because it would lock the card or exhaust a key or a certificate PIN: may_destroy is not set"
)
OTHER_TRIES: Final = Phrase("the card has {left} tries of the PIN, not {wanted} as at the start of the scenario")
NEEDS_NEW: Final = Phrase("the scenario may have destroyed the card, and fresh: is no command that supplies another")
NO_REMOVAL: Final = Phrase("no command is a removal of the card")
NOT_UNDONE: Final = Phrase(
    "no command brings the card back to the start state of the scenario, and fresh: is no command that supplies another"
)


class CardRun:
    """The card of a testbed, opened, and the scenarios that run on it one after another.

    ``ask`` is called for a new card if ``fresh`` is ``prompt``. Leaving the
    context closes the connection.
    """

    def __init__(self, testbed: Testbed, issuer: Issuer, ask: Ask) -> None:
        self._testbed = testbed
        self._issuer = issuer
        self._ask = ask
        self._samples = 0
        self._spent = False
        self._open = ExitStack()

    def __enter__(self) -> CardRun:
        try:
            self._begin()
        except BaseException:
            self._open.close()
            raise
        return self

    def _begin(self) -> None:
        """Open the card, or a new one if an earlier run has destroyed it."""
        fresh = self._testbed.card.fresh
        try:
            self._connect()
        except UnusableCard:
            if not fresh:
                raise
            self._renew()
        if fresh and destroyed(self._chip):
            self._renew()

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def _connect(self) -> None:
        """Open the card, survey it, and let a chip of sscard follow it."""
        card, issuer = self._testbed.card, self._issuer
        contact = self._testbed.contact
        connection = self._open.enter_context(open_card(card.use, contact=contact, exclusive=True))
        self._atr = connection.power_on()
        self._reader = reader_facts(connection)
        self.surveyed: Surveyed = survey(connection, self._testbed, issuer)
        self._base = copy_of(self.surveyed.card.memory)
        random = Primed()
        follower = Card(self.surveyed.card.profile, copy_of(self._base))
        self._chip = follower.chip(random, contact=contact)
        for_chip = issuer.hsm.for_chip if isinstance(issuer.hsm, DoubledHsm) else bytes
        self._followed = Followed(connection, self._chip, random, self._refusal, for_chip, contact=contact)
        self._arranger = Arranger(self._followed, issuer.hsm)
        self._spent = False

    def _renew(self) -> None:
        """Replace the card by a new one, and survey it. Errors: ``MissingPart`` if none comes."""
        self._samples += 1
        self._open.close()
        supply(self._testbed.card, self._samples, self._ask)
        self._connect()

    def run(self, scenario: Scenario, seed: int) -> ScenarioResult:
        """The result of a scenario, and the card back in the state of the testbed as far as commands can do it.

        Errors: ``RestoreFailed``, ``MissingPart`` without a new card.
        """
        if scenario.misfit:
            return run_at(scenario, seed, self._opening(scenario, seed, Decision()))
        decision = self.decide(scenario, seed)
        if decision.reason:
            scenario = replace(scenario, misfit=InputError(decision.said))
            return run_at(scenario, seed, self._opening(scenario, seed, decision))
        if not decision.runs:
            return crashed(scenario, seed, PhrasedError(decision.said))
        if decision.fresh or self._spent:
            self._renew()
            decision = self.decide(scenario, seed)
            if not decision.runs:
                return crashed(scenario, seed, PhrasedError(decision.said))
        predicted, removals = self._followed.predicted, self._followed.removals
        try:
            result = run_at(scenario, seed, self._opening(scenario, seed, decision))
            result = replace(
                result,
                predicted=self._followed.predicted - predicted,
                removals=self._followed.removals - removals,
            )
            unknown = replaces(scenario) and not result.passed  # before or after a command
            self._spent = decision.destroys or (unknown and bool(self._testbed.card.fresh))
            if result.verdict == "failed" and result.failure is not None:
                repeated = self._repeated(scenario, seed, decision, result.failure)
                result = replace(result, repetition=repeated)
        except KeyboardInterrupt:
            if not self._spent:
                self._restore(scenario)
            raise
        if not self._spent:
            try:
                self._restore(scenario)
            except RestoreFailed as error:
                error.result = result
                raise
        return result

    @cached_property
    def _keeps_state(self) -> bool:
        """Whether the card keeps its state if it loses power: a program shows it with a wrong PIN, then is restored."""
        if scheme_of(self._testbed.card.use) != EXEC:
            return True
        before = copy_of(self._chip.memory)
        self._followed.power_on()
        self._followed.transmit(command(0x00, 0xA4, 0x04, 0x00, SSSE_NAME))
        wrong = next(pin for pin in WRONG_PINS if pin != before.strings[PIN])
        try:
            self._followed.transmit(command(0x00, VERIFY.ins, 0x00, 0x00, wrong))
        except NotPermitted:
            return False
        spent = self._chip.memory.numbers[PIN_TRIES]
        self._followed.unplug()
        left = tries_of(self._followed)
        if left is not None:
            self._chip.memory.put_number(PIN_TRIES, left)
        self._arranger.reach(before)
        return left == spent < before.numbers[PIN_TRIES]

    def _repeated(self, scenario: Scenario, seed: int, decision: Decision, failed: StepResult) -> Repetition:
        """Send what the card got up to a failed step once more, from the start state, with the same permissions."""
        wire, card, before = self._followed.card, self._testbed.card, self.surveyed.reference
        events, step, known = [*wire.events], wire.step, known_to(scenario, wire)
        if not card.may_block and fewest_tries(events) < FEWEST:
            return not_repeated(LEFT_TOO_FEW)
        if replaces(scenario):
            return not_repeated(NO_REMOVAL)
        profile, now, state = self.surveyed.card.profile, self._chip.memory, decision.state
        assert state is not None
        changed = obstacle(profile, now, state, has_keys=self._testbed.has_keys)
        try:
            if decision.destroys or changed:
                if card.fresh in ("", PROMPT):
                    return not_repeated(NEEDS_NEW if decision.destroys else NOT_UNDONE)
                self._spent = True  # until another card is there
                self._renew()
                self._spent = decision.destroys
                again = self.decide(scenario, seed)
                if again.state is None or not again.runs:
                    return not_repeated(again.said)
                state = again.state
            self._arranger.reach(state)
            left, wanted = tries_of(self._followed), tries_at_start(events)
            if left is not None and wanted is not None and left != wanted:
                return not_repeated(OTHER_TRIES.filled(left=left, wanted=wanted))
            reference = self.surveyed.reference
            renewal = Renewal(self._issuer.hsm, profile.personality, profile.layout, before, reference, known)
            repeater = Repeater(self._followed, renewal, statuses_only=reference != before)
            right_from = step if proofs_are_right(decision.rehearsed, failed.number) else len(events)
            last = max((place for place, event in enumerate(events) if event.action == "send"), default=-1)
            repetition = repeater.repeat(events[: last + 1], right_from)  # without the power-off at the end
            with suppress(TransportError):
                self._followed.power_off()
        except PhrasedError as error:
            return not_repeated(error.said)
        return repetition

    def facts(self) -> dict[str, Sayable]:
        """What a report says about the card: its URL, claim and ATR, and the files that could not be read."""
        facts: dict[str, Sayable] = {
            "transport": scheme_of(self._testbed.card.use),
            "card": self._testbed.shown_card,
            "claim": self._testbed.claim.name,
            "hsm": HSMS.shown(self._testbed.issuing.hsm),
            "predicted": Phrase(
                "tries, proofs and locks of keys and applications; amounts and files that no step reads"
            ),
            "atr": self._atr.hex(" ").upper(),
        }
        facts |= self._reader | {"unread": ", ".join(self.surveyed.unread)}
        return {name: said for name, said in facts.items() if said}

    def decide(self, scenario: Scenario, seed: int) -> Decision:
        """What to do with a scenario on the card as it is now."""
        found = decide(scenario, seed, self._testbed, self.surveyed, self._chip.memory, self._issuer)
        return Decision(Reason.FORGETS) if found.runs and replaces(scenario) and not self._keeps_state else found

    @contextmanager
    def _opening(self, scenario: Scenario, seed: int, decision: Decision) -> Iterator[Bench]:
        assert decision.state is not None
        self._arranger.reach(decision.state)
        self._followed.card.clear()
        contact = self._testbed.contact
        holder = holder_for(scenario.card, self.surveyed)
        placed = Placed(self._chip, self._followed, self.surveyed.reference, holder, contact)
        now = first_moment(scenario.service, seed)
        random = Random(f"{seed}/{scenario.title}")
        try:
            issuer = at_the_card(self._issuer)
            with bench_at(placed, random, now, scenario.service, issuer, self._followed) as bench:
                yield bench
        finally:
            self._followed.power_off()

    def _restore(self, scenario: Scenario) -> None:
        """Bring PIN, tries and files back; amounts and counts that no command restores stay."""
        profile, now = self.surveyed.card.profile, self._chip.memory
        wanted = copy_of(now)
        wanted.numbers[: profile.layout.medical] = self._base.numbers[: profile.layout.medical]
        for cell, content in enumerate(self._base.strings):
            kept = wanted.strings[cell]
            wanted.strings[cell] = content
            if content != kept and obstacle(profile, now, wanted, has_keys=self._testbed.has_keys):
                wanted.strings[cell] = kept
        try:
            self._arranger.reach(wanted)
        except (NotArranged, TransportError) as error:
            raise RestoreFailed(
                Phrase(
                    "the card could not be restored after {title}: {problem}; it now has {state}",
                    title=scenario.title,
                    problem=error.said,
                    state=self._held(),
                )
            ) from None

    def _held(self) -> Sayable:
        """What the card holds now, without secrets."""
        seen = self._chip.snapshot()
        words: list[Sayable] = [
            Phrase("{left} of {limit} tries of the PIN", left=seen.pin_tries, limit=seen.pin_tries_max)
        ]
        if self._chip.memory.strings[PIN] != self._base.strings[PIN]:
            words.append(Phrase("another PIN than the testbed says"))
        limit = self.surveyed.card.profile.personality.key_tries
        words += [
            Phrase("{left} tries of {key}", left=" ".join(map(str, tries)), key=key)
            for key, tries in seen.key_tries.items()
            if any(left < limit for left in tries)
        ]
        words += [Phrase("{name} locked", name=name) for name in seen.blocked_applications]
        words += [Phrase("the card locked")] if seen.card_blocked else []
        return Phrase.joined(ROW, words)

    def _refusal(self, before: Snapshot, after: Snapshot) -> Phrase | None:
        """Why a command is not sent: it would do what the testbed does not permit."""
        card = self._testbed.card
        old, new = ((*seen.counters, *seen.certificate_tries) for seen in (before, after))
        if not card.may_destroy and (
            after.card_blocked > before.card_blocked
            or after.blocked_applications != before.blocked_applications
            or _fell_below(1, old, new)
        ):
            return NOT_DESTROYED
        if not card.may_block and _fell_below(FEWEST, (before.pin_tries, *old), (after.pin_tries, *new)):
            return Phrase("not sent, because it would leave fewer than two tries: may_block is not set")
        return None


def _fell_below(limit: int, before: tuple[int, ...], after: tuple[int, ...]) -> bool:
    return any(new < old and new < limit for old, new in zip(before, after, strict=True))


def reader_facts(connection: Connection) -> dict[str, Sayable]:
    """What a report says about the reader of a card, if it is in one."""
    if not isinstance(connection, PcscConnection):
        return {}
    return {"reader": connection.reader_name, "driver": connection.driver()}


def supply(card: CardUnderTest, number: int, ask: Ask) -> None:
    """Put a new card into place as its ``fresh`` says: ask a person for sample ``number``, or run the command.

    Errors: ``MissingPart``.
    """
    if card.fresh == PROMPT:
        ask(Phrase("insert sample {number}", number=number))
        return
    command = without_pins(card.fresh, {card.pin})
    remedy = Phrase("correct fresh: under card: in the testbed file, and try the command in a shell")
    try:
        # No pipes: a card that the command leaves running would hold them open.
        none = subprocess.DEVNULL
        done = subprocess.run(shlex.split(card.fresh), stdin=none, stdout=none, timeout=LONGEST, check=False)  # noqa: S603 - the user's own command
    except (OSError, ValueError, IndexError) as error:
        reason = reason_of(error) if isinstance(error, OSError) else Phrase("not a command line")
        raise MissingPart(
            Phrase("fresh: {command}: cannot be started: {reason}", command=command, reason=reason), remedy
        ) from None
    except subprocess.TimeoutExpired:
        problem = Phrase("fresh: {command}: has not ended after {seconds:g} s", command=command, seconds=LONGEST)
        raise MissingPart(problem, remedy) from None
    if done.returncode:
        problem = Phrase("fresh: {command}: exit code {code}", command=command, code=done.returncode)
        raise MissingPart(problem, remedy)
