"""Links, names and limits of the documents, and the metadata of the package made from them."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tomllib
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from kit.documents import ROOT, SHEETS, Document, documents
from kit.programs import CommandLine

WORDS_AT_MOST = 700
CHINESE_AT_MOST = 1400
"""Characters; two of them stand for about one English word."""

ALL = [*documents(), *(Document(path) for path in sorted(SHEETS.glob("*.md")))]
SECOND = (
    "new|check|explain|verbs|schema|build|path|serve|call|load|open|list|issue|show|resume|stats|archive|verify"
    "|tears|model|kills|fuzz|vectors|run"
)
COMMAND = re.compile(rf"\bsscard ((?:[a-z]+(?:-[a-z]+)?)(?: (?:{SECOND}))?)")
OPTION = re.compile(r"(?<![\w-])(--[a-z][a-z-]+)")


def prose_of(name: str) -> str:
    return Document(ROOT / name).prose


@pytest.mark.parametrize("document", ALL, ids=lambda document: document.name)
def test_every_link_leads_to_a_file_and_heading(document: Document) -> None:
    for link in document.links():
        path, _, anchor = link.partition("#")
        if re.match(r"https?://", path):
            continue
        target = document.path.parent / path if path else document.path
        assert target.exists(), link
        assert not anchor or anchor in Document(target).anchors(), link


def test_every_document_is_in_the_index() -> None:
    index = {(ROOT / "docs" / link.partition("#")[0]).resolve() for link in Document(ROOT / "docs/README.md").links()}
    folders = {path for path in index if path.name == "README.md"}
    listed = index | {
        (path.parent / link).resolve() for path in folders for link in Document(path).links() if "://" not in link
    }
    missing = [page.name for page in ALL if page.name.startswith("docs/") and page.path not in listed]
    assert not set(missing) - {"docs/README.md"}


def test_the_readme_is_short() -> None:
    assert len(prose_of("README.md").split()) <= WORDS_AT_MOST
    assert len(re.sub(r"\(\S+\)", "", prose_of("README.zh-CN.md"))) <= CHINESE_AT_MOST


def test_both_readmes_show_the_same() -> None:
    english, chinese = (Document(ROOT / name) for name in ("README.md", "README.zh-CN.md"))
    assert [uncommented(block.text) for block in english.blocks()] == [
        uncommented(block.text) for block in chinese.blocks()
    ]
    assert {link for link in english.links() if "README.zh" not in link} == {
        link for link in chinese.links() if link != "README.md"
    }


def uncommented(text: str) -> list[str]:
    """The lines without comments, which are translated."""
    return [re.sub(r"\s*# .*", "", line) for line in text.splitlines()]


def commands_in(text: str) -> Iterator[tuple[str, list[str]]]:
    """The commands of sscard in a text, each with the options on its line."""
    for line in text.splitlines():
        for found in COMMAND.finditer(line):
            rest = re.split(r"[;|`]|\bsscard\b", line[found.end() :])[0]
            yield found[1], OPTION.findall(rest)


HELP: dict[str, str] = {}
"""The help of each command that a document names."""


@pytest.mark.parametrize("document", documents(), ids=lambda document: document.name)
def test_commands_and_options_exist(document: Document, sscard: CommandLine) -> None:
    typed = [line for block in document.blocks() if block.language != "python" for line in uncommented(block.text)]
    code_of = "\n".join([*re.findall(r"`([^`\n]+)`", document.prose), *typed])
    for command, options in sorted({(command, tuple(options)) for command, options in commands_in(code_of)}):
        if command not in HELP:
            code, HELP[command], _ = sscard(*command.split(), "--help")
            assert code == 0, command
        help_text = HELP[command]
        assert not [option for option in options if not re.search(rf"{option}\b", help_text)], (command, options)


def test_benchmarks_that_are_named_exist() -> None:
    text = Document(ROOT / "docs/tutorials/performance.md").text
    assert all((ROOT / path).exists() for path in re.findall(r"bench/\w+\.(?:py|md)", text))
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    for document in documents():
        for block in document.blocks():
            assert set(re.findall(r"^make ([\w-]+)", block.text, re.MULTILINE)) <= targets, document.name


@pytest.mark.parametrize(
    "form", sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("[!c]*.yml")), ids=lambda form: form.stem
)
def test_an_issue_form_has_what_the_host_needs(form: Path) -> None:
    read = yaml.safe_load(form.read_text("utf-8"))
    assert {"name", "description", "body"} <= set(read)
    ids = [field["id"] for field in read["body"]]
    assert len(ids) == len(set(ids))


def test_the_newest_version_of_the_changelog_is_that_of_the_package() -> None:
    from sscard.version import __version__

    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    headings = re.findall(r"^## (.+)$", changelog, re.MULTILINE)
    assert headings[0] == "Unreleased"
    versions = [re.fullmatch(r"(\d+\.\d+\.\d+) - \d{4}-\d\d-\d\d", heading) for heading in headings[1:]]
    assert all(versions)
    assert versions[0] is not None
    assert versions[0][1] == __version__
    assert set(re.findall(r"^### (.+)$", changelog, re.MULTILINE)) <= {"Added", "Changed", "Fixed", "Removed"}


# The package


@pytest.fixture(scope="module")
def hatch_build() -> ModuleType:
    pytest.importorskip("hatchling", reason="no hatchling: pip install --group dev")
    spec = spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_long_description_has_no_relative_link(hatch_build: ModuleType) -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    alone = hatch_build.long_description(readme, "")
    assert "](" not in alone
    assert "All commands and exit codes" in alone
    hosted = hatch_build.long_description(readme, "https://example.org/sscard/")
    assert "![HTML report: summary" in hosted
    links = re.findall(r"\]\(([^)]+)\)", hosted)
    assert links
    assert all(link.startswith("https://example.org/sscard/") for link in links)


def test_the_source_distribution_can_be_tested_and_read(tmp_path: Path) -> None:
    pytest.importorskip("hatchling", reason="no hatchling: pip install --group dev")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "sdist", "--directory", str(tmp_path)]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    with tarfile.open(next(tmp_path.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    needed = ("Makefile", "NOTICE", "LICENSE", "README.zh-CN.md", "docs/README.md", "docs/images/report.png", ".ci/run")
    assert {*needed, "hatch_build.py", "tests/conftest.py", "tools/plain.py", "scenarios/01-function"} - names <= {
        "scenarios/01-function"
    }
    assert any(name.startswith("scenarios/01-function/") for name in names)


def test_classifiers_name_the_pythons_that_ci_runs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text("utf-8"))
    tested = set(workflow["jobs"]["quick"]["strategy"]["matrix"]["python"])
    named = {text.rpartition(" ")[2] for text in project["classifiers"] if re.search(r":: 3\.\d+$", text)}
    assert named == tested
