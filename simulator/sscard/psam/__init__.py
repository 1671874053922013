"""The PSAM (PSAM卡), driver sheet §8: a chip of its own beside the user's card."""

from sscard.psam.chip import PSAM_COMMANDS, PsamChip
from sscard.psam.snapshot import PsamSnapshot

__all__ = ["PSAM_COMMANDS", "PsamChip", "PsamSnapshot"]
