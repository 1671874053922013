"""``sscard defects list|run``: the catalogue of defects, and which of them a suite notices."""

from __future__ import annotations

from contextlib import closing, nullcontext
from pathlib import Path
from textwrap import indent
from time import monotonic
from typing import TYPE_CHECKING, Final

import click

from sscard.cli.formatter import WIDEST, terminal_width, wrapped
from sscard.cli.main import INTERRUPTED
from sscard.cli.options import MOST_WORKERS, json_option, paths_argument
from sscard.cli.output import check_output, print_json
from sscard.cli.table import table_lines
from sscard.cli.target import tell
from sscard.cli.types import FILE, NAME, Number, Text, Words
from sscard.cli.usage import argument, excluding, group, option
from sscard.errors import InputError
from sscard.i18n.language import N_, _, say, visible
from sscard.i18n.phrase import Phrase
from sscard.sources import prefer_sources

if TYPE_CHECKING:
    from rich.console import Console

    from sscard.scenario.defect_parts import Part
    from sscard.scenario.defects import Defect
    from sscard.scenario.defects.measure import Measure
    from sscard.scenario.reports.defects import Matrix

INDENT: Final = "    "
part_option: Final = option(
    "--part", type=Words("sscard.scenario.defect_parts:Part"), help=N_("Select the defects of one part.")
)


@group("defects")
def defects() -> None:
    """Measure a suite with planted defects: small wrong changes that it has to notice."""


@defects.command("list")
@argument("words", metavar=N_("WORD"), type=Text(N_("WORD")), nargs=-1, help=N_("Words of names and descriptions."))
@part_option
@json_option
def list_(words: tuple[str, ...], part: Part | None, as_json: bool) -> None:
    """List the defects of the catalogue, or those that have one of the words.

    Below each is a file of the built-in suite with a scenario that notices it;
    --json has all that are known. Exits 2 if there is no defect.
    """
    from sscard.scenario.defects.noticed import noticed_by
    from sscard.scenario.reports.defects import catalogue_facts

    chosen = [
        defect
        for defect in _chosen((), part)
        if not words or any(word.lower() in f"{defect.name} {say(defect.says).lower()}" for word in words)
    ]
    if not chosen:
        raise InputError(_("no defect has one of these words"), remedy=_("sscard defects list prints all"))
    if as_json:
        print_json("defects", {"defects": list(map(catalogue_facts, chosen))})
        return
    for each in chosen:
        click.echo(f"{say(each.part.words)}  {each.name}")
        found = _("noticed by {file}", file=noticed_by()[each.name][0].file)
        for text in (f"{say(each.says)} ({each.citation})", found):
            click.echo(indent("\n".join(wrapped(text, terminal_width() - len(INDENT))), INDENT))


