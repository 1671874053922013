"""What the service does with each statement of the item's page: enforced, shown to the citizen, or display only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, Field
from pydantic.fields import FieldInfo

from sscard.i18n.phrase import Words
from sscard.i18n.word import Word


class Use(Word):
    """What the service does with a statement."""

    ENFORCED = "enforced", "执行"
    SHOWN = "shown", "告知"
    DISPLAY = "display-only", "仅展示"


@dataclass(frozen=True, slots=True)
class Statement:
    """A field of the page and its use: ``how`` is the rule, where it is shown, or why it is for display only.

    ``by`` names the function that applies it, as ``module:function`` in
    ``sscard.service``; ``proof`` is the built-in scenario that fails without it.
    """

    label: Words
    use: Use
    how: Words
    by: str = ""
    proof: str = ""


OFFICE: Final = Words("describes the office", "描述办理机构")
CATALOGUE: Final = Words("for the catalogue of the portal", "供政务服务网编目")
EMPTY: Final = Words("the page states none", "页面未列内容")
POWERS: Final = Words("about the powers of the office, not about a case", "关于机构职权，与办件无关")
DECIDED: Final = Words("other fields decide, see the notes", "以其他字段为准，见编者注")
BASIS: Final = Words("quoted as the basis", "引为依据")
NUMBERING: Final = Words("numbers the rows", "行号")
"""Reasons why a statement is for display only."""

_STATEMENT: Final = "statement"


def enforced(label: str, english: str, how: Words, by: str, proof: str, **field: Any) -> Any:
    """A field whose statement a rule of the service applies."""
    return _field(Statement(Words(english, label), Use.ENFORCED, how, by, proof), **field)


def told(label: str, english: str, how: Words, by: str, proof: str, **field: Any) -> Any:
    """A field that the citizen is shown while a case is processed."""
    return _field(Statement(Words(english, label), Use.SHOWN, how, by, proof), **field)


def displayed(label: str, english: str, why: Words) -> Any:
    """A field that only ``sscard item`` shows."""
    return _field(Statement(Words(english, label), Use.DISPLAY, why))


def section(label: str, english: str, **field: Any) -> Any:
    """A section of the page, which states something by its fields."""
    return Field(alias=label, title=english, **field)


def label_of(field: FieldInfo) -> Words:
    """The label of a field, as the page states it and in English."""
    chinese = field.alias or ""
    return Words(field.title or chinese, chinese)


def statements_of(model: type[BaseModel]) -> Iterator[Statement]:
    """Every statement of a model and of the models in it, in the order of the page."""
    for field in model.model_fields.values():
        extra: Any = field.json_schema_extra
        if extra:
            yield extra[_STATEMENT]
        for part in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(part, type) and issubclass(part, BaseModel):
                yield from statements_of(part)


def _field(statement: Statement, **field: Any) -> Any:
    label, extra = statement.label, dict[str, Any]({_STATEMENT: statement})
    return Field(alias=label.chinese, title=label.english, json_schema_extra=extra, **field)
