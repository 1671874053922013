"""Durations as reports and benchmarks print them."""

from __future__ import annotations

import pytest

from sscard.i18n.duration import time_text
from sscard.i18n.language import speaking


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.00 µs"),
        (58.34e-6, "58.3 µs"),
        (999.4e-6, "999 µs"),
        (999.6e-6, "1.00 ms"),
        (1.25e-3, "1.25 ms"),
        (0.1, "100 ms"),
        (0.9996, "1.00 s"),
        (9.999, "10.0 s"),
        (59.9, "59.9 s"),
        (60, "1 min 0 s"),
        (185.2, "3 min 5 s"),
    ],
)
def test_a_duration_has_three_digits_and_from_a_minute_seconds(seconds: float, text: str) -> None:
    assert time_text(seconds) == text


def test_a_duration_in_chinese() -> None:
    with speaking("zh"):
        assert [time_text(each) for each in (2e-5, 0.0123, 3)] == ["20.0微秒", "12.3毫秒", "3.00秒"]
