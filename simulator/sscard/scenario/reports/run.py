"""A run as its reports show it: its results, and when, where and how it was run."""

from __future__ import annotations

import hashlib
import platform
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Final, NamedTuple

from sscard.i18n.phrase import Phrase, Sayable
from sscard.issuer import KeyHierarchy, builtin_keys
from sscard.scenario.comparison import Comparison
from sscard.scenario.reader import Scenario
from sscard.scenario.reports.form_data import FormData
from sscard.scenario.reports.tested import Tested
from sscard.scenario.runner import INCONCLUSIVE, KNOWN_ISSUE, NOT_APPLICABLE, WAIVED, ScenarioResult
from sscard.version import version_and_chip

VERDICTS: Final = {
    "passed": Phrase("passed"),
    "failed": Phrase("failed"),
    INCONCLUSIVE: Phrase("inconclusive"),
    KNOWN_ISSUE: Phrase("known issue"),
    WAIVED: Phrase("waived"),
    NOT_APPLICABLE: Phrase("not applicable"),
}
"""The verdicts in words."""
SEVERITIES: Final[Mapping[str, Sayable]] = {
    "blocker": Phrase("blocker"),
    "critical": Phrase("critical"),
    "normal": Phrase("normal"),
    "minor": Phrase("minor"),
}
"""The values of ``severity`` in words."""
TRANSPORTS: Final[Mapping[Sayable, Sayable]] = {"local": Phrase("local")}
"""Transports whose name is a word, and what they are called."""


def slug(text: str) -> str:
    """A text for an address or the name of a file: lower case, with a hyphen in place of all but letters and digits."""
    return re.sub(r"[\W_]+", "-", text.casefold()).strip("-")


def case_properties(scenario: Scenario, seed: int, transport: str) -> dict[str, str]:
    """What JUnit XML states of a case as properties, without those that are empty."""
    properties = {
        "personality": scenario.personality.name,
        "seed": str(seed),
        "severity": scenario.severity,
        "tags": " ".join(scenario.tags),
        "covers": ", ".join(scenario.covers),
        "known_issue": scenario.known_issue,
        "transport": transport,
    }
    return {name: value for name, value in properties.items() if value}


class Log(NamedTuple):
    """The evidence of a result: the name of its log, and its SHA-256 in hex digits, empty if it was not written."""

    name: str
    digest: str


def sums(logs: Iterable[Log]) -> str:
    """The lines of a file that ``sha256sum -c`` reads."""
    return "".join(f"{log.digest}  {log.name}\n" for log in logs if log.digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The results of a run, in the order of its scenarios, with what a reader needs to judge and to repeat it.

    ``planned`` is the number of results of a complete run, ``started`` is in UTC, ``seconds`` the duration.
    ``command`` is the command line of the whole run, ``chosen`` are the options that a single scenario of it needs as
    well, by name: transport, HSM, keys, personality. ``facts`` are further ones of ``LABELS``.
    ``comparison`` is that with the run of ``earlier``, a file.
    ``keys`` are the root keys of the cards, ``None`` if those of a card under test are not known. ``tested`` are the
    digests of what was tested with, ``form`` is what a laboratory entered, ``logs`` are the evidence of the results in
    their order, in the folder ``evidence``. ``builtin``: the scenarios are the built-in suite, which no path names.
    """

    results: Sequence[ScenarioResult]
    seeds: Sequence[int]
    planned: int
    started: datetime
    seconds: float
    command: Sequence[str] = ("sscard", "run")
    chosen: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Sayable] = field(default_factory=dict)
    comparison: Comparison | None = None
    earlier: str = ""
    keys: KeyHierarchy | None = field(default_factory=builtin_keys)
    tested: Tested = field(default_factory=Tested)
    form: FormData = field(default_factory=FormData)
    evidence: str = ""
    logs: Sequence[Log] = ()
    builtin: bool = False

    @property
    def environment(self) -> dict[str, Sayable]:
        """What the run depends on: values for some of ``LABELS``."""
        return {**environment_of(self.chosen), **self.facts}

    @property
    def stated(self) -> list[tuple[Sayable, Sayable]]:
        """What the run depends on as reports for people print it: what each fact is called, and its value."""
        return [
            (LABELS.get(name, name), TRANSPORTS.get(value, value) if name == "transport" else value)
            for name, value in self.environment.items()
        ]

    @property
    def sums_digest(self) -> str:
        """The SHA-256 of the file of the sums of the logs."""
        return hashlib.sha256(sums(self.logs).encode()).hexdigest()

    @property
    def seed(self) -> int:
        """The first seed."""
        return self.seeds[0]

    @property
    def called(self) -> str:
        """The command line, quoted for a shell."""
        return shlex.join(self.command)

    @property
    def complete(self) -> bool:
        """Whether each scenario was run with each seed."""
        return len(self.results) == self.planned

    def again(self, scenario: Scenario, seed: int) -> str:
        """The command line that repeats one scenario, quoted for a shell."""
        options = [word for name, value in self.chosen.items() for word in (f"--{name}", value)]
        paths = [] if self.builtin else [scenario.source]
        return shlex.join(["sscard", "run", *paths, "--only", scenario.title, "--seed", str(seed), *options])


LABELS: Final[Mapping[str, Sayable]] = {
    "sscard": "sscard",
    "python": "Python",
    "system": Phrase("system"),
    "transport": Phrase("transport"),
    "hsm": Phrase("HSM"),
    "hsm-token": Phrase("token of the HSM"),
    "keys": Phrase("root keys"),
    "personality": Phrase("personality"),
    "testbed": Phrase("testbed"),
    "waivers": Phrase("waivers"),
    "card": Phrase("card under test"),
    "claim": Phrase("claimed personality"),
    "atr": Phrase("ATR"),
    "kind": Phrase("what the card is"),
    "lacks": Phrase("applications that the card lacks"),
    "answers": Phrase("answers to commands that change no card"),
    "reader": Phrase("reader"),
    "driver": Phrase("driver of the reader"),
    "predicted": Phrase("predicted, not observed"),
    "unread": Phrase("files that could not be read"),
}
"""The facts of ``Run.environment``, and what they are called in reports for people."""


def environment_of(chosen: Mapping[str, str]) -> dict[str, Sayable]:
    """What a run depends on, by the options that were chosen; without one it is in this process."""
    return {**this_machine(), "transport": "local", **chosen}


@cache
def this_machine() -> dict[str, Sayable]:
    """What a run depends on without its options: the versions of sscard, Python and the system."""
    build, compiler = platform.python_build()[0], platform.python_compiler()
    return {
        "sscard": version_and_chip(),
        "python": f"{platform.python_implementation()} {platform.python_version()} ({build}, {compiler})",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
    }
