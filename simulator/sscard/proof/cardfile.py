"""Crashes, power losses and failing disks at every operation on a card file.

The store of a card runs as it is, but for SQLite's access to the file. First
the commands are played on a card in memory: that says which states there are.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Final

from sscard.errors import InputError, MissingPart
from sscard.i18n.phrase import Phrase
from sscard.issuer.cardfile import FileCard, open_card
from sscard.issuer.database import CARD, new_file, wal_of
from sscard.issuer.migrations import ignore
from sscard.issuer.store import CardStore
from sscard.model import invariants
from sscard.model.invariants import KEPT
from sscard.proof.cases import SSSE, VERIFY, WRONG_VERIFY
from sscard.proof.facts import card_facts
from sscard.proof.play import Play
from sscard.proof.report import Proof
from sscard.proof.scripts import CardScript
from sscard.proof.stored import Operation, Stored
from sscard.proof.vfs import Disk, connector
from sscard.standard.tree import PIN

NAME: Final = "card.db"
MEMORY: Final = Path("/dev", "shm")
"""Where files are made, if the system has it: a disk would sync each of thousands of files."""
SHORT_SHARE: Final = 0.012
"""Of the operations at which the short form looks."""
AGAIN: Final = (SSSE, WRONG_VERIFY, "805E0100 {pin} FF 123456")
AGAIN_SHARE: Final = 5
"""How much more of the operations of a session after a kill the short form looks at."""
KILLED: Final = 2
"""Sessions that follow a killed one."""


def prove_card_file(proof: Proof, *, short: bool = False) -> None:
    """Both levels of safety, at every operation or (short) at a part of them."""
    play = Play(proof.seed)
    for sync in (False, True):
        with TemporaryDirectory(prefix="sscard-proof-", dir=MEMORY if MEMORY.is_dir() else None) as folder:
            share = SHORT_SHARE if short else 1
            run = Run(proof, play, Path(folder), sync=sync, share=share)
            run.sweep()
            run.compare_guesses()
            # The next sessions begin with what the one before left when it was killed.
            after = play
            for _ in range(KILLED):
                after = Play(proof.seed, after.end, AGAIN)
                run = Run(proof, after, Path(folder), sync=sync, share=min(1, AGAIN_SHARE * share), start=run.killed)
                run.sweep()


class Run:
    """The commands on a card file, whose every operation is known, and what becomes of the file."""

    def __init__(
        self,
        proof: Proof,
        play: Play,
        folder: Path,
        *,
        sync: bool,
        share: float,
        start: dict[str, bytes] | None = None,
    ) -> None:
        self._proof = proof
        self._play = play
        self._folder = folder
        self._sync = sync
        self._random = Random(f"{proof.seed} {sync}")
        self._share = share
        self._level = "--sync" if sync else "default"
        self._start = start or {NAME: new_file(CARD, play.card)}
        self.killed: dict[str, bytes] = {}
        self.operations: list[Operation] = []
        self._marks: list[int] = []
        self._images: set[tuple[int, int]] = set()

    def _fresh(self) -> Path:
        path = self._folder / NAME
        wal_of(path).unlink(missing_ok=True)
        for name, content in self._start.items():
            (self._folder / name).write_bytes(content)
        return path

    def sweep(self) -> None:
        """Play the commands, then interrupt them and let them fail."""
        self.record()
        self.crash()
        self.fail()

    def record(self) -> None:
        """Play the commands on a disk without faults."""
        path, disk = self._fresh(), Disk()
        store = CardStore(path, NAME, ignore, sync=self._sync, connect=connector(disk))
        # The store reserves space itself, after SQLite's last operation.
        disk.operations.append(Operation("truncate", wal_of(path).name, wal_of(path).stat().st_size))
        card = FileCard(store, path, Random(self._play.seed), contact=True)
        card.power_on()
        for number, step in enumerate(self._play.steps):
            self._marks.append(len(disk.operations))
            self._proof.count("commands")
            self._answer_must_be(number, step.send(card), Phrase("no fault"))
        self._marks.append(len(disk.operations))
        self.killed = {file.name: file.read_bytes() for file in (path, wal_of(path))}
        store.close()
        self.operations = disk.operations
        self._proof.count("operations", len(self.operations))

    def _answer_must_be(self, number: int, answer: int, where: Phrase) -> None:
        step = self._play.step(number)
        if answer != step.answer:
            seen = step.under_fault(step.whole, answer)
            self._violate("answer-kept", invariants.an_answer_is_kept(seen), number, where)

    def _command_at(self, operation: int) -> int:
        """The command during which an operation is; -1 before the first one."""
        return sum(mark <= operation for mark in self._marks) - 1

    def _chosen(self) -> Iterator[int]:
        return (number for number in range(len(self.operations)) if self._random.random() < self._share)

    def crash(self) -> None:
        """Kill the process and cut the power before, during and after operations."""
        chosen = set(self._chosen())
        stored = {name: Stored(content) for name, content in self._start.items()}
        for number, operation in enumerate(self.operations):
            if number in chosen:
                where = Phrase("{operation} {number}", operation=operation.kind, number=number)
                self._look(stored, number, Phrase("killed at {where}", where=where))
                if operation.kind == "write":
                    length = operation.length // 2
                    half = operation._replace(length=length, data=operation.data[:length])
                    torn = {name: file.copy() for name, file in stored.items()}
                    torn.setdefault(operation.file, Stored(b"")).apply(half)
                    self._look(torn, number, Phrase("killed during {where}", where=where))
                self._lose_power(stored, number, Phrase("power loss at {where}", where=where))
            if operation.kind == "delete":
                stored.pop(operation.file, None)
            else:
                stored.setdefault(operation.file, Stored(b"")).apply(operation)

    def _lose_power(self, stored: dict[str, Stored], number: int, where: Phrase) -> None:
        left = {name: list(file.after_power_loss(self._random)) for name, file in stored.items()}
        for turn in range(max(map(len, left.values()))):
            chosen = {name: choices[turn % len(choices)] for name, choices in left.items()}
            self._proof.count("power-losses")
            self._look_at(chosen, number, where, lost=not self._sync)

    def _look(self, stored: dict[str, Stored], number: int, where: Phrase) -> None:
        self._proof.count("crashes")
        self._look_at({name: (bytes(file.content), file.length) for name, file in stored.items()}, number, where)

    def _look_at(self, files: dict[str, tuple[bytes, int]], number: int, where: Phrase, *, lost: bool = False) -> None:
        """Open what a crash left; if changes may be ``lost``, any state that the card had is right."""
        command = self._command_at(number)
        image = hash((command, lost, *sorted(files.items())))
        if (command, image) in self._images:
            return
        self._images.add((command, image))
        with TemporaryDirectory(dir=self._folder) as folder:
            for name, (content, length) in files.items():
                (Path(folder) / name).write_bytes(content)
                os.truncate(Path(folder) / name, length)
            self._open(Path(folder) / NAME, command, where, 0, lost=lost)

    def _open(self, path: Path, number: int, where: Phrase, answer: int, *, lost: bool = False) -> None:
        """Open a card file as users do, and compare the card with what it may be."""
        self._proof.count("opened")
        try:
            with open_card(path, Random(1)) as card:
                card.power_on()
                after = card_facts(card.card.profile, card.card.memory)
        except Exception as error:
            happened = Phrase.quoting(f"{type(error).__name__}: {error}")
            self._violate(invariants.FILE_OPENS, happened, number, where)
            return
        step = self._play.step(number)
        if lost:
            happened = KEPT if after in self._play.had else Phrase("the card never had this state")
            self._violate("old-or-new", happened, number, where)
            return
        for name, happened in invariants.broken(step.under_fault(after, answer)):
            self._violate(name, happened, number, where)

    def fail(self) -> None:
        """Let operations fail, once or from then on, for lack of space or with an error of the device."""
        for number in self._chosen():
            for error in (errno.ENOSPC, errno.EIO):
                for lasting in (False, True):
                    self._proof.count("failures")
                    times = "from" if lasting else "at"
                    name = f"{errno.errorcode[error]} {times} operation {number}"
                    self._fail_at(Disk(number, error, lasting=lasting), Phrase.quoting(name))

    def _fail_at(self, disk: Disk, where: Phrase) -> None:
        path = self._fresh()
        number, answer = -1, 0
        try:
            store = CardStore(path, NAME, ignore, sync=self._sync, connect=connector(disk))
        except (InputError, MissingPart):
            self._open(path, number, where, 0)
            return
        try:
            card = FileCard(store, path, Random(self._play.seed), contact=True)
            with suppress(InputError, MissingPart):
                card.power_on()
                for number, step in enumerate(self._play.steps):
                    answer = 0
                    answer = step.send(card)
                    if answer == invariants.MEMORY_FAILURE or store.problem is not None:
                        self._guess(card, number, where)
                        break
                    self._answer_must_be(number, answer, where)
                else:
                    number += 1
        except Exception as error:
            self._violate("answer-kept", Phrase.quoting(repr(error)), number, where)
        finally:
            store.close()
        self._open(path, number, where, answer if number < len(self._play.steps) else 0)

    def _guess(self, card: FileCard, number: int, where: Phrase) -> None:
        """If a try cannot be stored, a right and a wrong guess are answered alike: 6581."""
        pin = card.card.memory.strings[PIN]
        card.transmit(bytes.fromhex(SSSE))
        answers = [
            int.from_bytes(card.transmit(bytes((0x00, 0x20, 0, 0, len(guess))) + guess)[-2:], "big")
            for guess in (pin[:-1] + bytes((pin[-1] ^ 1,)), pin)
            if pin
        ]
        if any(answer != invariants.MEMORY_FAILURE for answer in answers):
            said = ", ".join(f"{answer:04X}" for answer in answers)
            happened = Phrase("a try cannot be stored, but a wrong and a right guess answer {answers}", answers=said)
            self._violate(invariants.SAME_OPERATIONS, happened, number, where)

    def compare_guesses(self) -> None:
        """A wrong and a right VERIFY and CHANGE PIN make the same operations up to the comparison."""
        for text in (VERIFY, "805E0100 {pin} FF 654321"):
            shapes = []
            for line in (text, text.replace("{pin}", "{wrong_pin}", 1)):
                path, disk = self._fresh(), Disk()
                store = CardStore(path, NAME, ignore, sync=self._sync, connect=connector(disk))
                card = FileCard(store, path, Random(1), contact=True)
                card.power_on()
                card.transmit(bytes.fromhex(SSSE))
                begin = len(disk.operations)
                card.transmit(CardScript(self._play.card, 1, contact=True).filled(line))
                shapes.append([operation.shape for operation in disk.operations[begin:]])
                store.close()
                self._proof.count("commands")
            happened = invariants.same_operations(*shapes)
            self._violate(invariants.SAME_OPERATIONS, happened, len(self._play.steps), Phrase.quoting(text))

    def _violate(self, invariant: str, happened: Phrase, number: int, where: Phrase) -> None:
        if happened != KEPT:
            command = self._play.step(number).command.hex().upper()
            place = Phrase(
                "card file ({level}), command {number} ({command}): {fault}",
                level=self._level,
                number=number,
                command=command[:10],
                fault=where,
            )
            self._proof.violate(invariant, happened, place)
