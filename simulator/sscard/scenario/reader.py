"""The scenario language: one YAML file, one scenario.

A scenario states what it proves (``name``, ``proves``, ``tags``, ``covers``), the
card at the beginning (``card``), what it relies on (``needs``) and the operations
(``steps``). Unless its first step inserts the card, the card is inserted before
it. It runs once for each personality it names, and for each row of ``with``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple

from pydantic import BeforeValidator, Field, create_model

from sscard.card import Personality
from sscard.document import Document, Model, Place, Report, read_document
from sscard.errors import InputError, InvalidValue
from sscard.i18n.phrase import Phrase, Sayable
from sscard.issuer import preset
from sscard.issuer.issue import DEFAULT
from sscard.issuer.lookup import is_path
from sscard.scenario.cards import CardData, ReadImage, check_state, image_at, own_personalities, product_of
from sscard.scenario.covers import check_mark
from sscard.scenario.expansion import (
    Expansion,
    GroupAt,
    Part,
    Variables,
    read_groups,
    read_variables,
    replaced,
    within,
)
from sscard.scenario.expressions import Names
from sscard.scenario.needs import Needs, check_faults, read_needs
from sscard.scenario.service_host import BUILTIN_SERVICE, ServiceData
from sscard.scenario.step import Step, Texts
from sscard.scenario.steps.power import Insert
from sscard.scenario.tables import Row, identity, in_languages, table_rows
from sscard.scenario.verbs import beside, example_of, files_of, read_step
from sscard.service import Policy, load_policy

Severity = Literal["blocker", "critical", "normal", "minor"]


def _list_of_words(tags: object) -> object:
    return tags.split() if isinstance(tags, str) else tags


class _Written(Model):
    """A scenario file as written; the sections are read on their own."""

    name: Any
    proves: Any
    tags: Annotated[tuple[str, ...], BeforeValidator(_list_of_words)] = ()
    covers: Texts = ()
    severity: Severity = "normal"
    known_issue: Annotated[str, Field(min_length=1)] = ""
    needs: Any = None
    card: Any = None
    service: Any = None
    variables: Any = None
    groups: Any = None
    include: Any = None
    steps: Annotated[list[Any], Field(min_length=1)]


Written = create_model("Written", __base__=_Written, **{"with": (Any, None)})  # type: ignore[call-overload]
"""The top-level fields of a scenario file; ``with`` is a word of Python."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A scenario ready to run on one personality.

    ``name`` identifies it (the English name, with the row of a table in
    parentheses); ``label`` is the name in both languages, ``own_label`` the one without the row. ``source`` is the file
    name for reports, ``group`` the name of its folder; ``parts`` are the steps as
    written, with their places; ``files`` are the other files that the file names.
    ``misfit`` says why no card of a personality that was given can be the one of
    the scenario, which then does not run.
    """

    name: str
    label: Sayable
    own_label: Sayable
    proves: Sayable
    tags: tuple[str, ...] = ()
    covers: tuple[str, ...] = ()
    severity: Severity = "normal"
    known_issue: str = ""
    needs: Needs = field(default_factory=Needs)
    row: Sayable = ""
    source: str
    group: str
    card: CardData
    personality: Personality
    steps: tuple[Step, ...]
    parts: tuple[Part, ...] = field(compare=False, repr=False)
    document: Document = field(compare=False, repr=False)
    names: Names | None = field(default=None, compare=False, repr=False)
    files: tuple[Path, ...] = field(default=(), compare=False, repr=False)
    service: ServiceData = BUILTIN_SERVICE
    misfit: InputError | None = field(default=None, compare=False)

    @property
    def title(self) -> str:
        return f"{self.name} [{self.personality.name}]"

    def place(self, number: int, field: str = "") -> Place:
        """The position of a step (numbered from 1, 0 for the insertion before them) or of its field."""
        if number == 0:
            return self.document.place(("steps",))
        return self.parts[number - 1].document.place((field,) if field else ())

    def file(self, number: int) -> str:
        """The file that has a step: another one for a step group that is included."""
        return self.parts[number - 1].document.source if number else self.source

    def shown_place(self, number: int, field: str = "") -> Sayable:
        """The line of a step or of its field, with the file if it is another one than that of the scenario."""
        file, line = self.file(number), self.place(number, field).line
        return Phrase("line {line}", line=line) if file == self.source else f"{file}:{line}"

    def step(self, number: int, captured: Variables) -> Step:
        """A step to run, with the values that earlier steps captured."""
        part = self.parts[number - 1]
        if not part.late:
            return self.steps[number - 1]
        return read_step(replaced(part.document, captured).document, self.names)


def read_scenario(
    path: Path, source: str = "", group: str = "", personality: Personality | None = None, report: Report | None = None
) -> list[Scenario]:
    """The scenarios of a file: one for each row and each personality it names, or for the one given.

    A scenario whose needs, choices and prior state are right for the personalities
    it names, but not for the one given, has a ``misfit``; a step that is wrong on the
    one given is an error. A file with ``groups:`` alone has no scenario.
    ``source`` names the file in reports and errors; if empty, the path is used.
    The first error is raised, or ``report`` gets them all.
    """
    reading = _Reading(path.parent, group, personality, report)
    found: list[Scenario] = []
    with reading.caught():
        document = read_document(path)
        document.source = source or str(path)
        found += reading.scenarios(document)
    return found


def insertion(scenario: Scenario) -> Step | None:
    """The insertion before the first step, if that step needs an inserted card."""
    return Insert() if scenario.steps[0].inserts else None


@dataclass(slots=True)
class _Reading:
    """Reads one file."""

    folder: Path
    group: str
    forced: Personality | None
    report: Report | None
    known: set[tuple[str, int, int, str]] = field(default_factory=set)
    image: ReadImage = field(default_factory=lambda: cache(image_at))
    policy: Callable[[Path], Policy] = field(default_factory=lambda: cache(load_policy))

    @contextmanager
    def caught(self, *places: Sayable) -> Iterator[None]:
        """Raise the error of a part of the file with more places, or report it and go on after the part."""
        try:
            yield
        except InputError as error:
            located = within(error, places) if places else error
            if self.report is None:
                raise located from None
            self._report(located)

    def _report(self, error: InputError) -> None:
        """Report an error; the same step of other rows and personalities repeats it."""
        assert self.report is not None
        key = (error.file, error.line, error.column, str(error.remedy))
        if key not in self.known:
            self.known.add(key)
            self.report(error)

    def scenarios(self, document: Document) -> Iterable[Scenario]:
        """The scenarios of the file."""
        if not isinstance(document.content, dict):
            remedy = Phrase("write name:, proves: and steps: at the left margin")
            raise document.error((), Phrase("not a scenario"), remedy)
        groups: dict[str, GroupAt] = {}
        if document.content.keys() == {"groups"}:
            read_groups(document, self.folder)
            return
        written = None
        with self.caught():
            written = document.as_model(Written, report=self._reporting)
            self._check_covers(document, written.covers)
        with self.caught():
            groups = read_groups(document, self.folder)
        variables = read_variables(document)
        rows: list[Row | None] = [None]
        if "with" in document.content:
            rows = [*table_rows(document.part(("with",)), self.folder)]
        head = _Head(document, written, groups)
        for row in rows:
            places = [Phrase("row {row}, {place}", row=row.name, place=row.place)] if row else []
            errors = len(self.known)
            with self.caught(*places):
                if written is not None:
                    yield from self._of_row(head, variables, row)
            if (written is None or len(self.known) > errors) and isinstance(document.content.get("steps"), list):
                with self.caught(*places):  # the steps too, on the default card
                    self._steps(head, _scope(variables, row), Names(preset(DEFAULT)))

    def _check_covers(self, document: Document, marks: tuple[str, ...]) -> None:
        for place, mark in enumerate(marks):
            is_list = isinstance(document.content["covers"], list)
            try:
                check_mark(mark)
            except InvalidValue as error:
                raise document.error(("covers", place) if is_list else ("covers",), error.said, error.remedy) from None

    def _of_row(self, head: _Head, variables: Variables, row: Row | None) -> Iterator[Scenario]:
        """The scenarios of a row: one per personality. What is wrong on the cards that the file names is an error."""
        for name in row.fields if row else ():
            if name in variables:
                problem = Phrase("{name!r} is a field of the table too", name=name)
                raise head.document.error(("variables", name), problem, Phrase("rename one of them"))
        scope = _scope(variables, row)
        section = head.section("card", scope)
        names = Names(preset(DEFAULT))
        card = section.as_model(CardData, names, self._reporting).beside(self.folder)
        product_on = partial(self._product, head, section, scope, card, names.used)
        own: list[Scenario] = []
        for base in own_personalities(section, card, self.folder, self.image):
            own.append(self._on(head, section, scope, row, product_on(base), own))
        if self.forced is None or self.known:
            yield from own  # with what is wrong on its own cards, the card that is given would repeat it
            return
        try:
            product = product_on(self.forced)
        except InputError as error:
            yield replace(own[0], personality=self.forced, misfit=error)
            return
        try:
            yield replace(self, report=None)._on(head, section, scope, row, product, [])
        except InputError as error:
            place = Phrase("on the personality {name}", name=self.forced.name)
            raise within(error, (place,), _STATE_NEEDS) from None

    def _product(
        self, head: _Head, section: Document, scope: Variables, card: CardData, computes: bool, base: Personality
    ) -> _Product:
        """The card of a scenario on a personality; ``InputError`` if no such card is the one that the file asks for."""
        personality = product_of(section, card, base, self.image)
        names = Names(personality)
        if computes:
            card = section.as_model(CardData, names).beside(self.folder)
        check_state(section, card, personality, self.image)
        needs = read_needs(head.section("needs", scope))
        unmet = needs.unmet(personality, card.interface)
        if unmet:
            raise head.document.error(("needs",), unmet, _OTHER_CARD)
        return _Product(personality, names, card, needs)

    def _on(
        self,
        head: _Head,
        section: Document,
        scope: Variables,
        row: Row | None,
        product: _Product,
        others: list[Scenario],
    ) -> Scenario:
        """The scenario on one card product; ``others`` are the same scenario on other personalities."""
        names = product.names
        same = next((other for other in others if other.names and not other.names.used), None)
        parts, steps = (same.parts, same.steps) if same else self._steps(head, scope, names)
        if not self.known:
            check_faults(head.section("needs", scope), product.needs, steps)
        written, service = head.written, head.section("service", scope)
        label: Sayable = head.label
        name = identity(label)
        if row is not None:
            label = Phrase("{name} ({row})", name=label, row=row.name)
            name = f"{name} ({identity(row.name)})"
        return Scenario(
            name=name,
            label=label,
            own_label=head.label,
            proves=head.proves,
            tags=written.tags,
            covers=written.covers,
            severity=written.severity,
            known_issue=written.known_issue,
            needs=product.needs,
            row=row.name if row else "",
            source=head.document.source,
            group=self.group,
            card=product.card,
            personality=product.personality,
            steps=steps,
            parts=parts,
            document=head.document,
            names=names,
            service=service.as_model(ServiceData, report=self._reporting).loaded(self.folder, service, self.policy),
            files=(*(self.folder / name for name in head.files(section, service)), *files_of(steps)),
        )

    def _steps(self, head: _Head, scope: Variables, names: Names) -> tuple[tuple[Part, ...], tuple[Step, ...]]:
        parts: list[Part] = []
        steps: list[Step] = []
        expansion = Expansion(head.groups)
        for written in expansion.parts(head.document.part(("steps",)), scope):
            part = beside(written, self.folder)
            with self.caught(*(Phrase("used at {place}", place=place) for place in part.used)):
                if part.late:
                    steps.append(example_of(part, names, expansion.captured))
                else:
                    steps.append(read_step(part.document, names, self._reporting))
                parts.append(part)
        return tuple(parts), tuple(steps)

    @property
    def _reporting(self) -> Report | None:
        return self._report if self.report else None


def _scope(variables: Variables, row: Row | None) -> Variables:
    return {**variables, **(row.fields if row else {})}


class _Product(NamedTuple):
    """A card product that has what the scenario relies on: its numbers, the section ``card:`` for it, and the needs."""

    personality: Personality
    names: Names
    card: CardData
    needs: Needs


@dataclass(frozen=True, slots=True)
class _Head:
    """What all rows of a file share."""

    document: Document
    written: Any  # None if its fields are wrong
    groups: dict[str, GroupAt]

    @property
    def label(self) -> Sayable:
        return in_languages(self.document.part(("name",)))

    @property
    def proves(self) -> Sayable:
        return in_languages(self.document.part(("proves",)))

    def files(self, *sections: Document) -> Iterator[str]:
        """The names of the files that the scenario reads besides its own."""
        own = self.document.content
        fields = [own.get("with"), own.get("include")]
        fields += [section.content.get(name) for section in sections for name in _FILES]
        for given in fields:
            for name in given if isinstance(given, list) else (given,):
                if isinstance(name, str) and is_path(name):
                    yield name

    def section(self, name: str, scope: Variables) -> Document:
        """A section of the file with its variables replaced; empty if the file has none."""
        document = self.document
        if name not in document.content:
            return Document({}, document.places, document.source, (name,))
        return replaced(document.part((name,)), scope).document


_FILES: Final = ("personality", "image", "place", "policy")
"""Fields of the card and the service that may name a file."""
_OTHER_CARD: Final = Phrase("change needs:, the personalities of the card, or --personality")
_STATE_NEEDS: Final = Phrase("state in needs: what the steps rely on, as {form}", form="{pin_tries: 4-15}")
