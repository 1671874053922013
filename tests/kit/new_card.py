"""A program: end the card behind a port, issue another one, and put it there. KIND FILE PORT PERSONALITY [DEFECT].

KIND ``tcp`` is a card that listens at the port, ``insert`` one in the virtual reader whose driver listens there.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from kit.waiting import until

SSCARD = (sys.executable, "-m", "sscard")
NONE = subprocess.DEVNULL


def main(kind: str, file: Path, port: str, personality: str, defect: str = "") -> None:
    """End the program of the last card, whose id is beside the card file, and start that of a new one."""
    end(file)
    issue = [*SSCARD, "issue", "-o", file, "--force", "--personality", personality, "--city", "410402"]
    subprocess.run(issue, check=True, stdout=NONE)  # noqa: S603
    own = [sys.executable, "-m", "kit.tcp_card", file, port]
    command = own if kind == "tcp" else [*SSCARD, "insert", file, "--port", port]
    command += [*(["--defect"] if kind == "insert" else []), defect] if defect else []
    output = Path(f"{file}.log")
    with output.open("w") as log:
        card = subprocess.Popen(command, stdin=NONE, stdout=log, stderr=log, start_new_session=True)  # noqa: S603
    Path(f"{file}.pid").write_text(str(card.pid))
    if not until(lambda: bool(output.read_text()) or card.poll() is not None) or card.poll() is not None:
        sys.exit(f"the card did not start: {output.read_text()}")


def end(file: Path) -> None:
    """End the program of the card, if there is one, so that its card file is free."""
    noted = Path(f"{file}.pid")
    if noted.exists():
        pid = int(noted.read_text())
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            until(lambda: not _lives(pid))
        noted.unlink()


def _lives(pid: int) -> bool:
    """Whether a process is there that is no zombie: the init of a container may leave one. False without /proc."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
