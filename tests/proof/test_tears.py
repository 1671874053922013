"""The sweep of power cuts: it holds, it has every command that writes, and it finds planted defects."""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import replace

import pytest

from card import test_pin_commands, test_status_words
from kit import Desk
from kit.programs import CommandLine
from sscard.conversation.reference import CARD, PSAM
from sscard.i18n.phrase import Phrase
from sscard.issuer import preset
from sscard.proof.report import Proof
from sscard.proof.tears import Cut, Sweep, card_sweeps, psam_sweeps, run_sweep


@pytest.mark.slow
def test_the_short_sweep_finds_no_violation(sscard: CommandLine) -> None:
    code, out, err = sscard("prove", "tears", "--short", "--only", "memory", "--json")
    found = json.loads(out)
    assert (code, err, found["violations"]) == (0, "", [])
    assert (found["schema"], found["name"], found["seed"]) == ("sscard.proof/1", "tears", 1)
    assert not found["interrupted"]
    assert found["counts"]["cuts"] > 50_000
    assert found["counts"]["commands"] > 3_000
    assert found["counts"]["failures"] > 2_000


def test_without_apsw_it_ends_with_the_command_that_installs_it(
    sscard: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("sscard.proof.cardfile", "sscard.proof.vfs"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(sys.modules, "apsw", None)
    code, out, err = sscard("prove", "tears", "--short")
    assert (code, out) == (3, "")
    assert "pip install 'sscard[proof]'" in err


def test_ctrl_c_reports_the_counts_so_far(sscard: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(proof: Proof, *, short: bool) -> None:
        proof.count("cuts", 7)
        raise KeyboardInterrupt

    monkeypatch.setattr("sscard.proof.tears.prove_tears", interrupt)
    code, out, err = sscard("prove", "tears", "--only", "memory", "--json")
    found = json.loads(out)
    assert (code, found["interrupted"], found["counts"], err) == (130, True, {"cuts": 7}, "interrupted\n")


def test_a_violation_is_shown_with_its_name_and_what_reproduces_it(
    sscard: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_it(proof: Proof, *, short: bool) -> None:
        proof.violate("blocked-stays-blocked", Phrase("lock {number} is lost", number=3), "card, command, point 2")

    monkeypatch.setattr("sscard.proof.tears.prove_tears", break_it)
    code, out, _err = sscard("prove", "tears", "--only", "memory", "--seed", 5)
    assert code == 1
    assert "seed 5" in out
    assert "blocked-stays-blocked: Blocked stays blocked.\n  lock 3 is lost\n  card, command, point 2" in out
    monkeypatch.setenv("LANGUAGE", "en")  # --lang changes it
    code, out, _err = sscard("--lang", "zh", "prove", "tears", "--only", "memory")
    assert (code, "锁定标志 3 丢失" in out) == (1, True)


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
