"""A wrong card for `exec:`: python -m kit.defective_card FILE [DEFECT | COMMAND:STATUS=OTHER[:TIMES]]…

DEFECT is one of the catalogue; COMMAND:STATUS=OTHER replaces a status word after commands that begin with these hex
digits, the first TIMES times. In STATUS and OTHER a dot is a digit that stays.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path

from sscard.issuer.cardfile import open_card


class Replaced:
    """A status word that the card answers in place of another."""

    def __init__(self, written: str) -> None:
        self._begin, _, rest = written.partition(":")
        words, _, times = rest.partition(":")
        self._old, _, self._new = words.partition("=")
        self._left = int(times or sys.maxsize)

    def of(self, command: str, answer: str) -> str:
        """The answer with the status word that the card gives."""
        sw = answer[-4:]
        meant = all(one in (".", other) for one, other in zip(self._old, sw, strict=True))
        if not command.startswith(self._begin) or not meant or not self._left:
            return answer
        self._left -= 1
        return answer[:-4] + "".join(one if one != "." else old for one, old in zip(self._new, sw, strict=True))


def serve(file: str, *wrong: str) -> None:
    """Answer each line of the standard input, as `sscard apdu FILE --raw`."""
    replaced = [Replaced(each) for each in wrong if "=" in each]
    with ExitStack() as planted:
        if names := [each for each in wrong if "=" not in each]:
            from sscard.scenario.defects.measure import find_defects  # most of the time of a start

            for defect in find_defects(names):
                planted.enter_context(defect.planted())
        chip = planted.enter_context(open_card(Path(file))).chip
        for line in sys.stdin:
            command = line.strip().upper()
            answer = chip.power_on() + b"\x90\x00" if command == "RESET" else chip.transmit(bytes.fromhex(command))
            text = answer.hex().upper()
            for each in replaced:
                text = each.of(command, text)
            print(text, flush=True)


if __name__ == "__main__":
    serve(*sys.argv[1:])
