"""The holder base of a service: beside the HSM, with its token, and without an answer when there is none."""

from __future__ import annotations

import json
import socket
import sys
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from typing import Any

import pytest

from kit.holderbases import TOKEN, SilentBase, served_base
from kit.waiting import in_thread
from sscard.errors import HolderBaseUnavailable, InputError
from sscard.hsm import HsmUnavailable, SoftHsm
from sscard.hsm.holderbase import STANDING, HttpHolderBase, open_holder_base
from sscard.hsm.http import HttpHsm
from sscard.hsm.operations import HsmOperations, Operation, Request
from sscard.hsm.server import HsmServer
from sscard.issuer import builtin_keys
from sscard.issuer.holder import card_number
from sscard.issuer.holderbase import ListedCards, MemoryHolderBase
from sscard.issuer.holderbasefile import SqliteHolderBase
from sscard.issuer.standing import Standing

CARD = card_number("A0000100")
SOFT = SoftHsm(builtin_keys())
LOST = MemoryHolderBase([ListedCards(first=CARD, standing=Standing.LOST)])


@pytest.fixture
def token(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.write_text(TOKEN)
    return file


def test_the_service_of_the_hsm_offers_the_base_to_its_token(token: Path, tmp_path: Path) -> None:
    log: list[str] = []
    other = tmp_path / "other"
    other.write_text("another-token")
    with (
        HsmServer(SOFT, TOKEN, holder_base=LOST, port=0, log=log.append) as server,
        in_thread(server.serve_forever, server.shutdown),
    ):
        with open_holder_base(server.url, token_file=token) as base:
            assert base.standing(CARD) is Standing.LOST
        with HttpHsm(server.url, TOKEN) as hsm:
            assert hsm.address_of("PUK") == SOFT.address_of("PUK")
        with (
            open_holder_base(server.url, token_file=other) as base,
            pytest.raises(HolderBaseUnavailable, match="does not accept the token"),
        ):
            base.standing(CARD)
    assert log[0].endswith(f"{STANDING} - - 200")
    assert CARD not in "".join(log)


def test_without_a_token_it_is_not_opened() -> None:
    with pytest.raises(HsmUnavailable, match="needs a token"), open_holder_base("http://127.0.0.1:1"):
        pass


def test_a_base_behind_the_service_that_gives_no_answer_gives_none_here() -> None:
    with served_base(SilentBase()) as base, pytest.raises(HolderBaseUnavailable, match="no line to the base"):
        base.standing(CARD)


def test_a_service_without_a_base_gives_no_answer() -> None:
    with (
        HsmServer(SOFT, TOKEN, port=0) as server,
        in_thread(server.serve_forever, server.shutdown),
        HttpHsm(server.url, TOKEN) as client,
        pytest.raises(HolderBaseUnavailable, match="no such operation"),
    ):
        HttpHolderBase(client).standing(CARD)


@pytest.mark.parametrize("answer", ["stolen", "", "LOST"])
def test_a_word_that_is_no_standing_is_no_answer(answer: str) -> None:
    class Asked(Request):
        card_number: str

    further = {STANDING: Operation(Asked, lambda _asked: answer)}
    with (
        HsmServer(SOFT, TOKEN, further=further, port=0) as server,
        in_thread(server.serve_forever, server.shutdown),
        HttpHsm(server.url, TOKEN) as client,
        pytest.raises(HolderBaseUnavailable, match="does not answer like an HSM service"),
    ):
        HttpHolderBase(client).standing(CARD)


def test_a_slow_base_has_a_timeout() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        HttpHsm(f"http://127.0.0.1:{silent.getsockname()[1]}", TOKEN, timeout=0.02) as client,
        pytest.raises(HolderBaseUnavailable, match="did not answer within"),
    ):
        HttpHolderBase(client).standing(CARD)


def test_the_openapi_document_has_the_base_if_it_is_served() -> None:
    with HsmServer(SOFT, TOKEN, holder_base=LOST, port=0) as server:
        document = server._operations.openapi()
    assert document["paths"][f"/v1/{STANDING}"]["post"]["operationId"] == STANDING
    assert document["components"]["schemas"]["StandingOf"]["required"] == ["card_number"]
    assert f"/v1/{STANDING}" not in HsmOperations(SOFT, TOKEN).openapi()["paths"]


@pytest.mark.parametrize(
    "fields", [{}, {"card_number": 7}, {"card_number": CARD, "more": ""}, {"card_number": "9" * 65}]
)
def test_wrong_fields_are_named(fields: dict[str, Any]) -> None:
    with HsmServer(SOFT, TOKEN, holder_base=LOST, port=0) as server:
        reply = server._operations.reply(STANDING, json.dumps(fields).encode())
    assert reply.status == 400
    assert "card_number" in reply.body["error"] or "more" in reply.body["error"]


# URLs


@pytest.mark.parametrize("scheme", ["", "sqlite:"])
def test_a_path_is_a_file(tmp_path: Path, scheme: str) -> None:
    file = tmp_path / "base.db"
    SqliteHolderBase(file, create=True).put(ListedCards(first=CARD, standing=Standing.LOST))
    with open_holder_base(f"{scheme}{file}") as base:
        assert base.standing(CARD) is Standing.LOST


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "no file is named"),
        ("sqlite:", "no file is named"),
        ("shelf:1", "expected one of: http, https, sqlite"),
        ("http:/127.0.0.1", "not the URL"),
        ("nowhere.db", "no such holder base"),
    ],
)
def test_what_is_no_holder_base_is_refused(url: str, says: str, token: Path) -> None:
    with pytest.raises(InputError, match=says), open_holder_base(url, token_file=token):
        pass


def open_rack(_url: str, **_options: object) -> MemoryHolderBase:
    return LOST


def test_a_plug_in_gives_a_base(monkeypatch: pytest.MonkeyPatch) -> None:
    found = EntryPoints([EntryPoint("rack", "rack_base:open_rack", "sscard.holder_bases")])
    monkeypatch.setattr("importlib.metadata.entry_points", found.select)
    monkeypatch.setitem(sys.modules, "rack_base", sys.modules[__name__])
    with open_holder_base("rack:7") as base:
        assert base.standing(CARD) is Standing.LOST
