"""`sscard campaign --failures`: what is written for a card that broke an invariant."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from kit.campaigns import PLAN, failing, task_in
from kit.programs import CommandLine
from sscard.campaign.results_writer import ResultsWriter
from sscard.campaign.rows import Shard
from sscard.campaign.running import plan_of
from sscard.i18n.language import HIDDEN, visible


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


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_what_failed_is_on_standard_error_beside_any_form_of_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sscard: CommandLine, form: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    plan = replace(plan_of(task_in(tmp_path), 5), products=PLAN.products)
    with ResultsWriter.create(Path("city.db"), plan) as results:
        results.add(failing(Shard(0, 5)))
    code, _out, err = sscard("campaign", "show", "city.db", *form)
    assert (code, err) == (1, "cards that broke an invariant: 1\n")
    limits = ("--fail-above", "untouched=0%", "--fail-above", "locked=100%")
    code, _out, err = sscard("campaign", "--cards", 3, "--workers", 1, "--through", "card", *limits, *form)
    assert code == 1
    assert re.fullmatch(r"untouched=0%: \d+\.\d\d %, not met\n", err)


def test_texts_of_a_results_file_that_somebody_made_are_shown_with_their_control_characters_escaped(
    tmp_path: Path, sscard: CommandLine
) -> None:
    file, obeyed = tmp_path / "city.db", "\x1b]0;title\x07\x9b2J\n\u202e"
    plan = replace(plan_of(task_in(tmp_path), 5), products=(obeyed, "b", "c"), places=(obeyed, "d"))
    with ResultsWriter.create(file, plan) as results:
        results.add(failing(Shard(0, 5)))
    with closing(sqlite3.connect(file)) as changed:
        changed.execute("UPDATE failure SET invariant = :text, step = :text, trace = :text", {"text": obeyed})
        changed.execute("UPDATE shard SET layers = ?", (json.dumps({obeyed: 1.0}),))
        changed.commit()

    code, out, err = sscard("campaign", "show", file, "--failures", tmp_path / "failed")
    assert (code, err) == (1, "cards that broke an invariant: 1\n")
    trace = (tmp_path / "failed" / "card-0.trace").read_text(encoding="utf-8")
    for shown in (out, trace):
        assert not re.search(HIDDEN, shown.replace("\n", ""))
        assert r"\x1b]0;title\x07\x9b2J" in shown
    escaped = visible(obeyed)
    assert f"card 0, {escaped}: {escaped}" in out
    assert f"measured time per card: {escaped}" in out
    assert trace.startswith(f"{escaped}\n{escaped}\n\n")
