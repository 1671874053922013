"""A read-only snapshot of a card for tests, reports and ``sscard show``; no PIN, no key, no challenge."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from sscard.card.profile import Profile, certificate_limit
from sscard.card.session import Session
from sscard.chip.memory import Memory
from sscard.standard.tree import CARD_BLOCKED, PIN, PIN_TRIES, PIN_VERIFIED, Layout


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Counters and states of a card.

    ``counters`` are the counters of all keys, ``key_tries`` reads them by name.
    ``certificate_tries`` are those of the user and the administrator PIN of the
    certificate application, ``certificate_tries_max`` their limits, both empty if
    the card lacks it. The fields from ``powered`` on are those of the session,
    empty without power.
    """

    pin_tries: int
    pin_tries_max: int
    pin_set: bool
    card_blocked: bool
    blocked_applications: tuple[str, ...]
    counters: tuple[int, ...]
    certificate_tries: tuple[int, ...]
    certificate_tries_max: tuple[int, ...]
    powered: bool
    pin_verified: bool
    certificate_verified: tuple[str, ...]
    authenticated: tuple[str, ...]
    challenge_waiting: bool
    current_df: str
    current_ef: int
    layout: Layout = field(repr=False, compare=False)

    @property
    def key_tries(self) -> dict[str, tuple[int, ...]]:
        """The tries left of each version of each counted key."""
        layout = self.layout
        first = layout.counters[0]
        return {
            key.name: self.counters[cell - first : cell - first + key.versions]
            for key, cell in zip(layout.keys, layout.counters, strict=True)
            if key.counted
        }

    def __reduce__(self) -> tuple[Any, ...]:
        return Snapshot, tuple(getattr(self, each.name) for each in fields(self))

    @property
    def pin_blocked(self) -> bool:
        return self.pin_tries == 0


def take_snapshot(profile: Profile, memory: Memory, session: Session | None) -> Snapshot:
    """The current state of a card."""
    layout = profile.layout
    numbers = memory.numbers
    status = session.status if session else 0
    proven = status & ~PIN_VERIFIED
    return Snapshot(
        pin_tries=numbers[PIN_TRIES],
        pin_tries_max=profile.personality.pin_tries,
        pin_set=bool(memory.strings[PIN]),
        card_blocked=bool(numbers[CARD_BLOCKED]),
        blocked_applications=tuple(df.name for df in layout.dfs if numbers[df.blocked_cell]),
        counters=tuple(numbers[layout.counters[0] : layout.medical]),
        certificate_tries=tuple(numbers[layout.certificate_tries + which] for which in layout.own_pins),
        certificate_tries_max=tuple(certificate_limit(profile.personality, which) for which in layout.own_pins),
        powered=session is not None,
        pin_verified=bool(status & PIN_VERIFIED),
        certificate_verified=tuple(
            which.name.lower() for which in layout.own_pins if session and session.own_status >> which & 1
        ),
        authenticated=tuple(layout.statuses(proven)) if proven else (),
        challenge_waiting=bool(session and session.challenge),
        current_df=session.df.name if session else "",
        current_ef=session.ef.fid if session and session.ef else 0,
        layout=layout,
    )
