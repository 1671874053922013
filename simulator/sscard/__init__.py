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

import os

from sscard.lazy import names_on_use
from sscard.version import SOURCES, __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sscard import testing as testing
    from sscard.errors import (
        CardRemoved,
        HsmError,
        HsmUnavailable,
        InputError,
        MissingPart,
        ReaderMissing,
        TransportError,
    )
    from sscard.hsm.protocol import Hsm
    from sscard.hsm.registry import open_hsm
    from sscard.hsm.soft import SoftHsm
    from sscard.issuer.cardfile import save_card
    from sscard.issuer.hierarchy import KeyHierarchy
    from sscard.issuer.issue import issue_card
    from sscard.issuer.lookup import load_keys
    from sscard.issuer.personalise import Card
    from sscard.scenario.library import run_scenarios
    from sscard.scenario.runner import ScenarioResult
    from sscard.terminal.cards import open_card
    from sscard.terminal.errors import (
        ApduError,
        AuthenticationFailed,
        CardUnusable,
        KeyBlocked,
        PinBlocked,
        UnknownAlgorithm,
        WrongPin,
    )
    from sscard.terminal.session import CardSession
    from sscard.transport.connection import Connection
    from sscard.transport.faults import CardMute
else:
    __getattr__, __dir__ = names_on_use(
        __name__,
        {
            "sscard.errors": (
                "CardRemoved",
                "HsmError",
                "HsmUnavailable",
                "InputError",
                "MissingPart",
                "ReaderMissing",
                "TransportError",
            ),
            "sscard.hsm.protocol": ("Hsm",),
            "sscard.hsm.registry": ("open_hsm",),
            "sscard.hsm.soft": ("SoftHsm",),
            "sscard.issuer.cardfile": ("save_card",),
            "sscard.issuer.hierarchy": ("KeyHierarchy",),
            "sscard.issuer.issue": ("issue_card",),
            "sscard.issuer.lookup": ("load_keys",),
            "sscard.issuer.personalise": ("Card",),
            "sscard.scenario.library": ("run_scenarios",),
            "sscard.scenario.runner": ("ScenarioResult",),
            "sscard.terminal.cards": ("open_card",),
            "sscard.terminal.errors": (
                "ApduError",
                "AuthenticationFailed",
                "CardUnusable",
                "KeyBlocked",
                "PinBlocked",
                "UnknownAlgorithm",
                "WrongPin",
            ),
            "sscard.terminal.session": ("CardSession",),
            "sscard": ("testing",),
            "sscard.transport.connection": ("Connection",),
            "sscard.transport.faults": ("CardMute",),
        },
    )


if os.environ.get(SOURCES):
    from sscard.sources import prefer_sources

    prefer_sources()

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
