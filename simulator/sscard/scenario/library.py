"""Where scenarios are: the built-in suite, and the files and folders a user names."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from stat import S_ISDIR

from sscard.card import Personality
from sscard.errors import InputError, MissingPart
from sscard.files import mode_of
from sscard.i18n.language import _
from sscard.scenario.reader import Scenario, read_scenario

FOLDER = "scenarios"
SUFFIXES = (".yaml", ".yml")


def builtin_folder() -> Path:
    """The built-in suite: in the installed package, else beside the sources it runs from."""
    packaged = Path(str(resources.files("sscard"))) / FOLDER
    beside = Path(__file__).parents[3] / FOLDER
    for folder in (packaged, beside):
        if folder.is_dir():
            return folder
    raise MissingPart(_("the built-in scenarios are not there"), "pip install --force-reinstall sscard")


def builtin_scenarios(personality: Personality | None = None) -> list[Scenario]:
    """The built-in suite, on its own personalities or on the one given."""
    return _read_folder(builtin_folder(), FOLDER, personality)


def find_scenarios(paths: Iterable[Path], personality: Personality | None = None) -> list[Scenario]:
    """The scenarios of these files and folders, in their order; folders are searched for ``*.yaml``."""
    found: list[Scenario] = []
    for path in paths:
        if S_ISDIR(mode_of(path)):
            found += _read_folder(path, str(path), personality)
        else:
            found += read_scenario(path, str(path), path.resolve().parent.name, personality)
    return found


def _read_folder(folder: Path, shown: str, personality: Personality | None) -> list[Scenario]:
    files = sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES)
    if not files:
        raise InputError(_("no scenarios here"), file=shown, remedy=_("a scenario is a file that ends in .yaml"))
    found: list[Scenario] = []
    for path in files:
        inside = path.relative_to(folder)
        group = inside.parent.as_posix() if len(inside.parts) > 1 else folder.resolve().name
        found += read_scenario(path, str(Path(shown) / inside), group, personality)
    return found
