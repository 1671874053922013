"""Issue a card in one call. The name is imported without what it needs, so that a program starts fast."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import date
    from random import Random

    from sscard.issuer.hierarchy import KeyHierarchy
    from sscard.issuer.personalise import Card
    from sscard.issuer.places import Place
    from sscard.standard.choices import Personality

DEFAULT = "v3-sm4"
"""The personality of a card for which none is named."""
CITY = "410400"
"""The city code of the issuer if none is named."""


def issue_card(
    *,
    personality: Personality | str = DEFAULT,
    place: Place | str = "",
    name: str = "",
    id_number: str = "",
    pin: str | None = None,
    city: str = CITY,
    issued: date | None = None,
    seed: int | Random | None = None,
    number: int = 1,
    keys: KeyHierarchy | None = None,
) -> Card:
    """Personalise a card; values that are not given are made up, as by ``order_card``.

    ``keys`` are the root keys, by default the built-in test keys. Errors and
    source: those of ``order_card``.
    """
    from sscard.issuer.hierarchy import builtin_keys
    from sscard.issuer.personalise import order_card, personalise

    return personalise(
        order_card(
            personality=personality,
            place=place,
            name=name,
            id_number=id_number,
            pin=pin,
            city=city,
            issued=issued,
            seed=seed,
            number=number,
        ),
        keys or builtin_keys(),
    )
