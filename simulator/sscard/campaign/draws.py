"""What is drawn for a card before its life begins: a pure function of the population, the seed and the index."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import accumulate
from random import Random
from typing import Final

from sscard.campaign.population import Population
from sscard.campaign.units import DAY_SECONDS, HOUR_SECONDS, WEEK_DAYS
from sscard.chip.memory import Moment
from sscard.issuer.holder import make_holder
from sscard.issuer.issue import SEEDED_DATE
from sscard.issuer.personalise import Order, make_order
from sscard.issuer.places import Place

INDEX_BITS: Final = 32
"""Of a seed below the bits of the campaign's."""
ISSUED: Final = date.fromisoformat(SEEDED_DATE)
PIN_DIGITS: Final = 6
WRITE_POINTS: Final = 7
"""A change passes so many: three for the try that is paid, four for PIN and tries."""
HSM_OPERATIONS: Final = 3
"""The HSM fails before its first to third operation of a visit: holder key, PUK, message."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A card and the decisions of its life. ``random`` draws what happens later, and the card's challenges."""

    product: int
    place: int
    behaviour: int
    order: Order
    new_pin: str = field(repr=False)
    arrival: int
    stolen: bool
    forgets: bool
    changes: bool
    visits: bool
    remembers: bool
    delay: int
    """Seconds from the reason to the visit."""
    torn: tuple[int, Moment] | None
    gives_up: bool
    hsm_fails_after: int | None
    still_down: bool
    random: Random


class Shares:
    """A choice among parts by their shares."""

    def __init__(self, shares: Iterable[float]) -> None:
        self._sums = list(accumulate(shares))

    def draw(self, random: Random) -> int:
        """The number of a part."""
        return bisect(self._sums, random.random() * self._sums[-1])


class TimesOfDay:
    """Times of a day by their rates."""

    def __init__(self, rates: Mapping[int, float]) -> None:
        self._hours = sorted(hour for hour, rate in rates.items() if rate)
        self._shares = Shares(rates[hour] for hour in self._hours)

    def draw(self, random: Random) -> int:
        """A second of the day."""
        return self._hours[self._shares.draw(random)] * HOUR_SECONDS + int(random.random() * HOUR_SECONDS)


class Draws:
    """Draws the cards of a population; ``of(index)`` does not depend on what was drawn before."""

    def __init__(self, population: Population, seed: int) -> None:
        self.population = population
        self._seed = seed
        self._products, self._places, self._behaviours = (
            Shares(each.share for each in shared)
            for shared in (population.products, population.places, population.behaviours)
        )
        self._pharmacy, self._window = TimesOfDay(population.arrivals.pharmacy), TimesOfDay(population.arrivals.window)
        self._ordered = [
            [place.place.over(product.personality) for place in population.places] for product in population.products
        ]

    def of(self, index: int) -> Drawn:
        """The card with this number."""
        random = Random(self._seed << INDEX_BITS | index)
        chance = random.random
        population = self.population
        product, place = self._products.draw(random), self._places.draw(random)
        number = self._behaviours.draw(random)
        behaviour, policy = population.behaviours[number], population.places[place].place
        holder = make_holder(random)
        order = make_order(self._ordered[product][place], random, holder, population.holders.city, ISSUED)
        initial = chance() >= population.holders.own_pin
        id_number = holder.id_number
        pin = policy.initial_pin_of(holder) if initial else new_pin(random, policy, id_number, "")
        changed = new_pin(random, policy, id_number, pin)
        must = initial and (policy.restricts_initial or not pin)
        return Drawn(
            product,
            place,
            number,
            replace(order, pin=pin),
            changed,
            random.randrange(population.arrivals.days) * DAY_SECONDS + self._pharmacy.draw(random),
            chance() < behaviour.stolen,
            chance() < behaviour.forgets,
            chance() < behaviour.changes or must,
            chance() < behaviour.visits,
            chance() < behaviour.remembers,
            int(chance() * population.arrivals.delay_days * DAY_SECONDS),
            (random.randrange(WRITE_POINTS), Moment(random.randrange(3))) if chance() < behaviour.torn else None,
            chance() < behaviour.gives_up,
            random.randrange(HSM_OPERATIONS) if chance() < behaviour.hsm_down else None,
            chance() < behaviour.still_down,
            random,
        )

    def opening(self, after: int, random: Random) -> int:
        """When a citizen comes to the window: at its hours, on the first day it is open then."""
        open_days = self.population.arrivals.open_days
        day = after // DAY_SECONDS
        second = self._window.draw(random)
        if day * DAY_SECONDS + second < after:
            day += 1
        while day % WEEK_DAYS >= open_days:
            day += 1
        return day * DAY_SECONDS + second


def new_pin(random: Random, place: Place, id_number: str, other_than: str) -> str:
    """A PIN that a place permits, other than one."""
    while True:
        pin = f"{random.randrange(10**PIN_DIGITS):0{PIN_DIGITS}d}"
        if pin != other_than and place.refusal(pin, id_number) is None:
            return pin
