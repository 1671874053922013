"""What a defect is, how it is planted and taken out again, and the scenarios that notice it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from inspect import cleandoc
from typing import Any, Final

from sscard.card import commands as card
from sscard.chip.command import Command, CommandTable
from sscard.i18n.phrase import Phrase
from sscard.psam import commands as psam
from sscard.scenario.defect_parts import Part
from sscard.sources import prefer_sources

TABLES: Final[tuple[CommandTable[Any], ...]] = (card.TABLE, card.CERTIFICATE_TABLE, psam.TABLE)


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
        own = getattr(target, "__dict__", {name: original})  # an object with slots has every attribute itself
        self._stack.callback(*((setattr, target, name, own[name]) if name in own else (delattr, target, name)))
        setattr(target, name, value)
        return original

    def function(self, original: Callable[..., Any], changed: Callable[..., Any]) -> None:
        """Replace a function in every module of the package that has it, also under an imported name."""
        self._stack.callback(_rebind, changed, original)
        _rebind(original, changed)

    def row(self, table: dict[Any, Any], key: object, value: object) -> None:
        """Replace a row of a table."""
        self._stack.callback(table.__setitem__, key, table[key])
        table[key] = value

    def command(self, declared: Command[Any], run: Callable[[Any], bytes]) -> None:
        """Replace the function of a chip's command, which its table also keeps with the headers it has met."""
        self._stack.callback(_forget_headers)
        self.attribute(declared, "run", run)
        _forget_headers()


def _rebind(old: object, new: object) -> None:
    for name, module in list(sys.modules.items()):
        if name.startswith("sscard."):
            for key in [key for key, value in vars(module).items() if value is old]:
                setattr(module, key, new)


def _forget_headers() -> None:
    for table in TABLES:
        table.headers.clear()


Plant = Callable[[Patch], None]


@dataclass(frozen=True, slots=True)
class Defect:
    """One small change to a part of the chain.

    ``says`` is what is wrong, in one sentence. ``source`` says where the right
    behaviour is stated, or whose bug it was, and after a colon, in English, what
    is right. ``hint`` selects the scenarios that are most likely to notice it, as
    ``sscard run -k``.
    """

    name: str
    part: Part
    says: Phrase
    source: str
    plant: Plant
    hint: str

    @contextmanager
    def planted(self) -> Iterator[None]:
        """Plant the defect for the ``with`` statement. Errors: ``MissingPart`` if the chip is a compiled one."""
        prefer_sources()
        with Patch() as patch:
            self.plant(patch)
            yield

    @property
    def citation(self) -> str:
        """The document, module or report that ``source`` names."""
        return self.source.partition(": ")[0]


class Catalogue:
    """Collects the defects of a module: ``@catalogue.defect(source, hint)`` above the function that plants one.

    The name of the defect is that of the function, with hyphens; what is wrong
    is the function's docstring, unless ``says`` is given.
    """

    def __init__(self, part: Part) -> None:
        self.part = part
        self.defects: list[Defect] = []

    def defect(self, source: str, hint: str, says: Phrase | None = None) -> Callable[[Plant], Plant]:
        """Add the defect that a function plants."""

        def enter(plant: Plant) -> Plant:
            name = plant.__name__.replace("_", "-")
            said = says or Phrase(cleandoc(plant.__doc__ or ""))
            self.defects.append(Defect(name, self.part, said, source, plant, hint))
            return plant

        return enter
