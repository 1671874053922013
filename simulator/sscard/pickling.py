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
    which fails, or formats a message twice, if it takes something else; and of
    an error of the compiled chip, attributes and notes are lost. This method is
    not compiled with the chip: a compiled one refuses interpreted subclasses.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        # One of a compiled class has no dictionary until it needs one.
        return rebuilt, (type(self), self.args), dict(getattr(self, "__dict__", {}))
