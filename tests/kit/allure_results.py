"""A reader of a folder of Allure results that checks every rule of the format, version 2."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

STATUSES = {"passed", "failed", "broken", "skipped", "unknown"}
STAGES = {"scheduled", "running", "finished", "pending", "interrupted"}
SEVERITIES = {"blocker", "critical", "normal", "minor", "trivial"}
LINKS = {"link", "issue", "tms"}
STEP = {"name", "status", "statusDetails", "stage", "start", "stop", "description", "descriptionHtml"} | {
    *("parameters", "steps", "attachments")
}
RESULT = STEP | {"uuid", "historyId", "testCaseId", "fullName", "labels", "links", "titlePath"}
DETAILS = {"known", "muted", "flaky", "message", "trace", "actual", "expected"}
CATEGORY = {"name", "description", "descriptionHtml", "messageRegex", "traceRegex", "matchedStatuses", "flaky"}
OTHERS = {"environment.properties", "categories.json", "executor.json", "history"}


@dataclass(frozen=True)
class Results:
    """The content of a folder: results, environment, categories."""

    folder: Path
    every: list[dict[str, Any]]
    environment: dict[str, str]
    categories: list[dict[str, Any]]

    @property
    def results(self) -> dict[str, dict[str, Any]]:
        """The results by name, of a run with one seed."""
        return {result["name"]: result for result in self.every}

    def text(self, attachment: dict[str, str]) -> str:
        """The text of an attachment."""
        return (self.folder / attachment["source"]).read_text("utf-8")

    def category(self, result: dict[str, Any]) -> str:
        """The first category that a result belongs to, empty without one."""
        for category in self.categories:
            pattern = category.get("messageRegex", ".*")
            message = result["statusDetails"].get("message", "")
            if result["status"] in category["matchedStatuses"] and re.fullmatch(pattern, message, re.DOTALL):
                return str(category["name"])
        return ""


def read_results(folder: Path) -> Results:
    """Read a folder; an ``AssertionError`` names what breaks a rule."""
    found: list[dict[str, Any]] = []
    sources: list[str] = []
    for file in sorted(folder.glob("*-result.json")):
        result = json.loads(file.read_text("utf-8"))
        assert file.name == f"{result['uuid']}-result.json"
        _check_result(result)
        sources += _sources(result)
        found.append(result)
    assert len({result["uuid"] for result in found}) == len(found)
    assert len({result["historyId"] for result in found}) == len(found), "equal ones count as retries"
    assert len(set(sources)) == len(sources)
    named = {f"{result['uuid']}-result.json" for result in found} | {*sources}
    assert {file.name for file in folder.iterdir()} - OTHERS == named
    categories = json.loads((folder / "categories.json").read_text("utf-8"))
    for category in categories:
        assert category.keys() <= CATEGORY
        assert category["name"]
        assert STATUSES.issuperset(category["matchedStatuses"])
    environment = java_properties((folder / "environment.properties").read_bytes())
    return Results(folder, found, environment, categories)


def _check_result(result: dict[str, Any]) -> None:
    UUID(result["uuid"])
    assert result.keys() <= RESULT
    assert re.fullmatch("[0-9a-f]{32}", result["historyId"])
    assert re.fullmatch("[0-9a-f]{32}", result["testCaseId"])
    assert result["fullName"]
    _check_step(result)
    for label in result["labels"]:
        assert label.keys() == {"name", "value"}
        assert isinstance(label["value"], str)
        assert label["name"] != "severity" or label["value"] in SEVERITIES
    names = [label["name"] for label in result["labels"]]
    assert {"suite", "severity", "host", "framework", "language"} <= {*names}
    assert names.count("severity") == names.count("suite") == 1
    for link in result["links"]:
        assert link.keys() <= {"type", "name", "url"}
        assert link["type"] in LINKS


def _check_step(step: dict[str, Any]) -> None:
    assert step.keys() <= RESULT
    assert step["name"]
    assert step["status"] in STATUSES
    assert step["stage"] in STAGES
    assert isinstance(step["start"], int)
    assert isinstance(step["stop"], int)
    assert step["start"] <= step["stop"]
    assert step.get("statusDetails", {}).keys() <= DETAILS
    for parameter in step.get("parameters", ()):
        assert parameter.keys() <= {"name", "value", "excluded", "mode"}
        assert isinstance(parameter["value"], str)
    for inner in step.get("steps", ()):
        assert inner.keys() <= STEP
        assert step["start"] <= inner["start"] <= inner["stop"] <= step["stop"]
        _check_step(inner)
    for attachment in step.get("attachments", ()):
        assert attachment.keys() == {"name", "type", "source"}
        assert re.fullmatch(r"[\w.+-]+/[\w.+-]+", attachment["type"])


def _sources(step: dict[str, Any]) -> list[str]:
    own = [attachment["source"] for attachment in step.get("attachments", ())]
    return own + [source for inner in step.get("steps", ()) for source in _sources(inner)]


def java_properties(content: bytes) -> dict[str, str]:
    """A file of properties as ``java.util.Properties.load`` reads it, for lines of the form ``name = value``."""
    found = {}
    for line in content.decode("latin-1").splitlines():
        match = re.fullmatch(r"([^\s=:#!\\]+)\s*=\s*(.*)", line)
        assert match is not None, line
        units = re.sub(
            r"\\(?:u([0-9A-F]{4})|(.))",
            lambda escaped: chr(int(escaped[1], 16)) if escaped[1] else escaped[2],
            match[2],
        )
        found[match[1]] = units.encode("utf-16-be", "surrogatepass").decode("utf-16-be")
    return found
