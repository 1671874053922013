"""Defaults of options: the configuration file, environment variables, and their order."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import kit
from kit.programs import CommandLine, run
from sscard.issuer.cardfile import save_card

PIN = "739184"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory two folders below one that is searched too; the language is kept."""
    folder = tmp_path / "project" / "suite"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("LANGUAGE", "en")
    return folder


def write(text: str, file: str = "sscard.toml") -> None:
    Path(file).write_text(text, "utf-8")


def scenario_files() -> list[Path]:
    """Two scenarios, of which ``-k good`` selects one."""
    files = [Path("good.yaml"), Path("other.yaml")]
    for file in files:
        file.write_text(f"name: {file.stem}\nproves: b\nsteps:\n  - verify_pin: 123456\n    state: verified\n", "utf-8")
    return files


LINE, VARIABLE, FILE = ["-o", "line.json"], {"SSCARD_ISSUE_OUTPUT": "variable.json"}, '[issue]\noutput = "file.json"\n'


@pytest.mark.parametrize(
    ("arguments", "variables", "text", "written"),
    [
        (LINE, VARIABLE, FILE, "line.json"),
        (LINE, {}, FILE, "line.json"),
        ([], VARIABLE, FILE, "variable.json"),
        ([], VARIABLE, "", "variable.json"),
        ([], {"SSCARD_ISSUE_OUTPUT": ""}, FILE, "file.json"),
        ([], {}, FILE, "file.json"),
    ],
)
def test_the_command_line_wins_over_the_environment_and_that_over_the_file(
    sscard: CommandLine,
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    arguments: list[str],
    variables: dict[str, str],
    text: str,
    written: str,
) -> None:
    write(text)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert sscard("issue", *arguments)[0] == 0
    assert {file.name for file in folder.glob("*.json")} == {written}


def test_without_any_of_them_a_required_option_is_missing(sscard: CommandLine) -> None:
    assert "option --output is missing" in sscard("issue")[2]


@pytest.mark.parametrize(
    ("text", "used"),
    [
        ('[case]\njournal = "group.db"', "group.db"),
        ('[case.list]\njournal = "command.db"', "command.db"),
        ('[case]\njournal = "group.db"\n[case.list]\njournal = "command.db"', "command.db"),
        ('[case]\njournal = "group.db"\n[case.open]\njournal = "other.db"', "group.db"),
    ],
)
def test_a_key_in_the_table_of_a_group_counts_for_its_commands(sscard: CommandLine, text: str, used: str) -> None:
    write(text)
    code, _, error = sscard("case", "list", "--journal-key", "key")
    assert (code, error.partition(":")[0]) == (2, "sscard")
    assert f" {used}: there is no journal" in error


