"""The C library of the driver, against a server over a card in this process and against servers that err."""

from __future__ import annotations

import ctypes
import inspect
import re
import shutil
from _ctypes import dlclose
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import driver_source
import kit
from kit import native as native_kit
from kit.counter import CARD
from kit.native import FakeServer, Service, command, run, serving, started
from kit.waiting import PATIENCE, in_thread
from sscard.driver import native
from sscard.driver.api import FUNCTIONS, SSCardDriver
from sscard.driver.calls import LONGEST
from sscard.driver.errors import describe
from sscard.driver.hoststrings import CardHolderBase
from sscard.driver.server import serve_driver
from sscard.errors import InputError, MissingPart
from sscard.hsm import SoftHsm
from sscard.issuer import builtin_keys

pytestmark = pytest.mark.skipif(
    not native_kit.has_compiler(), reason="no C compiler: sudo apt-get install gcc libc6-dev"
)

NO_ANSWER, LIBRARY, READER, NOT_CONNECTED, UNSUPPORTED, PARAMETER, CHECKSUM, LENGTH = (
    -4,
    -5,
    -11,
    -12,
    -13,
    -14,
    -15,
    -42,
)
PINS_GIVEN = "_Digits"
"""End of the names of the functions that take the PINs; the server knows them by the number of parameters."""
HEADER = (native.source_folder() / native.HEADER).read_text()
SIGNATURES = {
    name: parameters.split(", ") for name, parameters in re.findall(r"long SSCARD_CALL (\w+)\(([^)]*)\);", HEADER)
}
SIZES = {
    "iReadCard": 20480,
    "iReadCard_HSM_Step2": 20480,
    "iVerifyPIN": 512,
    "iChangePIN": 512,
    "iVerifyPIN_Digits": 512,
    "iChangePIN_Digits": 512,
    "iReloadPIN": 512,
    "iReloadPIN_HSM_Step1": 512,
    "iUnblockPIN": 512,
    "iUnblockPIN_HSM_Step1": 512,
    "iDoDebit": 512,
    "iDoDebit_HSM_Step1": 512,
    "iReadDebitRecord": 2048,
}
"""pOutInfo of driver-api.md §3 where it is not 1024."""


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("native")


@pytest.fixture(scope="session")
def library(folder: Path) -> Path:
    """The library as users build it, warnings errors."""
    return native.build(folder, compiler=native_kit.COMPILER, options=("-Werror", "-pedantic"))


@pytest.fixture(scope="session")
def call(folder: Path) -> Path:
    """The calling program, under the sanitisers of address and undefined behaviour where they work."""
    options = native_kit.SANITISERS if native_kit.sanitisers_work(folder) else ()
    return native_kit.compile_program("call", folder / "call", *options)


@pytest.fixture
def place(tmp_path: Path) -> str:
    return str(tmp_path / "driver")


@pytest.fixture
def service(place: str) -> Iterator[Service]:
    with serving(place) as served:
        yield served


class Echo:
    """A driver that returns the arguments of the call, or what the test sets."""

    def __init__(self) -> None:
        self.answer: Callable[..., tuple[int, str]] = lambda name, *given: (0, "|".join((name, *map(str, given))))

    def __getattr__(self, name: str) -> Callable[..., tuple[int, str]]:
        return lambda *given: self.answer(name, *given)

    def close(self) -> None:
        pass


@pytest.fixture
def echo(place: str) -> Iterator[Echo]:
    driver = Echo()
    server = serve_driver(driver, place)  # type: ignore[arg-type]
    with server, in_thread(lambda: server.serve_forever(0.01)):
        yield driver
        server.shutdown()


@contextmanager
def loaded(library: Path) -> Iterator[Any]:
    """The library in this process, gone afterwards with its connection."""
    opened = ctypes.CDLL(str(library))
    for name, parameters in SIGNATURES.items():
        function = getattr(opened, name)
        function.restype = ctypes.c_long
        function.argtypes = [ctypes.c_int if kind.startswith("int ") else ctypes.c_char_p for kind in parameters]
    yield opened
    dlclose(opened._handle)


# The functions


