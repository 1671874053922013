"""Personalities as files: the presets, a user's own, and what is wrong with one."""

from __future__ import annotations

import ast
import dataclasses
import re
from functools import cache, partial
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BeforeValidator, Field, create_model, field_validator

from sscard.card.personality import Personality
from sscard.document import Document, Model, parse_document, read_document, suggestion
from sscard.errors import InputError
from sscard.i18n.language import _
from sscard.standard.applications import application_dfs

PRESETS = resources.files("sscard.issuer") / "personalities"
DEFAULT = "v3-sm4"
TAKEN_FIDS = {df.fid for df in application_dfs("2.0", optional=True, financial=True)}
SSSE_SFIS = (5, 6, 7, 8)
SECRET_ALGORITHMS = {"SSF33", "SM1"}


def presets() -> list[str]:
    """The names of the personalities that come with sscard."""
    return sorted(entry.name.removesuffix(".yaml") for entry in PRESETS.iterdir() if entry.name.endswith(".yaml"))


@cache
def preset(name: str) -> Personality:
    """A preset by name."""
    if name not in presets():
        raise InputError(_("no personality {name!r}", name=name), remedy=suggestion(name, presets()))
    text = (PRESETS / f"{name}.yaml").read_text(encoding="utf-8")
    return _read(parse_document(text, f"{name}.yaml"))


def find_personality(name: str) -> Personality:
    """A preset by name, or a personality file by path (anything with a suffix or a slash)."""
    path = Path(name)
    return load_personality(path) if path.suffix or len(path.parts) > 1 else preset(name)


def load_personality(path: Path) -> Personality:
    """A user's personality file; fields it does not name come from ``based_on`` or the defaults."""
    return _read(read_document(path))


def vary(base: Personality, changes: Document) -> Personality:
    """A personality with the fields that a document (or a part of one) changes."""
    fields = {field: written(field, value) for field, value in dataclasses.asdict(base).items()}
    return _personality(Document(fields | changes.content, changes.places, changes.source, changes.root))


def _read(document: Document) -> Personality:
    content = document.content
    base = content.pop("based_on", None) if isinstance(content, dict) else None
    if base is None:
        return _personality(document)
    if base not in presets():
        raise document.error(("based_on",), _("no personality {base!r}", base=base), suggestion(str(base), presets()))
    for field, value in dataclasses.asdict(preset(base)).items():
        content.setdefault(field, written(field, value))
    return _personality(document)


def _personality(document: Document) -> Personality:
    return Personality(**document.as_model(_model()).model_dump())


def written(field: str, value: Any) -> str:
    """A field's value as a file writes it."""
    digits = _hex_fields().get(field)
    return f"{value:0{digits}X}" if digits else str(value)


def field_meanings() -> dict[str, str]:
    """What each field of a personality means, with its open choice: the text that stands below the field."""
    meanings = {}
    for field, text in pairwise(_declaration("Personality").body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(text, ast.Expr):
            meanings[field.target.id] = " ".join(str(ast.literal_eval(text.value)).split())
    return meanings


@cache
def _source() -> ast.Module:
    return ast.parse((resources.files("sscard.card") / "personality.py").read_text(encoding="utf-8"))


def _declaration(name: str) -> ast.ClassDef:
    return next(node for node in _source().body if isinstance(node, ast.ClassDef) and node.name == name)


@cache
def _hints() -> dict[str, Any]:
    """The fields' types as declared: read from the source, since a compiled class keeps none of its literals."""
    known: dict[str, Any] = {"str": str, "int": int, "bool": bool}
    for node in _source().body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            known[node.targets[0].id] = _hint(node.value, known)
    fields = (node for node in _declaration("Personality").body if isinstance(node, ast.AnnAssign))
    return {field.target.id: _hint(field.annotation, known) for field in fields if isinstance(field.target, ast.Name)}


def _hint(written: ast.expr, known: dict[str, Any]) -> Any:
    """A type by name, or ``Literal[…]``."""
    if isinstance(written, ast.Name):
        return known[written.id]
    assert isinstance(written, ast.Subscript)
    choices = written.slice.elts if isinstance(written.slice, ast.Tuple) else [written.slice]
    return Literal[tuple(ast.literal_eval(choice) for choice in choices)]


class _Checked(Model):
    @field_validator("algorithm", mode="before", check_fields=False)
    @classmethod
    def _published(cls, value: object) -> object:
        if isinstance(value, str) and value in SECRET_ALGORITHMS:
            raise ValueError(
                _("{value} is not public and nothing honest can stand in for it; use DES or SM4", value=value)
            )
        return value

    @field_validator("ssse_fid", check_fields=False)
    @classmethod
    def _free_fid(cls, fid: int) -> int:
        if fid in TAKEN_FIDS:
            raise ValueError(_("{fid:04X} belongs to an application; use 3F00 or DDF1", fid=fid))
        return fid

    @field_validator("dir_sfi", check_fields=False)
    @classmethod
    def _free_sfi(cls, sfi: int) -> int:
        if sfi in SSSE_SFIS:
            raise ValueError(_("{sfi} is the SFI of a file of SSSE; use 1 or 9 to 15, 0 for no DIR file", sfi=sfi))
        return sfi


@cache
def _hex_fields() -> dict[str, int]:
    """How many hex digits a field is written with: a byte 2, a status word or FID 4; the others are not hex."""
    digits = {"ssse_fid": 4}
    for name, hint in _hints().items():
        if get_origin(hint) is Literal and isinstance(get_args(hint)[0], int):
            digits[name] = 2 if max(get_args(hint)) < 0x100 else 4
    return digits


def _hex(value: object, digits: int, allowed: tuple[int, ...]) -> int:
    """A number in so many hex digits, one of those allowed; any where none is named."""
    if not isinstance(value, str) or not re.fullmatch(f"[0-9A-Fa-f]{{{digits}}}", value):
        raise ValueError(_("two hex digits expected") if digits == 2 else _("four hex digits expected"))
    number = int(value, 16)
    if allowed and number not in allowed:
        choices = ", ".join(f"{each:0{digits}X}" for each in allowed)
        raise ValueError(_("{value} is not open here\nexpected one of: {choices}", value=value, choices=choices))
    return number


@cache
def _model() -> type[Model]:
    fields: dict[str, Any] = {}
    hints = _hints()
    for field in dataclasses.fields(Personality):
        hint: Any = hints[field.name]
        default = ... if field.default is dataclasses.MISSING else field.default
        if field.name in ("pin_tries", "key_tries"):
            hint = Annotated[int, Field(ge=1, le=15)]
        elif field.name == "pin_min_digits":
            hint = Annotated[int, Field(ge=3, le=4)]
        elif field.name == "dir_sfi":
            hint = Annotated[int, Field(ge=0, le=15)]
        elif field.name in _hex_fields():
            digits = _hex_fields()[field.name]
            hint = Annotated[hint, BeforeValidator(partial(_hex, digits=digits, allowed=get_args(hint)))]
        fields[field.name] = (hint, default)
    return create_model("Personality", __base__=_Checked, **fields)
