"""An HSM, a holder base and a journal that inject faults, and the end of the service's process."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sscard.errors import HolderBaseUnavailable
from sscard.hsm import Hsm, HsmUnavailable, SoftHsm
from sscard.i18n.phrase import Phrase, Sayable
from sscard.issuer import CardReference
from sscard.issuer.hierarchy import KeyFile, KeyHierarchy, builtin_keys
from sscard.issuer.holderbase import MemoryHolderBase
from sscard.issuer.standing import Standing
from sscard.service import Case, Event, JournalUnavailable, MemoryJournal, ProofResult

if TYPE_CHECKING:
    from sscard.service.journal.database import SqlJournal

T = TypeVar("T")
LOCKED: Final = Phrase("journal {shown}: {problem}", shown="journal.db", problem=Phrase("another process writes to it"))
DOWN: Final = Phrase("the HSM cannot be reached")
START: Final = Phrase("start the HSM")
BASE_DOWN: Final = Phrase("the holder base cannot be reached")


class ProcessKilled(BaseException):
    """The process of the service was killed: nothing between its start and now is in memory any more."""


@dataclass(slots=True)
class Waiting:
    """A fault that waits for the ``left``-th event, operation or question from now; as ``transport.Armed``."""

    name: str
    left: int
    value: Any = None
    happened: bool = False
    obstacle: Sayable = ""


class Waits:
    """Faults that wait; each happens once. ``happened`` counts those that have.

    ``heard`` gets what this part is asked, without secrets.
    """

    def __init__(self) -> None:
        self._waiting: list[Waiting] = []
        self.happened = 0
        self.heard: Callable[[Sayable], object] = lambda _said: None

    def arm(self, fault: Waiting) -> Waiting:
        self._waiting.append(fault)
        return fault

    def due(self) -> Waiting | None:
        """Count one event; the fault that is due at it."""
        for fault in self._waiting:
            fault.left -= 1
        found = next((fault for fault in self._waiting if fault.left <= 0), None)
        if found is not None:
            self._waiting.remove(found)
            found.happened = True
            self.happened += 1
        return found


class FaultyJournal(Waits):
    """A journal that injects faults, and knows the cases that were opened."""

    def __init__(self, journal: MemoryJournal | SqlJournal) -> None:
        super().__init__()
        self.inner: MemoryJournal | SqlJournal = journal
        self.cases: dict[str, Case] = {}
        """The cases by number, the one written to last at the end."""

    @property
    def key(self) -> bytes:
        return self.inner.key

    def open_case(self, event: Event) -> Case:
        """See ``Journal``."""

        def write() -> Case:
            case = self.inner.open_case(event)
            self.cases[case.number] = case
            return case

        return self._written(write, event, None)

    def append(self, case: Case, event: Event) -> None:
        """See ``Journal``."""
        self.cases.pop(case.number, None)
        self.cases[case.number] = case
        self._written(lambda: self.inner.append(case, event), event, case)

    def _written(self, write: Callable[[], T], event: Event, case: Case | None) -> T:
        self.heard(event.said)
        fault = self.due()
        match fault:
            case Waiting(name="journal_locked"):
                raise JournalUnavailable(LOCKED)
            case Waiting(name="killed", value="before-event"):
                raise ProcessKilled
            case Waiting(name="overtaken"):
                self._overtake(fault, case)
        written = write()
        if fault is not None and fault.name == "killed":
            raise ProcessKilled
        return written

    def _overtake(self, fault: Waiting, case: Case | None) -> None:
        other = None if case is None or isinstance(self.inner, MemoryJournal) else self.inner.case(case.number)
        if other is None:
            fault.obstacle = fault.obstacle or Phrase("the event opened a case, in which no other process can be first")
            return
        last = other.events[-1]
        self.inner.append(other, Event(last.time, other.stage, Phrase("Continued elsewhere")))


class FaultyHsm(Waits):
    """An HSM that injects faults. Each operation with a key counts, the look-up of an address does not.

    ``keys`` are those of the issuer: the HSM with wrong keys has their addresses.
    """

    def __init__(
        self, hsm: Hsm, keys: KeyHierarchy | None = None, *, wait: Callable[[float], object] = time.sleep
    ) -> None:
        super().__init__()
        self.inner = hsm
        self._keys = keys
        self._wait = wait

    def address_of(self, key: str, version: int = 0) -> str:
        """See ``Hsm``."""
        return self.inner.address_of(key, version)

    def authentication_data(
        self, algorithm: int, address: str, card: CardReference, factor: bytes, original: bytes
    ) -> bytes:
        """See ``Hsm``."""
        said = Phrase("authentication data with the key at {address}", address=address)
        return self._for_operation(said).authentication_data(algorithm, address, card, factor, original)

    def safe_message(
        self, algorithm: int, address: str, card: CardReference, factor: bytes, header: bytes, pin: bytes | None
    ) -> bytes:
        """See ``Hsm``."""
        said = Phrase("secured command with the key at {address}", address=address)
        return self._for_operation(said).safe_message(algorithm, address, card, factor, header, pin)

    def purchase_mac(self, algorithm: int, address: str, card: CardReference, factor: bytes, message: bytes) -> bytes:
        """See ``Hsm``."""
        said = Phrase("MAC of a purchase or load with the key at {address}", address=address)
        return self._for_operation(said).purchase_mac(algorithm, address, card, factor, message)

    def transaction_proof(self, algorithm: int, address: str, card: CardReference, message: bytes) -> bytes:
        """See ``Hsm``."""
        said = Phrase("transaction proof (TAC) with the key at {address}", address=address)
        return self._for_operation(said).transaction_proof(algorithm, address, card, message)

    def _for_operation(self, said: Phrase) -> Hsm:
        """The HSM that does the next operation."""
        self.heard(said)
        match self.due():
            case Waiting(name="hsm_down"):
                raise HsmUnavailable(DOWN, START)
            case Waiting(name="hsm_slow", value=seconds):
                self._wait(seconds)
            case Waiting(name="hsm_wrong_key"):
                return _wrong_hsm((self._keys or builtin_keys()).file)
        return self.inner


class FaultyHolderBase(Waits):
    """The holder base of a scenario, which injects faults. Each question counts."""

    def __init__(self, base: MemoryHolderBase, *, wait: Callable[[float], object] = time.sleep) -> None:
        super().__init__()
        self.inner = base
        self._wait = wait

    def standing(self, card_number: str) -> Standing:
        """See ``HolderBase``."""
        self.heard(Phrase("standing of the card"))
        match self.due():
            case Waiting(name="base_down"):
                raise HolderBaseUnavailable(BASE_DOWN)
            case Waiting(name="base_slow", value=seconds):
                self._wait(seconds)
        return self.inner.standing(card_number)


class FaultyProver(Waits):
    """The proof of identity of a scenario, which injects faults. Each proof counts."""

    def result(self, stated: ProofResult | None) -> ProofResult | None:
        """The result of a proof as the scenario states it, or as a fault makes it."""
        if stated:
            self.heard(Phrase("proof of identity"))
        return ProofResult.UNAVAILABLE if self.due() else stated


def _wrong_hsm(file: KeyFile) -> Hsm:
    """An HSM with the addresses of a key file and other keys."""
    others = [
        replace(
            root,
            by_suite={
                suite: [bytes(byte ^ 0xFF for byte in value) for value in root.by_suite[suite]]
                for suite in root.by_suite
            },
        )
        for root in file.keys
    ]
    return SoftHsm(KeyHierarchy(KeyFile(file.name, others)))
