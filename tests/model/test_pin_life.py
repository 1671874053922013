"""Random sequences of the PIN's commands: chip and oracle must answer and remember the same."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import get_args

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from kit import BK, NAME, PUK, Desk
from model.oracle import Choices, Effect, Oracle, digits, padded
from sscard.issuer import preset
from sscard.standard.tree import PIN as PIN_CELL

DF01 = "D15600000500"
PINS = [
    bytes.fromhex(pin)
    for pin in ("123456", "654321", "1234", "12345F", "12345678901234", "123456789012345F", "1234567890123456")
]
MALFORMED = [bytes.fromhex(pin) for pin in ("12", "12A4", "123A", "1F34", "123456789012345678", "F1234F", "AAFF")]
pins = st.sampled_from(PINS)
new_pins = st.sampled_from([*PINS, *PINS, b"", b"\x12\x3f", *MALFORMED])
often = st.sampled_from([True, True, True, False])
effects = st.sampled_from(get_args(Effect))


def in_ssse(machine: PinLife) -> bool:
    """PIN CHANGE/UNBLOCK belongs to SSSE (terminal-flows.md §6)."""
    return machine.oracle.df == "SSSE"


class PinLife(RuleBasedStateMachine):
    """A chip and its oracle, driven side by side."""

    preset_name = "v3-sm4"

    def choices(self, _: st.DataObject) -> Choices:
        return Choices()

    @initialize(data=st.data(), pin=st.sampled_from([*PINS, b""]))
    def personalise(self, data: st.DataObject, pin: bytes) -> None:
        choices = self.choices(data)
        personality = replace(preset(self.preset_name), **asdict(choices))
        self.desk = Desk(personality, pin.hex().rstrip("f"))
        self.oracle = Oracle(self.desk.suite.block, choices, pin)

    def both(self, command: bytes | str, expected: int) -> None:
        answered = self.desk.sw(command)
        assert f"{answered:04X}" == f"{expected:04X}"

    # VERIFY

    @rule()
    def query(self) -> None:
        self.both("0020000000", self.oracle.verify(b""))

    @rule()
    def verify_right(self) -> None:
        self.verify(self.oracle.pin)

    @rule(pin=pins)
    def verify_any(self, pin: bytes) -> None:
        self.verify(pin)

    @rule(data=st.binary(min_size=1, max_size=10))
    def verify_bytes(self, data: bytes) -> None:
        self.verify(data)

    def verify(self, data: bytes) -> None:
        self.both(bytes((0x00, 0x20, 0, 0, len(data))) + data, self.oracle.verify(data))

    # CHANGE PIN

    @rule(new=new_pins)
    def change_right(self, new: bytes) -> None:
        self.change(self.oracle.pin + b"\xff" + new)

    @rule(old=st.sampled_from([*PINS, b"", *MALFORMED]), new=new_pins)
    def change_any(self, old: bytes, new: bytes) -> None:
        self.change(old + b"\xff" + new)

    @rule(data=st.binary(max_size=18))
    def change_bytes(self, data: bytes) -> None:
        old, _, _ = data.partition(b"\xff")
        if digits(old) == 3:  # the sheet counts the digits of a new PIN; whether of an old one is open [OC-19b]
            return
        self.change(data)

    @rule()
    def reload(self) -> None:
        self.both("805E000003123456", self.oracle.reload())

    def change(self, data: bytes) -> None:
        self.both(bytes((0x80, 0x5E, 1, 0, len(data))) + data, self.oracle.change(data))

    # Challenge and proof

    @rule(length=st.sampled_from([4, 8, 8, 8, 16]))
    def get_challenge(self, length: int) -> None:
        answer = self.desk.send(bytes((0x00, 0x84, 0, 0, length)))
        assert f"{int.from_bytes(answer[-2:], 'big'):04X}" == f"{self.oracle.get_challenge(length):04X}"
        if len(answer) > 2:
            self.desk.random = answer[:-2]

    @rule(right=often, version=st.sampled_from([None, None, 1, 2]))
    def authenticate_puk(self, right: bool, version: int | None) -> None:
        made = self.desk.proof(PUK, right=right)
        if version is not None:
            made = made[:4] + b"\x11" + made[5:] + bytes((version,))
        self.both(made, self.oracle.authenticate("PUK", right, version))

    @rule(right=often)
    def authenticate_bk(self, right: bool) -> None:
        self.both(self.desk.proof(BK, right=right), self.oracle.authenticate("BK", right))

    @rule()
    def authenticate_none(self) -> None:
        self.both("0082000710" + "00" * 16, self.oracle.authenticate("none", False))

    @rule()
    def prepare_reset(self) -> None:
        """Straight to where a reset can succeed."""
        self.select_ssse(False)
        self.get_challenge(8)
        self.authenticate_puk(True, None)
        self.get_challenge(8)

    # PIN CHANGE/UNBLOCK

    @precondition(in_ssse)
    @rule(right=often)
    def unblock(self, right: bool) -> None:
        self.both(self.desk.message(0x00, right=right), self.oracle.unblock(right))

    @precondition(in_ssse)
    @rule(pin=new_pins, right=often)
    def reset(self, pin: bytes, right: bool) -> None:
        self.set_pin(padded(pin, self.oracle.block), right)

    @precondition(in_ssse)
    @rule(right=often)
    def reset_to_none(self, right: bool) -> None:
        self.set_pin(b"", right)

    @precondition(in_ssse)
    @rule(pin=new_pins, spoiled=st.integers(0, 15), bits=st.integers(1, 255))
    def reset_with_spoiled_block(self, pin: bytes, spoiled: int, bits: int) -> None:
        plain = bytearray(padded(pin, self.oracle.block))
        plain[spoiled % len(plain)] ^= bits
        self.set_pin(bytes(plain), True)

    @rule(pin=new_pins)
    def whole_reset(self, pin: bytes) -> None:
        self.prepare_reset()
        self.reset(pin, True)

    @rule()
    def whole_reset_to_the_same(self) -> None:
        self.prepare_reset()
        self.reset(self.oracle.pin, True)

    @rule()
    def whole_unblock(self) -> None:
        self.prepare_reset()
        self.unblock(True)

    def set_pin(self, plain: bytes, right: bool) -> None:
        if len(plain) > 16:
            return
        self.both(self.desk.message(0x01, plain, right=right), self.oracle.reset(plain, right))

    # Selection, power, unknown commands

    @rule(by_fid=st.booleans())
    def select_ssse(self, by_fid: bool) -> None:
        self.both("00A40000023F00" if by_fid else f"00A404000F{NAME}", self.oracle.select("SSSE"))

    @rule()
    def select_df01(self) -> None:
        self.both(f"00A4040006{DF01}", self.oracle.select("DF01"))

    @rule()
    def select_ef05(self) -> None:
        self.both("00A4020002EF05", self.oracle.select_ef())

    @rule()
    def select_unknown(self) -> None:
        self.both("00A4020002EF1E", self.oracle.select_unknown())

    @rule(warm=st.booleans())
    def restart(self, warm: bool) -> None:
        if warm:
            self.desk.chip.reset()
        else:
            self.desk.repower()
        self.oracle.power_on()

    @rule()
    def unknown_ins(self) -> None:
        if self.oracle.choices.challenge_lasts != "command":
            self.both("00FF000000", self.oracle.unknown_ins())
            self.both("F0FF000000", self.oracle.unknown_cla())

    # What must agree after every step

    @invariant()
    def values_agree(self) -> None:
        assert self.desk.memory.strings[PIN_CELL] == self.oracle.pin
        assert self.desk.chip.snapshot().pin_set is bool(self.oracle.pin)

    @invariant()
    def pin_counters_agree(self) -> None:
        shown = self.desk.chip.snapshot()
        assert (shown.pin_tries, shown.key_tries["PUK"]) == (self.oracle.tries, (self.oracle.puk_tries,))
        assert shown.pin_blocked is (self.oracle.tries == 0)

    @invariant()
    def statuses_agree(self) -> None:
        shown = self.desk.chip.snapshot()
        assert shown.pin_verified is self.oracle.verified
        assert set(shown.authenticated) == self.oracle.proven
        assert shown.challenge_waiting is self.oracle.challenge
        assert shown.current_df == self.oracle.df


class PinLifeUnderDes(PinLife):
    """The same under DES and 3DES, a 2.0 card."""

    preset_name = "v2-3des"


class PinLifeAsChosen(PinLife):
    """The same on a card whose issuer decided every open choice by dice."""

    def choices(self, data: st.DataObject) -> Choices:
        self.preset_name = data.draw(st.sampled_from(["v3-sm4", "v2-3des"]), "preset")
        return data.draw(open_choices, "choices")


open_choices = st.builds(
    Choices,
    pin_tries=st.sampled_from([1, 2, 3, 6, 15]),
    key_tries=st.sampled_from([1, 2, 3, 15]),
    blocked_query=st.sampled_from([0x63C0, 0x6983]),
    verified_query_ok=st.booleans(),
    empty_pin_counts=st.booleans(),
    change_pin_status=effects,
    reset_pin_status=effects,
    failed_mac_counts=st.booleans(),
    failed_mac_clears=st.booleans(),
    puk_once=st.booleans(),
    select_keeps=st.sampled_from(["pin", "nothing", "all"]),
    uncounted_failure=st.sampled_from([0x63CF, 0x6982, 0x6988]),
    failed_authentication_clears=st.booleans(),
    challenge_lasts=st.sampled_from(["use", "success", "command"]),
    no_challenge=st.sampled_from([0x6984, 0x6985]),
    failed_verify_clears=st.booleans(),
    empty_pin_without_block=st.booleans(),
    empty_pin_as_block=st.booleans(),
    reload_pin=st.sampled_from([0x6A86, 0x6D00, 0x6A81]),
    unknown_ins=st.sampled_from([0x6D00, 0x6A81]),
    same_pin_allowed=st.booleans(),
    pin_min_digits=st.sampled_from([3, 4]),
    two_block_pin=st.booleans(),
    no_challenge_external=st.sampled_from([0x6984, 0x6985]),
    reset_empty_pin=st.booleans(),
    absent_old_pin_counts=st.booleans(),
)

PinLife.TestCase.settings = settings(max_examples=120, stateful_step_count=50, deadline=None)
PinLifeUnderDes.TestCase.settings = settings(max_examples=120, stateful_step_count=50, deadline=None)
PinLifeAsChosen.TestCase.settings = settings(max_examples=350, stateful_step_count=25, deadline=None)

TestPinLife = pytest.mark.slow(PinLife.TestCase)
TestPinLifeUnderDes = pytest.mark.slow(PinLifeUnderDes.TestCase)
TestPinLifeAsChosen = pytest.mark.slow(PinLifeAsChosen.TestCase)


def test_oracle_stands_alone() -> None:
    """Written from the sheets: the oracle imports nothing of sscard."""
    import model.oracle

    assert not [name for name in vars(model.oracle) if name.startswith("sscard")]
    source = model.oracle.__loader__.get_source("model.oracle")
    assert "import sscard" not in source
    assert "from sscard" not in source


@pytest.mark.parametrize(("name", "block"), [("v3-sm4", 16), ("v2-3des", 8)])
def test_oracle_and_presets_start_from_the_same_choices(name: str, block: int) -> None:
    personality = preset(name)
    assert {field: getattr(personality, field) for field in asdict(Choices())} == asdict(Choices())
    assert Desk(name).suite.block == block
