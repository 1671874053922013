"""The HSM as a PKCS#11 token: SoftHSM2 with a token of its own, against the software HSM of the same roots."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

import kit
from kit.cards import citizens_card
from kit.programs import CommandLine, run
from sscard.errors import InputError, MissingPart
from sscard.hsm import HsmError, HsmUnavailable, SoftHsm, open_hsm
from sscard.hsm.pkcs11 import Pkcs11Hsm, load_roots
from sscard.issuer import CardReference, builtin_keys, preset
from sscard.issuer.cardfile import load_card, save_card
from sscard.issuer.hierarchy import KeyFile
from sscard.issuer.lookup import read_key_file
from sscard.standard.encoding import encode_pin
from sscard.terminal import CardSession

pkcs11 = pytest.importorskip("pkcs11", reason="python-pkcs11 is not installed: pip install 'sscard[pkcs11]'")

MODULES = [
    Path(place)
    for place in (
        "/usr/lib/softhsm/libsofthsm2.so",
        "/usr/lib64/pkcs11/libsofthsm2.so",
        "/usr/local/lib/softhsm/libsofthsm2.so",
    )
    if Path(place).exists()
]
TOKEN, PIN, SO_PIN = "sscard", "135790", "24680135"
WRONG_PIN = "sscard: token 'sscard' refused its PIN: CKR_PIN_INCORRECT\n  SSCARD_TOKEN_PIN=PIN\n"
NO_TOKEN = "sscard: {module} has no token 'other'\n  pkcs11-tool --module {module} -L\n"
CARD = CardReference("510100", bytes.fromhex("8649510100000001"))
FACTOR, ORIGINAL = bytes(range(8)), bytes(range(8, 16))
SOFT = SoftHsm(builtin_keys())
WHOLE = read_key_file()
NAMES = ("IRK", "STK", "UKSSSE", "BK", "PUK", "RKSSSE", "DLK", "DPK", "DTK")
FILE = replace(WHOLE, keys=[key for key in WHOLE.keys if key.name in NAMES])
"""Test keys enough for resets and purchases: each takes a file of the token."""

pytestmark = pytest.mark.skipif(
    not MODULES or shutil.which("softhsm2-util") is None, reason="no SoftHSM2: sudo apt-get install softhsm2"
)


@pytest.fixture(scope="session")
def module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The PKCS#11 module, its tokens in a folder of this session: one with the test keys, one empty."""
    folder = tmp_path_factory.mktemp("softhsm")
    (folder / "tokens").mkdir()
    configuration = folder / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {folder / 'tokens'}\nobjectstore.backend = file\n")
    os.environ["SOFTHSM2_CONF"] = str(configuration)  # read once, when the module is loaded
    for label in (TOKEN, "empty"):
        made = ["softhsm2-util", "--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", SO_PIN]
        subprocess.run(made, check=True, capture_output=True)  # noqa: S603
    load_roots(MODULES[0], TOKEN, PIN, FILE)
    return MODULES[0]


@pytest.fixture
def hsm(module: Path) -> Iterator[Pkcs11Hsm]:
    with Pkcs11Hsm(module, TOKEN, PIN) as opened:
        yield opened


