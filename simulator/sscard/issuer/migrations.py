"""Migrate images and card files of earlier versions step by step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sscard.card import Personality, Profile
from sscard.errors import InputError
from sscard.i18n.phrase import Phrase
from sscard.issuer.personalise import fresh_applications, layout_of
from sscard.standard.encoding import records

VERSION = 3
"""The version of images and card files that this sscard writes."""

SERIAL_LENGTH = 8
CODE_LENGTH = 16
CITY_CODE_DIGITS = 6

Notify = Callable[[Phrase], None]

BEFORE_3: dict[str, object] = {
    "optional_applications": False,
    "health_application": False,
    "dir_sfi": 0,
    "fci_algorithm": True,
    "an_padding": 0x00,
    "select_child": "6A86",
    "whole_record_contact": False,
    "whole_record_contactless": False,
    "unlock_limit": 0,
}
"""What a card before version 3 had or did, by the field of the personality that decides it since."""


def ignore(message: Phrase) -> None:
    """Discard a message."""


def personality_before(version: int) -> dict[str, object]:
    """The fields of the personality that an image of this version may lack, and what its card did."""
    return BEFORE_3 if version < 3 else {}


def migrate(content: dict[str, Any], personality: Personality, source: str, notify: Notify) -> bool:
    """Migrate an image's content (fields are well-formed) to ``VERSION`` in place; return whether it was older."""
    found: int = content["version"]
    for version in range(found, VERSION):
        _STEPS[version](content, personality)
        content["version"] = version + 1
    if found < VERSION:
        notify(
            Phrase(
                "{source}: is of version {found}, migrated to version {version}",
                source=source,
                found=found,
                version=VERSION,
            )
        )
    return found < VERSION


def _add_the_whole_tree(content: dict[str, Any], personality: Personality) -> None:
    """1 → 2: version 1 had SSSE's EF05 and EF06 and six keys, always diversified from the built-in roots."""
    from sscard.issuer.hierarchy import CardReference, builtin_keys

    layout = layout_of(personality)
    historical = bytes.fromhex(content["historical"])
    profile = Profile(personality, layout, historical, [])
    cells, keys = content["memory"], content["keys"]
    code = next(records(bytes.fromhex(cells["strings"].get("SSSE EF05", ""))), b"")[2:]
    if len(code) != CODE_LENGTH:
        raise InputError(Phrase("memory.strings.SSSE EF05: a record with the identification code expected"))
    card = CardReference(code.hex()[:CITY_CODE_DIGITS], historical[-SERIAL_LENGTH:])
    for spec in layout.keys:
        if spec.name not in keys:
            made = (
                builtin_keys().card_key(profile.suite, spec.name, version, card) for version in range(spec.versions)
            )
            keys[spec.name] = [value.hex().upper() for value in made]
    fresh = profile.new_memory(b"", fresh_applications(layout, card.city_code, personality.an_padding))
    cells["numbers"] = dict(zip(layout.number_names(), fresh.numbers, strict=True)) | cells["numbers"]
    strings = (value.hex().upper() for value in fresh.strings)
    cells["strings"] = dict(zip(layout.string_names(), strings, strict=True)) | cells["strings"]


def _add_later_choices(content: dict[str, Any], personality: Personality) -> None:
    """2 → 3: the choices that version 2 did not know, and the count of unlocks."""
    content["personality"] = personality_before(2) | content["personality"]
    layout = layout_of(personality)
    content["memory"]["numbers"].setdefault(layout.number_names()[layout.unlocks], 0)


_STEPS: dict[int, Callable[[dict[str, Any], Personality], None]] = {1: _add_the_whole_tree, 2: _add_later_choices}
"""Migration steps by the version they start from."""
