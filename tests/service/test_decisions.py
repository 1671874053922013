"""Applications in tens of thousands, each decided as ``kit.decision_table`` says."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields, replace
from itertools import combinations
from random import Random
from typing import Final

import pytest

from kit.applications import (
    ACTING,
    DIMENSIONS,
    basic,
    combined,
    combined_under,
    found,
    nearly_in_order,
    office_of,
    outcome,
)
from kit.decision_table import HANDS_OVER, OWN, POLICIES, TABLE, Asked, expected, true_rows
from sscard.service import Act, Case, Channel, Paper, ProofResult, Refusal, Stage, Waiting

ABOUT: Final[dict[Paper, set[str]]] = {
    OWN[0]: {"genuine-papers", "same-person", "channel"},
    OWN[1]: {"genuine-papers", "same-person", "card"},
    ACTING[0]: {"genuine-papers"},
    ACTING[1]: set(),
    ACTING[2]: {"genuine-papers"},
    ACTING[3]: set(),
}
"""The grounds that a paper can add."""
CHANNELS: Final = pytest.mark.parametrize(
    "channel",
    [
        pytest.param(number, id=name, marks=pytest.mark.nightly if name is Channel.SELF_SERVICE else ())
        for number, name in enumerate(Channel)
    ],
)


@pytest.mark.parametrize(
    ("channel", "policy"),
    [
        pytest.param(channel, policy, id=f"{policy}-{name}", marks=() if alone else pytest.mark.nightly)
        for number, policy in enumerate(POLICIES)
        for channel, name in enumerate(Channel)
        for alone in [channel == number % len(Channel)]  # each policy and each channel once with each change
    ],
)
def test_every_combination_ends_as_the_table_says(channel: int, policy: str) -> None:
    decided = 0
    for asked in combined_under(channel, policy):
        assert found(asked)[0] == expected(asked), asked
        decided += 1
    assert decided > 2_000


@pytest.mark.slow
@CHANNELS
def test_every_application_nearly_in_order_ends_as_the_table_says(channel: int) -> None:
    outcomes = Counter[str]()
    for asked in nearly_in_order(channel):
        wanted = expected(asked)
        assert found(asked)[0] == wanted, asked
        outcomes[wanted[0]] += 1
    assert set(outcomes) == {"accepted", "supplement", "refused", "waiting"}
    assert min(outcomes.values()) > 50, outcomes


@CHANNELS
def test_a_case_that_waited_for_the_base_is_decided_as_if_it_had_not(channel: int) -> None:
    for asked in nearly_in_order(channel)[::3]:
        (now, at_once), (later, waited) = (found(replace(asked, base=base)) for base in ("up", "down"))
        assert now == later, asked
        assert at_once.events[-1] == waited.events[-1]


@CHANNELS
def test_papers_brought_later_one_by_one_in_any_order_end_as_if_brought_together(channel: int) -> None:
    random = Random(channel)
    ends = Counter[str]()
    for asked in nearly_in_order(channel):
        case = found(asked)[1]
        if case.notice is None:
            continue
        papers = case.notice.papers
        ends[ended := brought_one_by_one(asked, case, random.sample(papers, len(papers)))] += 1
        together = replace(asked, own=asked.own.union(papers) & {*OWN}, others=asked.others.union(papers) - {*OWN})
        enough = asked.rules.card_as_id  # the card alone decides then, whatever the identity document would have been
        assert ended == expected(together)[0] or enough, asked
        assert sum(event.act is Act.ASKED_FOR for event in case.events) == 1
    assert set(ends) == {"accepted", "refused", "waiting"}


def brought_one_by_one(asked: Asked, case: Case, papers: list[Paper]) -> str:
    """Each paper alone to the counter: decided as the table says of what was brought so far. Returns the end."""
    office, first = office_of(asked), case.notice
    decision = ""
    for paper in papers:
        field = "own" if paper in OWN else "others"
        asked = replace(asked, **{field: getattr(asked, field) | {paper}})
        answer = office.supplement(case, [paper], basic(asked) if paper is OWN[1] and asked.card_read else None)
        decision, about = expected(asked)
        if decision != "supplement":
            assert outcome(case, answer) == (decision, about), asked
            break
        assert answer == first  # not a second notice
    return decision


@CHANNELS
def test_a_paper_more_adds_no_ground_but_about_this_paper(channel: int) -> None:
    random = Random(channel)
    added = Counter[Paper]()
    for asked in nearly_in_order(channel)[::2]:
        lacking = [paper for paper in (*OWN, *ACTING) if paper not in asked.papers]
        if not lacking:
            continue
        paper = random.choice(lacking)
        field = "own" if paper in OWN else "others"
        before, after = (
            Counter(about) if decision == "refused" else Counter[str]()
            for decision, about in (
                found(each)[0] for each in (asked, replace(asked, **{field: getattr(asked, field) | {paper}}))
            )
        )
        assert before <= after, asked
        assert set(after - before) <= ABOUT[paper], asked
        added[paper] += after != before
    assert {paper for paper in ABOUT if added[paper]} >= {*OWN} | ({ACTING[0], ACTING[2]} if channel == 0 else set())


@CHANNELS
def test_a_proof_made_later_decides_as_if_it_had_been_made_before(channel: int) -> None:
    proved = 0
    for asked in nearly_in_order(channel):
        waits, case = found(asked)
        if waits[0] != "waiting":
            continue
        office = office_of(asked)
        for result in (ProofResult.UNAVAILABLE, (ProofResult.PASSED, ProofResult.FAILED)[proved % 2]):
            office.prove(case, result)
            continued = office.supplement(case, ()) if case.stage is Stage.SUPPLEMENT else office.accept(case)
            assert outcome(case, continued) == expected(replace(asked, proof=result)), asked
        proved += 1
    assert proved > 50


@pytest.mark.parametrize("channel", [1, 2], ids=list(Channel)[1:])
def test_a_card_presented_where_it_is_operated_is_examined_as_at_acceptance(channel: int) -> None:
    presented, proved = Counter[str](), Counter[bool]()
    for near in nearly_in_order(channel):
        asked = replace(near, handling=Channel.WINDOW, readable=False)
        if expected(asked)[0] != "accepted":
            continue
        read = replace(asked, readable=True)
        wanted, grounds = expected(read)
        case, office = found(asked)[1], office_of(asked)
        if asked.proof_at_window:
            assert isinstance(office.present(case, basic(read)), Waiting), asked
            assert case.card is None
            assert office.prove(case, ProofResult.PASSED) is None
        proved[asked.proof_at_window] += 1
        answer = office.present(case, basic(read))
        presented[wanted] += 1
        assert (answer is None) == (wanted == "accepted"), asked
        if isinstance(answer, Refusal):
            assert tuple(sorted(ground.rule for ground in answer.grounds)) == grounds, asked
            assert case.events[-1].facts["grounds"] == [ground.rule for ground in answer.grounds]
            assert case.stage is Stage.FAILED
    assert min(presented["accepted"], presented["refused"]) > 50
    assert (proved[True] > 20) is (channel == 2)  # a terminal and a window have the same reader


@CHANNELS
def test_an_accepted_case_is_handed_over_where_the_table_says(channel: int) -> None:
    went = Counter[bool]()
    for asked in nearly_in_order(channel)[::2]:
        decision, case = found(asked)
        if decision[0] != "accepted":
            continue
        for there in Channel:
            goes = replace(asked, handling=there).hands_over
            assert office_of(asked).hand_over(case, there) is goes, asked
            went[goes] += 1
    assert went[False] > 50
    assert went[True] > 50 or not HANDS_OVER[tuple(Channel)[channel]]


def test_each_row_of_the_table_alone_refuses_an_application() -> None:
    alone = {row for channel in range(len(Channel)) for asked in nearly_in_order(channel) for row in true_rows(asked)}
    assert [words for words, rule, _ in TABLE if (words, rule) not in alone] == []


def test_each_pair_of_values_of_two_dimensions_occurs() -> None:
    columns = list(zip(*(chosen for channel in range(len(Channel)) for chosen in combined(channel)), strict=True))
    for (one, left), (other, right) in combinations(zip(DIMENSIONS.items(), columns, strict=True), 2):
        assert len(set(zip(left, right, strict=True))) == len(one[1]) * len(other[1]), (one[0], other[0])


def test_every_field_of_an_application_is_a_dimension() -> None:
    assert {field.name for field in fields(Asked)} == set(DIMENSIONS)
