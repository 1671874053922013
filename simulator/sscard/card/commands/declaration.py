"""How a command of the card is declared: code, P1 P2 and length rules beside the function that runs it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sscard.card.session import Session
from sscard.i18n.phrase import Phrase
from sscard.standard.tree import Layout

Handler = Callable[[Session, int, int, bytes, int], bytes]
"""``run(session, p1, p2, data, le) -> data ‖ SW``; Le is 0–255, 0 where none was given."""

Explanation = Callable[[Layout, int, int, bytes, int], Phrase]
"""``words(layout, p1, p2, data, le)``: what a command with these parameters asks, never a secret."""


NOTHING = Phrase()


def no_words(layout: Layout, p1: int, p2: int, data: bytes, le: int) -> Phrase:
    """The words of a command whose name says all."""
    return NOTHING


class Command:
    """One command of the card.

    ``p1p2`` are the accepted pairs (empty: the function checks them),
    ``lengths`` the accepted Lc of a command with data (empty: none is taken),
    ``answers_data`` says that a command with data has data in its answer too
    (case 4). ``statuses`` lists what the sheet allows it to answer, ``secret``
    is the part of the data that no trace may show, ``sibling`` the command
    with the same CLA and INS that other P1 P2 mean, ``words`` explains the
    parameters of one call, ``spends_challenge`` says that it ends the
    challenge in any outcome [OC-12].

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
        "ins",
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
        run: Handler,
        statuses: tuple[int, ...],
        *,
        p1p2: Iterable[int] = (),
        lengths: Iterable[int] = (),
        answers_data: bool = False,
        secret: slice | None = None,
        words: Explanation = no_words,
        spends_challenge: bool = False,
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
        self.spends_challenge = spends_challenge
        self.pins = pins
        self.random_answer = random_answer
        self.bound_to_random = bound_to_random or spends_challenge
        self.sibling: Command | None = None
