"""Driver libraries by URL, and `sscard driver call`: ours in front of a server, and a vendor's that misbehaves."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from types import ModuleType
from unittest.mock import Mock

import pytest

import kit
from kit import native as native_kit
from kit.counter import CARD
from kit.native import command, environment, serving
from kit.programs import SSCARD, CommandLine, running
from kit.waiting import PATIENCE
from sscard.driver import native
from sscard.driver.libraries import DRIVERS, NativeLibrary, parameters_of, without_pin
from sscard.errors import InputError, TransportError
from sscard.i18n.language import say
from sscard.issuer.cardfile import load_card, save_card

pytestmark = pytest.mark.skipif(
    not native_kit.has_compiler(), reason="no C compiler: sudo apt-get install gcc libc6-dev"
)

VENDOR = """
#include <string.h>
long iVerifyPIN(int type, char *out) { strcpy(out, "\\xc3\\xdc\\xc2\\xeb"); return -50 - type; }
long iChangePIN(int type, char *out) { memset(out, 'x', 512); out[512] = 0; return type; }
long iReadCardBas_HSM_Step2(char *key, char *out) { strcpy(out, key); return 0; }
"""


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return native.build(tmp_path_factory.mktemp("ours"))


@pytest.fixture(scope="module")
def vendor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vendor")
    (folder / "vendor.c").write_text(VENDOR)
    command("cc", "-shared", "-fPIC", folder / "vendor.c", "-o", folder / "vendor.so")
    return folder / "vendor.so"


def call(*words: object, stdin: str = "", place: str = "", **settings: str) -> subprocess.CompletedProcess[str]:
    """`sscard driver call` in a process of its own; the library reads its environment there."""
    arguments = [sys.executable, "-m", "sscard.cli.main", "driver", "call", *map(str, words)]
    return subprocess.run(  # noqa: S603
        arguments,
        input=stdin,
        env=environment(place, **{"charset": "GBK", **settings}),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.fixture
def place(tmp_path: Path) -> str:
    return str(tmp_path / "driver")


@pytest.mark.parametrize("charset", ["GBK", "UTF-8"])
def test_our_library_in_front_of_a_server(ours: Path, place: str, charset: str) -> None:
    with serving(place) as service:
        service.pad.script("123456")
        done = call(ours, "iVerifyPIN", 1, place=place, charset=charset)
        assert (done.returncode, done.stdout, done.stderr) == (0, "0\t\n", "")
        service.pad.script("000000")
        done = call(ours, "iVerifyPIN", 1, place=place, charset=charset)
        assert (done.returncode, done.stdout) == (1, "-51\t密码错误，剩余5次\n")
        done = call(ours, "iReadCardBas", 1, place=place, charset=charset)
        assert done.returncode == 0
        assert "张三" in done.stdout
        done = call(ours, "iReadCard", 1, 2, CARD, "SSSEEF05|07|$", place=place, charset=charset)
        assert done.stdout == "0\tSSSEEF05|A00000011|$\n"


def test_a_pin_after_the_parameters_calls_the_function_that_takes_it(ours: Path, place: str) -> None:
    with serving(place) as service:
        steps = f"iChangePIN\t1\t123456\t654321\niVerifyPIN\t1\t123456\niReloadPIN_HSM_Step2\t{'0' * 32}\t739184\n"
        done = call(ours, stdin=steps, place=place)
    assert done.stdout.splitlines() == ["0\t", "-51\t密码错误，剩余5次", "-12\t未建立连接"]
    assert service.pad.prompts == []


def test_json_for_programs(ours: Path, place: str) -> None:
    with serving(place):
        done = call(ours, "iVerifyPIN", 9, "--json", place=place)
    content = json.loads(done.stdout)
    assert (content["schema"], content["function"], content["code"]) == ("sscard.driver-call/1", "iVerifyPIN", -1)


def test_the_steps_of_a_group_stay_together_and_no_pin_is_shown(ours: Path, place: str) -> None:
    """Step 2 hands the new PIN to the caller; whoever sees the terminal does not see it."""
    with serving(place) as service:
        service.pad.script("654321", "654321")
        steps = f"iReloadPIN_HSM_Step1\t1\t{CARD}\niReloadPIN_HSM_Step2\t{'0' * 32}\n"
        done = call(ours, stdin=steps, place=place)
        first, second = done.stdout.splitlines()
        assert first.startswith("0\t03|")
        assert second.startswith("-2553")  # a proof that is none, but in the group: −11 or −14 otherwise
    assert done.returncode == 1
    assert "654321" not in done.stdout + done.stderr


def test_the_pin_of_a_pout_info_is_masked() -> None:
    out = "03|1009|0102030405060708|8424000114|654321|"
    assert without_pin("iReloadPIN_HSM_Step2", out) == "03|1009|0102030405060708|8424000114|******|"
    assert without_pin("iReloadPIN_HSM_Step1", out) == out
    assert without_pin("iReloadPIN_HSM_Step2", "密码输入超时") == "密码输入超时"


def test_a_driver_in_front_of_a_card_that_is_a_program(ours: Path, place: str, tmp_path: Path) -> None:
    """Library, server, program and image, each in a process of its own."""
    image = tmp_path / "card.db"
    save_card(kit.card_of("v3-sm4"), image)
    card = "exec:" + shlex.join([*SSCARD, "apdu", str(image), "--raw"])
    with running("driver", "serve", card, "--listen", place, "--pins", "000000,123456") as server:
        server.line_with("driver at")
        assert call(ours, "iVerifyPIN", 1, place=place).stdout.startswith("-51\t")
        assert call(ours, "iVerifyPIN", 2, place=place).stdout == "0\t\n"
        assert server.end()[0] == 0
    assert load_card(image).snapshot().pin_tries == 6


def test_nobody_serves(ours: Path, place: str) -> None:
    done = call(ours, "iVerifyPIN", 1, place=place)
    assert (done.returncode, done.stdout.split("\t")[0]) == (1, "-11")


def test_a_vendors_text_is_gbk_and_its_code_its_own(vendor: Path) -> None:
    with DRIVERS.open(str(vendor)) as library:
        assert library.call("iVerifyPIN", [1]) == (-51, "密码")
        assert library.call("iReadCardBas_HSM_Step2", ["张三"]) == (0, "张三")


def test_a_library_that_writes_beyond_its_buffer_is_reported(vendor: Path) -> None:
    with pytest.raises(TransportError, match="iChangePIN wrote beyond the 512 bytes"):
        NativeLibrary(vendor).call("iChangePIN", [1])
    assert call(vendor, "iChangePIN", 1).returncode == 1


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["iVerifyPin", "1"], "did you mean 'iVerifyPIN'?"),
        (["iVerifyPIN"], "numbers: 1, then texts: 0 or 1"),
        (["iVerifyPIN", "one"], "numbers: 1, then texts: 0 or 1"),
        (["iVerifyPIN", "--", "--1"], "numbers: 1, then texts: 0 or 1"),
        (["iVerifyPIN", "1", "739184", "739184"], "numbers: 1, then texts: 0 or 1"),
        (["iVerifyPIN", "1", "739184"], "has no function iVerifyPIN_Digits"),
        (["iUnblockPIN", "1", "a|b|"], "has no function iUnblockPIN"),
        (["iReadCardBas_HSM_Step2", "\U0001f600"], "cannot be encoded"),
    ],
)
def test_what_is_no_call_ends_with_2(vendor: Path, words: list[str], problem: str, sscard: CommandLine) -> None:
    code, out, err = sscard("driver", "call", vendor, *words)
    assert (code, out) == (2, "")
    assert problem in err
    assert "739184" not in err


@pytest.mark.parametrize("library", ["nowhere.so", __file__])
def test_what_is_no_library_ends_with_2(library: str, sscard: CommandLine) -> None:
    code, _, err = sscard("driver", "call", library, "iVerifyPIN", 1)
    assert code == 2
    assert "cannot be loaded" in err


def test_an_unknown_scheme_names_the_known_ones() -> None:
    with pytest.raises(InputError, match="unknown kind of driver library 'ftp'") as caught:
        DRIVERS.open("ftp://driver")
    assert say(caught.value.remedy) == "expected one of: library, ws"


def test_parameters_are_numbers_then_texts() -> None:
    assert parameters_of("iReadCard", ["1", "2", "3", "4"]) == [1, 2, "3", "4"]


def register(monkeypatch: pytest.MonkeyPatch, library: object) -> None:
    """Install a package whose driver library, of the scheme ``demo``, is this object."""
    module = ModuleType("demo_package")
    module.open = lambda _url: library  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "demo_package", module)
    points = EntryPoints([EntryPoint("demo", "demo_package:open", DRIVERS.group)])
    monkeypatch.setattr("importlib.metadata.entry_points", points.select)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (Mock(side_effect=KeyError("739184")), "driver library demo:••••: iVerifyPIN failed with KeyError"),
        (Mock(side_effect=SystemExit(5)), "driver library demo:••••: iVerifyPIN failed with SystemExit"),
        (Mock(return_value=None), "driver library demo:••••: iVerifyPIN returned no return code and text"),
        (Mock(return_value=("0", "")), "driver library demo:••••: iVerifyPIN returned no return code and text"),
        (Mock(side_effect=TransportError("the rack is off")), "the rack is off"),
    ],
)
def test_a_package_whose_driver_fails_is_named_without_what_it_says(
    monkeypatch: pytest.MonkeyPatch, call: Mock, said: str
) -> None:
    register(monkeypatch, Mock(spec=NativeLibrary, call=call))
    with DRIVERS.open("demo:x") as library, pytest.raises(TransportError) as failed:
        library.call("iVerifyPIN", [1])
    assert str(failed.value) == said


def test_a_driver_of_a_package_returns_code_and_text(monkeypatch: pytest.MonkeyPatch) -> None:
    given = Mock(spec=NativeLibrary, call=Mock(return_value=(-11, "读写器")))
    register(monkeypatch, given)
    with DRIVERS.open("demo:x") as library:
        assert library.call("iVerifyPIN", [1]) == (-11, "读写器")
