"""The check of the English finds each phrase where a person reads it, and in no other text."""

from __future__ import annotations

from pathlib import Path

import pytest

import plain

CODE = '''\
"""{docstring}"""

LIMIT = 3
"""{attribute}"""


def run() -> str:
    # at once
    return "told"
'''
MESSAGE = """\
msgid ""
msgstr "Content-Type: text/plain; charset=utf-8\\n"

#: cli/run.py hsm/soft.py
msgid "{message}"
msgstr "…"
"""


def found(root: Path) -> list[str]:
    return [f"{finding.path.as_posix()}:{finding.line} {finding.phrase}" for finding in plain.findings(root)]


def write(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


@pytest.mark.parametrize("name", ["simulator/sscard/cli/run.py", "tests/test_x.py", "tools/x.py", "examples/a/x.py"])
def test_docstrings_of_modules_functions_and_attributes(tmp_path: Path, name: str) -> None:
    write(tmp_path, name, CODE.format(docstring="It is\n\nTold.", attribute="It goes\non."))
    assert found(tmp_path) == [f"{name}:3 told", f"{name}:6 goes on"]


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "CHANGELOG.md",
        "docs/howto/hsm.md",
        ".github/ISSUE_TEMPLATE/bug.yml",
        "scenarios/a/b.yaml",
        "simulator/sscard/service/item.yaml",
    ],
)
def test_documents_and_yaml(tmp_path: Path, name: str) -> None:
    write(tmp_path, name, "One\nthat left, and at\nonce\n")
    assert found(tmp_path) == [f"{name}:2 at once", f"{name}:2 that left"]


def test_the_fact_sheets_are_left_out(tmp_path: Path) -> None:
    write(tmp_path, "docs/standard/card-files.md", "by itself")
    assert not found(tmp_path)


def test_messages_are_reported_at_the_file_that_uses_them(tmp_path: Path) -> None:
    write(tmp_path, plain.CATALOG.as_posix(), MESSAGE.format(message="nothing at once"))
    assert found(tmp_path) == ["simulator/sscard/cli/run.py:1 at once"]


@pytest.mark.parametrize("text", ["untold", "retells", "before goods", "leftover", "at onces"])
def test_whole_words_only(text: str) -> None:
    assert not list(plain.phrases(Path("x"), text))


@pytest.mark.parametrize("phrase", plain.PHRASES)
def test_every_phrase_is_found_at_the_beginning_of_a_sentence(phrase: str) -> None:
    assert [finding.phrase for finding in plain.phrases(Path("x"), phrase.capitalize())] == [phrase]


@pytest.mark.parametrize(("docstring", "code"), [("Reported.", 0), ("Told.", 1)])
def test_a_finding_fails_the_check(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    docstring: str,
    code: int,
) -> None:
    write(tmp_path, "simulator/sscard/cli/run.py", CODE.format(docstring=docstring, attribute=""))
    monkeypatch.setattr("plain.ROOT", tmp_path)
    assert plain.main() == code
    assert capsys.readouterr().out.endswith(f"{code} phrases to replace\n")
