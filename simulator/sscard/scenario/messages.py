"""What the terminal and the service of a scenario say to HSM, holder base, identity check and journal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from sscard.i18n.phrase import Phrase, Sayable

Party = Literal["hsm", "holder base", "identity check", "journal"]
PARTIES: Final[Mapping[str, Phrase]] = {
    "identity check": Phrase("identity check"),
    "holder base": Phrase("holder base"),
    "journal": Phrase("journal"),
    "hsm": Phrase("HSM"),
}
"""What reports call each ``Party``, in the order in which a case asks them first."""


@dataclass(frozen=True, slots=True)
class Message:
    """A request to another part of the chain, without secrets; ``at`` is in seconds, as that of an exchange."""

    to: Party
    said: Sayable
    at: float = field(default=0.0, compare=False)
