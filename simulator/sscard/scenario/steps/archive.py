"""The verb that moves closed cases from the journal to an archive."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Annotated, ClassVar

from pydantic import Field

from sscard.i18n.phrase import Phrase, Sayable
from sscard.scenario.context import Bench, NotPossible
from sscard.scenario.step import Outcome
from sscard.scenario.steps.service_step import ServiceStep
from sscard.service.workdays import CHINA


class MoveToArchive(ServiceStep):
    """Move the cases that were closed before a day from the journal, an SQLite file, to an archive.

    ``moved`` is the number of these cases. The last event of the journal stays in it.
    """

    verb: ClassVar[str] = "archive"
    archive: date
    moved: Annotated[int, Field(ge=0)] | None = None

    def answers(self) -> dict[str, str]:
        return super().answers() | ({} if self.failed or self.moved is None else {"moved": str(self.moved)})

    def serve(self, bench: Bench) -> Outcome:
        if not bench.host.durable:
            raise NotPossible(Phrase("a journal in memory has no archive: add `journal: sqlite` to service:"))
        moved = bench.host.archive(datetime.combine(self.archive, time(), CHINA))
        return Outcome(reported={"moved": str(moved.cases)})

    def title(self) -> Sayable:
        return f"archive {self.archive.isoformat()}"
