"""JSON for programs, and output files: checked before a command starts, written when there is something to write."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, Final

import click

from sscard.errors import InputError
from sscard.files import TextFile, check_not_beside, unwritable
from sscard.i18n.language import _, say

PIN_FILES: Final = "sscard.pin-files"
"""Where the context of a command keeps the files of its PIN options, by option."""


def print_json(name: str, content: dict[str, Any]) -> None:
    """Print JSON for programs, with the schema ``sscard.NAME/1``."""
    import json

    named = {"schema": f"sscard.{name}/1"} | content
    click.echo(json.dumps(named, ensure_ascii=False, indent=1))


def error_entry(error: InputError) -> dict[str, Any]:
    """An error in a file, for the JSON of a check; ``line`` and ``column`` are 0 if the whole file is wrong."""
    return {
        "file": error.file,
        "line": error.line,
        "column": error.column,
        "problem": say(error.problem),
        "remedy": say(error.remedy),
    }


@contextmanager
def printed_json_list(name: str, field: str) -> Iterator[Callable[[dict[str, Any]], None]]:
    """A function that prints one more item of a list, which is the only field of JSON as of ``print_json``.

    After an error the list ends with what was printed; without an item nothing is printed then.
    """
    import json
    from textwrap import indent

    head = f'{{\n "schema": "sscard.{name}/1",\n "{field}": ['
    separator = head

    def add(item: dict[str, Any]) -> None:
        nonlocal separator
        click.echo(separator + indent("\n" + json.dumps(item, ensure_ascii=False, indent=1), "  "), nl=False)
        separator = ","

    try:
        yield add
    except BaseException:
        if separator != head:
            click.echo("\n ]\n}")
        raise
    click.echo(f"{head}]\n}}" if separator == head else "\n ]\n}")


@contextmanager
def written_trace(path: Path) -> Iterator[Callable[[object], None]]:
    """A function that adds an event of a conversation to a trace, as a person reads it."""
    with TextFile(path) as file:
        yield lambda event: file.write(f"{event}\n")


def named_files() -> list[Path]:
    """The files that the command line of the command that runs names, inputs and outputs, and its configuration."""
    context = click.get_current_context(silent=True)
    if context is None:
        return []
    found = [Path(context.obj.file)] if context.obj else []
    found += chain.from_iterable(context.meta.get(PIN_FILES, {}).values())
    for parameter in context.command.params:
        value = context.params.get(parameter.name or "")
        if value and hasattr(parameter.type, "named_files"):
            for each in value if isinstance(value, tuple) else (value,):
                found += map(Path, parameter.type.named_files(each))
    return found


def check_output(path: Path, further: Iterable[Path] = (), *, replace: bool) -> None:
    """Check that a file can be written, before the card is touched; no file is changed.

    An output that is another file of the command is refused, under any name:
    one that its command line names, or one of ``further``. So is what SQLite
    keeps beside a database, and a regular file that is not empty unless
    ``replace``. Errors: ``InputError``, ``MissingPart`` if the disk is full.
    """
    try:
        check_other(path, further)
        check_not_beside(path)
        kind = path.stat() if path.exists() else None
        if kind is None:
            # Created and removed: this also finds a name that is too long and a full or read-only file system.
            probe = Path(os.path.realpath(path))
            os.close(os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
            probe.unlink()
        elif stat.S_ISREG(kind.st_mode) and kind.st_size and not replace:
            raise InputError(
                _("exists already"), file=str(path), remedy=_("choose another name, or replace it with --force")
            )
        elif stat.S_ISREG(kind.st_mode) or stat.S_ISDIR(kind.st_mode):  # opening a pipe would wait for its reader
            os.close(os.open(path, os.O_WRONLY))
    except OSError as error:
        raise unwritable(path, error) from None


def check_output_folder(folder: Path, further: Iterable[Path], foreign: Callable[[], str]) -> None:
    """Check that a folder can be written, as ``check_output``; ``foreign`` finds a file in it that must stay.

    A folder that does not exist can be created in one that does. One that
    exists is replaced, so it must hold nothing else.
    """
    from tempfile import TemporaryFile

    others = list(further)
    try:
        if not folder.exists():
            check_output(folder, others, replace=False)
            return
        check_other(folder, others)
        if not folder.is_dir():
            raise InputError(_("is not a folder"), file=str(folder), remedy=_("choose another name for the output"))
        if name := foreign():
            raise InputError(
                _("holds {name}, which a report of this format does not have", name=name),
                file=str(folder),
                remedy=_("choose a new or empty folder, or the one of the last report"),
            )
        with TemporaryFile(dir=folder):
            pass  # it can be written
    except OSError as error:
        raise unwritable(folder, error) from None


def check_other(path: Path, further: Iterable[Path]) -> None:
    """``InputError`` if an output is another file of the command that runs, or one of ``further``, under any name."""
    others = named_files()
    if path in others:
        others.remove(path)  # the output itself, once
    # A hard link has another real path, a file that is not written yet has no inode.
    if not path.is_char_device() and any(
        os.path.realpath(each) == os.path.realpath(path)
        or (path.exists() and os.path.exists(each) and path.samefile(each))  # noqa: PTH110 - Path raises for a name too long
        for each in (*others, *further)
    ):
        raise InputError(
            _("is an input or another output of this command"),
            file=str(path),
            remedy=_("choose another name for the output"),
        )
