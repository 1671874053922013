"""What the figures of a benchmark depend on: the machine, its parts, and what each fact is called."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from importlib.machinery import ExtensionFileLoader
from importlib.metadata import version
from pathlib import Path
from typing import Final

from sscard.benchmark.pcsc import pcsc_versions
from sscard.chip import engine
from sscard.i18n.language import say
from sscard.i18n.phrase import Phrase, Sayable
from sscard.scenario.reports.run import LABELS, TRANSPORTS, this_machine

FACTS: Final[Mapping[str, Sayable]] = {
    **LABELS,
    "card": Phrase("card"),
    "chip": Phrase("chip"),
    "processor": Phrase("processor"),
    "processors": Phrase("number of processors"),
    "hdrhistogram": "hdrhistogram",
    "pcscd": "pcscd",
    "pyscard": "pyscard",
    "journal": Phrase("journal"),
    "clients": Phrase("clients"),
    "think": Phrase("think time in seconds"),
    "rate": Phrase("operations per second that are due"),
}
"""The facts that figures depend on, with those of the load, and what they are called."""
VALUES: Final[Mapping[str, Mapping[Sayable, Sayable]]] = {
    "transport": TRANSPORTS,
    "chip": {"compiled": Phrase("compiled"), "plain": Phrase("plain Python")},
    "journal": {"memory": Phrase("in memory"), "sqlite": "SQLite", "postgresql": "PostgreSQL"},
}
"""Values of facts that are words, and what they are called."""


def machine(*, pcsc: bool = False) -> dict[str, Sayable]:
    """What figures depend on besides the options: versions, system and processor; with ``pcsc`` its versions too."""
    return {
        **this_machine(),
        "chip": "compiled" if isinstance(engine.__loader__, ExtensionFileLoader) else "plain",
        "processor": _processor(),
        "processors": os.cpu_count() or 1,
        "hdrhistogram": version("hdrhistogram"),
        **(pcsc_versions() if pcsc else {}),
    }


def _processor() -> str:
    """The name of the processor, as the system gives it."""
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8") as file:
            names = (line.partition(":")[2].strip() for line in file if line.startswith("model name"))
            return next(names, "") or platform.machine()
    except OSError:  # not Linux
        return platform.processor() or platform.machine()


def value_of_fact(name: str, value: Sayable) -> str:
    """The value of a fact as people read it; ``–`` if there is none."""
    return say(VALUES.get(name, {}).get(value, value)) or "–"