def test_a_pickle_names_the_token_and_its_reader_opens_it_with_the_pin_of_its_environment(
    module: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSCARD_TOKEN_PIN", raising=False)
    with Pkcs11Hsm(module, TOKEN, PIN) as opened:
        pickled = pickle.dumps(opened)
    assert PIN.encode() not in pickled
    with pytest.raises(HsmUnavailable, match="the token's PIN is not given"):
        pickle.loads(pickled)  # noqa: S301 - made here
    monkeypatch.setenv("SSCARD_TOKEN_PIN", PIN)
    with pickle.loads(pickled) as again:  # noqa: S301 - made here
        assert again.address_of("PUK") == SOFT.address_of("PUK")


def test_it_gives_what_the_software_hsm_gives(hsm: Pkcs11Hsm) -> None:
    random = Random(5)
    proving = ("IRK", "PUK", "RKSSSE", "BK", "UKMF")
    for _ in range(200):
        card = CardReference(f"{random.randrange(100000, 999999)}", random.randbytes(8))
        factor, original = random.randbytes(random.choice((4, 8))), random.randbytes(8)
        asked = (1, SOFT.address_of(random.choice(proving)), card, factor, original)
        assert hsm.authentication_data(*asked) == SOFT.authentication_data(*asked)
        pin = random.choice((None, random.randbytes(random.randrange(9))))
        length = 4 if pin is None else (len(pin) + 8) // 8 * 8 + 4
        message = (1, SOFT.address_of("STK"), card, factor, bytes((0x84, 0x24, 0, 1, length)), pin)
        assert hsm.safe_message(*message) == SOFT.safe_message(*message)
        plain = random.randbytes(random.randrange(20))
        header = bytes((0x04, 0xDC, 1, 0x2C, len(plain) + 4)) + plain
        update = (1, SOFT.address_of("STK"), card, factor, header, None)
        assert hsm.safe_message(*update) == SOFT.safe_message(*update)
        root = SOFT.address_of(random.choice(("DPK", "DLK")), random.randrange(3))
        purchase = (1, root, card, random.randbytes(8), random.randbytes(26))
        assert hsm.purchase_mac(*purchase) == SOFT.purchase_mac(*purchase)


def test_versions_and_names_of_other_generations_have_their_addresses(hsm: Pkcs11Hsm) -> None:
    for key, version in (("PUK", 0), ("IRK", 2), ("UKMF", 1), ("UKSSSE", 1)):
        assert hsm.address_of(key, version) == SOFT.address_of(key, version)


def test_a_key_of_another_version_gives_other_data(hsm: Pkcs11Hsm) -> None:
    data = {hsm.authentication_data(1, hsm.address_of("IRK", version), CARD, FACTOR, ORIGINAL) for version in range(3)}
    assert len(data) == 3


def test_a_reset_and_an_unblock_of_a_card(hsm: Pkcs11Hsm) -> None:
    card = kit.card_of("v2-3des")
    session = CardSession.start(card.chip(Random(1)), hsm)
    session.reset_pin("654321")
    session.verify_pin("654321")
    session.unblock_pin()


def addresses(file: KeyFile) -> list[str]:
    return [address for key in file.keys for address in key.addresses]


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ((3, "1009", CARD, FACTOR, ORIGINAL), "DES and 3DES only, not SM4"),
        ((2, "1009", CARD, FACTOR, ORIGINAL), "algorithm 02"),
        ((1, "FFFF", CARD, FACTOR, ORIGINAL), "no key at address FFFF"),
        ((1, "1004", CARD, FACTOR, ORIGINAL), "address 1004 "),
        ((1, "1009", CARD, FACTOR, ORIGINAL[:7]), "8 bytes, got 7"),
        ((1, "1009", CARD, bytes(16), ORIGINAL), "no process factor of 16"),
    ],
)
def test_what_it_cannot_do_it_refuses_in_words(hsm: Pkcs11Hsm, asked: Any, text: str) -> None:
    with pytest.raises(HsmError, match=text):
        hsm.authentication_data(*asked)


def test_no_tac_because_a_token_cannot_xor_the_halves_of_a_key(hsm: Pkcs11Hsm) -> None:
    with pytest.raises(HsmError, match="the two halves of DTK cannot be XORed without reading them"):
        hsm.transaction_proof(1, hsm.address_of("DTK"), CARD, bytes(30))
    with pytest.raises(HsmError, match="DES and 3DES only, not SM4"):
        hsm.transaction_proof(3, hsm.address_of("DTK"), CARD, bytes(30))
    with pytest.raises(HsmError, match="is not for 'proof' but for 'authenticate'"):
        hsm.transaction_proof(1, hsm.address_of("PUK"), CARD, bytes(30))


def test_an_sm4_card_is_refused_unharmed(hsm: Pkcs11Hsm) -> None:
    desk = kit.Desk("v3-sm4")
    session = CardSession.start(desk.chip, hsm)
    with pytest.raises(HsmError, match="SM4"):
        session.reset_pin("654321")
    assert desk.key_tries("PUK") == desk.card.snapshot().key_tries["PUK"][0]
    session.verify_pin(kit.PIN)


def test_a_key_the_token_lacks_has_no_address(hsm: Pkcs11Hsm) -> None:
    with pytest.raises(HsmError, match="no IRK version 4"):
        hsm.address_of("IRK", 3)


