"""For the tests of the C library: compilers, programs, a server over a card in this process, and servers that err."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

from kit.cards import card_of
from kit.counter import psam_of
from kit.waiting import PATIENCE, in_thread
from sscard.driver import native
from sscard.driver.api import DriverOptions, Readers, SSCardDriver
from sscard.driver.server import DriverServer, serve_driver
from sscard.issuer import Card
from sscard.terminal.pinpad import PinPad, ScriptedPad

PROGRAMS = Path(__file__).parents[1] / "driver" / "native"
SANITISERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g")
COMPILER = os.environ.get("CC") or "cc"
HELLO = b"sscard-driver\t1\tUTF-8\n"


def compile_program(name: str, program: Path, *options: str) -> Path:
    """A program of the tests with the library's source in it, all warnings errors."""
    source = native.source_folder()
    warnings = ["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O1", "-pthread"]
    files = [str(PROGRAMS / f"{name}.c"), str(source / native.SOURCE)]
    command(COMPILER, *warnings, *options, "-I", source, *files, "-o", program)
    return program


def sanitisers_work(folder: Path) -> bool:
    """Whether programs with the sanitisers can be built and run here."""
    source, program = folder / "nothing.c", folder / "nothing"
    source.write_text("int main(void) { return 0; }\n")
    built = command(COMPILER, *SANITISERS, source, "-o", program, check=False)
    return built.returncode == 0 and command(program, check=False).returncode == 0


def has_compiler() -> bool:
    return shutil.which(COMPILER) is not None


def environment(place: str = "", **others: str) -> dict[str, str]:
    """Of a program that looks for the server at a place."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SSCARD_")}
    settings = {"charset": "UTF-8", "timeout": str(PATIENCE), **others}
    return {
        **kept,
        "SSCARD_DRIVER": place,
        **{f"SSCARD_DRIVER_{name.upper()}": text for name, text in settings.items()},
    }


def command(*words: str | Path, check: bool = True, **how: Any) -> subprocess.CompletedProcess[Any]:
    """Run a command to its end."""
    return subprocess.run([*map(str, words)], check=check, capture_output=True, timeout=PATIENCE, **how)  # noqa: S603


def run(program: Path, place: str, words: str, **others: str) -> list[tuple[int, str]]:
    """Run ``call`` with these words: code and pOutInfo of each function."""
    done = command(program, *words.split(), check=False, env=environment(place, **others))
    assert (done.returncode, done.stderr) == (0, b"")
    encoding = "gbk" if others.get("charset") == "GBK" else "utf-8"
    return [outcome(line) for line in done.stdout.decode(encoding).splitlines()]


def started(program: Path, words: str, place: str, **others: str) -> subprocess.Popen[str]:
    """Start ``call`` with these words, its input and output at hand."""
    pipe = subprocess.PIPE
    return subprocess.Popen(  # noqa: S603
        [str(program), *words.split()], env=environment(place, **others), stdin=pipe, stdout=pipe, text=True
    )


def outcome(line: str) -> tuple[int, str]:
    code, _, text = line.partition("\t")
    return int(code), text


class Service:
    """A server in this process over a card, a scripted pad and the PSAM of the card's province."""

    def __init__(
        self,
        place: str | int,
        card: Card | None = None,
        pad: PinPad | None = None,
        serve: Callable[..., DriverServer] = serve_driver,
        **how: Any,
    ) -> None:
        self.card = card or card_of("v3-sm4")
        self.pad = ScriptedPad()
        self.log: list[str] = []
        chips = [self.card.chip(Random(1), contact=contact) for contact in (True, False)]
        readers = Readers(lambda: chips[0], lambda: chips[1])
        driver = SSCardDriver(readers, pad or self.pad, psam_of("province"), options=DriverOptions())
        self.server = serve(driver, place, log=self.log.append, **how)

    @property
    def place(self) -> str:
        return self.server.place

    @property
    def functions(self) -> list[str]:
        """What the log says, without the time."""
        return [line.partition(" ")[2] for line in self.log]


@contextmanager
def serving(place: str | int, card: Card | None = None, **how: Any) -> Iterator[Service]:
    """A service that runs meanwhile."""
    service = Service(place, card, **how)
    with service.server, in_thread(lambda: service.server.serve_forever(0.01), service.server.shutdown):
        yield service


class FakeServer:
    """A server that answers each line it gets with the next bytes given, then hangs up.

    ``None`` among them stays silent until the program hangs up. ``lines`` keeps what came.
    """

    def __init__(self, path: Path, *answers: bytes | None) -> None:
        self.lines: list[bytes] = []
        self._answers = answers
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        self._socket.listen()

    def serve(self) -> None:
        with self._socket, self._socket.accept()[0] as connection, connection.makefile("rb") as reader:
            for answer in self._answers:
                self.lines.append(reader.readline())
                if answer is None:
                    reader.read()
                else:
                    connection.sendall(answer)


class Line:
    """A connection that speaks the line protocol."""

    def __init__(self, place: str, hello: bytes = HELLO) -> None:
        if place.startswith("tcp:"):
            self.socket = socket.create_connection(("127.0.0.1", int(place[4:])))
        else:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.connect(place)
        self.socket.settimeout(PATIENCE)
        self._reader = self.socket.makefile("rb")
        if hello:
            self.greeting = self.ask(hello)

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.close()
        self.socket.close()

    def ask(self, line: bytes) -> bytes:
        self.socket.sendall(line)
        return self._reader.readline()

    def call(self, *words: str) -> tuple[int, str]:
        return outcome(self.ask(("\t".join(words) + "\n").encode()).decode().removesuffix("\n"))

    def at_end(self) -> bool:
        """Whether the server has hung up."""
        return self._reader.read(1) == b""
