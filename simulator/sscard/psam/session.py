"""The constant profile and the volatile session of a PSAM."""

from __future__ import annotations

from typing import Any, Final

from sscard.chip.answers import NOT_SUPPORTED
from sscard.chip.memory import Memory
from sscard.chip.session import ChipSession, Random
from sscard.psam.keys import CITY_FILE, NATIONAL_FILE, PROVINCE_FILE, TYPE_MASK, KeyRecord, read_records
from sscard.psam.layout import BLOCKED, Environment, PsamFile
from sscard.psam.layout import file_cell as cell_of
from sscard.standard.atr import contact_atr
from sscard.standard.cipher import BlockKey, Suite

OwnKeys = tuple[bytes | None, ...]
"""The own keys of an environment by number; ``None`` for one the PSAM was issued without."""

KEY_FILES: Final = (NATIONAL_FILE, PROVINCE_FILE, CITY_FILE)


class PsamProfile:
    """The unchanging part of a PSAM: 13 historical bytes, environments, own keys, their retry limit."""

    __slots__ = ("_own_keys", "environments", "historical", "key_tries")

    def __init__(
        self, historical: bytes, environments: tuple[Environment, ...], own_keys: tuple[OwnKeys, ...], key_tries: int
    ) -> None:
        self.historical = historical
        self.environments = environments
        self._own_keys = own_keys
        self.key_tries = key_tries

    def __repr__(self) -> str:
        return f"<PsamProfile {'+'.join(held.suite.name for held in self.environments)}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return PsamProfile, (self.historical, self.environments, self._own_keys, self.key_tries)

    def own_key(self, environment: int, number: int) -> bytes | None:
        """The value of an own key."""
        held = self._own_keys[environment]
        return held[number] if number < len(held) else None

    def atr(self) -> bytes:
        """ATR, 17 bytes, in the format of the card's ATR."""
        return contact_atr(self.historical)


class Delivery:
    """A session key from DELIVERY SESSION KEY; ``chained`` is the last block of an unfinished MAC, else empty."""

    __slots__ = ("chained", "key", "kind")

    def __init__(self, key: BlockKey, kind: int) -> None:
        self.key = key
        self.kind = kind
        self.chained = b""


class Purchase:
    """A purchase between INIT SAM and CREDIT SAM: the expected MAC2 of the card."""

    __slots__ = ("mac2",)

    def __init__(self, mac2: bytes) -> None:
        self.mac2 = mac2


class PsamSession(ChipSession):
    """The session of a powered PSAM.

    ``environment`` is the place of the current environment in the profile,
    ``in_application`` says whether DF01 in it is current, ``authenticated``
    holds the numbers of the own keys proved.
    """

    __slots__ = (
        "authenticated",
        "ef",
        "environment",
        "in_application",
        "process",
        "profile",
    )

    def __init__(self, profile: PsamProfile, memory: Memory, random: Random, contact: bool) -> None:
        super().__init__(memory, random, contact)
        self.profile = profile
        self.barred = NOT_SUPPORTED if memory.numbers[BLOCKED] else b""
        self.environment = 0
        self.in_application = False
        self.ef: PsamFile | None = None
        self.authenticated: frozenset[int] = frozenset()
        self.process: Delivery | Purchase | None = None

    @property
    def suite(self) -> Suite:
        return self.profile.environments[self.environment].suite

    def enter(self, environment: int, *, application: bool) -> None:
        """Make an environment or its application current; a change resets statuses and challenge."""
        self.ef = None
        self.process = None
        if (environment, application) == (self.environment, self.in_application):
            return
        self.environment = environment
        self.in_application = application
        self.authenticated = frozenset()
        self.challenge = b""

    def own_key(self, number: int) -> bytes | None:
        """The value of the current environment's own key."""
        return self.profile.own_key(self.environment, number)

    def file_cell(self, sfi: int) -> int:
        """The string cell of the current environment's file."""
        return cell_of(self.environment, sfi)

    def content(self, sfi: int) -> bytes:
        """The contents of the current environment's file."""
        return self.memory.strings[self.file_cell(sfi)]

    def find_key(self, kind: int, id_: int) -> KeyRecord | None:
        """The key record of this type and id, with any number of levels."""
        for sfi in KEY_FILES:
            for record in read_records(self.content(sfi)):
                if (record.kind, record.id) == (kind & TYPE_MASK, id_):
                    return record
        return None
