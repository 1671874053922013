"""Compare the benchmarks of this checkout with those of an earlier revision, in interleaved rounds.

    python bench/compare.py main~20 -k "verify or reset_pin or case_in_memory" --rounds 5

The earlier revision is checked out into a temporary worktree. Each round runs
the selected benchmarks there and here, one after the other, so that both see
the same machine. The figure of a benchmark is the median over the rounds of
(time before / time now): 1.1 is 10 % faster, 0.9 is 11 % slower. Exits 1 if a
figure is below ``--floor``, 2 if no benchmark ran in both trees.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

HERE = Path(__file__).resolve().parents[1]


def medians(tree: Path, expression: str, files: list[str], timer: str, scratch: Path) -> dict[str, float]:
    """The median seconds of each selected benchmark in a tree, by its name without the folder."""
    report = scratch / "report.json"
    # The installed plugin of sscard is this checkout's: an earlier tree may not have it.
    command = [sys.executable, "-m", "pytest", "-p", "pytest_benchmark.plugin", *files, "-q", "-k", expression]
    paths = os.pathsep.join(str(tree / part) for part in ("simulator", "tests"))
    done = subprocess.run(
        [
            *command,
            "--benchmark-enable",
            f"--benchmark-json={report}",
            f"--benchmark-timer={timer}",
            "-p",
            "no:cacheprovider",
        ],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": paths, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{tree}: the benchmarks failed\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    found = json.loads(report.read_text())["benchmarks"]
    return {bench["name"]: bench["stats"]["median"] for bench in found}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("revision", help="the earlier revision")
    parser.add_argument("files", nargs="*", default=["bench"], help="benchmark files (default: bench)")
    parser.add_argument("-k", dest="expression", default="", help="benchmarks to run, as pytest's -k")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--floor", type=float, default=0.95, help="lowest ratio accepted (default: 0.95)")
    parser.add_argument("--cpu-time", action="store_true", help="measure CPU time, for a machine with other load")
    given = parser.parse_intermixed_args()
    if given.rounds < 1:
        parser.error("at least 1 round")

    git = ["git", "-C", str(HERE)]
    known = subprocess.run(
        [*git, "rev-parse", "--verify", "--quiet", f"{given.revision}^{{commit}}"],
        stdout=subprocess.DEVNULL,
        check=False,
    )
    if known.returncode:
        parser.error(f"no revision {given.revision!r} in this repository, see: git log --oneline")
    timer = "time.process_time" if given.cpu_time else "time.perf_counter"
    with TemporaryDirectory(prefix="sscard-bench-") as folder:
        before = Path(folder) / "before"
        subprocess.run([*git, "worktree", "add", "--quiet", "--detach", str(before), given.revision], check=True)
        try:
            ratios: dict[str, list[float]] = defaultdict(list)
            now: dict[str, list[float]] = defaultdict(list)
            for turn in range(1, given.rounds + 1):
                # The order alternates, so that neither is always the one that warms the machine up.
                found = {
                    tree: medians(tree, given.expression, given.files, timer, Path(folder))
                    for tree in ((before, HERE) if turn % 2 else (HERE, before))
                }
                old, new = found[before], found[HERE]
                for name in old.keys() & new.keys():
                    ratios[name].append(old[name] / new[name])
                    now[name].append(new[name])
                print(f"round {turn} of {given.rounds}", file=sys.stderr)
        finally:
            subprocess.run([*git, "worktree", "remove", "--force", str(before)], check=True)
    if not ratios:
        print("no benchmark ran in both trees")
        return 2
    print(f"{'benchmark':<44} {'now, µs':>10} {'before/now':>10}  range")
    for name in sorted(ratios):
        each = ratios[name]
        print(f"{name:<44} {median(now[name]) * 1e6:10.2f} {median(each):10.3f}  {min(each):.2f}–{max(each):.2f}")
    return int(min(map(median, ratios.values())) < given.floor)


if __name__ == "__main__":
    sys.exit(main())
