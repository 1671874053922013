"""``sscard record``, ``replay``, ``compare``, ``export``: conversations kept, played again, laid side by side."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sscard.cli.apdu import Save, converse, printed_events, show_explained, show_later, show_plain
from sscard.cli.chosen import chosen_hsm
from sscard.cli.options import (
    CARD_HELP,
    card_argument,
    challenges_option,
    commands_argument,
    contactless_option,
    explain_option,
    force_option,
    hsm_option,
    hsm_token_option,
    json_option,
    keys_option,
    personality_option,
    pin_option,
    pins_option,
    sync_option,
)
from sscard.cli.output import check_output, print_json
from sscard.cli.target import STDIN as STDIN_NAME
from sscard.cli.target import open_target, tell
from sscard.cli.types import CARD, FILE, SEED, Words
from sscard.cli.usage import argument, command, given_names, option
from sscard.errors import InputError
from sscard.files import LARGEST, TextFile, decoded, read_text, write_text
from sscard.i18n.language import N_, _, say, visible, visible_lines
from sscard.i18n.phrase import Phrase

if TYPE_CHECKING:
    from sscard.conversation.replay import Played, Side
    from sscard.conversation.scripts import Statement

STDIN = "-"
SCENARIO_SUFFIXES = (".yaml", ".yml")


class Form(StrEnum):
    """A form a script is written in."""

    ETSI = "etsi"
    SCRIPTOR = "scriptor"
    SCENARIO = "scenario"


script_argument = argument("file", metavar=N_("FILE"), type=CARD, help=N_("A recording or a script, - for stdin."))
sw_only_option = option(
    "--sw-only", is_flag=True, help=N_("Compare status words only, for cards of different holders.")
)
all_option = option("--all", "show_all", is_flag=True, help=N_("Show all differences, not only the first."))


@command("record")
@argument("target", metavar=N_("CARD"), type=CARD, required=False, help=CARD_HELP)
@option("-o", "--output", type=FILE, required=True, help=N_("Recording to write."))
@option("--from", "log", type=FILE, help=N_("Make the recording of a log in the syntax of scripts, - for stdin."))
@force_option
@commands_argument
@explain_option
@contactless_option
@challenges_option
@pins_option
@json_option
@sync_option
def record(
    target: str | None,
    output: Path,
    log: Path | None,
    force: bool,
    commands: tuple[str, ...],
    explain: bool,
    contactless: bool,
    seed: int | None,
    pins: tuple[str, ...],
    as_json: bool,
) -> None:
    """Record a conversation with any card, decoded and redacted, while sending commands or a script.

    Scripts have the syntax of 'sscard apdu'. A recording contains no PIN, only
    which PIN was used where; give the PINs to 'sscard replay' again. It does
    contain what was read from the card, including the holder's data.

    With --from no card is used: the recording is made of a log with commands
    and answers, as CMD 00 84 00 00 04 [XXXXXXXX] (90 00). The log may mask
    digits of answers with X, and bytes of the data of commands with XX; {pin}
    or {pin2} in place of a PIN says which it was. UTF-8 or GBK.
    """
    from sscard.conversation.recording import RecordingWriter, events_of

    if (target is None) == (log is None):
        raise InputError(_("either CARD or --from FILE expected"), remedy=_("see sscard record --help"))
    useless = [name for name in given_names() if name not in ("--from", "--output", "--force", "--json")]
    if log is not None and useless:
        raise InputError(_("no effect with --from: {names}", names=", ".join(useless)), remedy=_("leave it out"))
    check_output(output, replace=force)
    logged = list(events_of(_read(str(log), "gb18030"), _name(str(log)))) if log else []
    show = show_later if as_json else show_explained if explain else show_plain
    with ExitStack() as outputs:
        saves: list[Save] = [RecordingWriter(outputs.enter_context(TextFile(output)).write)]
        if as_json:
            saves.append(outputs.enter_context(printed_events()))
        for event in logged:
            for save in saves:
                save(event)
        if target is not None:
            converse(target, commands, pins, show, saves, contactless=contactless, seed=seed)
    click.echo(_("{output}: play it with: sscard replay {output} TARGET", output=output), err=True)


@command("replay")
@script_argument
@card_argument
@pins_option
@pin_option(
    "--new",
    "new_pins",
    variable="SSCARD_NEW_PIN",
    multiple=True,
    text=N_("New PIN that the reset in a recording sets; the second time for the second reset, and so on."),
)
@keys_option
@hsm_option
@hsm_token_option
@sw_only_option
@all_option
@contactless_option
@json_option
@sync_option
def replay(
    file: str,
    target: str,
    pins: tuple[str, ...],
    new_pins: tuple[str, ...],
    keys: Path | None,
    hsm: str,
    hsm_token: Path | None,
    sw_only: bool,
    show_all: bool,
    contactless: bool,
    as_json: bool,
) -> None:
    """Replay a recording on a card and compare the answers. Exits 1 at a difference.

    Random answers and the serial number in an ATR are not compared. The
    commands change the card: use a copy of an image. A recording cannot be
    replayed beyond a command that proves something over a random of the card
    (EXTERNAL AUTHENTICATION, commands with a MAC); if commands are left, the
    exit code is 1 too. A script with expected answers can be replayed as well.

    With --keys or --hsm (soft: for the built-in test keys) proofs and MACs are
    computed anew for the card in the reader, which may be of another
    generation: a recorded reset runs to its end, with the PIN of --new. Then
    answers are fetched with the lengths of this card, the ATR is not compared,
    and of an FCI the name of the DF only. Data of another holder differ: use
    --sw-only.
    """
    from sscard.conversation.replay import AsRecorded, replay
    from sscard.terminal.errors import ApduError

    anew = keys is not None or bool(hsm)
    if not anew and {"--new", "--new-file"}.intersection(given_names()):
        raise InputError(
            _("--new is the PIN of a reset that is computed anew"),
            remedy=_("give --keys FILE or --hsm URL, soft: for the built-in test keys"),
        )
    with ExitStack() as stack:
        player = AsRecorded(_checked(pins), file)
        if anew:
            from sscard.terminal.renewal import Renewed

            behind = stack.enter_context(chosen_hsm(hsm, keys, hsm_token))
            player = Renewed(behind, _checked(pins), _checked(new_pins, "--new"), file)
        statements = player.prepare(_read(file))
        side = _side(stack, target, contactless)
        try:
            player.identify(side.connection)
        except ApduError as error:
            tell(_("the card refused: {error}", error=error))
            raise SystemExit(1) from None
        played = _told(replay(statements, side, player, sw_only=sw_only), show_all, as_json)
        side.recorder.power_off()
    if not anew and played and played[-1].event is None:
        tell(_("to compute proofs and MACs anew, give --keys FILE or --hsm URL"))
    _conclude(played, statements, file, as_json)


@command("compare")
@argument(
    "script", metavar=N_("FILE"), type=CARD, help=N_("A script, a recording (- for stdin), or a scenario (.yaml).")
)
@argument("target_a", metavar="A", type=CARD, help=N_("First card, by file or URL; for a scenario a personality."))
@argument("target_b", metavar="B", type=CARD, help=N_("Second card or personality."))
@pins_option
@sw_only_option
@all_option
@contactless_option
@option("--seed", type=SEED, default=1, help=N_("For a scenario: seed of challenges and made-up holders."))
@json_option
@sync_option
def compare(
    script: str,
    target_a: str,
    target_b: str,
    pins: tuple[str, ...],
    sw_only: bool,
    show_all: bool,
    contactless: bool,
    seed: int,
    as_json: bool,
) -> None:
    """Run a script on two cards and show the first difference. Exits 1 if they differ, 0 if they match.

    Random answers and the serial number in an ATR are not compared. The
    commands change both cards: use copies of images. A scenario creates its own
    card: it is run on two personalities, and the results of its steps are
    compared.
    """
    if Path(script).suffix in SCENARIO_SUFFIXES:
        _compare_scenarios(Path(script), target_a, target_b, seed, show_all, as_json)
        return
    from sscard.conversation.replay import compare
    from sscard.conversation.scripts import check_pins

    statements = _read(script)
    given = _checked(pins)
    check_pins(statements, given, script)
    with ExitStack() as stack:
        left, right = (_side(stack, target, contactless) for target in (target_a, target_b))
        played = _told(compare(statements, left, right, given, script, sw_only=sw_only), show_all, as_json)
        for side in (left, right):
            side.recorder.power_off()
    _conclude(played, statements, script, as_json)


@command("export")
@script_argument
@option(
    "--as",
    "form",
    type=Words(Form),
    required=True,
    help=N_("ETSI TS 101 955 Annex B, scriptor of pcsc-tools, or a scenario."),
)
@option("-o", "--output", type=FILE, help=N_("File to write. Default: standard output."))
@force_option
@personality_option
def export(file: str, form: Form, output: Path | None, force: bool, personality: str | None) -> None:
    """Write a recording or a script in the syntax of another tool, or as a scenario.

    Expected answers are included, with X for random digits. PINs are written
    as {pin1}, {pin2}, to be filled in. Commands that cannot be sent again are
    written as comments.

    A scenario has a new card of --personality (default: a preset with the
    algorithm and version that the recording shows) and made-up PINs; it
    computes proofs and MACs anew. 'sscard run' runs it. Data of the holder are
    not checked; tries left and state are those of the personality.
    """
    if personality is not None and form is not Form.SCENARIO:
        raise InputError(_("--personality is for --as scenario only"), remedy=_("leave it out"))
    if output is not None:
        check_output(output, replace=force)
    text = _exported(_read(file), form, file, personality)
    if output is None:
        sys.stdout.write(text)
    else:
        write_text(output, text)


def _exported(statements: list[Statement], form: Form, file: str, personality: str | None) -> str:
    from sscard.conversation.scripts import write_etsi, write_scriptor

    if form is not Form.SCENARIO:
        return (write_etsi if form is Form.ETSI else write_scriptor)(statements)
    from sscard.issuer import find_personality
    from sscard.scenario.exported import suited_personality, write_scenario

    chosen = find_personality(personality) if personality else suited_personality(statements)
    # In a scenario a path is relative to its folder.
    named = str(Path(personality).resolve()) if personality and Path(personality).is_file() else chosen.name
    return write_scenario(statements, Path(_name(file)).stem, chosen, named)


def _read(file: str, encoding: str = "utf-8") -> list[Statement]:
    from sscard.conversation.recording import read_statements

    if file == STDIN:
        text = decoded(sys.stdin.buffer.read(LARGEST + 1), _name(file), encoding)
    else:
        text = read_text(Path(file), encoding)
    return read_statements(text, _name(file))


def _name(file: str) -> str:
    return STDIN_NAME if file == STDIN else file


def _checked(pins: tuple[str, ...], option: str = "--pin") -> list[str]:
    from sscard.cli.prompt import checked_pin

    return [checked_pin(pin, option) for pin in pins]


def _side(stack: ExitStack, target: str, contactless: bool) -> Side:
    """A card to play on; a card file lets its state be seen."""
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
        left = Phrase.plural("{count} try left", "{count} tries left", count=view.tries)
        return _("{left}, {state}", left=left, state=show_state(view.state))

    return Side(target, connection, state)


def _told(played: Iterable[Played], show_all: bool, as_json: bool) -> list[Played]:
    """Play and show differences as they come, to the first or to the end."""
    done = []
    for one in played:
        done.append(one)
        if one.difference is not None:
            if not as_json:
                click.echo(visible_lines("\n".join(one.difference.lines())))
            if not show_all:
                break
    return done


def _conclude(played: list[Played], statements: list[Statement], file: str, as_json: bool) -> None:
    """Say what was played and what was not, and end with 1 where not all of it came out equal."""
    from sscard.conversation.scripts import Send

    sent = sum(isinstance(one.statement, Send) and one.event is not None for one in played)
    commands = sum(isinstance(statement, Send) for statement in statements)
    differences = [one.difference for one in played if one.difference is not None]
    left = [one.statement for one in played if one.event is None]
    obstacles = [
        {"line": each.line, "command": say(each.note), "reason": say(each.obstacle)}
        for each in left
        if isinstance(each, Send)
    ]
    if as_json:
        content = {"commands": commands, "sent": sent, "differences": [each.facts() for each in differences]}
        print_json("comparison", content | {"not_sent": obstacles})
    else:
        found = Phrase.plural("{count} difference", "{count} differences", count=len(differences))
        played_of = Phrase.plural(
            "{sent} of {count} command played", "{sent} of {count} commands played", count=commands, sent=sent
        )
        click.echo(_("{done}, {left}", done=played_of, left=found if differences else _("no difference")))
        for each in obstacles:
            click.echo(f"{visible(file)}:{each['line']}: {each['command']}: {each['reason']}")
    if differences or left:
        raise SystemExit(1)


def _compare_scenarios(path: Path, left: str, right: str, seed: int, show_all: bool, as_json: bool) -> None:
    from sscard.issuer import find_personality
    from sscard.scenario import find_scenarios, run_scenario
    from sscard.scenario.side_by_side import differing_steps

    scenarios = [find_scenarios([path], find_personality(name))[0] for name in (left, right)]
    for scenario in scenarios:
        if scenario.misfit:
            raise scenario.misfit
    one, other = (run_scenario(scenario, seed) for scenario in scenarios)
    found = differing_steps(one, other, (left, right))
    shown = found if show_all else found[:1]
    if as_json:
        print_json("scenario-comparison", {"file": str(path), "steps_differ": len(found), "differences": shown})
        raise SystemExit(1 if found else 0)
    for difference in shown:
        click.echo("\n".join(map(visible, difference)))
    steps = Phrase.plural("{count} step differs", "{count} steps differ", count=len(found))
    click.echo(f"{visible(str(path))}: {say(steps) if found else _('no step differs')}")
    if found:
        raise SystemExit(1)
