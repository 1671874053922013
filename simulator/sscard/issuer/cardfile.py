"""A card in a file: loaded under a lock, each change on disk before its answer leaves."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random, SystemRandom
from typing import Any, Final

from sscard.card import Chip
from sscard.errors import InputError
from sscard.files import mode_of, unwritable
from sscard.i18n.language import reason_of
from sscard.i18n.phrase import Phrase
from sscard.issuer.image import read_image, write_image
from sscard.issuer.migrations import Notify, ignore
from sscard.issuer.personalise import Card

FAR: Final = 1 << 30
"""The byte that is locked on Windows: a locked byte cannot be read, and the owner's pid is at the start."""


def load_card(path: Path, notify: Notify = ignore) -> Card:
    """The card in an image file, for display only; ``notify`` gets messages, as of a migrated image."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(Phrase("cannot be read: {reason}", reason=reason_of(error)), file=str(path)) from None
    except UnicodeDecodeError:
        raise InputError(Phrase("is not a card image"), file=str(path)) from None
    return read_image(text, str(path), notify)


def save_card(card: Card, path: Path | str) -> None:
    """Write an image file whole or not at all: a new file beside it, synced, takes its place.

    A link stays, and its target is written. Errors: ``InputError`` if the file
    cannot be written, and for anything but a regular file: the new file would
    take the place of a device or a pipe.
    """
    target = _regular(Path(path))
    beside = target.with_name(f".{target.name}.new")
    try:
        with beside.open("w", encoding="utf-8") as file:
            file.write(write_image(card))
            file.flush()
            os.fsync(file.fileno())
        beside.replace(target)
        if hasattr(os, "O_DIRECTORY"):  # Windows opens no directory
            folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)  # otherwise a power cut of the machine may bring the old file back
            finally:
                os.close(folder)
    except OSError as error:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise unwritable(target, error) from None


def _regular(path: Path) -> Path:
    """The file that a path leads to, which need not exist; ``InputError`` if it is not a regular file."""
    mode = mode_of(path)
    if mode and not stat.S_ISREG(mode):
        raise InputError(
            Phrase("is not a regular file"),
            file=str(path),
            remedy=Phrase("expected the name of a card image, as in card.json"),
        )
    return path.resolve()


class FileCard:
    """A connection to the card of an image file, made by ``open_card``."""

    def __init__(self, card: Card, path: Path, random: Random, *, contact: bool) -> None:
        self.card = card
        self.path = path
        self.contact = contact
        self.chip: Chip = card.chip(random, contact=contact)
        self._remember()

    def power_on(self) -> bytes:
        atr = self.chip.power_on()
        self.save()
        return atr

    def power_off(self) -> None:
        self.chip.power_off()

    def reset(self) -> bytes:
        return self.power_on()

    def transmit(self, command: bytes) -> bytes:
        """Answer a command once its changes are on disk."""
        try:
            return self.chip.transmit(command)
        finally:
            self.save()

    def save(self) -> None:
        """Write the image if the memory differs from the one on disk."""
        memory = self.card.memory
        if memory.numbers != self._numbers or memory.strings != self._strings or memory.log is not self._log:
            save_card(self.card, self.path)
            self._remember()

    def _remember(self) -> None:
        memory = self.card.memory
        self._numbers, self._strings, self._log = list(memory.numbers), list(memory.strings), memory.log


@contextmanager
def open_card(
    path: Path, random: Random | None = None, *, contact: bool = True, notify: Notify = ignore
) -> Iterator[FileCard]:
    """Hold the card of an image file by a lock file beside it; a second process is refused with the owner's pid."""
    target = _regular(path)
    lock = target.with_name(f".{target.name}.lock")
    handle = _take(lock, path)
    try:
        os.ftruncate(handle, 0)
        os.lseek(handle, 0, os.SEEK_SET)
        os.write(handle, str(os.getpid()).encode())
        yield FileCard(load_card(path, notify), path, random or SystemRandom(), contact=contact)
    finally:
        with suppress(PermissionError):  # Windows removes no open file; the next process takes it over
            lock.unlink(missing_ok=True)
        os.close(handle)


def _take(lock: Path, path: Path) -> int:
    """Open the lock file and hold it; on a system that cannot lock files its existence is the lock."""
    hold = _system_lock()
    while True:
        try:
            handle = os.open(lock, os.O_RDWR | os.O_CREAT | (os.O_EXCL if hold is None else 0), 0o600)
        except FileExistsError:
            _refuse_second(lock, path)
            lock.unlink(missing_ok=True)  # its owner has died
            continue
        except OSError as error:
            raise InputError(Phrase("cannot be locked: {reason}", reason=reason_of(error)), file=str(path)) from None
        if hold is None:
            return handle
        try:
            hold(handle)
        except (BlockingIOError, PermissionError):
            os.close(handle)
            _refuse_second(lock, path, locked=True)
            continue
        with suppress(FileNotFoundError):  # another process that removed it meanwhile holds nothing with it
            if os.path.samestat(lock.stat(), os.fstat(handle)):
                return handle
        os.close(handle)


def _system_lock() -> Callable[[int], object] | None:
    """What locks an open file for this process or raises ``OSError``: flock, on Windows msvcrt.locking."""
    with suppress(ImportError):
        import fcntl  # noqa: PLC0415 - Windows has none

        return lambda handle: fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with suppress(ImportError):
        import msvcrt  # noqa: PLC0415 - only Windows has it

        windows: Any = msvcrt
        return lambda handle: (os.lseek(handle, FAR, os.SEEK_SET), windows.locking(handle, windows.LK_NBLCK, 1))
    return None


def _refuse_second(lock: Path, path: Path, *, locked: bool = False) -> None:
    """Raise ``InputError`` with the pid of the process that holds the image; return if it has let go or died."""
    try:
        owner = lock.read_text(encoding="ascii").strip()
        if not locked and owner:
            os.kill(int(owner), 0)  # only on systems that cannot lock files: on Windows it would end the process
    except (FileNotFoundError, ProcessLookupError):
        return
    except PermissionError:
        pass  # it runs under another user
    if owner == str(os.getpid()):
        raise InputError(
            Phrase("is open in this process already"),
            file=str(path),
            remedy=Phrase("name another card, or use a copy of the image"),
        )
    raise InputError(
        Phrase("is in use by process {holder}", holder=owner or "?"),
        file=str(path),
        remedy=Phrase("end that process, or use a copy of the image"),
    )
