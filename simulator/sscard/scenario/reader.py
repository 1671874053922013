"""The scenario language: one YAML file, one scenario.

A scenario states what it proves (``name``, ``proves``, ``tags``), the card at
the beginning (``card``) and the operations (``steps``). Unless its first step
inserts the card, the card is inserted before it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator

from sscard.card import Personality
from sscard.document import Document, Model, Place, read_document
from sscard.errors import InputError, InvalidValue, suggestion
from sscard.i18n.phrase import Phrase
from sscard.issuer import Holder, find_personality, vary
from sscard.issuer.issue import DEFAULT
from sscard.issuer.personalise import INITIAL_PIN
from sscard.scenario.power_steps import Insert
from sscard.scenario.service_steps import Texts
from sscard.scenario.step import PinOrNone, Step
from sscard.scenario.verbs import VERBS
from sscard.standard.encoding import encode_an

CITY_CODE = "410402"
NAME_LENGTHS = (15, 10)
"""Characters of the name that fit into items 09 and 4E."""


class HolderData(Model):
    """The made-up card holder."""

    name: str
    id_number: str = Field(repr=False)

    @field_validator("name")
    @classmethod
    def _fits_the_card(cls, name: str) -> str:
        first, second = NAME_LENGTHS
        try:
            encode_an(name[:first], 2 * first)
            encode_an(name[first:], 2 * second)
        except ValueError:
            raise InvalidValue(
                Phrase("does not fit the card"), Phrase("up to {count} characters of GBK", count=first + second)
            ) from None
        return name

    @field_validator("id_number")
    @classmethod
    def _valid(cls, number: str) -> str:
        try:
            Holder("", number)
        except InputError as error:
            raise InvalidValue(error.problem, error.remedy) from None
        return number


class CardData(Model):
    """The card at the beginning of a scenario; the scenario runs once for each personality."""

    personality: Texts = (DEFAULT,)
    choices: dict[str, str] = Field(default_factory=dict)
    pin: Annotated[PinOrNone, Field(repr=False)] = INITIAL_PIN
    tries_left: Annotated[int, Field(ge=0, le=15)] | None = None
    card_blocked: bool = False
    interface: Literal["contact", "contactless"] = "contact"
    holder: HolderData | None = None
    city_code: Annotated[str, Field(pattern="^[1-9][0-9]{5}$")] = CITY_CODE
    issued: date | None = None


class Written(Model):
    """A scenario file as written; its steps are parsed by their verbs."""

    name: Annotated[str, Field(min_length=1)]
    proves: Annotated[str, Field(min_length=1)]
    tags: Annotated[tuple[str, ...], BeforeValidator(lambda tags: tags.split() if isinstance(tags, str) else tags)] = ()
    card: CardData = CardData()
    steps: Annotated[list[Any], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario ready to run on one personality.

    ``source`` is the file name for reports, ``group`` the name of its folder;
    ``places`` are the positions of the steps in the file. ``misfit`` says why no
    card of a personality that was given can be the one of the scenario, which
    then does not run.
    """

    name: str
    proves: str
    tags: tuple[str, ...]
    source: str
    group: str
    card: CardData
    personality: Personality
    steps: tuple[Step, ...]
    document: Document = field(compare=False)
    misfit: InputError | None = field(default=None, compare=False)

    @property
    def title(self) -> str:
        return f"{self.name} [{self.personality.name}]"

    def place(self, number: int, field: str = "") -> Place:
        """The position of a step (numbered from 1, 0 for the insertion before them) or of its field."""
        if number == 0:
            return self.document.place(("steps",))
        return self.document.place(("steps", number - 1, field) if field else ("steps", number - 1))


def read_scenario(
    path: Path, source: str = "", group: str = "", personality: Personality | None = None
) -> list[Scenario]:
    """The scenarios of a file: one for each personality it names, or for the one given.

    A scenario whose choices are right for the personalities it names, but not for
    the one given, has a ``misfit``.
    ``source`` names the file in reports and errors; if empty, the path is used.
    """
    document = read_document(path)
    document.source = source or str(path)
    if not isinstance(document.content, dict):
        raise document.error((), Phrase("not a scenario"), Phrase("write name:, proves: and steps: at the left margin"))
    written = document.as_model(Written)
    steps = tuple(_step(document.part(("steps", place))) for place in range(len(written.steps)))
    named = written.card.personality

    def own() -> list[Personality]:
        return [_suited(document, written, _personality(document, name, path.parent)) for name in named]

    misfit = None
    try:
        cards = [_suited(document, written, personality)] if personality else own()
    except InputError as error:
        if personality is None:
            raise
        own()  # what is wrong on every card is an error
        cards, misfit = [personality], error
    texts = (written.name, written.proves, written.tags, document.source, group)
    return [Scenario(*texts, written.card, card, steps, document, misfit) for card in cards]


def insertion(scenario: Scenario) -> Step | None:
    """The insertion before the first step, if that step needs an inserted card."""
    return Insert() if scenario.steps[0].inserts else None


def _step(document: Document) -> Step:
    content = document.content
    if not isinstance(content, dict):
        raise document.error((), Phrase("a step is a verb, a colon and its value"), Phrase("write it as `- insert:`"))
    verbs = [key for key in content if key in VERBS]
    if len(verbs) > 1:
        raise document.error(
            (verbs[1],),
            Phrase("two verbs in one step: {verbs}", verbs=", ".join(verbs)),
            Phrase("write a separate step for each"),
        )
    if verbs:
        return document.as_model(VERBS[verbs[0]])
    unknown = [key for key in content if key not in Step.model_fields]
    if not unknown:
        raise document.error(
            (), Phrase("a step without a verb"), Phrase("add one of: {verbs}", verbs=", ".join(sorted(VERBS)))
        )
    raise document.error((unknown[0],), Phrase("unknown verb {verb!r}", verb=unknown[0]), suggestion(unknown[0], VERBS))


def _personality(document: Document, name: str, folder: Path) -> Personality:
    """A preset, or a file with a path relative to the scenario's folder."""
    is_path = Path(name).suffix != "" or "/" in name
    try:
        return find_personality(str(folder / name) if is_path else name)
    except InputError as error:
        if error.file:
            raise
        raise document.error(("card", "personality"), error.problem, error.remedy) from None


def _suited(document: Document, written: Written, base: Personality) -> Personality:
    """The personality with the scenario's choices, checked against its other fields."""
    card = written.card
    personality = vary(base, document.part(("card", "choices"))) if card.choices else base
    if card.tries_left is not None and card.tries_left > personality.pin_tries:
        limit = Phrase("write 0 to {limit}, or raise choices: pin_tries", limit=personality.pin_tries)
        raise document.error(("card", "tries_left"), Phrase("more tries left than the card's limit"), limit)
    return personality
