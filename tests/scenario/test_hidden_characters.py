"""Names that somebody else chose: no report and no terminal obeys a character that they hold."""

from __future__ import annotations

import json
import re
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.etree import ElementTree as ET

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from kit.programs import CommandLine, run
from sscard.i18n.language import visible

CONTROL = [*range(0x20), *range(0x7F, 0xA0)]
DIRECTION = [0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
HIDDEN = {*map(chr, CONTROL), *map(chr, DIRECTION), "\u2028", "\u2029", "\ufffe", "\uffff"}
NAMES = st.text(
    st.characters(exclude_categories=["Cs"]) | st.sampled_from(sorted(HIDDEN)) | st.sampled_from("<>&]['\"\\[/red]{}"),
    min_size=1,
).filter(str.strip)
ATTACK = "\x1b]0;owned\x07\x1b[2J\u202e\n]]><b>[red]\x9b1m&\x00"


def quoted(text: str) -> str:
    """The text as YAML writes any character."""
    return '"' + "".join(f"\\U{ord(char):08x}" for char in text) + '"'


def failing(folder: Path, text: str) -> Path:
    """A scenario that fails and has the text wherever a person writes one."""
    suite = folder / "suite"
    suite.mkdir()
    file = suite / "one.yaml"
    words = quoted(text)
    step = f"- {{verify_pin: '000000', note: {words}}}"
    file.write_text(f"name: {words}\nproves: {words}\ntags: [{words}]\nsteps:\n{step}\n", encoding="utf-8")
    return file


def hidden_in(text: str) -> set[str]:
    return set(text) & HIDDEN - {"\n"}


@given(NAMES)
@example(ATTACK)
@example("\u2066\u2029")
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_report_has_a_character_that_is_obeyed(sscard: CommandLine, name: str) -> None:
    with TemporaryDirectory() as made:
        folder = Path(made)
        reports = {form: folder / form for form in ("junit", "html", "trace", "json")}
        words = [word for form, file in reports.items() for word in ("--report", f"{form}={file}")]
        code, output, errors = sscard("run", failing(folder, name), *words)
        texts = {form: file.read_text("utf-8") for form, file in reports.items()}
    assert code == 1, errors
    assert not hidden_in(output + errors)
    assert not hidden_in(texts["html"])
    assert not hidden_in(texts["trace"])
    case = ET.fromstring(texts["junit"]).find("testsuite/testcase")  # noqa: S314 - our own report
    assert case is not None
    assert case.attrib["name"] == f"{visible(name)} [v3-sm4]"
    assert not hidden_in("".join(case.itertext())) | set(case.attrib["name"]) & HIDDEN
    assert json.loads(texts["json"])["results"][0]["name"] == name


@pytest.mark.parametrize("folder", ["a\x1b[31m", "b\nc", "d\u202e", "e\x85"], ids=ascii)
def test_the_name_of_a_file_is_escaped_in_errors_and_reports(sscard: CommandLine, tmp_path: Path, folder: str) -> None:
    odd = tmp_path / folder
    odd.mkdir()
    file = failing(odd, "n")
    code, output, errors = sscard("run", file, "--report", f"junit={odd / 'j'}")
    assert code == 1
    assert visible(folder) in output
    assert not hidden_in(output + errors)
    case = ET.parse(odd / "j").find("testsuite/testcase")  # noqa: S314 - our own report
    assert case is not None
    assert visible(folder) in case.attrib["file"]
    for words in (["run", odd / "none.yaml"], ["show", odd / "none.json"], ["personality", "check", odd / "none.yaml"]):
        code, output, errors = sscard(*words)
        assert code == 2
        assert visible(folder) in errors
        assert not hidden_in(output + errors)
        assert errors.count("\n") <= 2


def test_the_name_of_an_applicant_is_escaped_and_json_keeps_it(
    sscard: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    name = "a\x1b[2J\u202e[red]\nb"
    who = ("--name", name, "--id", "410402199001010109")
    online = ("--channel", "online", "--handling", "window", "--reason", "none")
    code, output, errors = sscard("case", "open", *online, *who, "--json")
    assert code in (0, 1), errors
    opened = json.loads(output)
    assert opened["applicant"]["name"] == name
    for words in (["case", "list"], ["case", "show", opened["number"]]):
        code, output, errors = sscard(*words)
        assert code == 0, errors
        assert visible(name) in output
        assert not hidden_in(output)


def test_an_escape_sequence_in_a_name_does_not_reach_the_terminal(tmp_path: Path) -> None:
    """With the colours of a terminal: only sequences of our own."""
    ended = run("run", failing(tmp_path, ATTACK), FORCE_COLOR="1", COLUMNS="120")
    assert r"\x1b]0;owned\x07\x1b[2J\u202e\n" in ended.stdout
    assert "\x1b[" in ended.stdout, "no colours"
    assert not re.search(r"\x1b\]|\x1b\[2J", ended.stdout)
    assert not hidden_in(ended.stdout) - {"\x1b"}


SHOWN = {"\n": r"\n", "\t": r"\t", "\x1b": r"\x1b", "\x7f": r"\x7f", "\x9b": r"\x9b", "\u202e": r"\u202e"}


def test_a_character_is_escaped_once() -> None:
    for char, shown in SHOWN.items():
        assert visible(char) == visible(visible(char)) == shown
    assert visible("张三 é😀‍") == "张三 é😀‍"
