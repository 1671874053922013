"""Citizens with real cards in process, and the service at a fixed time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest

from kit.citizens import JOURNAL_KEY, Citizen, Ticking, make_citizen
from kit.databases import execute
from sscard.errors import MissingPart
from sscard.issuer import KeyHierarchy, builtin_keys
from sscard.proof.postgres import PrivatePostgres
from sscard.service import Case, PinService, Reason
from sscard.service.journal.database import SqlJournal

_NUMBERS = count(1)


@pytest.fixture
def service() -> PinService:
    return PinService(Ticking())


@pytest.fixture
def citizen_with() -> Callable[..., Citizen]:
    """``citizen_with(personality=, id_number=, city=, pin=)``."""
    return make_citizen


@pytest.fixture
def citizen() -> Citizen:
    return make_citizen()


@pytest.fixture
def accepted(service: PinService, citizen: Citizen) -> Callable[[Reason], Case]:
    """A case of the citizen's, accepted, for a reason."""

    def make(reason: Reason) -> Case:
        case = service.intake(citizen.application(reason))
        service.accept(case)
        return case

    return make


@pytest.fixture
def keys() -> KeyHierarchy:
    return builtin_keys()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a private PostgreSQL server."""
    with ExitStack() as stack:
        try:
            server = stack.enter_context(PrivatePostgres())
        except MissingPart as error:
            pytest.skip(str(error))
        yield server.url


@pytest.fixture
def postgres(postgres_server: str) -> str:
    """The URL of a schema with nothing in it."""
    psycopg = pytest.importorskip("psycopg")
    name = f"journal_{next(_NUMBERS)}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}")
    return f"{postgres_server}&options=-csearch_path%3D{name}"


@pytest.fixture(params=["sqlite", "postgres"])
def journal_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a journal that is not there yet, in each database in turn."""
    if request.param == "sqlite":
        return str(tmp_path / "journal.db")
    url: str = request.getfixturevalue("postgres")
    return url


@pytest.fixture
def journal(journal_url: str) -> Iterator[SqlJournal]:
    opened = SqlJournal(journal_url, JOURNAL_KEY)
    yield opened
    opened.close()


@pytest.fixture
def kept(journal: SqlJournal) -> PinService:
    """The service with its cases in the journal."""
    return PinService(Ticking(), journal=journal)


@pytest.fixture
def tamper(journal: SqlJournal, journal_url: str) -> Callable[[str], None]:
    """Do something to the database behind the journal's back."""

    def run(*statements: str) -> None:
        execute(journal_url, *statements)

    return run
