"""Ask an HSM every test vector, and report what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from time import monotonic
from typing import Any, Final

from sscard.errors import InputError, said_by
from sscard.hsm.calculation import Question
from sscard.hsm.mistakes import TEST_KEYS, UNKNOWN, Diagnosis
from sscard.hsm.plugin import PlugInFault
from sscard.hsm.protocol import Hsm, HsmError, HsmUnavailable, UnusableAnswer, locator
from sscard.hsm.vectors import REASONS, Vector
from sscard.i18n.phrase import Phrase, Sayable
from sscard.issuer.hierarchy import KeyHierarchy

ADDRESS: Final = "address"
"""The group of the key addresses; the ids of its questions are ``address/KEY/VERSION``, from version 1."""
ADDRESS_FORM: Final = "[0-9A-Fa-f]{4}"
OTHER_ROOT: Final = "other-root"


class Status(StrEnum):
    """How an HSM answered."""

    RIGHT = "right"
    DIFFERS = "differs"
    CHANGES = "changes"
    """The same question got another answer the second time."""
    REFUSED = "refused"
    ACCEPTED = "accepted"
    """It answered what it has to refuse."""
    LATE = "late"
    FAILED = "failed"
    """An error in the code of a plug-in, or a result of another form."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer to a question: seconds until it came, what is said about it, and the name of the mistake if known."""

    id: str
    status: Status
    seconds: float
    said: Sayable = ""
    mistake: str = ""
    given: bytes = b""

    @property
    def group(self) -> str:
        """The group of the vector, or ``address``."""
        return ADDRESS if self.id.startswith(f"{ADDRESS}/") else self.id.rpartition("/")[0]


