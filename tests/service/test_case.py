"""The state machine of the case: a table written from the service, held against the code's."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from itertools import product

import pytest

from kit.citizens import OPENING, Citizen
from sscard.i18n.phrase import Phrase
from sscard.service import Case, Event, MemoryJournal, PinService, Reason, Stage, WrongStage, load_policy
from sscard.service.identity import person_of, seen
from sscard.service.intake import received

ALLOWED = {
    "intake": "intake pre-review supplement accepted refused failed",
    "pre-review": "pre-review supplement accepted refused failed",
    "supplement": "supplement accepted refused failed",
    "accepted": "accepted operated failed",
    "operated": "operated completed failed",
    "completed": "",
    "refused": "",
    "failed": "",
}
WAY_TO = {
    "intake": "",
    "pre-review": "pre-review",
    "supplement": "supplement",
    "accepted": "accepted",
    "operated": "accepted operated",
    "completed": "accepted operated completed",
    "refused": "refused",
    "failed": "accepted failed",
}
KEY = MemoryJournal().key
VERBS = {"accept": "intake", "supplement": "supplement", "operate": "accepted", "complete": "operated"}


@pytest.mark.parametrize(("here", "there"), list(product(ALLOWED, ALLOWED)))
def test_a_case_goes_only_where_the_service_lets_it(citizen: Citizen, here: str, there: str) -> None:
    case = case_at(citizen, here)
    if there in ALLOWED[here].split():
        case.add(Event(OPENING, Stage(there), Phrase()))
        assert case.stage is Stage(there)
        return
    events = case.events
    with pytest.raises(WrongStage):
        case.add(Event(OPENING, Stage(there), Phrase()))
    assert case.events == events


@pytest.mark.parametrize(
    ("verb", "stage"),
    [
        (verb, stage)
        for verb in VERBS
        for stage in ALLOWED
        if VERBS[verb] != stage and (verb, stage) != ("accept", "pre-review")
    ],
)
def test_a_verb_out_of_turn_is_misuse_and_changes_nothing(
    service: PinService, citizen: Citizen, verb: str, stage: str
) -> None:
    case = case_at(citizen, stage)
    events = case.events
    arguments = {"accept": (), "supplement": ((),)}.get(verb, (citizen.session, "739104"))
    with pytest.raises(WrongStage, match=case.number):
        getattr(service, verb)(case, *arguments)
    assert case.events == events


def test_events_are_only_ever_added(citizen: Citizen) -> None:
    case = case_at(citizen, "operated")
    assert isinstance(case.events, tuple)
    with pytest.raises(FrozenInstanceError):
        case.events[0].said = Phrase("another")  # type: ignore[misc]
    assert case.events[0].stage is Stage.INTAKE


def test_stages_have_the_fields_own_names() -> None:
    named = {Stage.INTAKE: "收件", Stage.ACCEPTED: "受理", Stage.SUPPLEMENT: "补正", Stage.COMPLETED: "办结"}
    assert {stage: stage.chinese for stage in named} == named
    assert Stage.REFUSED.chinese == "不予受理"


def case_at(citizen: Citizen, stage: str) -> Case:
    application = citizen.application(Reason.FORGOTTEN)
    person = person_of(application.applicant, KEY, OPENING.date(), load_policy())
    first = received(application, person, seen(citizen.basic, KEY), OPENING)
    return Case("7", [first, *(Event(OPENING, Stage(step), Phrase()) for step in WAY_TO[stage].split())])
