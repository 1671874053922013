"""Every command and example of the documents works as it is printed."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kit.documents import PLUGINS, Block, Document, Reader, blocks, check, commands, documents
from kit.pcsc import demand_pcsc
from kit.waiting import PATIENCE, until
from sscard.transport.pcscd import PrivatePcscd

WITH_BLOCKS = [document for document in documents() if document.blocks() and not document.name.startswith("examples/")]
"""``tests/examples`` runs the examples."""

SKIPPED_AT_MOST = 12
PIP = f"python3 -m pip install --quiet --no-deps --no-index --no-build-isolation --target {PLUGINS}"
"""Installs a package of a document beside it, and not into the environment of the tests."""


@pytest.fixture
def replaced(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """Ports that are free, and for a document that needs a PC/SC daemon a private one with its reader."""
    with socket.create_server(("127.0.0.1", 0)) as free, socket.create_server(("127.0.0.1", 0)) as other:
        port, simulator = free.getsockname()[1], other.getsockname()[1]
    hsm = {"sscard hsm serve": f"sscard hsm serve --port {port}", "127.0.0.1:8440": f"127.0.0.1:{port}"}
    hsm |= {"41007": str(simulator), "pip install ./acme": f"{PIP} ./acme"}
    document: Document = request.node.callspec.params["document"]
    if document.name == "README.md":  # all of the suite at night, with the Chinese README
        hsm["sscard run --html"] = "sscard run -k block --html"
    if not any(block.mark == "pcscd" for block in document.blocks()):
        yield hsm
        return
    demand_pcsc()
    with PrivatePcscd(name="Virtual PCD", timeout=PATIENCE) as daemon:
        port = daemon.port(0)
        yield {"Virtual PCD 00 00": daemon.reader_name(0), "sscard insert": f"sscard insert --port {port}"}


def timed(document: Document) -> Any:
    """A document as a parameter: make test runs the README and the tutorials, make nightly the others too.

    The Chinese README has the code of the English one, which another test proves.
    """
    later = "howto" in document.name or document.name.endswith(".zh-CN.md")
    marks = [pytest.mark.slow, *([pytest.mark.nightly] if later else [])]
    return pytest.param(document, id=document.name, marks=marks)


@pytest.mark.parametrize("document", [timed(document) for document in WITH_BLOCKS])
def test_every_block_works(document: Document, replaced: dict[str, str], tmp_path: Path) -> None:
    with Reader(tmp_path, replaced) as reader:
        for block in document.blocks():
            if block.mark == "softhsm" and shutil.which("softhsm2-util") is None:
                continue  # tests/hsm/test_check.py says that it is not installed
            try:
                reader.follow(block)
            except AssertionError as error:
                raise AssertionError(f"{document.name}:{block.line}: {error}") from None


def test_a_block_that_is_not_run_says_why() -> None:
    skipped = [block for document in WITH_BLOCKS for block in document.blocks() if block.mark == "skip"]
    assert all(block.detail for block in skipped)
    assert len(skipped) <= SKIPPED_AT_MOST


def test_every_mark_is_known() -> None:
    marks = {block.mark for document in WITH_BLOCKS for block in document.blocks()}
    assert marks <= {"", "skip", "background", "pcscd", "softhsm"}


# The reader itself


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    with Reader(tmp_path, {}) as reader:
        yield reader


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("sh", "false"),
        ("console", "$ echo one\ntwo\n"),
        ("console", "$ printf 'one\\ntwo\\n'\ntwo\none\n"),
        ("python", "print(1)  # 2\n"),
        ("python", "raise SystemExit(1)\n"),
        ("yaml", "a: 1\n"),
    ],
)
def test_what_does_not_work_is_found(reader: Reader, language: str, text: str) -> None:
    with pytest.raises(AssertionError):
        reader.follow(Block(1, language, text))


def test_files_and_programs_of_a_document_share_a_folder(reader: Reader) -> None:
    for block in blocks(
        "Save this as `a/b.txt`:\n\n```yaml\nhello\n```\n\n```sh\ncat a/b.txt > c\n```\n\n"
        "```console\n$ cat \\\n    c\nhel…\n$ echo end\nend\n```\n\n```python\nprint(open('c').read())  # hello\n```\n"
    ):
        reader.follow(block)


def test_a_block_that_does_not_end_is_ended_with_its_programs(tmp_path: Path) -> None:
    with Reader(tmp_path, {}, patience=0.5) as reader, pytest.raises(AssertionError, match="has not ended"):
        reader.follow(Block(1, "sh", "sleep 600 & echo $! > pid; wait"))
    pid = int((tmp_path / "pid").read_text())
    assert until(lambda: not _runs(pid))


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_background_program_runs_until_the_end(tmp_path: Path) -> None:
    with Reader(tmp_path, {}) as reader:
        reader.follow(Block(1, "sh", "bash -c 'echo $$ > pid; echo ready; sleep 600'", "background", "ready"))
        reader.follow(Block(1, "sh", 'kill -0 "$(cat pid)"'))


def test_parts_of_a_document() -> None:
    first, second = blocks("<!-- test: skip, needs root -->\n```sh\nsudo x\n```\n\ntext\n\n```text\ny\n```\n")
    assert first == Block(2, "sh", "sudo x\n", "skip", "needs root")
    assert second == Block(8, "text", "y\n")
    assert commands("$ a\nb\n$ c \\\nd\n") == [("a", ["b"]), ("c \\\nd", [])]
    check(["a … c", "…", "d"], "a b c\nx\nd\n")