def test_a_documented_variable_wins_over_the_file(sscard: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    write('[case]\njournal = "file.db"')
    monkeypatch.setenv("SSCARD_JOURNAL", "variable.db")
    assert " variable.db: there is no journal" in sscard("case", "list", "--journal-key", "key")[2]


def test_values_of_every_form(sscard: CommandLine, folder: Path) -> None:
    save_card(kit.card_of("v3-sm4"), Path("card.json"))
    write('lang = "zh"\n[show]\njson = true\n[run]\nseed = 7\nreport = ["json=a.json", "junit=b.xml"]\nk = "good"\n')
    assert json.loads(sscard("show", "card.json")[1])["schema"] == "sscard.show/1"
    assert sscard("run", *scenario_files())[0] == 0
    report = json.loads((folder / "a.json").read_text("utf-8"))
    assert (report["seed"], [each["name"] for each in report["results"]]) == (7, ["good"])
    assert (folder / "b.xml").exists()


ERRORS = [
    ("[run]\nsed = 7", "run", ":2: run.sed: no such option", "did you mean 'seed'?"),
    ("[rnu]\nseed = 7", "run", ":1: rnu: no such command or option", "did you mean 'run'?"),
    ('\nlagn = "zh"', "run", ":2: lagn: no such command or option", "did you mean 'lang'?"),
    ("[driver.sreve]\nidle = 7", "driver path", ":1: driver.sreve: no such command or option", "did you mean 'serve'?"),
    ("[case]\n\nseed = 7", "case list", ":3: case.seed: no such command or option", ""),
    ("[case.list]\nabandon = true", "case list", ":2: case.list.abandon: no such option", "expected one of: "),
    ("run.sed = 7", "run", ":1: run.sed: no such option", "did you mean 'seed'?"),
    ("run = {sed = 7}", "run", ":1: run.sed: no such option", "did you mean 'seed'?"),
    ("[run]\nseed = 'x'", "run", ":2: run.seed: 'x' is not a whole number", "see: sscard run --help"),
    ("[run]\nseed = 7.5", "run", ":2: run.seed: '7.5' is not a whole number", "see: sscard run --help"),
    ("[run]\nseed = true", "run", ":2: run.seed: text or a number is expected", ""),
    ("[run]\nseed = [7]", "run", ":2: run.seed: text or a number is expected", ""),
    ("[run]\ntransport = 'locl'", "run", ":2: run.transport: no 'locl'", "did you mean 'local'?"),
    ("[run]\nreport = 'html=a'", "run", ":2: run.report: a list is expected", 'for example report = ["…"]'),
    ("[run]\nreport = [true]", "run", ":2: run.report: text or a number is expected", ""),
    ("[run]\npersonality = 'v9'", "run", ":2: run.personality: no personality 'v9'", "expected one of"),
    ("[issue]\noutput = 'a'\nplace = 'here'", "issue", ":3: issue.place: no place policy 'here'", "expected one of"),
    ("[show]\njson = 'yes'", "show card.json", ":2: show.json: true or false is expected", ""),
    ("[insert]\nport = 70000", "insert card.json", ":2: insert.port: 70000 is out of range", "expected: 1 to 65535"),
    ("run = 7", "run", ":1: run: is a command, a table is expected", "[run]"),
    ("verbose = 1\n[[run]]\nseed = 7", "run", ":2: run: is a command, a table is expected", "[run]"),
    ("lang = 'fr'", "run", ":1: lang: no 'fr'", "expected one of: en, zh"),
    ("config = 'other.toml'", "run", ":1: config: no such command or option", ""),
    ("version = true", "run", ":1: version: no such command or option", ""),
    ("[run]\nseed =\n", "run", ":2:7: not valid TOML", ""),
    ("[run]\nseed = 1\nseed = 2\n", "run", ":3:9: not valid TOML", ""),
    (f"[run]\nseed = {'7' * 5000}", "run", ": not valid TOML", ""),
    (f"a = {'[' * 10_000}", "run", ": is nested too deeply", ""),
]


IN_PROJECT = [(text.replace("[", "[tool.sscard.", 1), *rest) for text, *rest in ERRORS if text.strip().startswith("[")]


@pytest.mark.parametrize(
    ("file", "text", "command", "problem", "remedy"),
    [*(("sscard.toml", *each) for each in ERRORS), *(("pyproject.toml", *each) for each in IN_PROJECT)],
)
def test_an_error_names_file_line_and_key(
    sscard: CommandLine, file: str, text: str, command: str, problem: str, remedy: str
) -> None:
    write(text, file)
    code, output, error = sscard(*command.split())
    assert (code, output) == (2, "")
    assert error.startswith(f"sscard: {file}{problem}")
    assert remedy in error


@pytest.mark.parametrize(
    ("table", "key", "command"),
    [
        ("verify-pin", "pin", "verify-pin"),
        ("change-pin", "old", "change-pin"),
        ("change-pin", "new", "change-pin"),
        ("reset-pin", "new", "reset-pin"),
        ("apdu", "pin", "apdu"),
        ("issue", "pin", "issue"),
        ("case", "new", "case list"),
        ("case.open", "old", "case open"),
        ("driver.serve", "pins", "driver serve"),
    ],
)
def test_a_secret_is_refused_and_not_repeated(sscard: CommandLine, table: str, key: str, command: str) -> None:
    write(f'[{table}]\n{key} = "{PIN}"')
    code, _, error = sscard(*command.split())
    assert code == 2
    assert f"sscard.toml:2: {table}.{key}: is a secret" in error
    assert PIN not in error


@pytest.mark.parametrize(
    ("command", "variable"),
    [
        (["verify-pin", "card.json"], "SSCARD_VERIFY_PIN_PIN"),
        (["reset-pin", "card.json"], "SSCARD_RESET_PIN_NEW"),
        (["change-pin", "card.json"], "SSCARD_CHANGE_PIN_OLD"),
    ],
)
def test_a_secret_is_not_read_from_a_variable_of_its_option(command: list[str], variable: str) -> None:
    save_card(kit.card_of("v3-sm4", pin=PIN), Path("card.json"))
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "sscard", *command],
        env={**os.environ, variable: PIN, "XDG_DATA_HOME": str(Path.cwd())},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
    )
    assert done.returncode == 2
    assert "no terminal to enter it at" in done.stderr


