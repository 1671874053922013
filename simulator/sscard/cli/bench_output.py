"""What ``sscard bench`` prints: progress, tables, JSON, and the exit code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sscard.cli.main import INTERRUPTED
from sscard.cli.output import print_json
from sscard.cli.table import table_lines
from sscard.cli.target import tell
from sscard.files import write_text
from sscard.i18n.language import _, say, visible

if TYPE_CHECKING:
    from sscard.benchmark.comparison import Comparison
    from sscard.benchmark.load import Load, Notify, Recorded
    from sscard.benchmark.outcome import Outcome
    from sscard.benchmark.result import FlowResult


@contextmanager
def progress(name: str, load: Load) -> Iterator[Notify]:
    """A function that shows how far a flow is; ``None`` if standard error is no terminal."""
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield None
        return

    def show(recorded: Recorded) -> None:
        done, failed = recorded.done, sum(recorded.errors.values())
        whole = load.count or load.duration
        part = (done + failed if load.count else recorded.seconds) / whole
        rate = done / recorded.seconds if recorded.seconds > 0 else 0.0
        said = _(
            "{flow}: {percent:.0f} %, {done} operations, {failed} failed, {rate:.0f}/s",
            flow=name,
            percent=min(100.0, max(0.0, 100 * part)),
            done=done,
            failed=failed,
            rate=rate,
        )
        status.update(Text(said))  # no markup: the title of a scenario has brackets

    with console.status(Text(visible(name)), refresh_per_second=4) as status:
        yield show


def finish(outcome: Outcome, html: Path | None, pytest_file: Path | None, *, as_json: bool) -> None:
    """Write the files, print the result, and exit with 1 or 130 if it is not passed or not complete.

    What failed is on standard error, one line each, so that it is in the log of a program that reads the JSON.
    """
    from sscard.benchmark import page, pytest_form
    from sscard.benchmark.formatting import value_text

    if pytest_file:
        write_text(pytest_file, pytest_form.write(outcome.found))
    if html:
        write_text(html, page.write(outcome))
    if as_json:
        print_json("bench", outcome.as_json())
    else:
        for line in _lines(outcome):
            click.echo(line)
    for name in outcome.failing:
        tell(_("{flow}: operations failed", flow=name))
    for missed in outcome.checked:
        if not missed.met:
            words = {"flow": missed.flow, "threshold": missed.threshold.text, "value": value_text(missed)}
            tell(_("{flow}: threshold {threshold} not met: {value}", **words))
    for change in outcome.slower:
        figures = {"figure": change.figure, "percent": 100 * change.change, "noise": 100 * change.noise}
        tell(_("{flow}: {figure} is {percent:.1f} % slower, noise ±{noise:.1f} %", flow=change.flow, **figures))
    if outcome.found.interrupted:
        tell(_("interrupted"))
        raise SystemExit(INTERRUPTED)
    if not outcome.passed:
        raise SystemExit(1)


def _lines(outcome: Outcome) -> Iterator[str]:
    """The tables: figures, layers, thresholds, comparison."""
    from sscard.benchmark.formatting import latency_text, value_text
    from sscard.benchmark.result import FIGURES

    headings = [_("flow"), _("done"), _("failed"), _("per second"), *FIGURES]
    rows = [
        [
            flow.name,
            str(flow.recorded.done),
            str(flow.failed),
            f"{flow.throughput:.1f}",
            *(latency_text(value, flow.recorded.done) for value in flow.latencies.figures().values()),
        ]
        for flow in outcome.found.flows
    ]
    yield from table_lines(headings, rows, names=(0,), numbers=range(1, len(headings)))
    for flow in outcome.found.flows:
        yield from _budget(flow)
    if outcome.checked:
        yield ""
        yield from table_lines(
            [_("threshold"), _("flow"), _("value"), ""],
            [
                [each.threshold.text, each.flow, value_text(each), _("met") if each.met else _("not met")]
                for each in outcome.checked
            ],
            numbers=(2,),
        )
    if outcome.comparison:
        yield from _comparison(outcome.comparison)


def _budget(flow: FlowResult) -> Iterator[str]:
    """Where the time of an operation goes, the baseline, and the errors."""
    from sscard.benchmark.formatting import KINDS, latency_text, share_text
    from sscard.i18n.duration import time_text

    yield ""
    done = flow.recorded.done
    rows = [
        [
            say(part.title),
            latency_text(part.mean, done),
            share_text(part.share, done),
            latency_text(part.p50, done),
            latency_text(part.p99, done),
        ]
        for part in flow.budget
    ]
    headings = [_("{flow}: layer", flow=flow.name), _("mean"), _("share"), "p50", "p99"]
    yield from table_lines(headings, rows, numbers=range(1, 5))
    if flow.baseline is not None:
        middle, high = map(time_text, flow.baseline.at(50, 99))
        yield _("baseline, the same commands with an echo card: p50 {middle}, p99 {high}", middle=middle, high=high)
    for kind, count in flow.recorded.errors.most_common():
        yield _("failed: {count} × {kind}", count=count, kind=KINDS.get(kind, kind))


def _comparison(found: Comparison) -> Iterator[str]:
    """What is different, and the changes."""
    from sscard.benchmark.environment import FACTS, value_of_fact
    from sscard.benchmark.formatting import VERDICTS
    from sscard.benchmark.layers import TITLES
    from sscard.i18n.duration import time_text

    yield ""
    yield _("compared with {file}:", file=found.file)
    for name, before, now in found.differences:
        yield _(
            "  different {fact}: {before} → {now}",
            fact=FACTS.get(name, name),
            before=value_of_fact(name, before),
            now=value_of_fact(name, now),
        )
    for name in found.missing:
        yield _("  {flow} was not measured then", flow=name)
    headings = [_("flow"), "", _("before"), _("now"), _("difference"), _("noise"), ""]
    rows = [
        [
            each.flow,
            each.figure,
            time_text(each.before),
            time_text(each.now),
            f"{100 * each.change:+.1f} %",
            f"±{100 * each.noise:.1f} %",
            say(VERDICTS[each.verdict]),
        ]
        for each in found.changes
    ]
    yield from table_lines(headings, rows, numbers=range(2, 6))
    for grown in found.grown:
        yield _(
            "{flow}: the mean time of {layer} grew most, from {before} to {now}",
            flow=grown.flow,
            layer=say(TITLES[grown.layer]),
            before=time_text(grown.before),
            now=time_text(grown.now),
        )
