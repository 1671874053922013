"""What one scenario does with its card: a connection that notes facts of the exchanges, by dimension.

A fact is a dimension and a key of it. Facts are small and can be pickled and
united, so that a run needs neither the exchanges nor one process.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from sscard.card.commands import CERTIFICATE_TABLE, TABLE, CardCommand
from sscard.card.commands.authenticate import EXTERNAL_AUTHENTICATION, INTERNAL_AUTHENTICATION, INTERNAL_KEY, LOCAL
from sscard.card.commands.block import APPLICATION_BLOCK, CARD_BLOCK, DF_STK_NUMBER
from sscard.card.commands.medical_load import CREDIT_FOR_LOAD, INITIALIZE_FOR_LOAD
from sscard.card.commands.medical_purchase import DEBIT_FOR_PURCHASE, INITIALIZE_FOR_PURCHASE
from sscard.card.commands.pin import PIN_CHANGE_UNBLOCK
from sscard.card.commands.read import READ_BINARY, READ_RECORD
from sscard.card.commands.update import (
    UPDATE_BINARY,
    UPDATE_BINARY_WITH_MAC,
    UPDATE_RECORD,
    UPDATE_RECORD_WITH_MAC,
)
from sscard.card.profile import Profile
from sscard.chip.command import HEADER_LENGTH
from sscard.chip.memory import PowerLost
from sscard.conversation.explain import Selection
from sscard.conversation.reference import FAMILIES
from sscard.standard.addressing import binary_address
from sscard.standard.apdu import SW
from sscard.standard.choices import CHOICES
from sscard.standard.tree import FileSpec, KeySpec, Layout
from sscard.transport.connection import Connection


class Fact(NamedTuple):
    """A dimension and a key of it."""

    dimension: str
    key: tuple[str, ...]


COMMAND_STATUS: Final = "command_status"
KEY_VERSIONS: Final = "key_versions"
FILE_RIGHTS: Final = "file_rights"
CHOICE_VALUES: Final = "choice_values"
TRANSPORTS: Final = "transports"
APPLICANTS: Final = "applicants"
FAULTS: Final = "faults"
GROUNDS: Final = "grounds"
HAND_OVERS: Final = "hand_overs"
SITUATIONS: Final = "situations"
DRIVER_FUNCTIONS: Final = "driver_functions"
SEED_CLAUSES: Final = "seed_clauses"
STANDARD_ITEMS: Final = "standard_items"
UNDECLARED: Final = "undeclared"
"""Not a dimension: a status word that the command does not declare."""

SUCCESS, REFUSAL = "success", "refusal"
POWER_CUT: Final = "power cut"
MEMORY: Final = "memory"
READ_GRANTED, READ_REFUSED = "read-granted", "read-refused"
WRITE_GRANTED, WRITE_REFUSED = "write-granted", "write-refused"

STATUS_LENGTH: Final = 2
"""Bytes of a status word."""
FIRST_DATA: Final = 5
"""Index of the first byte of a command's data."""
VERSION_AT: Final = 16
"""Index in the data of an authentication of the key version, which may be absent."""
DONE: Final = (int(SW.OK), int(SW.MORE_DATA))
BINARY: Final = (READ_BINARY, UPDATE_BINARY, UPDATE_BINARY_WITH_MAC)
READS: Final = (READ_BINARY, READ_RECORD)
WRITES: Final = (UPDATE_BINARY, UPDATE_BINARY_WITH_MAC, UPDATE_RECORD, UPDATE_RECORD_WITH_MAC)
IN_SSSE: Final = (PIN_CHANGE_UNBLOCK, CARD_BLOCK)
"""Commands with a MAC under the STK of SSSE."""
IN_DF: Final = (APPLICATION_BLOCK, UPDATE_BINARY_WITH_MAC, UPDATE_RECORD_WITH_MAC)
"""Commands with a MAC under the STK of the current DF."""
TRANSACTIONS: Final = {CREDIT_FOR_LOAD: "DLK", DEBIT_FOR_PURCHASE: "DPK"}
TAC_KEY: Final = "DTK"


