"""``sscard apdu``: send commands to a card, from arguments, a script or a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sscard.cli.target import TARGET_HELP, open_target, parse_hex
from sscard.errors import InputError

if TYPE_CHECKING:
    from sscard.transport import Connection

COMMENT = "#"
RESET = "reset"


def apdu(
    target: Annotated[str, typer.Argument(help=TARGET_HELP)],
    commands: Annotated[
        list[str] | None, typer.Argument(metavar="[HEX…]", help="Commands; none: a script on standard input.")
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Say in words what was asked and answered.")] = False,
    raw: Annotated[bool, typer.Option("--raw", help="One answer line (DATA SW) per input line, for programs.")] = False,
    trace: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the redacted trace to FILE.")] = None,
    contactless: Annotated[bool, typer.Option("--contactless", help="Use the contactless interface.")] = False,
) -> None:
    """Send command APDUs to a card and show its answers; ends with 1 where the card refused one.

    A script has a command a line, in hex digits; 'reset' resets the card, # begins a comment.
    """
    from sscard.transport import Recorder

    lines = enumerate(commands, 1) if commands else enumerate(sys.stdin, 1)
    source = "" if commands else "<stdin>"
    with open_target(target, contact=not contactless) as connection:
        recorder = Recorder(connection)
        recorder.power_on()
        try:
            talk = _raw if raw else _explained if explain else _plain
            refused = talk(recorder, _script(lines, source))
        finally:
            recorder.power_off()
            if trace is not None:
                _write(trace, "".join(f"{event}\n" for event in recorder.events))
    if refused and not raw:
        raise typer.Exit(1)


def _script(lines: Iterator[tuple[int, str]], source: str) -> Iterator[bytes | None]:
    """The commands of a script, ``None`` for a reset."""
    for number, line in lines:
        text = line.partition(COMMENT)[0].strip()
        if text.lower() == RESET:
            yield None
        elif text:
            yield parse_hex(text, file=source, line=number)


def _raw(connection: Connection, script: Iterator[bytes | None]) -> bool:
    for command in script:
        answer = connection.reset() + b"\x90\x00" if command is None else connection.transmit(command)
        data, sw = answer[:-2].hex().upper(), answer[-2:].hex().upper()
        sys.stdout.write(f"{data} {sw}\n" if data else f"{sw}\n")
        sys.stdout.flush()
    return False


def _plain(connection: Connection, script: Iterator[bytes | None]) -> bool:
    from sscard.transport import describe

    refused = False
    for command in script:
        if command is None:
            typer.echo(f"# reset {connection.reset().hex().upper()}")
            continue
        answer = connection.transmit(command)
        typer.echo(str(describe(command, answer)))
        refused |= _is_refusal(command, answer)
    return refused


def _explained(connection: Connection, script: Iterator[bytes | None]) -> bool:
    from sscard.transport import describe
    from sscard.transport.explain import Explainer

    refused = False
    explainer = Explainer()
    for command in script:
        if command is None:
            typer.echo(f"# reset {connection.reset().hex().upper()}")
            explainer = Explainer()
            continue
        answer = connection.transmit(command)
        exchange = describe(command, answer)
        typer.echo(f"> {exchange.command}\n< {exchange.answer}")
        for line in explainer.explain(command, answer):
            typer.echo(f"  {line}")
        refused |= _is_refusal(command, answer)
    return refused


def _is_refusal(command: bytes, answer: bytes) -> bool:
    """Whether the card refused; the tries left asked for without data are no refusal."""
    asks_tries = command[1:2] == b"\x20" and len(command) <= 5
    return answer[-2] not in ((0x90, 0x61, 0x6C, 0x63) if asks_tries else (0x90, 0x61, 0x6C))


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot be written: {error.strerror}", file=str(path)) from None
