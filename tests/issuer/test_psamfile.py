"""A PSAM in a file: counters and keys over sessions and crashes, damage, and who may read it."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random

import pytest

from kit.programs import run
from sscard.chip.memory import PowerLost
from sscard.errors import InputError
from sscard.issuer import builtin_keys
from sscard.issuer.cardfile import load_card, open_card
from sscard.issuer.psam import PsamCard, issue_psam
from sscard.issuer.psamfile import FilePsam, load_psam, open_psam, save_psam

TERMINAL = "410400000001"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    save_psam(issue_psam(builtin_keys(), TERMINAL, "province"), tmp_path / "psam.db")
    return tmp_path / "psam.db"


@contextmanager
def powered(path: Path) -> Iterator[FilePsam]:
    with open_psam(path, Random(1)) as psam:
        psam.power_on()
        yield psam


WRONG = bytes.fromhex("0082000010") + bytes(16)
"""EXTERNAL AUTHENTICATION of DDF-MK with a wrong proof, which costs a try."""


def try_key(psam: FilePsam) -> str:
    """A wrong proof: the status word."""
    psam.transmit(bytes.fromhex("0084000008"))
    return psam.transmit(WRONG)[-2:].hex()


def tries(path: Path) -> int:
    return load_psam(path).snapshot().key_tries["DES"]["DDF-MK"]


@pytest.mark.parametrize("options", [{}, {"sm4": False}, {"read_key": False, "stk_enciphers": False}])
@pytest.mark.parametrize("level", ["national", "province", "city"])
def test_a_psam_comes_back_from_its_file_as_it_was_issued(tmp_path: Path, level: str, options: dict[str, bool]) -> None:
    issued = issue_psam(builtin_keys(), TERMINAL, level, **options)  # type: ignore[arg-type]
    save_psam(issued, tmp_path / "psam.db")
    loaded = load_psam(tmp_path / "psam.db")
    assert loaded.snapshot() == issued.snapshot()
    assert loaded.level == issued.level == level
    assert (loaded.memory.numbers, loaded.memory.strings) == (issued.memory.numbers, issued.memory.strings)
    assert loaded.profile.__reduce__() == issued.profile.__reduce__()


def test_counters_are_kept_over_sessions(path: Path) -> None:
    for left in (2, 1, 0):
        with powered(path) as psam:
            assert try_key(psam) == "6982"
        assert tries(path) == left
    with powered(path) as psam:
        assert try_key(psam) == "6983"
    assert load_psam(path).snapshot().key_tries["SM4"]["DDF-MK"] == 3


def test_a_change_is_in_the_file_before_the_answer_also_if_the_process_is_killed(path: Path) -> None:
    child = os.fork()
    if not child:
        try:
            opened = open_psam(path, Random(1))
            psam = opened.__enter__()
            psam.power_on()
            try_key(psam)
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert tries(path) == 2
    with powered(path) as psam:
        assert try_key(psam) == "6982"
    assert tries(path) == 1


@pytest.mark.parametrize("point", range(3))
def test_a_power_cut_in_a_write_is_recovered_in_the_next_session(path: Path, point: int) -> None:
    """Before the log, between log and cell, before the log is cleared."""
    with powered(path) as psam:
        psam.transmit(bytes.fromhex("0084000008"))
        psam.card.memory.cut_power(point)
        with pytest.raises(PowerLost):
            psam.transmit(WRONG)
    with powered(path) as psam:
        assert psam.chip.snapshot().key_tries["DES"]["DDF-MK"] == (2 if point else 3)


def test_a_psam_in_use_is_nobody_elses(path: Path) -> None:
    with powered(path):
        for use in (lambda: open_psam(path).__enter__(), lambda: save_psam(issue_psam(builtin_keys()), path)):
            with pytest.raises(InputError, match="is open in this process already"):
                use()
        done = run("driver", "serve", path.with_name("card.db"), "--psam", path, "--pins", "1", "--listen", "tcp:0")
        assert done.returncode == 2


def test_the_file_is_for_its_owner_only_and_nothing_shows_a_key(path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    psam = load_psam(path)
    own = psam.profile.own_key(0, 0)
    assert own is not None
    shown = "".join([repr(psam.profile), repr(psam.snapshot()), run("psam", "show", path, "--all", "--json").stdout])
    assert own.hex() not in shown.lower()
    for record in psam.memory.strings:
        assert len(record) <= 10 or record.hex() not in shown.lower()
    root = builtin_keys().root(psam.profile.environments[0].suite, "IRK", 0)
    assert root is not None
    assert root.hex() not in shown.lower()


def changed(path: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(statement, values)


NUMBER = "UPDATE number SET value = ? WHERE number = (SELECT number FROM cell WHERE kind = 'number' AND name = ?)"
STRING = "UPDATE string SET value = ? WHERE number = (SELECT number FROM cell WHERE kind = 'string' AND name = ?)"
FACT = "UPDATE card SET value = ? WHERE name = ?"


@pytest.mark.parametrize(
    ("statement", "values"),
    [
        (NUMBER, (4, "DES DDF-MK tries")),
        (NUMBER, (-1, "DES DDF-MK tries")),
        (NUMBER, ("3", "DES DDF-MK tries")),
        (NUMBER, (2, "blocked")),
        (STRING, (b"\x01", "DES 0019")),
        (STRING, (b"\x67", "DES 0011")),
        (STRING, (b"\x67\x08\0\x09" + bytes(20), "DES 0011")),
        (STRING, (b"\xe7\x08" + bytes(22), "DES 0011")),
        (FACT, ("[]", "environments")),
        (FACT, ('["AES"]', "environments")),
        (FACT, ("[" * 100_000, "environments")),
        (FACT, ("00", "historical")),
        (FACT, ("three", "key_tries")),
        ("UPDATE key SET value = ? WHERE name = ?", ("00", "DES DDF-MK")),
        ("UPDATE key SET value = ? WHERE name = ?", ("no hex", "DES DDF-MK")),
        ("DELETE FROM card WHERE name = ?", ("environments",)),
        ("DELETE FROM cell WHERE name = ?", ("DES 0019",)),
        ("DELETE FROM number WHERE number = ?", (1,)),
    ],
)
def test_a_value_that_no_psam_has_is_refused(path: Path, statement: str, values: tuple[object, ...]) -> None:
    changed(path, statement, *values)
    for use in (lambda: open_psam(path).__enter__(), lambda: load_psam(path)):
        with pytest.raises(InputError) as refused:
            use()
        assert str(refused.value).startswith(f"{path}: is a damaged PSAM file\n")


def test_a_file_of_a_newer_sscard_is_refused(path: Path) -> None:
    changed(path, "PRAGMA user_version = 99")
    with pytest.raises(InputError, match="is of version 99, this sscard reads up to 1"):
        load_psam(path)


def test_for_a_path_that_is_no_file_a_psam_file_is_expected(tmp_path: Path) -> None:
    for use in (
        load_psam,
        lambda path: save_psam(issue_psam(builtin_keys()), path),
        lambda path: open_psam(path).__enter__(),
    ):
        with pytest.raises(InputError, match="expected the name of a PSAM file"):
            use(tmp_path)


def test_a_psam_is_no_card(path: Path) -> None:
    for use in (lambda: load_card(path), lambda: open_card(path).__enter__()):
        with pytest.raises(InputError, match="is a PSAM file, not a card file"):
            use()


def test_a_psam_in_memory_has_challenges_of_its_own() -> None:
    psam: PsamCard = issue_psam(builtin_keys())
    chips = [psam.chip(), psam.chip()]
    challenges = set()
    for chip in chips:
        chip.power_on()
        challenges.add(chip.transmit(bytes.fromhex("0084000008")))
    assert len(challenges) == 2
