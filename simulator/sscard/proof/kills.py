"""``sscard prove kills``: ``kill -9`` at random moments and at system calls; no answer that was given is lost.

The parts are independent: each has its own cards, journals, readers and
servers, in a temporary folder, and a random source of its own from the seed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from enum import StrEnum
from itertools import islice
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Final

from sscard.errors import MissingPart
from sscard.i18n.phrase import Phrase
from sscard.model.invariants import ANSWER_KEPT
from sscard.proof.outages import UnreliableOffice
from sscard.proof.postgres import PrivatePostgres, find_programs
from sscard.proof.readers import clients, killed_inserts, restarts_of_pcscd
from sscard.proof.replacement import FAULTS, KINDS, Replacement
from sscard.proof.report import Proof
from sscard.proof.sessions import (
    Broken,
    CardUnderTest,
    Main,
    Session,
    check_strace,
    killed_at_call,
    killed_at_random,
    system_calls,
    warm_up,
)
from sscard.proof.workers import REASONS, Office
from sscard.transport.pcsc import readers
from sscard.transport.pcscd import MAX_READERS, PrivatePcscd, check_private_pcscd

RESTART_EVERY: Final = 10
"""One case in so many loses its database server instead of its worker."""


class What(StrEnum):
    """What is killed."""

    APDU = "apdu"
    SYSTEM_CALLS = "system-calls"
    REPLACE = "replace"
    INSERT = "insert"
    CASE_SQLITE = "case-sqlite"
    CASE_POSTGRES = "case-postgres"
    CASE_OUTAGES = "case-outages"
    PCSCD = "pcscd"
    CLIENTS = "clients"


def prove_kills(proof: Proof, main: Main, parts: Iterable[What], count: int = 0) -> None:
    """Run parts; ``count`` kills each, 0 for the default of each part. ``main`` is the command line.

    Raises ``MissingPart`` before the first kill if something that a part needs is not installed.
    """
    if not hasattr(os, "fork"):
        raise MissingPart(Phrase("killing processes needs fork and SIGKILL"), Phrase("use Linux or WSL"))
    chosen = list(parts)
    for part in chosen:
        if part in CHECKS:
            CHECKS[part]()
    for part in chosen:
        with TemporaryDirectory(prefix="sscard-kills-") as folder:
            run = _Part(proof, part, count or COUNTS[part], main, Path(folder))
            RUNS[part](run)


class _Part:
    """A part that runs: what its functions need."""

    def __init__(self, proof: Proof, what: What, count: int, main: Main, folder: Path) -> None:
        self.proof = proof
        self.count = count
        self.main = main
        self.folder = folder
        self.random = Random(f"{proof.seed} {what}")
        self._what = what

    def note(self, counted: str, found: Iterable[Broken], kills: int = 1) -> None:
        """Count what was done, with what was broken."""
        number = self.proof.counts.get(counted, 0) + 1
        command = f"sscard prove kills --what {self._what} --count {number} --seed {self.proof.seed}"
        for invariant, happened in found:
            self.proof.violate(invariant, happened, command)
        self.proof.count(counted, kills)

    def judge(self, counted: str, card: CardUnderTest, session: Session) -> None:
        """Count a session, with what is broken in it and in its file."""
        self.note(counted, card.end(session))
        if session.log:
            self.proof.count("logs_left")


def _apdu(part: _Part) -> None:
    card = CardUnderTest(part.folder, part.random)
    warm_up(card, part.main)
    for _ in range(part.count):
        part.judge("apdu_kills", card, killed_at_random(card, part.main, part.random))


def _system_calls(part: _Part) -> None:
    """At each system call of a session once, again from the first one if more kills are asked for."""
    card = CardUnderTest(part.folder, part.random)
    calls = system_calls(card)
    part.proof.count("system_calls", len(calls))
    for number in range(part.count or len(calls)):
        part.judge("system_call_kills", card, killed_at_call(card, calls[number % len(calls)]))


def _replace(part: _Part) -> None:
    """At each system call of each command that replaces a file, in turn; a power loss before each call once."""
    for number, kind in enumerate(KINDS):
        replacement = Replacement(part.folder / str(number), kind)
        part.proof.count("system_calls", len(replacement.calls))
        for broken in replacement.powerless(part.random):
            part.note("power-losses", broken)
        faults = [(call, fault) for call in replacement.calls for fault in FAULTS]
        for call, fault in faults[: part.count or len(faults)]:
            part.note("replacements", replacement.interrupted(call, fault))


def _insert(part: _Part) -> None:
    card = CardUnderTest(part.folder, part.random)
    with PrivatePcscd(MAX_READERS) as pcscd:
        for session in islice(killed_inserts(pcscd, card, part.random), part.count):
            part.judge("insert_kills", card, session)


def _pcscd(part: _Part) -> None:
    card = CardUnderTest(part.folder, part.random)
    with PrivatePcscd() as pcscd:
        for session in islice(restarts_of_pcscd(pcscd, card, part.random), part.count):
            asked = session.after
            part.judge("pcscd_kills", card, session)
            if session.after != asked:
                said = Phrase(
                    "the card answers {asked} tries left, its file has {after}", asked=asked, after=session.after
                )
                part.note("pcscd_kills", [(ANSWER_KEPT, said)], 0)


def _clients(part: _Part) -> None:
    with PrivatePcscd(MAX_READERS) as pcscd:
        part.note("client_commands", clients(pcscd, part.count, part.random), part.count)


def _case_sqlite(part: _Part) -> None:
    office = Office(str(part.folder / "journal.db"), part.folder, part.main, part.random)
    _kill_workers(part, office)


def _case_postgres(part: _Part) -> None:
    with PrivatePostgres(durable=True) as server:
        _kill_workers(part, Office(server.url, part.folder, part.main, part.random), server.restart)


def _case_outages(part: _Part) -> None:
    """HSM and holder base fail at random too; what counts are the workers that were killed."""
    office = UnreliableOffice(str(part.folder / "journal.db"), part.folder, part.main, part.random)
    steps = max(office.steps_of(reason) for reason in REASONS)
    cases = 0
    while office.kills < part.count:
        before = office.kills
        broken = office.case_in_bad_weather(f"case {cases}", part.random.choice(REASONS), steps)
        part.note("outage_kills", broken, office.kills - before)
        cases += 1
    part.proof.count("outage_cases", cases)
    part.note("journals_verified", office.check_journal())


def _kill_workers(part: _Part, office: Office, restart: Callable[[], None] | None = None) -> None:
    random = part.random
    steps = {reason: office.steps_of(reason) for reason in REASONS}
    kills = "worker_kills"
    while part.proof.counts.get(kills, 0) < part.count:
        number = part.proof.counts.get(kills, 0)
        reason = random.choice(REASONS)
        step, key = random.randrange(steps[reason]), f"kill {number}"
        if restart is not None and random.randrange(RESTART_EVERY) == 0:
            restarts = part.proof.counts.get("server_restarts", 0)
            part.note("server_restarts", office.without_server(step, f"restart {restarts}", reason, restart))
        elif random.random() < 0.5:
            part.note(kills, office.killed_at(step, key, reason))
        else:
            part.note(kills, office.killed_after(step, key, reason), 2)
    part.note("journals_verified", office.check_journal())


def _check_readers() -> None:
    check_private_pcscd()
    with PrivatePcscd():
        readers()


CHECKS: Final[dict[What, Callable[[], object]]] = {
    What.SYSTEM_CALLS: check_strace,
    What.REPLACE: check_strace,
    What.INSERT: _check_readers,
    What.PCSCD: _check_readers,
    What.CLIENTS: _check_readers,
    What.CASE_POSTGRES: find_programs,
}
"""What raises ``MissingPart`` for a part."""
COUNTS: Final = {
    What.APDU: 100,
    What.SYSTEM_CALLS: 0,
    What.REPLACE: 0,
    What.INSERT: 10,
    What.CASE_SQLITE: 20,
    What.CASE_POSTGRES: 20,
    What.CASE_OUTAGES: 20,
    What.PCSCD: 5,
    What.CLIENTS: 10_000,
}
"""Kills of each part by default, about three minutes in all; of system calls and replacements, each one once."""
RUNS: Final[dict[What, Callable[[_Part], None]]] = {
    What.APDU: _apdu,
    What.SYSTEM_CALLS: _system_calls,
    What.REPLACE: _replace,
    What.INSERT: _insert,
    What.CASE_SQLITE: _case_sqlite,
    What.CASE_POSTGRES: _case_postgres,
    What.CASE_OUTAGES: _case_outages,
    What.PCSCD: _pcscd,
    What.CLIENTS: _clients,
}
