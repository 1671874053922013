"""A card that is a program: its lines, its end, and every way it can fail."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import kit
from kit.waiting import PATIENCE
from sscard.errors import InputError
from sscard.issuer.cardfile import load_card, save_card
from sscard.transport.exec import ExecConnection
from sscard.transport.faults import CardMute, CardRemoved, TransportError

COMMAND = bytes.fromhex("0084000008")


def program(code: str) -> str:
    """The command line of a program that reads ``line`` after ``line``, printing what the code prints."""
    body = f"import sys\nfor line in sys.stdin:\n    line = line.strip()\n    {code}\n    sys.stdout.flush()"
    return shlex.join([sys.executable, "-c", body])


ECHO = program("print('3B00 9000' if line == 'reset' else f'{line} 9000')")


def test_a_line_for_a_command_and_reset_for_power() -> None:
    with ExecConnection(ECHO) as connection:
        assert connection.power_on() == connection.reset() == b"\x3b\x00"
        assert connection.transmit(COMMAND) == COMMAND + b"\x90\x00"


def test_sscard_itself_is_such_a_program(tmp_path: Path) -> None:
    image = tmp_path / "a card.db"
    card = kit.card_of("v3-sm4")
    save_card(card, image)
    command = shlex.join([sys.executable, "-m", "sscard.cli.main", "apdu", str(image), "--raw"])
    with ExecConnection(command) as connection:
        assert connection.power_on() == card.profile.atr()
        assert connection.transmit(kit.verify("999999")) == b"\x63\xc5"
    assert load_card(image).snapshot().pin_tries == 5


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("print('3B00 9000') if line == 'reset' else sys.exit(7)", CardRemoved),
        ("print('3B00 9000') if line == 'reset' else None", CardMute),
        ("print('3B00 9000') if line == 'reset' else print('what?')", TransportError),
        ("print('3B00 9000') if line == 'reset' else print('90')", TransportError),
    ],
    ids=["ends", "silent", "no hex", "one byte"],
)
def test_a_failure_ends_the_program_and_power_on_starts_it_again(code: str, error: type[Exception]) -> None:
    with ExecConnection(program(code), patience=PATIENCE) as connection:
        connection.power_on()
        process = connection._process
        assert process is not None
        connection._patience = 0.5 if error is CardMute else PATIENCE
        with pytest.raises(error) as caught:
            connection.transmit(COMMAND)
        connection._patience = PATIENCE
        assert process.poll() is not None
        assert "7" in str(caught.value) or error is not CardRemoved
        assert connection.power_on() == b"\x3b\x00"


def test_an_error_in_the_block_ends_the_program_too() -> None:
    connection = ExecConnection(ECHO)

    def fail() -> None:
        with connection:
            connection.power_on()
            started.append(connection._process)
            raise KeyError

    started: list[subprocess.Popen[str] | None] = []
    with pytest.raises(KeyError):
        fail()
    assert started[0] is not None
    assert started[0].poll() is not None


def test_a_program_that_does_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sscard.transport.exec.LAST_WAIT", 0.1)
    code = (
        "import sys\nsys.stdin.readline(); print('3B00 9000', flush=True)\nimport threading; threading.Event().wait()"
    )
    with ExecConnection(shlex.join([sys.executable, "-c", code])) as connection:
        connection.power_on()
        process = connection._process
    assert process is not None
    assert process.returncode == -9


@pytest.mark.parametrize("action", ["transmit", "reset"])
def test_without_power_there_is_no_card(action: str) -> None:
    with ExecConnection(ECHO) as connection:
        connection.power_on()
        connection.power_off()
        with pytest.raises(CardRemoved, match="power_on"):
            connection.transmit(COMMAND) if action == "transmit" else connection.reset()


@pytest.mark.parametrize("command", ["/no/such/program", "", "'open"])
def test_what_cannot_be_started(command: str) -> None:
    with pytest.raises(InputError, match="cannot be started"), ExecConnection(command) as connection:
        connection.power_on()


def test_a_program_that_loses_its_power_is_started_again_at_power_on(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    code = f"import os; open({str(notes)!r}, 'a').write(f'{{os.getpid()}}\\n'); print('3B00 9000')"
    with ExecConnection(program(code)) as connection:
        connection.power_on()
        assert not connection.cut(COMMAND, 0), "it never answered this command, so its time is not known"
        with pytest.raises(CardRemoved):
            connection.transmit(COMMAND)
        connection.power_on()
        connection.transmit(COMMAND)
        assert connection.cut(COMMAND, 0), "another time in the middle of its time"
        connection.power_on()
        assert not connection.cut(COMMAND, 1)
        connection.power_on()
        connection.unplug()
        connection.power_on()
    assert len({*notes.read_text().splitlines()}) == 5
