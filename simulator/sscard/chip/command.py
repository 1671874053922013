"""How a command of a chip is declared: code, P1 P2 and length rules beside the function that runs it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, Generic, TypeVar

from sscard.chip.session import ChipSession
from sscard.i18n.phrase import Phrase
from sscard.standard.tree import Layout

S_contra = TypeVar("S_contra", bound=ChipSession, contravariant=True)

Explanation = Callable[[Layout, int, int, bytes, int], Phrase]
"""``words(layout, p1, p2, data, le)``: what a command with these parameters asks, never a secret."""

NOTHING: Final = Phrase()


def no_words(layout: Layout, p1: int, p2: int, data: bytes, le: int) -> Phrase:
    """The words of a command whose name says all."""
    return NOTHING


class Command(Generic[S_contra]):
    """One command of a chip.

    ``run(session)`` finds P1, P2, data and Le in the session and returns
    data ‖ SW. ``section`` is the one of the sheet: card commands for the card,
    driver API for the PSAM.

    ``p1p2`` are the accepted pairs (empty: the function checks them),
    ``lengths`` the accepted Lc of a command with data (empty: none is taken),
    ``answers_data`` says that a command with data has data in its answer too
    (case 4). ``statuses`` lists what the sheet allows it to answer, ``secret``
    is the part of the data that no trace may show, ``sibling`` the command
    with the same CLA and INS that other P1 P2 mean, ``words`` explains the
    parameters of one call. ``gives_challenge`` and ``spends_challenge`` say
    what it does with the challenge [OC-12], ``leaves_lock`` that it may select
    another application while the card or the current one is locked.

    For recordings: ``pins`` is what stands between the PINs of the data (empty:
    they are one PIN; ``None``: they hold none in the clear), ``random_answer``
    the part of the answer's data that differs from time to time, and
    ``bound_to_random`` says that the data prove something over a random of
    the card, as every command does that spends a challenge.
    """

    __slots__ = (
        "answers_data",
        "bound_to_random",
        "chinese",
        "clas",
        "gives_challenge",
        "ins",
        "leaves_lock",
        "lengths",
        "name",
        "p1p2",
        "pins",
        "random_answer",
        "run",
        "secret",
        "section",
        "sibling",
        "spends_challenge",
        "statuses",
        "words",
    )

    def __init__(
        self,
        name: str,
        chinese: str,
        section: str,
        clas: tuple[int, ...],
        ins: int,
        run: Callable[[S_contra], bytes],
        statuses: tuple[int, ...],
        *,
        p1p2: Iterable[int] = (),
        lengths: Iterable[int] = (),
        answers_data: bool = False,
        secret: slice | None = None,
        words: Explanation = no_words,
        gives_challenge: bool = False,
        spends_challenge: bool = False,
        leaves_lock: bool = False,
        pins: bytes | None = None,
        random_answer: slice | None = None,
        bound_to_random: bool = False,
    ) -> None:
        self.name = name
        self.chinese = chinese
        self.section = section
        self.clas = clas
        self.ins = ins
        self.run = run
        self.statuses = statuses
        self.p1p2 = frozenset(p1p2)
        self.lengths = frozenset(lengths)
        self.answers_data = answers_data
        self.secret = secret
        self.words = words
        self.gives_challenge = gives_challenge
        self.spends_challenge = spends_challenge
        self.leaves_lock = leaves_lock
        self.pins = pins
        self.random_answer = random_answer
        self.bound_to_random = bound_to_random or spends_challenge
        self.sibling: Command[S_contra] | None = None


class CommandTable(Generic[S_contra]):
    """The commands of a chip: ``by_code`` by CLA·256+INS, those that P1 P2 tell apart chained by ``sibling``."""

    __slots__ = ("by_code", "clas", "instructions")

    def __init__(self, commands: Iterable[Command[S_contra]]) -> None:
        self.by_code: dict[int, Command[S_contra]] = {}
        for command in commands:
            for cla in command.clas:
                code = cla << 8 | command.ins
                command.sibling = self.by_code.get(code)
                self.by_code[code] = command
        self.clas = frozenset(code >> 8 for code in self.by_code)
        self.instructions = frozenset(code & 0xFF for code in self.by_code)
