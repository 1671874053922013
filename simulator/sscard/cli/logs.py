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

import click
from click.core import ParameterSource

from sscard.cli.usage import Option

SCHEMA: Final = "sscard.log/1"
LEVELS: Final = (logging.WARNING, logging.INFO, logging.DEBUG)
"""By the number of ``-v``."""
_OF_RECORD: Final = frozenset([*vars(logging.makeLogRecord({})), "message", "asctime"])
"""What a record has without the fields of its message."""

logger = logging.getLogger("sscard.cli")


class TextLines(logging.Formatter):
    """Time, level, logger, message and fields in one line."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        fields = "".join(f" {name}={json.dumps(value, ensure_ascii=False)}" for name, value in _fields(record).items())
        return f"{_time(record)} {record.levelname} {record.name}: {record.getMessage()}{fields}"


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


def log_sources(ctx: click.Context) -> None:
    """Log the configuration file, and the options of a command that are from it or from the environment."""
    if ctx.obj is not None and ctx.parent is None:
        logger.info("configuration file", extra={"file": ctx.obj.file})
    for option in ctx.command.params:
        source = ctx.get_parameter_source(option.name or "")
        fields = {"command": ctx.command_path, "option": option.get_error_hint(ctx)}
        if source is ParameterSource.ENVIRONMENT and isinstance(option, Option):
            logger.info("option from the environment", extra=fields | {"variable": option.variable(ctx)})
        if source is ParameterSource.DEFAULT_MAP:
            shown = _shown(ctx.params.get(option.name or ""))
            logger.info("option from the configuration file", extra=fields | {"value": shown})


def _shown(value: Any) -> Any:
    """A value for the log; of a URL or command only the scheme, it may contain a password."""
    if isinstance(value, tuple):
        return [_shown(each) for each in value]
    if isinstance(value, bool | int | float):
        return value
    scheme, colon, _rest = str(value).partition(":")
    return f"{scheme}:…" if colon else scheme


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in vars(record).items() if name not in _OF_RECORD}


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
