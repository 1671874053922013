"""``sscard driver serve``: the line protocol, turns, and its life; spoken by sockets and by Node."""

from __future__ import annotations

import shutil
import socket
import stat
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest

import kit
from kit.counter import CARD
from kit.native import HELLO, PROGRAMS, Line, Service, command, serving
from kit.waiting import PATIENCE, in_thread, until
from sscard.driver import server as driver_server
from sscard.driver.api import FUNCTIONS
from sscard.driver.errors import describe
from sscard.driver.server import default_place, serve_driver
from sscard.errors import InputError
from sscard.issuer import Card
from sscard.version import __version__

CARD_TYPE, READER, NOT_CONNECTED, UNSUPPORTED, PARAMETER, CHARACTERS, LENGTH = -1, -11, -12, -13, -14, -41, -42
BUSY = (READER, describe(READER))
STEP_1 = ("iUnblockPIN_HSM_Step1", "1", CARD)
STEP_2 = ("iUnblockPIN_HSM_Step2", "0" * 32)


@pytest.fixture
def place(tmp_path: Path) -> str:
    return str(tmp_path / "driver")


@pytest.fixture
def service(place: str) -> Iterator[Service]:
    with serving(place) as served:
        yield served


@pytest.fixture
def line(service: Service) -> Iterator[Line]:
    with Line(service.place) as opened:
        yield opened


