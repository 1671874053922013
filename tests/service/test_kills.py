"""The process killed between any two steps of a case: after ``sscard case resume`` card and journal agree.

A step is a command to the card or a write to the journal; the process is
killed by a real SIGKILL before or after one, or whenever the signal arrives.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from kit.cards import citizens_card
from kit.citizens import JOURNAL_KEY, OPENING
from sscard.cli.main import main
from sscard.hsm import SoftHsm
from sscard.issuer import builtin_keys
from sscard.issuer.cardfile import load_card, open_card, save_card
from sscard.service import Act, Case, Event, PinService, Reason, Stage
from sscard.service.counter import ApplicationFile, Keypad, advance, read_card
from sscard.service.journal.database import SqlJournal
from sscard.standard.encoding import encode_pin
from sscard.standard.tree import PIN, PIN_TRIES
from sscard.terminal import CardSession
from sscard.transport import Connection

OLD, NEW = "739104", "80264153"
TRIES = 6
Step = Callable[[], None]


@dataclass
class SteppingCard:
    """A connection that makes a step before and after each command."""

    connection: Connection
    step: Step

    def power_on(self) -> bytes:
        return self._between(self.connection.power_on)

    def power_off(self) -> None:
        self.connection.power_off()

    def reset(self) -> bytes:
        return self._between(self.connection.reset)

    def transmit(self, command: bytes) -> bytes:
        return self._between(lambda: self.connection.transmit(command))

    def _between(self, work: Callable[[], bytes]) -> bytes:
        self.step()
        answer = work()
        self.step()
        return answer


@dataclass
class SteppingJournal:
    """A journal that makes a step before and after each write."""

    journal: SqlJournal
    step: Step

    @property
    def key(self) -> bytes:
        return self.journal.key

    def open_case(self, event: Event) -> Case:
        self.step()
        case = self.journal.open_case(event)
        self.step()
        return case

    def append(self, case: Case, event: Event) -> None:
        self.step()
        self.journal.append(case, event)
        self.step()


class Office:
    """One journal, one citizen's card as it was issued, and what the tests do with them."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.key_file = folder / "journal.key"
        self.key_file.write_text(JOURNAL_KEY.hex())
        self.fresh = folder / "fresh.db"
        self.card = folder / "card.db"
        save_card(citizens_card(OLD), self.fresh)

    def serve(self, key: str, reason: Reason, step: Step) -> None:
        """What the process does that will be killed: a whole case."""
        journal = SqlJournal(self.url, JOURNAL_KEY)
        service = PinService(lambda: OPENING, journal=SteppingJournal(journal, step))
        with open_card(self.card) as card:
            session = CardSession.start(SteppingCard(card, step), SoftHsm(builtin_keys()))
            wanted = ApplicationFile(reason=reason, key=key)
            case = service.intake(wanted.application(read_card(session)), key=key)
            advance(service, case, session, Keypad(lambda: NEW, lambda: OLD), key=key)
        journal.close()

    def steps_of(self, reason: Reason) -> int:
        """How many steps a case has that nobody kills."""
        steps = Counter[str]()
        shutil.copy(self.fresh, self.card)
        self.serve(f"counted {reason}", reason, lambda: steps.update(["steps"]))
        return steps["steps"]

    def steps_before_intake(self) -> int:
        """How many steps only read the card."""
        steps = Counter[str]()
        shutil.copy(self.fresh, self.card)
        with open_card(self.card) as card:
            read_card(CardSession.start(SteppingCard(card, lambda: steps.update(["steps"])), SoftHsm(builtin_keys())))
        return steps["steps"]

    def killed_at(self, step: int, key: str, reason: Reason, *, again: bool = False) -> None:
        """Serve a fresh card, or the same one again, in a process that kills itself at a step."""
        left = [step]

        def count() -> None:
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)

        if not again:
            shutil.copy(self.fresh, self.card)
        _wait(self._fork(key, reason, count))

    def killed_after(self, step: int, key: str, reason: Reason) -> None:
        """Serve in a process that is killed from outside once it has made so many steps, wherever it is by then."""
        shutil.copy(self.fresh, self.card)
        reader, writer = os.pipe()
        child = self._fork(key, reason, lambda: os.write(writer, b".") and None)
        os.close(writer)
        seen = 0
        while seen <= step:
            steps = os.read(reader, step + 1 - seen)
            if not steps:
                break
            seen += len(steps)
        os.kill(child, signal.SIGKILL)
        _wait(child)
        os.close(reader)

    def _fork(self, key: str, reason: Reason, step: Step) -> int:
        child = os.fork()
        if child == 0:
            try:
                self.serve(key, reason, step)
            finally:
                os._exit(0)
        return child

    def pick_up(self, key: str, reason: Reason) -> None:
        """What the clerk does then: resume the case, or press the button again where none was opened."""
        case = self.case(key)
        self.check_truth(case)
        pins = ["--new", NEW, *(["--old", OLD] if reason is Reason.LEAKED else [])]
        journal = ["--journal", self.url, "--journal-key", str(self.key_file)]
        verb = ["resume", case.number] if case else ["open", "--reason", reason.value, "--key", key]
        with pytest.raises(SystemExit) as ended:
            main(["case", verb[0], *verb[1:], str(self.card), *pins, *journal])
        assert not ended.value.code, key

    def case(self, key: str) -> Case | None:
        journal = SqlJournal(self.url, JOURNAL_KEY)
        case = journal.case_of_key(key)
        journal.close()
        return case

    @property
    def changed(self) -> bool:
        """Whether the card has the new PIN."""
        pin = load_card(self.card).memory.strings[PIN]
        assert pin in (encode_pin(OLD), encode_pin(NEW))
        return pin == encode_pin(NEW)

    def check_truth(self, case: Case | None) -> None:
        """No card changed without a case that says it began; no case done whose card did not change."""
        acts = [event.act for event in case.events] if case else []
        if self.changed:
            assert Act.BEGUN in acts
        if case and case.stage in (Stage.OPERATED, Stage.COMPLETED):
            assert self.changed

    def check_agreement(self, key: str) -> None:
        case = self.case(key)
        assert case is not None
        acts = Counter(event.act for event in case.events)
        assert (case.stage, acts[Act.BEGUN], acts[Act.DONE], acts[Act.COMPLETED]) == (Stage.COMPLETED, 1, 1, 1)
        assert not case.in_doubt
        assert self.changed
        assert load_card(self.card).memory.numbers[PIN_TRIES] == TRIES

    def check_journal(self, cases: int) -> None:
        journal = SqlJournal(self.url, JOURNAL_KEY)
        verified = journal.verify()
        journal.close()
        assert (verified.cases, verified.findings) == (cases, ())


