"""The counterpart of a program in C: the driver's HSM steps through the C library, answered by ``sscard hsm serve``.

The program carries strings between the library and the service and knows
nothing of cards or keys, as an application in the field does.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
from _ctypes import dlclose
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

import kit
from kit import native as native_kit
from kit.native import CARD, Service, serving
from sscard.driver import native

pytestmark = pytest.mark.skipif(
    not native_kit.has_compiler(), reason="no C compiler: sudo apt-get install gcc libc6-dev"
)

PAY = "12.34|5.60|20260105093000|"
ROOM = 20480


class Host:
    """``sscard hsm serve`` in a process of its own, asked as a program asks it."""

    def __init__(self, token_file: Path) -> None:
        command = [sys.executable, "-m", "sscard.cli.main", "hsm", "serve", "--port", "0"]
        self.process = subprocess.Popen(  # noqa: S603
            [*command, "--token-file", str(token_file)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1", "LANGUAGE": "en"},
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().removeprefix("HSM at ").partition(",")[0]
        self.token = token_file.read_text().strip()

    def end(self) -> str:
        """End the service; its log."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.communicate(timeout=native_kit.PATIENCE)[1]

    def post(self, operation: str, body: bytes, content_type: str) -> tuple[int, dict[str, str]]:
        connection = HTTPConnection(self.url.removeprefix("http://"), timeout=native_kit.PATIENCE)
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": content_type}
        connection.request("POST", f"/v1/host/{operation}", body, headers)
        answer = connection.getresponse()
        told = json.loads(answer.read())
        connection.close()
        return answer.status, told

    def __call__(self, operation: str, asked: bytes, basic: bytes = b"") -> bytes:
        """The result for strings in GBK, pasted into the body as a program in C does it."""
        body = b'{"basic": "%s", "asked": "%s"}' % (basic, asked)
        status, told = self.post(operation, body, "application/json; charset=GBK")
        assert (status, set(told)) == (200, {"result"}), told
        return told["result"].encode("gbk")


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    served = Host(tmp_path_factory.mktemp("host") / "token")
    yield served
    served.end()


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return native.build(tmp_path_factory.mktemp("native"))


@pytest.fixture(params=["v1-des", "v2-3des", "v3-sm4"])
def counter(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Service]:
    """A driver's server over a card, as ``sscard driver serve`` runs it."""
    with serving(str(tmp_path / "driver"), kit.card_of(request.param)) as service:
        yield service


@pytest.fixture
def call(library: Path, counter: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., bytes]]:
    """``call("iVerifyPIN", 1)``: pOutInfo of a function of the library, which must succeed."""
    for variable, value in native_kit.environment(counter.place, charset="GBK").items():
        monkeypatch.setenv(variable, value)
    opened = ctypes.CDLL(str(library))
    out = ctypes.create_string_buffer(ROOM)

    def function(name: str, *given: Any) -> bytes:
        code = getattr(opened, name)(*(text.encode() if isinstance(text, str) else text for text in given), out)
        assert (name, code) == (name, 0), out.value.decode("gbk")
        return out.value

    yield function
    dlclose(opened._handle)


@pytest.fixture
def basic(call: Callable[..., bytes], host: Host) -> bytes:
    """iReadCardBas by its HSM steps."""
    return call("iReadCardBas_HSM_Step2", host("check-card", call("iReadCardBas_HSM_Step1", 1)))


def test_the_basic_data(basic: bytes) -> None:
    district, __, number, code, name, *_ = basic.decode("gbk").split("|")
    assert (district, f"{code}|{number}|", name) == ("510100", CARD, "张三")


def test_a_pin_is_reset(call: Callable[..., bytes], host: Host, basic: bytes, counter: Service) -> None:
    counter.pad.script("654321", "654321", "654321")
    key = host("authenticate", call("iReloadPIN_HSM_Step1", 1, CARD), basic)
    key = host("safe-message", call("iReloadPIN_HSM_Step2", key), basic)
    assert call("iReloadPIN_HSM_Step3", key) == b""
    call("iVerifyPIN", 1)


def test_a_pin_is_unblocked(call: Callable[..., bytes], host: Host, basic: bytes, counter: Service) -> None:
    counter.pad.script("000000", "123456")
    with pytest.raises(AssertionError):
        call("iVerifyPIN", 1)
    tries = counter.card.snapshot().pin_tries
    key = host("authenticate", call("iUnblockPIN_HSM_Step1", 1, CARD), basic)
    key = host("safe-message", call("iUnblockPIN_HSM_Step2", key), basic)
    assert call("iUnblockPIN_HSM_Step3", key) == b""
    assert counter.card.snapshot().pin_tries == tries + 1
    call("iVerifyPIN", 1)


