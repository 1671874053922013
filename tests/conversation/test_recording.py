"""Recordings: times, words and no secret; read back, they say what to play and what to expect."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Iterable
from io import StringIO
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

import kit
from sscard.chip.memory import Moment, PowerLost
from sscard.conversation import Event, Exchange, Recorder
from sscard.conversation.explain import Selection, explain_command, explain_data
from sscard.conversation.recording import RecordingWriter, read_recording, read_statements, statements_of
from sscard.conversation.redaction import redact
from sscard.conversation.scripts import Power, Send, fits
from sscard.errors import InputError
from sscard.i18n.language import say
from sscard.transport import CardRemoved, FaultyConnection
from sscard.transport.faults import Removal, Truncated

SELECT = bytes.fromhex("00A404000F" + kit.NAME)


def ticking(step: float = 0.25) -> Callable[[], float]:
    now = iter(range(10_000))
    return lambda: 100 + next(now) * step


def recorder(seed: int = 1, *, contact: bool = False) -> Recorder:
    wire = Recorder(kit.card_of("v3-sm4").chip(Random(seed), contact=contact), ticking())
    wire.power_on()
    wire.transmit(SELECT)
    return wire


def write_recording(events: Iterable[Event]) -> str:
    """The text of a recording of these events."""
    text = StringIO()
    write = RecordingWriter(text.write)
    for event in events:
        write(event)
    return text.getvalue()


def lines_of(wire: Recorder) -> list[dict[str, object]]:
    return [json.loads(line) for line in write_recording(wire.events).splitlines()]


class TestFile:
    def test_the_header_names_format_version_and_atr(self):
        atr = kit.card_of("v3-sm4").profile.atr(contact=False).hex().upper()
        assert lines_of(recorder())[0] == {"format": "sscard recording", "version": 1, "atr": atr}

    def test_a_recording_with_the_number_of_pins_in_its_header_is_read(self):
        header = '{"format": "sscard recording", "version": 1, "atr": "3B00", "pins": 2}'
        assert read_recording(header + '\n{"at": 0.5, "event": "power off"}', "a.jsonl").atr == "3B00"

    def test_each_event_is_written_as_it_happens(self):
        written: list[str] = []
        wire = Recorder(kit.card_of("v3-sm4").chip(Random(1)), heard=RecordingWriter(written.append))
        assert written == []
        wire.power_on()
        assert len(written) == 2
        wire.transmit(SELECT)
        assert json.loads(written[2])["sw"] == "611E"
        assert wire.events == []

    def test_a_long_conversation_holds_no_more_events_than_a_short_one(self):
        def held(commands: int) -> int:
            wire = Recorder(kit.card_of("v3-sm4").chip(Random(1)), heard=RecordingWriter(lambda _: None))
            wire.power_on()
            for _ in range(commands):
                wire.transmit(SELECT)
            return sum(isinstance(thing, Exchange) for thing in gc.get_objects())

        assert held(500) == held(5)

    def test_events_carry_seconds_since_the_recorder_began(self):
        wire = recorder()
        wire.reset()
        wire.power_off()
        assert [line["at"] for line in lines_of(wire)[1:]] == [0.25, 0.75, 1.0, 1.25]
        assert [line["event"] for line in lines_of(wire)[1:]] == ["power on", "command", "reset", "power off"]

    def test_a_command_is_told_in_words(self):
        wire = recorder()
        wire.transmit(bytes.fromhex("00A4020002EF05"))
        wire.transmit(bytes.fromhex("00B2030006"))
        line = lines_of(wire)[-1]
        assert line["name"] == "READ RECORD (current EF, first record with identifier 03)"
        assert (line["sw"], line["meaning"]) == ("9000", "done")
        assert line["data"] == "0304332E3030"
        assert str(line["details"]).endswith(": 3.00']")

    def test_what_was_written_is_read(self):
        wire = recorder()
        for command in (kit.verify("123456"), kit.change("123456", "654321"), bytes.fromhex("0084000008")):
            wire.transmit(command)
        wire.reset()
        wire.power_off()
        recording = read_recording(write_recording(wire.events), "a.jsonl")
        assert [str(event) for _, event in recording.events] == list(map(str, wire.events))
        assert [event.at for _, event in recording.events] == [event.at for event in wire.events]
        assert write_recording(event for _, event in recording.events) == write_recording(wire.events)

    def test_a_card_that_leaves_is_recorded(self):
        faulty = FaultyConnection(kit.card_of("v3-sm4").chip(Random(1)))
        wire = Recorder(faulty)
        wire.power_on()
        faulty.arm(Truncated(1))
        faulty.arm(Removal(), nth=2)
        wire.transmit(SELECT)
        with pytest.raises(CardRemoved):
            wire.transmit(SELECT)
        cut, gone = wire.events[1:]
        assert isinstance(cut, Exchange)
        assert isinstance(gone, Exchange)
        assert (cut.data, cut.sw, say(cut.meaning)) == ("61", "", "no status word")
        assert (gone.data, gone.sw) == ("", "")
        assert say(gone.meaning) == "no answer: the card was taken out before the command"
        read = read_recording(write_recording(wire.events), "")
        assert [str(event) for _, event in read.events] == list(map(str, wire.events))

    def test_a_power_cut_is_recorded(self):
        wire = recorder()
        wire.connection.memory.cut_power(0, Moment.BEFORE)  # type: ignore[attr-defined]
        with pytest.raises(PowerLost):
            wire.transmit(kit.verify("123456"))
        assert str(wire.events[-1]).endswith("< no answer: the power was cut")

    @pytest.mark.parametrize(
        ("text", "line", "problem"),
        [
            ("", 0, "is empty"),
            ("{", 1, "not valid JSON"),
            ("[]", 1, "not a line of a recording"),
            ('{"format": "other", "version": 1}', 1, "format: Input should be 'sscard recording'"),
            ('{"version": 1}', 1, "field 'format' is missing"),
            ('{"format": "sscard recording", "version": 9}', 1, "format version 9, this sscard reads 1"),
            ("HEAD\n\n{", 3, "not valid JSON"),
            ("HEAD\n7", 2, "not a line of a recording"),
            ("HEAD\n" + "[" * 100_000, 2, "a number is too long, or brackets are nested too deeply"),
            ("HEAD\n" + "9" * 5000, 2, "a number is too long, or brackets are nested too deeply"),
            ('HEAD\n{"at": 0, "event": "explosion"}', 2, "event: Input should be"),
            ('HEAD\n{"at": 0, "event": "command", "comand": "00"}', 2, "unknown field 'comand'"),
            ('HEAD\n{"at": 0, "event": "command", "sw": "9000"}', 2, "field 'command' is missing"),
            ('HEAD\n{"at": 0, "event": "command", "command": "0", "sw": "9000"}', 2, "command: String should match"),
            ('HEAD\n{"at": 0, "event": "command", "command": "0*", "sw": "9000"}', 2, "command: String should match"),
            ('HEAD\n{"at": 0, "event": "command", "command": "00", "sw": "90"}', 2, "sw: String should match"),
            ('HEAD\n{"at": "noon", "event": "power off"}', 2, "at: Input should be a valid number"),
        ],
    )
    def test_a_bad_line_is_told(self, text, line, problem):
        text = text.replace("HEAD", '{"format": "sscard recording", "version": 1}')
        with pytest.raises(InputError) as caught:
            read_recording(text, "a.jsonl")
        assert (caught.value.file, caught.value.line) == ("a.jsonl", line)
        assert say(caught.value.problem).startswith(problem)


PIN_BYTES = st.lists(st.integers(0xA0, 0xFE), min_size=4, max_size=12).map(bytes)
"""Bytes that stand nowhere else in these recordings."""
HEADERS = st.sampled_from(["00200000", "805E0100", "805E0000", "84240001", "00240001", "002C0001", "80200000"])


class TestSecrets:
    @given(HEADERS, PIN_BYTES, st.sampled_from(["right", "wrong", "none"]))
    def test_no_byte_of_a_pin_command_is_shown_whatever_its_length(self, header, secret, length):
        lc = {"right": bytes((len(secret),)), "wrong": bytes((len(secret) + 2,)), "none": b""}[length]
        wire = recorder()
        wire.transmit(bytes.fromhex(header) + lc + secret)
        event = wire.events[-1]
        assert isinstance(event, Exchange)
        shown = event.command.replace(" ", "")
        # A well-formed PIN CHANGE/UNBLOCK shows its MAC, the last four bytes.
        hidden = secret[:-4] if header == "84240001" and length == "right" else secret
        tail = shown[10 if lc else 8 :]
        assert tail.startswith("**" * len(hidden))
        assert secret.hex() not in write_recording(wire.events).lower() or not hidden

    @given(st.text("0123456789", min_size=4, max_size=16), st.text("0123456789", min_size=4, max_size=16))
    def test_two_recordings_that_differ_in_their_pins_alone_are_the_same(self, old, new):
        def recorded(first: str, second: str) -> str:
            wire = Recorder(kit.card_of("v3-sm4", first).chip(Random(1)), ticking())
            wire.power_on()
            wire.transmit(SELECT)
            for command in (kit.verify(first), kit.change(first, second), kit.verify(second)):
                wire.transmit(command)
            return write_recording(wire.events)

        if old == new:
            return
        first, second = ("11" * 8)[: len(old)], ("2" * 16)[: len(new)]
        assert recorded(old, new) == recorded(first, second)

    def test_a_length_byte_that_may_be_a_digit_is_hidden(self):
        assert redact(bytes.fromhex("00200000123456")) == "00200000** ****"
        assert redact(bytes.fromhex("0020000003123456")) == "0020000003 ******"
        assert redact(bytes.fromhex("002000000312345600")) == "0020000003 ********"
        assert redact(bytes.fromhex("0020000000")) == "0020000000"

    def test_commands_of_other_cards_that_carry_pins_are_hidden(self):
        for ins in ("20", "21", "24", "25", "26", "28", "2C"):
            assert redact(bytes.fromhex(f"0C{ins}00810412345678")).endswith(" ********")

    def test_the_recorder_shows_no_pin_of_its_own(self):
        wire = recorder()
        wire.transmit(kit.verify("739104"))
        assert "739104" not in repr(wire)
        assert repr(bytes.fromhex("739104")) not in repr(wire)

    def test_equal_pins_have_equal_numbers(self):
        wire = recorder()
        commands = (
            kit.verify("123456"),
            kit.verify("654321"),
            kit.change("123456", "654321"),
            kit.change("654321", ""),
        )
        for command in commands:
            wire.transmit(command)
        assert [event.pins for event in wire.events if isinstance(event, Exchange)][1:] == [(1,), (2,), (1, 2), (2, 0)]


class TestStatements:
    def statements(self, *commands: str, contact: bool = False) -> list[Power | Send]:
        wire = recorder(contact=contact)
        for command in commands:
            wire.transmit(bytes.fromhex(command))
        return read_statements(write_recording(wire.events), "")[2:]

    def test_what_to_send_and_what_to_expect(self):
        (read,) = self.statements("00A4000000")
        assert isinstance(read, Send)
        assert (read.command, read.sws, read.line, read.obstacle) == ("00A4000000", ("9000",), 4, "")
        assert read.data is not None
        assert read.data.startswith("6F")

    def test_a_challenge_is_any(self):
        (read,) = self.statements("0084000008")
        assert isinstance(read, Send)
        assert read.data == "XX" * 8

    def test_of_many_pins_the_oldest_is_forgotten_and_no_number_is_given_twice(self, monkeypatch):
        monkeypatch.setattr("sscard.conversation.recorder.MOST_PINS", 2)
        wire = recorder()
        for pin in ("111111", "222222", "111111", "333333", "222222", "111111", "333333"):
            wire.transmit(kit.verify(pin))
        used = [event.pins for event in wire.events if isinstance(event, Exchange)][1:]
        assert used == [(1,), (2,), (1,), (3,), (2,), (4,), (3,)]

    def test_pins_are_named(self):
        verify, change, same = self.statements("0020000003123456", "805E010007123456FF654321", "805E010004654321FF")
        assert isinstance(verify, Send)
        assert isinstance(change, Send)
        assert isinstance(same, Send)
        assert [verify.command, change.command, same.command] == [
            "0020000003{PIN1}",
            "805E010007{PIN1}FF{PIN2}",
            "805E010004{PIN2}FF{PIN0}",
        ]

    @pytest.mark.parametrize(
        ("command", "obstacle"),
        [
            ("0082000610" + "00" * 16, "proves"),
            ("8424000004" + "00" * 4, "proves"),
            ("8424000114" + "00" * 20, "proves"),
            ("8416000004" + "00" * 4, "proves"),
            ("04D6000005" + "00" * 5, "proves"),
            ("B02A00000B" + "00" * 11, "proves"),
            ("B02C01000F" + "00" * 15, "proves"),
            ("002000000512", "masked"),
            ("805E0100041234FFFF", ""),
            ("805E0100041234AAAA", "masked"),
            ("0088000010" + "00" * 16, ""),
        ],
    )
    def test_what_cannot_be_played_again_says_why(self, command, obstacle):
        (send,) = self.statements(command)
        assert isinstance(send, Send)
        words = {
            "proves": "not replayable: its data are computed over a random number of the card",
            "masked": "not replayable: its masked data are not a PIN that can be entered again",
        }
        assert say(send.obstacle) == words.get(obstacle, "")

    def test_the_random_of_a_load_is_any_even_where_get_response_fetches_it(self):
        """B0 28 on a contact card: 61 10, then balance, count, version, algorithm ‖ random(4) ‖ MAC1(4)."""
        from sscard.conversation.wildcards import Wildcards

        wildcards = Wildcards()
        data = bytes(range(16))
        wildcards.pattern(bytes.fromhex("B02800010B") + bytes(11), b"\x61\x10")
        first = wildcards.pattern(bytes.fromhex("00C0000006"), data[:6] + b"\x61\x0a")
        second = wildcards.pattern(bytes.fromhex("00C000000A"), data[6:] + b"\x90\x00")
        assert first + second == data[:8].hex().upper() + "XX" * 8
        assert wildcards.pattern(bytes.fromhex("00B0000004"), data[:4] + b"\x90\x00") == "00010203"
        assert wildcards.pattern(bytes.fromhex("00C0000004"), data[:4] + b"\x90\x00") == "00010203"

    @given(st.integers(0, 2**32))
    def test_a_recording_fits_the_same_card_under_any_randoms(self, seed):
        commands = ("0020000003123456", "0084000008", "0084000004", "00B2018412")
        sent = [bytes.fromhex(command) for command in commands]
        expected = [one for one in self.statements(*commands) if isinstance(one, Send)]
        other = recorder(seed)
        for command, statement in zip(sent, expected, strict=True):
            answer = other.transmit(command)
            assert statement.data is not None
            assert fits(statement.data, answer[:-2])


def test_a_text_is_a_recording_or_a_script():
    wire = recorder()
    assert read_statements(write_recording(wire.events), "") == list(
        statements_of(read_recording(write_recording(wire.events), ""))
    )
    assert read_statements("00840000", "") == [Send("00840000", line=1)]


@given(st.lists(st.tuples(st.binary(max_size=30), st.binary(max_size=40)), max_size=6))
def test_any_bytes_can_be_explained(conversation):
    selection = Selection()
    for command, answer in conversation:
        explain_command(command)
        explain_data(selection.follow(command, answer), answer[:-2])


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["00A40000", "00A40200", "00A40400", "00B20104", "00B20185", "00C00000", "B0280001"]),
            st.binary(max_size=20),
            st.binary(max_size=60),
            st.sampled_from([b"\x90\x00", b"\x61\x10"]),
        ),
        max_size=8,
    )
)
def test_any_answer_of_a_known_command_can_be_explained(conversation):
    selection = Selection()
    for header, rest, data, sw in conversation:
        explain_data(selection.follow(bytes.fromhex(header) + rest, data + sw), data)


@pytest.mark.parametrize("command", ["80FA0200100312345680" + "00" * 11, "84D40011081122334455667788"])
def test_what_a_psam_enciphers_or_is_given_as_a_key_is_masked(command: str) -> None:
    assert redact(bytes.fromhex(command)).split()[1].strip("*") == ""
