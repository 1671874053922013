"""What stands at the counter: card sessions with one verb per operation."""

from sscard.terminal.errors import AuthenticationFailed, CardUnusable, KeyBlocked, PinBlocked, WrongPin
from sscard.terminal.session import BasicData, CardSession, Identity

__all__ = [
    "AuthenticationFailed",
    "BasicData",
    "CardSession",
    "CardUnusable",
    "Identity",
    "KeyBlocked",
    "PinBlocked",
    "WrongPin",
]
