"""``sscard case stats``: figures over the cases of a journal, as text, JSON and a page of charts."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sscard.cli.case_figures import (
    counts,
    ends,
    ground_text,
    kinds_in_order,
    operation_text,
    quantiles,
    stages_in_order,
)
from sscard.cli.journal import now_in_china, open_journal
from sscard.cli.options import archive_option, force_option, journal_key_option, journal_option, json_option
from sscard.cli.output import check_output, print_json
from sscard.cli.table import table_lines
from sscard.cli.types import DAY, FILE
from sscard.cli.usage import command, option
from sscard.i18n.duration import duration_text
from sscard.i18n.language import N_, _, say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sscard.service.statistics import Durations, Statistics


@command("stats")
@option("--since", type=DAY, help=N_("Only cases opened on or after this day."))
@option("--until", type=DAY, help=N_("Only cases opened on or before this day."))
@option("--html", type=FILE, help=N_("Write charts as one HTML page."))
@force_option
@archive_option
@journal_option
@journal_key_option
@json_option
def stats(
    since: datetime | None,
    until: datetime | None,
    html: Path | None,
    force: bool,
    archive: Path | None,
    journal: str,
    journal_key: Path | None,
    as_json: bool,
) -> None:
    """Print time per stage, outcomes, grounds of refusal, and how many cases are open, in doubt or overdue."""
    from sscard.errors import InputError
    from sscard.files import write_text
    from sscard.service.statistics import Statistics
    from sscard.service.workdays import day_in_china

    if since and until and until < since:
        raise InputError(_("--until is before --since"), remedy=_("give the earlier day with --since"))
    if html:
        check_output(html, replace=force)
    found = Statistics(day_in_china(now_in_china()))
    with open_journal(journal, journal_key, archive) as cases:
        for each in cases.cases(since=since, until=until + timedelta(days=1) if until else None):
            if not (archive and each.open):  # which is in the journal too
                found.add(each)
    days = {"since": since, "until": until}
    try:
        if as_json:
            facts = {name: day and day.date().isoformat() for name, day in days.items()} | as_facts(found)
            print_json("case-stats", facts)
        else:
            click.echo("\n".join(_lines(found)))
    finally:  # also if the output is a pipe that was closed
        if html:
            from sscard.cli.case_charts import charts_page

            write_text(html, charts_page(found, since, until))


def as_facts(found: Statistics) -> dict[str, Any]:
    """The figures for programs; times in seconds."""
    from sscard.service import Channel
    from sscard.service.statistics import grounds_in_order

    return {
        **{name: count for name, _text, count in counts(found)},
        "whole": _times(found.whole),
        "stages": [{"stage": stage.value} | _times(times) for stage, times in stages_in_order(found)],
        "outcomes": [
            {
                "operation": kind.operation and kind.operation.value,
                "channel": kind.channel.value,
                **{name: count for name, _text, count in ends(found, kind)},
            }
            for kind in kinds_in_order(found)
        ],
        "refusals": [
            {"ground": ground, "channel": channel.value, "cases": cases}
            for ground in grounds_in_order(found)
            for channel in Channel
            if (cases := found.refusals[ground, channel])
        ],
    }


def _times(times: Durations) -> dict[str, int]:
    return {"count": times.count} | quantiles(times)


def _lines(found: Statistics) -> Iterator[str]:
    from sscard.service import Channel
    from sscard.service.statistics import grounds_in_order

    yield " · ".join(f"{text} {count}" for _name, text, count in counts(found))
    spent = [(say(stage.words), times) for stage, times in stages_in_order(found)]
    spent += [(_("whole case"), found.whole)] if found.whole.count else []
    if spent:
        yield ""
        headings = (_("time per stage"), _("cases"), _("median"), _("90 %"), _("longest"))
        rows = [[name, str(times.count), *map(duration_text, quantiles(times).values())] for name, times in spent]
        yield from table_lines(headings, rows, numbers=range(1, 5))
    if kinds := kinds_in_order(found):
        yield ""
        texts = [text for _name, text, _count in ends(found, kinds[0])]
        results = [
            [operation_text(kind), say(kind.channel.words), *(str(count) for *_names, count in ends(found, kind))]
            for kind in kinds
        ]
        yield from table_lines((_("operation"), _("channel"), *texts), results, numbers=range(2, 6))
    if grounds := grounds_in_order(found):
        yield ""
        refused = [
            [ground_text(ground), *(str(found.refusals[ground, channel]) for channel in Channel)] for ground in grounds
        ]
        channels = (say(channel.words) for channel in Channel)
        yield from table_lines((_("ground of refusal"), *channels), refused, numbers=range(1, 4))
