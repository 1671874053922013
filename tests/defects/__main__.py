"""Print which scenarios notice the planted defects.

``PYTHONPATH=tests python -m defects [WORD …] [--most N] [--suite PATH …]`` prints a
line per defect with a WORD in its name, by default per defect: part, name and
the first N scenarios of the suite that notice it (default: 1). PATH is a suite
of one's own in place of the built-in one. The last line counts the noticed
ones. Exits 1 if a defect is not noticed, 2 if no name has a WORD.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from defects import DEFECTS
from sscard.scenario import builtin_scenarios, find_scenarios


def main() -> int:
    """Print the matrix."""
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("words", nargs="*", metavar="WORD")
    options.add_argument("--most", type=int, default=1, metavar="N")
    options.add_argument("--suite", type=Path, nargs="+", default=[], metavar="PATH")
    given = options.parse_args()
    scenarios = find_scenarios(given.suite) if given.suite else builtin_scenarios()
    chosen = [defect for defect in DEFECTS if not given.words or any(word in defect.name for word in given.words)]
    noticed = 0
    for defect in chosen:
        found = defect.noticed_by(scenarios, given.most)
        noticed += bool(found)
        names = "; ".join(f"{scenario.source}: {scenario.title}" for scenario in found)
        print(f"{defect.part:8} {defect.name}: {names or 'not noticed'}", flush=True)
    print(f"{noticed} of {len(chosen)} noticed")
    return 2 if not chosen else int(noticed < len(chosen))


if __name__ == "__main__":
    sys.exit(main())
