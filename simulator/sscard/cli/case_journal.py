"""``sscard case verify|reindex``: check the journal of the cases, and rebuild what follows from its events."""

from __future__ import annotations

from pathlib import Path

from sscard.cli.case_output import print_verification
from sscard.cli.journal import open_journal, open_service
from sscard.cli.options import journal_key_option, journal_option, json_option
from sscard.cli.target import tell
from sscard.cli.types import Text
from sscard.cli.usage import command, option
from sscard.i18n.language import N_, _


@command("verify")
@option("--since", type=Text(N_("LINE")), default="", help=N_("Checkpoint line that an earlier verification printed."))
@journal_option
@journal_key_option
@json_option
def verify(since: str, journal: str, journal_key: Path | None, as_json: bool) -> None:
    """Check the hash chain of the journal and print a checkpoint, one line to keep elsewhere.

    With --since, report each lane that is missing, shorter or different from
    the checkpoint, such as after a restored backup. Exits 1 on any finding.
    """
    from sscard.service.journal.verification import Checkpoint

    checkpoint = Checkpoint.read(since) if since else None
    with open_journal(journal, journal_key) as cases:
        found = cases.verify(checkpoint)
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
    with open_service(journal, journal_key, create=False) as (_service, cases):
        found = cases.reindex()
    print_verification(found, as_json)
    if not found.whole:
        tell(_("the chain is broken, so nothing was rebuilt; restore the journal from a copy"))
    if found.findings:
        raise SystemExit(1)
