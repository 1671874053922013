"""The pytest plugin: scenario files as test items, so that ``-k``, ``-m``, ``-n``, JUnit XML and every reporter work.

A project names its scenarios in its pytest configuration, ``sscard_scenarios = scenarios``,
or on the command line, ``pytest --scenarios FOLDER``. They are always
collected: a folder without scenarios, or one that pytest is configured to leave
out, fails the run. Only arguments that name files or tests, and ``--ignore``,
select without them. ``sscard.testing`` describes the fixtures.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Final

import pytest

from sscard.i18n.language import _, say, visible
from sscard.pickling import PortableError
from sscard.testing.options import marked, seed_of
from sscard.testing.suite import LOCAL, READERS, SCENARIO_READERS, SUFFIXES, Suite, shown

if TYPE_CHECKING:
    from _pytest._code.code import ExceptionChainRepr, TerminalRepr

    from sscard.issuer import Card
    from sscard.scenario.reader import Scenario
    from sscard.scenario.runner import ScenarioResult
    from sscard.terminal import CardSession
    from sscard.testing import VirtualReader
    from sscard.transport.pcscd import PrivatePcscd

READER_TIMEOUT: Final = 60.0
"""Seconds to wait until pcscd has noticed a card, far more than the 0.4 s it takes on an idle machine."""

PYTEST_BENCHMARK: Final = ("benchmark", "pytest_benchmark.plugin")
"""The names of its plugin: that of the entry point, and with ``-p``."""

PLACE: Final = "place"
"""The property of an item with file and line."""

_turns = count()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options, and the ini option ``sscard_scenarios``."""
    group = parser.getgroup("sscard", _("scenarios of the virtual social security card"))
    group.addoption(
        "--scenarios", action="append", default=[], metavar="PATH", help=_("collect scenario files in PATH")
    )
    group.addoption(
        "--sscard-seed",
        "--scenario-seed",
        type=int,
        default=1,
        metavar="N",
        help=_("seed of challenges, holders and clock (default: 1)"),
    )
    group.addoption(
        "--sscard-transport",
        choices=(LOCAL, "pcsc"),
        default=LOCAL,
        help=_("run scenarios in this process, or through PC/SC with a private pcscd (default: local)"),
    )
    group.addoption(
        "--sscard-personality",
        default="",
        metavar="P",
        help=_("run all scenarios on this personality, which the card of the fixtures has too: preset or file"),
    )
    group.addoption(
        "--sscard-evidence",
        default="",
        metavar="DIR",
        help=_("write a raw log of each scenario into a new folder, with SHA256SUMS"),
    )
    group.addoption(
        "--sscard-defect",
        action="append",
        default=[],
        metavar="NAME",
        help=_("plant a defect of 'sscard defects list' for the whole run, which the tests then have to notice"),
    )
    group.addoption(
        "--sscard-testbed",
        default="",
        metavar="FILE",
        help=_("run scenarios with the card and HSM of a testbed file"),
    )
    group.addoption(
        "--sscard-waivers",
        default="",
        metavar="FILE",
        help=_("waive known failures as a waiver file says (default: the one of the testbed file)"),
    )
    parser.addini("sscard_scenarios", _("folders whose YAML files are scenarios"), type="paths", default=[])


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker of the fixtures, and prepare the suite."""
    if names := config.getoption("--sscard-defect"):
        _plant(config, names)
    marker = _("social_card(**options): the card of the fixture social_card, by the parameters of sscard.issue_card")
    config.addinivalue_line("markers", marker)
    config.stash[SUITE] = Suite(config)
    if any(config.pluginmanager.has_plugin(name) for name in PYTEST_BENCHMARK):
        from sscard.testing import benchmark

        config.pluginmanager.register(benchmark, "sscard-benchmark")


def _plant(config: pytest.Config, names: list[str]) -> None:
    from sscard.errors import InputError, MissingPart
    from sscard.sources import prefer_sources

    try:
        prefer_sources()
        from sscard.scenario.defects.measure import find_defects, planted

        defects = find_defects(names)
    except (InputError, MissingPart) as error:
        raise pytest.UsageError(f"--sscard-defect: {error}") from None
    held = ExitStack()
    held.enter_context(planted(defects))
    config.add_cleanup(held.close)


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the private pcscd, and complete the evidence."""
    if SUITE in config.stash:
        config.stash[SUITE].close()


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """``pytest --markers`` lists the tags too."""
    if config.option.markers:
        Suite(config).register_all()


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Check the suite and add it to what is collected."""
    session.config.stash[SUITE].start()


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Whether the suite is part of the run, and the planted defects."""
    planted = [_("sscard defect: {name}", name=name) for name in config.getoption("--sscard-defect")]
    return [*config.stash[SUITE].header(), *planted]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(session: pytest.Session, items: list[pytest.Item]) -> None:
    """Fail the run for a scenario file that was not collected, whatever the reason, and if no scenario can be run."""
    problem = _("this scenario file of sscard_scenarios was not collected")
    remedy = _(
        "change norecursedirs, addopts, collect_ignore or conftest.py, which leave it out; "
        "to skip it, use --ignore on the command line"
    )
    for file in session.config.stash[SUITE].left_out():
        _fail(session, shown(file, session.config), problem, remedy)
    suite, seed = session.config.stash[SUITE], session.config.getoption("--sscard-seed")
    last = {id(each) for each in suite.last([item.scenario for item in items if isinstance(item, ScenarioItem)], seed)}
    items.sort(key=lambda item: isinstance(item, ScenarioItem) and id(item.scenario) in last)
    suite.runnable = sum(isinstance(item, ScenarioItem) and not item.scenario.misfit for item in items)
    misfits = [item.scenario.misfit for item in items if isinstance(item, ScenarioItem)]
    if misfits and misfits[0] and all(misfits):
        problem = _("none of the scenarios is applicable: {problem}", problem=misfits[0].said)
        remedy = _("choose another personality with --sscard-personality, or change needs: of the scenarios")
        _fail(session, "--sscard-personality", problem, remedy)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Count the scenarios that will be run, without those that were deselected, and check their waivers."""
    from sscard.errors import InputError

    suite = session.config.stash[SUITE]
    scenarios = [item.scenario for item in session.items if isinstance(item, ScenarioItem)]
    suite.planned = len(scenarios)
    try:
        if waivers := suite.waivers():
            waivers.check(scenarios, complete=False)
    except InputError as error:
        raise pytest.UsageError(str(error)) from None


def _fail(session: pytest.Session, name: str, problem: str, remedy: str) -> None:
    report = pytest.CollectReport(name, "failed", f"{problem}\n  {remedy}", None)
    session.ihook.pytest_collectreport(report=report)


@pytest.hookimpl(tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The failures of scenarios in whole lines, equal ones once: those of pytest's own summary are cut to the width.

    Lines below them count the waivers that name no scenario, and say without a header what was left out.
    """
    lines: dict[str, int] = {}
    for report in terminalreporter.stats.get("failed", []):
        crash = getattr(report.longrepr, "reprcrash", None)
        if Path(report.location[0]).suffix in SUFFIXES and crash is not None:
            lines[crash.message] = lines.get(crash.message, 0) + 1
    if lines:
        terminalreporter.section(_("failed scenarios"))
    for line, times in lines.items():
        terminalreporter.line(line if times == 1 else _("{line} ({times} scenarios)", line=line, times=times))
    if unused := terminalreporter.config.stash[SUITE].say_unused():
        terminalreporter.line(say(unused))
    if not terminalreporter.showheader or terminalreporter.no_header:
        for line in terminalreporter.config.stash[SUITE].omissions():
            terminalreporter.line(line)


