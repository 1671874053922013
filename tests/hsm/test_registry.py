"""HSMs opened by URL: each form, what is no URL of an HSM, plug-ins, and the commands that take ``--hsm``."""

from __future__ import annotations

import json
import shlex
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from traceback import format_exception
from typing import Any

import pytest
import yaml

import kit
from kit.cards import citizens_card
from kit.counter import foreign_keys
from kit.programs import CommandLine
from kit.waiting import in_thread
from sscard.cli.chosen import default_token_file
from sscard.errors import InputError, MissingPart
from sscard.hsm import Hsm, HsmError, HsmUnavailable, SoftHsm, open_hsm
from sscard.hsm.http import HttpHsm
from sscard.hsm.registry import HSMS
from sscard.hsm.server import HsmServer
from sscard.issuer import CardReference, builtin_keys, preset
from sscard.issuer.cardfile import load_card, save_card
from sscard.plugins import Registry
from sscard.standard.encoding import encode_pin
from sscard.terminal.cards import CARDS

CARD = CardReference("510100", bytes.fromhex("8649510100000001"))
ASKED: Any = (3, "1009", CARD, bytes(8), bytes(range(8)))
SOFT = SoftHsm(builtin_keys())
TOKEN = "the-token-of-the-tests"
ROOT = "000102030405060708090A0B0C0D0E0F"
ONE_KEY = {"name": "one", "keys": [{"name": "BK", "use": "authenticate", "addresses": ["10FF"]}]}
for kind in ("sm4", "des"):
    ONE_KEY["keys"][0][kind] = [ROOT]  # type: ignore[index]


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """A key file with one key."""
    file = tmp_path / "one key.yaml"
    file.write_text(yaml.safe_dump(ONE_KEY))
    return file


