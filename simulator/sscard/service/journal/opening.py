"""Open the database that a user names: the path of an SQLite file, or a URL."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, unquote

from sscard.errors import InputError, MissingPart
from sscard.files import FLAGS, check_not_beside, check_path_length, mode_of, resolved, unwritable
from sscard.i18n.phrase import Phrase
from sscard.service.journal.engine import EXPECTED, NO_URL, Database, SqliteFile

FIRST_CASE: Final = Phrase("a first case makes it: sscard case open")
EXPECTED_ARCHIVE: Final = Phrase("expected a file of: sscard case archive")
FULL: Final = Phrase("restore it from a copy, or give another with --journal")
_URL: Final = re.compile(
    r"(?P<kind>sqlite|postgresql)(?:\+\w+)?://"
    r"(?:(?P<user>[^:/?]*)(?::(?P<password>[^@]*))?@)?"
    r"(?:\[(?P<ipv6>[^\s\[\]/?]+)\]|(?P<host>[^\s\[\]:/?]*))(?::(?P<port>[0-9]{1,5}))?"
    r"(?:/(?P<dbname>[^?]*))?(?:\?(?P<query>.*))?",
    re.DOTALL,
)


def open_database(url: str, *, write: bool, create: bool = False) -> Database:
    """The database of a journal; with ``create``, an SQLite file that does not exist is created, but no folder.

    ``url`` is the path of an SQLite file, ``sqlite:///PATH`` or ``postgresql://…``.
    ``InputError`` for another, and for a path without a file; ``MissingPart`` if the disk is full.
    """
    parts = _URL.fullmatch(url if "://" in url else "")
    if parts is not None and parts["kind"] == "postgresql":
        return _server(url, parts)
    rest = parts is not None and any(parts[name] for name in ("user", "ipv6", "host", "port", "query"))
    try:
        file = str(Path(url).expanduser()) if "://" not in url else unquote(parts["dbname"] or "") if parts else ""
    except RuntimeError:  # ~nobody
        file = ""
    if rest or not file:
        raise InputError(NO_URL, remedy=EXPECTED)
    check_not_beside(Path(file))
    check_path_length(Path(file))
    if create:
        try:
            _create(Path(file))
        except OSError as error:
            raise unwritable(Path(file), error) from None
    elif not mode_of(resolved(Path(file), EXPECTED)):
        raise InputError(Phrase("there is no journal"), file=file, remedy=FIRST_CASE)
    elif not Path(file).stat().st_size:
        raise InputError(
            Phrase("is empty, expected the SQLite file of a journal"),
            file=file,
            remedy=FULL,
        )
    return SqliteFile(file, write=write)


def _server(url: str, parts: re.Match[str]) -> Database:
    """PostgreSQL, with the options that the URL has; the password is not shown."""
    query = parse_qsl(parts["query"] or "")
    if int(parts["port"] or 0) > 0xFFFF or len(dict(query)) < len(query):
        raise InputError(NO_URL, remedy=EXPECTED)
    shown = url.replace(f":{parts['password']}@", "@", 1) if parts["password"] else url
    shown = re.sub(r"(?<=[?&])(\w*password)=[^&]*", r"\1=***", shown)
    named = {name: unquote(parts[name] or "") for name in ("host", "user", "password", "port", "dbname")}
    options = named | {"host": parts["ipv6"] or named["host"]} | dict(query)
    try:
        from sscard.service.journal.postgresql import PostgresqlServer
    except ModuleNotFoundError as error:
        missing = Phrase("{name} is not installed", name=error.name or "")
        raise MissingPart(missing, 'pip install "sscard[postgresql]"') from None
    return PostgresqlServer(shown, {name: value for name, value in options.items() if value})


def _create(path: Path) -> None:
    """An empty file for the owner only, which is an SQLite database, unless there is one; the target of a link."""
    if not mode_of(path):
        with suppress(FileExistsError):  # another process was first
            os.close(os.open(resolved(path, EXPECTED), os.O_WRONLY | os.O_CREAT | os.O_EXCL | FLAGS, 0o600))
    resolved(path, EXPECTED)