SUITE: Final = pytest.StashKey[Suite]()


@pytest.fixture
def social_card(request: pytest.FixtureRequest) -> Card:
    """An issued social security card at rest; the marker social_card gives the parameters of sscard.issue_card."""
    from sscard.issuer import issue_card

    personality = request.config.getoption("--sscard-personality")
    given = {"personality": personality} if personality else {}
    return issue_card(**{"seed": seed_of(request), **given, **marked(request)})


@pytest.fixture
def card_session(social_card: Card, request: pytest.FixtureRequest) -> Iterator[CardSession]:
    """A session on social_card under power, in this process, with the HSM of its keys."""
    from sscard.hsm import SoftHsm
    from sscard.terminal import CardSession

    session = CardSession.start(social_card.chip(Random(seed_of(request))), SoftHsm(marked(request).get("keys")))
    yield session
    session.close()


@pytest.fixture(scope="session")
def _private_pcscd(request: pytest.FixtureRequest) -> PrivatePcscd:
    from sscard.errors import MissingPart
    from sscard.transport.pcscd import check_private_pcscd

    pytest.importorskip("smartcard", reason="pip install 'sscard[pcsc]'")
    try:
        check_private_pcscd()
    except MissingPart as missing:
        pytest.skip(str(missing))
    return request.config.stash[SUITE].daemon()


@pytest.fixture
def virtual_reader(
    social_card: Card, request: pytest.FixtureRequest, _private_pcscd: PrivatePcscd
) -> Iterator[VirtualReader]:
    """social_card in a PC/SC reader of a private pcscd; skipped, with the reason, if this machine cannot have one."""
    from sscard.testing import VirtualReader
    from sscard.transport.pcsc import wait_for_card
    from sscard.transport.vpcd import VirtualReaderSlot

    # In turns: pcscd needs 0.4 s to notice that the card before has left.
    number = len(SCENARIO_READERS) + next(_turns) % (READERS - len(SCENARIO_READERS))
    name = _private_pcscd.reader_name(number)
    assert wait_for_card(name, present=False, timeout=READER_TIMEOUT)
    with VirtualReaderSlot(_private_pcscd.port(number), social_card.chip(Random(seed_of(request)))) as slot:
        assert wait_for_card(name, timeout=READER_TIMEOUT)
        yield VirtualReader(name, _private_pcscd.environment, slot, social_card)


