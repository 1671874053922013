"""A file that is replaced whole, interrupted: ``sscard issue --force`` and ``sscard image export --force``.

At each system call on the file, its new content beside it, and their folder,
the process is killed or the call fails. And the calls of a run without fault
say what a power loss may leave: of the folder's names those of its last sync
or the present ones, of an unsynced file any subset of its sectors.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

from sscard.errors import PhrasedError
from sscard.files import read_text
from sscard.i18n.phrase import Phrase
from sscard.issuer.cardfile import load_card
from sscard.issuer.image import read_image
from sscard.issuer.personalise import Card
from sscard.model.invariants import ANSWER_KEPT, FILE_OPENS, OLD_OR_NEW
from sscard.proof.facts import card_facts
from sscard.proof.sessions import PROGRAM, Broken
from sscard.proof.stored import Operation, Stored

CALLS: Final = ("openat", "write", "fsync", "chmod", "fchmod", "chown", "rename", "unlink")
LINE: Final = re.compile(
    r"^(?:\d+ +)?(\w+)\((?:(\d+)<([^>]*)>|(?:AT_FDCWD<[^>]*>, )?\"([^\"]*)\")(.*)\) += (\d+)(?:<.*>)?$"
)
RENAMED: Final = re.compile(r', "([^"]*)"')
FAULTS: Final = {
    "KILL": "signal=SIGKILL",
    **{errno.errorcode[number]: f"error={errno.errorcode[number]}" for number in (errno.ENOSPC, errno.EIO)},
}
KILLED: Final = 9
"""The number of SIGKILL, which Windows does not have."""
REFUSED: Final = (2, 3)
"""Exit codes of a command that could not replace the file."""


class Kind(NamedTuple):
    """A command that replaces a file: the file, the command, how the card in the file is read."""

    name: str
    arguments: tuple[str, ...]
    read: Callable[[Path], Card]


KINDS: Final = (
    Kind("card.db", ("issue", "--seed", "2", "--force", "-o", "card.db"), load_card),
    Kind(
        "card.json",
        ("image", "export", "new.db", "--force", "-o", "card.json"),
        lambda path: read_image(read_text(path), str(path)),
    ),
)


class Call(NamedTuple):
    """A system call: its name, which call of this name, and what it does to the folder, if anything."""

    name: str
    number: int
    operation: Operation | None = None
    to: str = ""
    """The new name, of a rename."""


class Replacement:
    """A command that replaces a file in a folder of its own; before each run the file is the old one."""

    def __init__(self, folder: Path, kind: Kind) -> None:
        self._kind = kind
        self._kept = folder / "kept"
        self._folder = folder / "here"
        self._kept.mkdir(parents=True)
        for seed, name in ((1, "card.db"), (2, "new.db")):
            self._run(self._kept, ("issue", "--seed", str(seed), "-o", name)).check_returncode()
        self._run(self._kept, ("image", "export", "card.db", "-o", "card.json")).check_returncode()
        self._old = self._facts(self._kept / kind.name)
        self._restore()
        self._traced().check_returncode()
        self._new = self._facts(self._folder / kind.name)
        self._content = (self._folder / kind.name).read_bytes()
        self.calls = list(self._read_calls())

    def interrupted(self, call: Call, fault: str) -> Iterator[Broken]:
        """Run the command with a fault at a call; what is broken after it."""
        self._restore()
        inject = f"inject={call.name}:{FAULTS[fault]}:when={call.number}"
        code = self._traced("-e", inject).returncode
        after = self._facts(self._folder / self._kind.name)
        command = self._kind.arguments[0]
        happened = Phrase(
            "{command}: {fault} at {call} {number}", command=command, fault=fault, call=call.name, number=call.number
        )
        if after not in (self._old, self._new):
            yield (OLD_OR_NEW if after else FILE_OPENS), happened
        if code not in (0, -KILLED, 128 + KILLED, *REFUSED):
            yield ANSWER_KEPT, happened
        if code == 0 and after != self._new:  # it said that it had replaced the file
            yield ANSWER_KEPT, happened
        if self._run(self._folder, self._kind.arguments).returncode:  # what is left must not be in the way
            yield FILE_OPENS, happened

    def powerless(self, random: Random) -> Iterator[list[Broken]]:
        """What is broken after a power loss before each call, for each content of the folder that it may leave."""
        path = self._folder / self._kind.name
        files = {self._kind.name: Stored((self._kept / self._kind.name).read_bytes())}
        synced = dict(files)
        written = 0
        for call in [*self.calls, Call("end", 1)]:
            for names in (synced, files):
                left = {name: list(file.after_power_loss(random)) for name, file in names.items()}
                for chosen in product(*left.values()):
                    for name, (content, length) in zip(left, chosen, strict=True):
                        (self._folder / name).write_bytes(content.ljust(length, b"\0"))
                    lost = self._kind.name not in names or self._facts(path) not in (self._old, self._new)
                    happened = Phrase("power loss before {call} {number}", call=call.name, number=call.number)
                    yield [(FILE_OPENS, happened)] if lost else []
            operation = call.operation
            if operation is None:
                continue
            if call.name == "rename":
                files[call.to] = files.pop(operation.file)
            elif call.name == "unlink":
                files.pop(operation.file, None)
            elif call.name == "openat":
                files[operation.file] = Stored(b"")
            elif operation.file == self._folder.name:
                synced = dict(files)
            else:
                data = self._content[written : written + operation.length]
                written += operation.length
                files[operation.file].apply(operation._replace(offset=written - len(data), data=data))

    def _restore(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        shutil.copytree(self._kept, self._folder)

    def _facts(self, path: Path) -> object:
        """The card in a file; nothing if it cannot be read."""
        try:
            card = self._kind.read(path)
        except PhrasedError:
            return None
        return card_facts(card.profile, card.memory)

    def _read_calls(self) -> Iterator[Call]:
        counts: dict[str, int] = {}
        for line in self._log.read_text(errors="replace").splitlines():
            found = LINE.match(line)
            name = line.split("(")[0].split()[-1]
            counts[name] = counts.get(name, 0) + 1
            if found is None:  # it failed: an unlink of nothing
                yield Call(name, counts[name])
                continue
            place = Path(found[3] or found[4]).name
            renamed = RENAMED.search(found[5])
            operation = None
            if name in ("write", "fsync", "rename", "unlink") or "O_CREAT" in found[5]:
                kind = {"fsync": "sync"}.get(name, name)
                operation = Operation(kind, place, 0, int(found[6]) if name == "write" else 0)
            yield Call(name, counts[name], operation, Path(renamed[1]).name if name == "rename" and renamed else "")

    @property
    def _log(self) -> Path:
        return self._kept.with_name("calls")

    def _traced(self, *injected: str) -> subprocess.CompletedProcess[bytes]:
        """The command under strace, which sees only the calls on the file, its new content and the folder."""
        paths = [self._folder, self._folder / self._kind.name, self._folder / f".{self._kind.name}.new"]
        seen = [word for path in paths for word in ("-P", str(path))]
        calls = ("-e", f"trace={','.join(CALLS)}", *injected)
        strace = ("strace", "-f", "-qq", "-y", "-s", "0", "-o", str(self._log), *seen, *calls)
        return self._run(self._folder, self._kind.arguments, strace)

    def _run(
        self, folder: Path, arguments: tuple[str, ...], before: tuple[str, ...] = ()
    ) -> subprocess.CompletedProcess[bytes]:
        environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONSAFEPATH": "1"}
        command = [*before, *PROGRAM, *arguments]
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False)  # noqa: S603
