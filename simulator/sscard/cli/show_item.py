"""``sscard item``."""

from __future__ import annotations

from sscard.cli.usage import command


@command("item")
def item() -> None:
    """Show the service item as its page states it."""
    from rich.console import Console

    from sscard.cli.item import render_item
    from sscard.service import load_item

    render_item(Console(), load_item())
