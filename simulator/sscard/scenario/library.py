"""Where scenarios are: the built-in suite, and the files and folders a user names; running them in this process."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from importlib import resources
from pathlib import Path
from stat import S_ISDIR
from typing import Final, NamedTuple

from sscard.card import Personality
from sscard.document import Report
from sscard.errors import InputError, MissingPart
from sscard.files import mode_of
from sscard.i18n.phrase import Phrase, Sayable, Words
from sscard.issuer.lookup import find_personality
from sscard.scenario.defaults import DEFAULT_SEED
from sscard.scenario.reader import Scenario, each_scenario
from sscard.scenario.runner import ScenarioResult, run_scenario
from sscard.scenario.selection import select as selected
from sscard.scenario.selection import select_tags

FOLDER = "scenarios"
SUFFIXES = (".yaml", ".yml")

GROUPS: Final = {
    "01-function/authentication": Words("command function: authentication", "命令功能：鉴别"),
    "01-function/block": Words("command function: locking", "命令功能：锁定"),
    "01-function/change": Words("command function: CHANGE PIN", "命令功能：修改"),
    "01-function/choices": Words("command function: choices of a product", "命令功能：未定项"),
    "01-function/files": Words("command function: files", "命令功能：文件"),
    "01-function/medical": Words("command function: medical account", "命令功能：医疗账户"),
    "01-function/power-on": Words("command function: answer to reset", "命令功能：复位应答"),
    "01-function/reset": Words("command function: PIN reset", "命令功能：重置"),
    "01-function/terminal": Words("command function: terminal", "命令功能：终端"),
    "01-function/unblock": Words("command function: PIN unblock", "命令功能：解锁"),
    "01-function/verify": Words("command function: VERIFY", "命令功能：校验"),
    "02-parameters": Words("command parameters", "命令参数"),
    "03-firewall": Words("firewall", "防火墙"),
    "04-tear": Words("tear-off", "防拔"),
    "04-tear/reader": Words("tear-off: faults at the reader", "防拔：读写故障"),
    "05-record": Words("records of the applications", "记录规范性"),
    "06-safety": Words("safety of reading and writing", "读写安全性"),
    "07-key-versions": Words("key versions", "密钥多版本"),
    "08-driver-psam": Words("driver by PSAM", "驱动：PSAM"),
    "09-driver-hsm": Words("driver by HSM", "驱动：加密机"),
    "10-certificate": Words("certificate application", "数字证书应用"),
    "11-service-window": Words("service at the window", "窗口办理"),
    "11-service-window/refusals": Words("service at the window: refusals", "窗口办理：不予受理"),
    "12-service-terminal": Words("service at the self-service terminal", "自助终端办理"),
    "13-service-online": Words("service online", "网上办理"),
    "14-service-faults": Words("service: faults", "服务故障"),
    "15-bugs": Words("public bugs and traces", "公开缺陷与记录"),
}
"""The folders of the built-in suite, in the order of the test standard (docs/standard/test-standard.md)."""


def group_name(group: str) -> Sayable:
    """A group of scenarios as a report calls it: a folder of the built-in suite in the language, any other as it is."""
    return GROUPS.get(group, group)


def builtin_folder() -> Path:
    """The built-in suite: in the installed package, else beside the sources it runs from."""
    packaged = Path(str(resources.files("sscard"))) / FOLDER
    beside = Path(__file__).parents[3] / FOLDER
    for folder in (packaged, beside):
        if folder.is_dir():
            return folder
    raise MissingPart(Phrase("the built-in scenarios are missing"), "pip install --force-reinstall sscard")


def builtin_scenarios(personality: Personality | None = None) -> list[Scenario]:
    """The built-in suite, on its own personalities or on the one given."""
    return find_scenarios((), personality)


def run_scenarios(
    *paths: Path | str, select: str = "", personality: Personality | str = "", seed: int = DEFAULT_SEED
) -> list[ScenarioResult]:
    """Run scenarios in this process, each on a card of its own; a result per scenario and personality.

    ``paths`` are scenario files and folders, by default the built-in suite.
    ``select`` is an expression of words with ``and``, ``or``, ``not`` and
    parentheses, as of ``sscard run -k``. ``personality``, a preset or a path,
    replaces those that the scenarios name; the result of a scenario whose
    ``choices`` no such card can have is ``not applicable``. The same ``seed``
    gives the same bytes on the wire.

    A scenario that fails is a result whose ``passed`` is false and whose
    ``failure`` is the step; an exception in a scenario makes it ``inconclusive``,
    with the ``reason``. Errors: ``InputError`` with file, line and column
    for a scenario that cannot be read, and if nothing is selected.
    """
    forced = find_personality(personality) if isinstance(personality, str) and personality else personality or None
    return [run_scenario(scenario, seed) for scenario in choose_scenarios(list(map(Path, paths)), forced, select)]


def choose_scenarios(paths: list[Path], personality: Personality | None, select: str = "") -> list[Scenario]:
    """The scenarios of these paths, by default the built-in suite, that an expression selects; at least one."""
    return narrow(find_scenarios(paths, personality), select)


def narrow(found: list[Scenario], select: str = "", tags: str = "") -> list[Scenario]:
    """The scenarios that an expression of words (``-k``) and one of tags (``-m``) select; at least one that can run."""
    if not found:
        raise InputError(
            Phrase("no scenarios in these files"), remedy=Phrase("a file of step groups alone belongs to include:")
        )
    tagged = select_tags(found, tags) if tags else found
    chosen = selected(tagged, select) if select else tagged
    if not chosen:
        asked = " ".join(f"{option} {words!r}" for option, words in (("-k", select), ("-m", tags)) if words)
        raise InputError(
            Phrase("no scenario fits {options}", options=asked), remedy=Phrase("without it all scenarios are run")
        )
    if all(scenario.misfit for scenario in chosen) and chosen[0].misfit:
        raise chosen[0].misfit
    return chosen


def find_scenarios(
    paths: Iterable[Path], personality: Personality | None = None, report: Report | None = None
) -> list[Scenario]:
    """The scenarios of these files and folders, in their order, each once; folders are searched for ``*.yaml``.

    The first error is raised, or ``report`` gets them all.
    """
    return [*each_scenario_of(find_files(paths), personality, report)]


def each_scenario_of(
    files: Iterable[ScenarioFile], personality: Personality | None = None, report: Report | None = None
) -> Iterator[Scenario]:
    """The scenarios of files, one after the other: a long table needs no memory for all."""
    for file in files:
        yield from each_scenario(file.path, file.source, file.group, personality, report)


def input_files(paths: Iterable[Path], scenarios: Iterable[Scenario]) -> list[Path]:
    """The files of these paths, by default of the built-in suite, and those that scenarios name besides their own."""
    folders = [*paths] or [builtin_folder()]
    inside = (file for folder in folders for file in folder.rglob("*") if file.suffix in SUFFIXES)
    return [*folders, *inside, *(file for scenario in scenarios for file in scenario.files)]


class ScenarioFile(NamedTuple):
    """A scenario file: its path, its name in reports, and the name of its folder."""

    path: Path
    source: str
    group: str


def find_files(paths: Iterable[Path]) -> list[ScenarioFile]:
    """The scenario files of these files and folders, in their order, each once; without paths the built-in suite."""
    named = {Path(os.path.realpath(path)): path for path in paths}  # Path.resolve raises for a loop of links
    if not named:
        return _files_of(builtin_folder(), FOLDER)
    found: list[ScenarioFile] = []
    for place, path in named.items():
        folder = S_ISDIR(mode_of(path))
        if not named.keys().isdisjoint(place.parents) and (folder or path.suffix in SUFFIXES):
            continue  # its folder is named too
        found += _files_of(path, str(path)) if folder else [ScenarioFile(path, str(path), place.parent.name)]
    return found


def _hidden(path: Path, folder: Path) -> bool:
    """Whether a part of the path below the folder begins with a dot, such as ``.github``."""
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def _files_of(folder: Path, shown: str) -> list[ScenarioFile]:
    files = sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES and not _hidden(path, folder))
    if not files:
        raise InputError(
            Phrase("no scenarios here"), file=shown, remedy=Phrase("a scenario is a file that ends in .yaml")
        )
    found: list[ScenarioFile] = []
    for path in files:
        inside = path.relative_to(folder)
        group = inside.parent.as_posix() if len(inside.parts) > 1 else folder.resolve().name
        found.append(ScenarioFile(path, str(Path(shown) / inside), group))
    return found
