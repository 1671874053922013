"""A card in 60 lines, as a reference for the speed of a card in Python that anybody can repeat.

    python bench/floor.py

Its commands are found in a dictionary, the PIN has its tries, and it makes no
other check: no P1 P2, no length, no locks, no rights, no write points, no T=0.
The program runs its commands and the same ones on sscard's card in turn, 41
rounds, and prints both rates and the median ratio.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from random import Random
from statistics import median
from time import process_time

from pipelines import SELECT_SSSE, SEVEN, VERIFY
from sscard import issue_card
from sscard.chip import engine

OK, NOT_FOUND, BLOCKED = bytes.fromhex("9000"), bytes.fromhex("6A82"), bytes.fromhex("6983")
COMMANDS = {"VERIFY": (VERIFY,), "SELECT SSSE": (SELECT_SSSE,), "pipeline of seven": SEVEN}
ROUNDS, REPEATED = 41, 2000


class FloorCard:
    def __init__(self, names: dict[bytes, bytes], records: dict[tuple[int, int], bytes], random: Random) -> None:
        self.names, self.records, self.random = names, records, random
        self.pin, self.tries, self.file = bytes.fromhex("123456"), 6, 0
        self.commands = {
            0x20: self.verify,
            0x5E: self.change,
            0xA4: self.select,
            0xB2: self.read,
            0x84: self.challenge,
        }

    def transmit(self, command: bytes) -> bytes:
        return self.commands[command[1]](command)

    def verify(self, command: bytes) -> bytes:
        return OK if len(command) > 5 and self.is_right(command[5:]) else bytes((0x63, 0xC0 | self.tries))

    def is_right(self, pin: bytes) -> bool:
        if not self.tries:
            return False
        self.tries -= 1
        if pin != self.pin:
            return False
        self.tries = 6
        return True

    def change(self, command: bytes) -> bytes:
        old, _, new = command[5:].partition(b"\xff")
        if not self.is_right(old):
            return bytes((0x63, 0xC0 | self.tries))
        self.pin = new
        return OK

    def select(self, command: bytes) -> bytes:
        if command[2] == 0x02:
            self.file = command[6]
            return OK
        return self.names.get(command[5:], NOT_FOUND)

    def read(self, command: bytes) -> bytes:
        return self.records.get((self.file, command[2]), NOT_FOUND)

    def challenge(self, command: bytes) -> bytes:
        return self.random.randbytes(command[4]) + OK


def seconds(transmit: Callable[[bytes], bytes], commands: tuple[bytes, ...]) -> float:
    begun = process_time()
    for _ in range(REPEATED):
        for command in commands:
            transmit(command)
    return (process_time() - begun) / REPEATED


def main() -> None:
    chip = issue_card(seed=1, pin="123456").chip(Random(1))
    chip.power_on()
    names = {SELECT_SSSE[5:]: chip.transmit(SELECT_SSSE)}
    answers = [chip.transmit(command) for command in SEVEN]
    records = {(0x05, command[2]): answer for command, answer in zip(SEVEN, answers, strict=True) if command[1] == 0xB2}
    floor = FloorCard(names, records, Random(1))
    built = "compiled" if engine.__file__.endswith(".so") else "plain"
    print(f"{platform.python_implementation()} {platform.python_version()}, {platform.python_compiler()}; chip {built}")
    print(f"{'':<20} {'floor, k/s':>12} {'sscard, k/s':>12} {'sscard/floor':>13}")
    for name, commands in COMMANDS.items():
        assert all(floor.transmit(command)[-2:] == chip.transmit(command)[-2:] for command in commands), name
        pairs = [(seconds(floor.transmit, commands), seconds(chip.transmit, commands)) for _ in range(ROUNDS)]
        least, ours = (median(each) for each in zip(*pairs, strict=True))
        ratio = median(one / other for one, other in pairs)
        print(f"{name:<20} {1e-3 / least:12.0f} {1e-3 / ours:12.0f} {ratio:13.2f}")


if __name__ == "__main__":
    main()
