"""The driver example of ``examples/README.md``, which is also in ``example.c``, with cards as they are issued."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

import kit
from kit.documents import ROOT
from kit.native import COMPILER, command, environment, has_compiler
from kit.programs import running
from sscard.driver import native
from sscard.issuer import issue_card
from sscard.issuer.cardfile import load_card, save_card
from sscard.standard.encoding import encode_pin

SOURCE = ROOT / "simulator" / "sscard" / "driver" / "native" / "example.c"
SERVE = re.compile(r"sscard (driver serve) card\.db (--psam \w+ --pins .+)")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example beside its library."""
    if not has_compiler():
        pytest.skip("no C compiler: sudo apt-get install gcc libc6-dev")
    folder = tmp_path_factory.mktemp("example")
    library = native.build(folder)
    command(COMPILER, shutil.copy(SOURCE, folder), "-I", folder, library, "-o", folder / "example")
    return folder / "example"


@pytest.mark.slow
@pytest.mark.parametrize("personality", ["v1-des", "v2-3des", "v3-sm4"])
def test_the_example_reads_an_issued_card_and_changes_its_pin(program: Path, personality: str, tmp_path: Path) -> None:
    in_readme, in_source = (SERVE.search(path.read_text("utf-8")) for path in (ROOT / "examples" / "README.md", SOURCE))
    assert in_readme is not None
    assert in_source is not None
    assert in_readme[0] == in_source[0]
    card, place = tmp_path / "card.db", str(tmp_path / "driver")
    save_card(issue_card(seed=1, pin=kit.PIN, personality=personality), card)
    with running(*in_readme[1].split(), card, *in_readme[2].split(), "--listen", place) as server:
        server.line_with("driver at ")
        done = command(program, check=False, env=environment(place), text=True)
        server.end()
    assert done.returncode == 0, done.stdout
    assert "终端机编号: 410400000001" in done.stdout
    assert load_card(card).memory.strings[0] == encode_pin("654321")
