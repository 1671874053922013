"""What ``sscard campaign`` prints: progress, tables, JSON, failing cards, and the exit code."""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from sscard.campaign.units import SECOND_MS
from sscard.cli.main import INTERRUPTED
from sscard.cli.output import print_json
from sscard.cli.table import table_lines
from sscard.cli.target import tell
from sscard.files import TextFile, make_folder, unwritable, write_text
from sscard.i18n.language import _, say, visible, visible_lines

if TYPE_CHECKING:
    from sscard.campaign.figures import Figures
    from sscard.campaign.repeat import Repeated
    from sscard.campaign.results import Plan, Results
    from sscard.campaign.running import Checked, Progress, Threshold

INTERVAL: Final = 0.25
"""Seconds between two updates of the progress on a terminal."""
LINE_INTERVAL: Final = 60.0
"""Seconds between two lines of progress in a log."""
PRINTED: Final = 20
"""Failing cards that are printed."""
LISTED: Final = 1000
"""Failing cards in JSON."""
FAILURE_FILE: Final = re.compile(r"card-[0-9]+\.(json|trace|sh)")
"""The files of a failing card: image, trace, and the command that repeats it."""


@dataclass(frozen=True)
class Found:
    """Results as they are shown: ``repeat`` is the command that repeats a card, without its index at the end.

    ``ran`` is the run that made them, ``None`` for results of a file.
    """

    results: Results
    repeat: str
    ran: Progress | None = None
    engine: str = ""
    thresholds: Sequence[Threshold] = ()
    interrupted: bool = False

    @property
    def passed(self) -> bool:
        """Whether no card broke an invariant and every threshold is met."""
        return not self.results.failed and all(each.met for each in self.checked)

    @cached_property
    def figures(self) -> Figures:
        from sscard.campaign.figures import figures_of

        return figures_of(self.results)

    @cached_property
    def checked(self) -> list[Checked]:
        """The thresholds and what was found."""
        from sscard.campaign.running import check_thresholds

        return check_thresholds(self.figures, self.thresholds)

    def as_json(self) -> dict[str, Any]:
        """The fields of ``sscard.campaign/1``."""
        from sscard.cli.campaign_figures import figure_facts

        results, plan, figures = self.results, self.results.plan, self.figures
        return {
            "digest": results.digest,
            "passed": self.passed,
            "interrupted": self.interrupted,
            "version": plan.version,
            "seed": plan.seed,
            "through": plan.through,
            "cards": plan.cards,
            "done": figures.cards,
            "failed": results.failed,
            "run": self.ran
            and {
                "engine": self.engine,
                "resumed_at": self.ran.before,
                "seconds": round(self.ran.seconds, 3),
                "cards_per_second": round((self.ran.done - self.ran.before) / self.ran.seconds, 1),
            },
            **figure_facts(figures),
            "layers": {name: round(seconds, 6) for name, seconds in figures.layers.items()},
            "modelled_ms": {name: round(SECOND_MS * seconds) for name, seconds in figures.modelled.items()},
            "limits": [{"limit": each.threshold.text, "share": each.share, "met": each.met} for each in self.checked],
            "failures": [
                {"card": card, "invariant": invariant, "step": step, "repeat": f"{self.repeat} {card}"}
                for card, invariant, step in self.broken(LISTED)
            ],
        }

    def broken(self, most: int) -> Iterator[tuple[int, str, str]]:
        """Card, invariant and step of the first failures."""
        for failure in islice(self.results.failures(), most):
            yield failure.index, failure.invariant, failure.step