def test_the_header_has_the_functions_of_the_driver() -> None:
    """Name by name, parameter by parameter; the server's table too."""
    declared = {name for name in SIGNATURES if not name.endswith(PINS_GIVEN)}
    assert declared == set(FUNCTIONS) == {name for name in vars(SSCardDriver) if re.match("i[A-Z]", name)}
    written = {"int": "int {}", "str": "char *{}"}
    for name in declared:
        parameters = SIGNATURES[name]
        _, *expected = inspect.signature(getattr(SSCardDriver, name)).parameters.values()
        pins = [one.name for one in expected if one.default is None]
        assert list(FUNCTIONS[name].pins) == pins
        assert (name + PINS_GIVEN in SIGNATURES) == bool(pins)
        if pins:
            assert SIGNATURES[name + PINS_GIVEN] == [*parameters[:-1], *map("char *{}".format, pins), "char *pOutInfo"]
        expected = [one for one in expected if one.default is not None]
        assert parameters == [written[one.annotation].format(one.name) for one in expected] + ["char *pOutInfo"]
        numbers = sum(one.annotation == "int" for one in expected)
        next_step = re.sub(r"\d$", lambda step: str(int(step[0]) + 1), name)
        has_next_step = next_step != name and next_step in SIGNATURES
        row = FUNCTIONS[name]
        found = row.numbers, row.texts, row.size, row.has_next_step
        assert found == (numbers, len(expected) - numbers, SIZES.get(name, 1024), has_next_step)


def test_the_generated_parts_are_those_of_the_table() -> None:
    """python tools/driver_source.py"""
    assert {path.name for path, text in driver_source.generated().items() if path.read_text("utf-8") != text} == set()


def test_the_longest_texts_of_the_c_source_are_those_of_the_table() -> None:
    source = (native.source_folder() / native.SOURCE).read_text()
    limits = dict(re.findall(r"([A-Z_]+) = (\d+)", source))
    assert {name: int(limits[word]) for name, word in driver_source.LIMITS.items()} == LONGEST


