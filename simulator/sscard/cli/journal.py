"""The journal that a command works on, and the service over it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from sscard.cli.output import check_other
from sscard.cli.target import tell
from sscard.cli.types import JOURNAL
from sscard.errors import InputError
from sscard.files import make_folder, warn_if_exposed
from sscard.i18n.language import _

if TYPE_CHECKING:
    from datetime import datetime

    from sscard.issuer.holderbase import HolderBase
    from sscard.service import Case, PinService
    from sscard.service.journal.database import JournalReader, SqlJournal
    from sscard.service.journal.memory import Journal

    J = TypeVar("J", bound=JournalReader)


@contextmanager
def open_journal(url: str, key: Path | None, archive: Path | None = None) -> Iterator[JournalReader]:
    """The journal, or the archive in its place, for reading; errors as ``open_cases``."""
    from sscard.service.journal.database import JournalReader

    with _opened(_archive_of if archive else JournalReader, str(archive or url), key) as journal:
        yield journal


def check_journal(url: str) -> None:
    """``InputError`` if the file of the journal is another file of the command, before it holds that file, as a card.

    Its own lock on a card file would look like that of another process.
    """
    for file in JOURNAL.named_files(url):
        check_other(Path(file), ())


def _archive_of(file: str, key: bytes) -> JournalReader:
    """An archive; the error of a file that is none advises an archive, not a journal."""
    from sscard.service.journal.database import ArchiveReader
    from sscard.service.journal.engine import EXPECTED
    from sscard.service.journal.migrations import ANOTHER
    from sscard.service.journal.opening import EXPECTED_ARCHIVE, FIRST_CASE, FULL

    try:
        return ArchiveReader(file, key)
    except InputError as error:
        if error.remedy in (EXPECTED, ANOTHER, FIRST_CASE, FULL):
            raise InputError(error.problem, file=error.file, remedy=EXPECTED_ARCHIVE) from None
        raise


@contextmanager
def open_cases(url: str, key: Path | None, *, create: bool = True) -> Iterator[SqlJournal]:
    """The journal, to write to; if it fails, print one line and exit with code 1."""
    from sscard.service.journal.database import SqlJournal

    with _opened(partial(SqlJournal, create=create), url, key) as journal:
        yield journal


def service_of(
    policy: str, place: str, base: HolderBase | None, base_url: str, item: Path | None
) -> Callable[[Journal], PinService]:
    """The service that these options state, over a journal; ``base_url`` is the name of the holder base."""
    from sscard.issuer import find_place
    from sscard.service import PinService, load_item
    from sscard.service.policy import find_policy, load_policy
    from sscard.service.settings import settings_of

    rules, page = find_policy(policy) if policy else load_policy(), load_item(item)
    if base is not None and rules.cards:
        raise InputError(
            _("--holder-base excludes the cards of --policy"),
            remedy=_("import them: sscard holder-base import FILE POLICY"),
        )
    where = find_place(place) if place else None
    return lambda journal: PinService(
        now_in_china,
        page,
        journal=journal,
        policy=rules,
        place=where,
        holder_base=base,
        settings=settings_of(policy, item, place, base_url, journal.key),
    )


@contextmanager
def _opened(kind: Callable[[str, bytes], J], url: str, key: Path | None) -> Iterator[J]:
    from sscard.service import CaseArchived, JournalUnavailable, Overtaken
    from sscard.service.journal.keyfile import load_key

    try:
        if not (key and url):
            make_folder(_data_folder())
        key = key or _data_folder() / "journal.key"
        secret = load_key(key)
        with closing(kind(url or str(_data_folder() / "journal.db"), secret)) as journal:
            for file in (key, journal.file):
                if file:
                    warn_if_exposed(Path(file), tell)
            yield journal
    except (CaseArchived, JournalUnavailable, Overtaken) as error:
        click.echo(f"sscard: {error}", err=True)
        raise SystemExit(1) from None


def case_of(cases: JournalReader, number: str) -> Case:
    """The case of a number; ``InputError`` if the journal has none."""
    found = cases.case(number)
    if found is None:
        remedy = _("see them all with: sscard case list")
        if cases.has_archive:
            remedy = _("older cases are in an archive: sscard case show {number} --archive FILE", number=number)
        raise InputError(_("no case {number!r} in this journal", number=number), remedy=remedy)
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
