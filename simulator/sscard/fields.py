"""Fields of a document: checks in plain Python, and the messages about what is wrong with a value.

Every command that opens a card needs these checks. Files that a person writes
are checked by pydantic (``sscard.document``), with the same messages.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final, NamedTuple

from sscard.errors import InputError, InvalidValue, suggestion
from sscard.i18n.phrase import ROW, Phrase, Sayable

Path_ = tuple[int | str, ...]
"""The names and positions that lead to a part of a document."""

DOCUMENT: Final = Phrase("document")
MASK: Final = "••••"
"""What a report has in the place of a secret."""
HIDDEN_DIGITS: Final = "***"
CALENDAR: Final = "calendar"
"""The field whose names are years, which are not secret."""
_SECRETS: Final = re.compile("[0-9A-Fa-f]{16,}|[0-9]{4,}")
LONGEST_NUMBER: Final = 4300
"""Digits of a number that Python converts."""


class FieldsOf(NamedTuple):
    """In the annotation of a field whose value is checked by a function: the model whose fields it may have."""

    model: type


class FieldError(InputError):
    """A field that is wrong; ``path`` leads to it."""

    def __init__(self, path: Path_, problem: Sayable, remedy: Sayable = "") -> None:
        super().__init__(problem, remedy=remedy)
        self.path = path


def unknown_field(path: Path_, allowed: Iterable[str]) -> FieldError:
    """The error of a field that is not one of those allowed."""
    problem = Phrase("unknown field {field}", field=shown(path[-1]))
    return FieldError(path, problem, suggestion(str(path[-1]), allowed))


def missing_field(path: Path_) -> FieldError:
    """The error of a field that is not given."""
    problem = Phrase("field {field!r} is missing", field=named(path))
    return FieldError(path, problem, Phrase("add it: {field}: …", field=hidden(path[-1])))


def check_names(given: Collection[str], allowed: Collection[str], required: Iterable[str], path: Path_ = ()) -> None:
    """Check that fields are allowed and complete; an unknown one may be a misspelling of one that is missing."""
    for name in given:
        if name not in allowed:
            raise unknown_field((*path, name), allowed)
    for name in required:
        if name not in given:
            raise missing_field((*path, name))


def no_fields(path: Path_, allowed: Iterable[str]) -> FieldError:
    """The error of a value in the place of fields."""
    problem = Phrase("{field}: fields expected", field=named(path) or DOCUMENT)
    return FieldError(path, problem, suggestion("", allowed))


def wrong_value(path: Path_, problem: Sayable, remedy: Sayable = "") -> FieldError:
    """The error of a value that its field does not take."""
    return FieldError(path, Phrase("{field}: {problem}", field=named(path) or DOCUMENT, problem=problem), remedy)


def wrong_kind(path: Path_, kind: str, **limits: Sayable) -> FieldError:
    """The error of a value that is wrong in one of the ways of ``PROBLEMS``."""
    return wrong_value(path, PROBLEMS[kind].filled(**limits), REMEDIES[kind])


def named(path: Path_) -> Sayable:
    """A path as errors name it: ``keys, entry 1, use``; ``service.policy`` without a list in it."""
    said: Sayable = ""
    for part, before in zip(path, (None, *path), strict=False):
        if isinstance(part, int):
            said = Phrase("{field}, entry {number}", field=said or DOCUMENT, number=part + 1)
        elif not said:
            said = hidden(part)
        else:
            rest = part if before == CALENDAR and re.fullmatch("[0-9]{4}", part) else hidden(part)
            said = Phrase(ROW if isinstance(before, int) else "{first}.{rest}", first=said, rest=rest)
    return said


def shown(word: object) -> Sayable:
    """A word of the document, quoted; a long run of hex digits may be key material and is not repeated."""
    return Phrase("(hex digits)") if re.fullmatch("[0-9A-Fa-f]{16,}", str(word)) else repr(hidden(word))


def hidden(word: object) -> str:
    """A word of the document without its runs of digits that may be a PIN, and of hex digits that may be a key.

    Of a list or of fields in the place of a word it is the brackets only.
    """
    if isinstance(word, list | dict):
        return "[…]" if isinstance(word, list) else "{…}"
    return _SECRETS.sub(HIDDEN_DIGITS, str(word))


def one_of(words: Iterable[str]) -> Phrase:
    """What is wrong with a word that is none of these."""
    *first, last = map(repr, words)
    return either(", ".join(first), last)


def not_one_of(path: Path_, written: object, words: Collection[str]) -> FieldError:
    """The error of a word that is none of these."""
    return wrong_value(path, one_of(words), nearest(written, words))


def nearest(written: object, words: Iterable[str]) -> Sayable:
    """What to write if a word is none of these, which its error names."""
    return suggestion(str(written), words, Phrase("write one of these words"))


def either(first: str, last: str) -> Phrase:
    """The same, from the quoted words before the last one, and the last one."""
    if not first:
        return Phrase("Input should be {word}", word=last)
    return Phrase("Input should be {first} or {last}", first=first, last=last)


def whole_number(path: Path_, value: object, first: int, last: int) -> int:
    """A whole number from ``first`` to ``last``, also one that is written in decimal digits."""
    if not isinstance(value, int | str) or isinstance(value, bool):
        raise wrong_kind(path, "int_type")
    if isinstance(value, str) and len(value) > LONGEST_NUMBER:
        raise wrong_kind(path, "int_parsing_size")
    try:
        number = int(value)
    except ValueError:
        raise wrong_kind(path, "int_parsing") from None
    if number < first:
        raise wrong_kind(path, "greater_than_equal", limit=first)
    if number > last:
        raise wrong_kind(path, "less_than_equal", limit=last)
    return number


def of_form(pattern: str, problem: Sayable, remedy: Sayable) -> Callable[[str], str]:
    """A check of the form of a whole text: its ``InvalidValue`` says what the text is not, and what to write."""

    def checked(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise InvalidValue(problem, remedy)
        return text

    return checked


def read_percent(text: str) -> float:
    """A percentage as ``20%``, as a share; ``InvalidValue`` if the text is not one."""
    if not re.fullmatch(r"[0-9]+(\.[0-9]+)?%", text):
        raise InvalidValue(Phrase("{text!r} is not a percentage", text=text), Phrase("for example 20%"))
    return float(text[:-1]) / 100


def yes_or_no(path: Path_, value: object) -> bool:
    """A truth value in one of the words that YAML's writers use."""
    if not isinstance(value, str):
        raise wrong_kind(path, "bool_type")
    if value.lower() not in TRUTHS:
        raise wrong_kind(path, "bool_parsing")
    return TRUTHS[value.lower()]


