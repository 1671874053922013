"""`sscard campaign --failures`: what is written for a card that broke an invariant."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from kit.campaigns import PLAN, failing, task_in
from kit.programs import CommandLine
from sscard.campaign.results_writer import ResultsWriter
from sscard.campaign.rows import Shard
from sscard.campaign.running import plan_of


@pytest.mark.skipif(os.name != "posix", reason="a shell script")
def test_the_script_repeats_the_card_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sscard: CommandLine
) -> None:
    own, programs = tmp_path / "it's here", tmp_path / "programs"
    for folder in (own, programs):
        folder.mkdir()
    monkeypatch.chdir(own)
    plan = replace(plan_of(task_in(tmp_path), 5), products=PLAN.products)
    with ResultsWriter.create(Path("city.db"), plan) as results:
        results.add(failing(Shard(0, 5)))
    program = programs / "sscard"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m sscard "$@"\n', encoding="utf-8")
    program.chmod(0o700)

    code, _out, err = sscard("campaign", "show", "city.db", "--failures", "failed")
    assert code == 1, err
    files = {path.suffix: path for path in (own / "failed").iterdir()}
    assert {path.stat().st_mode & 0o777 for path in files.values()} == {0o600}
    assert files.keys() == {".json", ".trace", ".sh"}

    paths = f"{programs}{os.pathsep}{os.environ['PATH']}"
    repeated = subprocess.run(  # noqa: S603
        ["/bin/sh", files[".sh"]],
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PATH": paths, "PYTHONPATH": os.pathsep.join(sys.path), "LANGUAGE": "en"},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert repeated.returncode == 0, repeated.stderr
    assert "outcome" in repeated.stdout
