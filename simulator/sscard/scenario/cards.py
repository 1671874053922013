"""The card at the beginning of a scenario: how a file states it, and how it is prepared."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from random import Random
from typing import Annotated, Literal

from pydantic import Field, field_validator

from sscard.card import Personality
from sscard.conversation import Recorder
from sscard.document import Model
from sscard.errors import InputError, InvalidValue
from sscard.hsm import SoftHsm
from sscard.i18n.phrase import Phrase
from sscard.issuer import Holder, builtin_keys, make_holder, make_order, personalise
from sscard.issuer.issue import DEFAULT
from sscard.issuer.personalise import INITIAL_PIN, card_reference
from sscard.scenario.context import Bench
from sscard.scenario.expressions import Tries
from sscard.scenario.step import PinOrNone, Texts
from sscard.service import PinService
from sscard.standard.encoding import encode_an
from sscard.standard.tree import CARD_BLOCKED, PIN_TRIES
from sscard.transport import Connection, FaultyConnection
from sscard.transport.contactless import ContactlessReader

DEFAULT_SEED = 1
FIRST_MORNING = datetime(2026, 1, 5, 9, 0, tzinfo=timezone(timedelta(hours=8)))
"""A Monday in China."""
CARD_AGE = timedelta(days=400)
Connect = Callable[[Connection], AbstractContextManager[Connection]]
"""Connects a terminal to a chip or a contactless reader with it; only this depends on the transport."""


@contextmanager
def in_process(card: Connection) -> Iterator[Connection]:
    """Use the chip, or the contactless reader with it, as the connection."""
    yield card


CITY_CODE = "410402"
NAME_LENGTHS = (15, 10)
"""Characters of the name that fit into items 09 and 4E."""


class HolderData(Model):
    """The made-up card holder."""

    name: str
    id_number: str = Field(repr=False)

    @field_validator("name")
    @classmethod
    def _fits_the_card(cls, name: str) -> str:
        first, second = NAME_LENGTHS
        try:
            encode_an(name[:first], 2 * first)
            encode_an(name[first:], 2 * second)
        except ValueError:
            raise InvalidValue(
                Phrase("does not fit the card"), Phrase("up to {count} characters of GBK", count=first + second)
            ) from None
        return name

    @field_validator("id_number")
    @classmethod
    def _valid(cls, number: str) -> str:
        try:
            Holder("", number)
        except InputError as error:
            raise InvalidValue(error.problem, error.remedy) from None
        return number


class CardData(Model):
    """The card at the beginning of a scenario; the scenario runs once for each personality."""

    personality: Texts = (DEFAULT,)
    choices: dict[str, str] = Field(default_factory=dict)
    pin: Annotated[PinOrNone, Field(repr=False)] = INITIAL_PIN
    tries_left: Tries | None = None
    card_blocked: bool = False
    interface: Literal["contact", "contactless"] = "contact"
    holder: HolderData | None = None
    city_code: Annotated[str, Field(pattern="^[1-9][0-9]{5}$")] = CITY_CODE
    issued: date | None = None


@contextmanager
def bench_of(
    wanted: CardData, personality: Personality, title: str, seed: int = DEFAULT_SEED, connect: Connect = in_process
) -> Iterator[Bench]:
    """The new card of a scenario at its terminal, before the first step; ``title`` and ``seed`` fix its randomness."""
    random = _random(f"{seed}/{title}")
    now = FIRST_MORNING + timedelta(weeks=_random(str(seed)).randrange(52))
    holder = Holder(wanted.holder.name, wanted.holder.id_number) if wanted.holder else make_holder(random)
    issued = wanted.issued or (now - CARD_AGE).date()
    order = replace(make_order(personality, random, holder, wanted.city_code, issued), pin=wanted.pin)
    card = personalise(order, builtin_keys())
    if wanted.tries_left is not None:
        card.memory.put_number(PIN_TRIES, wanted.tries_left)
    if wanted.card_blocked:
        card.memory.put_number(CARD_BLOCKED, 1)
    contact = wanted.interface == "contact"
    chip = card.chip(random, contact=contact)
    with connect(chip if contact else ContactlessReader(chip)) as connection:
        reader = FaultyConnection(connection, keep_power_loss=True, contact=contact)
        yield Bench(
            connection=Recorder(reader),
            reader=reader,
            chip=chip,
            hsm=SoftHsm(builtin_keys()),
            reference=card_reference(order),
            holder=order.holder,
            service=PinService(lambda: now),
            random=random,
            contact=contact,
        )


def _random(seed: str) -> Random:
    return Random(seed)
