"""The C library as users have it: ``sscard driver build|path|serve`` over an image and over a card in a reader."""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest
from click.testing import CliRunner

import kit
from kit import native as native_kit
from kit.native import command, run
from kit.pcsc import demand_pcsc
from kit.programs import EACH_END
from kit.waiting import PATIENCE
from sscard.cli.app import app
from sscard.driver import native
from sscard.driver.errors import describe
from sscard.errors import InputError
from sscard.issuer.cardfile import load_card, save_card
from sscard.standard.encoding import encode_pin
from sscard.transport.pcscd import PrivatePcscd
from sscard.transport.vpcd import Seat, VirtualReaderSlot

pytestmark = pytest.mark.skipif(
    not native_kit.has_compiler(), reason="no C compiler: sudo apt-get install gcc libc6-dev"
)

SSCARD = [sys.executable, "-m", "sscard.cli.main"]
PINS = "123456,654321,654321"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Library and header, as ``build`` puts them."""
    built = tmp_path_factory.mktemp("built")
    native.build(built)
    return built


@pytest.fixture(scope="module")
def example(folder: Path) -> Path:
    program = folder / "example"
    command("cc", folder / native.EXAMPLE, folder / native.UNIX.library, "-o", program)
    return program


@pytest.fixture(scope="module")
def call(folder: Path) -> Path:
    return native_kit.compile_program("call", folder / "call")


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "card.db"
    save_card(kit.card_of("v3-sm4"), path)
    return path


@pytest.fixture
def place(tmp_path: Path) -> str:
    return str(tmp_path / "driver")


class Served(NamedTuple):
    """Where it is served, and the log, without the time, once it has ended."""

    place: str
    log: list[str]


@contextmanager
def served(*options: str | Path, end: signal.Signals = signal.SIGTERM) -> Iterator[Served]:
    """``sscard driver serve``, ready, ended by a signal."""
    pipe = subprocess.PIPE
    words = [*SSCARD, "driver", "serve", *map(str, options)]
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True) as server:  # noqa: S603
        assert server.stdout is not None
        said = Served(server.stdout.readline().removeprefix("driver at ").rstrip(), [])
        try:
            yield said
        finally:
            server.send_signal(end)
            _, told = server.communicate(timeout=PATIENCE)
    said.log.extend(re.sub(r"^\d{4}-\S+ ", "", line) for line in told.splitlines())
    assert server.returncode == 0


def has_pin(image: Path, pin: str) -> bool:
    return load_card(image).memory.strings[0] == encode_pin(pin)


def starting(*words: object) -> str:
    """A command for SSCARD_DRIVER_START."""
    return shlex.join(map(str, words))


# Over an image


@pytest.mark.parametrize("end", EACH_END)
def test_a_card_image_is_served_and_kept_on_disk(image: Path, place: str, call: Path, end: signal.Signals) -> None:
    with served(image, "--listen", place, "--pins", f"{PINS},654321", end=end) as server:
        words = "iChangePIN 2 / iVerifyPIN 1 / iVerifyPIN 3"
        assert [code for code, _ in run(call, place, words)] == [0, 0, -32]
        assert has_pin(image, "654321")
    said = ["pad" if line.startswith("pad: ") else line for line in server.log]
    assert said == ["pad", "pad", "pad", "iChangePIN 0", "pad", "iVerifyPIN 0", "pad", "iVerifyPIN -32"]
    assert not Path(place).exists()


def test_the_pad_cancels_times_out_and_begins_again(image: Path, place: str, call: Path) -> None:
    with served(image, "--listen", place, "--pins", "cancel,timeout,12,123456", "--repeat"):
        codes = [code for code, _ in run(call, place, " / ".join(["iVerifyPIN 1"] * 5))]
    assert codes == [-31, -32, -33, 0, -31]


def test_without_a_psam_the_application_falls_back_to_the_hsm(image: Path, place: str, call: Path) -> None:
    with served(image, "--listen", place):
        assert run(call, place, "iReadCardBas 3")[0][0] == -2201
        assert run(call, place, "iReadCardBas_HSM_Step1 3")[0][0] == 0


def test_another_card_lies_on_the_contactless_reader(image: Path, place: str, call: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    save_card(kit.card_of("v2-3des", pin="111111"), other)
    with served(image, "--contactless", other, "--listen", place, "--pins", "123456,111111"):
        assert run(call, place, "iVerifyPIN 1 / iVerifyPIN 2") == [(0, ""), (0, "")]


def test_an_image_is_held_meanwhile(image: Path, place: str) -> None:
    with served(image, "--listen", place):
        told = CliRunner().invoke(app, ["verify-pin", str(image), "--pin", "123456"])
    assert isinstance(told.exception, InputError)
    assert "is in use by process" in str(told.exception)


def test_a_program_in_c_changes_the_pin_at_a_port(image: Path, example: Path) -> None:
    with served(image, "--listen", "tcp:0", "--pins", PINS, "--psam", "province") as server:
        done = command(example, env=native_kit.environment(server.place), text=True)
    assert "姓名: 张三" in done.stdout
    assert has_pin(image, "654321")


@pytest.mark.parametrize(
    "options",
    [
        ("--personality", "v1-des"),
        ("--personality", "v2-3des", "--city", "110100"),
        ("--personality", "v3-sm4", "--place", "tries-3"),
        ("--city", "650000"),
    ],
)
def test_the_example_works_with_every_card_that_is_issued(
    options: tuple[str, ...], tmp_path: Path, example: Path
) -> None:
    """The PSAM is one of the card's city."""
    image = tmp_path / "card.db"
    issued = CliRunner().invoke(app, ["issue", "-o", str(image), "--seed", "1", "--pin", "123456", *options])
    assert issued.exit_code == 0
    with served(image, "--listen", "tcp:0", "--pins", PINS, "--psam", "province") as server:
        done = command(example, env=native_kit.environment(server.place), text=True)
    city = options[options.index("--city") + 1] if "--city" in options else "410400"
    assert f"终端机编号: {city}000001" in done.stdout
    assert done.stdout.endswith("密码已修改\n")


