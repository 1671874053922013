"""What is handed in for a case: the card as a paper, other papers, proofs of identity, and the hand-over itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from sscard.errors import InputError
from sscard.i18n.language import _, say

if TYPE_CHECKING:
    from sscard.service import Case, Channel, Paper, PinService, ProofResult
    from sscard.terminal import BasicData, CardSession


def card_of(session: CardSession | None) -> BasicData | None:
    """The data of the card of an application, ``None`` without a card or if it cannot be read.

    A card that refuses the key of the HSM ends the command with exit code 1 before a case is opened: the application
    would be refused for a mistake of the counter.
    """
    from sscard.service.counter import read_card
    from sscard.service.notices import not_opened
    from sscard.terminal import AuthenticationFailed

    try:
        return read_card(session)
    except AuthenticationFailed as error:
        click.echo(f"sscard: {say(not_opened(error.tries_left))}", err=True)
        raise SystemExit(1) from None


def hand_in(
    service: PinService,
    found: Case,
    papers: Iterable[Paper],
    proof: ProofResult | None,
    card: BasicData | None,
    at: Channel | None,
) -> None:
    """Hand over an accepted case, and hand in what comes before its next step; a proof nobody asks for is ignored."""
    from sscard.service import Stage
    from sscard.service.conditions import unproved

    if at and at is not found.handling and found.stage is Stage.ACCEPTED:
        service.hand_over(found, at)  # whose proof of identity is handed in
    if proof and (found.stage is not Stage.ACCEPTED or unproved(service.policy, found)):
        service.prove(found, proof)
    if found.stage is Stage.SUPPLEMENT:
        service.supplement(found, papers, card)


def check_proof(found: Case, proof: ProofResult | None) -> None:
    """``InputError`` for a proof of identity after the operation, or for a closed case."""
    from sscard.service import Stage

    if proof and (found.stage is Stage.OPERATED or not found.open):
        raise InputError(
            _("--proof: case {number} is at stage {stage!r}", number=found.number, stage=say(found.stage.words)),
            remedy=_("a proof is handed in before the operation; leave it out"),
        )


def check_card(target: str, papers: Iterable[Paper], handed_over: bool, remedy: str) -> None:
    """``InputError`` with the remedy if the card is one of the papers that are handed in here, and no card is given."""
    from sscard.service import Paper

    if not (target or handed_over) and Paper.SOCIAL_SECURITY_CARD in papers:
        raise InputError(_("argument {name} is missing", name=_("CARD")), remedy=remedy)


def check_hand_over(found: Case, channel: Channel) -> None:
    """``InputError`` if the case cannot be handed over to the channel, not even after acceptance."""
    from sscard.service import Stage
    from sscard.service.channels import CHANNEL_RULES

    if found.stage is Stage.OPERATED or not found.open:
        raise InputError(
            _("--at: case {number} is at stage {stage!r}", number=found.number, stage=say(found.stage.words)),
            remedy=_("a case is handed over before the operation; leave it out"),
        )
    others = CHANNEL_RULES[found.channel].hands_over_to
    if channel not in others:
        raise InputError(
            _(
                "--at: a case of channel {channel} cannot be handed over to {other}",
                channel=say(found.channel.words),
                other=say(channel.words),
            ),
            remedy=_("expected one of: {words}", words=", ".join(sorted(others))) if others else _("leave it out"),
        )
