"""The command ``sscard``: its commands by name, each imported when it is called."""

from __future__ import annotations

import os
from enum import StrEnum
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import click

from sscard.cli.config import VARIABLE
from sscard.cli.types import FILE, Number, Words
from sscard.cli.usage import Group, input_error, log_sources, option
from sscard.errors import InputError
from sscard.i18n.language import CHINESE, ENGLISH, N_, _, choose_language, say
from sscard.version import version_and_chip

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from sscard.cli.config import Configuration

COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "run": ("sscard.cli.run:run", N_("Run scenarios: the built-in suite, or files and folders.")),
    "scenario": ("sscard.cli.scenario:scenario", N_("Check, list and write scenarios.")),
    "testbed": ("sscard.cli.testbed:testbed", N_("Check a testbed file and print the plan of a run.")),
    "probe": ("sscard.cli.probe:probe", N_("Observe which choices a card takes.")),
    "coverage": ("sscard.cli.coverage:coverage", N_("Print what a suite covers: commands, keys, files, standards.")),
    "bench": ("sscard.cli.bench:bench", N_("Measure latency and throughput of operations, and the time per layer.")),
    "campaign": (
        "sscard.cli.campaign:campaign",
        N_("Run a population of cards, on one or many machines."),
    ),
    "defects": ("sscard.cli.defects:defects", N_("Measure a suite: which planted defects it notices.")),
    "issue": ("sscard.cli.issue:issue", N_("Personalise a card, or many, into a card file.")),
    "show": ("sscard.cli.show:show", N_("Show the holder, counters and state of a card.")),
    "insert": ("sscard.cli.insert:insert", N_("Put a card into a virtual PC/SC reader.")),
    "farm": ("sscard.cli.farm:farm", N_("Put many cards into readers of a private PC/SC daemon.")),
    "doctor": ("sscard.cli.doctor:doctor", N_("Check PC/SC, vpcd and Python dependencies.")),
    "image": ("sscard.cli.image:image", N_("Export a card file as a JSON image, import and check images.")),
    "apdu": ("sscard.cli.apdu:apdu", N_("Send commands to a card.")),
    "commands": ("sscard.cli.commands:commands", N_("Show the commands of the card or the PSAM.")),
    "verify-pin": ("sscard.cli.pins:verify_pin", N_("Verify the PIN of a card.")),
    "change-pin": ("sscard.cli.pins:change_pin", N_("Change the PIN: the holder knows the old one.")),
    "reset-pin": ("sscard.cli.pins:reset_pin", N_("Reset the PIN: the issuer sets a new one.")),
    "unblock-pin": ("sscard.cli.pins:unblock_pin", N_("Unblock the PIN: the old one is valid again.")),
    "item": ("sscard.cli.item:item", N_("Show the service item.")),
    "record": ("sscard.cli.record:record", N_("Record a conversation with a card.")),
    "replay": ("sscard.cli.record:replay", N_("Replay a recording and compare the answers.")),
    "compare": ("sscard.cli.record:compare", N_("Run a script on two cards and show the first difference.")),
    "export": ("sscard.cli.record:export", N_("Write a recording as a script of another tool.")),
    "personality": ("sscard.cli.personality:personality", N_("List, show and check personalities.")),
    "policy": ("sscard.cli.policy:policy", N_("List, show and check policies of the PIN service.")),
    "place": ("sscard.cli.place:place", N_("List, show and check place policies.")),
    "case": ("sscard.cli.case:case", N_("Run cases of the PIN service and check their journal.")),
    "hsm": ("sscard.cli.hsm:hsm", N_("Serve the HSM of the issuer, load its keys into a token, check an HSM.")),
    "holder-base": ("sscard.cli.holder_base:holder_base", N_("Set and show the standing of cards in a holder base.")),
    "psam": ("sscard.cli.psam:psam", N_("Issue a PSAM into a file, and show it.")),
    "prove": ("sscard.cli.prove:prove", N_("Prove that cards and card files keep their promises.")),
    "driver": ("sscard.cli.driver:driver", N_("Build, serve and call the driver of the terminal.")),
}
"""Where each command is and its short help, in the order of the help."""

