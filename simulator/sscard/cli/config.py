"""The configuration file: ``sscard.toml``, or ``[tool.sscard]`` of ``pyproject.toml``, as defaults of options.

The tables are those of the commands, ``[run]`` or ``[case.open]``; their keys
are the long names of options. A key in the table of a group, as in ``[case]``,
counts for every command of the group that has the option.

This module is part of the start of every command: regular expressions are
compiled and ``tomllib`` is imported only if there is a file to parse.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sscard.errors import InputError, suggestion
from sscard.files import decoded, unreadable
from sscard.i18n.language import _

if TYPE_CHECKING:
    from collections.abc import Iterable

    import click

    from sscard.i18n.phrase import Sayable

    Where = tuple[str, ...]

VARIABLE: Final = "SSCARD_CONFIG"
OWN_FILE, PROJECT_FILE = "sscard.toml", "pyproject.toml"
VALUED: Final = ("--lang", "--config", "--log-format")
"""The options before the command that take a value."""
_HEADER: Final = r"\s*\[\[?\s*([^\[\]]+?)\s*\]"
_KEY: Final = r"\s*([\w\s.\"'-]+?)\s*="


def option_value(arguments: Iterable[str], name: str) -> str:
    """The value of an option before the command, or empty; errors in the options are in the chosen language too."""
    rest = iter(arguments)
    for argument in rest:
        if argument == name:
            return next(rest, "")
        if argument.startswith(f"{name}="):
            return argument.partition("=")[2]
        if argument in VALUED:
            next(rest, "")
        elif not argument.startswith("-"):
            return ""
    return ""


class Configuration:
    """The tables of a file; ``file`` is its path as errors show it, ``above`` the path of our table in it."""

    def __init__(self, file: str, text: str, table: dict[str, Any], above: Where) -> None:
        self.file = file
        self._text = text
        self._table = table
        self._above = above
        self._places: dict[tuple[str, str], Where] = {}

    @property
    def language(self) -> str:
        """The language, not checked; empty if there is none."""
        value = self._table.get("lang")
        return value if isinstance(value, str) else ""

    def defaults(self, ctx: click.Context) -> dict[str, Any]:
        """The values for the options of a command by parameter, as text, truth or a list of texts.

        Checks the table of the command: an unknown key, a secret or a value of
        another form is an ``InputError``. Of a group, the tables of its commands
        are checked when they are called.
        """
        path = tuple(ctx.command_path.split()[1:])
        options, below = _options(ctx.command), self._commands(ctx)
        inherited = [each for command in below.values() if command for each in _options(command).items()]
        self._check(path, {**dict(inherited), **options}, below)
        found: dict[str, Any] = {}
        for depth in range(min(len(path), 1), len(path) + 1):
            for key, value in self._at(path[:depth]).items():
                option = options.get(key)
                if option is not None and option.name and key not in below:
                    where = (*path[:depth], key)
                    found[option.name] = self._value(option, value, where)
                    self._places[ctx.command_path, option.name] = where
        return found

    def error(self, where: Where, problem: str, remedy: Sayable = "") -> InputError:
        """An input error at a key of the file."""
        line, key = self._line((*self._above, *where)), ".".join(where)
        return InputError(f"{key}: {problem}" if key else problem, file=self.file, line=line, remedy=remedy)

    def bad_value(self, ctx: click.Context, option: click.Parameter, problem: str, remedy: Sayable) -> InputError:
        """An input error at the value that an option has from the file."""
        return self.error(self._places[ctx.command_path, option.name or ""], problem, remedy)

    def _commands(self, ctx: click.Context) -> dict[str, click.Command | None]:
        """The commands of a group; those of the program are not imported, its keys are its own options."""
        found: dict[str, click.Command | None] = {}
        group: Any = ctx.command
        for name in group.list_commands(ctx) if hasattr(group, "list_commands") else ():
            found[name] = group.get_command(ctx, name) if ctx.parent else None
        return found

    def _at(self, path: Where) -> dict[str, Any]:
        table = self._table
        for name in path:
            table = table.get(name, {})
        return table

    def _check(self, path: Where, options: dict[str, click.Option], below: dict[str, click.Command | None]) -> None:
        """Check names: tables of commands, options that the file may give."""
        for key, value in self._at(path).items():
            where = (*path, key)
            if key in below:
                if not isinstance(value, dict):
                    raise self.error(where, _("is a command, a table is expected"), f"[{'.'.join(where)}]")
            elif key not in options:
                problem = _("no such command or option") if below else _("no such option")
                raise self.error(where, problem, suggestion(key, [*below, *options]))
            elif getattr(options[key].type, "secret", False):
                raise self.error(
                    where,
                    _("is a secret, which a configuration file must not contain"),
                    _("enter it at the prompt, or give the option {option}", option=f"--{key}"),
                )

    def _value(self, option: click.Option, value: Any, where: Where) -> Any:
        if option.is_flag:
            if not isinstance(value, bool):
                raise self.error(where, _("true or false is expected"))
            return value
        if not option.multiple:
            return self._word(option, value, where)
        if not isinstance(value, list):
            raise self.error(where, _("a list is expected"), _("for example {example}", example=f'{where[-1]} = ["…"]'))
        return [self._word(option, each, where) for each in value]

    def _word(self, option: click.Option, value: Any, where: Where) -> str:
        """A value as it would be on the command line; a relative path starts at the folder of the file."""
        if isinstance(value, bool | dict | list):
            raise self.error(where, _("text or a number is expected"))
        text = str(value)
        found = re.fullmatch(getattr(option.type, "path", ""), text)
        return text[: found.start("path")] + str(Path(self.file).parent / found["path"]) if found else text

    def _line(self, path: Where) -> int:
        """The line of a key, or of the nearest part around it; 0 if it is not found. TOML's parser does not say."""
        best = line = 0
        table: Where = ()
        for number, text in enumerate(self._text.splitlines(), 1):
            header = re.match(_HEADER, text)
            found = header or re.match(_KEY, text)
            if found is None:
                continue
            parts: Where = tuple(part.strip(" \t\"'") for part in found[1].split("."))
            here = parts if header else (*table, *parts)
            if header:
                table = parts
            if len(here) > best and path[: len(here)] == here:
                best, line = len(here), number
        return line


