"""`sscard insert`: an image file in a reader, and what survives."""

from __future__ import annotations

import json
import os
import signal
import stat
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from random import Random

import pytest

import kit
from kit.programs import EACH_END, Program, run, running
from kit.vpcd_driver import POWER_ON, FakeDriver
from kit.waiting import PATIENCE, until
from sscard.hsm import SoftHsm
from sscard.issuer import builtin_keys
from sscard.issuer.cardfile import load_card, save_card
from sscard.standard.apdu import split
from sscard.terminal import CardSession
from sscard.transport import CardMute, CardRemoved, TransportError
from sscard.transport.pcsc import PcscConnection, ReaderError, wait_for_card
from sscard.transport.pcscd import PrivatePcscd
from sscard.transport.timing import contact_seconds
from sscard.transport.vpcd_wire import frame

SELECT = bytes.fromhex(f"00A404000F{kit.NAME}")
WRONG = kit.verify("999999")
ASK_TRIES = bytes.fromhex("0020000000")
CHALLENGE = bytes.fromhex("0084000008")


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


@pytest.mark.parametrize("end", EACH_END)
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


@pytest.mark.parametrize("end", EACH_END)
def test_it_ends_while_the_card_is_out(inserted: Program, reader_name: str, end: signal.Signals) -> None:
    inserted.line_with("all interfaces")
    inserted.send(signal.SIGUSR1)
    assert inserted.line() == "out of the reader\n"
    code, rest = inserted.end(end)
    assert (code, rest.count("out of the reader")) == (0, 1)
    assert wait_for_card(reader_name, present=False, timeout=PATIENCE)


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


def test_a_card_that_is_out_again_before_the_program_looks_was_in(image: Path, tmp_path: Path) -> None:
    """Found on a busy machine: the program ended, because it took the slot for that of another card."""
    go_on = tmp_path / "go-on"
    os.mkfifo(go_on)
    late = (
        "import pathlib\nimport sscard.transport.pcscd as pcscd\nfrom sscard.cli.main import main\n"
        f"pcscd.daemon_answers = lambda: pathlib.Path({str(go_on)!r}).read_text() == ''\nmain()\n"
    )
    arguments = ("-c", late, "insert", image, "--remove-after", 1)
    with (
        closing(FakeDriver()) as driver,
        running(*arguments, "--port", driver.port, program=[sys.executable]) as inserted,
    ):
        driver.accept()
        driver.send(POWER_ON, frame(SELECT))
        while driver.receive():  # until the card has hung up
            pass
        go_on.write_text("")
        assert inserted.line_with("out of the reader")


def test_remove_after_counts_only_what_reaches_the_card(
    pcscd: PrivatePcscd, reader: int, image: Path, connection: PcscConnection
) -> None:
    options = ("--contactless", "--remove-after", 2)
    with running("insert", image, "--port", pcscd.port(reader), *options) as program:
        assert wait_for_card(pcscd.reader_name(reader), timeout=PATIENCE)
        connection.power_on()
        for _turn in range(3):
            assert split(connection.transmit(bytes.fromhex("FFCA000000"))).sw == 0x9000
        assert split(connection.transmit(SELECT)).sw == 0x9000
        with suppress(CardRemoved):
            connection.transmit(ASK_TRIES)
        connection.power_off()
        assert program.line_with("out of the reader")


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
    assert "or start the command with tcp::1 first" in done.stderr


# Seed, delay, faults, recording and trace


def test_challenges_of_a_seed_are_those_of_apdu(
    pcscd: PrivatePcscd, reader: int, image: Path, connection: PcscConnection
) -> None:
    known = run("apdu", image, CHALLENGE.hex(), CHALLENGE.hex(), "--raw", "--seed", 7).stdout.split()[::2]
    with running("insert", image, "--port", pcscd.port(reader), "--seed", 7):
        assert wait_for_card(pcscd.reader_name(reader), timeout=PATIENCE)
        connection.power_on()
        assert [connection.transmit(CHALLENGE)[:-2].hex().upper() for _ in range(2)] == known


