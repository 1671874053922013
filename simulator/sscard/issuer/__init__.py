"""Who orders and personalises cards: holders, key hierarchy, personalities, place policies."""

from sscard.lazy import names_on_use

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sscard.issuer.formats import vary
    from sscard.issuer.hierarchy import CardReference, KeyHierarchy, builtin_keys
    from sscard.issuer.holder import Holder, make_holder
    from sscard.issuer.issue import issue_card, order_card
    from sscard.issuer.lookup import find_personality, find_place, load_keys
    from sscard.issuer.personalise import Card, Order, make_order, personalise
    from sscard.issuer.personalities import preset, presets
    from sscard.issuer.places import Place, places
    from sscard.standard.choices import Personality, make_personality
else:
    __getattr__, __dir__ = names_on_use(
        __name__,
        {
            "sscard.issuer.hierarchy": ("CardReference", "KeyHierarchy", "builtin_keys"),
            "sscard.issuer.holder": ("Holder", "make_holder"),
            "sscard.issuer.issue": ("issue_card", "order_card"),
            "sscard.issuer.lookup": ("find_personality", "find_place", "load_keys"),
            "sscard.issuer.personalise": ("Card", "Order", "make_order", "personalise"),
            "sscard.issuer.formats": ("vary",),
            "sscard.issuer.personalities": ("preset", "presets"),
            "sscard.issuer.places": ("Place", "places"),
            "sscard.standard.choices": ("Personality", "make_personality"),
        },
    )

__all__ = [
    "Card",
    "CardReference",
    "Holder",
    "KeyHierarchy",
    "Order",
    "Personality",
    "Place",
    "builtin_keys",
    "find_personality",
    "find_place",
    "issue_card",
    "load_keys",
    "make_holder",
    "make_order",
    "make_personality",
    "order_card",
    "personalise",
    "places",
    "preset",
    "presets",
    "vary",
]
