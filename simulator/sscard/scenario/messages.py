"""What the terminal and the service of a scenario say to HSM, holder base, identity check and journal."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from sscard.i18n.phrase import Sayable

Party = Literal["hsm", "holder base", "identity check", "journal"]


@dataclass(frozen=True, slots=True)
class Message:
    """A request to another part of the chain, without secrets; ``at`` is in seconds, as that of an exchange."""

    to: Party
    said: Sayable
    at: float = field(default=0.0, compare=False)