@defects.command("run")
@paths_argument
@option("--defect", "names", type=NAME, multiple=True, help=N_("Plant only this defect, or these."))
@part_option
@option(
    "-n", "workers", type=Number(1, MOST_WORKERS), default=1, help=N_("Processes. The defects noticed are the same.")
)
@option("--most", type=Number(1), help=N_("Stop a defect after this many scenarios notice it. Default: 1."))
@option("--all", "whole", is_flag=True, help=N_("Run the whole suite with each defect: the full matrix."))
@option(
    "--fail-under",
    type=Number(0, 100, kind=float),
    metavar=N_("PERCENT"),
    help=N_("Exit 1 if fewer percent of the defects are noticed. Default: 100."),
)
@option("--html", type=FILE, help=N_("Write the matrix as one HTML page. An existing file is replaced."))
@json_option
def run(
    paths: tuple[Path, ...],
    names: tuple[str, ...],
    part: Part | None,
    workers: int,
    most: int | None,
    whole: bool,
    fail_under: float | None,
    html: Path | None,
    as_json: bool,
) -> None:
    """Plant each defect in the running parts, and show which scenarios of a suite notice it.

    A scenario notices a defect if it passes without and fails with it. The
    likely ones are run first, and the first that notices a defect ends its
    search. Scenarios that fail without a defect too are named apart. One that is
    inconclusive with a defect is named, but does not notice it.

    Exits 1 if a defect is not noticed, or fewer than --fail-under percent are,
    2 if nothing can be run, 130 on Ctrl-C with the defects that were measured.
    """
    prefer_sources()
    from rich.console import Console

    from sscard.files import write_text
    from sscard.scenario.defects.measure import Measure
    from sscard.scenario.library import choose_scenarios, input_files
    from sscard.scenario.reports.defects import Matrix, as_facts, html_page, summary_line

    if whole and most:
        raise excluding("--most", "--all")
    asked = _chosen(names, part)
    if not asked:
        raise InputError(
            _("none of these defects is of the part {part}", part=part.words if part else ""),
            remedy=_("leave out --part or --defect"),
        )
    scenarios = choose_scenarios(list(paths), None)
    if html:
        check_output(html, input_files(paths, scenarios), replace=True)
    matrix = Matrix(scenarios, asked, 0 if whole else most or 1)
    console = Console(highlight=False, width=min(terminal_width(), WIDEST), stderr=as_json, soft_wrap=True)
    interrupted = _measure(console, Measure(scenarios, matrix.most), matrix, workers)
    try:
        if as_json:
            print_json("defects-run", as_facts(matrix))
        _print_missed(console, matrix)
    finally:  # also if the output is a pipe that was closed
        if html:
            write_text(html, html_page(matrix))
    console.print(summary_line(matrix), markup=False)
    if interrupted:
        tell(_("interrupted after {done} of {count} defects", done=len(matrix.found), count=len(asked)))
        raise SystemExit(INTERRUPTED)
    if matrix.percent < (100 if fail_under is None else fail_under):
        raise SystemExit(1)


def _chosen(names: tuple[str, ...], part: Part | None) -> list[Defect]:
    from sscard.scenario.defects import DEFECTS
    from sscard.scenario.defects.measure import find_defects

    chosen = find_defects(names) if names else DEFECTS
    return [defect for defect in chosen if part in (None, defect.part)]


def _measure(console: Console, measure: Measure, matrix: Matrix, workers: int) -> bool:
    """Measure the defects, with a row for each as it is known and the progress below; whether Ctrl-C ended it."""
    from sscard.scenario.defects.measure import measured
    from sscard.scenario.reports.defects import row_lines

    begin = monotonic()
    status = console.status(_Progress(matrix, begin)) if console.is_terminal else nullcontext()
    try:
        with status, closing(measured(measure, matrix.asked, workers)) as coming:
            for found in coming:
                matrix.found.append(found)
                for line in row_lines(matrix, found):
                    console.print(line, markup=False)
    except KeyboardInterrupt:
        return True
    finally:
        matrix.seconds = monotonic() - begin
    return False


class _Progress:
    """How many defects are done, and the elapsed time."""

    def __init__(self, matrix: Matrix, begin: float) -> None:
        self._matrix = matrix
        self._begin = begin

    def __rich__(self) -> str:
        minutes, seconds = divmod(int(monotonic() - self._begin), 60)
        return f"{len(self._matrix.found)}/{len(self._matrix.asked)}  {minutes}:{seconds:02}"


def _print_missed(console: Console, matrix: Matrix) -> None:
    """The defects that are not noticed as a table, and the scenarios that fail without a defect."""
    from sscard.scenario.reports.defects import mark_of

    lines: list[str] = []
    if matrix.missed:
        rows = [
            (mark_of(each), say(each.defect.part.words), each.defect.name, say(each.defect.says))
            for each in matrix.missed
        ]
        head = ("", _("part"), _("defect"), _("what is wrong"))
        lines += ["", _("not noticed"), *table_lines(head, rows, names=(2,))]
    if matrix.failing:
        said = Phrase.plural(
            "{count} scenario fails without a defect too",
            "{count} scenarios fail without a defect too",
            count=len(matrix.failing),
        )
        lines += ["", say(said), *(visible(f"  {each.source}: {say(each.label)}") for each in matrix.failing)]
    for line in (*lines, ""):
        console.print(line, markup=False)
