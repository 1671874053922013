"""The declaration of a chip's command: function, parameters, data, status words, choices, example."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, Generic, NamedTuple, TypeVar

from sscard.chip.answers import WRONG_LENGTH, WRONG_P1P2
from sscard.chip.session import ChipSession
from sscard.i18n.phrase import Phrase, Words
from sscard.standard.apdu import GET_RESPONSE_INS, SW
from sscard.standard.tree import Layout

S_contra = TypeVar("S_contra", bound=ChipSession, contravariant=True)

Explanation = Callable[[Layout, int, int, bytes, int], Phrase]
"""``words(layout, p1, p2, data, le)``: describes a command with these parameters, without secrets."""

NOTHING: Final = Phrase()
HEADER_LENGTH: Final = 4
"""Bytes of the shortest command."""


def no_words(layout: Layout, p1: int, p2: int, data: bytes, le: int) -> Phrase:
    """The description of a command that needs only its name."""
    return NOTHING


class Parameter(NamedTuple):
    """Values of P1 and P2 and what they mean: a number, or text such as ``00–FE`` or, bit by bit, ``100sssss``."""

    p1: int | str
    p2: int | str
    meaning: Phrase = NOTHING


class Field(NamedTuple):
    """A part of the data of a command or of its answer.

    ``lengths`` are the possible lengths in bytes (0: may be absent; empty: they
    vary); ``form`` is the standard's cn, an or TLV, or the bytes in hex if they
    are fixed.
    """

    name: Words
    lengths: Sequence[int] = ()
    form: str = ""


class Sent(NamedTuple):
    """A step of an example: command and answer in hex.

    In the answer X is any digit. In the command ``{…}`` marks bytes that are
    computed from keys of the card and its last challenge.
    """

    command: str
    answer: str = "9000"


EVERY_COMMAND: Final[dict[int, Phrase]] = {
    SW.WRONG_LENGTH: Phrase("Lc, Le or the number of bytes is wrong"),
    SW.NOT_SUPPORTED: Phrase("the card is locked"),
    SW.WRONG_P1P2: Phrase("P1 P2 not defined for this command"),
    SW.UNKNOWN_CLA: Phrase("CLA not defined for this INS"),
}
"""Status words of the engine for any known command, before its function runs."""

ANNOUNCED: Final = Phrase("done; xx bytes are waiting for GET RESPONSE (contact)")


class Command(Generic[S_contra]):
    """One command of a chip.

    ``run(session)`` gets P1, P2, data and Le from the session and returns
    data ‖ SW. ``section`` is the section of docs/standard that describes the
    command (``card-commands.md §1.9``).

    ``parameters`` are the values of P1 P2. If all are numbers, the engine
    accepts only these; otherwise ``p1p2`` are the accepted pairs (empty: the
    function checks them). ``data`` are the parts of the command's data, and
    ``lc`` the allowed Lc, by default derived from their lengths. ``lengths`` are
    the Lc that the engine accepts: ``lc``, unless the function checks the length
    itself (empty: a command without data). ``answer`` are the parts of the
    answer's data; with ``data`` they make a case 4 command.

    ``statuses`` are the status words that the sheet or the chip allows, with
    their meaning for this command, ``choices`` the fields of the personality
    that decide what it answers or does, ``example`` is a script for a card just
    issued. ``secret`` is the part of the data that no trace may show,
    ``sibling`` a command with the same CLA and INS and other P1 P2, ``words``
    explains the parameters of one call. ``gives_challenge`` and
    ``spends_challenge`` state the effect on the challenge [OC-12],
    ``leaves_lock`` that it may select another application while the card or the
    current one is locked.

    For recordings: ``pins`` is the separator between the PINs in the data
    (empty: a single PIN; ``None``: no plaintext PIN), ``random_answer`` the
    random part of the answer's data, and ``bound_to_random`` states that the
    data are computed over a random number of the card, as in every command that
    spends a challenge.
    """

    __slots__ = (
        "answer",
        "answers_data",
        "bound_to_random",
        "chinese",
        "choices",
        "clas",
        "data",
        "example",
        "gives_challenge",
        "ins",
        "lc",
        "leaves_lock",
        "lengths",
        "name",
        "p1p2",
        "parameters",
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
        statuses: dict[int, Phrase],
        *,
        parameters: tuple[Parameter, ...] = (),
        p1p2: Iterable[int] = (),
        data: tuple[Field, ...] = (),
        lc: Iterable[int] = (),
        lengths: Iterable[int] = (),
        answer: tuple[Field, ...] = (),
        choices: tuple[str, ...] = (),
        example: tuple[Sent, ...] = (),
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
        self.parameters = parameters
        pairs = [(row.p1, row.p2) for row in parameters]
        exact = [p1 << 8 | p2 for p1, p2 in pairs if isinstance(p1, int) and isinstance(p2, int)]
        self.p1p2 = frozenset(p1p2) or frozenset(exact if len(exact) == len(parameters) else ())
        self.data = data
        self.lc = frozenset(lc) or (total_lengths(data) if data else frozenset())
        self.lengths = frozenset(lengths) or self.lc
        self.answer = answer
        self.answers_data = bool(data and answer)
        self.statuses = {**statuses, SW.MORE_DATA: ANNOUNCED} if self.answers_data else statuses
        self.choices = choices
        self.example = example
        self.secret = secret
        self.words = words
        self.gives_challenge = gives_challenge
        self.spends_challenge = spends_challenge
        self.leaves_lock = leaves_lock
        self.pins = pins
        self.random_answer = random_answer
        self.bound_to_random = bound_to_random or spends_challenge
        self.sibling: Command[S_contra] | None = None


def total_lengths(parts: tuple[Field, ...]) -> frozenset[int]:
    """Every length in bytes that data made of these parts can have; empty if the length of a part varies."""
    totals = {0}
    for part in parts:
        totals = {total + length for total in totals for length in part.lengths}
    return frozenset(totals)


class Header(Generic[S_contra]):
    """What the first bytes of a command, CLA INS P1 P2 P3, decide before its data are looked at.

    ``command`` is the first of the commands with this CLA and INS (``None``:
    unknown), ``run`` the function of the one with this P1 P2 (``None``: P1 P2 or
    P3 is wrong, and ``refusal`` the status word). ``length`` is the right length
    of the whole command, ``longest`` that with an Le after the data of a case 4
    command, ``end`` the end of the data. ``fetches`` marks GET RESPONSE; the other
    flags are those of the command.
    """

    __slots__ = (
        "answers_data",
        "command",
        "end",
        "fetches",
        "le",
        "leaves_lock",
        "length",
        "longest",
        "p1",
        "p2",
        "refusal",
        "run",
        "spends_challenge",
    )

    def __init__(self, first: Command[S_contra] | None, header: bytes) -> None:
        self.command = first
        self.fetches = first is not None and first.ins == GET_RESPONSE_INS
        self.leaves_lock = first is not None and first.leaves_lock
        self.spends_challenge = first is not None and first.spends_challenge
        self.answers_data = False
        self.run: Callable[[S_contra], bytes] | None = None
        self.refusal = WRONG_P1P2
        self.p1, self.p2 = (header[2], header[3]) if first is not None else (0, 0)
        self.le = 0
        self.length = self.longest = self.end = len(header)
        declared = first
        while declared is not None and declared.p1p2 and (self.p1 << 8 | self.p2) not in declared.p1p2:
            declared = declared.sibling
        if declared is None:
            return
        p3 = header[4] if len(header) > HEADER_LENGTH else 0
        if declared.lengths and p3 not in declared.lengths:
            self.refusal = WRONG_LENGTH
            return
        self.run = declared.run
        if not declared.lengths:
            self.le = p3
            return
        # Only an Lc of 0 may be left out, and only a case 4 command may carry an Le.
        self.answers_data = declared.answers_data
        self.length = self.longest = self.end = len(header) + p3
        if declared.answers_data and len(header) > HEADER_LENGTH:
            self.longest += 1


KEPT_HEADERS: Final = 1024
"""Headers of a table that are kept; one more empties it."""


class CommandTable(Generic[S_contra]):
    """The commands of a chip: ``by_code`` by CLA·256+INS; commands that differ in P1 P2 are linked by ``sibling``.

    ``clas`` are CLA that the chip knows besides those of the commands: an INS under them is unknown.
    ``headers`` are the headers that were sent, at most 5 bytes each, for all chips with these commands.
    """

    __slots__ = ("by_code", "clas", "headers", "instructions")

    def __init__(self, commands: Iterable[Command[S_contra]], clas: Iterable[int] = ()) -> None:
        self.by_code: dict[int, Command[S_contra]] = {}
        for command in commands:
            for cla in command.clas:
                code = cla << 8 | command.ins
                command.sibling = self.by_code.get(code)
                self.by_code[code] = command
        self.clas = frozenset((*clas, *(code >> 8 for code in self.by_code)))
        self.instructions = frozenset(code & 0xFF for code in self.by_code)
        self.headers: dict[bytes, Header[S_contra]] = {}

    def header(self, sent: bytes) -> Header[S_contra]:
        """The header of a command, at most its first 5 bytes; kept for the next command with the same."""
        first = self.by_code.get(sent[0] << 8 | sent[1]) if len(sent) >= HEADER_LENGTH else None
        if len(self.headers) >= KEPT_HEADERS:
            self.headers.clear()
        header = self.headers[sent] = Header(first, sent)
        return header
