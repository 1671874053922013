"""Write docs/reference/defects.md and defects.zh.md from the catalogue of defects.

python tools/defects_page.py           writes what differs
python tools/defects_page.py --check   exits 1 if a page differs
"""

from __future__ import annotations

from pathlib import Path

from commands_page import FOLDER, write
from sscard.i18n.language import CHINESE, ENGLISH, speaking
from sscard.scenario.reports.defects import reference

PAGES = {ENGLISH: FOLDER / "defects.md", CHINESE: FOLDER / "defects.zh.md"}


def generated() -> dict[Path, str]:
    """Each page as it should be."""
    pages = {}
    for language, path in PAGES.items():
        with speaking(language):
            pages[path] = reference()
    return pages


def main(arguments: list[str] | None = None) -> int:
    """Write or check the pages of the defects."""
    return write(generated, (__doc__ or "").partition("\n\n")[0], arguments)


if __name__ == "__main__":
    raise SystemExit(main())
