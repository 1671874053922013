"""Power cuts and memory failures at every write point of every writing command, in every state (LD/T 32.7 防拔)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from random import Random
from typing import Any, Final, NamedTuple

from sscard.card import Chip, Personality
from sscard.chip.engine import Engine, PowerError
from sscard.chip.memory import Log, Memory, Moment, PowerLost
from sscard.i18n.phrase import Phrase
from sscard.issuer import Card, builtin_keys, issue_card, preset, presets
from sscard.issuer.psam import LEVELS, PsamCard, issue_psam
from sscard.model import invariants
from sscard.model.invariants import KEPT, Facts, Interrupted
from sscard.proof.cases import (
    CARD_COMMANDS,
    CERTIFICATE_COMMANDS,
    CERTIFICATE_STATES,
    DF01,
    PSAM_COMMANDS,
    PSAM_STATES,
    STATES,
    Case,
    is_on_own_pin,
)
from sscard.proof.facts import card_facts, psam_facts
from sscard.proof.report import Proof
from sscard.proof.scripts import CardScript, PsamScript, Script
from sscard.psam.chip import PsamChip

RECOVERIES: Final = 2
"""Cuts of the recovery after a cut of the command."""
SHORT_SHARE: Final = 0.3
CUTS: Final = {
    Moment.BEFORE: Phrase("power cut before write point {point}"),
    Moment.DURING: Phrase("power cut during write point {point}"),
    Moment.AFTER: Phrase("power cut after write point {point}"),
}


class Sweep(NamedTuple):
    """A card or PSAM before any state: how to power it on, read it and talk to it over a copy of its memory."""

    name: str
    memory: Memory
    power: Callable[[Memory, Random], Engine[Any]]
    script: Callable[[Memory], Script]
    facts: Callable[[Memory], Facts]
    statuses: Callable[[Engine[Any]], Sequence[str]]
    states: dict[str, tuple[str, ...]]
    commands: tuple[Case, ...]


class Writes:
    """The transactions of a memory, as its store sees them."""

    def __init__(self) -> None:
        self.done: list[tuple[tuple[tuple[int, int], ...], tuple[tuple[int, bytes], ...]]] = []

    def commit(self, numbers: list[tuple[int, int]], strings: list[tuple[int, bytes]]) -> None:
        self.done.append((tuple(numbers), tuple(strings)))

    def keep_log(self, log: Log | None) -> None:
        """Not reached: without a cut there is no log."""


def prove_tears(proof: Proof, *, short: bool = False) -> None:
    """Sweep all cards and PSAMs; the short form sweeps a part of the commands of each state and cuts recovery once."""
    for sweep in (*card_sweeps(proof.seed, short=short), *psam_sweeps(proof.seed)):
        if short:
            run_sweep(proof, sweep, recoveries=1, share=SHORT_SHARE)
        else:
            run_sweep(proof, sweep)


def personalities(*, short: bool = False) -> list[Personality]:
    """Every preset, and each with the choices that add writes: MACs, counted MACs and unlocks, the same PIN.

    One more has the certificate application.
    """
    found = [preset(name) for name in presets()]
    varied = [
        replace(
            each,
            name=f"{each.name}-writes-more",
            updates_need_mac=True,
            failed_mac_counts=True,
            same_pin_allowed=False,
            unlock_limit=1,
        )
        for each in found
    ]
    return [*found, with_certificates(), *(varied[-1:] if short else varied)]


def with_certificates() -> Personality:
    """A 3.0 card with the certificate application."""
    return replace(preset("v3-sm4"), name="v3-sm4-certificates", certificate_application="stub")


def card_sweeps(seed: int, *, short: bool = False) -> Iterator[Sweep]:
    """A sweep for each personality and interface."""
    for personality in personalities(short=short):
        profile, memory = (card := issue_card(personality=personality, seed=seed)).profile, card.memory
        for contact in (True, False):

            def power(memory: Memory, random: Random, contact: bool = contact, profile: Any = profile) -> Chip:
                return Card(profile, memory).chip(random, contact=contact)

            def script(memory: Memory, contact: bool = contact, profile: Any = profile) -> Script:
                return CardScript(Card(profile, memory), seed, contact=contact)

            def facts(memory: Memory, profile: Any = profile) -> Facts:
                return card_facts(profile, memory)

            interface = "contact" if contact else "contactless"
            name = f"{personality.name}, {interface}"
            own = profile.layout.own_pins
            states, commands = (CERTIFICATE_STATES, CERTIFICATE_COMMANDS) if own else (STATES, CARD_COMMANDS)
            yield Sweep(name, memory, power, script, facts, card_statuses, states, commands)


def card_statuses(chip: Engine[Any]) -> list[str]:
    """What a session of a card still holds."""
    assert isinstance(chip, Chip)
    seen = chip.snapshot()
    held = {"PIN": seen.pin_verified, "challenge": seen.challenge_waiting}
    return [*(name for name, is_held in held.items() if is_held), *seen.certificate_verified, *seen.authenticated]


def psam_sweeps(seed: int) -> Iterator[Sweep]:
    """A sweep for each environment and interface of a PSAM of each level."""
    for level in LEVELS:
        psam = issue_psam(builtin_keys(), level=level)
        for number, environment in enumerate(psam.profile.environments):
            opening = (f"00A404000F{environment.name.hex()}", DF01)
            states = {name: opening + lines if lines else () for name, lines in PSAM_STATES.items()}
            commands = tuple(case._replace(script=opening + case.script) for case in PSAM_COMMANDS)
            for contact in (True, False):

                def power(
                    memory: Memory, random: Random, contact: bool = contact, psam: PsamCard = psam
                ) -> Engine[Any]:
                    return PsamCard(psam.profile, memory).chip(random, contact=contact)

                def script(
                    memory: Memory, contact: bool = contact, psam: PsamCard = psam, number: int = number
                ) -> Script:
                    return PsamScript(PsamCard(psam.profile, memory), seed, number, contact=contact)

                def facts(memory: Memory, psam: PsamCard = psam) -> Facts:
                    return psam_facts(psam.profile, memory)

                interface = "contact" if contact else "contactless"
                name = f"{level} PSAM, {environment.suite.name}, {interface}"
                yield Sweep(name, psam.memory, power, script, facts, psam_statuses, states, commands)


def psam_statuses(chip: Engine[Any]) -> list[str]:
    """What a session of a PSAM still holds."""
    assert isinstance(chip, PsamChip)
    seen = chip.snapshot()
    return [*seen.authenticated, *(["challenge"] if seen.challenge_waiting else []), *filter(None, [seen.process])]


def run_sweep(proof: Proof, sweep: Sweep, *, recoveries: int = RECOVERIES, share: float = 1) -> None:
    """Every command in every state of one card or PSAM; ``share`` of them, by the seed, is cut."""
    chosen = Random(f"{proof.seed} {sweep.name}")
    for state, lines in sweep.states.items():
        proof.count("states")
        memory = copy_of(sweep.memory)
        sweep.script(memory).send(lines)
        writes: dict[tuple[str, bool], list[Any]] = {}
        for case in sweep.commands:
            cut = Cut(proof, sweep, memory, state, case)
            if chosen.random() < share:
                cut.sweep(recoveries)
            if case.guess:
                writes[case.guess, case.right] = cut.writes
        for guess in {guess for guess, _right in writes}:
            happened = invariants.same_operations(writes[guess, True], writes[guess, False])
            if happened != KEPT:
                where = Phrase("{card}: state {state}, {command}", card=sweep.name, state=state, command=guess)
                proof.violate(invariants.SAME_OPERATIONS, happened, where)


class Cut:
    """One command in one state: what it does without a fault, and under each."""

    def __init__(self, proof: Proof, sweep: Sweep, memory: Memory, state: str, case: Case) -> None:
        self._proof = proof
        self._sweep = sweep
        self._memory = memory
        self._name = Phrase("{card}: state {state}, {command}", card=sweep.name, state=state, command=case.name)
        script = sweep.script(copy := copy_of(memory))
        script.send(case.script[:-1])
        self._before = sweep.facts(copy)
        self.command = script.filled(case.script[-1])
        self._leading = script.sent[:]
        points, log = copy.writes, Writes()
        copy.keep_in(log)
        self._answer = int.from_bytes(script.chip.transmit(self.command)[-2:], "big")
        self.points = copy.writes - points
        self.writes = log.done
        self._whole = sweep.facts(copy)
        self._seen: set[tuple[int, tuple[int, ...], tuple[bytes, ...]]] = set()
        self._spare = Random(proof.seed)
        proof.count("commands")

    def sweep(self, recoveries: int) -> None:
        """Cut the power and fail at each write point."""
        for point in range(self.points):
            for moment in Moment:
                memory = copy_of(self._memory)
                chip = self._ready(memory)
                memory.cut_power(point, moment)
                self._proof.count("cuts")
                where = CUTS[moment].filled(point=point)
                answered = True
                try:
                    chip.transmit(self.command)
                except PowerLost:
                    answered = self._answers(chip)
                chip.power_off()
                self._recover(memory, where, recoveries)
                chip.memory.mend()
                chip.power_on()
                dead = invariants.session_dies(answered, self._sweep.statuses(chip))
                self._report(invariants.SESSION_DIES, dead, where)
            memory = copy_of(self._memory)
            chip = self._ready(memory)
            memory.fail(point)
            self._proof.count("failures")
            answer = int.from_bytes(chip.transmit(self.command)[-2:], "big")
            memory.mend()
            self._check(memory, answer, Phrase("memory failure at write point {point}", point=point))

    def _ready(self, memory: Memory) -> Engine[Any]:
        """The chip just before the command."""
        chip = self._sweep.power(memory, Random(self._proof.seed))
        chip.power_on()
        for command in self._leading:
            chip.transmit(command)
        return chip

    def _answers(self, chip: Engine[Any]) -> bool:
        try:
            chip.transmit(self.command)
        except PowerError:
            return False
        return True

    def _recover(self, memory: Memory, where: Phrase, recoveries: int) -> None:
        """Power on, with the recovery cut at each of its points this many times."""
        point = 0
        while recoveries and memory.log is not None:
            for moment in Moment:
                copy = copy_of(memory)
                copy.cut_power(point, moment)
                try:
                    self._sweep.power(copy, self._spare).power_on()
                except PowerLost:
                    self._proof.count("cuts")
                    again = CUTS[moment].filled(point=point)
                    both = Phrase("{cut}; then, at power-on, {again}", cut=where, again=again)
                    self._recover(copy, both, recoveries - 1)
                else:
                    recoveries = 0
                    break
            point += 1
        copy = copy_of(memory)
        self._sweep.power(copy, self._spare).power_on()
        self._check(copy, 0, where)

    def _check(self, memory: Memory, answer: int, where: Phrase) -> None:
        """Compare the memory with what it may be; one that was seen already is as good as before."""
        key = answer, tuple(memory.numbers), tuple(memory.strings)
        if key in self._seen:
            return
        self._seen.add(key)
        own, facts = is_on_own_pin(self.command), self._sweep.facts(memory)
        seen = Interrupted(self._before, self._whole, facts, answer, self._answer, own)
        for name, happened in invariants.broken(seen):
            self._report(name, happened, where)

    def _report(self, invariant: str, happened: Phrase, where: Phrase) -> None:
        if happened != KEPT:
            place = Phrase("{command}: {fault}", command=self._name, fault=where)
            self._proof.violate(invariant, happened, place)


def copy_of(memory: Memory) -> Memory:
    """A memory of its own in the same state, log included."""
    copy = Memory(memory.numbers[:], memory.strings[:])
    copy.log = memory.log
    return copy
