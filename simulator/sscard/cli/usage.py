"""Commands, groups, options and arguments: click's, with help in the user's language and errors with a remedy.

Help and metavars are written in English and translated when a page is printed.
"""

from __future__ import annotations

import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from inspect import cleandoc
from typing import Any, Final

import click
from click.core import ParameterSource

from sscard.cli.formatter import Formatter
from sscard.errors import InputError, suggestion
from sscard.i18n.language import N_, _
from sscard.i18n.phrase import Sayable
from sscard.lazy import Logger
from sscard.pickling import rebuilt

logger = Logger("sscard.cli")

LONGEST_METAVAR: Final = 40
"""Longer choices are listed behind the help of the option."""


class Context(click.Context):
    """The context of a command, whose help page is ours."""

    formatter_class = Formatter


class Unusable(click.UsageError):
    """Words on the command line that cannot be used, and the remedy."""

    def __init__(self, message: str, remedy: Sayable = "", ctx: click.Context | None = None) -> None:
        super().__init__(message, ctx)
        self.remedy = remedy

    def __reduce__(self) -> tuple[Any, ...]:
        return _without_context(self)


class BadValue(click.BadParameter):
    """A value that an option or argument does not take, and the remedy; click adds which parameter it is."""

    def __init__(self, message: str, remedy: Sayable = "", param: click.Parameter | None = None) -> None:
        super().__init__(message, param=param)
        self.remedy = remedy

    def __reduce__(self) -> tuple[Any, ...]:
        return _without_context(self)


def _without_context(error: click.UsageError) -> tuple[Any, ...]:
    """The pickle of an error without the running command, which stays in its process."""
    state = {name: None if name in ("ctx", "cmd", "param") else value for name, value in vars(error).items()}
    return rebuilt, (type(error), error.args), state


def input_error(error: click.UsageError) -> InputError:
    """What is wrong with the command line, in our words, by the type of click's error."""
    remedy = getattr(error, "remedy", "") or _see_help(error.ctx)
    match error:
        case click.MissingParameter(param=click.Parameter() as parameter):
            name = parameter.get_error_hint(error.ctx)
            kind = _("option {name} is missing") if isinstance(parameter, Option) else _("argument {name} is missing")
            problem = kind.format(name=name)
        case click.BadParameter(param=click.Parameter() as parameter):
            hint, wrong = parameter.get_error_hint(error.ctx), error.message
            if isinstance(parameter, Option) and error.ctx is not None:
                if parameter.is_flag:
                    wrong = _("is neither true nor false")
                source = error.ctx.get_parameter_source(parameter.name or "")
                if source is ParameterSource.DEFAULT_MAP:
                    refused: InputError = error.ctx.obj.bad_value(error.ctx, parameter, wrong, remedy)
                    return refused
                if source is ParameterSource.ENVIRONMENT:
                    hint = parameter.variable(error.ctx)
            problem = f"{hint}: {wrong}"
        case click.NoSuchOption():
            known = error.ctx.command.get_params(error.ctx) if error.ctx else []
            names = [name for each in known for name in each.opts]
            problem = _("no option {name}", name=error.option_name)
            remedy = suggestion(error.option_name, names, remedy)
            for each in error.ctx.find_root().command.params if error.ctx is not None else []:
                if error.option_name in each.opts and error.ctx is not None:
                    words = error.option_name, each.make_metavar(error.ctx), error.ctx.command_path.partition(" ")[2]
                    shown = " ".join(filter(None, words))
                    remedy = _("it comes before the command: sscard {words}").format(words=shown)
        case click.BadOptionUsage():
            known = error.ctx.command.get_params(error.ctx) if error.ctx else []
            flags = [name for each in known if getattr(each, "is_flag", False) for name in each.opts]
            text = _("option {name} takes no value") if error.option_name in flags else _("option {name} needs a value")
            problem = text.format(name=error.option_name)
        case _other:
            problem = error.format_message()
    return InputError(problem, remedy=remedy)


def _see_help(ctx: click.Context | None) -> str:
    return _("see: {command} --help", command=ctx.command_path if ctx else "sscard")


