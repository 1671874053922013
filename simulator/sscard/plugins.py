"""Registries: implementations by name, the built-in ones and those of installed packages.

A package adds one by an entry point. Its group is the registry's, its name is
the scheme of the URL (or the name of the format), its value a callable that
gets the URL::

    [project.entry-points."sscard.cards"]
    demo = "my_package:open_demo"

A built-in name cannot be replaced. Entry points are looked up only if no
built-in name matches, because the lookup reads every installed package.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Final, Generic, TypeVar, cast

from sscard.errors import InputError, MissingPart, said_by
from sscard.i18n.phrase import Phrase, Sayable

T = TypeVar("T")

SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")
"""At least two characters: ``C:`` is a drive."""


class Registry(Generic[T]):
    """Implementations of one kind by name.

    ``kind`` names the kind in messages, as ``Phrase("card")``. ``path_scheme`` is
    the scheme of a URL that is only a path, empty if no path is accepted. A
    built-in implementation given as ``"module:object"`` is imported when it is
    used. ``gives`` is the class, or a tuple of classes, of what an
    implementation returns; a package's is held to it.
    """

    def __init__(
        self, group: str, kind: Sayable, builtin: Mapping[str, T | str], path_scheme: str = "", *, gives: Any
    ) -> None:
        self.group = group
        self._kind = kind
        self._builtin = builtin
        self._path_scheme = path_scheme
        self._gives = gives

    def names(self) -> list[str]:
        """Every known name, sorted."""
        return sorted({*self._builtin, *(point.name for point in entry_points(group=self.group))})

    def find(self, name: str) -> T:
        """The implementation with this name.

        Raises ``InputError`` with the known names if there is no such name,
        ``MissingPart`` if the package that registers it cannot be imported.
        """
        if name in self._builtin:
            found = self._builtin[name]
            if isinstance(found, str):
                found = EntryPoint(name, found, self.group).load()
            return cast("T", found)
        for point in entry_points(group=self.group, name=name):
            try:
                loaded = point.load()
            except (Exception, SystemExit) as error:  # whatever the package does when it is imported
                raise MissingPart(
                    Phrase(
                        "{kind} {name!r} cannot be loaded: {error}", kind=self._kind, name=name, error=said_by(error)
                    ),
                    _reinstall(point),
                ) from None
            return cast("T", self._guarded(point, loaded))
        raise InputError(
            Phrase("unknown {kind} {name!r}", kind=self._kind, name=name),
            remedy=Phrase("expected one of: {words}", words=", ".join(self.names())),
        )

    def _guarded(self, point: EntryPoint, loaded: Any) -> Callable[..., object]:
        """A package's callable: its faults end as a missing part, and so does a result of another kind.

        An exception of ours, or one derived from it, is an answer and no fault.
        """

        def call(*arguments: object, **options: object) -> object:
            try:
                result = loaded(*arguments, **options)
            except Exception as error:
                if any(kind.__module__.partition(".")[0] == __package__ for kind in type(error).__mro__):
                    raise
                problem = Phrase(
                    "{kind} {name!r} failed: {error}", kind=self._kind, name=point.name, error=said_by(error)
                )
                raise MissingPart(problem, _reinstall(point)) from error
            if not isinstance(result, self._gives):
                problem = Phrase("{kind} {name!r} returned something else", kind=self._kind, name=point.name)
                raise MissingPart(problem, _reinstall(point))
            return result

        return call

    def resolve(self, url: str) -> tuple[T, str]:
        """The implementation a URL names, and the URL with its scheme.

        A URL without a scheme is a path, and so is the name of an existing
        file; a built-in scheme may stand alone, without its colon.
        """
        if url.lower() in self._builtin:
            url = f"{url}:"
        scheme = SCHEME.match(url)
        name = scheme[1].lower() if scheme else url
        if self._path_scheme and (scheme is None or (name not in self._builtin and Path(url).exists())):
            return self.find(self._path_scheme), f"{self._path_scheme}:{url}"
        return self.find(name), url


def _reinstall(point: EntryPoint) -> str:
    return f"pip install --force-reinstall {point.dist.name if point.dist else point.module.partition('.')[0]}"
