"""Guessing the PIN of a card file: at most one guess per try, however the process or the disk fails.

What compares a PIN is ``pin.equal``, in the compiled chip too deep to be watched. Killed processes: tests/proof.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

import kit
from kit import PIN, card_of, on_disk, verify
from kit.native import COMPILER
from sscard.card.commands import pin as pin_commands
from sscard.chip.memory import MemoryFailure
from sscard.errors import InputError, MissingPart
from sscard.issuer import preset
from sscard.issuer.cardfile import FileCard, load_card, open_card, save_card
from sscard.issuer.store import CardStore

pytestmark = pytest.mark.skipif(
    "SSCARD_COMPILED" in os.environ or not sys.platform.startswith("linux"),
    reason="watches the interpreted chip, on Linux",
)

WRONG, RIGHT = verify("999999"), verify(PIN)
MEMORY_FAILURE = b"\x65\x81"
TRIES = 15


@pytest.fixture
def path(tmp_path: Path) -> Path:
    save_card(card_of(replace(preset("v3-sm4"), pin_tries=TRIES)), tmp_path / "card.db")
    return tmp_path / "card.db"


def tries_when_compared(path: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The tries left in the file at the moment of the comparison: of a wrong PIN, a right and a wrong one."""
    seen = []
    equal = pin_commands.equal

    def look(given: bytes, stored: bytes) -> bool:
        seen.append(on_disk(path).snapshot().pin_tries)
        return equal(given, stored)

    with open_card(path, Random(1)) as card:
        card.power_on()
        with monkeypatch.context() as patched:
            patched.setattr(pin_commands, "equal", look)
            for command in (WRONG, RIGHT, WRONG):
                card.transmit(command)
    return seen


