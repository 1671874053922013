"""The card file: every change in it before the answer, held by one process, recognised if it is not the same."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kit import PIN, card_of, change, crash, image_of, on_disk, verify
from sscard.chip.memory import Moment, PowerLost
from sscard.errors import InputError, MissingPart
from sscard.i18n.language import say
from sscard.i18n.phrase import Sayable
from sscard.issuer import storage
from sscard.issuer.cardfile import FileCard, load_card, open_card, save_card
from sscard.issuer.database import wal_of
from sscard.issuer.image import read_image, write_image
from sscard.issuer.store import CardStore

WRONG = verify("999999")
RIGHT = verify(PIN)
IMAGES = Path(__file__).parent.parent / "images"
UNPRIVILEGED = 65534


@pytest.fixture
def path(tmp_path: Path) -> Path:
    save_card(card_of("v3-sm4"), tmp_path / "card.db")
    return tmp_path / "card.db"


@contextmanager
def powered(path: Path, **options: object) -> Iterator[FileCard]:
    with open_card(path, Random(1), **options) as card:  # type: ignore[arg-type]
        card.power_on()
        yield card


def tries(path: Path) -> int:
    return load_card(path).snapshot().pin_tries


# What is in the file


@pytest.mark.parametrize("name", ["v1-des", "v2-3des", "v3-sm4"])
def test_a_card_file_holds_the_whole_card(tmp_path: Path, name: str) -> None:
    card = card_of(name)
    save_card(card, tmp_path / "card.db")
    assert image_of(tmp_path / "card.db") == write_image(card)


@pytest.mark.parametrize(
    "image", sorted(IMAGES.glob("[0-9]/*.json")), ids=lambda path: f"{path.parent.name}-{path.stem}"
)
def test_an_image_of_every_version_becomes_a_card_file(tmp_path: Path, image: Path) -> None:
    card = read_image(image.read_text(encoding="utf-8"), str(image))
    save_card(card, tmp_path / "card.db")
    assert image_of(tmp_path / "card.db") == write_image(card)
    with powered(tmp_path / "card.db") as opened:
        assert opened.card.memory.log is None
    assert load_card(tmp_path / "card.db").memory.log is None


def test_every_answer_is_in_the_file(path: Path) -> None:
    with powered(path) as card:
        for left in (5, 4, 3):
            assert card.transmit(WRONG)[-1] == 0xC0 | left
            assert on_disk(path).snapshot().pin_tries == left
        assert card.transmit(RIGHT) == b"\x90\x00"
        assert on_disk(path).snapshot().pin_tries == 6


@pytest.mark.parametrize("point", range(6))
@pytest.mark.parametrize("moment", list(Moment))
def test_a_torn_card_is_kept_torn_and_recovers_in_the_next_process(path: Path, point: int, moment: Moment) -> None:
    with powered(path) as card:
        card.card.memory.cut_power(point, moment)
        with suppress(PowerLost):
            card.transmit(WRONG)
            card.transmit(WRONG)
        torn = write_image(card.card)
    assert image_of(path) == torn
    with powered(path) as card:
        assert card.card.memory.log is None
        assert card.chip.snapshot().pin_tries in (4, 5, 6)
        assert card.transmit(RIGHT) == b"\x90\x00"


def test_the_log_beside_the_file_never_grows_beyond_what_was_reserved(path: Path) -> None:
    """4,000 commands, with PINs of other lengths in between."""
    with powered(path) as card:
        reserved = wal_of(path).stat().st_size
        for number in range(2000):
            card.transmit(WRONG if number % 2 else verify("111111"))
            card.transmit(RIGHT)
            if number % 10 == 0:
                other = PIN.ljust(6 + number // 10 % 5 * 2, "1")
                assert card.transmit(change(PIN, other)) == b"\x90\x00"
                assert card.transmit(change(other, PIN)) == b"\x90\x00"
        assert wal_of(path).stat().st_size == reserved
        assert card.transmit(RIGHT) == b"\x90\x00"
    assert tries(path) == 6


def test_nothing_stays_beside_a_card_file(path: Path) -> None:
    with powered(path) as card:
        card.transmit(WRONG)
    with pytest.raises(InputError), open_card(path.with_name("missing.db")):
        pass
    load_card(path)
    assert list(path.parent.iterdir()) == [path]


def test_both_interfaces_share_a_card(path: Path) -> None:
    with powered(path) as card:
        other = FileCard(card.store, path, Random(1), contact=False)
        other.power_on()
        assert card.transmit(WRONG) == b"\x63\xc5"
        assert other.transmit(WRONG) == b"\x63\xc4"
        assert on_disk(path).snapshot().pin_tries == 4


# Who holds it


def test_a_card_file_is_held_by_one_at_a_time(path: Path) -> None:
    with powered(path) as card:
        for use in (open_card(path).__enter__, lambda: load_card(path), lambda: save_card(card.card, path)):
            with pytest.raises(InputError, match=r"card\.db: is open in this process already\n"):
                use()
        assert card.transmit(RIGHT) == b"\x90\x00"
    with powered(path):
        pass


def test_a_second_process_is_refused_with_the_pid_of_the_first(path: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom sscard.issuer.cardfile import load_card, open_card, save_card\n"
        "path = Path(sys.argv[1])\ncard = load_card(path)\nprint(card.snapshot().pin_tries)\n"
        "for use in (open_card(path).__enter__, lambda: save_card(card, path)):\n"
        "    try:\n        use()\n    except Exception as error:\n        print(error)\n"
    )
    with powered(path) as card:
        card.transmit(WRONG)
        done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)  # noqa: S603
        assert card.transmit(WRONG) == b"\x63\xc4"
    holder = f"{path}: is in use by process {os.getpid()}\n  end that process, or use a copy of the card file"
    assert done.stdout == f"5\n{holder}\n{holder}\n"


def test_a_holder_that_died_holds_nothing_and_loses_nothing(path: Path) -> None:
    crash(path, WRONG, WRONG)
    assert wal_of(path).exists()
    assert tries(path) == 4
    with powered(path) as card:
        assert card.transmit(WRONG) == b"\x63\xc3"


# Errors other than an answer


class Interrupted(Random):
    def randbytes(self, n: int) -> bytes:
        raise KeyboardInterrupt(n)


def test_an_error_other_than_an_answer_ends_the_session_and_the_next_one_loads_from_the_file(path: Path) -> None:
    with open_card(path, Interrupted()) as card:
        card.power_on()
        card.transmit(WRONG)
        with pytest.raises(KeyboardInterrupt):
            card.transmit(bytes.fromhex("0084000008"))
        with pytest.raises(InputError, match="the session ended with KeyboardInterrupt\n  open the card again"):
            card.power_on()
    with powered(path) as card:
        assert card.transmit(WRONG) == b"\x63\xc4"


# Which file it is


def test_a_link_is_followed(tmp_path: Path, path: Path) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(path)
    save_card(card_of("v2-3des"), link)
    assert link.is_symlink()
    with powered(link) as card:
        card.transmit(WRONG)
        with pytest.raises(InputError, match="is open in this process already"), open_card(path):
            pass
    assert (load_card(path).profile.personality.name, tries(path)) == ("v2-3des", 5)


def test_a_file_with_two_names_is_refused(path: Path) -> None:
    path.with_name("other.db").hardlink_to(path)
    for use in (open_card(path).__enter__, lambda: save_card(card_of("v3-sm4"), path), lambda: load_card(path)):
        with pytest.raises(InputError, match=r"card\.db: has more than one name \(hard links\)"):
            use()


def replaced(path: Path) -> None:
    save_card(card_of("v2-3des"), path.with_name("new.db"))
    path.with_name("new.db").replace(path)


def edited(path: Path) -> None:
    subprocess.run(["dd", "if=/dev/zero", f"of={path}", "conv=notrunc", "count=1", "status=none"], check=True)  # noqa: S603, S607


CHANGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "replaced": (replaced, "was replaced while it was in use"),
    "deleted": (Path.unlink, "was deleted or moved while it was in use"),
    "moved": (lambda path: path.rename(path.with_name("moved.db")), "was deleted or moved while it was in use"),
    "edited": (edited, "was edited while it was in use"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_file_changed_while_in_use_ends_the_session_and_is_not_overwritten(path: Path, change: str) -> None:
    do, problem = CHANGES[change]
    with powered(path) as card:
        card.transmit(WRONG)
        do(path)
        before = path.read_bytes() if path.exists() else None
        for _ in range(2):
            with pytest.raises(InputError, match=problem):
                card.transmit(RIGHT)
        with pytest.raises(InputError, match=problem):
            card.power_on()
    assert (path.read_bytes() if path.exists() else None) == before


LOST_LOGS: dict[str, Callable[[Path], object]] = {
    "deleted": Path.unlink,
    "emptied": lambda wal: os.truncate(wal, 0),
    "shortened": lambda wal: os.truncate(wal, 5000),
    "replaced": lambda wal: shutil.copy(wal, wal.with_name("other")).replace(wal),
}


@pytest.mark.parametrize("loss", LOST_LOGS)
def test_a_log_lost_while_in_use_ends_the_session_and_gives_no_try_back(path: Path, loss: str) -> None:
    with powered(path) as card:
        card.transmit(WRONG)
        LOST_LOGS[loss](wal_of(path))
        for use in (lambda: card.transmit(RIGHT), card.power_on):
            with pytest.raises(InputError, match="its -wal file was deleted, replaced or edited while it was in use"):
                use()
    assert tries(path) == 5


def test_a_moved_file_is_whole_with_its_tries(path: Path) -> None:
    moved, told = path.with_name("moved.db"), list[Sayable]()
    with powered(path) as card:
        card.transmit(WRONG)
        path.rename(moved)
    assert load_card(moved, told.append).snapshot().pin_tries == 5
    assert told == []
    assert list(path.parent.iterdir()) == [moved]


def test_a_card_that_replaced_one_in_use_can_be_used_afterwards(path: Path) -> None:
    with powered(path) as card:
        card.transmit(WRONG)
        replaced(path)
    with powered(path) as card:
        assert card.transmit(WRONG) == b"\x63\xc5"
        assert card.card.profile.personality.name == "v2-3des"


def test_a_session_leaves_the_log_of_the_card_that_replaced_its_own(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "card.db"
    other.parent.mkdir()
    save_card(card_of("v2-3des"), other)
    crash(other, *[WRONG] * 4)
    with powered(path) as card:
        card.transmit(WRONG)
        wal_of(other).replace(wal_of(path))
        other.replace(path)
        with pytest.raises(InputError, match="was replaced"):
            card.transmit(RIGHT)
    assert on_disk(path).snapshot().pin_tries == 2


def test_an_edited_file_with_a_foreign_log_leaves_what_the_name_leads_to(path: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("yesterday\n", encoding="utf-8")
    with powered(path) as card:
        card.transmit(WRONG)
        wal_of(path).unlink()
        wal_of(path).symlink_to(victim)
        os.utime(path, (1, 1))
        with pytest.raises(InputError, match="was edited"):
            card.transmit(RIGHT)
    assert victim.read_text(encoding="utf-8") == "yesterday\n"


@pytest.mark.parametrize("meanwhile", [lambda path: os.utime(path, (1, 1)), replaced], ids=["edited", "replaced"])
def test_a_folder_in_place_of_the_log_ends_no_session_with_a_traceback(
    path: Path, meanwhile: Callable[[Path], object]
) -> None:
    with powered(path) as card:
        card.transmit(WRONG)
        wal_of(path).unlink()
        wal_of(path).mkdir()
        meanwhile(path)
        with pytest.raises(InputError, match="while it was in use"):
            card.transmit(RIGHT)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a limit on the size of files")
def test_an_opening_without_room_leaves_a_card_that_needs_no_log(path: Path) -> None:
    import resource

    told = list[Sayable]()
    room = path.stat().st_size + 1000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, room)
    try:
        with pytest.raises(InputError, match="File too large"), open_card(path, notify=told.append):
            pass
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert load_card(path, told.append).snapshot().pin_tries == 6
    assert told == []


def test_a_touched_file_keeps_its_tries(path: Path) -> None:
    with powered(path) as card:
        card.transmit(WRONG)
        os.utime(path, (1, 1))
        with pytest.raises(InputError, match="was edited"):
            card.transmit(RIGHT)
    assert tries(path) == 5


def make_device(path: Path) -> None:
    """A device of the same kind as /dev/null."""
    try:
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("only root makes a device")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with a name")
@pytest.mark.parametrize("make", [os.mkfifo, make_device, os.mkdir], ids=["pipe", "device", "folder"])
@pytest.mark.parametrize("linked", [False, True])
def test_only_a_regular_file_is_used(tmp_path: Path, make: Callable[[Path], None], linked: bool) -> None:
    node = tmp_path / "node"
    make(node)
    before = node.stat().st_mode
    path = node
    if linked:
        path = tmp_path / "link"
        path.symlink_to(node)
    left = sorted(tmp_path.iterdir())
    for use in (lambda: save_card(card_of("v3-sm4"), path), open_card(path).__enter__, lambda: load_card(path)):
        with pytest.raises(InputError, match=f"{path.name}: is not a regular file"):
            use()
    assert node.stat().st_mode == before
    assert sorted(tmp_path.iterdir()) == left


@pytest.mark.parametrize("name", ["", ".", "..", "/", "a" * 5000, "a" * 300, "a\0b"])
def test_a_name_that_no_file_can_have_is_refused_in_short(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for use in (lambda path: save_card(card_of("v3-sm4"), path), lambda path: open_card(path).__enter__()):
        with pytest.raises(InputError) as refused:
            use(Path(name))
        assert len(str(refused.value)) < 400
    assert list(tmp_path.iterdir()) == []


def test_a_loop_of_links_is_refused(tmp_path: Path) -> None:
    loop = tmp_path / "loop.db"
    loop.symlink_to(loop)
    with pytest.raises(InputError, match=r"loop\.db: cannot be used: Too many levels"), open_card(loop):
        pass


# Who may read and write it


def test_a_new_file_is_for_its_owner_only_and_so_is_its_log(path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with powered(path):
        assert stat.S_IMODE(wal_of(path).stat().st_mode) == 0o600


def test_a_replaced_file_keeps_its_mode_and_owner(path: Path) -> None:
    path.chmod(0o640)
    with suppress(PermissionError):
        os.chown(path, UNPRIVILEGED, UNPRIVILEGED)
    before = path.stat()
    save_card(card_of("v2-3des"), path)
    after = path.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    assert after.st_ino != before.st_ino


def test_a_file_that_others_can_read_is_named_in_a_warning(path: Path) -> None:
    told: list[Sayable] = []
    path.chmod(0o644)
    with powered(path, notify=told.append):
        pass
    assert list(map(say, told)) == [f"{path}: other users can read it, with its secrets: chmod 600 {path}"]


def test_a_link_in_the_place_of_a_new_file_is_not_followed(path: Path) -> None:
    victim = path.with_name("victim")
    victim.write_text("mine")
    path.with_name(".card.db.new").symlink_to(victim)
    save_card(card_of("v2-3des"), path)
    assert victim.read_text() == "mine"
    assert load_card(path).profile.personality.name == "v2-3des"


def as_other_user(use: Callable[[], object]) -> str:
    """The error that another user gets."""
    if os.geteuid():
        pytest.skip("only root becomes another user")
    os.seteuid(UNPRIVILEGED)
    try:
        with pytest.raises(InputError) as refused:
            use()
    finally:
        os.seteuid(0)
    return str(refused.value)


@pytest.fixture
def shared(path: Path) -> Path:
    """A card file that every user can read and none but its owner write."""
    for folder in (path.parent, *path.parents[1:4]):
        if folder != Path("/tmp"):  # noqa: S108
            folder.chmod(0o755)
    path.chmod(0o644)
    return path


def test_a_read_only_file_is_shown_and_not_opened(shared: Path) -> None:
    error = as_other_user(lambda: print(tries(shared)) or open_card(shared).__enter__())
    assert error.endswith(
        f"cannot be written: Permission denied\n  look at the permissions: ls -ld {shared} {shared.parent}"
    )


def test_a_read_only_folder_is_named(shared: Path) -> None:
    shared.chmod(0o666)
    assert "card.db: cannot be written: Permission denied\n" in as_other_user(open_card(shared).__enter__)
    assert tries(shared) == 6


# Where it lies


MOUNTED = "36 35 98:0 / {point} rw,noatime master:1 - {kind} server rw\n"


@pytest.mark.parametrize(
    ("kind", "sync", "warning"),
    [
        ("ext4", True, ""),
        ("tmpfs", False, ""),
        ("tmpfs", True, "is on tmpfs: in spite of --sync it is lost without power"),
        ("nfs4", False, "is on nfs4; whether changes survive a crash depends on its server"),
        ("fuse.sshfs", False, "is on fuse.sshfs; whether changes survive a crash depends on its server"),
        ("9p", True, "is on 9p; whether changes survive a crash depends on its server"),
    ],
)
def test_a_file_system_that_does_not_keep_its_promise_is_named(
    path: Path, kind: str, sync: bool, warning: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = path.with_name("mountinfo")
    point = str(path.parent).replace(" ", "\\040")
    mounts.write_text(MOUNTED.format(point="/", kind="ext4") + MOUNTED.format(point=point, kind=kind))
    monkeypatch.setattr(storage, "MOUNTS", mounts)
    told: list[Sayable] = []
    with powered(path, notify=told.append, sync=sync):
        pass
    assert list(map(say, told)) == ([f"{path}: {warning}"] if warning else [])


def test_a_file_that_is_mounted_alone_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = path.with_name("mountinfo")
    mounts.write_text(MOUNTED.format(point=path, kind="ext4"))
    monkeypatch.setattr(storage, "MOUNTS", mounts)
    with pytest.raises(InputError, match=r"is mounted as a single file\n  mount the folder"), open_card(path):
        pass


# Logs that do not belong to it


def refused_log(path: Path) -> str:
    before = path.read_bytes()
    messages = set()
    for use in (open_card(path).__enter__, lambda: load_card(path)):
        with pytest.raises(InputError) as refused:
            use()
        messages.add(str(refused.value))
    assert path.read_bytes() == before
    (message,) = messages
    return message


def test_a_log_of_another_card_is_not_applied(path: Path) -> None:
    other = path.with_name("other.db")
    save_card(card_of("v2-3des"), other)
    crash(other, WRONG)
    wal_of(other).rename(wal_of(path))
    message = refused_log(path)
    assert "card.db: card.db-wal does not belong to this card file, which was copied or replaced" in message
    assert f"rm {wal_of(path)}" in message
    wal_of(path).unlink()
    assert tries(path) == 6


def test_a_log_is_not_applied_to_an_older_copy_of_its_file(path: Path) -> None:
    backup = path.with_name("backup.db")
    shutil.copy(path, backup)
    with powered(path) as card:
        card.transmit(WRONG)
    crash(path, WRONG)
    shutil.copy(backup, path)
    refused_log(path)


def test_a_log_is_not_applied_to_a_copy_made_before_its_session(path: Path) -> None:
    """The state of the copy is the one before the session, but what the session wrote to the file itself is missing."""
    backup = path.with_name("backup.db")
    with powered(path) as card:
        card.transmit(WRONG)
    shutil.copy(path, backup)
    crash(path, WRONG)
    assert tries(path) == 4
    shutil.copy(backup, path)
    refused_log(path)


@pytest.mark.parametrize("length", [0, 10, 32, 40, 56, 100, 3000, 4151, 4152, 5000])
def test_a_log_that_a_killed_process_left_incomplete_is_no_other_cards(path: Path, length: int) -> None:
    """Nothing of it is whole: the file is as it was when it was last opened, or just opened; a warning says so."""
    crash(path, WRONG)
    content = wal_of(path).read_bytes()
    wal_of(path).write_bytes(content[:length])
    told = list[Sayable]()
    load_card(path, told.append)
    with powered(path, notify=told.append) as card:
        assert card.transmit(WRONG) == b"\x63\xc5"
    assert len(told) == 2 * (length < 4152)  # from there on the first transaction, which opens the session, is whole


@pytest.mark.parametrize("offset", [0, 8, 100, 4000])
def test_a_log_that_is_damaged_after_a_crash_is_named_in_a_warning(path: Path, offset: int) -> None:
    crash(path, WRONG)
    content = bytearray(wal_of(path).read_bytes())
    content[offset : offset + 4] = bytes(each ^ 0xFF for each in content[offset : offset + 4])
    wal_of(path).write_bytes(content)
    told = list[Sayable]()
    with powered(path, notify=told.append):
        pass
    assert "card.db-wal is missing or damaged: its state may be an earlier one" in say(told[0])


def test_a_card_file_whose_last_two_sessions_were_killed_opens(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one as it opens the file: its stamp is in the file, the log is still that of the first one."""
    crash(path, WRONG)
    with monkeypatch.context() as patched:
        patched.setattr(CardStore, "_count", lambda _store: os._exit(0))
        crash(path)
    assert tries(path) == 5


