"""A fault in one word, as `sscard insert --fault` takes it."""

from __future__ import annotations

import pytest

from kit.vpcd_driver import EchoCard
from sscard.chip.memory import Moment
from sscard.errors import InvalidValue
from sscard.scenario.faults import FAULTS, read_fault
from sscard.transport.faults import Corrupted, Fault, Mute, Removal, Slow, Swap, Truncated

OTHER = EchoCard()
WORDS: dict[str, tuple[str, Fault, int]] = {
    "removed": ("removed=during@3", Removal(Moment.DURING), 3),
    "mute": ("mute@1", Mute(), 1),
    "slow": ("slow=2.5@7", Slow(2.5), 7),
    "truncated": ("truncated=1@2", Truncated(1), 2),
    "corrupted": ("corrupted=-1@2", Corrupted(-1), 2),
    "swapped": ("swapped=v1-des@4", Swap(OTHER), 4),
}


def test_every_fault_of_a_scenario_has_a_word() -> None:
    assert WORDS.keys() == FAULTS.keys()


@pytest.mark.parametrize("name", FAULTS)
def test_a_word_is_the_fault_of_a_scenario(name: str) -> None:
    word, fault, nth = WORDS[name]
    read = read_fault(word)
    assert read.name == name
    assert read.nth == nth
    assert read.fault(lambda _personality: OTHER) == fault


@pytest.mark.parametrize(
    ("word", "problem", "remedy"),
    [
        ("", "'' names no command", "removed=before|during|after@N"),
        ("mute", "'mute' names no command", "mute@N"),
        ("mut@1", "no fault 'mut'", "did you mean 'mute'?"),
        ("@1", "no fault ''", "removed"),
        *(
            (f"mute@{nth}", f"{nth}: the number of a command expected", "mute@N")
            for nth in ("0", "x", "1_0", "²", "+1")
        ),
        ("mute@", ": the number of a command expected", "mute@N"),
        ("mute=2@1", "mute=2: takes no value", "mute@N"),
        ("removed@1", "removed: before, during or after expected", "mute@N"),
        ("removed=never@1", "removed=never: before, during or after expected", "mute@N"),
        *(
            (f"slow={text}@1", f"slow={text}: seconds expected", "SECONDS")
            for text in ("0", "61", "1e1", "x", "nan", "")
        ),
        *(
            (f"truncated={text}@1", f"truncated={text}: a number of bytes", "BYTES")
            for text in ("0", "258", "1_0", "x")
        ),
        *(
            (f"corrupted={text}@1", f"corrupted={text}: the position", "POSITION")
            for text in ("300", "-300", "1_0", "+1")
        ),
        ("swapped=v9@1", "no personality 'v9'", "v1-des"),
    ],
)
def test_what_is_no_fault_is_named_with_what_is_expected(word: str, problem: str, remedy: str) -> None:
    with pytest.raises(InvalidValue) as raised:
        read_fault(word)
    assert problem in str(raised.value)
    assert remedy in str(raised.value)
