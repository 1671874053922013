"""The verb of the service's clock."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Annotated, ClassVar, Final

from pydantic import BeforeValidator

from sscard.errors import InvalidValue
from sscard.i18n.phrase import Phrase, Sayable
from sscard.scenario.context import Bench
from sscard.scenario.service_host import read_time
from sscard.scenario.step import Outcome
from sscard.scenario.steps.service_step import ServiceStep

UNITS: Final = {"d": "days", "h": "hours", "m": "minutes"}
NO_TIME: Final = Phrase("write a time to pass: +3d, +2h or +30m; or a date: 2026-02-13, 2026-02-13 16:30")


def _passing(text: object) -> timedelta | datetime:
    """``+3d``, ``+2h``, ``+30m``, or a date, or date and time."""
    passed = re.fullmatch(r"\+([0-9]{1,5})([dhm])", str(text).strip())
    if passed:
        return timedelta(**{UNITS[passed[2]]: int(passed[1])})
    try:
        return read_time(text)
    except InvalidValue as error:
        raise InvalidValue(error.said, NO_TIME) from None


class PassTime(ServiceStep):
    """Let time pass at the service: ``+3d``, ``+2h``, ``+30m``, or until a date, or a date and time, in China."""

    verb: ClassVar[str] = "clock"
    clock: Annotated[timedelta | datetime, BeforeValidator(_passing)]

    def serve(self, bench: Bench) -> Outcome:
        wanted = self.clock
        bench.host.now = bench.host.now + wanted if isinstance(wanted, timedelta) else wanted
        return Outcome()

    def title(self) -> Sayable:
        if isinstance(self.clock, datetime):
            return f"clock {self.clock:%Y-%m-%d %H:%M}"
        minutes = self.clock // timedelta(minutes=1)
        unit, length = next(
            (unit, length) for unit, length in (("d", 1440), ("h", 60), ("m", 1)) if not minutes % length
        )
        return f"clock +{minutes // length}{unit}"