def test_no_key_can_be_read_and_none_is_left_behind(module: Path) -> None:
    attribute, session_keys = pkcs11.Attribute, {pkcs11.Attribute.TOKEN: False}
    with Pkcs11Hsm(module, TOKEN, PIN) as hsm:
        token = pkcs11.lib(str(module)).get_token(token_label=TOKEN)
        hsm.authentication_data(1, "1009", CARD, FACTOR, ORIGINAL)
        with token.open() as beside:  # the login holds for the whole process
            assert list(beside.get_objects(session_keys)) == []
            roots = list(beside.get_objects({attribute.CLASS: pkcs11.ObjectClass.SECRET_KEY}))
            assert len(roots) == len(addresses(FILE))
            for root in roots:
                assert not root[attribute.EXTRACTABLE]
                with pytest.raises(pkcs11.AttributeSensitive):
                    root[attribute.VALUE]
                assert not root[attribute.ENCRYPT]


def test_eight_threads_get_their_own_answers(hsm: Pkcs11Hsm) -> None:
    def ask(seed: int) -> bool:
        random = Random(seed)
        asked = (1, "1009", CardReference("510100", random.randbytes(8)), random.randbytes(8), ORIGINAL)
        return hsm.authentication_data(*asked) == SOFT.authentication_data(*asked)

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(ask, range(80)))


def test_loading_again_replaces_the_roots(module: Path) -> None:
    file = FILE
    changed = [replace(key, by_suite={"des": [bytes(16)]}) if key.name == "PUK" else key for key in file.keys]
    asked = (1, SOFT.address_of("PUK"), CARD, FACTOR, ORIGINAL)
    for keys, same in ((changed, False), (file.keys, True)):
        assert load_roots(module, TOKEN, PIN, replace(file, keys=keys)) == len(addresses(file))
        with Pkcs11Hsm(module, TOKEN, PIN) as hsm:
            assert (hsm.authentication_data(*asked) == SOFT.authentication_data(*asked)) is same


def test_a_token_without_our_keys_holds_nothing(module: Path) -> None:
    with Pkcs11Hsm(module, "empty", PIN) as hsm, pytest.raises(HsmError, match="no PUK"):
        hsm.address_of("PUK")


def test_what_is_not_there_is_said(module: Path, tmp_path: Path) -> None:
    with pytest.raises(HsmUnavailable, match="has no token 'other'"):
        Pkcs11Hsm(module, "other", PIN)
    with pytest.raises(
        InputError, match=r"nothing\.so: cannot be used as a PKCS#11 module: No such file or directory$"
    ):
        Pkcs11Hsm(tmp_path / "nothing.so", TOKEN, PIN)


def test_a_wrong_pin_of_the_token_is_refused_without_repeating_it(module: Path) -> None:
    with pytest.raises(HsmUnavailable, match="'sscard' refused its PIN: CKR_PIN_INCORRECT") as refused:
        Pkcs11Hsm(module, TOKEN, "97531086")
    assert "97531086" not in str(refused.value)


def test_a_token_that_cannot_derive_is_refused(module: Path, tmp_path: Path) -> None:
    """In a process of its own: a module reads its configuration once."""
    configuration = tmp_path / "softhsm2.conf"
    whole = Path(os.environ["SOFTHSM2_CONF"]).read_text()
    configuration.write_text(f"{whole}slots.mechanisms = CKM_DES3_ECB,CKM_DES3_CBC\n")
    ended = sscard_hsm_load(module, SOFTHSM2_CONF=str(configuration))
    assert ended.returncode == 1
    assert ended.stderr == "sscard: token 'sscard' cannot derive keys in 3DES (CKM_DES3_ECB_ENCRYPT_DATA)\n"


def test_the_command_line_loads_the_roots(module: Path, tmp_path: Path) -> None:
    keys = tmp_path / "keys.yaml"
    root = "000102030405060708090A0B0C0D0E0F"
    keys.write_text(
        f"name: one\nkeys: [{{name: BK, use: authenticate, addresses: [10FF], sm4: [{root}], des: [{root}]}}]\n"
    )
    ended = sscard_hsm_load(module, "--token", "empty", "--keys", str(keys))
    assert (ended.returncode, ended.stdout) == (0, "keys loaded into token empty: 1\n")
    with Pkcs11Hsm(module, "empty", PIN) as hsm:
        assert hsm.address_of("BK") == "10FF"
    again = sscard_hsm_load(module, "--token", "empty", "--keys", str(keys), "--json")
    assert json.loads(again.stdout) == {"schema": "sscard.hsm-load/1", "token": "empty", "keys": 1}


