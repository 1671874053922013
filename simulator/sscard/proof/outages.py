"""Workers of the PIN service that are killed while HSM and holder base fail at random.

An attempt is a process that opens or continues the case of a key, as a clerk
does. In each, HSM and holder base fail never, sometimes or always, the card has
a standing, and the process may be killed at a step. Card, journal and holder
base must agree after every attempt, and an attempt without failures must close
the case.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

from sscard.errors import HolderBaseUnavailable, HsmUnavailable
from sscard.hsm import Hsm, SoftHsm
from sscard.i18n.phrase import Phrase
from sscard.issuer import builtin_keys
from sscard.issuer.cardfile import load_card
from sscard.issuer.holderbase import HolderBase, ListedCards
from sscard.issuer.holderbasefile import SqliteHolderBase
from sscard.issuer.personalise import number_of
from sscard.issuer.standing import Standing
from sscard.model.invariants import AS_THE_BASE, AS_THE_JOURNAL
from sscard.proof.sessions import Broken, Main
from sscard.proof.workers import Office, Step, killing_at, wait_for
from sscard.scenario.service_faults import BASE_DOWN, DOWN, START
from sscard.service import Reason, Stage

CHANCES: Final = (0.0, 0.0, 0.3, 1.0)
"""How often a service fails during an attempt."""
STANDINGS: Final = (*(Standing.IN_USE,) * 6, Standing.TEMPORARILY_LOST, Standing.LOST, Standing.NOT_ENABLED)
MOST_ATTEMPTS: Final = 6
"""Attempts with failures before the one without."""
NEVER: Final = 1 << 32
ACCEPTED: Final = {Stage.ACCEPTED, Stage.OPERATED, Stage.COMPLETED}


@dataclass(frozen=True)
class Weather:
    """What an attempt meets: the chances that HSM and base fail, the standing of the card, the step of the kill."""

    hsm: float = 0.0
    base: float = 0.0
    standing: Standing = Standing.IN_USE
    kill_at: int = NEVER


class _Unreliable:
    """A service that fails at random; it makes a step before and after each call."""

    def __init__(self, inner: object, chance: float, error: Exception, random: Random, step: Step) -> None:
        self._inner = inner
        self._chance = chance
        self._error = error
        self._random = random
        self._step = step

    def __getattr__(self, name: str) -> Callable[..., Any]:
        ask = getattr(self._inner, name)

        def call(*given: Any) -> Any:
            self._step()
            if self._random.random() < self._chance:
                raise self._error
            answer = ask(*given)
            self._step()
            return answer

        return call


class UnreliableOffice(Office):
    """An office whose HSM and holder base fail."""

    def __init__(self, url: str, folder: Path, main: Main, random: Random) -> None:
        super().__init__(url, folder, main, random)
        self._random = random
        self._weather = Weather()
        self._dice = random
        self._base = SqliteHolderBase(folder / "base.db", create=True)
        self._number = number_of(load_card(self._fresh))
        self.kills = 0

    def hsm(self, step: Step) -> Hsm:
        """The HSM of a worker."""
        inner, error = SoftHsm(builtin_keys()), HsmUnavailable(DOWN, START)
        made: Any = _Unreliable(inner, self._weather.hsm, error, self._dice, step)
        return made  # type: ignore[no-any-return]

    def holder_base(self, step: Step) -> HolderBase | None:
        """The holder base of a worker."""
        made: Any = _Unreliable(self._base, self._weather.base, HolderBaseUnavailable(BASE_DOWN), self._dice, step)
        return made  # type: ignore[no-any-return]

    def fresh_card(self) -> None:
        """Take a card whose PIN was not changed; the log of the card before it goes."""
        self._card.with_name(f"{self._card.name}-wal").unlink(missing_ok=True)
        shutil.copy(self._fresh, self._card)

    def case_in_bad_weather(self, key: str, reason: Reason, steps: int) -> list[Broken]:
        """A case of a fresh card through attempts that fail or are killed, and one that does not; what is broken."""
        self.fresh_card()
        random, found = self._random, list[Broken]()
        for _ in range(random.randrange(1, MOST_ATTEMPTS + 1)):
            kill_at = random.randrange(steps) if random.random() < 0.8 else NEVER
            weather = Weather(random.choice(CHANCES), random.choice(CHANCES), random.choice(STANDINGS), kill_at)
            found += self.attempt(key, reason, weather)
            case = self._case(key)
            if case is not None and not case.open:
                break
        found += self.attempt(key, reason, Weather())
        self._cases += 1
        case = self._case(key)
        if case is None or case.open:
            found.append((AS_THE_JOURNAL, Phrase("an attempt without failures does not close the case")))
        elif case.stage is Stage.COMPLETED and not self.changed:
            found.append((AS_THE_JOURNAL, Phrase("the case is completed, and the card has the old PIN")))
        return found

    def attempt(self, key: str, reason: Reason, weather: Weather) -> list[Broken]:
        """One attempt, and what is broken after it."""
        self._weather = weather
        self._base.put(ListedCards(first=self._number, standing=weather.standing))
        before, changed = self.stage_of(key), self.changed
        self._dice = Random(self._random.random())
        killed, found = wait_for(self._fork(key, reason, killing_at(weather.kill_at)))
        self.kills += killed
        found += self._truth(key)
        after = self.stage_of(key)
        in_use = weather.standing is Standing.IN_USE
        if not in_use or weather.base == 1:
            if self.changed != changed:
                found.append((AS_THE_BASE, Phrase("the card was operated, and the base had not reported it as in use")))
            if after in ACCEPTED and before not in ACCEPTED:
                found.append(
                    (AS_THE_BASE, Phrase("the case was accepted, and the base had not reported its card as in use"))
                )
        if in_use and after in (Stage.REFUSED, Stage.FAILED) and before is not after:
            found.append((AS_THE_BASE, Phrase("the case was ended without completion, and its card is in use")))
        return found

    def stage_of(self, key: str) -> Stage | None:
        """The stage of a case, ``None`` if it was not opened."""
        case = self._case(key)
        return case.stage if case else None
