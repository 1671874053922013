"""Errors that survive a process border: pickled with arguments, attributes and notes."""

from __future__ import annotations

from typing import Any


def rebuilt(kind: type[BaseException], args: tuple[object, ...]) -> BaseException:
    """An error without its attributes, which unpickling sets."""
    error = kind.__new__(kind, *args)
    error.args = args
    return error


class PortableError(Exception):
    """The base of the package's errors.

    By default the constructor of a pickled error is called with its ``args``,
    which fails, or formats a message twice, if it takes something else. This
    class is never compiled, so the chip's errors are classes of Python too: a
    compiled one would lose its attributes and notes.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        return rebuilt, (type(self), self.args), dict(vars(self))
