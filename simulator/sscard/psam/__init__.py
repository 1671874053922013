"""The PSAM (PSAM卡), driver-api.md §8: a chip of its own beside the user's card."""

from sscard.psam.chip import PsamChip
from sscard.psam.commands import PSAM_COMMANDS
from sscard.psam.snapshot import PsamSnapshot

__all__ = ["PSAM_COMMANDS", "PsamChip", "PsamSnapshot"]
