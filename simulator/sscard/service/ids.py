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
PASSPORT: Final = re.compile(r"(?=.*\d)[A-Z\d]{6,9}")
NOT_VALID: Final = "not valid"
"""What is wrong with a number; the text does not contain the number."""
MRZ_WEIGHTS: Final = (7, 3, 1)


@dataclass(frozen=True, slots=True)
class IdNumber:
    """What a number shows: the document, the problem (empty: valid), the birth date if the number contains it."""

    document: Document
    problem: str = ""
    born: date | None = None


def read_id_number(number: str, today: date) -> IdNumber:
    """The document a number belongs to; the problem never repeats the number."""
    text = number.strip().upper()
    if RESIDENCE_PERMIT.fullmatch(text):
        return _checked(Document.RESIDENCE_PERMIT, has_check_character(text), text[6:14], today)
    if PERMANENT_RESIDENCE.fullmatch(text):
        return _checked(Document.PERMANENT_RESIDENCE_ID, has_check_character(text), text[6:14], today)
    if OLD_PERMANENT_RESIDENCE.fullmatch(text):
        born = f"20{text[7:13]}"
        if born > f"{today:%Y%m%d}":  # the latest century that is not in the future
            born = f"19{text[7:13]}"
        # Weights 7-3-1 over the characters before the last, letters from A = 10, modulo 10.
        total = sum(int(char, 36) * MRZ_WEIGHTS[place % 3] for place, char in enumerate(text[:-1]))
        return _checked(Document.PERMANENT_RESIDENCE_ID, total % 10 == int(text[-1]), born, today)
    if PASSPORT.fullmatch(text):
        return IdNumber(Document.PASSPORT)
    return _checked(Document.RESIDENT_ID, is_resident_number(text), text[6:14], today)


def age_on(born: date, today: date) -> int:
    """Full years."""
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def _checked(document: Document, genuine: bool, born: str, today: date) -> IdNumber:
    try:
        day = date.fromisoformat(born)
    except ValueError:
        return IdNumber(document, NOT_VALID)
    return IdNumber(document, born=day) if genuine and day <= today else IdNumber(document, NOT_VALID)
