"""``sscard apdu``: send commands to a card, from arguments, a script or a pipe."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sscard.cli.options import (
    card_argument,
    challenges_option,
    commands_argument,
    contactless_option,
    explain_option,
    force_option,
    json_option,
    pins_option,
    sync_option,
    trace_option,
)
from sscard.cli.output import check_output, printed_json_list, written_trace
from sscard.cli.planted import defect_option, planted_lines
from sscard.cli.target import STDIN, is_file, open_target, standard_input
from sscard.cli.usage import command, excluding, option
from sscard.errors import InputError
from sscard.i18n.language import N_, _

if TYPE_CHECKING:
    from sscard.conversation import Event, Recorder
    from sscard.conversation.scripts import Power, Send

Show = Callable[["Event"], None]
Save = Callable[["Event"], object]


@command("apdu")
@card_argument
@commands_argument
@explain_option
@option("--raw", is_flag=True, help=N_("Print one answer line (DATA SW) per input line, for programs."))
@trace_option
@force_option
@contactless_option
@challenges_option
@defect_option
@pins_option
@json_option
@sync_option
def apdu(
    target: str,
    commands: tuple[str, ...],
    explain: bool,
    raw: bool,
    trace: Path | None,
    force: bool,
    contactless: bool,
    seed: int | None,
    defects: tuple[str, ...],
    pins: tuple[str, ...],
    as_json: bool,
) -> None:
    """Send command APDUs to a card and print its answers.

    Exits 1 if the card refuses a command, or its answer differs from the one
    the script expects.

    A script has one command per line, in hex. 'reset' resets the card, 'exit'
    ends the script, # starts a comment, \\ continues a line, {pin} is replaced
    by the PIN of --pin (syntax of scriptor). CMD, RST, OFF, REM, [expected
    data] and (expected status words) are accepted too, with X for any digit
    (syntax of ETSI TS 101 955 Annex B):

      CMD 00 84 00 00 04 [XXXXXXXX] (90 00)
    """
    if trace is not None:
        check_output(trace, replace=force)
    if raw and as_json:
        raise excluding("--raw", "--json")
    show: Show = show_later if as_json else show_raw if raw else show_explained if explain else show_plain
    with ExitStack() as outputs:
        saves: list[Save] = []
        if as_json:
            saves.append(outputs.enter_context(printed_events()))
        if trace is not None:
            saves.append(outputs.enter_context(written_trace(trace)))
        if defects:
            from sscard.terminal.cards import IMAGE, scheme_of

            if scheme_of(target) != IMAGE:
                raise InputError(
                    _("{url}: a defect can be planted in a card file only", url=target), remedy=_("leave out --defect")
                )
            for line in planted_lines(outputs, defects):
                click.echo(line, err=True)
        failed = converse(target, commands, pins, show, saves, contactless=contactless, seed=seed)
    if failed and not raw:
        raise SystemExit(1)


def converse(
    target: str,
    commands: Sequence[str],
    pins: Sequence[str],
    show: Show,
    saves: Sequence[Save],
    *,
    contactless: bool,
    seed: int | None,
) -> bool:
    """Send commands, or the script on standard input, showing each exchange; whether one failed.

    Each event is saved as it happens, and forgotten. Arguments, and a script
    in a file, are checked before the card is used, of a pipe the first line
    before the card gets power: a script that cannot be used replaces no output file.
    """
    from sscard.cli.prompt import checked_pin
    from sscard.conversation import Recorder
    from sscard.conversation.scripts import check_pins, powered, read_script

    given = [checked_pin(pin, "--pin") for pin in pins]
    source = "" if commands else STDIN
    if commands:
        check_pins(read_script(commands, source), given, source)
    elif is_file(sys.stdin):
        start = sys.stdin.tell()
        check_pins(read_script(standard_input(), source), given, source)
        sys.stdin.seek(start)
    last: deque[Event] = deque(maxlen=1)

    def hear(event: Event) -> None:
        last.append(event)
        for save in saves:
            save(event)

    with open_target(target, contact=not contactless, seed=seed) as connection:
        statements = powered(read_script(commands or standard_input(), source), on=True)
        first = list(islice(statements, 1))
        check_pins(first, given, source)
        recorder = Recorder(connection, heard=hear)
        recorder.power_on()
        try:
            failed = False
            for statement in chain(first, statements):
                failed |= not _play(recorder, statement, given, source, lambda: show(last[-1]))
            return failed
        finally:
            recorder.power_off()


def _play(recorder: Recorder, statement: Power | Send, pins: list[str], source: str, show: Callable[[], None]) -> bool:
    """Send one statement; whether the card answered as it should."""
    from sscard.conversation.scripts import Power, fill, meets
    from sscard.transport.connection import ShortAnswer

    if isinstance(statement, Power):
        {"on": recorder.power_on, "off": recorder.power_off, "reset": recorder.reset}[statement.action]()
        show()
        return True
    command = fill(statement, pins, source)
    answer = recorder.transmit(command)
    show()
    if len(answer) < 2:
        raise ShortAnswer(len(answer))
    if not statement.expects:
        asks_tries = command[1:2] == b"\x20" and len(command) <= 5  # then 63Cx is the tries left, and no refusal
        return answer[-2] in ((0x90, 0x61, 0x6C, 0x63) if asks_tries else (0x90, 0x61, 0x6C))
    if meets(statement, answer):
        return True
    data = "" if statement.data is None else f"[{statement.data}] "
    place = f"{source}:{statement.line}: " if source else ""
    click.echo(place + _("expected {answer}", answer=f"{data}({', '.join(statement.sws)})"), err=True)
    return False


def show_raw(event: Event) -> None:
    """Data and status word on a line; the ATR as data of a reset."""
    from sscard.conversation import PowerEvent

    answer = f"{event.atr} 9000".strip() if isinstance(event, PowerEvent) else event.answer
    sys.stdout.write(f"{answer}\n")
    sys.stdout.flush()


def show_later(_event: Event) -> None:
    """Nothing: with --json the events are printed by ``printed_events``."""


@contextmanager
def printed_events() -> Iterator[Save]:
    """Print the conversation for programs, event by event."""
    from sscard.conversation.recording import event_facts

    with printed_json_list("conversation", "events") as add:
        yield lambda event: add(event_facts(event))


def show_plain(event: Event) -> None:
    """As a trace shows it."""
    click.echo(str(event))


def show_explained(event: Event) -> None:
    """The bytes, then all in words."""
    from sscard.conversation import PowerEvent

    if isinstance(event, PowerEvent):
        click.echo(str(event))
        return
    click.echo(f"> {event.command}\n< {event.answer}")
    for line in event.lines():
        click.echo(f"  {line}")