@pytest.mark.parametrize(
    ("variable", "value", "command", "problem"),
    [
        ("SSCARD_RUN_SEED", "x", ["run"], "SSCARD_RUN_SEED: 'x' is not a whole number"),
        ("SSCARD_RUN_PERSONALITY", "v9", ["run"], "SSCARD_RUN_PERSONALITY: no personality 'v9'"),
        ("SSCARD_RUN_TRANSPORT", "locl", ["run"], "SSCARD_RUN_TRANSPORT: no 'locl'"),
        ("SSCARD_SHOW_JSON", "maybe", ["show", "card.json"], "SSCARD_SHOW_JSON: is neither true nor false"),
        ("SSCARD_INSERT_REMOVE_AFTER", "-1", ["insert", "card.json"], "SSCARD_INSERT_REMOVE_AFTER: -1 is out of range"),
        ("SSCARD_CASE_LIST_STAGE", "x", ["case", "list"], "SSCARD_CASE_LIST_STAGE: no 'x'"),
        ("SSCARD_LANG", "fr", ["run"], "SSCARD_LANG: no 'fr'"),
        ("SSCARD_VERBOSE", "x", ["run"], "SSCARD_VERBOSE: 'x' is not a whole number"),
        ("SSCARD_LOG_FORMAT", "xml", ["run"], "SSCARD_LOG_FORMAT: no 'xml'"),
    ],
)
def test_a_bad_value_of_a_variable_names_it(
    sscard: CommandLine, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, command: list[str], problem: str
) -> None:
    monkeypatch.setenv(variable, value)
    code, output, error = sscard(*command)
    assert (code, output) == (2, "")
    assert error.startswith(f"sscard: {problem}\n")


