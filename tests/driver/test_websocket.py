"""``sscard driver serve --listen ws:PORT``: the calls of a page (driver-api.md §10), as a program without a browser."""

from __future__ import annotations

import json
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from time import monotonic
from typing import Any

import pytest

from kit.cards import card_of
from kit.counter import ALL, CARD, OTHER, Counter
from kit.native import Service, serving
from kit.waiting import PATIENCE, in_thread, until
from sscard.driver.errors import describe
from sscard.driver.libraries import DRIVERS
from sscard.errors import InputError, MissingPart, TransportError

pytest.importorskip("websockets", reason="websockets is not installed: pip install 'sscard[server]'")

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.sync.server import serve

from sscard.driver.websocket import LONGEST_MESSAGE, serve_websocket

BAS = "iReadCardBas"


class Page:
    """What a page does: it sends an object and waits for one."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    def send(self, message: str | bytes) -> dict[str, str]:
        self.connection.send(message)
        received = self.connection.recv(timeout=PATIENCE)
        assert isinstance(received, str)  # a text frame
        answer: dict[str, str] = json.loads(received)
        assert list(answer) == ["functionName", "success", "pOutInfo"]
        assert all(isinstance(value, str) for value in answer.values())
        return answer

    def call(self, function: str, **parameters: object) -> tuple[str, str]:
        """Call a function by its proper name: ``success`` and ``pOutInfo``."""
        answer = self.send(json.dumps({"function": function, **parameters}, ensure_ascii=False))
        assert answer["functionName"] == function
        return answer["success"], answer["pOutInfo"]

    def ok(self, function: str, **parameters: object) -> str:
        success, out = self.call(function, **parameters)
        assert success == "1", (success, out)
        return out


@contextmanager
def page(service: Service, **how: Any) -> Iterator[Page]:
    with connect(service.place, **how) as connection:
        yield Page(connection)


@pytest.fixture
def service() -> Iterator[Service]:
    with serving(0, serve=serve_websocket) as served:
        yield served


@pytest.fixture
def browser(service: Service) -> Iterator[Page]:
    with page(service) as opened:
        yield opened


def connected(service: Service) -> socket.socket:
    """A connection without a handshake."""
    return socket.create_connection(("127.0.0.1", int(service.place.rpartition(":")[2])), timeout=PATIENCE)


def opened(service: Service) -> socket.socket:
    """A connection after the handshake, to send any bytes."""
    client = connected(service)
    head = "Host: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    client.sendall(f"GET / HTTP/1.1\r\n{head}Sec-WebSocket-Key: {'A' * 22}==\r\n\r\n".encode())
    assert client.recv(4096).startswith(b"HTTP/1.1 101")
    return client


def frame(kind: int, content: bytes) -> bytes:
    """A frame with a mask of zeros."""
    assert len(content) < 126
    return bytes((kind, 0x80 | len(content))) + bytes(4) + content


def send_until_closed(client: socket.socket, sent: bytes) -> None:
    """Send the same again and again, or only wait, until the server closes; fail if it does not."""
    pause, end = threading.Event(), monotonic() + PATIENCE
    with suppress(ConnectionError):
        while sent or client.recv(4096):
            assert monotonic() < end
            client.sendall(sent)
            pause.wait(0.02)


def status_of(service: Service, **how: Any) -> int:
    """The HTTP status of a refused handshake, 101 if it was accepted."""
    try:
        with page(service, **how):
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code


@pytest.mark.parametrize("name", ALL)
def test_a_page_reads_a_card_of_each_generation(name: str) -> None:
    with serving(0, card_of(name), serve=serve_websocket) as service, page(service) as browser:
        fields = browser.ok(BAS, iType=3).split("|")
        assert (fields[2], fields[4]) == ("A00000011", "张三")
        read = browser.ok("iReadCard", iType=3, iAuthType=1, pCardInfo=CARD, pFileAddr="SSSEEF06|09|$")
        assert read == "SSSEEF06|张三|$"


def test_a_page_changes_and_resets_the_pin(browser: Page, service: Service) -> None:
    service.pad.script("123456", "246802", "246802", "246802", "135790", "135790", "135790")
    assert browser.ok("iChangePIN", iType=3) == ""
    assert browser.ok("iVerifyPIN", iType=3) == ""
    assert browser.ok("iReloadPIN", iType=3, pCardInfo=CARD) == ""
    assert browser.ok("iVerifyPIN", iType=3) == ""
    assert browser.ok("iUnblockPIN", iType=3, pCardInfo=CARD) == ""


def test_a_page_gives_the_pins_itself(browser: Page, service: Service) -> None:
    """driver-api.md §3.1: no entry at the pad."""
    service.pad.script()
    assert browser.call("iVerifyPIN", iType=3, pin="000000")[0] == "-51"
    assert browser.ok("iVerifyPIN", iType=3, pin="123456") == ""
    assert browser.ok("iChangePIN", iType=3, oldPin="123456", newPin="24680F") == ""
    assert browser.ok("iVerifyPIN", iType=3, pin="24680F") == ""
    assert browser.call("iChangePIN", iType=3, oldPin="24680F")[0] == "-14"
    assert browser.call("iVerifyPIN", iType=3, pin=24680)[0] == "-14"


def test_an_error_is_its_code_and_text(browser: Page, service: Service) -> None:
    service.pad.script("000000")
    assert browser.call("iVerifyPIN", iType=3) == ("-51", "密码错误，剩余5次")
    assert browser.call("iReadCard", iType=3, iAuthType=1, pCardInfo=OTHER, pFileAddr="SSSEEF06|09|$") == (
        "-22",
        describe(-22),
    )


def test_a_page_resets_the_pin_by_the_steps_of_an_hsm(browser: Page, service: Service) -> None:
    counter = Counter()
    service.pad.script("246802", "246802", "246802")
    asked = browser.ok("iReloadPIN_HSM_Step1", iType=3, pCardInfo=CARD)
    asked = browser.ok("iReloadPIN_HSM_Step2", pKey=counter.host.authenticate(counter.basic, asked))
    assert browser.ok("iReloadPIN_HSM_Step3", pKey=counter.host.safe_message(counter.basic, asked)) == ""
    assert browser.ok("iVerifyPIN", iType=3) == ""


# What the public caller does otherwise


def test_the_key_of_an_unblock_is_written_in_small_letters(browser: Page) -> None:
    counter = Counter()
    asked = browser.ok("iUnblockPIN_HSM_Step1", iType=3, pCardInfo=CARD)
    asked = browser.ok("iUnblockPIN_HSM_Step2", pkey=counter.host.authenticate(counter.basic, asked))
    assert browser.ok("iUnblockPIN_HSM_Step3", pkey=counter.host.safe_message(counter.basic, asked)) == ""


def test_step_2_of_reading_without_its_prefix_is_that_of_the_open_group(browser: Page) -> None:
    counter = Counter()
    asked = browser.ok("iReadCardBas_HSM_Step1", iType=3)
    answer = browser.send(json.dumps({"function": "ReadCard_HSM_Step2", "pKey": counter.host.check_card(asked)}))
    assert (answer["functionName"], answer["success"]) == ("iReadCardBas_HSM_Step2", "1")
    assert answer["pOutInfo"].split("|")[4] == "张三"
    # The first step as iReadCard without iAuthType, of a file that the PIN or a key opens.
    sent = {"function": "iReadCard", "iType": 3, "pCardInfo": CARD, "pFileAddr": "DF01EF05|0E|$"}
    answer = browser.send(json.dumps(sent))
    assert (answer["functionName"], answer["success"]) == ("iReadCard_HSM_Step1", "1")
    key = counter.host.authenticate(counter.basic, answer["pOutInfo"])
    answer = browser.send(json.dumps({"function": "ReadCard_HSM_Step2", "pKey": key}))
    assert (answer["functionName"], answer["success"]) == ("iReadCard_HSM_Step2", "1")
    assert answer["pOutInfo"].startswith("DF01EF05|510100")


@pytest.mark.parametrize("message", ["[]", '{"function":"iReadCardBas"}', '{"function":"iReadICCardNum"}'])
def test_a_message_that_is_no_call_leaves_the_open_group_as_it_is(browser: Page, message: str) -> None:
    counter = Counter()
    asked = browser.ok("iReadCard_HSM_Step1", iType=3, pCardInfo=CARD, pFileAddr="DF01EF05|0E|$")
    assert browser.send(message)["success"] in ("-13", "-14")
    key = counter.host.authenticate(counter.basic, asked)
    answer = browser.send(json.dumps({"function": "ReadCard_HSM_Step2", "pKey": key}))
    assert (answer["functionName"], answer["success"]) == ("iReadCard_HSM_Step2", "1")


def test_step_2_of_reading_without_a_group_has_the_name_that_the_caller_waits_for(browser: Page) -> None:
    answer = browser.send('{"function":"ReadCard_HSM_Step2","pKey":""}')
    assert answer == {"functionName": "iReadCardBas_HSM_Step2", "success": "-12", "pOutInfo": describe(-12)}


def test_numbers_may_be_text_and_further_fields_are_ignored(browser: Page) -> None:
    assert browser.ok(BAS, iType="3", pOutInfo="", extra=None).startswith("510100|")


# What is wrong with a message


@pytest.mark.parametrize(
    ("message", "name", "code"),
    [
        ("", "", -14),
        ("nonsense", "", -14),
        ("[]", "", -14),
        ("1" * 5000, "", -14),
        ("[" * 50_000, "", -14),
        ('{"iType":3}', "", -14),
        ('{"function":3,"iType":3}', "", -14),
        ('{"function":"iReadICCardNum"}', "iReadICCardNum", -13),
        ('{"function":"iReadIdentityCard"}', "iReadIdentityCard", -13),
        ('{"function":"close"}', "close", -13),
        ('{"function":"__init__"}', "__init__", -13),
        ('{"function":"\\ud800"}', "?", -13),
        ('{"function":"iReadCardBas"}', BAS, -14),
        ('{"function":"iReadCardBas","iType":null}', BAS, -14),
        ('{"function":"iReadCardBas","iType":true}', BAS, -14),
        ('{"function":"iReadCardBas","iType":3.5}', BAS, -14),
        ('{"function":"iReadCardBas","iType":"３"}', BAS, -14),
        ('{"function":"iUnblockPIN","iType":3,"pCardInfo":7}', "iUnblockPIN", -14),
        ('{"function":"iUnblockPIN","iType":3,"pCardInfo":"\\ud800"}', "iUnblockPIN", -41),
    ],
)
def test_a_wrong_message_gets_a_code_and_the_connection_stays(
    browser: Page, message: str, name: str, code: int
) -> None:
    assert browser.send(message) == {"functionName": name, "success": str(code), "pOutInfo": describe(code)}
    assert browser.ok(BAS, iType=3)


def test_a_message_that_is_not_utf_8_gets_a_code(browser: Page) -> None:
    assert browser.send(b'{"function":"\xff"}')["success"] == "-14"


def test_a_message_in_several_frames_is_one_call(browser: Page) -> None:
    browser.connection.send(iter(['{"function":"iReadCardBas"', ',"iType":', "3}"]))
    assert json.loads(browser.connection.recv(timeout=PATIENCE))["success"] == "1"


def test_a_message_that_is_too_long_ends_the_connection(browser: Page, service: Service) -> None:
    browser.connection.send("x" * (LONGEST_MESSAGE + 1))
    with pytest.raises(ConnectionClosed) as closed:
        browser.connection.recv(timeout=PATIENCE)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009
    with page(service) as other:
        assert other.ok(BAS, iType=3)


# Who may call, and when


def test_between_the_steps_of_a_group_the_terminal_is_its_pages(service: Service) -> None:
    with page(service) as mine, page(service) as other:
        mine.ok("iUnblockPIN_HSM_Step1", iType=3, pCardInfo=CARD)
        assert other.call(BAS, iType=3) == ("-11", describe(-11))
        assert mine.call("iUnblockPIN_HSM_Step2", pKey="0" * 32)[0] == str(-0x63C2)
        assert other.ok(BAS, iType=3)


def test_a_page_that_closes_takes_its_group_with_it(service: Service) -> None:
    with page(service) as mine:
        mine.ok("iUnblockPIN_HSM_Step1", iType=3, pCardInfo=CARD)
    with page(service) as other:
        assert until(lambda: other.call(BAS, iType=3)[0] == "1")


def test_a_group_ends_with_the_close_frame_not_with_the_connection(service: Service) -> None:
    with opened(service) as client, page(service) as other:
        step = json.dumps({"function": "iUnblockPIN_HSM_Step1", "iType": 3, "pCardInfo": CARD}).encode()
        client.sendall(frame(0x81, step))
        assert b'"success":"1"' in client.recv(4096)
        assert other.call(BAS, iType=3)[0] == "-11"
        client.sendall(frame(0x88, b"\x03\xe8"))
        assert client.recv(4096) == b"\x88\x02\x03\xe8"
        assert other.ok(BAS, iType=3)
        assert len(service.server.connections) == 2


@pytest.mark.parametrize(
    ("origin", "origins", "status"),
    [
        (None, (), 101),
        ("http://localhost:8000", (), 101),
        ("http://127.0.0.1", (), 101),
        ("https://[::1]:8443", (), 101),
        ("https://his.example", (), 403),
        ("http://localhost.example", (), 403),
        ("http://127.0.0.1.example:12342", (), 403),
        ("file://", (), 403),
        ("null", (), 403),
        ("http://[", (), 403),
        ("chrome-extension://localhost", (), 403),
        ("https://his.example", ("https://his.example/",), 101),
        ("https://HIS.example", ("https://his.example",), 101),
        ("http://his.example", ("https://his.example",), 403),
        ("https://his.example:444", ("https://his.example",), 403),
        ("null", ("null",), 101),
        ("https://any.example", ("*",), 101),
        ("https://his.example", ("HTTPS://his.example:443",), 101),
        ("http://[fe80::1]:81", ("http://[FE80::1]:81/",), 101),
        ("file://", ("file://",), 101),
        ("https://a\x9b31m.example", (), 403),
    ],
)
def test_only_pages_of_this_machine_or_named_ones_connect(
    origin: str | None, origins: tuple[str, ...], status: int
) -> None:
    with serving(0, serve=serve_websocket, origins=origins) as service:
        assert status_of(service, origin=origin) == status
        # websockets before 16 read a header as ASCII with surrogates for other bytes.
        refusals = [
            f"- a page of {(origin or '').replace(chr(0x9B), shown)} may not connect; to allow it: --origin"
            for shown in (r"\x9b", r"\udcc2\udc9b")
        ]
        assert service.functions in ([[each] for each in refusals] if status == 403 else [[]])


def test_a_handshake_with_two_origins_is_refused_and_names_none(service: Service) -> None:
    origins = [("Origin", "http://localhost"), ("Origin", "https://his.example")]
    assert status_of(service, additional_headers=origins) == 400
    assert service.functions == ["- a handshake with 2 Origin headers is refused"]


@pytest.mark.parametrize(
    "origin",
    [
        "his.example",
        "//his.example",
        "https://",
        "https://his.example/path",
        "https://his.example//",
        "https://his.example?x",
        "https://user@his.example",
        "https://his.example:",
        "https://his.example:port",
        "https://his.example https://other.example",
        "https://医院.example",
        "*.example",
        "",
    ],
)
def test_an_origin_that_no_browser_sends_is_refused_at_the_start(origin: str) -> None:
    with pytest.raises(InputError, match="not an origin") as refused:
        Service(0, serve=serve_websocket, origins=[origin])
    assert "SCHEME://HOST[:PORT]" in str(refused.value)


def test_it_listens_on_the_loopback_interface(service: Service) -> None:
    assert service.place.startswith("ws://127.0.0.1:")
    assert service.server.socket.getsockname()[0] == "127.0.0.1"


def test_a_port_that_is_taken_is_an_error(service: Service) -> None:
    with pytest.raises(InputError, match=r"cannot listen at ws://127\.0\.0\.1:\d+"):
        Service(int(service.place.rpartition(":")[2]), serve=serve_websocket)


def test_no_pin_is_in_any_log(browser: Page, service: Service, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    service.pad.script("246802", "135791", "135791")
    browser.call("iVerifyPIN", iType=3)
    browser.call("iVerifyPIN", iType="246802")
    browser.call("iVerifyPIN", pin="246802")
    browser.call("iUnblockPIN_HSM_Step2", pKey="246802")
    browser.call("246802")
    counter = Counter()
    asked = browser.ok("iReloadPIN_HSM_Step1", iType=3, pCardInfo=CARD)
    assert "135791" in browser.ok("iReloadPIN_HSM_Step2", pKey=counter.host.authenticate(counter.basic, asked))
    ours = [record for record in caplog.records if not record.name.startswith("websockets.client")]
    told = "\n".join([*service.log, *(str(vars(record)) for record in ours)])
    assert "iReloadPIN_HSM_Step2" in told
    assert "246802" not in told
    assert "135791" not in told
    assert service.functions[:5] == [
        "iVerifyPIN -51",
        "iVerifyPIN -1",
        "iVerifyPIN -14",
        "iUnblockPIN_HSM_Step2 -12",
        "- -13",
    ]


# Its limits


@pytest.mark.parametrize("message", [False, True])
def test_a_handshake_or_message_that_comes_a_byte_at_a_time_is_ended(message: bool) -> None:
    with serving(0, serve=serve_websocket, timeout=0.3) as service:
        with opened(service) if message else connected(service) as slow:
            # The head of a text frame of 125 bytes.
            slow.sendall(b"\x81\xfd\0\0\0\0" if message else b"GET / HTTP/1.1\r\n")
            send_until_closed(slow, b"x")
        assert until(lambda: not service.server.connections)


PING = b"\x89\x80\0\0\0\0"


@pytest.mark.parametrize(
    ("sent", "then"),
    [
        pytest.param(b"\x01\x81\0\0\0\0{", PING, id="pings after a fragment"),
        pytest.param(b"\x01\x80\0\0\0\0", PING, id="pings after an empty fragment"),
        pytest.param(PING + b"\x81", b"", id="the begin of a frame after a ping"),
        pytest.param(PING + b"\x01\x81\0\0\0\0{", b"", id="a fragment after a ping"),
    ],
)
def test_an_incomplete_message_is_ended_whatever_control_frames_come(sent: bytes, then: bytes) -> None:
    with serving(0, serve=serve_websocket, timeout=0.3) as service:
        with opened(service) as slow:
            slow.sendall(sent)
            send_until_closed(slow, then)
        assert until(lambda: not service.server.connections)


def test_a_page_may_be_silent_between_its_calls() -> None:
    """A shorter limit than the silence, which is as long as another client needs to run into that limit."""
    with serving(0, serve=serve_websocket, timeout=0.2) as service, page(service) as patient:
        with connected(service) as slow:
            slow.sendall(b"G")
            assert slow.recv(1) == b""
        assert patient.ok(BAS, iType=3)


def test_a_page_beyond_the_number_of_connections_is_refused() -> None:
    with serving(0, serve=serve_websocket, connections=1) as service:
        with page(service) as first:
            assert status_of(service) == 503
            assert first.ok(BAS, iType=3)
        assert until(lambda: not service.server.connections)
        assert status_of(service) == 101


def test_it_ends_when_no_page_has_been_connected_for_the_idle_time() -> None:
    service = Service(0, serve=serve_websocket, idle=0.05)
    with service.server, in_thread(lambda: service.server.serve_forever(0.01)), page(service) as browser:
        assert browser.ok(BAS, iType=3)


def test_a_mistake_in_the_driver_ends_the_connection_and_nothing_else() -> None:
    def broken(iType: int) -> tuple[int, str]:  # noqa: N803 - a function of the driver
        raise KeyError(f"246802 {iType}")

    with serving(0, serve=serve_websocket) as service:
        service.server.turns._driver.iVerifyPIN = broken  # type: ignore[method-assign]
        for _ in range(2):
            with page(service) as browser, pytest.raises(ConnectionClosed):
                browser.call("iVerifyPIN", iType=3)
        assert until(lambda: service.functions == ["- KeyError", "- KeyError"])


# The other side: a control as a driver library


def test_a_control_is_called_as_a_driver_library(service: Service) -> None:
    service.pad.script("000000", "123456")
    with DRIVERS.open(service.place) as control:
        assert control.call(BAS, [3])[1].split("|")[4] == "张三"
        assert control.call("iVerifyPIN", [3]) == (-51, "密码错误，剩余5次")
        assert control.call("iReadCard", [3, 1, CARD, "SSSEEF06|09|$"]) == (0, "SSSEEF06|张三|$")


def test_a_control_takes_the_pins_as_a_driver_library_does(service: Service) -> None:
    counter = Counter()
    service.pad.script()
    with DRIVERS.open(service.place) as control:
        assert control.call("iVerifyPIN", [3, "123456"]) == (0, "")
        assert control.call("iChangePIN", [3, "123456", "654321"]) == (0, "")
        asked = control.call("iReloadPIN_HSM_Step1", [3, CARD])[1]
        key = counter.host.authenticate(counter.basic, asked)
        assert control.call("iReloadPIN_HSM_Step2", [key, "246802"])[1].split("|")[4] == "246802"
        assert control.call("iVerifyPIN", [3, "123456"])[0] == -51


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        ('{"functionName":"iVerifyPIN","success":1,"pOutInfo":""}', (0, "")),
        ('{"functionName":"iVerifyPIN","success":-2,"pOutInfo":"无卡"}', (-2, "无卡")),
        ("", None),
        ("[]", None),
        ('{"success":"0","pOutInfo":""}', None),
        ('{"success":0,"pOutInfo":""}', None),
        ('{"success":"2","pOutInfo":""}', None),
        ('{"success":"1"}', None),
        ('{"success":"246802","pOutInfo":', None),
        ('{"success":"done 246802","pOutInfo":""}', None),
        ("[" * 50_000, None),
    ],
)
def test_what_a_vendors_control_answers_is_read_or_reported(answer: str, result: tuple[int, str] | None) -> None:
    with serve(lambda connection: connection.send(answer) if connection.recv() else None, "127.0.0.1", 0) as vendor:
        url = f"ws://127.0.0.1:{vendor.socket.getsockname()[1]}"
        with in_thread(vendor.serve_forever, vendor.shutdown), DRIVERS.open(url) as control:
            if result is not None:
                assert control.call("iVerifyPIN", [3]) == result
                with pytest.raises(TransportError, match="no answer to iVerifyPIN"):  # it has hung up
                    control.call("iVerifyPIN", [3])
                return
            with pytest.raises(TransportError, match="the answer to iVerifyPIN is not one of a control") as refused:
                control.call("iVerifyPIN", [3])
            assert "246802" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "error", "problem"),
    [
        ("ws://127.0.0.1:1", MissingPart, "no control at ws://127.0.0.1:1: Connection refused"),
        ("ws://", InputError, "not the URL of a control"),
        ("ws:12342", InputError, "not the URL of a control"),
        ("ws://127.0.0.1:port", InputError, "not the URL of a control"),
        ("ws://127.0.0.1:99999", InputError, "not the URL of a control"),
    ],
)
def test_a_control_that_is_not_there_is_an_error(url: str, error: type[Exception], problem: str) -> None:
    with pytest.raises(error, match=problem), DRIVERS.open(url):
        pass
