"""How long bytes take between terminal and card: contacts (ISO/IEC 7816-3), air (ISO/IEC 14443-3 type A, 14443-4).

Times are whole nanoseconds. docs/timing-model.md derives each figure.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from sscard.campaign.units import SECOND_NS

HEADER: Final = 5
"""Bytes of a command that are on the line in any case: CLA INS P1 P2 P3."""
STATUS: Final = 2
FI: Final = (372, 372, 558, 744, 1116, 1488, 1860, 0, 0, 512, 768, 1024, 1536, 2048, 0, 0)
DI: Final = (0, 1, 2, 4, 8, 16, 32, 64, 12, 20, 0, 0, 0, 0, 0, 0)
"""ISO/IEC 7816-3, tables of TA1; 0 is reserved."""
PPS_BYTES: Final = 4
"""PPSS PPS0 PPS1 PCK, and the same as the answer."""
BLOCK: Final = 32
"""Bytes of a T=1 block that a card takes if its ATR does not say."""
T1_EPILOGUE: Final = 4
"""Bytes around those of a T=1 block: NAD PCB LEN, and LRC."""
T1_TURN: Final = 22
"""Etu between the leading edges of two characters in opposite directions (ISO/IEC 7816-3, block guard time)."""
CHARACTER: Final = 12
"""Etu between the leading edges of two characters, without extra guard time."""
NO_GUARD: Final = 255
"""TC1 that means 11 etu with T=1, and 12 with T=0."""

BITS: Final = 9
"""Bits per byte over the air: eight and parity (ISO/IEC 14443-3 type A)."""
ELEMENTARY: Final = 128
"""Carrier periods per bit at 106 kbit/s."""
AROUND: Final = 2
"""Bits at the begin and the end of a frame."""
FRAME: Final = 3
"""Bytes around those of a block: PCB and CRC (ISO/IEC 14443-4)."""
FSC: Final = 256
"""Bytes of a frame that these cards take: FSCI 8 of their ATS (card-files.md §2)."""
ACTIVATION: Final = ((1, 2), (2, 5), (9, 3), (4, 20))
"""Bytes both ways of REQA, ANTICOLLISION and SELECT of one level, RATS (ISO/IEC 14443-3 clause 6, 14443-4 clause 5)."""


@dataclass(frozen=True, slots=True)
class ContactLine:
    """The contacts: clock in Hz, ``turn`` in etu, ``reset`` and ``answer`` in clock cycles, and what the ATR states."""

    clock: int
    turn: int
    reset: int
    answer: int
    f: int = 372
    d: int = 1
    guard: int = 0
    """TC1."""
    protocol: int = 0
    block: int = BLOCK
    """Bytes of a T=1 block that the card takes, by TA3."""
    atr: int = 17
    pps: bool = False

    def at(self, atr: bytes) -> ContactLine:
        """The line after an ATR; a TA1 that may be negotiated takes effect, by a PPS."""
        known = interface_bytes(atr)
        ta1 = known.get("TA1", 0x11)
        f, d = FI[ta1 >> 4], DI[ta1 & 0x0F]
        return replace(
            self,
            f=f or 372,
            d=d or 1,
            guard=known.get("TC1", 0),
            protocol=known.get("TD1", 0) & 0x0F,
            block=(known.get("TA3") if known.get("TD1", 0) & 0x0F else None) or BLOCK,  # TA3 = 0 is reserved
            atr=len(atr),
            pps="TA1" in known and "TA2" not in known and ta1 != 0x11,
        )

    def power_on(self) -> int:
        """Nanoseconds of a cold reset and its ATR, at 372 cycles per etu, and of a PPS."""
        characters = self.atr * CHARACTER + (2 * (PPS_BYTES * CHARACTER + self.turn - CHARACTER) if self.pps else 0)
        return (self.reset + self.answer + characters * 372) * SECOND_NS // self.clock

    def length(self, command: bytes) -> int:
        """Bytes of a command that are sent: T=0 does not send the Le after data."""
        sent = len(command)
        return sent - 1 if self.protocol == 0 and sent > HEADER and sent == command[4] + HEADER + 1 else sent

    def exchange(self, sent: int, received: int) -> int:
        """Nanoseconds of an APDU of so many bytes each way."""
        return (
            (self._t1 if self.protocol == 1 else self._t0)(sent, received) * self.f * SECOND_NS // (self.d * self.clock)
        )

    def _t0(self, sent: int, received: int) -> int:
        """Etu: header, procedure byte before data, data, status word; the direction changes 2 or 4 times."""
        sent = max(sent, HEADER)
        with_data = sent > HEADER
        guard = 0 if self.guard == NO_GUARD else self.guard
        procedure = 1 if with_data or received > STATUS else 0
        turns = 4 if with_data else 2
        return sent * (CHARACTER + guard) + (procedure + received) * CHARACTER + turns * (self.turn - CHARACTER)

    def _t1(self, sent: int, received: int) -> int:
        """Etu: blocks with prologue and LRC; the other side acknowledges each block but the last of a chain."""
        out, back = -(-sent // self.block), -(-received // self.block)
        guard = -1 if self.guard == NO_GUARD else self.guard
        acknowledged = out + back - 2
        to_card = sent + (out + back - 1) * T1_EPILOGUE
        to_terminal = received + (back + out - 1) * T1_EPILOGUE
        card = CHARACTER - (self.guard == NO_GUARD)
        turns = 2 * (1 + acknowledged)
        return to_card * (CHARACTER + guard) + to_terminal * card + turns * (T1_TURN - CHARACTER)


@dataclass(frozen=True, slots=True)
class ContactlessLine:
    """The air, ISO/IEC 14443 type A at 106 kbit/s: carrier in Hz, ``delay`` in carrier periods, ``field`` in ns."""

    carrier: int
    delay: int
    field: int
    frame: int = FSC

    def at(self, _atr: bytes) -> ContactlessLine:
        """The same line: a reader's ATR does not state what the ATS stated."""
        return self

    def power_on(self) -> int:
        """Nanoseconds until the ATS has come, for a UID of four bytes."""
        periods = sum(self._frame(out) + self._frame(back) + 2 * self.delay for out, back in ACTIVATION)
        return self.field + periods * SECOND_NS // self.carrier

    def length(self, command: bytes) -> int:
        """Bytes of a command that are sent."""
        return len(command)

    def exchange(self, sent: int, received: int) -> int:
        """Nanoseconds of an APDU of so many bytes each way, in blocks; each block is answered."""
        room = self.frame - FRAME
        out, back = -(-sent // room), -(-received // room)
        blocks = out + back - 1
        periods = self._frame(sent) + self._frame(received) - 2 * self._frame(0)
        return (periods + 2 * blocks * (self._frame(FRAME) + self.delay)) * SECOND_NS // self.carrier

    def _frame(self, count: int) -> int:
        return (count * BITS + AROUND) * ELEMENTARY


def interface_bytes(atr: bytes) -> dict[str, int]:
    """The interface bytes of an ATR by name: TA1, TB1, TC1, TD1, TA2, …; of an ATR that is too short, those it has."""
    found: dict[str, int] = {}
    rest = iter(atr[1:])
    present, level = next(rest, 0) >> 4, 1
    while present:
        named = [f"T{letter}{level}" for bit, letter in enumerate("ABCD") if present >> bit & 1]
        found.update(zip(named, rest, strict=False))
        present, level = found.get(f"TD{level}", 0) >> 4, level + 1
    return found
