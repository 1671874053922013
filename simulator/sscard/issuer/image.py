"""The image of a card without power: one JSON document with version and digest, or the rows of a card file."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeVar

from sscard.card import Profile
from sscard.chip.memory import Log, Memory
from sscard.errors import InputError, InvalidValue
from sscard.fields import check_shape, shown
from sscard.i18n.phrase import EITHER, ROW, Phrase, Sayable
from sscard.issuer.migrations import VERSION, Notify, ignore, migrate, personality_before
from sscard.issuer.personalise import Card, layout_of
from sscard.issuer.personalities import personality_of, written_fields
from sscard.issuer.values import check_values
from sscard.standard.choices import CHOICES, Personality
from sscard.standard.cipher import SUITES_BY_NAME
from sscard.standard.keys import NAMED_KEYS
from sscard.standard.tree import CARD_BLOCKED, PIN, Layout

FORMAT = "sscard card image"
REISSUE = Phrase("take it from a backup, or issue the card again: sscard issue -o FILE")

SCHEMA: Final = Path(__file__).parent / "card-image.schema.json"
"""The JSON schema of an image, which is also the check of an image and of the rows of a card file."""

T = TypeVar("T")


def content_of(card: Card) -> dict[str, Any]:
    """The content of a card's image, without digest."""
    profile, layout = card.profile, card.profile.layout
    return {
        "format": FORMAT,
        "version": VERSION,
        "personality": dataclasses.asdict(profile.personality),
        "historical": profile.historical.hex().upper(),
        "keys": {
            spec.name: [value.hex().upper() for value in values]
            for spec, values in zip(layout.keys, profile.all_keys(), strict=True)
        },
        "memory": memory_content(card.memory, layout.number_names(), layout.string_names()),
    }


def memory_content(memory: Memory, numbers: list[str], strings: list[str]) -> dict[str, Any]:
    """The content of a memory, by the names of its cells."""
    log = memory.log
    return {
        "numbers": dict(zip(numbers, memory.numbers, strict=True)),
        "strings": {name: value.hex().upper() for name, value in zip(strings, memory.strings, strict=True)},
        "log": log
        and {
            "complete": log.complete,
            "numbers": {numbers[cell]: value for cell, value in log.numbers},
            "strings": {strings[cell]: value.hex().upper() for cell, value in log.strings},
        },
    }


def log_in(content: Mapping[str, Any], numbers: list[str], strings: list[str]) -> Log:
    """The log in the content of a memory; ``ValueError`` for a name that is not among the cells."""
    return Log(
        [(numbers.index(name), value) for name, value in content["numbers"].items()],
        [(strings.index(name), bytes.fromhex(value)) for name, value in content["strings"].items()],
        content["complete"],
    )


def write_image(card: Card) -> str:
    """The image of a card as text."""
    content = content_of(card)
    content["digest"] = digest_of(content)
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def read_image(text: str, source: str, notify: Notify = ignore) -> Card:
    """The card of an image, migrated if it is of an older version.

    ``notify`` and the treatment of a tree that differs from that of this sscard
    are those of ``card_in``. ``InputError`` states whether the image is
    truncated, edited or too new, or which field is wrong and what was expected.
    """
    content = unsealed_content(text, source)
    version = content["version"]
    try:
        return card_in(content, source, notify)
    except InputError as error:
        whole = Phrase("is not a card image of version {version}: {problem}", version=version, problem=whole_of(error))
        raise InputError(whole, file=source, remedy=REISSUE) from None


def whole_of(error: InputError) -> Sayable:
    """Problem and remedy of an error in a part of an image, as one phrase."""
    if not error.remedy:
        return error.problem
    return Phrase("{problem}; {remedy}", problem=error.problem, remedy=error.remedy)


def card_in(content: dict[str, Any], source: str, notify: Notify = ignore) -> Card:
    """The card of an image's content, which is migrated in place if it is of an older version.

    The tree of an image may differ from that of this sscard. A file or counter
    that the image lacks gets its blank value. A key that it lacks is absent
    from the card: its value is unknown, and the card behaves as it did when it
    was issued. Names that this sscard does not know are ignored. ``notify`` is
    called with a message for each of these. Errors: ``InputError`` without
    file, for a field that is wrong or a value that no card has.
    """
    reading = ImageReading(content)
    if migrate(content, reading.personality, source, notify):
        reading = ImageReading(content)
    card = reading.card()
    check_values(card)
    for message, names in (
        (Phrase("{source}: unknown to this sscard, left out: {names}"), reading.unknown),
        (Phrase("{source}: not in this image, left blank: {names}"), reading.blank),
        (Phrase("{source}: not in this image, the card lacks these keys: {names}"), reading.absent),
    ):
        if names:
            notify(message.filled(source=source, names=Phrase.joined(ROW, names)))
    return card


def unsealed_content(text: str, source: str) -> dict[str, Any]:
    """The content of an image of a supported version, checked for integrity; its fields are not checked."""
    try:
        content = json.loads(text, object_pairs_hook=_without_duplicates)
    except json.JSONDecodeError as error:
        whole = Phrase("is truncated") if FORMAT in text else Phrase("is not a card image")
        problem = Phrase("{whole}: {problem}", whole=whole, problem=Phrase("not valid JSON"))
        raise InputError(problem, file=source, line=error.lineno, column=error.colno, remedy=REISSUE) from None
    except InvalidValue:
        from sscard.document import parse_document

        parse_document(text, source)  # it finds the place of the duplicate
        raise InputError(Phrase("a key occurs twice"), file=source, remedy=REISSUE) from None
    except (ValueError, RecursionError):  # a number that is too long or nesting that is too deep
        raise InputError(Phrase("is not a card image"), file=source, remedy=REISSUE) from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError(
            Phrase("is not a card image"), file=source, remedy=Phrase("a card image comes from: sscard image export")
        )
    checked_version(content.get("version"), source)
    with suppress(ValueError):  # half a surrogate pair, which never occurs in an image
        if content.get("digest") == digest_of(content):
            return content
    raise InputError(Phrase("was edited: its digest does not fit its content"), file=source, remedy=REISSUE)


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise InvalidValue(Phrase("a key occurs twice"))
    return content


