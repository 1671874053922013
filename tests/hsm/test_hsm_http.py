"""The HSM as a service on the loopback interface: what it answers, whom, and what it never says."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from random import Random
from typing import Any

import pytest
from click.testing import CliRunner

import kit
from kit.programs import EACH_END, CommandLine
from kit.waiting import PATIENCE, in_thread, until
from sscard.cli.app import app
from sscard.errors import InputError
from sscard.hsm import HsmError, HsmUnavailable, SoftHsm
from sscard.hsm.http import HttpHsm, read_token
from sscard.hsm.operations import Reply
from sscard.hsm.server import HsmServer, service_token
from sscard.issuer import CardReference, builtin_keys
from sscard.issuer.cardfile import save_card
from sscard.standard.cipher import SUITES
from sscard.terminal import CardSession

TOKEN = "the-token-of-the-tests"
CARD = CardReference("510100", bytes.fromhex("8649510100000001"))
FACTOR, ORIGINAL = bytes(range(8)), bytes(range(8, 16))
SOFT = SoftHsm(builtin_keys())
PROOF = {
    "algorithm": 3,
    "address": "1009",
    "city_code": "510100",
    "serial": CARD.serial.hex(),
    "factor": FACTOR.hex(),
    "original": ORIGINAL.hex(),
}
UNNAMED = {name: value for name, value in PROOF.items() if name != "address"}
PURCHASE = {
    **{name: PROOF[name] for name in ("algorithm", "city_code", "serial", "factor")},
    "address": SOFT.address_of("DPK"),
    "message": bytes(26).hex(),
}


class Service:
    """A service, its log, and raw requests to it."""

    def __init__(self, **limits: Any) -> None:
        self.log: list[str] = []
        self.server = HsmServer(SOFT, TOKEN, port=0, log=self.log.append, **limits)

    def connected(self) -> socket.socket:
        return socket.create_connection(self.server.socket.getsockname(), timeout=PATIENCE)

    def post(self, path: str, body: Any, token: str = TOKEN, **headers: str) -> tuple[int, dict[str, str]]:
        connection = HTTPConnection(*self.server.socket.getsockname(), timeout=PATIENCE)
        text = body if isinstance(body, str) else json.dumps(body)
        connection.request("POST", path, text, {"Authorization": f"Bearer {token}", **headers})
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer.status, json.loads(body)

    def get(self, path: str) -> tuple[int, Any, str]:
        with closing(HTTPConnection(*self.server.socket.getsockname(), timeout=PATIENCE)) as connection:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read()), answer.getheader("Content-Type", "")


@contextmanager
def serving(**limits: Any) -> Iterator[Service]:
    made = Service(**limits)
    with made.server, in_thread(made.server.serve_forever, made.server.shutdown):
        yield made


@pytest.fixture
def service() -> Iterator[Service]:
    with serving() as made:
        yield made


@pytest.fixture
def hsm(service: Service) -> HttpHsm:
    return HttpHsm(service.server.url, TOKEN)


def test_it_gives_what_the_hsm_behind_it_gives(hsm: HttpHsm) -> None:
    random = Random(6)
    for algorithm in SUITES:
        card, factor, original = CardReference("410400", random.randbytes(8)), random.randbytes(8), random.randbytes(8)
        asked = (algorithm, "1009", card, factor, original)
        assert hsm.authentication_data(*asked) == SOFT.authentication_data(*asked)
        for pin, header in (
            (None, "8424000004"),
            (bytes.fromhex("123456"), f"84240001{12 if algorithm == 1 else 20:02X}"),
        ):
            message = (algorithm, hsm.address_of("STK"), card, factor, bytes.fromhex(header), pin)
            assert hsm.safe_message(*message) == SOFT.safe_message(*message)
        purchase = (algorithm, hsm.address_of("DPK", 2), card, factor, random.randbytes(26))
        assert hsm.purchase_mac(*purchase) == SOFT.purchase_mac(*purchase)
        receipt = (algorithm, hsm.address_of("DTK"), card, random.randbytes(30))
        assert hsm.transaction_proof(*receipt) == SOFT.transaction_proof(*receipt)


@pytest.mark.parametrize("personality", kit.PERSONALITIES)
def test_a_card_is_reset_and_unblocked_through_it(hsm: HttpHsm, personality: str) -> None:
    session = CardSession.start(kit.card_of(personality).chip(Random(1)), hsm)
    session.reset_pin("654321")
    session.verify_pin("654321")
    session.unblock_pin()


def test_a_reset_is_two_requests_on_one_connection(service: Service, hsm: HttpHsm) -> None:
    session = CardSession.start(kit.card_of("v3-sm4").chip(Random(1)), hsm)
    session.reset_pin("654321")
    session.reset_pin("123456")
    reset = ["authentication-data 1009 510100 200", "safe-message 1004 510100 200"]
    assert [line.partition(" ")[2] for line in service.log] == reset * 2
    assert len(service.server.connections) == 1


def test_an_older_service_is_asked_by_address() -> None:
    """One that refuses the name of a key as a field that it does not know; it is offered a name once."""
    asked: list[str] = []
    with serving() as service:
        reply = service.server._operations.reply

        def older(operation: str, body: bytes, charset: str) -> Reply:
            asked.append(operation)
            if operation != "address-of" and "key" in json.loads(body):
                return Reply(400, {"error": "key: Extra inputs are not permitted"}, "- -")
            return reply(operation, body, charset)

        service.server._operations.reply = older  # type: ignore[method-assign]
        with HttpHsm(service.server.url, TOKEN) as hsm:
            session = CardSession.start(kit.card_of("v3-sm4").chip(Random(1)), hsm)
            session.reset_pin("654321")
            session.verify_pin("654321")
    by_address = ["address-of", "authentication-data", "address-of", "safe-message"]
    assert asked == ["authentication-data", *by_address]


def test_a_service_over_a_service_passes_names_on(service: Service, hsm: HttpHsm) -> None:
    front = HsmServer(hsm, TOKEN, port=0)
    with front, in_thread(front.serve_forever, front.shutdown), HttpHsm(front.url, TOKEN) as behind:
        CardSession.start(kit.card_of("v3-sm4").chip(Random(1)), behind).reset_pin("654321")
    assert [line.split()[1] for line in service.log] == ["authentication-data", "safe-message"]


def test_a_connection_that_the_service_closed_is_opened_again(hsm: HttpHsm) -> None:
    """Idle connections of a service that was restarted; the request that finds it is repeated."""
    with serving() as first:
        port = first.server.socket.getsockname()[1]
        kept = HttpHsm(first.server.url, TOKEN)
        assert kept.address_of("PUK") == "1009"
    again = HsmServer(SOFT, TOKEN, port=port)
    with again, in_thread(again.serve_forever, again.shutdown), kept:
        assert kept.address_of("PUK") == "1009"


def test_a_request_is_repeated_once_only() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken: list[bytes] = []

        def answer_once() -> None:
            body = b'{"result": "1009"}'
            head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
            for answers in ([head + body], []):
                connected, _ = other.accept()
                with connected:
                    taken.append(connected.recv(4096))
                    for answer in answers:
                        connected.sendall(answer)
                        taken.append(connected.recv(4096))

        with in_thread(answer_once), HttpHsm(f"http://127.0.0.1:{other.getsockname()[1]}", TOKEN) as hsm:
            assert hsm.address_of("PUK") == "1009"
            with pytest.raises(HsmUnavailable, match="does not answer like an HSM service"):
                hsm.address_of("PUK")
    assert len(taken) == 3


def test_idle_connections_make_room_for_new_ones() -> None:
    with serving(connections=2) as service:
        clients = [HttpHsm(service.server.url, TOKEN) for _ in range(5)]
        assert [client.address_of("PUK") for client in clients * 2] == ["1009"] * 10
        for client in clients:
            client.close()
        assert until(lambda: not service.server.connections)


def test_silent_connections_keep_nobody_out() -> None:
    """Connections on which nothing was sent make room as those do that were used."""
    with serving(connections=2) as service, ExitStack() as opened:
        for _ in range(5):
            opened.enter_context(service.connected())
        assert until(lambda: len(service.server.connections) == 2)
        for _ in range(3):
            assert service.post("/v1/address-of", {"key": "PUK"}) == (200, {"result": "1009"})


def test_a_client_is_usable_in_another_process(service: Service, hsm: HttpHsm) -> None:
    """After a fork, with the connection of the parent in its pool, and from a pickle."""
    assert hsm.address_of("PUK") == "1009"
    for method in multiprocessing.get_all_start_methods():
        if method != "forkserver":
            with ProcessPoolExecutor(1, multiprocessing.get_context(method)) as pool:
                assert pool.submit(hsm.address_of, "PUK").result(PATIENCE) == "1009"
    assert hsm.address_of("PUK") == "1009"


def test_anybody_may_ask_for_health_and_the_openapi_document(service: Service) -> None:
    status, health, _ = service.get("/health")
    assert (status, health) == (200, {"status": "ok"})
    status, document, head = service.get("/openapi.json")
    assert (status, head) == (200, "application/json")
    assert service.log == []
    schemas = document["components"]["schemas"]
    operations = {
        path.removeprefix("/v1/"): spec["post"] for path, spec in document["paths"].items() if path != "/health"
    }
    assert service.post("/v1/x", {})[1]["error"].partition("; there are ")[2].split(", ") == list(operations)
    text = json.dumps(document)
    assert {name.rpartition("/")[2] for name in re.findall(r'"\$ref": "(#[^"]+)"', text)} == set(schemas)
    content = operations["authentication-data"]["requestBody"]["content"]["application/json"]
    schema = schemas[content["schema"]["$ref"].rpartition("/")[2]]
    assert set(PROOF) | {"key", "version"} == set(schema["properties"])
    assert schema["properties"]["serial"]["pattern"] == "^([0-9A-Fa-f]{2})*$"
    assert service.get("/docs")[0] == 404


def test_what_the_hsm_refuses_comes_back_in_its_words(hsm: HttpHsm) -> None:
    with pytest.raises(HsmError, match="no key at address FFFF"):
        hsm.authentication_data(3, "FFFF", CARD, FACTOR, ORIGINAL)
    with pytest.raises(HsmError, match="holds no XYZ version 1"):
        hsm.address_of("XYZ")


@pytest.mark.parametrize("token", ["", "wrong", TOKEN[:-1], TOKEN + "x"])
def test_without_its_token_it_does_nothing(service: Service, token: str) -> None:
    status, body = service.post("/v1/authentication-data", PROOF, token=token)
    assert (status, set(body)) == (401, {"error"})
    with pytest.raises(HsmUnavailable, match="does not accept the token") as refused:
        HttpHsm(service.server.url, token).address_of("PUK")
    assert service.server.url in str(refused.value)
    assert str(refused.value).endswith("--hsm-token FILE, in Python token_file=FILE")


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/authentication-data", PROOF, 200),
        ("/v1/keys", PROOF, 404),
        ("/", {}, 404),
        ("/v1/authentication-data", "", 400),
        ("/v1/authentication-data", "[]", 400),
        ("/v1/authentication-data", {**PROOF, "serial": "00"}, 400),
        ("/v1/authentication-data", {**PROOF, "serial": "no hex digits at"}, 400),
        ("/v1/authentication-data", {**PROOF, "city_code": "51010x"}, 400),
        ("/v1/authentication-data", {**PROOF, "more": 1}, 400),
        ("/v1/authentication-data", {**PROOF, "key": "PUK"}, 400),
        ("/v1/authentication-data", UNNAMED, 400),
        ("/v1/authentication-data", {**UNNAMED, "key": "PUK"}, 200),
        ("/v1/authentication-data", {**UNNAMED, "key": "PUK", "version": 9}, 409),
        ("/v1/authentication-data", {**UNNAMED, "key": "STK"}, 409),
        ("/v1/authentication-data", {**PROOF, "original": "00"}, 409),
        ("/v1/authentication-data", {**PROOF, "algorithm": 2}, 409),
        ("/v1/authentication-data", {**PROOF, "factor": ""}, 409),
        ("/v1/purchase-mac", {**PURCHASE, "message": ""}, 200),
        ("/v1/purchase-mac", {**PURCHASE, "address": "1009"}, 409),
        ("/v1/purchase-mac", {**PURCHASE, "factor": "00"}, 409),
        ("/v1/purchase-mac", {**PURCHASE, "original": ""}, 400),
        ("/v1/transaction-proof", {**PURCHASE, "factor": ""}, 400),
        ("/v1/address-of", {"key": "PUK", "version": -1}, 400),
        ("/v1/address-of", {"key": "P" * 33}, 400),
        ("/v1/address-of", " " * 4097, 413),
    ],
)
def test_a_request_is_answered_by_its_status(service: Service, path: str, body: Any, status: int) -> None:
    answered, told = service.post(path, body)
    assert (answered, set(told)) == (status, {"result"} if status == 200 else {"error"})


def test_what_is_not_hex_is_said_without_words_of_python(service: Service) -> None:
    told = service.post("/v1/authentication-data", {**PROOF, "factor": "zz"})
    assert told == (400, {"error": "factor: hex digits expected, two for each byte"})


def test_a_charset_that_is_none_is_refused(service: Service) -> None:
    for charset in ("charset*=utf-8''%00", "charset=hex", "charset=undefined", "charset=../x"):
        status, answer = service.post(
            "/v1/authentication-data", json.dumps(PROOF), **{"Content-Type": f"application/json; {charset}"}
        )
        assert (charset, status, list(answer)) == (charset, 400, ["error"])


def test_an_hsm_that_fails_is_a_status_and_its_error_is_not_in_the_log(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object) -> bytes:
        raise ZeroDivisionError("135790")

    monkeypatch.setattr(SoftHsm, "authentication_data", fail)
    assert service.post("/v1/authentication-data", PROOF) == (500, {"error": "the service failed"})
    assert [line.split(" ", 1)[1] for line in service.log] == ["- - 500"]


@pytest.mark.parametrize("length", ["-1", "x", "99999999999999999999", "1_0"])
def test_a_length_that_is_none_is_refused(service: Service, length: str) -> None:
    with service.connected() as raw:
        head = f"POST /v1/address-of HTTP/1.0\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: {length}\r\n\r\n"
        raw.sendall(head.encode())
        assert raw.makefile("rb").readline().split()[1] in (b"400", b"413")


def test_garbage_and_a_hung_up_client_leave_it_standing(service: Service, hsm: HttpHsm) -> None:
    for garbage in (
        b"\x00\xff\x16\x03\x01\r\n\r\n",
        b"POST",
        b"POST /v1/address-of HTTP/1.0\r\nContent-Length: 9\r\n\r\n",
    ):
        with service.connected() as raw:
            raw.sendall(garbage)
    assert hsm.address_of("PUK") == "1009"


def test_it_listens_on_the_loopback_interface_only(service: Service) -> None:
    assert service.server.socket.getsockname()[0] == "127.0.0.1"


def test_the_log_tells_the_request_and_no_secret(service: Service, hsm: HttpHsm) -> None:
    hsm.authentication_data(3, "1009", CARD, FACTOR, ORIGINAL)
    hsm.safe_message(3, "1004", CARD, FACTOR, bytes.fromhex("8424000114"), bytes.fromhex("246802"))
    service.post("/v1/246802", {**PROOF, "address": "246802"})
    service.post("/v1/authentication-data", {**PROOF, "address": "246802", "city_code": "246802246802"})
    said = "\n".join(service.log)
    assert [line.partition(" ")[2] for line in service.log] == [
        "authentication-data 1009 510100 200",
        "safe-message 1004 510100 200",
        "- - 404",
        "authentication-data - 400",
    ]
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d ", line) for line in service.log)
    for secret in ("246802", FACTOR.hex(), ORIGINAL.hex(), TOKEN, CARD.serial.hex()):
        assert secret not in said.lower()


def test_no_answer_holds_a_key_or_repeats_what_was_asked(service: Service) -> None:
    keys = [builtin_keys().card_key(suite, "PUK", 0, CARD).hex().upper() for suite in SUITES.values()]
    for body in (PROOF, {**PROOF, "original": "SECRET"}, {**PROOF, "city_code": "SECRET"}, {**PROOF, "SECRET": 1}):
        _, told = service.post("/v1/authentication-data", body)
        assert not any(key in text for key in keys for text in told.values())
        assert "SECRET" not in told.get("error", "").replace("SECRET: Extra", "")


def test_eight_threads_get_their_own_answers(hsm: HttpHsm) -> None:
    def ask(seed: int) -> bool:
        original = Random(seed).randbytes(8)
        return hsm.authentication_data(3, "1009", CARD, FACTOR, original).endswith(original)

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(ask, range(64)))


def test_a_silent_service_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        hsm = HttpHsm(f"http://127.0.0.1:{silent.getsockname()[1]}", TOKEN, timeout=0.05)
        with pytest.raises(HsmUnavailable, match=r"did not answer within 0\.05 s"):
            hsm.address_of("PUK")


def read_answer(raw: socket.socket) -> tuple[int, dict[str, str]]:
    """Status and JSON of an answer, read to the end of the connection."""
    head, _, body = b"".join(iter(lambda: raw.recv(4096), b"")).partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


HEAD = f"POST /v1/address-of HTTP/1.0\r\nAuthorization: Bearer {TOKEN}\r\n".encode()


def trickle(raw: socket.socket) -> None:
    """Send a byte at a time, each well within the deadline, until the other side hangs up."""
    pause = threading.Event()
    with suppress(OSError):
        while not pause.wait(0.02):
            raw.sendall(b"x")


@pytest.mark.parametrize("begun", [b"", b"PO", HEAD + b"X-More: ", HEAD + b"Content-Length: 4000\r\n\r\n"])
def test_a_client_that_sends_a_byte_at_a_time_is_ended(begun: bytes) -> None:
    with serving(timeout=0.5) as service, service.connected() as raw:
        raw.sendall(begun)
        with in_thread(lambda: trickle(raw)):
            assert read_answer(raw) == (408, {"error": "the request was not complete within 0.5 s"})
            raw.shutdown(socket.SHUT_RDWR)
        assert until(lambda: not service.server.connections)
        assert service.post("/v1/address-of", {"key": "PUK"}) == (200, {"result": "1009"})


def test_each_request_of_a_connection_has_its_deadline() -> None:
    """The part of another request that arrives with a whole one, and one that arrives later."""
    body = json.dumps({"key": "PUK"})
    head = HEAD.replace(b"1.0", b"1.1") + b"Host: h\r\n"
    whole = head + f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
    with serving(timeout=0.5) as service:
        for part in (head[:3], head, head + b"Content-Length: 9\r\n\r\n"):
            for apart in (False, True):
                with service.connected() as raw, raw.makefile("rb") as answers:
                    raw.sendall(whole if apart else whole + part)
                    assert answers.readline() == b"HTTP/1.1 200 OK\r\n"
                    if apart:
                        raw.sendall(part)
                    assert b"\r\n\r\n" + b'{"error": "the request was not complete' in answers.read()


def test_a_service_that_sends_a_byte_at_a_time_is_given_up() -> None:
    def answer_slowly() -> None:
        connected, _ = slow.accept()
        with connected:
            connected.sendall(b"HTTP/1.0 200 OK\r\nX-More: ")
            trickle(connected)

    with socket.create_server(("127.0.0.1", 0)) as slow, in_thread(answer_slowly):
        hsm = HttpHsm(f"http://127.0.0.1:{slow.getsockname()[1]}", TOKEN, timeout=0.3)
        with pytest.raises(HsmUnavailable, match=r"did not answer within 0\.3 s"):
            hsm.address_of("PUK")


def test_connections_beyond_their_number_are_refused_until_one_ends() -> None:
    with serving(connections=1) as service:
        with service.connected() as first:
            first.sendall(HEAD)
            assert until(lambda: len(service.server.connections) == 1)
            assert service.post("/v1/address-of", {"key": "PUK"}) == (
                503,
                {"error": "too many connections, try again later"},
            )
            assert until(lambda: len(service.server.connections) == 1)
            with pytest.raises(HsmUnavailable, match="too many connections"):
                HttpHsm(service.server.url, TOKEN).address_of("PUK")
            assert until(lambda: len(service.server.connections) == 1)
            with service.connected() as second, service.connected() as third:
                second.sendall(HEAD)
                assert third.recv(1) == b""
        assert until(lambda: not service.server.connections)
        assert service.post("/v1/address-of", {"key": "PUK"})[0] == 200


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /v1/address-of HTTP/1.0\r\n\r\n", 405),
        (b"SECRET\r\n\r\n", 400),
        (b"POST / HTTP/next\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\n\r\n", 400),
        (b"POST / HTTP/1.0\r\n\r\n", 404),
        (b"POST / HTTP/9.9\r\n\r\n", 505),
        (b"POST / HTTP/9.9\r\nHost: x\r\n\r\n", 505),
        (b"POST /" + b"a" * 70_000 + b" HTTP/1.0\r\n\r\n", 414),
        (b"POST /" + b"a" * 70_000, 414),
        (b"POST / HTTP/1.0\r\n" + b"X: y\r\n" * 200 + b"\r\n", 431),
        (b"POST / HTTP/1.0\r\nX: " + b"y" * 70_000 + b"\r\n\r\n", 431),
        (b"POST / HTTP/1.0\r\n" + b"X: y\r\n" * 20_000, 431),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_is_no_request_is_an_error_in_json(service: Service, request_: bytes, status: int) -> None:
    with service.connected() as raw:
        raw.sendall(request_)
        answered, body = read_answer(raw)
    assert (answered, list(body)) == (status, ["error"])
    assert "SECRET" not in body["error"]
    assert service.log[-1].endswith(f"- - {status}")


def test_a_request_without_end_is_read_to_a_limit(service: Service) -> None:
    with service.connected() as raw:
        with suppress(OSError):
            for _ in range(1000):
                raw.sendall(b"POST / HTTP/1.0\r\n" + b"X: " + b"y" * 60_000 + b"\r\n")
        with suppress(ConnectionResetError):
            raw.recv(4096)
    assert until(lambda: not service.server.connections)


def test_no_service_is_an_hsm_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with pytest.raises(HsmUnavailable, match="cannot be reached: Connection refused"):
        HttpHsm(f"http://127.0.0.1:{port}", TOKEN).address_of("PUK")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"garbage\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\n[]",
        b'HTTP/1.0 200 OK\r\n\r\n{"answer": 1}',
        b"HTTP/1.0 500 Oh\r\n\r\n<html>",
        b"HTTP/1.0 200 OK\r\n\r\n" + b"[" * 4000,
        b"HTTP/1.0 200 OK\r\n\r\n" + b"9" * 5000,
        b'HTTP/1.0 200 OK\r\n\r\n{"result": 1009}',
        b'HTTP/1.0 200 OK\r\n\r\n{"result": "100"}',
        b'HTTP/1.0 409 No\r\n\r\n{"error": ["x"]}',
        b'HTTP/1.0 409 No\r\n\r\n{"error": ""}',
        b'HTTP/1.0 503 No\r\n\r\n{"error": {}}',
    ],
)
def test_another_service_is_recognised(answer: bytes) -> None:
    with (
        answering(answer) as url,
        pytest.raises(HsmUnavailable, match="does not answer like an HSM service"),
    ):
        HttpHsm(url, TOKEN).address_of("PUK")


OK = b"HTTP/1.1 200 OK\r\n"
RESULT = b'{"result": "1009"}'


@pytest.mark.parametrize(
    "parts",
    [
        (OK + b"Content-Length: 18\r\n\r\n" + RESULT,),
        (OK + b"server: x\r\ncontent-length:18\r\nX-Y:\r\n\r\n", RESULT),
        (OK, b"Content-Length: 18\r\n\r\n" + RESULT[:5], RESULT[5:]),
        (OK + b"Content-Length: 18\r\n\r\n" + RESULT[:9], RESULT[9:]),
        (OK + b"Connection: close\r\n\r\n" + RESULT,),
        (OK + b"Content-Length: 18\r\nConnection: close\r\n\r\n" + RESULT,),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n8\r\n" + RESULT[:8] + b"\r\na\r\n" + RESULT[8:] + b"\r\n0\r\n\r\n",),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 18\r\n\r\n", RESULT),
    ],
)
def test_an_answer_is_read_in_each_form_of_http(parts: tuple[bytes, ...]) -> None:
    with answering(*parts) as url, HttpHsm(url, TOKEN) as hsm:
        assert hsm.address_of("PUK") == "1009"


def test_an_answer_is_read_to_its_length() -> None:
    for more in (b"", b"Connection: close\r\n"):
        with (
            answering(OK + b"Content-Length: 17\r\n" + more + b"\r\n" + RESULT) as url,
            pytest.raises(HsmUnavailable, match="does not answer like an HSM service"),
        ):
            HttpHsm(url, TOKEN).address_of("PUK")


@pytest.mark.parametrize(
    "result",
    ["", "AB", "ABC", "AB" * 15, "AB" * 16, "AB" * 17, "AB" * 1900, "8424000004", "8424000004 AABBCCD", "GG" * 4,
     "842400000A" + "AB" * 10],
    ids=str.__len__,
)  # fmt: skip
def test_a_result_of_the_wrong_form_is_none(result: str) -> None:
    """The proof ends with the original data, the message begins with its header and has Lc bytes more."""
    answer = b"HTTP/1.0 200 OK\r\n\r\n" + json.dumps({"result": result}).encode()
    for ask in (
        lambda hsm: hsm.authentication_data(3, "1009", CARD, FACTOR, ORIGINAL),
        lambda hsm: hsm.safe_message(3, "1004", CARD, FACTOR, bytes.fromhex("8424000004"), None),
        lambda hsm: hsm.purchase_mac(3, "200C", CARD, FACTOR, bytes(26)),
        lambda hsm: hsm.transaction_proof(3, "200C", CARD, bytes(26)),
    ):
        with answering(answer) as url, pytest.raises(HsmUnavailable, match="does not answer like an HSM service"):
            ask(HttpHsm(url, TOKEN))


@contextmanager
def answering(*parts: bytes) -> Iterator[str]:
    """A service with one answer, sent in parts; its URL."""
    with socket.create_server(("127.0.0.1", 0)) as other:

        def answer_one() -> None:
            connected, _ = other.accept()
            with connected:
                connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for part in parts:
                    connected.sendall(part)
                connected.shutdown(socket.SHUT_WR)
                while connected.recv(4096):
                    pass

        with in_thread(answer_one, lambda: None):
            yield f"http://127.0.0.1:{other.getsockname()[1]}"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:8440",
        "ftp://127.0.0.1",
        "http://",
        "http://h:65536",
        "http://[",
        "http://user:SECRET@127.0.0.1",
        "http://a b",
        "http://h/a b",
        "http://h/\u5b57",
        "http://h\n",
        "http://a..b:1",
        "http://" + "a" * 300,
        "http://127.0.0.1:1/é中",
        "http://127.0.0.1/\x7f",
    ],
)
def test_what_is_no_url_is_said(url: str) -> None:
    with pytest.raises(InputError, match="not the URL of an HSM service") as refused:
        HttpHsm(url, TOKEN)
    assert "SECRET" not in str(refused.value)


def test_a_port_in_use_is_said(service: Service) -> None:
    with pytest.raises(InputError, match="cannot listen on port"):
        HsmServer(SOFT, TOKEN, port=service.server.socket.getsockname()[1])


def test_a_token_file_with_a_name_that_is_too_long_is_unusable_input() -> None:
    with pytest.raises(InputError, match="File name too long"):
        service_token(Path("a" * 5000))


def test_a_token_is_made_once_and_is_its_owners(tmp_path: Path) -> None:
    file = tmp_path / "new" / "token"
    token = service_token(file)
    assert len(token) >= 43
    assert file.stat().st_mode & 0o777 == 0o600
    assert read_token(file) == service_token(file) == token


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "holds no token"),
        (b"\xff", "cannot be read as a token"),
        (b"two\nlines", "holds no token"),
        (b"one two", "one line without spaces"),
        (b"a\0b", "holds no token"),
    ],
)
def test_a_file_without_token_is_said(tmp_path: Path, content: bytes, text: str) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    with pytest.raises(InputError, match=text):
        service_token(file)


def test_without_the_server_packages_the_service_ends_with_3_and_the_client_works(
    service: Service, sscard: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    image, token = tmp_path / "card.db", tmp_path / "token"
    save_card(kit.card_of("v3-sm4"), image)
    token.write_text(TOKEN)
    for name in [name for name in sys.modules if name.partition(".")[0] in ("starlette", "uvicorn")]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "sscard.hsm.server")
    monkeypatch.delitem(sys.modules, "sscard.hsm.http")
    code, out, err = sscard("hsm", "serve", "--port", 0, "--token-file", token)
    assert (code, out) == (3, "")
    assert re.fullmatch(r"sscard: (starlette|uvicorn) is not installed\n  pip install 'sscard\[server\]'\n", err)
    where = ("--hsm", service.server.url, "--hsm-token", token)
    assert sscard("reset-pin", image, "--new", "654321", *where)[0] == 0


@pytest.mark.parametrize("end", EACH_END)
def test_the_command_line_serves_and_a_reset_asks_it(tmp_path: Path, end: signal.Signals) -> None:
    image, token_file = tmp_path / "card.db", tmp_path / "token"
    save_card(kit.card_of("v3-sm4"), image)
    command = [sys.executable, "-m", "sscard.cli.main", "hsm", "serve", "--port", "0", "--token-file", str(token_file)]
    with subprocess.Popen(  # noqa: S603
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    ) as served:
        assert served.stdout is not None
        url = served.stdout.readline().removeprefix("HSM at ").partition(",")[0]
        reset = ["reset-pin", str(image), "--new", "654321", "--hsm", url, "--hsm-token", str(token_file)]
        told = CliRunner().invoke(app, reset)
        served.send_signal(end)
        _, log = served.communicate()
    assert told.exit_code == 0
    assert told.output.startswith("PIN reset, 6 tries left")
    assert served.returncode == 0
    assert [line.split()[1:] for line in log.splitlines()] == [
        ["authentication-data", "1009", "510100", "200"],
        ["safe-message", "1004", "510100", "200"],
    ]
