"""Brings a card into a state with commands only: what a scenario starts with, and what the testbed gave."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from sscard.card import Profile
from sscard.chip.memory import Memory
from sscard.errors import PhrasedError
from sscard.hsm import Hsm
from sscard.i18n.phrase import Phrase
from sscard.scenario.testbed.followed import Followed
from sscard.scenario.testbed.operations import can_write, prove, select, written
from sscard.standard.cipher import MAC_LENGTH
from sscard.standard.tree import CARD_BLOCKED, PIN, PIN_TRIES, FileSpec, KeySpec, Layout, Purpose
from sscard.terminal import CardSession, flows
from sscard.terminal.errors import ApduError, AuthenticationFailed, KeyBlocked, WrongPin

WRONG_PINS: Final = (b"\x99\x88\x77", b"\x11\x22\x33")
ANY_PIN: Final = b"\x12\x34"
"""A PIN for a moment, on a card without one."""


class NotArranged(PhrasedError):
    """The card could not be brought into the state; it has another one now."""


def obstacle(profile: Profile, now: Memory, wanted: Memory, *, has_keys: bool) -> bool:
    """Whether no commands with the keys at hand make one state the other: only the memory could."""
    layout, personality = profile.layout, profile.personality
    counted = {*layout.key_tries()}
    locks = {CARD_BLOCKED, *(df.blocked_cell for df in layout.dfs)}
    puk = now.numbers[layout.counter(layout.puk, 0)]
    for cell, (old, new) in enumerate(zip(now.numbers, wanted.numbers, strict=True)):
        if old == new:
            continue
        possible = (cell in counted and old > 0) or (cell in locks and new == 1)
        if cell == PIN_TRIES:
            if old == 0 and not (has_keys and puk):
                return True
            if not wanted.strings[PIN] and not personality.empty_pin_counts:
                return True
        elif not (possible and has_keys):
            return True
    if now.strings[PIN] != wanted.strings[PIN] and now.numbers[PIN_TRIES] == 0 and not (has_keys and puk):
        return True
    files = {file.cell: file for file in layout.files}
    for cell, (old_text, new_text) in enumerate(zip(now.strings, wanted.strings, strict=True)):
        if old_text == new_text or cell == PIN:
            continue
        file = files.get(cell)
        if file is None or not has_keys or personality.updates_need_mac or not _keys_to_write(layout, file):
            return True
        if not can_write(file, old_text, new_text):
            return True
    return False


def _keys_to_write(layout: Layout, file: FileSpec) -> list[KeySpec]:
    """The keys that give the right to write a file, empty if keys alone do not."""
    for way in file.write:
        keys = [key for index, key in enumerate(layout.keys) if way >> (index + 1) & 1]
        if keys and not way & 1:
            return keys
    return []


class Arranger:
    """Brings the card behind a connection into a state; its chip here shows what is reached."""

    def __init__(self, followed: Followed, hsm: Hsm) -> None:
        self._followed = followed
        self._hsm = hsm
        self._profile = followed.chip.profile
        self._layout = self._profile.layout
        self._memory = followed.chip.memory

    def reach(self, wanted: Memory) -> None:
        """Send the commands that make the state the one that is wanted, then take the power away.

        Errors: ``NotArranged``, and those of the connection.
        """
        if self._same(wanted):
            return
        try:
            session = CardSession.start(self._followed, self._hsm)
            self._files(session, wanted)
            self._pin(session, wanted)
            self._applications(session, wanted)
            self._keys(session, wanted)
            self._tries(session, wanted)
            if wanted.numbers[CARD_BLOCKED] > self._memory.numbers[CARD_BLOCKED]:
                session.run(select(self._layout.ssse))
                self._block(session, "BK", "STK", bytes((0x84, 0x16, 0x00, 0x00)))
        except ApduError as error:
            raise NotArranged(
                Phrase("the card refused a command of its start state: {status}", status=error.said)
            ) from None
        finally:
            self._followed.power_off()
        if not self._same(wanted):
            raise NotArranged(Phrase("the card could not be brought into the state that the scenario starts with"))

    def _same(self, wanted: Memory) -> bool:
        return self._memory.numbers == wanted.numbers and self._memory.strings == wanted.strings

    def _files(self, session: CardSession, wanted: Memory) -> None:
        for df in self._layout.dfs:
            files = [file for file in self._layout.files if file.df == df.fid]
            changed = [file for file in files if self._memory.strings[file.cell] != wanted.strings[file.cell]]
            if changed:
                session.run(select(df))
            for file in changed:
                for key in _keys_to_write(self._layout, file):
                    if key.df not in (df.fid, self._layout.ssse.fid):
                        raise NotArranged(Phrase("no command writes this file"))
                    session.run(prove(session.card, key))
                session.run(written(file, self._memory.strings[file.cell], wanted.strings[file.cell]))

    def _pin(self, session: CardSession, wanted: Memory) -> None:
        """The PIN, and its tries where they must rise."""
        new, most = wanted.strings[PIN], wanted.numbers[PIN_TRIES]
        session.run(select(self._layout.ssse))
        if self._memory.numbers[PIN_TRIES] == 0 and (most or new != self._memory.strings[PIN]):
            session.run(flows.reset_pin(session.card, new or ANY_PIN))
        old = self._memory.strings[PIN]
        if old != new:
            session.run(flows.change_pin(old, new))
        elif self._memory.numbers[PIN_TRIES] < most and old:
            session.run(flows.verify_pin(old))
        elif self._memory.numbers[PIN_TRIES] < most:
            session.run(flows.change_pin(b"", ANY_PIN))
            session.run(flows.change_pin(ANY_PIN, b""))

    def _tries(self, session: CardSession, wanted: Memory) -> None:
        """Wrong PINs until so many tries are left."""
        session.run(select(self._layout.ssse))
        wrong = next(pin for pin in WRONG_PINS if pin != self._memory.strings[PIN])
        while self._memory.numbers[PIN_TRIES] > wanted.numbers[PIN_TRIES]:
            before = self._memory.numbers[PIN_TRIES]
            with suppress(WrongPin):
                session.run(flows.verify_pin(wrong))
            if self._memory.numbers[PIN_TRIES] == before:
                return

    def _keys(self, session: CardSession, wanted: Memory) -> None:
        """Right proofs where tries must rise, wrong ones where they must fall; those of the PUK last."""
        layout = self._layout
        for index, key in sorted(enumerate(layout.keys), key=lambda each: each[0] == layout.puk):
            if not key.counted or key.purpose != Purpose.EXTERNAL:
                continue
            for version in range(key.versions):
                cell = layout.counter(index, version)
                if self._memory.numbers[cell] == wanted.numbers[cell]:
                    continue
                session.run(select(next(df for df in layout.dfs if df.fid == key.df)))
                if self._memory.numbers[cell] < wanted.numbers[cell]:
                    session.run(prove(session.card, key, version))
                while self._memory.numbers[cell] > wanted.numbers[cell]:
                    try:
                        session.run(prove(session.card, key, version, right=False))
                    except KeyBlocked:
                        return
                    except AuthenticationFailed:
                        continue

    def _applications(self, session: CardSession, wanted: Memory) -> None:
        for df in self._layout.dfs:
            if wanted.numbers[df.blocked_cell] <= self._memory.numbers[df.blocked_cell]:
                continue
            own = next((key.name for key in self._layout.keys if key.df == df.fid and key.name.startswith("LK")), "BK")
            session.run(select(df))
            self._block(session, own, f"STK{df.name}", bytes((0x84, 0x1E, 0x00, 0x01)))

    def _block(self, session: CardSession, lock: str, stk: str, header: bytes) -> None:
        key = self._layout.keys[self._layout.key_named(lock)]
        session.run(prove(session.card, key))
        session.run(flows.safe_message(session.card, bytes((*header, MAC_LENGTH)), None, "BLOCK", stk))