@pytest.mark.parametrize("command", ["reset-pin", "case open --reason forgotten --pharmacy"])
def test_the_command_line_works_with_a_token(
    module: Path, tmp_path: Path, command: str, sscard: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A case with the trial at the pharmacy: PUK, STK and DPK of the card are derived in the token."""
    monkeypatch.setenv("SSCARD_TOKEN_PIN", PIN)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    card = tmp_path / "card.db"
    save_card(citizens_card(kit.PIN, personality=preset("v2-3des")), card)
    first, *rest = command.split()
    second = [rest.pop(0)] if first == "case" else []
    url = f"pkcs11:token={TOKEN};module={module}"
    code, out, err = sscard(first, *second, card, *rest, "--new", "654321", "--hsm", url)
    assert (code, err) == (0, "")
    assert load_card(card).memory.strings[0] == encode_pin("654321")
    assert ("You can pay with the new PIN" in out) is (first == "case")


@pytest.mark.parametrize(
    ("command", "token", "pin", "code", "err"),
    [
        ("hsm load --module {module} --token {token}", TOKEN, "97531086", 3, WRONG_PIN),
        ("hsm serve --port 0 --hsm {url}", TOKEN, "97531086", 3, WRONG_PIN),
        ("hsm serve --port 0 --module {module} --token {token}", TOKEN, "97531086", 3, WRONG_PIN),
        ("reset-pin {card} --new 654321 --hsm {url}", TOKEN, "97531086", 3, WRONG_PIN),
        ("unblock-pin {card} --hsm {url}", "other", PIN, 3, NO_TOKEN),
        ("hsm load --module {module} --token {token}", "other", PIN, 3, NO_TOKEN),
        ("case open {card} --reason forgotten --new 654321 --hsm {url}", "other", PIN, 3, NO_TOKEN),
        ("unblock-pin {card} --hsm {url}", "empty", PIN, 1, "sscard: this HSM holds no PUK version 1\n"),
        ("unblock-pin {card} --hsm {url};pin=1", TOKEN, PIN, 2, "sscard: a pkcs11 URL has token=LABEL"),
        ("hsm serve --module {module} --hsm {url}", TOKEN, PIN, 2, "sscard: --module excludes --keys and --hsm\n"),
        ("hsm serve --module {module} --keys {card}", TOKEN, PIN, 2, "sscard: --module excludes --keys and --hsm\n"),
    ],
)
def test_how_a_command_ends_without_its_token(
    module: Path,
    tmp_path: Path,
    command: str,
    token: str,
    pin: str,
    code: int,
    err: str,
    sscard: CommandLine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSCARD_TOKEN_PIN", pin)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    card = tmp_path / "card.db"
    save_card(kit.card_of("v2-3des"), card)
    before = kit.image_of(card)
    url = f"pkcs11:token={token};module={module}"
    words = [word.format(module=module, token=token, card=card, url=url) for word in command.split()]
    ended, _, said = sscard(*words)
    assert ended == code
    assert said.startswith(err.format(module=module))
    assert pin not in said
    assert kit.image_of(card) == before


def sscard_hsm_load(module: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return run("hsm", "load", "--module", module, *options, **{"SSCARD_TOKEN_PIN": PIN, **environment})


@pytest.mark.skipif(sys.platform != "linux", reason="names a library of Linux")
def test_a_module_is_looked_at_before_the_pin_is_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SSCARD_TOKEN_PIN", raising=False)
    (tmp_path / "text.so").write_text("no library")
    for file, problem in (
        ("libc.so.6", "it has no function C_GetFunctionList"),
        (tmp_path / "text.so", "not a shared library for this system, or a library that it needs is missing"),
    ):
        with (
            pytest.raises(InputError, match=f"cannot be used as a PKCS#11 module: ({problem})"),
            open_hsm(f"pkcs11:token=x;module={file}", ask_pin=lambda: pytest.fail("asked for the PIN")),
        ):
            pass


def test_python_pkcs11_missing_is_said_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pkcs11", None)
    with pytest.raises(MissingPart, match=r"sscard\[pkcs11\]"):
        Pkcs11Hsm(Path("any.so"), TOKEN, PIN)
