"""A card in 60 lines, as a reference for the speed of a card in Python that anybody can repeat.

    python bench/floor.py [--rounds 41]

It takes an APDU apart, finds the function by CLA and INS in a dictionary, and
the PIN has its tries. It makes no other check: no P1 P2, no length, no locks,
no rights, no write points, no T=0. The program runs the same commands on it and
on sscard's card in turn, and prints both rates and the median ratio of the rounds.
"""

from __future__ import annotations

import argparse
import platform
from collections.abc import Callable
from random import Random
from statistics import median
from time import process_time

from pipelines import CHANGE, GET_CHALLENGE, PIN, SELECT_SSSE, SEVEN, VERIFY
from sscard import issue_card
from sscard.chip import engine

OK, NOT_FOUND, UNKNOWN = bytes.fromhex("9000"), bytes.fromhex("6A82"), bytes.fromhex("6D00")
TRIES = 6
COMMANDS = {
    "VERIFY": (VERIFY,),
    "CHANGE PIN": (CHANGE,),
    "SELECT SSSE": (SELECT_SSSE,),
    "GET CHALLENGE": (GET_CHALLENGE,),
    "pipeline of seven": SEVEN,
}
REPEATED = 2000


class FloorCard:
    def __init__(self, names: dict[bytes, bytes], records: dict[tuple[int, int], bytes], random: Random) -> None:
        self.names, self.records, self.random = names, records, random
        self.pin, self.tries, self.file = bytes.fromhex(PIN), TRIES, 0
        self.commands = {
            (0x00, 0x20): self.verify,
            (0x80, 0x5E): self.change,
            (0x00, 0xA4): self.select,
            (0x00, 0xB2): self.read,
            (0x00, 0x84): self.challenge,
        }

    def transmit(self, command: bytes) -> bytes:
        cla, ins, self.p1, self.p2, self.p3 = command[:5]
        self.data = command[5:]
        function = self.commands.get((cla, ins))
        return function() if function else UNKNOWN

    def verify(self) -> bytes:
        return OK if self.data and self.is_right(self.data) else bytes((0x63, 0xC0 | self.tries))

    def is_right(self, pin: bytes) -> bool:
        if not self.tries:
            return False
        self.tries -= 1
        if pin != self.pin:
            return False
        self.tries = TRIES
        return True

    def change(self) -> bytes:
        old, _, new = self.data.partition(b"\xff")
        if not self.is_right(old):
            return bytes((0x63, 0xC0 | self.tries))
        self.pin = new
        return OK

    def select(self) -> bytes:
        if self.p1 == 0x02:
            self.file = self.data[1]
            return OK
        return self.names.get(self.data, NOT_FOUND)

    def read(self) -> bytes:
        return self.records.get((self.file, self.p1), NOT_FOUND)

    def challenge(self) -> bytes:
        return self.random.randbytes(self.p3) + OK


def seconds(transmit: Callable[[bytes], bytes], commands: tuple[bytes, ...]) -> float:
    begun = process_time()
    for _ in range(REPEATED):
        for command in commands:
            transmit(command)
    return (process_time() - begun) / REPEATED


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=41)
    rounds = parser.parse_args().rounds
    if rounds < 1:
        parser.error("at least 1 round")
    chip = issue_card(seed=1, pin=PIN).chip(Random(1))
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
        pairs = [(seconds(floor.transmit, commands), seconds(chip.transmit, commands)) for _ in range(rounds)]
        least, ours = (median(each) for each in zip(*pairs, strict=True))
        ratio = median(one / other for one, other in pairs)
        print(f"{name:<20} {1e-3 / least:12.0f} {1e-3 / ours:12.0f} {ratio:13.2f}")


if __name__ == "__main__":
    main()
