"""``sscard case list|overdue|show``: read the cases of a journal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sscard.cli.application import CHANNEL, NO_REASON, ReasonOrNone
from sscard.cli.case_output import print_list, print_whole
from sscard.cli.journal import case_of, now_in_china, open_journal
from sscard.cli.options import archive_option, journal_key_option, journal_option, json_option
from sscard.cli.types import DAY, Words
from sscard.cli.usage import argument, command, option
from sscard.i18n.language import N_

if TYPE_CHECKING:
    from datetime import datetime

    from sscard.service import Channel, Reason, Stage

number_argument = argument("number", metavar=N_("NUMBER"), help=N_("Number of the case."))


@command("list")
@option("--stage", type=Words("sscard.service:Stage"), help=N_("Only cases at this stage."))
@option("--channel", type=CHANNEL, help=N_("Only cases of this channel."))
@option(
    "--reason",
    type=ReasonOrNone("sscard.service:Reason"),
    help=N_("Only cases for this reason; none: with one that the item does not accept."),
)
@option("--since", type=DAY, help=N_("Only cases opened on or after this day."))
@archive_option
@journal_option
@journal_key_option
@json_option
def list_cases(
    stage: Stage | None,
    channel: Channel | None,
    reason: Reason | str | None,
    since: datetime | None,
    archive: Path | None,
    journal: str,
    journal_key: Path | None,
    as_json: bool,
) -> None:
    """List cases."""
    from sscard.service import Stage

    stages = [stage] if stage else list(Stage)
    with open_journal(journal, journal_key, archive) as cases:
        print_list(
            (
                found
                for found in cases.cases(stages, since)
                if channel in (None, found.channel)
                and reason in (None, found.reason_given or NO_REASON)
                and not (archive and found.open)  # these are in the journal too, and may have continued
            ),
            as_json,
        )


@command("overdue")
@journal_option
@journal_key_option
@json_option
def overdue(journal: str, journal_key: Path | None, as_json: bool) -> None:
    """List accepted cases that are past their due day; those past the legal limit too are marked."""
    from sscard.service import Stage
    from sscard.service.workdays import day_in_china

    today = day_in_china(now_in_china())
    with open_journal(journal, journal_key) as cases:
        waiting = cases.cases([Stage.ACCEPTED, Stage.OPERATED], due_before=today)
        print_list((found for found in waiting if found.is_overdue(today)), as_json, today)


@command("show")
@number_argument
@archive_option
@journal_option
@journal_key_option
@json_option
def show(number: str, archive: Path | None, journal: str, journal_key: Path | None, as_json: bool) -> None:
    """Show a case with all its events. Exits 1 if the chain of its lane is broken."""
    with open_journal(journal, journal_key, archive) as cases:
        found = case_of(cases, number)
        lane = cases.verify_lane_of(found)
    print_whole(found, lane, as_json)
    if lane.findings:
        raise SystemExit(1)
