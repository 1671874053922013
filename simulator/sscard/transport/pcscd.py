"""A private PC/SC daemon with virtual readers, for tests: its own mount namespace, socket and configuration.

It is isolated from the system's pcscd. It needs Linux, root or user
namespaces, ``pcscd`` and the vpcd driver (``vsmartcard-vpcd``).
"""

from __future__ import annotations

import logging
import os
import random
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Final

from sscard.errors import MissingPart
from sscard.i18n.phrase import Phrase, Sayable
from sscard.transport.ports import listening_ports

SOCKET_VARIABLE: Final = "PCSCLITE_CSOCK_NAME"
USUAL_SOCKET: Final = "/run/pcscd/pcscd.comm"
MAX_READERS: Final = 16
"""Maximum number of readers of a daemon that does not state its own, see ``reader_limit``."""

SLOTS: Final = 2
"""Slots per copy of the driver; the second slot listens on the next port."""

FIRST_PORT, LAST_PORT = 20000, 32000
"""Below the kernel's ephemeral port range, so that the ports stay free."""

LONGEST_SOCKET_NAME: Final = 107
LOOK: Final = 0.005
ATTEMPTS: Final = 3
DRIVER_PLACES: Final = (
    "/usr/lib/pcsc/drivers/serial/libifdvpcd.so",
    "/usr/lib/*/pcsc/drivers/serial/libifdvpcd.so",
    "/usr/lib64/pcsc/drivers/serial/libifdvpcd.so",
    "/usr/local/lib/pcsc/drivers/serial/libifdvpcd.so",
)

# Runs in the namespace. It reads commands as lines; at the end of its input, however the
# parent process ended, it kills the daemon and removes the folder.
_GUARD: Final = """
set -u
folder=$1
daemon=
shift
if [ -d /run/pcscd ]; then mount --bind "$folder/run/pcscd" /run/pcscd; else mount --bind "$folder/run" /run; fi || exit
while read -r word && [ "$word" != quit ]; do
    if [ "$word" = kill ]; then
        kill -KILL "$daemon"
        wait "$daemon"
        echo killed
    else
        rm -f "$folder"/run/pcscd/pcscd.*
        setpriv --pdeathsig KILL "$@" </dev/null >>"$folder/log" 2>&1 &
        daemon=$!
        echo "$daemon"
    fi
done 2>/dev/null
kill -KILL "$daemon" 2>/dev/null
wait "$daemon" 2>/dev/null
rm -rf "$folder"
"""

_STANZA: Final = """\
FRIENDLYNAME "{name}"
DEVICENAME /dev/null:{port:#06x}
LIBPATH {driver}
CHANNELID {port:#06x}
"""

_left: list[Path] = []
"""Folders of ended daemons: the next daemon uses the same folder, see ``PrivatePcscd``."""


class DaemonFailed(MissingPart):
    """The private daemon did not start; the text ends with its log."""

    def __init__(self, part: Sayable, remedy: Sayable = "sscard doctor") -> None:
        super().__init__(part, remedy)


