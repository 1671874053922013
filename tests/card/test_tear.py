"""The pulled plug (防拔), card-security.md §10: at every write point, at every moment, and again while recovering."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit import PIN, PUK, Desk, change, verify
from sscard.card import Personality
from sscard.chip.engine import PowerError
from sscard.chip.memory import Moment, PowerLost
from sscard.standard.encoding import encode_pin
from sscard.standard.tree import PIN as PIN_CELL

NEW = "654321"
WRONG = "999999"


class Kept(NamedTuple):
    """What non-volatile memory says: PIN, its tries, the tries of PUK."""

    pin: str
    tries: int
    puk: int


@dataclass(frozen=True)
class Torn:
    """A command under the cut: ``states`` are the only ones a recovered card may be in, old first, new last."""

    says: str
    before: Callable[[Desk], object]
    send: Callable[[Desk], bytes]
    states: tuple[Kept, ...]

    def __str__(self) -> str:
        return self.says


def three_left(desk: Desk) -> None:
    for _ in range(3):
        desk.verify(WRONG)


def ready_to_reset(desk: Desk) -> None:
    desk.authenticate()
    desk.challenge()


def blocked_and_ready(desk: Desk) -> None:
    desk.block_pin()
    ready_to_reset(desk)


def two_puk_left(desk: Desk) -> None:
    desk.challenge()
    desk.send(desk.proof(PUK, right=False))
    desk.challenge()


def one_puk_left(desk: Desk) -> None:
    two_puk_left(desk)
    desk.send(desk.proof(PUK, right=False))
    desk.challenge()


def new_pin(desk: Desk) -> bytes:
    return desk.message(0x01, desk.block(encode_pin(NEW)))


COMMANDS = [
    Torn("VERIFY right", three_left, lambda _: verify(PIN), (Kept(PIN, 3, 3), Kept(PIN, 2, 3), Kept(PIN, 6, 3))),
    Torn("VERIFY wrong", three_left, lambda _: verify(WRONG), (Kept(PIN, 3, 3), Kept(PIN, 2, 3))),
    Torn(
        "CHANGE PIN right",
        three_left,
        lambda _: change(PIN, NEW),
        (Kept(PIN, 3, 3), Kept(PIN, 2, 3), Kept(NEW, 6, 3)),
    ),
    Torn(
        "CHANGE PIN to none",
        three_left,
        lambda _: change(PIN, ""),
        (Kept(PIN, 3, 3), Kept(PIN, 2, 3), Kept("", 6, 3)),
    ),
    Torn("CHANGE PIN wrong", three_left, lambda _: change(WRONG, NEW), (Kept(PIN, 3, 3), Kept(PIN, 2, 3))),
    Torn("reset", blocked_and_ready, new_pin, (Kept(PIN, 0, 3), Kept(NEW, 6, 3))),
    Torn("unblock", blocked_and_ready, lambda desk: desk.message(0x00), (Kept(PIN, 0, 3), Kept(PIN, 6, 3))),
    Torn(
        "EXTERNAL AUTHENTICATION right",
        two_puk_left,
        lambda desk: desk.proof(),
        (Kept(PIN, 6, 2), Kept(PIN, 6, 1), Kept(PIN, 6, 3)),
    ),
    Torn(
        "EXTERNAL AUTHENTICATION wrong",
        two_puk_left,
        lambda desk: desk.proof(right=False),
        (Kept(PIN, 6, 2), Kept(PIN, 6, 1)),
    ),
    Torn(
        "EXTERNAL AUTHENTICATION wrong for the last time",
        one_puk_left,
        lambda desk: desk.proof(right=False),
        (Kept(PIN, 6, 1), Kept(PIN, 6, 0)),
    ),
]
torn_commands = pytest.mark.parametrize("torn", COMMANDS, ids=str)


def kept(desk: Desk) -> Kept:
    pin = desk.memory.strings[PIN_CELL].hex().upper().rstrip("F")
    return Kept(pin, desk.tries, desk.key_tries())


def prepared(personality: Personality, torn: Torn) -> tuple[Desk, bytes]:
    desk = Desk(personality)
    torn.before(desk)
    return desk, torn.send(desk)


def write_points(personality: Personality, torn: Torn) -> int:
    desk, command = prepared(personality, torn)
    assert kept(desk) == torn.states[0]
    before = desk.memory.writes
    desk.send(command)
    assert kept(desk) == torn.states[-1]
    return desk.memory.writes - before


def cuts(personality: Personality, torn: Torn) -> Iterator[tuple[int, Moment]]:
    for point in range(write_points(personality, torn)):
        for moment in Moment:
            yield point, moment


def cut(desk: Desk, command: bytes, point: int, moment: Moment) -> None:
    desk.memory.cut_power(point, moment)
    with pytest.raises(PowerLost):
        desk.chip.transmit(command)
    with pytest.raises(PowerError):
        desk.chip.transmit(command)


@torn_commands
def test_a_torn_command_took_effect_wholly_or_not_at_all(personality: Personality, torn: Torn) -> None:
    seen = []
    for point, moment in cuts(personality, torn):
        desk, command = prepared(personality, torn)
        cut(desk, command, point, moment)
        desk.chip.power_on()
        seen.append(kept(desk))
        assert seen[-1] in torn.states, f"cut {moment.name} point {point}"
        desk.repower()
        assert kept(desk) == seen[-1], "recovery is finished by the first power-on"
    assert seen[0] == torn.states[0], "nothing was written yet"
    assert seen[-1] == torn.states[-1], "everything was written, only the answer is missing"
    assert [torn.states.index(state) for state in seen] == sorted(torn.states.index(state) for state in seen)


@torn_commands
def test_a_second_cut_during_recovery_changes_nothing(personality: Personality, torn: Torn) -> None:
    for point, moment in cuts(personality, torn):
        for again in range(4):
            for moment_again in Moment:
                desk, command = prepared(personality, torn)
                cut(desk, command, point, moment)
                desk.memory.cut_power(again, moment_again)
                try:
                    desk.chip.power_on()
                except PowerLost:
                    assert not desk.chip.snapshot().powered
                    with pytest.raises(PowerError):
                        desk.chip.transmit(command)
                desk.memory.mend()
                desk.chip.power_on()
                assert kept(desk) in torn.states, f"cut {moment.name} {point}, then {moment_again.name} {again}"


@torn_commands
def test_a_tear_leaves_no_status_and_no_challenge(personality: Personality, torn: Torn) -> None:
    for point, moment in cuts(personality, torn):
        desk, command = prepared(personality, torn)
        cut(desk, command, point, moment)
        desk.chip.power_on()
        shown = desk.chip.snapshot()
        assert (shown.pin_verified, shown.authenticated, shown.challenge_waiting) == (False, (), False)


@torn_commands
def test_the_card_works_on_after_a_tear(personality: Personality, torn: Torn) -> None:
    """Whatever a tear left, a reset by the issuer brings the card back, unless PUK itself is spent."""
    for point, moment in cuts(personality, torn):
        desk, command = prepared(personality, torn)
        cut(desk, command, point, moment)
        desk.repower()
        if not desk.key_tries():
            continue
        ready_to_reset(desk)
        assert desk.sw(desk.message(0x01, desk.block(encode_pin("112233")))) == 0x9000
        assert desk.verify("112233") == 0x9000


@pytest.mark.parametrize("guess", [verify(WRONG), change(WRONG, NEW)], ids=["VERIFY", "CHANGE PIN"])
@pytest.mark.parametrize("moment", Moment)
def test_a_wrong_pin_never_gives_a_try_back(personality: Personality, guess: bytes, moment: Moment) -> None:
    for point in range(3):
        desk = Desk(personality)
        left = desk.tries
        for _ in range(20):
            if not desk.tries:
                break
            desk.memory.cut_power(point, moment)
            with pytest.raises(PowerLost):
                desk.chip.transmit(guess)
            desk.chip.power_on()
            assert desk.tries <= left
            left = desk.tries
        # Only a cut before the log was whole leaves the try; then nothing was compared either.
        assert left == (6 if point == 0 and moment != Moment.AFTER else 0)


# Adaptive cutting: an attacker who chooses every cut

a_cut = st.none() | st.tuples(st.integers(0, 6), st.sampled_from(Moment))
attempts = st.lists(st.tuples(st.sampled_from(["verify", "change"]), a_cut, a_cut), min_size=20, max_size=50)


def power_up(desk: Desk, plan: tuple[int, Moment] | None) -> None:
    if plan:
        desk.memory.cut_power(*plan)
        with suppress(PowerLost):
            desk.chip.power_on()
        desk.memory.mend()
    desk.chip.power_on()


def answered(desk: Desk, command: bytes, plan: tuple[int, Moment] | None) -> int:
    """The status word the card sent, 0 if the power was cut first."""
    if plan:
        desk.memory.cut_power(*plan)
    try:
        return desk.sw(command)
    except PowerLost:
        return 0
    finally:
        desk.memory.mend()


@settings(max_examples=60)
@given(st.sampled_from(["v3-sm4", "v2-3des"]), attempts)
def test_no_cutting_answers_more_guesses_than_the_limit(
    name: str, plan: list[tuple[str, tuple[int, Moment] | None, tuple[int, Moment] | None]]
) -> None:
    desk = Desk(name)
    told, left = 0, desk.tries
    for number, (kind, at_command, at_recovery) in enumerate(plan):
        guess = f"{900000 + number}"
        sw = answered(desk, verify(guess) if kind == "verify" else change(guess, NEW), at_command)
        told += sw & 0xFFF0 == 0x63C0
        power_up(desk, at_recovery)
        assert desk.tries <= left
        left = desk.tries
    assert told <= 6
    assert kept(desk).pin == PIN


@settings(max_examples=40)
@given(st.sampled_from(["v3-sm4", "v2-3des"]), st.lists(st.tuples(a_cut, a_cut), min_size=12, max_size=25))
def test_no_cutting_answers_more_proofs_than_the_limit(
    name: str, plan: list[tuple[tuple[int, Moment] | None, tuple[int, Moment] | None]]
) -> None:
    desk = Desk(name)
    told, left = 0, desk.key_tries()
    for at_command, at_recovery in plan:
        desk.challenge()
        sw = answered(desk, desk.proof(right=False), at_command)
        told += sw & 0xFFF0 == 0x63C0
        power_up(desk, at_recovery)
        assert desk.key_tries() <= left
        left = desk.key_tries()
    assert told <= 3


@settings(max_examples=60)
@given(
    st.sampled_from(["v3-sm4", "v2-3des"]),
    st.sampled_from(COMMANDS),
    st.lists(st.tuples(st.integers(0, 6), st.sampled_from(Moment)), min_size=1, max_size=8),
)
def test_any_number_of_cuts_ends_old_or_new(name: str, torn: Torn, plan: list[tuple[int, Moment]]) -> None:
    desk = Desk(name)
    torn.before(desk)
    answered(desk, torn.send(desk), plan[0])
    for again in plan[1:]:
        desk.memory.cut_power(*again)
        try:
            desk.chip.power_on()
        except PowerLost:
            continue
    desk.memory.mend()
    desk.chip.power_on()
    assert kept(desk) in torn.states


# Without power


def test_a_chip_without_power_answers_nothing(personality: Personality) -> None:
    desk = Desk(personality)
    desk.chip.power_off()
    for command in (b"", b"\x00", verify(PIN), bytes.fromhex("0084000008")):
        with pytest.raises(PowerError):
            desk.chip.transmit(command)
    assert desk.tries == 6
    shown = desk.chip.snapshot()
    assert (shown.powered, shown.current_df, shown.current_ef) == (False, "", 0)
    desk.chip.power_on()
    assert desk.verify() == 0x9000


def test_a_cut_happens_once(personality: Personality) -> None:
    desk = Desk(personality)
    desk.memory.cut_power(0)
    with pytest.raises(PowerLost):
        desk.chip.transmit(verify(PIN))
    desk.chip.power_on()
    assert desk.verify() == 0x9000


def test_a_cut_that_is_not_reached_waits_and_can_be_taken_back(personality: Personality) -> None:
    desk = Desk(personality)
    desk.memory.cut_power(7, Moment.AFTER)
    assert desk.verify() == 0x9000
    desk.memory.mend()
    assert [desk.verify(), desk.verify()] == [0x9000, 0x9000]
