"""Card holders (持卡人), made up, with numbers whose check characters are right."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache
from operator import mul
from random import Random
from typing import Final

from sscard.errors import InputError
from sscard.i18n.phrase import Phrase
from sscard.standard.generations import GENERATIONS

WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"

NAME_CHARACTERS: Final = 15
"""Of a name in item 09; item 4E holds the rest, if the generation has it."""
NAME_BYTES: Final = 30
EXTENSION_BYTES: Final = 20

RESIDENT_ID = re.compile(r"[0-9]{17}[0-9X]")
"""GB 11643: district(6), birth date(8), order(3), check character."""
RESIDENCE_PERMIT = re.compile(r"8[123]0000\d{11}[\dX]")
"""港澳台居民居住证 (2018): 81 Hong Kong, 82 Macao, 83 Taiwan, then as GB 11643."""
PERMANENT_RESIDENCE = re.compile(r"9\d{16}[\dX]")
"""外国人永久居留身份证 (2023): 9, place(2), nationality(3), birth date(8), order(3), check character."""
DISTRICT_YEARS = 4096
"""District and year pairs whose existence is kept."""
CHECK_WEIGHTS = tuple(pow(2, 17 - place, 11) for place in range(17))
CHECK_CHARACTERS = "10X98765432"
"""By the sum of the weighted digits mod 11."""

_FAMILY = "张王李赵陈刘杨黄周吴徐孙马朱胡"
_GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超兰霞平"
_BIRTHPLACES = {"410402": 1983, "410403": 1983, "410105": 1983, "510104": 1990, "110105": 0, "330106": 1983}
"""Districts of made-up holders, with the year since which the table of stdnum has them: it is not loaded for these."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A holder: name (15 characters, then 20 bytes in GBK) and social security number.

    The number is that of a resident ID, a residence permit of Hong Kong,
    Macao and Taiwan residents, or a foreigner's permanent residence ID: 18
    characters each.
    """

    name: str
    id_number: str = field(repr=False)

    def __post_init__(self) -> None:
        check_name(self.name)
        if not is_id_number(self.id_number):
            raise InputError(
                Phrase("not an identity number"),
                remedy=Phrase(
                    "18 characters after GB 11643, with a valid region, birth date and check character, "
                    "or the number of a residence permit (81, 82, 83) or of a permanent residence ID (9)"
                ),
            )

    @property
    def birth_date(self) -> date:
        digits = self.id_number[6:14]
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))

    @property
    def birthplace(self) -> str:
        """Region code (GB/T 2260), empty if the number does not contain it."""
        return "" if PERMANENT_RESIDENCE.fullmatch(self.id_number) else self.id_number[:6]

    @property
    def sex(self) -> str:
        """Item 0A: 1 male, 2 female, from the parity of the order code."""
        return "1" if int(self.id_number[16]) % 2 else "2"


def name_parts(name: str, generation: str) -> tuple[str, str]:
    """The name as cards of a generation hold it, in items 09 and 4E; ``InputError`` if it does not fit."""
    first = NAME_CHARACTERS if GENERATIONS[generation].extends_name else len(name)
    if len(name[:first].encode("gbk")) > NAME_BYTES:
        raise InputError(
            Phrase("the holder's name does not fit into a card of generation {generation}", generation=generation),
            remedy=Phrase("up to 15 Chinese characters or 30 letters there"),
        )
    return name[:first], name[first:]


def check_name(name: str) -> None:
    """``InputError`` for a name that items 09 and 4E do not hold, or with control characters."""
    try:
        fits = len(name.encode("gbk")) - len(name[:NAME_CHARACTERS].encode("gbk")) <= EXTENSION_BYTES
    except UnicodeEncodeError:
        fits = False
    if not fits:
        raise InputError(
            Phrase("the holder's name does not fit into the card"),
            remedy=Phrase("up to 25 Chinese characters or 35 letters, all of them in GBK"),
        )
    if any(unicodedata.category(char) == "Cc" for char in name):
        raise InputError(
            Phrase("the holder's name has control characters"),
            remedy=Phrase("write letters, without line breaks"),
        )


def is_id_number(number: str) -> bool:
    """Whether an 18-character number is well-formed, with a real birth date and the right check character."""
    if RESIDENCE_PERMIT.fullmatch(number) or PERMANENT_RESIDENCE.fullmatch(number):
        return has_check_character(number) and _is_date(number[6:14])
    return is_resident_number(number)


def is_resident_number(number: str) -> bool:
    """Whether a number is that of a resident ID card (GB 11643), of a district that existed in the year of birth."""
    if not RESIDENT_ID.fullmatch(number):
        from stdnum.cn import ric

        number = ric.compact(number)
    if not RESIDENT_ID.fullmatch(number) or not has_check_character(number) or not _is_date(number[6:14]):
        return False
    return _existed(number[:6], number[6:10])


@lru_cache(maxsize=DISTRICT_YEARS)
def _existed(district: str, year: str) -> bool:
    """Whether there was a district in a year."""
    if district in _BIRTHPLACES:
        return int(year) >= _BIRTHPLACES[district]
    from stdnum.cn import ric
    from stdnum.exceptions import ValidationError

    try:
        return bool(ric.get_birth_place(f"{district}{year}0101"))
    except (ValidationError, KeyError):  # KeyError: the place has no districts, as 8208
        return False


def check_character(body: str) -> str:
    """The check character after 17 digits: ISO 7064 MOD 11-2, as in GB 11643."""
    return CHECK_CHARACTERS[sum(map(mul, map(int, body), CHECK_WEIGHTS)) % 11]


def has_check_character(number: str) -> bool:
    """Whether the check character of an 18-character number is right."""
    return check_character(number[:17]) == number[17]


def _is_date(digits: str) -> bool:
    try:
        date.fromisoformat(digits)
    except ValueError:
        return False
    return True


def make_holder(random: Random) -> Holder:
    """A made-up adult with a valid number."""
    name = random.choice(_FAMILY) + "".join(random.choices(_GIVEN, k=random.choice((1, 2))))
    places = tuple(_BIRTHPLACES)
    while True:
        born = (date(1950, 1, 1) + timedelta(days=random.randrange(365 * 55))).isoformat()
        body = f"{random.choice(places)}{born.replace('-', '')}{random.randrange(1000):03d}"
        if _existed(body[:6], body[6:10]):  # a district did not exist in every year
            return Holder(name, body + check_character(body))


def card_number(body: str) -> str:
    """A card number (卡号) of 9 characters: 8 of body (a letter, 7 digits or letters) and the check character."""
    remainder = sum(DIGITS.index(char) * weight for char, weight in zip(body, WEIGHTS, strict=True)) % 11
    check = 11 - remainder
    return body + ("X" if check == 10 else "0" if check == 11 else str(check))


def is_card_number(number: str) -> bool:
    """Whether a card number has the right shape and check character."""
    body = number[:8]
    shaped = len(number) == 9 and body[0].isalpha() and all(char in DIGITS for char in body)
    return shaped and card_number(body) == number
