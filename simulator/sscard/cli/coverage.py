"""``sscard coverage``."""

from __future__ import annotations

from contextlib import suppress
from math import floor
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sscard.cli.options import json_option, paths_argument
from sscard.cli.output import check_output, print_json
from sscard.cli.running import end_interrupted
from sscard.cli.target import tell
from sscard.cli.types import FILE, PERSONALITY, SEED, THRESHOLD, Text
from sscard.cli.usage import command, option
from sscard.files import write_text
from sscard.i18n.language import N_, _
from sscard.i18n.phrase import Phrase
from sscard.scenario import DEFAULT_SEED

if TYPE_CHECKING:
    from sscard.scenario.coverage.measure import Coverage
    from sscard.scenario.coverage.measure import Threshold as Least


@command("coverage")
@paths_argument
@option("-k", "expression", type=Text(N_("EXPR")), help=N_("Select scenarios, as in: 'blocked and not v2-3des'."))
@option("--personality", type=PERSONALITY, default="", help=N_("Run all on this personality: a preset or a file."))
@option("--seed", type=SEED, default=DEFAULT_SEED, help=N_("Seed of challenges, made-up holders and the clock."))
@option("--html", type=FILE, help=N_("Write a heat map as one HTML page. An existing file is replaced."))
@option(
    "--fail-under",
    "thresholds",
    type=THRESHOLD,
    multiple=True,
    help=N_("Exit 1 if fewer percent are covered, of all dimensions together or of one: command_status=85."),
)
@json_option
def coverage(
    paths: tuple[Path, ...],
    expression: str | None,
    personality: str,
    seed: int,
    html: Path | None,
    thresholds: tuple[Least, ...],
    as_json: bool,
) -> None:
    """Run scenarios in this process and print only what they cover.

    A scenario covers something only if it passes. The percentages are of what
    can be covered. Exits 1 if a scenario fails or a threshold is missed, 130 on
    Ctrl-C with the coverage so far.
    """
    from sscard.issuer import find_personality
    from sscard.scenario.coverage.measure import Coverage
    from sscard.scenario.library import choose_scenarios, input_files
    from sscard.scenario.reports.coverage import as_facts, html_page, text_lines
    from sscard.scenario.runner import run_scenario

    forced = find_personality(personality) if personality else None
    scenarios = choose_scenarios(list(paths), forced, expression or "")
    if html:
        check_output(html, input_files(paths, scenarios), replace=True)
    found, failed, done = Coverage(), 0, 0
    with suppress(KeyboardInterrupt):  # what was done is printed like a whole run
        for scenario in scenarios:
            result = run_scenario(scenario, seed)
            found.add(result)
            failed += not result.passed
            done += 1
    try:
        if as_json:
            print_json("coverage", as_facts(found))
        else:
            click.echo("\n".join(text_lines(found)))
    finally:  # also if the output is a pipe that was closed
        if html:
            write_text(html, html_page(found))
    below = report_thresholds(found, thresholds)
    if failed:
        tell(
            Phrase.plural(
                "{count} scenario failed and covers nothing: sscard run shows why",
                "{count} scenarios failed and cover nothing: sscard run shows why",
                count=failed,
            )
        )
    if done < len(scenarios):
        end_interrupted(done, len(scenarios))
    if failed or below:
        raise SystemExit(1)


def report_thresholds(found: Coverage, thresholds: tuple[Least, ...]) -> bool:
    """Print each threshold that is missed; whether there is one."""
    measured = found.measured()
    missed = [(least, reached) for least in thresholds if (reached := least.missed(measured)) is not None]
    for least, reached in missed:
        what = least.dimension or _("all dimensions")
        tell(
            _(
                "{what}: {reached:.1f} % covered, at least {least:g} % expected",
                what=what,
                reached=floor(10 * reached) / 10,  # 100.0 % are not below a threshold
                least=least.percent,
            )
        )
    return bool(missed)
