"""The tables of a journal in a database."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Column, Index, Integer, MetaData, String, Table, Text

METADATA: Final = MetaData()

JOURNAL: Final = Table(
    "journal",
    METADATA,
    Column("version", Integer, nullable=False),
    Column("lanes", Integer, nullable=False),
    Column("key_check", String(16), nullable=False),
)
"""One row: the schema's version, the number of lanes, which key seals."""

LANE: Final = Table(
    "lane",
    METADATA,
    Column("lane", Integer, primary_key=True, autoincrement=False),
    Column("events", Integer, nullable=False),
    Column("cases", Integer, nullable=False),
    Column("last", String(64), nullable=False),
    Column("seal", String(64), nullable=False),
)
"""The head of each lane: the only rows that are ever updated."""

EVENT: Final = Table(
    "event",
    METADATA,
    Column("lane", Integer, primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("case", String(20), nullable=False),
    Column("place", Integer, nullable=False),
    Column("time", String(40), nullable=False),
    Column("stage", String(20), nullable=False),
    Column("act", String(20), nullable=False),
    Column("text", Text, nullable=False),
    Column("facts", Text, nullable=False),
    Column("seal", String(64), nullable=False),
    Index("event_of_case", "case", "place", unique=True),
)
"""The events; rows are only ever added."""

OPENING: Final = Table(
    "opening",
    METADATA,
    Column("key", String(200), primary_key=True),
    Column("case", String(20), nullable=False),
)
"""The case of each idempotency key; the key itself stands in the case's first event, under its seal."""
