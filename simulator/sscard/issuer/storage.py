"""The file of a card on its file system: what it is, who may read it, who holds it, where it lies.

Nothing here opens a file that this process holds as a card: closing it would
drop the locks that SQLite has on it.
"""

from __future__ import annotations

import os
import stat
import struct
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from sscard.errors import InputError
from sscard.files import FLAGS, sync_folder, unwritable, warn_if_exposed
from sscard.i18n.phrase import Phrase
from sscard.issuer.migrations import Notify

MOUNTS: Final = Path("/proc/self/mountinfo")
IN_MEMORY: Final = {"tmpfs", "ramfs"}
REMOTE: Final = {"9p", "afs", "ceph", "cifs", "gfs2", "glusterfs", "lustre", "ncpfs", "nfs", "nfs4", "smb3", "smbfs"}
FUSE: Final = ("fuse", "virtiofs", "vboxsf", "prl_fs")
ESCAPES: Final = {"\\040": " ", "\\011": "\t", "\\012": "\n", "\\134": "\\"}
CARD_FILE: Final = Phrase("expected the name of a card file, as in card.db")
LINUX_FLOCK: Final = struct.Struct("@hhqqi0q")
"""``struct flock`` of 64-bit Linux: type, whence, start, length, pid."""


class Identity(NamedTuple):
    """Which file a path leads to, and when it was last written."""

    device: int
    inode: int
    size: int
    written: int
    """Nanoseconds."""

    @classmethod
    def of(cls, path: Path | str | int) -> Identity:
        """That of a path or an open file. Raises ``OSError``."""
        found = os.stat(path)  # noqa: PTH116 - before each command, and Path.stat takes twice as long
        return cls(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def warn_of(path: Path, notify: Notify, *, sync: bool) -> None:
    """Messages about the place of a card file; ``InputError`` for a single file that is a mount point.

    Beside a mounted file, its ``-wal`` file lies on another file system.
    """
    warn_if_exposed(path, notify)
    point, kind = mount_of(path)
    if point == str(path):
        raise InputError(
            Phrase("is mounted as a single file"), file=str(path), remedy=Phrase("mount the folder that holds it")
        )
    if kind in REMOTE or kind.startswith(FUSE):
        warning = Phrase(
            "{path}: is on {kind}; whether changes survive a crash depends on its server", path=str(path), kind=kind
        )
        notify(warning)
    elif sync and kind in IN_MEMORY:
        notify(Phrase("{path}: is on {kind}: in spite of --sync it is lost without power", path=str(path), kind=kind))


def mount_of(path: Path) -> tuple[str, str]:
    """Mount point and type of the file system of a file; empty if the system does not name them."""
    try:
        lines = MOUNTS.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return "", ""
    best = ("", "")
    for line in lines:
        left, _, right = line.partition(" - ")
        point = left.split()[4]
        for escape, character in ESCAPES.items():
            point = point.replace(escape, character)
        # The last one of a point covers those before it.
        if len(point) >= len(best[0]) and path.is_relative_to(point):
            best = (point, right.split()[0])
    return best


def holder_of(path: Path) -> str:
    """The pid of the process that has a file locked, empty if none has, or if it cannot be found out."""
    if not sys.platform.startswith("linux"):
        return ""
    try:
        import fcntl  # Windows has none

        with path.open("r+b") as file:
            asked = LINUX_FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
            answered = LINUX_FLOCK.unpack(fcntl.fcntl(file, fcntl.F_GETLK, asked))
    except (ImportError, OSError):
        return ""
    # A process of another container has pid 0.
    return str(answered[-1]) if answered[0] != fcntl.F_UNLCK and answered[-1] > 0 else ""


def write_whole(target: Path, content: bytes, notify: Notify) -> None:
    """Write a file with secrets whole or not at all: a new file beside it, synced, takes its place.

    A new file has mode 0600, one that is replaced keeps owner, group and mode,
    with a warning if others can read it. ``target`` is a path as of ``resolved``.
    Errors: ``InputError``, ``MissingPart`` if the disk is full.
    """
    beside = target.with_name(f".{target.name}.new")
    try:
        beside.unlink(missing_ok=True)  # of a process that was killed
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | FLAGS, 0o600)
        with open(handle, "wb") as file:  # noqa: PTH123 - of a handle
            file.write(content)
            file.flush()
            os.fsync(handle)
        with suppress(FileNotFoundError):
            before = target.stat()
            if hasattr(os, "chown") and (before.st_uid, before.st_gid) != (os.getuid(), os.getgid()):
                os.chown(beside, before.st_uid, before.st_gid)
            beside.chmod(stat.S_IMODE(before.st_mode))
        beside.replace(target)
        sync_folder(target.parent)
    except OSError as error:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise unwritable(target, error) from None
    warn_if_exposed(target, notify)
