"""What a command of the terminal works on: the card of an image file, or the card in a PC/SC reader."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from sscard.errors import InputError, MissingPart
from sscard.i18n.language import _

if TYPE_CHECKING:
    from sscard.issuer import KeyHierarchy
    from sscard.issuer.cardfile import FileCard
    from sscard.transport import Connection

PCSC = "pcsc"
TARGET_HELP = _("A card image, or pcsc[:READER] for the card in a reader.")


@contextmanager
def open_target(target: str, *, contact: bool = True) -> Iterator[Connection]:
    """A connection to the card, without power yet; an image is held and kept on disk until the end."""
    name, _, reader = target.partition(":")
    if name == PCSC:
        from sscard.transport.pcsc import PcscConnection

        with PcscConnection(reader or _reader_with_card()) as connection:
            yield connection
        return
    with open_image(Path(target), contact=contact) as card:
        yield card


def open_image(path: Path, *, contact: bool = True) -> AbstractContextManager[FileCard]:
    """Hold the card of an image file and tell of a migration."""
    from sscard.issuer.cardfile import open_card

    return open_card(path, contact=contact, tell=tell)


def _reader_with_card() -> str:
    """The first reader that holds a card, the first at all where none does yet."""
    from sscard.transport.pcsc import cards

    found = cards()
    if not found:
        raise MissingPart(_("this machine has no reader"), "sscard doctor")
    return next((name for name, atr in found.items() if atr), next(iter(found)))


def tell(message: str) -> None:
    """A message beside the output."""
    typer.echo(message, err=True)


def keys_of(file: Path | None) -> KeyHierarchy:
    """The key hierarchy of a key file, or the built-in test keys."""
    from sscard.issuer import builtin_keys, load_keys

    return load_keys(file) if file else builtin_keys()


def parse_hex(text: str, *, file: str = "", line: int = 0) -> bytes:
    """Hex digits, spaces allowed; ``InputError`` with the place and never the digits."""
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise InputError(
            _("not hex digits in pairs"),
            file=file,
            line=line,
            remedy=_("a command is written like 00A4040000, spaces allowed"),
        ) from None
