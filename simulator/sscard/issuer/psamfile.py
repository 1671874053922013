"""A PSAM in a file: its counters and keys, stored and locked as a card is in a card file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from operator import index
from pathlib import Path
from random import Random
from typing import Final

from sscard.chip.memory import Memory
from sscard.errors import InputError
from sscard.i18n.phrase import Phrase
from sscard.issuer.cardfile import FileChip, load_file, open_file, save_file
from sscard.issuer.database import PSAM_ID, Kind, Rows
from sscard.issuer.image import log_in, memory_content
from sscard.issuer.migrations import Notify, ignore
from sscard.issuer.psam import PsamCard
from sscard.issuer.store import FileStore
from sscard.psam.chip import PsamChip
from sscard.psam.keys import MAX_LEVELS, read_records
from sscard.psam.layout import ENVIRONMENTS, FILES, OWN_KEYS, number_names, string_names
from sscard.psam.layout import Kind as FileType
from sscard.psam.session import PsamProfile
from sscard.standard.atr import HISTORICAL_LENGTH

VERSION: Final = 1
"""Of the files that this sscard writes."""
REISSUE: Final = Phrase("take it from a backup, or issue the PSAM again: sscard psam issue -o FILE")
DAMAGED: Final = Phrase("is a damaged PSAM file")
_BY_NAME: Final = {environment.suite.name: environment for environment in ENVIRONMENTS}


def _rows(psam: PsamCard) -> Rows:
    profile = psam.profile
    return {
        "facts": {
            "environments": json.dumps([held.suite.name for held in profile.environments]),
            "historical": profile.historical.hex().upper(),
            "key_tries": str(profile.key_tries),
        },
        "keys": {
            f"{held.suite.name} {name}": [value.hex().upper()]
            for place, held in enumerate(profile.environments)
            for number, name in enumerate(OWN_KEYS)
            if (value := profile.own_key(place, number)) is not None
        },
        "memory": memory_content(psam.memory, *_cells(psam)),
    }


def _cells(psam: PsamCard) -> list[list[str]]:
    environments = psam.profile.environments
    return [number_names(environments), string_names(environments)]


def _psam_of(rows: Rows, _version: int, source: str, _notify: Notify) -> PsamCard:
    try:
        psam = _made(rows)
        if _is_whole(psam):
            return psam
    except (LookupError, TypeError, ValueError, RecursionError):
        pass
    raise InputError(DAMAGED, file=source, remedy=REISSUE)


def _made(rows: Rows) -> PsamCard:
    facts, keys, memory = rows["facts"], rows["keys"], rows["memory"]
    environments = tuple(_BY_NAME[name] for name in json.loads(facts["environments"]))
    own_keys = tuple(
        tuple(
            bytes.fromhex(keys[f"{held.suite.name} {name}"][0]) if f"{held.suite.name} {name}" in keys else None
            for name in OWN_KEYS
        )
        for held in environments
    )
    profile = PsamProfile(bytes.fromhex(facts["historical"]), environments, own_keys, int(facts["key_tries"]))
    names = number_names(environments), string_names(environments)
    cells = Memory(
        [index(memory["numbers"][name]) for name in names[0]],
        [bytes.fromhex(memory["strings"][name]) for name in names[1]],
    )
    if memory["log"] is not None:
        cells.log = log_in(memory["log"], *names)
    return PsamCard(profile, cells)


def _is_whole(psam: PsamCard) -> bool:
    """Whether these are values that a PSAM can have; ``LookupError`` or ``ValueError`` for some that are not."""
    profile, memory = psam.profile, psam.memory.recovered()
    blocked, *tries = memory.numbers
    files = zip(FILES * len(profile.environments), memory.strings, strict=True)
    return (
        len(profile.historical) == HISTORICAL_LENGTH
        and bool(profile.environments)
        and all(
            value is None or len(value) in held.suite.key_lengths
            for place, held in enumerate(profile.environments)
            for value in (profile.own_key(place, number) for number in range(len(OWN_KEYS)))
        )
        and blocked in (0, 1)
        and all(0 <= left <= profile.key_tries for left in tries)
        and all(
            _holds_records(content, file.size) if file.kind == FileType.KEYS else len(content) == file.size
            for file, content in files
        )
    )


def _holds_records(content: bytes, most: int) -> bool:
    records = read_records(content)
    return (
        len(content) <= most
        and b"".join(record.encode() for record in records) == content
        and all(record.levels <= MAX_LEVELS for record in records)
    )


PSAM: Final = Kind(
    application_id=PSAM_ID,
    version=VERSION,
    file=Phrase("expected the name of a PSAM file, as in psam.db"),
    not_one=Phrase("is not a PSAM file"),
    from_where=Phrase("a PSAM file comes from: sscard psam issue -o FILE"),
    damaged=DAMAGED,
    reissue=REISSUE,
    rows=_rows,
    read=_psam_of,
    cells=_cells,
)


class PsamStore(FileStore[PsamCard]):
    """An open PSAM file."""

    kind = PSAM


class FilePsam(FileChip[PsamCard]):
    """A connection to the PSAM of a PSAM file, made by ``open_psam``."""

    chip: PsamChip


@contextmanager
def open_psam(
    path: Path, random: Random | None = None, *, contact: bool = True, notify: Notify = ignore, sync: bool = False
) -> Iterator[FilePsam]:
    """Hold the PSAM of a PSAM file; see ``open_card``."""
    with open_file(PsamStore, path, notify, sync=sync) as store:
        yield FilePsam(store, path, random, contact=contact)


def load_psam(path: Path, notify: Notify = ignore) -> PsamCard:
    """The PSAM in a PSAM file, for display only; see ``load_card``."""
    return load_file(PSAM, path, notify)


def save_psam(psam: PsamCard, path: Path | str, notify: Notify = ignore) -> None:
    """Write a new PSAM file, whole or not at all; see ``save_card``."""
    save_file(PSAM, psam, path, notify)
