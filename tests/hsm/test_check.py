"""`sscard hsm check`: right HSMs of every kind pass, and of wrong ones each wrong vector and the mistake are named."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from typing import Any

import pytest

from kit.documents import ROOT
from kit.hsms import OtherRoots, ReferenceHsm, SwappedFactor, TruncatedMac, ZeroPadding
from kit.programs import CommandLine
from kit.waiting import in_thread
from sscard.hsm import HsmError, HsmUnavailable, SoftHsm
from sscard.hsm import check as check_module
from sscard.hsm.check import HsmCheck, Status
from sscard.hsm.mistakes import MISTAKES
from sscard.hsm.server import HsmServer
from sscard.hsm.vectors import make_vectors
from sscard.issuer import builtin_keys
from sscard.issuer.hierarchy import TEST_KEYS

TOKEN = "the-token-of-the-tests"
VECTORS = {vector.id: vector for vector in make_vectors(builtin_keys()) if vector.for_hsm}
ANSWERED = {name for name, vector in VECTORS.items() if not vector.refused}


def group(*names: str, among: set[str] | None = None) -> set[str]:
    """The vectors with an answer whose group ends so."""
    return {name for name in (among or ANSWERED) if name.split("/")[1] in names}


MADE: list[object] = []
"""The HSM that the plug-in of these tests opens."""


def open_made(_url: str, **_options: object) -> object:
    return MADE[-1]


@pytest.fixture
def plug_in(monkeypatch: pytest.MonkeyPatch) -> Callable[[object], str]:
    """``plug_in(hsm)``: the URL of an HSM that an installed package opens."""
    found = EntryPoints([EntryPoint("rack", "rack_hsm:open_made", "sscard.hsms")])
    monkeypatch.setattr("importlib.metadata.entry_points", found.select)
    monkeypatch.setitem(sys.modules, "rack_hsm", sys.modules[__name__])

    def install(hsm: object) -> str:
        MADE.append(hsm)
        return "rack:1"

    return install


@pytest.fixture
def token(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.write_text(TOKEN)
    return file


@contextmanager
def serving(hsm: Any) -> Iterator[str]:
    with HsmServer(hsm, TOKEN, port=0) as server, in_thread(server.serve_forever, server.shutdown):
        yield server.url


@pytest.fixture
def checked(sscard: CommandLine) -> Callable[..., tuple[int, dict[str, Any]]]:
    """The exit code and the JSON of a check."""

    def check(url: str, *options: object) -> tuple[int, dict[str, Any]]:
        code, out, _ = sscard("hsm", "check", url, "--json", *options)
        return code, json.loads(out)

    return check


def named(report: dict[str, Any]) -> dict[str, set[str]]:
    """The vectors of the findings by the mistake, or else the status, that the check names."""
    found: dict[str, set[str]] = {}
    for finding in report["findings"]:
        found.setdefault(finding["mistake"] or finding["status"], set()).add(finding["id"])
    return found


# Right ones


def test_the_software_hsm_is_right(sscard: CommandLine) -> None:
    code, out, err = sscard("hsm", "check", "soft:")
    assert (code, err) == (0, "")
    assert {line.partition(":")[0] for line in out.splitlines()} >= {vector.group for vector in VECTORS.values()}


def test_a_service_and_a_plug_in_are_right(checked: Any, plug_in: Any, token: Path) -> None:
    """Both with the second implementation behind them."""
    with serving(ReferenceHsm()) as url:
        for where in ((url, "--hsm-token", token), (plug_in(ReferenceHsm()),)):
            code, report = checked(*where)
            assert (code, report["findings"], report["roots_differ"]) == (0, [], False)
            assert report["asked"] == report["questions"] > 150


def test_vectors_of_a_key_file_are_right_for_its_hsm_alone(checked: Any, tmp_path: Path) -> None:
    file = tmp_path / "keys.yaml"
    content = Path(TEST_KEYS).read_text("utf-8")
    file.write_text(content.replace("B6219A01E4ECF2CD", "0123456789ABCDEF"))  # STK under DES
    assert checked(f"soft:{file}", "--keys", file)[0] == 0
    code, report = checked("soft:", "--keys", file)
    assert (code, report["roots_differ"]) == (1, False)
    assert set(named(report)) == {"test-keys"}
    assert "expected" not in report["findings"][0], "an answer under other keys than the test keys is not printed"
    code, report = checked(f"soft:{file}")
    assert set(named(report)) == {"other-root"}
    wrong = {name for name in ANSWERED if name.startswith("des/") and VECTORS[name].asked.key == "STK"}
    assert named(report)["other-root"] == wrong


MODULES = [Path("/usr/lib/softhsm/libsofthsm2.so"), Path("/usr/lib64/pkcs11/libsofthsm2.so")]


def test_a_token_is_right_with_the_commands_of_the_tutorial(tmp_path: Path) -> None:
    """A new user's token: made, loaded and checked in a folder of its own, in other processes than this one."""
    pytest.importorskip("pkcs11", reason="python-pkcs11 is not installed: pip install 'sscard[pkcs11]'")
    module = next(filter(Path.exists, MODULES), None)
    if module is None or shutil.which("softhsm2-util") is None:
        pytest.skip("no SoftHSM2: sudo apt-get install softhsm2")
    (tmp_path / "tokens").mkdir()
    (tmp_path / "softhsm2.conf").write_text(f"directories.tokendir = {tmp_path}/tokens\n")
    environment = {**os.environ, "SOFTHSM2_CONF": str(tmp_path / "softhsm2.conf"), "SSCARD_TOKEN_PIN": "1234"}
    sscard = f"{sys.executable} -m sscard.cli.main"

    def typed(command: str) -> subprocess.CompletedProcess[str]:
        words = command.replace("sscard", sscard, 1).split()
        return subprocess.run(words, env=environment, capture_output=True, text=True, check=False)  # noqa: S603

    assert typed("softhsm2-util --init-token --free --label test --pin 1234 --so-pin 5678").returncode == 0
    empty = typed(f"sscard hsm check pkcs11:token=test;module={module} --without sm4")
    assert empty.returncode == 1
    assert "refused: this HSM holds no STK version 1" in empty.stdout
    assert typed(f"sscard hsm load --module {module} --token test").returncode == 0
    whole = typed(f"sscard hsm check pkcs11:token=test;module={module} --json")
    refused = {finding["id"] for finding in json.loads(whole.stdout)["findings"]}
    assert whole.returncode == 1
    assert refused == {name for name in ANSWERED if name.startswith("sm4/")} | group("proof")
    done = typed(f"sscard hsm check pkcs11:token=test;module={module} --without sm4 --without 3des/proof")
    assert (done.returncode, done.stderr) == (0, "")
    assert "des/pin: 15 of 15 right" in done.stdout


