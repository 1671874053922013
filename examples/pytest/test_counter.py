"""Tests of a terminal against virtual cards: run them with ``pip install 'sscard[testing]'`` and ``pytest``.

``verify_three_times`` takes the place of the code under test.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sscard
from sscard.testing import VirtualReader, strategies

SETTINGS = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""The first card loads the simulator, which can take longer than hypothesis allows an example."""


def verify_three_times(session: sscard.CardSession, pins: list[str]) -> bool:
    """What a counter does: up to three entries, but never the last try of the card."""
    for pin in pins[:3]:
        if session.tries_left() == 1:
            return False
        try:
            session.verify_pin(pin)
        except sscard.WrongPin:
            continue
        return True
    return False


def test_the_second_entry_is_right(card_session: sscard.CardSession) -> None:
    """The fixture's card has the initial PIN 123456."""
    assert verify_three_times(card_session, ["000000", "123456"])


@pytest.mark.social_card(personality="v2-3des", place="tries-3", pin="7391")
def test_the_last_try_is_left(social_card: sscard.Card, card_session: sscard.CardSession) -> None:
    """The marker takes the parameters of sscard.issue_card."""
    assert not verify_three_times(card_session, ["1111", "2222", "3333"])
    assert social_card.snapshot().pin_tries == 1


@SETTINGS
@given(card=strategies.cards(pin="123456"), wrong=st.lists(strategies.pins().filter(lambda pin: pin != "123456")))
def test_no_card_is_ever_blocked(card: sscard.Card, wrong: list[str]) -> None:
    """Cards of any personality and holder."""
    session = sscard.CardSession.start(card.chip(), sscard.SoftHsm())
    verify_three_times(session, wrong)
    assert card.snapshot().pin_tries > 0


@SETTINGS
@given(commands=st.lists(strategies.declared_commands() | strategies.malformed_apdus(), max_size=5))
def test_every_command_gets_a_status_word(commands: list[bytes]) -> None:
    """The bytes of a command, valid or not."""
    chip = sscard.issue_card(seed=1).chip()
    chip.power_on()
    assert all(len(chip.transmit(command)) >= 2 for command in commands)


def test_a_pcsc_program_finds_the_card(virtual_reader: VirtualReader) -> None:
    """A private pcscd; skipped with its reason if the machine cannot run one."""
    from smartcard.System import readers

    connection = next(reader for reader in readers() if reader.name == virtual_reader.name).createConnection()
    connection.connect()
    assert bytes(connection.getATR()) == virtual_reader.card.profile.atr()
    connection.disconnect()
