"""The verbs of the service item: what its page states."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, ClassVar, Final

from pydantic import AfterValidator

from sscard.errors import InvalidValue, suggestion
from sscard.fields import hidden
from sscard.i18n.phrase import Phrase, Sayable
from sscard.scenario.context import Bench
from sscard.scenario.step import Nothing, Outcome
from sscard.scenario.steps.service_step import ServiceStep, notice, show
from sscard.service import Channel, Refusal, Rule, load_item

LABELS: Final = Phrase("write a label of the page, as sscard item shows it")


class Consult(ServiceStep):
    """Get the questions, answers and contacts of the item, without a case; at the window or the channel named.

    ``grounds`` is ``online-step`` if the item does not offer inquiries online.
    """

    verb: ClassVar[str] = "consult"
    consult: Channel | Nothing = ""
    grounds: tuple[Rule, ...] = ()

    def answers(self) -> dict[str, str]:
        return super().answers() | {"grounds": show(self.grounds)}

    def serve(self, bench: Bench) -> Outcome:
        answer = bench.service.consult(Channel(self.consult or Channel.WINDOW))
        grounds = answer.grounds if isinstance(answer, Refusal) else ()
        return Outcome(reported={"grounds": show(tuple(ground.rule for ground in grounds))}, notice=notice(answer))


def _label(label: str) -> str:
    if label not in _labels():
        raise InvalidValue(
            Phrase("the item has no field {label!r}", label=hidden(label)), suggestion(label, _labels(), LABELS)
        )
    return label


@cache
def _labels() -> frozenset[str]:
    """The labels of the page, of its sections and their fields."""
    page = load_item().model_dump(mode="json", by_alias=True)
    inner = [part for value in page.values() for part in (value if isinstance(value, list) else [value])]
    return frozenset(page).union(*(part for part in inner if isinstance(part, dict)))


class ReadItem(ServiceStep):
    """Read a field of the item by its label; ``says`` is what the page states."""

    verb: ClassVar[str] = "item"
    item: Annotated[str, AfterValidator(_label)]

    def serve(self, bench: Bench) -> Outcome:
        page = bench.service.item.model_dump(mode="json", by_alias=True)
        return Outcome(notice=" ".join(_labelled(page, self.item)))

    def title(self) -> Sayable:
        return f"item {self.item}"


def _labelled(page: Any, label: str) -> list[str]:
    """The texts under a label, at any depth of the page."""
    if isinstance(page, list):
        return [text for part in page for text in _labelled(part, label)]
    if not isinstance(page, dict):
        return []
    return [
        text for name, value in page.items() for text in (_texts(value) if name == label else _labelled(value, label))
    ]


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [text for part in (value.values() if isinstance(value, dict) else value) for text in _texts(part)]
