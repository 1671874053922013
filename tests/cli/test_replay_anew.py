"""`sscard replay --keys|--hsm`: a conversation with proofs and MACs, recorded on one card, runs on others."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

import kit
from kit.desk import Desk
from kit.programs import CommandLine
from kit.waiting import in_thread
from sscard.conversation import Recorder
from sscard.conversation.recording import RecordingWriter
from sscard.hsm import HsmError, SoftHsm
from sscard.hsm.server import HsmServer
from sscard.issuer import CardReference, Holder, KeyHierarchy, builtin_keys, personalise, preset
from sscard.issuer.cardfile import load_card, save_card
from sscard.issuer.hierarchy import KeyFile, builtin_key_file
from sscard.standard.tree import Account
from sscard.terminal import CardSession, flows

PRESETS = ("v1-des", "v2-3des", "v3-sm4")
KEYS = ("--hsm", "soft:")
OTHERS = {"city_code": "330106", "serial": 77, "code": 0x0B0C0D0E, "holder": Holder("李四", "110101199003070038")}
"""Of a card that shares nothing with `card_of`."""


def recorded(path: Path, talk: Callable[[CardSession], object], name: str = "v2-3des", *, contact: bool = True) -> Path:
    """The recording of what a terminal with the issuer's HSM does with a card."""
    lines: list[str] = []
    recorder = Recorder(kit.card_of(name).chip(Random(1), contact=contact), heard=RecordingWriter(lines.append))
    session = CardSession.start(recorder, SoftHsm())
    talk(session)
    session.close()
    path.write_text("".join(lines), encoding="utf-8")
    return path


def reset(session: CardSession) -> None:
    assert session.run(flows.is_genuine(session.card))
    with pytest.raises(Exception, match="5 tries left"):
        session.verify_pin("999999")
    session.reset_pin("654321")
    session.verify_pin("654321")


@pytest.mark.parametrize("contact", [True, False], ids=["contact", "contactless"])
@pytest.mark.parametrize("recorded_on", PRESETS)
def test_a_recorded_reset_plays_to_its_end_on_a_card_of_each_generation(
    sscard: CommandLine, tmp_path: Path, recorded_on: str, contact: bool
) -> None:
    talk = recorded(tmp_path / "talk.jsonl", reset, recorded_on, contact=contact)
    assert "654321" not in talk.read_text()
    for name in PRESETS:
        target = tmp_path / f"{name}.db"
        save_card(kit.card_of(name, **OTHERS), target)
        pins = ("--pin", "999999", "--pin", "808080", "--new", "808080")
        code, out, error = sscard("replay", talk, target, *KEYS, *pins, "--sw-only")
        assert (code, error) == (0, ""), out
        assert out.endswith("commands played, no difference\n")
        state = load_card(target).chip(Random(1)).snapshot()
        assert state.pin_tries == 6
        desk = Desk(card=load_card(target))
        assert desk.verify("808080") == 0x9000
    assert not {"999999", "808080", "654321"} & set(sscard.said.split())


def played(sscard: CommandLine, talk: Path, *arguments: object) -> tuple[int, str]:
    code, out, error = sscard("replay", talk, *arguments, *KEYS)
    assert error == ""
    return code, out


@pytest.mark.parametrize("name", PRESETS)
def test_answers_are_compared_but_for_what_belongs_to_keys_lengths_and_generation(
    sscard: CommandLine, tmp_path: Path, name: str
) -> None:
    """The same holder's card of each generation, so that all data of EF05 are the same."""
    talk = recorded(tmp_path / "talk.jsonl", reset)
    save_card(kit.card_of(name), tmp_path / "same.db")
    pins = ("--pin", "999999", "--pin", "808080", "--new", "808080")
    assert played(sscard, talk, tmp_path / "same.db", *pins) == (0, "14 of 14 commands played, no difference\n")
    save_card(kit.card_of(name, city_code="330106"), tmp_path / "other.db")
    code, out = played(sscard, talk, tmp_path / "other.db", *pins)
    assert code == 1
    assert out.startswith("line 7: READ RECORD")


