"""How a chip answers commands."""

from __future__ import annotations


class PowerError(Exception):
    """A command was sent to a chip without power."""
