"""``make compiled`` runs the chip's tests on compiled modules: here it shows that they are."""

from __future__ import annotations

import importlib
import os
import pkgutil
from importlib.machinery import EXTENSION_SUFFIXES

import pytest

import sscard.card
import sscard.card.commands

MODULES = ["sscard.apdu", "sscard.cipher", "sscard.encoding", "sscard.card", "sscard.card.commands"]
MODULES += [
    f"{package.__name__}.{found.name}"
    for package in (sscard.card, sscard.card.commands)
    for found in pkgutil.iter_modules(package.__path__)
    if not found.ispkg
]


@pytest.mark.skipif("SSCARD_COMPILED" not in os.environ, reason="make compiled runs it")
@pytest.mark.parametrize("name", MODULES)
def test_the_module_under_test_is_compiled(name: str) -> None:
    file = importlib.import_module(name).__file__
    assert file is not None
    assert file.endswith(tuple(EXTENSION_SUFFIXES))
