"""The card products of a scenario: the personalities that its file names, with its choices, state and needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Final, NamedTuple

from sscard.card import Personality
from sscard.document import Document, Report
from sscard.errors import InputError
from sscard.i18n.phrase import Phrase
from sscard.issuer import preset
from sscard.issuer.issue import DEFAULT
from sscard.scenario.cards import CardData, ReadImage, check_state, image_at, own_personalities, product_of
from sscard.scenario.expressions import Names
from sscard.scenario.needs import Needs, read_needs


class Product(NamedTuple):
    """A card product that has what the scenario relies on: its numbers, the section ``card:`` for it, and the needs."""

    personality: Personality
    names: Names
    card: CardData
    needs: Needs


class Found(NamedTuple):
    """The products of a scenario: its own, and the one that is given or why no card of it can be the scenario's."""

    own: list[Product]
    forced: Product | None = None
    misfit: InputError | None = None


@dataclass(slots=True)
class Products:
    """The products of a file, whose rows share those of equal sections; ``forced`` is a personality that is given."""

    folder: Path
    forced: Personality | None
    image: ReadImage = field(default_factory=lambda: cache(image_at))
    known: dict[str, Found] = field(default_factory=dict)

    def of(self, section: Document, needs: Document, report: Report | None) -> Found:
        """The products of the sections ``card:`` and ``needs:``; ``InputError`` if a card of the file is wrong."""
        key = repr((section.content, needs.content))
        if key not in self.known:
            try:
                self.known[key] = self._found(section, needs, report)
            except InputError:
                if report is not None:
                    self._report_others(section, needs, report)
                raise
        return self.known[key]

    def _report_others(self, section: Document, needs: Document, report: Report) -> None:
        """Report what is wrong besides: neither the needs nor what the card is depend on the fields that are wrong."""
        content = section.content if isinstance(section.content, dict) else {}
        kind = section.with_content({name: value for name, value in content.items() if name in _KIND})
        for read in (
            partial(read_needs, needs, report),
            partial(self._found, kind, needs.with_content({}), report),
        ):
            try:
                read()
            except InputError as error:
                report(error)

    def _found(self, section: Document, needs: Document, report: Report | None) -> Found:
        names = Names(preset(DEFAULT))
        card = section.as_model(CardData, names, report).loaded(self.folder, section, report)

        def product(base: Personality, report: Report | None = None) -> Product:
            return self._product(section, needs, card, base, report, computes=bool(names.used))

        own = [product(base, report) for base in own_personalities(section, card, self.folder, self.image)]
        if self.forced is None:
            return Found(own)
        try:
            return Found(own, product(self.forced))
        except InputError as error:
            return Found(own, misfit=error)

    def _product(
        self,
        section: Document,
        needs: Document,
        card: CardData,
        base: Personality,
        report: Report | None,
        *,
        computes: bool,
    ) -> Product:
        """The card of a scenario on a personality; ``InputError`` if no such card is the one that the file asks for."""
        personality = product_of(section, card, base, self.image, report)
        names = Names(personality)
        if computes:
            card = section.as_model(CardData, names).loaded(self.folder, section)
        check_state(section, card, personality, self.image, report)
        needed = read_needs(needs, report)
        if unmet := needed.unmet(personality, card.interface):
            raise needs.error((), unmet, _OTHER_CARD)
        return Product(personality, names, card, needed)


_KIND: Final = ("personality", "image", "place", "choices")
"""The fields of a card that say which product it is."""
_OTHER_CARD: Final = Phrase("change needs:, the personalities of the card, or --personality")
