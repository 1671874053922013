"""Registries: implementations by name, the built-in ones and those of installed packages.

A package adds one by an entry point. Its group is the registry's, its name is
the scheme of the URL (or the name of the format), its value a callable that
gets the URL::

    [project.entry-points."sscard.cards"]
    demo = "my_package:open_demo"

A built-in name cannot be replaced. Entry points are looked up only if no
built-in name matches, because the lookup reads every installed package.

A fault in a package's code is a ``MissingPart`` that names the package: an error
at its import, an error when it is called that is not one of sscard's, or a result
of the wrong type.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast

from sscard.errors import InputError, MissingPart, PhrasedError
from sscard.fields import MASK
from sscard.files import mode_of
from sscard.i18n.phrase import Phrase, Sayable
from sscard.lazy import Logger

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

logger = Logger("sscard.plugins")

T = TypeVar("T", bound=Callable[..., Any])

Guard = Callable[[Any, str], object]

_PIN_OPTION: Final = re.compile(r"(--(?:[\w-]+-)?(?:pin|new|old)[ =]|PIN=)[^\s]+")
"""The value of an option or variable that gives a PIN to the program of a card."""
SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")
"""At least two characters: ``C:`` is a drive."""
WORD: Final = re.compile(r"[^\s:/?#@;&=,]{3,}")
"""What stands between the delimiters of a URL; one or two characters would hide parts of other words."""


class Registry(Generic[T]):
    """Implementations of one kind by name.

    ``kind`` names the kind in messages, as ``Phrase("card")``. ``path_scheme`` is
    the scheme of a URL that is only a path, empty if no path is accepted. A
    built-in implementation given as ``"module:object"`` is imported when it is
    used. An implementation of a package must return a ``result``, or a context
    manager that gives one; ``guard(result, url)`` replaces it by one whose
    methods report the package's faults.
    """

    def __init__(
        self,
        group: str,
        kind: Sayable,
        builtin: Mapping[str, T | str],
        path_scheme: str = "",
        *,
        result: type,
        guard: Guard | None = None,
    ) -> None:
        self.group = group
        self._kind = kind
        self._builtin = builtin
        self._path_scheme = path_scheme
        self._result = result
        self._guard = guard

    def names(self) -> list[str]:
        """Every known name, sorted."""
        return sorted({*self._builtin, *(point.name for point in self._points())})

    def _points(self) -> Iterable[EntryPoint]:
        """The entry points of installed packages; the module for them takes longer to import than a card to answer."""
        from importlib.metadata import entry_points

        return entry_points(group=self.group)

    def find(self, name: str) -> T:
        """The implementation with this name.

        Raises ``InputError`` with the known names if there is no such name,
        ``MissingPart`` if the package that registers it cannot be imported.
        """
        if name in self._builtin:
            found = self._builtin[name]
            if isinstance(found, str):
                module, _colon, attribute = found.partition(":")
                found = getattr(import_module(module), attribute)
            return cast("T", found)
        for point in self._points():
            if point.name == name:
                return cast("T", _PlugIn(point, self._kind, self._result, self.shown, self._guard))
        raise InputError(
            Phrase("unknown {kind} {name!r}", kind=self._kind, name=name),
            remedy=Phrase("expected one of: {words}", words=", ".join(self.names())),
        )

    def resolve(self, url: str) -> tuple[T, str]:
        """The implementation of a URL's scheme, and the URL with its scheme.

        A URL without a scheme is a path, and so is the name of an existing
        file; a built-in scheme may stand alone, without its colon. A path is
        not empty: it would mean the current folder.
        """
        if self._path_scheme and url in ("", self._path_scheme, f"{self._path_scheme}:"):
            raise InputError(
                Phrase("{kind}: no file is named", kind=self._kind),
                remedy=Phrase("expected a path, or a URL with one of: {words}", words=", ".join(self.names())),
            )
        if url.lower() in self._builtin:
            url = f"{url}:"
        scheme = SCHEME.match(url)
        name = scheme[1].lower() if scheme else url
        if self._path_scheme and (scheme is None or (name not in self._builtin and mode_of(Path(url)))):
            return self.find(self._path_scheme), f"{self._path_scheme}:{url}"
        return self.find(name), url

    def shown(self, url: str) -> str:
        """A URL for reports and journals: with a host only scheme, host and path, as the rest may hold a password.

        Of a URL without host, which only packages give a meaning, the scheme.
        """
        found = re.fullmatch("([^:/?#]+)://([^/?#]*@)?([^/?#]*)([^?#;]*)(.*)", url, re.DOTALL)
        if found is not None:
            scheme, user, host, path, query = found.groups()
            return f"{scheme}://{f'{MASK}@' if user else ''}{host}{path}{MASK if query else ''}"
        known = SCHEME.match(url)
        if known is None or known[0] == url or known[1].lower() in self._builtin:
            return _PIN_OPTION.sub(rf"\1{MASK}", url)
        return f"{known[0]}{MASK}"

    def open(self, url: str, **options: object) -> AbstractContextManager[Any]:
        """Open a URL with the implementation of its scheme, until the end of the ``with`` statement."""
        opener, url = self.resolve(url)
        opened = opener(url, **options)
        return opened if isinstance(opened, AbstractContextManager) else nullcontext(opened)


class _PlugIn:
    """Calls the implementation of a package, and reports its faults by the package's name."""

    def __init__(
        self, point: EntryPoint, kind: Sayable, result: type, shown: Callable[[str], str], guard: Guard | None
    ) -> None:
        self._point = point
        self._package = point.dist.name if point.dist else point.module.partition(".")[0]
        self._kind = kind
        self._result = result
        self._shown = shown
        self._guard = guard
        try:
            self._function = point.load()
        except (Exception, SystemExit) as error:  # whatever the package does when it is imported
            reason = str(error) if isinstance(error, (ImportError, AttributeError)) else _described(error)
            raise MissingPart(
                Phrase("{kind} {name!r} cannot be loaded: {error}", kind=kind, name=point.name, error=reason),
                f"pip install --force-reinstall {self._package}",
            ) from None
        logger.info("plug-in loaded", package=self._package, entry_point=point.name)
        if not callable(self._function):
            raise self._failure(Phrase("a function was expected, not {type}", type=type(self._function).__name__))

    def __call__(self, *arguments: object, **options: object) -> object:
        with self._guarded(arguments):
            given = self._function(*arguments, **options)
        if isinstance(given, AbstractContextManager):
            return self._entered(given, arguments)
        return self._checked(given, arguments)

    @contextmanager
    def _entered(self, given: AbstractContextManager[object], arguments: tuple[object, ...]) -> Iterator[object]:
        def leave(
            kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
        ) -> bool | None:
            with self._guarded(arguments):
                return given.__exit__(kind, error, trace)

        with ExitStack() as entered:
            with self._guarded(arguments):
                result = given.__enter__()
            entered.push(leave)
            yield self._checked(result, arguments)

    def _checked(self, result: object, arguments: tuple[object, ...]) -> object:
        if not isinstance(result, self._result):
            expected, found = self._result.__name__, type(result).__name__
            raise self._failure(Phrase("it returned {found}, expected {expected}", found=found, expected=expected))
        return result if self._guard is None else self._guard(result, self._shown(str(arguments[0])))

    @contextmanager
    def _guarded(self, arguments: tuple[object, ...]) -> Iterator[None]:
        try:
            yield
        except PhrasedError:  # an answer, no fault
            raise
        except (Exception, SystemExit) as error:
            raise self._failure(self._without_hidden(_described(error), arguments)) from None

    def _without_hidden(self, text: str, arguments: tuple[object, ...]) -> str:
        """The text of an error without those words of the URL that reports do not show."""
        from urllib.parse import unquote

        for url in filter(lambda argument: isinstance(argument, str), arguments):
            words = set(WORD.findall(f"{url} {unquote(str(url))}")) - set(WORD.findall(self._shown(str(url))))
            for word in sorted(words, key=len, reverse=True):
                text = text.replace(word, MASK)
        return text

    def _failure(self, problem: Sayable) -> MissingPart:
        return MissingPart(
            Phrase(
                "{kind} {name!r}: {function} of package {package} does not work: {problem}",
                kind=self._kind,
                name=self._point.name,
                function=self._point.value,
                package=self._package,
                problem=problem,
            ),
            Phrase("update the package: pip install --upgrade {package}", package=self._package),
        )


def _described(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
