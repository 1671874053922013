"""Cards by URL: the schemes, paths that are none, and the commands that take them."""

from __future__ import annotations

import shlex
import sys
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest

import kit
from kit.programs import run
from sscard.errors import InputError, MissingPart
from sscard.i18n.language import say
from sscard.issuer.cardfile import FileCard, load_card, save_card
from sscard.terminal.cards import image_path, open_card, scheme_of
from sscard.transport.exec import ExecConnection

TRIES = "0020000000"


@pytest.fixture
def image(tmp_path: Path) -> Path:
    save_card(kit.card_of("v3-sm4"), tmp_path / "card.json")
    return tmp_path / "card.json"


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
        ("card.json", "image"),
        ("image:card.json", "image"),
        ("/cards/a:b.json", "image"),
        (r"C:\cards\x.json", "image"),
        ("c:/x.json", "image"),
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
    image.rename("my:card.json")
    assert scheme_of("my:card.json") == "image"


@pytest.mark.parametrize("url", ["pcsc", "exec:./card", "tcp:localhost:1"])
def test_only_an_image_has_a_path(url: str) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        image_path(url)


def registered(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    points = EntryPoints([EntryPoint("demo", value, "sscard.cards")])
    monkeypatch.setattr("sscard.plugins.entry_points", points.select)


def test_a_scheme_of_a_package_is_called_with_url_and_options(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "demo_opener.py").write_text(
        "from contextlib import nullcontext\ndef open_demo(url, **options):\n    return nullcontext((url, options))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    registered(monkeypatch, "demo_opener:open_demo")
    with open_card("demo:x", contact=False, notify=print) as connection:
        opened: object = connection
    assert opened == ("demo:x", {"contact": False, "notify": print})


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
        (
            "fails",
            MissingPart,
            "kind of card 'demo' failed: the bus is off\n  pip install --force-reinstall demo_faults",
        ),
        ("gives_nothing", MissingPart, "kind of card 'demo' returned something else"),
        ("number", MissingPart, "kind of card 'demo' failed: "),
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


def test_a_package_that_ends_python_is_a_missing_part(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "demo_exit.py").write_text("raise SystemExit(7)")
    monkeypatch.syspath_prepend(tmp_path)
    registered(monkeypatch, "demo_exit:open_demo")
    with pytest.raises(MissingPart, match="'demo' cannot be loaded: 7"):
        open_card("demo:")


# The commands


@pytest.mark.parametrize(
    "arguments",
    [["apdu", TRIES], ["verify-pin", "--pin", kit.PIN], ["change-pin", "--old", kit.PIN, "--new", "654321"],
     ["reset-pin", "--new", "654321"], ["unblock-pin"], ["record", "-o", "talk.jsonl", TRIES]],
    ids=lambda arguments: arguments[0],
)  # fmt: skip
def test_a_command_on_a_card_that_is_a_program(
    image: Path, arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    card = "exec:" + shlex.join([sys.executable, "-m", "sscard.cli.main", "apdu", str(image), "--raw"])
    command, *rest = arguments
    done = run(command, card, *rest)
    if command == "apdu":
        assert "63C6" in done.stdout
    assert (done.returncode, done.stderr.count("sscard:")) == (0, 0), done.stderr
    if "654321" in arguments:
        assert load_card(image).memory.strings[0] == bytes.fromhex("654321")


@pytest.mark.parametrize("command", ["apdu", "show", "verify-pin", "unblock-pin", "record", "insert"])
def test_an_unknown_scheme_ends_with_2(command: str, tmp_path: Path) -> None:
    options = {"verify-pin": ["--pin", kit.PIN], "record": ["-o", tmp_path / "talk.jsonl", TRIES], "apdu": [TRIES]}
    done = run(command, "usb:1", *options.get(command, []))
    assert (done.returncode, done.stdout) == (2, "")
    assert "expected one of: exec, image, pcsc, tcp" in done.stderr


def test_show_looks_into_images_only(image: Path) -> None:
    assert run("show", f"image:{image}").returncode == 0
    done = run("show", "exec:true")
    assert done.returncode == 2
    assert "the memory of this card cannot be read" in done.stderr
