"""`sscard insert`: an image file in a reader, and what survives."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

import kit
from kit.programs import ENDS, Program, run, running
from kit.waiting import PATIENCE
from sscard.hsm import SoftHsm
from sscard.issuer import builtin_keys
from sscard.issuer.cardfile import load_card, save_card
from sscard.standard.apdu import split
from sscard.terminal import CardSession
from sscard.transport import CardRemoved
from sscard.transport.pcsc import PcscConnection, ReaderError, wait_for_card
from sscard.transport.pcscd import PrivatePcscd

SELECT = bytes.fromhex(f"00A404000F{kit.NAME}")
WRONG = kit.verify("999999")
ASK_TRIES = bytes.fromhex("0020000000")


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "card.db"
    save_card(kit.card_of("v3-sm4"), path)
    return path


@pytest.fixture
def inserted(pcscd: PrivatePcscd, reader: int, image: Path) -> Iterator[Program]:
    """`sscard insert`, once the reader has the card."""
    with running("insert", image, "--port", pcscd.port(reader)) as program:
        assert wait_for_card(pcscd.reader_name(reader), timeout=PATIENCE)
        yield program


def tries_on_disk(image: Path) -> int:
    card = load_card(image)
    return card.chip(Random(1)).snapshot().pin_tries


def wrong_pin(connection: PcscConnection) -> str:
    connection.power_on()
    connection.transmit(SELECT)
    return connection.transmit(WRONG).hex().upper()


def test_it_says_where_the_card_is_and_what_to_type_next(inserted: Program, reader_name: str) -> None:
    said = [inserted.line() for _ in range(7)]
    assert f"in reader '{reader_name}'" in said[0]
    assert f"opensc-tool --reader '{reader_name}' --atr" in said[1]
    assert f"sscard apdu 'pcsc:{reader_name}'" in said[2]
    assert "all interfaces" in said[-1]


def test_what_it_says_to_type_next_works(inserted: Program, reader_name: str) -> None:
    done = run("apdu", f"pcsc:{reader_name}", "00A4040000", "0020000000")
    assert "6 tries left" in done.stdout, done.stdout + done.stderr


def test_on_a_full_disk_right_and_wrong_pin_answer_the_same(
    inserted: Program, image: Path, connection: PcscConnection
) -> None:
    """Nothing is compared, so that nobody guesses for free."""
    limits = pytest.importorskip("resource", reason="the system limits no file sizes")
    connection.power_on()
    connection.transmit(SELECT)
    if not hasattr(limits, "prlimit"):
        pytest.skip("only Linux limits another process")
    unlimited = limits.prlimit(inserted.process.pid, limits.RLIMIT_FSIZE)
    limits.prlimit(inserted.process.pid, limits.RLIMIT_FSIZE, (1, unlimited[1]))
    answers = {connection.transmit(command) for command in (*[WRONG] * 11, kit.verify(kit.PIN))}
    limits.prlimit(inserted.process.pid, limits.RLIMIT_FSIZE, unlimited)
    assert answers == {b"\x65\x81"}
    assert tries_on_disk(image) == 6


@pytest.mark.usefixtures("inserted")
def test_each_change_is_on_disk_before_its_answer(image: Path, connection: PcscConnection) -> None:
    for left in (5, 4):
        assert wrong_pin(connection) == f"63C{left}"
        assert tries_on_disk(image) == left
    session = CardSession.start(connection, SoftHsm(builtin_keys()))
    session.reset_pin("654321")
    assert tries_on_disk(image) == 6
    session.verify_pin("654321")


@pytest.mark.parametrize("end", ENDS)
def test_it_ends_cleanly(inserted: Program, image: Path, connection: PcscConnection, end: signal.Signals) -> None:
    assert wrong_pin(connection) == "63C5"
    code, rest = inserted.end(end)
    assert code == 0
    assert "out of the reader" in rest
    assert "Traceback" not in rest
    assert tries_on_disk(image) == 5


def test_kill_9_keeps_the_image_and_lets_it_go(
    inserted: Program, pcscd: PrivatePcscd, reader: int, image: Path, connection: PcscConnection
) -> None:
    assert wrong_pin(connection) == "63C5"
    assert inserted.end(signal.SIGKILL)[0] == -signal.SIGKILL
    assert tries_on_disk(image) == 5
    with running("insert", image, "--port", pcscd.port(reader)):
        assert wait_for_card(pcscd.reader_name(reader), timeout=PATIENCE)
        assert wrong_pin(connection) == "63C4"


def test_pcscd_restarts_under_it(inserted: Program, pcscd: PrivatePcscd, connection: PcscConnection) -> None:
    inserted.line_with("all interfaces")
    assert wrong_pin(connection) == "63C5"
    pcscd.kill()
    assert "pcscd is gone" in inserted.line()
    pcscd.start()
    assert inserted.line() == "in the reader\n"
    with pytest.raises(ReaderError):
        connection.transmit(ASK_TRIES)
    assert wrong_pin(connection) == "63C4"


def test_signals_take_it_out_and_put_it_in(inserted: Program, reader_name: str, connection: PcscConnection) -> None:
    inserted.line_with("all interfaces")
    assert wrong_pin(connection) == "63C5"
    inserted.send(signal.SIGUSR1)
    assert inserted.line() == "out of the reader\n"
    assert wait_for_card(reader_name, present=False, timeout=PATIENCE)
    inserted.send(signal.SIGUSR2)
    inserted.send(signal.SIGUSR2)
    assert inserted.line() == "in the reader\n"
    assert wrong_pin(connection) == "63C4"


def test_remove_after_takes_it_out_once_the_answer_has_left(
    pcscd: PrivatePcscd, reader: int, image: Path, connection: PcscConnection
) -> None:
    with running("insert", image, "--port", pcscd.port(reader), "--remove-after", 2) as program:
        assert wait_for_card(pcscd.reader_name(reader), timeout=PATIENCE)
        assert wrong_pin(connection) == "63C5"
        with pytest.raises(CardRemoved):
            connection.transmit(ASK_TRIES)
        connection.power_off()
        assert program.line_with("out of the reader")
        program.send(signal.SIGUSR2)
        assert wrong_pin(connection) == "63C4"


def test_the_contactless_side(pcscd: PrivatePcscd, reader: int, image: Path, connection: PcscConnection) -> None:
    with running("insert", image, "--port", pcscd.port(reader), "--contactless"):
        assert wait_for_card(pcscd.reader_name(reader), timeout=PATIENCE)
        assert connection.power_on() == load_card(image).profile.atr(contact=False)
        data, sw = split(connection.transmit(SELECT))
        assert data
        assert sw == 0x9000


@pytest.mark.slow
def test_a_slot_that_is_taken_ends_with_3(inserted: Program, pcscd: PrivatePcscd, reader: int, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    save_card(kit.card_of("v2-3des"), other)
    done = run("insert", other, "--port", pcscd.port(reader))
    assert done.returncode == 3
    assert f"the slot on port {pcscd.port(reader)} holds another card\n  sscard insert {other}" in done.stderr


def test_an_image_in_the_reader_is_nobody_elses(inserted: Program, image: Path) -> None:
    done = run("apdu", image, "0020000000")
    assert done.returncode == 2
    assert f"is in use by process {inserted.process.pid}" in done.stderr


def test_a_port_without_reader_ends_with_3(pcscd: PrivatePcscd, image: Path) -> None:
    done = run("insert", image, "--port", 1)
    assert done.returncode == 3
    assert f"no virtual reader listens on port 1\n  sscard insert {image} --port 35963" in done.stderr


def test_without_a_daemon_it_ends_with_3(image: Path, tmp_path: Path) -> None:
    done = run("insert", image, "--port", 1, PCSCLITE_CSOCK_NAME=str(tmp_path / "no.comm"))
    assert done.returncode == 3
    assert "no PC/SC daemon is running" in done.stderr
    assert "sudo systemctl restart pcscd" in done.stderr
