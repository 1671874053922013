"""``examples/kiosk``: a self-service terminal in Node over the driver's line protocol, with the HSM service as host."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest

import kit
from kit.bench import Bench
from kit.counter import foreign_keys
from kit.native import FakeServer
from kit.programs import running
from kit.waiting import PATIENCE
from sscard.driver.errors import FALLBACK
from sscard.issuer import Card, personalise, preset
from sscard.standard.encoding import encode_pin

KIOSK = Path(__file__).parents[2] / "examples" / "kiosk" / "kiosk.mjs"
NEW = "24681"
PERSONALITIES = ["v1-des", "v2-3des", "v3-sm4"]
NO_TERMINAL = "000000000000"
OTHER_DRIVER = ["--errors", "alternative", "--device-serial", "DEV00001", "--internal-auth", "3.0"]

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="no Node: sudo apt-get install nodejs")


def kiosk(environment: dict[str, str], driver: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603
        [str(shutil.which("node")), str(KIOSK), *words],
        env={**environment, "SSCARD_DRIVER": driver},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@contextmanager
def driver(bench: Bench, card: Card, *options: str) -> Iterator[str]:
    """``sscard driver serve`` over the card in a reader; where it listens."""
    with (
        bench.inserted(card.chip(Random(1))) as reader,
        running(
            "driver", "serve", f"pcsc:{reader}", "--listen", "tcp:0", *options, **bench.daemon.environment
        ) as program,
    ):
        yield program.line_with("driver at ").split()[2]


def basic_data(personality: str, terminal: str) -> str:
    return (
        "510100|410402198503150009|A00000011|510100D15600000500000001A1B2C3D4|张三|1234A1B2C38649510100000001"
        f"|{personality[1]}.00|20250101|20350101|{terminal}||"
    )


@pytest.mark.parametrize(
    ("options", "terminal", "read_by", "reset_by"),
    [
        ([], NO_TERMINAL, "HSM", "HSM"),
        pytest.param(OTHER_DRIVER, NO_TERMINAL, "HSM", "HSM", marks=pytest.mark.nightly),
        (["--psam", "national"], "510100000001", "PSAM", "HSM"),
        (["--psam", "province", "--pins", f"{NEW},{NEW}"], "510100000001", "PSAM", "PSAM"),
    ],
    ids=["no PSAM", "other driver", "national PSAM", "PSAM"],
)
@pytest.mark.parametrize("personality", PERSONALITIES)
def test_a_card_is_read_and_its_pin_reset_and_tried(
    bench: Bench, personality: str, options: list[str], terminal: str, read_by: str, reset_by: str
) -> None:
    card = kit.card_of(personality)
    with driver(bench, card, *options) as place:
        done = kiosk(bench.environment, place, NEW)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"read by {read_by}: {basic_data(personality, terminal)}",
        f"PIN reset by {reset_by}",
        "PIN verified",
    ]
    assert card.memory.strings[0] == encode_pin(NEW)
    state = card.snapshot()
    assert (state.pin_tries, state.key_tries["PUK"][0]) == (6, 3)


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ("IRK", "iReadCardBas_HSM_Step2: -21 "),
        ("RKSSSE", "iReadCardBas_HSM_Step2: -25538 "),
        ("PUK", "iReloadPIN_HSM_Step2: -25538 "),
        ("STK", "iReloadPIN_HSM_Step3: -27016 "),
    ],
)
def test_the_first_step_that_the_card_refuses_ends_it(bench: Bench, key: str, problem: str) -> None:
    card = personalise(kit.order_of(preset("v3-sm4")), foreign_keys(key))
    with driver(bench, card) as place:
        done = kiosk(bench.environment, place, NEW)
    assert (done.returncode, done.stderr.startswith(problem)) == (1, True), done.stderr
    assert card.memory.strings[0] == encode_pin(kit.PIN)


@pytest.mark.parametrize("code", [*sorted(map(int, FALLBACK)), -21, -2204, -27011])
def test_five_codes_lead_to_the_hsm_steps_and_any_other_ends_it(tmp_path: Path, code: int) -> None:
    """driver-api.md §5, with a driver that answers by a list."""
    place = tmp_path / "driver"
    answers = [b"0\tdriver\n", b"%d\tno\n" % code, b"-2\tno card\n", None]
    server = FakeServer(place, *answers)
    thread = threading.Thread(target=server.serve)
    thread.start()
    done = kiosk({}, str(place), NEW)
    thread.join(PATIENCE)
    asked = [line.decode().split("\t")[0].strip() for line in server.lines if line]
    if code in FALLBACK:
        assert asked == ["sscard-driver", "iReadCardBas", "iReadCardBas_HSM_Step1"]
        assert done.stderr == "iReadCardBas_HSM_Step1: -2 no card\n"
    else:
        assert asked == ["sscard-driver", "iReadCardBas"]
        assert done.stderr == f"iReadCardBas: {code} no\n"
    assert (done.returncode, done.stdout) == (1, "")


def test_a_driver_that_hangs_up_or_is_not_there_and_words_of_another_form(tmp_path: Path) -> None:
    assert "4 to 16 digits" in kiosk({}, "tcp:1", "12").stderr
    assert "SSCARD_DRIVER is not set" in kiosk({}, "", NEW).stderr
    missing = kiosk({}, str(tmp_path / "nobody"), NEW)
    assert (missing.returncode, len(missing.stderr.splitlines())) == (1, 1)
    place = tmp_path / "driver"
    server = FakeServer(place, b"0\tdriver\n")
    thread = threading.Thread(target=server.serve)
    thread.start()
    assert kiosk({}, str(place), NEW).stderr == "iReadCardBas: the driver hung up\n"
    thread.join(PATIENCE)
