"""Results as one self-contained HTML page: every step with its decoded, redacted trace."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from sscard.conversation import Event, Exchange
from sscard.i18n.language import CHINESE, ENGLISH, _, is_chinese, say, visible, visible_lines
from sscard.i18n.phrase import Phrase
from sscard.scenario.library import group_name
from sscard.scenario.reports.console import MARKS, counts_text, missed_text, reason_text, step_name
from sscard.scenario.reports.run import Run
from sscard.scenario.runner import NOT_APPLICABLE
from sscard.version import __version__

if TYPE_CHECKING:
    from jinja2 import Template


def write(run: Run) -> str:
    """The page; failed scenarios are open, passed ones fold out."""
    results = run.results
    counts = Counter(result.verdict for result in results)
    passed, executed = counts["passed"], len(results) - counts[NOT_APPLICABLE]
    return page_template("report.html.j2", _shown).render(
        results=results,
        passed=passed,
        run=executed,
        several=len({result.seed for result in results}) > 1,
        counts=counts_text(results),
        share=100 * passed / max(executed, 1),
        commands=sum(result.commands for result in results),
        seed=run.seed,
        version=__version__,
        step_name=step_name,
        missed_text=missed_text,
        reason_text=reason_text,
        marks=MARKS,
        say=say,
        language=CHINESE if is_chinese() else ENGLISH,
        group_name=lambda group: say(group_name(group)),
        _=_,
        plural=Phrase.plural,
        details_of=_details,
    )


def page_template(name: str, finalize: Callable[[object], object]) -> Template:
    """A template of this package; ``finalize`` makes the text of every value."""
    from jinja2 import Environment, PackageLoader, StrictUndefined  # only a run with such a report needs it

    environment = Environment(
        loader=PackageLoader("sscard.scenario.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)


def _details(event: Event) -> tuple[str, ...]:
    return tuple(map(say, event.details)) if isinstance(event, Exchange) else ()


def _shown(value: object) -> object:
    """A value of the page; an event is one of several lines."""
    return visible(value) if isinstance(value, str) else visible_lines(str(value))
