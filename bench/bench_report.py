"""The HTML report of a large run: how large it is, how long it takes to write, and to open in Chromium.

    python bench/bench_report.py [--results 3000] [--opens 7]

The results are those of the built-in suite, in its order, with further seeds if it has too few. Opening is measured by
Playwright in a new page without a cache: from the navigation to the event load, and to the first frame after which the
list is drawn and its filters answer. Times are wall-clock times, that of writing is CPU time.
"""

from __future__ import annotations

import argparse
import platform
import shutil
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count, islice
from pathlib import Path
from statistics import median
from typing import Any

from playwright.sync_api import sync_playwright

from sscard.scenario import ScenarioResult, builtin_scenarios, run_scenario
from sscard.scenario.reports import html
from sscard.scenario.reports.run import Run

LIMIT_SECONDS, LIMIT_BYTES = 2.0, 5_000_000
SEED = 20260105
DRAWN = "() => document.querySelector('.count').textContent !== ''"
FRAME = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now()))))"
LOADED = "() => performance.getEntriesByType('navigation')[0].loadEventEnd"


def results() -> Iterator[ScenarioResult]:
    """Results without end."""
    scenarios = builtin_scenarios()
    for seed in count(SEED):
        for scenario in scenarios:
            yield run_scenario(scenario, seed)


def opened(browser: Any, file: Path) -> tuple[float, float]:
    """Seconds to the event load, and until the list is drawn and its filters answer."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(f"file://{file}")
    loaded = page.evaluate(LOADED)
    page.wait_for_function(DRAWN)
    drawn = page.evaluate(FRAME)
    page.close()
    return loaded / 1000, drawn / 1000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--results", type=int, default=3000)
    parser.add_argument("--opens", type=int, default=7)
    asked = parser.parse_args()
    made = list(islice(results(), asked.results))
    seeds = tuple(dict.fromkeys(result.seed for result in made))
    run = Run(
        results=made,
        seeds=seeds,
        planned=len(made),
        started=datetime.now(UTC),
        seconds=sum(result.seconds for result in made),
    )
    begin = time.process_time()
    page = html.write(run)
    written = time.process_time() - begin
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as started:
        file = Path(folder) / "report.html"
        file.write_text(page, encoding="utf-8")
        size = file.stat().st_size
        path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
        browser = started.chromium.launch(executable_path=path, args=["--no-sandbox"])
        times = [opened(browser, file) for _turn in range(asked.opens)]
        version = browser.version
        browser.close()
    loads, draws = zip(*times, strict=True)
    python = f"{platform.python_implementation()} {platform.python_version()} ({platform.python_compiler()})"
    print(f"{python}, Chromium {version}, {platform.system()} {platform.release()} {platform.machine()}")
    print(f"results: {len(made)}, of which {sum(not result.passed for result in made)} failed")
    print(f"size: {size / 1e6:.2f} MB (limit {LIMIT_BYTES / 1e6:.0f} MB)")
    print(f"written in {written:.1f} s of CPU time")
    for name, each in (("load", loads), ("drawn, filters answer", draws)):
        print(
            f"{name}: median {median(each):.2f} s, {min(each):.2f} to {max(each):.2f} s (limit {LIMIT_SECONDS:.0f} s)"
        )
    if size > LIMIT_BYTES or median(draws) > LIMIT_SECONDS:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
