"""A test report in the form that a laboratory hands in: item by item of the test standard, for screen and paper."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache, partial
from itertools import zip_longest
from typing import Final, NamedTuple

from sscard.card import Personality
from sscard.i18n.language import _, is_chinese, ranges, say, visible
from sscard.i18n.phrase import Phrase
from sscard.issuer import KeyHierarchy
from sscard.scenario.coverage.facts import choice_text
from sscard.scenario.reports.console import counts_text, repetition_text
from sscard.scenario.reports.form_data import FORM_LABELS
from sscard.scenario.reports.form_items import NOT_TESTED, Numbered, sheet_of, worst
from sscard.scenario.reports.form_steps import rows_of, wire_of
from sscard.scenario.reports.page import Lines, page_template
from sscard.scenario.reports.run import VERDICTS, Log, Run
from sscard.scenario.reports.summary import missed_texts
from sscard.scenario.runner import INCONCLUSIVE
from sscard.standard.choices import CHOICES, make_personality
from sscard.standard.cipher import SUITES
from sscard.version import __version__

LOGS_IN_A_ROW: Final = 5
SHORT_DIGEST: Final = 16
"""Hex digits of a digest where there are many."""
SHOWN_IN_FULL: Final = 3
"""Failed runs of a scenario whose steps are printed; of the others the expectation that was not met."""
SIGNED: Final = ("operator", "reviewer", "approver")
"""Fields of ``FormData`` that are signed."""


@dataclass(slots=True)
class Device:
    """A card product of the run; ``variants`` has the number of runs by the choices that are not the defaults."""

    name: str
    generation: str
    algorithm: str
    variants: Counter[str] = field(default_factory=Counter)

    @property
    def runs(self) -> int:
        return self.variants.total()


class RootValues(NamedTuple):
    """The check values of a root key, by suite, one per version."""

    name: str
    by_suite: Sequence[str]


def write(run: Run) -> str:
    """The form. Each scenario has its steps once, those of the first run that passed, and failed runs in full."""
    sheet, devices = sheet_of(run.results), _devices(run)
    title = run.form.report or _("Test report")
    incomplete = Phrase.plural(
        "INCOMPLETE: the run ended after {done} of {count} scenario",
        "INCOMPLETE: the run ended after {done} of {count} scenarios",
        count=run.planned,
        done=len(run.results),
    )
    warning = "" if run.complete else say(incomplete)
    entered = {name: value for name, value in run.form.model_dump().items() if name not in (*SIGNED, "remarks")}
    return page_template("form.html.j2").render(
        run=run,
        sheet=sheet,
        incomplete=warning,
        header=_css(f"{title} · {run.form.device}".rstrip(" ·")),
        warning=_css(warning),
        stamp=_css(f"sscard {__version__} · {run.started:%Y-%m-%d %H:%M} UTC · {run.tested.scenarios[:SHORT_DIGEST]}"),
        page=_css(_("page") + " "),
        entered=entered,
        labels=FORM_LABELS,
        signed={name: getattr(run.form, name) for name in SIGNED},
        remarks=Lines(run.form.remarks),
        verdict=_verdict(run),
        counts=counts_text(run.results),
        ended=run.started + timedelta(seconds=run.seconds),
        seeds=" ".join(map(str, run.seeds)),
        command=run.called,
        devices=devices,
        varied=any(len(device.variants) > 1 for device in devices),
        suites=[suite.title for suite in SUITES.values()],
        keys=[
            (kind, list(_values(keys)))
            for kind, keys in ((_("cards"), run.keys), (_("PSAMs"), run.keys and run.keys.psam_keys))
            if keys
        ],
        known_issues=[entry for entry in sheet.entries if entry.tickets or entry.waived],
        logs=list(zip_longest(*[iter(run.logs)] * LOGS_IN_A_ROW)),
        log_of=lambda number: run.logs[number - 1] if number <= len(run.logs) else Log("", ""),
        in_full=lambda entry: entry.unmet[:SHOWN_IN_FULL],
        in_short=lambda entry: entry.unmet[SHOWN_IN_FULL:],
        digest=lambda text: text[:SHORT_DIGEST],
        rows_of=rows_of,
        wire_of=lambda result: Lines(wire_of(result)),
        missed_texts=missed_texts,
        repetition_text=repetition_text,
        counts_of=lambda runs: counts_text([each.result for each in runs]),
        ranges=lambda runs: ranges([each.number for each in runs]),
        title_of=partial(_title, several=len(run.seeds) > 1),
        words={**VERDICTS, NOT_TESTED: Phrase("not tested")},
        colon="：" if is_chinese() else ": ",
    )


def _title(each: Numbered, *, several: bool) -> str:
    scenario = each.result.scenario
    seed = f", {_('seed {seed}', seed=each.result.seed)}" if several else ""
    return f"{say(scenario.label)} [{scenario.personality.name}]{seed}"


def _verdict(run: Run) -> str:
    """The worst verdict of the run; a run that is not complete has not passed."""
    found = {result.verdict for result in run.results}
    return worst(found if run.complete and "passed" in found else {*found, INCONCLUSIVE})


def _devices(run: Run) -> list[Device]:
    """The card products in the order in which they were first run."""
    found: dict[tuple[str, str, str], Device] = {}
    for personality in (result.scenario.personality for result in run.results):
        key = personality.name, personality.generation, personality.algorithm
        found.setdefault(key, Device(*key)).variants[_differing(personality)] += 1
    return [*found.values()]


@lru_cache(maxsize=256)
def _differing(personality: Personality) -> str:
    defaults = make_personality(personality.generation, name=personality.name, algorithm=personality.algorithm)
    values = {name: getattr(personality, name) for name in CHOICES}
    return "; ".join(
        f"{name}: {choice_text(name, value)}" for name, value in values.items() if value != getattr(defaults, name)
    )


def _values(keys: KeyHierarchy) -> Iterator[RootValues]:
    by_suite = [keys.check_values(suite) for suite in SUITES.values()]
    for key in keys.file.keys:
        yield RootValues(key.name, [" ".join(values.get(key.name, ())) or "–" for values in by_suite])


def _css(text: str) -> str:
    """A string of a style sheet; every character that could end it, or the sheet, is a number."""
    return '"' + "".join(each if each.isalnum() else f"\\{ord(each):x} " for each in visible(text)) + '"'