def command_name(command: CardCommand) -> str:
    """A command with its CLA and INS: two commands may have the same name, or the same INS."""
    return f"{command.name} ({command.clas[0]:02X} {command.ins:02X})"


def declared_word(sw: int) -> int:
    """The status word as commands declare it, without the number that it contains."""
    if sw >> 8 in (SW.MORE_DATA >> 8, SW.WRONG_LE >> 8):
        return sw & 0xFF00
    return sw & 0xFFF0 if sw >> 4 == SW.TRIES_LEFT >> 4 else sw


def written_word(sw: int) -> str:
    """A declared status word as text, x for the digits of a number."""
    return {int(word): text for word, text in FAMILIES.items()}.get(sw, f"{sw:04X}")


class Addressed(NamedTuple):
    """The commands that a header addresses, and the only status word that is then one of theirs (0: any)."""

    commands: tuple[CardCommand, ...]
    only: int = 0


@lru_cache(maxsize=4096)
def addressed(header: bytes, certificates: bool) -> Addressed:
    """The commands that CLA INS P1 P2 address; none if the INS is unknown.

    Several if the header is that of none: commands of one INS share the answer
    to another CLA (6E00), commands with the same CLA and INS that to another
    P1 P2 (6A86).
    """
    table = CERTIFICATE_TABLE if certificates else TABLE
    cla, ins, pair = header[0], header[1], header[2] << 8 | header[3]
    with_ins = [declared for first in table.by_code.values() if first.ins == ins for declared in _with_siblings(first)]
    with_cla = [declared for declared in with_ins if cla in declared.clas]
    exact = [declared for declared in with_cla if not declared.p1p2 or pair in declared.p1p2]
    if exact:
        return Addressed(tuple(exact))
    return Addressed(tuple(dict.fromkeys(with_cla or with_ins)), SW.WRONG_P1P2 if with_cla else SW.UNKNOWN_CLA)


def _with_siblings(first: CardCommand) -> Iterator[CardCommand]:
    declared: CardCommand | None = first
    while declared is not None:
        yield declared
        declared = declared.sibling


def file_name(layout: Layout, file: FileSpec) -> str:
    """A file with its DF: ``DF01 EF05``."""
    return f"{layout.df_name(file.df)} EF{file.sfi:02X}"


