"""The figures over cases in words and in order, as the table, JSON and charts of ``sscard case stats`` have them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sscard.i18n.language import _, say

if TYPE_CHECKING:
    from sscard.service import Stage
    from sscard.service.statistics import Durations, Outcome, Statistics


def counts(found: Statistics) -> list[tuple[str, str, int]]:
    """How many cases there are: name in JSON, text, number."""
    return [
        ("cases", _("cases"), found.cases),
        ("open", _("open"), found.open),
        ("waiting", _("waiting"), found.waiting),
        ("in_doubt", _("in doubt"), found.in_doubt),
        ("overdue", _("overdue"), found.overdue),
    ]


def ends(found: Statistics, kind: Outcome) -> list[tuple[str, str, int]]:
    """How many cases of a kind ended at each closed stage, and how many are open."""
    from sscard.service import Stage

    stages = found.outcomes[kind]
    closed = [Stage.COMPLETED, Stage.REFUSED, Stage.FAILED]
    ended = [(stage.value, say(stage.words), stages[stage]) for stage in closed]
    return [*ended, ("open", _("open"), stages.total() - sum(count for *_names, count in ended))]


def stages_in_order(found: Statistics) -> list[tuple[Stage, Durations]]:
    """The stages that cases left, in the order of the service."""
    from sscard.service import Stage

    return [(stage, found.stages[stage]) for stage in Stage if stage in found.stages]


def kinds_in_order(found: Statistics) -> list[Outcome]:
    """The kinds of cases: by operation, then channel, in the order of the service."""
    from sscard.service import Channel, Operation

    operations, channels = [*Operation, None], [*Channel]
    return sorted(found.outcomes, key=lambda kind: (operations.index(kind.operation), channels.index(kind.channel)))


def operation_text(kind: Outcome) -> str:
    """The operation of a kind of cases."""
    return say(kind.operation.words) if kind.operation else _("no reason")


def ground_text(ground: str) -> str:
    """The rule of a ground; the stored word of one that this version does not know."""
    from sscard.service.notices import Rule

    if ground not in [rule.value for rule in Rule]:
        return ground
    return say(Rule(ground).words)


def quantiles(times: Durations) -> dict[str, int]:
    """Median, 90th percentile and maximum in seconds, by their names in JSON."""
    from sscard.service.statistics import MEDIAN, NINE_TENTHS

    return {"median": times.quantile(MEDIAN), "p90": times.quantile(NINE_TENTHS), "max": times.longest}
