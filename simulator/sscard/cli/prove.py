"""``sscard prove``: proofs by machine, each with its counts and its violations."""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from sscard.cli.formatter import WIDEST, terminal_width
from sscard.cli.main import INTERRUPTED
from sscard.cli.options import json_option
from sscard.cli.output import print_json
from sscard.cli.target import tell
from sscard.cli.types import FILE, SEED, Number, Words
from sscard.cli.usage import argument, group, option
from sscard.errors import InputError
from sscard.i18n.language import N_, _, say

if TYPE_CHECKING:
    from pathlib import Path

    from sscard.proof.kills import What
    from sscard.proof.report import Proof
    from sscard.proof.targets import Fuzzed

DEFAULT_SEED: Final = 1
COMMANDS: Final = 1_000_000
INTERVAL: Final = 0.1
"""Seconds between two updates of the progress."""
COUNTS: Final = {
    "commands": N_("commands"),
    "states": N_("states"),
    "transitions": N_("transitions"),
    "cards": N_("cards"),
    "cuts": N_("power cuts"),
    "failures": N_("failed writes"),
    "operations": N_("operations on files"),
    "crashes": N_("killed processes"),
    "power-losses": N_("power losses with unsynced sectors"),
    "opened": N_("card files opened"),
    "apdu_kills": N_("kills of apdu"),
    "logs_left": N_("write-ahead logs left"),
    "system_calls": N_("system calls of the store"),
    "system_call_kills": N_("kills at system calls"),
    "replacements": N_("replacements of a file, interrupted"),
    "insert_kills": N_("kills of insert"),
    "pcscd_kills": N_("kills of pcscd"),
    "client_commands": N_("commands of 16 clients"),
    "worker_kills": N_("kills of a case worker"),
    "outage_kills": N_("kills of a case worker during outages"),
    "outage_cases": N_("cases with outages"),
    "server_restarts": N_("restarts of PostgreSQL"),
    "journals_verified": N_("journals verified"),
    "apdu": N_("inputs of apdu"),
    "vpcd": N_("inputs of vpcd"),
    "image": N_("inputs of image"),
    "card-file": N_("inputs of card-file"),
    "scenario": N_("inputs of scenario"),
    "driver": N_("inputs of driver"),
    "hsm": N_("inputs of hsm"),
}
"""What proofs count, for the table."""


class Part(StrEnum):
    """What ``prove tears`` sweeps."""

    MEMORY = "memory"
    FILE = "file"


seed_option: Final = option("--seed", type=SEED, default=DEFAULT_SEED, help=N_("Seed of challenges and samples."))
short_option: Final = option("--short", is_flag=True, help=N_("A sample that takes seconds instead of minutes."))


@group("prove")
def prove() -> None:
    """Prove invariants of card, card file and journal: power cuts, an oracle, killed processes, fuzzing.

    Exits 1 if an invariant is broken, with what reproduces it, 3 if a package
    is missing, 130 on Ctrl-C with the counts so far.
    """


@prove.command("tears")
@seed_option
@short_option
@option("--only", type=Words(Part), help=N_("Sweep only the memory of the card, or only the card file."))
@json_option
def tears(seed: int, short: bool, only: Part | None, as_json: bool) -> None:
    """Cut the power and let writes fail, at every write point of the card and every operation on its file.

    Memory: every command that writes, in every state, on every preset and
    interface, and on PSAMs; the power is cut before, during and after each
    write, and again twice during the recovery. File, without and with --sync:
    each write, truncate, sync and delete is interrupted or fails, and unsynced
    sectors are lost; this needs apsw from the extra 'sscard[proof]'.
    """
    from sscard.proof.tears import prove_tears

    if only is not Part.MEMORY:
        from sscard.proof.cardfile import prove_card_file

    def work(proof: Proof) -> None:
        if only is not Part.FILE:
            prove_tears(proof, short=short)
        if only is not Part.MEMORY:
            prove_card_file(proof, short=short)

    run_proof("tears", seed, as_json, work)


@prove.command("model")
@seed_option
@option("--commands", type=Number(1), default=COMMANDS, help=N_("Number of random commands."))
@option("--short", is_flag=True, help=N_("Explore the states without power cuts and without a limit of unlocks."))
@json_option
def model(seed: int, commands: int, short: bool, as_json: bool) -> None:
    """Compare the card with an oracle that was written from the documents.

    First random commands to many cards, with power cuts and memory failures;
    then every state that two PINs and two tries of each counter can reach, with
    every command in it and, unless --short, under every power cut.
    """
    from sscard.proof.model import prove_model

    def work(proof: Proof) -> None:
        prove_model(proof, commands, cuts=not short)

    run_proof("model", seed, as_json, work)


