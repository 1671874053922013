"""The sweep of power cuts: it holds, it has every command that writes, and it finds planted defects."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import pytest

from card import test_pin_commands, test_status_words
from kit import Desk
from kit.programs import CommandLine
from sscard.conversation.reference import CARD, PSAM
from sscard.issuer import preset
from sscard.proof.report import Proof
from sscard.proof.tears import Cut, Sweep, card_sweeps, prove_tears, psam_sweeps, run_sweep


@pytest.mark.slow
def test_the_short_sweep_finds_no_violation(sscard: CommandLine) -> None:
    code, out, err = sscard("prove", "tears", "--short", "--json")
    found = json.loads(out)
    assert (code, err, found["violations"]) == (0, "", [])
    assert (found["name"], found["seed"], found["interrupted"]) == ("tears", 1, False)
    assert found["counts"]["cuts"] > 50_000
    assert found["counts"]["commands"] > 3_000
    assert found["counts"]["failures"] > 2_000


@pytest.mark.campaign
def test_the_whole_sweep_finds_no_violation() -> None:
    proof = Proof("tears", 1)
    prove_tears(proof)
    assert proof.violations == []
    assert proof.counts["cuts"] > 1_000_000


def swept(sweeps: list[Sweep]) -> Counter[tuple[int, int]]:
    """CLA and INS of the commands that write in a sweep, and their write points in all states."""
    found: Counter[tuple[int, int]] = Counter()
    for sweep in sweeps:
        for state, lines in sweep.states.items():
            sweep.script(memory := sweep.memory.recovered()).send(lines)
            for case in sweep.commands:
                cut = Cut(Proof("", 1), sweep, memory, state, case)
                found[cut.command[0], cut.command[1]] += cut.points
    return +found


def test_every_command_of_the_card_that_writes_is_swept() -> None:
    """The commands that write are measured over the cases of the card's own tests."""
    writing = set()
    for module in (test_pin_commands, test_status_words):
        for case in (case for cases in module.CASES.values() for case in cases):
            cards = getattr(case, "cards", None) or ((case.only,) if case.only else ("v3-sm4", "v2-3des"))
            desk = Desk(replace(preset(cards[0]), **case.switches), case.pin, contact=getattr(case, "contact", False))
            case.before(desk)
            sent = bytes.fromhex(case.send) if isinstance(case.send, str) else case.send(desk)
            before = desk.memory.writes
            desk.send(sent)
            if desk.memory.writes > before:
                writing.add((sent[0], sent[1]))
    covered = swept(list(card_sweeps(1, short=True)))
    assert writing == set(covered)
    declared = {(command.clas[0], command.ins) for command in CARD.commands if 0x6581 in command.statuses}
    initialize = (0xB0, 0x28)  # its 6581 is the standard's; it writes nothing
    assert declared - {initialize} == set(covered)


def test_every_command_of_the_psam_that_writes_is_swept() -> None:
    declared = {(command.clas[0], command.ins) for command in PSAM.commands if 0x6581 in command.statuses}
    assert set(swept(list(psam_sweeps(1)))) == declared


def test_a_reduced_sweep_is_chosen_by_the_seed() -> None:
    fresh = next(card_sweeps(1))._replace(states={"fresh": ()})
    counts = []
    for seed in (1, 1, 5):
        proof = Proof("tears", seed)
        run_sweep(proof, fresh, recoveries=0, share=0.3)
        counts.append((proof.counts["commands"], proof.counts["cuts"]))
    whole = Proof("tears", 1)
    run_sweep(whole, fresh, recoveries=0)
    assert counts[0] == counts[1] != counts[2]
    assert 0 < counts[0][1] < whole.counts["cuts"]
    assert counts[0][0] == whole.counts["commands"]
