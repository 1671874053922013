"""Mask random bytes of answers, so that two conversations can be compared."""

from __future__ import annotations

from typing import Final

from sscard.conversation.explain import find_declaration
from sscard.conversation.scripts import ANY
from sscard.standard.apdu import GET_RESPONSE_INS, split

LONGEST: Final = 1 << 16


class Wildcards:
    """Follows a conversation, because data from GET RESPONSE belong to the previous command."""

    def __init__(self) -> None:
        self._random: range = range(0)
        self._fetched = 0

    def pattern(self, command: bytes, answer: bytes) -> str:
        """The answer's data in hex digits, X for digits that are random according to the declaration of the command."""
        data = split(answer).data
        if command[1:2] != bytes((GET_RESPONSE_INS,)):
            declared = find_declaration(command)
            place = declared.random_answer if declared else None
            self._random, self._fetched = range(LONGEST)[place] if place else range(0), 0
        start = self._fetched
        self._fetched += len(data)
        return "".join(ANY * 2 if start + at in self._random else f"{byte:02X}" for at, byte in enumerate(data))
