"""PINs that the operation of a case does not use: every operation, stage and PIN option of ``sscard case``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kit.cards import citizens_card
from kit.citizens import ID_NUMBER
from kit.programs import CommandLine
from sscard.issuer.cardfile import save_card

OLD, NEW = "739104", "80264153"
NO_OPERATION = "is not used: the card is not operated now"
NO_OLD = "note: --old is not used: a reset needs no old PIN"
KEEPS = "--new: an unblock keeps the PIN of the card\n  leave it out; or apply for a new PIN: --reason locked"

# reason, whether the card is given, with --new and --old; exit code, what is said about them
OPENED = {
    "a change uses both": ("leaked", True, True, True, 0, ""),
    "a reset needs no old PIN": ("forgotten", True, True, True, 0, NO_OLD),
    "a reset of a locked card neither": ("locked", True, True, True, 0, NO_OLD),
    "a reset uses the new one": ("forgotten", True, True, False, 0, ""),
    "an unblock keeps the PIN": ("locked-known", True, True, True, 2, KEEPS),
    "an unblock uses the old one": ("locked-known", True, False, True, 0, ""),
    "an unblock without card": ("locked-known", False, True, False, 2, KEEPS),
    "no operation": ("none", True, True, True, 1, f"--new {NO_OPERATION}\nnote: --old {NO_OPERATION}"),
    "no card yet": ("leaked", False, True, True, 0, f"--new {NO_OPERATION}\nnote: --old {NO_OPERATION}"),
    "no card yet, one PIN": ("forgotten", False, False, True, 0, f"note: --old {NO_OPERATION}"),
}


@pytest.fixture
def card(tmp_path: Path, sscard: CommandLine, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.delenv("SSCARD_JOURNAL", raising=False)
    Path("policy.yaml").write_text("based_on: page\nunblock: accept\n")
    save_card(citizens_card(OLD, id_number=ID_NUMBER), Path("card.db"))
    return "card.db"


def typed(new: bool, old: bool) -> tuple[str, ...]:
    return (*(("--new", NEW) if new else ()), *(("--old", OLD) if old else ()))


@pytest.mark.parametrize("name", OPENED)
def test_a_pin_that_is_not_used_is_named(card: str, sscard: CommandLine, name: str) -> None:
    reason, with_card, new, old, code, told = OPENED[name]
    if reason.startswith("locked"):
        for _ in range(6):
            sscard("verify-pin", card, "--pin", "000000")
    person = ("--channel", "online", "--handling", "window", "--name", "张三", "--id", ID_NUMBER)
    where = (card,) if with_card else person
    found = sscard("case", "open", *where, "--reason", reason, "--policy", "policy.yaml", *typed(new, old))
    assert found[0] == code
    assert told in found[2]
    assert bool(told) is bool(found[2])
    assert ("there is no journal" in sscard("case", "list")[2]) is (code == 2)


@pytest.mark.parametrize(
    ("reason", "more", "told"),
    [
        ("locked-known", (), KEEPS),
        ("forgotten", (), NO_OLD),
        ("leaked", ("--abandon",), f"note: --new {NO_OPERATION}\nnote: --old {NO_OPERATION}"),
    ],
)
def test_nor_does_a_resume_use_it(
    card: str, sscard: CommandLine, reason: str, more: tuple[str, ...], told: str
) -> None:
    person = ("--channel", "online", "--handling", "window", "--name", "张三", "--id", ID_NUMBER)
    policy = ("--policy", "policy.yaml")
    opened = sscard("case", "open", *person, "--reason", reason, *policy, "--json")
    number = json.loads(opened[1])["number"]
    code, _out, err = sscard("case", "resume", number, card, *policy, *typed(new=True, old=True), *more)
    assert (code, told in err) == (2 if told is KEEPS else 0, True)


@pytest.mark.parametrize("from_file", [True, False], ids=["file", "environment"])
def test_a_pin_in_a_file_is_named_and_one_in_the_environment_is_there_for_any_command(
    card: str, sscard: CommandLine, monkeypatch: pytest.MonkeyPatch, from_file: bool
) -> None:
    Path("old").write_text(OLD)
    Path("old").chmod(0o600)
    if not from_file:
        monkeypatch.setenv("SSCARD_PIN", OLD)
    given = ("--old-file", "old") if from_file else ()
    code, _out, err = sscard("case", "open", card, "--reason", "forgotten", "--new", NEW, *given)
    assert (code, NO_OLD in err) == (0, from_file)
