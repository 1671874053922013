"""The catalogs of messages: extracted from the sources, merged into the translation, compiled.

``python tools/catalogs.py`` does all three; ``make catalogs`` calls it. It
lists what is not translated yet and ends with 1 where anything is.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from inspect import cleandoc
from io import BytesIO
from pathlib import Path

import click
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from sscard.i18n.language import CHINESE, DOMAIN, LOCALE
from sscard.standard.choices import CHOICES

PACKAGE = Path(__file__).parents[1] / "simulator" / "sscard"
PO = LOCALE / CHINESE / "LC_MESSAGES" / f"{DOMAIN}.po"
MO = PO.with_suffix(".mo")
MARKS = ("_", "N_", "Phrase")
HEADER = "# The Chinese of sscard. The English text is the key: make catalogs brings in what is new.\n"
WIDTH = 120


def extracted() -> Catalog:
    """Every message of the sources, the help of the commands and the choices of a personality among them."""
    catalog = Catalog(domain=DOMAIN)
    for file, message in (*_marked(), *_templates(), *_helps(), *_choices()):
        catalog.add(message, locations=[(file, None)])
    return catalog


def translated() -> Catalog:
    """The Chinese catalog as it stands."""
    with PO.open("rb") as file:
        return read_po(file, locale=CHINESE, domain=DOMAIN)


def merged() -> Catalog:
    """The Chinese catalog with what is new in the sources and without what has gone; nothing is guessed."""
    catalog = translated()
    catalog.update(extracted(), no_fuzzy_matching=True)
    catalog.obsolete.clear()
    return catalog


def compiled(catalog: Catalog) -> bytes:
    """The catalog as gettext reads it, the same for the same messages."""
    plain = _Undated(domain=DOMAIN)
    for message in catalog:
        if message.id and message.string:
            plain.add(message.id, message.string)
    target = BytesIO()
    write_mo(target, plain)
    return target.getvalue()


class _Undated(Catalog):
    """A catalog whose header tells neither time nor maker."""

    @property
    def mime_headers(self) -> list[tuple[str, str]]:
        return [("Content-Type", "text/plain; charset=utf-8")]


def written(catalog: Catalog) -> bytes:
    """The catalog as text, in the order of the messages, with nothing in it that changes by itself."""
    target = BytesIO()
    write_po(target, catalog, width=WIDTH, omit_header=True, include_lineno=False, sort_output=True)
    return HEADER.encode() + b'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\n' + target.getvalue()


def _marked() -> Iterator[tuple[str, str]]:
    """What the sources mark; by the syntax tree, since Babel's own extractor misses a call within a call."""
    for path in sorted(PACKAGE.rglob("*.py")):
        calls = (node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call))
        for call in calls:
            match call:
                case ast.Call(ast.Name(name), [ast.Constant(str(message)), *_]) if name in MARKS and message:
                    yield path.relative_to(PACKAGE).as_posix(), message


def _templates() -> Iterator[tuple[str, str]]:
    for file, _, message, _, _ in extract_from_dir(PACKAGE, [("**.j2", "jinja2")], keywords={"_": (1,)}):
        yield file, str(message)


def _helps() -> Iterator[tuple[str, str]]:
    """The docstring of every command."""
    from sscard.cli.app import app  # noqa: PLC0415 - it is imported only to extract

    waiting: list[click.Command] = [app]
    while waiting:
        command = waiting.pop()
        assert command.callback is not None
        file = f"{command.callback.__module__.removeprefix('sscard.').replace('.', '/')}.py"
        yield file, cleandoc(command.help or "")
        if isinstance(command, click.Group):
            context = click.Context(command)
            found = (command.get_command(context, name) for name in command.list_commands(context))
            waiting += [each for each in found if each is not None]


def _choices() -> Iterator[tuple[str, str]]:
    for choice in CHOICES.values():
        for message in filter(None, (choice.help, choice.reason)):
            yield "standard/choices.py", message


def main() -> int:
    """Bring the catalog up to date; how many messages want a translation decides the exit code."""
    catalog = merged()
    PO.write_bytes(written(catalog))
    MO.write_bytes(compiled(catalog))
    missing = [message.id for message in catalog if message.id and not message.string]
    for message in missing:
        sys.stdout.write(f"not translated: {message!r}\n")
    sys.stdout.write(f"{PO.relative_to(Path.cwd())}: {len(catalog)} messages, {len(missing)} not translated\n")
    return 1 if missing else 0


if __name__ == "__main__":
    raise SystemExit(main())
