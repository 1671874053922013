"""The issuer's host of a window program: starts it and answers its lines ``host|…`` with an HSM of sscard.

python host.py PROGRAM WORD...      the other lines of the program are printed; its exit code is ours
"""

from __future__ import annotations

import sys
from asyncio import create_subprocess_exec, run
from asyncio.subprocess import PIPE

from sscard import HsmError, SoftHsm
from sscard.issuer import CardReference


def answer(hsm: SoftHsm, asked: str) -> str:
    """The host's answer in hex, or an empty line if the HSM refuses."""
    service, key, algorithm, city, serial, factor, *more, _ = asked.split("|")
    card, address = CardReference(city, bytes.fromhex(serial)), hsm.address_of(key)
    first, *rest = map(bytes.fromhex, more)
    number, challenge = int(algorithm, 16), bytes.fromhex(factor)
    try:
        if service == "prove":
            return hsm.authentication_data(number, address, card, challenge, first).hex().upper()
        return hsm.safe_message(number, address, card, challenge, first, rest[0]).hex().upper()
    except HsmError as refused:
        sys.stderr.write(f"host: {refused}\n")
        return ""


async def main(command: list[str]) -> int:
    """Run the program to its end; its exit code."""
    hsm = SoftHsm()
    program = await create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
    assert program.stdin is not None
    assert program.stdout is not None
    async for line in program.stdout:
        text = line.decode("gbk").rstrip("\n")
        if text.startswith("host|"):
            program.stdin.write(f"{answer(hsm, text.removeprefix('host|'))}\n".encode())
            await program.stdin.drain()
        else:
            print(text)
    return await program.wait()


if __name__ == "__main__":
    raise SystemExit(run(main(sys.argv[1:])))
