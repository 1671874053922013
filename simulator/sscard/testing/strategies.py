"""Hypothesis strategies: cards, holders and PINs, and commands for them.

::

    from hypothesis import given
    from sscard.testing import strategies

    @given(card=strategies.cards(pin="123456"), new=strategies.pins())
    def test_my_terminal_resets_the_pin(card, new): ...

Needs hypothesis: ``pip install 'sscard[testing]'``.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any, Final

from hypothesis import strategies as st

from sscard.card import Personality
from sscard.card.commands import COMMANDS, CardCommand
from sscard.issuer import Card, Holder, find_personality, issue_card, make_holder, preset, presets
from sscard.issuer.holder import NAME_CHARACTERS, has_check_character
from sscard.issuer.personalise import layout_of
from sscard.standard.choices import CHOICES
from sscard.standard.encoding import PIN_MAX_DIGITS, PIN_MIN_DIGITS, encode_pin
from sscard.standard.generations import GENERATIONS

__all__ = ["cards", "command_apdus", "declared_commands", "holders", "malformed_apdus", "personalities", "pins"]

CITIES: Final = ("410400", "510100", "310100", "650100")
FIXED: Final = ("generation", "algorithm", "ssse_fid", "pin_min_digits")
"""Fields of a personality that keep the value of its preset."""
UNNAMED: Final = "DES"
"""The algorithm of a card in ``CITIES`` whose FCI names none."""
HAN: Final = st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5)
"""The Chinese characters of GBK."""
LONGEST_DATA: Final = 255
HEADER_LENGTH: Final = 4
SELECT_BY_NAME, SELECT_EF = 0x0400, 0x0200
EF: Final = st.integers(0xEF05, 0xEF1E).map(lambda fid: fid.to_bytes(2, "big"))


def pins() -> st.SearchStrategy[str]:
    """PINs of 4–16 digits."""
    return st.text("0123456789", min_size=PIN_MIN_DIGITS, max_size=PIN_MAX_DIGITS)


@st.composite
def holders(draw: st.DrawFn) -> Holder:
    """Holders whose name fits into the card, with a valid number of each kind.

    Names: up to 25 Chinese characters or 35 letters. Numbers, 18 characters:
    resident ID (GB 11643), residence permit (81, 82, 83), permanent residence
    ID (9).
    """
    name = draw(st.text(HAN, min_size=1, max_size=25) | st.from_regex("[A-Z][A-Z ]{0,33}[A-Z]", fullmatch=True))
    resident = make_holder(Random(draw(st.integers(0, 2**32 - 1)))).id_number
    region = draw(st.sampled_from(("", "810000", "820000", "830000", "932840")))
    body = region + resident[len(region) : 17]
    return Holder(name, next(body + end for end in "0123456789X" if has_check_character(body + end)))


@st.composite
def personalities(draw: st.DrawFn) -> Personality:
    """A preset with any of its open choices changed, within what a personality file may state.

    Terminals can use all of them: the FCI of a card with SM4 names its algorithm, because without it they take DES.
    """
    base = preset(draw(st.sampled_from(presets())))
    changes = {
        name: st.sampled_from([value for value in choice.allowed if value not in choice.refused])
        for name, choice in CHOICES.items()
        if name not in FIXED and base.generation in (choice.generations or (base.generation,))
    }
    if base.algorithm != UNNAMED:
        del changes["fci_algorithm"]
    drawn: dict[str, Any] = draw(st.fixed_dictionaries({}, optional=changes))
    return replace(base, **drawn)


@st.composite
def cards(draw: st.DrawFn, /, **given: Any) -> Card:
    """Issued cards of any personality and holder; their PIN is ``123456`` unless given.

    ``given`` are parameters of ``sscard.issue_card`` that stay the same:
    ``cards(personality="v3-sm4", pin="0000")``.
    """
    holder = draw(holders())
    personality = given.get("personality") or draw(personalities())
    product = find_personality(personality) if isinstance(personality, str) else personality
    extends = GENERATIONS[product.generation].extends_name
    drawn = {
        "personality": product,
        "name": holder.name if extends else holder.name[:NAME_CHARACTERS].rstrip(),
        "id_number": holder.id_number,
        "city": draw(st.sampled_from(CITIES)),
        "seed": draw(st.integers(0, 2**32 - 1)),
    }
    return issue_card(**{**drawn, **given})


@st.composite
def command_apdus(draw: st.DrawFn) -> bytes:
    """Well-formed short command APDUs of the four cases (ISO 7816-3), 4–261 bytes, with any CLA but FF."""
    header = bytes((draw(st.integers(0, 0xFE)),)) + draw(st.binary(min_size=3, max_size=3))
    data = draw(st.binary(max_size=LONGEST_DATA))
    le = draw(st.binary(max_size=1))
    return header + (bytes((len(data),)) + data if data else b"") + le


@st.composite
def malformed_apdus(draw: st.DrawFn) -> bytes:
    """Bytes that are no short command APDU: fewer than 4, or an Lc that does not fit what follows, up to 305 bytes."""
    if draw(st.booleans()):
        return draw(st.binary(max_size=HEADER_LENGTH - 1))
    header = draw(st.binary(min_size=HEADER_LENGTH, max_size=HEADER_LENGTH))
    rest = draw(st.binary(min_size=1, max_size=300))
    lc = draw(st.integers(0, LONGEST_DATA).filter(lambda length: length not in (len(rest), len(rest) - 1)))
    return header + bytes((lc,)) + rest


@st.composite
def declared_commands(draw: st.DrawFn, personality: str = "v3-sm4") -> bytes:
    """Commands that the card declares: CLA, INS, P1 P2 and Lc within its declaration.

    PINs are well formed, and SELECT names DFs and EFs of the personality; other
    data are any bytes. A card answers with any status word of the command, as
    its state and keys demand.
    """
    command = draw(st.sampled_from(COMMANDS))
    p1p2 = draw(st.sampled_from(sorted(command.p1p2)) if command.p1p2 else st.integers(0, 0xFFFF))
    data = draw(_data(command, p1p2, personality))
    body = bytes((len(data),)) + data if data else b""
    le = b"\0" if command.answers_data or not data else b""
    return bytes((draw(st.sampled_from(command.clas)), command.ins)) + p1p2.to_bytes(2, "big") + body + le


def _data(command: CardCommand, p1p2: int, personality: str) -> st.SearchStrategy[bytes]:
    if command.pins is not None:
        count = 2 if command.pins else 1
        return st.lists(pins().map(encode_pin), min_size=count, max_size=count).map(command.pins.join)
    if command.name == "SELECT":
        dfs = layout_of(preset(personality)).dfs
        fids = st.sampled_from([df.fid.to_bytes(2, "big") for df in dfs])
        names = st.sampled_from([df.aid for df in dfs])
        return names if p1p2 & SELECT_BY_NAME else EF if p1p2 & SELECT_EF else fids
    lengths = sorted(command.lengths) or [0]
    return st.sampled_from(lengths).flatmap(lambda length: st.binary(min_size=length, max_size=length))
