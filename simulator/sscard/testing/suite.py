"""The scenarios of a project under pytest: which files they are, and how they are run."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from sscard.i18n.language import _, say
from sscard.i18n.phrase import Phrase

if TYPE_CHECKING:
    from sscard.card import Personality
    from sscard.scenario.cards import Connect
    from sscard.scenario.issuing import Issuer, OwnCards
    from sscard.scenario.reader import Scenario
    from sscard.scenario.reports.evidence import Evidence
    from sscard.scenario.reports.run import Run
    from sscard.scenario.runner import ScenarioResult
    from sscard.scenario.testbed.card import CardRun
    from sscard.scenario.testbed.file import Testbed
    from sscard.scenario.testbed.unclaimed import UnclaimedRun
    from sscard.scenario.waiving import Waivers
    from sscard.transport.pcscd import PrivatePcscd

SUFFIXES = (".yaml", ".yml")
LOCAL: Final = "local"
"""The default of --sscard-transport."""
READERS: Final = 4
"""Virtual readers of the private pcscd: the first ones for scenarios, the others for the fixture."""
SCENARIO_READERS: Final = (0, 1)
MARKER: Final = re.compile(r"[^\W_][\w.+/-]*")
"""A tag that pytest takes for a marker; any other tag is a keyword only."""
NO_MARKERS: Final = (*("skip", "skipif", "xfail", "usefixtures", "parametrize", "filterwarnings"), "social_card")
"""Markers with a meaning of their own, which a tag must not have."""


class Suite:
    """The scenarios of a project: which files they are, and how they are run."""

    def __init__(self, config: pytest.Config) -> None:
        self.collected: set[Path] = set()
        self.runnable = 0
        """The number of scenarios that fit their card, before some were deselected."""
        self.planned = 0
        """The number of selected scenarios, from all of which a worker of pytest-xdist is given some."""
        self._config = config
        start = config.invocation_params.dir
        # As pytest names files: absolute, links kept.
        self._configured = [Path(os.path.abspath(folder)) for folder in config.getini("sscard_scenarios")]  # noqa: PTH100
        self._asked = [Path(os.path.abspath(start / given)) for given in config.getoption("--scenarios")]  # noqa: PTH100
        self._addopts = set(config.getini("addopts"))
        # An argument of the command line that names a file or a test: then the arguments are taken as they are.
        given = config.args if config.args_source is pytest.Config.ArgsSource.ARGS else []
        self._explicit = any("::" in arg or (start / arg).is_file() for arg in given if arg not in self._addopts)
        self._open = ExitStack()
        self._daemon: PrivatePcscd | None = None
        self._connect: Connect | None = None
        self._personality: Personality | None = None
        self._placed: Testbed | OwnCards | None = None
        self._issuer: Issuer | None = None
        self._card: CardRun | UnclaimedRun | None = None
        self._waivers: Waivers | None = None
        self._unwaived: list[ScenarioResult] = []
        self._markers: set[str] = set()
        self._evidence: Evidence | None = None
        self._results: list[ScenarioResult] = []
        self._started = datetime.now(UTC)

    def start(self) -> None:
        """Add the folders to the arguments of pytest, and check them. Errors: ``pytest.UsageError``."""
        for folder in self._named:
            if not folder.exists():
                remedy = _(
                    "correct sscard_scenarios in {file}, or --scenarios", file=self._config.inipath or "pytest.ini"
                )
                raise pytest.UsageError(_("no scenarios: {folder} does not exist", folder=folder), remedy)
            if not yaml_files(folder):
                remedy = _("add a scenario, a file that ends in .yaml, or correct sscard_scenarios or --scenarios")
                raise pytest.UsageError(_("no scenarios: {folder} has no YAML file", folder=folder), remedy)
            self._config.args.append(str(folder))
        if self._config.getoption("--sscard-transport") == "pcsc":
            from importlib.util import find_spec

            from sscard.transport.pcscd import check_private_pcscd

            if find_spec("smartcard") is None:
                raise pytest.UsageError(_("--sscard-transport pcsc needs pyscard"), "pip install 'sscard[pcsc]'")
            with usage_errors():
                check_private_pcscd()
        if self._config.getoption("--sscard-personality"):
            with usage_errors():
                self.personality()
        if self._config.getoption("--sscard-evidence"):
            from sscard.scenario.reports.evidence import Evidence

            folder = self._config.invocation_params.dir / self._config.getoption("--sscard-evidence")
            worker = getattr(self._config, "workerinput", {}).get("workerid", "")  # has a folder in that of the run
            with usage_errors():
                self._evidence = Evidence(folder / worker)
            self._evidence.begin(self._run_so_far())
        if self._config.getoption("--sscard-testbed"):
            if hasattr(self._config, "workerinput") or self._config.getoption("numprocesses", 0):
                remedy = _("leave out -n")
                raise pytest.UsageError(_("one card under test cannot be used by several processes"), remedy)
            with usage_errors():
                self.testbed()
        with usage_errors():
            self.waivers()

    @property
    def _named(self) -> list[Path]:
        """The folders that this run collects."""
        return self._asked + ([] if self._explicit else self._configured)

    def header(self) -> list[str]:
        """Which scenarios are part of the run."""
        if not self._configured or self._explicit:
            return self.omissions()
        return [_("sscard: scenarios of {folders}", folders=self._folders), *self.omissions()]

    def omissions(self) -> list[str]:
        """What the command line leaves out of the configured folders."""
        if not self._configured:
            return []
        if self._explicit:
            return [_("sscard: the arguments name files or tests: of {folders} only those", folders=self._folders)]
        ignored = sum(map(self._ignored, self._wanted))
        said = Phrase.plural(
            "sscard: --ignore leaves out {count} scenario file of {folders}",
            "sscard: --ignore leaves out {count} scenario files of {folders}",
            count=ignored,
            folders=self._folders,
        )
        return [say(said)] if ignored else []

    @property
    def _folders(self) -> str:
        return ", ".join(shown(folder, self._config) for folder in self._configured)

    @property
    def _wanted(self) -> dict[Path, None]:
        """The scenario files of the folders that this run collects."""
        return dict.fromkeys(file for folder in self._named for file in yaml_files(folder))

    def includes(self, path: Path) -> bool:
        """Whether a file is one of the scenarios, if it is collected."""
        if path.suffix not in SUFFIXES:
            return False
        return any(path.is_relative_to(folder) for folder in (*self._asked, *self._configured))

    def left_out(self) -> list[Path]:
        """The files that should have been collected."""
        return [file for file in self._wanted if file not in self.collected and not self._ignored(file)]

    def _ignored(self, file: Path) -> bool:
        """Whether --ignore or --ignore-glob of the command line leaves a file out; ``addopts`` is configuration."""
        start = self._config.invocation_params.dir
        paths, globs = (
            [
                start / given
                for given in self._config.getoption(option) or ()
                if self._addopts.isdisjoint((given, f"{option}={given}"))
            ]
            for option in ("--ignore", "--ignore-glob")
        )
        parts = (file, *file.parents)
        return any(part in paths or any(fnmatch(str(part), str(glob)) for glob in globs) for part in parts)

    def personality(self) -> Personality | None:
        """The personality of --sscard-personality. Errors: ``InputError``."""
        if self._personality is None and (asked := self._config.getoption("--sscard-personality")):
            from sscard.issuer import find_personality

            self._personality = find_personality(asked)
        return self._personality

    def testbed(self) -> Testbed | None:
        """The testbed of --sscard-testbed, if it has a card. Errors: ``InputError``."""
        placed = self._read_testbed()
        if placed is None:
            return None
        from sscard.scenario.testbed.file import Testbed

        return placed if isinstance(placed, Testbed) else None

    def _read_testbed(self) -> Testbed | OwnCards | None:
        if self._placed is None and (asked := self._config.getoption("--sscard-testbed")):
            from sscard.cli.testbed import no_new_card
            from sscard.scenario.testbed.claim import learned
            from sscard.scenario.testbed.file import Testbed, read_testbed

            found = read_testbed(self._config.invocation_params.dir / asked)
            if isinstance(found, Testbed) and found.unknown:
                with found.issuing.open() as issuer:
                    found = learned(found, issuer, no_new_card)
            self._placed = found
        return self._placed

    def waivers(self) -> Waivers | None:
        """The waivers of --sscard-waivers, else those of the testbed. Errors: ``InputError``."""
        if self._waivers is None:
            asked, testbed = self._config.getoption("--sscard-waivers"), self._read_testbed()
            file = self._config.invocation_params.dir / asked if asked else testbed and testbed.waivers
            if file:
                from sscard.scenario.waivers import read_waivers
                from sscard.scenario.waiving import Waivers

                self._waivers = Waivers(read_waivers(file))
        return self._waivers

    def run(self, scenario: Scenario, seed: int) -> ScenarioResult:
        """The result of a scenario, on the card of the testbed if there is one, with its waivers."""
        result = self._result(scenario, seed)
        if (waivers := self.waivers()) is None:
            return result
        self._unwaived.append(result.without_events())
        return waivers.judged(result)

    def say_unused(self) -> Phrase | None:
        """How many waivers name no scenario that was run, if the whole suite was, in this process."""
        waivers = self.waivers()
        if waivers is None or self._explicit or len(self._unwaived) < max(self.runnable, 1):
            return None
        return waivers.say_unused(self._unwaived)

    def _result(self, scenario: Scenario, seed: int) -> ScenarioResult:
        testbed = self.testbed()
        if testbed is None:
            from sscard.scenario import run_scenario
            from sscard.scenario.issuing import OwnCards

            if self._issuer is None and isinstance(self._placed, OwnCards):
                self._issuer = self._open.enter_context(self._placed.issuing.open())
            return run_scenario(scenario, seed, self.connect(), self._issuer)
        if self._card is None:
            from sscard.cli.testbed import no_new_card
            from sscard.scenario.testbed.unclaimed import opened_card

            issuer = self._open.enter_context(testbed.open())
            self._card = self._open.enter_context(opened_card(testbed, issuer, no_new_card))
        return self._card.run(scenario, seed)

    def last(self, scenarios: list[Scenario], seed: int) -> list[Scenario]:
        """Those that may destroy the card of the testbed, and so run after all others."""
        testbed = self.testbed()
        if testbed is None:
            return []
        from sscard.scenario.testbed.plan import destroying

        return destroying(scenarios, seed, testbed)

    def read(self, file: Path) -> list[Scenario]:
        """The scenarios of a file. Errors: ``InputError``."""
        from sscard.scenario import read_scenario

        if testbed := self.testbed():
            from sscard.scenario.testbed.plan import scenarios_in

            return scenarios_in(testbed.claimed, file, shown(file, self._config), file.parent.name)
        return read_scenario(file, shown(file, self._config), file.parent.name, self.personality())

    def register(self, scenario: Scenario) -> list[str]:
        """Register the tags that can be markers, and return them."""
        tags = [tag for tag in scenario.tags if MARKER.fullmatch(tag) and tag not in NO_MARKERS]
        if not self._markers:
            self._markers |= {re.split("[:(]", line)[0].strip() for line in self._config.getini("markers")}
        for tag in tags:
            if tag not in self._markers:
                self._config.addinivalue_line("markers", _("{tag}: tag of scenarios", tag=tag))
                self._markers.add(tag)
        return tags

    def register_all(self) -> None:
        """Register the tags of all scenarios that can be read."""
        from sscard.errors import InputError

        for file in (file for folder in (*self._asked, *self._configured) for file in yaml_files(folder)):
            with suppress(InputError):
                for scenario in self.read(file):
                    self.register(scenario)

    def connect(self) -> Connect:
        """How terminals reach cards."""
        from sscard.scenario.cards import in_process

        if self._config.getoption("--sscard-transport") == LOCAL:
            return in_process
        if self._connect is None:
            from sscard.transport.readerpool import ReaderPool

            self._connect = self._open.enter_context(ReaderPool(self.daemon(), SCENARIO_READERS)).connect
        return self._connect

    def daemon(self) -> PrivatePcscd:
        """The private pcscd of this process, which can have one only."""
        if self._daemon is None:
            from sscard.transport.pcscd import PrivatePcscd

            self._daemon = self._open.enter_context(PrivatePcscd(READERS))
        return self._daemon

    def keep(self, result: ScenarioResult) -> None:
        """Write the log of a result, if evidence is kept."""
        if self._evidence:
            self._results.append(result.without_events())  # also if its log cannot be written, as the logs count it
            self._evidence.add(result)

    def _run_so_far(self) -> Run:
        """The scenarios that were run up to now."""
        from sscard.scenario.reports.run import Run

        is_worker = hasattr(self._config, "workerinput")
        names = "transport", "personality", "testbed", "waivers"
        chosen = {name: self._config.getoption(f"--sscard-{name}") for name in names}
        return Run(
            results=self._results,
            seeds=(self._config.getoption("--sscard-seed"),),
            planned=len(self._results) if is_worker else self.planned,
            started=self._started,
            seconds=(datetime.now(UTC) - self._started).total_seconds(),
            command=("pytest", *self._config.invocation_params.args),
            chosen={name: value for name, value in chosen.items() if value not in ("", LOCAL)},
            logs=self._evidence.logs if self._evidence else (),
        )

    def close(self) -> None:
        """End the daemon, and complete the evidence."""
        try:
            self._open.close()
        finally:
            if self._evidence:
                self._evidence.finish(self._run_so_far())


@contextmanager
def usage_errors() -> Iterator[None]:
    """Unusable input and missing parts as errors of the command line."""
    from sscard.errors import InputError, MissingPart

    try:
        yield
    except (InputError, MissingPart) as error:
        raise pytest.UsageError(str(error)) from None


def yaml_files(folder: Path) -> list[Path]:
    """The scenario files of a folder; a file is one itself."""
    if folder.is_file():
        return [folder]
    return sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES)


def shown(path: Path, config: pytest.Config) -> str:
    """A path from the folder of the call on, as short as a terminal can open it."""
    try:
        return path.relative_to(config.invocation_params.dir).as_posix()
    except ValueError:
        return os.path.relpath(path, config.invocation_params.dir)
