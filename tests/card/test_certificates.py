"""The certificate application: absent by default, and the stub with its own PINs beside the social PIN."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from kit import Desk
from kit.cards import NAME, PUK, card_of
from sscard.card import Chip
from sscard.chip.memory import Moment, PowerLost
from sscard.issuer import preset
from sscard.issuer.cardfile import load_card, open_card, save_card
from sscard.issuer.image import read_image, write_image
from sscard.standard.certificates import cryptogram
from sscard.standard.choices import Personality

ENVIRONMENT = "00A404000C504B492EC9E7BBE1B1A3D5CF"
ADF = "00A404000C53532E434552542E41444631"
BANK = "00A4040008A000000333010101"
USER, ADMINISTRATOR = "0181", "0100"
SHEET = bytes.fromhex
VECTORS = [
    ("123456", "112233445566778899AABBCCDDEEFF00", "CFACB48700A08191B8D9E1C618337FC2"),
    ("123456", "1122334455667788", "C513A399E28ECC75D171989D144A24A7"),
    ("12345678", "112233445566778899AABBCCDDEEFF00", "F9F4C2D8451479F2A598CB30C08F73C3"),
    ("12345678", "1122334455667788", "E3189663B42DEA9A35DE95BDE71A1A7F"),
]
"""PIN, challenge, cryptogram: certificate-application.md §3."""


class Counter(Desk):
    """A desk at which the certificate application is selected: its own PINs, and commands that it does not know."""

    def send(self, command: bytes | str) -> bytes:
        return self.chip.transmit(bytes.fromhex(command) if isinstance(command, str) else command)

    def enter(self) -> None:
        assert [self.sw(ENVIRONMENT), self.sw(ADF)] == [0x9000, 0x9000]

    def prove(self, which: str, pin: str, length: int = 16) -> int:
        challenge = self.challenge(length)
        return self.sw(f"002{which:0>5}10{cryptogram(bytes.fromhex(pin), challenge).hex()}")

    @property
    def own(self) -> tuple[object, ...]:
        """Counters, verified PINs and values of the certificate application."""
        shown, first = self.chip.snapshot(), self.card.profile.layout.certificate_pins
        return shown.certificate_tries, shown.certificate_verified, self.memory.strings[first : first + 2]

    @property
    def social(self) -> tuple[object, ...]:
        """The social PIN, its counter and status, and the counters of all keys."""
        shown = self.chip.snapshot()
        return shown.pin_tries, shown.pin_verified, self.memory.strings[0], shown.counters


def stub(**choices: Any) -> Personality:
    return replace(preset("v3-sm4"), certificate_application="stub", **choices)


@pytest.fixture
def counter() -> Counter:
    return Counter(stub())


@pytest.mark.parametrize("name", ["v1-des", "v2-3des", "v3-sm4"])
def test_by_default_a_card_has_neither_the_application_nor_that_of_the_bank(name: str) -> None:
    desk = Counter(name)
    desk.select("DF01")
    assert [desk.sw(command) for command in (ENVIRONMENT, ADF, BANK)] == [0x6A82] * 3
    assert desk.chip.snapshot().current_df == "DF01"
    assert desk.sw(f"00200181100{'0' * 31}") == 0x6A86
    assert desk.chip.snapshot().certificate_tries == ()


def test_the_stub_answers_the_selections_of_the_programs(counter: Counter) -> None:
    assert counter.send(ENVIRONMENT).hex().upper() == "6F10840C504B492EC9E7BBE1B1A3D5CFA5009000"
    assert counter.send(ADF).hex().upper() == "6F0E840C53532E434552542E414446319000"
    counter.sw(f"00A404000F{NAME}")
    assert counter.sw(ADF) == 0x9000
    assert counter.sw(ENVIRONMENT) == 0x9000
    # In its environment DF01 is the ADF, and outside that of SSSE.
    assert counter.send("00A4000002DF01").hex().upper() == "6F0E840C53532E434552542E414446319000"
    assert counter.sw("00A4000002DF02") == 0x6A82
    assert counter.sw("00A40000023F00") == 0x9000
    assert counter.send("00A4000002DF01").hex().upper().startswith("6F088406D15600000500")


def test_on_contact_the_answer_waits_for_get_response() -> None:
    counter = Counter(stub(), contact=True)
    assert counter.send(ENVIRONMENT).hex() == "6112"
    assert counter.send("00C0000012").hex().upper().startswith("6F10840C")
    assert counter.send(ADF).hex() == "6110"


def test_the_bank_application_answers_select_only() -> None:
    desk = Counter(replace(preset("v3-sm4"), bank_application=True))
    assert desk.send(BANK).hex().upper() == "6F0A8408A0000003330101019000"
    assert desk.sw("00B2010C00") == 0x6A82
    assert desk.sw("0020000003123456") == 0x6A88
    assert desk.sw(ENVIRONMENT) == 0x6A82


@pytest.mark.parametrize(
    ("fid", "length"), [("0012", 66), ("0013", 0), ("0014", 66), ("0015", 0), ("0018", 1024), ("0019", 1024)]
)
def test_the_files_are_zero_and_private_keys_are_never_read(counter: Counter, fid: str, length: int) -> None:
    assert counter.sw(f"00A4000002{fid}") == 0x6A82
    counter.enter()
    assert counter.sw(f"00A4000002{fid}") == 0x9000
    if not length:
        assert counter.sw("00B0000000") == 0x6982
        return
    read = b""
    while len(read) < length:
        answer = counter.send(f"00B0{len(read):04X}00")
        read += answer[:-2]
        assert answer[-2:] == b"\x90\x00"
    assert read == bytes(length)
    assert counter.sw(f"00B0{length:04X}00") == 0x6B00


@pytest.mark.parametrize("fid", ["0016", "0017", "EF12", "EF05", "0000", "0001"])
def test_a_file_that_nobody_has_seen_does_not_exist(counter: Counter, fid: str) -> None:
    counter.enter()
    assert counter.sw(f"00A4000002{fid}") == 0x6A82
    assert counter.chip.snapshot().current_df == "certificates"


@pytest.mark.parametrize(("pin", "challenge", "expected"), VECTORS)
def test_cryptograms_are_those_of_the_sheet(pin: str, challenge: str, expected: str) -> None:
    assert cryptogram(SHEET(pin), SHEET(challenge)).hex().upper() == expected


@pytest.mark.parametrize(("pin", "challenge", "expected"), VECTORS)
def test_verify_takes_the_vectors_of_the_sheet(pin: str, challenge: str, expected: str) -> None:
    card = card_of(stub())

    chip = Chip(card.profile, card.memory, lambda count: SHEET(challenge)[:count], contact=False)
    chip.power_on()
    chip.transmit(SHEET(ADF))
    chip.transmit(SHEET(f"00840000{len(challenge) // 2:02X}"))
    which = USER if len(pin) == 6 else ADMINISTRATOR
    assert chip.transmit(SHEET(f"0020{which}10{expected}")) == b"\x90\x00"
    assert chip.snapshot().certificate_verified == ("user" if which == USER else "administrator",)


@pytest.mark.parametrize("length", [8, 16])
@pytest.mark.parametrize("place", [ENVIRONMENT, ADF])
def test_each_pin_has_its_own_counter_and_status(place: str, length: int) -> None:
    counter = Counter(stub(certificate_user_tries=3))
    counter.sw(place)
    assert counter.prove(USER, "654321", length) == 0x63C2
    assert counter.prove(ADMINISTRATOR, "87654321", length) == 0x63C5
    assert counter.prove(USER, "123456", length) == 0x9000
    assert counter.own[:2] == ((3, 5), ("user",))
    assert counter.prove(ADMINISTRATOR, "12345678", length) == 0x9000
    assert counter.own[:2] == ((3, 6), ("user", "administrator"))
    assert [counter.prove(USER, "111111", length) for _ in range(4)] == [0x63C2, 0x63C1, 0x63C0, 0x6983]
    assert counter.own[:2] == ((0, 6), ("administrator",))
    assert counter.prove(USER, "123456", length) == 0x6983


def test_a_challenge_is_used_up_by_each_verify(counter: Counter) -> None:
    counter.enter()
    proof = f"0020018110{'00' * 16}"
    assert counter.sw(proof) == 0x6984
    counter.challenge(16)
    assert counter.sw(proof) == 0x63C5
    assert counter.sw(proof) == 0x6984
    challenge = counter.challenge(16)
    counter.sw(ENVIRONMENT)
    assert counter.sw(f"0020018110{cryptogram(SHEET('123456'), challenge).hex()}") == 0x6984
    assert counter.own[0] == (5, 6)


def test_a_des_card_gives_the_challenge_of_16_bytes_only_here() -> None:
    counter = Counter(stub(algorithm="DES"))
    assert counter.sw("0084000010") == 0x6700
    counter.enter()
    assert counter.prove(USER, "123456") == 0x9000


@pytest.mark.parametrize("lc", ["00", "03123456", "0400000000"])
def test_verify_without_a_whole_cryptogram_costs_nothing(counter: Counter, lc: str) -> None:
    counter.enter()
    counter.challenge(16)
    assert counter.sw(f"00200181{lc}") == 0x6700
    assert counter.own[0] == (6, 6)


@pytest.mark.parametrize("command", ["0020000003123456", "0020000000", "0020000010" + "00" * 16, "0020008103123456"])
def test_verify_of_the_social_pin_is_refused_here(counter: Counter, command: str) -> None:
    counter.enter()
    before = counter.social, counter.own
    assert counter.sw(command) == 0x6A86
    assert (counter.social, counter.own) == before


@pytest.mark.parametrize("which", [USER, ADMINISTRATOR])
@pytest.mark.parametrize("data", ["03123456", "10" + "00" * 16, "00"])
def test_verify_of_its_pins_is_refused_elsewhere(counter: Counter, which: str, data: str) -> None:
    for place in (f"00A404000F{NAME}", "00A4000002DF03", "00A404000E315041592E5359532E4444463031"):
        counter.sw(place)
        counter.challenge(8)
        assert counter.sw(f"0020{which}{data}") == 0x6A86
    assert counter.social[0] == 6
    assert counter.own[0] == (6, 6)


NOT_HERE = [
    *("8040000008C0020012C2020013", "80C9820008C0020012C2020013", "80C9828042", "804E000104AABBCCDD"),
    *(f"804A021012C110{'00' * 16}", f"80C2400046C0020014CA40{'00' * 64}", "00D600000100", f"84D4010024{'00' * 36}"),
    *(f"805E010014{'00' * 20}", "805E010007123456FF654321", f"0082000010{'00' * 16}", "80C4010305C10312345600"),
    *("00B2010400", f"0088000010{'00' * 16}", "8424000004AABBCCDD", "841E000104AABBCCDD", "8416000004AABBCCDD"),
]


@pytest.mark.parametrize("unknown", [0x6D00, 0x6A81])
def test_all_else_is_an_unknown_command(unknown: int) -> None:
    counter = Counter(stub(unknown_ins=unknown))
    counter.enter()
    before = counter.social, counter.own
    assert {counter.sw(command) for command in NOT_HERE} == {unknown}
    assert counter.sw("F020018100") == counter.sw("8020018100") == 0x6E00
    assert (counter.social, counter.own) == before


def test_malformed_selections_are_refused_as_everywhere(counter: Counter) -> None:
    counter.enter()
    assert counter.sw("00A4000003001200") == 0x6700
    assert counter.sw("00A40900020012") == 0x6A86
    assert counter.sw("00A4040004504B492E") == 0x6700
    assert counter.chip.snapshot().current_df == "certificates"


def test_power_off_ends_selection_and_statuses_and_keeps_the_counters(counter: Counter) -> None:
    counter.enter()
    counter.prove(USER, "111111")
    counter.prove(ADMINISTRATOR, "12345678")
    counter.repower()
    assert counter.own[:2] == ((5, 6), ())
    assert counter.verify() == 0x9000


@pytest.mark.parametrize(
    ("keeps", "social", "own"), [("pin", True, True), ("all", True, True), ("nothing", False, False)]
)
def test_selecting_another_df_treats_both_pins_alike(keeps: str, *, social: bool, own: bool) -> None:
    counter = Counter(stub(select_keeps=keeps))
    counter.verify()
    counter.authenticate(PUK)
    counter.enter()
    shown = counter.chip.snapshot()
    assert shown.pin_verified is social
    assert shown.authenticated == (("PUK",) if keeps == "all" else ())
    counter.prove(USER, "123456")
    counter.select("SSSE")
    assert counter.chip.snapshot().certificate_verified == (("user",) if own else ())


def test_no_operation_on_the_social_pin_touches_the_others(counter: Counter) -> None:
    counter.enter()
    counter.prove(USER, "111111")
    counter.prove(ADMINISTRATOR, "12345678")
    own = counter.own
    counter.select("SSSE")
    counter.block_pin()
    assert counter.own == own
    for unblock in (True, False):
        counter.authenticate(PUK)
        counter.challenge()
        assert (
            counter.sw(counter.message(0) if unblock else counter.message(1, counter.block(SHEET("654321")))) == 0x9000
        )
        assert counter.own == own
    assert counter.sw("805E010007654321FF135790") == 0x9000
    assert counter.sw("805E010004135790FF") == 0x9000
    counter.block_key()
    assert counter.own == own


def test_no_verify_of_the_others_touches_the_social_pin(counter: Counter) -> None:
    counter.verify("111111")
    counter.verify()
    counter.verify("222222")
    social = counter.social
    counter.enter()
    for _ in range(7):
        counter.prove(USER, "111111")
        counter.prove(ADMINISTRATOR, "11111111")
    assert counter.own[0] == (0, 0)
    assert counter.social == social


def test_locked_applications_leave_it_and_a_locked_card_ends_it(counter: Counter) -> None:
    for df in ("DF03", "DF04"):
        counter.block_application(df)
    counter.enter()
    assert counter.prove(USER, "123456") == 0x9000
    counter.select("SSSE")
    counter.block_card()
    assert counter.sw(ENVIRONMENT) == counter.sw(ADF) == 0x6A81
    counter.repower()
    assert counter.sw(ENVIRONMENT) == counter.sw(ADF) == counter.sw(f"0020018110{'00' * 16}") == 0x6A81


def cuts(pin: str) -> Iterator[tuple[int, Moment]]:
    for point in range(6 if pin == "123456" else 3):
        for moment in Moment:
            yield point, moment


@pytest.mark.parametrize("pin", ["123456", "111111"])
def test_a_power_cut_gives_no_try_back(pin: str) -> None:
    """The try is paid before the comparison, so a right and a wrong PIN look alike until then."""
    for point, moment in cuts(pin):
        counter = Counter(stub())
        counter.enter()
        counter.prove(USER, "222222")
        challenge = counter.challenge(16)
        social = counter.social
        counter.memory.cut_power(point, moment)
        with pytest.raises(PowerLost):
            counter.send(f"0020018110{cryptogram(SHEET(pin), challenge).hex()}")
        counter.repower()
        (user, administrator), verified, _values = counter.own
        assert user in ({4, 5, 6} if pin == "123456" and point >= 3 else {4, 5})
        assert (administrator, verified, counter.social) == (6, (), social)


def test_a_failing_memory_compares_nothing(counter: Counter) -> None:
    counter.enter()
    counter.memory.fail()
    assert counter.prove(USER, "123456") == 0x6581
    assert counter.own[:2] == ((6, 6), ())


def test_card_file_and_image_keep_pins_and_counters(tmp_path: Path) -> None:
    card = card_of(stub(bank_application=True), certificate_pin="2468", administrator_pin="13579135")
    save_card(card, tmp_path / "card.db")
    with open_card(tmp_path / "card.db", Random(1), contact=False) as opened:
        counter = Counter(card=opened.card)
        counter.enter()
        assert counter.prove(USER, "123456") == 0x63C5
        assert counter.prove(ADMINISTRATOR, "13579135") == 0x9000
    loaded = load_card(tmp_path / "card.db")
    for again in (loaded, read_image(write_image(loaded), "image"), copy.deepcopy(loaded)):
        assert again.snapshot().certificate_tries == (5, 6)
        counter = Counter(card=again)
        counter.enter()
        assert counter.prove(USER, "2468") == 0x9000
