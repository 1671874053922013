"""The image of a card: all of it, at rest, as one JSON document with version and digest."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any

from pydantic import Field, ValidationError

from sscard.card import Personality, Profile
from sscard.chip.memory import Log, Memory
from sscard.document import Model
from sscard.errors import InputError
from sscard.i18n.language import N_, _, retell
from sscard.issuer.migrations import VERSION, Tell, ignore, migrate
from sscard.issuer.personalise import Card, layout_of

FORMAT = "sscard card image"
REISSUE = N_("take it from a backup, or issue the card anew: sscard issue -o FILE")


class LogImage(Model):
    """The memory's log, where the power went inside a transaction."""

    complete: bool
    numbers: dict[str, int]
    strings: dict[str, str]


class MemoryImage(Model):
    """Every cell by its lasting name: numbers, and strings in hex digits."""

    numbers: dict[str, int]
    strings: dict[str, str]
    log: LogImage | None


class CardImage(Model):
    """What an image file holds."""

    format: str
    version: int
    personality: dict[str, Any]
    historical: str = Field(pattern="^[0-9A-F]{26}$")
    keys: dict[str, list[str]] = Field(repr=False)
    memory: MemoryImage = Field(repr=False)
    digest: str


def write_image(card: Card) -> str:
    """The image of a card as text."""
    profile, memory = card.profile, card.memory
    layout = profile.layout
    content: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "personality": dataclasses.asdict(profile.personality),
        "historical": profile.historical.hex().upper(),
        "keys": {
            spec.name: [profile.key(index, version).hex().upper() for version in range(spec.versions)]
            for index, spec in enumerate(layout.keys)
        },
        "memory": {
            "numbers": dict(zip(layout.number_names(), memory.numbers, strict=True)),
            "strings": {
                name: value.hex().upper() for name, value in zip(layout.string_names(), memory.strings, strict=True)
            },
            "log": _log_content(memory.log, layout.number_names(), layout.string_names()),
        },
    }
    content["digest"] = digest_of(content)
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def read_image(text: str, source: str, tell: Tell = ignore) -> Card:
    """The card of an image, migrated if it is older, which ``tell`` is told.

    ``InputError`` says whether it is truncated, edited, too new or none at all.
    """
    content = _checked(text, source)
    try:
        migrate(content, source, tell)
        image = CardImage.model_validate(content)
        personality = Personality(**image.personality)
        return _card(image, personality)
    except (ValidationError, TypeError, ValueError, KeyError) as error:
        problem = _("is not a card image of version {version}: {kind}", version=VERSION, kind=type(error).__name__)
        raise InputError(problem, file=source, remedy=_(REISSUE)) from None


def digest_of(content: dict[str, Any]) -> str:
    """SHA-256 over the content without its digest, keys sorted."""
    body = {key: value for key, value in content.items() if key != "digest"}
    text = json.dumps(body, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _checked(text: str, source: str) -> dict[str, Any]:
    content = _parsed(text, source)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError(
            _("is not a card image"), file=source, remedy=_("a card image comes from: sscard issue -o FILE")
        )
    version = content.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise InputError(_("is a card image without a version"), file=source, remedy=_(REISSUE))
    if version > VERSION:
        problem = _(
            "is a card image of version {version}, this sscard reads up to {last}", version=version, last=VERSION
        )
        raise InputError(problem, file=source, remedy=_("use a newer sscard"))
    if not _is_unchanged(content):
        raise InputError(_("was edited: its digest does not fit its content"), file=source, remedy=_(REISSUE))
    return content


def _parsed(text: str, source: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        whole = _("is truncated") if FORMAT in text else _("is not a card image")
        problem = f"{whole}: {retell(error.msg)}"
        raise InputError(problem, file=source, line=error.lineno, column=error.colno, remedy=_(REISSUE)) from None
    except (ValueError, RecursionError):  # a number or a nesting beyond all measure
        raise InputError(_("is not a card image"), file=source, remedy=_(REISSUE)) from None


def _is_unchanged(content: dict[str, Any]) -> bool:
    try:
        return content.get("digest") == digest_of(content)
    except ValueError:  # half a surrogate pair, which no image holds
        return False


def _card(image: CardImage, personality: Personality) -> Card:
    layout = layout_of(personality)
    keys = [tuple(bytes.fromhex(value) for value in image.keys[spec.name]) for spec in layout.keys]
    profile = Profile(personality, layout, bytes.fromhex(image.historical), keys)
    numbers = [image.memory.numbers[name] for name in layout.number_names()]
    strings = [bytes.fromhex(image.memory.strings[name]) for name in layout.string_names()]
    memory = Memory(numbers, strings)
    memory.log = _log(image.memory.log, layout.number_names(), layout.string_names())
    return Card(profile, memory)


def _log_content(log: Log | None, numbers: list[str], strings: list[str]) -> dict[str, Any] | None:
    if log is None:
        return None
    return {
        "complete": log.complete,
        "numbers": {numbers[cell]: value for cell, value in log.numbers},
        "strings": {strings[cell]: value.hex().upper() for cell, value in log.strings},
    }


def _log(image: LogImage | None, numbers: list[str], strings: list[str]) -> Log | None:
    if image is None:
        return None
    log = Log(
        [(numbers.index(name), value) for name, value in image.numbers.items()],
        [(strings.index(name), bytes.fromhex(value)) for name, value in image.strings.items()],
    )
    log.complete = image.complete
    return log
