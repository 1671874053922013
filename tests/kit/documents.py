"""The documents of the project: their blocks, links and words, and a shell that runs the blocks as a reader does.

How a block is run follows from its language. ``sh`` is a script and must end
with 0. ``console`` has commands after ``$``; the lines below a command must
appear in its output in this order, ``…`` stands in for any text. ``python`` is
a program; ``print(x)  # text`` must print the text, up to a colon. ``text`` is
not run. A block of any language after "Save this as `name`:" is a file.

A comment above the block, ``<!-- test: … -->``, changes that: ``skip, reason``;
``background, text`` runs it until the end of the document and waits for the
text; ``pcscd`` runs the document with a private PC/SC daemon; ``softhsm`` is run if SoftHSM is installed.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from kit.programs import Program, running
from kit.waiting import PATIENCE

ROOT = Path(__file__).parents[2]
SHEETS = ROOT / "docs" / "standard"
GENERATED = ROOT / "docs" / "reference"
BLOCK = re.compile(
    r"(?:^<!-- test: (?P<mark>\w+)(?:, (?P<detail>[^\n]*))? -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
FILE = re.compile(r"(?:Save this as|存为) `([^`]+)`[^\n]*\n\n\Z")
PLUGINS = ".plugins"
"""The folder into which a document installs packages."""
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    """A fenced block; ``file`` is the name under which a reader saves it."""

    line: int
    language: str
    text: str
    mark: str = ""
    detail: str = ""
    file: str = ""


@dataclass(frozen=True)
class Document:
    """A Markdown file of the repository."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @property
    def text(self) -> str:
        return self.path.read_text("utf-8")

    @property
    def prose(self) -> str:
        """The text without its blocks and comments."""
        return re.sub(r"<!--.*?-->", "", BLOCK.sub("", self.text), flags=re.DOTALL)

    def blocks(self) -> list[Block]:
        return list(blocks(self.text))

    def links(self) -> list[str]:
        return LINK.findall(self.prose)

    def anchors(self) -> set[str]:
        """The names of the headings, as code hosts make them."""
        headings = re.findall(r"^#+ (.+)$", self.prose, re.MULTILINE)
        return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def blocks(text: str) -> Iterator[Block]:
    """The fenced blocks of a Markdown text."""
    for found in BLOCK.finditer(text):
        file = FILE.search(text[: found.start()])
        yield Block(
            text.count("\n", 0, found.start("text")),
            found["language"],
            found["text"],
            found["mark"] or "",
            found["detail"] or "",
            file[1] if file else "",
        )


def documents() -> list[Document]:
    """Everything a user reads; the fact sheets and generated pages have no commands to follow."""
    pages = (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").glob("*.md"))
    return [Document(path) for path in sorted(pages) if not {SHEETS, GENERATED} & set(path.parents)]


class Reader:
    """Types what a document says, in a folder of its own; ``replaced`` has the names that differ here.

    A block may run the whole suite, a hundred times the work of what others wait for: its ``patience`` is longer.
    """

    def __init__(self, folder: Path, replaced: Mapping[str, str], patience: float = 10 * PATIENCE) -> None:
        self._folder = folder
        self._replaced = replaced
        self._patience = patience
        self._background = ExitStack()
        programs = folder / ".bin"
        programs.mkdir()
        for name, module in (("sscard", "-m sscard.cli.main"), ("pytest", "-m pytest"), ("python3", "")):
            (programs / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {module} "$@"\n')
            (programs / name).chmod(0o755)
        self.environment = {
            "PATH": os.pathsep.join((str(programs), os.environ["PATH"])),
            "HOME": str(folder),
            "XDG_DATA_HOME": str(folder / ".data"),
            "XDG_CACHE_HOME": str(folder / ".cache"),
            "XDG_RUNTIME_DIR": str(folder / ".run"),
            "PYTHONPATH": os.pathsep.join((str(folder / PLUGINS), os.environ.get("PYTHONPATH", ""))),
            "COLUMNS": "120",
            "LANGUAGE": "en",
        }
        (folder / ".run").mkdir(mode=0o700)

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self._background.close()

    def follow(self, block: Block) -> None:
        """Do what a block says; raises AssertionError if it does not work."""
        if block.file:
            path = self._folder / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self._here(block.text), "utf-8")
            return
        if block.mark == "skip" or block.language == "text":
            return
        assert block.language in ("sh", "console", "python"), f"line {block.line}: neither run, nor saved, nor text"
        if block.mark == "background":
            self._start(block)
        elif block.language == "python":
            self._run_python(block)
        elif block.language == "sh":
            self._run(block.text)
        else:
            for command, expected in commands(block.text):
                check(expected, self._run(command, any_code=True))

    def _start(self, block: Block) -> None:
        [(command, expected)] = commands(block.text) if block.language == "console" else [(block.text.strip(), [])]
        program: Program = self._background.enter_context(
            running(f"cd '{self._folder}' && exec {self._here(command)}", program=("bash", "-c"), **self.environment)
        )
        printed = [program.line()]
        while block.detail not in printed[-1]:
            printed.append(program.line())
        printed += [program.line() for _ in expected[len(printed) :]]
        check([self._here(line) for line in expected], "".join(printed))

    def _run_python(self, block: Block) -> None:
        (self._folder / "program.py").write_text(block.text, "utf-8")
        printed = self._run("python3 program.py").splitlines()
        expected = [
            re.split("[:：]", said)[0] for said in re.findall(r"print\(.*\)  # (.+)$", block.text, re.MULTILINE)
        ]
        assert printed[: len(expected)] == expected

    def _run(self, script: str, *, any_code: bool = False) -> str:
        with subprocess.Popen(  # noqa: S603
            ["bash", "-uc" if any_code else "-euc", self._here(script)],  # noqa: S607
            cwd=self._folder,
            env={**os.environ, **self.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        ) as shell:
            try:
                printed, _none = shell.communicate(timeout=self._patience)
            except subprocess.TimeoutExpired:
                os.killpg(shell.pid, signal.SIGKILL)  # with the programs that the shell has started
                printed, _none = shell.communicate()
                raise AssertionError(f"{script}\nhas not ended after {self._patience} s\n{printed}") from None
        assert any_code or shell.returncode == 0, f"{script}\n{printed}"
        return printed

    def _here(self, script: str) -> str:
        """A command as it must be typed in this environment."""
        for printed, typed in self._replaced.items():
            script = script.replace(printed, typed)
        return script


def commands(text: str) -> list[tuple[str, list[str]]]:
    """The commands of a ``console`` block, each with the lines it prints; a trailing backslash continues a command."""
    found: list[tuple[str, list[str]]] = []
    continued = False
    for line in text.splitlines():
        if continued:
            command, printed = found.pop()
            found.append((f"{command}\n{line}", printed))
        elif line.startswith("$ "):
            found.append((line[2:], []))
        else:
            found[-1][1].append(line)
        continued = line.endswith("\\") and (continued or line.startswith("$ "))
    return found


def check(expected: list[str], printed: str) -> None:
    """The expected lines appear in the output in this order; ``…`` is any text."""
    lines = iter(printed.splitlines())
    for line in filter(str.strip, expected):
        pattern = re.escape(" ".join(line.split())).replace("…", ".*").replace(r"\…", ".*")
        if line.strip() != "…":
            assert any(re.fullmatch(pattern, " ".join(other.split())) for other in lines), f"{line!r} not in\n{printed}"
