"""Cards by URL: the schemes, paths that are none, and the commands that take them."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any
from unittest.mock import Mock

import pytest

import kit
from kit.programs import CommandLine
from sscard.errors import CardRemoved, InputError, MissingPart, TransportError
from sscard.i18n.language import say
from sscard.issuer.cardfile import FileCard, load_card, save_card
from sscard.terminal.cards import image_path, open_card, scheme_of
from sscard.transport.connection import Connection
from sscard.transport.exec import ExecConnection

TRIES = "0020000000"


@pytest.fixture
def image(tmp_path: Path) -> Path:
    save_card(kit.card_of("v3-sm4"), tmp_path / "card.db")
    return tmp_path / "card.db"


@pytest.mark.parametrize("prefix", ["", "image:"])
def test_an_image_by_path_and_by_url(image: Path, prefix: str) -> None:
    with open_card(f"{prefix}{image}", contact=False) as connection:
        assert isinstance(connection, FileCard)
        assert connection.power_on() == kit.card_of("v3-sm4").profile.atr(contact=False)


def test_a_program() -> None:
    with open_card("exec:true") as connection:
        assert isinstance(connection, ExecConnection)


@pytest.mark.parametrize(
    ("url", "scheme"),
    [
        ("card.db", "image"),
        ("image:card.db", "image"),
        ("/cards/a:b.db", "image"),
        (r"C:\cards\x.db", "image"),
        ("c:/x.db", "image"),
        ("pcsc", "pcsc"),
        ("pcsc:", "pcsc"),
        ("pcsc:Reader: 00", "pcsc"),
        ("tcp:127.0.0.1:35963", "tcp"),
        ("exec:./card --raw", "exec"),
    ],
)
def test_the_scheme_of_a_url(url: str, scheme: str) -> None:
    assert scheme_of(url) == scheme


def test_an_unknown_scheme_names_the_known_ones() -> None:
    with pytest.raises(InputError, match="unknown kind of card 'usb'") as caught:
        open_card("usb:1")
    assert say(caught.value.remedy).endswith("exec, image, pcsc, tcp")


def test_a_file_with_a_colon_in_its_name_is_a_path(
    image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    image.rename("my:card.db")
    assert scheme_of("my:card.db") == "image"


@pytest.mark.parametrize("url", ["pcsc", "exec:./card", "tcp:localhost:1"])
def test_only_an_image_has_a_path(url: str) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        image_path(url)


@pytest.mark.parametrize("url", ["", "image:", "image"])
def test_an_empty_path_is_not_the_current_folder(url: str) -> None:
    with pytest.raises(InputError, match="no file is named"):
        scheme_of(url)


def test_a_path_that_is_too_long_is_named_in_short() -> None:
    long = "a" * 5000
    for use in (scheme_of, lambda url: open_card(url).__enter__()):
        with pytest.raises(InputError, match="File name too long") as refused:
            use(f"foo:{long}")
        assert len(str(refused.value)) < 400
    with pytest.raises(InputError, match="File name too long"), open_card(long):
        pass


PlugIn = Callable[[object], str]


@pytest.fixture
def plug_in(monkeypatch: pytest.MonkeyPatch) -> PlugIn:
    """Make an object the one of an entry point; its value."""

    def make(content: object) -> str:
        module = ModuleType("demo_package")
        module.open = content  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "demo_package", module)
        return "demo_package:open"

    return make


def registered(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    points = EntryPoints([EntryPoint("demo", value, "sscard.cards")])
    monkeypatch.setattr("importlib.metadata.entry_points", points.select)


def test_a_scheme_of_a_package_is_called_with_url_and_options(monkeypatch: pytest.MonkeyPatch, plug_in: PlugIn) -> None:
    given: list[object] = []

    def open_demo(url: str, **options: object) -> AbstractContextManager[Connection]:
        given.extend((url, options))
        return nullcontext(kit.card_of("v3-sm4").chip(Random(1)))

    registered(monkeypatch, plug_in(open_demo))
    with open_card("demo:x", contact=False, notify=print) as card:
        assert card.power_on() == card.reset() == kit.card_of("v3-sm4").profile.atr()
        assert card.transmit(bytes.fromhex(TRIES)) == b"\x63\xc6"
        card.power_off()
    assert given == ["demo:x", {"contact": False, "notify": print}]


def test_a_package_that_cannot_be_loaded_is_a_missing_part(monkeypatch: pytest.MonkeyPatch) -> None:
    registered(monkeypatch, "no_such_package:open_demo")
    with pytest.raises(MissingPart, match="'demo' cannot be loaded: No module named 'no_such_package'"):
        open_card("demo:")


FAULTS = """
def fails(url, **options): raise ZeroDivisionError("the bus is off")
def gives_nothing(url, **options): pass
number = 5
def refuses(url, **options):
    from sscard.errors import InputError
    raise InputError("no such slot")
