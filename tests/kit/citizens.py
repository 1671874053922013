"""Citizens with real cards at the service, the time and key of its journal."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from kit.cards import HOLDER, citizens_card
from sscard.card import Chip, Personality
from sscard.conversation import Recorder
from sscard.hsm import SoftHsm
from sscard.issuer import Holder, builtin_keys
from sscard.service import Applicant, Application, Case, Channel, PinService, Reason
from sscard.terminal import BasicData, CardSession, WrongPin

ID_NUMBER = HOLDER.id_number
OPENING = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
JOURNAL_KEY = bytes(range(32))
NEW_PIN = "80264153"


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
    card = citizens_card(pin, personality=personality, id_number=id_number, city=city, seed=id_number)
    chip = card.chip(Random(id_number))
    wire = Recorder(chip)
    session = CardSession.start(wire, SoftHsm(builtin_keys()))
    return Citizen(Holder(HOLDER.name, id_number), chip, wire, session, session.read_basic(), pin)


class Ticking:
    """A clock that advances one minute each time it is read."""

    def __init__(self) -> None:
        self.now = OPENING

    def __call__(self) -> datetime:
        self.now += timedelta(minutes=1)
        return self.now


def run_cases(service: PinService, citizen: Citizen, count: int = 3) -> list[Case]:
    """Completed cases of one citizen."""
    cases = []
    for _ in range(count):
        case = service.intake(citizen.application(Reason.FORGOTTEN))
        service.accept(case)
        service.operate(case, citizen.session, NEW_PIN)
        service.complete(case, citizen.session, NEW_PIN)
        cases.append(case)
    return cases
