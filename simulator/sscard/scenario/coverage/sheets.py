"""The sections of the fact sheets that a ``covers`` mark may name; a test compares them with docs/standard."""

from __future__ import annotations

from typing import Final

_HEADINGS: Final = {
    "card-commands.md": "0 0.1 0.2 1 1.1 1.2 1.3 1.4 1.5 1.6 1.7 1.8 1.9 1.10 1.11 1.12 1.13 1.14 2 3 3.1 3.2 3.3",
    "card-files.md": "1 2 3 4 5 6 7 8",
    "card-security.md": "1 2 3 4 5 6 7 7.1 7.2 7.3 8 9 10",
    "certificate-application.md": "1 2 3 4 5 5.1 6",
    "driver-api.md": "1 2 3 3.1 4 5 6 7 7.1 8 9 10",
    "open-choices.md": "1 2 3 3.1 3.2 3.3 3.4 3.5 3.6 3.7",
    "terminal-flows.md": "1 2 3 4 5 6 6.1 6.2 6.3 6.4 7 8 9 10",
    "test-standard.md": "1 2 3 4 5",
}
_INSIDE: Final = {
    "card-security.md": "5.1 5.2 5.3 6.1 6.2 6.3 6.4 10.1 10.2 10.3 10.4 10.5 10.6",
    "certificate-application.md": "5.2 5.3 5.4",
    "terminal-flows.md": "1.1 1.2 1.3 1.4a 1.4b 1.5 1.6 1.7 1.8 1.9 1.11 2.1 7.1 7.2 7.3 10.1 10.2 10.3 10.4 10.5 10.6",
}
_CHOICES: Final = (
    "1 2 3 4 5 6 7 8 9 10 11 12 12b 13 14 15 16 17 18 19 19b 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 "
    "39 40 41 42 43 44"
)

SECTIONS: Final = {sheet: frozenset(numbers.split()) for sheet, numbers in _HEADINGS.items()}
"""Section numbers by sheet, those of its headings."""
STEPS: Final = {sheet: frozenset(numbers.split()) for sheet, numbers in _INSIDE.items()}
"""Numbered steps, rows and list items inside sections, by sheet."""
OPEN_CHOICES: Final = frozenset(_CHOICES.split())
"""The numbers of the open choices, as in ``OC-12b``."""
