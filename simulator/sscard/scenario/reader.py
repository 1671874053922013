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
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, create_model

from sscard.card import Personality
from sscard.document import Document, Model, Place, Report, read_document
from sscard.errors import InputError
from sscard.fields import Path_, hidden
from sscard.i18n.phrase import Phrase, Sayable
from sscard.issuer import preset
from sscard.issuer.issue import DEFAULT
from sscard.scenario.cards import CardData
from sscard.scenario.covers import Mark
from sscard.scenario.expansion import (
    USE,
    Expansion,
    GroupAt,
    Part,
    Scope,
    Variables,
    placeholders,
    read_groups,
    read_variables,
    replaced,
    within,
)
from sscard.scenario.expressions import Names
from sscard.scenario.needs import Needs, check_faults
from sscard.scenario.pins import check_texts
from sscard.scenario.products import Found, Product, Products
from sscard.scenario.sections import Head
from sscard.scenario.service_host import BUILTIN_SERVICE, ServiceData, read_service
from sscard.scenario.step import Listed, Step
from sscard.scenario.steps.power import Insert
from sscard.scenario.tables import WITHOUT_VARIABLES, Row, Text, identity, table_rows
from sscard.scenario.verbs import beside, errors_of, example_of, files_of, read_step
from sscard.scenario.waivers import Ticket
from sscard.service import Policy, load_policy

Severity = Literal["blocker", "critical", "normal", "minor"]


def _list_of_words(tags: object) -> object:
    return tags.split() if isinstance(tags, str) else tags


class _Written(Model):
    """A scenario file as written; the sections are read on their own."""

    name: Text
    proves: Text
    tags: Annotated[tuple[str, ...], BeforeValidator(_list_of_words), WITHOUT_VARIABLES] = ()
    covers: Annotated[tuple[Mark, ...], Listed] = ()
    severity: Severity = "normal"
    known_issue: Annotated[Ticket, WITHOUT_VARIABLES] = ""
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

    ``name`` identifies it (the English name, with the row of a table in parentheses); ``label`` is the name in both
    languages, ``own_label`` the one without the row. ``source`` is the file name for reports, ``group`` the name of its
    folder; ``sections`` are the fields of ``card:`` and ``service:`` and ``parts`` the steps as written, variables
    replaced; ``files`` are the other files that the file names. ``misfit`` says why no card of a personality that was
    given can be the one of the scenario, which then does not run.
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
    sections: dict[str, dict[str, Any]] = field(compare=False, repr=False)
    names: Names | None = field(default=None, compare=False, repr=False)
    files: tuple[Path, ...] = field(default=(), compare=False, repr=False)
    service: ServiceData = BUILTIN_SERVICE
    misfit: InputError | None = field(default=None, compare=False)

    @property
    def title(self) -> str:
        return f"{self.name} [{self.personality.name}]"

    @property
    def line(self) -> int:
        """The line of its file that names it."""
        return self.document.place(("name",)).line

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
    return [*each_scenario(path, source, group, personality, report)]


def each_scenario(
    path: Path, source: str = "", group: str = "", personality: Personality | None = None, report: Report | None = None
) -> Iterator[Scenario]:
    """The scenarios of a file as ``read_scenario``, one after the other: a long table needs no memory for all."""
    reading = _Reading(path.parent, group, Products(path.parent, personality), report)
    with reading.caught():
        if any(0xD800 <= ord(char) < 0xE000 for char in source or str(path)):  # bytes that are no text, in no report
            remedy = Phrase("rename the file")
            raise InputError(Phrase("the name of the file is not UTF-8 text"), file=str(path), remedy=remedy)
        document = read_document(path)
        document.source = source or str(path)
        for scenario in reading.scenarios(document):
            with reading.caught():
                check_texts(scenario, reading.row)
            yield scenario


def insertion(scenario: Scenario) -> Step | None:
    """The insertion before the first step, if that step needs an inserted card."""
    return Insert() if scenario.steps[0].inserts else None


