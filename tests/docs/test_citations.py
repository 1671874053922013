"""Every citation of a fact sheet resolves: file, section and the number of an open choice (docs/standard/README.md)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from sscard.card.commands import COMMANDS
from sscard.psam import PSAM_COMMANDS

ROOT = Path(__file__).parents[2]
SHEETS = ROOT / "docs" / "standard"
PLACES = ("simulator", "tests", "scenarios", "tools", "bench", "examples", "docs")
OF_THE_CHECK = ("test_citations.py", "covers.py", "test_covers.py")
"""Modules that are about citations, and so have the form of one, or wrong ones."""
PAGES = ("README.md", "README.zh-CN.md", "CONTRIBUTING.md", "CHANGELOG.md", "NOTICE")
KINDS = {".py", ".c", ".h", ".mjs", ".java", ".js", ".md", ".yaml", ".yml", ".po", ".toml"}

NUMBER = r"\d+(?:\.\d+)*[a-z]?"
ITEM = rf"§({NUMBER})(?:–({NUMBER}))?"
GAP = r"[\s#*/]"  # a citation may be wrapped, in a comment too
CITATION = re.compile(rf"([\w-]+)\.md[`)]?{GAP}+({ITEM}(?:(?:,|{GAP}and|{GAP}to){GAP}+{ITEM})*)")
OTHER_DOCUMENT = re.compile(r"(?:LD/T [\d.]+|ISO/IEC [\d-]+|[Pp]art \d+) §[\d.]+")
CHOICE = re.compile(r"\bOC[ -]?(\d+[a-z]?)")
OLD_CHOICE = re.compile(r"\bOC ?\d|OC-\d+[a-z]?(?: [A-Z])?, \d")


def sections(sheet: str) -> set[str]:
    """The numbers of a sheet: headings, rows and bold numbers such as 1.4b, list items as section.item."""
    found: set[str] = set()
    current = ""
    for line in (SHEETS / f"{sheet}.md").read_text("utf-8").splitlines():
        if heading := re.match(r"#{2,} (\d+(?:\.\d+)*)\b", line):
            current = heading[1]
            found.add(current)
        elif item := re.match(r"(\d+)\. ", line):
            found.add(f"{current}.{item[1]}")
        elif row := re.match(rf"(?:\| |\*\*|)({NUMBER})(?:–({NUMBER}))?(?: |\b)", line):
            found.update(number for number in row.groups() if number and "." in number)
    return found


NUMBERS = {path.stem: sections(path.stem) for path in SHEETS.glob("*.md")}
CHOICES = set(re.findall(r"^\| (\d+[a-z]?) \|", (SHEETS / "open-choices.md").read_text("utf-8"), re.MULTILINE))


def unresolved(text: str, own: str = "") -> list[str]:
    """What does not resolve in a text; ``own`` is the sheet that the text is, whose numbers need no file name."""
    wrong = []
    covered: set[int] = set()
    for citation in CITATION.finditer(text):
        covered.update(range(*citation.span()))
        known = NUMBERS.get(citation[1], set())
        for first, last in re.findall(ITEM, citation[2]):
            wrong += [f"{citation[1]}.md §{number}" for number in (first, last) if number and number not in known]
    for other in OTHER_DOCUMENT.finditer(text):
        covered.update(range(*other.span()))
    for place, found in enumerate(text):
        if found == "§" and place not in covered:
            cited = re.match(ITEM, text[place:])
            if not (own and cited and {number for number in cited.groups() if number} <= NUMBERS[own]):
                wrong.append(text[max(0, place - 30) : place + 10])
    wrong += [f"OC-{number}" for number in CHOICE.findall(text) if number not in CHOICES]
    return wrong + OLD_CHOICE.findall(text)


def texts() -> Iterator[Path]:
    for place in PLACES:
        for path in (ROOT / place).rglob("*"):
            own = path.name in OF_THE_CHECK or "node_modules" in path.parts
            if path.suffix in KINDS and path.is_file() and not own:
                yield path
    yield from (ROOT / page for page in PAGES if (ROOT / page).exists())


def test_every_citation_resolves() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}: {what}"
        for path in texts()
        for what in unresolved(path.read_text("utf-8"), path.stem if path.parent == SHEETS else "")
    ]
    assert not wrong, "\n".join(wrong)


def test_the_code_is_scanned() -> None:
    cited = [path for path in texts() if path.suffix == ".py" and CITATION.search(path.read_text("utf-8"))]
    assert len(cited) > 50


def test_sections_declared_with_the_commands_exist() -> None:
    sections = {command.section for command in (*COMMANDS, *PSAM_COMMANDS)}
    assert all(CITATION.fullmatch(section) for section in sections)
    assert not unresolved(", ".join(sorted(sections)))


@pytest.mark.parametrize(
    "text",
    [
        "docs/standard/driver-api.md §4",
        "(terminal-flows.md §1.3, §1.4b and §6–7; card-security.md §10.3)",
        "of driver-api.md\n    # §4 and\n    # §5",
        "LD/T 32.7 §13.1, ISO/IEC 7816-3 §8.2.5",
        "[OC-12b], [OC-14 A], [OC-5, OC-36]",
        "[OC-n]",
    ],
)
def test_this_form_is_resolved(text: str) -> None:
    assert not unresolved(text)


@pytest.mark.parametrize(
    "text",
    [
        "driver-api.md §44",
        "driver-apis.md §4",
        "card-security.md §1, §10.9",
        "card-security.md §1–60",
        "driver sheet §4",
        "the sheet §4",
        "flows §6.1",
        "(§6.1)",
        "[OC-99]",
        "[OC-14, 19]",
        "OC 12",
    ],
)
def test_this_form_is_refused(text: str) -> None:
    assert unresolved(text)


def test_a_sheet_may_leave_its_own_name_out() -> None:
    assert not unresolved("see §4", "driver-api")
    assert unresolved("see §44", "driver-api")
