"""What is said where a part of PC/SC is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sscard.errors import MissingPart
from sscard.transport import pcsc, pcscd
from sscard.transport.ports import listening_ports

LIST = "from sscard.transport.pcsc import readers\ntry: readers()\nexcept Exception as e: print(type(e).__name__, e)"


def test_the_transport_is_imported_without_pyscard() -> None:
    modules = "vpcd, pcsc, pcscd, faults"
    program = f"import sys; from sscard.transport import {modules}; print('smartcard' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "False\n"  # noqa: S603


def test_without_pyscard_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "smartcard", None)
    for use in (pcsc.readers, lambda: pcsc.PcscConnection("any"), lambda: pcsc.wait_for_card("any")):
        with pytest.raises(MissingPart, match=r"pip install 'sscard\[pcsc\]'"):
            use()


def test_without_a_daemon_its_start_is_named() -> None:
    pytest.importorskip("smartcard", reason="pyscard is not installed")
    nobody = {**os.environ, "PCSCLITE_CSOCK_NAME": "/nonexistent/pcscd.comm"}
    said = subprocess.check_output([sys.executable, "-c", LIST], env=nobody, text=True)  # noqa: S603
    assert said.startswith("MissingPart no PC/SC daemon answers")
    assert "systemctl start pcscd" in said


@pytest.mark.parametrize(
    ("missing", "remedy"),
    [
        ("unshare", "apt-get install util-linux"),
        ("pcscd", "apt-get install pcscd"),
        ("driver", "apt-get install vsmartcard-vpcd"),
        ("namespace", "as root"),
    ],
)
def test_a_private_daemon_that_cannot_be_had_says_why(
    monkeypatch: pytest.MonkeyPatch, missing: str, remedy: str
) -> None:
    def which(tool: str, **_options: str) -> str | None:
        return None if tool == missing else f"/nowhere/{tool}"

    monkeypatch.setattr(pcscd.shutil, "which", which)
    monkeypatch.setattr(pcscd, "DRIVER_PLACES", () if missing == "driver" else ("/proc/self/exe",))
    monkeypatch.setattr(pcscd, "_namespace", lambda: ["false"])
    with pytest.raises(MissingPart, match=remedy):
        pcscd.check_private_pcscd()


@pytest.mark.skipif(os.name == "nt", reason="a stand-in in the shell's words")
@pytest.mark.parametrize(
    ("said", "limit"),
    [
        ("MAX_READERNAME: 128, PCSCLITE_MAX_READERS_CONTEXTS: 16", 16),
        ("PCSCLITE_MAX_READERS_CONTEXTS: 255", 254),
        ("PCSCLITE_MAX_READERS_CONTEXTS: 1", 2),
        ("pcsc-lite version 9.9", 16),
    ],
)
def test_a_daemon_has_as_many_readers_as_it_states(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, said: str, limit: int
) -> None:
    stand_in = tmp_path / "pcscd"
    stand_in.write_text(f"#!/bin/sh\necho '{said}'\n")
    stand_in.chmod(0o755)
    monkeypatch.setattr(pcscd, "find_pcscd", lambda: stand_in)
    assert pcscd.reader_limit() == limit
    most = max(limit, pcscd.MAX_READERS)
    assert pcscd.PrivatePcscd(most).readers == most
    for readers in (0, most + 1):
        with pytest.raises(ValueError, match="1 to 16"):
            pcscd.PrivatePcscd(readers)


def test_pairs_of_ports_are_neighbours_and_free() -> None:
    pairs = pcscd.free_pairs(8)
    ports = {port + slot for port in pairs for slot in (0, 1)}
    assert len(ports) == 16
    assert not ports & listening_ports()