@pytest.fixture
def card_benchmark() -> None:
    """Without pytest-benchmark: skipped. With it, the fixture of sscard.testing.benchmark takes this name."""
    pytest.skip(_("card_benchmark needs pytest-benchmark: pip install 'sscard[testing]', without -p no:benchmark"))


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> ScenarioFile | None:
    """A YAML file in one of the named folders is a scenario file."""
    suite = parent.config.stash[SUITE]
    if not suite.includes(file_path):
        return None
    suite.collected.add(file_path)
    return ScenarioFile.from_parent(parent, path=file_path)


class ScenarioFile(pytest.File):
    """One scenario file; each personality it names, and each row of its table, is an item."""

    def collect(self) -> Iterator[ScenarioItem]:
        """The items of the file; a file that cannot be read is an error with its place."""
        from sscard.errors import InputError

        try:
            scenarios = self.config.stash[SUITE].read(self.path)
        except InputError as error:
            raise self.CollectError(str(error)) from None
        for scenario in scenarios:
            yield ScenarioItem.from_parent(self, name=scenario.title.replace("::", ":"), scenario=scenario)


class ScenarioItem(pytest.Item):
    """One scenario on one personality. Its tags are markers and keywords."""

    def __init__(self, *, scenario: Scenario, **arguments: object) -> None:
        from sscard.scenario.reports.run import case_properties

        super().__init__(**arguments)  # type: ignore[arg-type]
        self.scenario = scenario
        # What JUnit XML and other reports show; a failure changes the place to that of its step.
        options = (self.config.getoption(f"--sscard-{name}") for name in ("seed", "transport"))
        facts = case_properties(scenario, *options) | {PLACE: f"{scenario.source}:{scenario.line}"}
        self.user_properties += facts.items()
        self.extra_keyword_matches |= {*scenario.tags, scenario.severity}
        for tag in self.config.stash[SUITE].register(scenario):
            self.add_marker(tag)
        if scenario.misfit is not None:
            self.add_marker(pytest.mark.skip(reason=_("not applicable: {problem}", problem=scenario.misfit.problem)))
        if scenario.known_issue:
            reason = _("known issue {ticket}", ticket=scenario.known_issue)
            self.add_marker(pytest.mark.xfail(reason=reason, raises=StepFailed, strict=True))

    def runtest(self) -> None:
        """Run it; a step that is not as stated fails the item."""
        from sscard.scenario.reports.summary import failure_place
        from sscard.scenario.runner import INCONCLUSIVE, NOT_APPLICABLE, WAIVED

        result = self.config.stash[SUITE].run(self.scenario, self.config.getoption("--sscard-seed"))
        if not result.passed:
            file, line = failure_place(result)
            self.user_properties = [each for each in self.user_properties if each[0] != PLACE]
            self.user_properties.append((PLACE, f"{file}:{line}"))
        if result.waivers:
            self.user_properties.append(("waivers", ", ".join(entry.waiver.ticket for entry in result.waivers)))
        self.config.stash[SUITE].keep(result)
        if result.verdict == NOT_APPLICABLE:
            pytest.skip(_("not applicable: {problem}", problem=result.reason))
        if result.verdict == INCONCLUSIVE:
            raise Inconclusive(result)
        if result.verdict == WAIVED:
            pytest.xfail(say(result.reason))
        if result.waivers and result.failure is None:
            raise ScenarioFailed(result)
        if result.failure is not None:
            raise StepFailed(result) if result.failure.executed else ScenarioFailed(result)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException]) -> str | TerminalRepr:  # type: ignore[override]
        """The failing step with its decoded, redacted trace instead of a traceback."""
        if isinstance(excinfo.value, ScenarioFailed):
            return excinfo.value.representation()
        return super().repr_failure(excinfo)

    def reportinfo(self) -> tuple[Path, int, str]:
        """File, line from 0, name."""
        return self.path, 0, self.name


class ScenarioFailed(PortableError):
    """A scenario that did not pass: its place, one line for summaries, and the report of the failing step."""

    def __init__(self, result: ScenarioResult) -> None:
        from sscard.scenario.reports.console import failure_text, reason_text
        from sscard.scenario.reports.summary import failure_place, missed_texts

        texts = (reason_text(result) if result.unwaived else "", failure_text(result))
        super().__init__("\n".join(filter(None, texts)) or reason_text(result))
        self.file, self.number = failure_place(result)
        self.missed = missed_texts(result)

    def representation(self) -> ExceptionChainRepr:
        """What pytest and pytest-xdist show and send: the text, and the line in the short summary."""
        from _pytest._code.code import ExceptionChainRepr, ReprEntryNative, ReprFileLocation, ReprTraceback

        entry = ReprEntryNative([f"{line}\n" for line in str(self).splitlines()])
        more = _("; and {count} more", count=len(self.missed) - 1) if len(self.missed) > 1 else ""
        file = visible(self.file)
        location = ReprFileLocation(file, self.number, f"{file}:{self.number}: {self.missed[0]}{more}")
        return ExceptionChainRepr([(ReprTraceback([entry], None, "native"), location, None)])


class StepFailed(ScenarioFailed):
    """A step was not as its scenario states."""


class Inconclusive(ScenarioFailed):
    """A step could not be judged. A known issue does not excuse it."""