def check_shape(value: object, schema: Mapping[str, Any], whole: Mapping[str, Any], path: Path_ = ()) -> None:
    """Check that a value of JSON fits its JSON schema; ``FieldError`` names the first field that does not.

    ``schema`` is the part for this value of the ``whole`` schema. Of JSON Schema
    it uses what pydantic's schema of a model has: objects with fields or with
    any names, arrays, texts with a pattern, numbers with limits, a part by
    reference, and a part or null.
    """
    if "anyOf" in schema:
        if value is not None:
            check_shape(value, schema["anyOf"][0], whole, path)
        return
    if "$ref" in schema:
        schema = whole["$defs"][schema["$ref"].rpartition("/")[2]]
    kind: type = KINDS[schema["type"]][0]
    if type(value) is not kind:  # nor of a derived type: True is no number
        if "properties" in schema:
            raise no_fields(path, schema["properties"])
        raise wrong_kind(path, KINDS[schema["type"]][1])
    if isinstance(value, dict):
        _check_object(value, schema, whole, path)
    elif isinstance(value, list):
        for index, each in enumerate(value):
            check_shape(each, schema["items"], whole, (*path, index))
    elif isinstance(value, str):
        _check_text(value, schema.get("pattern", ""), path)
    elif "minimum" in schema:
        whole_number(path, value, schema["minimum"], schema["exclusiveMaximum"] - 1)


def _check_text(value: str, pattern: str, path: Path_) -> None:
    if pattern and not re.fullmatch(pattern, value):
        problem = PROBLEMS["string_pattern_mismatch"].filled(pattern=pattern)
        raise wrong_value(path, Phrase("pairs of hex digits expected") if pattern == HEX_PAIRS else problem)


def _check_object(value: dict[str, Any], schema: Mapping[str, Any], whole: Mapping[str, Any], path: Path_) -> None:
    fields, rest = schema.get("properties", {}), schema["additionalProperties"]
    if rest is False:
        check_names(value, fields, schema["required"], path)
    for name, each in value.items():
        part = fields.get(name, rest)
        if part is not True:
            check_shape(each, part, whole, (*path, name))


