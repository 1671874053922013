"""``sscard probe``: which choices a card takes, and what contradicts its vendor's claim."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sscard.cli.chosen import chosen_hsm, hsm_refusals
from sscard.cli.options import (
    CARD_HELP,
    force_option,
    hsm_option,
    hsm_token_option,
    json_option,
    keys_option,
    pin_option,
)
from sscard.cli.output import check_output, print_json
from sscard.cli.prompt import ask_secret, checked_pin, in_a_file
from sscard.cli.table import table_lines
from sscard.cli.target import tell
from sscard.cli.types import CARD, FILE, PERSONALITY, Words
from sscard.cli.usage import argument, command, exclude, option
from sscard.errors import InputError
from sscard.files import TextFile
from sscard.i18n.language import N_, _, say
from sscard.i18n.phrase import Phrase

if TYPE_CHECKING:
    from sscard.scenario.testbed.observation import Finding, Observed

NONE = "none"
OF_A_TESTBED = (
    *("CARD", "--personality", "--pin", "--pin-file", "--keys", "--hsm", "--hsm-token", "--interface"),
    *("--may-write", "--may-block", "--may-destroy"),
)
"""What a testbed file says instead."""


class Interface(StrEnum):
    """The interfaces of a card."""

    CONTACT = "contact"
    CONTACTLESS = "contactless"


@command("probe")
@argument("target", metavar=N_("CARD"), type=CARD, default="", required=False, help=CARD_HELP)
@option("--testbed", type=FILE, help=N_("Probe the card of a testbed file, with its PIN, keys and permissions."))
@option(
    "--personality",
    type=PERSONALITY,
    default="",
    help=N_("What the vendor claims: a preset or a file. Exits 1 if the card contradicts it."),
)
@pin_option(
    "--pin",
    variable="SSCARD_PIN",
    default="",
    text=N_("PIN of the card, or 'none' to do without it. Prompted for if it is not given."),
    expected=N_("4 to 16 digits, or 'none'"),
)
@keys_option
@hsm_option
@hsm_token_option
@option("--interface", type=Words(Interface), default=Interface.CONTACT, help=N_("Interface of the card."))
@option("--may-write", is_flag=True, help=N_("Allow a change of the PIN, and a purchase of amount 0."))
@option("--may-block", is_flag=True, help=N_("Allow fewer than two tries of the PIN or a key."))
@option("--may-destroy", is_flag=True, help=N_("Allow what no command restores: the card is locked at the end."))
@option("-o", "--output", type=FILE, help=N_("Write a personality file with what was observed."))
@force_option
@json_option
def probe(
    target: str,
    testbed: Path | None,
    personality: str,
    pin: str,
    keys: Path | None,
    hsm: str,
    hsm_token: Path | None,
    interface: Interface,
    may_write: bool,
    may_block: bool,
    may_destroy: bool,
    output: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Observe from outside which choices a card takes.

    Prints each choice with what the card showed, what contradicts the claim, and
    why the others are not determined. Without permissions nothing is changed, and
    no PIN and no key has fewer than two tries. Exits 1 if the claim is
    contradicted.
    """
    if output is not None:
        check_output(output, replace=force)
    if testbed is None and not target:
        raise InputError(_("no card is named"), remedy=_("name a card, or a testbed file with --testbed"))
    if testbed is not None:
        observed = _of_testbed(testbed)
    else:
        from sscard.issuer import find_personality
        from sscard.scenario.testbed.observation import observe
        from sscard.scenario.testbed.probed_card import Permissions
        from sscard.terminal.cards import open_card

        claim = find_personality(personality) if personality else None
        may = Permissions(may_write=may_write, may_block=may_block, may_destroy=may_destroy)
        contact = interface is Interface.CONTACT
        known = "" if pin == NONE else checked_pin(pin or ask_secret(_("PIN"), in_a_file("--pin")), "--pin")
        opening = open_card(target, contact=contact, notify=tell, exclusive=True)
        with chosen_hsm(hsm, keys, hsm_token) as behind, opening as connection:
            observed = observe(connection, known, behind, may, claim, contact=contact)
    if output is not None:
        with TextFile(output) as file:
            for name, value, seen in observed.fields():
                mark = "" if seen else f"  # {_('not observed: of {base}', base=observed.base)}"
                file.write(f"{name}: {value}{mark}\n")
    if as_json:
        print_json("probe", _facts(observed))
    else:
        for line in _lines(observed):
            click.echo(line)
    if observed.contradicted:
        raise SystemExit(1)


def _of_testbed(file: Path) -> Observed:
    """What the card of a testbed file shows."""
    from sscard.cli.testbed import ask_at_reader, read
    from sscard.scenario.issuing import OwnCards
    from sscard.scenario.testbed.claim import observe_testbed

    exclude("--testbed", OF_A_TESTBED)
    on_card = read(file)
    if isinstance(on_card, OwnCards):
        raise InputError(_("no card is named"), file=str(file), remedy=_("write card: and below it use: with its URL"))
    with hsm_refusals(), on_card.issuing.open() as issuer:
        return observe_testbed(on_card, issuer, ask_at_reader)


def _facts(observed: Observed) -> dict[str, Any]:
    return {
        "personality": observed.personality.name,
        "base": observed.base,
        "choices": [
            {
                "name": each.name,
                "value": each.value,
                "claimed": each.claimed,
                "contradicts": each.contradicts,
                "evidence": each.evidence,
                "reason": say(each.reason),
            }
            for each in observed.findings
        ],
    }


def _lines(observed: Observed) -> Iterator[str]:
    """A table of what was seen, the contradictions, what is not known by reason, and the counts."""
    found = observed.findings
    claims = any(each.claimed is not None for each in found)
    headings = [_("choice"), _("card"), *([_("claim")] if claims else []), _("command → answer")]
    rows = [
        [each.name, _shown(each, each.value), *([_shown(each, each.claimed)] if claims else []), each.evidence]
        for each in found
        if not each.reason
    ]
    yield from table_lines(headings, rows, names=(len(headings) - 1,), whole=(0,))
    reasons: dict[str, list[str]] = {}
    for each in found:
        if each.reason:
            reasons.setdefault(say(each.reason), []).append(each.name)
    for reason, names in reasons.items():
        yield _("not determined ({reason}): {names}", reason=reason, names=", ".join(names))
    for each in observed.contradicted:
        yield _(
            "contradicts the claim: {name}: the card has {value}, claimed is {claimed}",
            name=each.name,
            value=_shown(each, each.value),
            claimed=_shown(each, each.claimed),
        )
    count = Phrase.plural("{count} choice", "{count} choices", count=len(found))
    seen, wrong = sum(each.known for each in found), len(observed.contradicted)
    if claims:
        yield say(
            Phrase.plural(
                "{choices}, {seen} observed, {count} contradicts the claim",
                "{choices}, {seen} observed, {count} contradict the claim",
                count=wrong,
                choices=count,
                seen=seen,
            )
        )
    else:
        yield _("{choices}, {seen} observed", choices=count, seen=seen)


def _shown(finding: Finding, value: int | str | None) -> str:
    """A value as a personality file has it."""
    from sscard.issuer.personalities import written_fields

    if value is None:
        return _("none of the values")
    return str(written_fields({finding.name: value})[finding.name])
