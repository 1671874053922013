"""Options and arguments that several commands take, as decorators."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from functools import partial
from typing import Any, Final

import click
from click.core import ParameterSource

from sscard.cli.output import PIN_FILES
from sscard.cli.target import SYNC
from sscard.cli.types import (
    CARD,
    DELAY,
    DIGITS,
    FAULT,
    FILE,
    HOLDER_BASE,
    HSM,
    JOURNAL,
    NONE,
    PERSONALITY,
    PLACE_OR_NONE,
    SECONDS,
    SEED,
    Number,
    Text,
    Words,
)
from sscard.cli.usage import BadValue, argument, option
from sscard.i18n.language import N_, _

MOST_WORKERS: Final = 64
"""Processes or readers of one command, at most."""


class Transport(StrEnum):
    """How the terminal reaches the card."""

    LOCAL = "local"
    PCSC = "pcsc"

    @property
    def other(self) -> str:
        """Its word if it is not the default."""
        return "" if self is Transport.LOCAL else self.value


def _without_none(_ctx: click.Context, _parameter: click.Parameter, given: Any) -> Any:
    empty = "" if isinstance(given, str) else None
    return empty if str(given) == NONE else given


none_option: Final = partial(option, callback=_without_none)
"""An option that ``none`` leaves out, whatever a configuration file or the case of the command has."""

CARD_HELP: Final = N_("Card: a card file, pcsc[:READER], tcp:HOST:PORT, exec:COMMAND, or the URL of a plug-in.")

paths_argument = argument(
    "paths",
    metavar=N_("PATH"),
    type=FILE,
    nargs=-1,
    help=N_("Scenario files and folders. Default: the built-in suite."),
)


def _keep_sync(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    ctx.meta[SYNC] = wanted


def pin_option(
    flag: str,
    *names: str,
    text: str,
    variable: str | None = None,
    expected: str = N_("4 to 16 digits"),
    **settings: Any,
) -> Callable[..., Any]:
    """An option for a PIN, and one for the file with it, such as ``--pin-file`` for ``--pin``.

    The file counts before the environment variable. Both options together are
    refused, and an empty PIN, as of a variable of the shell that is not set:
    ``expected`` says what the option takes. A PIN from the environment is
    checked here, to name the variable.
    """
    file_flag = f"{flag}-file"
    multiple = settings.get("multiple", False)

    def keep(ctx: click.Context, _parameter: click.Parameter, files: Any) -> None:
        ctx.meta.setdefault(PIN_FILES, {})[file_flag] = files if multiple else (files,) if files else ()

    def choose(ctx: click.Context, parameter: click.Parameter, given: Any) -> Any:
        source = ctx.get_parameter_source(parameter.name or "")
        if (with_pins := ctx.meta[PIN_FILES][file_flag]) and not ctx.resilient_parsing:
            if source is ParameterSource.COMMANDLINE:
                raise BadValue(_("excludes {option}", option=file_flag), _("choose one of them"), parameter)
            from sscard.cli.prompt import read_pin

            found = tuple(read_pin(file, flag) for file in with_pins)
            return found if multiple else found[0]
        if source is ParameterSource.COMMANDLINE and "" in (given if multiple else (given,)):
            raise BadValue(_("is empty"), _(expected), parameter)
        if source is ParameterSource.ENVIRONMENT and variable:
            from sscard.cli.prompt import checked_pin

            for pin in given if multiple else (given,):
                checked_pin(pin, variable)
        return given

    help_text = N_("File with the PIN in its first line, - for standard input.")

    def both(function: Callable[..., Any]) -> Callable[..., Any]:
        decorated = option(
            file_flag, type=FILE, is_eager=True, expose_value=False, callback=keep, multiple=multiple, help=help_text
        )(function)
        named = option(flag, *names, type=DIGITS, envvar=variable, callback=choose, help=text, **settings)
        found: Callable[..., Any] = named(decorated)
        return found

    return both


def is_typed(flag: str) -> bool:
    """Whether a PIN option of this command, or its file, is on the command line."""
    ctx = click.get_current_context()
    from_file = ctx.meta[PIN_FILES][f"{flag}-file"]
    return bool(from_file) or ctx.get_parameter_source(flag.strip("-")) is ParameterSource.COMMANDLINE


OR_NONE: Final = N_("4 to 16 digits, or 'none' for no PIN")

card_argument: Final = argument("target", metavar=N_("CARD"), type=CARD, help=CARD_HELP)
image_argument: Final = argument("image", metavar=N_("CARD"), type=CARD, help=N_("Card file."))
commands_argument: Final = argument(
    "commands",
    metavar="HEX",
    type=Text("HEX"),
    nargs=-1,
    help=N_("Commands in hex. Default: a script on standard input."),
)
contactless_option: Final = option("--contactless", is_flag=True, help=N_("Use the contactless interface."))
explain_option: Final = option("--explain", is_flag=True, help=N_("Explain each command and answer in words."))
force_option: Final = option("--force", is_flag=True, help=N_("Replace an existing output file."))
json_option: Final = option("--json", "as_json", is_flag=True, help=N_("Print JSON."))
pins_option: Final = pin_option(
    "--pin",
    "pins",
    variable="SSCARD_PIN",
    multiple=True,
    text=N_("PIN for {pin}; the second time for {pin2}, and so on."),
)
sync_option: Final = option(
    "--sync",
    is_flag=True,
    expose_value=False,
    callback=_keep_sync,
    help=N_("Sync each change of a card file to the disk, so that it survives a power loss."),
)
trace_option: Final = option("--trace", type=FILE, help=N_("Write all commands and answers, redacted, to a file."))
record_option: Final = option(
    "--record", type=FILE, help=N_("Record the conversation, redacted, to a file that 'sscard replay' plays.")
)
delay_option: Final = option(
    "--delay",
    type=DELAY,
    help=N_("Delay each answer: 20ms, 0.5s (at most 60s), or card for the time of a real card. Default: no delay."),
)
faults_option: Final = option(
    "--fault",
    "faults",
    type=FAULT,
    multiple=True,
    help=N_(
        "Fault at the N-th command: removed=before|during|after, mute, slow=SECONDS, truncated=BYTES, "
        "corrupted=POSITION, swapped=PERSONALITY."
    ),
)
new_pin_option: Final = pin_option(
    "--new",
    variable="SSCARD_NEW_PIN",
    default="",
    text=N_("New PIN, 4 to 16 digits. Prompted for if it is not given."),
)
personality_option: Final = option("--personality", type=PERSONALITY, help=N_("Personality: a preset or a file."))
place_option: Final = none_option(
    "--place",
    type=PLACE_OR_NONE,
    default="",
    help=N_("Place policy: PIN limit, initial PIN, rules for new PINs; 'none' for no policy."),
)
rules_option: Final = none_option(
    "--place",
    type=PLACE_OR_NONE,
    default="",
    help=N_("Place policy with rules for new PINs, or 'none'. Default: no rules."),
)
challenges_option: Final = option(
    "--seed", type=SEED, help=N_("Seed of the challenges of a card file: the same ones come again.")
)

keys_option: Final = option(
    "--keys", type=FILE, help=N_("Root keys of the issuer: the HSM soft:FILE. Default: the built-in test keys.")
)
hsm_option: Final = option(
    "--hsm",
    type=HSM,
    default="",
    help=N_(
        "HSM: soft:[FILE], http://HOST:PORT, https://HOST:PORT, pkcs11:token=LABEL[;module=PATH], or the URL of a "
        "plug-in. PIN of a token: SSCARD_TOKEN_PIN, or a prompt."
    ),
)
hsm_token_option: Final = option(
    "--hsm-token", type=FILE, help=N_("File with the token of an HSM service. Default: the file of this user.")
)

holder_base_option: Final = none_option(
    "--holder-base",
    type=HOLDER_BASE,
    default="",
    help=N_(
        "Holder base with the standing of the cards: a file, http://HOST:PORT, https://HOST:PORT, or the URL of a "
        "plug-in; or 'none'. Default: the cards of the policy."
    ),
)

transport_option: Final = option(
    "--transport",
    type=Words(Transport),
    default=Transport.LOCAL,
    help=N_("In this process, or through PC/SC with a private pcscd and virtual readers."),
)
roots_option: Final = option(
    "--keys",
    type=FILE,
    help=N_("Root keys that the cards are issued under, those of the HSM. Default: the built-in test keys."),
)

message_timeout_option: Final = option(
    "--message-timeout",
    type=SECONDS,
    default=10.0,
    help=N_("Seconds within which a whole request has to arrive from a client."),
)
connections_option: Final = option(
    "--connections",
    type=Number(1, 1000),
    default=64,
    help=N_("Connections served at a time; a further client is refused."),
)

journal_option: Final = option(
    "--journal",
    type=JOURNAL,
    default="",
    envvar="SSCARD_JOURNAL",
    help=N_("SQLite file or postgresql://… Default: journal.db in $XDG_DATA_HOME/sscard (~/.local/share/sscard)."),
)
journal_key_option: Final = option(
    "--journal-key",
    type=FILE,
    envvar="SSCARD_JOURNAL_KEY",
    help=N_("Journal key file. Created if it does not exist. Default: journal.key beside the default journal."),
)
archive_option: Final = option(
    "--archive", type=FILE, help=N_("Read this archive of the journal, which has the cases that were closed by then.")
)
