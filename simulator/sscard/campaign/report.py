"""A campaign as one self-contained HTML page: outcomes, lock-outs, HSM load, windows, time per layer, failing cards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from sscard.campaign.figures import OUTCOMES, By, Figures, OverTime
from sscard.campaign.queueing import Queue, Target
from sscard.campaign.rows import Outcome, Through
from sscard.campaign.timeplots import TimePlot, over_time, waiting_longer
from sscard.campaign.units import SECOND_MS
from sscard.campaign.waiting import Waiting
from sscard.i18n.duration import duration_text, time_text
from sscard.i18n.language import CHINESE, ENGLISH, _, is_chinese
from sscard.i18n.phrase import Phrase, Sayable
from sscard.scenario.reports.charts import LAYER_COLOURS, Bar, Bars, Key, Part, Plot, parts
from sscard.scenario.reports.page import Lines, page_template
from sscard.version import __version__

OUTCOME_COLOURS: Final[Mapping[Outcome, str]] = {
    Outcome.UNTOUCHED: "fresh",
    Outcome.CHANGED: "blue",
    Outcome.RESET: "teal",
    Outcome.UNBLOCKED: "purple",
    Outcome.LOCKED: "red",
    Outcome.REFUSED: "amber",
    Outcome.UNFINISHED: "grey",
}
KINDS: Final[Mapping[str, Phrase]] = {
    "careful": Phrase("careful"),
    "forgetful": Phrase("forgetful"),
    "careless": Phrase("careless"),
    "attacker": Phrase("attacker"),
    "torn terminal": Phrase("torn terminal"),
    "failing HSM": Phrase("failing HSM"),
}
"""The names of behaviours that the user has not named."""
THROUGH: Final[Mapping[Through, Phrase]] = {
    Through.SERVICE: Phrase("through the whole service"),
    Through.CARD: Phrase("through card and HSM"),
}
SERIES: Final = ("red", "amber", "blue", "green", "purple", "teal", "pink", "grey")
LAYERS: Final[Mapping[str, Phrase]] = {
    "issue": Phrase("issuing of cards"),
    "service": Phrase("service"),
    "journal": Phrase("journal"),
    "terminal": Phrase("terminal"),
    "hsm": Phrase("HSM"),
    "transport": Phrase("transport"),
    "line": Phrase("line between terminal and card"),
    "card": Phrase("card"),
    "memory": Phrase("memory of the card"),
    "cipher": Phrase("cipher of the card"),
    "papers": Phrase("papers and identity"),
    "entry": Phrase("PIN entries of the citizen"),
    "oracle": Phrase("oracle"),
    "remainder": Phrase("remainder"),
}


class Cell(NamedTuple):
    """Cards that ended with so many tries left, and their part of the row in percent."""

    cards: int
    percent: float


class TriesLimit(NamedTuple):
    """A limit of tries: cards, those blocked at least once, and how many ended with 0, 1, 2 … tries left."""

    tries: int
    cards: int
    blocked: Cell
    left: Sequence[Cell | None]


class QueueRow(NamedTuple):
    """A queue: median, 95th percentile and longest wait as text, and the percent that waits as long as is wanted."""

    queue: Queue
    waits: Sequence[str]
    within: float
    enough: bool


class LayerTime(NamedTuple):
    """The seconds in a layer: all cards together, of a card as text, and the part of the whole in percent."""

    key: Key
    seconds: float
    of_a_card: str
    percent: float


class Layers(NamedTuple):
    """Where the time goes: a bar, and its rows."""

    title: str
    bar: Sequence[Part]
    rows: Sequence[LayerTime]


def campaign_page(figures: Figures, repeat: str) -> str:
    """The page; ``repeat`` is the command that repeats a card, without its index at the end."""
    return page_template("campaign.html.j2").render(
        figures=figures,
        plan=figures.plan,
        through=THROUGH[figures.plan.through],
        sums=[*sums(figures)],
        failures=[(failure, f"{repeat} {failure.index}") for failure in figures.failures],
        outcomes=[*outcome_bars(figures)],
        limits=limits(figures),
        times=[*time_plots(figures)],
        standing=figures.at_window.rows(),
        queues=queue_rows(figures),
        longer=longer(figures),
        layers=[
            layers_of(title, seconds, figures.cards)
            for title, seconds in (
                (_("measured time per layer"), figures.layers),
                (_("modelled time per layer"), figures.modelled),
            )
            if seconds
        ],
        lines=Lines,
        number_text=number_text,
        duration_text=duration_text,
        outcome_texts=OUTCOMES,
        time_text=time_text,
        enough_text=enough_text,
        wait_text=wait_text,
        version=__version__,
        language=CHINESE if is_chinese() else ENGLISH,
        _=_,
    )


def sums(figures: Figures) -> Iterator[tuple[str, str]]:
    """The counts over all cards: text, and number as text."""
    for text, number in (
        (_("cards"), figures.cards),
        (_("lock-outs"), figures.lockouts),
        (_("wrong PINs"), figures.wrong_tries),
        (_("visits at the window"), len(figures.visits)),
        (_("HSM operations"), figures.hsm_operations),
        (_("APDUs"), figures.commands),
    ):
        yield text, number_text(number)


def outcome_bars(figures: Figures) -> Iterator[Bars]:
    """Bars of outcomes, each as wide as any other; outcomes of no card are left out."""
    plan = figures.plan
    kinds = [kind for kind in Outcome if any(key[By.OUTCOME] == kind for key in figures.ends)]
    legend = [Key(OUTCOME_COLOURS[kind], OUTCOMES[kind]) for kind in kinds]
    for title, by, name in (
        (_("outcomes by limit of tries"), By.TRIES_LIMIT, tries_text),
        (_("outcomes by place policy"), By.PLACE, plan.places.__getitem__),
        (_("outcomes by behaviour"), By.BEHAVIOUR, lambda at: KINDS.get(plan.behaviours[at], plan.behaviours[at])),
        (_("outcomes by product"), By.PRODUCT, plan.products.__getitem__),
    ):
        bars = []
        for number, counts in figures.counted(by, By.OUTCOME).items():
            cards = [counts[kind] for kind in kinds]
            whole = sum(cards)
            bars.append(Bar(name(number), parts(legend, cards, [*map(number_text, cards)], whole), number_text(whole)))
        yield Bars(title, legend, _("cards"), bars)


def limits(figures: Figures) -> list[TriesLimit]:
    """The tries left at the end, by limit of tries."""
    counted = figures.counted(By.TRIES_LIMIT, By.TRIES_LEFT)
    most = max(counted, default=0)
    return [
        TriesLimit(
            tries,
            cards := counts.total(),
            _cell(figures.blocked(tries), cards),
            [_cell(counts[left], cards) if left <= tries else None for left in range(most + 1)],
        )
        for tries, counts in counted.items()
    ]


def _cell(part: int, cards: int) -> Cell:
    return Cell(part, 100 * part / cards)


def time_plots(figures: Figures) -> Iterator[TimePlot]:
    """The plots over virtual time that have a count."""
    named = {*sorted(figures.locked, key=figures.blocked)[-len(SERIES) + 1 :]}
    locked = [
        (Key(colour, tries_text(limit)), figures.locked[limit])
        for colour, limit in zip(SERIES, sorted(named), strict=False)
    ]
    if others := figures.locked.keys() - named:
        rest = OverTime()
        for limit in others:
            rest.take(figures.locked[limit])
        locked.append((Key(SERIES[-1], Phrase("other limits")), rest))
    for title, series in (
        (_("cards that come into use"), [(Key("blue", _("cards")), figures.arrivals)]),
        (_("lock-outs over time, by limit of tries"), locked),
        (_("HSM operations over time"), [(Key("amber", Phrase("HSM")), figures.hsm)]),
    ):
        if plot := over_time(title, series):
            yield plot


def queue_rows(figures: Figures) -> list[QueueRow]:
    """The queues by number of windows, empty without visits that take time."""
    if figures.waiting is None:
        return []
    target, enough = figures.waiting.target, figures.waiting.enough
    return [
        QueueRow(
            each,
            [duration_text(seconds) for seconds in (each.percentile(0.5), each.percentile(0.95), each.percentile(1))],
            100 * each.share_within(target.wait),
            each is enough,
        )
        for each in figures.waiting.queues
    ]


def longer(figures: Figures) -> Plot | None:
    """The visits that wait longer than a time, by number of windows."""
    if figures.waiting is None:
        return None
    series = [
        (Key(SERIES[number], windows_text(each.windows)), each) for number, each in enumerate(figures.waiting.queues)
    ]
    return waiting_longer(_("visits that wait longer, in percent"), series)


def enough_text(found: Waiting) -> Phrase:
    """How many windows are needed, in words."""
    return Phrase(
        "{windows}: at least {percent:g} % of the visits wait at most {time}.",
        windows=windows_text(found.enough.windows),
        percent=100 * found.target.share,
        time=wait_text(found.target),
    )


def wait_text(target: Target) -> str:
    """The wait of a target as text."""
    return duration_text(target.wait // SECOND_MS)


def windows_text(windows: int) -> Phrase:
    """A number of windows in words."""
    return Phrase.plural("{count} window", "{count} windows", count=windows)


def layers_of(title: str, seconds: Mapping[str, float], cards: int) -> Layers:
    """The layers in the order of ``LAYERS``, others after them."""
    whole = sum(seconds.values()) or 1.0
    rows = [
        LayerTime(
            Key(LAYER_COLOURS.get(name, "fresh"), LAYERS.get(name, name)),
            seconds[name],
            time_text(seconds[name] / max(cards, 1)),
            100 * seconds[name] / whole,
        )
        for name in sorted(seconds, key=lambda name: ([*LAYERS, name].index(name), name))
    ]
    bar = parts([row.key for row in rows], [row.percent for row in rows], [row.of_a_card for row in rows], 100)
    return Layers(title, bar, rows)


def tries_text(limit: int) -> Sayable:
    """A limit of tries in words."""
    return Phrase.plural("{count} try", "{count} tries", count=limit)


def number_text(number: int) -> str:
    """A number with its thousands apart."""
    return f"{number:,}"
