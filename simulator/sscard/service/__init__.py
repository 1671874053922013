"""The public service: its item, its cases, and the pipeline from intake to completion."""

from sscard.issuer.standing import Standing
from sscard.service.case import NEXT, Act, Application, Case, Event, KeyTaken, Stage, WrongStage
from sscard.service.channels import Channel
from sscard.service.identity import Agent, Applicant, Person, SeenCard
from sscard.service.intake import received
from sscard.service.item import Item, load_item
from sscard.service.journal.memory import CaseArchived, Journal, JournalUnavailable, MemoryJournal, Overtaken
from sscard.service.notices import (
    Acceptance,
    Ground,
    NotDone,
    Operated,
    Refusal,
    ResultNotice,
    Rule,
    SupplementNotice,
    Waiting,
)
from sscard.service.pipeline import PinService
from sscard.service.policy import Policy, load_policy
from sscard.service.words import ApplicantKind, Document, Operation, Paper, Presence, ProofResult, Reason, WhichPin

__all__ = [
    "NEXT",
    "Acceptance",
    "Act",
    "Agent",
    "Applicant",
    "ApplicantKind",
    "Application",
    "Case",
    "CaseArchived",
    "Channel",
    "Document",
    "Event",
    "Ground",
    "Item",
    "Journal",
    "JournalUnavailable",
    "KeyTaken",
    "MemoryJournal",
    "NotDone",
    "Operated",
    "Operation",
    "Overtaken",
    "Paper",
    "Person",
    "PinService",
    "Policy",
    "Presence",
    "ProofResult",
    "Reason",
    "Refusal",
    "ResultNotice",
    "Rule",
    "SeenCard",
    "Stage",
    "Standing",
    "SupplementNotice",
    "Waiting",
    "WhichPin",
    "WrongStage",
    "load_item",
    "load_policy",
    "received",
]
