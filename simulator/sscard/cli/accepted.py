"""``sscard run --accept``: write observed values into scenario files, and show the changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sscard.i18n.language import say, visible

if TYPE_CHECKING:
    from rich.console import Console

    from sscard.scenario import ScenarioResult


def accept_observed(console: Console, paths: Sequence[Path], run: Callable[[int], list[ScenarioResult]]) -> None:
    """Write observed values into the files, and print the changes and what is left or holds for one seed only.

    ``run`` reads and runs the scenarios, with the seed plus a number.
    """
    from difflib import unified_diff

    from rich.text import Text

    from sscard.files import read_text
    from sscard.scenario.acceptance import Acceptance, masked
    from sscard.scenario.library import find_files

    acceptance = Acceptance()
    try:
        acceptance.accept(lambda: run(0), {file.source: file.path for file in find_files(paths)})
        if acceptance.before:
            acceptance.compare_seeds(run(1))
    finally:
        for path, before in acceptance.before.items():
            old, new = masked(before).splitlines(), masked(read_text(path)).splitlines()
            for line in unified_diff(old, new, str(path), str(path), lineterm=""):
                console.print(Text(visible(line), style=_DIFF.get(line[:1], "")))
        for left in acceptance.left:
            console.print(Text(visible(f"{left.place}: {say(left.reason)}"), style="yellow"))


_DIFF: Final = {"+": "green", "-": "red", "@": "cyan"}
