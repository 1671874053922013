"""``sscard show``: a card file's counters, states and files; secrets only on purpose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sscard.cli.formatter import terminal_width
from sscard.cli.options import image_argument, json_option
from sscard.cli.output import print_json
from sscard.cli.usage import command, option
from sscard.i18n.language import N_, _, say, visible
from sscard.i18n.phrase import Words

if TYPE_CHECKING:
    from rich.console import Console

    from sscard.card import Snapshot
    from sscard.issuer import Card


STRUCTURES = (N_("transparent"), N_("variable"), N_("fixed"), N_("cyclic"))
"""How the layout calls them."""
RULES = (N_("free"), N_("never"))
"""Access rules that are no expression of keys."""


@command("show")
@image_argument
@json_option
@option("--all", "show_all", is_flag=True, help=N_("Show the keys, their counters and the files too."))
@option("--reveal-keys", is_flag=True, help=N_("Print the key values, which are secret."))
def show(image: str, as_json: bool, show_all: bool, reveal_keys: bool) -> None:
    """Show the holder, PIN counter and state of a card; with --all its keys and files. Never the PIN."""
    from sscard.cli.target import tell
    from sscard.issuer.cardfile import load_card
    from sscard.terminal.cards import image_path

    card = load_card(image_path(image), tell)
    card.memory.recover()  # what the card itself does first where the power went inside a write
    if as_json:
        from dataclasses import asdict

        from sscard.standard.atr import ats

        snapshot = card.snapshot()
        content = {
            "personality": asdict(card.profile.personality),
            "atr": card.profile.atr().hex().upper(),
            "ats": ats(card.profile.historical).hex().upper(),
            "uid": _uid(card),
            "pin": {"set": snapshot.pin_set, "tries_left": snapshot.pin_tries, "tries_max": snapshot.pin_tries_max},
            "unlocks": {"used": _unlocks(card), "limit": card.profile.personality.unlock_limit or None},
            "certificates": _certificates(snapshot) or None,
            "card_blocked": snapshot.card_blocked,
            "blocked_applications": list(snapshot.blocked_applications),
            "keys": _keys(card, reveal_keys),
            "files": _files(card),
        }
        print_json("show", content)
        return
    from rich.console import Console

    _render(Console(highlight=False, width=terminal_width()), card, reveal_keys, show_all=show_all or reveal_keys)


def _uid(card: Card) -> str:
    """The UID that a contactless reader returns for the card."""
    from sscard.standard.atr import uid

    return uid(card.profile.historical, long=card.profile.personality.long_uid).hex().upper()


def _unlocks(card: Card) -> int:
    """How often the PIN was unblocked or reset, counted only under a limit."""
    return card.memory.numbers[card.profile.layout.unlocks]


def _certificates(snapshot: Snapshot) -> dict[str, dict[str, int]]:
    """The tries of each PIN of the certificate application; empty if the card lacks it."""
    names = (which.name.lower() for which in snapshot.layout.own_pins)
    tries = zip(snapshot.certificate_tries, snapshot.certificate_tries_max, strict=True)
    return {name: {"tries_left": left, "tries_max": limit} for name, (left, limit) in zip(names, tries, strict=True)}


def _keys(card: Card, reveal: bool) -> list[dict[str, Any]]:
    """One entry per key and version; ``id`` is P2 of EXTERNAL AUTHENTICATION in hex."""
    profile, layout = card.profile, card.profile.layout
    rows = []
    for index, spec in enumerate(layout.keys):
        for version in range(spec.versions):
            row: dict[str, Any] = {
                "name": spec.name,
                "df": layout.df_name(spec.df),
                "id": f"{spec.number:02X}",
                "version": version + 1,
                "tries_left": card.memory.numbers[layout.counter(index, version)] if spec.counted else None,
                "tries_max": profile.personality.key_tries if spec.counted else None,
            }
            if reveal:
                row["value"] = profile.key(index, version).hex().upper()
            rows.append(row)
    return rows


def _files(card: Card) -> list[dict[str, Any]]:
    layout = card.profile.layout
    return [
        {
            "df": layout.df_name(file.df),
            "ef": f"{file.fid:04X}",
            "name": file.name,
            "chinese": file.chinese,
            "structure": file.structure.name.lower(),
            "bytes": len(card.memory.strings[file.cell]),
            "read": file.read_rule,
            "write": file.write_rule,
        }
        for file in layout.files
    ]


def _render(console: Console, card: Card, reveal_keys: bool, *, show_all: bool) -> None:
    from rich.table import Table
    from rich.text import Text

    from sscard.conversation.explain import explain_records

    snapshot = card.snapshot()
    personality = card.profile.personality
    title = Text(visible(personality.name), style="bold")
    console.print(title, f" {personality.generation}  {personality.algorithm}")
    console.print(f"ATR {card.profile.atr().hex().upper()}")
    console.print(f"UID {_uid(card)}")
    layout = card.profile.layout
    for holder in (layout.file(layout.ssse.fid, sfi) for sfi in (0x05, 0x06)):
        # From the card's memory: the owner of an image sees its own card.
        for line in explain_records(holder, card.memory.strings[holder.cell]) if holder else ():
            console.print(say(line), markup=False)
    state = _("blocked") if snapshot.pin_blocked else _("set") if snapshot.pin_set else _("none")
    console.print(
        _(
            "PIN: {state}, {tries} of {limit} tries left",
            state=state,
            tries=snapshot.pin_tries,
            limit=snapshot.pin_tries_max,
        )
    )
    if personality.unlock_limit:
        used, limit = _unlocks(card), personality.unlock_limit
        text = _("unlocks: {used} of {limit}", used=used, limit=limit)
        if used >= limit:
            text = _("unlocks: {used} of {limit} (unlock_limit), the PUK is blocked for ever", used=used, limit=limit)
        console.print(text)
    own = _certificates(snapshot)
    if own:
        user, administrator = own["user"], own["administrator"]
        console.print(
            _(
                "certificate application: user PIN {user} of {user_limit} tries left, "
                "administrator PIN {administrator} of {administrator_limit}",
                user=user["tries_left"],
                user_limit=user["tries_max"],
                administrator=administrator["tries_left"],
                administrator_limit=administrator["tries_max"],
            )
        )
    console.print(_("card: locked") if snapshot.card_blocked else _("card: not locked"))
    if snapshot.blocked_applications:
        console.print(_("locked applications: {names}", names=", ".join(snapshot.blocked_applications)))
    for key in _keys(card, reveal=False):
        if key["tries_left"] != key["tries_max"]:
            console.print(
                _(
                    "key {name}: {tries} of {limit} tries left",
                    name=key["name"],
                    tries=key["tries_left"],
                    limit=key["tries_max"],
                )
            )
    if not show_all:
        return
    table = Table(
        _("key"), "DF", _("id"), _("version"), _("tries left"), *([_("value")] if reveal_keys else []), box=None
    )
    for key in _keys(card, reveal_keys):
        tries = (
            ""
            if key["tries_left"] is None
            else _("{tries} of {limit}", tries=key["tries_left"], limit=key["tries_max"])
        )
        value = [key["value"]] if reveal_keys else []
        table.add_row(key["name"], key["df"], key["id"], str(key["version"]), tries, *value)
    console.print(table)
    files = Table("DF", "EF", _("name"), _("structure"), _("bytes"), _("read"), _("write"), box=None)
    for file in _files(card):
        name = say(Words(file["name"] or file["chinese"], file["chinese"] or file["name"]))
        words = (_(file["structure"]), str(file["bytes"]), _(file["read"]), _(file["write"]))
        files.add_row(file["df"], file["ef"], name, *words)
    console.print(files)
