"""The card against the oracle: random commands with faults, and every state of the PIN's life on a reduced domain."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from dataclasses import replace
from random import Random
from typing import Final

from sscard.chip.memory import Moment
from sscard.i18n.phrase import Phrase
from sscard.issuer import Card
from sscard.model.choices import Choices
from sscard.model.oracle import Oracle, padded
from sscard.proof.dice import draw_fault, draw_life, draw_moves
from sscard.proof.pinlife import Difference, Fault, Move, PinLife
from sscard.proof.report import Proof

LIFE: Final = 400
"""Commands to one card."""
PERSONALITY: Final = "v3-sm4"
REDUCED: Final = Choices(pin_tries=2, key_tries=2, unlock_limit=2)
NO_LIMIT: Final = replace(REDUCED, unlock_limit=0)
"""With a third of the states."""
CHILD: Final = b"\xdf\x01"
FIRST, SECOND = bytes.fromhex("123456"), bytes.fromhex("654321")
MOVES: Final = (
    *(Move("verify", pin) for pin in (b"", FIRST, SECOND)),
    *(Move("change", old + b"\xff" + new) for old in (FIRST, SECOND, b"") for new in (FIRST, SECOND, b"")),
    Move("challenge", number=8),
    *(Move("authenticate", right=right, word=key) for key in ("PUK", "BK") for right in (True, False)),
    *(Move("unblock", right=right) for right in (True, False)),
    *(Move("reset", padded(pin, 16)) for pin in (FIRST, SECOND)),
    Move("reset"),
    Move("reset", padded(FIRST, 16), right=False),
    *(Move("file", fid, number=p1p2) for fid, p1p2 in ((CHILD, 0x0100), (b"\xef\x05", 0x0200))),
    *(Move(name) for name in ("select", "select-DF01", "reload", "restart")),
)
"""Every command of the reduced domain: two PINs or none, two tries of each counter, two unlocks."""


def prove_model(proof: Proof, commands: int, *, cuts: bool) -> None:
    """Random commands, then every state; with ``cuts`` each command there also under each power cut.

    Without ``cuts`` the card explored has no limit of unlocks, which the random commands have.
    """
    play_at_random(proof, commands)
    Exploration(proof, REDUCED if cuts else NO_LIMIT, cuts=cuts).run()


def play_at_random(proof: Proof, commands: int) -> None:
    """Commands by dice to many cards, some under a fault. After a difference a new card begins."""
    for card, begin in enumerate(range(0, commands, LIFE)):
        proof.count("cards")
        life = draw_life(random := Random(f"{proof.seed} {card}"))
        moves: list[Move] = []
        for number in range(min(LIFE, commands - begin)):
            while not moves:
                moves = draw_moves(random, life.oracle)
            move, fault = moves.pop(0), draw_fault(random)
            try:
                happened = life.play(move, fault)
            except Difference as difference:
                line = shown(move, fault)
                where = Phrase("card {card}, command {number}: {move}", card=card, number=number, move=line)
                proof.violate(difference.invariant, difference.happened, where)
                break
            proof.count("commands")
            if happened and fault is not None:
                proof.count("failures" if fault.moment is None else "cuts")


class Exploration:
    """Breadth first, every state that the reduced domain has, and every command in it."""

    def __init__(self, proof: Proof, choices: Choices, *, cuts: bool) -> None:
        self._proof = proof
        self._cuts = cuts
        self._choices = choices
        self._profile = PinLife(PERSONALITY, choices, FIRST).card.profile
        self._paths: dict[Hashable, list[Move]] = {}
        self._waiting: deque[Hashable] = deque()

    def run(self) -> None:
        """Explore until no command leads to a new state."""
        self._reach(self._life([]), [])
        while self._waiting:
            path = self._paths[self._waiting.popleft()]
            self._proof.count("states")
            for move in MOVES:
                life = self._life(path)
                before = life.memory.writes
                if self._play(life, path, move, None):
                    self._reach(life, [*path, move])
                self._proof.count("transitions")
                for point in range(life.memory.writes - before if self._cuts else 0):
                    for moment in Moment:
                        self._proof.count("cuts")
                        self._play(self._life(path), path, move, Fault(point, moment))

    def _life(self, path: list[Move]) -> PinLife:
        life = PinLife(PERSONALITY, self._choices, FIRST, Card(self._profile, self._profile.new_memory(FIRST, {})))
        life.lead(path)
        return life

    def _reach(self, life: PinLife, path: list[Move]) -> None:
        state = state_of(life.oracle)
        if state not in self._paths:
            self._paths[state] = path
            self._waiting.append(state)

    def _play(self, life: PinLife, path: list[Move], move: Move, fault: Fault | None) -> bool:
        try:
            life.play(move, fault)
        except Difference as difference:
            way = ", ".join([*(shown(each, None) for each in path), shown(move, fault)])
            self._proof.violate(difference.invariant, difference.happened, Phrase("on a new card: {moves}", moves=way))
            return False
        return True


def state_of(oracle: Oracle) -> Hashable:
    """All that the oracle remembers and an answer in the reduced domain depends on."""
    kept = oracle.pin, oracle.tries, oracle.puk_tries, oracle.unlocks
    return (*kept, oracle.verified, frozenset(oracle.proven), oracle.challenge, oracle.df)


def shown(move: Move, fault: Fault | None) -> str:
    """A move and its fault in a line; the PINs are those of the proof."""
    parts = [move.name, move.data.hex(), "" if move.right else "wrong", move.word, str(move.number or "")]
    if fault is not None:
        parts.append(f"6581@{fault.point}" if fault.moment is None else f"{fault.moment.name}@{fault.point}")
        parts.append(f"{fault.again[1].name}@{fault.again[0]}" if fault.again else "")
    return " ".join(filter(None, parts))
