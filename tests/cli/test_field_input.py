"""Bad input seen in the field, each as a class: PINs not set, PINs on standard input, long names, a full disk."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import kit
from kit.cards import citizens_card
from kit.programs import ENGLISH, CommandLine
from kit.waiting import PATIENCE
from sscard import issue_card
from sscard.cli.app import app
from sscard.cli.types import Secret, Text
from sscard.errors import InputError
from sscard.i18n.language import _, choose_language, say
from sscard.i18n.phrase import Phrase
from sscard.issuer.cardfile import save_card

HEADER = "Content-Type"
PAPERS = "--channel window --reason leaked --paper id-card --paper social-security-card"


def options_of(kind: type[Text], group: click.Group, *words: str) -> Iterator[tuple[tuple[str, ...], click.Parameter]]:
    """Every option of every command with a type of this kind: the words of the command and the option, and it."""
    with click.Context(group) as context:
        for name in group.list_commands(context):
            found = group.get_command(context, name)
            if isinstance(found, click.Group):
                yield from options_of(kind, found, *words, name)
            elif found is not None:
                for option in found.params:
                    if isinstance(option, click.Option) and isinstance(option.type, kind):
                        yield (*words, name, option.opts[0]), option


PIN_OPTIONS = [words for words, _option in options_of(Secret, app)]
TEXT_OPTIONS = [words for words, option in options_of(Text, app) if not isinstance(option.type, Secret)]


def test_the_options_with_a_pin_are_found() -> None:
    assert {("issue", "--pin"), ("change-pin", "--old"), ("replay", "--new"), ("case", "open", "--new")} <= set(
        PIN_OPTIONS
    )
    assert len(PIN_OPTIONS) > 12


@pytest.mark.parametrize("words", PIN_OPTIONS, ids=" ".join)
def test_a_variable_that_is_not_set_is_no_pin(sscard: CommandLine, words: tuple[str, ...]) -> None:
    """``--pin "$UNSET"``: neither a default nor a prompt takes its place."""
    code, out, error = sscard(*words, "")
    assert (code, out) == (2, "")
    if words[-1] == "--pins":
        assert "--pins: entry 1 is not digits" in error
    else:
        assert error.startswith(f"sscard: {words[-1]}: is empty\n  4 to 16 digits")
    if words in (("issue", "--pin"), ("change-pin", "--old"), ("case", "open", "--old")):
        assert "4 to 16 digits, or 'none' for no PIN" in error


@pytest.mark.parametrize("words", TEXT_OPTIONS, ids=" ".join)
def test_a_variable_that_is_not_set_is_no_text(sscard: CommandLine, words: tuple[str, ...]) -> None:
    """``--hsm "$UNSET"``: the default does not take its place."""
    code, out, error = sscard(*words, "")
    assert (code, out) == (2, "")
    assert error.startswith(f"sscard: {words[-1]}: is empty\n")


def test_the_options_with_a_text_are_found() -> None:
    assert {("issue", "--name"), ("reset-pin", "--hsm"), ("driver", "serve", "--psam")} <= set(TEXT_OPTIONS)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("card.db", "twin.db"):
        save_card(kit.card_of("v3-sm4"), tmp_path / name)
    save_card(citizens_card("123456"), tmp_path / "citizen.db")
    (tmp_path / "script").write_text("00A4040000\n0084000008\n")
    (tmp_path / "good.yaml").write_text("name: a\nproves: b\nsteps:\n  - tries_left: '6'\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LANGUAGE", "en")  # --lang of a test is for it alone
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        ("verify-pin card.db", "--pin-file FILE"),
        ("change-pin card.db", "--old-file FILE"),
        ("change-pin card.db --old 123456", "--new-file FILE"),
        ("reset-pin card.db", "--new-file FILE"),
        (f"case open citizen.db {PAPERS} --journal j.db --journal-key k", "--new-file FILE"),
    ],
)
@pytest.mark.skipif(not hasattr(os, "setsid"), reason="the system has no sessions")
@pytest.mark.usefixtures("folder")
def test_a_pin_on_standard_input_needs_its_option(arguments: str, option: str) -> None:
    """Without a terminal nobody is asked, and Python's warning of the echo is not printed."""
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "sscard", *arguments.split()],
        input="123456\n123456\n",
        capture_output=True,
        env={**os.environ, **ENGLISH},
        text=True,
        check=False,
        start_new_session=True,
        timeout=PATIENCE,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert option in done.stderr
    assert "Warning" not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("personality", "name", "fits"),
    [
        ("v3-sm4", "A" * 35, True),
        ("v3-sm4", "A" * 36, False),
        ("v3-sm4", "A" * 63, False),
        ("v3-sm4", "张" * 25, True),
        ("v3-sm4", "张" * 26, False),
        ("v1-des", "A" * 30, True),
        ("v1-des", "A" * 31, False),
        ("v1-des", "张" * 15, True),
        ("v1-des", "张" * 16, False),
    ],
)
def test_a_name_is_on_the_card_or_refused(
    sscard: CommandLine, folder: Path, personality: str, name: str, fits: bool
) -> None:
    code, _out, error = sscard("issue", "-o", "new.db", "--personality", personality, "--name", name)
    assert code == (0 if fits else 2)
    if fits:
        assert f": {name[:15]}" in sscard("show", "new.db")[1]
        return
    assert error.startswith("sscard: the holder's name does not fit into ")
    assert "\n  up to " in error
    assert not (folder / "new.db").exists()
    with pytest.raises(InputError, match="does not fit"):
        issue_card(personality=personality, name=name)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_an_empty_message_is_empty(language: str) -> None:
    """The entry of the empty message in a catalog is its header."""
    choose_language(language)
    assert [_(""), say(""), say(Phrase()), say(Phrase("{a}", a=Phrase()))] == [""] * 4


