"""Hooks of the build: the long description of the package, and a wheel with the compiled chip.

The long description is the README, with links that work outside the
repository. On a package index links to its files become absolute with the URL
``Source`` of ``[project.urls]``. While there is no public host, a link becomes
its text and an image is left out.

With ``SSCARD_COMPILE=1`` the chip is compiled by mypyc. The wheel has the
modules as extensions beside their sources, which are for tracebacks, and the
tag of this Python and platform. Without it the wheel is plain Python.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface

RELATIVE = re.compile(r"(!?)\[([^\]]*)\]\((?!https?://|#)([^)]+)\)")
COMMENT = re.compile(r"^<!--.*?-->\n", re.MULTILINE | re.DOTALL)


def long_description(readme: str, source: str) -> str:
    """The text for a package index; ``source`` is the URL of the repository's files, empty if there is none."""

    def link(found: re.Match[str]) -> str:
        image, text, path = found.groups()
        if source:
            return f"{image}[{text}]({source.rstrip('/')}/{path})"
        return "" if image else text

    return RELATIVE.sub(link, COMMENT.sub("", readme))


class ReadmeHook(MetadataHookInterface):
    """Fills in ``readme``."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set the field; hatchling calls this when it builds."""
        text = (Path(self.root) / "README.md").read_text("utf-8")
        source = metadata.get("urls", {}).get("Source", "")
        metadata["readme"] = {"content-type": "text/markdown", "text": long_description(text, source)}


VARIABLE = "SSCARD_COMPILE"
LOG_LINES = 20
"""How much of the compiler's output an error repeats."""


class CompiledChipHook(BuildHookInterface[Any]):
    """Compiles the packages ``compiled`` of its configuration into the wheel, if ``SSCARD_COMPILE`` asks for it."""

    def dependencies(self) -> list[str]:
        """What mypyc needs: itself, a build tool, and the cipher library, whose types the chip uses."""
        if not self._wanted:
            return []
        cipher = [text for text in self.metadata.core.dependencies if text.startswith("cryptography")]
        return ["mypy[mypyc]>=1.13,<3", "setuptools", *cipher]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and add the extensions to the wheel."""
        if not self._wanted:
            return
        if version == "editable":
            self.app.abort(f"{VARIABLE} is set, but an editable installation runs the sources: pip install .")
        self._built = TemporaryDirectory()  # removed with the hook, after the wheel is written
        for extension in self._compile(Path(self._built.name)):
            build_data["force_include"][str(extension)] = str(extension.relative_to(self._built.name))
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    @property
    def _wanted(self) -> bool:
        return os.environ.get(VARIABLE, "") not in ("", "0")

    def _compile(self, folder: Path) -> Iterator[Path]:
        """The extensions that mypyc makes of a copy of the sources."""
        copy = folder / "sscard"
        shutil.copytree(Path(self.root) / "simulator" / "sscard", copy, ignore=shutil.ignore_patterns("__pycache__"))
        sources = [path for package in self.config["compiled"] for path in sorted((copy / package).glob("*.py"))]
        # What the chip's packages import for their types only needs packages that are not installed here.
        options = ["--follow-imports=silent", "--ignore-missing-imports"]
        command = [sys.executable, "-m", "mypyc", *options, *(str(path.relative_to(folder)) for path in sources)]
        done = subprocess.run(  # noqa: S603
            command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        if done.returncode:
            self.app.abort(
                "\n".join(done.stdout.splitlines()[-LOG_LINES:])
                + f"\n{VARIABLE} is set, but the chip could not be compiled."
                "\n  It needs a C compiler and the headers of Python: sudo apt-get install gcc python3-dev"
                f"\n  Without {VARIABLE} the package is plain Python and needs neither."
            )
        suffix = EXTENSION_SUFFIXES[0]
        return (path for path in folder.rglob(f"*{suffix}") if "build" not in path.relative_to(folder).parts)