@prove.command("kills")
@option("--what", type=Words("sscard.proof.kills:What"), multiple=True, help=N_("What to kill. Default: all of them."))
@option("--count", type=Number(1), help=N_("Kills of each, for clients commands. Default: three minutes in all."))
@option("--seed", type=SEED, default=DEFAULT_SEED, help=N_("Seed of PINs, cards and moments."))
@json_option
def kills(what: tuple[What, ...], count: int | None, seed: int, as_json: bool) -> None:
    """Kill processes with SIGKILL and check that no answer is lost and no try given back.

    What is killed:

      apdu           sscard apdu, at random moments
      system-calls   sscard apdu, at each system call of the store
      replace        a command with --force, at each system call, which fails too
      insert         sscard insert, behind a private pcscd
      case-sqlite    a worker of the PIN service with its journal in SQLite
      case-postgres  the same in PostgreSQL, which is restarted too
      case-outages   a worker, while HSM and holder base fail at random
      pcscd          the PC/SC daemon during a command
      clients        nothing: 16 threads use 16 cards at the same time
    """
    from sscard.cli.main import main
    from sscard.proof.kills import What, prove_kills

    run_proof("kills", seed, as_json, lambda proof: prove_kills(proof, main, what or tuple(What), count or 0))


@prove.command("fuzz")
@argument(
    "targets",
    metavar=N_("TARGET"),
    type=Words("sscard.proof.targets:Fuzzed"),
    nargs=-1,
    help=N_("apdu, vpcd, image, card-file, scenario, driver, hsm. Default: all of them."),
)
@option("--cases", type=Number(0), default=0, help=N_("Inputs for each target, 0: no limit."))
@option("--seconds", type=Number(0), default=20, help=N_("Seconds for each target, 0: no limit."))
@option("--seed", type=SEED, default=DEFAULT_SEED, help=N_("Seed of the fuzzer."))
@option("--input", "saved", type=FILE, help=N_("Run the input in this file once, without atheris."))
@json_option
def fuzz(targets: tuple[Fuzzed, ...], cases: int, seconds: int, seed: int, saved: Path | None, as_json: bool) -> None:
    """Fuzz what reads foreign bytes, guided by coverage: only errors with a message may come out.

    Needs atheris. An input that breaks a target is written to the working
    folder, as fuzz-TARGET-HASH; --input runs it again.
    """
    from sscard.files import unreadable
    from sscard.proof.fuzz import prove_fuzz, replay
    from sscard.proof.targets import Fuzzed

    def work(proof: Proof) -> None:
        if saved is None:
            prove_fuzz(proof, targets or tuple(Fuzzed), cases=cases, seconds=seconds)
            return
        if len(targets) != 1:
            raise InputError(_("--input is the input of one target"), remedy=_("name it: sscard prove fuzz TARGET"))
        try:
            data = saved.read_bytes()
        except OSError as error:
            raise unreadable(saved, error) from None
        replay(proof, targets[0], data)

    run_proof("fuzz", seed, as_json, work)


def run_proof(name: str, seed: int, as_json: bool, work: Callable[[Proof], None]) -> None:
    """Run a proof with its progress on a terminal, and report it; exits 1 if it found a violation."""
    from rich.console import Console

    from sscard.proof.report import Proof

    console = Console(stderr=True, highlight=False)
    shown = 0.0

    def show(proof: Proof) -> None:
        nonlocal shown
        now = time.monotonic()
        if now - shown >= INTERVAL:
            shown = now
            status.update(", ".join(f"{_(COUNTS.get(what, what))} {number:,}" for what, number in proof.counts.items()))

    interrupted = False
    started = time.monotonic()
    with console.status(name) as status:
        proof = Proof(name, seed, notify=show) if console.is_terminal else Proof(name, seed)
        try:
            work(proof)
        except KeyboardInterrupt:
            interrupted = True
    _report(proof, time.monotonic() - started, interrupted=interrupted, as_json=as_json)
    if interrupted:
        tell(_("interrupted"))
        raise SystemExit(INTERRUPTED)
    if proof.violations:
        raise SystemExit(1)


def _report(proof: Proof, seconds: float, *, interrupted: bool, as_json: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    from sscard.model.invariants import INVARIANTS

    if as_json:
        violations = [
            {"invariant": found.invariant, "happened": say(found.happened), "reproduce": say(found.reproduce)}
            for found in proof.violations
        ]
        facts = {"name": proof.name, "seed": proof.seed, "seconds": round(seconds, 1), "interrupted": interrupted}
        print_json("proof", facts | {"counts": dict(proof.counts), "violations": violations})
        return
    console = Console(highlight=False, width=min(terminal_width(), WIDEST))
    table = Table(_("proof {name}, seed {seed}", name=proof.name, seed=proof.seed), "", box=None)
    table.columns[1].justify = "right"
    for what, number in proof.counts.items():
        table.add_row(_(COUNTS.get(what, what)), f"{number:,}")
    table.add_row(_("seconds"), f"{seconds:.1f}")
    table.add_row(_("violations"), f"{len(proof.violations):,}")
    console.print(table)
    for violation in proof.violations:
        rule = INVARIANTS.get(violation.invariant, violation.invariant)
        console.print(f"\n{violation.invariant}: {say(rule)}", markup=False)
        console.print(f"  {say(violation.happened)}\n  {say(violation.reproduce)}", markup=False)
