"""A card in a file: each change is in the file before the command handler continues."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from sscard.card import Chip
from sscard.chip.engine import Engine, PowerError
from sscard.chip.memory import MemoryFailure, PowerLost
from sscard.files import check_path_length, resolved, unreadable, warn_if_exposed
from sscard.i18n.phrase import Phrase
from sscard.issuer.database import (
    CARD,
    Kind,
    T,
    check_journals,
    connect,
    has_lost_log,
    kind_in,
    lost_log_warning,
    new_file,
    read_card,
    wal_of,
)
from sscard.issuer.migrations import Notify, ignore
from sscard.issuer.personalise import Card
from sscard.issuer.storage import Identity, holder_of, warn_of, write_whole
from sscard.issuer.store import CardStore, FileStore, check_free, in_use, system_error

if TYPE_CHECKING:
    from sscard.transport.connection import Connection

S = TypeVar("S", bound=FileStore[Any])


def load_card(path: Path, notify: Notify = ignore) -> Card:
    """The card in a card file, for display only; ``notify`` gets messages, as of a migrated file.

    A copy of the file is read, so the file may be read-only, and in use by
    another process: then it is the card after the last change.
    """
    return load_file(CARD, path, notify)


def load_file(kind: Kind[T], path: Path, notify: Notify) -> T:
    """The card or PSAM in a file of this kind, as ``load_card``."""
    import shutil
    from tempfile import TemporaryDirectory

    target, source = resolved(path, kind.file), str(path)
    check_path_length(target)
    check_free(target, source)
    kind_in(target, source, (kind,))
    check_journals(target, source)
    warn_if_exposed(target, notify)
    with TemporaryDirectory(prefix="sscard-") as folder:
        copy = Path(folder) / "card.db"
        before = None
        try:
            while before != (before := Identity.of(target)):  # until nobody writes to it meanwhile
                shutil.copyfile(target, copy)
                with suppress(FileNotFoundError):
                    shutil.copyfile(wal_of(target), wal_of(copy))
            if has_lost_log(copy):
                notify(lost_log_warning(source))
            with closing(connect(copy, "mode=rw")) as database:
                return read_card(database, kind, source, notify)[0]
        except (OSError, sqlite3.Error) as error:
            raise unreadable(source, system_error(error)) from None


def save_card(card: Card, path: Path | str, notify: Notify = ignore) -> None:
    """Write a new card file, whole or not at all; it takes the place of an existing file.

    A link stays, and its target is written. Errors: ``InputError`` if the file
    cannot be written or is a card in use, and for anything but a regular file.
    """
    save_file(CARD, card, path, notify)


def save_file(kind: Kind[T], card: T, path: Path | str, notify: Notify) -> None:
    """Write a new file of a card or PSAM, as ``save_card``."""
    target, source = resolved(Path(path), kind.file), str(path)
    check_path_length(target)
    check_free(target, source)
    if holder_of(target):
        raise in_use(target, source)
    write_whole(target, new_file(kind, card), notify)
    with suppress(FileNotFoundError):  # of the card that was replaced; its stamp keeps it from being applied
        wal_of(target).unlink()


class FileChip(Generic[T]):
    """A connection to the card or PSAM of a file.

    Several connections, as one for each interface, share the ``store``. If an
    error other than an answer ends a command, the memory may differ from the
    file: then nothing is written until the file is opened again.
    """

    chip: Engine[Any]

    def __init__(self, store: FileStore[T], path: Path, random: Random | None, *, contact: bool) -> None:
        self.store = store
        self.card = store.card
        self.path = path
        self.contact = contact
        self.chip = self.card.chip(random, contact=contact)
        self._reader: Connection = self.chip

    def power_on(self) -> bytes:
        """The ATR; ``InputError`` or ``MissingPart`` if the file cannot be written."""
        self.chip.power_off()
        self.store.prove()
        try:
            return self.chip.power_on()
        except MemoryFailure:
            self.store.prove()
            raise

    def power_off(self) -> None:
        self.chip.power_off()

    def reset(self) -> bytes:
        return self.power_on()

    def transmit(self, command: bytes) -> bytes:
        """Answer a command; its changes are in the file. ``InputError`` if the file was replaced, deleted or edited."""
        try:
            self.store.reserve()
            return self._reader.transmit(command)
        except (PowerError, PowerLost):
            raise
        except BaseException as error:
            self.chip.power_off()
            self.store.end(Phrase("the session ended with {error}", error=type(error).__name__))
            raise


class FileCard(FileChip[Card]):
    """A connection to the card of a card file, made by ``open_card``; a contactless reader answers for it too."""

    chip: Chip

    def __init__(self, store: FileStore[Card], path: Path, random: Random | None, *, contact: bool) -> None:
        from sscard.transport.contactless import in_reader

        super().__init__(store, path, random, contact=contact)
        self._reader = in_reader(self.chip, contact=contact)


@contextmanager
def open_card(
    path: Path, random: Random | None = None, *, contact: bool = True, notify: Notify = ignore, sync: bool = False
) -> Iterator[FileCard]:
    """Hold the card of a card file; a second process is refused with the owner's pid.

    Without ``sync`` a change survives the end of this process at any moment,
    and a crash of the machine leaves the card in an earlier state that it had.
    With ``sync`` a change survives a crash of the machine too.
    """
    with open_file(CardStore, path, notify, sync=sync) as store:
        yield FileCard(store, path, random, contact=contact)


@contextmanager
def open_file(store: type[S], path: Path, notify: Notify, *, sync: bool) -> Iterator[S]:
    """Hold a file; the parameters are those of ``open_card``."""
    target = resolved(path, store.kind.file)
    check_path_length(target)
    opened = store(target, str(path), notify, sync=sync)
    try:
        warn_of(target, notify, sync=sync)
        yield opened
    finally:
        opened.close()
