"""``examples/browser`` in Chromium: a page reads inserted cards and verifies and changes their PIN by the WebSocket."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlencode

import pytest

import kit
from kit import browser
from kit.native import serving
from kit.pcsc import demand_pcsc
from kit.programs import running
from kit.waiting import PATIENCE, in_thread
from sscard.driver.errors import Code
from sscard.issuer import Card, issue_card
from sscard.standard.encoding import encode_pin
from sscard.transport.pcsc import wait_for_card
from sscard.transport.pcscd import PrivatePcscd
from sscard.transport.vpcd import VirtualReaderSlot

pytest.importorskip("websockets", reason="websockets is not installed: pip install 'sscard[server]'")

from sscard.driver.websocket import serve_websocket

FOLDER = Path(__file__).parents[2] / "examples" / "browser"
NEW = "246802"
HOST = "his.example"
"""The name of this machine in the browser."""
PERSONALITIES = ("v1-des", "v2-3des", "v3-sm4")


class _Files(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *given: Any) -> None:
        pass


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """The address of the page, served as a developer serves it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Files, directory=str(FOLDER)))
    with server, in_thread(partial(server.serve_forever, 0.01), server.shutdown):
        yield f"http://127.0.0.1:{server.server_address[1]}/index.html"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser.chromium(f"--host-resolver-rules=MAP {HOST} 127.0.0.1") as started:
        yield started


@pytest.fixture(scope="module")
def pcscd() -> Iterator[PrivatePcscd]:
    demand_pcsc()
    with PrivatePcscd(len(PERSONALITIES), timeout=PATIENCE) as daemon:
        yield daemon


def test_every_code_of_the_driver_has_words_in_english() -> None:
    """Also of the alternative tables (driver-api.md §7.1)."""
    script = (FOLDER / "card.js").read_text(encoding="utf-8")
    known = re.findall(r'^  "(-\d+)": "[ -~]+",$', script, re.MULTILINE)
    own = {f"{code:d}" for code in Code if code} | {"-26368", "-26369", "-26370", "-26371", "-26881"}
    assert sorted(known) == sorted(own)


@contextmanager
def page_at(chromium: Any, address: str, **asked: str) -> Iterator[Any]:
    """The open page; an error of its script fails the test."""
    page = chromium.new_page()
    page.set_default_timeout(1000 * PATIENCE)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{address}?{urlencode(asked)}")
    try:
        yield page
    finally:
        page.close()
    assert not errors


def told(page: Any, button: str, kind: str) -> str:
    """Click a button; the status in the end, of this kind."""
    page.click(f"#{button}")
    page.wait_for_selector(f"#status.{kind}")
    return str(page.text_content("#status"))


def field(page: Any, number: int) -> str:
    """A field of the basic data, counted as in driver-api.md §4."""
    return str(page.text_content(f"tr[data-field='{number}'] td"))


@contextmanager
def inserted(pcscd: PrivatePcscd, card: Card, number: int) -> Iterator[tuple[str, VirtualReaderSlot]]:
    """The card in a reader; the address of a driver with this reader, by WebSocket."""
    reader = pcscd.reader_name(number)
    with VirtualReaderSlot(pcscd.port(number), card.chip(Random(1))) as slot:
        assert wait_for_card(reader, timeout=PATIENCE)
        pins = ["000000", kit.PIN, kit.PIN, NEW, "111111", "cancel", kit.PIN, NEW, NEW, NEW]
        words = ("--psam", "province", "--listen", "ws:0", "--pins", ",".join(pins))
        with running("driver", "serve", f"pcsc:{reader}", *words, **pcscd.environment) as driver:
            yield driver.line_with("driver at ").split()[-1], slot


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(PERSONALITIES)), ids=PERSONALITIES)
def test_a_page_reads_an_inserted_card_and_changes_its_pin(
    pcscd: PrivatePcscd, chromium: Any, site: str, number: int
) -> None:
    card = issue_card(personality=PERSONALITIES[number], seed=1, pin=kit.PIN)
    with inserted(pcscd, card, number) as (control, slot), page_at(chromium, site, control=control) as page:
        assert told(page, "read", "done") == "读卡成功。"
        name, version = field(page, 5), field(page, 7)
        assert name
        assert version == f"{PERSONALITIES[number][1]}.00"
        assert field(page, 10) == f"{field(page, 1)}000001"

        assert told(page, "verify", "failed") == "密码错误，剩余5次 (-51)"
        page.click("#language")
        assert page.text_content("#status") == "Wrong PIN, tries left: 5 (-51)"
        assert page.text_content("th") == "District"
        assert told(page, "verify", "done") == "The PIN is correct."

        assert told(page, "change", "failed") == "The two new PINs differ (-34)"
        assert told(page, "change", "failed") == "PIN entry cancelled (-31)"
        assert told(page, "change", "done") == "PIN changed."
        assert told(page, "verify", "done") == "The PIN is correct."
        assert card.memory.strings[0] == encode_pin(NEW)
        assert card.snapshot().pin_tries == card.snapshot().pin_tries_max
        assert field(page, 5) == name

        slot.remove()
        assert wait_for_card(pcscd.reader_name(number), present=False, timeout=PATIENCE)
        assert told(page, "read", "failed") == "No card (-2)"
        assert [field(page, number) for number in (1, 5)] == ["", ""], "no data of a card that is not there"


@pytest.mark.slow
def test_a_page_without_control_says_how_to_start_it(chromium: Any, site: str) -> None:
    with page_at(chromium, site, control="ws://127.0.0.1:1", lang="en") as page:
        assert "sscard driver serve CARD --listen" in told(page, "read", "failed")
        page.click("#language")
        assert "连接不上读卡控件" in page.text_content("#status")


@pytest.mark.slow
@pytest.mark.nightly
@pytest.mark.parametrize("named", [True, False])
def test_a_page_of_another_host_reads_the_card_only_if_it_is_named(chromium: Any, site: str, named: bool) -> None:
    other = site.replace("127.0.0.1", HOST)
    origins = [other.rpartition("/")[0]] if named else []
    with (
        serving(0, serve=serve_websocket, origins=origins) as service,
        page_at(chromium, other, control=service.place) as page,
    ):
        text = told(page, "read", "done" if named else "failed")
        assert text.startswith("读卡成功" if named else "连接不上读卡控件")
    assert service.functions[0].startswith("iReadCardBas 0" if named else f"- a page of http://{HOST}")
