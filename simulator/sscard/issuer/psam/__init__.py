"""The PSAM card (PSAM卡), driver sheet §8: a chip of its own beside the user's card."""
