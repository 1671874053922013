"""What a start costs: CPU time of a program from its start to its end, against ``python -c pass``.

    python bench/bench_startup.py [--rounds 25]

Each program is a process of its own. In each round every program runs once, so that a disturbance of the machine
meets all. They run in a folder without a configuration file. The first round, which compiles the modules, does not
count. CPU time is user and system time of the process, as ``wait4`` reports it; the ratio is the median of the ratios
of the rounds. For Unix only.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from sscard import issue_card, save_card

FIRST_ANSWER = """
from sscard import issue_card
chip = issue_card(seed=1).chip()
chip.power_on()
assert chip.transmit(bytes.fromhex("0020000000")) == bytes.fromhex("63C6")
"""


@dataclass
class Program:
    """A program, how many times the CPU time of ``pass`` it may take, and what it took, in seconds."""

    name: str
    arguments: tuple[str, ...]
    goal: float
    seconds: list[float] = field(default_factory=list)

    def run(self, folder: Path) -> float:
        """Run it once, in a folder; the CPU time. An exit code other than 0 ends the benchmark."""
        command = [sys.executable, *self.arguments]
        kept = {"LANGUAGE": "en", "PYTHONDONTWRITEBYTECODE": ""}  # compiled modules, as an installed package has them
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=os.environ | kept, cwd=folder)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{self.name}: exit code {process.returncode}")
        return used.ru_utime + used.ru_stime


def programs(card: Path) -> list[Program]:
    """The programs to measure; the others are compared with the first."""
    return [
        Program("python -c pass", ("-c", "pass"), 1),
        Program("import sscard", ("-c", "import sscard"), 2),
        Program("a name resolved: sscard.issue_card", ("-c", "import sscard; sscard.issue_card"), 4),
        Program("first answer of an issued card", ("-c", FIRST_ANSWER), 8),
        Program("sscard apdu FILE 0020000000", ("-m", "sscard", "apdu", str(card), "0020000000"), 9),
        Program("sscard --help", ("-m", "sscard", "--help"), 7),
        Program("sscard --version", ("-m", "sscard", "--version"), 2.5),
    ]


def measure(rounds: int) -> list[Program]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        card = folder / "card.db"
        save_card(issue_card(seed=1), card)
        measured = programs(card)
        for program in measured:
            program.run(folder)
        for _ in range(rounds):
            for program in measured:
                program.seconds.append(program.run(folder))
    return measured


def table_of(measured: list[Program]) -> Table:
    table = Table("", "median ms", "least ms", "× pass", "goal", "")
    floor = measured[0].seconds
    for program in measured:
        ratio = median(one / least for one, least in zip(program.seconds, floor, strict=True))
        verdict = "" if program is measured[0] else "met" if ratio <= program.goal else "missed"
        times = (f"{each * 1e3:.1f}" for each in (median(program.seconds), min(program.seconds)))
        table.add_row(program.name, *times, f"{ratio:.2f}", f"{program.goal:g}", verdict)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=25, help="runs of each program that count (default 25)")
    given = parser.parse_args()
    if given.rounds < 1:
        parser.error("at least 1 round")
    console = Console()
    console.print(table_of(measure(given.rounds)))
    console.print(f"{platform.python_implementation()} {platform.python_version()}, {os.cpu_count()} CPUs")


if __name__ == "__main__":
    main()
