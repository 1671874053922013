"""Which scenarios failed last, for ``sscard run --last-failed``: a file of this user for each working folder."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Final

from sscard.files import cache_folder
from sscard.scenario.reader import Scenario
from sscard.scenario.runner import ScenarioResult

SCHEMA: Final = "sscard.last-failed/1"

Key = tuple[str, str]
"""File and title of a scenario."""


class LastFailed:
    """The failures that runs in the working folder have left, in ``~/.cache/sscard/last-failed``.

    A file that cannot be read counts as empty. One that cannot be written is not
    an error: a run must not fail for it.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = str((folder or Path()).absolute())
        name = sha256(self._folder.encode(errors="surrogateescape")).hexdigest()[:16]
        self._file = cache_folder() / "last-failed" / f"{name}.json"

    def among(self, scenarios: Iterable[Scenario]) -> list[Scenario]:
        """Those of the scenarios that failed when they were run last."""
        failed = self._read()
        return [scenario for scenario in scenarios if self._key(scenario) in failed]

    def update(self, results: Sequence[ScenarioResult]) -> None:
        """Take in the results of a run: a scenario that was not run stays as it is."""
        before = self._read()
        failed = {self._key(result.scenario) for result in results if not result.passed}
        now = before - {self._key(result.scenario) for result in results} | failed
        if now == before:
            return
        content = {"schema": SCHEMA, "folder": self._folder, "failed": sorted(map(list, now))}
        beside = self._file.with_name(f".{self._file.name}.{os.getpid()}")
        with suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            beside.write_text(json.dumps(content, indent=1), encoding="utf-8")
            beside.replace(self._file)

    def _read(self) -> set[Key]:
        try:
            content = json.loads(self._file.read_bytes())
            return {(file, title) for file, title in content["failed"]} if content["schema"] == SCHEMA else set()
        except (OSError, ValueError, TypeError, LookupError):
            return set()

    def _key(self, scenario: Scenario) -> Key:
        return os.path.normpath(Path(self._folder, scenario.source)), scenario.title
