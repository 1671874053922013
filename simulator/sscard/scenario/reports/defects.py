"""Which defects a suite notices: as text, as JSON and as one HTML page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Final

from sscard.i18n.language import _, say, visible
from sscard.i18n.phrase import Phrase
from sscard.scenario.defect_parts import Part
from sscard.scenario.defects import DEFECTS
from sscard.scenario.defects.catalogue import Defect
from sscard.scenario.defects.measure import Measured
from sscard.scenario.defects.noticed import Noticing, noticed_by
from sscard.scenario.reader import Scenario
from sscard.scenario.reports.console import MARKS
from sscard.scenario.reports.page import page_template
from sscard.scenario.runner import INCONCLUSIVE
from sscard.version import __version__

MOST_COLUMNS: Final = 60
"""Scenarios of the matrix in the page; with more of them it has only the rows."""


@dataclass
class Matrix:
    """What a suite makes of defects: of those that were asked for, those that were measured so far.

    ``most`` is after how many noticing scenarios a defect was left, 0 for the whole suite.
    """

    scenarios: Sequence[Scenario]
    asked: Sequence[Defect]
    most: int = 1
    seconds: float = 0.0
    found: list[Measured] = field(default_factory=list)

    @property
    def rows(self) -> list[Measured]:
        """What was measured, in the order of the catalogue."""
        place = {defect.name: number for number, defect in enumerate(self.asked)}
        return sorted(self.found, key=lambda each: place[each.defect.name])

    @property
    def missed(self) -> list[Measured]:
        """The defects that no scenario notices, also if some cannot be judged with them."""
        return [each for each in self.rows if not each.noticed_by]

    @property
    def inconclusive(self) -> list[Measured]:
        """The defects that no scenario notices, but that keep some from being judged."""
        return [each for each in self.missed if each.inconclusive]

    @property
    def failing(self) -> list[Scenario]:
        """The scenarios that were seen not to pass without a defect."""
        return [self.scenarios[number] for number in sorted({number for each in self.found for number in each.failing})]

    @property
    def noticed(self) -> int:
        """How many of the defects that were measured are noticed."""
        return len(self.found) - len(self.missed)

    @property
    def percent(self) -> float:
        """How many of the defects that were measured are noticed, in percent; 100 of none."""
        return 100 * self.noticed / len(self.found) if self.found else 100.0

    @property
    def changed(self) -> list[int]:
        """The scenarios that notice a defect or cannot be judged with one, by number."""
        return sorted({number for each in self.found for number in (*each.noticed_by, *each.inconclusive)})

    def name_of(self, number: int) -> str:
        """A scenario as a report names it: file and title."""
        scenario = self.scenarios[number]
        return f"{scenario.source}: {say(scenario.label)} ({scenario.personality.name})"


def row_lines(matrix: Matrix, measured: Measured) -> Iterator[str]:
    """A defect, and the scenarios that notice it or are inconclusive; of one not noticed what is wrong with it."""
    defect = measured.defect
    yield f"{mark_of(measured)} {say(defect.part.words)}  {defect.name}" + (
        "" if measured.noticed_by else f": {_('not noticed')}"
    )
    for number in measured.noticed_by:
        yield f"    {visible(matrix.name_of(number))}"
    if not measured.noticed_by:
        yield f"    {say(defect.says)}"
    for number in measured.inconclusive:
        yield f"    {_('inconclusive: {scenario}', scenario=visible(matrix.name_of(number)))}"


def mark_of(measured: Measured) -> str:
    """The mark of a defect: that of a verdict, which says whether the suite notices it."""
    verdict = "passed" if measured.noticed_by else INCONCLUSIVE if measured.inconclusive else "failed"
    return MARKS[verdict][0]


def summary_line(matrix: Matrix) -> str:
    """How many defects are noticed, and with how many of the others scenarios are inconclusive."""
    summary = _(
        "{noticed} of {defects} noticed ({percent} %), {runs} in {seconds:.1f} s",
        noticed=matrix.noticed,
        defects=Phrase.plural("{count} defect", "{count} defects", count=len(matrix.found)),
        percent=int(matrix.percent),  # rounded down: 100 % only if every defect is noticed
        runs=Phrase.plural("{count} run", "{count} runs", count=sum(each.runs for each in matrix.found)),
        seconds=matrix.seconds,
    )
    if not matrix.inconclusive:
        return summary
    said = Phrase.plural(
        "{count} of the others makes scenarios inconclusive",
        "{count} of the others make scenarios inconclusive",
        count=len(matrix.inconclusive),
    )
    return say(Phrase("{first}; {rest}", first=summary, rest=said))


def defect_facts(defect: Defect) -> dict[str, Any]:
    """A defect for programs."""
    return {"name": defect.name, "part": defect.part.value, "says": say(defect.says), "source": defect.citation}


def catalogue_facts(defect: Defect) -> dict[str, Any]:
    """A defect for programs, schema ``sscard.defects/1``, with the scenarios of the built-in suite that notice it."""
    return defect_facts(defect) | {"noticed_by": [each._asdict() for each in noticed_by()[defect.name]]}


def as_facts(matrix: Matrix) -> dict[str, Any]:
    """The matrix for programs, schema ``sscard.defects-run/1``."""
    return {
        "version": __version__,
        "scenarios": len(matrix.scenarios),
        "most": matrix.most,
        "asked": len(matrix.asked),
        "noticed": matrix.noticed,
        "inconclusive": len(matrix.inconclusive),
        "percent": round(matrix.percent, 1),
        "seconds": round(matrix.seconds, 1),
        "defects": [
            {
                **defect_facts(each.defect),
                "noticed_by": [Noticing.of(matrix.scenarios[number])._asdict() for number in each.noticed_by],
                "inconclusive": [Noticing.of(matrix.scenarios[number])._asdict() for number in each.inconclusive],
                "runs": each.runs,
                "seconds": round(each.seconds, 3),
            }
            for each in matrix.rows
        ],
        "failing": [Noticing.of(each)._asdict() for each in matrix.failing],
    }


def html_page(matrix: Matrix) -> str:
    """The matrix: one page that needs no network."""
    return page_template("defects.html.j2").render(
        matrix=matrix,
        groups=[(part.words, [*rows]) for part, rows in groupby(matrix.rows, lambda each: each.defect.part)],
        columns=matrix.changed if not matrix.most and len(matrix.changed) <= MOST_COLUMNS else [],
        mark_of=mark_of,
        summary=summary_line(matrix),
    )


def reference() -> str:
    """The catalogue as a page of the documentation, in Markdown."""
    lines = [
        f"# {_('Defects of the catalogue')}",
        "",
        _("Generated from the catalogue: `python tools/defects_page.py`. `sscard defects list` prints the same."),
        "",
        _("Number of defects: {count}. Each is a small wrong change to a part of the chain.", count=len(DEFECTS)),
        "",
        _("Noticed by: files of the built-in suite. A scenario of each fails with the defect, and the tests run it."),
    ]
    for part in Part:
        rows = [each for each in DEFECTS if each.part is part]
        heads = (_("defect"), _("what is wrong"), _("source"), _("noticed by"))
        lines += ["", f"## {say(part.words)}", "", f"| {' | '.join(heads)} |", "|---|---|---|---|"]
        for each in rows:
            files = "<br>".join(f"`{found.file}`" for found in noticed_by()[each.name])
            lines.append(f"| `{each.name}` | {say(each.says)} | {each.citation} | {files} |")
    return "\n".join([*lines, ""])