def test_a_card_whose_proof_is_wrong_is_found(sscard: CommandLine, tmp_path: Path) -> None:
    """Of another issuer: its INTERNAL AUTHENTICATION is checked, and it refuses the proof of the PUK."""
    talk = recorded(tmp_path / "talk.jsonl", lambda session: session.run(flows.is_genuine(session.card)))
    file = builtin_key_file()
    roots = [
        replace(key, by_suite={suite: [value[::-1] for value in key.by_suite[suite]] for suite in key.by_suite})
        for key in file.keys
    ]
    alien = personalise(kit.order_of(preset("v3-sm4")), KeyHierarchy(KeyFile("another issuer", roots)))
    save_card(alien, tmp_path / "alien.db")
    code, out = played(sscard, talk, tmp_path / "alien.db")
    assert code == 1
    assert "INTERNAL AUTHENTICATION" in out
    assert out.endswith("7 of 7 commands played, 1 difference\n")


def test_a_new_pin_is_asked_for_before_anything_is_sent(sscard: CommandLine, tmp_path: Path) -> None:
    talk = recorded(tmp_path / "talk.jsonl", reset)
    target = tmp_path / "card.db"
    save_card(kit.card_of("v3-sm4"), target)
    before = load_card(target).snapshot()
    code, out, error = sscard("replay", talk, target, *KEYS, "--pin", "999999", "--pin", "808080")
    assert (code, out) == (2, "")
    line = next(at for at, each in enumerate(talk.read_text().splitlines(), 1) if '"84240001' in each)
    assert f"{talk}:{line}: the PIN is reset here, and the new one is not in a recording" in error
    assert "--new" in error
    assert load_card(target).snapshot() == before


def test_a_proof_that_was_refused_is_wrong_again(sscard: CommandLine, tmp_path: Path) -> None:
    lines: list[str] = []
    desk = Desk("v2-3des")
    recorder = Recorder(desk.chip, heard=RecordingWriter(lines.append))
    recorder.power_on()
    for command in (b"\x00\x84\x00\x00\x08", bytes.fromhex("0082000610" + "00" * 16)):
        recorder.transmit(command)
    (tmp_path / "talk.jsonl").write_text("".join(lines))
    save_card(kit.card_of("v3-sm4"), tmp_path / "card.db")
    assert played(sscard, tmp_path / "talk.jsonl", tmp_path / "card.db") == (
        0,
        "2 of 2 commands played, no difference\n",
    )
    assert Desk(card=load_card(tmp_path / "card.db")).key_tries() == 2


class RecordedDesk(Desk):
    """A desk whose conversation is recorded."""

    recorder: Recorder

    def send(self, command: bytes | str) -> bytes:
        return self.recorder.transmit(bytes.fromhex(command) if isinstance(command, str) else command)

    def record(self) -> list[str]:
        """Begin with a power on; the lines of the recording, as they come."""
        lines: list[str] = []
        self.recorder = Recorder(self.chip, heard=RecordingWriter(lines.append))
        self.chip.power_off()
        self.recorder.power_on()
        return lines


@pytest.mark.parametrize("name", PRESETS)
def test_macs_of_the_medical_account_are_computed_anew(sscard: CommandLine, tmp_path: Path, name: str) -> None:
    """A load, a purchase whose MAC2 is checked, a load with a wrong MAC2, and the proofs of both transactions."""
    desk = RecordedDesk("v2-3des", contact=True)
    lines = desk.record()
    desk.open_account()
    assert desk.load(1000)[-2:] == b"\x90\x00"
    assert desk.purchase(100, 20, 3)[-2:] == b"\x90\x00"
    assert desk.fetch(desk.credit(desk.begin_load(7), 7, right=False)) == b"\x93\x02"
    assert [desk.proof_of(kind, 0)[-2:] for kind in (1, 2)] == [b"\x90\x00"] * 2
    (tmp_path / "talk.jsonl").write_text("".join(lines))
    target = tmp_path / "card.db"
    save_card(kit.card_of(name, **OTHERS), target)
    code, out = played(sscard, tmp_path / "talk.jsonl", target, "--pin", kit.PIN)
    assert (code, out) == (0, "10 of 10 commands played, no difference\n")
    replayed = Desk(card=load_card(target))
    assert [replayed.account(which) for which in (Account.BALANCE, Account.SELF_PAID)] == [900, 20]


