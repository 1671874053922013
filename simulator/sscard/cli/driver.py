"""``sscard driver build|path|serve|call``: the terminal's driver (读写终端接口) for programs in every language."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sscard.cli.serving import serve_until_signal
from sscard.cli.target import TARGET_HELP, keys_of, open_image, open_target, tell
from sscard.cli.usage import Commands
from sscard.errors import InputError
from sscard.i18n.language import _

if TYPE_CHECKING:
    from sscard.driver.station import Reader
    from sscard.terminal.pinpad import PinPad

PAD_TIMEOUT = 30.0
CANCEL, TIMEOUT = "cancel", "timeout"
CARD_PATIENCE = 1.0
"""Seconds to see a card in a PC/SC reader: pcscd looks every 0.4 s."""
CALL_SCHEMA = "sscard-driver-call-1"

driver = Commands(help=_("The terminal's driver (SSCardDriver) for programs in C and every other language."))

Folder = Annotated[
    Path | None, typer.Option("-o", "--output", metavar="FOLDER", help=_("Where to; else a cache folder of this user."))
]


class System(StrEnum):
    """What the library is built for."""

    here = "here"
    win64 = "win64"
    win32 = "win32"


For = Annotated[System, typer.Option("--for", help=_("This machine, or Windows, compiled with mingw-w64."))]


class PsamLevel(StrEnum):
    """Whose PSAM stands in the terminal."""

    national = "national"
    province = "province"
    city = "city"


@driver.command()
def build(
    output: Folder = None,
    system: For = System.here,
    compiler: Annotated[str, typer.Option("--cc", metavar="COMMAND", help=_("Another C compiler."))] = "",
) -> None:
    """Compile the C library and print its path; sscarddriver.h lies beside it.

    A program links to it by that path: cc program.c -I FOLDER FOLDER/libsscarddriver.so
    """
    from sscard.driver import native

    typer.echo(native.build(output or _cached(system).parent, native.SYSTEMS[system], compiler=compiler))


@driver.command()
def path(system: For = System.here) -> None:
    """Print the path of the library that build made."""
    library = _cached(system)
    if not library.exists():
        chosen = "" if system is System.here else f" --for {system}"
        raise InputError(_("the library is not built"), remedy=f"sscard driver build{chosen}")
    typer.echo(library)


@driver.command()
def serve(
    target: Annotated[str, typer.Argument(help=f"{TARGET_HELP} {_('An image serves both interfaces.')}")],
    contactless: Annotated[
        str, typer.Option(metavar="TARGET", help=_("Another card, or reader, for the contactless interface."))
    ] = "",
    pins: Annotated[
        str,
        typer.Option(
            metavar="PIN,PIN,…",
            help=_(
                "What is typed at the PIN pad in turn, {cancel!r} and {timeout!r} among it; after the last it times "
                "out. Else this terminal is the pad.",
                cancel=CANCEL,
                timeout=TIMEOUT,
            ),
        ),
    ] = "",
    repeat: Annotated[bool, typer.Option("--repeat", help=_("Begin again after the last of --pins."))] = False,
    pad_timeout: Annotated[float, typer.Option(min=0.1, help=_("Seconds the pad waits for each PIN."))] = PAD_TIMEOUT,
    psam: Annotated[PsamLevel | None, typer.Option(help=_("Put a virtual PSAM of the keys into the terminal."))] = None,
    terminal: Annotated[
        str,
        typer.Option(
            metavar="NUMBER",
            help=_("Terminal number of the PSAM, 12 digits. Defaults to 000001 of the city of the card."),
        ),
    ] = "",
    keys: Annotated[
        Path | None, typer.Option(metavar="FILE", help=_("Key addresses and the PSAM's roots; else the test keys."))
    ] = None,
    place: Annotated[str, typer.Option(metavar="P", help=_("A place policy: what an initial PIN may do."))] = "",
    listen: Annotated[
        str, typer.Option(metavar="PLACE", help=_("A Unix socket, or tcp:PORT; else where the library looks for it."))
    ] = "",
    idle: Annotated[
        float | None, typer.Option(min=1, metavar="SECONDS", help=_("End when nobody has been connected for so long."))
    ] = None,
) -> None:
    """Serve the driver's functions until Ctrl-C or SIGTERM; see PROTOCOL.md beside the library's source.

    The log on standard error has time, function and return code, never a parameter.
    """
    from sscard.driver.api import DriverOptions, Readers, SSCardDriver
    from sscard.driver.server import serve_driver
    from sscard.driver.station import issue_terminal_psam
    from sscard.issuer import find_place

    hierarchy = keys_of(keys)
    options = DriverOptions(place=find_place(place) if place else None)
    with ExitStack() as held, _terminal_kept():
        contact, other = _interfaces(target, held)
        readers = Readers(contact, _interfaces(contactless, held)[1] if contactless else other)
        made = SSCardDriver(
            readers,
            _pad(pins, repeat, pad_timeout),
            issue_terminal_psam(readers, psam.value, hierarchy, terminal) if psam else None,
            hierarchy.address_of,
            options,
        )
        with serve_driver(made, listen, idle=idle, log=tell) as server:
            serve_until_signal(server, _("driver at {place}", place=server.place))


@driver.command()
def call(
    library: Annotated[str, typer.Argument(help=_("A driver's shared library (.so, .dll), or a plug-in's URL."))],
    function: Annotated[
        str, typer.Argument(metavar="[FUNCTION]", help=_("As iReadCardBas; none: calls on standard input."))
    ] = "",
    arguments: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ARG…]", help=_("Its parameters in the order of the C function, without pOutInfo.")),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help=_("For programs."))] = False,
) -> None:
    """Call functions of a driver library and print return code and pOutInfo. Exits 1 if a code is not 0.

    On standard input a line is a call: function and parameters separated by
    TAB. Each is answered before the next is read, in one process, so that the
    steps of an HSM group stay together. A PIN in pOutInfo is masked.
    """
    from sscard.driver.libraries import open_driver, parameters_of, without_pin

    lines = (line.rstrip("\r\n").split("\t") for line in sys.stdin if line.strip())
    failed = False
    with open_driver(library) as opened:
        for name, *words in [[function, *(arguments or [])]] if function else lines:
            code, out = opened.call(name, parameters_of(name, words))
            shown = without_pin(name, out)
            content = {"schema": CALL_SCHEMA, "function": name, "code": code, "out": shown}
            typer.echo(json.dumps(content, ensure_ascii=False) if as_json else f"{code}\t{shown}")
            failed |= code != 0
    if failed:
        raise typer.Exit(1)


def _cached(system: System) -> Path:
    from sscard.driver.native import cached_library
    from sscard.version import __version__

    return cached_library(__version__, system)


def _interfaces(url: str, held: ExitStack) -> tuple[Reader, Reader | None]:
    """How to open a card by contact, and without: an image has both interfaces, any other card serves as either."""
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
        from random import SystemRandom

        from sscard.issuer.cardfile import FileCard

        card = held.enter_context(open_image(url))
        other = FileCard(card.card, card.path, SystemRandom(), contact=False)
        return lambda: card, lambda: other
    connection = held.enter_context(open_target(url))
    return lambda: connection, lambda: connection


def _pad(pins: str, repeat: bool, timeout: float) -> PinPad:
    from sscard.terminal.pinpad import CONTROLLING_TERMINAL, ScriptedPad, TerminalPad

    if pins:
        entries = pins.split(",")
        return _ScriptedPad(cycle(entries) if repeat else iter(entries))
    try:
        CONTROLLING_TERMINAL.open("rb").close()
    except OSError:
        tell(_("no terminal to type PINs at: each entry times out; --pins types by itself"))
        return ScriptedPad()
    return TerminalPad(timeout)


class _ScriptedPad:
    """A pad that types what the command line says; nothing of it shows anywhere."""

    def __init__(self, entries: Iterator[str]) -> None:
        self._entries = entries

    def enter(self, prompt: str) -> str:
        from sscard.terminal.pinpad import EntryCancelled, EntryTimedOut

        tell(_("pad: {prompt}", prompt=prompt))
        entry = next(self._entries, TIMEOUT)
        if entry == CANCEL:
            raise EntryCancelled
        if entry == TIMEOUT:
            raise EntryTimedOut
        return entry


@contextmanager
def _terminal_kept() -> Iterator[None]:
    """Whatever a PIN prompt has done to the terminal is undone at the end, also in the middle of one."""

    try:
        import termios
    except ImportError:  # Windows
        yield
        return
    if not sys.stdin.isatty():
        yield
        return
    before = termios.tcgetattr(sys.stdin)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