@pytest.mark.parametrize(
    ("delay", "expected"),
    [
        ("80ms", 0.08),
        pytest.param("0.08s", 0.08, marks=pytest.mark.nightly),
        ("card", contact_seconds(WRONG, b"\x63\xc5", 3)),
    ],
)
def test_a_delay_makes_answers_late(
    pcscd: PrivatePcscd, reader: int, image: Path, connection: PcscConnection, delay: str, expected: float
) -> None:
    """A wrong PIN writes its counter: log, cell, end of the log."""
    with running("insert", image, "--port", pcscd.port(reader), "--delay", delay):
        assert wait_for_card(pcscd.reader_name(reader), timeout=PATIENCE)
        connection.power_on()
        connection.transmit(SELECT)
        begun = time.monotonic()
        assert connection.transmit(WRONG).hex().upper() == "63C5"
        assert time.monotonic() - begun >= expected


@pytest.mark.parametrize(
    ("late", "taken_out"),
    [
        pytest.param(("--delay", "60s"), False, id="delay-end"),
        pytest.param(("--delay", "60s"), True, id="delay-removal", marks=pytest.mark.nightly),
        pytest.param(("--fault", "slow=60@1"), False, id="fault-end", marks=pytest.mark.nightly),
        pytest.param(("--fault", "slow=60@1"), True, id="fault-removal"),
    ],
)
def test_a_long_delay_does_not_outlast_the_end_or_the_removal(
    pcscd: PrivatePcscd, reader: int, image: Path, connection: PcscConnection, taken_out: bool, late: tuple[str, str]
) -> None:
    with running("insert", image, "--port", pcscd.port(reader), *late) as program:
        assert wait_for_card(pcscd.reader_name(reader), timeout=PATIENCE)
        connection.power_on()
        with ThreadPoolExecutor(1) as asking:
            asked = asking.submit(connection.transmit, WRONG)
            assert until(lambda: tries_on_disk(image) == 5)
            begun = time.monotonic()
            if taken_out:
                program.send(signal.SIGUSR1)
                program.line_with("out of the reader")
                with pytest.raises(TransportError):
                    asked.result()
            assert program.end()[0] == 0
            assert time.monotonic() - begun < 30
            with suppress(TransportError):
                asked.result()


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param("removed=before", marks=pytest.mark.nightly),
        "removed=during",
        "mute",
        pytest.param("truncated=1", marks=pytest.mark.nightly),
        "corrupted=-1",
    ],
)
def test_a_fault_happens_at_its_command_and_is_printed(
    pcscd: PrivatePcscd, reader: int, image: Path, connection: PcscConnection, fault: str
) -> None:
    name, _, value = fault.partition("=")
    faults = ("--fault", f"{fault}@2", "--fault", "mute@90")
    with running("insert", image, "--port", pcscd.port(reader), *faults) as program:
        program.line_with("all interfaces")
        connection.power_on()
        connection.transmit(SELECT)
        match name:
            case "removed" | "mute":
                with pytest.raises(CardRemoved if name == "removed" else CardMute):
                    connection.transmit(ASK_TRIES)
            case "truncated":
                assert connection.transmit(ASK_TRIES) == b"\x63"
            case "corrupted":
                assert connection.transmit(ASK_TRIES) == b"\x63\x39"
        assert program.line() == f"fault {name} {value}".rstrip() + ": reached at command 2\n"
        connection.power_off()
        if name == "removed":
            assert program.line() == "out of the reader\n"
            program.send(signal.SIGUSR2)
            assert program.line() == "in the reader\n"
        assert wrong_pin(connection) == "63C5"
        code, rest = program.end()
        assert code == 0
        assert "fault mute: not reached, it waits for command 90\n" in rest


def test_a_slow_fault_and_a_removal_behind_the_answer(
    pcscd: PrivatePcscd, reader: int, image: Path, connection: PcscConnection
) -> None:
    faults = ("--fault", "slow=0.2@2", "--fault", "removed=after@3")
    with running("insert", image, "--port", pcscd.port(reader), *faults) as program:
        program.line_with("all interfaces")
        connection.power_on()
        connection.transmit(SELECT)
        begun = time.monotonic()
        assert connection.transmit(ASK_TRIES) == b"\x63\xc6"
        assert time.monotonic() - begun >= 0.2
        assert connection.transmit(ASK_TRIES) == b"\x63\xc6"
        with pytest.raises(CardRemoved):
            connection.transmit(ASK_TRIES)
        assert [program.line() for _ in range(3)] == [
            "fault slow 0.2: reached at command 2\n",
            "fault removed after: reached at command 3\n",
            "out of the reader\n",
        ]