def choice_text(name: str, value: object) -> str:
    """A value of a choice as a personality file writes it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    digits = CHOICES[name].digits
    return f"{value:0{digits}X}" if digits else str(value)


@lru_cache(maxsize=4096)
def facts_of_answer(found: Addressed, sw: int, chosen: tuple[object, ...]) -> tuple[Fact, ...]:
    """The pairs of an answer, and the fault that it shows; ``chosen`` are values of choices, which may be answers."""
    facts = [Fact(FAULTS, (MEMORY,))] if sw == SW.MEMORY_FAILURE else []
    for command in found.commands if found.only in (0, sw) else ():
        pair = (command_name(command), written_word(sw))
        if sw in command.statuses:
            facts.append(Fact(COMMAND_STATUS, pair))
        elif sw not in chosen:
            facts.append(Fact(UNDECLARED, pair))
    return tuple(facts)


class NotedConnection:
    """A connection that notes what the card answered: below the faults of the reader, above the transport.

    It adds to ``facts``.
    """

    def __init__(self, connection: Connection, profile: Profile, facts: set[Fact]) -> None:
        self.connection = connection
        self.facts = facts
        self._profile = profile
        self._layout = profile.layout
        self._selection = Selection(profile.layout)
        self._chosen: dict[CardCommand | None, tuple[object, ...]] = {None: ()}
        self._key_index = 0

    def power_on(self) -> bytes:
        self._selection = Selection(self._layout)
        return self.connection.power_on()

    def power_off(self) -> None:
        self.connection.power_off()

    def reset(self) -> bytes:
        self._selection = Selection(self._layout)
        return self.connection.reset()

    def transmit(self, command: bytes) -> bytes:
        try:
            answer = self.connection.transmit(command)
        except PowerLost:
            self.facts.add(Fact(FAULTS, (POWER_CUT,)))
            raise
        if len(command) >= HEADER_LENGTH and len(answer) >= STATUS_LENGTH:
            self._note(command, declared_word(int.from_bytes(answer[-2:], "big")))
        self._selection.follow(command, answer)
        return answer

    def _note(self, command: bytes, sw: int) -> None:
        found = addressed(command[:HEADER_LENGTH], self._selection.current.certificates)
        personality = self._profile.personality
        declared = None if found.only else found.commands[0]
        if declared not in self._chosen:
            names = declared.choices if declared else ()
            self._chosen[declared] = tuple(getattr(personality, name) for name in names)
            self.facts.update(
                Fact(CHOICE_VALUES, (name, choice_text(name, value)))
                for name, value in zip(names, self._chosen[declared], strict=True)
            )
        self.facts.update(facts_of_answer(found, sw, self._chosen[declared]))
        if declared is None:
            return
        self.facts.update(self._rights(declared, command, sw))
        if sw in DONE:
            for key, version in self._keys(declared, command):
                self.facts.add(Fact(KEY_VERSIONS, (key.name, str(version))))

    def _rights(self, declared: CardCommand, command: bytes, sw: int) -> Iterator[Fact]:
        """Whether a file was read or written, or the right to do so was missing."""
        if sw not in (SW.OK, SW.SECURITY_NOT_SATISFIED) or declared not in (*READS, *WRITES):
            return
        sfi = binary_address(command[2], command[3])[0] if declared in BINARY else command[3] >> 3
        file = self._layout.file(self._selection.df, sfi) if sfi else self._selection.file
        if file is not None:
            granted, refused = (READ_GRANTED, READ_REFUSED) if declared in READS else (WRITE_GRANTED, WRITE_REFUSED)
            right = granted if sw == SW.OK else refused
            yield Fact(FILE_RIGHTS, (self._layout.generation, file_name(self._layout, file), right))

    def _keys(self, declared: CardCommand, command: bytes) -> Iterator[tuple[KeySpec, int]]:
        """The keys, with their versions from 1, that a command which was done has used."""
        layout, df = self._layout, self._selection.current
        index: int | None = None
        if declared is EXTERNAL_AUTHENTICATION:
            index = layout.key(df.fid if command[3] & LOCAL else layout.ssse.fid, command[3])
        elif declared is INTERNAL_AUTHENTICATION:
            index = layout.key(df.fid, INTERNAL_KEY)
        elif declared in IN_SSSE or (declared in IN_DF and df is layout.ssse):
            index = layout.stk
        elif declared in IN_DF:
            index = layout.key(df.fid, DF_STK_NUMBER)
        elif declared in (INITIALIZE_FOR_LOAD, INITIALIZE_FOR_PURCHASE):
            self._key_index = command[FIRST_DATA]
        elif declared in TRANSACTIONS:
            yield layout.keys[layout.key_named(TRANSACTIONS[declared])], self._key_index
            yield layout.keys[layout.key_named(TAC_KEY)], 1
        if index is not None:
            key = layout.keys[index]
            yield key, self._version(key, command) if declared not in (*IN_SSSE, *IN_DF) else 1

    def _version(self, key: KeySpec, command: bytes) -> int:
        """The version that an authentication names, else the card's default [OC-23]."""
        if command[4] > VERSION_AT:
            return command[FIRST_DATA + VERSION_AT]
        return 1 if self._profile.personality.default_key_version == "lowest" else key.versions