def test_a_card_that_is_issued_over_a_crashed_one_is_new(path: Path) -> None:
    crash(path, WRONG)
    save_card(card_of("v3-sm4"), path)
    assert not wal_of(path).exists()
    assert tries(path) == 6


@pytest.mark.parametrize("suffix", ["-wal", "-journal"])
def test_a_link_or_journal_beside_a_card_file_is_refused(path: Path, suffix: str) -> None:
    path.with_name("elsewhere").write_text("mine")
    path.with_name(f"card.db{suffix}").symlink_to("elsewhere")
    assert f"card.db{suffix} does not belong" in refused_log(path)
    assert path.with_name("elsewhere").read_text() == "mine"


def test_a_copy_of_a_card_in_use_is_that_card_with_its_log_and_an_earlier_one_without(path: Path) -> None:
    copy, told = path.with_name("copy.db"), list[Sayable]()
    with powered(path) as card:
        card.transmit(WRONG)
        subprocess.run(["cp", path, copy], check=True)  # noqa: S603, S607
        subprocess.run(["cp", wal_of(path), wal_of(copy)], check=True)  # noqa: S603, S607
    assert tries(copy) == 5
    wal_of(copy).unlink()
    with powered(copy, notify=told.append):
        pass
    (message,) = map(say, told)
    assert "copy.db-wal is missing or damaged: its state may be an earlier one" in message
    told.clear()
    with powered(copy, notify=told.append):
        assert told == []