@pytest.mark.parametrize("charset", ["GBK", "UTF-8"])
@pytest.mark.parametrize("name", SIGNATURES)
def test_each_function_hands_its_parameters_over_and_its_answer_back(
    library: Path, place: str, echo: Echo, name: str, charset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in native_kit.environment(place, charset=charset).items():
        monkeypatch.setenv(variable, value)
    *kinds, _ = SIGNATURES[name]
    given = [-7 if kind.startswith("int ") else f"{place_}|5%\t\n|$丂" for place_, kind in enumerate(kinds)]
    out = ctypes.create_string_buffer(SIZES.get(name, 1024))
    with loaded(library) as opened:
        sent = [value.encode(charset) if isinstance(value, str) else value for value in given]
        assert getattr(opened, name)(*sent, out) == 0
    assert out.value.decode(charset) == "|".join((name.removesuffix(PINS_GIVEN), *map(str, given)))


@pytest.mark.parametrize("name", SIGNATURES)
def test_the_buffer_is_filled_to_its_last_byte_and_never_beyond(call: Path, place: str, echo: Echo, name: str) -> None:
    size = SIZES.get(name, 1024)
    words = " ".join([name, *("1" for _ in SIGNATURES[name][:-1])])
    for text, told in (("%" * (size - 1), 0), ("\t" * size, LENGTH), ("张" * (size // 3), 0 if size % 3 else LENGTH)):
        echo.answer = lambda *_, text=text: (0, text)
        ((code, out),) = run(call, place, words)
        assert code == told
        assert out == (text if code == 0 else describe(LENGTH))


@pytest.mark.parametrize(
    "words",
    [[name, *("1" if kind.startswith("int ") else "NULL" for kind in SIGNATURES[name][:-1])] for name in SIGNATURES],
)
def test_a_null_pointer_is_a_parameter_error(
    library: Path, call: Path, place: str, echo: Echo, words: list[str]
) -> None:
    if "NULL" in words:
        assert run(call, place, " ".join(words)) == [(PARAMETER, describe(PARAMETER))]
    with loaded(library) as opened:
        given = [None if word == "NULL" else int(word) for word in words[1:]]
        assert getattr(opened, words[0])(*given, None) == PARAMETER


def test_a_parameter_has_the_length_of_the_sheet_at_most(call: Path, place: str, echo: Echo) -> None:
    longest = {"iUnblockPIN 1": 128, "iReadCard 1 1 x": 1024, "iWriteCard 1 x x": 20480, "iDoDebit 1 x": 512}
    longest |= {"iReadCard_HSM_Step2": 32, "iReloadPIN_HSM_Step3": 50, "iUnblockPIN_HSM_Step3": 18}
    longest |= {"iVerifyPIN_Digits 1": 16, "iChangePIN_Digits 1 x": 16, "iReloadPIN_HSM_Step2_Digits x": 16}
    echo.answer = lambda *given: (0, str(len(given[-1])))
    for words, size in longest.items():
        for length, told in ((size, (0, str(size))), (size + 1, (LENGTH, describe(LENGTH)))):
            assert run(call, place, f"{words} {'%' * length}") == [told]


# A card


def test_the_basic_data_and_a_changed_pin(call: Path, service: Service) -> None:
    service.pad.script("123456", "654321", "654321", "123456", "654321")
    basic, changed, wrong, right = run(
        call, service.place, "iReadCardBas 3 / iChangePIN 1 / iVerifyPIN 2 / iVerifyPIN 4"
    )
    assert basic == (
        0,
        "510100|410402198503150009|A00000011|510100D15600000500000001A1B2C3D4|张三|1234A1B2C38649510100000001|3.00"
        "|20250101|20350101|510100000001||",
    )
    assert (changed, wrong, right) == ((0, ""), (-51, "密码错误，剩余5次"), (0, ""))
    assert service.functions == ["iReadCardBas 0", "iChangePIN 0", "iVerifyPIN -51", "iVerifyPIN 0"]


def test_a_pin_is_a_parameter(call: Path, service: Service) -> None:
    """driver-api.md §3.1, in C: nothing is entered at the pad."""
    words = "iVerifyPIN_Digits 1 123456 / iChangePIN_Digits 1 123456 12345F / iVerifyPIN_Digits 1 12345F"
    assert run(call, service.place, words + " / iVerifyPIN_Digits 1 123456") == [(0, "")] * 3 + [
        (-51, "密码错误，剩余5次")
    ]
    assert service.pad.prompts == []


def test_text_is_gbk_unless_the_program_wants_another(call: Path, service: Service) -> None:
    service.pad.script("000000")
    name = run(call, service.place, f"iReadCard 1 1 {CARD} SSSEEF06|09|$ / iVerifyPIN 1", charset="GBK")
    assert name == [(0, "SSSEEF06|张三|$"), (-51, "密码错误，剩余5次")]


@pytest.mark.parametrize("personality", ["v1-des", "v2-3des", "v3-sm4"])
def test_a_reset_by_the_hsm_steps(library: Path, place: str, personality: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in native_kit.environment(place).items():
        monkeypatch.setenv(variable, value)
    host, card = CardHolderBase(SoftHsm(builtin_keys())), kit.card_of(personality)
    basic = f"510100||A00000011|{CARD[:32]}||1234A1B2C38649510100000001||||||"
    out = ctypes.create_string_buffer(1024)
    with serving(place, card) as service, loaded(library) as opened:
        service.pad.script("654321", "654321", "654321")
        assert opened.iReloadPIN_HSM_Step1(1, CARD.encode(), out) == 0
        assert opened.iReloadPIN_HSM_Step2(host.authenticate(basic, out.value.decode()).encode(), out) == 0
        assert opened.iReloadPIN_HSM_Step3(host.safe_message(basic, out.value.decode()).encode(), out) == 0
        assert out.value == b""
        assert opened.iVerifyPIN(1, out) == 0


def test_a_group_needs_its_steps_in_turn(call: Path, service: Service) -> None:
    step1 = f"iUnblockPIN_HSM_Step1 1 {CARD}"
    key = "0" * 32
    for words in (f"iUnblockPIN_HSM_Step2 {key}", f"{step1} / iVerifyPIN 1 / iUnblockPIN_HSM_Step2 {key}"):
        service.pad.script("123456")
        *_, last = run(call, service.place, words)
        assert last == (NOT_CONNECTED, describe(NOT_CONNECTED))


def test_eight_threads_at_once(call: Path, service: Service) -> None:
    service.pad.script(*["123456"] * 200)
    assert run(call, service.place, "threads 8 25 iVerifyPIN 1") == [(0, "200")]


def test_a_child_after_fork_is_a_terminal_of_its_own(call: Path, service: Service) -> None:
    """It does not go on with its parent's group, and its parent's connection is left alone."""
    words = f"iUnblockPIN_HSM_Step1 1 {CARD} / fork / iUnblockPIN_HSM_Step2 {'0' * 32}"
    begun, child = run(call, service.place, words)
    assert begun[0] == 0
    assert child == (READER, describe(READER))


# Failures


def test_nobody_listens(call: Path, tmp_path: Path) -> None:
    for place in (tmp_path / "none", "tcp:1", "tcp:0", "tcp:", "tcp:x", "tcp:65536", "x" * 200):
        assert run(call, str(place), "iVerifyPIN 1") == [(READER, describe(READER))]


@pytest.mark.parametrize(
    ("greeting", "code"),
    [
        (b"", READER),
        (b"-13\tno\n", UNSUPPORTED),
        (b"HTTP/1.1 400 Bad Request\n", CHECKSUM),
        (b"0\tsscard\n-51\tunasked\n", CHECKSUM),
        (b"\0\n", CHECKSUM),
        (b"x" * 100_000, CHECKSUM),
    ],
)
def test_a_server_of_another_kind(call: Path, place: str, greeting: bytes, code: int) -> None:
    server = FakeServer(Path(place), greeting)
    with in_thread(server.serve):
        assert run(call, place, "iVerifyPIN 1") == [(code, describe(code))]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"0\tfine\n", (0, "fine")),
        (b"-51\t%E5%AF%86%e7%a0%81\n", (-51, "密码")),
        (b"-15\tits own\n", (CHECKSUM, "its own")),
        (b"0\tends%00here\n", (0, "ends")),
        (b"0\t" + b"x" * 511 + b"\n", (0, "x" * 511)),
        (b"", READER),
        (b"0\thalf", READER),
        (b"\n", CHECKSUM),
        (b"0\n", CHECKSUM),
        (b"\tx\n", CHECKSUM),
        (b"1\tx\n", CHECKSUM),
        (b"+0\tx\n", CHECKSUM),
        (b" 0\tx\n", CHECKSUM),
        (b"zero\tx\n", CHECKSUM),
        (b"-\tx\n", CHECKSUM),
        (b"-99999999999999999999\tx\n", CHECKSUM),
        (b"0\tone\ttwo\n", CHECKSUM),
        (b"0\t%\n", CHECKSUM),
        (b"0\t%4\n", CHECKSUM),
        (b"0\t%4g\n", CHECKSUM),
        (b"-15\t%\n", CHECKSUM),
        (b"0\tone\n0\ttwo\n", CHECKSUM),
        (b"0\tzero\0byte\n", CHECKSUM),
        (b"0\t" + b"x" * 512 + b"\n", CHECKSUM),
        (b"0\t" + b"%41" * 512 + b"\n", CHECKSUM),
        (b"0\t" + b"x" * 200_000, CHECKSUM),
        (b"\xff\xfe" * 40_000 + b"\n", CHECKSUM),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_whatever_is_answered_is_understood_or_refused(call: Path, place: str, answer: bytes, expected: Any) -> None:
    server = FakeServer(Path(place), b"0\tsscard\n", answer)
    with in_thread(server.serve):
        told = run(call, place, "iVerifyPIN 1")
    assert told == [expected if isinstance(expected, tuple) else (expected, describe(expected))]
    assert server.lines == [native_kit.HELLO, b"iVerifyPIN\t1\n"]


def test_a_server_that_does_not_answer_in_time(call: Path, place: str) -> None:
    server = FakeServer(Path(place), b"0\tsscard\n", None)
    with in_thread(server.serve):
        assert run(call, place, "iVerifyPIN 1", timeout="1") == [(NO_ANSWER, describe(NO_ANSWER))]


def test_the_program_reconnects_to_a_server_that_was_restarted(call: Path, place: str) -> None:
    """Between two calls; nothing is ever asked twice."""
    with serving(place) as first:
        first.pad.script("123456")
        program = started(call, "iVerifyPIN 1 / pause / iVerifyPIN 1", place)
        assert program.stdout is not None
        assert program.stdout.readline() == "0\t\n"
    with serving(place) as second:
        second.pad.script("123456")
        assert program.communicate("\n", timeout=PATIENCE)[0] == "0\t\n"
        assert second.functions == ["iVerifyPIN 0"]


def test_the_descriptions_of_its_own_are_those_of_the_driver_in_both_encodings() -> None:
    source = (native.source_folder() / native.SOURCE).read_text()
    rows = re.findall(r'\{([A-Z_]+), "([^"]+)", "([^"]+)"\}', source)
    codes = {name: int(code) for name, code in re.findall(r"^    ([A-Z_]+) = (-?\d+),?$", source, re.MULTILINE)}
    assert {codes[name] for name, _, _ in rows} == set(codes.values()) - {0}
    for name, utf8, gbk in rows:
        assert utf8 == describe(codes[name])
        assert bytes.fromhex(gbk.replace("\\x", "")).decode("gbk") == utf8


# Building


def test_the_example_reads_the_basic_data_and_changes_the_pin(folder: Path, library: Path, service: Service) -> None:
    """Compiled as its head says, linked to the library; GBK and UTF-8 are the program's choice."""
    program = folder / "example"
    source = native.source_folder() / native.EXAMPLE
    warnings = ["-Wall", "-Wextra", "-Werror"]
    command("cc", *warnings, source, "-I", folder, library, "-o", program)
    service.pad.script("123456", "654321", "654321", "123456", "654321", "654321")
    environment = native_kit.environment(service.place)
    first, second = (command(program, env=environment, check=False, text=True) for _ in range(2))
    assert (first.returncode, second.returncode) == (0, 1)
    assert first.stdout.splitlines() == [
        "发卡地区: 510100",
        "社会保障号码: 410402198503150009",
        "卡号: A00000011",
        "卡识别码: 510100D15600000500000001A1B2C3D4",
        "姓名: 张三",
        "复位信息: 1234A1B2C38649510100000001",
        "规范版本: 3.00",
        "发卡日期: 20250101",
        "有效期: 20350101",
        "终端机编号: 510100000001",
        "设备编号: ",
        "密码已修改",
    ]
    assert second.stdout.splitlines()[-1] == "iChangePIN: -51 密码错误，剩余5次"


def test_a_cpp_program_may_use_the_header(folder: Path, library: Path) -> None:
    if shutil.which("c++") is None:
        pytest.skip("no C++ compiler: sudo apt-get install g++")
    program = folder / "program.cpp"
    program.write_text(
        '#include "sscarddriver.h"\nint main() { char out[512]; return iVerifyPIN(1, out) == -11 ? 0 : 1; }\n'
    )
    made = folder / "program"
    command("c++", "-Wall", "-Wextra", "-Werror", program, "-I", folder, library, "-o", made)
    assert command(made, env=native_kit.environment("nobody"), check=False).returncode == 0


@pytest.mark.parametrize("name", ["win64", pytest.param("win32", marks=pytest.mark.nightly)])
def test_it_compiles_for_windows(folder: Path, name: str) -> None:
    system = native.SYSTEMS[name]
    if shutil.which(system.compiler) is None:
        pytest.skip(f"no mingw-w64: sudo apt-get install {system.package}")
    library = native.build(folder / name, system, options=("-Werror",))
    assert library.read_bytes()[:2] == b"MZ"
    listed = command(system.compiler.replace("gcc", "objdump"), "-p", library, text=True)
    exported = set(re.findall(r"\] (?:\+base\[ *\d+\] +[0-9a-f]+ )?(i\w+)$", listed.stdout, re.MULTILINE))
    assert exported == set(SIGNATURES)


def test_it_exports_its_functions_and_nothing_else(library: Path) -> None:
    """Names with an underscore first are the linker's: tcc exports its own, and our source has none."""
    listed = command("nm", "-D", "--defined-only", library, text=True)
    exported = {line.split()[-1] for line in listed.stdout.splitlines()}
    assert {name for name in exported if not name.startswith("_")} == set(SIGNATURES)
    written = re.findall(r"\w+", Path(native.__file__).with_name(native.SOURCE).read_text(encoding="utf-8"))
    assert exported.isdisjoint(name for name in written if name.startswith("_"))


def test_a_compiler_that_is_missing_or_fails_is_said(tmp_path: Path) -> None:
    with pytest.raises(MissingPart, match="no C compiler: no-such-cc"):
        native.build(tmp_path, compiler="no-such-cc -O2")
    with pytest.raises(InputError, match="cc failed"):
        native.build(tmp_path, options=("-no-such-option",))
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written"):
        native.build(tmp_path / "file")
