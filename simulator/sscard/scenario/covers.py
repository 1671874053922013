"""The marks under ``covers``: what of the documents, standards and public bugs a scenario checks."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Final

from pydantic import AfterValidator

from sscard.errors import InvalidValue, suggestion
from sscard.fields import hidden
from sscard.i18n.phrase import Phrase
from sscard.scenario.coverage.items import COMMAND_NUMBERS, ITEMS, SUB_ITEMS
from sscard.scenario.coverage.seed import CLAUSES
from sscard.scenario.coverage.sheets import OPEN_CHOICES, SECTIONS, STEPS

SEED: Final = "seed "
STANDARDS: Final = "LD/T "
CHOICE: Final = "OC-"
SECTION: Final = "\N{SECTION SIGN}"
EXAMPLES: Final = (
    f"{SEED}4.3",
    "card-commands.md §1.9",
    f"{CHOICE}12",
    f"{STANDARDS}6001.3 7.1",
    f"{STANDARDS}6001.5 iReloadPIN (PSAM)",
    f"{STANDARDS}32.5 7.3",
    "opcard-rs#158",
)
FORMS: Final = Phrase("expected one of: {words}", words=", ".join(EXAMPLES))
_SECTION: Final = re.compile(rf"([\w-]+\.md) {SECTION}(\S+)")
_BUG: Final = re.compile(r"bug [\w./-]+(#\d+)?|[\w./-]+#\d+")


def item_of(mark: str) -> str:
    """The mark of the item that a mark of a standard belongs to: ``LD/T 32.5 7.3.5`` is a part of 7.3."""
    number, _dot, part = mark.rpartition(".")
    part_of_command = number.removeprefix("LD/T 32.5 ") in COMMAND_NUMBERS and part.isdecimal()
    return number if part_of_command and 1 <= int(part) <= SUB_ITEMS else mark


def check_mark(text: str) -> str:
    """A mark that is known; ``InvalidValue`` with the nearest known mark if nothing has this name."""
    if text.startswith(SEED):
        _check(text, text.removeprefix(SEED), CLAUSES, SEED)
    elif text.startswith(STANDARDS):
        _check(text, item_of(text), ITEMS)
    elif text.startswith(CHOICE):
        _check(text, text.removeprefix(CHOICE), OPEN_CHOICES, CHOICE)
    elif section := _SECTION.fullmatch(text):
        sheet, number = section.groups()
        _check(text, sheet, SECTIONS)
        _check(text, number, SECTIONS[sheet] | STEPS.get(sheet, frozenset()), f"{sheet} {SECTION}")
    elif not _BUG.fullmatch(text):
        raise _unknown(text, (*ITEMS, *(f"{sheet} {SECTION}1" for sheet in SECTIONS)))
    return text


Mark = Annotated[str, AfterValidator(check_mark)]
"""A mark under ``covers``."""


def _check(text: str, name: str, known: Iterable[str], before: str = "") -> None:
    if name not in known:
        raise _unknown(text, [f"{before}{each}" for each in known])


def _unknown(text: str, known: Iterable[str]) -> InvalidValue:
    """The error, with the marks of which this is the beginning, or the nearest mark."""
    longer = [mark for mark in known if mark.startswith((f"{text}.", f"{text} "))]
    remedy = Phrase("expected one of: {words}", words=", ".join(longer)) if longer else ""
    problem = Phrase("{mark!r} is not known", mark=hidden(text) if text.isdecimal() else text)
    return InvalidValue(problem, remedy or suggestion(text, known, FORMS, cutoff=0.8))