class Option(click.Option):
    """An option. Its row in the help ends with the default, the range, the environment variable.

    A secret is read from an environment variable of its own only.
    """

    def variable(self, ctx: click.Context) -> str:
        """The environment variable that sets this option now: its own, or SSCARD_COMMAND_OPTION; empty if none does."""
        names = [self.envvar] if isinstance(self.envvar, str) else []
        if ctx.auto_envvar_prefix and self.allow_from_autoenv and not getattr(self.type, "secret", False):
            key = max(self.opts, key=len).lstrip("-").replace("-", "_").upper()
            names.append(f"{ctx.auto_envvar_prefix}_{key}")
        return next((name for name in names if os.environ.get(name)), "")

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """The value of that variable."""
        return os.environ.get(self.variable(ctx))

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Names with the metavar, and the help."""
        if self.hidden:
            return None
        names = ", ".join((*self.opts, *self.secondary_opts))
        shown = isinstance(self.default, str | int | float) and not isinstance(self.default, bool) and not self.count
        configured = (ctx.default_map or {}).get(self.name or "")
        default = _("default: {value}", value=self.default) if shown and self.default != "" else ""
        if configured is not None:
            words = ", ".join(configured) if isinstance(configured, list) else str(configured)
            words = re.sub("(?<=://)[^/]*@", "***@", words)  # the user and password of a database
            default = _("default: {value}, from {file}", value=words, file=ctx.obj.file)
        details = [
            default,
            "" if self.count else getattr(self.type, "limits", ""),
            _("environment: {name}", name=self.envvar) if self.envvar else "",
            _("required") if self.required and configured is None else "",
            _("may be repeated") if self.multiple or self.count else "",
        ]
        known = "; ".join(filter(None, details))
        text = " ".join(filter(None, (_(self.help) if self.help else "", f"[{known}]" if known else "")))
        return f"{names} {self.make_metavar(ctx)}".rstrip(), text

    def make_metavar(self, ctx: click.Context) -> str:
        """The choices, or the metavar in the user's language; empty for a flag."""
        return "" if self.is_flag or self.count else metavar_of(self)

    def get_error_hint(self, ctx: click.Context | None) -> str:
        """The long name."""
        return max(self.opts, key=len)


class Argument(click.Argument):
    """An argument with help, also in versions of click in which arguments have none."""

    def __init__(self, param_decls: Any, help: str = "", **settings: Any) -> None:
        super().__init__(param_decls, **settings)
        self.help = help

    def get_help_record(self, ctx: click.Context) -> tuple[str, str]:
        """The metavar and the help."""
        return self.make_metavar(ctx), _(self.help) if self.help else ""

    def make_metavar(self, ctx: click.Context) -> str:
        """In the user's language, in brackets if it may be omitted."""
        name = metavar_of(self)
        return (name if self.required else f"[{name}]") + ("..." if self.nargs < 0 else "")

    def get_error_hint(self, ctx: click.Context | None) -> str:
        """The metavar without brackets."""
        return metavar_of(self)


def metavar_of(parameter: click.Parameter) -> str:
    """The metavar in the user's language: the parameter's own, or its type's, or the type's choices."""
    return metavar_from(getattr(parameter.type, "choices", ())) or _(parameter.metavar or parameter.type.name)


def metavar_from(choices: Iterable[str]) -> str:
    """The choices as a metavar; empty if that is too long."""
    text = "|".join(choices)
    return text if len(text) <= LONGEST_METAVAR else ""


option: Final = partial(click.option, cls=Option)
argument: Final = partial(click.argument, cls=Argument)


class Page(click.Command):
    """The help page of a command or group, its defaults, and the check that no option is given twice."""

    context_class = Context

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.options_metavar = N_("[OPTIONS]")

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """What follows the command's name in the usage line."""
        return [_(piece) for piece in super().collect_usage_pieces(ctx)]

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """``--help``, whose text click translates when it makes it."""
        found = super().get_help_option(ctx)
        if found is not None:
            found.help = _(N_("Show this message and exit."))
            found.allow_from_autoenv = False
        return found

    def help_text(self) -> str:
        """The help in the user's language."""
        text = cleandoc(self.help or "")
        return _(text) if text else ""

    def get_short_help_str(self, limit: int = 0) -> str:
        """The first paragraph of the help, whole."""
        return " ".join(self.help_text().partition("\n\n")[0].split("\n"))

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help."""
        formatter.write_paragraph()
        formatter.write_text(self.help_text())

    def format_arguments(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Nothing: ``format_options`` writes them."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write arguments and options."""
        parameters = self.get_params(ctx)
        for heading, kind in ((_("Arguments:"), click.Argument), (_("Options:"), click.Option)):
            rows = [parameter.get_help_record(ctx) for parameter in parameters if isinstance(parameter, kind)]
            if shown := [row for row in rows if row is not None]:
                with formatter.section(heading):
                    formatter.write_dl(shown)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the text at the end."""
        if self.epilog:
            formatter.write_paragraph()
            formatter.write_text(_(self.epilog))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments, after a check for options that are given twice."""
        if not ctx.resilient_parsing:
            if ctx.obj is not None:
                ctx.default_map = ctx.obj.defaults(ctx)
            try:
                *_rest, order = self.make_parser(ctx).parse_args(list(args))
            except click.UsageError as error:
                error.ctx = error.ctx or ctx  # click knows it in some of its errors only
                raise
            for parameter, times in Counter(order).items():
                if (
                    times > 1
                    and isinstance(parameter, Option)
                    and not (parameter.multiple or parameter.is_flag or parameter.count)
                ):
                    raise BadValue(_("given {times} times", times=times), _("give it once"), parameter)
        rest = super().parse_args(ctx, args)
        if ctx.parent is not None and ctx.find_root().params.get("verbose"):
            log_sources(ctx)
        return rest


