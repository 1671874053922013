"""``sscard policy list|show|check``."""

from __future__ import annotations

from pathlib import Path

import click

from sscard.cli.formatter import terminal_width
from sscard.cli.options import json_option
from sscard.cli.output import error_entry, print_json
from sscard.cli.types import FILE, SERVICE_POLICY
from sscard.cli.usage import argument, group
from sscard.errors import InputError
from sscard.i18n.language import N_, _, visible_lines

which_argument = argument("which", type=SERVICE_POLICY, help=N_("A preset or a policy file."))
file_argument = argument("file", type=FILE, help=N_("The policy file."))


@group("policy")
def policy() -> None:
    """Policies of the PIN service: what the page of the item leaves open."""


@policy.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the policies that come with sscard."""
    from rich.console import Console
    from rich.table import Table

    from sscard.service.policy import policies, preset_policy

    if as_json:
        kinds = [{"name": name} | preset_policy(name).model_dump(mode="json") for name in policies()]
        print_json("policies", {"policies": kinds})
        return
    table = Table(_("policy"), _("proxies"), _("minors"), _("of age"), _("register below"), box=None)
    for name in policies():
        found = preset_policy(name)
        table.add_row(name, found.proxy, found.minors, str(found.adult_age), str(found.register_age))
    Console(highlight=False, width=terminal_width()).print(table)


@policy.command("show")
@which_argument
@json_option
def show(which: str, as_json: bool) -> None:
    """Print every field of a policy with its source, as a file that can be edited."""
    import yaml

    from sscard.service.policy import PAGE, find_policy

    found = find_policy(which)
    fields = found.model_dump(mode="json")
    if as_json:
        print_json("policy", fields)
        return
    for field, value in fields.items():
        source = found.sources.get(field, "")
        if source == PAGE:
            click.echo("# " + _("regulated by the page of the item"))
        elif field != "sources":
            click.echo("# " + _("not regulated by the page; source: {source}", source=source or _("none stated")))
        click.echo(yaml.safe_dump({field: value}, allow_unicode=True, sort_keys=False, width=110), nl=False)


@policy.command("check")
@file_argument
@json_option
def check(file: Path, as_json: bool) -> None:
    """Check a policy file and report every error. Exits 2 if there is one."""
    from sscard.document import read_document
    from sscard.issuer.holderbase import wrong_numbers
    from sscard.service.policy import load_policy

    errors: list[InputError] = []
    try:
        errors += wrong_numbers(read_document(file))
        load_policy(file, errors.append)
    except InputError as first:
        errors.append(first)
    errors.sort(key=lambda each: (each.line, each.column))
    if as_json:
        print_json("policy-check", {"file": str(file), "errors": [*map(error_entry, errors)]})
    for wrong in errors if not as_json else ():
        click.echo(visible_lines(str(wrong)))
    if errors:
        raise SystemExit(2)
    if not as_json:
        click.echo(_("{file}: no errors", file=file))
