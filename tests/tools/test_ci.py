"""The CI file calls targets that the Makefile has, test, nightly and campaign among them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
JOBS = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8"))["jobs"]
TARGETS = {
    step["run"].removeprefix("make ")
    for job in JOBS.values()
    for step in job["steps"]
    if "make " in step.get("run", "")
}


def test_ci_calls_test_nightly_and_campaign() -> None:
    assert {"test", "nightly", "campaign"} <= TARGETS


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_the_makefile_has_the_target(target: str) -> None:
    make = shutil.which("make")
    if make is None:
        pytest.skip("no make: sudo apt-get install make")
    done = subprocess.run(  # noqa: S603
        [make, "--dry-run", target], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
