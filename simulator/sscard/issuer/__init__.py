"""Who orders and personalises cards: holders, key hierarchy, personalities, place policies."""

from sscard.lazy import names_on_use

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sscard.issuer.formats import vary
    from sscard.issuer.hierarchy import CardReference, KeyHierarchy, builtin_keys, load_keys
    from sscard.issuer.holder import Holder, make_holder
    from sscard.issuer.issue import issue_card
    from sscard.issuer.personalise import Card, Order, make_order, order_card, personalise
    from sscard.issuer.personalities import find_personality, preset, presets
    from sscard.issuer.places import Place, find_place, places
else:
    __getattr__, __dir__ = names_on_use(
        __name__,
        {
            "sscard.issuer.hierarchy": ("CardReference", "KeyHierarchy", "builtin_keys", "load_keys"),
            "sscard.issuer.holder": ("Holder", "make_holder"),
            "sscard.issuer.issue": ("issue_card",),
            "sscard.issuer.personalise": ("Card", "Order", "make_order", "order_card", "personalise"),
            "sscard.issuer.formats": ("vary",),
            "sscard.issuer.personalities": ("find_personality", "preset", "presets"),
            "sscard.issuer.places": ("Place", "find_place", "places"),
        },
    )

__all__ = [
    "Card",
    "CardReference",
    "Holder",
    "KeyHierarchy",
    "Order",
    "Place",
    "builtin_keys",
    "find_personality",
    "find_place",
    "issue_card",
    "load_keys",
    "make_holder",
    "make_order",
    "order_card",
    "personalise",
    "places",
    "preset",
    "presets",
    "vary",
]
