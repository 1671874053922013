"""The private daemon: ready when entered, gone when left, however it is left."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from kit.pcsc import demand_pyscard
from kit.waiting import until
from sscard.transport.pcscd import DaemonFailed, PrivatePcscd
from sscard.transport.ports import listening_ports

LONG = 10.0

WAITS = """
import sys
from sscard.transport.pcscd import PrivatePcscd
with PrivatePcscd() as daemon:
    print(daemon.pid, daemon.socket, flush=True)
    sys.stdin.read()
    raise SystemExit(3)
"""

ONE_AFTER_ANOTHER = """
from sscard.transport.pcsc import readers
from sscard.transport.pcscd import PrivatePcscd
for name in "ABC":
    with PrivatePcscd(name=name) as daemon:
        print(*readers(), daemon.pid, sep=",")
"""


def is_gone(pid: int) -> bool:
    """Wait for the end of a process that is not our child."""
    try:
        ended = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([ended], [], [], LONG)[0])
    finally:
        os.close(ended)


def test_it_is_ready_when_entered_and_gone_when_left() -> None:
    before = os.environ.get("PCSCLITE_CSOCK_NAME")
    with PrivatePcscd(3) as daemon:
        assert daemon.readers == 4
        ports = {daemon.port(reader) for reader in range(4)}
        assert len(ports) == 4
        assert ports <= listening_ports()
        assert os.environ["PCSCLITE_CSOCK_NAME"] == daemon.environment["PCSCLITE_CSOCK_NAME"]
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(daemon.socket))
    assert is_gone(daemon.pid)
    assert not ports & listening_ports()
    assert not daemon.socket.parents[2].exists()
    assert os.environ.get("PCSCLITE_CSOCK_NAME") == before


def test_it_does_not_meet_the_machines_own_daemon() -> None:
    own = Path("/run/pcscd")
    before = sorted(own.iterdir()) if own.exists() else None
    with PrivatePcscd():
        assert (sorted(own.iterdir()) if own.exists() else None) == before


def test_an_exception_ends_it() -> None:
    def fail() -> None:
        with PrivatePcscd() as daemon:
            pids.append(daemon.pid)
            raise KeyError("in the block")

    pids: list[int] = []
    with pytest.raises(KeyError):
        fail()
    assert is_gone(pids[0])


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL, None])
def test_the_end_of_its_process_ends_it(sent: signal.Signals | None) -> None:
    with subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", WAITS],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        pid, name = process.stdout.readline().split()
        if sent is not None:
            process.send_signal(sent)
        process.communicate()
        assert is_gone(int(pid))
        assert until(lambda: not Path(name).parents[2].exists())
        assert process.returncode == (3 if sent is None else -sent)


def test_the_death_of_its_guard_ends_it() -> None:
    with PrivatePcscd() as daemon:
        guard = int(Path(f"/proc/{daemon.pid}/stat").read_text().rpartition(")")[2].split()[1])
        os.kill(guard, signal.SIGKILL)
        assert is_gone(daemon.pid)
        with pytest.raises(DaemonFailed, match="gone"):
            daemon.restart()


def test_a_killed_daemon_starts_again_in_the_same_place() -> None:
    with PrivatePcscd() as daemon:
        place, ports, pid = daemon.socket, [daemon.port(0), daemon.port(1)], daemon.pid
        daemon.kill()
        assert is_gone(pid)
        assert not set(ports) & listening_ports()
        daemon.start()
        assert daemon.pid != pid
        assert daemon.socket == place
        assert [daemon.port(0), daemon.port(1)] == ports
        assert set(ports) <= listening_ports()


def test_daemons_one_after_another_serve_one_process() -> None:
    demand_pyscard()
    said = subprocess.check_output([sys.executable, "-c", ONE_AFTER_ANOTHER], text=True).splitlines()  # noqa: S603
    assert [line.split(",")[:2] for line in said] == [[f"{name} 01 00 00", f"{name} 01 00 01"] for name in "ABC"]


def test_two_daemons_live_side_by_side() -> None:
    with PrivatePcscd() as one, PrivatePcscd() as two:
        assert one.socket != two.socket
        assert {one.port(0), one.port(1)}.isdisjoint({two.port(0), two.port(1)})
        assert {one.port(0), two.port(0)} <= listening_ports()


def test_without_with_there_is_nothing_to_restart() -> None:
    with pytest.raises(ValueError, match="with statement"):
        PrivatePcscd().restart()
