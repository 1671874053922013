"""What stands at the counter: card sessions with one verb per operation."""

from sscard.terminal.card import BasicData, Identity
from sscard.terminal.errors import (
    AuthenticationFailed,
    CardUnusable,
    KeyBlocked,
    PinBlocked,
    UnknownAlgorithm,
    WrongPin,
)
from sscard.terminal.session import CardSession, Receipt

__all__ = [
    "AuthenticationFailed",
    "BasicData",
    "CardSession",
    "CardUnusable",
    "Identity",
    "KeyBlocked",
    "PinBlocked",
    "Receipt",
    "UnknownAlgorithm",
    "WrongPin",
]
