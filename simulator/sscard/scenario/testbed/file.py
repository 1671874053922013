"""The testbed file: which card and HSM stand where, and what a run may do to the card. A part left out is sscard's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field, TypeAdapter

from sscard.card import Personality
from sscard.document import Document, Model, read_document
from sscard.errors import InputError
from sscard.hsm.registry import HSMS
from sscard.i18n.phrase import Phrase
from sscard.issuer import find_personality, preset
from sscard.issuer.formats import UNKNOWN, read_claim
from sscard.issuer.issue import DEFAULT
from sscard.issuer.lookup import is_path
from sscard.issuer.personalise import INITIAL_PIN
from sscard.scenario.issuing import Issuer, Issuing, OwnCards
from sscard.scenario.pins import without_pins
from sscard.scenario.step import PinOrNone
from sscard.scenario.testbed.doubled_hsm import DoubledHsm
from sscard.standard.choices import CHOICES
from sscard.terminal.cards import CARDS, IMAGE, image_path, scheme_of

NO_KEYS: Final = "none"
"""``keys`` of a card whose keys nobody has."""
NO_CLAIM: Final = "none"
"""``personality`` of a card that claims nothing: only raw commands are run on it."""
ONLY_HSM: Final = "hsm"
"""``keys`` of a card whose keys only the HSM has."""
PROMPT: Final = "prompt"
"""``fresh`` of a card that a person replaces."""


EMPTY: Final = Phrase("the testbed names neither a card nor an HSM")
ADD_PART: Final = Phrase("write card: or hsm: and below it use: with its URL; for sscard's own leave out --testbed")
KEYS_OF_CARD: Final = Phrase("the root keys are those of the card")
NO_HSM: Final = Phrase("no HSM is named that has the keys of the card")
ADD_HSM: Final = Phrase("write hsm: and below it use: with its URL")
MOVE_KEYS: Final = Phrase("write keys: under card:")


class CardUnderTest(Model):
    """The card of a testbed.

    ``use`` is a card URL; ``pin`` its PIN, empty if it has none; ``keys`` the root key file of its issuer, by default
    the built-in test keys, ``hsm`` if only the HSM of the testbed has them, or ``none``; ``personality`` the vendor's
    claim: a preset, a file, the fields of one, ``unknown``, or ``none``; ``interface`` the one that the card answers
    on. ``may_write`` allows changes of files, PIN and amounts that the run undoes as far as it can; ``may_block`` fewer
    than two tries, also none, of a PIN or key that the keys at hand restore; ``may_destroy`` locks and exhausted keys.
    ``fresh`` is a command that puts a new card behind ``use``, or ``prompt``.
    """

    use: Annotated[str, Field(min_length=1)]
    pin: Annotated[PinOrNone, Field(repr=False)] = INITIAL_PIN
    keys: str = ""
    personality: str | dict[str, str] = DEFAULT
    interface: Literal["contact", "contactless"] = "contact"
    may_write: bool = False
    may_block: bool = False
    may_destroy: bool = False
    fresh: str = ""


class HsmUnderTest(Model):
    """The HSM of a testbed: its URL, and for a service the file with its token.

    ``keys`` is the root key file that sscard's own cards are issued under if the testbed has no card, by default the
    built-in test keys.
    """

    use: Annotated[str, Field(min_length=1)]
    token_file: str = ""
    keys: str = ""


class Written(Model):
    """A testbed file; ``waivers`` is the file with the waived failures of its card and HSM."""

    card: CardUnderTest | None = None
    hsm: HsmUnderTest | None = None
    waivers: str = ""


@dataclass(frozen=True, slots=True)
class Testbed:
    """A testbed with a card, its files read: the card, the product that it claims to be, and the keys of its issuer.

    ``waivers`` is the path of the waiver file, which is not read yet.
    ``claim`` of a card without one is a product that stands in for it while scenarios are read.
    """

    card: CardUnderTest
    claim: Personality
    issuing: Issuing = field(default_factory=Issuing)
    unknown: frozenset[str] = frozenset()
    """Choices that the claim leaves open; all of them if it is unknown, and then ``claim`` only fills the gap."""
    waivers: Path | None = None

    @property
    def claimed(self) -> Personality | None:
        """The product that the card claims to be, ``None`` if it claims nothing."""
        return None if self.card.personality == NO_CLAIM else self.claim

    @property
    def has_keys(self) -> bool:
        """Whether the keys of the card are at hand."""
        return self.card.keys != NO_KEYS

    @contextmanager
    def open(self) -> Iterator[Issuer]:
        """Keys and HSM for the card: those of sscard's chip, and an HSM for both, if only the HSM has the card's keys.

        Errors: those of ``Issuing.open``.
        """
        with self.issuing.open() as issuer:
            yield Issuer(issuer.keys, DoubledHsm(issuer.hsm, issuer.keys)) if self.issuing.only_hsm else issuer

    @property
    def shown_card(self) -> str:
        """The URL of the card for reports; in a command its PIN is masked."""
        return without_pins(CARDS.shown(self.card.use), {self.card.pin})

    @property
    def described(self) -> dict[str, Any]:
        """What a digest of the testbed covers besides keys and claim: no PIN, which could be found by trying.

        A card file counts by its name, wherever it is.
        """
        card = self.card
        use = image_path(card.use).name if scheme_of(card.use) == IMAGE else self.shown_card
        described = card.model_dump(exclude={"pin", "keys", "personality"})
        shown = {"use": use, "fresh": without_pins(card.fresh, {card.pin}), "hsm": HSMS.shown(self.issuing.hsm)}
        return described | shown | ({"keys": ONLY_HSM} if self.issuing.only_hsm else {})

    @property
    def contact(self) -> bool:
        return self.card.interface == "contact"


def stand_in() -> Personality:
    """The product that stands in for a card without a claim."""
    return replace(preset(DEFAULT), name=NO_CLAIM)


def read_testbed(file: Path) -> Testbed | OwnCards:
    """The testbed of a file; paths of files in it start at its folder. Errors: ``InputError`` with the place."""
    document = read_document(file)
    written = document.as_model(Written)
    card, hsm, folder = written.card, written.hsm, file.parent
    if card is None and hsm is None:
        raise document.error((), EMPTY, ADD_PART)
    if card and hsm and hsm.keys:
        raise document.part(("hsm",)).error(("keys",), KEYS_OF_CARD, MOVE_KEYS)
    issuing = Issuing()
    waivers = folder / written.waivers if written.waivers else None
    if hsm:
        token = folder / hsm.token_file if hsm.token_file else None
        issuing = Issuing(folder / hsm.keys if hsm.keys else None, hsm.use, token)
    if card is None:
        return OwnCards(issuing, waivers)
    section = document.part(("card",))
    try:
        if scheme_of(card.use) == IMAGE:
            card = card.model_copy(update={"use": str(folder / image_path(card.use))})
    except InputError as error:
        raise section.error(("use",), error.problem, error.remedy) from None
    claim, unknown = _claim(card.personality, section, folder)
    if card.keys == ONLY_HSM and not hsm:
        raise section.error(("keys",), NO_HSM, ADD_HSM)
    keys = folder / card.keys if card.keys not in ("", NO_KEYS, ONLY_HSM) else None
    return Testbed(card, claim, replace(issuing, keys=keys, only_hsm=card.keys == ONLY_HSM), unknown, waivers)


def _claim(written: str | dict[str, str], section: Document, folder: Path) -> tuple[Personality, frozenset[str]]:
    """The claim of a testbed, and the choices that it leaves open. Errors: ``InputError`` with the place."""
    if written == NO_CLAIM:
        return stand_in(), frozenset()
    if written == UNKNOWN:
        return find_personality(DEFAULT), frozenset(CHOICES)
    if isinstance(written, dict):
        return read_claim(section.part(("personality",)))
    if is_path(written):
        return read_claim(read_document(folder / written))
    try:
        return find_personality(written), frozenset()
    except InputError as error:
        raise section.error(("personality",), error.problem, error.remedy) from None


def testbed_schema() -> dict[str, Any]:
    """The JSON Schema of a testbed file."""
    return TypeAdapter(Written).json_schema()
