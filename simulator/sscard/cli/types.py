"""What the options and arguments take: each type checks its values, has a metavar and completes in the shell."""

from __future__ import annotations

import errno
import os
import re
import shlex
from collections.abc import Callable, Iterable
from datetime import date, datetime, time
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from click.core import ParameterSource

from sscard.cli.usage import BadValue, metavar_from
from sscard.errors import suggestion
from sscard.i18n.language import N_, _, reason_of, say

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    ParamType = click.ParamType[Any]
else:
    ParamType = click.ParamType  # not generic before click 8.4


class Text(ParamType):
    """Any text; ``words`` are offered by the shell's completion, files too if ``files``.

    ``path`` is a regular expression for texts with a path in them, its group
    ``path``: in a configuration file a relative path starts at the file's folder.
    """

    secret = False
    """Whether the text is a secret, which no configuration file may hold."""

    def __init__(
        self, name: str, words: Callable[[], Iterable[str]] = tuple, *, files: bool = False, path: str = ""
    ) -> None:
        self.name = name
        self.path = path
        self._words = words
        self._files = files

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text; one of the command line is not empty, as that of a shell's variable that is not set."""
        if value or self.secret or param is None or ctx is None:
            return str(value)
        if ctx.get_parameter_source(param.name or "") is ParameterSource.COMMANDLINE:
            raise BadValue(_("is empty"), "" if param.required else _("leave it out, or give a value"))
        return str(value)

    def named_files(self, value: str) -> list[str]:
        """The paths of the files that a value names."""
        found = re.fullmatch(self.path, value)
        return [found["path"]] if found else []

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The words that begin so."""
        from click.shell_completion import CompletionItem

        found = [CompletionItem(word) for word in self._words() if word.startswith(incomplete)]
        return found if found or not self._files else [CompletionItem(incomplete, type="file")]


class Url(Text):
    """The URL of a card or an HSM, or a path."""

    def named_files(self, value: str) -> list[str]:
        """The existing files among the value, what follows its scheme, and the words of that: a program, a library."""
        rest = value.partition(":")[2]
        return [each for each in (value, rest, *re.split(r"[\s;=]+", rest)) if os.path.isfile(each)]  # noqa: PTH113


class Preset(Text):
    """The name of a preset, or the path of a file: anything with a suffix or a slash."""

    def __init__(
        self,
        name: str,
        words: Callable[[], Iterable[str]],
        unknown: str,
        *,
        files: bool = False,
        path: str = "(?P<path>.*[./].*)",
    ) -> None:
        super().__init__(name, words, files=files, path=path)
        self._unknown = unknown

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name as it is given; here, so that an error names the option, variable or file that it is from."""
        text = super().convert(value, param, ctx)
        path = Path(text)
        if text and not path.suffix and len(path.parts) == 1 and text not in (known := list(self._words())):
            raise BadValue(_(self._unknown, name=text), suggestion(text, known))
        return text


class TerminalPsam(Preset):
    """The PSAM of a terminal: the name of a built-in one, the path of a file, or a URL."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text as it is given."""
        return str(value) if ":" in str(value) else super().convert(value, param, ctx)


class Secret(Text):
    """A PIN: refused in a configuration file, not read from the environment."""

    secret = True


