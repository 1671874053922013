"""Folders of scenario files for tests."""

from __future__ import annotations

from pathlib import Path


def write_suite(folder: Path, *texts: str) -> None:
    """Write the scenario files of a folder, which is made: in a text ``{name}`` is its name, ``{}`` its number."""
    folder.mkdir(exist_ok=True)
    for number, text in enumerate(texts):
        (folder / f"{number}.yaml").write_text(text.format(number, name=f"scenario {number}"))