@pytest.fixture
def token(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.write_text(TOKEN)
    return file


@pytest.fixture
def server() -> Iterator[HsmServer]:
    with serving(SOFT) as served:
        yield served


@contextmanager
def serving(hsm: Hsm) -> Iterator[HsmServer]:
    with HsmServer(hsm, TOKEN, port=0) as served, in_thread(served.serve_forever, served.shutdown):
        yield served


@pytest.fixture
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        return int(gone.getsockname()[1])


# URLs


@pytest.mark.parametrize("url", ["soft:", "soft", "SOFT:"])
def test_soft_has_the_built_in_test_keys(url: str) -> None:
    with open_hsm(url) as hsm:
        assert hsm.authentication_data(*ASKED) == SOFT.authentication_data(*ASKED)


def test_soft_takes_a_key_file(keys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(keys.parent))
    for file in (str(keys), f"~/{keys.name}"):
        with open_hsm(f"soft:{file}") as hsm:
            assert hsm.address_of("BK") == "10FF"
            with pytest.raises(HsmError, match="holds no PUK"):
                hsm.address_of("PUK")


def test_http_asks_the_service(server: HsmServer, token: Path) -> None:
    with open_hsm(server.url, token_file=token) as hsm:
        assert isinstance(hsm, HttpHsm)
        assert hsm.authentication_data(*ASKED) == SOFT.authentication_data(*ASKED)


def test_https_speaks_tls(server: HsmServer, token: Path) -> None:
    """The test service speaks none: nothing but the handshake goes wrong."""
    with (
        open_hsm(server.url.replace("http", "https"), token_file=token) as hsm,
        pytest.raises(HsmUnavailable, match="cannot be reached"),
    ):
        hsm.address_of("PUK")


@pytest.mark.parametrize(
    ("url", "module", "label"),
    [
        ("pkcs11:token=test", "/chosen/by-variable.so", "test"),
        ("pkcs11:token=test;module=/a/b.so", "/a/b.so", "test"),
        ("pkcs11:module=/a%3Bb.so;token=my%20token", "/a;b.so", "my token"),
    ],
)
def test_pkcs11_names_token_and_module(url: str, module: str, label: str, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[tuple[Path, str, str]] = []
    monkeypatch.setattr("sscard.hsm.pkcs11.find_token", lambda *_: None)
    monkeypatch.setattr("sscard.hsm.pkcs11.Pkcs11Hsm", lambda *given: opened.append(given) or SOFT)
    monkeypatch.setenv("SSCARD_PKCS11_MODULE", "/chosen/by-variable.so")
    monkeypatch.setenv("SSCARD_TOKEN_PIN", "135790")
    with open_hsm(url, ask_pin=lambda: pytest.fail("the variable holds the PIN")):
        monkeypatch.delenv("SSCARD_TOKEN_PIN")
    with open_hsm(url, ask_pin=lambda: "24680"):
        pass
    assert opened == [(Path(module), label, "135790"), (Path(module), label, "24680")]


def test_pkcs11_without_a_pin_or_a_module_is_not_available(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSCARD_TOKEN_PIN", raising=False)
    monkeypatch.delenv("SSCARD_PKCS11_MODULE", raising=False)
    monkeypatch.setattr("sscard.hsm.pkcs11.find_token", lambda *_: None)
    with pytest.raises(HsmUnavailable) as refused, open_hsm("pkcs11:token=test;module=/a/b.so"):
        pass
    assert refused.value.remedy == "SSCARD_TOKEN_PIN=PIN"
    monkeypatch.setattr("sscard.hsm.pkcs11.SOFTHSM", ())
    with pytest.raises(MissingPart, match="SoftHSM2 is not installed"), open_hsm("pkcs11:token=test"):
        pass


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "unknown kind of HSM ''"),
        ("ftp://127.0.0.1", "unknown kind of HSM 'ftp'"),
        ("localhost:8440", "unknown kind of HSM 'localhost'"),
        ("keys.yaml", "expected one of: http, https, pkcs11, soft"),
        ("soft:no-such-file.yaml", "no-such-file.yaml: cannot be read"),
        ("http:", "not the URL of an HSM service"),
        ("https://127.0.0.1:port", "not the URL of an HSM service"),
        ("http://user:SECRET@127.0.0.1", "not the URL of an HSM service"),
        ("http://127.0.0.1:8440?token=SECRET", "not the URL of an HSM service"),
        ("http://127.0.0.1:8440/#SECRET", "not the URL of an HSM service"),
        ("pkcs11:", "a pkcs11 URL has token=LABEL"),
        ("pkcs11:module=/a/b.so", "a pkcs11 URL has token=LABEL"),
        ("pkcs11:token=test;pin-value=SECRET", "the PIN goes into SSCARD_TOKEN_PIN"),
        ("pkcs11:token=test?pin-value=SECRET", "the PIN goes into SSCARD_TOKEN_PIN"),
    ],
)
def test_what_is_no_url_of_an_hsm_is_refused_and_not_repeated(url: str, says: str, token: Path) -> None:
    with pytest.raises(InputError) as refused, open_hsm(url, token_file=token):
        pass
    assert says in str(refused.value)
    assert "SECRET" not in str(refused.value)


RIGHT_TOKEN = "give the token file that the service prints when it starts: --hsm-token FILE, in Python token_file=FILE"


def test_a_client_whose_token_file_is_empty_is_not_advised_to_make_a_token(tmp_path: Path) -> None:
    (tmp_path / "token").touch()
    with pytest.raises(InputError) as refused, open_hsm("http://127.0.0.1:8440", token_file=tmp_path / "token"):
        pass
    assert str(refused.value) == (
        f"{tmp_path / 'token'}: holds no token: one line without spaces is expected\n  {RIGHT_TOKEN}"
    )


def test_a_service_needs_its_token() -> None:
    with pytest.raises(InputError, match="not the URL of an HSM service"), open_hsm("http:/127.0.0.1:8440"):
        raise AssertionError
    with pytest.raises(HsmUnavailable, match="needs a token") as missing, open_hsm("http://127.0.0.1:8440"):
        pass
    assert str(missing.value) == (
        f"the service at http://127.0.0.1:8440 needs a token, and no token file is given\n  {RIGHT_TOKEN}"
    )


def test_a_service_over_an_hsm_that_is_gone_says_so(closed_port: int, token: Path) -> None:
    """Two services in a row: the first cannot reach the second."""
    with (
        serving(HttpHsm(f"http://127.0.0.1:{closed_port}", TOKEN)) as front,
        open_hsm(front.url, token_file=token) as hsm,
        pytest.raises(HsmUnavailable, match="cannot be reached"),
    ):
        hsm.address_of("PUK")


