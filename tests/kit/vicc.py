"""The card of vicc, the emulator of the virtualsmartcard package, in a process of its own."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from kit.programs import Program, running
from sscard.transport.virtualsmartcard import FOLDER

PROGRAM = "/usr/bin/vicc"


def demand_vicc() -> None:
    """Skip without vicc, its folder, or ``Crypto``, which it imports."""
    if shutil.which(PROGRAM) is None or not Path(FOLDER).is_dir():
        pytest.skip("vicc is not installed: sudo apt-get install vsmartcard-vpicc")
    if find_spec("Crypto") is None:
        pytest.skip("no Crypto: pip install 'sscard[virtualsmartcard]'")


@contextmanager
def vicc(port: int) -> Iterator[Program]:
    """The card, connected to a reader or a run that listens on the port; ended with the context."""
    path = os.pathsep.join((FOLDER, os.environ.get("PYTHONPATH", "")))
    command = ("--type", "iso7816", "--hostname", "127.0.0.1", "--port", port)
    with running(*command, program=(sys.executable, PROGRAM), PYTHONPATH=path) as program:
        yield program
