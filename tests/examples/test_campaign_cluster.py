"""The files that run a campaign on a cluster: the script as it is, the others by the programs and options they name."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from kit.documents import ROOT
from kit.programs import CommandLine

EXAMPLE = ROOT / "examples" / "campaign"


@pytest.mark.skipif(os.name != "posix", reason="a shell script")
def test_the_script_starts_a_cluster_and_stops_it(sscard: CommandLine, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = ["--cards", "20", "--through", "card", "--json"]
    environment = {
        **os.environ,
        "PORT": str(port),
        "WORKERS": "1",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "simulator"),
    }
    ended = subprocess.run(  # noqa: S603
        [EXAMPLE / "cluster.sh", *words], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr + (tmp_path / "workers.log").read_text()
    alone = json.loads(sscard("campaign", *words, "--workers", 1)[1])
    assert json.loads(ended.stdout)["digest"] == alone["digest"]
    with socket.create_server(("127.0.0.1", port)):
        pass  # the scheduler has gone


def command_lines() -> list[str]:
    """The programs that compose file and units start."""
    services = yaml.safe_load((EXAMPLE / "compose.yaml").read_text("utf-8"))["services"]
    units = [path.read_text("utf-8") for path in EXAMPLE.glob("*.service")]
    started = [str(found[1]) for unit in units if (found := re.search("^ExecStart=.*?/bin/(.*)$", unit, re.MULTILINE))]
    named = [service["command"] for service in services.values() if "command" in service]
    return [*started, *named, shlex.join(services["campaign"]["entrypoint"])]


@pytest.mark.parametrize("line", command_lines())
def test_compose_file_and_units_start_programs_with_options_that_exist(line: str) -> None:
    program, *words = shlex.split(line)
    options = [word for word in words if word.startswith("--")]
    found = shutil.which(program, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert found
    shown = subprocess.run([found, words[0], "--help"], capture_output=True, text=True, check=True).stdout  # noqa: S603
    assert not [option for option in options if not re.search(rf"{option}\b", shown)]


@pytest.mark.skipif(os.name != "posix" or not shutil.which("openssl"), reason="a shell script with openssl")
def test_the_certificates_satisfy_the_strict_checks_of_python_3_13(tmp_path: Path) -> None:
    subprocess.run([EXAMPLE / "certificates.sh"], cwd=tmp_path, capture_output=True, check=True)  # noqa: S603
    verify = ["openssl", "verify", "-x509_strict", "-CAfile", "ca.pem", "cert.pem"]
    ended = subprocess.run(verify, cwd=tmp_path, capture_output=True, text=True, check=False)  # noqa: S603
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"ca.pem", "ca-key.pem", "cert.pem", "key.pem"}
