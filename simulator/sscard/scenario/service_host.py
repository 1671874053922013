"""The service of a scenario: how a file states it, and the process it runs in, which a fault can kill."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WrapValidator

from sscard.document import Document, Model, Report, parse_document
from sscard.errors import InputError, InvalidValue, first_of
from sscard.fields import FieldsOf
from sscard.i18n.phrase import Phrase, Sayable
from sscard.issuer import Place
from sscard.issuer.holderbase import ListedCards, MemoryHolderBase
from sscard.issuer.lookup import find_place, is_path
from sscard.issuer.places import errors_in
from sscard.scenario.service_faults import FaultyHolderBase, FaultyJournal, FaultyProver
from sscard.service import Case, Item, MemoryJournal, PinService, Policy
from sscard.service.item import builtin_item_text, load_item
from sscard.service.policy import changed_fields, load_policy, policies, preset_policy
from sscard.service.workdays import CHINA

if TYPE_CHECKING:
    from sscard.service.journal.archive import Moved
    from sscard.service.journal.database import ArchiveReader, SqlJournal

JOURNAL_KEY: Final = bytes(range(32))
TIME: Final = Phrase("write a date and a time: 2026-02-13 16:30, or the date alone for nine in the morning")
IN_MEMORY: Final = Path("/dev/shm")  # noqa: S108
"""A file system in memory, if there is one: the journal of a scenario need not outlast a power cut of this machine."""
NINE: Final = "09:00"


def read_time(text: object) -> datetime:
    """A date, or date and time, in China."""
    day, _, hour = str(text).strip().replace("T", " ").partition(" ")
    with suppress(ValueError):
        found = datetime.fromisoformat(f"{day} {hour or NINE}")
        if found.tzinfo is None:
            return found.replace(tzinfo=CHINA)
    raise InvalidValue(Phrase("not a time"), TIME)


def _over_builtin(value: Any, _handler: object) -> Policy | str:
    """Inline fields replace those of the built-in policy; a text is the name of a policy or the path of a file."""
    if isinstance(value, str | Policy):
        return preset_policy(value) if value in policies() else value
    if not isinstance(value, dict):
        raise InvalidValue(
            Phrase("not a policy"),
            Phrase("write a name, the path of a policy file, or fields of the policy"),
        )
    return Policy.model_validate(changed_fields(value))


@cache
def _builtin_item() -> dict[str, Any]:
    content: dict[str, Any] = parse_document(builtin_item_text(), "item.yaml").content
    return content


def _item_with(fields: dict[str, Any]) -> Item:
    """The built-in item with other fields; those of a section are replaced one by one."""
    builtin = _builtin_item()
    sections = {name: value for name, value in builtin.items() if isinstance(value, dict)}
    changed = {
        name: sections[name] | value for name, value in fields.items() if name in sections and isinstance(value, dict)
    }
    return Item.model_validate(builtin | fields | changed)


def _of_an_item(fields: dict[str, Any]) -> dict[str, Any]:
    _item_with(fields)
    return fields


def _of_a_place(value: Any, _handler: object) -> Any:
    """A name, a path or fields, which are not checked yet: the place of an error is known to the reader of the file."""
    if not isinstance(value, str | dict | Place):
        raise InvalidValue(
            Phrase("not a place policy"),
            Phrase("write a name, the path of a place policy file, or fields of the place policy"),
        )
    return value


PlaceGiven = Annotated[Place | dict[str, Any] | str, WrapValidator(_of_a_place)]
"""A place policy as a scenario states it, and as ``place_in`` has read it."""


class ServiceData(Model):
    """The service of a scenario.

    ``policy`` is the name of a policy that comes with sscard, the path of a
    policy file, or fields that replace those of the built-in policy, or of the
    one that ``based_on`` names; ``item`` has fields that replace those of the
    built-in item, under its sections and labels. ``place`` is the name or file
    of a place policy, or its fields, each with its default. ``holder_base``
    lists cards that are not in use, before those of the policy. ``clock`` is
    the time in China at the beginning, which only the verb ``clock`` changes.
    ``journal`` is in memory, or an SQLite file that is removed afterwards.
    """

    policy: Annotated[Policy | str, WrapValidator(_over_builtin)] | None = None
    item: Annotated[dict[str, Any], AfterValidator(_of_an_item), FieldsOf(Item)] = Field(default_factory=dict)
    place: PlaceGiven | None = None
    holder_base: tuple[ListedCards, ...] = ()
    clock: Annotated[datetime, BeforeValidator(read_time)] | None = None
    journal: Literal["memory", "sqlite"] = "memory"

    def loaded(
        self, folder: Path, section: Document, read_policy: Callable[[Path], Policy], report: Report | None = None
    ) -> ServiceData:
        """The data with policy and place policy read; the paths of files are relative to ``folder``.

        ``section`` is the part of the scenario file that names them, for the place of an error.
        ``report`` gets the errors after the first.
        """
        reads: dict[str, Callable[[], object]] = {"place": partial(place_in, section, self.place, folder, report)}
        if isinstance(self.policy, str):
            policy = partial(read_policy, folder / self.policy)
            reads["policy"] = partial(section.read_at, ("policy",), policy)
        changes: dict[str, Any] = {}
        wrong: list[InputError] = []
        for name, read in reads.items():
            try:
                changes[name] = read()
            except InputError as error:
                wrong.append(error)
        if wrong:
            raise first_of(wrong, report)
        return self.model_copy(update=changes)


def read_service(
    section: Document, folder: Path, read_policy: Callable[[Path], Policy], report: Report | None = None
) -> ServiceData:
    """The section ``service:`` of a scenario in ``folder``, with policy and place policy read.

    The first error is raised; ``report`` gets the others.
    """
    try:
        data = section.as_model(ServiceData, report=report)
    except InputError:
        content = section.content
        files = {name: content[name] for name in _FILES if name in content} if isinstance(content, dict) else {}
        if report is not None and 0 < len(files) < len(content):
            # What they state does not depend on the fields that are wrong.
            try:
                read_service(section.with_content(files), folder, read_policy, report)
            except InputError as error:
                report(error)
        raise
    return data.loaded(folder, section, read_policy, report)


def place_in(section: Document, given: PlaceGiven | None, folder: Path, report: Report | None = None) -> Place | None:
    """The place policy that the field ``place`` of a section states; ``InputError`` with the place of the field.

    The path of a file is relative to ``folder``. ``report`` gets the errors after the first.
    """
    if isinstance(given, str):
        name = str(folder / given) if is_path(given) else given
        return section.read_at(("place",), partial(find_place, name)) if given else None
    if given is None or isinstance(given, Place):
        return given
    fields: dict[str, Any] = {"name": ""} | given
    wrong = [section.error(("place", *error.path), error.problem, error.remedy) for error in errors_in(fields)]
    if wrong:
        raise first_of(wrong, report)
    return Place(**fields)


_FILES: Final = ("place", "policy")
"""The fields of a service that may name a file."""
BUILTIN_SERVICE: Final = ServiceData()
"""The service of a scenario that does not state one."""


class ServiceHost:
    """The process of the service: its clock, journal, policy, place, holder base and proofs of identity."""

    def __init__(self, data: ServiceData, now: datetime, folder: Path | None) -> None:
        self.now = now
        self.place = data.place if isinstance(data.place, Place) else Place(name="")
        self._item = _item_with(data.item) if data.item else load_item()
        self._policy = data.policy if isinstance(data.policy, Policy) else load_policy()
        self.holder_base = FaultyHolderBase(MemoryHolderBase((*data.holder_base, *self._policy.cards)))
        self.prover: FaultyProver = FaultyProver()
        self._file = folder / "journal.db" if folder else None
        self._sql: SqlJournal | None = None
        self._archives: list[Path] = []
        self.journal = FaultyJournal(self._opened())
        self.service = self._service()

    @property
    def durable(self) -> bool:
        """Whether the journal is a file."""
        return self._file is not None

    def load(self, number: str) -> Case | None:
        """The case of a number as a new process finds it, in the journal or else in an archive."""
        known = self.journal.cases.get(number)
        if self._sql is None:
            return Case(number, known.events) if known else None
        with self._opened_archives() as archives:
            found = (journal.case(number) for journal in (self._sql, *archives))
            return next((case for case in found if case), None)

    def findings(self) -> tuple[Sayable, ...]:
        """What a verification of the journal and its archives finds; a journal in memory has nothing to verify."""
        if self._sql is None:
            return ()
        with self._opened_archives() as archives:
            return tuple(found.said for found in self._sql.verify(archives=archives).findings)

    def archive(self, before: datetime) -> Moved:
        """Move the cases that were closed before a time from the journal, which is a file, to another archive."""
        assert self._sql is not None
        assert self._file is not None
        file = self._file.with_name(f"archive-{len(self._archives) + 1}.db")
        moved = self._sql.archive(before, file)
        self._archives += [file] if moved.events else []
        return moved

    @contextmanager
    def _opened_archives(self) -> Iterator[list[ArchiveReader]]:
        """The archives so far, the oldest first."""
        from sscard.service.journal.database import ArchiveReader

        with ExitStack() as ends:
            yield [ends.enter_context(closing(ArchiveReader(str(file), JOURNAL_KEY))) for file in self._archives]

    def restart(self) -> Case | None:
        """A new process with the same journal; the case that was written to last, as it finds it.

        A journal in memory is taken over, as if it were on a disk.
        """
        if self._sql:
            self._sql.close()
            self.journal.inner = self._opened()
        self.service = self._service()
        loaded = {number: self.load(number) for number in self.journal.cases}
        self.journal.cases = {number: case for number, case in loaded.items() if case}
        return next(reversed(self.journal.cases.values()), None)

    def close(self) -> None:
        """Give the journal back."""
        if self._sql:
            self._sql.close()

    def _opened(self) -> MemoryJournal | SqlJournal:
        if self._file is None:
            return MemoryJournal()
        from sscard.service.journal.database import SqlJournal

        self._sql = SqlJournal(str(self._file), JOURNAL_KEY)
        return self._sql

    def _service(self) -> PinService:
        return PinService(
            lambda: self.now,
            self._item,
            journal=self.journal,
            policy=self._policy,
            place=self.place,
            holder_base=self.holder_base,
        )


@contextmanager
def service_host(data: ServiceData, now: datetime) -> Iterator[ServiceHost]:
    """The service as stated, at a time, until the scenario ends."""
    with ExitStack() as ends:
        folder = None
        if data.journal == "sqlite":
            where = str(IN_MEMORY) if os.access(IN_MEMORY, os.W_OK) else None
            folder = Path(ends.enter_context(TemporaryDirectory(prefix="sscard-journal-", dir=where)))
        host = ServiceHost(data, now, folder)
        ends.callback(host.close)
        yield host
