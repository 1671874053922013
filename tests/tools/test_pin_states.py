"""The pages and pictures of the PIN's states are what the scenarios walk, and these walk every state by every event."""

from __future__ import annotations

import re
from itertools import product

import pytest

import pin_states
from sscard.scenario import Scenario


@pytest.fixture(scope="module")
def walked(scenarios: list[Scenario]) -> pin_states.Walked:
    return pin_states.walk(scenario for scenario in scenarios if pin_states.TAG in scenario.tags)


def test_the_pages_are_up_to_date(walked):
    differing = [path.name for path, text in pin_states.pages(walked).items() if path.read_text("utf-8") != text]
    assert not differing, "python tools/pin_states.py"


def test_each_event_is_walked_in_each_state(walked):
    """Also in those that the picture adds to another, such as verified and blocked."""
    states = {transition.before for transition in walked}
    assert len(states) == 7
    assert {(transition.before, transition.event) for transition in walked} == set(product(states, pin_states.EVENTS))


def test_each_state_is_entered_and_left_in_the_picture(walked):
    for state in pin_states.STATES:
        others = {(pin_states._node(each.before), pin_states._node(each.after)) for each in walked if not each.choices}
        assert any(before == state != after for before, after in others)
        assert any(before != state == after for before, after in others)


def test_no_text_of_a_box_leaves_it(walked):
    drawn = pin_states.picture(walked)
    boxes = [int(top) for top in re.findall(r'class="box" x="\d+" y="(\d+)"', drawn)]
    texts = [int(y) for y in re.findall(r'class="(?:name|what)" x="\d+" y="(\d+)"', drawn)]
    assert len(boxes) == len(pin_states.STATES)
    assert all(any(top < y < top + pin_states.BOX_HEIGHT for top in boxes) for y in texts)