class ShortProofs(ReferenceHsm):
    """Gives a proof of two bytes, before the eight of the original data."""

    def proof(self, *_: object) -> bytes:
        return bytes(2)


def test_an_answer_of_another_length_is_not_taken_for_another_root(checked: Any, plug_in: Any) -> None:
    code, report = checked(plug_in(ShortProofs()))
    assert (code, report["roots_differ"]) == (1, False)
    assert named(report) == {"wrong-length": group("authenticate")}
    assert report["findings"][0]["said"] == "differs: the answer has 10 bytes, not 16"


# Five wrong ones

MACS = ("message", "pin", "purchase", "proof")


@pytest.mark.parametrize("over", ["plug-in", "http"])
@pytest.mark.parametrize(
    ("hsm", "mistake", "wrong"),
    [
        (ZeroPadding(), "mac-padding-zeros", group(*MACS)),
        (SwappedFactor(), "factor-and-original-swapped", group("authenticate")),
        (TruncatedMac(), "truncated", group(*MACS)),
        (OtherRoots(), "other-root", ANSWERED),
    ],
    ids=["padding", "swapped factor", "truncated MAC", "other root"],
)
def test_a_wrong_hsm_is_named_by_each_vector_that_shows_it(
    checked: Any, plug_in: Any, token: Path, over: str, hsm: ReferenceHsm, mistake: str, wrong: set[str]
) -> None:
    if over == "plug-in":
        code, report = checked(plug_in(hsm))
    else:
        with serving(hsm) as url:
            code, report = checked(url, "--hsm-token", token)
    assert code == 1
    assert named(report) == {mistake: wrong}
    assert report["roots_differ"] is (mistake == "other-root")


