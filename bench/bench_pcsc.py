"""One private pcscd, four cards side by side: a bare echo card, ours, ours on disk, and ``vicc`` where installed.

    python bench/bench_pcsc.py [--samples 2000]

Each card runs in a process of its own, as ``sscard insert`` and ``vicc`` do, and they are asked in turn, so
that a disturbance of the machine meets all. The echo card is the floor: our slot with a connection that only
gives fixed answers. A whole reset is what ``CardSession.reset_pin`` does, HSM included: two challenges, PUK
authentication, a challenge, PIN CHANGE/UNBLOCK. The card on disk is what ``sscard insert`` puts into a reader:
each VERIFY writes its try to the file before the comparison and resets the counter after it, and each reset
changes the PIN. vicc has no reset (INS 24 ends its process): five VERIFY stand for the five commands.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import date
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from itertools import cycle
from pathlib import Path
from random import Random
from statistics import median, quantiles

from rich.console import Console
from rich.table import Table

from sscard.errors import MissingPart
from sscard.hsm import SoftHsm
from sscard.issuer import Card, builtin_keys, make_holder, make_order, personalise, preset
from sscard.issuer.cardfile import save_card
from sscard.terminal import CardSession
from sscard.terminal.answers import HsmAnswers
from sscard.transport import Connection
from sscard.transport.pcsc import PcscConnection, wait_for_card
from sscard.transport.pcscd import PrivatePcscd, find_pcscd
from sscard.transport.vpcd import VirtualReaderSlot

ECHO, OURS, IMAGE, VICC = "echo (floor)", "sscard", "sscard insert", "vicc"
PIN = "123456"
OTHER_PIN = "654321"
VERIFY = bytes.fromhex("0020000003123456")
VICC_VERIFY = bytes.fromhex("002000000431323334")
RESET_COMMANDS = 5
VICC_FOLDER = Path("/usr/lib/python3/site-packages/virtualsmartcard")
PATIENCE = 30.0
WARM_UP = 60
SLOW_SHARE = 20
"""vicc is asked in one of so many turns."""


def new_card() -> Card:
    random = Random(20260105)
    order = make_order(preset("v3-sm4"), random, make_holder(random), "410400", date(2026, 1, 5))
    return personalise(order, builtin_keys())


class Fixed:
    """The least a card can do: an answer of the right length to the INS of a command."""

    def power_on(self) -> bytes:
        return bytes.fromhex("3B6D00001234A1B2C38649410418072E8C")

    def power_off(self) -> None:
        pass

    def reset(self) -> bytes:
        return self.power_on()

    def transmit(self, command: bytes) -> bytes:
        return b"\x01\x02\x03\x04\x05\x06\x07\x08\x90\x00" if command[1] == 0x84 else b"\x90\x00"


def serve(peer: str, port: int) -> None:
    """Be a card until standard input ends."""
    card: Connection = Fixed() if peer == ECHO else new_card().chip(Random(1))
    with VirtualReaderSlot(port, card):
        sys.stdin.read()


@contextmanager
def served(peer: str, port: int) -> Iterator[None]:
    command = [sys.executable, __file__, "--serve", peer, str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        yield
        assert process.stdin is not None
        process.stdin.close()


@contextmanager
def inserted(port: int, folder: Path) -> Iterator[None]:
    """The card as an image file, as ``sscard insert`` serves it."""
    save_card(new_card(), folder / "card.db")
    command = [sys.executable, "-m", "sscard.cli.main", "insert", str(folder / "card.db"), "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        yield
        process.terminate()


@contextmanager
def served_by_vicc(port: int, reader_name: str) -> Iterator[None]:
    """The packaged emulator as its command starts it; Debian leaves its own folder and ``Crypto`` to be found."""
    program = shutil.which("vicc")
    if program is None:
        raise MissingPart("vicc is not installed", "sudo apt-get install vsmartcard-vpicc")
    with tempfile.TemporaryDirectory() as folder:
        crypto = find_spec("Crypto")
        if crypto is not None and crypto.origin is not None:
            (Path(folder) / "Crypto").symlink_to(Path(crypto.origin).parent)
        paths = [str(VICC_FOLDER), folder, os.environ.get("PYTHONPATH", "")]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
        command = [program, "--type", "iso7816", "--hostname", "127.0.0.1", "--port", str(port)]
        with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
            if not wait_for_card(reader_name, timeout=PATIENCE):
                process.terminate()
                reason = process.communicate()[1].strip().rpartition("\n")[2]
                raise MissingPart(f"vicc does not run ({reason})", "pip install pycryptodome")
            yield
            process.terminate()


@contextmanager
def powered(reader_name: str) -> Iterator[PcscConnection]:
    with PcscConnection(reader_name, patience=PATIENCE) as connection:
        connection.power_on()
        yield connection


class Peer:
    """A card under test: what a turn of each measurement does to it, and how long each turn took, in seconds."""

    def __init__(self, name: str, turns: dict[str, Callable[[], object]], every: int = 1) -> None:
        self.name = name
        self.turns = turns
        self.every = every
        self.times: dict[str, list[float]] = {what: [] for what in turns}

    def turn(self, what: str) -> None:
        run = self.turns[what]
        began = time.perf_counter()
        run()
        self.times[what].append(time.perf_counter() - began)


def our_peer(connection: PcscConnection) -> Peer:
    session = CardSession.start(connection, SoftHsm(builtin_keys()))
    session.reset_pin(PIN)
    return Peer(OURS, {"VERIFY": verify(connection, VERIFY), "reset": partial(session.reset_pin, PIN)})


def image_peer(connection: PcscConnection) -> Peer:
    session = CardSession.start(connection, SoftHsm(builtin_keys()))
    session.reset_pin(PIN)
    pins = cycle((OTHER_PIN, PIN))
    return Peer(IMAGE, {"VERIFY": verify(connection, VERIFY), "reset": lambda: session.reset_pin(next(pins))})


def echo_peer(connection: PcscConnection) -> Peer:
    """The same terminal over fixed answers."""
    hsm = SoftHsm(builtin_keys())
    session = CardSession(connection, HsmAnswers(hsm), CardSession.start(new_card().chip(Random(1)), hsm).card)
    return Peer(ECHO, {"VERIFY": verify(connection, VERIFY), "reset": partial(session.reset_pin, PIN)})


def vicc_peer(connection: PcscConnection) -> Peer:
    once = verify(connection, VICC_VERIFY)

    def as_many_commands() -> None:
        for _ in range(RESET_COMMANDS):
            once()

    return Peer(VICC, {"VERIFY": once, "reset": as_many_commands}, SLOW_SHARE)


def verify(connection: PcscConnection, command: bytes) -> Callable[[], None]:
    def run() -> None:
        assert connection.transmit(command) == b"\x90\x00"

    return run


def measure(peers: list[Peer], samples: int) -> None:
    """Turn by turn, each peer once; the slow one less often."""
    for what in ("VERIFY", "reset"):
        for peer in peers:
            for _ in range(WARM_UP // peer.every):
                peer.turns[what]()
        for turn in range(samples):
            for peer in peers:
                if turn % peer.every == 0:
                    peer.turn(what)


def compare(samples: int, console: Console) -> list[Peer]:
    with ExitStack() as cards, PrivatePcscd(4) as daemon:
        peers = []
        for reader, (name, peer) in enumerate(((ECHO, echo_peer), (OURS, our_peer))):
            cards.enter_context(served(name, daemon.port(reader)))
            peers.append(peer(cards.enter_context(powered(daemon.reader_name(reader)))))
        folder = Path(cards.enter_context(tempfile.TemporaryDirectory()))
        cards.enter_context(inserted(daemon.port(2), folder))
        peers.append(image_peer(cards.enter_context(powered(daemon.reader_name(2)))))
        try:
            cards.enter_context(served_by_vicc(daemon.port(3), daemon.reader_name(3)))
            peers.append(vicc_peer(cards.enter_context(powered(daemon.reader_name(3)))))
        except MissingPart as missing:
            console.print(f"without vicc: {missing}")
        measure(peers, samples)
        return peers


def show(peers: list[Peer], console: Console) -> None:
    floor = peers[0]
    table = Table("", "card", "samples", "median µs", "p99 µs", "× floor")
    for what in floor.times:
        for peer in peers:
            times = peer.times[what]
            middle, high = median(times), quantiles(times, n=100)[98]
            ratio = middle / median(floor.times[what])
            table.add_row(what, peer.name, str(len(times)), f"{middle * 1e6:.0f}", f"{high * 1e6:.0f}", f"{ratio:.2f}")
    console.print(table)


def versions() -> str:
    """What the figures depend on."""
    said = subprocess.check_output([str(find_pcscd()), "--version"], text=True)
    python = f"Python {platform.python_version()}, pyscard {version('pyscard')}, Linux {platform.release()}"
    return f"{said.splitlines()[0].rstrip('.')}; {', '.join(debian())}; {python}, {os.cpu_count()} CPUs"


def debian() -> list[str]:
    """The packages' versions, where Debian's."""
    query = shutil.which("dpkg-query")
    if query is None:
        return []
    command = [query, "--show", "--showformat", "${Package} ${Version}\\n", "vsmartcard-vpcd", "vsmartcard-vpicc"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=2000, help="turns of each fast card (default 2000)")
    parser.add_argument("--serve", nargs=2, metavar=("CARD", "PORT"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve is not None:
        return serve(given.serve[0], int(given.serve[1]))
    if given.samples <= SLOW_SHARE:
        parser.error(f"at least {SLOW_SHARE + 1} samples: the slow card is asked in every {SLOW_SHARE}th turn, twice")
    console = Console()
    try:
        peers = compare(given.samples, console)
    except MissingPart as missing:
        console.print(str(missing))
        raise SystemExit(3) from None
    console.print(versions())
    return show(peers, console)


if __name__ == "__main__":
    main()
