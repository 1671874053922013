"""The JSON Schema of the JSON report of a run, ``sscard.run/1``, for programs that read or check it."""

from __future__ import annotations

from typing import Any, Final, get_args

from sscard.scenario.comparison import Comparison
from sscard.scenario.reader import Severity
from sscard.scenario.repetition import RepetitionOutcome
from sscard.scenario.reports.console import MARKS
from sscard.scenario.reports.json import SCHEMA
from sscard.service import Stage
from sscard.version import __version__

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
STEP_VERDICTS: Final = ("passed", "failed", "inconclusive")

Schema = dict[str, Any]


def run_schema() -> Schema:
    """The schema. Further members are permitted: later versions add some."""
    compared = _object(
        name=_TEXT,
        personality=_TEXT,
        file=_TEXT,
        seed=_INTEGER,
        seconds=_described(_SECONDS, "of the current run"),
        before=_described(_SECONDS, "of the earlier run, 0 unless it is slower"),
    )
    against = _object(
        file=_described(_TEXT, "the report of the earlier run"),
        **{kind: _list({"$ref": "#/$defs/compared"}) for kind in Comparison._fields},
    )
    report = _object(
        schema={"const": SCHEMA},
        version=_described(_TEXT, "version of sscard"),
        seed=_described(_INTEGER, "the first seed"),
        started=_MOMENT,
        seconds=_SECONDS,
        planned=_described(_COUNT, "results of a complete run; fewer if it was interrupted or stopped"),
        environment={
            **_described({"type": "object"}, "versions of sscard, Python and the system, transport, HSM, keys"),
            "additionalProperties": _TEXT,
        },
        command=_described(_list(_TEXT), "the command line"),
        results=_described(
            _list({"$ref": "#/$defs/result"}), "one per scenario, personality, row and seed, in this order"
        ),
    )
    report["properties"]["against"] = _described(against, "the comparison of --against")
    mismatch = _object(line=_LINE, field=_TEXT, expected=_TEXT, actual=_TEXT)
    definitions = {"result": _result(), "step": _step(), "mismatch": mismatch, "compared": compared}
    return {"$schema": DIALECT, "title": f"sscard {__version__}: JSON report of a run", **report, "$defs": definitions}


def _result() -> Schema:
    failure = _object(
        file=_described(_TEXT, "of the step, another one than that of the scenario if it is of an included group"),
        line=_LINE,
        step=_described(_TEXT, "its title"),
        mismatches=_list({"$ref": "#/$defs/mismatch"}, least=1),
        trace=_described(_list(_TEXT), "the exchanges of the step, decoded and redacted"),
    )
    waiver = _object(file=_TEXT, line=_LINE, ticket=_TEXT, reason=_TEXT, expires={"type": "string", "format": "date"})
    return _object(
        name=_described(_TEXT, "with the row of a table in parentheses; always in English"),
        group=_described(_TEXT, "the folder"),
        file=_TEXT,
        line=_LINE,
        personality=_TEXT,
        tags=_list(_TEXT),
        covers=_list(_TEXT),
        severity={"enum": [*get_args(Severity)]},
        verdict={"enum": [*MARKS]},
        reason=_described(_TEXT, "why the verdict is not that of the steps; empty if it is"),
        waivers=_described(_list(waiver), "those that excuse its failure, or that do not cover it, or are not needed"),
        seed=_INTEGER,
        started=_MOMENT,
        seconds=_SECONDS,
        commands=_described(_COUNT, "APDUs that were sent to the card"),
        predicted=_described(_COUNT, "steps after which the tries of a card under test could not be observed"),
        removals=_described(_COUNT, "removals of a card under test in the place of power cuts, which it survived"),
        repetition=_described(
            {"anyOf": [_repetition(), {"type": "null"}]},
            "after a failure on a card under test: its commands sent again without the terminal code",
        ),
        again=_described(_TEXT, "the command line that repeats this scenario"),
        steps=_described(_list({"$ref": "#/$defs/step"}), "up to the first one that failed"),
        failure=_described({"anyOf": [failure, {"type": "null"}]}, "the step that failed"),
    )


def _repetition() -> Schema:
    return _object(
        outcome={"enum": [*get_args(RepetitionOutcome)]},
        commands=_described(
            _COUNT, "that were sent; the answer to the last is another one if the outcome is different"
        ),
        unlike=_described(_COUNT, "number of the first command that sscard's own card answers otherwise, 0 if none"),
        expected=_described(_TEXT, "the answer in the scenario, if it differs"),
        actual=_described(_TEXT, "the answer in the repetition, if it differs"),
        text=_described(_TEXT, "the outcome in words"),
    )


def _step() -> Schema:
    return _object(
        number=_described(_COUNT, "from 1; 0 is the insertion of the card before the first step"),
        file=_TEXT,
        line=_LINE,
        title=_TEXT,
        verdict={"enum": [*STEP_VERDICTS]},
        seconds=_SECONDS,
        sw={
            **_described(_or_null("string"), "the status word; null if there was no answer"),
            "pattern": "^[0-9A-F]{4}$",
        },
        tries=_described(
            _or_null("integer"), "tries of the PIN that are left after the step; null if they are unknown"
        ),
        tries_max=_or_null("integer"),
        state=_described(_or_null("string"), "words of the state after the step"),
        stage={**_described({}, "stage of the case after the step"), "enum": [*map(str, Stage), None]},
        mismatches=_list({"$ref": "#/$defs/mismatch"}),
    )


def _object(**members: Schema) -> Schema:
    return {"type": "object", "properties": members, "required": [*members]}


def _list(item: Schema, least: int = 0) -> Schema:
    return {"type": "array", "items": item} | ({"minItems": least} if least else {})


def _or_null(kind: str) -> Schema:
    return {"type": [kind, "null"]}


def _described(schema: Schema, description: str) -> Schema:
    return {**schema, "description": description}


_TEXT: Final = {"type": "string"}
_INTEGER: Final = {"type": "integer"}
_COUNT: Final = {"type": "integer", "minimum": 0}
_LINE: Final = {"type": "integer", "minimum": 1}
_SECONDS: Final = {"type": "number", "minimum": 0}
_MOMENT: Final = {"type": "string", "format": "date-time"}
