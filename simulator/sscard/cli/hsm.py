"""``sscard hsm serve|load``, and the options by which every command chooses its HSM."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

import typer

from sscard.cli.serving import serve_until_signal
from sscard.cli.target import tell
from sscard.cli.usage import Commands
from sscard.errors import InputError, MissingPart
from sscard.i18n.language import _

if TYPE_CHECKING:
    from sscard.hsm import Hsm

DEFAULT_PORT = 8440

hsm = Commands(help=_("The issuer's HSM as a service, or in a PKCS#11 token."))

Keys = Annotated[
    Path | None,
    typer.Option(
        "--keys",
        metavar="FILE",
        help=_("The issuer's root keys: the HSM soft:FILE. Defaults to the built-in test keys."),
    ),
]
HsmUrl = Annotated[
    str,
    typer.Option(
        "--hsm",
        metavar="URL",
        help=_(
            "HSM to use: soft:[FILE], http://HOST:PORT, https://HOST:PORT, pkcs11:token=LABEL[;module=PATH], or the "
            "URL of a plug-in. PIN of a token: SSCARD_TOKEN_PIN, or asked for."
        ),
    ),
]
HsmToken = Annotated[
    Path | None,
    typer.Option(
        "--hsm-token", metavar="FILE", help=_("File with the token of an HSM service. Defaults to this user's own.")
    ),
]
Module = Annotated[
    Path | None, typer.Option(metavar="FILE", help=_("PKCS#11 library of a token, short for --hsm pkcs11:…"))
]
Label = Annotated[
    str,
    typer.Option("--token", metavar="LABEL", help=_("The token's label; its PIN is in SSCARD_TOKEN_PIN, or asked.")),
]


@hsm.command()
def serve(
    keys: Keys = None,
    url: HsmUrl = "",
    hsm_token: HsmToken = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help=_("The port on the loopback interface; 0 takes a free one."))
    ] = DEFAULT_PORT,
    token_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help=_("File with the token of this service. Created if it does not exist. Defaults to this user's own."),
        ),
    ] = None,
    module: Module = None,
    label: Label = "sscard",
) -> None:
    """Serve the HSM on 127.0.0.1 until Ctrl-C, to programs that have the service's token.

    The log on standard error has time, operation, key address, card district
    and status of each request. No answer holds a key.

    A program that calls the HSM steps of a driver posts the string of a step
    and gets the pKey of the next one. basic is what iReadCardBas returned:

    curl -H "Authorization: Bearer $(cat TOKEN_FILE)" http://127.0.0.1:8440/v1/host/authenticate -d @request.json

    request.json: {"basic": "510100|…|", "asked": "03|1009|…|"}

    host/check-card: iReadCardBas, step 1 to 2, without basic.
    host/authenticate: iReadCard, iWriteCard, iReloadPIN, iUnblockPIN, step 1 to 2.
    host/safe-message: iReloadPIN, iUnblockPIN, step 2 to 3.
    host/purchase: iDoDebit, step 1 to 2.
    host/settle: the output of iDoDebit, true or false.

    A body in GBK needs -H "Content-Type: application/json; charset=GBK".
    """
    from sscard.driver.hoststrings import CardHolderBase, host_operations
    from sscard.hsm.server import HsmServer, service_token

    if module is not None:
        if keys is not None or url:
            raise InputError(
                _("--module excludes --keys and --hsm"), remedy=_("load the keys first: sscard hsm load --help")
            )
        url = f"pkcs11:token={quote(label)};module={quote(str(module))}"
    file = token_file or default_token_file()
    with (
        chosen_hsm(url, keys, hsm_token) as behind,
        HsmServer(
            behind, service_token(file), further=host_operations(CardHolderBase(behind)), port=port, log=tell
        ) as server,
    ):
        serve_until_signal(server, _("HSM at {url}, token in {file}", url=server.url, file=file))


@hsm.command()
def load(
    module: Annotated[Path, typer.Option(metavar="FILE", help=_("The token's PKCS#11 library."))],
    label: Label = "sscard",
    keys: Keys = None,
) -> None:
    """Put the DES roots of a key file into a PKCS#11 token; keys at the same address are replaced.

    A token computes no SM4, and no TAC of a purchase: that needs the XOR of
    the two halves of a key, which PKCS#11 cannot do without reading it.
    """
    from sscard.hsm.pkcs11 import load_roots, read_key_file, token_pin
    from sscard.hsm.protocol import Access

    with hsm_refusals():
        count = load_roots(module, label, token_pin(Access(ask_pin=_ask_pin)), read_key_file(keys))
        typer.echo(_("keys loaded into token {label}: {count}", label=label, count=count))


@contextmanager
def chosen_hsm(url: str, keys: Path | None, token_file: Path | None = None) -> Iterator[Hsm]:
    """The HSM that ``--hsm``, or ``--keys``, chooses; what it refuses meanwhile ends the command."""
    from sscard.hsm import open_hsm

    if url and keys is not None:
        raise InputError(_("--keys and --hsm exclude each other"), remedy=_("--keys FILE means --hsm soft:FILE"))
    own = default_token_file()
    token = token_file or (own if own.exists() else None)
    with hsm_refusals(), open_hsm(url or f"soft:{keys or ''}", token_file=token, ask_pin=_ask_pin) as opened:
        yield opened


@contextmanager
def hsm_refusals() -> Iterator[None]:
    """Print what the HSM refuses and exit with 1; without an HSM that can be asked, exit with 3."""
    from sscard.hsm import HsmError, HsmUnavailable

    try:
        yield
    except HsmUnavailable as error:
        raise MissingPart(str(error), error.remedy) from None
    except HsmError as error:
        tell(f"sscard: {error}")
        raise typer.Exit(1) from None


def default_token_file() -> Path:
    """Where the service's token stands for the programs of the same user."""
    return Path(typer.get_app_dir("sscard")) / "hsm-token"


def _ask_pin() -> str:
    return str(typer.prompt(_("PIN of the token"), hide_input=True))