def test_files_are_written_and_read(call: Callable[..., bytes], host: Host, basic: bytes, counter: Service) -> None:
    key = host("authenticate", call("iWriteCard_HSM_Step1", 1, CARD, "DF01EF06|28|$"), basic)
    call("iWriteCard_HSM_Step2", key, "DF01EF06|13900000000|$")
    counter.pad.script("123456")
    assert call("iReadCard", 1, 1, CARD, "DF01EF06|28|$") == b"DF01EF06|13900000000|$"
    counter.pad.script("123456")
    key = host("authenticate", call("iReadCard_HSM_Step1", 1, CARD, "DF04EF06|90|$"), basic)
    assert call("iReadCard_HSM_Step2", key) == b"DF04EF06||$"


def test_a_purchase_is_made_and_settled(call: Callable[..., bytes], host: Host, basic: bytes, counter: Service) -> None:
    counter.pad.script("123456")
    key = host("purchase", call("iDoDebit_HSM_Step1", 1, CARD, PAY), basic)
    receipt = call("iDoDebit_HSM_Step2", key)
    assert host("settle", receipt, basic) == b"true"
    forged = receipt.replace(b"000004D2", b"000004D3")
    assert forged != receipt
    assert host("settle", forged, basic) == b"false"


@pytest.mark.parametrize(
    ("operation", "body", "status", "says"),
    [
        ("authenticate", {"basic": "", "asked": "03|1009|"}, 400, "asked: 4 fields expected"),
        ("authenticate", {"asked": "03|1009|1122334455667788|0102030405060708|"}, 400, "basic: field 1 (district)"),
        ("check-card", {}, 400, "asked: Field required"),
        ("check-card", {"asked": "", "more": ""}, 400, "more: "),
        ("check-card", {"asked": "|" * 1025}, 400, "asked: "),
        ("no-such", {"asked": ""}, 404, "host/check-card, host/authenticate, host/safe-message"),
    ],
)
def test_what_makes_no_sense_is_answered_with_what_was_expected(
    host: Host, operation: str, body: Any, status: int, says: str
) -> None:
    answered, told = host.post(operation, json.dumps(body).encode(), "application/json")
    assert answered == status
    assert says in told["error"]


def test_the_hsm_of_the_service_refuses_in_its_words(host: Host) -> None:
    basic = "510100|||||1234A1B2C38649510100000001||||||"
    for algorithm, address, says in (("03", "FFFF", "no key at address FFFF"), ("02", "1009", "algorithm 02")):
        asked = f"{algorithm}|{address}|1122334455667788|0102030405060708|"
        body = json.dumps({"basic": basic, "asked": asked}).encode()
        answered, told = host.post("authenticate", body, "application/json")
        assert answered == 409
        assert says in told["error"]


@pytest.mark.parametrize("charset", ["UTF-8", "no-such-charset", "hex"])
def test_a_body_that_is_not_in_its_charset_is_refused(host: Host, charset: str) -> None:
    body = '{"basic": "张三", "asked": ""}'.encode("gbk")
    answered, told = host.post("check-card", body, f"application/json; charset={charset}")
    assert (answered, told) == (400, {"error": "the body is not text in its charset"})


def test_the_log_has_address_and_district_and_no_string(tmp_path: Path) -> None:
    host = Host(tmp_path / "token")
    basic = "510100||A00000011||张三|1234A1B2C38649510100000001||||||"
    for operation, asked in (
        ("check-card", f"510100|1234A1B2C38649510100000001|01|{'51' * 16}|||||DEV00001|"),
        ("safe-message", "03|1004|1122334455667788|8424000114|246802|"),
        ("settle", "00112233|03|104F|000003E800000064|02|510100000001|00000001|20250101123000|11223344|"),
        ("authenticate", "246802|246802|"),
    ):
        host.post(operation, json.dumps({"basic": basic, "asked": asked}).encode(), "application/json")
    host.post("purchase", json.dumps({"basic": "246802|", "asked": "2468|2468|"}).encode(), "application/json")
    log = host.end()
    assert [line.partition(" ")[2] for line in log.splitlines()] == [
        "host/check-card - 510100 200",
        "host/safe-message 1004 510100 200",
        "host/settle 104F 510100 200",
        "host/authenticate - 510100 400",
        "host/purchase - - 400",
    ]
