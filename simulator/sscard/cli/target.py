"""The card a command works on, and what goes with it: messages on standard error, key files."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO

import click

from sscard.errors import InputError
from sscard.files import without_mark
from sscard.i18n.language import _, say
from sscard.i18n.phrase import Sayable

if TYPE_CHECKING:
    from random import Random

    from sscard.issuer import KeyHierarchy
    from sscard.issuer.cardfile import FileCard
    from sscard.transport import Connection


SYNC: Final = "sscard.sync"
"""Where the context of a command keeps whether it has the option --sync."""
STDIN: Final = "<stdin>"
"""The name of standard input in errors."""


def open_target(url: str, *, contact: bool = True, seed: int | None = None) -> AbstractContextManager[Connection]:
    """A connection to the card at a URL, without power yet; messages go to standard error."""
    from sscard.terminal.cards import open_card

    return open_card(url, contact=contact, notify=tell, sync=asked_to_sync(), random=challenges(seed))


def open_image(url: str | Path, *, contact: bool = True, seed: int | None = None) -> AbstractContextManager[FileCard]:
    """Hold the card of a card file; messages, as of a migration, go to standard error."""
    from sscard.terminal import cards

    return cards.open_image(str(url), contact=contact, notify=tell, sync=asked_to_sync(), random=challenges(seed))


def challenges(seed: int | None) -> Random | None:
    """The source of a card's challenges with ``--seed``: every command makes the same ones of a seed."""
    from random import Random

    return None if seed is None else Random(seed)


def asked_to_sync() -> bool:
    """Whether the command that runs has the option --sync."""
    return bool(click.get_current_context().meta.get(SYNC))


def standard_input() -> Iterator[str]:
    """The lines of standard input as they come; ``InputError`` if it is not UTF-8."""
    try:
        # Not "yield from", which closes standard input with this generator: a script is read twice.
        for number, line in enumerate(sys.stdin):
            yield line if number else without_mark(line)
    except UnicodeDecodeError:
        raise InputError(_("is not UTF-8 text"), file=STDIN) from None


def is_file(stream: TextIO) -> bool:
    """Whether a stream is a regular file, so that it can be read to its end without waiting for anybody."""
    try:
        return stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
    except OSError:  # a stream of a test or a notebook
        return False


def tell(message: Sayable) -> None:
    """A message beside the output."""
    click.echo(say(message), err=True)


def keys_of(file: Path | None) -> KeyHierarchy:
    """The key hierarchy of a key file, or the built-in test keys."""
    from sscard.issuer import builtin_keys, load_keys

    return load_keys(file) if file else builtin_keys()
