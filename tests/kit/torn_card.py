"""A wrong card that does not survive a removal: half of a new PIN is written only at the next command. FILE [PORT].

Without a port it answers lines as `sscard apdu FILE --raw`, with one the wire of vpcd.
"""

from __future__ import annotations

import sys
from pathlib import Path

from kit.tcp_card import listen
from sscard.card import Chip
from sscard.card.commands.pin import CHANGE_PIN
from sscard.issuer.cardfile import open_card
from sscard.standard.tree import PIN


class TornCard:
    """A connection to a chip whose PIN is whole only after the command that follows its change."""

    def __init__(self, chip: Chip) -> None:
        self._chip = chip
        self._whole: bytes | None = None

    def power_on(self) -> bytes:
        self._whole = None
        return self._chip.power_on()

    def power_off(self) -> None:
        self._whole = None
        self._chip.power_off()

    def reset(self) -> bytes:
        return self._chip.reset()

    def transmit(self, command: bytes) -> bytes:
        memory = self._chip.memory
        if self._whole is not None:
            memory.put_string(PIN, self._whole)
            self._whole = None
        before = memory.strings[PIN]
        answer = self._chip.transmit(command)
        after = memory.strings[PIN]
        if command[1] == CHANGE_PIN.ins and before != after:
            self._whole = after
            memory.put_string(PIN, after[:1] + before[1:])
        return answer


def serve(file: str) -> None:
    """Answer each line of the standard input."""
    with open_card(Path(file)) as opened:
        card = TornCard(opened.chip)
        for line in sys.stdin:
            reset = line.strip() == "reset"
            answer = card.power_on() + b"\x90\x00" if reset else card.transmit(bytes.fromhex(line))
            print(answer.hex().upper(), flush=True)


def main(file: str, port: str = "") -> None:
    """Behind a port of this machine, or the standard input."""
    if not port:
        serve(file)
        return
    with open_card(Path(file)) as opened:
        listen(TornCard(opened.chip), int(port))


if __name__ == "__main__":
    main(*sys.argv[1:])
