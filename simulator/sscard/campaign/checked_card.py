"""The invariants of a card in a campaign: the oracle predicts every answer and the state of the PIN behind it.

The oracle is that of ``sscard.model``, which is written from the documents. A connection around the chip asks it for
every command of the PIN, its keys and the selection, compares the status word, and then PIN, tries, and unlocks with
the memory. All other cells have to stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from functools import cache
from time import perf_counter
from typing import Final

from sscard.campaign.failing_hsm import FailingHsm
from sscard.chip.memory import NEVER, PowerLost
from sscard.errors import CardRemoved
from sscard.i18n.phrase import Phrase
from sscard.issuer import Card
from sscard.model.choices import Choices
from sscard.model.invariants import AS_THE_ORACLE, Facts, Interrupted, broken
from sscard.model.oracle import Oracle, padded
from sscard.pickling import PortableError
from sscard.standard.choices import Personality
from sscard.standard.tree import PIN, PIN_TRIES, SSSE_NAME, Layout
from sscard.transport import Connection

SELECT, VERIFY, CHANGE, CHALLENGE, AUTHENTICATE, UNBLOCK = 0xA4, 0x20, 0x5E, 0x84, 0x82, 0x24
BY_NAME: Final = 0x04
PUK_NUMBER: Final = 0x06
RESET: Final = 0x01
READING_KEY: Final = "RKSSSE"
LOWEST: Final = "lowest"
OK, WRONG_PIN = 0x9000, 0x63C0
DATA: Final = 5
"""Where the data of a command begin."""
CUT: Final = Phrase("the card lost its power")


class Broken(PortableError):
    """A card broke an invariant: its name, and what happened."""

    def __init__(self, invariant: str, happened: Phrase) -> None:
        super().__init__(invariant, happened)
        self.invariant = invariant
        self.happened = happened


@cache
def choices_of(personality: Personality) -> Choices:
    """The choices of a product that the oracle knows."""
    return Choices(**{each.name: getattr(personality, each.name) for each in fields(Choices)})


class CheckedCard:
    """The connection of a card with its oracle; ``Broken`` if they differ.

    ``hsm`` is the one behind the terminal, which knows the PIN of a reset. ``commands`` are those sent so far,
    ``wrong`` the wrong PINs, ``lockouts`` how often the PIN became blocked. ``card_seconds`` is the time in the chip,
    ``seconds`` that in this class besides. A power cut that is armed in the memory takes the card away, until the next
    power-on; what the card then holds may be old or new.
    """

    def __init__(self, card: Card, chip: Connection, hsm: FailingHsm, *, contact: bool) -> None:
        profile, memory = card.profile, card.memory
        layout = profile.layout
        self.hsm = hsm
        self.commands = self.wrong = self.lockouts = 0
        self.card_seconds = self.seconds = 0.0
        self.oracle = Oracle(
            profile.suite.block,
            choices_of(profile.personality),
            memory.strings[PIN],
            generation=profile.personality.generation,
            contact=contact,
            issuer_data=memory.strings[layout.files[0].cell],
        )
        self._forgets_challenge = self.oracle.choices.challenge_lasts == "command"
        self._chip = chip
        self._memory = memory
        self.takes_lowest = profile.personality.default_key_version == LOWEST
        self._puk, self._unlocks = layout.counter(layout.puk, 0), layout.unlocks
        self._reading_tries = _counters(layout, READING_KEY)
        self._changing = [PIN_TRIES, self._puk, self._unlocks]
        if not self.takes_lowest:
            self._changing += self._reading_tries
        self._numbers, self._strings = memory.numbers[:], memory.strings[:]
        self._torn: tuple[Facts, Facts, int] | None = None
        """Facts before the command that lost its power, those after it without the cut, and its answer."""

    def power_on(self) -> bytes:
        """See ``Connection``; after a power cut, old and new state are right."""
        answered = self._chip.power_on()
        self.oracle.power_on()
        if self._torn is not None:
            torn, self._torn = self._torn, None
            self._settle(*torn)
        self._compare_memory()
        return answered

    def power_off(self) -> None:
        """See ``Connection``."""
        self._chip.power_off()

    def reset(self) -> bytes:
        """See ``Connection``."""
        return self.power_on()

    def transmit(self, command: bytes, /) -> bytes:
        """See ``Connection``."""
        began = perf_counter()
        self.commands += 1
        predict = _PREDICTIONS.get(command[1])
        if predict is None:  # it reads
            if self._forgets_challenge:
                self.oracle.challenge = False
            answer = self._chip.transmit(command)
            self.card_seconds += perf_counter() - began
            return answer
        before = self._expected_facts() if self._memory.cut_at != NEVER else None
        expected = predict(self, command)
        asked = perf_counter()
        try:
            answer = self._chip.transmit(command)
        except PowerLost:
            if before is None or expected is None:
                raise
            if command[1] == AUTHENTICATE and command[3] != PUK_NUMBER:
                self._changing += self._reading_tries  # one may be used up, until the key is proved again
            self._torn = before, self._expected_facts(), expected
            raise CardRemoved(CUT) from None
        answered = perf_counter()
        if expected is not None:
            self._compare(command[1], expected, answer)
        self.card_seconds += answered - asked
        self.seconds += perf_counter() - answered + asked - began
        return answer

    @property
    def pin(self) -> bytes:
        """The PIN on the card (cn); after a power cut that which it will have at the next power-on."""
        memory = self._memory.recovered() if self.lost_power else self._memory
        return memory.strings[PIN]

    @property
    def lost_power(self) -> bool:
        """Whether the card lost its power in a command, and was not powered on since."""
        return self._torn is not None

    @property
    def blocked(self) -> bool:
        """Whether the PIN has no try left."""
        return self.oracle.tries == 0

    def check_rest(self) -> None:
        """Every cell but those of the PIN is as it was when the card was issued; ``Broken`` if one is not."""
        memory = self._memory
        numbers, strings = self._numbers[:], self._strings[:]
        for cell in self._changing:
            numbers[cell] = memory.numbers[cell]
        strings[PIN] = memory.strings[PIN]
        if numbers != memory.numbers or strings != memory.strings:
            raise Broken(AS_THE_ORACLE, Phrase("a file, key or counter changed that no command is about"))

    def _compare(self, instruction: int, expected: int, answer: bytes) -> None:
        answered = int.from_bytes(answer[-2:], "big")
        if answered != expected:
            raise Broken(
                AS_THE_ORACLE,
                Phrase("answers {answer}, the oracle {expected}", answer=f"{answered:04X}", expected=f"{expected:04X}"),
            )
        if instruction not in _WRITES:
            return
        if answered & 0xFFF0 == WRONG_PIN and instruction in _COMPARES_PIN:
            self.wrong += 1
            self.lockouts += answered == WRONG_PIN
        self._compare_memory()

    def _compare_memory(self) -> None:
        memory, oracle = self._memory, self.oracle
        numbers = memory.numbers
        if (
            numbers[PIN_TRIES] != oracle.tries
            or memory.strings[PIN] != oracle.pin
            or numbers[self._puk] != oracle.puk_tries
            or numbers[self._unlocks] != oracle.unlocks
        ):
            found, expected = self._facts(), self._expected_facts()
            parts = {"tries": "tries", "secrets": "PIN", "files": "unlocks"}
            different = [name for part, name in parts.items() if getattr(found, part) != getattr(expected, part)]
            raise Broken(AS_THE_ORACLE, Phrase("card and oracle differ in: {names}", names=", ".join(different)))

    def _settle(self, before: Facts, whole: Facts, answer: int) -> None:
        """After a power cut and the recovery of the memory: old and new are right, and the oracle follows the card."""
        after = self._facts()
        for name, happened in broken(Interrupted(before, whole, after, 0, answer)):
            raise Broken(name, happened)
        oracle = self.oracle
        oracle.tries, oracle.puk_tries = after.tries
        oracle.pin = after.secrets[0]
        oracle.unlocks = after.files[0][0]

    def _facts(self) -> Facts:
        numbers = self._memory.numbers
        return Facts(
            (numbers[PIN_TRIES], numbers[self._puk]),
            secrets=(self._memory.strings[PIN],),
            files=(bytes((numbers[self._unlocks],)),),
        )

    def _expected_facts(self) -> Facts:
        oracle = self.oracle
        return Facts((oracle.tries, oracle.puk_tries), secrets=(oracle.pin,), files=(bytes((oracle.unlocks,)),))


def _counters(layout: Layout, name: str) -> list[int]:
    """The cells with the tries of a key, one per version; none if the card does not have it."""
    return [
        layout.counter(index, version)
        for index, key in enumerate(layout.keys)
        if key.name == name
        for version in range(key.versions)
    ]


def _select(checked: CheckedCard, command: bytes) -> int | None:
    """Only SSSE by its name: of other files the oracle knows no contents."""
    if command[2] == BY_NAME and command[DATA : DATA + len(SSSE_NAME)] == SSSE_NAME:
        return checked.oracle.select("SSSE")
    checked.oracle.after(OK)
    return None


def _authenticate(checked: CheckedCard, command: bytes) -> int | None:
    """The HSM has the right keys. A terminal names no version of a key, so a card that takes the newest refuses it."""
    if command[3] == PUK_NUMBER:
        return checked.oracle.authenticate("PUK", right=True)
    checked.oracle.challenge = False
    return OK if checked.takes_lowest else None


def _unblock(checked: CheckedCard, command: bytes) -> int:
    if command[3] != RESET:
        return checked.oracle.unblock(right=True)
    assert checked.hsm.sealed is not None
    return checked.oracle.reset(padded(checked.hsm.sealed, checked.oracle.block), right=True)


_PREDICTIONS: Final[dict[int, Callable[[CheckedCard, bytes], int | None]]] = {
    SELECT: _select,
    VERIFY: lambda checked, command: checked.oracle.verify(command[DATA:]),
    CHANGE: lambda checked, command: checked.oracle.change(command[DATA:]),
    CHALLENGE: lambda checked, command: checked.oracle.get_challenge(command[DATA - 1]),
    AUTHENTICATE: _authenticate,
    UNBLOCK: _unblock,
}
_WRITES: Final = frozenset({VERIFY, CHANGE, AUTHENTICATE, UNBLOCK})
_COMPARES_PIN: Final = frozenset({VERIFY, CHANGE})
