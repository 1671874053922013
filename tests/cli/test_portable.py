"""`sscard` on a Python that lacks what Windows lacks: what works there, and what ends with 3 and a remedy."""

from __future__ import annotations

import json
import signal
import socket
from functools import partial
from pathlib import Path

import pytest

from kit import card_of
from kit.programs import WINDOWS, run, running
from sscard.issuer.cardfile import save_card
from sscard.scenario.library import builtin_folder

PIN, NEW, WRONG = "739184", "582036", "415926"
REMEDY = "\n  "

windows = partial(run, program=WINDOWS)
on_windows = partial(running, program=WINDOWS)


def succeeds(*arguments: object, **environment: str) -> str:
    """The output of a command that ends with 0."""
    done = windows(*arguments, **environment)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "card.db"
    save_card(card_of("v3-sm4", PIN), path)
    return path


def test_every_module_is_imported_without_what_windows_lacks() -> None:
    root = Path(__file__).parents[2] / "simulator"
    modules = {
        ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
        for path in (root / "sscard").rglob("*.py")
    }
    program = "\n".join(f"import {name}" for name in sorted(modules))
    assert succeeds("-c", program) == ""


@pytest.mark.parametrize(
    "words",
    [
        "import fcntl",
        "import termios",
        "from signal import SIGUSR1",
        "from socketserver import UnixStreamServer",
        "import socket; socket.AF_UNIX",
        "import select; select.poll",
        "import os; os.pread",
    ],
)
def test_the_stand_in_lacks_it(words: str) -> None:
    assert windows("-c", words).returncode == 1


def test_cards_are_issued_shown_and_operated(tmp_path: Path) -> None:
    image = tmp_path / "card.db"
    succeeds("issue", "-o", image, "--pin", PIN)
    assert json.loads(succeeds("show", image, "--json"))["pin"]["tries_left"] == 6
    assert "9000" in succeeds("apdu", image, "0084000008")
    assert windows("verify-pin", image, "--pin", WRONG).returncode == 1
    succeeds("verify-pin", image, "--pin", PIN)
    succeeds("change-pin", image, "--old", PIN, "--new", NEW)
    succeeds("reset-pin", image, "--new", PIN)
    succeeds("unblock-pin", image)
    succeeds("verify-pin", image, "--pin", PIN)


@pytest.mark.nightly
def test_scenarios_run(tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    assert "0 failed" in succeeds("run", "-k", "window and leaked", "--html", report)
    assert report.exists()


@pytest.mark.nightly
def test_cases_are_opened_listed_and_shown(tmp_path: Path) -> None:
    image = tmp_path / "card.db"
    succeeds("issue", "-o", image, "--pin", PIN)
    journal = ("--journal", tmp_path / "journal.db", "--journal-key", tmp_path / "key")
    papers = ("--paper", "id-card", "--paper", "social-security-card")
    told = succeeds(
        *("case", "open", image, "--channel", "window", "--reason", "leaked", *papers),
        *("--old", PIN, "--new", NEW, "--json", *journal),
    )
    case = json.loads(told)
    assert case["stage"] == "completed"
    assert [found["number"] for found in json.loads(succeeds("case", "list", "--json", *journal))["cases"]] == [
        case["number"]
    ]
    assert case["number"] in succeeds("case", "show", case["number"], *journal)
    assert "the chain is whole" in succeeds("case", "verify", *journal)


@pytest.mark.nightly
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_the_hsm_answers_and_ends_by_a_signal(image: Path, tmp_path: Path, end: signal.Signals) -> None:
    token = tmp_path / "token"
    with on_windows("hsm", "serve", "--port", 0, "--token-file", token) as server:
        url = server.line().split()[2].rstrip(",")
        succeeds("reset-pin", image, "--new", NEW, "--hsm", url, "--hsm-token", token)
        code, rest = server.end(end)
    assert code == 0
    assert "Traceback" not in rest
    succeeds("verify-pin", image, "--pin", NEW)


@pytest.mark.nightly
def test_the_driver_is_served_on_a_port(image: Path) -> None:
    with on_windows("driver", "serve", image, "--listen", "tcp:0", "--pins", PIN) as server:
        port = int(server.line_with("driver at").rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as connection, connection.makefile("rwb") as lines:
            lines.write(b"sscard-driver\t1\tUTF-8\n")
            lines.flush()
            assert lines.readline().startswith(b"0\tsscard")
            lines.write(b"iVerifyPIN\t1\n")
            lines.flush()
            assert lines.readline().startswith(b"0\t")
        code, rest = server.end(signal.SIGINT)
    assert code == 0
    assert "Traceback" not in rest


@pytest.mark.parametrize(
    "arguments",
    [
        ["insert", "{image}"],
        ["farm", "{image}"],
        ["run", "--transport", "pcsc", "{scenario}"],
        ["driver", "serve", "{image}"],
        ["driver", "serve", "{image}", "--listen", "{folder}/socket"],
        ["doctor"],
    ],
    ids=" ".join,
)
def test_what_cannot_work_ends_with_3_and_a_remedy(image: Path, tmp_path: Path, arguments: list[str]) -> None:
    scenario = builtin_folder() / "11-service-window/leaked.yaml"
    done = windows(*(argument.format(image=image, folder=tmp_path, scenario=scenario) for argument in arguments))
    told = done.stdout + done.stderr
    assert done.returncode == 3
    assert "needs" in told or "need Linux" in told or "no Unix sockets" in told
    assert "use Linux or WSL" in told or "--listen tcp:" in told
    assert "Traceback" not in told


def test_a_card_file_in_use_is_refused(image: Path) -> None:
    with on_windows("driver", "serve", image, "--listen", "tcp:0", "--pins", PIN) as server:
        server.line_with("driver at")
        done = windows("verify-pin", image, "--pin", PIN)
        assert done.returncode == 2
        assert f"is in use by another process{REMEDY}" in done.stderr
        assert server.end()[0] == 0
    succeeds("verify-pin", image, "--pin", PIN)


@pytest.mark.nightly
def test_a_killed_process_holds_no_card_file(image: Path) -> None:
    with on_windows("driver", "serve", image, "--listen", "tcp:0", "--pins", PIN) as server:
        server.line_with("driver at")
        server.end(signal.SIGKILL)
    succeeds("verify-pin", image, "--pin", PIN)
    assert [path.name for path in image.parent.iterdir()] == [image.name]
