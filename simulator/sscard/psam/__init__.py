"""The PSAM (PSAM卡), driver-api.md §8: a separate chip in the terminal."""

from sscard.psam.chip import PsamChip
from sscard.psam.commands import PSAM_COMMANDS
from sscard.psam.snapshot import PsamSnapshot

__all__ = ["PSAM_COMMANDS", "PsamChip", "PsamSnapshot"]
