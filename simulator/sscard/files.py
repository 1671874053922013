"""Files that a user names: errors of the system as errors with a remedy."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, Self, TextIO

from sscard.errors import InputError, MissingPart, suggestion
from sscard.i18n.language import reason_of
from sscard.i18n.phrase import Phrase, Sayable

DATABASE: Final = b"SQLite format 3\0"
"""How an SQLite database begins."""
BINARY: Final = getattr(os, "O_BINARY", 0)
FLAGS: Final = getattr(os, "O_NOFOLLOW", 0) | BINARY
"""Of every file that is opened to be written; Unix has the one, Windows the other."""
FULL: Final = {errno.ENOSPC, errno.EDQUOT}
LARGEST: Final = 16 << 20
"""Bytes of a text file that is read whole: a document, a recording, a card image."""

BESIDE: Final = ("-wal", "-shm", "-journal")
"""The endings of the files that SQLite keeps beside a database."""
LONGEST_PATH: Final = 504
"""Bytes of the path of a database that SQLite opens: 512 with the ending of its journal."""


def read_text(path: Path, encoding: str = "utf-8", largest: int = LARGEST) -> str:
    """The text of a file, as ``decoded`` gives it. Errors: ``InputError``."""
    try:
        with path.open("rb") as file:
            content = file.read(largest + 1)
    except OSError as error:
        raise unreadable(path, error) from None
    return decoded(content, str(path), encoding, largest)


def decoded(content: bytes, source: str, encoding: str = "utf-8", largest: int = LARGEST) -> str:
    """Text of at most ``largest`` bytes, in UTF-8 or else in ``encoding``; line ends are those of Unix.

    ``source`` is the name of the file in errors. Errors: ``InputError``.
    """
    if len(content) > largest:
        limit = largest >> 20
        raise InputError(
            Phrase("larger than {limit} MiB", limit=limit), file=source, remedy=Phrase("expected a smaller file")
        )
    try:
        try:
            text = content.decode()
        except UnicodeDecodeError:
            text = content.decode(encoding)
    except UnicodeDecodeError as error:
        if content.startswith(DATABASE):
            raise InputError(
                Phrase("is a card file or another database, not text"),
                file=source,
                remedy=Phrase("a card as text: {command}", command=f"sscard image export {source} -o FILE.json"),
            ) from None
        problem = Phrase("is not UTF-8 text (byte {start})", start=error.start)
        if encoding != "utf-8":
            problem = Phrase("is neither UTF-8 nor GBK text (byte {start})", start=error.start)
        *lines, begun = content[: error.start].split(b"\n")
        raise InputError(
            problem,
            file=source,
            line=len(lines) + 1,
            column=len(begun.decode(encoding, "replace")) + 1,
            remedy=Phrase("save it as UTF-8"),
        ) from None
    return without_mark(text).replace("\r\n", "\n").replace("\r", "\n")


def without_mark(text: str) -> str:
    """A text without the byte order mark that editors of Windows put before it."""
    return text.removeprefix("\ufeff")


def write_text(path: Path, text: str) -> None:
    """Write a file as UTF-8. Errors: ``InputError``, ``MissingPart`` if the disk is full."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise unwritable(path, error) from None


