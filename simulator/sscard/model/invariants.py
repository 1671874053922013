"""The invariants of a card and its file, by name, as functions of what was observed.

Each takes facts and returns what breaks the invariant in words, ``KEPT`` if it
holds. The proofs collect the facts; nothing here knows how a card works.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Final

from sscard.i18n.phrase import Phrase

KEPT: Final = Phrase()


@dataclass(frozen=True)
class Facts:
    """What non-volatile memory holds.

    ``tries`` are the tries left of the PIN and of each key with a counter,
    ``blocked`` the flags of card and applications, ``secrets`` the PIN and the
    keys that commands change, ``files`` the other contents. ``money`` is all
    that a transaction changes; ``balance`` is what the account has, ``booked``
    the sum of its transactions, both in fen. The last ``apart`` of ``tries`` and
    of ``secrets`` are those of the PINs of the certificate application.
    """

    tries: tuple[int, ...]
    blocked: tuple[bool, ...] = ()
    secrets: tuple[bytes, ...] = field(default=(), repr=False)
    files: tuple[bytes, ...] = field(default=(), repr=False)
    money: tuple[Hashable, ...] = field(default=(), repr=False)
    balance: int = 0
    booked: int = 0
    apart: int = 0

    @property
    def social(self) -> Hashable:
        """Tries and values of the social PIN and the keys."""
        end = -self.apart or None
        return self.tries[:end], self.secrets[:end]

    @property
    def own(self) -> Hashable:
        """Tries and values of the PINs of the certificate application."""
        return (self.tries[-self.apart :], self.secrets[-self.apart :]) if self.apart else ()


@dataclass(frozen=True)
class Interrupted:
    """A command under a fault, and the same command without.

    ``answer`` is the status word under the fault, 0 if there was none, and
    ``whole_answer`` the one without. ``before``, ``whole`` and ``after`` are the
    facts before the command, after it without the fault, and after the fault
    and all recovery. ``certificates`` is whether the command is on a PIN of the
    certificate application.
    """

    before: Facts
    whole: Facts
    after: Facts
    answer: int
    whole_answer: int
    certificates: bool = False

    @property
    def succeeds(self) -> bool:
        """Whether the command without the fault answers 9000, or 61xx before its data."""
        return self.whole_answer == SUCCESS or self.whole_answer >> 8 == MORE_DATA


SUCCESS: Final = 0x9000
MORE_DATA: Final = 0x61
MEMORY_FAILURE: Final = 0x6581


def no_try_is_given_back(seen: Interrupted) -> Phrase:
    """A counter is higher than before only if the same command without the fault succeeds and sets it so."""
    for number, (before, whole, after) in enumerate(
        zip(seen.before.tries, seen.whole.tries, seen.after.tries, strict=True)
    ):
        if after > before and not (seen.succeeds and after == whole):
            return Phrase(
                "counter {number} had {before} tries left and has {after}", number=number, before=before, after=after
            )
    return KEPT


def blocked_stays_blocked(seen: Interrupted) -> Phrase:
    """What has no try left or is locked stays so, unless the command without the fault succeeds and releases it."""
    for number, (before, whole, after) in enumerate(
        zip(seen.before.tries, seen.whole.tries, seen.after.tries, strict=True)
    ):
        if before == 0 != after and not (seen.succeeds and after == whole):
            return Phrase("counter {number} was blocked and has {after} tries left", number=number, after=after)
    for number, (was, now) in enumerate(zip(seen.before.blocked, seen.after.blocked, strict=True)):
        if was and not now:
            return Phrase("lock {number} is lost", number=number)
    return KEPT


def old_or_new(seen: Interrupted) -> Phrase:
    """PIN, keys and files are old or new, never mixed, and new only if the command without the fault succeeds.

    A counter that the command sets anew belongs to them, as a new PIN has all its tries.
    """
    before = (seen.before.secrets, seen.before.files, seen.before.blocked)
    whole = (seen.whole.secrets, seen.whole.files, seen.whole.blocked)
    after = (seen.after.secrets, seen.after.files, seen.after.blocked)
    raised = any(now > old for now, old in zip(seen.after.tries, seen.before.tries, strict=True))
    if before != whole and (after == whole) != (seen.after.tries == seen.whole.tries) and (raised or after == whole):
        return Phrase("the contents and the tries do not belong together")
    if after == before or (after == whole and seen.succeeds):
        return KEPT
    if after == whole:
        return Phrase("the contents are new, but the command is refused")
    return Phrase("the contents are neither the old nor the new ones")


def money_is_conserved(seen: Interrupted) -> Phrase:
    """Amounts, counts, proofs and records change together or not at all, and the balance is what is booked."""
    if seen.after.balance != seen.after.booked:
        return Phrase(
            "the balance is {balance}, its transactions sum up to {booked}",
            balance=seen.after.balance,
            booked=seen.after.booked,
        )
    if seen.after.money == seen.before.money or (seen.after.money == seen.whole.money and seen.succeeds):
        return KEPT
    return Phrase("amounts, counts and records do not belong together")


def an_answer_is_kept(seen: Interrupted) -> Phrase:
    """After 6581 or no answer old and new are possible; another answer is the one without the fault, and it is done."""
    if seen.answer in (0, MEMORY_FAILURE):
        tries = zip(seen.before.tries, seen.whole.tries, seen.after.tries, strict=True)
        if all(after in (before, before - 1, whole) for before, whole, after in tries):
            return KEPT
        return Phrase("a counter has neither its old value, nor one less, nor the new one")
    if seen.answer != seen.whole_answer:
        return Phrase(
            "answers {answer}, without the fault {whole}",
            answer=f"{seen.answer:04X}",
            whole=f"{seen.whole_answer:04X}",
        )
    return KEPT if seen.after == seen.whole else Phrase("answers {answer} and is not done", answer=f"{seen.answer:04X}")


def pins_apart(seen: Interrupted) -> Phrase:
    """A command on the social PIN or a key changes no PIN of the certificate application, and the reverse."""
    if seen.certificates:
        kept = seen.before.social == seen.whole.social == seen.after.social
    else:
        kept = seen.before.own == seen.whole.own == seen.after.own
    return KEPT if kept else Phrase("a PIN changes that the command is not about")


INTERRUPTED: Final[dict[str, Callable[[Interrupted], Phrase]]] = {
    "no-try-given-back": no_try_is_given_back,
    "blocked-stays-blocked": blocked_stays_blocked,
    "old-or-new": old_or_new,
    "money-conserved": money_is_conserved,
    "answer-kept": an_answer_is_kept,
    "pins-apart": pins_apart,
}
"""What holds of every command under a fault."""

SAME_OPERATIONS: Final = "same-operations"
SESSION_DIES: Final = "session-dies"
FILE_OPENS: Final = "file-opens"
AS_THE_ORACLE: Final = "as-the-oracle"
NO_TRY_BACK: Final = "no-try-given-back"
ANSWER_KEPT: Final = "answer-kept"
GUESS_PAID: Final = "guess-paid"
AS_THE_JOURNAL: Final = "as-the-journal"
AS_THE_BASE: Final = "as-the-base"
OWN_ANSWERS: Final = "own-answers"
OLD_OR_NEW: Final = "old-or-new"
ONLY_ERRORS: Final = "only-errors"
IN_TIME: Final = "in-time"

INVARIANTS: Final = {
    "no-try-given-back": Phrase("No try is given back."),
    "blocked-stays-blocked": Phrase("Blocked stays blocked."),
    "old-or-new": Phrase("PIN, keys and files are old or new, and new only if the command succeeds."),
    "money-conserved": Phrase("Money is conserved."),
    "answer-kept": Phrase("After 6581 or no answer old and new are possible; any other answer is kept."),
    "pins-apart": Phrase("A command on the social PIN changes no PIN of the certificate application, and the reverse."),
    SAME_OPERATIONS: Phrase("A right and a wrong guess write the same up to the comparison."),
    SESSION_DIES: Phrase("The session dies with the power."),
    FILE_OPENS: Phrase("The card file opens."),
    AS_THE_ORACLE: Phrase("The card does what the oracle does."),
    GUESS_PAID: Phrase("A guess is compared after its try is in the file."),
    AS_THE_JOURNAL: Phrase("A case is done, not done or in doubt as its journal says."),
    AS_THE_BASE: Phrase("No case is accepted and no card operated unless the holder base says it is in use."),
    ONLY_ERRORS: Phrase("Whatever the input, only errors with a message come out, and the chip answers afterwards."),
    IN_TIME: Phrase("Every input is done in time."),
    OWN_ANSWERS: Phrase("Each client gets the answers of its card."),
}
"""Every invariant by its name."""


def broken(seen: Interrupted) -> list[tuple[str, Phrase]]:
    """Name and words of each invariant that a command under a fault breaks."""
    found = [(name, check(seen)) for name, check in INTERRUPTED.items()]
    return [(name, happened) for name, happened in found if happened != KEPT]


def same_operations(right: Sequence[Hashable], wrong: Sequence[Hashable]) -> Phrase:
    """The writes of a wrong guess are the first ones of a right guess: the try is paid before the comparison."""
    if not wrong and right:
        return Phrase("a wrong guess writes nothing, a right one does")
    if list(right[: len(wrong)]) == list(wrong):
        return KEPT
    return Phrase("a wrong guess writes something else than a right one before the comparison")


def session_dies(answered: bool, statuses: Sequence[str]) -> Phrase:
    """After a power cut the chip answers nothing, and after power-on nothing is proven and no challenge waits."""
    if answered:
        return Phrase("the chip answers without power")
    return Phrase("after power-on there is still: {statuses}", statuses=", ".join(statuses)) if statuses else KEPT
