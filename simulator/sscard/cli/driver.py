"""``sscard driver build|path|serve|call``: the terminal's driver (读写终端接口) for programs in every language."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sscard.cli.options import connections_option, json_option, message_timeout_option, none_option, sync_option
from sscard.cli.output import print_json
from sscard.cli.prompt import pin_pad, terminal_kept
from sscard.cli.psam import PsamLevel
from sscard.cli.serving import serve_until_signal
from sscard.cli.target import asked_to_sync, keys_of, open_image, open_target, standard_input, tell
from sscard.cli.types import (
    CARD,
    FILE,
    FOLDER,
    MOST_SECONDS,
    PLACE_OR_NONE,
    SECONDS,
    Address,
    Entries,
    Number,
    Program,
    TerminalPsam,
    Text,
    Words,
)
from sscard.cli.usage import argument, group, option
from sscard.errors import InputError
from sscard.i18n.language import N_, _, visible
from sscard.signals import LOOK

if TYPE_CHECKING:
    from sscard.driver.errors import ErrorTable
    from sscard.driver.server import DriverServer
    from sscard.driver.station import InternalAuth, PsamOfCity, Reader
    from sscard.issuer import KeyHierarchy
    from sscard.terminal.psam import Psam

PAD_TIMEOUT = 30.0
WEBSOCKET = "ws:"
CARD_PATIENCE = 1.0
"""Seconds to see a card in a PC/SC reader: pcscd looks every 0.4 s."""
CALL_SCHEMA = "sscard.driver-call/1"


class System(StrEnum):
    """What the library is built for."""

    here = "here"
    win64 = "win64"
    win32 = "win32"


system_option = option(
    "--for", "system", type=Words(System), default=System.here, help=N_("This machine, or Windows by mingw-w64.")
)


@group("driver")
def driver() -> None:
    """The driver of the terminal (SSCardDriver), for programs in C and every other language."""


@driver.command("build")
@option("-o", "--output", type=FOLDER, help=N_("Output folder. Default: a cache folder of this user."))
@system_option
@option("--cc", "compiler", type=Program(N_("COMMAND")), help=N_("C compiler to use."))
@json_option
def build(output: Path | None, system: System, compiler: str | None, as_json: bool) -> None:
    """Compile the C library and print its path; sscarddriver.h is in the same folder.

    Link a program to it by that path:

      cc program.c -I FOLDER FOLDER/libsscarddriver.so
    """
    from sscard.driver import native

    _print_path(
        native.build(output or _cached(system).parent, native.SYSTEMS[system], compiler=compiler or ""), as_json
    )


@driver.command("path")
@system_option
@json_option
def path(system: System, as_json: bool) -> None:
    """Print the path of the library that was built."""
    library = _cached(system)
    if not library.exists():
        chosen = "" if system is System.here else f" --for {system}"
        raise InputError(_("the library is not built"), remedy=f"sscard driver build{chosen}")
    _print_path(library, as_json)


@driver.command("serve")
@argument(
    "target",
    metavar=N_("CARD"),
    type=CARD,
    help=N_(
        "Card: a card file, pcsc[:READER], tcp:HOST:PORT, exec:COMMAND, or the URL of a plug-in. A card file serves "
        "both interfaces."
    ),
)
@option("--contactless", type=CARD, default="", help=N_("Another card, or reader, for the contactless interface."))
@option(
    "--pins",
    type=Entries(N_("PIN,PIN,…")),
    help=N_(
        "Entries at the PIN pad, in order, 'cancel' and 'timeout' among them; after the last one it times out. "
        "Default: this terminal is the pad."
    ),
)
@option("--repeat", is_flag=True, help=N_("After the last entry of --pins, start again with the first."))
@option("--pad-timeout", type=SECONDS, default=PAD_TIMEOUT, help=N_("Seconds the pad waits for each PIN."))
@option(
    "--psam",
    type=TerminalPsam(
        N_("PSAM"),
        lambda: list(PsamLevel),
        N_("no PSAM {name!r}"),
        files=True,
        path="(image:)?(?P<path>[^:]*[./][^:]*)",
    ),
    default="",
    help=N_(
        "PSAM in the terminal: national, province or city (a virtual one with keys of this level), a PSAM file, or "
        "pcsc:READER. Default: none."
    ),
)
@option(
    "--terminal",
    type=Text(N_("DIGITS")),
    default="",
    help=N_(
        "Terminal number of the virtual PSAM, 12 digits. Default: the city code of the card in the reader, then 000001."
    ),
)
@option("--keys", type=FILE, help=N_("Key addresses and roots of the PSAM. Default: the built-in test keys."))
@none_option(
    "--place",
    type=PLACE_OR_NONE,
    default="",
    help=N_("Place policy: uses of an initial PIN, rules for new PINs; or 'none'."),
)
@option(
    "--errors",
    type=Words("sscard.driver.errors:ErrorTable"),
    default="standard",
    help=N_("Table of return codes: of the test standard, or the alternative one of a control, compiled or as script."),
)
@option(
    "--device-serial",
    type=Text(N_("TEXT")),
    help=N_("Device serial, the ninth field of iReadCardBas_HSM_Step1. Default: eight fields."),
)
@option(
    "--internal-auth",
    type=Words("sscard.driver.station:InternalAuth"),
    default="all",
    help=N_("Cards that iReadCardBas_HSM_Step1 authenticates; of the others it leaves fields 5 to 8 empty."),
)
@option(
    "--listen",
    type=Address(N_("ADDRESS"), path="(?P<path>(?!tcp:|ws:).+)"),
    help=N_(
        "Unix socket, tcp:PORT, or ws:PORT: a WebSocket for pages in a browser, which look for it at ws:12342. "
        "Default: where the library looks for it."
    ),
)
@option(
    "--origin",
    "origins",
    type=Text(N_("ORIGIN")),
    multiple=True,
    help=N_(
        "With ws:PORT: pages that may connect besides those of this machine, as https://his.example; * for any page."
    ),
)
@option("--idle", type=Number(1, MOST_SECONDS, float), help=N_("Exit after this many seconds without a client."))
@sync_option
@message_timeout_option
@connections_option
def serve(
    target: str,
    contactless: str,
    pins: str | None,
    repeat: bool,
    pad_timeout: float,
    psam: str,
    terminal: str,
    keys: Path | None,
    place: str,
    errors: ErrorTable,
    device_serial: str | None,
    internal_auth: InternalAuth,
    listen: str | None,
    origins: tuple[str, ...],
    idle: float | None,
    message_timeout: float,
    connections: int,
) -> None:
    """Serve the functions of the driver until Ctrl-C or SIGTERM.

    The C library, and programs that speak its line protocol (PROTOCOL.md beside
    the library's source), connect to a Unix socket or tcp:PORT; pages in a
    browser to ws:PORT, which needs pip install 'sscard[server]'. Only programs
    on this machine can connect.

    The log on standard error has time, function and return code, never a parameter.
    """
    from sscard.driver.api import DriverOptions, Readers, SSCardDriver
    from sscard.issuer import find_place

    hierarchy = keys_of(keys)
    options = DriverOptions(
        place=find_place(place) if place else None,
        errors=errors,
        device_serial=device_serial,
        internal_authentication=internal_auth,
    )
    with ExitStack() as held, terminal_kept():
        contact, other = _interfaces(target, held)
        readers = Readers(contact, _interfaces(contactless, held)[1] if contactless else other)
        made = SSCardDriver(
            readers,
            pin_pad(pins, repeat, pad_timeout),
            _psam(psam, terminal, hierarchy, held),
            hierarchy.address_of,
            options,
        )
        with _server(listen or "", origins)(
            made, idle=idle, log=tell, timeout=message_timeout, connections=connections
        ) as server:
            serve = partial(server.serve_forever, LOOK)
            serve_until_signal(serve, server.shutdown, _("driver at {place}", place=server.place))


def _server(listen: str, origins: tuple[str, ...]) -> Callable[..., DriverServer]:
    """What makes the server that listens at an address."""
    if listen.startswith(WEBSOCKET):
        from sscard.driver.websocket import serve_websocket

        return partial(serve_websocket, port=int(listen.removeprefix(WEBSOCKET)), origins=origins)
    if origins:
        raise InputError(_("--origin is for pages in a browser"), remedy=_("use it with --listen ws:12342"))
    from sscard.driver.server import serve_driver

    return partial(serve_driver, place=listen)


@driver.command("call")
@argument(
    "library",
    metavar=N_("LIBRARY"),
    help=N_("Shared library of a driver (.so, .dll), ws://HOST:PORT of a control, or the URL of a plug-in."),
)
@argument(
    "function",
    metavar=N_("FUNCTION"),
    required=False,
    default="",
    help=N_("Function, as iReadCardBas. Default: calls on standard input."),
)
@argument(
    "arguments",
    metavar="ARG",
    nargs=-1,
    help=N_("Parameters of the C function, in its order, without pOutInfo."),
)
@json_option
def call(library: str, function: str, arguments: tuple[str, ...], as_json: bool) -> None:
    """Call functions of a driver library and print return code and pOutInfo. Exits 1 if a code is not 0.

    Each line on standard input is a call: function and parameters separated by
    TAB. It is answered before the next line is read, in the same process, so
    that the steps of an HSM group stay together. A PIN in pOutInfo is masked.
    """
    from sscard.driver.libraries import DRIVERS, parameters_of, without_pin

    lines = (line.rstrip("\r\n").split("\t") for line in standard_input() if line.strip())
    failed = False
    with DRIVERS.open(library) as opened:
        for name, *words in [[function, *arguments]] if function else lines:
            code, out = opened.call(name, parameters_of(name, words))
            shown = without_pin(name, out)
            content = {"schema": CALL_SCHEMA, "function": name, "code": code, "out": shown}
            click.echo(json.dumps(content, ensure_ascii=False) if as_json else f"{code}\t{visible(shown)}")
            failed |= code != 0
    if failed:
        raise SystemExit(1)


def _print_path(library: Path, as_json: bool) -> None:
    if as_json:
        print_json("driver-library", {"library": str(library)})
    else:
        click.echo(library)


def _cached(system: System) -> Path:
    from sscard.driver.native import cached_library
    from sscard.version import __version__

    return cached_library(__version__, system)


def _interfaces(url: str, held: ExitStack) -> tuple[Reader, Reader | None]:
    """How to open a card by contact, and without: a card file has both interfaces, any other card serves as either."""
    from sscard.terminal.cards import IMAGE, PCSC, scheme_of

    scheme = scheme_of(url)
    if scheme == PCSC:
        from sscard.transport.pcsc import PcscConnection, ReaderError, readers

        name = url.partition(":")[2]

        def open_reader() -> PcscConnection:
            found = name or next(iter(readers()), "")
            if not found:
                raise ReaderError(_("this machine has no reader"))
            return PcscConnection(found, patience=CARD_PATIENCE)

        return open_reader, open_reader
    if scheme == IMAGE:
        from sscard.issuer.cardfile import FileCard

        card = held.enter_context(open_image(url))
        other = FileCard(card.store, card.path, None, contact=False)
        return lambda: card, lambda: other
    connection = held.enter_context(open_target(url))
    return lambda: connection, lambda: connection


def _psam(given: str, terminal: str, keys: KeyHierarchy, held: ExitStack) -> Psam | PsamOfCity | None:
    """The PSAM in the terminal."""
    from sscard.terminal.cards import IMAGE, image_path, scheme_of
    from sscard.terminal.psam import Psam

    if given in list(PsamLevel):
        from sscard.driver.station import following_psam
        from sscard.issuer.psam import issue_psam

        level = PsamLevel(given)
        if terminal:
            return Psam(issue_psam(keys, terminal, level.value).chip())
        return following_psam(level.value, keys)
    if terminal:
        remedy = _("sscard psam issue --terminal gives a PSAM file its number")
        raise InputError(_("--terminal is the number of a PSAM by its level"), remedy=remedy)
    if not given:
        return None
    if scheme_of(given) == IMAGE:
        from sscard.issuer.psamfile import open_psam

        return Psam(held.enter_context(open_psam(image_path(given), notify=tell, sync=asked_to_sync())))
    return Psam(held.enter_context(open_target(given)))