@pytest.mark.parametrize("variable", ["SSCARD_VERSION", "SSCARD_HELP", "SSCARD_COMMANDS_HELP"])
def test_variables_do_not_ask_for_version_or_help(
    sscard: CommandLine, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    expected = sscard("commands", "20")
    monkeypatch.setenv(variable, "1")
    assert sscard("commands", "20") == expected


# Which file is used


TABLE, EMPTY = '[tool.sscard.issue]\noutput = "{}"\n', '[project]\nname = "sscard-tests"\n'


@pytest.mark.parametrize(
    ("files", "arguments", "variable", "written"),
    [
        ({"sscard.toml": "a"}, [], None, "a"),
        ({"../sscard.toml": "a"}, [], None, "../a"),
        ({"../../sscard.toml": "a"}, [], None, "../../a"),
        ({"pyproject.toml": "a"}, [], None, "a"),
        ({"../pyproject.toml": "a"}, [], None, "../a"),
        ({"sscard.toml": "a", "pyproject.toml": "b"}, [], None, "a"),
        ({"pyproject.toml": "a", "../sscard.toml": "b"}, [], None, "a"),
        ({"pyproject.toml": "", "../sscard.toml": "b"}, [], None, "../b"),
        ({"pyproject.toml": "", "../pyproject.toml": "b"}, [], None, "../b"),
        ({"sscard.toml": "a", "../other.toml": "b"}, ["--config", "../other.toml"], None, "../b"),
        ({"sscard.toml": "a", "../pyproject.toml": "b"}, ["--config=../pyproject.toml"], None, "../b"),
        ({"sscard.toml": "a", "../other.toml": "b"}, [], "../other.toml", "../b"),
        ({"sscard.toml": "a", "other.toml": "b"}, ["--config", "sscard.toml"], "other.toml", "a"),
        ({"sscard.toml": "a"}, ["--lang", "en"], "", ""),
    ],
)
def test_the_nearest_file_with_a_table_is_used_or_the_one_that_is_named(
    sscard: CommandLine,
    monkeypatch: pytest.MonkeyPatch,
    files: dict[str, str],
    arguments: list[str],
    variable: str | None,
    written: str,
) -> None:
    for file, output in files.items():
        text = TABLE.format(output)
        if not file.endswith("pyproject.toml"):
            text = text.replace("tool.sscard.", "")
        write(text if output else EMPTY, file)
    if variable is not None:
        monkeypatch.setenv("SSCARD_CONFIG", variable)
    code, _, error = sscard(*arguments, "issue")
    if written:
        assert (code, Path(written).is_file()) == (0, True)
    else:
        assert "option --output is missing" in error


@pytest.mark.parametrize("text", ["[broken", "\xff", '[tool.poetry]\nname = "other"'])
def test_a_project_that_does_not_mention_sscard_is_not_parsed(sscard: CommandLine, text: str) -> None:
    Path("pyproject.toml").write_bytes(text.encode("latin-1"))
    assert sscard("commands", "20")[0] == 0


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"[tool]\nsscard = 7", "pyproject.toml:2: a table is expected"),
        (b'name = "sscard"\n[broken', "pyproject.toml:2"),
        (b"# sscard \xff", "pyproject.toml:1:10: is not UTF-8 text (byte 9)"),
    ],
)
def test_an_unusable_project_file_that_mentions_sscard_is_an_error(
    sscard: CommandLine, content: bytes, problem: str
) -> None:
    Path("pyproject.toml").write_bytes(content)
    code, _, error = sscard("commands")
    assert code == 2
    assert error.startswith(f"sscard: {problem}")


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("missing.toml", None, "cannot be read: No such file or directory\n  expected a file in {folder}"),
        (".", None, "cannot be read: Is a directory\n  expected the name of a file"),
        ("pyproject.toml", '[project]\nname = "x"', "has no table [tool.sscard]"),
    ],
)
@pytest.mark.parametrize("by_variable", [False, True])
def test_a_named_file_without_configuration_is_an_error(
    sscard: CommandLine,
    monkeypatch: pytest.MonkeyPatch,
    by_variable: bool,
    name: str,
    content: str | None,
    problem: str,
) -> None:
    if content is not None:
        write(content, name)
    if by_variable:
        monkeypatch.setenv("SSCARD_CONFIG", name)
    code, out, err = sscard(*([] if by_variable else ["--config", name]), "commands")
    assert (code, out, err) == (2, "", f"sscard: {name}: {problem}\n".replace("{folder}", str(Path.cwd())))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read_is_an_error(sscard: CommandLine) -> None:
    write("[run]\nseed = 7")
    Path("sscard.toml").chmod(0)
    code, out, err = sscard("commands")
    assert (code, out) == (2, "")
    assert err.startswith("sscard: sscard.toml: cannot be read: Permission denied\n")


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_a_byte_order_mark_and_windows_line_ends_are_accepted(sscard: CommandLine, ending: str) -> None:
    Path("sscard.toml").write_bytes(b"\xef\xbb\xbf" + f'lang = "zh"{ending}[run]{ending}sed = 1{ending}'.encode())
    assert sscard("run")[2].startswith("sscard: sscard.toml:3: run.sed")


