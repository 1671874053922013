"""The life of a card in a campaign: the first use, maybe a lock-out, the window, maybe a second visit, the last use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from hashlib import sha256
from struct import pack
from time import perf_counter
from typing import Final

from sscard.campaign.checked_card import Broken, CheckedCard
from sscard.campaign.draws import PIN_DIGITS, Draws
from sscard.campaign.failing_hsm import FailingHsm
from sscard.campaign.population import Population
from sscard.campaign.rows import NEVER, Outcome, Row, Through
from sscard.campaign.units import HOUR_SECONDS
from sscard.campaign.visit_time import VisitMeter, part_of
from sscard.campaign.window_visit import CardVisit, ServiceDesk, ServiceVisit, Visit, VisitResult
from sscard.hsm import SoftHsm
from sscard.i18n.phrase import Phrase
from sscard.issuer import KeyHierarchy
from sscard.issuer.personalise import personalise
from sscard.model.invariants import AS_THE_JOURNAL
from sscard.service import Reason
from sscard.service.words import Operation
from sscard.standard.encoding import PIN_MIN_DIGITS, encode_pin
from sscard.standard.tree import PIN_TRIES
from sscard.terminal import CardSession, WrongPin
from sscard.terminal.answers import HsmAnswers
from sscard.terminal.errors import ApduError
from sscard.transport import Connection

ENTRY_SECONDS: Final = 20
"""From one PIN entry to the next."""
COMMON_PINS: Final = ("123456", "000000", "111111", "888888", "666666", "123123", "112233", "654321")
"""What somebody who found the card tries first."""
MOST_WRONG: Final = 255
ISSUE: Final = Phrase("issue")
FIRST_USE, LAST_USE = Phrase("first use"), Phrase("last use")
AT_THE_WINDOW: Final = Phrase("at the window: {operation}")
INSERTED_AGAIN: Final = Phrase("card inserted again: {operation}")
SECOND_VISIT: Final = Phrase("second visit: {operation}")
END: Final = Phrase("end of the life")
STATE_BYTES: Final = 8
OUTCOMES: Final = {
    Operation.CHANGE: Outcome.CHANGED,
    Operation.RESET: Outcome.RESET,
    Operation.UNBLOCK: Outcome.UNBLOCKED,
}


class Office:
    """What the lives in a process share: keys, HSM and services. One life at a time uses it."""

    def __init__(self, population: Population, seed: int, through: Through, keys: KeyHierarchy) -> None:
        self.population = population
        self.draws = Draws(population, seed)
        self.keys = keys
        self.hsm = FailingHsm(SoftHsm(keys))
        self.answers = HsmAnswers(self.hsm)
        self.desk = ServiceDesk(population) if through == Through.SERVICE else None
        self.seed = seed
        self.meter = VisitMeter(population.timing.model()) if population.timing else None
        self.layers: dict[str, float] = {}
        self.measure_from_here()

    def measure_from_here(self) -> None:
        """Forget the times that were measured and modelled."""
        self.layers = dict.fromkeys(("issue", "card", "oracle"), 0.0)
        self.hsm.seconds = 0.0
        if self.meter:
            self.meter.modelled()


class Life:
    """The life of one card. ``live`` raises ``Broken`` if an invariant does not hold; ``step`` names where it was."""

    def __init__(self, office: Office, index: int, wrap: Callable[[Connection], Connection] | None = None) -> None:
        began = perf_counter()
        self.index = index
        self._office = office
        self._drawn = drawn = office.draws.of(index)
        contact = office.population.interface == "contact"
        self.card = personalise(drawn.order, office.keys)
        chip = self.card.chip(drawn.random, contact=contact)
        # The wrapper is behind the oracle, so that a recorder also has the answer that breaks an invariant.
        self._checked = CheckedCard(self.card, wrap(chip) if wrap else chip, office.hsm, contact=contact)
        self._connection: Connection = self._checked
        if office.meter:
            self._connection = office.meter.insert(self._connection, self.card.memory)
        self._pin = drawn.order.pin
        self._locked_at = self._visit_at = self._return_at = NEVER
        self._visit_ms = self._return_ms = 0
        self.step = ISSUE
        office.hsm.operations = 0
        office.hsm.fails_after = None
        office.layers["issue"] += perf_counter() - began

    @property
    def commands(self) -> int:
        """Commands so far."""
        return self._checked.commands

    def live(self) -> Row:
        """The whole life; its row."""
        knows, ended = self._use()
        reason = self._reason(knows=knows)
        outcome = Outcome.LOCKED if self._checked.blocked else Outcome.UNTOUCHED
        if reason is not None:
            outcome = self._go_to_the_window(reason, ended)
        if outcome is not Outcome.UNTOUCHED and self._pin:
            self._use_at_last()
        self.step = END
        self._checked.check_rest()
        return self.row(outcome)

    def _insert(self) -> CardSession:
        return CardSession.open(self._connection, self._office.answers)

    def _use(self) -> tuple[bool, int]:
        """The card is used at a pharmacy: whether the holder knows the PIN afterwards, and when it ends."""
        self.step = FIRST_USE
        drawn, now = self._drawn, self._drawn.arrival
        session = self._insert()
        knows = not drawn.forgets or drawn.stolen or not self._pin
        for pin in self._entries() if self._pin else ():
            now += ENTRY_SECONDS
            try:
                session.verify_pin(pin)
            except WrongPin as error:
                if error.tries_left:
                    continue
                self._locked_at = now
                break
            knows = True
            break
        self._connection.power_off()
        return knows, now

    def _entries(self) -> Iterator[str]:
        """The PINs that are entered until one is right or the PIN is blocked."""
        drawn, random = self._drawn, self._drawn.random
        behaviour = self._office.population.behaviours[drawn.behaviour]
        if drawn.stolen:
            yield from COMMON_PINS[: behaviour.guesses]
            for _ in range(behaviour.guesses - len(COMMON_PINS)):
                yield f"{random.randrange(10**PIN_DIGITS):0{PIN_DIGITS}d}"
        elif drawn.forgets:
            for _ in range(behaviour.guesses):
                yield self._pin if random.random() < behaviour.recalls else self._wrong_pin()
        else:
            while random.random() < behaviour.slips:
                yield self._wrong_pin()
            yield self._pin

    def _wrong_pin(self) -> str:
        """The right PIN with one digit mistyped, or the last one not typed if it is not one of the shortest."""
        random, pin = self._drawn.random, self._pin
        at = random.randrange(len(pin) + (len(pin) > PIN_MIN_DIGITS))
        if at == len(pin):
            return pin[:-1]
        return f"{pin[:at]}{(int(pin[at]) + 1 + random.randrange(9)) % 10}{pin[at + 1 :]}"

    def _reason(self, *, knows: bool) -> Reason | None:
        """Why the citizen comes to the window, ``None`` if the citizen does not."""
        drawn = self._drawn
        blocked = self._checked.blocked
        if not (blocked or drawn.stolen or not knows):
            return Reason.LEAKED if drawn.changes else None
        if not drawn.visits:
            return None
        if blocked:
            return Reason.LOCKED_KNOWN if knows and drawn.remembers else Reason.LOCKED
        return Reason.LEAKED if knows else Reason.FORGOTTEN

    def _go_to_the_window(self, reason: Reason, since: int) -> Outcome:
        """The first visit, and the second if it is needed; how they end."""
        drawn, office = self._drawn, self._office
        desk, old = office.desk, self._pin
        visit = (
            CardVisit(reason.operation, old, drawn.new_pin)
            if desk is None
            else ServiceVisit(desk, drawn.place, reason, old, drawn.new_pin)
        )
        self.step = AT_THE_WINDOW.filled(operation=reason.operation.words)
        now = self._visit_at = office.draws.opening(since + drawn.delay, drawn.random)
        office.hsm.fails_after = drawn.hsm_fails_after
        if office.meter:
            office.meter.begin(office.hsm.operations)
        result = self._attend(visit, now, self._tear())
        if result is VisitResult.TORN and not drawn.gives_up:
            self.step = INSERTED_AGAIN.filled(operation=reason.operation.words)
            result = self._attend(visit, now, nullcontext())
        self._visit_ms = self._time_of(reason, 0)
        if result in (VisitResult.TORN, VisitResult.WAITS):
            self.step = SECOND_VISIT.filled(operation=reason.operation.words)
            now = self._return_at = office.draws.opening(now + drawn.delay + HOUR_SECONDS, drawn.random)
            office.hsm.fails_after = 0 if drawn.still_down else None
            result = self._attend(visit, now, nullcontext())
            self._return_ms = self._time_of(reason, 1)
        office.hsm.fails_after = None
        if result is VisitResult.DONE:
            self._pin = visit.pins[0]
            return OUTCOMES[reason.operation]
        return Outcome.REFUSED if result is VisitResult.REFUSED else Outcome.UNFINISHED

    def _time_of(self, reason: Reason, visit: int) -> int:
        """Virtual milliseconds of the visit that ends; 0 without a timing model."""
        office = self._office
        if office.meter is None:
            return 0
        part = part_of(office.seed, self.index, visit)
        return office.meter.end(reason.operation, office.hsm.operations, part)

    def _attend(self, visit: Visit, now: int, fault: AbstractContextManager[object]) -> VisitResult:
        result = visit.attend(self._insert, now, fault)
        if result is VisitResult.WAITS and self._checked.lost_power:
            result = VisitResult.TORN  # before the operation began
        self._connection.power_off()
        if self._checked.pin not in map(encode_pin, visit.pins):
            raise Broken(AS_THE_JOURNAL, Phrase("the card has another PIN than the result of the visit says"))
        return result

    @contextmanager
    def _tear(self) -> Iterator[None]:
        """The power cut that was drawn, during the operation."""
        memory, torn = self.card.memory, self._drawn.torn
        if torn is not None:
            memory.cut_power(*torn)
        try:
            yield
        finally:
            memory.mend()

    def _use_at_last(self) -> None:
        """The PIN is tried at a pharmacy, if the card has one."""
        self.step = LAST_USE
        session = self._insert()
        if self._pin:
            with suppress(ApduError):
                session.verify_pin(self._pin)
        self._connection.power_off()

    def row(self, outcome: Outcome) -> Row:
        """The row of the card as it is now."""
        drawn, checked, office = self._drawn, self._checked, self._office
        office.layers["card"] += checked.card_seconds
        office.layers["oracle"] += checked.seconds
        numbers, strings = self.card.memory.numbers, self.card.memory.strings
        state = sha256(pack(f"<{len(numbers)}q", *numbers) + bytes(map(len, strings[:1])) + b"".join(strings))
        return Row(
            self.index,
            drawn.product,
            drawn.place,
            drawn.behaviour,
            outcome,
            drawn.order.personality.pin_tries,
            numbers[PIN_TRIES],
            min(checked.wrong, MOST_WRONG),
            min(checked.lockouts, MOST_WRONG),
            checked.commands,
            office.hsm.operations,
            drawn.arrival,
            self._locked_at,
            self._visit_at,
            self._visit_ms,
            self._return_at,
            self._return_ms,
            state.digest()[:STATE_BYTES],
        )