def recorded_update() -> tuple[RecordedDesk, list[str]]:
    """A desk that has written a record of SSSE with a MAC, and the lines of its recording, which grow."""
    desk = RecordedDesk(replace(preset("v2-3des"), updates_need_mac=True))
    lines = desk.record()
    desk.authenticate("UKSSSE")
    desk.challenge()
    assert desk.sw(desk.sealed("04DC022C", "020134")) == 0x9000
    return desk, lines


@pytest.mark.parametrize("name", PRESETS)
def test_the_mac_of_a_written_record_and_of_a_lock_is_computed_anew(
    sscard: CommandLine, tmp_path: Path, name: str
) -> None:
    """An UPDATE RECORD with a MAC in SSSE and in DF03, then the locking of DF03."""
    desk, lines = recorded_update()
    assert desk.select("DF03") == 0x9000
    desk.authenticate("LKDF03")
    desk.challenge()
    assert desk.sw(desk.sealed("841E0001", stk="STKDF03")) == 0x9000
    (tmp_path / "talk.jsonl").write_text("".join(lines))
    target = tmp_path / "card.db"
    save_card(kit.card_of(replace(preset(name), updates_need_mac=True), **OTHERS), target)
    code, out = played(sscard, tmp_path / "talk.jsonl", target)
    assert (code, out) == (0, "9 of 9 commands played, no difference\n")


def test_a_service_computes_them(sscard: CommandLine, tmp_path: Path) -> None:
    """A reset, an UPDATE RECORD with a MAC over plain data, and a load, by an HSM over HTTP."""
    desk, lines = recorded_update()
    desk.authenticate("PUK")
    desk.challenge()
    assert desk.sw(desk.message(1, desk.block(bytes.fromhex("654321")))) == 0x9000
    assert desk.verify("654321") == 0x9000
    assert desk.select("DF04") == 0x9000
    assert desk.load(500)[-2:] == b"\x90\x00"
    (tmp_path / "talk.jsonl").write_text("".join(lines))
    target, token = tmp_path / "card.db", tmp_path / "token"
    save_card(kit.card_of(replace(preset("v3-sm4"), updates_need_mac=True), **OTHERS), target)
    token.write_text("the-token-of-the-tests")
    options = ("--pin", "808080", "--new", "808080", "--hsm-token", token)
    with HsmServer(SoftHsm(), token.read_text(), port=0) as server, in_thread(server.serve_forever, server.shutdown):
        code, out, error = sscard("replay", tmp_path / "talk.jsonl", target, "--hsm", server.url, *options)
    assert code == 0, out + error
    assert Desk(card=load_card(target)).account(Account.BALANCE) == 500


@pytest.mark.parametrize(
    ("header", "pin"),
    [("84240001", None), ("842400011401", b"\x12\x34"), ("04DC022C08020134", None)],
    ids=["short", "data and a PIN", "Lc"],
)
def test_a_message_that_is_none_is_refused(header: str, pin: bytes | None) -> None:
    hsm, card = SoftHsm(), CardReference("510100", bytes(8))
    with pytest.raises(HsmError, match="header"):
        hsm.safe_message(3, hsm.address_of("STK"), card, bytes(8), bytes.fromhex(header), pin)


