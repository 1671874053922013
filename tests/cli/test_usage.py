"""Help pages, completion and errors in the command line."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from unicodedata import east_asian_width

import click
import pytest

import kit
from kit.programs import SSCARD, CommandLine, run
from sscard.cli.app import app
from sscard.cli.formatter import wrapped
from sscard.i18n.language import speaking
from sscard.issuer.cardfile import save_card


def pages(command: click.Command, parent: click.Context | None = None) -> Iterator[str]:
    """The help page of a command and of those below it."""
    context = command.context_class(command, parent, command.name if parent else "sscard")
    yield command.get_help(context)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from pages(inner, context)


def columns(line: str) -> int:
    return sum(2 if east_asian_width(char) in "WF" else 1 for char in line)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("width", [80, 120])
def test_no_line_of_help_is_wider_than_the_terminal(width: int, language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    with speaking(language):
        found = list(pages(app))
    assert len(found) > 25
    assert [line for page in found for line in page.splitlines() if columns(line) > width] == []


def test_help_that_goes_to_no_terminal_is_not_wrapped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    page = run("driver", "serve", "--help").stdout
    assert max(map(columns, page.splitlines())) > 120


@pytest.mark.parametrize(
    ("command", "option", "values"),
    [
        ("driver serve", "--errors", "standard|alternative|alternative-script"),
        ("case open", "--kind", "citizen, hong-kong-macao-taiwan, overseas-chinese, foreigner"),
    ],
)
def test_the_values_of_an_option_are_printed_once(
    command: str, option: str, values: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    page = run(*command.split(), "--help").stdout
    [line] = [line for line in page.splitlines() if f" {option} " in line]
    assert values in line
    assert len(re.findall(r"alternative-script|overseas-chinese", line)) == 1


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("one two three", 7, ["one two", "three"]),
        ("卡片，读卡器", 6, ["卡片，", "读卡器"]),
        ("卡片，读卡器", 4, ["卡", "片，", "读卡", "器"]),
        ("终端 [环境变量：A]", 7, ["终端", "[环境变", "量：A]"]),
        ("卡\n片", 10, ["卡片"]),
        ("averylongword b", 5, ["averylongword", "b"]),
    ],
)
def test_lines_break_between_words_and_chinese_characters_but_not_before_a_comma(
    text: str, width: int, lines: list[str]
) -> None:
    assert wrapped(text, width) == lines


def test_a_paragraph_that_is_indented_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    assert "  CMD 00 84 00 00 04 [XXXXXXXX] (90 00)\n" in run("apdu", "--help").stdout


SECONDS = "expected: 0.1 to 1000000"
A_DAY = "for example 2026-03-02"


@pytest.mark.parametrize(
    ("arguments", "problem", "remedy"),
    [
        (["sho"], "no command 'sho'", "did you mean 'show'?"),
        (["show"], "argument CARD is missing", "see: sscard show --help"),
        (["issue"], "option --output is missing", "see: sscard issue --help"),
        (["show", "x", "--jsn"], "no option --jsn", "did you mean '--json'?"),
        (["case", "list", "-v"], "no option -v", "it comes before the command: sscard -v case list"),
        (["show", "x", "--lang", "zh"], "no option --lang", "it comes before the command: sscard --lang zh|en show"),
        (["show", "x", "y"], "unexpected argument 'y'", "see: sscard show --help"),
        (["show", "x", "--json=1"], "option --json takes no value", "see: sscard show --help"),
        (["issue", "-o"], "option -o needs a value", "see: sscard issue --help"),
        (["run", "--seed", "x"], "--seed: 'x' is not a whole number", "see: sscard run --help"),
        (["run", "--seed", "1", "--seed", "2"], "--seed: given 2 times", "give it once"),
        (["insert", "x", "--port", "70000"], "--port: 70000 is out of range", "expected: 1 to 65535"),
        (["run", "--transport", "locl"], "--transport: no 'locl'", "did you mean 'local'?"),
        (["case", "list", "--since", "2026-03-02T12:00Z"], "--since: no day '2026-03-02T12:00Z'", A_DAY),
        (["hsm", "serve", "--message-timeout", "inf"], "--message-timeout: inf is out of range", SECONDS),
        (["driver", "serve", "x", "--pad-timeout", "1e300"], "--pad-timeout: 1e300 is out of range", SECONDS),
        (["driver", "serve", "x", "--idle", "inf"], "--idle: inf is out of range", "expected: 1 to 1000000"),
    ],
)
def test_a_wrong_command_line_ends_with_2_and_a_remedy(
    sscard: CommandLine, arguments: list[str], problem: str, remedy: str
) -> None:
    assert sscard(*arguments) == (2, "", f"sscard: {problem}\n  {remedy}\n")


def test_a_pin_in_the_place_of_an_argument_is_not_repeated(sscard: CommandLine) -> None:
    code, out, err = sscard("verify-pin", "card.db", "739184")
    assert (code, out) == (2, "")
    assert err.startswith("sscard: unexpected argument '***'\n")


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("sscard ver", {"plain,verify-pin"}),
        ("sscard case re", {"plain,resume", "plain,reindex"}),
        ("sscard show --re", {"plain,--reveal-keys"}),
        ("sscard run --report ju", {"plain,junit="}),
        ("sscard issue --personality v3", {"plain,v3-sm4"}),
        ("sscard issue --place tries-1", {"plain,tries-10"}),
        ("sscard run --transport p", {"plain,pcsc"}),
        ("sscard show car", {"file,car"}),
        ("sscard driver build -o fol", {"file,fol"}),
    ],
)
def test_the_shell_completes_commands_options_and_values(
    words: str, found: set[str], sscard: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_SSCARD_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - 1))
    assert set(sscard()[1].splitlines()) == found


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_for_each_shell_is_printed(shell: str) -> None:
    done = run(_SSCARD_COMPLETE=f"{shell}_source", PATH=os.environ["PATH"])
    assert (done.returncode, done.stderr) == (0, "")
    assert "_SSCARD_COMPLETE" in done.stdout


def test_no_private_part_of_click_is_used() -> None:
    folder = Path(app.__class__.__module__.replace(".", "/")).parent
    sources = [path.read_text("utf-8") for path in (Path(__file__).parents[2] / "simulator" / folder).glob("*.py")]
    assert sources
    assert not [text for text in sources if "click._" in text or "ctx._" in text]


def test_without_a_terminal_a_pin_is_not_read_with_echo(tmp_path: Path) -> None:
    save_card(kit.card_of("v3-sm4"), tmp_path / "card.db")
    done = subprocess.run(  # noqa: S603
        [*SSCARD, "verify-pin", tmp_path / "card.db"],
        input="123456\n",
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        done.stderr
        == "sscard: no terminal to enter it at: PIN\n  give it in a file: --pin-file FILE, - for standard input\n"
    )
