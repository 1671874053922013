"""The terminal: card sessions with one method per operation, and the flows they run."""

from sscard.lazy import names_on_use

TYPE_CHECKING = False
if TYPE_CHECKING:
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
else:
    __getattr__, __dir__ = names_on_use(
        __name__,
        {
            "sscard.terminal.admission": ("Admission", "Blacklist", "Finding", "TerminalRules", "pre_process"),
            "sscard.terminal.card": ("BasicData", "Identity"),
            "sscard.terminal.errors": (
                "AuthenticationFailed",
                "CardUnusable",
                "KeyBlocked",
                "PinBlocked",
                "UnknownAlgorithm",
                "WrongPin",
            ),
            "sscard.terminal.recovery": (
                "Recovery",
                "Standing",
                "finish_change",
                "recover_change",
                "recover_purchase",
                "recover_reset",
                "recover_unblock",
            ),
            "sscard.terminal.session": ("CardSession", "Receipt"),
        },
    )

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
