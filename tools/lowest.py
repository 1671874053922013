"""Print pip constraints that pin each dependency of the package to its lower bound in pyproject.toml.

``python tools/lowest.py > lowest.txt`` and then ``pip install --constraint lowest.txt --editable .`` installs
the oldest versions that the package claims to work with. Only direct dependencies, those of the extras
included, are pinned; the tools of the group dev and indirect dependencies are not. Exits 1 if a dependency
has no lower bound.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"


def constraints(pyproject: dict[str, Any]) -> Iterator[str]:
    """``name==version`` for each dependency of a parsed pyproject.toml; ``ValueError`` without lower bound (>=)."""
    project = pyproject["project"]
    extras = project.get("optional-dependencies", {})
    for text in chain(project["dependencies"], *extras.values()):
        requirement = Requirement(text)
        bounds = [bound.version for bound in requirement.specifier if bound.operator == ">="]
        if len(bounds) != 1:
            raise ValueError(f"{text}: exactly one lower bound (>=) expected")
        yield f"{requirement.name}=={bounds[0]}"


if __name__ == "__main__":
    try:
        sys.stdout.writelines(f"{line}\n" for line in constraints(tomllib.loads(PYPROJECT.read_text("utf-8"))))
    except ValueError as error:
        sys.exit(str(error))