def test_a_swap_puts_a_card_of_another_personality_into_the_reader(
    pcscd: PrivatePcscd, reader: int, image: Path, connection: PcscConnection
) -> None:
    with running("insert", image, "--port", pcscd.port(reader), "--fault", "swapped=v1-des@2") as program:
        program.line_with("all interfaces")
        before = connection.power_on()
        connection.transmit(SELECT)
        with pytest.raises(CardRemoved):
            connection.transmit(ASK_TRIES)
        connection.power_off()
        assert program.line() == "fault swapped v1-des: reached at command 2\n"
        assert [program.line(), program.line()] == ["out of the reader\n", "in the reader\n"]
        assert connection.power_on() != before
        session = CardSession.start(connection, SoftHsm(builtin_keys()))
        session.verify_pin("123456")
    assert tries_on_disk(image) == 6


def test_a_contactless_reader_answers_for_the_card_of_a_swap_too(
    pcscd: PrivatePcscd, reader: int, image: Path, connection: PcscConnection
) -> None:
    uid = bytes.fromhex("FFCA000000")
    options = ("--contactless", "--fault", "swapped=v1-des@1")
    with running("insert", image, "--port", pcscd.port(reader), *options) as program:
        assert wait_for_card(pcscd.reader_name(reader), timeout=PATIENCE)
        connection.power_on()
        assert connection.transmit(uid)[4:] == b"\x90\x00"
        with pytest.raises(CardRemoved):
            connection.transmit(SELECT)
        connection.power_off()
        assert program.line_with("in the reader")
        connection.power_on()
        assert connection.transmit(uid)[4:] == b"\x90\x00"


def test_the_conversation_is_recorded_and_traced_without_the_pin(
    pcscd: PrivatePcscd, reader: int, image: Path, connection: PcscConnection, tmp_path: Path
) -> None:
    files = [tmp_path / "talk.jsonl", tmp_path / "trace.txt"]
    options = ("--record", files[0], "--trace", files[1])
    with running("insert", image, "--port", pcscd.port(reader), *options, "--fault", "truncated=1@3") as program:
        assert wait_for_card(pcscd.reader_name(reader), timeout=PATIENCE)
        assert wrong_pin(connection) == "63C5"
        assert connection.transmit(ASK_TRIES) == b"\x63"
        assert "0020000003 ******" in files[1].read_text("utf-8")  # as it happens
        connection.power_off()
        assert program.end()[0] == 0
    text, trace = (file.read_text("utf-8") for file in files)
    assert "999999" not in text + trace
    assert [stat.S_IMODE(file.stat().st_mode) for file in files] == [0o600, 0o600]
    assert trace.count("# power off\n# power off") == 0
    assert "< 63  no status word" in trace
    other = tmp_path / "other.db"
    save_card(kit.card_of("v3-sm4"), other)
    played = run("replay", files[0], other, "--pin", "999999", "--json")
    compared = json.loads(played.stdout)
    assert (compared["sent"], compared["differences"]) == (2, []), played.stdout
    assert [each["reason"] for each in compared["not_sent"]] == ["not replayable: no answer was recorded"]


@pytest.mark.parametrize("option", ["--record", "--trace"])
def test_an_existing_recording_is_kept_unless_forced(
    pcscd: PrivatePcscd, reader: int, image: Path, tmp_path: Path, option: str
) -> None:
    kept = tmp_path / "kept"
    kept.write_text("the last one\n")
    arguments = ("insert", image, "--port", pcscd.port(reader), option, kept)
    done = run(*arguments)
    assert (done.returncode, kept.read_text()) == (2, "the last one\n")
    assert f"{kept}: exists already" in done.stderr
    done = run("insert", image, "--record", kept, "--trace", kept, "--force")
    assert done.returncode == 2
    assert "is an input or another output of this command" in done.stderr
    with running(*arguments, "--force") as program:
        program.line_with("all interfaces")
        assert program.end()[0] == 0
    assert "the last one" not in kept.read_text("utf-8")


@pytest.mark.parametrize(("defects", "answer"), [((), "63C5"), (("wrong-pin-answers-630x",), "6305")])
def test_a_defective_card_is_in_the_reader(
    pcscd: PrivatePcscd, reader: int, image: Path, connection: PcscConnection, defects: tuple[str, ...], answer: str
) -> None:
    options = [word for name in defects for word in ("--defect", name)]
    with running("insert", image, "--port", pcscd.port(reader), *options) as program:
        assert wait_for_card(pcscd.reader_name(reader), timeout=PATIENCE)
        assert wrong_pin(connection) == answer
        said = program.end()[1]
    assert ("A wrong PIN is answered with 630x" in said) is bool(defects)
    assert tries_on_disk(image) == 5
