"""Scenarios on a card in another process whose root keys only an HSM has: no key file is given to the run."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from kit.programs import CommandLine, run, running
from kit.testbeds import ForeignCard, random_roots
from sscard.scenario.library import builtin_folder

MODULE = Path("/usr/lib/softhsm/libsofthsm2.so")
TOKEN, PIN = "issuer", "135790"
KEYED = (
    "01-function/authentication/external-counts.yaml",
    "01-function/reset/wrong-mac-counts.yaml",
    "01-function/block/application-refused.yaml",
)
"""Right and wrong proofs of keys, right and wrong MACs."""
SAMPLE = (
    *KEYED,
    "01-function/authentication/every-byte.yaml",
    "01-function/authentication/internal-versions.yaml",
    "01-function/authentication/versions.yaml",
    "01-function/reset/blocked-and-back.yaml",
    "01-function/reset/replay.yaml",
    "01-function/unblock/replay.yaml",
    "01-function/files/rights.yaml",
    "01-function/medical/load-wrong-mac.yaml",
    "01-function/medical/purchase-wrong-mac.yaml",
    "03-firewall/mac-of-another.yaml",
    "04-tear/reader/mute.yaml",
    "09-driver-hsm/reset.yaml",
    "11-service-window/blocked-during-change.yaml",
)
WITHOUT_TAC = (*KEYED, "01-function/reset/replay.yaml", "09-driver-hsm/reset.yaml", SAMPLE[-1])
BY_PSAM = "08-driver-psam/reset.yaml"


@pytest.fixture
def roots(tmp_path: Path) -> Path:
    (tmp_path / "issuer").mkdir()
    return random_roots(tmp_path / "issuer")


def files(names: tuple[str, ...]) -> list[Path]:
    return [builtin_folder() / name for name in names]


def reasons(results: list[dict[str, Any]]) -> set[tuple[str, str]]:
    return {(result["verdict"], result["reason"]) for result in results}


OTHER = {
    ("not applicable", "other generation"),
    ("not applicable", "other card product: its choices differ from the claim"),
    ("not applicable", "other interface"),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "personality", ["v3-sm4", *(pytest.param(name, marks=pytest.mark.nightly) for name in ("v2-3des", "v1-des"))]
)
def test_right_and_wrong_proofs_are_predicted(
    sscard: CommandLine, tmp_path: Path, roots: Path, personality: str
) -> None:
    foreign = ForeignCard(tmp_path, personality, keys=roots)
    testbed = foreign.placed(hsm=f"{{use: 'soft:{roots}'}}", keys="hsm")
    trace = tmp_path / "trace.txt"
    chosen = (*files(KEYED), builtin_folder() / BY_PSAM)
    code, out, err = sscard("run", "--json", "--trace", trace, "--testbed", testbed, *chosen)
    assert code == 0, err
    found = reasons(json.loads(out)["results"])
    assert ("passed", "") in found
    assert (("not applicable", "missing keys") in found) is (personality != "v1-des")  # whose terminals read no PSAM
    values = re.findall(r"\b(?:[0-9A-F]{16}){1,2}\b", roots.read_text("utf-8"))
    assert not any(value in out + err + trace.read_text("utf-8").replace(" ", "") for value in values)


@pytest.mark.nightly
def test_a_wrong_card_is_noticed(sscard: CommandLine, tmp_path: Path, roots: Path) -> None:
    foreign = ForeignCard(tmp_path, keys=roots)
    program = f"{foreign.program} --defect application-block-takes-a-wrong-mac"
    testbed = foreign.placed(program, hsm=f"{{use: 'soft:{roots}'}}", keys="hsm")
    code, out, _err = sscard("run", "--json", "--testbed", testbed, *files(KEYED[2:]))
    assert code == 1
    assert ("failed", "") in reasons(json.loads(out)["results"])


@pytest.mark.nightly
def test_the_sample_passes_with_an_hsm_service(sscard: CommandLine, tmp_path: Path, roots: Path) -> None:
    foreign = ForeignCard(tmp_path, keys=roots)
    token = tmp_path / "token"
    token.write_text("the-token-of-the-tests")
    with running("hsm", "serve", "--port", "0", "--token-file", token, "--keys", roots) as program:
        url = program.line_with("HSM at ").split()[2].rstrip(",")
        testbed = foreign.placed(hsm=f"{{use: '{url}', token_file: token}}", keys="hsm")
        code, out, err = sscard("run", "--json", "--testbed", testbed, *files(SAMPLE))
    assert code == 0, err
    results = json.loads(out)["results"]
    assert reasons(results) <= {("passed", ""), *OTHER}
    assert sum(result["verdict"] == "passed" for result in results) >= 15
    assert json.loads(out)["environment"]["hsm"] == url


@pytest.mark.nightly
@pytest.mark.skipif(
    not MODULE.exists() or shutil.which("softhsm2-util") is None or find_spec("pkcs11") is None,
    reason="no SoftHSM2 or python-pkcs11",
)
def test_the_sample_passes_with_a_token(tmp_path: Path, roots: Path) -> None:
    """In programs of their own: a module reads its configuration once. A token computes no TAC of a load."""
    (tmp_path / "tokens").mkdir()
    configuration = tmp_path / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {tmp_path / 'tokens'}\nobjectstore.backend = file\n")
    variables = {"SOFTHSM2_CONF": str(configuration), "SSCARD_TOKEN_PIN": PIN}
    made = ["softhsm2-util", "--init-token", "--free", "--label", TOKEN, "--pin", PIN, "--so-pin", "24680135"]
    subprocess.run(made, check=True, capture_output=True, env=variables)  # noqa: S603
    load = ("hsm", "load", "--module", MODULE, "--token", TOKEN, "--keys", roots)
    assert run(*load, **variables).returncode == 0
    foreign = ForeignCard(tmp_path, "v2-3des", keys=roots)
    testbed = foreign.placed(hsm=f"{{use: 'pkcs11:token={TOKEN};module={MODULE}'}}", keys="hsm")
    ended = run("run", "--json", "--testbed", testbed, *files(WITHOUT_TAC), **variables)
    assert ended.returncode == 0, ended.stderr
    results = json.loads(ended.stdout)["results"]
    assert reasons(results) <= {("passed", ""), *OTHER}
    assert sum(result["verdict"] == "passed" for result in results) >= 10


def test_an_hsm_must_be_named_for_keys_that_only_it_has(sscard: CommandLine, tmp_path: Path) -> None:
    testbed = ForeignCard(tmp_path).placed(keys="hsm")
    code, _out, err = sscard("testbed", "check", testbed, *files(KEYED))
    assert code == 2
    assert err.startswith(f"sscard: {testbed}:")
    assert "no HSM is named that has the keys of the card\n  write hsm: and below it use: with its URL" in err


def test_another_hsm_than_that_of_the_card_ends_the_run(sscard: CommandLine, tmp_path: Path, roots: Path) -> None:
    testbed = ForeignCard(tmp_path, keys=roots).placed(hsm="{use: 'soft:'}", keys="hsm")
    code, _out, err = sscard("run", "--testbed", testbed, *files(KEYED))
    assert code == 2
    assert "the card does not accept the key" in err
    assert "name the HSM that has the keys of the card with hsm:" in err