# What cannot be a card


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is not a card file"),
        (b"{}", "is a JSON image, not a card file"),
        (b"\xef\xbb\xbf{}", "is a JSON image, not a card file"),
        (b"SQLite format 3\0" + bytes(500), "is not a card file"),
    ],
)
def test_what_is_no_card_file_is_refused(path: Path, content: bytes, problem: str) -> None:
    path.write_bytes(content)
    for use in (open_card(path).__enter__, lambda: load_card(path)):
        with pytest.raises(InputError, match=problem):
            use()
    assert path.read_bytes() == content


def test_a_json_image_is_refused_with_the_command_that_imports_it(tmp_path: Path) -> None:
    image = tmp_path / "card.json"
    image.write_text(write_image(card_of("v3-sm4")), encoding="utf-8")
    with pytest.raises(InputError, match=f"sscard image import {image} -o {tmp_path}/card.db"), open_card(image):
        pass


def changed(path: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("PRAGMA ignore_check_constraints = ON")
        database.execute(statement, values)


NUMBER = "UPDATE number SET value = ? WHERE number = (SELECT number FROM cell WHERE kind = 'number' AND name = ?)"
STRING = "UPDATE string SET value = ? WHERE number = (SELECT number FROM cell WHERE kind = 'string' AND name = ?)"


@pytest.mark.parametrize(
    ("statement", "values", "problem"),
    [
        (NUMBER, (7, "pin tries"), "memory.numbers.pin tries: 0 to 6 expected, got 7"),
        (NUMBER, (-1, "pin tries"), "memory.numbers.pin tries"),
        (NUMBER, (2, "card blocked"), "memory.numbers.card blocked: 0 to 1 expected, got 2"),
        (NUMBER, (4, "PUK 1 tries"), "memory.numbers.PUK 1 tries: 0 to 3 expected, got 4"),
        (NUMBER, (1 << 32, "account balance"), "memory.numbers.account balance"),
        (NUMBER, (70000, "account load count"), "memory.numbers.account load count: 0 to 65535 expected"),
        (NUMBER, ("6", "pin tries"), "memory.numbers.pin tries"),
        (STRING, (b"\x12", "pin"), "memory.strings.pin: 2 to 8 bytes of digits expected"),
        (STRING, (bytes(9), "pin"), "memory.strings.pin: 2 to 8 bytes of digits expected"),
        (STRING, (b"\xab\xcd", "pin"), "memory.strings.pin: 2 to 8 bytes of digits expected"),
        (STRING, (b"\x01\x02\x03", "SSSE EF05"), "memory.strings.SSSE EF05: complete TLV records expected"),
        (STRING, (bytes(9999), "SSSE EF05"), "memory.strings.SSSE EF05: at most"),
        (STRING, (b"\x01", "DF04 EF08"), "memory.strings.DF04 EF08: records of"),
        (STRING, (b"\x01", "load proof"), "memory.strings.load proof: 10 bytes expected"),
        ("UPDATE key SET value = '00' WHERE name = ?", ("PUK",), "keys.PUK: 32 hex digits expected"),
        ("DELETE FROM key WHERE name = ?", ("PUK",), "field 'keys.PUK' is missing"),
        ("UPDATE card SET value = ? WHERE name = 'historical'", ("00",), "historical"),
        ("DELETE FROM number WHERE number = ?", (1,), "is a damaged card file"),
        ("DELETE FROM number WHERE number = ?", (0,), "is a damaged card file"),
        ("UPDATE cell SET name = 'card blocked' WHERE name = ?", ("pin tries",), "is a damaged card file"),
        ("DELETE FROM card WHERE name = ?", ("personality",), "is a damaged card file"),
        ("CREATE TRIGGER more AFTER UPDATE ON number BEGIN DELETE FROM string; END", (), "is a damaged card file"),
        ("PRAGMA user_version = 99", (), "is of version 99, this sscard reads up to"),
        ("PRAGMA user_version = 0", (), "has no version"),
    ],
)
def test_a_value_that_no_card_has_is_refused_with_file_and_cell(
    path: Path, statement: str, values: tuple[object, ...], problem: str
) -> None:
    changed(path, statement, *values)
    for use in (lambda: open_card(path).__enter__(), lambda: load_card(path)):
        with pytest.raises(InputError) as refused:
            use()
        assert problem in str(refused.value)
        assert str(refused.value).startswith(f"{path}: ")


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_no_damage_crashes_the_loading_or_the_chip(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "card.db"
    wal_of(path).unlink(missing_ok=True)
    save_card(card_of("v3-sm4"), path)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, 60_000))
        content[at : at + 8] = data.draw(st.binary(min_size=1, max_size=8))
    path.write_bytes(content[: data.draw(st.sampled_from([len(content), 100, 5000, 70_000]))])
    with suppress(InputError):
        load_card(path)
    with suppress(InputError), powered(path) as card:
        for command in (RIGHT, WRONG, bytes.fromhex("00B2012C00"), bytes.fromhex("00A4000002DF04"), b"\0\xb0\x81\0\0"):
            assert len(card.transmit(command)) >= 2


