"""``sscard record``, ``replay``, ``compare``, ``export``: conversations kept, played again, laid side by side."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sscard.cli.apdu import Commands, Contactless, Explain, Pins, converse, show_explained, show_plain, write_text
from sscard.cli.target import TARGET_HELP, open_target
from sscard.errors import InputError
from sscard.i18n.language import N_, _, reason_of, say

if TYPE_CHECKING:
    from sscard.conversation import Recorder
    from sscard.conversation.replay import Played, Side
    from sscard.conversation.scripts import Statement

Script = Annotated[str, typer.Argument(metavar="FILE", help=_("A recording or a script; - for standard input."))]
SwOnly = Annotated[
    bool, typer.Option("--sw-only", help=_("Compare status words only: for cards of different holders."))
]
All = Annotated[bool, typer.Option("--all", help=_("Go on after the first difference, and show all."))]
STDIN = "-"
SCENARIO_SUFFIXES = (".yaml", ".yml")


class Form(StrEnum):
    """A form a script is written in."""

    ETSI = "etsi"
    SCRIPTOR = "scriptor"


def record(
    target: Annotated[str, typer.Argument(help=TARGET_HELP)],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help=_("The recording."))],
    commands: Commands = None,
    explain: Explain = False,
    contactless: Contactless = False,
    pins: Pins = None,
) -> None:
    """Record a conversation with any card, decoded and redacted, while sending commands or a script.

    Scripts are written as for 'sscard apdu'. PINs are never in the recording:
    it keeps only which PIN was used where, and 'sscard replay' is given them
    again. What the card's files hold is in it, the holder's data as well.
    """
    from sscard.conversation.recording import write_recording

    write_text(output, "")  # what cannot be written is told before the card is touched

    def save(recorder: Recorder) -> None:
        write_text(output, write_recording(recorder.events))

    converse(target, commands, pins, show_explained if explain else show_plain, save, contactless=contactless)
    typer.echo(_("{output}: play it with: sscard replay {output} TARGET", output=output), err=True)


def replay(
    file: Script,
    target: Annotated[str, typer.Argument(help=TARGET_HELP)],
    pins: Pins = None,
    sw_only: SwOnly = False,
    show_all: All = False,
    contactless: Contactless = False,
) -> None:
    """Play a recording on a card and compare the answers; ends with 1 at a difference.

    Random answers are not compared, of an ATR all but the serial number. The
    commands work on the card: use a copy of an image. A recording ends to be
    replayable where a command proves something over a random of the card
    (EXTERNAL AUTHENTICATION, commands with a MAC); the rest is then not played,
    which ends with 1 too. A script with expected answers is played as well.
    """
    from sscard.conversation.replay import check_pins, replay

    statements = _read(file)
    given = _checked(pins)
    check_pins(statements, given, file)
    with ExitStack() as stack:
        side = _side(stack, target, contactless)
        played = _told(replay(statements, side, given, file, sw_only=sw_only), show_all)
        side.recorder.power_off()
    _conclude(played, statements, file)


def compare(
    script: Annotated[
        str, typer.Argument(help=_("A script, a recording (- for standard input), or a scenario (.yaml)."))
    ],
    target_a: Annotated[
        str,
        typer.Argument(metavar="A", help=f"{TARGET_HELP} {_('For a scenario: a personality.')}"),
    ],
    target_b: Annotated[str, typer.Argument(metavar="B", help=_("The other."))],
    pins: Pins = None,
    sw_only: SwOnly = False,
    show_all: All = False,
    contactless: Contactless = False,
    seed: Annotated[int, typer.Option(help=_("For a scenario: fixes challenges and made-up holders."))] = 1,
) -> None:
    """Play one script on two cards and show the first difference; ends with 1 at one, with 0 where there is none.

    Random answers are not compared, of an ATR all but the serial number. The
    commands work on both cards: use copies of images. A scenario makes its own
    card, so it is run on two personalities, and what its steps come to is compared.
    """
    if Path(script).suffix in SCENARIO_SUFFIXES:
        _compare_scenarios(Path(script), target_a, target_b, seed, show_all)
        return
    from sscard.conversation.replay import check_pins, compare

    statements = _read(script)
    given = _checked(pins)
    check_pins(statements, given, script)
    with ExitStack() as stack:
        left, right = (_side(stack, target, contactless) for target in (target_a, target_b))
        played = _told(compare(statements, left, right, given, script, sw_only=sw_only), show_all)
        for side in (left, right):
            side.recorder.power_off()
    _conclude(played, statements, script)


def export(
    file: Script,
    form: Annotated[Form, typer.Option("--as", help=_("ETSI TS 101 955 Annex B, or pcsc-tools' scriptor."))],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help=_("Else standard output."))
    ] = None,
) -> None:
    """Write a recording or a script as a script of another form.

    Expected answers go with it, X where they are random; PINs are written as
    {pin1}, {pin2}, to be filled in; what cannot be sent again stands in comments.
    """
    from sscard.conversation.scripts import write_etsi, write_scriptor

    text = (write_etsi if form == Form.ETSI else write_scriptor)(_read(file))
    if output is None:
        sys.stdout.write(text)
    else:
        write_text(output, text)


def _read(file: str) -> list[Statement]:
    from sscard.conversation.recording import read_statements

    if file == STDIN:
        return read_statements(sys.stdin.read(), "<stdin>")
    try:
        text = Path(file).read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(_("cannot be read: {reason}", reason=reason_of(error)), file=file) from None
    except UnicodeDecodeError as error:
        raise InputError(_("is not UTF-8 text (byte {start})", start=error.start), file=file) from None
    return read_statements(text, file)


def _checked(pins: list[str] | None) -> list[str]:
    from sscard.cli.pins import checked_pin

    return [checked_pin(pin, "--pin") for pin in pins or []]


def _side(stack: ExitStack, target: str, contactless: bool) -> Side:
    """A card to play on; an image lets its state be seen."""
    from sscard.conversation.replay import Side
    from sscard.issuer.cardfile import FileCard

    connection = stack.enter_context(open_target(target, contact=not contactless))
    if not isinstance(connection, FileCard):
        return Side(target, connection, None)
    chip = connection.chip

    def state() -> str:
        """The tries left and the words true of the card."""
        from sscard.scenario.step import show_state, view_of

        view = view_of(chip.snapshot(), None)
        return _("{tries} tries left, {state}", tries=view.tries, state=show_state(view.state))

    return Side(target, connection, state)


def _told(played: Iterable[Played], show_all: bool) -> list[Played]:
    """Play and show differences as they come, to the first or to the end."""
    done = []
    for one in played:
        done.append(one)
        if one.difference is not None:
            typer.echo("\n".join(one.difference.lines()))
            if not show_all:
                break
    return done


def _conclude(played: list[Played], statements: list[Statement], file: str) -> None:
    """Say what was played and what was not, and end with 1 where not all of it came out equal."""
    from sscard.conversation.scripts import Send

    sent = sum(isinstance(one.statement, Send) and one.event is not None for one in played)
    commands = sum(isinstance(statement, Send) for statement in statements)
    differences = sum(one.difference is not None for one in played)
    told = _counted(differences, N_("no difference"), N_("1 difference"), N_("{count} differences"))
    typer.echo(_("{sent} of {commands} commands played, {differences}", sent=sent, commands=commands, differences=told))
    left = [one.statement for one in played if one.event is None]
    for statement in left:
        if isinstance(statement, Send):
            typer.echo(f"{file}:{statement.line}: {say(statement.note)}: {say(statement.obstacle)}")
    if differences or left:
        raise typer.Exit(1)


def _counted(count: int, none: str, one: str, many: str) -> str:
    return _(none) if not count else _(one) if count == 1 else _(many, count=count)


def _compare_scenarios(path: Path, left: str, right: str, seed: int, show_all: bool) -> None:
    from sscard.issuer import find_personality
    from sscard.scenario import find_scenarios, run_scenario
    from sscard.scenario.side_by_side import differing_steps

    one, other = (run_scenario(find_scenarios([path], find_personality(name))[0], seed) for name in (left, right))
    found = differing_steps(one, other, (left, right))
    for difference in found if show_all else found[:1]:
        typer.echo("\n".join(difference))
    typer.echo(
        f"{path}: "
        + _counted(
            len(found),
            N_("no step came out differently"),
            N_("1 step came out differently"),
            N_("{count} steps came out differently"),
        )
    )
    if found:
        raise typer.Exit(1)