TRUTHS: Final = dict.fromkeys(("1", "true", "t", "yes", "y", "on"), True) | dict.fromkeys(
    ("0", "false", "f", "no", "n", "off"), False
)
HEX_PAIRS: Final = "^([0-9A-Fa-f]{2})*$"
KINDS: Final[dict[str, tuple[type, str]]] = {
    "object": (dict, "dict_type"),
    "array": (list, "list_type"),
    "string": (str, "string_type"),
    "integer": (int, "int_type"),
    "boolean": (bool, "bool_type"),
}
"""Of each type of JSON Schema the type in Python, and the problem of another value."""
_LIST: Final = Phrase("Input should be a valid list")
_DICTIONARY: Final = Phrase("Input should be a valid dictionary")
_DATE: Final = Phrase("Input should be a valid date in the format YYYY-MM-DD")
PROBLEMS: Final = {
    "int_type": Phrase("Input should be a valid integer"),
    "int_parsing": Phrase("Input should be a valid integer, unable to parse string as an integer"),
    "int_parsing_size": Phrase("Input should be an integer with fewer digits"),
    "int_from_float": Phrase("Input should be a valid integer, got a number with a fractional part"),
    "float_type": Phrase("Input should be a valid number"),
    "float_parsing": Phrase("Input should be a valid number, unable to parse string as a number"),
    "finite_number": Phrase("Input should be a valid number"),
    "string_type": Phrase("Input should be a valid string"),
    "bytes_type": Phrase("Input should be valid bytes"),
    "list_type": _LIST,
    "tuple_type": _LIST,
    "set_type": _LIST,
    "frozen_set_type": _LIST,
    "dict_type": _DICTIONARY,
    "mapping_type": _DICTIONARY,
    "model_attributes_type": _DICTIONARY,
    "bool_type": Phrase("Input should be a valid boolean"),
    "bool_parsing": Phrase("Input should be a valid boolean, unable to interpret input"),
    "date_type": _DATE,
    "date_parsing": _DATE,
    "date_from_datetime_parsing": _DATE,
    "date_from_datetime_inexact": _DATE,
    "greater_than": Phrase("Input should be greater than {limit}"),
    "greater_than_equal": Phrase("Input should be greater than or equal to {limit}"),
    "less_than": Phrase("Input should be less than {limit}"),
    "less_than_equal": Phrase("Input should be less than or equal to {limit}"),
    "string_pattern_mismatch": Phrase("String should match pattern {pattern!r}"),
    "string_too_short": Phrase.plural(
        "String should have at least {count} character", "String should have at least {count} characters", count=0
    ),
    "string_too_long": Phrase.plural(
        "String should have at most {count} character", "String should have at most {count} characters", count=0
    ),
    "bytes_too_short": Phrase.plural(
        "Data should have at least {count} byte", "Data should have at least {count} bytes", count=0
    ),
    "bytes_too_long": Phrase.plural(
        "Data should have at most {count} byte", "Data should have at most {count} bytes", count=0
    ),
    "too_short": Phrase.plural(
        "List should have at least {count} item, not {found}",
        "List should have at least {count} items, not {found}",
        count=0,
    ),
    "too_long": Phrase.plural(
        "List should have at most {count} item, not {found}",
        "List should have at most {count} items, not {found}",
        count=0,
    ),
}
"""What is wrong with a value, by pydantic's name for the kind of error."""
_INTEGER_FORM: Final = Phrase("write a whole number: 5")
_LIST_FORM: Final = Phrase("write a list: [first, second]")
_FIELDS_FORM: Final = Phrase("write fields: {form}", form="{key: PUK}")
_TRUTH_FORM: Final = Phrase("write yes or no")
_DATE_FORM: Final = Phrase("write year, month and day: 2026-02-13")
_HIGHER: Final = Phrase("write a higher number")
_LOWER: Final = Phrase("write a lower number")
REMEDIES: Final = {
    "int_type": _INTEGER_FORM,
    "int_parsing": _INTEGER_FORM,
    "int_parsing_size": _LOWER,
    "int_from_float": _INTEGER_FORM,
    "float_type": Phrase("write a number: 0.5"),
    "float_parsing": Phrase("write a number: 0.5"),
    "finite_number": Phrase("write a number: 0.5"),
    "string_type": Phrase("write a text"),
    "bytes_type": Phrase("write a text"),
    "list_type": _LIST_FORM,
    "tuple_type": _LIST_FORM,
    "set_type": _LIST_FORM,
    "frozen_set_type": _LIST_FORM,
    "dict_type": _FIELDS_FORM,
    "mapping_type": _FIELDS_FORM,
    "model_attributes_type": _FIELDS_FORM,
    "bool_type": _TRUTH_FORM,
    "bool_parsing": _TRUTH_FORM,
    "date_type": _DATE_FORM,
    "date_parsing": _DATE_FORM,
    "date_from_datetime_parsing": _DATE_FORM,
    "date_from_datetime_inexact": _DATE_FORM,
    "greater_than": _HIGHER,
    "greater_than_equal": _HIGHER,
    "less_than": _LOWER,
    "less_than_equal": _LOWER,
    "string_pattern_mismatch": Phrase("write a text of this form"),
    "string_too_short": Phrase("write a longer one"),
    "string_too_long": Phrase("shorten it"),
    "bytes_too_short": Phrase("write a longer one"),
    "bytes_too_long": Phrase("shorten it"),
    "too_short": Phrase("add an entry"),
    "too_long": Phrase("remove entries"),
}
"""What to write instead, by the same names."""
