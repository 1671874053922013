"""The built-in suite notices the planted defects, each by the scenarios that its hint names."""

from __future__ import annotations

import os
from typing import get_args

import pytest

from defects import DEFECTS, Defect
from defects.catalogue import Part
from defects.witnesses import WITNESSES
from kit.programs import CommandLine
from sscard.scenario import Scenario
from sscard.scenario.library import builtin_folder

pytestmark = pytest.mark.skipif("SSCARD_COMPILED" in os.environ, reason="compiled methods cannot be replaced")

each_defect = pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.name)


def test_every_defect_has_a_name_of_its_own_and_a_witness() -> None:
    names = [defect.name for defect in DEFECTS]
    assert sorted(names) == sorted(WITNESSES)


@each_defect
def test_the_defect_changes_what_its_witness_observes(defect: Defect) -> None:
    witness = WITNESSES[defect.name]
    before = witness()
    with defect.planted():
        planted = witness()
    assert planted != before
    assert witness() == before


@each_defect
def test_the_suite_notices_the_defect(scenarios: list[Scenario], defect: Defect) -> None:
    assert defect.noticed_by(defect.likely(scenarios))


@pytest.mark.parametrize("part", get_args(Part))
def test_sscard_run_ends_with_1_if_there_is_a_defect(sscard: CommandLine, scenarios: list[Scenario], part: str) -> None:
    """The form in which a user meets it: the command line, and its exit code."""
    defect = next(defect for defect in DEFECTS if defect.part == part)
    [noticing] = defect.noticed_by(defect.likely(scenarios))
    file = builtin_folder().parent / noticing.source
    assert sscard("run", file)[0] == 0
    with defect.planted():
        assert sscard("run", file)[0] == 1
