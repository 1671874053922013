"""The terminal: card sessions with one method per operation, and the flows they run."""

from sscard.terminal.admission import Admission, Blacklist, Finding, TerminalRules, pre_process
from sscard.terminal.card import BasicData, Identity
from sscard.terminal.errors import (
    AuthenticationFailed,
    CardUnusable,
    KeyBlocked,
    PinBlocked,
    UnknownAlgorithm,
    WrongPin,
)
from sscard.terminal.recovery import (
    Recovery,
    Standing,
    finish_change,
    recover_change,
    recover_purchase,
    recover_reset,
    recover_unblock,
)
from sscard.terminal.session import CardSession, Receipt

__all__ = [
    "Admission",
    "AuthenticationFailed",
    "BasicData",
    "Blacklist",
    "CardSession",
    "CardUnusable",
    "Finding",
    "Identity",
    "KeyBlocked",
    "PinBlocked",
    "Receipt",
    "Recovery",
    "Standing",
    "TerminalRules",
    "UnknownAlgorithm",
    "WrongPin",
    "finish_change",
    "pre_process",
    "recover_change",
    "recover_purchase",
    "recover_reset",
    "recover_unblock",
]