@contextmanager
def progress() -> Iterator[Callable[[Progress], None]]:
    """A function that shows how far a campaign is: live on a terminal, otherwise a line each minute."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    interval = INTERVAL if console.is_terminal else LINE_INTERVAL
    shown = time.monotonic()

    def text(at: Progress) -> str:
        left = (at.cards - at.done) / at.rate if at.rate else 0.0
        minutes, seconds = divmod(round(left), 60)
        return _(
            "{done:,} of {cards:,} cards, {rate:,.0f} cards/s, {lockouts:,} lock-outs, {failures:,} failures, "
            "{left} left",
            done=at.done,
            cards=at.cards,
            rate=at.rate,
            lockouts=at.lockouts,
            failures=at.failures,
            left=f"{minutes // 60}:{minutes % 60:02}:{seconds:02}",
        )

    def show(at: Progress) -> None:
        nonlocal shown
        if time.monotonic() - shown >= interval:
            shown = time.monotonic()
            if console.is_terminal:
                status.update(text(at))
            else:
                tell(text(at))

    with console.status(_("starting workers"), refresh_per_second=4) as status:
        yield show


def tell_incomplete(at: Progress, results: Path | None) -> None:
    """Say how far a campaign came, and how it is continued."""
    tell(_("the campaign ended after {done:,} of {cards:,} cards", done=at.done, cards=at.cards))
    if results:
        command = shlex.join(["sscard", "campaign", "--results", str(results), "--resume"])
        tell(_("continue it with: {command}", command=command))
    else:
        tell(_("its results are lost; --results FILE keeps them"))


def finish(
    found: Found,
    results: Path | None,
    parquet: Path | None,
    failures: Path | None,
    html: Path | None,
    *,
    as_json: bool,
) -> None:
    """Write the files, print the results, and exit with 1 or 130 if they are not passed or not complete."""
    if parquet:
        from sscard.campaign.parquet import write_parquet

        write_parquet(found.results, parquet)
    if failures:
        _write_failures(found, failures)
    if html:
        from sscard.campaign.report import campaign_page

        write_text(html, campaign_page(found.figures, found.repeat))
    if as_json:
        print_json("campaign", found.as_json())
    else:
        for line in _lines(found):
            click.echo(line)
    if found.interrupted and found.ran:
        tell_incomplete(found.ran, results)
        raise SystemExit(INTERRUPTED)
    for missed in found.checked:
        if not missed.met:
            tell(_("{text}: {share}, not met", text=missed.threshold.text, share=f"{100 * missed.share:.2f} %"))
    if found.results.failed:
        tell(_("cards that broke an invariant: {count:,}", count=found.results.failed))
    if not found.passed:
        raise SystemExit(1)


def _lines(found: Found) -> Iterator[str]:
    """The outcomes by place, the totals, the thresholds, the failing cards, and the digest."""
    from sscard.campaign.figures import OUTCOMES
    from sscard.campaign.rows import Outcome
    from sscard.cli.campaign_figures import figure_lines

    results, figures = found.results, found.figures
    total = figures.by_outcome()
    used = [outcome for outcome in Outcome if total[outcome]]
    rows = [
        [name, *(f"{count:,}" for count in (counts.total(), *(counts[outcome] for outcome in used)))]
        for name, counts in (*figures.by_place(), (_("all"), total))
    ]
    headings = [_("place"), _("cards"), *(say(OUTCOMES[outcome]) for outcome in used)]
    yield from table_lines(headings, rows, numbers=range(1, len(headings)))
    yield ""
    yield _(
        "{lockouts:,} lock-outs, {commands:,} commands, {operations:,} HSM operations",
        lockouts=figures.lockouts,
        commands=figures.commands,
        operations=figures.hsm_operations,
    )
    yield from figure_lines(figures)
    if found.ran and found.ran.seconds:
        now = found.ran.done - found.ran.before
        yield _(
            "done: {cards:,} in {seconds:.1f} s, {rate:,.0f} cards/s",
            cards=now,
            seconds=found.ran.seconds,
            rate=now / found.ran.seconds,
        )
    for each in found.checked:
        words = {"text": each.threshold.text, "share": f"{100 * each.share:.2f} %"}
        yield _("{text}: {share}, met", **words) if each.met else _("{text}: {share}, not met", **words)
    if results.failed:
        yield ""
        yield _("cards that broke an invariant: {count:,}", count=results.failed)
        for card, invariant, step in found.broken(PRINTED):
            yield _("  card {card}, {invariant}: {step}", card=card, invariant=invariant, step=step)
            yield visible(f"    {found.repeat} {card}")
    yield ""
    yield _("digest {digest}", digest=results.digest or _("none: the campaign is not complete"))


def print_repeated(repeated: Repeated, plan: Plan, *, as_json: bool) -> None:
    """Print the life of one card: what it was, its commands, its row, and the invariant that it broke."""
    from sscard.campaign.results import COLUMNS
    from sscard.campaign.rows import NEVER

    row, failure = repeated.row, repeated.failure
    named: dict[str, object] = {
        "product": plan.products[row.product],
        "place": plan.places[row.place],
        "behaviour": plan.behaviours[row.behaviour],
        "outcome": row.outcome.name.lower(),
        "state": row.state.hex(),
    }
    values = zip(COLUMNS, row, strict=True)
    known = {name: None if value == NEVER else named.get(name, value) for name, value in values}
    if as_json:
        broken = failure and {"invariant": failure.invariant, "step": failure.step}
        print_json("campaign-card", {"row": known, "trace": list(repeated.trace), "failure": broken})
        return
    for event in repeated.trace:
        click.echo(event)
    click.echo()
    rows = [[name, "–" if value is None else str(value)] for name, value in known.items()]
    for line in table_lines([_("field"), _("value")], rows):
        click.echo(line)
    if failure:
        click.echo(_("broken: {invariant}: {step}", invariant=failure.invariant, step=failure.step))


def foreign(folder: Path) -> str:
    """The name of a file in a folder that is not one of a failing card; empty if there is none."""
    for each in sorted(folder.iterdir()):
        if not FAILURE_FILE.fullmatch(each.name):
            return each.name
    return ""


def _write_failures(found: Found, folder: Path) -> None:
    """Write image, trace and command of each failing card whose image was kept, instead of earlier ones."""
    make_folder(folder)
    try:
        for each in folder.iterdir():
            if FAILURE_FILE.fullmatch(each.name):
                each.unlink()
    except OSError as error:
        raise unwritable(folder, error) from None
    here = shlex.quote(str(Path.cwd()))  # the command may name files from here
    for failure in found.results.failures():
        if not failure.image:
            continue
        head = f"{visible(failure.invariant)}\n{visible(failure.step)}\n"
        contents = {
            "json": failure.image,
            "trace": f"{head}\n{visible_lines(failure.trace)}\n",
            "sh": f"#!/bin/sh\ncd -- {here} || exit\n{found.repeat} {failure.index}\n",
        }
        for ending, content in contents.items():
            with TextFile(folder / f"card-{failure.index}.{ending}") as file:
                file.write(content)