# Plug-ins


class ClosingHsm(SoftHsm):
    """An HSM of a plug-in that is opened and closed."""

    log: list[str]

    def __enter__(self) -> ClosingHsm:
        self.log.append("opened")
        return self

    def __exit__(self, *_: object) -> None:
        self.log.append("closed")


def open_plain(url: str, **_options: object) -> SoftHsm:
    assert url == "rack:7/slot"
    return SOFT


def open_closing(url: str, **_options: object) -> ClosingHsm:
    opened = ClosingHsm(builtin_keys())
    opened.log = LOG
    return opened


LOG: list[str] = []


@pytest.fixture
def plug_in(monkeypatch: pytest.MonkeyPatch) -> Any:
    """``plug_in(object)``: what an installed package says in its metadata."""

    def install(target: str, scheme: str = "rack") -> None:
        found = EntryPoints([EntryPoint(scheme, target, "sscard.hsms")])
        monkeypatch.setattr("importlib.metadata.entry_points", found.select)

    monkeypatch.setitem(sys.modules, "rack_hsm", sys.modules[__name__])
    return install


def test_a_plug_in_gives_an_hsm(plug_in: Any) -> None:
    plug_in("rack_hsm:open_plain")
    with open_hsm("rack:7/slot") as hsm:
        assert hsm.authentication_data(*ASKED) == SOFT.authentication_data(*ASKED)


def test_a_plug_in_that_is_a_context_manager_is_closed(plug_in: Any) -> None:
    plug_in("rack_hsm:open_closing")
    LOG.clear()
    with open_hsm("rack:") as hsm:
        assert hsm.address_of("PUK") == SOFT.address_of("PUK")
        assert LOG == ["opened"]
    assert LOG == ["opened", "closed"]


def test_a_plug_in_is_among_the_known_schemes_and_replaces_none(plug_in: Any) -> None:
    plug_in("rack_hsm:open_plain", "soft")
    with open_hsm("soft:") as hsm:
        assert hsm is not SOFT
    plug_in("rack_hsm:open_plain")
    with pytest.raises(InputError, match="expected one of: http, https, pkcs11, rack, soft"), open_hsm("shelf:1"):
        pass


@pytest.mark.parametrize("target", ["no_such_module:open", "rack_hsm:no_such_function"])
def test_a_plug_in_that_does_not_load_says_what_to_install(plug_in: Any, target: str) -> None:
    plug_in(target)
    with pytest.raises(MissingPart) as missing, open_hsm("rack:"):
        pass
    assert "kind of HSM 'rack' cannot be loaded: " in str(missing.value)
    assert missing.value.remedy == f"pip install --force-reinstall {target.partition(':')[0]}"


NOTHING = None


def open_nothing(_url: str, **_options: object) -> None:
    return NOTHING


def open_failing(_url: str, **_options: object) -> SoftHsm:
    raise RuntimeError("boom")


def open_refusing(_url: str, **_options: object) -> SoftHsm:
    raise HsmUnavailable("the rack is off", "switch it on")


@pytest.mark.parametrize(
    ("target", "says"),
    [("open_nothing", "it returned NoneType, expected Hsm"), ("open_failing", "RuntimeError: boom"),
     ("NOTHING", "a function was expected, not NoneType")],
)  # fmt: skip
def test_a_plug_in_that_does_not_work_is_named(plug_in: Any, target: str, says: str) -> None:
    plug_in(f"rack_hsm:{target}")
    with pytest.raises(MissingPart) as missing, open_hsm("rack:"):
        pass
    assert f"rack_hsm:{target} of package rack_hsm does not work: {says}" in str(missing.value)


def open_misread(url: str, **_options: object) -> SoftHsm:
    raise ValueError(f"invalid literal for int(): {url.partition('@')[0].rpartition('/')[2]!r}")


@pytest.mark.parametrize("url", ["rack://operator:s3cr%3Ft@host:7", "rack://operator:s3cret@host:7"])
def test_an_error_at_opening_does_not_repeat_the_credentials_of_the_url(plug_in: Any, url: str) -> None:
    plug_in("rack_hsm:open_misread")
    with pytest.raises(MissingPart) as missing, open_hsm(url):
        pass
    assert "ValueError: invalid literal for int(): '••••:••••'" in str(missing.value)
    shown = "".join(format_exception(missing.value))
    assert "s3c" not in shown
    assert "operator" not in shown