def test_a_try_is_in_the_file_before_it_is_compared(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tries_when_compared(path, monkeypatch) == [TRIES - 1, TRIES - 2, TRIES - 1]


def compare_first(session: Any, tries: int, given: bytes) -> bool:
    """A defect: the comparison before the decrement."""
    right = pin_commands.equal(given, session.memory.strings[0])
    session.memory.put_number(0, tries - 1)
    return right


class Late:
    """A defect: a store that commits when the command has been answered."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.waiting: list[tuple[Any, ...]] = []
        commit, transmit = CardStore.commit, FileCard.transmit

        def keep(store: CardStore, numbers: list[tuple[int, int]], strings: list[tuple[int, bytes]]) -> None:
            self.waiting.append((numbers, strings))

        def answer(card: FileCard, command: bytes) -> bytes:
            answered = transmit(card, command)
            for change in self.waiting:
                commit(card.store, *change)
            self.waiting.clear()
            return answered

        monkeypatch.setattr(CardStore, "commit", keep)
        monkeypatch.setattr(FileCard, "transmit", answer)


DEFECTS: dict[str, Callable[[pytest.MonkeyPatch], object]] = {
    "comparison before decrement": lambda monkeypatch: monkeypatch.setattr(pin_commands, "_attempt", compare_first),
    "a store that commits after the comparison": Late,
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_planted_defect_shows_in_the_file(path: Path, defect: str, monkeypatch: pytest.MonkeyPatch) -> None:
    DEFECTS[defect](monkeypatch)
    assert tries_when_compared(path, monkeypatch)[0] == TRIES


# A full disk


@contextmanager
def full_disk() -> Iterator[None]:
    """No process may write to a file beyond its first bytes: SQLite is refused with EFBIG."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def compared(path: Path, monkeypatch: pytest.MonkeyPatch, *commands: bytes) -> tuple[list[bytes], int]:
    """What a card answers on a full disk, and how often it compares."""
    count = []
    equal = pin_commands.equal
    with open_card(path, Random(1)) as card:
        card.power_on()
        with monkeypatch.context() as patched:
            patched.setattr(pin_commands, "equal", lambda *given: count.append(given) or equal(*given))
            with full_disk():
                return [card.transmit(command) for command in commands], len(count)


def test_on_a_full_disk_right_and_wrong_pin_answer_the_same_and_nothing_is_compared(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for commands in ([RIGHT], [WRONG], [WRONG, RIGHT], [WRONG] * 11 + [RIGHT]):
        answers, comparisons = compared(path, monkeypatch, *commands)
        assert answers == [MEMORY_FAILURE] * len(commands)
        assert comparisons == 0
    assert load_card(path).snapshot().pin_tries == TRIES


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_planted_defect_shows_on_a_full_disk(path: Path, defect: str, monkeypatch: pytest.MonkeyPatch) -> None:
    DEFECTS[defect](monkeypatch)
    with suppress(MemoryFailure):  # of the late store
        assert compared(path, monkeypatch, WRONG)[1] > 0
        return
    assert defect == "a store that commits after the comparison"


def test_after_a_failed_change_every_change_fails_until_the_file_is_opened_again(path: Path) -> None:
    with open_card(path, Random(1)) as card:
        card.power_on()
        card.transmit(WRONG)
        with full_disk():
            assert card.transmit(WRONG) == MEMORY_FAILURE
        for _ in range(3):
            assert card.transmit(RIGHT) == MEMORY_FAILURE
        assert card.transmit(bytes.fromhex("0020000000")) == b"\x63\xce"
        assert card.transmit(bytes.fromhex("0084000008"))[-2:] == b"\x90\x00"
        with pytest.raises(InputError, match=r"card\.db: cannot be written: "):
            card.power_on()
    with open_card(path, Random(1)) as card:
        card.power_on()
        assert card.transmit(RIGHT) == b"\x90\x00"


def test_a_power_on_that_cannot_write_gives_no_atr(path: Path) -> None:
    with open_card(path, Random(1)) as card:
        card.power_on()
        with full_disk(), pytest.raises(InputError, match=r"card\.db: cannot be written: "):
            card.reset()


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(  # noqa: S603
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder],  # noqa: S607
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("only root mounts a file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)  # noqa: S603, S607


def fill(folder: Path) -> None:
    """Leave no free byte."""
    with suppress(OSError), (folder / "filler").open("wb", buffering=0) as filler:
        while True:
            filler.write(bytes(4096))


def test_a_card_that_is_open_has_its_space_on_a_disk_that_fills_up(small: Path) -> None:
    path = small / "card.db"
    save_card(card_of("v3-sm4"), path)
    with open_card(path, Random(1)) as card:
        card.power_on()
        fill(small)
        for _ in range(1000):
            assert card.transmit(WRONG) == b"\x63\xc5"
            assert card.transmit(RIGHT) == b"\x90\x00"
        card.transmit(WRONG)
    assert load_card(path).snapshot().pin_tries == 5


def test_a_disk_without_space_for_the_log_opens_no_card(small: Path) -> None:
    path = small / "card.db"
    save_card(card_of("v3-sm4"), path)
    fill(small)
    for _ in range(2):
        with (
            pytest.raises(MissingPart, match=r"card\.db: cannot be written: No space left"),
            open_card(path, Random(1)),
        ):
            pass
    (small / "filler").unlink()
    with open_card(path, Random(1)) as card:
        card.power_on()
        assert card.transmit(WRONG) == b"\x63\xc5"


# A power loss of the machine

COUNTING = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
static int counted(const char *name, int file) {
    int log = open(getenv("SYNCS"), O_WRONLY | O_APPEND | O_CREAT, 0600);
    if (write(log, ".", 1) != 1) abort();
    close(log);
    return ((int (*)(int))dlsym(RTLD_NEXT, name))(file);
}
int fsync(int file) { return counted("fsync", file); }
int fdatasync(int file) { return counted("fdatasync", file); }
"""
SESSION = """
import os, sys
from pathlib import Path
from random import Random
from kit import verify
from sscard.issuer.cardfile import open_card
with open_card(Path(sys.argv[1]), Random(1), sync=sys.argv[2] == "sync") as card:
    card.power_on()
    before = Path(os.environ["SYNCS"]).stat().st_size
    for _ in range(5):
        assert card.transmit(verify("999999"))[0] == 0x63
    print(Path(os.environ["SYNCS"]).stat().st_size - before)
"""


def syncs_of_five_guesses(path: Path, how: str) -> int:
    library, syncs = path.with_name("counting.so"), path.with_name("syncs")
    source = path.with_name("counting.c")
    source.write_text(COUNTING)
    subprocess.run([COMPILER, "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)  # noqa: S603
    folders = [str(Path(kit.__file__).parents[1]), *sys.path]
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", SESSION, path, how],
        env=os.environ | {"LD_PRELOAD": str(library), "SYNCS": str(syncs), "PYTHONPATH": os.pathsep.join(folders)},
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)


def test_every_try_is_synced_with_sync_and_a_store_that_forgets_it_is_noticed(path: Path) -> None:
    assert syncs_of_five_guesses(path, "sync") >= 5
    assert syncs_of_five_guesses(path, "forgets") == 0
