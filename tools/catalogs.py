"""The catalogs of messages: extracted from the sources, merged into the translation, compiled.

``python tools/catalogs.py`` does all three; ``make catalogs`` calls it. It
prints each message without a translation, and exits 1 if there is one.
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

from sscard.i18n.language import CHINESE, DOMAIN, catalog_file
from sscard.i18n.phrase import EITHER, ROW
from sscard.scenario.defects import DEFECTS
from sscard.scenario.reference import documentation
from sscard.service.notices import SENTENCES
from sscard.standard.choices import CHOICES

PACKAGE = Path(__file__).parents[1] / "simulator" / "sscard"
PO = catalog_file("po")
MO = PO.with_suffix(".mo")
MARKS = ("_", "N_", "Phrase")
HEADER = "# The Chinese of sscard. The English text is the key: make catalogs brings in what is new.\n"
WIDTH = 120
PLURAL_FORMS = "nplurals=1; plural=0"

Message = tuple[str, str | tuple[str, ...]]
"""A source file and a message of it; one with a plural is both its forms."""


def extracted() -> Catalog:
    """Every message of the sources, with the help of the commands, the choices of a personality and the defects."""
    catalog = Catalog(domain=DOMAIN)
    for file, message in (*_marked(), *_joined(), *_templates(), *_helps(), *_choices(), *_verbs(), *_defects()):
        catalog.add(message, locations=[(file, None)])
    return catalog


def translated() -> Catalog:
    """The present Chinese catalog."""
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
        if message.id and any(message.string or ""):
            plain.add(message.id, message.string)
    target = BytesIO()
    write_mo(target, plain)
    return target.getvalue()


class _Undated(Catalog):
    """A catalog whose header contains neither time nor tool."""

    @property
    def mime_headers(self) -> list[tuple[str, str]]:
        return [("Content-Type", "text/plain; charset=utf-8"), ("Plural-Forms", PLURAL_FORMS)]


def written(catalog: Catalog) -> bytes:
    """The catalog as text, in the order of the messages, the same for the same messages."""
    target = BytesIO()
    write_po(target, catalog, width=WIDTH, omit_header=True, include_lineno=False, sort_output=True)
    header = f'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\nPlural-Forms: {PLURAL_FORMS}\\n"\n\n'
    return HEADER.encode() + header.encode() + target.getvalue()


def _marked() -> Iterator[Message]:
    """What the sources mark; by the syntax tree, since Babel's own extractor misses a call within a call."""
    for path in sorted(PACKAGE.rglob("*.py")):
        calls = (node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call))
        for call in calls:
            file = path.relative_to(PACKAGE).as_posix()
            match call:
                case ast.Call(ast.Name(name), [ast.Constant(str(message)), *_]) if name in MARKS and message:
                    yield file, message
                case ast.Call(ast.Attribute(_, "joined"), [ast.Constant(str(message)), *_]):
                    yield file, message
                case ast.Call(ast.Attribute(_, "plural"), [ast.Constant(str(one)), ast.Constant(str(many)), *_]):
                    yield file, (one, many)


def _joined() -> Iterator[Message]:
    """The templates of rows, which are shared by name."""
    yield from (("i18n/phrase.py", template) for template in (ROW, EITHER))
    yield "service/notices.py", SENTENCES


def _templates() -> Iterator[Message]:
    keywords = {"_": (1,), "plural": (1, 2)}
    for file, _, message, _, _ in extract_from_dir(PACKAGE, [("**.j2", "jinja2")], keywords=keywords):
        yield file, message


def _helps() -> Iterator[Message]:
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


def _choices() -> Iterator[Message]:
    for choice in CHOICES.values():
        for message in filter(None, (choice.help, choice.reason)):
            yield "standard/choices.py", message


def _verbs() -> Iterator[Message]:
    """The docstrings of the scenario language that its reference prints."""
    yield from (("scenario/reference.py", text) for text in documentation())


def _defects() -> Iterator[Message]:
    """What is wrong with each defect of the catalogue, most of it a docstring."""
    yield from (("scenario/defects/__init__.py", defect.says.text) for defect in DEFECTS)


def main() -> int:
    """Update the catalog; return the exit code."""
    catalog = merged()
    PO.write_bytes(written(catalog))
    MO.write_bytes(compiled(catalog))
    missing = [message.id for message in catalog if message.id and not any(message.string or "")]
    for message in missing:
        sys.stdout.write(f"not translated: {message!r}\n")
    sys.stdout.write(f"{PO.relative_to(Path.cwd())}: {len(catalog)} messages, {len(missing)} not translated\n")
    return 1 if missing else 0


if __name__ == "__main__":
    raise SystemExit(main())