class HsmCheck:
    """The check of an HSM: ``run`` asks, ``outcomes`` has by id what was answered so far.

    ``vectors`` are those of ``roots``. An answer that takes longer than
    ``patience`` seconds is late. The first vector of each group is asked again
    at the end.
    """

    def __init__(
        self, hsm: Hsm, vectors: Iterable[Vector], roots: KeyHierarchy, *, patience: float, addresses: bool = True
    ) -> None:
        self.vectors = {vector.id: vector for vector in vectors if vector.for_hsm}
        self.keys = {
            (vector.asked.key, vector.asked.version): None
            for vector in self.vectors.values()
            if addresses and not vector.refused
        }
        self.outcomes: dict[str, Outcome] = {}
        self.asking = ""
        """The id of the question that is open."""
        self._hsm = hsm
        self._roots = roots
        self._patience = patience
        self._locate = locator(hsm)

    @property
    def questions(self) -> int:
        """The number of outcomes of a complete check."""
        return len(self.keys) + len(self.vectors)

    def run(self) -> None:
        """Ask everything; ``HsmUnavailable`` if the HSM ends meanwhile."""
        self._ask_addresses()
        for vector in self.vectors.values():
            self.outcomes[vector.id] = self._judged(vector, self._ask(vector.id, vector.asked))
        again = {vector.group: vector for vector in reversed(self.vectors.values())}
        for vector in again.values():
            first, second = self.outcomes[vector.id], self._ask(vector.id, vector.asked)
            if first.given != second.given:
                said = Phrase("the same question got another answer the second time")
                self.outcomes[vector.id] = replace(first, status=Status.CHANGES, said=said)

    def _ask_addresses(self) -> None:
        taken: dict[str, str] = {}
        for key, version in self.keys:
            name = f"{ADDRESS}/{key}/{version + 1}"
            outcome = self._ask(name, Question("address-of", 0, {}, key=key, version=version))
            if outcome.status is Status.RIGHT:
                address = outcome.given.hex().upper()
                if address in taken:
                    said = Phrase(
                        "the address {address} is also that of {other}", address=address, other=taken[address]
                    )
                    outcome = replace(outcome, status=Status.DIFFERS, said=said)
                taken[address] = name
            self.outcomes[name] = self._in_time(outcome)

    def _judged(self, vector: Vector, outcome: Outcome) -> Outcome:
        match outcome.status, bool(vector.refused):
            case Status.REFUSED, True:
                outcome = replace(outcome, status=Status.RIGHT, said="")
            case Status.RIGHT, True:
                said = Phrase("answered, but has to be refused: {reason}", reason=REASONS[vector.refused])
                outcome = replace(outcome, status=Status.ACCEPTED, said=said)
            case Status.RIGHT, False if outcome.given != vector.result:
                outcome = replace(outcome, status=Status.DIFFERS)
        return self._in_time(outcome)

    def _in_time(self, outcome: Outcome) -> Outcome:
        if outcome.status is not Status.RIGHT or outcome.seconds <= self._patience:
            return outcome
        late = Phrase("right, but later than after {patience:g} s", patience=self._patience)
        return replace(outcome, status=Status.LATE, said=late)

    def _ask(self, name: str, asked: Question) -> Outcome:
        """The answer: ``RIGHT`` if it is bytes, ``REFUSED`` or ``FAILED``."""
        self.asking = name
        begun = monotonic()
        said: Sayable = Phrase("the result has not the form of the operation")
        status, given = Status.FAILED, b""
        try:
            answer = self._answer(asked)
        except PlugInFault as error:
            said = error.said
        except UnusableAnswer as error:
            given = error.given
            status = Status.RIGHT if given else status
        except HsmUnavailable:
            raise
        except (HsmError, InputError) as error:
            status, said = Status.REFUSED, Phrase("refused: {reason}", reason=said_by(error))
        else:
            if isinstance(answer, bytes):
                status, given = Status.RIGHT, answer
        seconds = monotonic() - begun
        return Outcome(name, status, seconds, "" if status is Status.RIGHT else said, given=given)

    def _answer(self, asked: Question) -> Any:
        """The answer as the HSM gives it; ``ValueError`` if the question is none for an HSM."""
        if asked.operation == "address-of":
            address = self._hsm.address_of(asked.key, asked.version)
            return bytes.fromhex(address) if re.fullmatch(ADDRESS_FORM, address) else None
        address = asked.address or self._locate(asked.key, asked.version)
        data, of_card = asked.data, (asked.algorithm, address, asked.card)
        message = data.get("message") or b""
        factor = data.get("factor") or b""
        match asked.operation:
            case "authentication-data":
                return self._hsm.authentication_data(*of_card, factor, data["original"] or b"")
            case "safe-message":
                return self._hsm.safe_message(*of_card, factor, data["header"] or b"", data["pin"])
            case "purchase-mac":
                return self._hsm.purchase_mac(*of_card, factor, message)
            case "transaction-proof":
                return self._hsm.transaction_proof(*of_card, message)
        raise ValueError(f"not an operation of an HSM: {asked.operation}")

    def findings(self) -> list[Outcome]:
        """The outcomes so far that are not right, in their order, with the mistakes that explain them."""
        wrong = [outcome for outcome in self.outcomes.values() if outcome.status is not Status.RIGHT]
        differing = [outcome for outcome in wrong if outcome.status is Status.DIFFERS and outcome.group != ADDRESS]
        pairs = [(self.vectors[outcome.id], outcome.given) for outcome in differing]
        right = [
            vector
            for name, vector in self.vectors.items()
            if not vector.refused and name in self.outcomes and self.outcomes[name].given == vector.result
        ]
        explained = Diagnosis(self._roots).of_all(pairs, right)
        named = dict(zip((outcome.id for outcome in differing), explained, strict=True))
        others = self._other_roots({name for name, (mistake, _) in named.items() if mistake == UNKNOWN})
        return [self._named(outcome, others, *named.get(outcome.id, (UNKNOWN, ""))) for outcome in wrong]

    def _other_roots(self, unexplained: set[str]) -> set[tuple[int, str, int]]:
        """The keys with which every answer is unexplained.

        If these are all keys of a group, and another group of the suite has
        right answers, the operation is wrong, not its keys.
        """
        keys: dict[tuple[int, str, int], set[bool]] = {}
        groups: dict[str, set[tuple[int, str, int]]] = {}
        for name, outcome in self.outcomes.items():
            if name in self.vectors and not self.vectors[name].refused:
                keys.setdefault(self._key_of(name), set()).add(name in unexplained)
                groups.setdefault(outcome.group, set()).add(self._key_of(name))
        if any(outcome.status == Status.CHANGES for outcome in self.outcomes.values()):
            return set()  # answers that change say nothing about roots
        others = {key for key, found in keys.items() if found == {True}}
        wrong = {group for group, used in groups.items() if used <= others}
        for group in wrong:
            suite = group.partition("/")[0]
            rest = {other for other in groups if other.startswith(f"{suite}/")} - wrong
            if len(groups[group]) > 1 and rest:
                others -= groups[group]
        return others

    def _key_of(self, name: str) -> tuple[int, str, int]:
        asked = self.vectors[name].asked
        return asked.algorithm, asked.key, asked.version

    def _named(self, outcome: Outcome, others: set[tuple[int, str, int]], mistake: str, said: Sayable) -> Outcome:
        """A finding with its mistake; ``others`` are the keys with which no answer is right or explained."""
        if outcome.said:
            return outcome
        if mistake:
            return replace(outcome, said=Phrase("differs: {mistake}", mistake=said), mistake=mistake)
        algorithm, key, version = self._key_of(outcome.id)
        if (algorithm, key, version) in others:
            root = Phrase("probably another root of {key} version {version}", key=key, version=version + 1)
            return replace(outcome, said=Phrase("differs: {mistake}", mistake=root), mistake=OTHER_ROOT)
        return replace(outcome, said=Phrase("differs, and no known mistake gives this answer"))

    def roots_differ(self, findings: Iterable[Outcome]) -> bool:
        """Whether every answer differs as with other roots: then the HSM has not the keys of the vectors."""
        mistakes = {outcome.mistake for outcome in findings if outcome.status is Status.DIFFERS}
        answered = [
            outcome
            for name, outcome in self.outcomes.items()
            if name in self.vectors and not self.vectors[name].refused and outcome.given
        ]
        differ = all(outcome.status is Status.DIFFERS for outcome in answered)
        return bool(answered) and differ and mistakes <= {OTHER_ROOT, TEST_KEYS}
