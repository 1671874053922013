"""``make compiled`` runs the chip's tests on compiled modules: here it shows that they are."""

from __future__ import annotations

import importlib
import os
import pkgutil
from importlib.machinery import EXTENSION_SUFFIXES

import pytest

import sscard

PACKAGES = ("standard", "chip", "card", "psam")
MODULES = [
    found.name
    for package in PACKAGES
    for found in pkgutil.walk_packages([f"{sscard.__path__[0]}/{package}"], f"sscard.{package}.")
    if not found.ispkg
]


@pytest.mark.skipif("SSCARD_COMPILED" not in os.environ, reason="make compiled runs it")
@pytest.mark.parametrize("name", MODULES)
def test_the_module_under_test_is_compiled(name: str) -> None:
    file = importlib.import_module(name).__file__
    assert file is not None
    assert file.endswith(tuple(EXTENSION_SUFFIXES))
