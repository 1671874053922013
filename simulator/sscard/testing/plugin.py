"""The pytest plugin: scenario files as test items, so that ``-k``, ``-n``, JUnit XML and every reporter work; fixtures.

It collects files only if a project names its scenarios in its pytest
configuration, ``sscard_scenarios = scenarios``, or on the command line,
``pytest --scenarios FOLDER FOLDER``. ``sscard.testing`` describes the fixtures.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Final

import pytest

from sscard.i18n.language import _
from sscard.pickling import PortableError

if TYPE_CHECKING:
    from _pytest._code.code import TerminalRepr

    from sscard.issuer import Card
    from sscard.scenario.reader import Scenario
    from sscard.scenario.runner import ScenarioResult
    from sscard.terminal import CardSession
    from sscard.testing import VirtualReader
    from sscard.transport.pcscd import PrivatePcscd

SUFFIXES = (".yaml", ".yml")
READER_TIMEOUT: Final = 60.0
"""Seconds to wait until pcscd has noticed a card, far more than the 0.4 s it takes on an idle machine."""

_turns = count()


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--scenarios``, ``--scenario-seed`` and the ini option ``sscard_scenarios``."""
    group = parser.getgroup("sscard", _("scenarios of the virtual social security card"))
    group.addoption("--scenarios", action="append", default=[], metavar="PATH", help=_("collect YAML files there"))
    group.addoption("--scenario-seed", type=int, default=1, metavar="N", help=_("fixes challenges, holders, clock"))
    parser.addini("sscard_scenarios", _("folders whose YAML files are scenarios"), type="paths", default=[])


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker of the fixtures."""
    marker = _("social_card(**options): the card of the fixture social_card, by the parameters of sscard.issue_card")
    config.addinivalue_line("markers", marker)


@pytest.fixture
def social_card(request: pytest.FixtureRequest) -> Card:
    """An issued social security card at rest; the marker social_card gives the parameters of sscard.issue_card."""
    from sscard.issuer import issue_card

    return issue_card(**{"seed": _seed(request), **_marked(request)})


@pytest.fixture
def card_session(social_card: Card, request: pytest.FixtureRequest) -> Iterator[CardSession]:
    """A session on social_card under power, in this process, with the HSM of its keys."""
    from sscard.hsm import SoftHsm
    from sscard.terminal import CardSession

    session = CardSession.start(social_card.chip(Random(_seed(request))), SoftHsm(_marked(request).get("keys")))
    yield session
    session.close()


@pytest.fixture(scope="session")
def _private_pcscd() -> Iterator[PrivatePcscd]:
    from sscard.errors import MissingPart
    from sscard.transport.pcscd import PrivatePcscd, check_private_pcscd

    pytest.importorskip("smartcard", reason="pip install 'sscard[pcsc]'")
    try:
        check_private_pcscd()
    except MissingPart as missing:
        pytest.skip(str(missing))
    with PrivatePcscd() as daemon:
        yield daemon


@pytest.fixture
def virtual_reader(
    social_card: Card, request: pytest.FixtureRequest, _private_pcscd: PrivatePcscd
) -> Iterator[VirtualReader]:
    """social_card in a PC/SC reader of a private pcscd; skipped, with the reason, if this machine cannot have one."""
    from sscard.testing import VirtualReader
    from sscard.transport.pcsc import wait_for_card
    from sscard.transport.vpcd import VirtualReaderSlot

    number = next(_turns) % _private_pcscd.readers  # pcscd needs 0.4 s to notice that the card before has left
    name = _private_pcscd.reader_name(number)
    assert wait_for_card(name, present=False, timeout=READER_TIMEOUT)
    with VirtualReaderSlot(_private_pcscd.port(number), social_card.chip(Random(_seed(request)))) as slot:
        assert wait_for_card(name, timeout=READER_TIMEOUT)
        yield VirtualReader(name, _private_pcscd.environment, slot, social_card)


def _seed(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--scenario-seed"))


def _marked(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The options of the markers around a test; the nearest counts."""
    options: dict[str, Any] = {}
    for marker in request.node.iter_markers("social_card"):
        options = {**marker.kwargs, **options}
    return options


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> ScenarioFile | None:
    """A YAML file in one of the named folders is a scenario file."""
    if file_path.suffix not in SUFFIXES or not _is_named(file_path, parent.config):
        return None
    return ScenarioFile.from_parent(parent, path=file_path)


class ScenarioFile(pytest.File):
    """One scenario file; each personality it names is an item."""

    def collect(self) -> Iterator[ScenarioItem]:
        """The items of the file; a file that cannot be read is an error with its place."""
        from sscard.errors import InputError
        from sscard.scenario import find_scenarios

        try:
            scenarios = find_scenarios([self.path])
        except InputError as error:
            raise self.CollectError(str(error)) from None
        for scenario in scenarios:
            yield ScenarioItem.from_parent(self, name=scenario.title, scenario=scenario)


class ScenarioItem(pytest.Item):
    """One scenario on one personality."""

    def __init__(self, *, scenario: Scenario, **arguments: object) -> None:
        super().__init__(**arguments)  # type: ignore[arg-type]
        self.scenario = scenario

    def runtest(self) -> None:
        """Run it; a step that is not as stated fails the item."""
        from sscard.scenario import run_scenario

        result = run_scenario(self.scenario, self.config.getoption("--scenario-seed"))
        if not result.passed:
            raise StepFailed(result)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException]) -> str | TerminalRepr:  # type: ignore[override]
        """The failing step with its decoded, redacted trace instead of a traceback."""
        if isinstance(excinfo.value, StepFailed):
            return str(excinfo.value)
        return super().repr_failure(excinfo)

    def reportinfo(self) -> tuple[Path, int, str]:
        """File, line from 0, name."""
        return self.path, 0, self.name


class StepFailed(PortableError):
    """A step was not as its scenario states; the text is the report of it."""

    def __init__(self, result: ScenarioResult) -> None:
        from sscard.scenario.reports.console import failure_text

        super().__init__(failure_text(result))


def _is_named(path: Path, config: pytest.Config) -> bool:
    named = [*config.getini("sscard_scenarios"), *(Path(given).resolve() for given in config.getoption("--scenarios"))]
    return any(path.is_relative_to(folder) for folder in named)
