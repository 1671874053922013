"""Pairs of benchmarks of one target: how many of them are "no change", and whether a planted slowdown is found.

    python bench/bench_noise.py [--pairs 20] [--count 2000] [--flow change] [--slower 20]

Each pair is ``sscard bench FLOW --count N`` and the same with ``--against`` the first. The pair is "no change" if p50,
p90 and p99 are; ``--fail-above 0%`` makes each "slower" count. The planted slowdown is the same pair with the times of
the first divided by 1.2 for 20 %, so both sides have their real noise; it is found if p50 is "slower".
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sscard.benchmark.comparison import COMPARED, Change, changed


def benchmark(flow: str, count: int, *options: str) -> dict[str, Any]:
    """The JSON of ``sscard bench``, of which a slowdown is no failure here."""
    command = [sys.executable, "-m", "sscard", "bench", flow, "--count", str(count), "--json", *options]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode not in (0, 1):
        sys.stderr.buffer.write(done.stderr)
        raise SystemExit(done.returncode)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def compared(before: dict[str, Any], now: dict[str, Any], factor: float) -> dict[str, Change]:
    """The changes of the figures as ``--against`` finds them, if the times before are divided by a factor."""
    old, new = before["flows"][0], now["flows"][0]
    return {
        figure: changed(
            new["flow"],
            figure,
            [each[figure] / factor for each in old["rounds"]],
            [each[figure] for each in new["rounds"]],
        )
        for figure in COMPARED
    }


def text_of(changes: dict[str, Change]) -> str:
    return ", ".join(
        f"{figure} {100 * each.change:+.0f} % ± {100 * each.noise:.0f}"
        f"{'' if each.verdict == 'no change' else ' ' + each.verdict}"
        for figure, each in changes.items()
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--count", type=int, default=2000, help="operations of each benchmark (default: 2000)")
    parser.add_argument("--flow", default="change")
    parser.add_argument("--slower", type=float, default=20.0, help="planted slowdown in percent (default: 20)")
    given = parser.parse_args()
    if given.pairs < 1:
        parser.error("at least 1 pair")
    alike = found = 0
    with TemporaryDirectory() as folder:
        earlier = Path(folder) / "before.json"
        for pair in range(1, given.pairs + 1):
            before = benchmark(given.flow, given.count)
            earlier.write_text(json.dumps(before), "utf-8")
            now = benchmark(given.flow, given.count, "--against", str(earlier), "--fail-above", "0%")
            changes, planted = compared(before, now, 1.0), compared(before, now, 1 + given.slower / 100)
            printed = {each["figure"]: each["verdict"] for each in now["against"]["changes"]}
            assert printed == {figure: each.verdict for figure, each in changes.items()}, printed
            alike += all(each.verdict == "no change" for each in changes.values())
            found += planted["p50"].verdict == "slower"
            print(f"{pair:>3}: {text_of(changes)}; planted: {text_of({'p50': planted['p50']})}", flush=True)
    print(
        f"{alike} of {given.pairs} pairs are no change; a planted slowdown of {given.slower:g} % is found in p50 in "
        f"{found} of {given.pairs} (sscard bench {given.flow} --count {given.count}, {os.cpu_count()} CPUs, "
        f"load {os.getloadavg()[0]:.1f})"
    )


if __name__ == "__main__":
    main()