@pytest.mark.parametrize(
    "command",
    [
        "apdu card.db 00A404000F7378312E73682EC9E7BBE1B1A3D5CF 00C000001B 00A40000 0084000008 FFFF",
        "apdu card.db --explain 00A404000F7378312E73682EC9E7BBE1B1A3D5CF 00C000001B",
        "apdu card.db --json 00A404000F7378312E73682EC9E7BBE1B1A3D5CF 00C000001B",
        "record card.db -o talk.jsonl 00A404000F7378312E73682EC9E7BBE1B1A3D5CF 00C000001B",
        "record --from script -o talk.jsonl",
        "show card.db",
        "commands",
        "commands C0",
        "item",
        "personality show v3-sm4",
        "run good.yaml",
    ],
)
def test_no_output_shows_the_header_of_the_catalog(sscard: CommandLine, folder: Path, command: str) -> None:
    (folder / "script").write_text("00C000001B [00] (9000)\n0084000008 (61XX)\n")
    code, out, error = sscard("--lang", "zh", *command.split())
    written = "".join(each.read_text() for each in folder.glob("*.jsonl"))
    assert code in (0, 1), error
    assert HEADER not in out + error + written


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
@pytest.mark.parametrize(
    "command",
    [
        "--version",
        "--help",
        "apdu --help",
        "show card.db",
        "apdu card.db 0084000008",
        "apdu card.db --raw 0084000008",
        "apdu card.db --json 0084000008",
        "record card.db -o talk.jsonl 0084000008",
        "replay script card.db",
        "export script --as etsi",
        "export script --as scenario",
        "compare script card.db twin.db",
        "issue -o new.db",
        "issue -o new --count 2",
        "verify-pin card.db --pin 123456",
        "reset-pin card.db --new 123456 --json",
        "image export card.db -o card.json",
        "commands",
        "item",
        "personality list",
        "run good.yaml",
        "run good.yaml --json",
        "doctor",
    ],
)
@pytest.mark.usefixtures("folder")
def test_a_full_disk_on_standard_output_ends_with_3(command: str) -> None:
    """Not with 1, which says that a scenario failed or a card refused, and without a traceback."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-m", "sscard", *command.split()],
            stdout=full,
            env={**os.environ, **ENGLISH},
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
    assert "Traceback" not in done.stderr
    assert "standard output cannot be written: No space left on device\n  free space on the disk" in done.stderr
    assert done.returncode == 3
