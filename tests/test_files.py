"""Errors of files that a user names have a remedy."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

import kit
from sscard.errors import InputError, MissingPart
from sscard.files import TextFile, mode_of, read_text, unwritable, write_text
from sscard.issuer.cardfile import save_card

OTHER_NAME = "expected a file in {folder}"
REFUSED = {
    "card.bd": "did you mean 'card.db'?",
    "zzz": OTHER_NAME,
    "no/card.db": "the folder {folder}/no does not exist",
    "card.db/x": "the folder {folder}/card.db does not exist",
    "sub": "expected the name of a file",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_card(kit.card_of("v3-sm4"), tmp_path / "card.db")
    (tmp_path / "sub").mkdir()
    return tmp_path


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_has_a_remedy(folder: Path, name: str) -> None:
    with pytest.raises(InputError, match="cannot be read: ") as refused:
        read_text(folder / name)
    assert str(refused.value).endswith(f"\n  {REFUSED[name].format(folder=folder)}")


def test_the_folder_of_a_relative_path_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    with pytest.raises(InputError, match="cannot be read: ") as refused:
        read_text(Path("zzz"))
    assert str(refused.value) == f"zzz: cannot be read: No such file or directory\n  {OTHER_NAME.format(folder=folder)}"


@pytest.mark.parametrize("name", ["no/card.db", "card.db/x", "sub"])
def test_what_cannot_be_written_has_a_remedy(folder: Path, name: str) -> None:
    with pytest.raises(InputError, match="cannot be written: ") as refused:
        write_text(folder / name, "")
    assert str(refused.value).endswith(f"\n  {REFUSED[name].format(folder=folder)}")


@pytest.mark.parametrize(
    ("number", "kind", "remedy"),
    [
        (errno.EACCES, InputError, "look at the permissions: ls -ld {path} {folder}"),
        (errno.EPERM, InputError, "look at the permissions: ls -ld {path} {folder}"),
        (errno.EROFS, InputError, "choose another place"),
        (errno.ENOSPC, MissingPart, "free space on the disk, or choose another place"),
        (errno.EDQUOT, MissingPart, "free space on the disk, or choose another place"),
    ],
)
def test_a_refusal_of_the_system_has_a_remedy(tmp_path: Path, number: int, kind: type[Exception], remedy: str) -> None:
    path = tmp_path / "x"
    error = unwritable(path, OSError(number, os.strerror(number)))
    assert type(error) is kind
    assert str(error).endswith(f"\n  {remedy.format(path=path, folder=tmp_path)}")


def test_a_card_file_is_not_read_as_text(folder: Path) -> None:
    path = folder / "card.db"
    with pytest.raises(InputError, match="is a card file or another database, not text") as refused:
        read_text(path)
    assert str(refused.value).endswith(f"\n  a card as text: sscard image export {path} -o FILE.json")


def test_a_loop_of_links_cannot_be_used(tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    with pytest.raises(InputError, match="cannot be used: Too many levels"):
        mode_of(loop)


def test_a_text_file_is_written_line_by_line_from_its_first_piece(tmp_path: Path) -> None:
    path = tmp_path / "trace"
    path.write_text("of the last run")
    with TextFile(path) as file:
        assert path.read_text() == "of the last run"
        file.write("校验\n")
        assert path.read_text(encoding="utf-8") == "校验\n"
        file.write("no end of a line")
    assert path.read_text(encoding="utf-8") == "校验\nno end of a line"


def test_a_text_file_in_no_folder_has_a_remedy(folder: Path) -> None:
    with TextFile(folder / "no" / "trace") as file, pytest.raises(InputError, match=r"the folder .* does not exist"):
        file.write("a")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_a_text_file_on_a_full_disk_is_a_missing_part(folder: Path) -> None:
    with pytest.raises(MissingPart, match="free space"), TextFile(Path("/dev/full")) as file:
        file.write("a line\n")
