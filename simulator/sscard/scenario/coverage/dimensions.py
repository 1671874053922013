"""The dimensions of coverage with every key that a run can reach, from the declarations of the product."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Final

from sscard.card.commands import DECLARED
from sscard.i18n.phrase import Phrase, Sayable
from sscard.issuer.personalities import PRESETS
from sscard.scenario.coverage.facts import (
    APPLICANTS,
    CHOICE_VALUES,
    COMMAND_STATUS,
    DRIVER_FUNCTIONS,
    FAULTS,
    FILE_RIGHTS,
    GROUNDS,
    HAND_OVERS,
    KEY_VERSIONS,
    MEMORY,
    POWER_CUT,
    READ_GRANTED,
    READ_REFUSED,
    REFUSAL,
    SEED_CLAUSES,
    SITUATIONS,
    STANDARD_ITEMS,
    SUCCESS,
    TRANSPORTS,
    WRITE_GRANTED,
    WRITE_REFUSED,
    choice_text,
    command_name,
    file_name,
    written_word,
)
from sscard.scenario.coverage.items import DRIVER_TITLES, ITEMS, ways_of
from sscard.scenario.coverage.seed import CLAUSES
from sscard.scenario.coverage.situations import situations
from sscard.scenario.faults import ALL_FAULTS
from sscard.scenario.needs import INTERFACES
from sscard.service import Channel, Rule
from sscard.service.channels import CHANNEL_RULES
from sscard.service.words import ApplicantKind, Operation
from sscard.standard.choices import CHOICES
from sscard.standard.generations import GENERATIONS, build_layout
from sscard.standard.tree import Layout

Key = tuple[str, ...]
TRANSPORT_NAMES: Final = ("local", "pcsc")
FEW: Final = 4
"""Values of a number that are all keys; of more, the limits and the defaults are."""
OTHER: Final = "other"
"""A value of a choice that has no list of values, other than the default."""


@dataclass(frozen=True, slots=True)
class Dimension:
    """A dimension: its name in JSON, its title, the names of the parts of a key, and all keys in order.

    ``titles`` are those of keys that do not explain themselves.
    """

    name: str
    title: Phrase
    axes: tuple[str, ...]
    keys: tuple[Key, ...]
    titles: dict[Key, Sayable]


@cache
def layouts() -> tuple[Layout, ...]:
    """The largest layout of each generation, with the DIR file of its preset."""
    return tuple(
        build_layout(
            preset.generation,
            optional_applications=bool(GENERATIONS[preset.generation].annex),
            dir_sfi=preset.dir_sfi,
            certificates=bool(GENERATIONS[preset.generation].certificates),
        )
        for preset in PRESETS.values()
    )


def _command_status() -> Iterator[Key]:
    for command in DECLARED:
        yield from ((command_name(command), written_word(sw)) for sw in sorted(command.statuses))


def _key_versions() -> Iterator[Key]:
    for layout in layouts():
        for key in layout.keys:
            yield from ((key.name, str(version)) for version in range(1, key.versions + 1))


def _file_rights() -> Iterator[Key]:
    """Granted unless the rule is never, refused unless it is free."""
    for layout in layouts():
        for file in layout.files:
            rights = (
                (READ_GRANTED, file.read != ()),
                (READ_REFUSED, file.read != (0,)),
                (WRITE_GRANTED, file.write != ()),
                (WRITE_REFUSED, file.write != (0,)),
            )
            name = file_name(layout, file)
            yield from ((layout.generation, name, right) for right, possible in rights if possible)


def _choice_values() -> Iterator[Key]:
    for name, choice in CHOICES.items():
        defaults = {getattr(preset, name) for preset in PRESETS.values()}
        values = choice.allowed or tuple(defaults)
        if type(values[0]) is int and not choice.digits and len(values) > FEW:
            values = tuple(sorted({values[0], *defaults, values[-1]}))
        yield from ((name, choice_text(name, value)) for value in values)
        if not choice.allowed:
            yield name, OTHER


def value_key(name: str, value: object) -> Key:
    """The key of a value of a choice; that of ``OTHER`` if the choice has no list of values."""
    listed = CHOICES[name].allowed or [getattr(preset, name) for preset in PRESETS.values()]
    return name, choice_text(name, value) if value in listed else OTHER


def _driver_functions() -> Iterator[Key]:
    for name in DRIVER_TITLES:
        yield from product((name,), ways_of(name), (SUCCESS, REFUSAL))


@cache
def dimensions() -> tuple[Dimension, ...]:
    """Every dimension, in the order of reports."""
    kinds = (Channel, Operation, ApplicantKind)
    return (
        _dimension(
            COMMAND_STATUS,
            Phrase("command × status word"),
            ("command", "sw"),
            _command_status(),
        ),
        _dimension(
            KEY_VERSIONS,
            Phrase("keys × versions"),
            ("key", "version"),
            _key_versions(),
        ),
        _dimension(
            FILE_RIGHTS,
            Phrase("files × rights"),
            ("generation", "file", "right"),
            _file_rights(),
        ),
        _dimension(
            CHOICE_VALUES,
            Phrase("choices and their values"),
            ("choice", "value"),
            _choice_values(),
        ),
        _dimension(
            TRANSPORTS,
            Phrase("personality × interface × transport"),
            ("personality", "interface", "transport"),
            product(sorted(PRESETS), INTERFACES, TRANSPORT_NAMES),
        ),
        _dimension(
            APPLICANTS,
            Phrase("channel × operation × applicant"),
            ("channel", "operation", "applicant"),
            product(*([word.value for word in kind] for kind in kinds)),
        ),
        _dimension(FAULTS, Phrase("faults"), ("fault",), ((name,) for name in (POWER_CUT, MEMORY, *ALL_FAULTS))),
        _dimension(GROUNDS, Phrase("grounds of refusal"), ("ground",), ((rule.value,) for rule in Rule)),
        _dimension(
            HAND_OVERS,
            Phrase("hand-overs"),
            ("from", "to"),
            (
                (channel.value, to.value)
                for channel, to in product(Channel, Channel)
                if to in CHANNEL_RULES[channel].hands_over_to
            ),
        ),
        _dimension(SITUATIONS, Phrase("situations of the service"), ("situation", "value"), situations()),
        _dimension(
            DRIVER_FUNCTIONS,
            Phrase("driver functions by PSAM and HSM"),
            ("function", "by", "result"),
            _driver_functions(),
        ),
        _dimension(
            SEED_CLAUSES,
            Phrase("clauses of the service item"),
            ("clause",),
            ((number,) for number in CLAUSES),
            {(number,): title for number, title in CLAUSES.items()},
        ),
        _dimension(
            STANDARD_ITEMS,
            Phrase("items of the test standard"),
            ("item",),
            ((mark,) for mark in ITEMS),
            {(mark,): item.title for mark, item in ITEMS.items()},
        ),
    )


def _dimension(
    name: str,
    title: Phrase,
    axes: tuple[str, ...],
    keys: Iterator[Key] | product[Key],
    titles: dict[Key, Sayable] | None = None,
) -> Dimension:
    return Dimension(name, title, axes, tuple(dict.fromkeys(keys)), titles or {})
