"""Order and issue cards in one call.

The functions are imported without what they need, so that a program that names
them starts fast.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import date
    from random import Random

    from sscard.issuer.hierarchy import KeyHierarchy
    from sscard.issuer.personalise import Card, Order
    from sscard.issuer.places import Place
    from sscard.standard.choices import Personality

DEFAULT = "v3-sm4"
"""The personality of a card for which none is named."""
CITY = "410400"
"""The city code of the issuer if none is named."""
CITY_DIGITS = 6
SEEDED_DATE = "2026-01-05"
"""The default day of issue if a seed is given, so that the card is reproducible."""


def issue_card(
    *,
    personality: Personality | str = DEFAULT,
    place: Place | str = "",
    name: str = "",
    id_number: str = "",
    pin: str | None = None,
    certificate_pin: str | None = None,
    administrator_pin: str | None = None,
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
    from sscard.issuer.personalise import personalise

    return personalise(
        order_card(
            personality=personality,
            place=place,
            name=name,
            id_number=id_number,
            pin=pin,
            certificate_pin=certificate_pin,
            administrator_pin=administrator_pin,
            city=city,
            issued=issued,
            seed=seed,
            number=number,
        ),
        keys or builtin_keys(),
    )


def order_card(
    *,
    personality: Personality | str = DEFAULT,
    place: Place | str = "",
    name: str = "",
    id_number: str = "",
    pin: str | None = None,
    certificate_pin: str | None = None,
    administrator_pin: str | None = None,
    city: str = CITY,
    issued: date | None = None,
    seed: int | Random | None = None,
    number: int = 1,
) -> Order:
    """Order a card; values that are not given are made up.

    ``personality`` is a preset (``v1-des``, ``v2-3des``, ``v3-sm4``), the path
    of a personality file, or a ``Personality``, as ``make_personality`` makes it.
    ``place`` is a place policy by name or path; it sets the PIN retry limit, the
    limit of unblocks and the initial PIN. ``name`` and ``id_number`` (18 characters, GB 11643) are the
    holder's. ``pin`` has 4–16 digits, is empty for a card without PIN, and
    defaults to the initial PIN of the place, ``123456`` without a place.
    ``certificate_pin`` and ``administrator_pin``, 4–16 digits, are those of the
    certificate application (defaults ``123456`` and ``12345678``), on a card that
    has it. ``city`` is the issuer's city code, 6 digits (GB/T 2260).

    ``seed`` determines all made-up values, and the day of issue unless
    ``issued`` gives it: the card is that of ``sscard issue --seed``. ``number``,
    from 1, is that of the card in the series of a seed: each is made up from seed
    and number alone, in any order and in any process. One ``random.Random`` as
    the seed of several cards makes them differ too.

    Errors: ``InputError`` for an unknown personality or place, a choice that the
    generation does not have, a name that does not fit into the card, a wrong ID
    number or city code, a PIN of a certificate application that the card lacks;
    ``ValueError`` for a PIN of another form. Source: LD/T 32.6, docs/standard/card-files.md §5.
    """
    from dataclasses import replace
    from datetime import date
    from random import Random

    from sscard.errors import InputError
    from sscard.i18n.phrase import Phrase
    from sscard.issuer.holder import Holder, make_holder
    from sscard.issuer.lookup import find_personality, find_place
    from sscard.issuer.personalise import INITIAL_PIN, make_order
    from sscard.issuer.personalities import check_generation

    if len(city) != CITY_DIGITS or not (city.isascii() and city.isdigit()):
        raise InputError(Phrase("a city code has six digits"), remedy=Phrase("for example {city}", city=CITY))
    product = find_personality(personality) if isinstance(personality, str) else personality
    check_generation(product)
    if product.certificate_application == "absent" and (certificate_pin, administrator_pin) != (None, None):
        raise InputError(
            Phrase("{personality} has no certificate application, but its PIN is given", personality=product.name),
            remedy=Phrase("leave the PIN out, or set certificate_application: stub (sscard issue --certificates)"),
        )
    if "" in (certificate_pin, administrator_pin):
        raise InputError(Phrase("a PIN of the certificate application is empty"), remedy=Phrase("4 to 16 digits"))
    policy = find_place(place) if isinstance(place, str) and place else place or None
    given: object = number
    if not isinstance(given, int) or isinstance(given, bool) or given < 1:
        raise InputError(
            Phrase("number: {number} is not the number of a card in a series", number=repr(number)),
            remedy=Phrase("expected a whole number from 1"),
        )
    random = seed if isinstance(seed, Random) else Random(seed if seed is None or number == 1 else f"{seed}/{number}")
    made_up = make_holder(random)
    order = make_order(
        policy.over(product) if policy else product,
        random,
        Holder(name or made_up.name, id_number or made_up.id_number),
        city,
        issued or (date.today() if seed is None else date.fromisoformat(SEEDED_DATE)),  # noqa: DTZ011 - the day at the counter
    )
    if pin is None:
        pin = policy.initial_pin_of(order.holder) if policy else INITIAL_PIN
    return replace(
        order,
        pin=pin,
        certificate_pin=order.certificate_pin if certificate_pin is None else certificate_pin,
        administrator_pin=order.administrator_pin if administrator_pin is None else administrator_pin,
    )