class TextFile:
    """A text file that is written piece by piece as UTF-8, created with the first piece. Errors as of ``write_text``.

    Each line reaches the file when it ends, so the file is complete up to the moment a process is killed. Only its
    owner can read it: traces and recordings hold the data of a holder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: TextIO | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            try:
                self._file.close()
            except OSError as error:
                raise unwritable(self.path, error) from None

    def write(self, text: str) -> None:
        """Add a piece."""
        try:
            if self._file is None:
                handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | BINARY, 0o600)
                self._file = os.fdopen(handle, "w", buffering=1, encoding="utf-8")
                if hasattr(os, "fchmod") and stat.S_ISREG(os.fstat(handle).st_mode):
                    with suppress(PermissionError):  # a file of another user that this one may write
                        os.fchmod(handle, 0o600)
            self._file.write(text)
        except OSError as error:
            raise unwritable(self.path, error) from None


def unreadable(path: Path | str, error: OSError) -> InputError:
    """Why a file cannot be read, and what to do."""
    problem = Phrase("cannot be read: {reason}", reason=reason_of(error))
    return InputError(problem, file=str(path), remedy=_remedy(Path(path), error))


def unusable(path: Path, error: OSError) -> InputError:
    """Why the system cannot look at a path, and what to do."""
    problem = Phrase("cannot be used: {reason}", reason=reason_of(error))
    return InputError(problem, file=str(path), remedy=_remedy(path, error))


def unwritable(path: Path, error: OSError) -> InputError | MissingPart:
    """Why a file cannot be written, and what to do."""
    problem = Phrase("cannot be written: {reason}", reason=reason_of(error))
    if error.errno in FULL:
        return MissingPart(
            Phrase("{place}: {problem}", place=str(path), problem=problem),
            Phrase("free space on the disk, or choose another place"),
        )
    return InputError(problem, file=str(path), remedy=_remedy(path, error))


def _remedy(path: Path, error: OSError) -> Sayable:
    folder = path.parent.absolute()
    if error.errno == errno.EROFS:
        return Phrase("choose another place")
    if error.errno == errno.EISDIR:
        return Phrase("expected the name of a file")
    if error.errno in (errno.EACCES, errno.EPERM):
        return Phrase("look at the permissions: ls -ld {path} {folder}", path=str(path), folder=str(folder))
    if error.errno in (errno.EIO, errno.EFBIG):
        return Phrase(
            "the disk is full or damaged, or the size of files is limited; see: df {folder}", folder=str(folder)
        )
    if error.errno in (errno.ENOENT, errno.ELOOP) and path.is_symlink():
        return Phrase("it is a link; see: ls -l {path}", path=str(path))
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        try:
            names = [entry.name for entry in folder.iterdir()]
        except OSError:
            return Phrase("the folder {folder} does not exist", folder=str(folder))
        return suggestion(path.name, names, Phrase("expected a file in {folder}", folder=str(folder)), cutoff=0.75)
    return ""


def resolved(path: Path, expected: Sayable) -> Path:
    """The file that a path leads to, which need not exist; links are followed.

    Errors: ``InputError`` for what is not a regular file, with what is
    ``expected``, for a file with more than one hard link, whose other names
    would have another ``-wal`` file, and for a path that the system cannot look at.
    """
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return path.resolve()
    except OSError as error:
        raise unusable(path, error) from None
    except ValueError:
        raise InputError(Phrase("a path holds no null character"), file=ascii(str(path))) from None
    if not stat.S_ISREG(found.st_mode):
        raise InputError(Phrase("is not a regular file"), file=str(path), remedy=expected)
    if found.st_nlink > 1:
        raise InputError(
            Phrase("has more than one name (hard links)"),
            file=str(path),
            remedy=Phrase("make a copy with cp, and use the copy"),
        )
    return path.resolve()


def check_path_length(path: Path) -> None:
    """``InputError`` if the real path of a file is too long for SQLite."""
    length = len(os.fsencode(os.path.realpath(path)))
    if length > LONGEST_PATH:
        raise InputError(
            Phrase("its path has {length} bytes, SQLite opens at most {longest}", length=length, longest=LONGEST_PATH),
            file=str(path),
            remedy=Phrase("choose a shorter folder or name"),
        )


def check_not_beside(path: Path) -> None:
    """``InputError`` for a file that SQLite keeps beside an existing database, such as the log of a card file."""
    real = os.path.realpath(path)
    for ending in BESIDE:
        if real.endswith(ending) and os.path.isfile(real.removesuffix(ending)):  # noqa: PTH113 - of a string
            raise InputError(
                Phrase("belongs to {database}", database=Path(real).name.removesuffix(ending)),
                file=str(path),
                remedy=Phrase("choose another name"),
            )


def make_folder(folder: Path) -> None:
    """Create a folder unless it exists, with those above it; ``InputError`` if that is not possible."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from None


def cache_folder() -> Path:
    """The folder for what sscard can make again: in XDG_CACHE_HOME, by default ``~/.cache``. It may not exist."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sscard"


def create_private(path: Path, content: bytes) -> None:
    """Create a file with a secret for its owner only, unless it exists; whole or not at all. Its folder must exist.

    No link is followed. If two processes create it, the first one's content counts. Errors: ``OSError``.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | FLAGS, 0o600)
    try:
        os.write(handle, content)
        os.fsync(handle)
        os.link(beside, path)
    except FileExistsError:
        pass
    finally:
        os.close(handle)
        beside.unlink()


def sync_folder(folder: Path) -> None:
    """Sync a folder to the disk, so that a power cut does not undo a new name in it. Errors: ``OSError``."""
    if hasattr(os, "O_DIRECTORY"):  # Windows opens no directory
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def warn_if_exposed(path: Path, notify: Callable[[Phrase], None]) -> None:
    """Warn of a file with secrets that other users can read; Windows does not say."""
    if os.name == "posix" and mode_of(path) & (stat.S_IRGRP | stat.S_IROTH):
        notify(Phrase("{path}: other users can read it, with its secrets: chmod 600 {path}", path=str(path)))


def mode_of(path: Path) -> int:
    """Type and permissions of a file as ``os.stat`` gives them, 0 if there is no such file.

    Links are followed. ``InputError`` if the system cannot look at the path:
    a name that is too long, a loop of links, a folder without permission.
    ``Path.exists`` and its like raise ``OSError`` for some of these.
    """
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return 0
    except OSError as error:
        raise unusable(path, error) from None
    except ValueError:
        raise InputError(Phrase("a path holds no null character"), file=ascii(str(path))) from None


def remove_left(file: Path) -> None:
    """Remove what killed processes left that wrote this file under the name ``.NAME.PROCESS.new``.

    Files of other processes that still run stay.
    """
    left = re.compile(rf"\.{re.escape(file.name)}\.(\d+)\.new({'|'.join(BESIDE)})?")
    for each in file.absolute().parent.iterdir():
        found = left.fullmatch(each.name)
        if found and not _is_other_process(int(found[1])):
            with suppress(OSError):
                each.unlink()


def _is_other_process(number: int) -> bool:
    if os.name != "posix":  # Windows removes no file that is in use, and ends the process that is asked
        return False
    try:
        os.kill(number, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return number != os.getpid()
