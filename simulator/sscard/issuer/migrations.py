"""How images of earlier versions become images of this one, step by step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sscard.card import Personality, Profile
from sscard.i18n.language import _
from sscard.issuer.hierarchy import CardReference, builtin_keys
from sscard.issuer.personalise import fresh_applications, layout_of
from sscard.standard.encoding import records

VERSION = 2
"""The version this sscard writes."""

SERIAL_LENGTH = 8
CITY_CODE_DIGITS = 6

Tell = Callable[[str], None]


def ignore(message: str) -> None:
    """Tell nobody."""


def migrate(content: dict[str, Any], source: str, tell: Tell) -> None:
    """Bring an image's content to ``VERSION`` in place."""
    found = content["version"]
    for version in range(found, VERSION):
        _STEPS[version](content)
        content["version"] = version + 1
    if found < VERSION:
        tell(
            _(
                "{source}: image of version {found}, migrated to version {version}; it is written at the next change",
                source=source,
                found=found,
                version=VERSION,
            )
        )


def _add_the_whole_tree(content: dict[str, Any]) -> None:
    """Version 1 knew SSSE's EF05 and EF06 and six keys, always diversified from the built-in roots."""
    personality = Personality(**content["personality"])
    layout = layout_of(personality)
    historical = bytes.fromhex(content["historical"])
    profile = Profile(personality, layout, historical, [])
    cells = content["memory"]
    reference = _reference(cells["strings"], historical)
    _add_keys(content["keys"], profile, reference)
    fresh = profile.new_memory(b"", fresh_applications(layout, reference.city_code, personality.an_padding))
    cells["numbers"] = dict(zip(layout.number_names(), fresh.numbers, strict=True)) | cells["numbers"]
    blank = (value.hex().upper() for value in fresh.strings)
    cells["strings"] = dict(zip(layout.string_names(), blank, strict=True)) | cells["strings"]


def _reference(strings: dict[str, str], historical: bytes) -> CardReference:
    identification_code = next(records(bytes.fromhex(strings["SSSE EF05"])))[2:]
    return CardReference(identification_code.hex()[:CITY_CODE_DIGITS], historical[-SERIAL_LENGTH:])


def _add_keys(keys: dict[str, list[str]], profile: Profile, card: CardReference) -> None:
    for spec in profile.layout.keys:
        if spec.name not in keys:
            values = (
                builtin_keys().card_key(profile.suite, spec.name, version, card) for version in range(spec.versions)
            )
            keys[spec.name] = [value.hex().upper() for value in values]


_STEPS: dict[int, Callable[[dict[str, Any]], None]] = {1: _add_the_whole_tree}
"""By the version they start from."""
