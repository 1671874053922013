"""``sscard hsm serve|load|vectors|check``."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import click

from sscard.cli.chosen import ask_pin_of_token, chosen_holder_base, chosen_hsm, default_token_file, hsm_refusals
from sscard.cli.hsm_vectors import check, vectors
from sscard.cli.options import (
    connections_option,
    hsm_option,
    hsm_token_option,
    json_option,
    keys_option,
    message_timeout_option,
    none_option,
)
from sscard.cli.output import print_json
from sscard.cli.serving import serve_until_signal
from sscard.cli.target import tell
from sscard.cli.types import FILE, FREE_PORT, HOLDER_BASE, Text
from sscard.cli.usage import group, option
from sscard.errors import InputError, MissingPart
from sscard.files import unreadable, warn_if_exposed
from sscard.i18n.language import N_, _

DEFAULT_PORT = 8440
SERVER_EXTRA = "pip install 'sscard[server]'"

label_option = option(
    "--token",
    "label",
    type=Text(N_("LABEL")),
    default="sscard",
    help=N_("Label of the token. Its PIN: SSCARD_TOKEN_PIN, or a prompt."),
)


@group("hsm")
def hsm() -> None:
    """The HSM of the issuer, as a service or in a PKCS#11 token, and test vectors for HSMs of others."""


hsm.add_command(vectors)
hsm.add_command(check)


@hsm.command("serve")
@keys_option
@hsm_option
@hsm_token_option
@option("--port", type=FREE_PORT, default=DEFAULT_PORT, help=N_("Port on the loopback interface, 0: a free one."))
@option(
    "--token-file",
    type=FILE,
    help=N_("File with the token of this service. Created if it does not exist. Default: the file of this user."),
)
@option("--module", type=FILE, help=N_("PKCS#11 library of a token, short for --hsm pkcs11:…"))
@label_option
@none_option(
    "--holder-base",
    type=HOLDER_BASE,
    default="",
    help=N_("Holder base that the service offers: a file, or a URL as for sscard case open. Default: none."),
)
@message_timeout_option
@connections_option
def serve(
    keys: Path | None,
    hsm: str,
    hsm_token: Path | None,
    port: int,
    token_file: Path | None,
    module: Path | None,
    label: str,
    holder_base: str,
    message_timeout: float,
    connections: int,
) -> None:
    """Serve the HSM on 127.0.0.1 until Ctrl-C, to programs that have the token of the service.

    The log on standard error has time, operation, key address, card district
    and status of each request. No answer contains a key. GET /openapi.json
    describes the requests, GET /health answers while the service runs.

    A program that calls the HSM steps of a driver posts the string of a step
    and gets the pKey of the next one. basic is the output of iReadCardBas:

      curl -H "Authorization: Bearer $(cat TOKEN_FILE)"
           http://127.0.0.1:8440/v1/host/authenticate -d @request.json

      request.json: {"basic": "510100|…|", "asked": "03|1009|…|"}

      host/check-card    iReadCardBas, step 1 to 2, without basic
      host/authenticate  iReadCard, iWriteCard, iReloadPIN, iUnblockPIN, step 1 to 2
      host/safe-message  iReloadPIN, iUnblockPIN, step 2 to 3
      host/purchase      iDoDebit, step 1 to 2
      host/settle        the output of iDoDebit, true or false

    With --holder-base, holder-base/standing answers {"card_number": "…"} with
    the standing of the card.

    A body in GBK needs -H "Content-Type: application/json; charset=GBK".
    """
    from sscard.driver.hoststrings import CardHolderBase, host_operations

    try:
        from sscard.hsm.server import HsmServer, service_token
    except ModuleNotFoundError as missing:
        raise MissingPart(_("{package} is not installed", package=missing.name), SERVER_EXTRA) from None

    if module is not None:
        if keys is not None or hsm:
            raise InputError(
                _("--module excludes --keys and --hsm"), remedy=_("load the keys first: sscard hsm load --help")
            )
        from urllib.parse import quote

        hsm = f"pkcs11:token={quote(label)};module={quote(str(module))}"
    file = token_file or default_token_file()
    try:
        file.lstat()
    except FileNotFoundError:
        pass  # it is created
    except OSError as error:
        raise unreadable(file, error) from None
    with chosen_hsm(hsm, keys, hsm_token) as behind, chosen_holder_base(holder_base, hsm_token) as base:
        token = service_token(file)
        warn_if_exposed(file, tell)
        with HsmServer(
            behind,
            token,
            further=host_operations(CardHolderBase(behind)),
            holder_base=base,
            port=port,
            log=partial(print, file=sys.stderr),
            timeout=message_timeout,
            connections=connections,
        ) as server:
            announcement = _("HSM at {url}, token in {file}", url=server.url, file=file)
            serve_until_signal(server.serve_forever, server.shutdown, announcement)


@hsm.command("load")
@option("--module", type=FILE, required=True, help=N_("PKCS#11 library of the token."))
@label_option
@keys_option
@json_option
def load(module: Path, label: str, keys: Path | None, as_json: bool) -> None:
    """Write the DES roots of a key file to a PKCS#11 token; keys at the same address are replaced.

    A token computes no SM4, and no TAC of a purchase: that needs the XOR of
    the two halves of a key, which PKCS#11 cannot compute without reading it.
    """
    from sscard.hsm.pkcs11 import find_token, load_roots, token_pin
    from sscard.hsm.protocol import Access
    from sscard.issuer.lookup import read_key_file

    with hsm_refusals():
        roots = read_key_file(keys)
        find_token(module, label)  # reports a wrong module or label before the prompt for the PIN
        count = load_roots(module, label, token_pin(Access(ask_pin=ask_pin_of_token)), roots)
        if as_json:
            print_json("hsm-load", {"token": label, "keys": count})
        else:
            click.echo(_("keys loaded into token {label}: {count}", label=label, count=count))
