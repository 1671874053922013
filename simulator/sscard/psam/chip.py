"""The PSAM's chip, with the same interface as the card: power, ``transmit`` and ``snapshot``."""

from __future__ import annotations

from sscard.chip.engine import Engine
from sscard.chip.memory import Memory
from sscard.chip.session import Random
from sscard.psam.commands import TABLE
from sscard.psam.session import PsamProfile, PsamSession
from sscard.psam.snapshot import PsamSnapshot, take_snapshot
from sscard.standard.apdu import SW


class PsamChip(Engine[PsamSession]):
    """A PSAM's chip (driver-api.md §8). Its ATR has 17 bytes on both interfaces."""

    __slots__ = ("profile",)

    def __init__(self, profile: PsamProfile, memory: Memory, random: Random, *, contact: bool = True) -> None:
        super().__init__("PSAM", profile.atr(), TABLE, SW.UNKNOWN_INS, memory, random, contact)
        self.profile = profile

    def new_session(self) -> PsamSession:
        """The session of a PSAM that was just powered on."""
        return PsamSession(self.profile, self.memory, self._random, self._contact)

    def snapshot(self) -> PsamSnapshot:
        """A read-only snapshot of counters and states; no secrets."""
        return take_snapshot(self.profile, self.memory, self._session)
