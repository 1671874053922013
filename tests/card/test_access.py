"""Who may read and write which file: every EF × every right × read and update, all three generations.

The tables are those of card-files.md, which ``test_layout.py`` writes out; what a set of rights allows is
worked out here, and asked of the chip with real PINs and cryptograms.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import pytest

from kit.desk import Desk
from kit.file_sheet import KEYS, KEYS_FIRST, KEYS_LATER, SHEETS, keys, parse, rows
from sscard.card import Personality
from sscard.issuer import preset
from sscard.standard.tree import Purpose

PRESETS = ("v1-des", "v2-3des", "v3-sm4")
GENERATION = {"v1-des": "1.0", "v2-3des": "2.0", "v3-sm4": "3.0"}
NOT_FOR_PROVING = re.compile(r"IRK|STK.*|D[LTP]K")
"""Keys of another function: they cannot be authenticated, so they grant nothing."""


class Right(NamedTuple):
    """What the outside shows before it reads or writes."""

    pin: str = ""
    key: str = ""
    good: bool = True

    @property
    def held(self) -> frozenset[str]:
        """The statuses that this earns."""
        shown = {"PIN": self.pin == "right", self.key: self.key != "" and self.good}
        return frozenset(status for status, holds in shown.items() if holds)


class Place(NamedTuple):
    """A row of the table: SFI, how it is organised, who may read and who may write, its items."""

    sfi: int
    structure: str
    read: str
    write: str
    content: str


def table(name: str, df: str) -> list[Place]:
    sheet = rows(SHEETS[GENERATION[name]])
    return [Place(sfi, *row) for (home, sfi), row in sheet.items() if home == df]


def dfs(name: str) -> list[str]:
    return list(dict.fromkeys(df for df, _ in rows(SHEETS[GENERATION[name]])))


def home_of(key: str) -> str:
    df = re.search(r"DF\d\d$", key)
    return df[0] if df else "DF04" if key == "DSK" else "SSSE"


def provable(name: str, df: str) -> list[str]:
    """The keys of a DF and of SSSE that EXTERNAL AUTHENTICATION takes."""
    text = KEYS + "," + (KEYS_FIRST if name == "v1-des" else KEYS_LATER)
    return [key for key in keys(text) if home_of(key) in (df, "SSSE") and not NOT_FOR_PROVING.fullmatch(key)]


def rights(name: str, df: str) -> Iterator[Right]:
    yield from (Right(), Right("right"), Right("wrong"))
    for key in provable(name, df):
        yield from (Right("", key), Right("right", key), Right("", key, good=False), Right("right", key, good=False))


def allowed(rule: str, held: frozenset[str]) -> bool:
    """A rule of the sheet, "A & B or C", under the statuses held."""
    if rule in ("free", "never"):
        return rule == "free"
    return any(all(status in held for status in way.split(" & ")) for way in rule.split(" or "))


def records_of(place: Place) -> tuple[bytes, bool]:
    """A record this file takes, and whether a fresh file holds one already."""
    if "bytes" in place.content:
        return bytes.fromhex("200141"), False
    lengths = [length for _, _, length, _ in parse(place.content)]
    if place.structure == "cyclic":
        return bytes(sum(lengths)), False
    return bytes((parse(place.content)[0][0], lengths[0])) + bytes(lengths[0]), True


def reading(place: Place) -> tuple[bytes, int]:
    """A read of the file and its answer where it is allowed."""
    if place.structure == "binary":
        return bytes((0x00, 0xB0, 0x80 | place.sfi, 0, 0x10)), 0x9000
    record, held = records_of(place)
    return bytes((0x00, 0xB2, 0x01, place.sfi << 3 | 4, len(record))), 0x9000 if held else 0x6A83


def writing(place: Place) -> bytes:
    """A write that the file takes where it is allowed."""
    if place.structure == "binary":
        return bytes((0x00, 0xD6, 0x80 | place.sfi, 0, 1, 0xAA))
    record, _ = records_of(place)
    p1, mode = (0x00, 3) if place.structure == "cyclic" else (0x01, 4)
    return bytes((0x00, 0xDC, p1, place.sfi << 3 | mode, len(record))) + record


def come_in(personality: Personality, df: str, right: Right) -> Desk:
    """A card with this DF current and this right shown."""
    desk = Desk(personality)
    if right.pin == "right":
        assert desk.verify() == 0x9000
    elif right.pin:
        assert desk.verify("999999") == 0x63C5
    assert desk.select(df) == 0x9000
    if right.key:
        desk.challenge()
        uncounted = right.key == "DSK" or right.key.startswith(("BK", "LK"))
        assert desk.sw(desk.proof(right.key, right=right.good)) == (
            0x9000 if right.good else 0x63CF if uncounted else 0x63C2
        )
    return desk


def answers(desk: Desk, place: Place) -> tuple[int, int]:
    return desk.sw(reading(place)[0]), desk.sw(writing(place))


def expected(place: Place, held: frozenset[str]) -> tuple[int, int]:
    return (
        reading(place)[1] if allowed(place.read, held) else 0x6982,
        0x9000 if allowed(place.write, held) else 0x6982,
    )


ALL_DFS = [(name, df) for name in PRESETS for df in dfs(name)]


@pytest.mark.parametrize(("name", "df"), ALL_DFS)
def test_access_is_exactly_that_of_the_table(name: str, df: str) -> None:
    personality, places = preset(name), table(name, df)
    wrong = []
    for right in rights(name, df):
        desk = come_in(personality, df, right)
        for place in places:
            found, demanded = answers(desk, place), expected(place, right.held)
            if found != demanded:
                wrong.append(f"EF{place.sfi:02X} {right}: {found[0]:04X} {found[1]:04X}, not {demanded}")
    assert wrong == []


def test_the_table_has_thousands_of_cells() -> None:
    cells = sum(2 * len(table(name, df)) * len(list(rights(name, df))) for name, df in ALL_DFS)
    assert cells > 5000


@pytest.mark.parametrize("name", PRESETS)
def test_the_keys_tried_are_all_that_can_be_proved(name: str) -> None:
    layout = Desk(preset(name)).card.profile.layout
    on_card = {key.name for key in layout.keys if key.purpose == Purpose.EXTERNAL}
    health = {"UK1DF05"} if name == "v3-sm4" else set()  # its file is read freely (test_files.py)
    assert on_card == health | {key for df in dfs(name) for key in provable(name, df)}


@pytest.mark.parametrize(("name", "df"), ALL_DFS)
def test_with_no_pin_set_pin_guarded_files_are_open(name: str, df: str) -> None:
    """card-security.md §1: "PIN" holds where the holder has set none; keys are asked for all the same."""
    desk = Desk(preset(name), "")
    assert desk.select(df) == 0x9000
    for place in table(name, df):
        assert desk.sw(reading(place)[0]) == expected(place, frozenset({"PIN"}))[0], place


@pytest.mark.parametrize("name", PRESETS)
def test_the_pin_counts_in_every_df_and_before_or_after_the_key(name: str) -> None:
    """card-security.md §1: the status survives the selection of other DFs; terminal-flows.md §2: both orders."""
    for pin_first in (True, False):
        desk = Desk(preset(name))
        assert desk.verify() == 0x9000 if pin_first else True
        assert desk.select("DF04") == 0x9000
        desk.authenticate("RK1DF04")
        assert desk.verify() == 0x9000 if not pin_first else True
        place = next(place for place in table(name, "DF04") if place.sfi == 0x06)
        assert place.read == "PIN & RK1DF04"
        assert desk.sw(reading(place)[0]) == 0x9000


@pytest.mark.parametrize("name", PRESETS)
def test_a_key_counts_until_another_application_is_selected(name: str) -> None:
    for leave, stays in [(("DF01",), True), (("SSSE", "DF01"), False), (("DF02", "DF01"), False)]:
        desk = Desk(preset(name))
        desk.select("DF01")
        desk.authenticate("UK1DF01")
        place = table(name, "DF01")[0]
        assert place.write == "UK1DF01"
        for df in leave:
            assert desk.select(df) == 0x9000
        assert desk.sw(writing(place)) == (0x9000 if stays else 0x6982), leave


@pytest.mark.parametrize("name", PRESETS)
def test_a_key_of_another_df_opens_nothing_even_where_statuses_are_kept(name: str) -> None:
    """card-security.md §9: an access that needs a key of a DF needs that DF to be current; numbers repeat."""
    desk = Desk(replace(preset(name), select_keeps="all"))
    for df, key in [("DF01", "UK1DF01"), ("DF02", "UK1DF02"), ("DF03", "UK1DF03")]:
        desk.select(df)
        desk.authenticate(key)
    assert desk.select("DF04") == 0x9000
    for place in table(name, "DF04"):
        assert answers(desk, place) == (0x6982, 0x6982), place


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("version", [1, 2, 3])
def test_every_version_of_a_key_opens_the_same(name: str, version: int) -> None:
    desk = Desk(preset(name))
    desk.select("DF01")
    desk.challenge()
    assert desk.sw(desk.proof("UK1DF01", version=version)) == 0x9000
    assert desk.sw(writing(table(name, "DF01")[0])) == 0x9000


@pytest.mark.parametrize("name", PRESETS)
def test_a_blocked_key_opens_nothing(name: str) -> None:
    desk = Desk(preset(name))
    desk.select("DF01")
    for left in (2, 1, 0):
        desk.challenge()
        assert desk.sw(desk.proof("UK1DF01", right=False)) == 0x63C0 | left
    desk.challenge()
    assert desk.sw(desk.proof("UK1DF01")) == 0x6983
    assert desk.sw(writing(table(name, "DF01")[0])) == 0x6982
    desk.challenge()
    assert desk.sw(desk.proof("UK1DF01", version=2)) == 0x9000


@pytest.mark.parametrize("name", PRESETS)
def test_details_of_the_account_are_written_by_nobody(name: str) -> None:
    desk = Desk(preset(name))
    desk.verify()
    desk.select("DF04")
    for key in provable(name, "DF04"):
        desk.authenticate(key)
    assert desk.sw(bytes((0x00, 0xDC, 0x00, 0x08 << 3 | 3, 28)) + bytes(28)) == 0x6982
