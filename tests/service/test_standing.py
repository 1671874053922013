"""The holder base and the service: asked before acceptance and before the operation, and waited for."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from kit.cards import citizens_card
from kit.citizens import ID_NUMBER, JOURNAL_KEY, NEW_PIN, OPENING, Citizen, Ticking
from kit.holderbases import SilentBase
from kit.programs import CommandLine
from sscard.chip.memory import Moment
from sscard.hsm import SoftHsm
from sscard.i18n.language import say
from sscard.i18n.phrase import Phrase
from sscard.issuer import builtin_keys
from sscard.issuer.cardfile import load_card, save_card
from sscard.issuer.holderbase import HolderBase, ListedCards, MemoryHolderBase
from sscard.issuer.holderbasefile import SqliteHolderBase
from sscard.issuer.personalise import number_of
from sscard.issuer.standing import Standing
from sscard.service import (
    Acceptance,
    Act,
    Case,
    Channel,
    Event,
    NotDone,
    Operated,
    Paper,
    PinService,
    Reason,
    Refusal,
    Rule,
    Stage,
    SupplementNotice,
    Waiting,
    load_policy,
)
from sscard.service.conditions import OUT_OF_USE
from sscard.service.counter import Keypad, advance, told_of
from sscard.service.identity import seen
from sscard.service.intake import paper_facts
from sscard.service.journal.database import SqlJournal
from sscard.standard.encoding import encode_pin
from sscard.standard.tree import PIN
from sscard.terminal import CardSession
from sscard.transport.faults import FaultyConnection, Removal

KEYPAD = Keypad(lambda: NEW_PIN, lambda: "739104", lambda: "739104")


class Switched:
    """A holder base whose form can change between two questions."""

    def __init__(self) -> None:
        self.base: HolderBase = MemoryHolderBase()

    def standing(self, card_number: str) -> Standing:
        return self.base.standing(card_number)

    def lose(self, citizen: Citizen, standing: Standing = Standing.LOST) -> None:
        self.base = MemoryHolderBase([ListedCards(first=citizen.basic.identity.card_number, standing=standing)])

    def cut_off(self) -> SilentBase:
        self.base = silent = SilentBase()
        return silent

    def restore(self) -> None:
        self.base = MemoryHolderBase()


@pytest.fixture
def base() -> Switched:
    return Switched()


@pytest.fixture
def service(base: Switched) -> PinService:
    return PinService(Ticking(), holder_base=base)


def untouched(citizen: Citizen, work: Callable[[], object]) -> None:
    """Fails if the work changes the card or sends it a command."""
    before, sent = citizen.chip.memory.writes, len(citizen.wire.events)
    work()
    assert (citizen.chip.memory.writes, len(citizen.wire.events)) == (before, sent)


# Standing


@pytest.mark.parametrize("standing", OUT_OF_USE)
def test_a_card_that_is_not_in_use_is_refused_with_what_to_do(
    service: PinService, base: Switched, citizen: Citizen, standing: Standing
) -> None:
    base.lose(citizen, standing)
    answer = service.accept(service.intake(citizen.application(Reason.FORGOTTEN)))
    assert isinstance(answer, Refusal)
    assert [(ground.rule, ground.found) for ground in answer.grounds] == [(Rule.GENUINE_PAPERS, OUT_OF_USE[standing])]


def test_every_standing_but_one_has_its_own_refusal() -> None:
    assert set(OUT_OF_USE) == set(Standing) - {Standing.IN_USE}
    assert len({say(said) for said in OUT_OF_USE.values()}) == len(OUT_OF_USE)


def test_the_cards_of_a_policy_are_its_base(citizen: Citizen) -> None:
    number = citizen.basic.identity.card_number
    listed = (ListedCards(first=number, standing=Standing.CANCELLED),)
    service = PinService(Ticking(), policy=load_policy().model_copy(update={"cards": listed}))
    assert isinstance(service.accept(service.intake(citizen.application(Reason.LEAKED))), Refusal)


def test_an_application_without_the_card_does_not_ask(service: PinService, base: Switched, citizen: Citizen) -> None:
    silent = base.cut_off()
    application = replace(citizen.application(Reason.LEAKED), papers=frozenset({Paper.ID_CARD}), card=None)
    assert isinstance(service.accept(service.intake(application)), SupplementNotice)
    assert silent.asked == 0


@pytest.mark.parametrize("standing", OUT_OF_USE)
def test_a_card_that_is_lost_after_acceptance_is_not_touched(
    service: PinService, base: Switched, citizen: Citizen, accepted: Callable[[Reason], Case], standing: Standing
) -> None:
    case = accepted(Reason.FORGOTTEN)
    base.lose(citizen, standing)
    untouched(citizen, lambda: service.operate(case, citizen.session, NEW_PIN))
    assert case.stage is Stage.FAILED
    event = case.events[-1]
    assert event.text.endswith("the PIN is unchanged")
    assert (event.act, event.facts["grounds"]) == (Act.FAILED, [Rule.GENUINE_PAPERS.value])
    assert case.complaints == service.item.extended.complaints


def test_a_card_that_is_refused_before_the_operation_is_told_every_ground_once(
    base: Switched, citizen: Citizen
) -> None:
    clock = Ticking()
    service = PinService(clock, holder_base=base)
    case = service.intake(citizen.application(Reason.FORGOTTEN))
    service.accept(case)
    clock.now = clock.now.replace(year=clock.now.year + 20)
    base.lose(citizen, Standing.LOST)
    answer = service.operate(case, citizen.session, NEW_PIN)
    assert isinstance(answer, NotDone)
    assert [words in answer.text for words in ("reported as lost", "has expired", "Complaints: ")] == [True] * 3
    assert case.events[-1].facts["grounds"] == [Rule.GENUINE_PAPERS.value] * 2
    assert told_of(service, case) == answer.text


def test_a_card_that_expired_on_the_card_and_in_the_base_has_one_ground(base: Switched, citizen: Citizen) -> None:
    clock = Ticking()
    clock.now = clock.now.replace(year=clock.now.year + 20)
    service = PinService(clock, holder_base=base)
    base.lose(citizen, Standing.EXPIRED)
    answer = service.accept(service.intake(citizen.application(Reason.FORGOTTEN)))
    assert isinstance(answer, Refusal)
    assert ["has expired" in ground.text for ground in answer.grounds].count(True) == 1


def test_a_card_that_expires_after_acceptance_is_not_touched(base: Switched, citizen: Citizen) -> None:
    clock = Ticking()
    service = PinService(clock, holder_base=base)
    case = service.intake(citizen.application(Reason.FORGOTTEN))
    service.accept(case)
    clock.now = clock.now.replace(year=clock.now.year + 20)
    untouched(citizen, lambda: service.operate(case, citizen.session, NEW_PIN))
    assert case.stage is Stage.FAILED


def test_a_worker_killed_between_presenting_a_card_and_examining_it_lets_no_other_card_through(
    service: PinService, citizen: Citizen, citizen_with: Callable[..., Citizen]
) -> None:
    application = replace(citizen.application(Reason.LEAKED, Channel.ONLINE), card=None, handling=Channel.WINDOW)
    case = service.intake(application)
    service.accept(case)
    other = citizen_with(id_number="410403199001010023")
    facts = paper_facts((), seen(other.basic, service.journal.key))
    service.journal.append(case, Event(OPENING, Stage.ACCEPTED, Phrase(), Act.PRESENTED, facts))
    untouched(other, lambda: service.operate(case, other.session, NEW_PIN, other.pin))
    assert case.stage is Stage.FAILED
    assert "not of the same person" in case.events[-1].text


def torn(service: PinService, citizen: Citizen) -> tuple[Case, FaultyConnection]:
    """A case in doubt: the card was removed after the command, and its answer is lost."""
    reader = FaultyConnection(citizen.chip)
    session = CardSession.start(reader, SoftHsm(builtin_keys()))
    case = service.intake(citizen.application(Reason.FORGOTTEN))
    service.accept(case)
    reader.arm(Removal(Moment.DURING), ins=0x24)
    service.operate(case, session, NEW_PIN)
    assert case.in_doubt
    reader.insert()
    return case, reader


def test_a_card_that_is_lost_in_doubt_is_not_operated_again(
    service: PinService, base: Switched, citizen: Citizen
) -> None:
    case, reader = torn(service, citizen)
    base.lose(citizen)
    session = CardSession.start(reader, SoftHsm(builtin_keys()))
    untouched(citizen, lambda: service.operate(case, session, NEW_PIN))
    assert (case.stage, case.in_doubt) == (Stage.FAILED, False)
    event = case.events[-1]
    assert event.text.endswith("the result of the previous operation is not known")
    assert event.facts["grounds"] == [Rule.GENUINE_PAPERS.value]
    (outcome,) = case.outcomes.values()
    assert isinstance(outcome, NotDone)
    assert outcome.complaints == case.complaints == service.item.extended.complaints


# Waiting


@pytest.mark.parametrize(("channel", "stage"), [(Channel.WINDOW, Stage.INTAKE), (Channel.ONLINE, Stage.PRE_REVIEW)])
def test_without_an_answer_a_case_waits_and_is_accepted_later(
    service: PinService, base: Switched, citizen: Citizen, channel: Channel, stage: Stage
) -> None:
    case = service.intake(citizen.application(Reason.FORGOTTEN, channel))
    silent = base.cut_off()
    for asked in (1, 2):
        answer = service.accept(case)
        assert isinstance(answer, Waiting)
        assert "no line to the base" in answer.text
        assert (case.stage, case.waits, silent.asked) == (stage, True, asked)
    base.restore()
    assert isinstance(service.accept(case), Acceptance)
    assert not case.waits


def test_even_an_application_with_other_grounds_waits_so_that_its_refusal_states_every_one(
    service: PinService, base: Switched, citizen: Citizen
) -> None:
    case = service.intake(citizen.application(None))
    base.cut_off()
    assert isinstance(service.accept(case), Waiting)
    base.lose(citizen)
    answer = service.accept(case)
    assert isinstance(answer, Refusal)
    assert {ground.rule for ground in answer.grounds} == {Rule.REASON, Rule.GENUINE_PAPERS}


def test_a_supplement_waits_with_the_papers_that_were_brought(
    service: PinService, base: Switched, citizen: Citizen
) -> None:
    application = citizen.application(Reason.FORGOTTEN)
    case = service.intake(replace(application, papers=frozenset({Paper.ID_CARD}), card=None))
    service.accept(case)
    base.cut_off()
    assert isinstance(service.supplement(case, [Paper.SOCIAL_SECURITY_CARD], citizen.basic), Waiting)
    assert (case.stage, case.papers) == (Stage.SUPPLEMENT, {Paper.ID_CARD, Paper.SOCIAL_SECURITY_CARD})
    assert "no line to the base" in advance(service, case, None, KEYPAD)
    base.restore()
    assert isinstance(service.supplement(case, []), Acceptance)


def test_a_card_is_not_presented_without_an_answer(service: PinService, base: Switched, citizen: Citizen) -> None:
    case = service.intake(
        replace(citizen.application(Reason.LEAKED, Channel.ONLINE), card=None, handling=Channel.WINDOW)
    )
    service.accept(case)
    base.cut_off()
    assert "no line to the base" in advance(service, case, citizen.session, KEYPAD)
    assert (case.stage, case.card) == (Stage.ACCEPTED, None)
    base.lose(citizen)
    assert isinstance(service.present(case, citizen.basic), Refusal)


def test_an_operation_waits_and_is_done_later(
    service: PinService, base: Switched, citizen: Citizen, accepted: Callable[[Reason], Case]
) -> None:
    case = accepted(Reason.FORGOTTEN)
    base.cut_off()
    untouched(citizen, lambda: service.operate(case, citizen.session, NEW_PIN, key="one"))
    assert (case.stage, case.waits, case.in_doubt) == (Stage.ACCEPTED, True, False)
    base.restore()
    assert isinstance(service.operate(case, citizen.session, NEW_PIN, key="one"), Operated)


def test_a_case_in_doubt_stays_so_without_an_answer(service: PinService, base: Switched, citizen: Citizen) -> None:
    case, reader = torn(service, citizen)
    base.cut_off()
    session = CardSession.start(reader, SoftHsm(builtin_keys()))
    answer = service.operate(case, session, NEW_PIN)
    assert isinstance(answer, NotDone)
    assert (case.stage, case.in_doubt, case.waits) == (Stage.ACCEPTED, True, True)
    base.restore()
    assert isinstance(service.operate(case, session, NEW_PIN), Operated)


def test_the_next_process_finds_what_a_case_waits_for(tmp_path: Path, base: Switched, citizen: Citizen) -> None:
    base.cut_off()
    with closing(SqlJournal(str(tmp_path / "journal.db"), JOURNAL_KEY)) as journal:
        service = PinService(Ticking(), journal=journal, holder_base=base)
        number = service.intake(citizen.application(Reason.FORGOTTEN)).number
        found = journal.case(number)
        assert found is not None
        service.accept(found)
    base.restore()
    with closing(SqlJournal(str(tmp_path / "journal.db"), JOURNAL_KEY)) as journal:
        case = journal.case(number)
        assert case is not None
        assert (case.stage, case.waits) == (Stage.INTAKE, True)
        service = PinService(Ticking(), journal=journal, holder_base=base)
        assert "reset" in advance(service, case, citizen.session, KEYPAD)
        assert case.stage is Stage.COMPLETED
        assert journal.verify().findings == ()


# The commands


@pytest.fixture
def card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("SSCARD_JOURNAL", raising=False)
    save_card(citizens_card("739104", id_number=ID_NUMBER, seed=ID_NUMBER), tmp_path / "card.db")
    return tmp_path / "card.db"


def test_a_case_waits_for_a_service_that_is_down_and_is_resumed(
    sscard: CommandLine, card: Path, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("secret")
    gone = ("--holder-base", "http://127.0.0.1:1", "--hsm-token", token)
    code, out, err = sscard("case", "open", card, "--reason", "forgotten", "--new", NEW_PIN, *gone, "--json")
    waiting = json.loads(out)
    assert (code, err, waiting["stage"]) == (1, "", "intake")
    assert "the holder base gives no answer, so the case waits" in waiting["said"][0]
    code, out, _ = sscard("case", "resume", waiting["number"], card, "--new", NEW_PIN, *gone)
    assert code == 1
    assert f"with: sscard case resume {waiting['number']} --holder-base http://127.0.0.1:1" in out
    base = tmp_path / "base.db"
    SqliteHolderBase(base, create=True)
    moved = ("--holder-base", base, "--change-settings")
    assert sscard("case", "resume", waiting["number"], card, "--new", NEW_PIN, *moved)[0] == 0
    assert load_card(card).memory.strings[PIN] == encode_pin(NEW_PIN)


def test_a_listed_card_is_refused_and_keeps_its_pin(sscard: CommandLine, card: Path, tmp_path: Path) -> None:
    base = tmp_path / "base.db"
    number = number_of(load_card(card))
    SqliteHolderBase(base, create=True).put(ListedCards(first=number, standing=Standing.NOT_ENABLED))
    code, out, _ = sscard("case", "open", card, "--reason", "forgotten", "--new", NEW_PIN, "--holder-base", base)
    assert code == 1
    assert "the social security card is not enabled: enable it first" in out
    assert load_card(card).memory.strings[PIN] == encode_pin("739104")


def test_a_policy_with_cards_and_a_holder_base_exclude_each_other(
    sscard: CommandLine, card: Path, tmp_path: Path
) -> None:
    base, policy = tmp_path / "base.db", tmp_path / "policy.yaml"
    SqliteHolderBase(base, create=True)
    policy.write_text(
        "documents: {citizen: [resident-id], hong-kong-macao-taiwan: [resident-id], overseas-chinese: [passport], "
        "foreigner: [passport]}\ncards: [{first: A00000000, standing: lost}]\n"
    )
    code, _, err = sscard(
        *("case", "open", card, "--reason", "forgotten", "--new", NEW_PIN, "--holder-base", base, "--policy", policy)
    )
    assert (code, "sscard holder-base import FILE POLICY" in err) == (2, True)
