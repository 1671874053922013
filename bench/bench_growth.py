"""Whether costs stay flat: to the millionth command of a session, and to 100,000 cards alive.

    python bench/bench_growth.py [--commands 1000000] [--cards 100000] [--plot FOLDER]

Commands: two sessions with cards of their own take turns of 100 commands, so that a disturbance of the machine meets
both: a bare chip, and a chip behind a recorder that writes a recording as ``sscard record`` does. The figure at 10,000
is the median of the turns between 1,000 and 10,000.

Cards: orders with holders are personalised, and each card is powered on and stays. The figure at 10,000 is the
median of the turns of 100 cards between 1,000 and 10,000, and the memory that they added. Then VERIFY is sent to 100
of the cards alive in turn, again and again, and to others each time, which are not in the caches of the processor.

All times are CPU times. The tables go to standard output and, as ``growth.txt``, beside the plots, which are SVG.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import tempfile
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from datetime import date
from functools import partial
from itertools import count, islice
from pathlib import Path
from random import Random
from statistics import median

from rich.console import Console
from rich.table import Table

import sscard
from drawing import Series, counts_of, decades_axis, linear_axis, plot, values_of
from sscard.card import Chip
from sscard.conversation import Recorder
from sscard.conversation.recording import RecordingWriter
from sscard.files import TextFile
from sscard.issuer import Card, builtin_keys, make_holder, make_order, personalise, preset
from sscard.transport import Connection

TURN = 100
"""Commands or cards that are timed together."""
AGAIN = 10
"""Turns of VERIFY at each count of cards."""
LEAST = 1000
"""Cards before their memory is measured: the first ones take what the interpreter has free."""
WARM_UP = 20
SELECT_SSSE = bytes.fromhex("00A404000F7378312E73682EC9E7BBE1B1A3D5CF")
VERIFY = bytes.fromhex("0020000003123456")
COMMANDS = (
    (SELECT_SSSE, "611E"),
    (VERIFY, "9000"),
    (bytes.fromhex("0020000003123457"), "63C5"),
    (bytes.fromhex("805E010007123456FF123456"), "9000"),
    (bytes.fromhex("00B2072C0B"), "9000"),
)
"""One round: SELECT, a right and a wrong VERIFY, CHANGE, READ RECORD, with the end of each answer."""
BARE, WRITTEN = "chip", "chip and recorder, written to a file"


def decades(limit: int) -> list[int]:
    """100, 1,000 and so on up to the limit, and the limit."""
    counts = list(islice((10**power for power in count(2)), len(str(limit)) - 2))
    return [*(each for each in counts if each < limit), limit]


def medians(times: Sequence[float], counts: Sequence[int]) -> list[tuple[int, float]]:
    """The median time of one of the things in each decade, in µs, from the seconds of each turn."""
    ends = [min(each // TURN, len(times)) for each in counts]
    starts = [0, *ends[:-1]]
    return [
        (counts[place], median(times[start:end]) / TURN * 1e6)
        for place, (start, end) in enumerate(zip(starts, ends, strict=True))
        if end > start
    ]


def resident() -> int:
    """Bytes of memory in use now; the highest so far where the system does not say."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


class Cards:
    """Issues cards of one personality."""

    def __init__(self) -> None:
        self._random = Random(20260105)
        self._keys = builtin_keys()
        self._personality = preset("v3-sm4")

    def issue(self) -> Card:
        random = self._random
        order = make_order(self._personality, random, make_holder(random), "410400", date(2026, 1, 5))
        return personalise(order, self._keys)

    def chip(self) -> Chip:
        """A chip whose card has the SSSE selected."""
        chip = self.issue().chip(self._random)
        chip.power_on()
        chip.transmit(SELECT_SSSE)
        return chip