def test_without_keys_it_says_how_to_go_beyond_a_proof(sscard: CommandLine, tmp_path: Path) -> None:
    talk = recorded(tmp_path / "talk.jsonl", lambda session: session.reset_pin("654321"))
    save_card(kit.card_of("v2-3des"), tmp_path / "card.db")
    code, out, error = sscard("replay", talk, tmp_path / "card.db")
    assert code == 1
    assert "not replayable" in out
    assert "--keys FILE or --hsm URL" in error


@pytest.mark.parametrize("option", [("--new", "654321"), ("--new-file", "pin")])
def test_a_new_pin_without_keys_is_refused(
    sscard: CommandLine, tmp_path: Path, option: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pin").write_text("654321\n")
    talk = recorded(Path("talk.jsonl"), lambda session: session.verify_pin(kit.PIN))
    save_card(kit.card_of("v2-3des"), "card.db")
    before = Path("card.db").read_bytes()
    pin = ("--pin", kit.PIN)
    code, out, error = sscard("replay", talk, "card.db", *pin, *option)
    assert (code, out) == (2, "")
    assert "give --keys FILE or --hsm URL" in error
    assert Path("card.db").read_bytes() == before
    monkeypatch.setenv("SSCARD_NEW_PIN", "654321")  # for other calls
    assert sscard("replay", talk, "card.db", *pin)[0] == 0


def test_json_names_what_was_compared(sscard: CommandLine, tmp_path: Path) -> None:
    talk = recorded(tmp_path / "talk.jsonl", reset)
    save_card(kit.card_of("v3-sm4"), tmp_path / "card.db")
    pins = ("--pin", "999999", "--pin", "808080", "--new", "808080")
    code, out, _ = sscard("replay", talk, tmp_path / "card.db", *KEYS, *pins, "--json")
    assert code == 0
    found = json.loads(out)
    assert (found["commands"], found["sent"], found["differences"], found["not_sent"]) == (14, 14, [], [])


def test_a_card_that_cannot_be_identified_ends_with_1(sscard: CommandLine, tmp_path: Path) -> None:
    talk = recorded(tmp_path / "talk.jsonl", reset)
    desk = Desk("v3-sm4")
    desk.block_card()
    save_card(desk.card, tmp_path / "locked.db")
    code, out, error = sscard(
        "replay", talk, tmp_path / "locked.db", *KEYS, "--pin", "999999", "--pin", "808080", "--new", "808080"
    )
    assert (code, out) == (1, "")
    assert "the card refused: SELECT SSSE: 6A81" in error


def test_masked_data_that_no_key_computes_are_not_replayable(sscard: CommandLine, tmp_path: Path) -> None:
    """VERIFY CERTIFICATE PIN: its cryptogram is none of the issuer's."""
    card = replace(preset("v3-sm4"), certificate_application="stub")
    save_card(personalise(kit.order_of(card), builtin_keys()), tmp_path / "card.db")
    script = "00A404000C504B492EC9E7BBE1B1A3D5CF\n0084000010\n0020018110" + 16 * "00" + "\n0084000008\n"
    talk = tmp_path / "talk.jsonl"
    assert sscard("record", tmp_path / "card.db", "-o", talk, stdin=script)[0] == 0
    plain, computed = (sscard("replay", talk, tmp_path / "card.db", *keys) for keys in ((), KEYS))
    assert (plain[0], computed[0]) == (1, 1)
    for out in (plain[1], computed[1]):
        assert f"{talk}:5: VERIFY CERTIFICATE PIN (user PIN): not replayable" in out


def test_a_key_that_no_card_has_is_named(sscard: CommandLine, tmp_path: Path) -> None:
    script = "00 84 00 00 08 (90 00)\n00 82 00 77 10 11 22 33 44 55 66 77 88 01 02 03 04 05 06 07 08 (6A 88)\n"
    save_card(kit.card_of("v3-sm4"), tmp_path / "card.db")
    code, out, _ = sscard("replay", "-", tmp_path / "card.db", *KEYS, stdin=script)
    assert code == 1
    assert "not replayable: no key 77 is known in the current DF" in out
