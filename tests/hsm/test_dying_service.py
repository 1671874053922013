"""`sscard hsm serve` is killed, or does not answer, at each request of a case: the case waits and is resumed."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from random import Random
from typing import Any

import pytest

import kit
from kit.cards import citizens_card
from kit.programs import CommandLine, Program, running
from sscard.hsm.http import HttpHsm
from sscard.issuer import preset
from sscard.issuer.cardfile import load_card, save_card
from sscard.standard.encoding import encode_pin

NEW = "654321"
TOKEN = "the-token-of-the-tests"
STOPPED_FOR = 0.3
"""Seconds that a client waits for a service that is stopped and cannot answer."""


def unused_port() -> int:
    """A port that the system gives to no connection or server that asks for any: while the service is dead, it is free.

    Linux gives those from 32768, and Windows and macOS those from 49152.
    """
    for port in Random().sample(range(20000, 32000), 100):
        with socket.socket() as tried, suppress(OSError):
            tried.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


class Service:
    """The process of a service, which is started again on the port that it had."""

    def __init__(self, folder: Path) -> None:
        self._token = folder / "token"
        self._token.write_text(TOKEN)
        self._port = unused_port()
        self._running = ExitStack()
        self._program: Program
        self.url = ""
        self.start()

    def start(self) -> None:
        command = ("hsm", "serve", "--port", self._port, "--token-file", self._token)
        self._program = self._running.enter_context(running(*command))
        self.url = self._program.line_with("HSM at ").split()[2].rstrip(",")

    def end(self) -> None:
        self._running.close()

    def stop(self) -> None:
        """Stop the process, and wait until it is: the system stops each of its threads when it runs next."""
        self._program.send(signal.SIGSTOP)
        os.waitid(os.P_PID, self._program.process.pid, os.WSTOPPED)

    def go_on(self) -> None:
        self._program.send(signal.SIGCONT)


class Interrupted(HttpHsm):
    """A client in whose request ``number`` something happens to the service: before it is sent, or after its answer."""

    number = 0
    after = False
    asked = 0
    happens: Callable[[], object]

    def ask(self, operation: str, fields: dict[str, Any], read: Callable[[Any], Any]) -> Any:
        self.asked += 1
        if self.asked != self.number:
            return super().ask(operation, fields, read)
        if not self.after:
            self.happens()
            return super().ask(operation, fields, read)
        answer = super().ask(operation, fields, read)
        self.happens()
        return answer


CLIENTS: list[Interrupted] = []
"""The client that the plug-in of these tests gives."""


def open_client(_url: str, **_options: object) -> Interrupted:
    return CLIENTS[-1]


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    found = EntryPoints([EntryPoint("rack", "rack_hsm:open_client", "sscard.hsms")])
    monkeypatch.setattr("importlib.metadata.entry_points", found.select)
    monkeypatch.setitem(sys.modules, "rack_hsm", sys.modules[__name__])
    started = Service(tmp_path)
    try:
        yield started
    finally:
        started.end()


class Desk:
    """One case of a fresh card at a time, at the command line."""

    def __init__(self, folder: Path, sscard: CommandLine, service: Service, personality: str) -> None:
        self.card = folder / "card.db"
        self._journal = ("--journal", folder / "journal.db")
        self._sscard = sscard
        self._service = service
        self._personality = personality

    def fresh_card(self) -> None:
        self.card.unlink(missing_ok=True)
        save_card(citizens_card(kit.PIN, personality=preset(self._personality)), self.card)

    def client(self, number: int = 0, happens: Callable[[], object] = int, *, after: bool = False) -> Interrupted:
        """The client of the next command."""
        made = Interrupted(self._service.url, TOKEN, timeout=STOPPED_FOR if number else 10)
        made.number, made.happens, made.after = number, happens, after
        CLIENTS.append(made)
        return made

    def open(self) -> int:
        command = ("case", "open", self.card, "--reason", "forgotten", "--new", NEW)
        return self._sscard(*command, *self._journal, "--hsm", "rack:1")[0]

    def resume(self, number: str) -> None:
        command = ("case", "resume", number, self.card, "--new", NEW)
        code, out, err = self._sscard(*command, *self._journal, "--hsm", "rack:1")
        assert code == 0, out + err

    def stages(self) -> dict[str, str]:
        """The stage of each case by its number."""
        code, out, _ = self._sscard("case", "list", *self._journal, "--json")
        return {case["number"]: case["stage"] for case in json.loads(out)["cases"]} if code == 0 else {}

    def has_new_pin(self) -> bool:
        return load_card(self.card).memory.strings[0] == encode_pin(NEW)

    def verified(self) -> bool:
        return self._sscard("case", "verify", *self._journal)[0] == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("personality", "first"),
    [
        pytest.param("v3-sm4", -1, id="last request"),
        pytest.param("v3-sm4", 0, id="each request", marks=pytest.mark.nightly),
        pytest.param("v2-3des", 0, id="each request of another card", marks=pytest.mark.nightly),
    ],
)
def test_a_case_is_resumed_wherever_the_service_is_killed_or_silent(
    sscard: CommandLine, service: Service, tmp_path: Path, personality: str, first: int
) -> None:
    desk = Desk(tmp_path, sscard, service, personality)
    desk.fresh_card()
    client = desk.client()
    assert desk.open() == 0
    assert client.asked >= 2, "authentication data, and the command with the PIN"
    for number in range(1, client.asked + 1)[first:]:
        for what, happens, after, back in (
            ("killed before", service.end, False, service.start),
            ("killed after", service.end, True, service.start),
            ("silent", service.stop, False, service.go_on),
        ):
            point = f"{what} {number} of {client.asked}"
            earlier = desk.stages()
            desk.fresh_card()
            desk.client(number, happens, after=after)
            ended_well = desk.open() == 0
            assert ended_well == (after and number == client.asked), point
            assert desk.has_new_pin() == ended_well, point
            back()
            desk.client()
            begun = [case for case in desk.stages() if case not in earlier]
            if not begun:  # the card could not be read: the clerk opens the case again
                assert desk.open() == 0, point
            elif not ended_well:
                desk.resume(*begun)
            assert desk.has_new_pin(), point
            assert set(desk.stages().values()) == {"completed"}, point
            assert len(desk.stages()) == len(earlier) + 1, point
    assert desk.verified()
