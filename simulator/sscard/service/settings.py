"""The settings of a case: the policy, item, place policy and holder base with which it was opened."""

from __future__ import annotations

import hashlib
import hmac
import shlex
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final, Self

from sscard.files import unreadable
from sscard.hsm.holderbase import HOLDER_BASES
from sscard.issuer.lookup import is_path
from sscard.plugins import SCHEME
from sscard.service.policy import PAGE

DIGEST_CHARACTERS: Final = 32


@dataclass(frozen=True, slots=True)
class Setting:
    """The name of a preset, of a file without its folder, or a URL without credentials; empty: the default.

    ``digest`` is the keyed digest of a file's content (32 hex digits), empty for what is not a file of rules. It is
    keyed because a place policy has the initial PIN.
    """

    name: str = ""
    digest: str = ""

    def __eq__(self, other: object) -> bool:
        """A file is the same if its content is; its name may be another."""
        if not isinstance(other, Setting):
            return NotImplemented
        return self.digest == other.digest if self.digest or other.digest else self.name == other.name

    def __hash__(self) -> int:
        return hash(self.digest or self.name)


@dataclass(frozen=True, slots=True)
class Settings:
    """Each field has the name of an option of ``sscard case open``."""

    policy: Setting = Setting()
    item: Setting = Setting()
    place: Setting = Setting()
    holder_base: Setting = Setting()

    @property
    def options(self) -> str:
        """The options that state them, as they are typed; empty if all are the defaults."""
        return self.options_instead_of(Settings())

    def options_instead_of(self, given: Settings) -> str:
        """The options that state them to a command that has the ``given`` ones, also those that are the defaults."""
        stated = []
        for field in fields(self):
            name = getattr(self, field.name).name
            if not name and getattr(given, field.name).name:
                name = PAGE if field.name == "policy" else "none"
            if name:
                stated.append(f"--{field.name.replace('_', '-')} {shlex.quote(name)}")
        return " ".join(stated)

    def to_facts(self) -> dict[str, list[str]]:
        """As in the journal, without the defaults."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: [setting.name, setting.digest] for name, setting in given.items() if setting.name}

    @classmethod
    def from_facts(cls, facts: dict[str, list[str]]) -> Self:
        """The settings of an event."""
        return cls(**{name: Setting(*values) for name, values in facts.items()})


def settings_of(policy: str, item: Path | None, place: str, holder_base: str, key: bytes) -> Settings:
    """The settings that options state, for a journal with this key. ``InputError`` for a file that cannot be read."""
    return Settings(
        Setting() if policy == PAGE else _rules(policy, key),
        _file(item, key) if item else Setting(),
        _rules(place, key),
        _base(holder_base),
    )


def _base(url: str) -> Setting:
    """The name of a file, or a URL as reports show it."""
    scheme = SCHEME.match(url)
    if scheme is None or scheme[1] == "sqlite":
        return Setting(Path(url.removeprefix("sqlite:")).name)
    return Setting(HOLDER_BASES.shown(url))


def _rules(name: str, key: bytes) -> Setting:
    """A preset, or a file with its content."""
    return _file(Path(name), key) if is_path(name) else Setting(name)


def _file(path: Path, key: bytes) -> Setting:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from None
    return Setting(path.name, hmac.new(key, b"settings\x00" + content, hashlib.sha256).hexdigest()[:DIGEST_CHARACTERS])
