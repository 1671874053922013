"""Results of a campaign in a file: what is refused, what is kept, and what they are exported to."""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

import kit
from kit.campaigns import PLAN, counted, failing, row_at
from sscard.campaign import results_writer
from sscard.campaign.figures import Figures, figures_of
from sscard.campaign.population import read_population
from sscard.campaign.results import Plan, Results
from sscard.campaign.results_writer import ResultsWriter
from sscard.campaign.rows import Done, Row, Through, digest, shards
from sscard.errors import InputError, MissingPart
from sscard.issuer.cardfile import save_card

ALL = [*shards(PLAN.cards)]


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """The file of a complete campaign."""
    file = tmp_path / "results.db"
    with ResultsWriter.create(file, PLAN) as opened:
        for shard in ALL:
            opened.add(counted(shard))
        opened.finish()
    return file


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    """The file of a campaign of which the second shard is done."""
    file = tmp_path / "begun.db"
    with ResultsWriter.create(file, PLAN) as opened:
        opened.add(counted(ALL[1]))
    return file


def test_rows_come_back_in_order_whatever_the_order_of_the_shards(tmp_path: Path) -> None:
    shuffled = Random(3).sample(ALL, len(ALL))
    with ResultsWriter.create(tmp_path / "a.db", PLAN) as opened:
        for shard in shuffled:
            opened.add(counted(shard))
        found = opened.finish()
    with Results(tmp_path / "a.db") as read:
        assert [*read.rows()] == [row_at(index) for index in range(PLAN.cards)]
        assert [facts.shard for facts in read.shards()] == ALL
        assert {(facts.layers["card"], facts.modelled["person"]) for facts in read.shards()} == {(0.25, 3)}
        assert read.digest == found == digest(counted(shard).digest for shard in ALL)
        assert (read.plan, read.done, read.failed) == (PLAN, PLAN.cards, 0)


def test_a_view_has_names_and_no_time_where_nothing_happened(whole: Path) -> None:
    row = next(row_at(index) for index in range(PLAN.cards) if not row_at(index).lockouts)
    with closing(sqlite3.connect(whole)) as database:
        database.row_factory = sqlite3.Row
        found = dict(database.execute("SELECT * FROM cards WHERE card = ?", (row.index,)).fetchone())
    assert found["outcome"] == row.outcome.name.lower()
    assert (found["product"], found["place"]) == (PLAN.products[row.product], PLAN.places[row.place])
    assert (found["arrival"], found["locked_at"], found["state"]) == (row.arrival, None, row.state.hex())


def test_an_incomplete_campaign_has_no_digest_and_is_continued(begun: Path) -> None:
    with Results(begun) as read:
        assert (read.digest, read.done) == ("", 500)
    with ResultsWriter.resume(begun, PLAN) as opened:
        left = [*opened.missing()]
        assert left == [ALL[0], *ALL[2:]]
        for shard in left:
            opened.add(counted(shard))
        assert opened.finish() == digest(counted(shard).digest for shard in ALL)


def test_a_shard_that_is_interrupted_is_not_in_the_file(begun: Path) -> None:
    def interrupting() -> Iterator[Any]:
        raise KeyboardInterrupt
        yield

    done = counted(ALL[2])
    with pytest.raises(KeyboardInterrupt), ResultsWriter.resume(begun, PLAN) as opened:
        opened.add(Done(done.shard, done.rows, failures=interrupting()))  # type: ignore[arg-type]
    with Results(begun) as read:
        assert (read.done, sum(1 for _ in read.rows())) == (500, 500)


@pytest.mark.skipif(os.name != "posix", reason="no modes of files")
def test_only_the_owner_can_read_it(whole: Path) -> None:
    assert whole.stat().st_mode & 0o777 == 0o600
    assert [*whole.parent.iterdir()] == [whole]


def text_file(path: Path) -> None:
    path.write_text("yesterday\n")


def card_file(path: Path) -> None:
    save_card(kit.card_of("v3-sm4", "739184"), path)


def database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as opened:
        opened.execute("CREATE TABLE card (card)")


@pytest.mark.parametrize("make", [text_file, card_file, database, Path.touch])
def test_another_file_is_refused_and_stays(tmp_path: Path, make: Callable[[Path], None]) -> None:
    file = tmp_path / "file"
    make(file)
    before = file.read_bytes()
    with pytest.raises(InputError, match="is no results file of a campaign"):
        ResultsWriter.resume(file, PLAN)
    with pytest.raises(InputError, match="exists already"):
        ResultsWriter.create(file, PLAN)
    assert file.read_bytes() == before
    assert [*tmp_path.iterdir()] == [file]


