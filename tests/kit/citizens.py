"""Citizens with real cards in process, and a clock."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from random import Random

import pytest

from sscard.card import Chip, Personality
from sscard.conversation import Recorder
from sscard.hsm import SoftHsm
from sscard.issuer import Holder, builtin_keys, make_order, personalise, preset
from sscard.service import Applicant, Application, Channel, Reason
from sscard.terminal import BasicData, CardSession, WrongPin

ID_NUMBER = "410402198503150009"
OPENING = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@dataclass
class Citizen:
    """A holder at a terminal, the card already in it."""

    holder: Holder
    chip: Chip
    wire: Recorder
    session: CardSession
    basic: BasicData
    pin: str = field(repr=False)

    def application(self, reason: Reason | None, channel: Channel = Channel.WINDOW) -> Application:
        """Complete and in order."""
        applicant = Applicant(name=self.holder.name, id_number=self.holder.id_number)
        return Application(applicant, channel, reason, card=self.basic)

    def lock_pin(self) -> None:
        """Wrong PINs until the card gives no more tries."""
        while self.session.tries_left():
            with pytest.raises(WrongPin):
                self.session.verify_pin("00000000")

    def at_hsm(self, hsm: SoftHsm) -> CardSession:
        """The same card at a terminal with another HSM behind it."""
        return CardSession.start(self.wire, hsm)


def make_citizen(
    personality: Personality | None = None, id_number: str = ID_NUMBER, city: str = "410400", pin: str = "739104"
) -> Citizen:
    random = Random(id_number)
    holder = Holder("张三", id_number)
    order = make_order(personality or preset("v3-sm4"), random, holder, city, date(2025, 1, 6))
    chip = personalise(replace(order, pin=pin), builtin_keys()).chip(random)
    wire = Recorder(chip)
    session = CardSession.start(wire, SoftHsm(builtin_keys()))
    return Citizen(holder, chip, wire, session, session.read_basic(), pin)


class Ticking:
    """A clock that goes on a minute with each look."""

    def __init__(self) -> None:
        self.now = OPENING

    def __call__(self) -> datetime:
        self.now += timedelta(minutes=1)
        return self.now
