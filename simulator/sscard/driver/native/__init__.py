"""Build the driver's C library from its source, for this machine or for Windows."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from importlib import resources
from pathlib import Path
from typing import Final, NamedTuple

from sscard.errors import InputError, MissingPart
from sscard.files import cache_folder, unwritable
from sscard.i18n.phrase import Phrase

HEADER: Final = "sscarddriver.h"
SOURCE: Final = "sscarddriver.c"
EXAMPLE: Final = "example.c"
WARNINGS: Final = ("-Wall", "-Wextra")


class System(NamedTuple):
    """A target of the build: library file, compiler, its options, and the package that contains it."""

    library: str
    compiler: str
    options: tuple[str, ...]
    package: str


UNIX: Final = System("libsscarddriver.so", "cc", ("-fPIC", "-fvisibility=hidden", "-pthread"), "gcc libc6-dev")
_DLL: Final = ("-lws2_32", "-Wl,--kill-at")
SYSTEMS: Final = {
    "here": UNIX,
    "win64": System("sscarddriver.dll", "x86_64-w64-mingw32-gcc", _DLL, "gcc-mingw-w64-x86-64"),
    "win32": System("sscarddriver.dll", "i686-w64-mingw32-gcc", _DLL, "gcc-mingw-w64-i686"),
}
"""Targets of the build; on Windows both 32-bit and 64-bit applications are common."""


def source_folder() -> Path:
    """The folder with source, header, example and PROTOCOL.md."""
    return Path(str(resources.files(__package__)))


def build(folder: Path, system: System = UNIX, *, compiler: str = "", options: tuple[str, ...] = ()) -> Path:
    """Compile the library into ``folder``, with header and example.c; return the library's path.

    ``compiler`` replaces the default compiler of the target.
    Errors: ``MissingPart`` without a compiler, ``InputError`` if it fails.
    """
    command = shlex.split(compiler) or [system.compiler]
    if shutil.which(command[0]) is None:
        raise MissingPart(
            Phrase("no C compiler: {program}", program=command[0]), f"sudo apt-get install {system.package}"
        )
    source, library = source_folder(), folder / system.library
    beside = folder / f".{system.library}.new"
    arguments = ["-std=c11", "-O2", *WARNINGS, "-shared", str(source / SOURCE), "-o", str(beside), *system.options]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run([*command, *arguments, *options], capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            raise InputError(
                Phrase("{program} failed:\n{output}", program=command[0], output=done.stderr.strip()),
                file=str(source / SOURCE),
            )
        for name in (HEADER, EXAMPLE):
            shutil.copyfile(source / name, folder / name)
        beside.replace(library)  # a program that has loaded the old library keeps it
    except OSError as error:
        raise unwritable(folder, error) from None
    return library


def cached_library(version: str, system: str = "here") -> Path:
    """The path of this user's library of a version, for one of ``SYSTEMS``."""
    return cache_folder() / version / system / SYSTEMS[system].library