def log_sources(ctx: click.Context) -> None:
    """Log the configuration file, and the options of a command that are from it or from the environment."""
    if ctx.obj is not None and ctx.parent is None:
        logger.info("configuration file", file=ctx.obj.file)
    for option in ctx.command.params:
        source = ctx.get_parameter_source(option.name or "")
        fields = {"command": ctx.command_path, "option": option.get_error_hint(ctx)}
        if source is ParameterSource.ENVIRONMENT and isinstance(option, Option):
            logger.info("option from the environment", **fields, variable=option.variable(ctx))
        if source is ParameterSource.DEFAULT_MAP:
            shown = _shown(ctx.params.get(option.name or ""))
            logger.info("option from the configuration file", **fields, value=shown)


def given_names() -> list[str]:
    """The options, by their long names, and arguments that the command line of the command that runs has.

    Neither the environment nor a configuration file counts: these hold for other calls too.
    """
    ctx = click.get_current_context()
    names = {each.get_error_hint(ctx): ctx.get_parameter_source(each.name or "") for each in ctx.command.params}
    # Click 8.2 takes an argument that may be left out for one of the command line.
    empty = {each.get_error_hint(ctx) for each in ctx.command.params if ctx.params.get(each.name or "") == ()}
    return [name for name, source in names.items() if source is ParameterSource.COMMANDLINE and name not in empty]


def exclude(own: str, names: Sequence[str]) -> None:
    """``InputError`` if the command line has one of ``names`` beside ``own``, which the caller has seen."""
    given = given_names()
    for name in names:
        if name in given:
            raise excluding(own, name)


def excluding(first: str, second: str, remedy: Sayable = "") -> InputError:
    """The error for two options or arguments that cannot be given together."""
    problem = _("{first} and {second} exclude each other", first=_(first), second=_(second))
    return InputError(problem, remedy=remedy or _("choose one of them"))


def shown_command(shown: Mapping[str, str]) -> list[str]:
    """The command line for reports; a value that is a key of ``shown``, such as a URL with a password, is replaced."""
    words = ["sscard"]
    for word in sys.argv[1:]:
        name, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
        words.append(f"{name}{equals}{shown.get(value, value) if value else ''}")
    return words


def _shown(value: Any) -> Any:
    """A value for the log; of a URL or command only the scheme, it may contain a password."""
    if isinstance(value, tuple):
        return [_shown(each) for each in value]
    if isinstance(value, bool | int | float):
        return value
    scheme, colon, _rest = str(value).partition(":")
    return f"{scheme}:…" if colon else scheme


class Command(Page):
    """A command."""

    allow_extra_args = True  # so that the error below is ours

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments; an argument too many is an error."""
        rest = super().parse_args(ctx, args)
        if rest and not ctx.resilient_parsing:
            from sscard.fields import hidden

            raise Unusable(_("unexpected argument {text!r}", text=hidden(rest[0])), ctx=ctx)  # it may be a PIN
        return rest


class Group(Page, click.Group):
    """A group of commands; without a command it prints its help and exits with 2."""

    command_class = Command

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.no_args_is_help = False
        self.subcommand_metavar = N_("COMMAND [ARGS]...")

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names in the order in which the commands are defined."""
        return list(self.commands)

    def summaries(self, ctx: click.Context) -> list[tuple[str, str]]:
        """Name and short help of every command."""
        return [(name, command.get_short_help_str()) for name, command in self.commands.items()]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write options and commands."""
        super().format_options(ctx, formatter)
        with formatter.section(_("Commands:")):
            formatter.write_dl(self.summaries(ctx))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the options before the command."""
        if not args and not ctx.resilient_parsing:
            click.echo(ctx.get_help(), err=True)
            ctx.exit(2)
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the first argument names."""
        name, known = args[0], self.list_commands(ctx)
        if name not in known and not ctx.resilient_parsing:
            raise Unusable(_("no command {name!r}", name=name), suggestion(name, known, _see_help(ctx)), ctx)
        return super().resolve_command(ctx, args)


def command(name: str) -> Callable[[Callable[..., Any]], Command]:
    """Make a command of a function; its docstring is the help."""
    return click.command(name, cls=Command)


def group(name: str) -> Callable[[Callable[..., Any]], Group]:
    """Make a group of commands of a function; its docstring is the help."""
    return click.group(name, cls=Group)