def timed(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def turn_of(connection: Connection) -> Callable[[], None]:
    """A turn of commands; an answer that is not the expected one ends the benchmark."""
    rounds = [(command, bytes.fromhex(end)) for command, end in COMMANDS] * (TURN // len(COMMANDS))
    transmit = connection.transmit

    def turn() -> None:
        for command, end in rounds:
            assert transmit(command).endswith(end)

    return turn


def grow_commands(limit: int) -> tuple[list[Series], list[Series]]:
    """Cost per command of the two sessions, and the memory of the process meanwhile."""
    cards, counts = Cards(), decades(limit)
    times: dict[str, list[float]] = {BARE: [], WRITTEN: []}
    memory: list[tuple[int, float]] = []
    with tempfile.TemporaryDirectory() as folder, TextFile(Path(folder) / "recording.jsonl") as file:
        turns = {
            BARE: turn_of(cards.chip()),
            WRITTEN: turn_of(Recorder(cards.chip(), heard=RecordingWriter(file.write))),
        }
        for turn in (turn_of(cards.chip()), turn_of(Recorder(cards.chip(), heard=str))):
            for _ in range(WARM_UP):
                turn()
        for done in range(TURN, limit + 1, TURN):
            for name, turn in turns.items():
                times[name].append(timed(turn))
            if done in counts:
                memory.append((done, resident() / 2**20))
    return [Series(name, "µs", medians(times[name], counts)) for name in turns], [Series("resident", "MiB", memory)]


def grow_cards(limit: int) -> tuple[list[Series], list[Series], list[Series]]:
    """Time of one more card, of a VERIFY to those alive, and the memory of one more card."""
    cards, counts, random = Cards(), decades(limit), Random(1)
    for _ in range(WARM_UP):
        cards.chip()
    alive: list[Chip] = []
    times: list[float] = []
    same: list[tuple[int, float]] = []
    others: list[tuple[int, float]] = []
    memory: list[tuple[int, float]] = []
    before, held = 0, resident()
    for done in range(TURN, limit + 1, TURN):
        times.append(timed(lambda: alive.extend(cards.chip() for _ in range(TURN))))
        if counts[bisect_left(counts, done)] == done:
            if done >= min(LEAST, limit):
                memory.append((done, (resident() - held) / (done - before) / 1024))
                before, held = done, resident()
            some = random.sample(alive, TURN)
            same.append((done, verify([some] * AGAIN)))
            others.append((done, verify([random.sample(alive, TURN) for _ in range(AGAIN)])))
    return (
        [Series("one more card", "µs", medians(times, counts))],
        [Series("to the same 100 cards", "µs", same), Series("to others each time", "µs", others)],
        [Series("one more card", "KiB", memory)],
    )


def verify(turns: Sequence[Sequence[Chip]]) -> float:
    """The µs of a VERIFY: the median of turns to these cards, after one to the first of them."""

    def turn(chips: Sequence[Chip]) -> None:
        for chip in chips:
            assert chip.transmit(VERIFY) == b"\x90\x00"

    turn(turns[0])
    return median(timed(partial(turn, chips)) for chips in turns) / TURN * 1e6


def table_of(title: str, first: str, series: Sequence[Series]) -> Table:
    """The figures by count; behind each how it compares with the first."""
    table = Table(first, *(f"{each.name}, {each.unit}" for each in series), title=title)
    for x in sorted({x for each in series for x, _ in each.points}):
        cells = []
        for each in series:
            figures = dict(each.points)
            cells.append(f"{figures[x]:.2f} ({figures[x] / each.points[0][1]:.2f} ×)" if x in figures else "")
        table.add_row(f"{x:,}", *cells)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--commands", type=int, default=1_000_000, help="commands of a session (default 1000000)")
    parser.add_argument("--cards", type=int, default=100_000, help="cards alive (default 100000)")
    parser.add_argument("--plot", type=Path, help="folder for plots and tables, as bench/plots; default: none")
    given = parser.parse_args()
    if min(given.commands, given.cards) < TURN:
        parser.error(f"at least {TURN} commands and cards")
    console = Console(record=True)
    build = "compiled" if not str(sscard.card.chip.__file__).endswith(".py") else "plain"
    console.print(f"Python {platform.python_version()}, {build} chip, {os.cpu_count()} CPUs")
    commands, written = grow_commands(given.commands)
    cards, verified, memory = grow_cards(given.cards)
    for name, title, what, series in (
        ("commands", "CPU time of a command in one session", "commands so far", commands),
        ("recorder-memory", "Memory of the process while the recording is written", "commands so far", written),
        ("cards", "CPU time of one more card", "cards alive", cards),
        ("verify", "CPU time of a VERIFY with many cards alive", "cards alive", verified),
        ("card-memory", "Memory of one more card", "cards alive", memory),
    ):
        if given.plot is not None:
            given.plot.mkdir(parents=True, exist_ok=True)
            axes = decades_axis(counts_of(series)), linear_axis(values_of(series))
            (given.plot / f"{name}.svg").write_text(plot(title, what, series, *axes), "utf-8")
        console.print(table_of(title, what, series))
    if given.plot is not None:
        (given.plot / "growth.txt").write_text(console.export_text(), "utf-8")


if __name__ == "__main__":
    main()
