"""The volatile state of any chip."""

from __future__ import annotations

from collections.abc import Callable

from sscard.chip.memory import Memory

Random = Callable[[int], bytes]
"""A source of random bytes; the argument is their number."""


class ChipSession:
    """The session of a powered chip; commands work on it, and it ends at power-off.

    ``p1``, ``p2``, ``data`` and ``le`` are those of the command that runs (Le
    0–255, 0 if none was given). ``pending`` is the data that T=0 keeps for GET
    RESPONSE, ``barred`` the answer of every command but SELECT while the card
    or the current application is locked (empty: not locked).

    ``challenge_lasts`` until its ``use``, its ``success`` or the next
    ``command`` [OC-12]. ``attentive`` means that any command may end a challenge
    or a transaction: only then does the engine check this after each command,
    otherwise after those that use a challenge.
    """

    __slots__ = (
        "attentive",
        "barred",
        "challenge",
        "challenge_lasts",
        "contact",
        "data",
        "le",
        "memory",
        "p1",
        "p2",
        "pending",
        "random",
    )

    def __init__(self, memory: Memory, random: Random, contact: bool, challenge_lasts: str = "use") -> None:
        self.memory = memory
        self.random = random
        self.contact = contact
        self.challenge_lasts = challenge_lasts
        self.challenge = b""
        self.pending = b""
        self.barred = b""
        self.attentive = False
        self.p1 = 0
        self.p2 = 0
        self.data = b""
        self.le = 0

    def give_challenge(self, length: int) -> bytes:
        """A new challenge of the card, which the next commands may use."""
        self.challenge = self.random(length)
        self.attentive = self.attentive or self.challenge_lasts == "command"
        return self.challenge