def _options(command: click.Command) -> dict[str, click.Option]:
    """The options of a command that a file may give, by their long name without dashes."""
    found = {max(each.opts, key=len).lstrip("-"): each for each in command.params if each.param_type_name == "option"}
    options: dict[str, Any] = {key: each for key, each in found.items() if not each.is_eager}
    return options


def find_configuration(arguments: Iterable[str]) -> Configuration | None:
    """The file of ``--config`` or SSCARD_CONFIG, or the first one from the working directory upwards."""
    named = option_value(arguments, "--config") or os.environ.get(VARIABLE)
    if named is not None:
        return _read(named) if named else None
    try:
        folder = Path.cwd()
    except OSError:  # it was removed
        return None
    shown = Path()
    for each in (folder, *folder.parents):
        for name in (OWN_FILE, PROJECT_FILE):
            with suppress(PermissionError):  # in a folder above that this user may not search
                if (each / name).is_file() and (found := _read(str(shown / name), searched=True)):
                    return found
        shown /= os.pardir
    return None


def _read(file: str, *, searched: bool = False) -> Configuration | None:
    """The configuration in a file; ``None`` for a project without our table that the search has met."""
    try:
        data = Path(file).read_bytes()
    except OSError as error:
        raise unreadable(file, error) from None
    project = Path(file).name == PROJECT_FILE
    if project and searched and b"sscard" not in data:
        return None  # not parsed: most projects
    text = decoded(data, file)
    content: Any = _parsed(text, file)
    above = ("tool", "sscard") if project else ()
    for name in above:
        content = content.get(name) if isinstance(content, dict) else None
    if content is None:
        if searched:
            return None
        raise InputError(_("has no table [tool.sscard]"), file=file)
    if not isinstance(content, dict):
        raise Configuration(file, text, {}, above).error((), _("a table is expected"))
    return Configuration(file, text, content, above)


def _parsed(text: str, file: str) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(text)
    except RecursionError:
        raise InputError(_("is nested too deeply"), file=file) from None
    except ValueError as error:
        # Only Python 3.14 has the position as numbers; at the end of the document and of a number too long it has none.
        at = re.fullmatch(r".*\(at line (\d+), column (\d+)\)", str(error))
        line, column = (int(at[1]), int(at[2])) if at else (0, 0)
        if not at and isinstance(error, tomllib.TOMLDecodeError):
            line = len(text.splitlines())
        raise InputError(
            _("not valid TOML: a quote, bracket or equals sign is missing, or a key is given twice"),
            file=file,
            line=line,
            column=column,
        ) from None
