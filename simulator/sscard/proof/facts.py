"""The facts that the invariants ask for, read from the memory of a card or PSAM."""

from __future__ import annotations

from sscard.card import Profile
from sscard.chip.memory import Memory
from sscard.model.invariants import Facts
from sscard.psam.layout import BLOCKED, FILES, TERMINAL_SEQUENCE, Kind
from sscard.psam.session import PsamProfile
from sscard.standard.tree import CARD_BLOCKED, LOAD_TYPES, PIN, Account

MEDICAL, DETAILS_SFI = 0xDF04, 0x08
COUNT, AMOUNT = slice(2), slice(16, 20)
KIND = 2
"""Parts of a detail record: its number, type and account amount."""


def card_facts(profile: Profile, memory: Memory) -> Facts:
    """The facts of a card."""
    layout, numbers, strings = profile.layout, memory.numbers, memory.strings
    details = layout.file(MEDICAL, DETAILS_SFI)
    assert details is not None
    records = [strings[details.cell][at : at + 28] for at in range(0, len(strings[details.cell]), 28)]
    amounts = [
        (1 if record[KIND : KIND + 1] in LOAD_TYPES else -1) * int.from_bytes(record[AMOUNT], "big")
        for record in records
        if record[KIND : KIND + 1] not in (b"", b"\0", b"\xff")
    ]
    account = range(layout.medical, layout.medical + Account.START_DAY + 1)
    own = range(layout.certificate_pins, layout.certificate_pins + len(layout.own_pins))
    apart = {details.cell, layout.proofs, layout.proofs + 1, PIN, *own}
    return Facts(
        tries=tuple(numbers[cell] for cell in layout.all_tries()),
        blocked=(bool(numbers[CARD_BLOCKED]), *(bool(numbers[df.blocked_cell]) for df in layout.dfs)),
        secrets=(strings[PIN], *(strings[cell] for cell in own)),
        files=(
            *(content for cell, content in enumerate(strings) if cell not in apart),
            bytes((numbers[layout.unlocks],)),  # they change with the PIN and its tries
        ),
        money=(*(numbers[cell] for cell in account), *strings[layout.proofs : layout.proofs + 2], *records),
        balance=numbers[layout.medical + Account.BALANCE],
        booked=sum(amounts),
        apart=len(own),
    )


def psam_facts(profile: PsamProfile, memory: Memory) -> Facts:
    """The facts of a PSAM; the money is its terminal sequences."""
    strings = list(zip(FILES * len(profile.environments), memory.strings, strict=True))
    return Facts(
        tries=tuple(memory.numbers[BLOCKED + 1 :]),
        blocked=(bool(memory.numbers[BLOCKED]),),
        secrets=tuple(content for file, content in strings if file.kind == Kind.KEYS),
        files=tuple(content for file, content in strings if file.kind != Kind.KEYS and file.sfi != TERMINAL_SEQUENCE),
        money=tuple(content for file, content in strings if file.sfi == TERMINAL_SEQUENCE),
    )