def open_fragile(_url: str, **_options: object) -> SoftHsm:
    return FragileHsm(builtin_keys())


class FragileHsm(SoftHsm):
    """Fails at a MAC and a TAC, with a secret in the text, and gives another type for a purchase."""

    def safe_message(self, *asked: Any) -> bytes:
        raise RuntimeError(f"cannot encipher {asked[-1].hex()}")

    def purchase_mac(self, *_asked: Any) -> Any:
        return bytearray(4)

    def transaction_proof(self, *_asked: Any) -> bytes:
        raise SystemExit("s3cret")


def test_an_hsm_of_a_plug_in_that_fails_in_use_is_named_without_what_it_says(plug_in: Any) -> None:
    plug_in("rack_hsm:open_fragile")
    with open_hsm("rack:s3cret") as hsm:
        assert hsm.authentication_data(*ASKED) == SOFT.authentication_data(*ASKED)
        with pytest.raises(HsmUnavailable) as raised:
            hsm.safe_message(3, "1004", CARD, bytes(8), bytes.fromhex("8424000114"), encode_pin("654321"))
        with pytest.raises(HsmUnavailable, match="rack:••••: purchase_mac returned bytearray, expected bytes"):
            hsm.purchase_mac(3, "1052", CARD, bytes(8), bytes(12))
        with pytest.raises(HsmUnavailable, match="rack:••••: transaction_proof failed with SystemExit"):
            hsm.transaction_proof(3, "104F", CARD, bytes(12))
    assert str(raised.value).splitlines()[0] == "HSM rack:••••: safe_message failed with RuntimeError"
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


def test_a_reset_with_an_hsm_whose_code_fails_prints_no_pin(plug_in: Any, sscard: CommandLine, tmp_path: Path) -> None:
    plug_in("rack_hsm:open_fragile")
    save_card(citizens_card(kit.PIN), tmp_path / "card.db")
    code, out, err = sscard("reset-pin", tmp_path / "card.db", "--new", "654321", "--hsm", "rack:")
    assert code == 3
    assert "safe_message failed with RuntimeError" in err
    assert "654321" not in out + err


def open_any(_url: str, **_options: object) -> SoftHsm:
    return SOFT


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rack://me:s3cret@host:7/a?pin=s3cret#s3cret", "rack://••••@host:7/a••••"),
        ("rack://host/a;pin=s3cret", "rack://host/a••••"),
        ("rack:slot=1;pin=s3cret", "rack:••••"),
        ("rack://host:7/slot", "rack://host:7/slot"),
    ],
)
def test_no_report_of_a_run_has_the_credentials_of_an_hsm(
    plug_in: Any, sscard: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, shown: str
) -> None:
    plug_in("rack_hsm:open_any")
    monkeypatch.setattr(sys, "argv", ["sscard", "run", "--hsm", url, f"--hsm={url}"])
    scenario, written = tmp_path / "scenario.yaml", tmp_path / "written"
    scenario.write_text("name: n\nproves: p\nsteps: [{verify_pin: 000000}]\n")
    formats = ("html", "junit", "json", "form", "trace", "allure")
    files = [word for name in formats for word in ("--report", f"{name}={tmp_path / name}")]
    assert sscard("run", scenario, "--hsm", url, *files, "--evidence", written)[0] == 1
    texts = [file.read_text("utf-8") for file in tmp_path.rglob("*") if file.is_file()]
    assert not any("s3cret" in text for text in texts)
    report = json.loads((tmp_path / "json").read_text("utf-8"))
    assert report["command"] == ["sscard", "run", "--hsm", shown, f"--hsm={shown}"]
    assert report["environment"]["hsm"] == shown
    assert shlex.split(report["results"][0]["again"])[-2:] == ["--hsm", shown]


def test_what_an_hsm_of_a_plug_in_refuses_stays(plug_in: Any) -> None:
    plug_in("rack_hsm:open_refusing")
    with pytest.raises(HsmUnavailable, match="the rack is off"), open_hsm("rack:"):
        pass


