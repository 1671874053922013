"""``sscard case verify|reindex|archive``: check the journal of the cases, rebuild its list, move old cases away."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import click

from sscard.cli.case_output import print_verification
from sscard.cli.journal import open_cases, open_journal
from sscard.cli.options import journal_key_option, journal_option, json_option
from sscard.cli.output import check_output, print_json
from sscard.cli.target import tell
from sscard.cli.types import DAY, FILE, Text
from sscard.cli.usage import command, option
from sscard.i18n.language import N_, _, say, visible
from sscard.i18n.phrase import Phrase


@command("verify")
@option("--since", type=Text(N_("LINE")), default="", help=N_("Checkpoint line that an earlier verification printed."))
@option("--archive", "archives", type=FILE, multiple=True, help=N_("Archive of the journal, verified with it."))
@journal_option
@journal_key_option
@json_option
def verify(since: str, archives: tuple[Path, ...], journal: str, journal_key: Path | None, as_json: bool) -> None:
    """Check the hash chain of the journal and print a checkpoint, one line to keep elsewhere.

    With --archive for each archive, check also that none is missing, of
    another journal or of another time. With --since, report each lane that is
    missing, shorter or different from the checkpoint, such as after a restored
    backup. Exits 1 on any finding.
    """
    from sscard.service.journal.verification import Checkpoint

    checkpoint = Checkpoint.read(since) if since else None
    with ExitStack() as opened:
        cases = opened.enter_context(open_journal(journal, journal_key))
        older = [opened.enter_context(open_journal(journal, journal_key, archive)) for archive in archives]
        found = cases.verify(checkpoint, older)
    print_verification(found, as_json)
    if found.findings:
        raise SystemExit(1)


@command("reindex")
@journal_option
@journal_key_option
@json_option
def reindex(journal: str, journal_key: Path | None, as_json: bool) -> None:
    """Rebuild the list of cases and the idempotency keys from the events of the journal.

    A journal of an older sscard is migrated first. Then the journal is
    verified as by 'case verify'; if its hash chain is broken, nothing is
    rebuilt. Exits 1 on any finding that is left.
    """
    with open_cases(journal, journal_key, create=False) as cases:
        found = cases.reindex()
    print_verification(found, as_json)
    if not found.whole:
        tell(_("the chain is broken, so nothing was rebuilt; restore the journal from a copy"))
    if found.findings:
        raise SystemExit(1)


@command("archive")
@option("--before", type=DAY, required=True, help=N_("Move cases that were closed before this day."))
@option("--to", "file", type=FILE, required=True, help=N_("File of the archive, which is created."))
@journal_option
@journal_key_option
@json_option
def archive(before: datetime, file: Path, journal: str, journal_key: Path | None, as_json: bool) -> None:
    """Move the cases that were closed before a day from the journal to an archive.

    The archive and the rest of the journal are verified as before: 'case
    verify --archive FILE'. After an interruption, the same call continues.
    Cases that are open stay in the journal with all their events.
    """
    from sscard.files import check_not_beside, mode_of

    check_not_beside(file)
    if not mode_of(file):
        check_output(file, replace=False)
    with open_cases(journal, journal_key, create=False) as cases:
        moved = cases.archive(before, file)
    if as_json:
        print_json("case-archive", {"file": str(file), **asdict(moved)})
        return
    if not moved.events:
        click.echo(_("nothing to move"))
        return
    count = say(Phrase.plural("{count} case", "{count} cases", count=moved.cases))
    events = say(Phrase.plural("{count} event", "{count} events", count=moved.events))
    click.echo(_("{cases}, {events} moved to {file}", cases=count, events=events, file=visible(str(file))))
    if moved.kept:
        stay = Phrase.plural(
            "{count} case with older events is not closed and stays",
            "{count} cases with older events are not closed and stay",
            count=moved.kept,
        )
        click.echo(say(stay))
    if moved.later:
        stay = Phrase.plural(
            "{count} case with older events was closed since and moves with a later archive",
            "{count} cases with older events were closed since and move with a later archive",
            count=moved.later,
        )
        click.echo(say(stay))
