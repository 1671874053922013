"""The marks under ``covers``: each names something that exists, and the tables agree with the documents."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from sscard.errors import InvalidValue
from sscard.scenario.coverage.items import ITEMS
from sscard.scenario.coverage.seed import CLAUSES
from sscard.scenario.coverage.sheets import OPEN_CHOICES, SECTIONS, STEPS
from sscard.scenario.covers import check_mark

SHEETS = Path(__file__).parents[2] / "docs" / "standard"
ITEM_PAGE = Path(__file__).parents[2] / "simulator" / "sscard" / "service" / "item.yaml"
TEXTS = {path.name: path.read_text("utf-8") for path in SHEETS.glob("*.md") if path.name != "README.md"}
TABLE = TEXTS["test-standard.md"]


@pytest.mark.parametrize(
    "mark",
    [
        "seed 4.3",
        "card-commands.md §1.9",
        "card-security.md §10.3",
        "terminal-flows.md §1.4b",
        "OC-12b",
        "LD/T 6001.3 7.1",
        "LD/T 6001.2 function",
        "LD/T 6001.5 iReloadPIN (PSAM)",
        "LD/T 32.5 7.3",
        "LD/T 32.5 7.3.5",
        "opcard-rs#158",
        "bug opcard-rs#158",
        "bug jcardsim",
    ],
)
def test_this_mark_is_known(mark: str) -> None:
    check_mark(mark)


@pytest.mark.parametrize(
    ("mark", "remedy"),
    [
        ("seed 8.1.3", "did you mean 'seed 8.2.3'?"),
        ("seed 4", "expected one of: seed 4.1, seed 4.2, seed 4.3"),
        ("card-commands.md \N{SECTION SIGN}1.99", "did you mean 'card-commands.md §1.9'?"),
        ("card-comands.md \N{SECTION SIGN}1", "did you mean 'card-commands.md'?"),
        ("LD/T 6001.5 iReloadPIN", "expected one of: LD/T 6001.5 iReloadPIN (PSAM), LD/T 6001.5 iReloadPIN (HSM)"),
        ("LD/T 6001.2 functions", "did you mean 'LD/T 6001.2 function'?"),
        ("LD/T 32.5 7.3.6", "did you mean 'LD/T 32.5 7."),
        (f"OC-{99}", "did you mean 'OC-9'?"),
        ("the reset of a PIN", "expected one of: seed 4.3, "),
        ("", "expected one of: seed 4.3, "),
    ],
)
def test_an_unknown_mark_is_an_error_with_a_remedy(mark: str, remedy: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        check_mark(mark)
    assert str(caught.value).splitlines()[0] == f"{mark!r} is not known"
    assert str(caught.value).splitlines()[1].strip().startswith(remedy)


def test_the_sections_are_the_headings_of_the_sheets() -> None:
    assert {
        sheet: frozenset(re.findall(r"^##+ (\d+(?:\.\d+)*)\b", text, re.MULTILINE)) for sheet, text in TEXTS.items()
    } == SECTIONS


@pytest.mark.parametrize("sheet", STEPS)
def test_the_numbered_steps_are_in_the_sheets(sheet: str) -> None:
    for number in STEPS[sheet]:
        section, _dot, step = number.partition(".")
        in_a_row = re.search(rf"^(?:\| |\*\*|){re.escape(number)}\b", TEXTS[sheet], re.MULTILINE)
        body = re.search(rf"^##+ {section}\b.*?(?=^## |\Z)", TEXTS[sheet], re.MULTILINE | re.DOTALL)
        span = re.search(rf"^(?:\| |\*\*|){section}\.\d+–{re.escape(number)}\b", TEXTS[sheet], re.MULTILINE)
        assert in_a_row or span or (body and re.search(rf"^{step}\. ", body[0], re.MULTILINE)), number


def test_the_open_choices_are_those_of_the_sheet() -> None:
    assert frozenset(re.findall(r"^\| (\d+[a-z]?) \|", TEXTS["open-choices.md"], re.MULTILINE)) == OPEN_CHOICES


def test_every_item_of_the_test_standard_is_a_row_with_its_title() -> None:
    section_3 = TABLE[TABLE.index("## 3.") : TABLE.index("## 4.")]
    numbered = dict(re.findall(r"^\| (\d+\.\d) \| ([^|]+) \|", section_3, re.MULTILINE))
    assert len(numbered) == 23
    for number, title in numbered.items():
        assert ITEMS[f"LD/T 6001.3 {number}"].title.chinese == title.strip()
    objects = re.findall(
        r"^\| (\w+|\(object\)) \| ([^|]+) \|", TABLE[TABLE.index("## 2.") : TABLE.index("## 3.")], re.M
    )
    titles = {title.strip() for _word, title in objects if title.strip() != "Title in the scope"}
    assert {item.title.chinese for mark, item in ITEMS.items() if mark.startswith("LD/T 6001.2 ")} == titles
    section_4 = TABLE[TABLE.index("## 4.") : TABLE.index("## 5.")]
    by_psam = set(re.findall(r"^\| 5[^|]*\| (i\w+) ", section_4, re.MULTILINE))
    by_hsm = set(re.findall(r"^\| 6[^|]*\| [^|]+ \| (i\w+)_HSM_Step", section_4, re.MULTILINE))
    by_hsm |= set(re.findall(r"\| (i\w+)_HSM_Step1", section_4))
    marks = {mark.removeprefix("LD/T 6001.5 ") for mark in ITEMS if mark.startswith("LD/T 6001.5 i")}
    assert marks == {f"{name} (PSAM)" for name in by_psam} | {f"{name} (HSM)" for name in by_hsm}
    section_5 = TABLE[TABLE.index("## 5.") :]
    commands = dict(re.findall(r"^\| (7\.\d) \| ([^|]+) \|", section_5, re.MULTILINE))
    assert commands == {
        mark.removeprefix("LD/T 32.5 "): item.title.english for mark, item in ITEMS.items() if mark[10:12] == "7."
    }


def test_each_online_step_of_the_page_is_a_clause() -> None:
    page = yaml.safe_load(ITEM_PAGE.read_text("utf-8"))
    steps = [title.chinese for number, title in CLAUSES.items() if number.startswith("1.15.")]
    assert "、".join(steps) == page["基本信息"]["网上办理深度"]


def test_the_clauses_are_numbered_as_the_page() -> None:
    page = yaml.safe_load(ITEM_PAGE.read_text("utf-8"))
    sections = ("基本信息", "扩展信息", "编码信息", "申请条件")
    for section, title in enumerate(sections, 1):
        rows = [number for number in CLAUSES if re.fullmatch(rf"{section}\.\d+", number)]
        assert len(rows) == len(page[title])
        for number, row in zip(rows, page[title], strict=True):
            if isinstance(page[title], dict):
                assert CLAUSES[number].chinese.startswith(row)
