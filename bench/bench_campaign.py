"""Campaigns of growing size: CPU time per card, the memory of the largest process, and the size of the results.

    python bench/bench_campaign.py [--most 1000000] [--through card] [--workers 2] [--plot bench/plots]

Each size is a campaign of the built-in population by the command, with its results file. CPU time is that of all its
processes. The start of the processes is what a campaign of one card takes; the time per card is stated with it and
without it. ``--plot`` writes ``campaign.svg`` and ``campaign-memory.svg``.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from drawing import Series, counts_of, decades_axis, linear_axis, plot, values_of

FEWEST = 1000


def campaign(cards: int, through: str, workers: int, folder: Path) -> tuple[float, float, float, float, str]:
    """Seconds elapsed, CPU seconds, MiB of the largest process so far, MiB of the results, and the digest."""
    results = folder / f"{cards}.db"
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    options = ["--cards", str(cards), "--through", through, "--workers", str(workers), "--results", str(results)]
    done = subprocess.run(
        [sys.executable, "-m", "sscard", "campaign", *options, "--json"], stdout=subprocess.PIPE, check=True
    )
    elapsed, now = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = now.ru_utime + now.ru_stime - before.ru_utime - before.ru_stime
    return elapsed, spent, now.ru_maxrss / 1024, results.stat().st_size / 2**20, json.loads(done.stdout)["digest"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--most", type=int, default=1_000_000, help="cards of the largest campaign")
    parser.add_argument("--through", choices=("card", "service"), default="card")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--plot", type=Path, help="folder for the SVG")
    given = parser.parse_args()
    if given.most < FEWEST:
        parser.error(f"at least {FEWEST} cards")
    per_card, without_start, largest = [], [], []
    with TemporaryDirectory() as folder:
        _, start, _, _, _ = campaign(1, given.through, given.workers, Path(folder))
        print(f"        1 card: CPU {start:.1f} s, the start of the processes", flush=True)
        cards = FEWEST
        while cards <= given.most:
            elapsed, spent, memory, size, digest = campaign(cards, given.through, given.workers, Path(folder))
            each, later = 1e6 * spent / cards, 1e6 * max(spent - start, 0.0) / cards
            per_card.append((cards, each))
            without_start.append((cards, later))
            largest.append((cards, memory))
            print(
                f"{cards:>9,} cards: {elapsed:.1f} s, CPU {spent:.1f} s, {each:.0f} µs per card, "
                f"{later:.0f} without the start, {memory:.0f} MiB, results {size:.1f} MiB, digest {digest[:16]}",
                flush=True,
            )
            cards *= 10
    if given.plot:
        given.plot.mkdir(parents=True, exist_ok=True)
        how = f"through the {given.through}, {given.workers} workers"
        times = [
            Series("whole campaign", "µs", per_card),
            Series("without the start of processes", "µs", without_start),
        ]
        for name, title, series in (
            ("campaign", f"CPU time per card of a campaign {how}", times),
            ("campaign-memory", f"Memory of a campaign {how}", [Series("largest process", "MiB", largest)]),
        ):
            axes = decades_axis(counts_of(series)), linear_axis(values_of(series))
            drawn = plot(title, "cards of the campaign", series, *axes)
            (given.plot / f"{name}.svg").write_text(drawn, "utf-8")


if __name__ == "__main__":
    main()
