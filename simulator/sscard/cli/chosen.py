"""What the options of several commands choose: the HSM, the holder base, and whose cards are issued."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sscard.cli.prompt import ask_secret
from sscard.cli.target import tell
from sscard.cli.usage import excluding
from sscard.errors import MissingPart
from sscard.i18n.language import _

if TYPE_CHECKING:
    from sscard.hsm import Hsm
    from sscard.issuer.holderbase import HolderBase
    from sscard.scenario.issuing import Issuing


@contextmanager
def chosen_hsm(url: str, keys: Path | None, token_file: Path | None = None) -> Iterator[Hsm]:
    """The HSM that ``--hsm``, or ``--keys``, chooses; what it refuses meanwhile ends the command."""
    from sscard.hsm import open_hsm

    if url and keys is not None:
        raise excluding("--keys", "--hsm", _("--keys FILE means --hsm soft:FILE"))
    token = token_file or _own_token_file()
    with hsm_refusals(), open_hsm(url or f"soft:{keys or ''}", token_file=token, ask_pin=ask_pin_of_token) as opened:
        yield opened


@contextmanager
def chosen_holder_base(url: str, token_file: Path | None = None) -> Iterator[HolderBase | None]:
    """The holder base that ``--holder-base`` chooses, ``None`` without one; a service has the token of the HSM's."""
    from sscard.hsm.holderbase import open_holder_base

    if not url:
        yield None
        return
    with hsm_refusals(), open_holder_base(url, token_file=token_file or _own_token_file()) as opened:
        yield opened


def chosen_issuing(url: str, keys: Path | None, token_file: Path | None, *, only_hsm: bool = False) -> Issuing:
    """The root keys of the cards and the HSM that ``--keys`` and ``--hsm`` choose; the HSM is asked once.

    ``only_hsm`` is that of ``Issuing``.
    """
    from sscard.scenario.issuing import Issuing

    if not url:
        return Issuing(keys)
    token = token_file or _own_token_file()
    typed: list[str] = []

    def ask_pin() -> str:
        typed.append(ask_pin_of_token())
        return typed[-1]

    with hsm_refusals():
        Issuing(keys, url, token, only_hsm=only_hsm).check(ask_pin)
    return Issuing(keys, url, token, "".join(typed[-1:]), only_hsm)


def _own_token_file() -> Path | None:
    own = default_token_file()
    return own if os.path.exists(own) else None  # noqa: PTH110 - Path raises for a name too long


@contextmanager
def hsm_refusals() -> Iterator[None]:
    """Print what the HSM refuses and exit with 1; without an HSM that can be asked, exit with 3."""
    from sscard.hsm import HsmError, HsmUnavailable

    try:
        yield
    except HsmUnavailable as error:
        raise MissingPart(error.said, error.remedy) from None
    except HsmError as error:
        tell(f"sscard: {error}")
        raise SystemExit(1) from None


def default_token_file() -> Path:
    """The default file of the service's token for programs of the same user."""
    return Path(click.get_app_dir("sscard")) / "hsm-token"


def ask_pin_of_token() -> str:
    """Ask for the PIN of a PKCS#11 token."""
    return ask_secret(_("PIN of the token"), _("set SSCARD_TOKEN_PIN"))
