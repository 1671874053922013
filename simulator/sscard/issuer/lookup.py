"""What a user names for the issuer: one of the presets that come with sscard, or a file.

Each function imports what it needs, and the formats of files, which need
pydantic and YAML, only for a file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sscard.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from sscard.issuer.hierarchy import KeyFile, KeyHierarchy
    from sscard.issuer.places import Place
    from sscard.standard.choices import Personality


def find_personality(name: str) -> Personality:
    """A preset by name, or a personality file by path (anything with a suffix or a slash)."""
    from sscard.issuer.personalities import PRESETS, preset

    path = None if name in PRESETS else _path(name)
    if path is None:
        return preset(name)
    from sscard.issuer.formats import read_personality

    return read_personality(path)


def find_place(name: str) -> Place:
    """A place policy by name, or a file by path (anything with a suffix or a slash)."""
    from sscard.issuer.places import PRESETS, preset_place

    path = None if name in PRESETS else _path(name)
    if path is None:
        return preset_place(name)
    from sscard.issuer.formats import read_place

    return read_place(path)


def place_errors(name: str) -> list[InputError]:
    """Every error of a place policy file, none of a preset; an unknown name is an error too."""
    from pathlib import Path

    if not is_path(name) and not Path(name).exists():
        try:
            find_place(name)
        except InputError as error:
            return [error]
        return []

    from sscard.issuer.formats import errors_in_place

    return errors_in_place(Path(name))


def load_keys(path: Path | str) -> KeyHierarchy:
    """The root keys of a key file in the format of sscard's test-keys.yaml; ``InputError`` with the line if invalid."""
    from pathlib import Path

    from sscard.issuer.hierarchy import KeyHierarchy

    return KeyHierarchy(read_key_file(Path(path)))


def read_key_file(path: Path | None = None) -> KeyFile:
    """A user's key file, or the test keys that come with sscard; ``InputError`` with the line if it is invalid."""
    if path is None:
        from sscard.issuer.hierarchy import builtin_key_file

        return builtin_key_file()
    from sscard.issuer.formats import written_keys

    return written_keys(path)


def is_path(name: str) -> bool:
    """Whether a name has a suffix or a slash; others are those of presets."""
    from pathlib import Path

    return "/" in name or ("." in name and Path(name).suffix != "")


def _path(name: str) -> Path | None:
    """The path that a name is; ``None`` if it can only be that of a preset."""
    from pathlib import Path

    return Path(name) if is_path(name) else None
