"""The journal that a command works on, and the service over it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sscard.errors import InputError
from sscard.i18n.language import _

if TYPE_CHECKING:
    from datetime import datetime

    from sscard.service import Case, PinService
    from sscard.service.journal.database import SqlJournal


@contextmanager
def open_service(
    url: str, key: Path | None, policy: Path | None = None, place: str = "", *, create: bool = True
) -> Iterator[tuple[PinService, SqlJournal]]:
    """The service with its journal; if the journal fails, print one line and exit with code 1."""
    from sscard.issuer import find_place
    from sscard.service import JournalUnavailable, Overtaken, PinService, load_policy
    from sscard.service.journal.database import SqlJournal, load_key

    rules = load_policy(policy)
    where = find_place(place) if place else None
    journal = None
    try:
        journal = SqlJournal(
            url or str(_data_folder() / "journal.db"), load_key(key or _data_folder() / "journal.key"), create=create
        )
        yield PinService(now_in_china, journal=journal, policy=rules, place=where), journal
    except (JournalUnavailable, Overtaken) as error:
        click.echo(f"sscard: {error}", err=True)
        raise SystemExit(1) from None
    finally:
        if journal is not None:
            journal.close()


def case_of(cases: SqlJournal, number: str) -> Case:
    """The case of a number; ``InputError`` if the journal has none."""
    found = cases.case(number)
    if found is None:
        raise InputError(
            _("no case {number!r} in this journal", number=number), remedy=_("see them all with: sscard case list")
        )
    return found


def now_in_china() -> datetime:
    """The clock of the service."""
    from datetime import datetime

    from sscard.service.workdays import CHINA

    return datetime.now(CHINA)


def _data_folder() -> Path:
    import os

    base = os.environ.get("XDG_DATA_HOME", "")
    return (Path(base) if base else Path.home() / ".local" / "share") / "sscard"