# Commands


class OnCards:
    """The command line over one card of 3.0 and one of 2.0."""

    def __init__(self, folder: Path, sscard: CommandLine) -> None:
        self._sscard = sscard
        self.journal = folder / "journal.db"
        self.cards = {name: folder / f"{name}.db" for name in ("v2-3des", "v3-sm4")}
        for name, path in self.cards.items():
            save_card(citizens_card(kit.PIN, personality=preset(name)), path)
        self.before = {name: kit.image_of(path) for name, path in self.cards.items()}

    def __call__(self, command: str, card: str, *options: object) -> tuple[int, str, str]:
        words = [word.format(card=self.cards[card], journal=self.journal) for word in command.split()]
        return self._sscard(*words, *options)

    def is_untouched(self, card: str) -> bool:
        return kit.image_of(self.cards[card]) == self.before[card]


@pytest.fixture
def on_cards(tmp_path: Path, sscard: CommandLine, monkeypatch: pytest.MonkeyPatch) -> OnCards:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("SSCARD_JOURNAL", raising=False)
    return OnCards(tmp_path, sscard)


CASE = "case open {card} --reason forgotten --new 654321 --journal {journal}"
COMMANDS = ("reset-pin {card} --new 654321", "unblock-pin {card}", CASE)


@pytest.mark.parametrize("card", ["v2-3des", "v3-sm4"])
@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_asks_the_hsm_of_its_url(
    on_cards: OnCards, server: HsmServer, token: Path, command: str, card: str
) -> None:
    code, out, err = on_cards(command, card, "--hsm", server.url, "--hsm-token", token)
    assert (code, err) == (0, ""), out
    assert load_card(on_cards.cards[card]).memory.strings[0] == encode_pin(
        kit.PIN if "unblock" in command else "654321"
    )


def test_the_trial_at_the_pharmacy_asks_it_too(on_cards: OnCards, server: HsmServer, token: Path) -> None:
    where = ("--hsm", server.url, "--hsm-token", token)
    code, out, _ = on_cards(CASE, "v3-sm4", "--pharmacy", *where)
    assert (code, out.splitlines()[-1]) == (0, "You can pay with the new PIN")
    with serving(SoftHsm(foreign_keys("DPK"))) as foreign:
        code, out, _ = on_cards(CASE, "v2-3des", "--pharmacy", "--hsm", foreign.url, "--hsm-token", token)
    assert code == 0
    assert "the trial at the pharmacy failed" in out


def test_a_case_is_resumed_with_another_hsm(on_cards: OnCards, server: HsmServer, token: Path) -> None:
    who = f"--name {kit.HOLDER.name} --id {kit.HOLDER.id_number}"
    online = f"case open --channel online --handling window {who} --reason locked"
    code, out, _ = on_cards(f"{online} --journal {{journal}}", "v2-3des")
    assert code == 0
    resume = f"case resume {out.split()[0]} {{card}} --new 654321 --journal {{journal}}"
    code, out, err = on_cards(resume, "v2-3des", "--hsm", server.url, "--hsm-token", token)
    assert (code, err) == (0, ""), out


