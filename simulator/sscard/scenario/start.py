"""The files with which a scenario, or a project of scenarios, begins. They pass as they are written."""

from __future__ import annotations

from typing import Final

from sscard.i18n.language import _

SUITE: Final = "scenarios"
SCHEMA: Final = "scenario.schema.json"

_SCENARIO: Final = """\
# {checks}
name: {name}
proves: {proves}
tags: [counter]
card:
  personality: [v3-sm4, v2-3des]  # {personality}
  pin: 123456
steps:
  - verify_pin: 999999
    sw: 63C(max - 1)  # {status}
    tries: max - 1
  - verify_pin: 123456  # {success}
    tries: max
    state: verified  # {state}
"""
_PYTEST: Final = """\
[pytest]
required_plugins = sscard
sscard_scenarios = scenarios
"""
_GITHUB: Final = """\
name: scenarios
on: [push, pull_request]
permissions:
  contents: read
jobs:
  scenarios:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with:
          python-version: "3.12"
      - run: pip install sscard pytest
      - run: sscard scenario check scenarios
      - run: sscard run scenarios --report junit=report.xml --report html=report.html
      - uses: actions/upload-artifact@v4
        if: always()
        with:
          name: report
          path: report.*
"""
_GITLAB: Final = """\
scenarios:
  image: python:3.12
  script:
    - pip install sscard pytest
    - sscard scenario check scenarios
    - sscard run scenarios --report junit=report.xml --report html=report.html
  artifacts:
    when: always
    paths: [report.html]
    reports:
      junit: report.xml
"""


def new_scenario() -> str:
    """A scenario to begin with, commented in the language."""
    return _SCENARIO.format(
        checks=_("Run it: sscard run FILE. All verbs: sscard scenario verbs."),
        name=_("A wrong PIN costs one try"),
        proves=_("A wrong PIN costs one try, and the right one restores all."),
        personality=_("it runs once on each"),
        status=_("max is the retry limit of the card"),
        success=_("success is the default expectation"),
        state=_("what a step does not mention must stay unchanged"),
    )


def new_project(schema: str) -> dict[str, str]:
    """The files of a project by path: a scenario, its JSON Schema, the configuration of pytest, CI."""
    return {
        f"{SUITE}/wrong-pin.yaml": f"# yaml-language-server: $schema={SCHEMA}\n{new_scenario()}",
        f"{SUITE}/{SCHEMA}": schema,
        "pytest.ini": _PYTEST,
        ".github/workflows/scenarios.yml": _GITHUB,
        ".gitlab-ci.yml": _GITLAB,
    }
