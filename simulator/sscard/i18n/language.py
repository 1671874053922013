"""The language of everything a person reads: English, or Chinese by the catalog in ``locale``.

A message is translated first and gets its values after:
``_("no personality {name!r}", name=name)``. What is translated later than it
is written is marked with ``N_``, or is a ``Phrase``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path
from typing import Final
from unicodedata import east_asian_width

from sscard.i18n.phrase import Phrase, Words

DOMAIN: Final = "sscard"
LOCALE: Final = Path(__file__).parent / "locale"
CHINESE, ENGLISH = "zh", "en"
LANGUAGES: Final = (CHINESE, ENGLISH)
VARIABLES: Final = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")
"""Where a user says which language, the first that says any counts."""

_chosen = ""
_speaking: ContextVar[str] = ContextVar("language", default="")


def choose_language(name: str = "") -> str:
    """Choose the language of this process, ``zh`` or ``en``; without a name the environment's. What was chosen."""
    global _chosen  # noqa: PLW0603 - a process talks to its user in one language
    _chosen = language_in(os.environ) if not name else CHINESE if _is_chinese(name) else ENGLISH
    return _chosen


def language_in(environment: Mapping[str, str]) -> str:
    """The language that an environment asks for; of a list in LANGUAGE the first that is known, else English."""
    asked = next((environment[name] for name in VARIABLES if environment.get(name)), "")
    for each in asked.split(":"):
        if _is_chinese(each):
            return CHINESE
        if each.startswith(ENGLISH):
            return ENGLISH
    return ENGLISH


@contextmanager
def speaking(name: str) -> Iterator[None]:
    """Say what is said inside in one language, whatever was chosen."""
    token = _speaking.set(name)
    try:
        yield
    finally:
        _speaking.reset(token)


def is_chinese() -> bool:
    """Whether Chinese is spoken now; the first question settles the language from the environment."""
    return (_speaking.get() or _chosen or choose_language()) == CHINESE


def _(text: str, /, **values: object) -> str:
    """A message in the language, as it is where the catalog does not know it, with these values in its places."""
    message = _catalog().gettext(text) if is_chinese() else text
    return message.format(**values) if values else message


def N_(text: str) -> str:  # noqa: N802 - the name that gettext's users know
    """Mark a message for the catalog that is translated later."""
    return text


def say(said: str | int | Words | Phrase) -> str:
    """A phrase or a name in the language; text and numbers as they are."""
    if isinstance(said, Words):
        return said.chinese if is_chinese() else said.english
    if not isinstance(said, Phrase):
        return str(said)
    values = {name: value if isinstance(value, int) else say(value) for name, value in said.values.items()}
    return _(said.text, **values)


def padded(text: str, width: int) -> str:
    """Text filled with spaces to so many columns of a terminal, where a Chinese character takes two."""
    taken = sum(2 if east_asian_width(char) in "WF" else 1 for char in text)
    return text + " " * (width - taken)


def retell(message: str) -> str:
    """What a library says in English, in the language where the catalog knows it."""
    if not is_chinese():
        return message
    for template, pattern in _foreign():
        found = pattern.fullmatch(message)
        if found:
            return _(template, **{name: retell(part) for name, part in found.groupdict().items()})
    return message


def reason_of(error: OSError) -> str:
    """Why the operating system refused."""
    return retell(error.strerror or str(error))


@cache
def _catalog() -> NullTranslations:
    with (LOCALE / CHINESE / "LC_MESSAGES" / f"{DOMAIN}.mo").open("rb") as file:
        return GNUTranslations(file)


def _is_chinese(name: str) -> bool:
    return name.lower().startswith(CHINESE)


@cache
def _foreign() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((template, _pattern(template)) for template in FOREIGN)


def _pattern(template: str) -> re.Pattern[str]:
    """A template as a pattern, each of its places a group."""
    parts = re.split(r"\{(\w+)\}", template)
    texts = (f"(?P<{part}>.+)" if place % 2 else re.escape(part) for place, part in enumerate(parts))
    return re.compile("".join(texts), re.DOTALL)


