"""The card at the beginning of a scenario: how a file states it, and how it is prepared."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from random import Random
from typing import Annotated, Final, Literal, NamedTuple, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from sscard.card import Chip, Personality, Profile
from sscard.conversation import Recorder
from sscard.document import Document, Model, Report
from sscard.errors import InputError, InvalidValue, first_of
from sscard.fields import FieldError, of_form
from sscard.files import read_text
from sscard.hsm import SoftHsm
from sscard.i18n.phrase import Phrase
from sscard.issuer import (
    Card,
    CardReference,
    Holder,
    Place,
    builtin_keys,
    find_personality,
    make_holder,
    make_order,
    personalise,
    vary,
)
from sscard.issuer.holder import check_name, name_parts
from sscard.issuer.image import read_image
from sscard.issuer.issue import CITY_DIGITS, DEFAULT
from sscard.issuer.lookup import is_path
from sscard.issuer.personalise import (
    EF_ISSUER,
    IDENTIFICATION_CODE,
    INITIAL_PIN,
    SERIAL_LENGTH,
    card_reference,
    item_on,
    layout_of,
)
from sscard.issuer.personalities import errors_in
from sscard.scenario.context import Bench, Observer
from sscard.scenario.coverage.facts import Fact, NotedConnection
from sscard.scenario.defaults import DEFAULT_SEED
from sscard.scenario.issuing import Issuer
from sscard.scenario.prior_state import PriorState, prior_cells
from sscard.scenario.service_faults import FaultyHsm
from sscard.scenario.service_host import BUILTIN_SERVICE, PlaceGiven, ServiceData, place_in, service_host
from sscard.scenario.step import Listed, PinOrNone
from sscard.standard.encoding import decode_an, decode_name
from sscard.standard.generations import EF_HOLDER, NAME_EXTENSION
from sscard.transport import Connection, FaultyConnection
from sscard.transport.contactless import in_reader

FIRST_MORNING = datetime(2026, 1, 5, 9, 0, tzinfo=timezone(timedelta(hours=8)))
"""A Monday in China."""
CARD_AGE = timedelta(days=400)
ID_NUMBER, NAME = 0x08, 0x09
"""Items of EF06."""
Connect = Callable[[Connection], AbstractContextManager[Connection]]
"""Connects a terminal to a chip or a contactless reader with it; only this depends on the transport."""


@contextmanager
def in_process(card: Connection) -> Iterator[Connection]:
    """Use the chip, or the contactless reader with it, as the connection."""
    yield card


CITY_CODE = "410402"
CityCode = Annotated[
    str,
    AfterValidator(
        of_form("[1-9][0-9]{5}", Phrase("not a city code"), Phrase("write six digits: {example}", example=CITY_CODE))
    ),
]
"""The code of a city, 6 digits."""


class HolderData(Model):
    """The made-up card holder."""

    name: str
    id_number: str = Field(repr=False)

    @field_validator("name")
    @classmethod
    def _fits_the_card(cls, name: str) -> str:
        try:
            check_name(name)
        except InputError as error:
            raise InvalidValue(error.problem, error.remedy) from None
        return name

    @field_validator("id_number")
    @classmethod
    def _valid(cls, number: str) -> str:
        try:
            Holder("", number)
        except InputError as error:
            raise InvalidValue(error.problem, error.remedy) from None
        return number


INTERFACES: Final = {"contact": Phrase("contact"), "contactless": Phrase("contactless")}
"""The values of ``CardData.interface``, and what they are called."""


class CardData(PriorState):
    """The card at the beginning of a scenario; the scenario runs once for each personality.

    ``image`` is the path of a card image instead, from ``sscard image export``, issued with the keys of the HSM;
    ``place`` a place policy by name or path, or its fields, which sets the PIN retry limit, the limit of unblocks and
    the initial PIN. ``choices`` are values of open choices by name. ``issued`` is the day of issue, by default 400
    days before the first step.
    """

    personality: Annotated[tuple[str, ...], Field(min_length=1), Listed] = (DEFAULT,)
    image: str = ""
    place: PlaceGiven | None = None
    choices: dict[str, str] = Field(default_factory=dict)
    pin: Annotated[PinOrNone, Field(repr=False)] = INITIAL_PIN
    interface: Literal["contact", "contactless"] = "contact"
    holder: HolderData | None = None
    city_code: CityCode = CITY_CODE
    issued: date | None = None

    @model_validator(mode="after")
    def _issued_once(self) -> Self:
        if self.image and (twice := self.model_fields_set.intersection(OF_AN_ORDER)):
            names = ", ".join(sorted(twice))
            raise InvalidValue(
                Phrase("the card of an image has its own {names}", names=names),
                Phrase("leave out {names}, or leave out image", names=names),
            )
        return self

    def loaded(self, folder: Path, section: Document, report: Report | None = None) -> CardData:
        """The same, with the place policy read and the path of the image, from the scenario's folder.

        ``section`` is the part of the scenario file that names them, for the place of an error.
        """
        image = str(folder / self.image) if is_path(self.image) else self.image
        return self.model_copy(update={"image": image, "place": place_in(section, self.place, folder, report)})


OF_AN_ORDER: Final = ("personality", "place", "choices", "pin", "holder", "city_code", "issued")
"""The fields of a card that is issued for the scenario."""


ReadImage = Callable[[str], Card]
"""Reads the image of a path; a scenario file reads each once."""


def own_personalities(section: Document, wanted: CardData, folder: Path, read: ReadImage) -> list[Personality]:
    """The personalities that the section ``card:`` of a scenario names, or that of its image."""
    if wanted.image:
        return [section.read_at(("image",), partial(read, wanted.image)).profile.personality]
    names = [str(folder / name) if is_path(name) else name for name in wanted.personality]
    return [section.read_at(("personality",), partial(find_personality, name)) for name in names]


def product_of(
    section: Document, wanted: CardData, base: Personality, read: ReadImage, report: Report | None = None
) -> Personality:
    """A personality with the place policy and the choices of a scenario, or that of the image.

    ``report`` gets the errors of choices after the first.
    """
    if wanted.image:
        personality = section.read_at(("image",), partial(read, wanted.image)).profile.personality
        if personality != base:
            own = Phrase("the card of the image is {name}", name=personality.name)
            raise section.error(("image",), own, Phrase("leave the personality out"))
        return personality
    if isinstance(wanted.place, Place):
        base = wanted.place.over(base)
    if not wanted.choices:
        return base
    choices = section.part(("choices",))
    if wrong := [choices.error(error.path, error.problem, error.remedy) for error in errors_in(wanted.choices)]:
        raise first_of(wrong, report)
    return vary(base, choices)


def check_state(
    section: Document, wanted: CardData, personality: Personality, read: ReadImage, report: Report | None = None
) -> None:
    """Check the prior state against the card; ``InputError`` at the part of the section that no such card can have.

    ``report`` gets the errors after the first.
    """
    if wanted.image:
        card = read(wanted.image)
        layout, strings = card.profile.layout, card.memory.strings
    else:
        layout = layout_of(personality)
        # Only files refer to the strings of the new card.
        strings = Profile(personality, layout, b"", []).new_memory(b"", {}).strings if wanted.files else []
    if wanted.holder:
        name = wanted.holder.name
        section.read_at(("holder",), lambda: name_parts(name, personality.generation))
    others: list[FieldError] = []
    try:
        prior_cells(wanted, personality, layout, strings, others.append)
    except FieldError as error:
        wrong = [section.error(each.path, each.problem, each.remedy) for each in (error, *others)]
        raise first_of(wrong, report) from None


def image_at(path: str) -> Card:
    """The card of an image."""
    return read_image(read_text(Path(path)), path)


@contextmanager
def bench_of(
    wanted: CardData,
    personality: Personality,
    title: str,
    seed: int = DEFAULT_SEED,
    connect: Connect = in_process,
    service: ServiceData = BUILTIN_SERVICE,
    issuer: Issuer | None = None,
) -> Iterator[Bench]:
    """The new card of a scenario at its terminal, before the first step; ``title`` and ``seed`` fix its randomness.

    ``issuer`` has the root keys and the HSM, by default the built-in test keys and an HSM with them.
    """
    issuer = issuer or Issuer(builtin_keys(), SoftHsm())
    random = Random(f"{seed}/{title}")
    now = first_moment(service, seed)
    if wanted.image:
        card = image_at(wanted.image)
        reference, holder = reference_on(card), holder_on(card)
    else:
        holder = Holder(wanted.holder.name, wanted.holder.id_number) if wanted.holder else make_holder(random)
        issued = wanted.issued or (now - CARD_AGE).date()
        order = make_order(personality, random, holder, wanted.city_code, issued)
        card = personalise(replace(order, pin=pin_of(wanted, holder)), issuer.keys)
        reference = card_reference(order)
    cells = prior_cells(wanted, personality, card.profile.layout, card.memory.strings)
    card.memory.commit(*cells)
    contact = wanted.interface == "contact"
    chip = card.chip(random, contact=contact)
    with connect(in_reader(chip, contact=contact)) as connection:
        placed = Placed(chip, connection, reference, holder, contact)
        with bench_at(placed, random, now, service, issuer) as bench:
            yield bench


class Placed(NamedTuple):
    """A card at a terminal: its chip, the connection to it, its diversification data, its holder and the interface.

    The chip of a card whose memory nobody can see is one of sscard that gets the same commands.
    """

    chip: Chip
    connection: Connection
    reference: CardReference
    holder: Holder
    contact: bool


@contextmanager
def bench_at(
    placed: Placed,
    random: Random,
    now: datetime,
    service: ServiceData = BUILTIN_SERVICE,
    issuer: Issuer | None = None,
    observer: Observer | None = None,
) -> Iterator[Bench]:
    """A card at the terminal, before the first step; ``random`` makes the numbers of the terminal.

    ``observer`` looks at a card that is not ``placed.chip``.
    """
    keys, hsm = issuer or Issuer(builtin_keys(), SoftHsm())
    chip, connection, reference, holder, contact = placed
    with service_host(service, now) as host:
        facts: set[Fact] = set()
        noted = NotedConnection(connection, chip.profile, facts)
        reader = FaultyConnection(noted, keep_power_loss=True, contact=contact)
        yield Bench(
            connection=Recorder(reader),
            own_card=noted,
            reader=reader,
            chip=chip,
            keys=keys,
            hsm=FaultyHsm(hsm, keys),
            reference=reference,
            holder=holder,
            host=host,
            random=random,
            contact=contact,
            facts=facts,
            observer=observer,
        )


def first_moment(service: ServiceData, seed: int) -> datetime:
    """The time of the first step: that of the service's clock, or a Monday of the seed."""
    return service.clock or FIRST_MORNING + timedelta(weeks=Random(str(seed)).randrange(52))


def pin_of(wanted: CardData, holder: Holder) -> str:
    """The PIN of a new card: the one given, else the initial one of its place."""
    if isinstance(wanted.place, Place) and "pin" not in wanted.model_fields_set:
        return wanted.place.initial_pin_of(holder)
    return wanted.pin


def reference_on(card: Card) -> CardReference:
    """The diversification data of a card."""
    city = item_on(card, EF_ISSUER, IDENTIFICATION_CODE).hex()[:CITY_DIGITS]
    return CardReference(city, card.profile.historical[-SERIAL_LENGTH:])


def holder_on(card: Card) -> Holder:
    """The holder in the files of a card."""
    number, name, extension = (item_on(card, EF_HOLDER, tag) for tag in (ID_NUMBER, NAME, NAME_EXTENSION))
    return Holder(decode_name(name, extension), decode_an(number))