def test_a_cell_that_is_new_in_this_sscard_gets_its_blank_value_and_is_kept(path: Path) -> None:
    changed(path, "DELETE FROM number WHERE number = (SELECT max(number) FROM number)")
    changed(
        path, "DELETE FROM cell WHERE kind = 'number' AND number = (SELECT max(number) FROM cell WHERE kind = 'number')"
    )
    changed(path, "UPDATE cell SET name = 'EF99' WHERE name = 'purchase proof'")
    told: list[Sayable] = []
    with powered(path, notify=told.append) as card:
        card.transmit(WRONG)
    assert len(told) == 2
    told.clear()
    assert load_card(path, told.append).snapshot().pin_tries == 5
    assert told == []


@pytest.mark.parametrize("where", ["os.fsync", "pathlib.Path.replace", "os.open"])
def test_a_failed_write_leaves_the_old_file(path: Path, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    before = path.read_bytes()
    with monkeypatch.context() as broken:
        broken.setattr(where, full)
        with pytest.raises(MissingPart, match=r"card\.db: cannot be written: No space left"):
            save_card(card_of("v2-3des"), path)
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == ["card.db"]


def test_a_card_file_of_version_2_keeps_its_choices_and_gets_a_count_of_unlocks(path: Path) -> None:
    """As an earlier sscard wrote it: without the later fields of the personality and the last cell."""
    with closing(sqlite3.connect(path)) as database:
        (written,) = database.execute("SELECT value FROM card WHERE name = 'personality'").fetchone()
        earlier = {name: value for name, value in json.loads(written).items() if name not in LATER}
        earlier |= {"dir_sfi": 0}
        database.execute("UPDATE card SET value = ? WHERE name = 'personality'", (json.dumps(earlier),))
        (number,) = database.execute("SELECT number FROM cell WHERE name = 'pin unlocks'").fetchone()
        database.execute("DELETE FROM number WHERE number = ?", (number,))
        database.execute("DELETE FROM cell WHERE name = 'pin unlocks'")
        database.execute("PRAGMA user_version = 2")
        database.commit()
    told: list[Sayable] = []
    with powered(path, notify=told.append) as card:
        assert card.transmit(bytes.fromhex("00A4010002DF03")) == b"\x6a\x86"
        assert card.transmit(bytes.fromhex("00B2012C00")) == b"\x6c\x12"
        assert card.card.profile.personality.unlock_limit == 0
    assert f"{path}: is of version 2, migrated to version 3" in map(say, told)
    told.clear()
    with powered(path, notify=told.append) as card:
        assert card.transmit(bytes.fromhex("00A4010002DF03")) == b"\x6a\x86"
        assert card.card.memory.numbers[card.card.profile.layout.unlocks] == 0
    assert told == []


LATER = {
    "health_application",
    "fci_algorithm",
    "long_uid",
    "select_child",
    "unlock_limit",
    "whole_record_contact",
    "whole_record_contactless",
}
