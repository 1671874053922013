"""Planted defects for the fuzzer: targets that fail, loop or crash behind a few bytes."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from sscard.proof.fuzz import Target


def raises(_folder: Path) -> Target:
    def run(data: bytes) -> None:
        if len(data) > 1 and data[0] == 0x61 and data[1] == 0x62:
            raise KeyError("planted")

    return Target(run, [b"x"], 4)


def dies(_folder: Path) -> Target:
    def run(data: bytes) -> None:
        if data[:1] == b"a":
            os.kill(os.getpid(), signal.SIGSEGV)

    return Target(run, [b"x"], 4)


def loops(_folder: Path) -> Target:
    def run(data: bytes) -> None:
        while data[:1] == b"a":
            pass

    return Target(run, [b"x"], 4)
