"""Every module of sscard is reachable by a user: from a command, from the pytest plugin, from the root, or documented.

Computed from the import statements, those inside functions too.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import sscard

PACKAGE = Path(sscard.__file__).parent
DOCUMENTS = ("README.md", "docs/**/*.md", "examples/**/*.py")
ROOTS = ("sscard", "sscard.__main__", "sscard.testing.plugin")
ENTRY_POINT = re.compile(r"sscard(\.\w+)+:\w+")


def modules() -> dict[str, Path]:
    """Every module of the package by its name."""
    return {name_of(path): path for path in PACKAGE.rglob("*.py")}


def name_of(path: Path) -> str:
    return ".".join(("sscard", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")


def imported(tree: ast.AST) -> Iterator[str]:
    """What a source imports, and the modules it names as entry points do, ``module:name``."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(str(module), names, 0):
                yield module
                yield from (f"{module}.{alias.name}" for alias in names)
            case ast.Constant(str(text)) if ENTRY_POINT.fullmatch(text):
                yield text.partition(":")[0]


def documented(known: set[str]) -> set[str]:
    """The modules that a document names: a name in a module, or the module itself, by its full name."""
    named: set[str] = set()
    for pattern in DOCUMENTS:
        for document in Path(__file__).parents[1].glob(pattern):  # a compiled package has no documents beside it
            text = document.read_text("utf-8")
            for module, names in re.findall(r"from (sscard[\w.]*) import ([\w, ]+)", text):
                named.update((module, *(f"{module}.{name.strip()}" for name in names.split(","))))
            for full in re.findall(r"\bsscard(?:\.\w+)+", text):
                named.update((full, full.rpartition(".")[0]))
    return named & known


def reachable(sources: dict[str, str], roots: set[str]) -> set[str]:
    """The modules that the roots import, and those import, and so on; a module brings the packages around it."""
    found: set[str] = set()
    waiting = set(roots)
    while waiting:
        name = waiting.pop()
        if name in sources and name not in found:
            found.add(name)
            waiting |= {name.rpartition(".")[0], *imported(ast.parse(sources[name]))}
    return found


def test_every_module_is_reachable() -> None:
    sources = {name: path.read_text("utf-8") for name, path in modules().items()}
    missing = set(sources) - reachable(sources, {*ROOTS, *documented(set(sources))})
    assert not missing


def test_a_module_that_only_a_package_beside_it_would_reach_is_found() -> None:
    sources = {
        "sscard": "",
        "sscard.cli": "",
        "sscard.cli.run": "def run():\n    from sscard.a import b",
        "sscard.a": "from sscard.a.b import x",
        "sscard.a.b": "import sscard.a.c",
        "sscard.a.c": "",
        "sscard.a.lonely": "from sscard.a import c",
    }
    assert set(sources) - reachable(sources, {"sscard.cli.run", "sscard.cli"}) == {"sscard.a.lonely"}
