"""The public service: its item, its cases, and the pipeline from intake to completion."""

from sscard.service.case import NEXT, Applicant, Application, Case, Event, Stage, WrongStage
from sscard.service.item import Item, load_item
from sscard.service.notices import Acceptance, Ground, NotDone, Operated, Refusal, ResultNotice, Rule, SupplementNotice
from sscard.service.pipeline import PinService
from sscard.service.words import ApplicantKind, Channel, Operation, Paper, Reason

__all__ = [
    "NEXT",
    "Acceptance",
    "Applicant",
    "ApplicantKind",
    "Application",
    "Case",
    "Channel",
    "Event",
    "Ground",
    "Item",
    "NotDone",
    "Operated",
    "Operation",
    "Paper",
    "PinService",
    "Reason",
    "Refusal",
    "ResultNotice",
    "Rule",
    "Stage",
    "SupplementNotice",
    "WrongStage",
    "load_item",
]
