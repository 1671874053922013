"""``sscard item``."""

from __future__ import annotations

from sscard.cli.options import json_option
from sscard.cli.output import print_json
from sscard.cli.usage import command


@command("item")
@json_option
def item(as_json: bool) -> None:
    """Show the service item as its page states it."""
    from rich.console import Console

    from sscard.cli.item import render_item
    from sscard.service import load_item

    found = load_item()
    if as_json:
        print_json("item", found.model_dump(mode="json", by_alias=True))
        return
    render_item(Console(), found)
