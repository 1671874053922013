"""A read-only snapshot of a PSAM for tests and reports; no key, no challenge."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from sscard.chip.memory import Memory
from sscard.psam.keys import read_records
from sscard.psam.layout import BLOCKED, OWN_KEYS, TERMINAL_INFO, TERMINAL_SEQUENCE, file_cell, tries_cell
from sscard.psam.session import KEY_FILES, Delivery, PsamProfile, PsamSession


@dataclass(frozen=True, slots=True)
class PsamSnapshot:
    """Counters and states of a PSAM.

    ``sequences`` holds the next terminal sequence, ``key_tries`` the tries
    left of each own key and ``keys`` usage and id of each record (``67/08``),
    by algorithm; the fields from ``powered`` on are those of the session.
    """

    blocked: bool
    terminal_number: str
    sequences: dict[str, int]
    key_tries: dict[str, dict[str, int]]
    keys: dict[str, tuple[str, ...]]
    powered: bool
    environment: str
    in_application: bool
    authenticated: tuple[str, ...]
    challenge_waiting: bool
    process: str
    """``session key``, ``purchase`` or empty."""

    def __reduce__(self) -> tuple[Any, ...]:
        return PsamSnapshot, tuple(getattr(self, each.name) for each in fields(self))


def take_snapshot(profile: PsamProfile, memory: Memory, session: PsamSession | None) -> PsamSnapshot:
    """The current state of a PSAM."""
    under_way = session.process if session else None
    process = "session key" if isinstance(under_way, Delivery) else "purchase" if under_way else ""
    places = {held.suite.name: place for place, held in enumerate(profile.environments)}
    return PsamSnapshot(
        blocked=bool(memory.numbers[BLOCKED]),
        terminal_number=memory.strings[file_cell(0, TERMINAL_INFO)].hex(),
        sequences={
            name: int.from_bytes(memory.strings[file_cell(place, TERMINAL_SEQUENCE)], "big")
            for name, place in places.items()
        },
        key_tries={
            name: {
                key: memory.numbers[tries_cell(place, number)]
                for number, key in enumerate(OWN_KEYS)
                if profile.own_key(place, number) is not None
            }
            for name, place in places.items()
        },
        keys={
            name: tuple(
                f"{record.usage:02X}/{record.id:02X}"
                for sfi in KEY_FILES
                for record in read_records(memory.strings[file_cell(place, sfi)])
            )
            for name, place in places.items()
        },
        powered=session is not None,
        environment=session.suite.name if session else "",
        in_application=session is not None and session.in_application,
        authenticated=tuple(OWN_KEYS[number] for number in sorted(session.authenticated)) if session else (),
        challenge_waiting=bool(session and session.challenge),
        process=process,
    )