class Words(ParamType):
    """A member of an enumeration, by its value; ``"module:Enum"`` is imported on use."""

    name = N_("WORD")

    def __init__(self, kind: type[StrEnum] | str) -> None:
        self._kind = kind

    @property
    def kind(self) -> type[StrEnum]:
        """The enumeration."""
        if isinstance(self._kind, str):
            module, _colon, name = self._kind.partition(":")
            found: type[StrEnum] = getattr(import_module(module), name)
            self._kind = found
        return self._kind

    @property
    def choices(self) -> list[str]:
        """The values."""
        return [word.value for word in self.kind]

    @property
    def limits(self) -> str:
        """The values for the help, if they are too long for a metavar."""
        return "" if metavar_from(self.choices) else ", ".join(self.choices)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> StrEnum:
        """The member."""
        try:
            return self.kind(value)
        except ValueError:
            raise BadValue(_("no {text!r}", text=value), suggestion(value, self.choices)) from None

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The values that begin so."""
        from click.shell_completion import CompletionItem

        return [CompletionItem(word) for word in self.choices if word.startswith(incomplete)]


class Number(ParamType):
    """A whole number (``int``) or any (``float``) from ``least`` to ``most``."""

    name = N_("N")

    def __init__(self, least: float | None = None, most: float | None = None, kind: type[int | float] = int) -> None:
        self._least = least
        self._most = most
        self._kind = kind

    @property
    def limits(self) -> str:
        """The range, for the help; empty if there is none."""
        if self._least is None:
            return ""
        if self._most is None:
            return _("at least {least}", least=self._least)
        return _("{least} to {most}", least=self._least, most=self._most)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | float:
        """The number."""
        try:
            number = self._kind(value)
        except ValueError:
            wrong = _("{text!r} is not a whole number") if self._kind is int else _("{text!r} is not a number")
            raise BadValue(wrong.format(text=value), self.limits) from None
        low = self._least is not None and not number >= self._least  # NaN is not in any range
        if low or (self._most is not None and not number <= self._most):
            raise BadValue(_("{value} is out of range", value=value), _("expected: {limits}", limits=self.limits))
        return number


class Seeds(ParamType):
    """Seeds: numbers and ranges, as ``1,7`` or ``1-5``."""

    name = N_("N,M|N-M")

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """The seeds, each once."""
        if isinstance(value, tuple):
            return value
        seeds: dict[int, None] = {}
        for part in str(value).split(","):
            first, dash, last = part.strip().partition("-")
            ends = (first, last) if dash else (first, first)
            if not all(end.isascii() and end.isdecimal() and len(end) <= LONGEST_SEED for end in ends):
                raise BadValue(_("no seeds {text!r}", text=part), _("for example 1,7 or 1-5"))
            numbers = range(int(ends[0]), int(ends[1]) + 1)
            if not numbers or len(seeds) + len(numbers) > MOST_SEEDS:
                raise BadValue(
                    _("{value} is out of range", value=part), _("from the smaller seed to the larger, at most 10000")
                )
            seeds.update(dict.fromkeys(numbers))
        return tuple(seeds)


class Day(ParamType):
    """A day as YYYY-MM-DD: its beginning in China."""

    name = "YYYY-MM-DD"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """The beginning of the day."""
        from sscard.service.workdays import CHINA

        if isinstance(value, datetime):
            return value
        try:
            return datetime.combine(date.fromisoformat(value), time(), CHINA)
        except ValueError:
            raise BadValue(_("no day {text!r}", text=value), _("for example 2026-03-02")) from None


class Delay(ParamType):
    """A delay as ``20ms`` or ``0.5s``, in seconds, or ``card``: the time of a real card."""

    name = N_("TIME|card")

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float | str:
        """Seconds, or ``card``."""
        text = str(value)
        number, unit = (text[:-2], 1000) if text.endswith("ms") else (text.removesuffix("s"), 1)
        if text == CARD_TIME:
            return text
        if not text.endswith("s") or not number.replace(".", "", 1).isdecimal() or not number.isascii():
            raise BadValue(_("no time {text!r}", text=text), _("for example 20ms, 0.5s, or {word}", word=CARD_TIME))
        if (seconds := float(number) / unit) > LONGEST_DELAY:
            raise BadValue(_("{text}: at most {most} s expected", text=text, most=LONGEST_DELAY))
        return seconds


class Parsed(ParamType):
    """What a function makes of a text, such as a fault; ``place`` is ``module:function``, imported when it is needed.

    The function raises ``InvalidValue``.
    """

    def __init__(self, name: str, place: str) -> None:
        self.name = name
        self._place = place

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The value that the function returns."""
        from sscard.errors import InvalidValue

        if not isinstance(value, str):
            return value
        module, _colon, function = self._place.partition(":")
        try:
            return getattr(import_module(module), function)(value)
        except InvalidValue as error:
            raise BadValue(say(error.said), error.remedy) from None


def check_path(path: str) -> None:
    """An error if no file can have this path, which many functions of the system do not expect."""
    if not path:
        raise BadValue(_("the path is empty"))
    try:
        Path(path).lstat()
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise BadValue(_("cannot be a path: {reason}", reason=reason_of(error))) from None
    except ValueError:  # a null character
        raise BadValue(_("cannot be a path")) from None


class Address(Text):
    """Where the driver's server listens: ``tcp:PORT``, ``ws:PORT`` or the path of a Unix socket."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The address."""
        text = super().convert(value, param, ctx)
        scheme, colon, port = text.partition(":")
        expected = _("tcp:PORT, ws:PORT, or the path of a Unix socket: ./{name}", name=value)
        if scheme in ("tcp", "ws") and colon:
            if not (port.isascii() and port.isdigit() and len(port) < 6 and int(port) <= 0xFFFF):
                raise BadValue(_("{place}: not a port", place=value), _("for example tcp:35980 or ws:12342"))
        elif not scheme or (colon and "/" not in scheme):
            raise BadValue(_("no address {text!r}", text=value), expected)
        return text