@cache
def image_schema() -> dict[str, Any]:
    """The JSON schema of an image."""
    schema: dict[str, Any] = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return schema


def checked_version(version: object, source: str, last: int = VERSION, reissue: Phrase = REISSUE) -> None:
    """``InputError`` if this sscard does not read this version of images and card files, or of another file."""
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise InputError(Phrase("has no version that is a number"), file=source, remedy=reissue)
    if version > last:
        problem = Phrase("is of version {version}, this sscard reads up to {last}", version=version, last=last)
        raise InputError(problem, file=source, remedy=Phrase("use a newer sscard"))


def digest_of(content: dict[str, Any]) -> str:
    """SHA-256 over the content without its digest, keys sorted."""
    import hashlib

    body = {key: value for key, value in content.items() if key != "digest"}
    text = json.dumps(body, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


class ImageReading:
    """Converts the content of an image to a card; all methods raise ``InputError``.

    It collects the names that are ``unknown`` to this sscard, and the cells
    that become ``blank`` and the keys that are ``absent`` because the image
    lacks them.
    """

    def __init__(self, content: dict[str, Any]) -> None:
        schema = image_schema()
        check_shape(content, schema, schema)
        self.content = content
        self.unknown: list[Sayable] = []
        self.blank: list[Sayable] = []
        self.absent: list[Sayable] = []
        given = personality_before(content["version"]) | content["personality"]
        fields = self.known("personality", given, ["name", *CHOICES])
        try:
            self.personality: Personality = personality_of(written_fields(fields))
        except InputError as error:
            problem = Phrase("personality: {problem}", problem=error.problem)
            raise InputError(problem, remedy=error.remedy) from None

    def known(self, part: str, given: Mapping[str, T], names: Iterable[str]) -> dict[str, T]:
        """The values of a part of the image for known names."""
        known = frozenset(names)
        self.unknown += [Phrase("{part}.{name}", part=part, name=shown(name)) for name in given if name not in known]
        return {name: value for name, value in given.items() if name in known}

    def layout(self) -> Layout:
        """The tree of the card, with the keys and key versions that the image holds."""
        layout = layout_of(self.personality)
        suite = SUITES_BY_NAME[self.personality.algorithm]
        keys = self.known("keys", self.content["keys"], (spec.name for spec in layout.keys))
        held = {}
        for spec in layout.keys:
            field, values = f"keys.{spec.name}", keys.get(spec.name, [])
            if not values and spec.name in NAMED_KEYS:
                raise InputError(Phrase("field {field!r} is missing", field=field))
            lengths = [length for length in suite.key_lengths if length >= spec.des_length]
            if any(len(value) // 2 not in lengths for value in values):
                expected = Phrase.joined(EITHER, [2 * length for length in lengths])
                raise InputError(Phrase("{field}: {digits} hex digits expected", field=field, digits=expected))
            held[spec.name] = min(len(values), spec.versions)
            versions = [f"{spec.name} {version + 1}" for version in range(max(len(values), spec.versions))]
            self.absent += versions[len(values) :] if values else [spec.name]
            self.unknown += [f"keys.{version}" for version in versions[spec.versions :]]
        return layout_of(self.personality, held) if self.absent else layout

    def card(self) -> Card:
        """The card."""
        layout, image = self.layout(), self.content["memory"]
        keys = [tuple(map(bytes.fromhex, self.content["keys"][spec.name][: spec.versions])) for spec in layout.keys]
        profile = Profile(self.personality, layout, bytes.fromhex(self.content["historical"]), keys)
        blank, names = profile.new_memory(b"", {}), (layout.number_names(), layout.string_names())
        strings = {name: bytes.fromhex(value) for name, value in image["strings"].items()}
        memory = Memory(
            self.cells("memory.numbers", names[0], CARD_BLOCKED + 1, blank.numbers, image["numbers"]),
            self.cells("memory.strings", names[1], PIN + 1, blank.strings, strings),
        )
        if (log := image["log"]) is not None:
            written = {
                part: self.known(f"memory.log.{part}", log[part], known)
                for part, known in zip(("numbers", "strings"), names, strict=True)
            }
            memory.log = log_in({**written, "complete": log["complete"]}, *names)
        return Card(profile, memory)

    def cells(self, part: str, names: list[str], needed: int, blank: list[T], given: Mapping[str, T]) -> list[T]:
        """A value for each cell; the first ones, which every card has, are ``needed``: an error if missing."""
        known = self.known(part, given, names)
        missing = [name for name in names if name not in known]
        if missing and missing[0] in names[:needed]:
            field = f"{part}.{missing[0]}"
            raise InputError(Phrase("field {field!r} is missing", field=field))
        self.blank += [f"{part}.{name!r}" for name in missing]
        return [known.get(name, value) for name, value in zip(names, blank, strict=True)]
