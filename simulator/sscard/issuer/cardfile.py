"""A card in a file: loaded under a lock, each change on disk before its answer leaves."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random, SystemRandom

from sscard.card import Chip
from sscard.errors import InputError
from sscard.i18n.language import _, reason_of
from sscard.issuer.image import read_image, write_image
from sscard.issuer.migrations import Tell, ignore
from sscard.issuer.personalise import Card


def load_card(path: Path, tell: Tell = ignore) -> Card:
    """The card in an image file, for looking at; ``tell`` is told of a migration."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(_("cannot be read: {reason}", reason=reason_of(error)), file=str(path)) from None
    except UnicodeDecodeError:
        raise InputError(_("is not a card image"), file=str(path)) from None
    return read_image(text, str(path), tell)


def save_card(card: Card, path: Path) -> None:
    """Write an image file whole or not at all: a new file beside it, synced, takes its place."""
    beside = path.with_name(f".{path.name}.new")
    try:
        with beside.open("w", encoding="utf-8") as file:
            file.write(write_image(card))
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise InputError(_("cannot be written: {reason}", reason=reason_of(error)), file=str(path)) from None


def _sync_folder(folder: Path) -> None:
    """Without this the machine's own power cut may bring the old file back."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


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
    path: Path, random: Random | None = None, *, contact: bool = True, tell: Tell = ignore
) -> Iterator[FileCard]:
    """Hold the card of an image file; a second process is refused with the holder's pid."""
    with _lock(path):
        yield FileCard(load_card(path, tell), path, random or SystemRandom(), contact=contact)


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Hold an image by a file beside it, which is gone afterwards."""
    lock = path.with_name(f".{path.name}.lock")
    handle = _take(lock, path)
    try:
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        yield
    finally:
        lock.unlink(missing_ok=True)
        os.close(handle)


def _take(lock: Path, path: Path) -> int:
    """An open, locked lock file; one that another process removed meanwhile holds nothing and is taken anew."""
    while True:
        try:
            handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise InputError(_("cannot be locked: {reason}", reason=reason_of(error)), file=str(path)) from None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(handle, 32, 0).decode().strip() or "?"
            os.close(handle)
            raise InputError(
                _("is in use by process {holder}", holder=holder),
                file=str(path),
                remedy=_("end that process, or use a copy of the image"),
            ) from None
        if _is_there(lock, handle):
            return handle
        os.close(handle)


def _is_there(lock: Path, handle: int) -> bool:
    try:
        return os.path.samestat(lock.stat(), os.fstat(handle))
    except FileNotFoundError:
        return False
