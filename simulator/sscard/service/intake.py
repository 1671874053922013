"""What a citizen hands in, as events: the first event of a case, papers, and proofs of identity."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sscard.i18n.phrase import Phrase, Words
from sscard.service.case import Act, Application, Event, Facts, Stage
from sscard.service.identity import Person, SeenCard
from sscard.service.settings import Settings
from sscard.service.words import AGENT_PAPERS, Paper, Proof, ProofResult


def received(
    application: Application,
    person: Person,
    card: SeenCard | None,
    time: datetime,
    *,
    key: str = "",
    proof: Proof = Proof.NONE,
    handler: Words | None = None,
    settings: Settings | None = None,
) -> Event:
    """The first event of a case (收件), with who took it in and the proof of identity that the channel requires."""
    reason = application.reason
    facts = {
        "key": key,
        "channel": application.channel.value,
        "handling": (application.handling or application.channel).value,
        "reason": reason.value if reason else None,
        "which_pin": application.which_pin.value,
        "person": person.to_facts(),
        "proof": None,
        "handler": handler and list(handler),
    }
    if settings is not None:
        facts["settings"] = settings.to_facts()
    why = reason.words if reason else Words("no reason", "无事由")
    said = Phrase("{channel}: {reason}", channel=application.channel.words, reason=why)
    if application.proof and proof is not Proof.NONE:
        proved, proof_facts = proof_of(proof, application.proof)
        said = Phrase("{received}; {proved}", received=said, proved=proved)
        facts |= proof_facts
    others = [papers for presence, papers in AGENT_PAPERS.items() if presence is not person.presence]
    papers = application.papers.difference(*others)
    return Event(time, Stage.INTAKE, said, Act.RECEIVED, facts | paper_facts(papers, card))


def paper_facts(papers: Iterable[Paper], card: SeenCard | None) -> Facts:
    """The facts of submitted papers, and of the card if it is one of them."""
    return {"papers": sorted(paper.value for paper in papers), "card": card and card.to_facts()}


def proof_of(proof: Proof, result: ProofResult) -> tuple[Phrase, Facts]:
    """Text and facts of a proof of identity, which contain nothing of what was compared."""
    said = Phrase("proof of identity by {proof}: {result}", proof=proof.words, result=result.words)
    return said, {"proof": {"by": proof.value, "result": result.value}}


def changed_settings(time: datetime, stage: Stage, settings: Settings) -> Event:
    """The event by which a case at this stage is continued with other settings than before."""
    said = Phrase(
        "Continued with other settings: {options}", options=settings.options or Words("the defaults", "默认值")
    )
    return Event(time, stage, said, Act.NOTED, {"settings": settings.to_facts()})