class Late(ReferenceHsm):
    """Takes three seconds for a command with a PIN, on the clock of the check."""

    now = 0.0

    def command(self, algorithm: int, card_key: bytes, factor: bytes, header: bytes, pin: bytes | None) -> bytes:
        self.now += 3 if pin is not None else 0.1
        return super().command(algorithm, card_key, factor, header, pin)


@pytest.mark.parametrize("over", ["plug-in", "http"])
def test_a_late_hsm_is_named_by_each_vector_that_shows_it(
    checked: Any, plug_in: Any, token: Path, over: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = Late()
    monkeypatch.setattr(check_module, "monotonic", lambda: late.now)
    with serving(late) as url:
        where = (plug_in(late),) if over == "plug-in" else (url, "--hsm-token", token)
        code, report = checked(*where)
        assert code == 1
        assert named(report) == {"late": group("pin")}
        assert {finding["said"] for finding in report["findings"]} == {"right, but later than after 2 s"}
        assert report["slowest"]["seconds"] == 3
        assert checked(*where, "--patience", 4)[0] == 0


def test_an_hsm_with_other_roots_is_told_how_to_get_the_right_ones(sscard: CommandLine, plug_in: Any) -> None:
    code, out, _ = sscard("hsm", "check", plug_in(OtherRoots()))
    assert code == 1
    assert "  sm4/pin/1-16: differs: probably another root of STK version 1" in out
    assert "The HSM has other root keys than sscard test keys. Give the key file of its roots with --keys FILE" in out


# Further mistakes


@pytest.mark.parametrize("mistake", MISTAKES)
def test_each_known_mistake_is_found_and_named(mistake: str) -> None:
    """Several mistakes may give the same answer; the one that was made explains each that differs."""
    given: dict[str, bytes] = {}
    for name in ANSWERED:
        try:
            given[name] = MISTAKES[mistake][1].run(VECTORS[name].asked, builtin_keys())
        except ValueError:
            continue
    wrong = {name for name, answer in given.items() if answer != VECTORS[name].result}
    assert wrong, "a vector shows the mistake"
    checked = HsmCheck(Answering(given), VECTORS.values(), builtin_keys(), patience=60)
    checked.run()
    found = {outcome.id: outcome for outcome in checked.findings()}
    assert set(found) == wrong
    assert {outcome.mistake for outcome in found.values()} == {mistake}


class Answering(SoftHsm):
    """Answers what is given to it for a vector, and otherwise the right answer."""

    def __init__(self, given: dict[str, bytes]) -> None:
        super().__init__()
        self._given = given
        self._names = {self._question(vector): name for name, vector in VECTORS.items() if not vector.refused}

    def _question(self, vector: Any) -> tuple[object, ...]:
        asked = vector.asked
        address = self.address_of(asked.key, asked.version)
        return (asked.operation, asked.algorithm, address, asked.card, *asked.data.values())

    def _answer(self, right: Callable[..., bytes], operation: str, *asked: Any) -> bytes:
        answer = right(*asked)
        return self._given.get(self._names.get((operation, *asked), ""), answer)

    def authentication_data(self, *asked: Any) -> bytes:
        return self._answer(super().authentication_data, "authentication-data", *asked)

    def safe_message(self, *asked: Any) -> bytes:
        return self._answer(super().safe_message, "safe-message", *asked)

    def purchase_mac(self, *asked: Any) -> bytes:
        return self._answer(super().purchase_mac, "purchase-mac", *asked)

    def transaction_proof(self, *asked: Any) -> bytes:
        return self._answer(super().transaction_proof, "transaction-proof", *asked)


class OtherVersion(ReferenceHsm):
    """Uses version 2 of IRK for version 1."""

    def root(self, algorithm: int, key: str, version: int) -> bytes:
        return super().root(algorithm, key, 1 if key == "IRK" else version)


class Inventive(ReferenceHsm):
    """Makes a mistake in authentication data that nobody made before."""

    def proof(self, algorithm: int, card_key: bytes, factor: bytes, original: bytes) -> bytes:
        return bytes(byte ^ 0x17 for byte in super().proof(algorithm, card_key, factor, original))


class Obliging(ReferenceHsm):
    """Lets every key do everything."""

    def permitted(self, algorithm: int, address: str, card: Any, factor: bytes, *_uses: str) -> bytes:
        return super().permitted(algorithm, address, card, factor, *{key["use"] for key in self.keys.values()})


class Fickle(ReferenceHsm):
    """Answers authentication data with a random key the second time."""

    asked: set[object]

    def proof(self, algorithm: int, card_key: bytes, factor: bytes, original: bytes) -> bytes:
        self.asked = getattr(self, "asked", set())
        if (card_key, factor) in self.asked:
            return bytes(8)
        self.asked.add((card_key, factor))
        return super().proof(algorithm, card_key, factor, original)


class Guessing(ReferenceHsm):
    """Answers every authentication and MAC with other bytes each time."""

    def proof(self, algorithm: int, card_key: bytes, factor: bytes, original: bytes) -> bytes:
        return os.urandom(len(super().proof(algorithm, card_key, factor, original)))

    def mac_of(self, *asked: Any) -> bytes:
        return os.urandom(len(super().mac_of(*asked)))


class Broken(ReferenceHsm):
    """Fails at a TAC, with a secret in the text of the error, and gives text for a purchase."""

    def transaction(self, *_asked: object) -> bytes:
        raise RuntimeError("SECRET")

    def purchase_mac(self, *_asked: Any) -> Any:
        return "text"


class OneAddress(ReferenceHsm):
    """Has the same address for all of BK and PUK."""

    def address_of(self, key: str, version: int = 0) -> str:
        return super().address_of("PUK" if key == "BK" else key, version)


def test_a_key_of_another_version_is_named(checked: Any, plug_in: Any) -> None:
    code, report = checked(plug_in(OtherVersion()))
    assert code == 1
    assert set(named(report)) == {"other-key-IRK-2"}
    assert {VECTORS[finding["id"]].asked.key for finding in report["findings"]} == {"IRK"}
    assert report["findings"][0]["said"] == "differs: the root of IRK version 2 is used"


def test_a_mistake_that_is_not_known_is_not_taken_for_other_roots(checked: Any, plug_in: Any) -> None:
    code, report = checked(plug_in(Inventive()))
    assert (code, report["roots_differ"]) == (1, False)
    assert named(report) == {"differs": group("authenticate")}
    assert {finding["said"] for finding in report["findings"]} == {"differs, and no known mistake gives this answer"}


def test_an_hsm_without_an_algorithm_refuses_its_vectors(checked: Any, tmp_path: Path) -> None:
    file = tmp_path / "keys.yaml"
    content = re.sub(r',\s*"des": \[[^]]*\]', "", Path(TEST_KEYS).read_text("utf-8"))
    file.write_text(content)
    code, report = checked(f"soft:{file}")
    assert code == 1
    assert named(report) == {"refused": {name for name in ANSWERED if not name.startswith("sm4/")}}


def test_an_hsm_that_lets_a_key_do_everything_is_found(sscard: CommandLine, checked: Any, plug_in: Any) -> None:
    code, report = checked(plug_in(Obliging()))
    assert code == 1
    assert named(report) == {"accepted": {name for name, vector in VECTORS.items() if vector.refused == "wrong-use"}}
    __, out, __ = sscard("hsm", "check", plug_in(Obliging()))
    assert "sm4/refused/5-11: answered, but has to be refused: the key is not for this operation" in out


def test_an_answer_that_changes_is_found(checked: Any, plug_in: Any) -> None:
    code, report = checked(plug_in(Fickle()))
    assert code == 1
    assert {"3des/authenticate/1", "sm4/authenticate/1"} <= named(report)["changes"]


def test_answers_that_change_are_not_taken_for_other_roots(checked: Any, plug_in: Any) -> None:
    code, report = checked(plug_in(Guessing()))
    assert (code, report["roots_differ"]) == (1, False)
    assert named(report)["changes"]
    assert not [finding for finding in report["findings"] if "root" in finding["mistake"]]


def test_a_plug_in_that_fails_is_named_without_the_text_of_its_error(sscard: CommandLine, plug_in: Any) -> None:
    code, out, err = sscard("hsm", "check", plug_in(Broken()))
    assert code == 1
    assert "SECRET" not in out + err
    assert "  sm4/proof/1-3: HSM rack:••••: transaction_proof failed with RuntimeError" in out
    assert "  sm4/purchase/1-6: HSM rack:••••: purchase_mac returned str, expected bytes" in out


def test_an_address_of_two_keys_is_found(checked: Any, plug_in: Any) -> None:
    __, report = checked(plug_in(OneAddress()))
    assert "address/BK/1" in {finding["id"] for finding in report["findings"]}


def test_a_service_whose_result_is_not_bytes_is_found(checked: Any, token: Path) -> None:
    with serving(Broken()) as url:
        code, report = checked(url, "--hsm-token", token)
    assert code == 1
    assert group("purchase", "proof") == {finding["id"] for finding in report["findings"]}


# An HSM that ends


class Dying(ReferenceHsm):
    """Is gone after some questions."""

    def __init__(self, left: int, error: BaseException) -> None:
        super().__init__()
        self.left = left
        self.error = error

    def permitted(self, *asked: Any) -> bytes:
        self.left -= 1
        if self.left < 0:
            raise self.error
        return super().permitted(*asked)


def test_an_hsm_that_ends_is_reported_with_how_far_it_came(sscard: CommandLine, plug_in: Any) -> None:
    gone = HsmUnavailable("the rack is off", "switch it on")
    code, out, err = sscard("hsm", "check", plug_in(Dying(20, gone)))
    assert code == 3
    assert "des/message: 16 of 16 right" in out
    assert "des/pin: 4 of 4 right" in out
    whole = len(VECTORS) + 21
    assert (
        err == f"sscard: the HSM ended at des/pin/5, after 41 of {whole} questions: the rack is off\n  switch it on\n"
    )
    code, out, _ = sscard("hsm", "check", plug_in(Dying(20, gone)), "--json")
    report = json.loads(out)
    assert (code, report["asked"], report["questions"]) == (3, 41, whole)


def test_a_service_that_ends_is_reported_with_how_far_it_came(sscard: CommandLine, token: Path) -> None:
    with serving(Dying(20, HsmUnavailable("the rack is off", "switch it on"))) as url:
        code, _, err = sscard("hsm", "check", url, "--hsm-token", token)
    assert code == 3
    assert "the HSM ended at des/pin/5" in err


def test_an_interrupted_check_prints_what_was_answered(sscard: CommandLine, plug_in: Any) -> None:
    code, out, err = sscard("hsm", "check", plug_in(Dying(20, KeyboardInterrupt())))
    assert (code, err) == (130, "interrupted\n")
    assert "des/pin: 4 of 4 right" in out


def test_a_refused_group_can_be_left_out(sscard: CommandLine, checked: Any, plug_in: Any) -> None:
    class NoSm4(ReferenceHsm):
        def permitted(self, algorithm: int, *asked: Any) -> bytes:
            if algorithm == 3:
                raise HsmError("no SM4")
            return super().permitted(algorithm, *asked)

    code, out, _ = sscard("hsm", "check", plug_in(NoSm4()))
    assert code == 1
    assert "  if the HSM does not offer this, leave it out: --without sm4/pin" in out
    assert checked(plug_in(NoSm4()), "--without", "sm4")[0] == 0


def test_the_status_words_of_the_reference_are_those_of_the_check() -> None:
    page = (ROOT / "docs" / "reference" / "json.md").read_text("utf-8")
    assert all(f"`{status}`" in page for status in Status if status is not Status.RIGHT)