class WaitingPad:
    """A pad at which nobody types before the test says so."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.typed = threading.Event()

    def enter(self, prompt: str) -> str:  # noqa: ARG002 - the face of a pad
        self.asked.set()
        assert self.typed.wait(PATIENCE)
        return "123456"


@pytest.mark.parametrize("place", ["unix", "tcp:0"])
def test_it_greets_and_answers_at_either_kind_of_place(tmp_path: Path, place: str) -> None:
    with serving(str(tmp_path / "driver") if place == "unix" else place) as service, Line(service.place) as line:
        assert line.greeting.startswith(b"0\tsscard ")
        service.pad.script("000000")
        assert line.call("iVerifyPIN", "1") == (-51, "密码错误，剩余5次")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("iReadCardBas",), PARAMETER),
        (("iReadCardBas", "1", "2"), PARAMETER),
        (("iReadCardBas", ""), PARAMETER),
        (("iReadCardBas", "1.0"), PARAMETER),
        (("iReadCardBas", "１"), PARAMETER),
        (("iReadCardBas", "99999999999"), PARAMETER),
        (("iReadCardBas", "5"), CARD_TYPE),
        (("iVerifyPIN", "-1"), CARD_TYPE),
        (("iVerifyPIN", "1", "123456", "123456"), PARAMETER),
        (("iChangePIN", "1", "123456"), PARAMETER),
        (("iReloadPIN_HSM_Step3", "0" * 34, "123456"), PARAMETER),
        (("iUnblockPIN", "1", "%"), PARAMETER),
        (("iUnblockPIN", "1", "%4"), PARAMETER),
        (("iUnblockPIN", "1", "%zz"), PARAMETER),
        (("iUnblockPIN", "1", "%FF%FE"), CHARACTERS),
        (("",), UNSUPPORTED),
        (("close",), UNSUPPORTED),
        (("_begin", "1"), UNSUPPORTED),
        (("__init__",), UNSUPPORTED),
        (("iVerifyPIN\r", "1"), UNSUPPORTED),
    ],
    ids=repr,
)
def test_what_is_wrong_with_a_line_is_a_code_and_the_connection_stays(
    line: Line, service: Service, words: tuple[str, ...], code: int
) -> None:
    assert line.call(*words) == (code, describe(code))
    service.pad.script("123456")
    assert line.call("iVerifyPIN", "1") == (0, "")


@pytest.mark.parametrize(
    "hello",
    [
        b"\n",
        b"iVerifyPIN\t1\n",
        b"GET / HTTP/1.1\r\n",
        b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nsscard-driver\t1\tUTF-8\niVerifyPIN\t1\n",
        b"sscard-driver\t2\tUTF-8\n",
        b"sscard-driver\t1\tLATIN-1\n",
        b"sscard-driver\t1\n",
        b"\xff\x00\n",
    ],
)
def test_a_stranger_is_told_so_and_hung_up_on(service: Service, hello: bytes) -> None:
    with Line(service.place, b"") as stranger:
        assert stranger.ask(hello).startswith(f"{UNSUPPORTED}\t".encode())
        assert stranger.at_end()
    assert not service.pad.prompts


def test_a_line_without_end_is_refused_and_hung_up_on(line: Line) -> None:
    assert line.ask(b"x" * 65537).startswith(f"{LENGTH}\t".encode())


def test_half_a_line_is_nothing(service: Service) -> None:
    for sent in (b"", b"sscard-dri", HELLO + b"iVerifyPIN\t1"):
        with Line(service.place, b"") as program:
            program.socket.sendall(sent)
            program.socket.shutdown(socket.SHUT_WR)
            assert program._reader.read() in (b"", f"0\tsscard {__version__}\n".encode())
    assert not service.pad.prompts


def test_a_program_may_say_all_it_wants_at_once(service: Service) -> None:
    """And close its side, as a pipe does."""
    service.pad.script("123456")
    with Line(service.place, b"") as program:
        program.socket.sendall(HELLO + b"iVerifyPIN\t1\n")
        program.socket.shutdown(socket.SHUT_WR)
        assert program._reader.read().splitlines()[1:] == [b"0\t"]


def test_any_bytes_at_all_leave_it_standing(service: Service) -> None:
    random = Random(7)
    for _ in range(40):
        with Line(service.place) as program:
            names = [*FUNCTIONS, "", "x"]
            words = [
                random.choice(names).encode(),
                *(random.randbytes(random.randrange(30)) for _ in range(random.randrange(5))),
            ]
            program.socket.sendall(b"\t".join(words) + b"\n" + random.randbytes(random.randrange(200)))
            program.socket.shutdown(socket.SHUT_WR)
            assert program._reader.read().startswith((b"0\t", b"-"))
    with Line(service.place) as program:
        service.pad.script("123456")
        assert program.call("iVerifyPIN", "1") == (0, "")


def test_between_the_steps_of_a_group_the_terminal_is_its_programs(service: Service) -> None:
    with Line(service.place) as mine, Line(service.place) as other:
        assert mine.call(*STEP_1)[0] == 0
        assert other.call("iVerifyPIN", "1") == BUSY
        assert other.call(*STEP_2) == BUSY
        code, _ = mine.call(*STEP_2)
        assert code == -0x63C2  # the key is refused by the card: the group was mine all the time
        service.pad.script("123456")
        assert other.call("iVerifyPIN", "1") == (0, "")


def test_a_program_that_ends_takes_its_group_with_it(service: Service) -> None:
    with Line(service.place) as mine:
        assert mine.call(*STEP_1)[0] == 0
    service.pad.script("123456")
    with Line(service.place) as other:
        while (told := other.call("iVerifyPIN", "1")) == BUSY:  # until the server has noticed
            pass
        assert told == (0, "")
        assert other.call(*STEP_2)[0] == NOT_CONNECTED


def test_a_function_waits_for_that_of_another_program(place: str) -> None:
    pad = WaitingPad()
    with serving(place, pad=pad) as service, Line(place) as one, Line(place) as two:
        one.socket.sendall(b"iVerifyPIN\t1\n")
        assert pad.asked.wait(PATIENCE)
        two.socket.sendall(b"iReadCardBas\t1\n")
        pad.typed.set()
        assert one._reader.readline() == b"0\t\n"
        assert two._reader.readline().startswith(b"0\t510100|")
        assert service.functions == ["iVerifyPIN 0", "iReadCardBas 0"]


def test_it_does_not_wait_for_ever(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver_server, "LONGEST_WAIT", 0.01)
    pad = WaitingPad()
    with serving(place, pad=pad), Line(place) as one, Line(place) as two:
        one.socket.sendall(b"iVerifyPIN\t1\n")
        assert pad.asked.wait(PATIENCE)
        assert two.call("iReadCardBas", "1") == BUSY
        pad.typed.set()
        assert one._reader.readline() == b"0\t\n"


def test_a_program_that_has_hung_up_has_asked_for_nothing(place: str) -> None:
    """Its turn comes when it has gone: no prompt, no try of the PIN."""
    pad = WaitingPad()
    with serving(place, pad=pad) as service, Line(place) as one:
        one.socket.sendall(b"iVerifyPIN\t1\n")
        assert pad.asked.wait(PATIENCE)
        pad.asked.clear()
        with Line(place) as gone:
            gone.socket.sendall(b"iVerifyPIN\t1\n")
        pad.typed.set()
        assert one._reader.readline() == b"0\t\n"
        assert one.call("iReadCardBas", "1")[0] == 0
        assert not pad.asked.is_set()
        assert service.functions.count("iVerifyPIN 0") == 1


def test_the_log_tells_functions_and_codes_and_no_secret(service: Service, line: Line) -> None:
    service.pad.script("246802")
    line.call("iVerifyPIN", "1")
    line.call("iUnblockPIN_HSM_Step2", "246802")
    line.call("246802")
    assert service.functions == ["iVerifyPIN -51", "iUnblockPIN_HSM_Step2 -12", "- -13"]


def test_text_longer_than_its_buffer_in_the_chosen_encoding_is_refused(place: str) -> None:
    """512 bytes hold it in GBK and not in UTF-8: it is never cut."""

    class Wordy:
        reason = ""

        def iVerifyPIN(self, iType: int) -> tuple[int, str]:  # noqa: N802, N803 - a function of the driver
            return 0, "张" * (200 + iType)

        def close(self) -> None:
            pass

    server = serve_driver(Wordy(), place)  # type: ignore[arg-type]
    with server, in_thread(lambda: server.serve_forever(0.01), server.shutdown):
        for charset, longest in (("GBK", 255), ("UTF-8", 170)):
            with Line(place, f"sscard-driver\t1\t{charset}\n".encode()) as line:
                for count in (longest, longest + 1):
                    answer = line.ask(f"iVerifyPIN\t{count - 200}\n".encode()).decode(charset)
                    assert answer == (f"0\t{'张' * count}\n" if count == longest else f"-42\t{describe(LENGTH)}\n")


def test_a_mistake_in_the_driver_ends_the_connection_and_nothing_else(place: str) -> None:
    class Broken:
        def iVerifyPIN(self, iType: int) -> tuple[int, str]:  # noqa: ARG002, N802, N803 - a function of the driver
            raise KeyError("246802")

        def close(self) -> None:
            pass

    log: list[str] = []
    server = serve_driver(Broken(), place, log=log.append)  # type: ignore[arg-type]
    with server, in_thread(lambda: server.serve_forever(0.01)):
        for _ in range(2):
            with Line(place) as line:
                assert line.ask(b"iVerifyPIN\t1\n") == b""
        server.shutdown()
    assert [entry.partition(" ")[2] for entry in log] == ["- KeyError", "- KeyError"]


# Its limits


@pytest.mark.parametrize("hello", [b"", HELLO])
def test_a_line_that_comes_a_byte_at_a_time_is_ended(place: str, hello: bytes) -> None:
    with serving(place, timeout=0.5) as served, Line(served.place, hello) as line:
        pause = threading.Event()
        with suppress(OSError):
            while not pause.wait(0.02):
                line.socket.sendall(b"x")
        # What the driver did not read any more resets the connection, after its answer.
        assert line.socket.makefile("rb").readline().startswith(b"-42\t")
        assert until(lambda: not served.server.connections)


def test_a_client_may_be_silent_between_its_functions(place: str) -> None:
    """A shorter limit than the silence, which is as long as another client needs to run into that limit."""
    with serving(place, timeout=0.2) as served, Line(served.place) as patient:
        with Line(served.place) as slow:
            slow.socket.sendall(b"i")
            assert slow.socket.recv(3) == b"-42"
        assert patient.ask(b"iNone\n").startswith(b"-13\t")


def test_a_client_beyond_the_number_of_connections_is_refused(place: str) -> None:
    with serving(place, connections=1) as served:
        with Line(served.place), socket.socket(socket.AF_UNIX) as second:
            second.connect(served.place)
            second.sendall(HELLO)
            assert second.makefile("rb").read().startswith(b"-11\t")
        assert until(lambda: not served.server.connections)
        with Line(served.place) as again:
            assert again.ask(b"iNone\n").startswith(b"-13\t")


# Its place


def test_the_socket_is_its_users_and_goes_with_the_server(place: str) -> None:
    with serving(place):
        mode = Path(place).stat().st_mode
        assert stat.S_ISSOCK(mode)
        assert mode & 0o777 == 0o600
    assert not Path(place).exists()


def test_a_place_is_served_once(service: Service) -> None:
    with pytest.raises(InputError, match=r"a driver is served at .* already"):
        Service(service.place)
    assert Path(service.place).is_socket()


def test_a_socket_that_was_left_behind_is_replaced(place: str) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(place)
    with serving(place), Line(place) as line:
        assert line.greeting.startswith(b"0\t")


@pytest.mark.parametrize("place", ["tcp:", "tcp:x", "tcp:65536", "/no/such/folder/driver", "x" * 200])
def test_a_place_that_is_none_is_said(place: str) -> None:
    with pytest.raises(InputError, match=r"not a port|cannot listen"):
        Service(place)


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no Unix sockets")
def test_a_place_that_is_too_long_is_named_in_short() -> None:
    with pytest.raises(InputError, match="File name too long") as refused:
        Service("a" * 5000)
    assert len(str(refused.value)) < 400


def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    with pytest.raises(InputError, match="cannot listen"):
        Service(str(file))
    assert file.read_text() == "mine"


def test_the_port_is_on_the_loopback_interface() -> None:
    with serving("tcp:0") as service:
        assert service.server.socket.getsockname()[0] == "127.0.0.1"


def test_where_programs_look_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value, expected in (
        ("HOME", "/home/me", "/home/me/.sscard-driver"),
        ("XDG_RUNTIME_DIR", "/run/me", "/run/me/sscard-driver"),
        ("SSCARD_DRIVER", "tcp:1234", "tcp:1234"),
    ):
        monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False) if variable == "HOME" else None
        monkeypatch.setenv(variable, value)
        assert default_place() == expected


def test_it_ends_by_itself_when_nobody_is_connected(place: str) -> None:
    service = Service(place, idle=0.05)
    with service.server, in_thread(lambda: service.server.serve_forever(0.01)), Line(place) as line:
        service.pad.script("123456")
        assert line.call("iVerifyPIN", "1") == (0, "")
    assert not Path(place).exists()


def test_whoever_is_connected_at_the_end_is_hung_up_on(place: str) -> None:
    with serving(place) as service:
        line = Line(place)
        assert line.call(*STEP_1)[0] == 0
        card: Card = service.card
    with line:
        assert line.at_end()
    assert card.snapshot().key_tries["PUK"][0] == kit.card_of("v3-sm4").snapshot().key_tries["PUK"][0]


# Another language


def test_a_program_in_node(service: Service) -> None:
    if shutil.which("node") is None:
        pytest.skip("no Node: sudo apt-get install nodejs")
    service.pad.script("123456", "654321", "654321", "123456")
    done: Any = command("node", PROGRAMS / "line.mjs", service.place, text=True)
    assert done.stdout.splitlines() == ["0 张三", "0 ", "-51 密码错误，剩余5次"]
