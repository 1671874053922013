"""The PSAM card (PSAM卡), driver sheet §8: a chip of its own beside the user's card."""

from sscard.issuer.psam.chip import PSAM_COMMANDS, PsamChip
from sscard.issuer.psam.issue import Level, PsamCard, issue_psam
from sscard.issuer.psam.snapshot import PsamSnapshot

__all__ = ["PSAM_COMMANDS", "Level", "PsamCard", "PsamChip", "PsamSnapshot", "issue_psam"]
