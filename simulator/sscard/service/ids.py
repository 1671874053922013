"""Numbers of identity documents: which document a number is of, whether it can be genuine, when its holder was born."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Final

from sscard.issuer.holder import PERMANENT_RESIDENCE, RESIDENCE_PERMIT, has_check_character, is_resident_number
from sscard.service.words import Document

OLD_PERMANENT_RESIDENCE: Final = re.compile(r"[A-Z]{3}\d{12}")
"""Until 2023: nationality(3 letters), place(4), birth date(6), order(1), check digit."""
MAINLAND_TRAVEL_PERMIT: Final = re.compile(r"[HM]\d{8}(\d{2})?")
"""Of residents of Hong Kong (H) and Macao (M), with or without the issue count (open-choices.md §3.2)."""
TAIWAN_TRAVEL_PERMIT: Final = re.compile(r"\d{8}")
PASSPORT: Final = re.compile(r"(?=.*\d)[A-Z\d]{6,9}")
NOT_VALID: Final = "not valid"
"""What is wrong with a number; the text does not contain the number."""
MRZ_WEIGHTS: Final = (7, 3, 1)
_OF_CITIZENS: Final = (Document.RESIDENT_ID, Document.HOUSEHOLD_REGISTER)
_WITHOUT_BIRTH_DATE: Final = {
    Document.MAINLAND_TRAVEL_PERMIT: MAINLAND_TRAVEL_PERMIT,
    Document.TAIWAN_TRAVEL_PERMIT: TAIWAN_TRAVEL_PERMIT,
    Document.PASSPORT: PASSPORT,
}


@dataclass(frozen=True, slots=True)
class IdNumber:
    """What a number shows: the documents it can be of, the problem (empty: valid), the birth date if it contains it.

    A household register states the number of the resident ID card. A number of a
    travel permit can also be that of a passport.
    """

    documents: tuple[Document, ...]
    problem: str = ""
    born: date | None = None


def read_id_number(number: str, today: date) -> IdNumber:
    """The documents a number can be of, the most specific first; the problem never repeats the number."""
    text = number.strip().upper()
    if RESIDENCE_PERMIT.fullmatch(text):
        return _checked((Document.RESIDENCE_PERMIT,), has_check_character(text), text[6:14], today)
    if PERMANENT_RESIDENCE.fullmatch(text):
        return _checked((Document.PERMANENT_RESIDENCE_ID,), has_check_character(text), text[6:14], today)
    if OLD_PERMANENT_RESIDENCE.fullmatch(text):
        born = f"20{text[7:13]}"
        if born > f"{today:%Y%m%d}":  # the latest century that is not in the future
            born = f"19{text[7:13]}"
        # Weights 7-3-1 over the characters before the last, letters from A = 10, modulo 10.
        total = sum(int(char, 36) * MRZ_WEIGHTS[place % 3] for place, char in enumerate(text[:-1]))
        return _checked((Document.PERMANENT_RESIDENCE_ID,), total % 10 == int(text[-1]), born, today)
    without_birth_date = tuple(document for document, form in _WITHOUT_BIRTH_DATE.items() if form.fullmatch(text))
    if without_birth_date:
        return IdNumber(without_birth_date)
    return _checked(_OF_CITIZENS, is_resident_number(text), text[6:14], today)


def age_on(born: date, today: date) -> int:
    """Full years."""
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def _checked(documents: tuple[Document, ...], genuine: bool, born: str, today: date) -> IdNumber:
    try:
        day = date.fromisoformat(born)
    except ValueError:
        return IdNumber(documents, NOT_VALID)
    return IdNumber(documents, born=day) if genuine and day <= today else IdNumber(documents, NOT_VALID)
