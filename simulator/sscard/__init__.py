"""sscard: a virtual Chinese social security card (社会保障卡) and its test bench.

::

    from sscard import CardSession, SoftHsm, issue_card

    card = issue_card(pin="123456")
    session = CardSession.start(card.chip(), SoftHsm())
    session.verify_pin("123456")

Cards: ``issue_card`` makes one, ``save_card`` writes it to a file, ``open_card``
connects to the card at a URL: a card file, a PC/SC reader, a TCP port, a
program. At the terminal: ``CardSession`` runs the operations on a connection,
its keys with an HSM: ``SoftHsm``, or ``open_hsm`` for one by URL. Regression:
``run_scenarios``. For pytest and hypothesis: ``sscard.testing``.

A refusal of the card is an ``ApduError`` (``WrongPin`` and ``PinBlocked`` among
them), one of the HSM an ``HsmError``, no answer of the card a
``TransportError``, unusable input an ``InputError``, and something missing on
this machine a ``MissingPart``.

A name is imported when it is first used, so that ``import sscard`` is cheap.
"""

from sscard.version import __version__

TYPE_CHECKING = False
"""True for type checkers; ``typing`` is not imported for it, because that would double the time of the import."""

if TYPE_CHECKING:
    from sscard import testing as testing
    from sscard.errors import CardRemoved, InputError, MissingPart, ReaderMissing, TransportError
    from sscard.hsm import Hsm, HsmError, HsmUnavailable, SoftHsm, open_hsm
    from sscard.issuer import Card, KeyHierarchy, issue_card, load_keys
    from sscard.issuer.cardfile import save_card
    from sscard.scenario import ScenarioResult, run_scenarios
    from sscard.terminal import (
        AuthenticationFailed,
        CardSession,
        CardUnusable,
        KeyBlocked,
        PinBlocked,
        UnknownAlgorithm,
        WrongPin,
    )
    from sscard.terminal.cards import open_card
    from sscard.terminal.errors import ApduError
    from sscard.transport import CardMute, Connection
else:
    _MODULES = {
        "sscard.errors": ("CardRemoved", "InputError", "MissingPart", "ReaderMissing", "TransportError"),
        "sscard.hsm": ("Hsm", "HsmError", "HsmUnavailable", "SoftHsm", "open_hsm"),
        "sscard.issuer": ("Card", "KeyHierarchy", "issue_card", "load_keys"),
        "sscard.issuer.cardfile": ("save_card",),
        "sscard.scenario": ("ScenarioResult", "run_scenarios"),
        "sscard.terminal": (
            *("AuthenticationFailed", "CardSession", "CardUnusable", "KeyBlocked", "PinBlocked", "UnknownAlgorithm"),
            "WrongPin",
        ),
        "sscard.terminal.cards": ("open_card",),
        "sscard.terminal.errors": ("ApduError",),
        "sscard.transport": ("CardMute", "Connection"),
    }

    def __getattr__(name):
        """Import a name of ``__all__``, or ``sscard.testing``, when it is first used (PEP 562)."""
        for module, names in _MODULES.items():
            if name in names:
                # Not by importlib, which costs more than all the rest of this module.
                globals()[name] = getattr(__import__(module, fromlist=(name,)), name)
                return globals()[name]
        if name == "testing":
            return __import__("sscard.testing", fromlist=("testing",))
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__():
        """The public names beside those of every module."""
        return sorted({*globals(), *__all__})


__all__ = [
    "ApduError",
    "AuthenticationFailed",
    "Card",
    "CardMute",
    "CardRemoved",
    "CardSession",
    "CardUnusable",
    "Connection",
    "Hsm",
    "HsmError",
    "HsmUnavailable",
    "InputError",
    "KeyBlocked",
    "KeyHierarchy",
    "MissingPart",
    "PinBlocked",
    "ReaderMissing",
    "ScenarioResult",
    "SoftHsm",
    "TransportError",
    "UnknownAlgorithm",
    "WrongPin",
    "__version__",
    "issue_card",
    "load_keys",
    "open_card",
    "open_hsm",
    "run_scenarios",
    "save_card",
    "testing",
]