@pytest.mark.parametrize("card", ["v2-3des", "v3-sm4"])
@pytest.mark.parametrize("command", COMMANDS)
def test_an_hsm_that_cannot_be_asked_ends_with_3_and_the_command_that_helps(
    on_cards: OnCards, server: HsmServer, closed_port: int, token: Path, command: str, card: str
) -> None:
    """Nothing reaches the card, and no case is opened."""
    gone = f"http://127.0.0.1:{closed_port}"
    code, _, err = on_cards(command, card, "--hsm", gone, "--hsm-token", token)
    assert (code, err) == (
        3,
        f"sscard: the service at {gone} cannot be reached: Connection refused\n  sscard hsm serve\n",
    )
    token.write_text("another")
    code, _, err = on_cards(command, card, "--hsm", server.url, "--hsm-token", token)
    assert (code, err) == (3, f"sscard: the service at {server.url} does not accept the token\n  {RIGHT_TOKEN}\n")
    assert on_cards.is_untouched(card)
    if command == CASE:
        assert "there is no journal" in on_cards("case list --journal {journal} --json", card)[2]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_token_of_this_user_is_the_default(
    on_cards: OnCards, server: HsmServer, tmp_path: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    code, _, err = on_cards(command, "v3-sm4", "--hsm", server.url)
    assert (code, err) == (
        3,
        f"sscard: the service at {server.url} needs a token, and no token file is given\n  {RIGHT_TOKEN}\n",
    )
    assert on_cards.is_untouched("v3-sm4")
    file = default_token_file()
    file.parent.mkdir(exist_ok=True)
    file.write_text(TOKEN)
    assert on_cards(command, "v3-sm4", "--hsm", server.url)[0] == 0


@pytest.mark.parametrize("command", COMMANDS[:2])
def test_an_hsm_that_refuses_ends_with_1(on_cards: OnCards, keys: Path, command: str) -> None:
    code, _, err = on_cards(command, "v3-sm4", "--hsm", f"soft:{keys}")
    assert (code, err) == (1, "sscard: this HSM holds no PUK version 1\n")
    assert on_cards.is_untouched("v3-sm4")


def test_an_hsm_that_refuses_to_read_a_card_ends_a_case_with_1(on_cards: OnCards, keys: Path) -> None:
    """EF06 of a 3.0 card is read with RKSSSE."""
    code, _, err = on_cards(CASE, "v3-sm4", "--hsm", f"soft:{keys}")
    assert (code, err) == (1, "sscard: this HSM holds no RKSSSE version 1\n")


def test_a_case_waits_while_the_hsm_refuses(on_cards: OnCards, keys: Path) -> None:
    code, out, _ = on_cards(CASE, "v2-3des", "--keys", keys)
    assert code == 1
    assert "the HSM could not do it" in out
    assert on_cards.is_untouched("v2-3des")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--hsm", "shelf:1"), "expected one of: http, https, pkcs11, soft"),
        (("--hsm", "soft:", "--keys", "keys.yaml"), "--keys and --hsm exclude each other"),
        (("--hsm", "soft:no-such-file.yaml"), "no-such-file.yaml: cannot be read"),
        (("--hsm", "http://127.0.0.1:1", "--hsm-token", "no-such-file"), "no-such-file: cannot be read as a token"),
    ],
)
def test_unusable_options_end_with_2(on_cards: OnCards, command: str, options: tuple[str, ...], says: str) -> None:
    code, _, err = on_cards(command, "v3-sm4", *options)
    assert code == 2
    assert says in err
    assert on_cards.is_untouched("v3-sm4")


@pytest.mark.parametrize("words", [[], ["--json"]], ids=["text", "json"])
def test_a_check_does_not_print_the_credentials_of_an_hsm(plug_in: Any, sscard: CommandLine, words: list[str]) -> None:
    plug_in("rack_hsm:open_any")
    code, out, err = sscard("hsm", "check", "rack://me:s3cret@host/a?pin=s3cret", *words)
    assert code == 0, err
    assert "rack://••••@host/a••••" in out
    assert "s3cret" not in out + err


@pytest.mark.parametrize(
    ("registry", "url", "shown"),
    [
        (CARDS, "rack://me:s3cret@host:7/a?pin=s3cret", "rack://••••@host:7/a••••"),
        (CARDS, "exec:./card --raw", "exec:./card --raw"),
        (CARDS, "exec:./card --pin 123456 --new=654321 --raw", "exec:./card --pin •••• --new=•••• --raw"),
        (CARDS, "exec:env SSCARD_PIN=123456 ./card", "exec:env SSCARD_PIN=•••• ./card"),
        (CARDS, "pcsc:Virtual PCD 00 00", "pcsc:Virtual PCD 00 00"),
        (CARDS, "cards/a.db", "cards/a.db"),
        (HSMS, "http://127.0.0.1:7/", "http://127.0.0.1:7/"),
        (HSMS, "", ""),
        (HSMS, "rack:", "rack:"),
        (HSMS, "rack:pin=s3cret", "rack:••••"),
    ],
)
def test_only_urls_of_packages_and_options_may_hold_a_secret(registry: Registry[Any], url: str, shown: str) -> None:
    assert registry.shown(url) == shown
