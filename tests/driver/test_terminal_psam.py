"""The PSAM in the terminal of ``sscard driver serve``: of the card's city, from a file, in a PC/SC reader."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest

import kit
from kit.counter import ok
from kit.native import Line
from kit.pcsc import demand_pcsc
from kit.programs import running
from kit.waiting import PATIENCE
from sscard.driver.api import Readers, SSCardDriver
from sscard.driver.libraries import DRIVERS
from sscard.driver.station import following_psam
from sscard.issuer import builtin_keys, issue_card
from sscard.issuer.cardfile import save_card
from sscard.issuer.psam import issue_psam
from sscard.issuer.psamfile import load_psam, save_psam
from sscard.terminal.pinpad import ScriptedPad
from sscard.transport.connection import Connection
from sscard.transport.pcscd import PrivatePcscd

CITIES = ("410400", "510100", "410400", "110100")


def card_info(basic: str) -> str:
    """pCardInfo of a card."""
    fields = basic.split("|")
    return f"{fields[3]}|{fields[2]}|"


@pytest.mark.parametrize("level", ["national", "province", "city"])
def test_a_psam_without_number_is_one_of_the_city_of_each_card(level: str) -> None:
    """Cards of other cities come into the reader while the driver runs; the PSAM of a city keeps its sequence."""
    in_reader: list[Connection] = []
    pad = ScriptedPad()
    psam = following_psam(level, builtin_keys())  # type: ignore[arg-type]
    driver = SSCardDriver(Readers(lambda: in_reader[-1]), pad, psam)
    assert driver.iReadCardBas_HSM_Step1(2)[0] == -12  # no card yet: no PSAM is needed
    sequences = []
    for seed, city in enumerate(CITIES):
        personality = "v3-sm4" if seed % 2 else "v2-3des"
        in_reader.append(issue_card(seed=seed, city=city, personality=personality, pin=kit.PIN).chip(Random(1)))
        basic = ok(driver.iReadCardBas(1))
        assert basic.split("|")[9] == f"{city}000001"
        pad.script(kit.PIN)
        sequences.append(ok(driver.iDoDebit(1, card_info(basic), "0.00|0.00|20260105093000|")).split("|")[5])
    assert sequences == ["00000001", "00000001", "00000002", "00000001"]


def call(line: Line, *words: str) -> str:
    return ok(line.call(*words))


@pytest.fixture
def card(tmp_path: Path) -> Path:
    save_card(issue_card(seed=1, pin=kit.PIN), tmp_path / "card.db")
    return tmp_path / "card.db"


@pytest.fixture
def psam(tmp_path: Path) -> Path:
    save_psam(issue_psam(builtin_keys(), "410400000007", "province"), tmp_path / "psam.db")
    return tmp_path / "psam.db"


@contextmanager
def driver_of(card: object, psam: object, *pins: str, **variables: str) -> Iterator[Line]:
    words = ("--psam", psam, "--pins", ",".join(pins), "--listen", "tcp:0")
    with running("driver", "serve", card, *words, **variables) as program:
        with Line(program.line_with("driver at ").split()[-1]) as line:
            yield line
        assert program.end()[0] == 0


def buy_and_reset(line: Line) -> str:
    """A purchase, and a reset of the PIN; the terminal sequence of the purchase."""
    basic = call(line, "iReadCardBas", "3")
    assert basic.split("|")[9] == "410400000007"
    bought = call(line, "iDoDebit", "3", card_info(basic), "0.00|0.00|20260105093000|")
    call(line, "iReloadPIN", "3", card_info(basic))
    return bought.split("|")[5]


def test_a_psam_file_keeps_its_counters_from_one_service_to_the_next(card: Path, psam: Path) -> None:
    for sequence in ("00000001", "00000002"):
        with driver_of(card, psam, kit.PIN, kit.PIN, kit.PIN) as line:
            assert buy_and_reset(line) == sequence
    assert load_psam(psam).snapshot().sequences == {"DES": 1, "SM4": 3}


@pytest.mark.slow
def test_a_psam_file_in_a_pc_sc_reader_serves_a_driver(card: Path, psam: Path) -> None:
    """Card and PSAM in two readers by ``sscard insert``."""
    demand_pcsc()
    with PrivatePcscd(2, timeout=PATIENCE) as daemon:
        ports = [daemon.port(number) for number in range(2)]
        with (
            running("insert", card, "--port", ports[0], **daemon.environment) as first,
            running("insert", psam, "--port", ports[1], **daemon.environment) as inserted,
        ):
            readers = [daemon.reader_name(number) for number in range(2)]
            said = inserted.line_with("psam.db")
            assert said.startswith(f"{psam}: PSAM 410400000007, in reader '{readers[1]}'")
            assert inserted.line_with("driver serve").strip() == f"sscard driver serve CARD --psam 'pcsc:{readers[1]}'"
            first.line_with(f"in reader '{readers[0]}'")
            urls = [f"pcsc:{reader}" for reader in readers]
            with driver_of(*urls, kit.PIN, kit.PIN, kit.PIN, **daemon.environment) as line:
                assert buy_and_reset(line) == "00000001"
    assert load_psam(psam).snapshot().sequences["SM4"] == 2


@pytest.mark.parametrize("moved", ["card.db", "psam.db"])
@pytest.mark.parametrize(
    ("listen", "opened", "parameters"), [("tcp:0", Line, ("3",)), ("ws:0", DRIVERS.open, ([3],))], ids=["tcp", "ws"]
)
def test_the_log_states_why_a_file_that_was_moved_cannot_be_used(
    card: Path, psam: Path, moved: str, listen: str, opened: Callable[[str], Any], parameters: tuple[Any, ...]
) -> None:
    with running("driver", "serve", card, "--psam", psam, "--listen", listen) as program:
        with opened(program.line_with("driver at ").split()[-1]) as driver:
            assert ok(driver.call("iReadCardBas", *parameters))
            (card.parent / moved).rename(card.parent / "moved.db")
            assert driver.call("iReadCardBas", *parameters)[0] == -11
        lines = program.end()[1].splitlines()
    assert [line.partition(" ")[2] for line in lines if "iReadCardBas" in line] == [
        "iReadCardBas 0",
        f"iReadCardBas -11 {card.parent / moved}: was deleted or moved while it was in use",
    ]
