"""`sscard insert` and pcscd killed during an APDU."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from random import Random

import pytest

from sscard.proof.readers import killed_inserts, restarts_of_pcscd
from sscard.proof.sessions import CardUnderTest
from sscard.transport.pcscd import PrivatePcscd


@pytest.fixture
def card(tmp_path: Path) -> CardUnderTest:
    return CardUnderTest(tmp_path, Random(1))


@pytest.mark.slow
@pytest.mark.parametrize("count", [3, pytest.param(300, marks=pytest.mark.campaign)])
def test_a_killed_insert_owes_no_try(pcscd: PrivatePcscd, card: CardUnderTest, count: int) -> None:
    for session in islice(killed_inserts(pcscd, card, Random(2)), count):
        assert card.end(session) == []


@pytest.mark.slow
def test_a_card_whose_daemon_is_killed_during_a_command_owes_no_try(pcscd: PrivatePcscd, card: CardUnderTest) -> None:
    for session in islice(restarts_of_pcscd(pcscd, card, Random(3)), 3):
        asked = session.after
        assert card.end(session) == []
        assert session.after == asked
