"""Errors of the terminal for refusals of the card."""

from __future__ import annotations

from sscard.errors import HsmError
from sscard.i18n.language import say
from sscard.i18n.phrase import Phrase, Sayable
from sscard.pickling import PortableError
from sscard.standard.apdu import SW, named_status, tries_in


class ApduError(PortableError):
    """The card refused a command; contains the answer's data and status word."""

    def __init__(self, operation: Sayable, sw: int, data: bytes = b"") -> None:
        super().__init__(operation, sw)
        self.operation = operation
        self.sw = sw
        self.data = data

    @property
    def said(self) -> Phrase:
        """The operation, the status word and its meaning."""
        return Phrase("{operation}: {status}", operation=self.operation, status=named_status(self.sw))

    def __str__(self) -> str:
        return say(self.said)


class WrongPin(ApduError):
    """The PIN is wrong; ``tries_left`` more tries (0: it is blocked now)."""

    def __init__(self, operation: Sayable, sw: int) -> None:
        super().__init__(operation, sw)
        self.tries_left = tries_in(sw) or 0


class PinBlocked(ApduError):
    """The PIN is blocked (PIN锁定): only reset or unblock helps."""

    tries_left = 0


class AuthenticationFailed(ApduError):
    """The card did not accept the issuer's key; ``tries_left`` more tries of that key."""

    def __init__(self, operation: Sayable, sw: int) -> None:
        super().__init__(operation, sw)
        self.tries_left = tries_in(sw) or 0


class KeyBlocked(ApduError):
    """The issuer's key is permanently blocked on this card."""

    tries_left = 0


class CardUnusable(ApduError):
    """The card (6A81) or the application (9303) is locked."""


class UnknownAlgorithm(HsmError):
    """The card names an unknown algorithm; raised before a key is used, so no try is lost."""

    def __init__(self, algorithm: int) -> None:
        from sscard.standard.cipher import ALGORITHM_NAMES

        known = ", ".join(f"{known:02X} {name}" for known, name in ALGORITHM_NAMES.items())
        super().__init__(
            Phrase(
                "the card names algorithm {algorithm:02X}, which is unknown; known are {known}",
                algorithm=algorithm,
                known=known,
            )
        )
        self.args = (algorithm,)
        self.algorithm = algorithm


def pin_error(operation: Sayable, sw: int) -> ApduError:
    """The error of a refused VERIFY or CHANGE PIN."""
    if tries_in(sw) is not None:
        return WrongPin(operation, sw)
    if sw == SW.METHOD_BLOCKED:
        return PinBlocked(operation, sw)
    return card_error(operation, sw)


def authentication_error(operation: Sayable, sw: int) -> ApduError:
    """The error of a refused EXTERNAL AUTHENTICATION."""
    if tries_in(sw) is not None:
        return AuthenticationFailed(operation, sw)
    if sw == SW.METHOD_BLOCKED:
        return KeyBlocked(operation, sw)
    return card_error(operation, sw)


def card_error(operation: Sayable, sw: int) -> ApduError:
    """The error of any other refusal."""
    if sw in (SW.NOT_SUPPORTED, SW.APPLICATION_BLOCKED):
        return CardUnusable(operation, sw)
    return ApduError(operation, sw)
