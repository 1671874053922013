"""Write docs/reference/commands.md and commands.zh.md from the declarations of the commands.

python tools/commands_page.py           writes what differs
python tools/commands_page.py --check   exits 1 if a page differs
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from sscard.conversation.reference import markdown
from sscard.i18n.language import CHINESE, ENGLISH, speaking

FOLDER = Path(__file__).parents[1] / "docs" / "reference"
PAGES = {ENGLISH: FOLDER / "commands.md", CHINESE: FOLDER / "commands.zh.md"}


def generated() -> dict[Path, str]:
    """Each page as it should be."""
    pages = {}
    for language, path in PAGES.items():
        with speaking(language):
            pages[path] = markdown()
    return pages


def write(generate: Callable[[], dict[Path, str]], description: str, arguments: list[str] | None = None) -> int:
    """Write or check the pages of a generator; the exit code."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 if a page differs")
    options = parser.parse_args(arguments)
    FOLDER.mkdir(parents=True, exist_ok=True)
    differing = [
        (path, text) for path, text in generate().items() if not path.exists() or path.read_text("utf-8") != text
    ]
    for path, text in differing:
        sys.stdout.write(f"{path.name} {'differs' if options.check else 'written'}\n")
        if not options.check:
            path.write_text(text, "utf-8")
    return 1 if options.check and differing else 0


def main(arguments: list[str] | None = None) -> int:
    """Write or check the pages of the commands."""
    return write(generated, (__doc__ or "").partition("\n\n")[0], arguments)


if __name__ == "__main__":
    raise SystemExit(main())
