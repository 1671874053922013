"""A table at any width: every character is printed, in its column, and no line is wider than the terminal."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sscard.cli.table import table_lines
from sscard.i18n.language import columns

CELLS = st.text(alphabet="ab 中文，（-", max_size=20)
CASES = (("case", "stage", "applicant", "due"), [("20261126000001", "accepted, in doubt", "李丽", "2026-11-27")])


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=4), st.integers(10, 70))
def test_nothing_is_cut_off_and_no_line_is_too_wide(rows: list[tuple[str, ...]], width: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(width))
        lines = [*table_lines(("x", "y", "z"), rows)]
    printed = sorted("".join("".join(lines).split()))
    assert printed == sorted("xyz" + "".join("".join(cell.split()) for row in rows for cell in row))
    assert max(map(columns, lines)) <= width


@pytest.mark.parametrize(
    ("width", "lines"),
    [
        (
            "80",
            [
                "case            stage               applicant  due",
                "20261126000001  accepted, in doubt  李丽       2026-11-27",
            ],
        ),
        (
            "45",
            [
                "case           stage     applicant due",
                "20261126000001 accepted, 李丽      2026-11-27",
                "               in doubt",
            ],
        ),
        (
            "44",
            [
                "case           stage     applican due",
                "                         t",
                "20261126000001 accepted, 李丽     2026-11-27",
            ],
        ),
    ],
)
def test_words_and_numbers_stay_whole_as_long_as_there_is_space(
    monkeypatch: pytest.MonkeyPatch, width: str, lines: list[str]
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    assert [*table_lines(*CASES, names=(2,), whole=(0, 3))][: len(lines)] == lines


def test_numbers_are_aligned_to_the_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert [*table_lines(("渠道", "n"), [("a", "7"), ("b", "12")], numbers=(1,))] == [
        "渠道   n",
        "a      7",
        "b     12",
    ]


def test_a_number_stays_beside_its_unit_in_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    rows = [("case:locked-known", "58.3 µs", "1.25 ms")]
    assert [*table_lines(("flow", "p50", "per second"), rows, names=(0,), numbers=(1, 2))] == [
        "flow               p50     per",
        "                        second",
        "case:locked-kn 58.3 µs 1.25 ms",
        "own",
    ]
