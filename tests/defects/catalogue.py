"""What a defect is, how it is planted and taken out again, and the scenarios that notice it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Literal
from unittest import mock

from sscard.card.commands import CERTIFICATE_TABLE, TABLE, CardCommand
from sscard.card.session import Session
from sscard.scenario import Scenario, run_scenario
from sscard.scenario.selection import select

Part = Literal["card", "terminal", "driver", "hsm", "service"]


class Patch:
    """Changes to the running parts; the end of the ``with`` statement undoes them in reverse order."""

    def __init__(self) -> None:
        self._stack = ExitStack()

    def __enter__(self) -> Patch:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def attribute(self, target: Any, name: str, value: object) -> Any:
        """Replace an attribute of a module, class or object; the original."""
        original = getattr(target, name)
        self._stack.enter_context(mock.patch.object(target, name, value))
        return original

    def function(self, original: Callable[..., Any], changed: Callable[..., Any]) -> None:
        """Replace a function in every module of the package that has it, also under an imported name."""
        self._stack.callback(_rebind, changed, original)
        _rebind(original, changed)

    def row(self, table: dict[Any, Any], key: object, value: object) -> None:
        """Replace a row of a table."""
        self._stack.enter_context(mock.patch.dict(table, {key: value}))

    def command(self, declared: CardCommand, run: Callable[[Session], bytes]) -> None:
        """Replace the function of a card's command, which the table also keeps with the headers it has met."""
        self._stack.callback(_forget_headers)
        self.attribute(declared, "run", run)
        _forget_headers()


def _rebind(old: object, new: object) -> None:
    for name, module in list(sys.modules.items()):
        if name.startswith("sscard."):
            for key in [key for key, value in vars(module).items() if value is old]:
                setattr(module, key, new)


def _forget_headers() -> None:
    for table in (TABLE, CERTIFICATE_TABLE):
        table.headers.clear()


Plant = Callable[[Patch], None]


@dataclass(frozen=True, slots=True)
class Defect:
    """One small change to a part of the chain.

    ``source`` says where the right behaviour is stated, or whose bug it was.
    ``hint`` selects the scenarios that are most likely to notice it, as
    ``sscard run -k``.
    """

    name: str
    part: Part
    source: str
    plant: Plant
    hint: str

    @contextmanager
    def planted(self) -> Iterator[None]:
        """Plant the defect for the ``with`` statement."""
        with Patch() as patch:
            self.plant(patch)
            yield

    def noticed_by(self, scenarios: Sequence[Scenario], most: int = 1) -> list[Scenario]:
        """The first scenarios, at most so many, that pass without the defect and do not pass with it.

        Those that ``hint`` selects are tried first.
        """
        likely = self.likely(scenarios)
        known = set(map(id, likely))
        failed: list[Scenario] = []
        with self.planted():
            for scenario in [*likely, *(each for each in scenarios if id(each) not in known)]:
                if run_scenario(scenario).verdict == "failed":
                    failed.append(scenario)
                if len(failed) == most:
                    break
        return [scenario for scenario in failed if run_scenario(scenario).passed]

    def likely(self, scenarios: Sequence[Scenario]) -> list[Scenario]:
        """The scenarios that ``hint`` selects."""
        return select(list(scenarios), self.hint)


class Catalogue:
    """Collects the defects of a module: ``@catalogue.add(source, hint)`` above the function that plants one.

    The name of the defect is that of the function, with hyphens.
    """

    def __init__(self, part: Part) -> None:
        self.part = part
        self.defects: list[Defect] = []

    def add(self, source: str, hint: str, part: Part | None = None) -> Callable[[Plant], Plant]:
        """Add the defect that a function plants."""

        def enter(plant: Plant) -> Plant:
            name = plant.__name__.replace("_", "-")
            self.defects.append(Defect(name, part or self.part, source, plant, hint))
            return plant

        return enter
