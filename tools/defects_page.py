"""Write docs/reference/defects.md and defects.zh.md from the catalogue of defects.

python tools/defects_page.py             writes what differs
python tools/defects_page.py --check     exits 1 if a page differs
python tools/defects_page.py --measure   runs the scenarios with each defect first (2 minutes): what notices it
"""

from __future__ import annotations

import sys
from pathlib import Path

from commands_page import FOLDER, write
from sscard.i18n.language import CHINESE, ENGLISH, speaking
from sscard.scenario import builtin_scenarios
from sscard.scenario.defects.noticed import FILE, measured_text
from sscard.scenario.reports.defects import reference
from sscard.sources import prefer_sources

NOTICED = FOLDER.parents[1] / "simulator" / "sscard" / "scenario" / "defects" / FILE
PAGES = {ENGLISH: FOLDER / "defects.md", CHINESE: FOLDER / "defects.zh.md"}


def generated() -> dict[Path, str]:
    """Each page as it should be."""
    pages = {}
    for language, path in PAGES.items():
        with speaking(language):
            pages[path] = reference()
    return pages


def main(arguments: list[str]) -> int:
    """Write or check the pages of the defects."""
    if "--measure" in arguments:
        prefer_sources()
        NOTICED.write_text(measured_text(builtin_scenarios()), "utf-8")
    return write(generated, (__doc__ or "").partition("\n\n")[0], [word for word in arguments if word != "--measure"])


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
