"""Sessions of ``sscard apdu --raw`` that end with SIGKILL; run as a program, prints one JSON row per session.

sscard is imported once and every session is a fork, so that 200 of them take seconds. A row is the tries left
before, the answers given, the tries left in the file after, and whether the kill left a write-ahead log.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from contextlib import redirect_stdout, suppress
from io import StringIO
from pathlib import Path
from random import Random

from sscard.cli.main import main
from sscard.issuer.cardfile import load_card
from sscard.issuer.database import wal_of

COMMANDS = 6
MOMENTS = 100_000
"""Turns of an empty loop, about as long as the card takes for a command and its write."""
WRONG_PIN = "0020000003999999"


def begin(image: Path) -> tuple[int, int]:
    """A session in a process of its own, its commands already waiting; process id and the end to read answers at."""
    commands, given = os.pipe()
    taken, answers = os.pipe()
    os.write(given, f"{WRONG_PIN}\n".encode() * COMMANDS)
    os.close(given)
    child = os.fork()
    if child:
        os.close(commands)
        os.close(answers)
        return child, taken
    os.dup2(commands, 0)
    os.dup2(answers, 1)
    sys.stdin, sys.stdout = os.fdopen(0), os.fdopen(1, "w")
    try:
        main(["apdu", str(image), "--raw"])
    finally:
        os._exit(0)


def answers_before_kill(image: Path, wanted: int, moment: int) -> list[str]:
    """Read so many answers, kill some turns of a loop later, and read what was given nevertheless."""
    child, taken = begin(image)
    with os.fdopen(taken) as answers:
        read = [answers.readline().strip() for _ in range(wanted)]
        for _ in range(moment):
            pass
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return read + [line.strip() for line in answers if line.endswith("\n")]


def warm_up(image: Path) -> None:
    """Import what the command imports only when it runs."""
    with redirect_stdout(StringIO()), suppress(SystemExit):
        main(["apdu", str(image), "--raw", "0084000008"])


def restore(image: Path, fresh: Path) -> None:
    """The card as it was issued."""
    wal_of(image).unlink(missing_ok=True)
    shutil.copy(fresh, image)


def run(folder: Path, sessions: int, seed: int) -> None:
    random = Random(seed)
    warm_up(folder / "fresh.db")
    image = folder / "card.db"
    restore(image, folder / "fresh.db")
    for _ in range(sessions):
        before = load_card(image).snapshot().pin_tries
        if before < COMMANDS:
            restore(image, folder / "fresh.db")
            before = load_card(image).snapshot().pin_tries
        given = answers_before_kill(image, random.randrange(COMMANDS), random.randrange(MOMENTS))
        torn = wal_of(image).exists()
        card = load_card(image)
        card.memory.recover()
        sys.stdout.write(json.dumps([before, given, card.snapshot().pin_tries, torn]) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    run(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
