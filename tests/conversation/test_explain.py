"""Every command, answer, status word, FCI and record of the card in words, and never a secret."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit import NAME
from kit.desk import TERMINAL, TIME, Desk, amounts
from sscard.card.commands import COMMANDS, TABLE
from sscard.conversation import Recorder
from sscard.conversation.explain import Selection, explain_command, explain_data
from sscard.i18n.language import CHINESE, ENGLISH, say, speaking
from sscard.issuer import preset
from sscard.standard.apdu import SW, status_words
from sscard.standard.generations import build_layout

OK = b"\x90\x00"
PIN, NEW = "739184", "582036"


def words(command: str, answer: bytes = OK) -> str:
    return say(explain_command(bytes.fromhex(command)))


ASKED = [
    (f"00A404000F{NAME}", "SELECT", "DF by name SSSE"),
    ("00A40402057378312E73", "SELECT", "next by name"),
    ("00A4000002DF04", "SELECT", "DF04"),
    ("00A4000000", "SELECT", "3F00"),
    ("00A4020002EF05", "SELECT", "EF05"),
    ("00A40400054D51324D51", "SELECT", "4D51324D51"),
    ("00B0960410", "READ BINARY", "EF16 from offset 4, 16 bytes"),
    ("00B0010000", "READ BINARY", "current EF from offset 256, all bytes"),
    ("00B2072C0B", "READ RECORD", "EF05, record 7"),
    ("00B2080014", "READ RECORD", "current EF, first record with identifier 08"),
    ("00B2000200", "READ RECORD", "next record of any identifier"),
    ("00B2010540", "READ RECORD", "current EF, records 1 to last"),
    ("00B2010640", "READ RECORD", "records last to 1"),
    ("00D6960002AABB", "UPDATE BINARY", "EF16 from offset 0, 2 bytes"),
    ("04D6960006AABB00000000", "UPDATE BINARY", "EF16"),
    ("00DC022C03020134", "UPDATE RECORD", "EF05, record 2"),
    ("04DC022C0702013400000000", "UPDATE RECORD", "EF05, record 2"),
    ("0084000008", "GET CHALLENGE", "8 bytes"),
    ("0088000011" + "00" * 16 + "02", "INTERNAL AUTHENTICATION", "IRK, version 2"),
    ("0082000610" + "00" * 16, "EXTERNAL AUTHENTICATION", "PUK"),
    ("0082007F10" + "00" * 16, "EXTERNAL AUTHENTICATION", "unknown"),
    (f"0020000003{PIN}", "VERIFY", "PIN of 3 bytes"),
    ("0020000000", "VERIFY", "tries left"),
    (f"805E010007{PIN}FF{NEW}", "CHANGE PIN", ""),
    ("842400000400000000", "PIN CHANGE/UNBLOCK", "unblock"),
    ("8424000114" + "00" * 20, "PIN CHANGE/UNBLOCK", "reset, enciphered PIN of 16 bytes"),
    ("841E000104AABBCCDD", "APPLICATION BLOCK", ""),
    ("8416000004AABBCCDD", "CARD BLOCK", ""),
    ("00C000001B", "GET RESPONSE", ""),
    ("B02800010B01000001F4510100000001", "INITIALIZE FOR LOAD", "5.00 yuan, terminal 510100000001"),
    ("B02A00000B" + TIME + "00000000", "CREDIT FOR LOAD", ""),
    (
        "B02801011301" + amounts(12345, 20, 3).hex() + TERMINAL,
        "INITIALIZE FOR PURCHASE",
        "account 123.45 yuan, self-paid 0.20 yuan, pool 0.03 yuan",
    ),
    ("B02C01000F" + "00" * 15, "DEBIT FOR PURCHASE", ""),
    ("B026000206", "GET BALANCE", "self-paid total"),
    ("B02E0002020007", "GET TRANSACTION PROOF", "purchase number 7"),
    ("B0560000020401", "UPDATE STARTING DAY", ""),
    ("B056010002", "GET STARTING DAY", ""),
]


@pytest.mark.parametrize(("command", "name", "parameters"), ASKED)
def test_a_command_in_words(command: str, name: str, parameters: str) -> None:
    said = words(command)
    assert said.startswith(name)
    assert parameters in said


def test_no_command_is_left_without_words() -> None:
    said = {words(command).partition(" (")[0] for command, *_ in ASKED}
    assert said == {command.name for command in COMMANDS}


@pytest.mark.parametrize("command", ["F0FF0000", "00FF0000", "00", ""])
def test_what_is_no_command_is_called_that(command: str) -> None:
    assert "unknown command" in words(command)


def test_a_command_under_another_cla_is_named_as_such() -> None:
    assert "another CLA" in words("80A4000000")
    assert words("0020").startswith("VERIFY")
    assert "another CLA" not in words("0020")


@pytest.mark.parametrize("word", list(SW))
def test_every_status_word_has_words_in_both_languages(word: SW) -> None:
    english, chinese = status_words(word)
    assert "unknown" not in english or word in (SW.UNKNOWN_INS, SW.UNKNOWN_CLA)
    assert "未知" not in chinese
    assert english.isascii()
    assert not chinese.isascii()


@pytest.mark.parametrize(
    ("word", "english", "chinese"),
    [(0x63C3, "3 tries left", "剩余3次"), (0x611B, "27 bytes waiting", "27"), (0x6C12, "18 is right", "18")],
)
def test_families_of_status_words_tell_their_number(word: int, english: str, chinese: str) -> None:
    words = status_words(word)
    assert english in words.english
    assert chinese in words.chinese


# What the data hold, over whole conversations with a card


class Talk:
    """A desk whose answers are explained as they come."""

    def __init__(self, name: str = "v3-sm4", *, contact: bool = False, **changes: object) -> None:
        self.desk = Desk(replace(preset(name), **changes), contact=contact)
        self.selection = Selection(self.desk.card.profile.layout)

    def __call__(self, command: str | bytes) -> str:
        sent = bytes.fromhex(command) if isinstance(command, str) else command
        answer = self.desk.send(sent)
        return "\n".join(map(say, explain_data(self.selection.follow(sent, answer), answer[:-2])))


@pytest.mark.parametrize(("name", "algorithm"), [("v1-des", "01 DES/3DES"), ("v3-sm4", "03 SM4")])
@pytest.mark.parametrize("contact", [False, True])
def test_the_fci_of_ssse(name: str, algorithm: str, contact: bool) -> None:
    talk = Talk(name, contact=contact, dir_sfi=1, fci_algorithm=True)
    said = talk(f"00A404000F{NAME}")
    if contact:
        assert said == ""
        said = talk("00C000001E")
    assert said.splitlines() == [
        f"DF name {NAME} ('sx1.sh.社会保障')",
        "DIR file has SFI 01",
        f"algorithm {algorithm}",
    ]


@pytest.mark.parametrize("contact", [False, True])
def test_the_fci_of_a_1_0_card_names_no_algorithm(contact: bool) -> None:
    talk = Talk("v1-des", contact=contact)
    said = talk(f"00A404000F{NAME}")
    said = talk("00C0000018") if contact else said
    assert said.splitlines() == [f"DF name {NAME} ('sx1.sh.社会保障')", "DIR file has SFI 0B"]


@pytest.mark.parametrize(
    ("command", "says", "chinese"),
    [
        ("00A4010002DF03", "SELECT (DF03 DF03)", "DF03 社会保险信息区1"),
        ("FFCA000000", "UID of the card, asked of the reader", "UID"),
        ("FFCA010000", "historical bytes of the ATS, asked of the reader", "历史字节"),
    ],
)
def test_a_child_df_and_what_the_reader_is_asked(command: str, says: str, chinese: str) -> None:
    sent = bytes.fromhex(command)
    assert say(explain_command(sent)) == says
    with speaking(CHINESE):
        assert chinese in say(explain_command(sent))


def test_records_of_a_child_df_are_explained_by_its_files() -> None:
    talk = Talk(contact=False)
    talk("00A4010002DF03")
    talk.desk.verify()
    talk("00A4020002EF19")
    assert talk("00B2790029").startswith("79")


def test_the_fci_of_an_application_and_of_the_financial_one() -> None:
    talk = Talk()
    assert talk("00A4000002DF04").startswith("DF name D15600000503")
    assert "1PAY.SYS.DDF01" in talk(f"00A404000E{b'1PAY.SYS.DDF01'.hex()}")
    assert talk("00A40000023F00").startswith(f"DF name {NAME}")


@pytest.mark.parametrize("length", range(1, 0x1E))
def test_an_fci_fetched_in_two_parts(length: int) -> None:
    talk = Talk(contact=True)
    talk(f"00A404000F{NAME}")
    talk(bytes((0x00, 0xC0, 0, 0, length)))
    talk(bytes((0x00, 0xC0, 0, 0, 0x1E - length)))


def test_records_of_ssse() -> None:
    talk = Talk()
    talk("00A4020002EF05")
    assert talk("00B2070408") == ""
    assert talk("00B207040B") == "07 card number: A00000011"
    whole = talk("00B2010540").splitlines()
    assert len(whole) == 7
    assert "05 issue date: 20250101" in whole
    talk.desk.authenticate("RKSSSE")
    holder = talk("00B201355B").splitlines()
    assert "09 name: 张三" in holder
    assert "4E name extension: not written" in holder


def test_records_within_records() -> None:
    talk = Talk()
    talk.desk.verify()
    talk("00A4000002DF01")
    said = talk("00B240A836").splitlines()
    assert said[0].startswith("40")
    assert said[1].strip() == "57 degree: not written"
    assert len(said) == 4


def test_records_of_a_cyclic_file() -> None:
    talk = Talk()
    talk.desk.open_account()
    talk("00A4000002DF04")
    talk.desk.load(500)
    said = talk("00B201441C")
    assert "sequence number: 0000" in said
    assert f"terminal: {TERMINAL}" in said
    assert TIME in said
    assert "type: 01" in said
    assert "000001F4" in said


def test_the_file_is_that_of_the_current_df() -> None:
    """EF05 of SSSE and of DF04 have other items; a refused selection keeps the old file."""
    talk = Talk()
    talk.desk.verify()
    assert "card number" in talk("00B2072C0B")
    talk("00A4000002DF04")
    assert "card mode" in talk("00B28F2803")
    talk("00A4000002DFEE")
    assert "card mode" in talk("00B28F0003")
    talk("00A4000000")
    assert "card number" in talk("00B2072C0B")
    talk("00A4000002DF04")
    talk("00A400000000")
    assert "card number" in talk("00B2072C0B")


def test_a_walk_over_names_is_followed() -> None:
    talk = Talk()
    talk.desk.verify()
    talk("00A4040005D156000005")
    for _ in range(3):
        talk("00A4040205D156000005")
    assert talk.desk.chip.snapshot().current_df == "DF04"
    assert "card mode" in talk("00B28F2803")


def test_ssse_below_the_mf_is_named() -> None:
    select = bytes.fromhex("00A4000002DDF1")
    assert say(explain_command(select)) == "SELECT (DDF1 SSSE)"
    selection = Selection()
    selection.follow(bytes.fromhex("00A4000002DF01"), b"\x90\x00")
    selection.follow(select, b"\x90\x00")
    assert selection.df == build_layout("3.0").ssse.fid


def test_a_card_of_the_first_generation_is_explained_by_its_own_files() -> None:
    talk = Talk("v1-des")
    talk.desk.verify()
    talk.desk.select("DF03")
    talk("00A4000002DF03")
    talk.desk.authenticate("RK3DF03")
    assert talk("00B27A4005").startswith("7A")


@pytest.mark.parametrize("generation", ["1.0", "2.0", "3.0"])
def test_every_item_of_every_file_has_words(generation: str) -> None:
    layout = build_layout(generation, optional_applications=True)
    for file in layout.files:
        if file.structure.name == "TRANSPARENT" or not file.items:
            continue
        selection = Selection(layout)
        selection.follow(b"\x00\xa4\x00\x00\x02" + file.df.to_bytes(2, "big"), OK)
        selection.follow(b"\x00\xa4\x02\x00\x02" + file.fid.to_bytes(2, "big"), OK)
        content = file.blank() or bytes(file.record_length)
        said = explain_data(selection.follow(bytes.fromhex("00B2010500"), content + OK), content)
        assert len(said) >= len(file.items), file.name


# Secrets


@pytest.mark.parametrize(
    "command",
    [
        f"0020000003{PIN}",
        f"8020000003{PIN}",
        f"0020010003{PIN}",
        f"0020000008{PIN}",
        f"002000000A{PIN}",
        f"00200000{PIN}",
        f"0020000003{PIN}00",
        f"805E010007{PIN}FF{NEW}",
        f"805E010007{PIN}",
        f"805E0100{PIN}FF{NEW}",
        f"805E000007{PIN}FF{NEW}",
        f"005E010007{PIN}FF{NEW}",
    ],
)
@pytest.mark.parametrize("answer", ["9000", "63C5", "6700", "6A86"])
def test_no_pin_is_ever_told(command: str, answer: str) -> None:
    sent, answered = bytes.fromhex(command), bytes.fromhex(answer)
    data = explain_data(Selection().follow(sent, answered), answered[:-2])
    said = say(explain_command(sent)) + "".join(map(say, data))
    assert PIN not in said
    assert NEW not in said


def test_no_pin_is_told_by_a_recorder() -> None:
    desk = Desk("v3-sm4", PIN)
    recorder = Recorder(desk.chip)
    recorder.power_on()
    for command in (f"0020000003{PIN}", f"805E010007{PIN}FF{NEW}", f"8020000003{NEW}", f"00200000{NEW}"):
        recorder.transmit(bytes.fromhex(command))
    said = repr(recorder.events) + "".join(map(str, recorder.events))
    assert PIN not in said
    assert NEW not in said


# Any bytes


codes = st.sampled_from(sorted(TABLE.by_code)).map(lambda code: code.to_bytes(2, "big"))
commands = st.binary(max_size=40) | st.builds(lambda code, rest: code + rest, codes, st.binary(max_size=40))
answers = st.builds(
    lambda data, word: data + word.to_bytes(2, "big"), st.binary(max_size=60), st.sampled_from(list(SW))
)


@settings(max_examples=500)
@given(st.sampled_from(["1.0", "2.0", "3.0"]), st.lists(st.tuples(commands, answers), max_size=6))
def test_any_bytes_are_explained(generation: str, talk: list[tuple[bytes, bytes]]) -> None:
    selection = Selection(build_layout(generation, optional_applications=True))
    for command, answer in talk:
        data = explain_data(selection.follow(command, answer), answer[:-2])
        for language in (ENGLISH, CHINESE):
            with speaking(language):
                assert all(say(line) for line in (explain_command(command), *data))
