"""The social security card's chip: answers commands; no I/O, no clock, no threads."""

from sscard.card.chip import Chip
from sscard.card.profile import Profile
from sscard.card.snapshot import Snapshot
from sscard.standard.choices import Personality

__all__ = ["Chip", "Personality", "Profile", "Snapshot"]
