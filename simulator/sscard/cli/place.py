"""``sscard place list|show|check``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from sscard.cli.formatter import terminal_width
from sscard.cli.options import json_option
from sscard.cli.output import error_entry, print_json
from sscard.cli.types import PLACE, Text, place_names
from sscard.cli.usage import argument, group
from sscard.i18n.language import N_, _, visible_lines
from sscard.i18n.phrase import Phrase

if TYPE_CHECKING:
    from rich.table import Table

    from sscard.issuer import Place

HELP: Final = {
    "name": N_("Name of the policy in lists."),
    "pin_tries": N_("PIN retry limit, 1 to 15."),
    "max_unblocks": N_("Unblocks and resets that a card permits, 0 to 99. 0: no limit."),
    "initial_pin": N_("4 to 16 digits, 'last 6 of ID', 'birth date' (YYMMDD), or 'none': cards without a PIN."),
    "initial_pin_use": N_("'must change' before any use, 'query only', 'off' (it counts as no PIN) or 'free'."),
    "forbidden_pins": N_("PINs that nobody may choose: digits, 'last 6 of ID', 'birth date'."),
}
"""The meaning of each field."""

which_argument = argument("which", type=PLACE, help=N_("A place policy: a preset or a file."))


@group("place")
def place() -> None:
    """Place policies: the PIN limit, initial PIN and rules for new PINs of a place."""


@place.command("list")
@json_option
def list_presets(as_json: bool) -> None:
    """List the place policies that come with sscard."""
    from dataclasses import asdict

    from rich.console import Console

    from sscard.issuer.places import PRESETS

    if as_json:
        print_json("places", {"places": [asdict(policy) for policy in PRESETS.values()]})
        return
    Console(highlight=False, width=terminal_width()).print(table_of([*PRESETS.values()]))


@place.command("show")
@which_argument
@json_option
def show(which: str, as_json: bool) -> None:
    """Print every field of a place policy with its value and meaning, as a file that can be edited."""
    from dataclasses import asdict

    import yaml

    from sscard.issuer import find_place

    fields = asdict(find_place(which))
    if as_json:
        print_json("place", fields)
        return
    for field, value in fields.items():
        click.echo(f"# {_(HELP[field])}")
        if value is None:
            click.echo(f"# {_('{field} is not set: unlock_limit of the personality applies', field=field)}")
            continue
        written = list(value) if isinstance(value, tuple) else value
        click.echo(yaml.safe_dump({field: written}, allow_unicode=True).rstrip())


@place.command("check")
@argument(
    "which",
    type=Text(N_("POLICY"), place_names, files=True, path="(?P<path>.*[./].*)"),
    nargs=-1,
    required=True,
    help=N_("Place policy files, and folders with such files."),
)
@json_option
def check(which: tuple[str, ...], as_json: bool) -> None:
    """Check place policy files and report every error, with line and remedy. Exits 2 if there is one."""
    from sscard.issuer.lookup import place_errors

    names = [name for given in which for name in _files_in(given)]
    errors = [error for name in names for error in place_errors(name)]
    if as_json:
        print_json("place-check", {"files": len(names), "errors": [*map(error_entry, errors)]})
    else:
        for error in errors:
            click.echo(visible_lines(str(error)))
        files = Phrase.plural("{count} file", "{count} files", count=len(names))
        count = Phrase.plural("{count} error", "{count} errors", count=len(errors))
        found = _("{files}: {errors}", files=files, errors=count) if errors else _("{files}: no errors", files=files)
        click.echo(found)
    if errors:
        raise SystemExit(2)


def _files_in(given: str) -> list[str]:
    """The YAML and JSON files of a folder; anything else as it is given."""
    found = sorted(str(path) for end in ("yaml", "yml", "json") for path in Path(given).glob(f"*.{end}"))
    return found if Path(given).is_dir() and found else [given]


def table_of(policies: list[Place]) -> Table:
    """The policies with their values, one in a row."""
    from rich.table import Table

    columns = (_("place policy"), _("PIN tries"), _("unblocks"), _("initial PIN"), _("its use"), _("forbidden PINs"))
    table = Table(*columns, box=None)
    for each in policies:
        limit = {None: "", 0: _("no limit")}.get(each.max_unblocks, str(each.max_unblocks))
        forbidden = ", ".join(each.forbidden_pins)
        table.add_row(each.name, str(each.pin_tries), limit, each.initial_pin, each.initial_pin_use, forbidden)
    return table
