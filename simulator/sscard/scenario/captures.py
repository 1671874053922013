"""What a step may capture for later steps: a part of its outcome, or a value that it reports."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import BeforeValidator

from sscard.errors import InvalidValue, suggestion
from sscard.fields import hidden
from sscard.i18n.phrase import Phrase
from sscard.scenario.expressions import NAME, NAME_FORM

SOURCE: Final = re.compile(r"([a-z_0-9]+)(?:(?<=^data)\[(?!\])(-?[0-9]{1,5})?(?:(:)(-?[0-9]{1,5})?)?\])?")
"""A name; for ``data`` also the first byte or the part of it."""


def _captures(given: object) -> object:
    for name, source in given.items() if isinstance(given, dict) else ():
        if not NAME.fullmatch(name):
            raise InvalidValue(Phrase("not a name: {name!r}", name=hidden(name)), NAME_FORM)
        found = SOURCE.fullmatch(source) if isinstance(source, str) else None
        if found is None or found[1] not in (*OUTCOME, *REPORTED):
            problem = Phrase("nothing to capture: {source!r}", source=hidden(source))
            raise InvalidValue(problem, suggestion(str(source), REPORTED, _SOURCES))
        first, last = int(found[2] or 0), int(found[4] or 0)
        if found[4] and (not last or (last <= first and (first < 0) == (last < 0))):
            raise InvalidValue(Phrase("{part} has no byte", part=source), _SOURCES)
    return given


Captures = Annotated[dict[str, str], BeforeValidator(_captures)]
"""Names of captured values, and the part of the outcome that each has."""
OUTCOME: Final = ("data", "sw", "tries")
_SOURCES: Final = Phrase("write data, data[0:8], sw, tries, or the name of a value that the step reports")
REPORTED: Final = {
    "account": Phrase("account"),
    "acts": Phrase("acts"),
    "balance": Phrase("balance"),
    "birth_date": Phrase("birth_date"),
    "cases": Phrase("cases"),
    "certain": Phrase("certain"),
    "code": Phrase("code"),
    "count": Phrase("count"),
    "day": Phrase("day"),
    "due": Phrase("due"),
    "entries": Phrase("entries"),
    "error": Phrase("error"),
    "expires": Phrase("expires"),
    "feedback": Phrase("feedback"),
    "findings": Phrase("findings"),
    "genuine": Phrase("genuine"),
    "grounds": Phrase("grounds"),
    "handlers": Phrase("handlers"),
    "handling": Phrase("handling"),
    "holder": Phrase("holder"),
    "host": Phrase("host"),
    "in_doubt": Phrase("in_doubt"),
    "issued": Phrase("issued"),
    "mac1": Phrase("mac1"),
    "mac2": Phrase("mac2"),
    "missing": Phrase("missing papers"),
    "moved": Phrase("archived cases"),
    "name": Phrase("name of the holder"),
    "number": Phrase("number"),
    "out": Phrase("out"),
    "overdue": Phrase("overdue"),
    "passed": Phrase("passed"),
    "past_legal": Phrase("past the legal limit"),
    "points": Phrase("points"),
    "pool": Phrase("pool"),
    "pool_total": Phrase("pool_total"),
    "possible": Phrase("possible"),
    "prompts": Phrase("prompts"),
    "proof": Phrase("proof"),
    "psam_code": Phrase("psam_code"),
    "records": Phrase("records"),
    "self_paid": Phrase("self_paid"),
    "self_paid_total": Phrase("self_paid_total"),
    "sex": Phrase("sex"),
    "shown": Phrase("shown"),
    "social_security_number": Phrase("social_security_number"),
    "standing": Phrase("standing"),
    "status": Phrase("status"),
    "tac": Phrase("tac"),
    "tries_left": Phrase("tries_left"),
    "values": Phrase("values"),
    "version": Phrase("version"),
    "visits": Phrase("visits on site"),
    "waits": Phrase("waits for an answer"),
    "year": Phrase("year"),
}
"""What terminal, driver and service report, by the name of the field that states it."""
