"""Output files of all commands: what is never destroyed, and what is found before the card is touched."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

import kit
from kit.programs import CommandLine, run
from sscard.cli.app import app
from sscard.issuer.cardfile import load_card, save_card
from sscard.issuer.hierarchy import TEST_KEYS

PIN, WRONG = "739184", "415926"
SCENARIO = f"name: good\nproves: b\ncard: {{pin: {PIN}}}\nsteps:\n  - verify_pin: {PIN}\n    state: verified\n"
TRY = f"0020000003{WRONG}"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    save_card(kit.card_of("v3-sm4", PIN), "card.db")
    Path("good.yaml").write_text(SCENARIO, encoding="utf-8")
    Path("suite").mkdir()
    Path("suite/good.yaml").write_text(SCENARIO, encoding="utf-8")
    Path("script").write_text("0084000008\n", encoding="utf-8")
    Path("old").write_text("yesterday\n", encoding="utf-8")
    Path("mine.yaml").write_text("based_on: v3-sm4\n", encoding="utf-8")
    Path("link").symlink_to("card.db")
    Path("hard").hardlink_to("script")
    return tmp_path


@pytest.mark.parametrize(
    "arguments",
    [
        f"apdu card.db {TRY} --trace card.db --force",
        f"apdu card.db {TRY} --trace link --force",
        f"apdu link {TRY} --trace ./card.db --force",
        "export script --as etsi -o hard --force",
        f"record card.db -o card.db {TRY} --force",
        "export script --as etsi -o script --force",
        "run good.yaml --trace good.yaml",
        "run suite --report junit=suite/good.yaml",
        "run good.yaml --html page --junit page",
        "run good.yaml --personality mine.yaml --trace mine.yaml",
        "issue --personality mine.yaml -o mine.yaml --force",
    ],
)
def test_an_output_is_never_an_input_of_the_command(sscard: CommandLine, folder: Path, arguments: str) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    code, out, err = sscard(*shlex.split(arguments))
    assert (code, out) == (2, "")
    assert "is an input or another output of this command" in err
    after = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert {name: after[name] for name in before} == before


OUTPUTS = {
    "apdu": (f"apdu card.db {TRY} --force", "--trace"),
    "record": (f"record card.db {TRY} --force", "-o"),
    "export": ("export script --as scenario --force", "-o"),
    "verify-pin": ("verify-pin card.db --force", "--trace"),
    "change-pin": ("change-pin card.db --force", "--trace"),
    "reset-pin": ("reset-pin card.db --force", "--trace"),
    "unblock-pin": ("unblock-pin card.db --force", "--trace"),
    "issue": ("issue --certificates --force", "-o"),
    "psam issue": ("psam issue --force", "-o"),
    "image export": ("image export card.db --force", "-o"),
    "image import": ("image import card.json --force", "-o"),
    "insert": ("insert card.db --force", "--record", "--trace"),
    "farm": ("farm card.db --force",),
    "scenario new": ("scenario new --force",),
    "case stats": ("case stats --force", "--html"),
    "probe": ("probe card.db --force", "-o"),
    "bench": ("bench good.yaml", "--html", "--pytest-benchmark"),
    "campaign run": ("campaign run script", "--results", "--parquet", "--html"),
    "campaign show": ("campaign show script", "--parquet", "--html"),
    "coverage": ("coverage good.yaml", "--html"),
    "defects run": ("defects run good.yaml --defect wrong-pin-answers-630x", "--html"),
    "run": ("run good.yaml", "--trace", "--junit", "--html", "--report html=", "--report allure="),
}
"""Commands that write files: how they are called, and their options for a file."""
NAMED = {
    "CARD": "card.db",
    "IMAGE": "card.json",
    "PATH": "good.yaml",
    "FLOW": "good.yaml",
    "FILE": "script",
    "--results": "results.db",
    "--from": "script",
    "--personality": "mine.yaml",
    "--place": "place.yaml",
    "--card": "card.db",
    "--testbed": "testbed.yaml",
    "--waivers": "waivers.yaml",
    "--keys": "keys.yaml",
    "--hsm": "soft:keys.yaml",
    "--hsm-token": "token",
}
"""What the other parameters of these commands can name; files of PINs are besides."""


def inputs() -> Iterator[tuple[str, str]]:
    """A command line with each output that a command has, as each file that it reads."""
    for name, (line, *outputs) in OUTPUTS.items():
        command: Any = app
        for word in name.split():
            command = command.get_command(click.Context(app), word)
        written = {output.split()[0] for output in outputs}
        for parameter in command.params:
            if not getattr(parameter.type, "path", "") or written & {*parameter.opts}:
                continue
            flag = parameter.get_error_hint(None)
            value = NAMED.get(flag, "pin" if flag.endswith("-file") else "old")
            given = f"{line} {flag} {value}" if flag.startswith("-") else line
            if flag == "--from":
                given = "record --from script --force"
            for output in outputs:
                file = value.removeprefix("soft:")
                yield given, f"{output}{'' if output.endswith('=') else ' '}{file}"
        for output in outputs:
            yield f"--config options.toml {line}", f"{output}{'' if output.endswith('=') else ' '}options.toml"


def test_each_command_with_outputs_is_in_the_table() -> None:
    def forced(group: Any, *names: str) -> Iterator[str]:
        for name in group.list_commands(click.Context(group)):
            command = group.get_command(click.Context(group), name)
            if isinstance(command, click.Group):
                yield from forced(command, *names, name)
            elif any("--force" in parameter.opts for parameter in command.params):
                yield " ".join((*names, name))

    assert {*forced(app), "bench", "campaign run", "campaign show", "coverage", "defects run", "run"} == OUTPUTS.keys()


@pytest.mark.parametrize(
    ("arguments", "output"),
    [
        *inputs(),
        ("insert image:card.db --force", "--trace card.db"),
        ("insert IMAGE:card.db --force", "--record link"),
        ("apdu IMAGE:card.db 00 --force", "--trace card.db"),
        ("apdu 'exec:sh program' 00 --force", "--trace program"),
        ("reset-pin card.db --hsm 'pkcs11:token=a;module=./library.so' --force", "--trace library.so"),
        ("farm card.jsonl --force", "--record ."),
        ("farm one.jsonl folder --force", "--record ."),
        ("farm card.txt --force", "--trace ."),
        ("apdu card.db 00 --force", "--trace sscard.toml"),
        ("coverage suite", "--html suite/good.yaml"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_no_file_that_a_command_line_names_is_an_output(
    sscard: CommandLine, folder: Path, arguments: str, output: str
) -> None:
    if "defects run" in arguments and "SSCARD_COMPILED" in os.environ:
        pytest.skip("compiled methods cannot be replaced")
    for name in ("card.jsonl", "card.txt", "one.jsonl"):
        Path(name).write_bytes(Path("card.db").read_bytes())
    Path("folder").mkdir()
    Path("folder/two.db").write_bytes(Path("card.db").read_bytes())
    Path("keys.yaml").write_bytes(Path(TEST_KEYS).read_bytes())
    Path("place.yaml").write_text("name: mine\n")
    Path("testbed.yaml").write_text("card: {use: card.db}\n")
    Path("waivers.yaml").write_text("[]\n")
    Path("pin").write_text(f"{PIN}\n")
    for name in ("token", "program", "library.so", "options.toml", "sscard.toml"):
        Path(name).write_text("")
    assert sscard("image", "export", "card.db", "-o", "card.json")[0] == 0
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    code, out, err = sscard(*shlex.split(f"{arguments} {output}"))
    assert (code, out) == (2, ""), err
    assert "is an input or another output of this command" in err
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    "arguments",
    [
        f"apdu card.db {TRY} --trace card.db-wal --force",
        "image export card.db -o card.db-wal --force",
        "image export card.db -o link-journal --force",
        "run good.yaml --trace card.db-shm",
        "case open card.db --reason forgotten --journal card.db-wal --new 654321",
    ],
)
def test_an_output_is_never_what_belongs_to_a_card_file(sscard: CommandLine, folder: Path, arguments: str) -> None:
    Path("link-journal").symlink_to("card.db-journal")
    code, out, err = sscard(*shlex.split(arguments))
    assert (code, out) == (2, "")
    assert "belongs to card.db" in err
    assert not list(folder.glob("card.db-*"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with a name")
def test_an_image_takes_the_place_of_a_regular_file_only(sscard: CommandLine, folder: Path) -> None:
    os.mkfifo("pipe")
    code, _, err = sscard("image", "export", "card.db", "-o", "pipe", "--force")
    assert code == 2
    assert "pipe: is not a regular file" in err
    assert Path("pipe").is_fifo()


@pytest.mark.skipif(os.name != "posix", reason="no modes of files")
@pytest.mark.parametrize("command", ["issue -o old --force", "image export card.db -o old --force"])
def test_an_output_that_others_can_read_is_named(sscard: CommandLine, folder: Path, command: str) -> None:
    Path("old").chmod(0o644)
    code, _, err = sscard(*command.split())
    assert code == 0
    assert "old: " in err
    assert "chmod" in err


@pytest.mark.parametrize("output", ["no/folder", ".", "n" * 300])
@pytest.mark.parametrize("command", ["apdu card.db {try} --trace", "record card.db {try} -o"])
def test_an_output_that_cannot_be_written_costs_no_try(
    sscard: CommandLine, folder: Path, command: str, output: str
) -> None:
    code, out, err = sscard(*shlex.split(command.replace("{try}", TRY)), output)
    assert (code, out) == (2, "")
    assert "cannot be" in err
    assert load_card(folder / "card.db").snapshot().pin_tries == 6


@pytest.mark.parametrize(
    "arguments",
    [
        f"apdu card.db {TRY} --trace old",
        f"record card.db {TRY} -o old",
        "export script --as etsi -o old",
        "issue -o old",
    ],
)
def test_an_existing_file_is_replaced_with_force_only(sscard: CommandLine, folder: Path, arguments: str) -> None:
    code, _, err = sscard(*arguments.split())
    assert code == 2
    assert err == "sscard: old: exists already\n  choose another name, or replace it with --force\n"
    assert (folder / "old").read_text() == "yesterday\n"
    assert load_card(folder / "card.db").snapshot().pin_tries == 6
    assert sscard(*arguments.split(), "--force")[0] in (0, 1)
    assert (folder / "old").read_bytes() != b"yesterday\n"


def test_an_empty_file_is_written_without_force(sscard: CommandLine, folder: Path) -> None:
    (folder / "new").touch()
    assert sscard("record", "card.db", "-o", "new", "0084000008")[0] == 0
    assert (folder / "new").stat().st_size


def test_a_report_of_the_last_run_is_replaced(sscard: CommandLine, folder: Path) -> None:
    assert sscard("run", "good.yaml", "--trace", "old")[0] == 0
    assert "VERIFY" in (folder / "old").read_text()


@pytest.mark.parametrize("arguments", ["apdu nowhere.db 00 --trace new", "record nowhere.db -o new 00"])
def test_an_output_appears_only_with_something_in_it(sscard: CommandLine, folder: Path, arguments: str) -> None:
    assert sscard(*arguments.split())[0] == 2
    assert not (folder / "new").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
@pytest.mark.parametrize(
    "arguments",
    [
        "apdu card.db 0084000008 --trace /dev/full",
        "record card.db 0084000008 -o /dev/full",
        "export script --as etsi -o /dev/full",
        "run good.yaml --trace /dev/full",
    ],
)
def test_a_full_disk_ends_with_3(sscard: CommandLine, folder: Path, arguments: str) -> None:
    code, _, err = sscard(*arguments.split())
    assert code == 3
    assert "sscard: /dev/full: cannot be written: No space left on device\n  free space" in err


def test_a_trace_may_go_to_standard_error(folder: Path) -> None:
    done = run("apdu", folder / "card.db", "0084000008", "--trace", "/dev/stderr")
    assert done.returncode == 0
    assert "GET CHALLENGE" in done.stderr


# Other unusable input


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["run", "-k", ""], "-k: is empty"),
        (["run", "-k", " "], "-k is empty"),
        (["run", ""], "the path is empty"),
        (["run", "a" * 5000], "cannot be a path: File name too long"),
        (["farm", "a" * 5000], "CARD: cannot be a path: File name too long"),
        (["farm", ""], "CARD: the path is empty"),
        (["issue", "-o", "a" * 5000], "--output: cannot be a path: File name too long"),
        (["issue", "-o", ""], "--output: the path is empty"),
        (["hsm", "serve", "--token-file", "a" * 5000], "--token-file: cannot be a path"),
        (["show", ""], "CARD: is empty"),
        (["show", "a" * 5000], "File name too long"),
        (["apdu", "a" * 5000, "0084000008"], "File name too long"),
        (["export", "a" * 5000, "--as", "etsi"], "File name too long"),
        (["show", "caf\udce9.json"], "argument 2 is not UTF-8 text"),
        (["verify-pin", "card.db", "--pin", "12\udcff"], "argument 4 is not UTF-8 text"),
        (["driver", "build", "--cc", "gcc 'x"], "--cc: a quotation mark is not closed"),
        (["driver", "serve", "card.db", "--listen", "foo:1"], "--listen: no address 'foo:1'"),
        (["driver", "serve", "card.db", "--listen", "tcp:65536"], "--listen: tcp:65536: not a port"),
        (["driver", "serve", "card.db", "--listen", ""], "--listen: is empty"),
        (["driver", "serve", "card.db", "--pins", "12,abc"], "--pins: entry 2 is not digits, 'cancel' or 'timeout'"),
        (["driver", "serve", "card.db", "--pins", ""], "--pins: entry 1 is not digits"),
    ],
    ids=lambda value: " ".join(value)[:40].encode("ascii", "replace").decode() if isinstance(value, list) else "",
)
def test_unusable_words_end_with_2(sscard: CommandLine, folder: Path, arguments: list[str], problem: str) -> None:
    code, out, err = sscard(*arguments)
    assert (code, out) == (2, "")
    assert problem in err
    assert "Traceback" not in err
    assert "abc" not in err


def test_a_default_token_file_with_a_name_too_long_ends_with_2(folder: Path) -> None:
    too_long = "/" + "a" * 5000
    done = run("hsm", "serve", "--port", "0", XDG_CONFIG_HOME=too_long)
    assert (done.returncode, done.stdout) == (2, "")
    assert "File name too long" in done.stderr
    assert "Traceback" not in done.stderr
    assert run("unblock-pin", folder / "card.db", XDG_CONFIG_HOME=too_long).returncode == 0


def test_standard_input_that_is_not_utf_8_ends_with_2(folder: Path) -> None:
    script = folder / "latin"
    script.write_bytes(b"# caf\xe9\n0084000008\n")
    for command in ("apdu card.db", "replay - card.db", "driver call nothing.so"):
        done = _shell(f"{command} < latin")
        assert "Traceback" not in done[1]
        assert done[0] == 2
    assert "<stdin>: is not UTF-8 text" in _shell("apdu card.db < latin")[1]


@pytest.mark.parametrize(
    "command",
    [
        "issue -o {file}",
        "show {file}",
        "verify-pin {file}",
        "case open card.db --reason forgotten --new 654321 --journal {file}",
        "case list --journal {file}",
        "issue -o new.db --holder-base {file}",
        "campaign --cards 1 --through card --results {file}",
        "campaign show {file}",
    ],
)
def test_a_path_that_sqlite_cannot_open_is_named_with_its_length(
    sscard: CommandLine, folder: Path, command: str
) -> None:
    long = folder / ("a" * 200) / ("b" * 200) / ("c" * 100)
    long.mkdir(parents=True)
    file = long / "x.db"
    if command.startswith(("show", "verify-pin", "case list", "campaign show")):
        file.write_bytes(Path("card.db").read_bytes())
    before = sorted(long.iterdir())
    code, _out, err = sscard(*command.format(file=file).split())
    assert code == 2
    assert f"its path has {len(str(file))} bytes, SQLite opens at most 504" in err
    assert sorted(long.iterdir()) == before


def test_the_longest_path_that_sqlite_opens_is_a_card_file(sscard: CommandLine, folder: Path) -> None:
    long = folder / ("a" * 200)
    long.mkdir()
    file = long / f"{'b' * (504 - len(str(long)) - 4)}.db"
    assert len(str(file)) == 504
    assert sscard("issue", "-o", file, "--pin", PIN)[0] == 0
    assert sscard("verify-pin", file, "--pin", PIN)[0] == 0


def at_night(arguments: str) -> Any:
    """A row for which make test has another one."""
    return pytest.param(arguments, marks=pytest.mark.nightly)


@pytest.mark.parametrize(
    "arguments",
    [
        "apdu card.db < script",
        at_night("cat script | {sscard} apdu card.db"),
        at_night("record card.db -o new < script"),
        "replay script card.db",
        at_night("replay - card.db < script"),
        at_night("record --from script -o new"),
        at_night("record --from - -o new < script"),
        at_night("driver call nothing.so < script"),
        "image check card.json",
        at_night("run good.yaml"),
        "run good.yaml --personality mine.yaml",
        "verify-pin card.db --pin-file pin",
        at_night("verify-pin card.db --pin-file - < pin"),
        "--config options.toml show card.db",
    ],
)
def test_a_byte_order_mark_counts_in_no_input(sscard: CommandLine, folder: Path, arguments: str) -> None:
    assert sscard("image", "export", "card.db", "-o", "card.json")[0] == 0
    Path("pin").write_text(f"{PIN}\n")
    Path("options.toml").write_text("[show]\n")
    before = _shell(arguments)
    Path("new").unlink(missing_ok=True)
    for name in ("script", "card.json", "good.yaml", "mine.yaml", "pin", "options.toml"):
        Path(name).write_bytes(b"\xef\xbb\xbf" + Path(name).read_bytes())
    assert _shell(arguments) == before
    assert "byte order" not in before[1]


def _shell(command: str) -> tuple[int, str]:
    import subprocess
    import sys

    program = f"{sys.executable} -m sscard"
    if "{sscard}" not in command:
        command = f"{program} {command}"
    done = subprocess.run(  # noqa: S602
        command.replace("{sscard}", program), shell=True, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("paths", ["good.yaml .", ". good.yaml", "good.yaml ./good.yaml", ". {folder}", ". suite"])
def test_a_scenario_that_is_named_twice_is_run_once(sscard: CommandLine, folder: Path, paths: str) -> None:
    (folder / "mine.yaml").unlink()
    code, out, _ = sscard("run", *paths.format(folder=folder).split())
    assert code == 0
    assert out.endswith(("1 passed, 0 failed\n") if "." not in paths.split() else "2 passed, 0 failed\n")


def test_a_long_file_name_as_a_second_input_is_no_traceback(sscard: CommandLine, folder: Path) -> None:
    long = "x" * 300
    assert sscard("apdu", f"image:{long}", "0084000008", "--trace", "new")[0] == 2
    assert sscard("export", long, "--as", "etsi", "-o", "old", "--force")[0] == 2
    assert (folder / "old").read_text() == "yesterday\n"