def _wait(child: int) -> None:
    _, status = os.waitpid(child, 0)
    assert not os.WIFEXITED(status) or os.WEXITSTATUS(status) == 0


@pytest.fixture
def office(journal_url: str, tmp_path: Path) -> Office:
    return Office(journal_url, tmp_path)


def run_kills(office: Office, kills: Iterator[tuple[int, Reason, bool]]) -> None:
    killed = 0
    for number, (step, reason, outside) in enumerate(kills):
        kill = office.killed_after if outside else office.killed_at
        kill(step, f"press {number}", reason)
        if outside:  # and once more, at the resumption
            office.check_truth(office.case(f"press {number}"))
            office.killed_at(step, f"press {number}", reason, again=True)
        office.pick_up(f"press {number}", reason)
        office.check_agreement(f"press {number}")
        killed += 1
    office.check_journal(killed + len(Reason) - 1)


def at_random(office: Office, count: int, seed: int) -> Iterator[tuple[int, Reason, bool]]:
    random = Random(seed)
    reasons = (Reason.FORGOTTEN, Reason.LEAKED)
    steps = {reason: office.steps_of(reason) for reason in reasons}
    for _ in range(count):
        reason = random.choice(reasons)
        yield random.randrange(steps[reason]), reason, random.random() < 0.5


@pytest.mark.slow
def test_killed_at_each_step_that_matters(office: Office) -> None:
    """Each step of a reset and of a change from the intake on; those before it only read the card."""
    first = office.steps_before_intake()
    steps = {reason: office.steps_of(reason) for reason in (Reason.FORGOTTEN, Reason.LEAKED)}
    run_kills(office, ((step, reason, False) for reason in steps for step in range(first, steps[reason])))


@pytest.mark.slow
def test_killed_at_random(office: Office) -> None:
    run_kills(office, at_random(office, 20, seed=6))


@pytest.mark.campaign
def test_killed_five_hundred_times_at_random(office: Office) -> None:
    run_kills(office, at_random(office, 500, seed=500))