"""


@pytest.mark.parametrize(
    ("name", "error", "says"),
    [
        ("fails", MissingPart, "ZeroDivisionError: the bus is off\n  update the package: .* --upgrade demo_faults$"),
        ("gives_nothing", MissingPart, "it returned NoneType, expected Connection"),
        ("number", MissingPart, "a function was expected, not int"),
        ("refuses", InputError, "^no such slot$"),
    ],
)
def test_a_fault_of_a_package_is_a_missing_part(
    name: str, error: type[Exception], says: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "demo_faults.py").write_text(FAULTS)
    monkeypatch.syspath_prepend(tmp_path)
    registered(monkeypatch, f"demo_faults:{name}")
    with pytest.raises(error, match=says):
        open_card("demo:x")


def test_a_package_that_ends_the_program_when_it_is_imported_is_a_missing_part(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "leaving_package.py").write_text("raise SystemExit(5)\n")
    monkeypatch.syspath_prepend(tmp_path)
    registered(monkeypatch, "leaving_package:open_demo")
    with pytest.raises(MissingPart, match="'demo' cannot be loaded: SystemExit: 5"):
        open_card("demo:")


def fails(*_arguments: object, **_options: object) -> Any:
    raise KeyError("boom")


def leaves(*_arguments: object, **_options: object) -> Any:
    sys.exit(5)


@contextmanager
def fails_on_entering(*_arguments: object, **_options: object) -> Iterator[Connection]:
    yield fails()


@contextmanager
def fails_on_leaving(*_arguments: object, **_options: object) -> Iterator[Connection]:
    yield kit.card_of("v3-sm4").chip(Random(1))
    fails()


@pytest.mark.parametrize(
    ("opener", "says"),
    [
        (fails, "KeyError: 'boom'"),
        (leaves, "SystemExit: 5"),
        (fails_on_entering, "KeyError: 'boom'"),
        (fails_on_leaving, "KeyError: 'boom'"),
        (7, "a function was expected, not int"),
        (lambda *_, **__: None, "it returned NoneType, expected Connection"),
        (lambda *_, **__: "junk", "it returned str, expected Connection"),
        (lambda *_, **__: nullcontext("junk"), "it returned str, expected Connection"),
    ],
)
def test_an_opener_that_does_not_work_is_a_missing_part(
    monkeypatch: pytest.MonkeyPatch, plug_in: PlugIn, opener: object, says: str
) -> None:
    registered(monkeypatch, plug_in(opener))
    with pytest.raises(MissingPart) as missing, open_card("demo:x"):
        pass
    assert f"kind of card 'demo': demo_package:open of package demo_package does not work: {says}" in str(missing.value)


@pytest.mark.parametrize("error", [InputError("no such card"), MissingPart("no rack", "buy one"), CardRemoved("gone")])
def test_what_an_opener_refuses_in_our_words_stays(
    monkeypatch: pytest.MonkeyPatch, plug_in: PlugIn, error: Exception
) -> None:
    registered(monkeypatch, plug_in(Mock(side_effect=error)))
    with pytest.raises(type(error)) as refused:
        open_card("demo:x")
    assert refused.value is error


def test_an_error_of_the_program_passes_through_a_package(monkeypatch: pytest.MonkeyPatch, plug_in: PlugIn) -> None:
    registered(monkeypatch, plug_in(lambda *_, **__: nullcontext(kit.card_of("v3-sm4").chip(Random(1)))))
    with pytest.raises(ZeroDivisionError), open_card("demo:x"):
        raise ZeroDivisionError


@pytest.mark.parametrize(
    ("does", "says"),
    [
        ({"return_value": "3B00"}, "returned str, expected bytes"),
        ({"return_value": None}, "returned NoneType, expected bytes"),
        ({"return_value": b""}, "returned 0 bytes, expected at least 2"),
        ({"return_value": b"\x90"}, "returned 1 bytes, expected at least 2"),
        ({"side_effect": ZeroDivisionError("123456")}, "failed with ZeroDivisionError"),
        ({"side_effect": SystemExit(5)}, "failed with SystemExit"),
    ],
)
@pytest.mark.parametrize("call", ["power_on", "reset", "transmit"])
def test_a_card_that_answers_something_else_is_named(
    monkeypatch: pytest.MonkeyPatch, plug_in: PlugIn, call: str, does: dict[str, Any], says: str
) -> None:
    card = Mock(spec=Connection)
    getattr(card, call).configure_mock(__name__=call, **does)
    registered(monkeypatch, plug_in(lambda *_, **__: nullcontext(card)))
    with open_card("demo:x") as opened, pytest.raises(TransportError) as failed:
        getattr(opened, call)(*([bytes.fromhex(TRIES)] if call == "transmit" else []))
    assert str(failed.value) == f"card demo:••••: {call} {says}"


# The commands


@pytest.mark.parametrize(
    "arguments",
    [["apdu", TRIES], ["verify-pin", "--pin", kit.PIN], ["change-pin", "--old", kit.PIN, "--new", "654321"],
     ["reset-pin", "--new", "654321"], ["unblock-pin"], ["record", "-o", "talk.jsonl", TRIES]],
    ids=lambda arguments: arguments[0],
)  # fmt: skip
def test_a_command_on_a_card_that_is_a_program(
    image: Path, arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sscard: CommandLine
) -> None:
    monkeypatch.chdir(tmp_path)
    card = "exec:" + shlex.join([sys.executable, "-m", "sscard.cli.main", "apdu", str(image), "--raw"])
    command, *rest = arguments
    code, out, err = sscard(command, card, *rest)
    if command == "apdu":
        assert "63C6" in out
    assert (code, err.count("sscard:")) == (0, 0), err
    if "654321" in arguments:
        assert load_card(image).memory.strings[0] == bytes.fromhex("654321")


@pytest.mark.parametrize("command", ["apdu", "show", "verify-pin", "unblock-pin", "record", "insert"])
def test_an_unknown_scheme_ends_with_2(command: str, tmp_path: Path, sscard: CommandLine) -> None:
    options = {"verify-pin": ["--pin", kit.PIN], "record": ["-o", tmp_path / "talk.jsonl", TRIES], "apdu": [TRIES]}
    code, out, err = sscard(command, "usb:1", *options.get(command, []))
    assert (code, out) == (2, "")
    assert "expected one of: exec, image, pcsc, tcp" in err


def test_show_looks_into_images_only(image: Path, sscard: CommandLine) -> None:
    assert sscard("show", f"image:{image}")[0] == 0
    code, _, err = sscard("show", "exec:true")
    assert code == 2
    assert "the memory of this card cannot be read" in err
