"""``sscard hsm serve|load``: the issuer's HSM as a service, and its keys in a PKCS#11 token."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sscard.cli.serving import serve_until_signal
from sscard.cli.target import keys_of, tell
from sscard.cli.usage import Commands
from sscard.errors import InputError
from sscard.i18n.language import _

if TYPE_CHECKING:
    from sscard.hsm import Hsm

DEFAULT_PORT = 8440
FILE_HELP = _("The file with the service's token; made where it is not there. Else one of this user's own.")

hsm = Commands(help=_("The issuer's HSM as a service, or in a PKCS#11 token."))

Keys = Annotated[
    Path | None, typer.Option(metavar="FILE", help=_("The issuer's root keys; else the built-in test keys."))
]
Module = Annotated[Path | None, typer.Option(metavar="FILE", help=_("The PKCS#11 library of a token that holds them."))]
Label = Annotated[
    str,
    typer.Option("--token", metavar="LABEL", help=_("The token's label; its PIN is in SSCARD_TOKEN_PIN, or asked.")),
]
TokenFile = Annotated[Path | None, typer.Option(metavar="FILE", help=FILE_HELP)]


@hsm.command()
def serve(
    keys: Keys = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help=_("The port on the loopback interface; 0 takes a free one."))
    ] = DEFAULT_PORT,
    token_file: TokenFile = None,
    module: Module = None,
    label: Label = "sscard",
) -> None:
    """Serve the HSM on 127.0.0.1 until Ctrl-C, to programs that have the service's token.

    The log on standard error has time, operation, key address, card district
    and status of each request. No answer holds a key.
    """
    from sscard.hsm.http import HsmServer, service_token

    file = token_file or default_token_file()
    with _backend(keys, module, label) as behind, HsmServer(behind, service_token(file), port=port, log=tell) as server:
        serve_until_signal(server, _("HSM at {url}, token in {file}", url=server.url, file=file))


@hsm.command()
def load(
    module: Annotated[Path, typer.Option(metavar="FILE", help=_("The token's PKCS#11 library."))],
    label: Label = "sscard",
    keys: Keys = None,
) -> None:
    """Put the DES roots of a key file into a PKCS#11 token; keys at the same address are replaced."""
    from sscard.hsm.pkcs11 import load_roots, read_key_file

    with hsm_refusals():
        count = load_roots(module, label, _token_pin(), read_key_file(keys))
        typer.echo(_("keys loaded into token {label}: {count}", label=label, count=count))


@contextmanager
def hsm_refusals() -> Iterator[None]:
    """What the HSM refuses is told in one line and ends with 1."""
    from sscard.hsm import HsmError

    try:
        yield
    except HsmError as error:
        tell(f"sscard: {error}")
        raise typer.Exit(1) from None


def http_hsm(url: str, token_file: Path | None) -> Hsm:
    """The HSM service at a URL, with the token of its file."""
    from sscard.hsm.http import HttpHsm, read_token

    return HttpHsm(url, read_token(token_file or default_token_file()))


def default_token_file() -> Path:
    """Where the service's token stands for the programs of the same user."""
    return Path(typer.get_app_dir("sscard")) / "hsm-token"


@contextmanager
def _backend(keys: Path | None, module: Path | None, label: str) -> Iterator[Hsm]:
    from sscard.hsm import SoftHsm

    if module is None:
        yield SoftHsm(keys_of(keys))
        return
    if keys is not None:
        raise InputError(
            _("--keys and --module exclude each other"), remedy=_("load the keys first: sscard hsm load --help")
        )
    from sscard.hsm.pkcs11 import Pkcs11Hsm

    with hsm_refusals(), Pkcs11Hsm(module, label, _token_pin()) as hsm:
        yield hsm


def _token_pin() -> str:
    return os.environ.get("SSCARD_TOKEN_PIN") or str(typer.prompt(_("PIN of the token"), hide_input=True))