class PrivatePcscd:
    """A context manager: a private pcscd with ``readers`` virtual readers, rounded up to pairs.

    At most ``reader_limit()`` readers; use several daemons for more, and number
    their pairs of readers from ``first`` on to give each reader a name of its own.
    The daemon is ready when the context is entered and ends with it, also after
    an exception, a signal or ``kill -9`` of this process. Inside the context,
    ``PCSCLITE_CSOCK_NAME`` of this process is its socket; ``environment``
    contains the same for other processes.

    The PC/SC library reads that variable once per process, at its first use.
    Consecutive daemons of a process therefore use the same socket name. If two
    run simultaneously, this process can use only the first one it accessed. If
    the library was used before the first daemon, it keeps its old socket.

    Raises ``MissingPart`` with the reason if a daemon cannot run here. The
    driver listens on all interfaces, not only on the loopback; this cannot be
    configured, so use it only in a trusted network.
    """

    def __init__(self, readers: int = SLOTS, *, name: str = "SSC", first: int = 1, timeout: float = 10.0) -> None:
        if readers < 1 or (readers > MAX_READERS and readers > reader_limit()):
            raise ValueError(f"1 to {MAX_READERS} readers, or as many as this pcscd allows, got {readers}")
        self.readers = readers + readers % SLOTS
        self._name = name
        self._first = first
        self._timeout = timeout
        self._pairs: list[int] = []
        self._folder = Path()
        self._guard: subprocess.Popen[str] | None = None
        self._daemon = 0
        self._outer: str | None = None

    def __enter__(self) -> PrivatePcscd:
        check_private_pcscd()
        self._folder = _new_folder()
        if len(str(self.socket)) > LONGEST_SOCKET_NAME:
            shutil.rmtree(self._folder)
            raise MissingPart(
                Phrase("{folder} is too long a name for a socket", folder=tempfile.gettempdir()), "export TMPDIR=/tmp"
            )
        try:
            self._open_guard()
            self._start_listening()
        except BaseException:
            self._close_guard()
            raise
        self._outer = os.environ.get(SOCKET_VARIABLE)
        os.environ.update(self.environment)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._outer is None:
            os.environ.pop(SOCKET_VARIABLE, None)
        else:
            os.environ[SOCKET_VARIABLE] = self._outer
        self._close_guard()

    @property
    def socket(self) -> Path:
        """The daemon's socket."""
        return self._folder / "run" / "pcscd" / "pcscd.comm"

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables for programs that use this daemon."""
        return {SOCKET_VARIABLE: str(self.socket)}

    @property
    def pid(self) -> int:
        """The process id of the daemon."""
        return self._daemon

    def port(self, reader: int) -> int:
        """The port on which a reader (from 0) listens for its card."""
        return self._pairs[reader // SLOTS] + reader % SLOTS

    def reader_name(self, reader: int) -> str:
        """The PC/SC name of a reader (from 0)."""
        return f"{self._name} {reader // SLOTS + self._first:02d} 00 {reader % SLOTS:02X}"

    def log(self) -> str:
        """The daemon's log."""
        return (self._folder / "log").read_text(errors="replace")

    def kill(self) -> None:
        """Kill the daemon (SIGKILL), as in a crash, without shutting down readers and cards."""
        self._tell("kill")

    def start(self) -> None:
        """Restart it after ``kill``: same socket, same readers, same ports. Ready when this returns."""
        self._daemon = int(self._tell("start"))
        logging.getLogger("sscard.transport").info("pcscd started", extra={"pid": self._daemon, "pairs": self._pairs})
        deadline = time.monotonic() + self._timeout
        ended = os.pidfd_open(self._daemon)
        try:
            while not _accepts(self.socket):  # pcscd opens its socket after its readers are ready
                if select.select([ended], [], [], LOOK)[0]:
                    raise DaemonFailed(Phrase("pcscd exited on start\n{log}", log=self.log()))
                if time.monotonic() > deadline:
                    raise DaemonFailed(
                        Phrase("pcscd is not ready after {timeout} s\n{log}", timeout=self._timeout, log=self.log())
                    )
        finally:
            os.close(ended)

    def restart(self) -> None:
        """``kill`` and ``start``."""
        self.kill()
        self.start()

    def _start_listening(self) -> None:
        """Start with free ports; retry with others if another program takes one meanwhile."""
        for attempt in range(ATTEMPTS):
            self._pairs = free_pairs(self.readers // SLOTS)
            stanzas = [
                _STANZA.format(
                    name=f"{self._name} {pair + self._first:02d}",
                    port=port,
                    driver=self._folder / f"libifdvpcd-{pair}.so",
                )
                for pair, port in enumerate(self._pairs)
            ]
            (self._folder / "readers" / "sscard").write_text("\n".join(stanzas))
            if attempt:
                self._tell("kill")
            self.start()
            ports = [self.port(reader) for reader in range(self.readers)]
            if set(ports) <= listening_ports():
                return
        raise DaemonFailed(Phrase("the readers do not listen on {ports}\n{log}", ports=str(ports), log=self.log()))

    def _open_guard(self) -> None:
        """Fill the folder and start the process that starts the daemon."""
        (self._folder / "run" / "pcscd").mkdir(parents=True)
        (self._folder / "readers").mkdir()
        (self._folder / "log").touch()
        driver = find_driver()
        for pair in range(self.readers // SLOTS):
            shutil.copy(driver, self._folder / f"libifdvpcd-{pair}.so")
        pcscd = find_pcscd()
        logging.getLogger("sscard.transport").debug("pcscd found", extra={"program": str(pcscd), "driver": str(driver)})
        # Newer daemons ask polkit for permission unless disabled; older ones do not know the option.
        no_polkit = ["--disable-polkit"] if "--disable-polkit" in _output_of(pcscd, "--help") else []
        self._guard = subprocess.Popen(  # noqa: S603 - our own script
            [
                *_namespace(),
                *("sh", "-c", _GUARD, "sscard-pcscd", str(self._folder)),
                *(str(pcscd), "--foreground", "--config", str(self._folder / "readers"), *no_polkit),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            start_new_session=True,
        )

    def _tell(self, word: str) -> str:
        guard = self._guard
        if guard is None or guard.stdin is None or guard.stdout is None:
            raise ValueError("the private daemon is not running: use it in a with statement")
        try:
            guard.stdin.write(f"{word}\n")
            answer = guard.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise DaemonFailed(Phrase("the namespace of the private daemon is gone\n{log}", log=self.log()))
        return answer

    def _close_guard(self) -> None:
        guard, self._guard = self._guard, None
        if guard is not None:
            assert guard.stdin is not None
            assert guard.stdout is not None
            for last in (partial(guard.stdin.write, "quit\n"), guard.stdin.close, guard.stdout.close):
                with suppress(BrokenPipeError):
                    last()
            try:
                guard.wait(self._timeout)
            except subprocess.TimeoutExpired:
                guard.kill()  # the daemon dies with it
                guard.wait()
        shutil.rmtree(self._folder, ignore_errors=True)  # if the process in the namespace could not
        _left.append(self._folder)


def demand_unix() -> None:
    """Raise ``MissingPart`` on a system that cannot run pcscd and its virtual readers, such as Windows."""
    if not (hasattr(socket, "AF_UNIX") and hasattr(signal, "SIGUSR1")):
        raise MissingPart(
            Phrase("virtual PC/SC readers need Linux"),
            Phrase("use Linux or WSL, or work on the card file itself: sscard apdu CARD 0084000008"),
        )


def check_private_pcscd() -> None:
    """Raise ``MissingPart`` with the reason if ``PrivatePcscd`` cannot run here."""
    demand_unix()
    for tool in ("unshare", "setpriv"):
        if shutil.which(tool) is None:
            raise MissingPart(Phrase("a private pcscd needs {tool}", tool=tool), "sudo apt-get install util-linux")
    find_pcscd()
    find_driver()
    probe = [*_namespace(), "mount", "--bind", "/run", "/run"]
    tried = subprocess.run(probe, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    if tried.returncode != 0:
        reason = tried.stderr.strip().partition("\n")[0]
        raise MissingPart(
            Phrase("a private pcscd needs a mount namespace ({reason})", reason=reason),
            Phrase("run as root: sudo -E …"),
        )


def daemon_answers() -> bool:
    """Whether the daemon of this process is running; socket activation by systemd starts it."""
    return _accepts(Path(os.environ.get(SOCKET_VARIABLE, USUAL_SOCKET)))


def find_pcscd() -> Path:
    """The path of the daemon; ``MissingPart`` if it is not installed."""
    demand_unix()
    found = shutil.which("pcscd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        raise MissingPart(Phrase("pcscd is not installed"), "sudo apt-get install pcscd")
    return Path(found)


def reader_limit() -> int:
    """The number of readers that one pcscd of this machine can have, an even number.

    pcscd before version 2.5 has 16, unless it was built for more; ``pcscd
    --version`` prints the number. ``MissingPart`` if pcscd is not installed.
    """
    found = re.search(r"PCSCLITE_MAX_READERS_CONTEXTS: ([1-9]\d{0,4})\b", _output_of(find_pcscd(), "--version"))
    return max(SLOTS, int(found[1]) // SLOTS * SLOTS) if found else MAX_READERS


def find_driver() -> Path:
    """The path of the virtual reader's driver; ``MissingPart`` if it is not installed."""
    demand_unix()
    for place in DRIVER_PLACES:
        for found in Path("/").glob(place.lstrip("/")):
            return found
    raise MissingPart(
        Phrase("the driver of virtual readers (vpcd) is not installed"), "sudo apt-get install vsmartcard-vpcd"
    )


def free_pairs(count: int) -> list[int]:
    """The first ports of ``count`` pairs of consecutive ports that are free on the loopback interface."""
    candidates = range(FIRST_PORT, LAST_PORT, SLOTS)
    shuffled = random.SystemRandom().sample(candidates, len(candidates))
    pairs: list[int] = []
    for port in shuffled:
        with suppress(OSError):
            for slot in range(SLOTS):
                with socket.socket() as tried:
                    tried.bind(("127.0.0.1", port + slot))
            pairs.append(port)
        if len(pairs) == count:
            return pairs
    raise DaemonFailed(
        Phrase.plural(
            "no pair of free ports from {first} to {last}",
            "no {count} pairs of free ports from {first} to {last}",
            count=count,
            first=FIRST_PORT,
            last=LAST_PORT,
        )
    )


def _output_of(pcscd: Path, option: str) -> str:
    said = subprocess.run([str(pcscd), option], capture_output=True, text=True, check=False)  # noqa: S603
    return said.stdout + said.stderr


def _namespace() -> list[str]:
    as_root = [] if os.geteuid() == 0 else ["--map-root-user"]
    return ["unshare", *as_root, "--mount", "--propagation", "private"]


def _new_folder() -> Path:
    """An empty folder with mode 0700: that of an earlier daemon, if the name is still free."""
    while _left:
        folder = _left.pop()
        try:
            folder.mkdir(mode=0o700)
        except OSError:
            continue
        return folder
    return Path(tempfile.mkdtemp(prefix="sscard-pcscd-"))


def _accepts(name: Path) -> bool:
    if not hasattr(socket, "AF_UNIX"):
        return False
    with socket.socket(socket.AF_UNIX) as tried:
        try:
            tried.connect(str(name))
        except OSError:
            return False
    return True
