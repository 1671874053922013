"""``sscard psam issue|show``: PSAMs in files."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Any

import click

from sscard.cli.issue import CITY
from sscard.cli.options import force_option, json_option
from sscard.cli.output import check_output, print_json
from sscard.cli.target import keys_of, tell
from sscard.cli.types import FILE, Text, Words
from sscard.cli.usage import argument, group, option
from sscard.i18n.language import N_, _

FIRST_TERMINAL = f"{CITY}000001"


class PsamLevel(StrEnum):
    """How far the keys of a PSAM reach."""

    national = "national"
    province = "province"
    city = "city"


class Absent(StrEnum):
    """What a PSAM can lack."""

    SM4 = "sm4"
    READ_KEY = "rkssse"
    STK_ENCRYPTION = "stk-encryption"


@group("psam")
def psam() -> None:
    """A PSAM in a file, for the terminal of sscard driver serve or for a PC/SC reader."""


@psam.command("issue")
@option("-o", "--output", type=FILE, required=True, help=N_("PSAM file."))
@option(
    "--level",
    type=Words(PsamLevel),
    default=PsamLevel.province,
    help=N_("Whose keys it holds. Those of a province or city include PUK, so it can reset PINs of its region."),
)
@option(
    "--terminal",
    type=Text(N_("DIGITS")),
    default=FIRST_TERMINAL,
    help=N_("Terminal number, 12 digits: the city code, then the city's own number."),
)
@option("--keys", type=FILE, help=N_("Roots of its keys. Default: the built-in test keys."))
@option(
    "--without",
    type=Words(Absent),
    multiple=True,
    help=N_("Part that it lacks, to test how a program continues with the HSM."),
)
@force_option
@json_option
def issue(
    output: Path,
    level: PsamLevel,
    terminal: str,
    keys: Path | None,
    without: tuple[Absent, ...],
    force: bool,
    as_json: bool,
) -> None:
    """Issue a PSAM into a file, which keeps its counters and keys as a card file does."""
    from sscard.issuer.psam import issue_psam
    from sscard.issuer.psamfile import save_psam

    check_output(output, replace=force)
    made = issue_psam(
        keys_of(keys),
        terminal,
        level.value,
        sm4=Absent.SM4 not in without,
        read_key=Absent.READ_KEY not in without,
        stk_enciphers=Absent.STK_ENCRYPTION not in without,
    )
    save_psam(made, output, tell)
    if as_json:
        print_json("psam-issue", {"file": str(output), "terminal_number": terminal, "level": level.value})
        return
    command = f"sscard psam show {output}"
    words = {"path": output, "terminal": terminal, "level": _level(level.value)}
    click.echo(_("{path}: PSAM {terminal}, {level}; look at it with: {command}", command=command, **words))


@psam.command("show")
@argument("file", metavar=N_("FILE"), type=FILE, help=N_("PSAM file."))
@option("--all", "show_all", is_flag=True, help=N_("List the keys too, by name, usage and id."))
@json_option
def show(file: Path, show_all: bool, as_json: bool) -> None:
    """Show number, counters and state of a PSAM. Never a key value."""
    from sscard.issuer.psamfile import load_psam

    held = load_psam(file, tell)
    held.memory.recover()  # what the PSAM itself does first if the power was cut in a write
    snapshot = held.snapshot()
    atr = held.profile.atr().hex().upper()
    environments = [
        {
            "algorithm": algorithm,
            "terminal_sequence": sequence,
            "tries_max": held.profile.key_tries,
            "tries_left": snapshot.key_tries[algorithm],
            "keys": [_key(record) for record in snapshot.keys[algorithm]],
        }
        for algorithm, sequence in snapshot.sequences.items()
    ]
    if as_json:
        content = {"terminal_number": snapshot.terminal_number, "level": held.level, "atr": atr}
        print_json("psam-show", content | {"blocked": snapshot.blocked, "environments": environments})
        return
    click.echo(_("PSAM {terminal}, {level}", terminal=snapshot.terminal_number, level=_level(held.level)))
    click.echo(f"ATR {atr}")
    click.echo(_("PSAM: locked") if snapshot.blocked else _("PSAM: not locked"))
    for environment in environments:
        _print(environment, show_all=show_all)


def _print(environment: dict[str, Any], *, show_all: bool) -> None:
    keys, limit = environment["keys"], environment["tries_max"]
    head = _(
        "{algorithm}: next terminal sequence {sequence}, keys: {count}",
        algorithm=environment["algorithm"],
        sequence=environment["terminal_sequence"],
        count=len(keys),
    )
    click.echo(head)
    for name, left in environment["tries_left"].items():
        click.echo("  " + _("key {name}: {tries} of {limit} tries left", name=name, tries=left, limit=limit))
    for key in keys if show_all else ():
        click.echo(f"  {key['usage']} {key['id']} {key['name']}")


def _key(record: str) -> dict[str, str]:
    """A key record as it is shown; ``record`` is usage and id in hex, ``67/08``."""
    from sscard.psam.keys import CARD_KEYS, PURCHASE_KEY, TYPE_MASK, KeyType

    usage, id_ = record.split("/")
    names = {key.id: name for name, key in CARD_KEYS.items()}
    purchase = int(usage, 16) & TYPE_MASK == KeyType.PURCHASE
    return {"name": PURCHASE_KEY if purchase else names.get(int(id_, 16), ""), "usage": usage, "id": id_}


def _level(level: str) -> str:
    """A level in words."""
    words = {"national": N_("national"), "province": N_("of its province"), "city": N_("of its city")}
    return _(words.get(level, N_("of unknown level")))
