"""``sscard prove fuzz``: coverage-guided fuzzing with atheris; only errors with a message come out of a target.

Each target runs in a process of its own, because the fuzzer ends its process.
It writes what it found to a file, and continues.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

from sscard.errors import MissingPart
from sscard.i18n.language import say
from sscard.i18n.phrase import Phrase, Sayable
from sscard.model.invariants import IN_TIME, ONLY_ERRORS
from sscard.pickling import PortableError
from sscard.proof.report import Proof

SECONDS: Final = 20
LONGEST: Final = 10
"""Seconds that one input may take."""
PROGRAM: Final = (
    "import atheris\nwith atheris.instrument_imports(include=['sscard']):\n    import sscard.proof.fuzz\n"
    "sscard.proof.fuzz.run_fuzzer(atheris)"
)
SHARED_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - for the speed of the files, in a folder of our own
FOUND: Final = "found.jsonl"
MOST_FOUND: Final = 10
LOOK: Final = 1024
"""Inputs between two checks whether the process that started the fuzzer is still there."""
DONE: Final = re.compile(r"^(?:#|stat::number_of_executed_units:\s*)(\d+)")
KINDS: Final = {
    "crash": (ONLY_ERRORS, Phrase("the process crashed")),
    "oom": (ONLY_ERRORS, Phrase("the process took too much memory")),
    "timeout": (IN_TIME, Phrase("no end within {seconds} s", seconds=LONGEST)),
}
"""The files that the fuzzer leaves."""


class Wrong(PortableError):
    """An answer that is not allowed."""

    def __init__(self, said: Sayable) -> None:
        super().__init__(said)
        self.said = said


class Target(NamedTuple):
    """Runs one input; ``seeds`` are inputs to begin with, ``longest`` is in bytes."""

    run: Callable[[bytes], None]
    seeds: list[bytes]
    longest: int


def place_of(name: str) -> str:
    """The module and function of a target of ours."""
    return f"sscard.proof.targets:{name.replace('-', '_')}"


def make(place: str, folder: Path) -> Target:
    """The target of a place, with an empty folder for its files."""
    module, _colon, name = place.partition(":")
    made: Target = getattr(import_module(module), name)(folder)
    return made


def prove_fuzz(proof: Proof, names: Iterable[str], *, cases: int = 0, seconds: int = SECONDS) -> None:
    """Fuzz targets one after another, each until so many cases or seconds; 0 is no limit.

    An input that breaks a target is written to the working folder.
    ``MissingPart`` without atheris.
    """
    if find_spec("atheris") is None:
        raise MissingPart(Phrase("atheris is not installed"), "pip install 'sscard[proof]'")
    for name in names:
        fuzz_target(proof, name, place_of(name), cases=cases, seconds=seconds)


def fuzz_target(proof: Proof, name: str, place: str, *, cases: int = 0, seconds: int = SECONDS) -> None:
    """Fuzz the target that ``module:function`` makes, and report it under a name."""
    shared = SHARED_MEMORY if os.access(SHARED_MEMORY, os.W_OK) else None
    with TemporaryDirectory(prefix="sscard-fuzz-", dir=shared) as made:
        folder = Path(made)
        command = [sys.executable, "-c", PROGRAM, place, made, str(os.getpid())]
        command += [f"-runs={cases or -1}", f"-max_total_time={seconds}", f"-seed={proof.seed + 1}"]
        log: list[str] = []
        with subprocess.Popen(  # noqa: S603
            command,
            env=os.environ | {"TMPDIR": made, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
        ) as process:
            try:
                assert process.stderr is not None
                before = 0
                for line in process.stderr:
                    log = [*log[-20:], line]
                    if done := DONE.match(line):
                        proof.count(name, int(done[1]) - before)
                        before = int(done[1])
            finally:
                process.kill()
        found = folder / FOUND
        for line in found.read_text().splitlines() if found.exists() else []:
            row = json.loads(line)
            _violate(proof, name, ONLY_ERRORS, Phrase.quoting(row["problem"]), bytes.fromhex(row["input"]))
        left = [path for path in folder.iterdir() if path.name.partition("-")[0] in KINDS]
        for path in left:
            invariant, happened = KINDS[path.name.partition("-")[0]]
            _violate(proof, name, invariant, happened, path.read_bytes())
        if process.returncode and not left:
            raise MissingPart(
                Phrase("the fuzzer ended with code {code}\n{log}", code=process.returncode, log="".join(log)),
                "pip install 'sscard[proof]'",
            )


def replay(proof: Proof, name: str, data: bytes) -> None:
    """Run one input of a target in this process."""
    with TemporaryDirectory(prefix="sscard-fuzz-") as folder:
        problem = problem_of(make(place_of(name), Path(folder)), data)
        proof.count(name)
        if problem:
            _violate(proof, name, ONLY_ERRORS, Phrase.quoting(problem), data)


def _violate(proof: Proof, name: str, invariant: str, happened: Sayable, data: bytes) -> None:
    path = Path(f"fuzz-{name}-{hashlib.sha256(data).hexdigest()[:12]}")
    path.write_bytes(data)
    proof.violate(
        invariant,
        Phrase("{name}: {happened}", name=name, happened=happened),
        f"sscard prove fuzz {name} --input {path}",
    )


def problem_of(target: Target, data: bytes) -> str:
    """The error that breaks a target, with its place but without its text, which may hold anything; or nothing."""
    try:
        target.run(data)
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        said = f": {say(error.said)}" if isinstance(error, Wrong) else ""
        return f"{type(error).__name__}{said} in {Path(frame.filename).name}, line {frame.lineno}"
    return ""


def run_fuzzer(atheris: Any) -> None:
    """The process of a target: arguments are its place, its folder, the process that started it, and options."""
    _program, place, made, parent, *options = sys.argv
    folder = Path(made)
    with atheris.instrument_imports(include=["sscard", re.split("[.:]", place)[0]]):
        target = make(place, folder)
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(target.seeds):
        (corpus / str(number)).write_bytes(seed)
    known: set[str] = set()
    count = 0

    def run(data: bytes) -> None:
        nonlocal count
        count += 1
        if count % LOOK == 0 and os.getppid() != int(parent):
            os._exit(1)
        problem = problem_of(target, data)
        if problem and problem not in known and len(known) < MOST_FOUND:
            known.add(problem)
            with (folder / FOUND).open("a") as found:
                found.write(json.dumps({"problem": problem, "input": data.hex()}) + "\n")

    options += [f"-timeout={LONGEST}", f"-max_len={target.longest}", f"-artifact_prefix={made}/"]
    atheris.Setup(["sscard", *options, "-print_final_stats=1", "-rss_limit_mb=2048", str(corpus)], run)
    atheris.Fuzz()
