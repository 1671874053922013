"""Check the English that users and developers read for phrases that plain technical English avoids.

``python tools/plain.py`` scans documents (README, CONTRIBUTING,
CHANGELOG, docs/ without the fact sheets, templates), the docstrings of all
Python files, the texts of YAML files, and the messages of the catalog. It
prints one line per finding as ``file:line: phrase: text``, then their number.
Exits 1 if there is a finding.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from babel.messages.pofile import read_po

ROOT = Path(__file__).parents[1]
PACKAGE = Path("simulator/sscard")
CATALOG = PACKAGE / "i18n/locale/zh/LC_MESSAGES/sscard.po"

PHRASES = (
    *("tell", "tells", "told", "shall", "for good", "by itself", "at once", "where there is none"),
    *("what is there", "it is none of", "that left", "goes on", "stands for", "borrows"),
)
FOUND = re.compile(r"\b(?:" + "|".join(PHRASES).replace(" ", r"\s+") + r")\b", re.IGNORECASE)

PYTHON = ("simulator", "tests", "tools", "bench", "examples")
DOCUMENTS = (
    *("*.md", "NOTICE", ".github/**/*.md", ".github/**/*.yml", "docs/**/*.md", "examples/**/*.md", "bench/**/*.md"),
    *("simulator/**/*.md", "simulator/**/*.yaml", "scenarios/**/*.yaml"),
)
FACTS = Path("docs/standard")
INSTALLED = "node_modules"


@dataclass(frozen=True)
class Finding:
    """A phrase in a text; ``path`` is relative to the root."""

    path: Path
    line: int
    phrase: str
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.phrase}: {self.text}"


def phrases(path: Path, text: str, first: int = 1) -> Iterator[Finding]:
    """The phrases in a text that begins at line ``first`` of a file."""
    for found in FOUND.finditer(text):
        line = text.count("\n", 0, found.start())
        yield Finding(path, first + line, " ".join(found[0].lower().split()), text.split("\n")[line].strip())


def in_docstrings(path: Path, source: str) -> Iterator[Finding]:
    """The phrases in the docstrings of a Python file, those of attributes included."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Expr(ast.Constant(str(text))):
                yield from phrases(path, text, node.lineno)


def in_messages(root: Path) -> Iterator[Finding]:
    """The phrases in the messages of the catalog, each at the first file that uses the message."""
    with (root / CATALOG).open("rb") as file:
        for message in read_po(file):
            ids = message.id if isinstance(message.id, tuple | list) else (message.id,)
            path = PACKAGE / (message.locations[0][0] if message.locations else CATALOG.relative_to(PACKAGE))
            for text in ids:
                yield from phrases(path, text)


def findings(root: Path) -> list[Finding]:
    """Every phrase found below a directory, in the order of files and lines."""
    found = set(in_messages(root)) if (root / CATALOG).exists() else set()
    for path in (path for place in PYTHON for path in (root / place).rglob("*.py") if INSTALLED not in path.parts):
        found.update(in_docstrings(path.relative_to(root), path.read_text("utf-8")))
    for path in {path for pattern in DOCUMENTS for path in root.glob(pattern)}:
        if not path.relative_to(root).is_relative_to(FACTS) and INSTALLED not in path.parts:
            found.update(phrases(path.relative_to(root), path.read_text("utf-8")))
    return sorted(found, key=lambda finding: (finding.path, finding.line, finding.phrase))


def main() -> int:
    """Print the findings and their number; return the exit code."""
    found = findings(ROOT)
    for finding in found:
        sys.stdout.write(f"{finding}\n")
    sys.stdout.write(f"{len(found)} phrases to replace\n")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
