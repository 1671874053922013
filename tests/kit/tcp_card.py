"""A program: a card file behind a port of this machine, on the wire of vpcd, until it is killed. FILE PORT [DEFECT]."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

from sscard.issuer.cardfile import open_card
from sscard.scenario.defects.measure import find_defects, planted
from sscard.transport.connection import Connection
from sscard.transport.vpcd_wire import Control, FrameReader, frame


def serve(card: Connection, wire: socket.socket) -> None:
    """Answer one reader until it hangs up."""
    frames = FrameReader()
    atr = b""
    while data := wire.recv(4096):
        for command in frames.feed(data):
            if command == bytes((Control.POWER_OFF,)):
                card.power_off()
            elif command == bytes((Control.POWER_ON,)):
                atr = card.power_on()
            elif command == bytes((Control.RESET,)):
                atr = card.reset()
            elif command == bytes((Control.ATR,)):
                wire.sendall(frame(atr))
            else:
                wire.sendall(frame(card.transmit(command)))


def listen(card: Connection, port: int) -> None:
    """Serve readers one after the other."""
    with socket.create_server(("127.0.0.1", port)) as listening:
        print("ready", flush=True)
        while True:
            wire, _ = listening.accept()
            with wire:
                serve(card, wire)


def main(file: str, port: str, *defects: str) -> None:
    """Serve the card of a file."""
    with planted(find_defects(defects)), open_card(Path(file)) as card:
        listen(card, int(port))


if __name__ == "__main__":
    main(*sys.argv[1:])
