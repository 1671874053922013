"""Change or reset the PIN of a social security card in a PC/SC reader, with pyscard.

::

    python pin.py READER change OLD NEW      the holder knows the old PIN
    python pin.py READER reset NEW           the issuer's HSM proves that it may

READER is a name as PC/SC lists it. A reset asks the HSM service at SSCARD_HSM
(default http://127.0.0.1:8440, started by ``sscard hsm serve``), with the token
in the file SSCARD_HSM_TOKEN. Exits 1 if the card refuses. It uses nothing of
sscard. PINs on the command line are for test cards.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from smartcard.System import readers

SSSE = bytes.fromhex("7378312E73682EC9E7BBE1B1A3D5CF")
DES, SSF33, SM4 = 0x01, 0x02, 0x03
BLOCK = {DES: 8, SM4: 16}
HEADER = 4  # of the ATR: 3B 6D 00 00, then 13 historical bytes, the last 8 of them the serial number


class Card:
    """The card in a reader, T=0: GET RESPONSE fetches data that waits, a wrong Le is repeated with the right one."""

    def __init__(self, name: str) -> None:
        found = [reader for reader in readers() if reader.name == name]
        if not found:
            sys.exit(f"no reader {name}")
        self.connection = found[0].createConnection()
        self.connection.connect()
        self.serial = bytes(self.connection.getATR())[HEADER + 5 : HEADER + 13]

    def send(self, command: bytes) -> bytes:
        """The data of an answer with 9000."""
        data, sw1, sw2 = self.connection.transmit(list(command))
        if sw1 == 0x6C:
            data, sw1, sw2 = self.connection.transmit([*command[:-1], sw2])
        elif sw1 == 0x61:
            data, sw1, sw2 = self.connection.transmit([0x00, 0xC0, 0x00, 0x00, sw2])
        if (sw1, sw2) != (0x90, 0x00):
            sys.exit(f"the card refused INS {command[1]:02X}: {sw1:02X}{sw2:02X}")
        return bytes(data)


def ask_hsm(operation: str, **fields: object) -> str:
    """An operation of the HSM service: POST /v1/OPERATION, answered by {"result": …} or {"error": …}."""
    url = os.environ.get("SSCARD_HSM", "http://127.0.0.1:8440")
    token = Path(os.environ["SSCARD_HSM_TOKEN"]).read_text(encoding="ascii").strip()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    try:
        with urlopen(Request(f"{url}/v1/{operation}", json.dumps(fields).encode(), headers)) as answer:  # noqa: S310
            return str(json.load(answer)["result"])
    except HTTPError as refused:
        sys.exit(f"the HSM refused: {json.load(refused)['error']}")


def encode_pin(pin: str) -> bytes:
    """4 to 16 digits as BCD, an odd number filled with F."""
    return bytes.fromhex(pin + "F" * (len(pin) % 2))


def with_length(header: str, data: bytes) -> bytes:
    """A header CLA INS P1 P2 in hex, Lc, data."""
    return bytes.fromhex(header) + bytes((len(data),)) + data


def reset(card: Card, fci: bytes, pin: bytes) -> None:
    """Two challenges, the proof of PUK, a challenge, the enciphered new PIN under the MAC of STK."""
    card.send(bytes.fromhex("00A4020002EF05"))
    city = card.send(bytes.fromhex("00B2010000")).hex()[4:10]
    _, mark, named = fci.partition(bytes.fromhex("9F0C038601"))
    algorithm = named[0] if mark else SSF33 if city.startswith("11") else DES  # SSF33 is not public: the HSM refuses it
    same = {"algorithm": algorithm, "city_code": city, "serial": card.serial.hex()}
    puk, stk = ask_hsm("address-of", key="PUK"), ask_hsm("address-of", key="STK")

    original, factor = (card.send(bytes.fromhex("0084000008")).hex() for _ in range(2))
    proof = ask_hsm("authentication-data", address=puk, factor=factor, original=original, **same)
    card.send(with_length("00820006", bytes.fromhex(proof)))

    block = BLOCK[algorithm]
    enciphered = (len(pin) + block) // block * block
    factor = card.send(bytes.fromhex("0084000008")).hex()
    header = f"84240001{enciphered + 4:02X}"
    card.send(bytes.fromhex(ask_hsm("safe-message", address=stk, factor=factor, header=header, pin=pin.hex(), **same)))


def main(reader: str, operation: str, *pins: str) -> None:
    """Do the operation, then try the new PIN."""
    card = Card(reader)
    fci = card.send(with_length("00A40400", SSSE))
    new = encode_pin(pins[-1])
    if operation == "change":
        card.send(with_length("805E0100", encode_pin(pins[0]) + b"\xff" + new))
    else:
        reset(card, fci, new)
    card.send(with_length("00200000", new))
    print(f"PIN {operation}: done")


if __name__ == "__main__":
    if (sys.argv[2:3], len(sys.argv)) not in ((["change"], 5), (["reset"], 4)):
        sys.exit(__doc__)
    main(*sys.argv[1:])
