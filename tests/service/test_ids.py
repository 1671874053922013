"""Numbers of identity documents, each kind by its own rules."""

from __future__ import annotations

from datetime import date

import pytest

from sscard.issuer.holder import has_check_character, is_id_number
from sscard.service import Applicant, ApplicantKind, Document, load_policy
from sscard.service.identity import digest, mask, name_digest, person_of
from sscard.service.ids import age_on, read_id_number

TODAY = date(2026, 3, 2)
CITIZENS = (Document.RESIDENT_ID, Document.HOUSEHOLD_REGISTER)
GENUINE = [
    ("410402198503150009", CITIZENS, date(1985, 3, 15)),
    ("11010519491231002X", CITIZENS, date(1949, 12, 31)),
    ("11010519491231002x", CITIZENS, date(1949, 12, 31)),
    ("810000199408230021", (Document.RESIDENCE_PERMIT,), date(1994, 8, 23)),
    ("820000198505051006", (Document.RESIDENCE_PERMIT,), date(1985, 5, 5)),
    ("830000199201300022", (Document.RESIDENCE_PERMIT,), date(1992, 1, 30)),
    ("911124198108030024", (Document.PERMANENT_RESIDENCE_ID,), date(1981, 8, 3)),
    ("KAZ110090123105", (Document.PERMANENT_RESIDENCE_ID,), date(1990, 12, 31)),
    ("E12345678", (Document.PASSPORT,), None),
    ("H12345678", (Document.MAINLAND_TRAVEL_PERMIT, Document.PASSPORT), None),
    ("m12345678", (Document.MAINLAND_TRAVEL_PERMIT, Document.PASSPORT), None),
    ("H1234567801", (Document.MAINLAND_TRAVEL_PERMIT,), None),
    ("12345678", (Document.TAIWAN_TRAVEL_PERMIT, Document.PASSPORT), None),
    ("1234567", (Document.PASSPORT,), None),
    ("123456789", (Document.PASSPORT,), None),
    ("K12345678", (Document.PASSPORT,), None),
]
FALSE = [
    "410402198503150008",  # check character
    "410402198513150000",  # no such month
    "990402198503150009",  # no such place
    "810000199408230022",
    "810000199413230021",
    "911124198108030025",
    "KAZ110090123106",
    "KAZ110090133105",
    "123",
    "H123456780",  # between 8 and 10 digits
    "1234567801",
    "",
]


@pytest.mark.parametrize(("number", "documents", "born"), GENUINE)
def test_a_genuine_number_shows_its_documents_and_birth_date(
    number: str, documents: tuple[Document, ...], born: date | None
) -> None:
    found = read_id_number(number, TODAY)
    assert (found.documents, found.problem, found.born) == (documents, "", born)


CHOSEN = [
    (ApplicantKind.HONG_KONG_MACAO_TAIWAN, "H12345678", None, Document.MAINLAND_TRAVEL_PERMIT, ""),
    (ApplicantKind.HONG_KONG_MACAO_TAIWAN, "M1234567801", None, Document.MAINLAND_TRAVEL_PERMIT, ""),
    (ApplicantKind.HONG_KONG_MACAO_TAIWAN, "12345678", None, Document.TAIWAN_TRAVEL_PERMIT, ""),
    (ApplicantKind.HONG_KONG_MACAO_TAIWAN, "12345678", Document.PASSPORT, Document.PASSPORT, ""),
    (ApplicantKind.FOREIGNER, "12345678", None, Document.PASSPORT, ""),
    (ApplicantKind.FOREIGNER, "H12345678", None, Document.PASSPORT, ""),
    (ApplicantKind.OVERSEAS_CHINESE, "H12345678", None, Document.PASSPORT, ""),
    (ApplicantKind.CITIZEN, "410402198503150009", None, Document.RESIDENT_ID, ""),
    (ApplicantKind.CITIZEN, "410402198503150009", Document.HOUSEHOLD_REGISTER, Document.HOUSEHOLD_REGISTER, ""),
    (ApplicantKind.CITIZEN, "12345678", None, Document.TAIWAN_TRAVEL_PERMIT, ""),
    (ApplicantKind.CITIZEN, "12345678", Document.RESIDENT_ID, Document.RESIDENT_ID, "not valid"),
    (ApplicantKind.HONG_KONG_MACAO_TAIWAN, "E12345678", Document.MAINLAND_TRAVEL_PERMIT, None, "not valid"),
]


@pytest.mark.parametrize(("kind", "number", "stated", "document", "problem"), CHOSEN)
def test_kind_of_applicant_or_stated_document_decide_between_documents_of_one_form(
    kind: ApplicantKind, number: str, stated: Document | None, document: Document | None, problem: str
) -> None:
    person = person_of(Applicant(kind=kind, id_number=number, document=stated), b"key", TODAY, load_policy())
    assert (person.document, person.id_problem) == (document or stated, problem)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("李小明", " 李　小明 ", True),
        ("LI MING", "ＬＩ ＭＩＮＧ", True),
        ("Li Ming", "LIMING", True),
        ("买买提·艾力", "买买提·艾力", True),
        ("李小明", "李小名", False),
        ("李小明", "", False),
    ],
)
def test_names_are_compared_without_width_case_and_spaces(one: str, other: str, same: bool) -> None:
    assert (name_digest(one, b"key") == name_digest(other, b"key")) is same
    assert name_digest(one, b"key") != name_digest(one, b"another")


@pytest.mark.parametrize("number", FALSE)
def test_a_false_number_is_told_and_not_repeated(number: str) -> None:
    problem = read_id_number(number, TODAY).problem
    assert problem == "not valid"
    assert not number or number not in problem


@pytest.mark.parametrize("number", [number for number, _, born in GENUINE if born and len(number) == 18])
@pytest.mark.parametrize("place", [0, 5, 9, 13, 16])
def test_one_wrong_digit_is_noticed(number: str, place: int) -> None:
    wrong = number[:place] + str((int(number[place]) + 1) % 10) + number[place + 1 :]
    assert read_id_number(wrong, TODAY).problem


def test_nobody_is_born_tomorrow() -> None:
    assert read_id_number("810000199408230021", date(1994, 8, 22)).problem


@pytest.mark.parametrize(("today", "age"), [(date(2026, 3, 14), 40), (date(2026, 3, 15), 41), (date(2026, 12, 31), 41)])
def test_a_year_is_full_on_the_birthday(today: date, age: int) -> None:
    assert age_on(date(1985, 3, 15), today) == age


def test_a_number_is_masked_and_its_digest_needs_the_key() -> None:
    assert mask("410402198503150009") == "4104************09"
    assert mask("E1234567") == "********"
    assert digest("11010519491231002x", b"key") == digest(" 11010519491231002X", b"key")
    assert digest("11010519491231002x", b"key") != digest("11010519491231002X", b"another")


@pytest.mark.parametrize("number", ["82080419760202002X", "820804397602020026"])
def test_a_number_of_a_place_without_districts_is_not_valid(number: str) -> None:
    """Found by the fuzzer: the library of ID numbers ends in a KeyError."""
    assert has_check_character(number)
    assert not is_id_number(number)
    assert read_id_number(number, date(2026, 1, 5)).problem
