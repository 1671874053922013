"""The holder base: one answer from each form, and a file that survives killed writers."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from kit.holderbases import served_base
from kit.programs import CommandLine
from sscard.errors import HolderBaseUnavailable, InputError
from sscard.issuer.cardfile import load_card
from sscard.issuer.holder import card_number
from sscard.issuer.holderbase import HolderBase, ListedCards, MemoryHolderBase
from sscard.issuer.holderbasefile import SqliteHolderBase
from sscard.issuer.personalise import number_of
from sscard.issuer.standing import Standing

CARD, OTHER = card_number("A0000100"), card_number("A0000101")
NUMBERS = count(1)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "base.db"


# The same contract for the three forms

BODIES = st.integers(0, 30).map(lambda number: card_number(f"A{number:07d}"))


@st.composite
def entries(draw: Any) -> ListedCards:
    ends = sorted((draw(BODIES), draw(BODIES)))
    single = draw(st.booleans())
    return ListedCards(first=ends[0], last="" if single else ends[1], standing=draw(st.sampled_from(Standing)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bases")


@settings(max_examples=25)
@given(written=st.lists(st.lists(entries(), max_size=4), max_size=4), asked=st.lists(BODIES, min_size=1, max_size=8))
def test_the_newest_entry_for_a_card_counts_in_memory_and_in_a_file(
    folder: Path, written: list[list[ListedCards]], asked: list[str]
) -> None:
    memory, stored = MemoryHolderBase(), SqliteHolderBase(folder / f"{next(NUMBERS)}.db", create=True)
    known: dict[str, Standing] = {}
    for batch in written:
        memory.put(*batch)
        stored.put(*batch)
        for entry in batch:
            first, last = int(entry.first[1:8]), int((entry.last or entry.first)[1:8])
            known |= {card_number(f"A{number:07d}"): entry.standing for number in range(first, last + 1)}
    for number in asked:
        expected = known.get(number, Standing.IN_USE)
        assert (memory.standing(number), stored.standing(number)) == (expected, expected)


@pytest.fixture(params=["memory", "file", "service over memory", "service over a file"])
def base(request: pytest.FixtureRequest, file: Path) -> Iterator[tuple[HolderBase, Any]]:
    """A base of each form, and what writes to it."""
    written: Any = SqliteHolderBase(file, create=True) if "file" in request.param else MemoryHolderBase()
    if "service" in request.param:
        with served_base(written) as client:
            yield client, written
    else:
        yield written, written


def test_a_card_has_the_standing_that_was_written_last(base: tuple[HolderBase, Any]) -> None:
    asked, written = base
    assert asked.standing(CARD) is Standing.IN_USE
    for standing in [*Standing, Standing.LOST]:
        written.put(ListedCards(first=CARD, standing=standing))
        assert asked.standing(CARD) is standing
    assert asked.standing(OTHER) is Standing.IN_USE
    written.put(ListedCards(first=CARD, last=OTHER, standing=Standing.CANCELLED))
    assert [asked.standing(number) for number in (CARD, OTHER)] == [Standing.CANCELLED] * 2
    written.put(ListedCards(first=OTHER, standing=Standing.IN_USE))
    assert [asked.standing(number) for number in (CARD, OTHER)] == [Standing.CANCELLED, Standing.IN_USE]


@pytest.mark.parametrize("number", ["", "x", "卡号", "a" * 64])
def test_a_number_of_another_form_is_not_listed(base: tuple[HolderBase, Any], number: str) -> None:
    assert base[0].standing(number) is Standing.IN_USE


def test_a_range_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(ValidationError, match="the last card is before the first one"):
        ListedCards(first=OTHER, last=CARD, standing=Standing.LOST)


# The file


def test_a_file_is_its_owners_and_lists_the_newest_entry_first(file: Path) -> None:
    base = SqliteHolderBase(file, create=True)
    base.put(ListedCards(first=CARD, last=OTHER, standing=Standing.LOST), ListedCards(first=CARD, standing="expired"))
    SqliteHolderBase(file, create=True)  # an existing one is left as it is
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [(each.first, each.last, each.standing) for each in base.listed()] == [
        (CARD, "", Standing.EXPIRED),
        (CARD, OTHER, Standing.LOST),
    ]


def test_reading_changes_nothing_and_leaves_no_file_beside_it(file: Path) -> None:
    SqliteHolderBase(file, create=True).put(ListedCards(first=CARD, standing=Standing.LOST))
    before = file.read_bytes()
    base = SqliteHolderBase(file)
    assert base.standing(CARD) is Standing.LOST
    assert len(list(base.listed())) == 1
    assert file.read_bytes() == before
    assert [each.name for each in file.parent.iterdir()] == [file.name]


def test_a_base_in_wal_mode_is_read_too(file: Path) -> None:
    """As another program may have left it, with its last commits in the log."""
    base = SqliteHolderBase(file, create=True)
    with closing(sqlite3.connect(file)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("SELECT count(*) FROM listed").fetchone()
        base.put(ListedCards(first=CARD, standing=Standing.LOST))
        assert file.with_name("base.db-wal").stat().st_size
        assert base.standing(CARD) is Standing.LOST


@pytest.mark.parametrize("content", [b"", b"no database" * 100, b"SQLite format 3\0"])
def test_another_file_is_refused_and_not_changed(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(InputError, match="not a holder base"):
        SqliteHolderBase(file)
    with pytest.raises(InputError, match="not a holder base"):
        SqliteHolderBase(file, create=True)
    assert file.read_bytes() == content


def test_a_missing_file_names_the_command_that_creates_it(file: Path) -> None:
    with pytest.raises(InputError, match="sscard holder-base set"):
        SqliteHolderBase(file)


def test_a_base_gives_no_answer_while_another_process_holds_its_file(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sscard.issuer.holderbasefile.WAIT", 0)
    base = SqliteHolderBase(file, create=True)
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(HolderBaseUnavailable, match="database is locked"):
            base.standing(CARD)
    assert base.standing(CARD) is Standing.IN_USE


def test_a_file_that_vanished_gives_no_answer_and_is_not_made_again(file: Path) -> None:
    base = SqliteHolderBase(file, create=True)
    file.unlink()
    with pytest.raises(HolderBaseUnavailable):
        base.standing(CARD)
    assert not file.exists()


def test_a_standing_of_a_newer_version_gives_no_answer(file: Path) -> None:
    base = SqliteHolderBase(file, create=True)
    base.put(ListedCards(first=CARD, standing=Standing.LOST))
    with closing(sqlite3.connect(file)) as other:
        other.execute("UPDATE listed SET standing = 'borrowed'")
        other.commit()
    with pytest.raises(HolderBaseUnavailable, match="unknown standing 'borrowed'"):
        base.standing(CARD)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE listed SET standing = 'borrowed' WHERE id = 2",
        "UPDATE listed SET standing = CAST(x'6cff' AS TEXT) WHERE id = 2",
        "UPDATE listed SET standing = x'6cff' WHERE id = 2",
        "UPDATE listed SET first = CAST(x'41ff303030313030' AS TEXT), last = first WHERE id = 2",
        "UPDATE listed SET first = '卡号', last = '卡号' WHERE id = 2",
        "UPDATE listed SET last = x'42' WHERE id = 2",
    ],
)
def test_a_row_that_is_not_an_entry_is_named(sscard: CommandLine, file: Path, statement: str) -> None:
    base = SqliteHolderBase(file, create=True)
    base.put(ListedCards(first=OTHER, standing=Standing.LOST), ListedCards(first=CARD, standing=Standing.LOST))
    with closing(sqlite3.connect(file)) as other:
        other.execute(statement)
        other.commit()
    code, out, err = sscard("holder-base", "list", file)
    assert (code, out, "row 2 of the table listed is not an entry" in err) == (2, "", True), err
    assert base.standing(OTHER) is Standing.LOST
    if "standing" in statement:
        with pytest.raises(HolderBaseUnavailable, match="unknown standing"):
            base.standing(CARD)


@pytest.mark.parametrize("content", [b"no database" * 1000, b"SQLite format 3\0" + bytes(5000), b""])
def test_a_file_that_is_replaced_after_it_was_opened_gives_no_answer(file: Path, content: bytes) -> None:
    base = SqliteHolderBase(file, create=True)
    file.write_bytes(content)
    with pytest.raises(HolderBaseUnavailable, match="holder base"):
        base.standing(CARD)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a process")
def test_a_killed_writer_leaves_all_of_its_entries_or_none(file: Path) -> None:
    """The transaction is larger than the cache, so that part of it is in the file when its writer is killed."""
    base = SqliteHolderBase(file, create=True)
    base.put(*(ListedCards(first=card_number(f"A{number:07d}"), standing=Standing.LOST) for number in range(2000)))
    writer = os.fork()
    if writer == 0:
        with closing(sqlite3.connect(file, isolation_level=None)) as db:
            db.execute("PRAGMA cache_size = 2")
            db.execute("BEGIN IMMEDIATE")
            db.execute("UPDATE listed SET standing = 'cancelled'")
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(writer, 0)
    assert file.with_name("base.db-journal").exists()
    assert b"cancelled" in file.read_bytes()
    assert base.standing(card_number("A0000007")) is Standing.LOST
    assert {entry.standing for entry in base.listed()} == {Standing.LOST}


# The commands


def test_issued_cards_are_registered(sscard: CommandLine, tmp_path: Path, file: Path) -> None:
    cards = tmp_path / "cards"
    options = ("--seed", 1, "--count", 3, "--holder-base", file, "--standing", "not-enabled")
    assert sscard("issue", "-o", cards, *options)[0] == 0
    numbers = {number_of(load_card(card)) for card in cards.iterdir()}
    assert {entry.first for entry in SqliteHolderBase(file).listed()} == numbers
    assert len(numbers) == 3
    card = next(cards.iterdir())
    assert sscard("holder-base", "show", file, card)[1].endswith(": not enabled\n")
    assert sscard("holder-base", "set", file, card, "in-use")[0] == 0
    assert sscard("holder-base", "show", file, card)[1].endswith(": in use\n")


def test_a_list_with_a_wrong_check_character_is_refused_with_its_line(
    sscard: CommandLine, tmp_path: Path, file: Path
) -> None:
    wrong = CARD[:-1] + ("1" if CARD[-1] != "1" else "2")
    source = tmp_path / "list.yaml"
    source.write_text(
        f"cards:\n- {{first: {CARD}, standing: lost}}\n- first: {CARD}\n  last: {wrong}\n  standing: lost\n"
    )
    code, out, err = sscard("holder-base", "import", file, source)
    assert (code, out, file.exists()) == (2, "", False)
    assert "list.yaml:4:" in err
    assert "cards, entry 2, last: not a card number" in err
    assert "the last one of which is a check" in err


def test_a_policy_is_imported_with_its_first_entry_first(sscard: CommandLine, tmp_path: Path, file: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(
        f"adult_age: 18\ncards:\n- {{first: {CARD}, standing: lost}}\n"
        f"- {{first: {CARD}, last: {OTHER}, standing: cancelled}}\n"
    )
    assert sscard("holder-base", "import", file, policy)[:2] == (0, f"{file}: 2 entries added\n")
    base = SqliteHolderBase(file)
    assert [base.standing(number) for number in (CARD, OTHER)] == [Standing.LOST, Standing.CANCELLED]
    assert sscard("holder-base", "list", file)[1] == f"{CARD}: lost\n{CARD}-{OTHER}: cancelled\n"