FOREIGN: Final = (
    # The floors that are pure.
    N_("a PIN has decimal digits only"),
    N_("a PIN has {least} to {most} digits, got {count}"),
    # The operating system.
    N_("No such file or directory"),
    N_("Permission denied"),
    N_("Is a directory"),
    N_("Not a directory"),
    N_("File exists"),
    N_("File name too long"),
    N_("Too many levels of symbolic links"),
    N_("No space left on device"),
    N_("Read-only file system"),
    N_("Input/output error"),
    N_("Address already in use"),
    N_("Connection refused"),
    # Pydantic.
    N_("Input should be a valid integer, unable to parse string as an integer"),
    N_("Input should be a valid integer"),
    N_("Input should be a valid number, unable to parse string as a number"),
    N_("Input should be a valid string"),
    N_("Input should be a valid list"),
    N_("Input should be a valid tuple"),
    N_("Input should be a valid dictionary"),
    N_("Input should be a valid dictionary or object to extract fields from"),
    N_("Input should be a valid boolean, unable to interpret input"),
    N_("Input should be a valid boolean"),
    N_("Input should be a valid date in the format YYYY-MM-DD, {problem}"),
    N_("Input should be a valid date or datetime, {problem}"),
    N_("Input should be greater than or equal to {limit}"),
    N_("Input should be less than or equal to {limit}"),
    N_("String should match pattern {pattern}"),
    N_("String should have at least {count} character"),
    N_("String should have at least {count} characters"),
    N_("String should have at most {count} character"),
    N_("String should have at most {count} characters"),
    N_("List should have at least {count} item after validation, not {found}"),
    N_("Data should have at least {count} byte"),
    N_("Data should have at least {count} bytes"),
    N_("Data should have at most {count} byte"),
    N_("Data should have at most {count} bytes"),
    N_("Input should be {first} or {last}"),
    N_("Input should be {word}"),
    # JSON and YAML.
    N_("Expecting value"),
    N_("Expecting ',' delimiter"),
    N_("Expecting ':' delimiter"),
    N_("Expecting property name enclosed in double quotes"),
    N_("Illegal trailing comma before end of object"),
    N_("Illegal trailing comma before end of array"),
    N_("Extra data"),
    N_("Unterminated string starting at"),
    N_("Invalid control character at"),
    N_("mapping values are not allowed in this context"),
    N_("could not find expected ':'"),
    N_("did not find expected key"),
    N_("did not find expected ',' or ']'"),
    N_("did not find expected ',' or '}}'"),
    N_("did not find expected '-' indicator"),
    N_("did not find expected node content"),
    N_("did not find expected <document start>"),
    N_("found character that cannot start any token"),
    N_("found unexpected end of stream"),
    N_("found undefined alias"),
    # The check of resident ID numbers.
    N_("The number has an invalid length."),
    N_("The number has an invalid format."),
    N_("The number's checksum or check digit is invalid."),
    N_("One of the parts of the number are invalid or unknown."),
    # Typer.
    N_("Missing argument {name}."),
    N_("Missing option {name}."),
    N_("Missing parameter: {name}"),
    N_("Missing command."),
    N_("No such command {name}. Did you mean {near}?"),
    N_("No such command {name}."),
    N_("No such option: {name} Did you mean {near}?"),
    N_("No such option: {name} (Possible options: {near})"),
    N_("No such option: {name}"),
    N_("Got unexpected extra argument(s) ({names})"),
    N_("Got unexpected extra argument ({names})"),
    N_("Got unexpected extra arguments ({names})"),
    N_("Option {name} requires an argument."),
    N_("Option {name} does not take a value."),
    N_("Invalid value for {name}: {problem}"),
    N_("Value error, {problem}"),
    N_("{word} is not one of {names}."),
    N_("{word} is not a valid integer."),
    N_("{word} is not a valid float."),
    N_("{word} is not in the range {limits}."),
    N_("Options"),
    N_("Arguments"),
    N_("Commands"),
    N_("Error"),
    N_("Aborted."),
    N_("Aborted!"),
    N_("[required]"),
    N_("[default: {}]"),
    N_("[env var: {}]"),
    N_("(deprecated) "),
    N_("Try [blue]'{command_path} {help_option}'[/] for help."),
    N_("Usage:"),
    N_("[OPTIONS]"),
    N_("COMMAND [ARGS]..."),
    N_("Show this message and exit."),
    N_("Install completion for the current shell."),
    N_("Show completion for the current shell, to copy it or customize the installation."),
)
"""Messages of libraries that reach a person, the special before the general; ``{…}`` is told again by itself."""
