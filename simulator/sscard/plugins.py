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
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Final, Generic, TypeVar, cast

from sscard.errors import InputError, MissingPart
from sscard.files import mode_of
from sscard.i18n.language import _

T = TypeVar("T")

SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")
"""At least two characters: ``C:`` is a drive."""


class Registry(Generic[T]):
    """Implementations of one kind by name.

    ``kind`` names the kind in messages, as ``N_("card")``. ``path_scheme`` is
    the scheme of a URL that is only a path, empty if no path is accepted. A
    built-in implementation given as ``"module:object"`` is imported when it is
    used.
    """

    def __init__(self, group: str, kind: str, builtin: Mapping[str, T | str], path_scheme: str = "") -> None:
        self.group = group
        self._kind = kind
        self._builtin = builtin
        self._path_scheme = path_scheme

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
                loaded: T = point.load()
            except Exception as error:  # whatever the package does when it is imported
                package = point.dist.name if point.dist else point.module.partition(".")[0]
                raise MissingPart(
                    _("{kind} {name!r} cannot be loaded: {error}", kind=_(self._kind), name=name, error=error),
                    f"pip install --force-reinstall {package}",
                ) from None
            return loaded
        raise InputError(
            _("unknown {kind} {name!r}", kind=_(self._kind), name=name),
            remedy=_("expected one of: {words}", words=", ".join(self.names())),
        )

    def resolve(self, url: str) -> tuple[T, str]:
        """The implementation a URL names, and the URL with its scheme.

        A URL without a scheme is a path, and so is the name of an existing
        file; a built-in scheme may stand alone, without its colon. A path is
        not empty: it would mean the current folder.
        """
        if self._path_scheme and url in ("", self._path_scheme, f"{self._path_scheme}:"):
            raise InputError(
                _("{kind}: no file is named", kind=_(self._kind)),
                remedy=_("expected a path, or a URL with one of: {words}", words=", ".join(self.names())),
            )
        if url.lower() in self._builtin:
            url = f"{url}:"
        scheme = SCHEME.match(url)
        name = scheme[1].lower() if scheme else url
        if self._path_scheme and (scheme is None or (name not in self._builtin and mode_of(Path(url)))):
            return self.find(self._path_scheme), f"{self._path_scheme}:{url}"
        return self.find(name), url