PROGRAM: Final = "sscard"
PREFIX: Final = "SSCARD"
"""Of the environment variables of options: ``SSCARD_RUN_SEED``."""
COMPLETE: Final = "_SSCARD_COMPLETE"
"""The environment variable with which the shell asks for completions."""
EPILOG: Final = N_(
    "Completion of commands, options and files in the shell:\n\n"
    '  bash: eval "$(_SSCARD_COMPLETE=bash_source sscard)"\n'
    '  zsh:  eval "$(_SSCARD_COMPLETE=zsh_source sscard)"\n'
    "  fish: _SSCARD_COMPLETE=fish_source sscard | source"
)


class Language(StrEnum):
    """The languages of the output."""

    ZH = CHINESE
    EN = ENGLISH


class LogFormat(StrEnum):
    """The formats of the log."""

    TEXT = "text"
    JSON = "json"


class Root(Group):
    """The commands of the table above."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now."""
        if cmd_name not in COMMANDS:
            return None
        module, _colon, name = COMMANDS[cmd_name][0].partition(":")
        found: click.Command = getattr(import_module(module), name)
        return found

    def summaries(self, ctx: click.Context) -> list[tuple[str, str]]:
        """Name and short help of every command; none is imported."""
        return [(name, _(text)) for name, (_place, text) in COMMANDS.items()]

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The commands and options that begin so; no command is imported."""
        from click.shell_completion import CompletionItem

        names = [CompletionItem(name, help=text) for name, text in self.summaries(ctx) if name.startswith(incomplete)]
        return names + click.Command.shell_complete(self, ctx, incomplete)

    def __call__(self, arguments: list[str], configuration: Configuration | None = None) -> Any:
        """Run a command line, with the defaults of a configuration. An error in them is an ``InputError``."""
        if COMPLETE in os.environ:
            from click.shell_completion import shell_complete

            raise SystemExit(shell_complete(self, {}, PROGRAM, COMPLETE, os.environ[COMPLETE]))
        for number, word in enumerate(arguments, 1):
            # Neither a terminal nor a report can show such a word; it may be a PIN, so it is not repeated.
            if any("\ud800" <= char <= "\udfff" for char in word):
                raise InputError(_("argument {number} is not UTF-8 text", number=number))
        try:
            with self.make_context(PROGRAM, arguments, obj=configuration, auto_envvar_prefix=PREFIX) as context:
                return self.invoke(context)
        except click.exceptions.Exit as ended:
            raise SystemExit(ended.exit_code) from None
        except click.UsageError as error:
            raise input_error(error) from None


def show_version(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    """Print the version and end."""
    if wanted and not ctx.resilient_parsing:
        click.echo(f"{PROGRAM} {say(version_and_chip())}")
        ctx.exit()


@click.command(cls=Root, epilog=EPILOG)
@option("--lang", type=Words(Language), help=N_("Output language. Default: LANGUAGE, LC_ALL or LANG."))
@option(
    "--config",
    type=FILE,
    is_eager=True,
    expose_value=False,
    envvar=VARIABLE,
    help=N_("Configuration file. Default: sscard.toml or pyproject.toml in this folder or above."),
)
@option("-v", "--verbose", count=True, type=Number(0), help=N_("Log to standard error; twice: with details."))
@option("--log-format", type=Words(LogFormat), default=LogFormat.TEXT, help=N_("Format of the log."))
@option(
    "--version",
    is_flag=True,
    is_eager=True,
    allow_from_autoenv=False,
    expose_value=False,
    callback=show_version,
    help=N_("Show the version and exit."),
)
@click.pass_context
def app(ctx: click.Context, lang: str | None, verbose: int, log_format: LogFormat) -> None:
    """A virtual social security card and the test bench of its PIN service."""
    if lang is not None:
        choose_language(lang)
    if verbose or log_format is LogFormat.JSON:
        from sscard.cli.logs import logging_to_stderr

        ctx.with_resource(logging_to_stderr(verbose, as_json=log_format is LogFormat.JSON))
        log_sources(ctx)
