"""``sscard run --accept``: write observed values into scenario files, and show the changes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sscard.i18n.language import say, visible

if TYPE_CHECKING:
    from rich.console import Console

    from sscard.scenario import ScenarioResult
    from sscard.scenario.acceptance import NotAccepted


def accept_observed(console: Console, paths: Sequence[Path], run: Callable[[int], list[ScenarioResult]]) -> None:
    """Write observed values into the files, and print the changes and what is left or holds for one seed only.

    ``run`` reads and runs the scenarios, with the seed plus a number.
    """
    from sscard.scenario.acceptance import Acceptance
    from sscard.scenario.library import find_files

    acceptance = Acceptance()
    try:
        acceptance.accept(lambda: run(0), {file.source: file.path for file in find_files(paths)})
        if acceptance.before:
            acceptance.compare_seeds(run(1))
    finally:
        print_changes(console, acceptance.before, acceptance.left, acceptance.pins)


def print_changes(
    console: Console, before: Mapping[Path, str], left: Sequence[NotAccepted], pins: Collection[str] = ()
) -> None:
    """How files differ from their texts ``before``, without ``pins``, and what was left as it is, with the reason."""
    from difflib import unified_diff

    from rich.text import Text

    from sscard.files import read_text
    from sscard.scenario.acceptance import masked

    for path, text in before.items():
        after = read_text(path) if path.exists() else ""
        old, new = (masked(each, pins).splitlines() for each in (text, after))
        for line in unified_diff(old, new, str(path), str(path), lineterm=""):
            console.print(Text(visible(line), style=_DIFF.get(line[:1], "")))
    for each in left:
        console.print(Text(visible(f"{each.place}: {say(each.reason)}"), style="yellow"))


_DIFF: Final = {"+": "green", "-": "red", "@": "cyan"}
