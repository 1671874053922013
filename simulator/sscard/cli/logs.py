"""The log on standard error: ``-v`` and ``--log-format``.

Its messages are for engineers and in English only. A message never contains a
PIN, a key, a command or an answer; what varies is in the fields.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

from sscard.i18n.language import visible

SCHEMA: Final = "sscard.log/1"
LEVELS: Final = (logging.WARNING, logging.INFO, logging.DEBUG)
"""By the number of ``-v``."""
_OF_RECORD: Final = frozenset([*vars(logging.makeLogRecord({})), "message", "asctime"])
"""What a record has without the fields of its message."""


class TextLines(logging.Formatter):
    """Time, level, logger, message and fields in one line."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        fields = "".join(f" {name}={json.dumps(value, ensure_ascii=False)}" for name, value in _fields(record).items())
        return visible(f"{_time(record)} {record.levelname} {record.name}: {record.getMessage()}{fields}")


class JsonLines(logging.Formatter):
    """One JSON object per line."""

    def format(self, record: logging.LogRecord) -> str:
        """One object."""
        facts = {
            "schema": SCHEMA,
            "time": _time(record),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "fields": _fields(record),
        }
        return json.dumps(facts, ensure_ascii=False)


@contextmanager
def logging_to_stderr(verbose: int, *, as_json: bool) -> Iterator[None]:
    """Log what the packages of sscard report, until the end of the ``with`` block."""
    root = logging.getLogger("sscard")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if as_json else TextLines())
    before = root.level
    root.addHandler(handler)
    root.setLevel(LEVELS[min(verbose, len(LEVELS) - 1)])
    try:
        yield
    finally:
        root.setLevel(before)
        root.removeHandler(handler)


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in vars(record).items() if name not in _OF_RECORD}


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
