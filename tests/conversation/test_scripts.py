"""APDU scripts: both forms are read, written and read again; every mistake has its line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sscard.conversation.scripts import (
    Power,
    Send,
    fill,
    fits,
    meets,
    powered,
    read_script,
    write_etsi,
    write_scriptor,
)
from sscard.errors import InputError
from sscard.i18n.language import say


def read(text: str) -> list[Power | Send]:
    return list(read_script(text.splitlines(), "a.script"))


def test_etsi_form():
    text = """
REM a remark, which says nothing to the card
RST
CMD A0 C2 00 00 00 (91 33 , 69 XX)
CMD A0 C2 00 00 B0 \\
 [XX XX XX 55 5X]\\
 (9000)
CMD 00 C0 00 00 10 [] (90 00)
OFF
"""
    assert read(text) == [
        Power("reset", 3),
        Send("A0C2000000", None, ("9133", "69XX"), 4),
        Send("A0C20000B0", "XXXXXX555X", ("9000",), 5),
        Send("00C0000010", None, ("9000",), 8),
        Power("off", 9),
    ]


def test_scriptor_form():
    text = "# reset the card\nreset\n\n00 A4 00 00 02 \\\n3F 00\n00a4020002ef05  # an EF\nexit\nnever read"
    assert read(text) == [Power("reset", 2), Send("00A40000023F00", line=4), Send("00A4020002EF05", line=6)]


def test_a_statement_is_there_before_the_next_line_is_asked_for():
    def lines():
        yield "00 84 00 00 08"
        raise AssertionError("asked for too much")

    assert next(read_script(lines(), "")) == Send("0084000008", line=1)


@pytest.mark.parametrize(
    ("text", "line", "column", "problem"),
    [
        ("00A4\n\n0 0A4", 3, 1, "not hex digits in pairs"),
        ("00A400000", 1, 9, "not hex digits in pairs"),
        ("\nCMD", 2, 4, "not hex digits in pairs"),
        ("CMD 00 XX 00 00", 1, 8, "not hex digits in pairs"),
        ("00 84 \\\n 00 \\\n 0G", 3, 3, "not hex digits in pairs"),
        ("\t00 84 \\ # first\n00 00 08 \\\n   [XX XX \\\n  XG]", 4, 4, "expected data are not hex digits in pairs"),
        ("INI FF FF", 1, 1, "unknown statement 'INI'"),
        ("  INI FF FF", 1, 3, "unknown statement 'INI'"),
        ("RST 3B00", 1, 5, "RST stands alone on its line"),
        ("0084000008 [XXX]", 1, 15, "expected data are not hex digits in pairs"),
        ("0084000008 [X X]", 1, 13, "expected data are not hex digits in pairs"),
        ("0084000008 (900)", 1, 13, "not a status word"),
        ("0084000008 (9000, 63CG)", 1, 19, "not a status word"),
        ("0084000008 (9000,)", 1, 18, "not a status word"),
        ("0084000008 (9000) [00]", 1, 19, "not a command with what it expects"),
        ("0084000008 [00", 1, 12, "not a command with what it expects"),
        ("0020000003 {123456}", 1, 12, "unknown name in braces"),
        ("0020000003 {puk}", 1, 12, "unknown name in braces"),
        ("0020000003 12X456", 1, 15, "not hex digits in pairs"),
        ("0020000003 （12）", 1, 12, "not hex digits in pairs"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_never_with_the_digits(text, line, column, problem):
    with pytest.raises(InputError) as caught:
        read(text)
    error = caught.value
    assert (error.file, error.line, error.column, say(error.problem)) == ("a.script", line, column, problem)
    assert say(caught.value.remedy)
    assert "123456" not in str(caught.value)


@pytest.mark.parametrize(
    ("command", "sent"),
    [
        ("0020000003 {pin}", "0020000003123456"),
        ("00 20 00 00 03 {PIN1}", "0020000003123456"),
        ("805E010008 {pin} FF {pin2}", "805E010008123456FF1234567F"),
        ("805E010005{pin0}FF{pin2}", "805E010005FF1234567F"),
    ],
)
def test_pins_are_filled_in_by_number(command, sent):
    (statement,) = read(command)
    assert fill(statement, ["123456", "1234567"], "") == bytes.fromhex(sent)


@pytest.mark.parametrize(
    ("pins", "problem"),
    [
        ([], "PIN 1 is needed here, PINs given: 0"),
        (["12345678"], "Lc counts 3 bytes of data, with the PIN given there are 4"),
    ],
)
def test_a_pin_that_is_missing_or_too_long_is_told_with_the_line(pins, problem):
    (statement,) = read("\n0020000003 {pin}")
    with pytest.raises(InputError) as caught:
        fill(statement, pins, "a.script")
    assert (caught.value.line, say(caught.value.problem)) == (2, problem)
    assert "12345678" not in str(caught.value)


@pytest.mark.parametrize(
    ("expected", "answer", "met"),
    [
        ("", "9000", True),
        ("", "6F00", True),
        ("(9000)", "9000", True),
        ("(9000)", "6F00", False),
        ("(6F00, 63CX)", "63C5", True),
        ("(6F00, 63CX)", "63B5", False),
        ("[]", "01029000", True),
        ("[01 XX]", "01FF9000", True),
        ("[01 XX]", "02FF9000", False),
        ("[01 XX]", "019000", False),
        ("[01 XX]", "9000", False),
        ("[01 XX] (6F00)", "01FF9000", False),
    ],
)
def test_expected_answers(expected, answer, met):
    (statement,) = read(f"0084000008 {expected}")
    assert meets(statement, bytes.fromhex(answer)) is met


def test_status_words_alone_can_be_looked_at():
    (statement,) = read("0084000008 [00] (9000)")
    assert meets(statement, b"\x01\x90\x00", sw_only=True)
    assert not meets(statement, b"\x00\x6f\x00", sw_only=True)


@given(st.binary(max_size=40), st.data())
def test_wildcards_fit_any_digit_and_digits_only_themselves(data, draw):
    digits = list(data.hex().upper())
    hidden = draw.draw(st.sets(st.integers(0, max(0, len(digits) - 1))))
    pattern = "".join("X" if place in hidden else digit for place, digit in enumerate(digits))
    assert fits(pattern, data)
    shown = [place for place in range(len(digits)) if place not in hidden]
    if shown:
        place = draw.draw(st.sampled_from(shown))
        other = format((int(digits[place], 16) + 1) % 16, "X")
        digits[place] = other
        assert not fits(pattern, bytes.fromhex("".join(digits)))
    assert not fits(pattern + "XX", data)


def test_power_comes_before_the_first_command_and_back_after_off():
    statements = powered(read("00840000\nOFF\nRST\nRST\nOFF\n00840000"))
    assert [one.action if isinstance(one, Power) else "send" for one in statements] == [
        *("on", "send", "off", "on", "reset", "off", "on", "send")
    ]


def test_a_script_that_begins_with_a_reset_is_powered_once():
    assert [one.action for one in powered(read("RST")) if isinstance(one, Power)] == ["on"]


PATTERNS = st.text("0123456789ABCDEFX", min_size=1, max_size=20).map(lambda text: text * 2)
SENDS = st.builds(
    Send,
    st.binary(min_size=1, max_size=60).map(lambda data: data.hex().upper()),
    st.none() | PATTERNS,
    st.lists(st.text("0123456789ABCDEFX", min_size=4, max_size=4), max_size=3).map(tuple),
)
STATEMENTS = st.lists(SENDS | st.sampled_from([Power("reset"), Power("off")]), max_size=6)


def _without_lines(statements: list[Power | Send]) -> list[Power | Send]:
    return [Power(one.action) if isinstance(one, Power) else Send(one.command, one.data, one.sws) for one in statements]


@given(STATEMENTS)
def test_etsi_text_is_read_as_it_was_written(statements):
    assert _without_lines(read(write_etsi(statements))) == statements


@given(STATEMENTS)
def test_scriptor_text_keeps_commands_and_resets(statements):
    kept = [
        one if isinstance(one, Power) else Send(one.command)
        for one in statements
        if isinstance(one, Send) or one.action != "off"
    ]
    assert _without_lines(read(write_scriptor(statements))) == kept


def test_pins_and_remarks_survive_the_writing():
    send = Send("805E010007{PIN1}FF{PIN2}", None, ("9000",), note="CHANGE PIN")
    for write in (write_etsi, write_scriptor):
        assert "{pin1} FF {pin2}" in write([send])
        (again,) = read(write([send]))
        assert isinstance(again, Send)
        assert again.command == send.command


def test_what_cannot_be_sent_is_written_as_a_remark():
    send = Send("842400010C" + "**" * 8 + "01020304", None, ("9000",), obstacle="not replayable")
    for write, remark in ((write_etsi, "REM"), (write_scriptor, "#")):
        text = write([send])
        assert read(text) == []
        assert all(line.startswith(remark) for line in text.splitlines())
        assert "** **" in text
