"""Worker processes: why one cannot be started, or died."""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from kit.programs import CommandLine
from kit.suites import write_suite
from sscard.errors import MissingPart
from sscard.i18n.language import say
from sscard.signals import cause_of
from sscard.worker_process import start_worker

GOOD = "name: {name}\nproves: b\nsteps:\n  - get_challenge: 8\n    state: challenge\n"


def refuse(*_arguments: object) -> None:
    raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))


@pytest.mark.parametrize("start", sorted({"spawn", "fork"} & {*multiprocessing.get_all_start_methods()}))
def test_a_process_that_the_system_refuses_is_a_missing_part(start: str, monkeypatch: pytest.MonkeyPatch) -> None:
    context = multiprocessing.get_context(start)
    monkeypatch.setattr(context.Process, "start", refuse)
    with pytest.raises(MissingPart, match="a worker process cannot be started: ") as raised:
        start_worker(context, print, remedy="end other programs")
    assert raised.value.remedy == "end other programs"


def test_a_run_whose_workers_cannot_be_started_ends_with_3(
    sscard: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_suite(tmp_path, GOOD, GOOD)
    for name in multiprocessing.get_all_start_methods():
        monkeypatch.setattr(multiprocessing.get_context(name).Process, "start", refuse)
    code, _out, err = sscard("run", tmp_path, "-n", "2")
    assert code == 3
    assert "a worker process cannot be started" in err
    assert "use fewer processes with -n" in err


@pytest.mark.skipif(not hasattr(signal, "SIGRTMIN"), reason="the system has no real-time signals")
def test_the_cause_of_death_is_named_for_every_signal() -> None:
    causes = {number: say(cause_of(-number)) for number in signal.valid_signals()}
    assert all(causes.values())
    assert causes[signal.SIGTERM] == "SIGTERM"
    assert causes[signal.SIGRTMIN + 1] == f"signal {signal.SIGRTMIN + 1}"
    assert say(cause_of(3)) == "exit code 3"
