"""Check that a loaded card has values that a card can have, so that no command fails on them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sscard.card.profile import certificate_limit
from sscard.errors import InputError
from sscard.i18n.phrase import Phrase, Sayable
from sscard.issuer.personalise import Card
from sscard.standard.encoding import digits_in, records
from sscard.standard.tree import CARD_BLOCKED, PIN, PIN_TRIES, Account, FileSpec, Structure

PROOF_LENGTH: Final = 10
"""Count(2) ‖ MAC(4) ‖ TAC(4) of the last load or purchase."""
LARGEST: Final = {
    Account.LOAD_COUNT: 0xFFFF,
    Account.PURCHASE_COUNT: 0xFFFF,
    Account.BALANCE: 0xFFFF_FFFF,
    Account.SELF_PAID: 0xFFFF_FFFF,
    Account.POOL_PAID: 0xFFFF_FFFF,
    Account.YEAR: 9999,
    Account.START_DAY: 1231,
}


def check_values(card: Card) -> None:
    """``InputError`` names the first cell whose value no card has; a log of the memory is taken into account.

    Tries are at most the limit of the personality, flags 0 or 1, amounts and
    counts within their bytes. A PIN is empty or 2 to 8 bytes cn, a file not
    longer than its EF, and its records are complete.
    """
    recovered = card.memory.recovered()  # a cell that is torn gets its value from the log
    layout, strings = card.profile.layout, recovered.strings
    numbers = zip(layout.number_names(), recovered.numbers, _limits(card), strict=True)
    for name, value, limit in numbers:
        if not 0 <= value <= limit:
            raise _error("numbers", name, Phrase("0 to {limit} expected, got {value}", limit=limit, value=value))
    if strings[PIN] and not digits_in(strings[PIN]):
        raise _error("strings", "pin", Phrase("2 to 8 bytes of digits expected"))
    for which in layout.own_pins:
        cell = layout.certificate_pins + which
        if not digits_in(strings[cell]):
            raise _error("strings", layout.string_names()[cell], Phrase("2 to 8 bytes of digits expected"))
    for file in layout.files:
        if problem := content_problem(file, strings[file.cell]):
            raise _error("strings", layout.string_names()[file.cell], problem)
    for cell in (layout.proofs, layout.proofs + 1):
        if len(strings[cell]) not in (0, PROOF_LENGTH):
            expected = Phrase("{length} bytes expected", length=PROOF_LENGTH)
            raise _error("strings", layout.string_names()[cell], expected)


def _limits(card: Card) -> Iterator[int]:
    """The largest value of each number cell."""
    personality, layout = card.profile.personality, card.profile.layout
    assert (PIN_TRIES, CARD_BLOCKED) == (0, 1)
    yield personality.pin_tries
    yield from [1] * (1 + len(layout.dfs))
    for key in layout.keys:
        yield from [personality.key_tries if key.counted else 0] * key.versions
    yield from (LARGEST[which] for which in Account)
    yield personality.unlock_limit
    yield from (certificate_limit(personality, which) for which in layout.own_pins)


def content_problem(file: FileSpec, content: bytes) -> Sayable:
    """Why an EF cannot have this content; empty if it can."""
    if len(content) > file.size:
        return Phrase("at most {size} bytes expected, got {length}", size=file.size, length=len(content))
    if file.structure == Structure.TRANSPARENT:
        return ""
    if file.structure == Structure.CYCLIC:
        whole = len(content) % file.record_length == 0
        return "" if whole else Phrase("records of {length} bytes expected", length=file.record_length)
    found = list(records(content))
    if b"".join(found) != content or any(len(record) != record[1] + 2 for record in found):
        return Phrase("complete TLV records expected")
    if file.structure == Structure.FIXED and any(len(record) != file.record_length for record in found):
        return Phrase("records of {length} bytes expected", length=file.record_length)
    return ""


def _error(part: str, name: str, problem: Sayable) -> InputError:
    field = f"memory.{part}.{name}"
    return InputError(Phrase("{field}: {problem}", field=field, problem=problem))