@dataclass(slots=True)
class _Reading:
    """Reads one file.

    ``wrong`` counts the errors of the row that is being read; ``seen`` are the steps, by content, that do not depend
    on the row.
    """

    folder: Path
    group: str
    products: Products
    report: Report | None
    row: Row | None = None
    wrong: int = 0
    known: set[tuple[str, int, int, str, str]] = field(default_factory=set)
    seen: dict[tuple[Names, str, Path_, str], Step] = field(default_factory=dict)
    services: dict[str, tuple[ServiceData, tuple[Path, ...]]] = field(default_factory=dict)
    policy: Callable[[Path], Policy] = field(default_factory=lambda: cache(load_policy))

    @contextmanager
    def caught(self, *places: Sayable, of_row: bool = False) -> Iterator[None]:
        """Raise the error of a part of the file with more places, or report it and go on after the part."""
        try:
            yield
        except InputError as error:
            located = within(error, places) if places else error
            if self.report is None:
                raise located from None
            self._report(located, of_row=of_row)

    def _report(self, error: InputError, *, of_row: bool) -> None:
        """Report an error; one that is not ``of_row`` is repeated by other rows and personalities."""
        assert self.report is not None
        self.wrong += 1
        if of_row and self.row is not None:
            error = within(error, (self.row.place,))
        key = (error.file, error.line, error.column, str(error.problem), str(error.remedy))
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
            self._check_groups(read_groups(document, self.folder))
            return
        written = None
        with self.caught():
            written = document.as_model(Written, report=self._reporting())
        with self.caught():
            groups = read_groups(document, self.folder)
        rows: list[Row | None] = []
        variables: Variables = {}
        with self.caught():
            variables = read_variables(document)
            has_table = "with" in document.content
            rows = [*table_rows(document.part(("with",)), self.folder, self.caught)] if has_table else [None]
            for name in (*rows[0].fields,) if rows and rows[0] else ():
                if name in variables:
                    problem = Phrase("{name!r} is a field of the table too", name=hidden(name))
                    raise document.error(("variables", name), problem, _RENAME)
        head = Head(document, written, groups, variables)
        for row in rows:
            self.row, self.wrong = row, 0
            try:
                yield from self._of_row(head)
            except InputError as error:
                if self.report is None:
                    raise within(error, (row.place,) if row else ()) from None
                self._report(error, of_row=False)
        self.row = None
        self._check_groups(groups, *(() if rows else head.steps))

    def _check_groups(self, groups: dict[str, GroupAt], *others: Document) -> None:
        """Report what is wrong in step groups, and other lists of steps, whatever their variables are."""
        expansion = Expansion(groups, self.caught)
        for steps in (*(group.steps for group in groups.values()), *others) if self.report else ():
            for number in range(len(steps.content)):
                step = steps.part((number,))
                with self.caught():
                    if isinstance(step.content, dict) and USE in step.content:
                        if not placeholders(step.content[USE]):
                            expansion.used_group(step)
                        continue
                    for error in errors_of(step):
                        self._report(error, of_row=False)

    def _of_row(self, head: Head) -> Iterator[Scenario]:
        """The scenarios of a row: one per personality. What is wrong on the cards that the file names is an error."""
        scope: Scope | None = None
        found: Found | None = None
        with self.caught():
            scope = head.scope(self.row)
        if scope is None:
            self._check_groups(head.groups, *head.steps)
            return
        with self.caught(of_row=head.differs(scope, "card", "needs")):
            section, needs = head.section("card", scope), head.section("needs", scope)
            found = self.products.of(section, needs, self._reporting(of_row=head.differs(scope, "card", "needs")))
        if head.written is None or found is None:
            for __ in head.steps:  # they too, on the default card
                self._steps(head, scope, Names(preset(DEFAULT)))
            with self.caught():
                self._service(head, head.document.with_content({}), scope)
            return
        own: list[Scenario] = []
        for product in found.own:
            own.append(self._on(head, section, scope, product, own))
        forced = self.products.forced
        if forced is None or self.wrong:
            yield from own  # with what is wrong on its own cards, the card that is given would repeat it
            return
        if found.forced is None:
            yield replace(own[0], personality=forced, misfit=found.misfit)
            return
        try:
            yield replace(self, report=None)._on(head, section, scope, found.forced, [])
        except InputError as error:
            place = Phrase("on the personality {name}", name=forced.name)
            raise within(error, (place,), _STATE_NEEDS) from None

    def _on(
        self,
        head: Head,
        section: Document,
        scope: Scope,
        product: Product,
        others: list[Scenario],
    ) -> Scenario:
        """The scenario on one card product; ``others`` are the same scenario on other personalities."""
        names = product.names
        same = next((other for other in others if other.names and not other.names.used), None)
        parts, steps = (same.parts, same.steps) if same else self._steps(head, scope, names)
        if not self.wrong:
            check_faults(head.section("needs", scope), product.needs, steps)
        service, files = self._service(head, section, scope)
        written, row = head.written, self.row
        label: Sayable = written.name
        name = identity(label)
        if row is not None:
            label = Phrase("{name} ({row})", name=label, row=row.name)
            name = f"{name} ({identity(row.name)})"
        return Scenario(
            name=name,
            label=label,
            own_label=written.name,
            proves=written.proves,
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
            sections={"card": section.content, "service": head.section("service", scope).content},
            names=names,
            service=service,
            files=(*files, *files_of(steps)),
        )

    def _service(self, head: Head, section: Document, scope: Scope) -> tuple[ServiceData, tuple[Path, ...]]:
        """The service, and the files that it and the section ``card:`` name; the same for equal sections."""
        service, of_row = head.section("service", scope), head.differs(scope, "service")
        key = repr((service.content, section.content))
        if key not in self.services:
            self.services[key] = BUILTIN_SERVICE, ()
            with self.caught(of_row=of_row):
                report = self._reporting(of_row=of_row)
                read = read_service(service, self.folder, self.policy, report)
                self.services[key] = read, tuple(self.folder / name for name in head.files(section, service))
        return self.services[key]

    def _steps(self, head: Head, scope: Scope, names: Names) -> tuple[tuple[Part, ...], tuple[Step, ...]]:
        parts: list[Part] = []
        steps: list[Step] = []
        expansion = Expansion(head.groups, self.caught)
        for written in expansion.parts(head.document.part(("steps",)), scope):
            part = beside(written, self.folder)
            with self.caught(*part.used, of_row=part.of_row):
                document = part.document
                key = (names, document.source, document.root, "" if part.of_row else repr(document.content))
                step = None if part.of_row else self.seen.get(key)
                if step is None and part.late:
                    step = example_of(part, names, expansion.captured)
                elif step is None:
                    step = read_step(document, names, self._reporting(of_row=part.of_row))
                if not part.of_row:
                    self.seen[key] = step
                steps.append(step)
                parts.append(part)
        return tuple(parts), tuple(steps)

    def _reporting(self, *, of_row: bool = False) -> Report | None:
        return partial(self._report, of_row=of_row) if self.report else None


_RENAME: Final = Phrase("rename one of them")
_STATE_NEEDS: Final = Phrase("state in needs: what the steps rely on, as {form}", form="{pin_tries: 4-15}")