class Entries(Secret):
    """What is typed at a PIN pad, separated by commas: digits, ``cancel`` or ``timeout``."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The entries as they are given; an error never repeats one, it may be a PIN."""
        for number, entry in enumerate(str(value).split(","), 1):
            if entry not in ("cancel", "timeout") and not (entry.isascii() and entry.isdigit()):
                raise BadValue(_("entry {number} is not digits, 'cancel' or 'timeout'", number=number))
        return str(value)


class Program(Text):
    """A command with its arguments, quoted as in a shell."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The command as it is given."""
        text = super().convert(value, param, ctx)
        try:
            shlex.split(text)
        except ValueError:
            raise BadValue(_("a quotation mark is not closed, or a backslash is at the end")) from None
        return text


class File(click.Path):
    """A path, as ``Path``; the shell completes it."""

    def __init__(self, name: str = N_("FILE"), *, path: str = "(?P<path>.+)") -> None:
        super().__init__(path_type=Path)
        self.name = name
        self.path = path

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The path, which may not exist."""
        check_path(str(value))
        return Path(value)

    def named_files(self, value: Path) -> list[str]:
        """The path."""
        return [str(value)]


def personality_names() -> list[str]:
    """The presets."""
    from sscard.issuer.personalities import presets

    return presets()


def place_names() -> list[str]:
    """The place policies that come with sscard."""
    from sscard.issuer.places import places

    return places()


def policy_names() -> list[str]:
    """The service policies that come with sscard."""
    from sscard.service.policy import policies

    return policies()


CARD_TIME: Final = "card"
LONGEST_SEED: Final = 18
"""Digits."""
MOST_SEEDS: Final = 10_000
MOST_SECONDS: Final = 1_000_000
"""More than any wait; the system's timers take neither infinity nor every number."""
LONGEST_DELAY: Final = 60
"""Seconds: as long as a slow fault."""

NONE: Final = "none"
"""The value by which an option counts as left out."""
FILE: Final = File()
FILE_OR_NONE: Final = File(path="(?P<path>(?!none$).+)")
FOLDER: Final = File(N_("FOLDER"))
SEED: Final = Number()
SEEDS: Final = Seeds()
PORT: Final = Number(1, 65535)
FREE_PORT: Final = Number(0, 65535)
SECONDS: Final = Number(0.1, MOST_SECONDS, float)
DAY: Final = Day()
CARD: Final = Url(N_("CARD"), files=True, path="(image:)?(?P<path>(?!pcsc$)[^:]+)")
NAME: Final = Text(N_("NAME"))
DELAY: Final = Delay()
FAULT: Final = Parsed(N_("FAULT@N"), "sscard.scenario.faults:read_fault")
THRESHOLD: Final = Parsed(N_("[DIM=]PERCENT"), "sscard.scenario.coverage.measure:read_threshold")
CAMPAIGN_THRESHOLD: Final = Parsed(N_("OUTCOME=N%"), "sscard.campaign.running:read_threshold")
LIMIT: Final = Parsed(N_("LIMIT"), "sscard.benchmark.thresholds:read_threshold")
PERCENT: Final = Parsed("N%", "sscard.fields:read_percent")
DIGITS: Final = Secret(N_("DIGITS"))
HOLDER_BASE: Final = Url(N_("URL"), files=True, path="(?:sqlite:)?(?P<path>(?!none$)[^:]+)")
HSM: Final = Url(N_("URL"), path="soft:(?P<path>.+)")
JOURNAL: Final = Text(N_("URL"), path="(?:sqlite:///)?(?P<path>(?!~)(?!.*://).+)")
PERSONALITY: Final = Preset(N_("PERSONALITY"), personality_names, N_("no personality {name!r}"), files=True)
SERVICE_POLICY: Final = Preset(N_("POLICY"), policy_names, N_("no policy {name!r}"), files=True)
PLACE: Final = Preset(N_("POLICY"), place_names, N_("no place policy {name!r}"))
PLACE_OR_NONE: Final = Preset(N_("POLICY"), lambda: [*place_names(), NONE], N_("no place policy {name!r}"))
