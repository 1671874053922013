"""Who orders and personalises cards: holders, key hierarchy, personalities, place policies."""

from sscard.issuer.hierarchy import CardReference, KeyHierarchy, builtin_keys, load_keys
from sscard.issuer.holder import Holder, make_holder
from sscard.issuer.personalise import Card, Order, issue_card, make_order, order_card, personalise
from sscard.issuer.personalities import find_personality, preset, presets, vary
from sscard.issuer.places import Place, find_place, places

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
