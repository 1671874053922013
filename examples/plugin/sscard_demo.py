"""An example plug-in: a card that is issued when it is opened, its HSM, and a report as CSV.

::

    pip install ./examples/plugin
    sscard verify-pin demo:v2-3des --pin 123456
    sscard reset-pin demo: --new 654321 --hsm demo:
    sscard run -k reset --report csv=results.csv
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from io import StringIO
from random import Random

from sscard.hsm import Hsm, SoftHsm
from sscard.issuer import builtin_keys, find_personality, make_holder, make_order, personalise
from sscard.scenario.reports.run import Run
from sscard.transport import Connection

CITY_CODE = "410400"
ISSUED = date(2025, 1, 6)


@contextmanager
def open_card(url: str, *, contact: bool, **_options: object) -> Iterator[Connection]:
    """``demo:[PERSONALITY]``: a card of the built-in test keys with the PIN 123456; it is lost at the end."""
    random = Random(url)
    personality = find_personality(url.partition(":")[2] or "v3-sm4")
    card = personalise(make_order(personality, random, make_holder(random), CITY_CODE, ISSUED), builtin_keys())
    yield card.chip(random, contact=contact)


def open_hsm(_url: str, **_options: object) -> Hsm:
    """``demo:``: the HSM with the built-in test keys."""
    return SoftHsm(builtin_keys())


def write_csv(run: Run) -> str:
    """``--report csv=FILE``: a line for each scenario."""
    text = StringIO()
    writer = csv.writer(text)
    writer.writerow(("group", "name", "personality", "verdict"))
    for result in run.results:
        scenario = result.scenario
        writer.writerow((scenario.group, scenario.name, scenario.personality.name, result.verdict))
    return text.getvalue()
