"""No PIN and no key in any trace, representation or error text."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

import kit
from kit import Desk
from sscard.card import Chip, Personality
from sscard.chip.memory import Memory, Moment, PowerLost
from sscard.conversation import Exchange, Recorder
from sscard.conversation.recording import event_facts
from sscard.conversation.redaction import PSAM_INS
from sscard.hsm import SoftHsm
from sscard.issuer import builtin_keys
from sscard.psam import PSAM_COMMANDS
from sscard.standard.encoding import encode_pin
from sscard.terminal import CardSession
from sscard.terminal.errors import ApduError

SECRET = "918273"
OTHER = "564738"
SECRET_INS = (0x20, 0x5E, 0x24)


class Deaf:
    """A connection that answers everything the same."""

    def __init__(self, answer: bytes = b"\x90\x00") -> None:
        self.answer = answer

    def power_on(self) -> bytes:
        return b"\x3b\x00"

    def power_off(self) -> None:
        pass

    def reset(self) -> bytes:
        return b"\x3b\x00"

    def transmit(self, _: bytes, /) -> bytes:
        return self.answer


def told(recorder: Recorder) -> str:
    """Everything a recorder can be made to say: as text, as JSON, and every byte of its pickled events."""
    lines = "\n".join("\n".join(event.lines()) for event in recorder.events if hasattr(event, "lines"))
    facts = json.dumps([event_facts(event) for event in recorder.events])
    text = f"{recorder!r}\n{[*map(str, recorder.events)]}\n{[*map(repr, recorder.events)]}\n{lines}\n{facts}".upper()
    return f"{text}\n{text.replace(' ', '')}\n{pickle.dumps(recorder.events).hex().upper()}"


any_byte = st.integers(0, 255)
around = st.binary(max_size=12)


@st.composite
def commands_with_a_pin(draw: st.DrawFn) -> bytes:
    """A PIN command with the PIN somewhere in its data: any CLA, P1, P2, any Lc, with and without Le."""
    ins = draw(st.sampled_from(SECRET_INS))
    # Of a well-formed 84 24 the last four bytes are its MAC, which is no secret.
    behind = draw(around) + (b"MAC!" if ins == 0x24 else b"")
    data = draw(around) + encode_pin(SECRET) + behind
    right_length = st.just(len(data))
    length = draw(right_length | any_byte)
    tail = draw(st.sampled_from([b"", b"", b"\x00", b"\x08"])) if ins != 0x24 else b""
    cla = draw(st.sampled_from([0x00, 0x80, 0x84, 0x04, 0xB0]) | any_byte)
    p1, p2 = draw(st.integers(0, 2) | any_byte), draw(st.integers(0, 2) | any_byte)
    return bytes((cla, ins, p1, p2, length)) + data + tail


@given(commands_with_a_pin(), st.binary(min_size=2, max_size=4))
def test_no_pin_command_shows_its_pin_whatever_its_shape(command: bytes, answer: bytes) -> None:
    recorder = Recorder(Deaf(answer))
    recorder.transmit(command)
    assert SECRET not in told(recorder)


@given(st.binary(max_size=12), st.sampled_from(SECRET_INS))
def test_a_pin_command_without_length_byte_shows_no_pin(behind: bytes, ins: int) -> None:
    recorder = Recorder(Deaf())
    recorder.transmit(bytes((0x00, ins, 0x00, 0x00)) + encode_pin(SECRET) + behind)
    assert SECRET not in told(recorder)


@given(st.binary(max_size=30), st.binary(max_size=20))
def test_any_bytes_can_be_recorded(command: bytes, answer: bytes) -> None:
    recorder = Recorder(Deaf(answer))
    recorder.transmit(command)
    assert len(recorder.events) == 1
    assert told(recorder)


def test_what_is_no_secret_is_shown() -> None:
    recorder = Recorder(Deaf(bytes.fromhex("63C5")))
    recorder.transmit(bytes.fromhex("0020000003918273"))
    recorder.transmit(bytes.fromhex("0084000008"))
    recorder.transmit(bytes.fromhex("842400010C" + "AA" * 8 + "11223344"))
    shown = [str(event) for event in recorder.events]
    assert "0020000003 ******" in shown[0]
    assert "VERIFY" in shown[0]
    assert "5 tries left" in shown[0]
    assert "0084000008" in shown[1]
    assert "842400010C ****************11223344" in shown[2]


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("80C4010305C10312345600", "80C4010305 " + "**" * 6),
        ("0020018110" + "A5" * 16, "0020018110 " + "**" * 16),
        ("0020010010" + "A5" * 16, "0020010010 " + "**" * 16),
        ("804A021012C110" + "A5" * 16, "804A021012 " + "**" * 18),
        ("80C2C00126C2020015CB20" + "A5" * 32, "80C2C00126 " + "**" * 38),
        ("805E010014" + "A5" * 20, "805E010014 " + "**" * 20),
    ],
)
def test_the_commands_of_the_certificate_application_show_no_secret(command: str, shown: str) -> None:
    """A PIN to hash, keys, and cryptograms, from which all PINs of six digits can be tried."""
    recorder = Recorder(Deaf(bytes.fromhex("6D00")))
    recorder.transmit(bytes.fromhex(command))
    assert shown in str(recorder.events[0])
    assert "A5A5" not in told(recorder)


def life(chip: Chip, recorder: Recorder) -> None:
    """Every verb of a session, right and wrong."""
    session = CardSession.start(recorder, SoftHsm(builtin_keys()))
    session.read_basic()
    session.verify_pin(SECRET)
    for verb in (lambda: session.verify_pin(OTHER), lambda: session.change_pin(OTHER, SECRET)):
        with suppress(ApduError):
            verb()
    session.change_pin(SECRET, OTHER)
    session.reset_pin(SECRET)
    session.unblock_pin()
    session.tries_left()
    chip.memory.cut_power(1, Moment.DURING)
    with suppress(PowerLost):
        session.verify_pin(OTHER)
    recorder.power_on()
    recorder.reset()
    recorder.power_off()


@pytest.mark.parametrize("contact", [True, False])
def test_a_whole_conversation_shows_no_pin_and_no_key(personality: Personality, contact: bool) -> None:
    desk = Desk(personality, SECRET, contact=contact)
    recorder = Recorder(desk.chip)
    life(desk.chip, recorder)
    text = told(recorder)
    assert len(recorder.events) > 20
    assert not [secret for secret in secrets_of(desk) if secret in text]


def test_an_enciphered_pin_is_masked(personality: Personality) -> None:
    desk = Desk(personality)
    recorder = Recorder(desk.chip)
    session = CardSession.start(recorder, SoftHsm(builtin_keys()))
    session.reset_pin(SECRET)
    block = desk.suite.block
    assert f"{'**' * block}" in str(recorder.events[-1])


def test_the_recorder_itself_which_knows_the_pins_is_not_pickled() -> None:
    recorder = Recorder(Deaf())
    recorder.transmit(kit.verify(SECRET))
    with pytest.raises(TypeError, match="pickle its events") as refused:
        pickle.dumps(recorder)
    assert SECRET not in f"{refused.value!r}"


def test_a_pickled_exchange_is_explained_as_before(personality: Personality) -> None:
    desk = Desk(personality, SECRET)
    recorder = Recorder(desk.chip)
    life(desk.chip, recorder)
    again = pickle.loads(pickle.dumps(recorder.events))  # noqa: S301
    assert again != []
    assert [event_facts(event) for event in again] == [event_facts(event) for event in recorder.events]


def test_an_exchange_keeps_no_byte_of_a_secret() -> None:
    recorder = Recorder(Deaf())
    recorder.transmit(kit.verify(SECRET))
    recorder.transmit(kit.change(SECRET, OTHER))
    kept = [event.sent for event in recorder.events if isinstance(event, Exchange)]
    assert [sent[5:] for sent in kept] == [b"\xff" * 3, b"\xff" * 7]


def secrets_of(desk: Desk) -> Iterator[str]:
    """PINs and every key of the card, in hex; halves of a key count as the key."""
    yield SECRET
    yield OTHER
    for index, spec in enumerate(desk.card.profile.layout.keys):
        for version in range(spec.versions):
            value = desk.card.profile.key(index, version).hex().upper()
            yield value[:16]
            yield value[16:] or value


def test_no_object_shows_a_secret(personality: Personality) -> None:
    desk = Desk(personality, SECRET)
    desk.authenticate()
    desk.challenge()
    desk.memory.cut_power(1, Moment.AFTER)
    with suppress(PowerLost):
        desk.send(desk.message(0x01, desk.block(encode_pin(OTHER))))
    assert isinstance(desk.memory, Memory)
    assert desk.memory.log is not None
    order = kit.order_of(personality, SECRET)
    keys = builtin_keys()
    objects = [
        order,
        desk.card,
        desk.card.profile,
        desk.card.profile.layout,
        desk.chip,
        desk.chip.snapshot(),
        desk.memory,
        desk.memory.log,
        desk.suite.key(desk.key("PUK")),
        keys,
        SoftHsm(keys),
        CardSession.start(kit.fresh_chip(kit.card_of(personality, SECRET)), SoftHsm(keys)),
    ]
    text = "\n".join(f"{thing!r} {thing!s}" for thing in objects).upper()
    assert not [secret for secret in secrets_of(desk) if secret in text]
    assert SECRET.encode().hex() not in text


def test_no_error_shows_a_secret(personality: Personality) -> None:
    desk = Desk(personality, SECRET)
    session = CardSession.start(desk.chip, SoftHsm(builtin_keys()))
    texts = []
    for verb in (
        lambda: session.verify_pin(OTHER),
        lambda: session.change_pin(OTHER, SECRET),
        lambda: session.verify_pin(SECRET + "x"),
        lambda: session.change_pin(SECRET, SECRET * 4),
        lambda: session.reset_pin("x" + SECRET),
        lambda: Desk(personality, SECRET + "x"),
        lambda: desk.block_pin() or session.verify_pin(SECRET),
        lambda: desk.chip.power_off() or session.verify_pin(SECRET),
    ):
        with pytest.raises(Exception) as refused:  # noqa: PT011
            verb()
        texts.append(f"{refused.value!r} {refused.value}")
    assert len(texts) == 8
    assert not [text for text in texts if SECRET in text or OTHER in text]


def test_the_commands_of_a_psam_with_secrets_are_known() -> None:
    assert {command.ins for command in PSAM_COMMANDS if command.secret is not None} == PSAM_INS
