"""Workers of the PIN service that are killed during a case, or lose their database server.

A step is a command to the card or a write to the journal. The process is
killed at a step, or shortly after one. The clerk then continues, as with
``sscard case resume``, and card and journal must agree.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from io import StringIO
from pathlib import Path
from random import Random
from typing import Final

from sscard.errors import PhrasedError
from sscard.hsm import Hsm, SoftHsm
from sscard.i18n.phrase import Phrase
from sscard.issuer import Card, builtin_keys, make_holder, make_order, personalise, preset
from sscard.issuer.cardfile import load_card, open_card, save_card
from sscard.issuer.holderbase import HolderBase
from sscard.model.invariants import AS_THE_JOURNAL, FILE_OPENS, OLD_OR_NEW
from sscard.proof.sessions import Broken, Main
from sscard.service import Act, Case, Event, PinService, Reason, Stage
from sscard.service.counter import ApplicationFile, Keypad, advance, read_card
from sscard.service.journal.database import SqlJournal
from sscard.standard.encoding import encode_pin
from sscard.standard.tree import PIN, PIN_TRIES
from sscard.terminal import CardSession
from sscard.transport import Connection

CITY: Final = "410400"
"""The city of the service item."""
OPENING: Final = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
JOURNAL_KEY: Final = bytes(range(32))
OLD, NEW = "739104", "80264153"
TRIES: Final = 6
REASONS: Final = (Reason.FORGOTTEN, Reason.LEAKED)
"""A reset and a change."""

Step = Callable[[], object]


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


def citizens_card(random: Random) -> Card:
    """A card as the service meets it."""
    order = make_order(preset("v3-sm4"), random, make_holder(random), CITY, date(2025, 1, 6))
    return personalise(replace(order, pin=OLD), builtin_keys())


class Office:
    """One journal, one citizen's card, a worker that is killed and a clerk that continues its cases."""

    def __init__(self, url: str, folder: Path, main: Main, random: Random) -> None:
        self._url = url
        self._main = main
        self._key_file = folder / "journal.key"
        self._key_file.write_text(JOURNAL_KEY.hex())
        self._fresh = folder / "fresh.db"
        self._card = folder / "card.db"
        self._cases = 0
        save_card(citizens_card(random), self._fresh)

    def hsm(self, _step: Step) -> Hsm:
        """The HSM of a worker."""
        return SoftHsm(builtin_keys())

    def holder_base(self, _step: Step) -> HolderBase | None:
        """The holder base of a worker; ``None``: that of the policy."""
        return None

    def steps_of(self, reason: Reason) -> int:
        """How many steps a case has whose worker is not killed."""
        steps = Counter[str]()
        shutil.copy(self._fresh, self._card)
        self._serve(f"counted {reason}", reason, lambda: steps.update(["steps"]))
        self._cases += 1
        return steps["steps"]

    def steps_before_intake(self) -> int:
        """How many steps only read the card."""
        steps = Counter[str]()
        shutil.copy(self._fresh, self._card)
        with open_card(self._card) as card:
            read_card(CardSession.start(SteppingCard(card, lambda: steps.update(["steps"])), SoftHsm(builtin_keys())))
        return steps["steps"]

    def killed_at(self, step: int, key: str, reason: Reason) -> list[Broken]:
        """A worker that kills itself at a step, and the clerk after it; what is broken."""
        shutil.copy(self._fresh, self._card)
        return [*self._kill_at(step, key, reason), *self._continue(key, reason)]

    def killed_after(self, step: int, key: str, reason: Reason) -> list[Broken]:
        """A worker killed from outside after so many steps, its successor at that step, and the clerk after both."""
        return [
            *self._disturbed(step, key, reason, lambda worker: os.kill(worker, signal.SIGKILL)),
            *self._truth(key),
            *self._kill_at(step, key, reason),
            *self._continue(key, reason),
        ]

    def without_server(self, step: int, key: str, reason: Reason, restart: Callable[[], None]) -> list[Broken]:
        """A worker whose database server restarts after so many steps, and the clerk after it."""
        return [
            *self._disturbed(step, key, reason, lambda _worker: restart()),
            *self._continue(key, reason),
        ]

    def check_journal(self) -> list[Broken]:
        """What is wrong with the chain or the number of the cases, at the end."""
        journal = SqlJournal(self._url, JOURNAL_KEY)
        verified = journal.verify()
        journal.close()
        found: list[Broken] = [(AS_THE_JOURNAL, str(finding)) for finding in verified.findings]
        if verified.cases != self._cases:
            said = Phrase("{cases} cases in the journal, expected {all}", cases=verified.cases, all=self._cases)
            found.append((AS_THE_JOURNAL, said))
        return found

    def _serve(self, key: str, reason: Reason, step: Step) -> None:
        """What the worker does: a whole case."""
        journal = SqlJournal(self._url, JOURNAL_KEY)
        base = self.holder_base(step)
        service = PinService(lambda: OPENING, journal=SteppingJournal(journal, step), holder_base=base)
        with open_card(self._card) as card:
            session = CardSession.start(SteppingCard(card, step), self.hsm(step))
            wanted = ApplicationFile(reason=reason, key=key)
            case = service.intake(wanted.application(read_card(session)), key=key)
            # As case open, or as case resume: an operation that was not done is not repeated under its key.
            operation = key if case.length == 1 else ""
            advance(service, case, session, Keypad(lambda: NEW, lambda: OLD, lambda: OLD), key=operation)
        journal.close()

    def _kill_at(self, step: int, key: str, reason: Reason) -> list[Broken]:
        return wait_for(self._fork(key, reason, killing_at(step)))[1]

    def _disturbed(self, step: int, key: str, reason: Reason, act: Callable[[int], object]) -> list[Broken]:
        """A worker with a fresh card; act when it has made so many steps, wherever it is by then."""
        shutil.copy(self._fresh, self._card)
        reader, writer = os.pipe()
        worker = self._fork(key, reason, lambda: os.write(writer, b"."))
        os.close(writer)
        seen = 0
        while seen <= step and (steps := os.read(reader, step + 1 - seen)):
            seen += len(steps)
        act(worker)
        _, found = wait_for(worker)
        os.close(reader)
        return found

    def _fork(self, key: str, reason: Reason, step: Step) -> int:
        worker = os.fork()
        if worker == 0:
            status = 1
            try:
                with suppress(PhrasedError):
                    self._serve(key, reason, step)
                status = 0
            finally:
                os._exit(status)
        return worker

    def _continue(self, key: str, reason: Reason) -> Iterator[Broken]:
        """The clerk resumes the case, or opens it again if the worker did not: card and journal agree afterwards."""
        yield from self._truth(key)
        case = self._case(key)
        pins = ["--new", NEW, *(["--old", OLD] if reason is Reason.LEAKED else [])]
        journal = ["--journal", self._url, "--journal-key", str(self._key_file)]
        verb = ["resume", case.number] if case else ["open", "--reason", reason.value, "--key", key]
        code: object = 0
        said = StringIO()
        with redirect_stdout(said), redirect_stderr(said):
            try:
                self._main(["case", verb[0], *verb[1:], str(self._card), *pins, *journal])
            except SystemExit as ended:
                code = ended.code
        self._cases += 1
        if code:
            yield (
                AS_THE_JOURNAL,
                Phrase("{command} exits with {code}: {said}", command=verb[0], code=str(code), said=said.getvalue()),
            )
            return
        case = self._case(key)
        acts = Counter(event.act for event in case.events) if case else Counter()
        if case is None or (case.stage, acts[Act.BEGUN], acts[Act.DONE]) != (Stage.COMPLETED, 1, 1) or case.in_doubt:
            yield AS_THE_JOURNAL, Phrase("the resumed case is not completed: {acts}", acts=", ".join(acts))
        if not self.changed:
            yield AS_THE_JOURNAL, Phrase("the case is completed, and the card has the old PIN")
        if (tries := load_card(self._card).memory.numbers[PIN_TRIES]) != TRIES:
            yield AS_THE_JOURNAL, Phrase("{tries} tries left after the case, expected {all}", tries=tries, all=TRIES)

    def _truth(self, key: str) -> Iterator[Broken]:
        """No card is changed without a case that says it began, no case is done whose card did not change."""
        case = self._case(key)
        acts = [event.act for event in case.events] if case else []
        try:
            changed = self.changed
        except PhrasedError as error:
            yield FILE_OPENS, error.said
            return
        if changed and Act.BEGUN not in acts:
            yield AS_THE_JOURNAL, Phrase("the card has the new PIN, and no case says that a change began")
        if Act.DONE in acts and not changed:
            yield AS_THE_JOURNAL, Phrase("the case says that the change is done, and the card has the old PIN")
        settled = [act for act in acts if act in (Act.BEGUN, Act.DONE, Act.NOT_DONE, Act.FAILED)]
        if case and case.in_doubt != (settled[-1:] == [Act.BEGUN]):
            yield (
                AS_THE_JOURNAL,
                Phrase("the case is in doubt without reason, or not in doubt: {acts}", acts=", ".join(acts)),
            )
        if load_card(self._card).memory.strings[PIN] not in (encode_pin(OLD), encode_pin(NEW)):
            yield OLD_OR_NEW, Phrase("the PIN is neither the old nor the new one")

    @property
    def changed(self) -> bool:
        """Whether the card has the new PIN."""
        return load_card(self._card).memory.strings[PIN] == encode_pin(NEW)

    def _case(self, key: str) -> Case | None:
        journal = SqlJournal(self._url, JOURNAL_KEY)
        case = journal.case_of_key(key)
        journal.close()
        return case


def killing_at(step: int) -> Step:
    """What kills the process that makes so many steps."""
    left = step

    def count() -> None:
        nonlocal left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    return count


def wait_for(worker: int) -> tuple[bool, list[Broken]]:
    """Whether a worker was killed; broken unless it was, is done, or ended with an error of ours."""
    _, status = os.waitpid(worker, 0)
    failed = os.WIFEXITED(status) and os.WEXITSTATUS(status)
    return os.WIFSIGNALED(status), [(AS_THE_JOURNAL, Phrase("the worker ended with a traceback"))] if failed else []
