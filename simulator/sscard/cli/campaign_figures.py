"""The figures of a campaign beyond its outcomes by place: as lines of text, and for programs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from sscard.campaign.units import SECOND_MS
from sscard.i18n.language import N_, _, say

if TYPE_CHECKING:
    from collections import Counter

    from sscard.campaign.figures import Figures, OverTime
    from sscard.campaign.queueing import Queue

DIGITS: Final = 4
"""Decimal places of a share."""


def figure_lines(figures: Figures) -> Iterator[str]:
    """How many cards were blocked by limit of tries, the load of the HSM, the windows, and the time per layer."""
    from sscard.campaign.figures import By
    from sscard.campaign.report import LAYERS, enough_text
    from sscard.i18n.duration import duration_text, time_text

    limits = {limit: counts.total() for limit, counts in figures.counted(By.TRIES_LIMIT, By.OUTCOME).items()}
    parts = [
        _("{tries}: {percent:.1f} %", tries=limit, percent=100 * figures.blocked(limit) / cards)
        for limit, cards in limits.items()
    ]
    if parts:
        yield _("blocked at least once, by limit of tries: {limits}", limits=" · ".join(parts))
    if figures.hsm.peak:
        width = duration_text(figures.hsm.width)
        yield _("HSM operations: at most {count:,} in {time}", count=figures.hsm.peak, time=width)
    yield from _standing_lines(figures)
    if figures.waiting:
        yield _("visits: {rate:.1f} in an hour of open windows", rate=figures.waiting.per_hour)
        yield say(enough_text(figures.waiting))
    elif figures.too_few:
        yield say(figures.too_few)
    for text, seconds in (
        (N_("measured time per card: {layers}"), figures.layers),
        (N_("modelled time per card: {layers}"), figures.modelled),
    ):
        if seconds and figures.cards:
            spent = [
                f"{say(LAYERS.get(name, name))} {time_text(value / figures.cards)}" for name, value in seconds.items()
            ]
            yield _(text, layers=" · ".join(spent))


def _standing_lines(figures: Figures) -> Iterator[str]:
    """How long citizens stand at the window: a line for each product."""
    from sscard.campaign.figures import OUTCOMES

    for product, rows in groupby(figures.at_window.rows(), lambda row: row.product):
        operations = [
            _(
                "{operation} {median:.1f} s, 95 % within {p95:.1f} s",
                operation=say(OUTCOMES[row.outcome]),
                median=row.median,
                p95=row.p95,
            )
            for row in rows
        ]
        name = figures.plan.products[product]
        yield _("at the window with {product}: {operations}", product=name, operations=" · ".join(operations))


def figure_facts(figures: Figures) -> dict[str, Any]:
    """The outcomes by place, the same and all counts, for programs; times in seconds."""
    from sscard.campaign.figures import By

    plan, left = figures.plan, figures.counted(By.TRIES_LIMIT, By.TRIES_LEFT)
    return {
        "outcomes": _named(figures.by_outcome()),
        "places": [{"place": name, "outcomes": _named(counts)} for name, counts in figures.by_place()],
        "lockouts": figures.lockouts,
        "commands": figures.commands,
        "hsm_operations": figures.hsm_operations,
        "limits_of_tries": [
            {
                "tries": limit,
                "blocked_once": figures.blocked(limit),
                "outcomes": _named(outcomes),
                "tries_left": {str(tries): cards for tries, cards in sorted(left[limit].items())},
            }
            for limit, outcomes in figures.counted(By.TRIES_LIMIT, By.OUTCOME).items()
        ],
        "behaviours": [
            {"behaviour": plan.behaviours[at], "outcomes": _named(outcomes)}
            for at, outcomes in figures.counted(By.BEHAVIOUR, By.OUTCOME).items()
        ],
        "products": [
            {"product": plan.products[at], "outcomes": _named(outcomes)}
            for at, outcomes in figures.counted(By.PRODUCT, By.OUTCOME).items()
        ],
        "wrong_tries": figures.wrong_tries,
        "visits": len(figures.visits),
        "over_time": {
            "arrivals": _over_time(figures.arrivals),
            "lockouts": {str(limit): _over_time(count) for limit, count in sorted(figures.locked.items())},
            "hsm_operations": _over_time(figures.hsm),
        },
        "standing": [
            {
                "product": plan.products[row.product],
                "outcome": row.outcome.name.lower(),
                "visits": row.visits,
                "p50": row.median,
                "p95": row.p95,
            }
            for row in figures.at_window.rows()
        ],
        "windows": figures.waiting
        and {
            "per_hour": round(figures.waiting.per_hour, DIGITS),
            "share": figures.waiting.target.share,
            "wait": figures.waiting.target.wait / SECOND_MS,
            "needed": figures.waiting.enough.windows,
            "queues": [_queue(each) for each in figures.waiting.queues],
        },
    }


def _named(counts: Counter[int]) -> dict[str, int]:
    """Cards by the name of their outcome."""
    from sscard.campaign.rows import Outcome

    return {outcome.name.lower(): counts[outcome] for outcome in Outcome}


def _over_time(count: OverTime) -> dict[str, Any]:
    slots = [{"at": slot * count.width, "count": number} for slot, number in sorted(count.slots.items())]
    return {"seconds": count.width, "slots": slots}


def _queue(found: Queue) -> dict[str, Any]:
    return {
        "windows": found.windows,
        "mean": round(found.mean / SECOND_MS, 3),
        "p50": found.percentile(0.5),
        "p95": found.percentile(0.95),
        "max": found.longest / SECOND_MS,
        "utilisation": round(found.utilisation, DIGITS),
    }