# What the values mean


@pytest.mark.parametrize(
    ("table", "key", "value", "command", "shown"),
    [
        ("issue", "output", "a.json", "issue", "../a.json"),
        ("issue", "personality", "mine.yaml", "issue", "../mine.yaml"),
        ("issue", "personality", "v2-3des", "issue", "v2-3des"),
        ("issue", "place", "tries-10", "issue", "tries-10"),
        ("reset-pin", "hsm", "soft:keys.yaml", "reset-pin", "soft:../keys.yaml"),
        ("reset-pin", "hsm", "http://127.0.0.1:8440", "reset-pin", "http://127.0.0.1:8440"),
        ("case", "journal", "cases/journal.db", "case list", "../cases/journal.db"),
        ("case", "journal", "postgresql://127.0.0.1/cases", "case list", "postgresql://127.0.0.1/cases"),
        ("case", "journal", "postgresql://u:pw@127.0.0.1/x", "case list", "postgresql://***@127.0.0.1/x"),
        ("driver.serve", "contactless", "image:b.json", "driver serve", "image:../b.json"),
        ("driver.serve", "contactless", "b.json", "driver serve", "../b.json"),
        ("driver.serve", "contactless", "pcsc", "driver serve", "pcsc"),
        ("driver.serve", "contactless", "exec:./card --raw", "driver serve", "exec:./card --raw"),
        ("driver.serve", "listen", "socket", "driver serve", "../socket"),
        ("driver.serve", "listen", "tcp:35980", "driver serve", "tcp:35980"),
        ("driver.build", "cc", "gcc -O2", "driver build", "gcc -O2"),
    ],
)
def test_the_help_shows_the_default_of_the_file_and_paths_start_at_its_folder(
    sscard: CommandLine, table: str, key: str, value: str, command: str, shown: str
) -> None:
    write(f'[{table}]\n{key} = "{value}"', "../sscard.toml")
    expected = f"default: {shown}, from ../sscard.toml"
    assert expected in " ".join(sscard(*command.split(), "--help")[1].split())


def test_the_report_of_a_run_is_written_in_the_folder_of_the_file(sscard: CommandLine) -> None:
    write('[run]\nreport = ["json=result.json"]\nk = "good"', "../sscard.toml")
    assert sscard("run", *scenario_files())[0] == 0
    assert Path("../result.json").is_file()


@pytest.mark.parametrize(
    ("text", "arguments", "variable", "chinese"),
    [
        ('lang = "zh"', [], "", True),
        ('lang = "zh"', ["--lang", "en"], "", False),
        ('lang = "zh"', [], "en", False),
        ('lang = "en"', [], "zh", True),
        ("", ["--config", "sscard.toml", "--lang", "zh"], "", True),
        ("", ["--log-format=text", "-vv", "--lang=zh"], "", True),
        ("", [], "zh", True),
    ],
)
def test_help_and_errors_are_in_the_language_of_the_line_the_variable_or_the_file(
    sscard: CommandLine,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    arguments: list[str],
    variable: str,
    chinese: bool,
) -> None:
    write(text)
    monkeypatch.setenv("SSCARD_LANG", variable)
    assert ("用法" in sscard(*arguments, "--help")[1]) is chinese
    assert ("没有" in sscard(*arguments, "rnu")[2]) is chinese


# The start of the program


def test_version_reads_no_configuration() -> None:
    write("[broken")
    assert run("--version").returncode == 0


def test_the_shell_completes_beside_a_broken_file() -> None:
    write("[broken")
    done = run(_SSCARD_COMPLETE="bash_complete", COMP_WORDS="sscard ver", COMP_CWORD="1")
    assert done.stdout == "plain,verify-pin\n"


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["--version"]])
def test_without_a_file_neither_toml_nor_logging_is_imported(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom sscard.cli.main import main\n"
        f"try:\n    main({arguments!r})\nexcept SystemExit:\n    pass\n"
        "print(sorted({'tomllib', 'logging'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stderr == "[]\n"