def test_a_file_that_does_not_exist_is_not_created_by_a_reader(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such file"):
        Results(tmp_path / "none.db")
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("other", "named"),
    [
        (replace(PLAN, seed=2), "--seed 1, not 2"),
        (replace(PLAN, cards=4000), "--cards 2600, not 4000"),
        (replace(PLAN, through=Through.SERVICE), "--through card, not service"),
        (replace(PLAN, version="2"), "sscard 1, not 2"),
        (replace(PLAN, population='{"other": 1}'), "another population"),
        (replace(PLAN, places=("there", "here")), "another population"),
    ],
)
def test_another_campaign_does_not_continue_it(begun: Path, other: Plan, named: str) -> None:
    before = begun.read_bytes()
    with pytest.raises(InputError, match=named):
        ResultsWriter.resume(begun, other)
    with Results(begun) as read:
        assert (read.plan, read.done) == (PLAN, 500)
    assert len(before) == begun.stat().st_size


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE card SET tries_left = tries_left + 1 WHERE card = 700",
        "DELETE FROM card WHERE card = 999",
        "DELETE FROM shard WHERE first = 500",
        "UPDATE shard SET digest = x'00'",
        "DELETE FROM campaign",
        "DROP VIEW cards",
    ],
)
def test_changed_results_are_not_continued(begun: Path, damage: str) -> None:
    with closing(sqlite3.connect(begun)) as opened:
        opened.execute(damage)
        opened.commit()
    with pytest.raises(InputError, match="is a damaged results file"):
        ResultsWriter.resume(begun, PLAN)


@pytest.mark.parametrize(
    "damage",
    [
        "campaign SET population = '{'",
        "campaign SET population = '{}'",
        "campaign SET population = 7",
        "campaign SET seed = 'x'",
        "campaign SET seed = -5",
        "campaign SET cards = 0",
        "campaign SET cards = 1e30",
        "campaign SET through = 'window'",
        "campaign SET digest = x'00'",
        """campaign SET population = '{"arrivals": {"window": {}, "open_days": 5}}'""",
        """campaign SET population = '{"arrivals": {"window": {"25": 1}, "open_days": 5}}'""",
        """campaign SET population = '{"arrivals": {"window": {"9": 1}, "open_days": 0}}'""",
        "name SET name = x'ff' WHERE kind = 'place' AND number = 1",
        "name SET number = 7 WHERE kind = 'place' AND number = 1",
        "card SET product = 9 WHERE card = 3",
        "card SET outcome = 77 WHERE card = 3",
        "card SET state = 'text' WHERE card = 3",
        "card SET tries_left = -1 WHERE card = 3",
        "card SET arrival = 1e12 WHERE card = 3",
        "card SET arrival = NULL WHERE card = 3",
        "shard SET layers = '['",
        "shard SET layers = '[]'",
        """shard SET layers = '{"card": "x"}'""",
        """shard SET layers = '{"card": NaN}'""",
        """shard SET modelled = '{"line": 1e400}'""",
        f"""shard SET modelled = '{{"line": {10**400}}}'""",
        "failure SET card = '../../card'",
        "failure SET step = x'ff'",
    ],
)
def test_content_that_no_campaign_writes_is_reported_as_damage(tmp_path: Path, damage: str) -> None:
    file = tmp_path / "results.db"
    with ResultsWriter.create(file, replace(PLAN, population=read_population().model_dump_json())) as opened:
        opened.add(failing(ALL[0]))
    with Results(file) as sound:
        assert figures_of(sound).failed == 1
    with closing(sqlite3.connect(file)) as changed:
        changed.execute(f"UPDATE {damage}")
        changed.commit()
    with pytest.raises(InputError, match="is a damaged results file"), Results(file) as damaged:
        figures_of(damaged)


def test_a_truncated_file_is_damaged(whole: Path) -> None:
    whole.write_bytes(whole.read_bytes()[:20_000])
    with pytest.raises(InputError, match="is a damaged results file"):
        ResultsWriter.resume(whole, PLAN)


