"""Numbers that depend on the card product: ``max - 1``, ``key_tries``, ``63C(max - 1)``.

The names are the choices whose values are numbers, and ``max`` for ``pin_tries``.
A validator of a step gets them as the context of the validation.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable
from functools import cache
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, ValidationInfo

from sscard.card import Personality
from sscard.errors import InvalidValue, suggestion
from sscard.fields import hidden
from sscard.i18n.phrase import Phrase
from sscard.standard.choices import CHOICES

PIN_TRIES: Final = "max"
"""Short for the choice ``pin_tries``."""
NAME: Final = re.compile("[A-Za-z_][A-Za-z0-9_]*")
"""A name of a variable, a parameter or a captured value."""
NAME_FORM: Final = Phrase("write letters, digits and underscores, a letter first")
LONGEST: Final = 80
"""Characters of an expression."""
_OPERATORS: Final[dict[type[ast.operator], Callable[[int, int], int]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
}
EXAMPLE: Final = Phrase("write a number, or compute it from choices: max - 1")


@cache
def number_names() -> tuple[str, ...]:
    """The names that an expression may use: ``max``, and the choices whose values are numbers."""
    numbers = [name for name, choice in CHOICES.items() if any(type(value) is int for value in choice.allowed)]
    return (PIN_TRIES, *numbers)


class Names:
    """The numbers of one card product by name; ``used`` are the choices that expressions have asked for."""

    def __init__(self, personality: Personality) -> None:
        self._personality = personality
        self.used: set[str] = set()

    def __getitem__(self, name: str) -> int:
        if name not in number_names():
            raise InvalidValue(
                Phrase("unknown name {name!r}, an integer or a choice expected", name=hidden(name)),
                suggestion(name, number_names(), EXAMPLE),
            )
        choice = "pin_tries" if name == PIN_TRIES else name
        self.used.add(choice)
        return int(getattr(self._personality, choice))


def computed(text: str, info: ValidationInfo) -> int:
    """The value of an expression with ``+``, ``-``, ``*`` and parentheses; ``InvalidValue`` if the text is not one."""
    if len(text) > LONGEST:
        raise InvalidValue(Phrase("longer than {limit} characters", limit=LONGEST), EXAMPLE)
    try:
        return _value(ast.parse(text.strip(), mode="eval").body, info.context)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        if isinstance(error, InvalidValue):
            raise
        raise InvalidValue(Phrase("no integer, and no expression that computes one"), EXAMPLE) from None


def _value(node: ast.expr, names: Names | None) -> int:
    match node:
        case ast.Constant(value=int(number)) if type(number) is int:
            return number
        case ast.Name(id=name) if names is not None:
            return names[name]
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](_value(left, names), _value(right, names))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, names)
    raise InvalidValue(Phrase("no integer, and no expression that computes one"), EXAMPLE)


def _number(given: Any, info: ValidationInfo) -> Any:
    if isinstance(given, str) and not re.fullmatch(r"\s*-?[0-9]+\s*", given):
        return computed(given, info)
    return given


Number = Annotated[int, BeforeValidator(_number)]
"""A whole number, or an expression over the choices of the card."""
MOST_TRIES: Final = 15
"""Tries that a status word 63CX can count."""
Tries = Annotated[Number, Field(ge=0, le=MOST_TRIES)]
"""Tries left of a PIN or a key, 0–15."""
