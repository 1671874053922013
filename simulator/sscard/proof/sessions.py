"""Sessions with a card file that end with ``kill -9``: what they answered, and what the file has afterwards.

A session sends wrong and right PINs. Its process is killed at a random moment,
or at a system call of the store. Every answer that arrived must be in the file,
and of the command that was killed nothing may be given back.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass, field, replace
from datetime import date
from io import StringIO
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

from sscard.card.commands import pin as pin_commands
from sscard.errors import MissingPart, PhrasedError
from sscard.i18n.phrase import EITHER, Phrase, Sayable
from sscard.issuer import Card, builtin_keys, make_holder, make_order, personalise, preset
from sscard.issuer.cardfile import load_card, save_card
from sscard.issuer.database import wal_of
from sscard.model.invariants import ANSWER_KEPT, FILE_OPENS, GUESS_PAID, NO_TRY_BACK
from sscard.standard.apdu import command
from sscard.standard.encoding import encode_pin

Main = Callable[[list[str]], None]
"""The command line ``sscard``, as ``sscard.cli.main.main``."""
Broken = tuple[str, Sayable]
"""The name of an invariant, and what broke it."""

PROGRAM: Final = (sys.executable, "-m", "sscard")
CITY: Final = "510100"
ISSUED: Final = date(2025, 1, 1)
RIGHT_PIN, WRONG_PIN = "123456", "999999"
TRIES: Final = 15
COMMANDS: Final = 6
"""Commands of a session; the card starts with more tries than that."""
MOMENTS: Final = 100_000
"""Turns of an empty loop, about as long as the card takes for a command and its write."""
SYSTEM_CALLS: Final = ("write", "pwrite64", "fsync", "fdatasync", "ftruncate", "unlink")
"""What SQLite and the store change files with."""
CALL: Final = re.compile(r"^(?:\d+ +)?(\w+)\(([^,)]*)", re.MULTILINE)
STANDARD_STREAMS: Final = ("0", "1", "2")
FRESH, LEFT = "fresh.db", "left.db"
"""States of a card file: as issued, and as a killed session left it."""


def verify(pin: str) -> bytes:
    """VERIFY of a PIN."""
    return command(0x00, 0x20, 0x00, 0x00, encode_pin(pin))


VERIFY: Final = {True: verify(RIGHT_PIN), False: verify(WRONG_PIN)}


def new_card(random: Random, pin: str = RIGHT_PIN) -> Card:
    """A card with as many tries as a PIN can have."""
    personality = replace(preset("v3-sm4"), pin_tries=TRIES)
    order = make_order(personality, random, make_holder(random), CITY, ISSUED)
    return personalise(replace(order, pin=pin), builtin_keys())


@dataclass
class Session:
    """A session that was killed.

    ``pins`` are right (True) or wrong, ``before`` and ``after`` the tries left.
    ``compared`` counts comparisons, -1 if nobody counted. ``log`` is whether
    the kill left a write-ahead log.
    """

    pins: list[bool]
    before: int
    answers: list[str] = field(default_factory=list)
    after: int = 0
    compared: int = -1
    log: bool = False

    @property
    def implied(self) -> list[int]:
        """The tries left before each command and after the last one."""
        left = [self.before]
        for right in self.pins:
            left.append(TRIES if right else left[-1] - 1)
        return left

    def broken(self) -> Iterator[Broken]:
        """What is wrong: an answer, the tries in the file, a comparison without a try."""
        left, answered = self.implied, len(self.answers)
        expected = ["9000" if right else f"63C{left[at] - 1:X}" for at, right in enumerate(self.pins)]
        if self.answers != expected[:answered]:
            given, right_ones = " ".join(self.answers), " ".join(expected[:answered])
            yield ANSWER_KEPT, Phrase("answers {given}, expected {expected}", given=given, expected=right_ones)
            return
        begun = {left[answered] - 1, left[answered + 1]} if answered < len(self.pins) else set()
        allowed = begun if self.compared > answered else begun | {left[answered]}
        if self.after not in allowed:
            yield (
                NO_TRY_BACK if self.compared <= answered else GUESS_PAID,
                Phrase(
                    "{after} tries left after {answered} answers and {compared} comparisons, expected {allowed}",
                    after=self.after,
                    answered=answered,
                    compared=max(self.compared, answered),
                    allowed=Phrase.joined(EITHER, sorted(allowed)),
                ),
            )
        if self.compared > answered + 1:
            yield (
                GUESS_PAID,
                Phrase("{compared} comparisons, {answered} answers", compared=self.compared, answered=answered),
            )


class CardUnderTest:
    """The file of a card that sessions use one after another; it is issued again when its tries run out."""

    def __init__(self, folder: Path, random: Random) -> None:
        self.path = folder / "card.db"
        self._random = random
        save_card(new_card(random), self.path)
        self.keep(FRESH)

    def begin(self) -> Session:
        """The next session, with random PINs."""
        before = self.tries()
        if before <= COMMANDS:
            self.restore(FRESH)
            before = TRIES
        return Session([self._random.random() < 0.25 for _ in range(COMMANDS)], before)

    def end(self, session: Session) -> list[Broken]:
        """Read the file that a session has left; what is broken in it. A file that does not open is issued again."""
        session.log = wal_of(self.path).exists()
        try:
            session.after = self.tries()
        except PhrasedError as error:
            self.restore(FRESH)
            return [(FILE_OPENS, error.said)]
        return list(session.broken())

    def tries(self) -> int:
        """The tries left in the file, as the next session finds them."""
        card = load_card(self.path)
        card.memory.recover()
        return card.snapshot().pin_tries

    def keep(self, state: str) -> None:
        """Keep the file and its write-ahead log under a name, for ``restore``."""
        _copy(self.path, self.path.with_name(state))

    def restore(self, state: str) -> None:
        """The file and its log as they were."""
        _copy(self.path.with_name(state), self.path)


def _copy(source: Path, target: Path) -> None:
    wal_of(target).unlink(missing_ok=True)
    shutil.copy(source, target)
    if wal_of(source).exists():
        shutil.copy(wal_of(source), wal_of(target))


def warm_up(card: CardUnderTest, main: Main) -> None:
    """Import what ``sscard apdu`` imports only when it runs, so that no fork has to."""
    with redirect_stdout(StringIO()), suppress(SystemExit):
        main(["apdu", str(card.path), "--raw", "0084000008"])


def killed_at_random(card: CardUnderTest, main: Main, random: Random) -> Session:
    """A session of ``sscard apdu --raw`` in a fork, killed some turns of a loop after one of its answers."""
    session = card.begin()
    given, taken, counted = os.pipe(), os.pipe(), os.pipe()
    os.write(given[1], script(session).encode())
    child = os.fork()
    if not child:
        _become_session(card.path, main, given[0], taken[1], counted[1])
    for unused in (*given, taken[1], counted[1]):
        os.close(unused)
    try:
        with os.fdopen(taken[0]) as answers:
            session.answers = [answers.readline().strip() for _ in range(random.randrange(COMMANDS + 1))]
            for _ in range(random.randrange(MOMENTS)):
                pass
            os.kill(child, signal.SIGKILL)
            session.answers += [line.strip() for line in answers if line.endswith("\n")]
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    with os.fdopen(counted[0], "rb") as comparisons:
        session.compared = max(len(comparisons.read()), len(session.answers))  # the compiled chip cannot be watched
    return session


def script(session: Session) -> str:
    """The commands of a session, a line each; the session ends when it has read them."""
    return "".join(f"{VERIFY[right].hex()}\n" for right in session.pins)


def _become_session(path: Path, main: Main, commands: int, answers: int, comparisons: int) -> None:
    """In a fork: run the session on these pipes; a byte on the last one before each comparison. Does not return."""
    try:
        names = vars(pin_commands)
        equal = names["equal"]

        def count(given: bytes, stored: bytes) -> bool:
            os.write(comparisons, b".")
            return bool(equal(given, stored))

        names["equal"] = count
        os.dup2(commands, 0)
        os.dup2(answers, 1)
        for each in (commands, answers):
            os.close(each)
        sys.stdin, sys.stdout = os.fdopen(0), os.fdopen(1, "w")
        main(["apdu", str(path), "--raw"])
    finally:
        os._exit(0)


def check_strace() -> None:
    """Raise ``MissingPart`` if no program can be stopped at its system calls here."""
    remedy = "sudo apt-get install strace"
    try:
        traced = subprocess.run(  # noqa: S603
            ["strace", "-qq", "-e", "trace=none", *PROGRAM, "--version"],  # noqa: S607
            capture_output=True,
            check=False,
        )
    except OSError:
        raise MissingPart(Phrase("strace is not installed"), remedy) from None
    if traced.returncode:
        raise MissingPart(Phrase("strace cannot trace a program here"), Phrase("allow ptrace, for example run as root"))


class Call(NamedTuple):
    """A system call in a session on a card file in some state: its name, and which call of this name."""

    state: str
    name: str
    number: int


def system_calls(card: CardUnderTest) -> list[Call]:
    """The system calls of the store in a session on a fresh card file, and on one that a killed session left."""
    log = card.path.with_name("calls")
    found = []
    for state in (FRESH, LEFT):
        card.restore(state)
        _traced(card, _session_of(card), log).check_returncode()
        counts: dict[str, int] = {}
        for name, handle in CALL.findall(log.read_text(errors="replace")):
            counts[name] = counts.get(name, 0) + 1
            if handle not in STANDARD_STREAMS:
                found.append(Call(state, name, counts[name]))
        if state == FRESH:
            killed_at_call(card, found[len(found) // 2])
            card.keep(LEFT)
    return found


def killed_at_call(card: CardUnderTest, call: Call) -> Session:
    """A session of ``sscard apdu --raw`` that is killed as it enters a system call."""
    card.restore(call.state)
    session = _session_of(card)
    inject = f"inject={call.name}:signal=KILL:when={call.number}"
    done = _traced(card, session, card.path.with_name("calls"), "-e", inject)
    session.answers = [line.strip() for line in done.stdout.splitlines(keepends=True) if line.endswith("\n")]
    return session


def _session_of(card: CardUnderTest) -> Session:
    return Session([False, True, False, False], card.tries())


def _traced(card: CardUnderTest, session: Session, log: Path, *injected: str) -> subprocess.CompletedProcess[str]:
    """``sscard apdu --raw`` under strace, without writing compiled modules: each run has the same system calls."""
    return subprocess.run(  # noqa: S603
        [
            *("strace", "-f", "-qq", "-o", str(log), "-e", f"trace={','.join(SYSTEM_CALLS)}", *injected),
            *(*PROGRAM, "apdu", str(card.path), "--raw"),
        ],
        input=script(session),
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
