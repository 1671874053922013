"""Help and errors of the command line in the user's language, what Typer says by itself among them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from inspect import cleandoc
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import typer
from typer.core import TyperCommand, TyperGroup

from sscard.errors import InputError
from sscard.i18n.language import _, retell

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

F = TypeVar("F", bound=Callable[..., Any])

USAGE_ERROR: Final = cast("type[Exception]", typer.BadParameter.__mro__[1])
"""What every error in an option or argument is; Typer has it from different packages, by its version."""
USAGE: Final = "Usage:"


class Commands(typer.Typer):
    """A group of commands. The docstring of a command is its help: it stands in the catalog as any other message."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(
            cls=_Group,
            no_args_is_help=True,
            options_metavar=_("[OPTIONS]"),
            subcommand_metavar=_("COMMAND [ARGS]..."),
            **settings,
        )

    def command(self, name: str | None = None, **settings: Any) -> Callable[[F], F]:
        """Register a command."""

        def register(function: F) -> F:
            told = _(cleandoc(function.__doc__ or ""))
            register_as = super(Commands, self).command
            register_as(name, cls=_Command, help=told, options_metavar=_("[OPTIONS]"), **settings)(function)
            return function

        return register


class _Command(TyperCommand):
    def format_help(self, ctx: Any, formatter: Any) -> None:
        _fold_long_words()
        super().format_help(ctx, formatter)

    def get_help_option(self, ctx: Any) -> Any:
        return _retold_option(super().get_help_option(ctx))

    def get_usage(self, ctx: Any) -> str:
        return _retold_usage(super().get_usage(ctx))


class _Group(TyperGroup):
    def format_help(self, ctx: Any, formatter: Any) -> None:
        _fold_long_words()
        super().format_help(ctx, formatter)

    def get_help_option(self, ctx: Any) -> Any:
        return _retold_option(super().get_help_option(ctx))

    def get_params(self, ctx: Any) -> Any:
        return [_retold_option(parameter) for parameter in super().get_params(ctx)]

    def get_usage(self, ctx: Any) -> str:
        return _retold_usage(super().get_usage(ctx))

    def make_context(self, *arguments: Any, **named: Any) -> Any:
        with _retold_errors():
            return super().make_context(*arguments, **named)

    def invoke(self, ctx: Any) -> Any:
        with _retold_errors():
            return super().invoke(ctx)


def _fold_long_words() -> None:
    """Chinese has no spaces to break a line at: where Rich would cut a long word off, it shall go on below."""
    from rich import columns
    from rich.table import Table
    from typer import rich_utils

    class Folding(Table):
        def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
            for column in self.columns:
                column.overflow = "fold"
            return super().__rich_console__(console, options)

    for user in (rich_utils, columns):
        user.__dict__["Table"] = Folding


def _retold_option(option: Any) -> Any:
    """An option of Typer's own with its help in the language; the others have it already."""
    if getattr(option, "help", None):
        option.help = retell(option.help)
    return option


def _retold_usage(usage: str) -> str:
    """Some versions of Typer ask gettext by themselves, others do not."""
    return usage if usage.startswith(_(USAGE)) else _(USAGE) + usage.removeprefix(USAGE)


@contextmanager
def _retold_errors() -> Iterator[None]:
    """Errors of Typer in the language, and its ``Abort`` as an error that has an exit code."""
    try:
        yield
    except (typer.Abort, EOFError) as ended:
        if isinstance(ended.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        raise InputError(
            _("standard input ended before the answer"), remedy=_("give the answer as an option, see --help")
        ) from None
    except USAGE_ERROR as error:
        told = retell(error.format_message())  # type: ignore[attr-defined]
        error.format_message = lambda: told  # type: ignore[attr-defined]
        raise