def test_a_file_of_a_newer_version_is_named_so(whole: Path) -> None:
    with closing(sqlite3.connect(whole)) as opened:
        opened.execute("PRAGMA user_version = 9")
    with pytest.raises(InputError, match="is of version 9, this sscard reads version 1"):
        Results(whole)


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[sqlite3.Connection]:
    """The connections to databases that the test opens from now on."""
    opened: list[sqlite3.Connection] = []
    connect = sqlite3.connect

    def connecting(*args: Any, **settings: Any) -> sqlite3.Connection:
        opened.append(connect(*args, **settings))
        return opened[-1]

    monkeypatch.setattr(sqlite3, "connect", connecting)
    return opened


def is_closed(connection: sqlite3.Connection) -> bool:
    try:
        connection.execute("SELECT 1")
    except sqlite3.ProgrammingError:
        return True
    return False


@pytest.mark.parametrize("opener", [Results, ResultsWriter])
def test_a_file_that_is_refused_is_closed(
    begun: Path, opener: Callable[[Path], Results], connections: list[sqlite3.Connection]
) -> None:
    with closing(sqlite3.connect(begun)) as changed:
        changed.execute("UPDATE campaign SET cards = -1")
        changed.commit()
    with pytest.raises(InputError, match="is a damaged results file"):
        opener(begun)
    assert [is_closed(each) for each in connections] == [True, True]


def test_a_file_that_another_campaign_writes_is_closed(
    begun: Path, connections: list[sqlite3.Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sscard.campaign.results.WAIT", 0.0)
    with ResultsWriter.resume(begun, PLAN):
        with pytest.raises(InputError, match="another campaign writes to this file"):
            ResultsWriter(begun)
        assert [is_closed(each) for each in connections] == [False, True]


def test_a_second_campaign_waits_for_no_one_and_a_reader_can_read(begun: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ResultsWriter.resume(begun, PLAN) as opened:
        opened.add(counted(ALL[0]))
        monkeypatch.setattr("sscard.campaign.results.WAIT", 0.0)
        with pytest.raises(InputError, match="another campaign writes to this file"):
            ResultsWriter.resume(begun, PLAN)
        with Results(begun) as read:
            assert read.done == 1000


def test_the_figures_of_a_campaign_that_runs_are_of_one_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shard that is written after the cards were counted belongs to no figure."""
    monkeypatch.setattr(results_writer, "CHECKPOINT", 0.0)
    file = tmp_path / "a.db"
    count = Figures.add
    with ResultsWriter.create(file, replace(PLAN, population=read_population().model_dump_json())) as opened:
        opened.add(counted(ALL[0]))

        def add(figures: Figures, row: Row) -> None:
            count(figures, row)
            if figures.cards == 1:
                opened.add(failing(ALL[1]))

        monkeypatch.setattr(Figures, "add", add)
        with Results(file) as read:
            found = figures_of(read)
            assert read.done == 1000
    assert (found.cards, found.failed, found.layers) == (500, 0, counted(ALL[0]).layers)


def test_images_of_the_first_failures_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results_writer, "KEPT", 2)
    with ResultsWriter.create(tmp_path / "a.db", PLAN) as opened:
        for shard in ALL[:3]:
            opened.add(failing(shard))
    with Results(tmp_path / "a.db") as read:
        found = [*read.failures()]
        assert read.failed == 3
    assert [(each.index, each.invariant, bool(each.image), bool(each.trace)) for each in found] == [
        (0, "as-the-oracle", True, True),
        (500, "as-the-oracle", True, True),
        (1000, "as-the-oracle", False, False),
    ]


def test_parquet_has_the_cards_with_their_names(whole: Path, tmp_path: Path) -> None:
    from pyarrow import parquet

    from sscard.campaign.parquet import write_parquet

    with Results(whole) as read:
        write_parquet(read, tmp_path / "cards.parquet")
    rows = parquet.read_table(tmp_path / "cards.parquet").to_pylist()
    assert [row["card"] for row in rows] == [*range(PLAN.cards)]
    for row in rows[:50]:
        known = row_at(row["card"])
        assert row["product"] == PLAN.products[known.product]
        assert row["outcome"] == known.outcome.name.lower()
        assert row["locked_at"] == (known.locked_at if known.lockouts else None)
        assert row["state"] == known.state


def test_parquet_without_its_package_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "sscard.campaign.parquet", raising=False)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingPart, match=r"sscard\[parquet\]"):
        __import__("sscard.campaign.parquet")