def test_the_psam_of_a_terminal_in_another_city_does_not_reach_the_card(image: Path, example: Path) -> None:
    with served(image, "--listen", "tcp:0", "--psam", "province", "--terminal", "410400000001") as server:
        refused = command(example, env=native_kit.environment(server.place), text=True, check=False)
    assert refused.stdout.startswith("iReadCardBas: -24 ")


def test_the_psam_has_the_default_number_if_no_card_can_be_read(reader: str, place: str, call: Path) -> None:
    with served(f"pcsc:{reader[:-2]}01", "--listen", place, "--psam", "province"):
        assert run(call, place, "iReadCardBas 1")[0][0] == -2


# Started by the library


def test_the_library_starts_the_server_which_ends_with_its_last_program(image: Path, place: str, call: Path) -> None:
    """Its standard error is the program's, and is at its end when the server is."""
    start = starting(*SSCARD, "driver", "serve", image, "--idle", 1, "--pins", PINS)
    environment = native_kit.environment(place, start=start)
    done = command(call, "iChangePIN", "1", "/", "iVerifyPIN", "1", env=environment, text=True)
    assert done.stdout.splitlines() == ["0\t", f"-32\t{describe(-32)}"]
    assert "iChangePIN 0" in done.stderr
    assert not Path(place).exists()
    assert has_pin(image, "654321")


@pytest.mark.parametrize("start", ["false", "exec no-such-command", "true", "sscard-is-not-here serve; exit 0", "("])
def test_a_server_that_does_not_start_is_a_library_that_does_not_load(place: str, call: Path, start: str) -> None:
    done = command(call, "iVerifyPIN", "1", env=native_kit.environment(place, start=start), text=True)
    assert done.stdout == f"-5\t{describe(-5)}\n"


def test_a_server_that_listens_elsewhere_is_not_found(image: Path, place: str, call: Path) -> None:
    start = starting(*SSCARD, "driver", "serve", image, "--idle", 1, "--listen", f"{place}2")
    done = command(call, "iVerifyPIN", "1", env=native_kit.environment(place, start=start), text=True)
    assert done.stdout == f"-11\t{describe(-11)}\n"


# Over a card in a reader


@pytest.fixture
def reader() -> Iterator[str]:
    """A reader of a private daemon, with a card in it."""
    demand_pcsc()
    with PrivatePcscd() as pcscd, VirtualReaderSlot(pcscd.port(0), kit.card_of("v3-sm4").chip(Random(1))) as slot:
        assert slot.wait_for(Seat.SEATED, timeout=PATIENCE)
        yield pcscd.reader_name(0)


def test_the_example_reads_and_changes_an_inserted_card(reader: str, place: str, example: Path) -> None:
    pins = f"{PINS},654321,123456,123456"
    with served(f"pcsc:{reader}", "--listen", place, "--psam", "province", "--pins", pins) as server:
        for _ in range(2):
            done = command(example, env=native_kit.environment(place), text=True)
            assert "社会保障号码: 410402198503150009" in done.stdout
            assert done.stdout.endswith("密码已修改\n")
    assert [line for line in server.log if not line.startswith("pad")] == ["iReadCardBas 0", "iChangePIN 0"] * 2


def test_an_empty_reader_has_no_card(reader: str, place: str, call: Path) -> None:
    with served(f"pcsc:{reader[:-2]}01", "--listen", place):
        assert run(call, place, "iVerifyPIN 1") == [(-2, describe(-2))]


def test_a_reader_that_is_not_there(reader: str, place: str, call: Path) -> None:
    with served("pcsc:None such", "--listen", place):
        assert run(call, place, "iVerifyPIN 1") == [(-11, describe(-11))]


# The command line


def test_build_and_path_name_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    missing = CliRunner().invoke(app, ["driver", "path"])
    assert isinstance(missing.exception, InputError)
    assert str(missing.exception).endswith("sscard driver build")
    built, named = (CliRunner().invoke(app, ["driver", word]) for word in ("build", "path"))
    assert built.output == named.output
    library = Path(named.output.strip())
    assert library.is_relative_to(tmp_path)
    for word in ("build", "path"):
        printed = json.loads(CliRunner().invoke(app, ["driver", word, "--json"]).output)
        assert printed == {"schema": "sscard.driver-library/1", "library": str(library)}
    for name in (native.HEADER, native.EXAMPLE):
        assert (library.parent / name).read_text() == (native.source_folder() / name).read_text()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["missing.db"], "cannot be read"),
        (["--listen", "tcp:x"], "not a port"),
        (["--listen", "/no/such/folder/driver"], "cannot listen"),
        (["--psam", "province", "--terminal", "51"], "not a terminal number"),
        (["--place", "nowhere"], "no place policy"),
        (["--keys", "missing.yaml"], "missing.yaml"),
    ],
)
def test_what_cannot_be_served_is_said(image: Path, options: list[str], text: str) -> None:
    words = options if options[0] == "missing.db" else [str(image), *options]
    with pytest.raises(InputError) as told:
        app(["driver", "serve", *words])
    assert text in str(told.value)
