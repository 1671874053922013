"""File trees, access rules and keys of the three generations against card-files.md and card-security.md."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

import kit
from kit.file_sheet import (
    GENERATIONS,
    KEYS,
    KEYS_FIRST,
    KEYS_LATER,
    KEYS_OPTIONAL,
    SHEETS,
    STRUCTURES,
    Shape,
    keys,
    parse,
    rows,
)
from sscard.card import Personality
from sscard.errors import InputError
from sscard.issuer import find_personality, preset
from sscard.issuer.personalise import layout_of
from sscard.standard.choices import make_personality
from sscard.standard.generations import build_layout
from sscard.standard.tree import (
    CARD_BLOCKED,
    PIN,
    PIN_TRIES,
    Account,
    FileSpec,
    Item,
    Layout,
    Purpose,
    Structure,
)

APPLICATIONS = {
    "DF01": "D15600000500",
    "DF02": "D15600000501",
    "DF03": "D15600000502",
    "DF04": "D15600000503",
    "DF07": "D15600000504",
    "DF05": "生命与健康信息区".encode("gbk").hex().upper(),
    "DF06": "救助与优抚信息区".encode("gbk").hex().upper(),
}
FULL = {"optional_applications": True, "dir_sfi": 1}
EVERY_TREE = [
    (generation, fid, extra) for generation in GENERATIONS for fid in (0x3F00, 0xDDF1) for extra in ({}, FULL)
]


def shape_of(item: Item) -> Shape:
    return item.tag, item.type, item.length, tuple(map(shape_of, item.parts))


def ways(rule: str) -> set[frozenset[str]]:
    """A rule of the sheet as sets of statuses, any one of which will do."""
    if rule == "never":
        return set()
    return {frozenset() if rule == "free" else frozenset(way.split(" & ")) for way in rule.split(" or ")}


def ways_of(layout: Layout, masks: tuple[int, ...]) -> set[frozenset[str]]:
    return {frozenset(layout.statuses(mask)) for mask in masks}


def room(text: str) -> int:
    """The size in bytes that a row of the sheet gives a file."""
    if text.endswith(" bytes"):
        return int(text.split(maxsplit=1)[0])
    lengths = [length for _, _, length, _ in parse(text)]
    if " * " in text:
        return int(text.split(maxsplit=1)[0]) * sum(lengths)
    return sum(lengths) + 2 * len(lengths)


def files_of(layout: Layout) -> dict[tuple[str, int], FileSpec]:
    return {(layout.df_name(file.df), file.sfi): file for file in layout.files}


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_generation_has_the_files_of_the_sheet(generation: str) -> None:
    assert list(files_of(build_layout(generation))) == list(rows(SHEETS[generation]))


FILES = [(generation, *place) for generation in GENERATIONS for place in rows(SHEETS[generation])]


@pytest.mark.parametrize(("generation", "df", "sfi"), FILES)
def test_a_file_is_as_the_sheet_says(generation: str, df: str, sfi: int) -> None:
    layout = build_layout(generation)
    file = files_of(layout)[df, sfi]
    structure, read, write, content = rows(SHEETS[generation])[df, sfi]
    assert file.structure == STRUCTURES[structure]
    assert ways_of(layout, file.read) == ways(read)
    assert ways_of(layout, file.write) == ways(write)
    assert [shape_of(item) for item in file.items] == parse(content)
    assert file.size == room(content)


@pytest.mark.parametrize(("generation", "df", "sfi"), FILES)
def test_a_blank_file_has_every_item_at_full_length(generation: str, df: str, sfi: int) -> None:
    file = files_of(build_layout(generation))[df, sfi]
    blank = file.blank()
    if file.structure == Structure.CYCLIC:
        assert blank == b""
    elif file.structure == Structure.TRANSPARENT:
        assert blank == bytes(file.size)
    elif file.items:
        assert len(blank) == file.size
        assert blank[:2] == bytes((file.items[0].tag, file.items[0].length))


@pytest.mark.parametrize(
    ("generation", "df", "sfi", "length"),
    [
        ("1.0", "SSSE", 0x05, 64),
        ("1.0", "SSSE", 0x06, 69),
        ("1.0", "SSSE", 0x07, 768),
        ("2.0", "SSSE", 0x05, 64),
        ("2.0", "SSSE", 0x06, 91),
        ("2.0", "SSSE", 0x07, 768),
        ("2.0", "SSSE", 0x08, 4096),
        ("2.0", "DF01", 0x16, 296),
        ("3.0", "SSSE", 0x05, 64),
        ("3.0", "SSSE", 0x06, 91),
    ],
)
def test_sizes_the_sheet_writes_out(generation: str, df: str, sfi: int, length: int) -> None:
    assert len(files_of(build_layout(generation))[df, sfi].blank()) == length


@pytest.mark.parametrize(
    ("df", "sfi", "length", "count"),
    [
        ("DF02", 0x07, 85, 4),
        ("DF02", 0x16, 18, 4),
        ("DF03", 0x19, 2 + 39, 4),
        ("DF04", 0x08, 28, 30),
        ("DF04", 0x15, 3, 8),
    ],
)
def test_records_of_one_length(df: str, sfi: int, length: int, count: int) -> None:
    file = files_of(build_layout("2.0"))[df, sfi]
    assert file.record_length == length
    assert file.size == length * count


@pytest.mark.parametrize("generation", GENERATIONS)
def test_lengths_inside_the_items_agree(generation: str) -> None:
    for file in build_layout(generation).files:
        for item in file.items:
            assert len(item.blank()) == item.length
        if file.structure == Structure.FIXED:
            assert {item.length + 2 for item in file.items} == {file.record_length}


def test_a_blank_item_is_padded_as_its_type_says() -> None:
    parts = (Item(0x10, "an", 2), Item(0x11, "cn", 1))
    assert Item(0x99, "tlv", 7, parts=parts).blank() == bytes.fromhex("10020000 1101FF")
    assert Item(0, "b", 2).blank() == bytes(2)


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_tag_stands_in_one_file_of_the_card(generation: str) -> None:
    places: dict[int, set[int]] = {}
    for file in build_layout(generation).files:
        tags = [item.tag for item in file.items if item.tag]
        again = {tag for number, tag in enumerate(tags) if tag in tags[:number]}
        assert again <= {0x40, 0x43, 0x44, 0x4A, 0x79, 0x99}
        assert all(tags[tags.index(tag) :][: tags.count(tag)] == [tag] * tags.count(tag) for tag in again)
        for tag in tags:
            places.setdefault(tag, set()).add(file.cell)
    assert all(len(cells) == 1 for cells in places.values())
    assert 0x60 in places


@pytest.mark.parametrize(("generation", "ssse_fid", "extra"), EVERY_TREE)
def test_identifiers_are_unique(generation: str, ssse_fid: int, extra: dict[str, int]) -> None:
    layout = build_layout(generation, ssse_fid, **extra)
    for all_of in (
        [df.fid for df in layout.dfs],
        [df.aid for df in layout.dfs],
        [df.name for df in layout.dfs],
        [(file.df, file.sfi) for file in layout.files],
        [(key.df, key.number) for key in layout.keys],
        [key.name for key in layout.keys],
    ):
        assert len(all_of) == len(set(all_of))
    assert all(1 <= file.sfi <= 30 for file in layout.files)
    assert {place.df for place in (*layout.files, *layout.keys)} <= {df.fid for df in layout.dfs}


@pytest.mark.parametrize(("generation", "ssse_fid", "extra"), EVERY_TREE)
def test_rights_name_keys_of_the_same_df_that_can_be_proved(
    generation: str, ssse_fid: int, extra: dict[str, int]
) -> None:
    layout = build_layout(generation, ssse_fid, **extra)
    by_name = {key.name: key for key in layout.keys}
    for file in layout.files:
        for name in frozenset().union(*ways_of(layout, file.read + file.write)) - {"PIN"}:
            assert by_name[name].df == file.df
            assert by_name[name].purpose == Purpose.EXTERNAL


@pytest.mark.parametrize(("generation", "ssse_fid", "extra"), EVERY_TREE)
def test_memory_cells_never_overlap(generation: str, ssse_fid: int, extra: dict[str, int]) -> None:
    layout = build_layout(generation, ssse_fid, **extra)
    numbers = [PIN_TRIES, CARD_BLOCKED, *(df.blocked_cell for df in layout.dfs)]
    numbers += [
        layout.counter(index, version) for index, key in enumerate(layout.keys) for version in range(key.versions)
    ]
    numbers += [layout.medical + place for place in Account] + [layout.unlocks]
    strings = [PIN, *(file.cell for file in layout.files), layout.proofs, layout.proofs + 1]
    assert sorted(numbers) == list(range(len(layout.number_names())))
    assert sorted(strings) == list(range(len(layout.string_names())))


@pytest.mark.parametrize(
    ("generation", "optional", "sheet"),
    [
        ("1.0", False, KEYS + "," + KEYS_FIRST),
        ("2.0", False, KEYS + "," + KEYS_LATER),
        ("3.0", False, KEYS + "," + KEYS_LATER),
        ("3.0", True, KEYS + "," + KEYS_LATER + "," + KEYS_OPTIONAL),
    ],
)
def test_a_generation_has_the_keys_of_the_sheet(generation: str, optional: bool, sheet: str) -> None:
    layout = build_layout(generation, optional_applications=optional)
    found = {key.name: key for key in layout.keys}
    expected = keys(sheet)
    assert set(found) == set(expected)
    for name, (number, versions, des_length) in expected.items():
        key = found[name]
        assert (key.versions, key.des_length) == (versions, des_length), name
        assert key.number == number if number is not None else key.number >= 0x89, name
        assert key.counted == (name == "PUK" or name[:2] in ("UK", "RK")), name
        df = re.search(r"DF\d\d$", name)
        home = df[0] if df else "DF04" if name in ("DSK", "DLK", "DTK", "DPK") else "SSSE"
        assert layout.df_name(key.df) == home, name


def test_a_key_number_means_one_key_in_every_generation() -> None:
    first, later = (
        {(key.df, key.number): key.name.replace("UKMF", "UKSSSE") for key in build_layout(generation).keys}
        for generation in ("1.0", "3.0")
    )
    assert all(first[place] == later[place] for place in first.keys() & later.keys())


def test_numbers_not_given_are_free_ones_in_a_row() -> None:
    layout = build_layout("2.0", optional_applications=True)
    for df in {key.df for key in layout.keys}:
        free = [key.number for key in layout.keys if key.df == df and key.number >= 0x89]
        assert free == list(range(0x89, 0x89 + len(free)))


@pytest.mark.parametrize("name", kit.PERSONALITIES)
def test_keys_have_the_length_of_the_algorithm(name: str) -> None:
    profile = kit.card_of(name).profile
    for index, key in enumerate(profile.layout.keys):
        for version in range(key.versions):
            length = 16 if profile.personality.algorithm == "SM4" else key.des_length
            assert len(profile.key(index, version)) == length, key.name


def test_cards_made_alike_share_their_layout(sm4: Personality) -> None:
    assert layout_of(sm4) is layout_of(replace(sm4, name="other", pin_tries=3))
    assert layout_of(sm4) is not layout_of(replace(sm4, financial=False))


# Through the chip


@pytest.fixture(params=GENERATIONS)
def whole(request: pytest.FixtureRequest, sm4: Personality) -> kit.Desk:
    """A card of each generation with every application."""
    return kit.Desk(replace(sm4, generation=request.param, optional_applications=True))


@pytest.mark.parametrize("df", APPLICATIONS)
def test_an_application_is_selected_by_fid_and_by_name(whole: kit.Desk, df: str) -> None:
    name = APPLICATIONS[df]
    present = whole.personality.generation != "1.0" or df in ("DF01", "DF02", "DF03", "DF04")
    length = len(name) // 2
    fci = bytes.fromhex(f"6F{length + 2:02X}84{length:02X}{name}9000") if present else b"\x6a\x82"
    assert whole.send(f"00A4000002{df}") == fci
    assert whole.send(f"00A40400{length:02X}{name}") == fci
    assert whole.chip.snapshot().current_df == (df if present else "SSSE")


@pytest.mark.parametrize(
    ("generation", "choices", "present"),
    [
        ("3.0", {}, ["DF05"]),
        ("3.0", {"health_application": False}, []),
        ("3.0", {"health_application": False, "optional_applications": True}, ["DF05", "DF06"]),
        ("2.0", {}, []),
        ("2.0", {"health_application": True}, ["DF05"]),
        ("2.0", {"optional_applications": True}, ["DF05", "DF06"]),
        ("1.0", {"health_application": True, "optional_applications": True}, []),
    ],
)
def test_the_annex_by_generation(generation: str, choices: dict[str, bool], present: list[str]) -> None:
    desk = kit.Desk(make_personality(generation, name="own", algorithm="DES", **choices))
    assert [df for df in ("DF05", "DF06") if desk.sw(f"00A4000002{df}") == 0x9000] == present


def test_the_health_file_starts_empty_and_is_read_freely(sm4: Personality) -> None:
    desk = kit.Desk(replace(sm4, optional_applications=True))
    layout = desk.card.profile.layout
    health = files_of(layout)["DF05", 0x05]
    assert (ways_of(layout, health.read), ways_of(layout, health.write)) == (ways("free"), ways("UK1DF05"))
    assert desk.sw("00A4000002DF05") == 0x9000
    assert desk.sw("00B2012C00") == 0x6A83
    assert desk.sw("00DC012C03200141") == 0x6982


@pytest.mark.parametrize(
    ("algorithm", "dir_sfi", "named", "proprietary"),
    [
        ("SM4", 0, True, "A5069F0C03860103"),
        ("DES", 0, True, "A5069F0C03860101"),
        ("SM4", 1, True, "A5098801019F0C03860103"),
        ("SM4", 30, True, "A50988011E9F0C03860103"),
        ("DES", 11, False, "A50388010B"),
        ("DES", 0, False, "A500"),
    ],
)
def test_fci_of_ssse(sm4: Personality, algorithm: str, dir_sfi: int, named: bool, proprietary: str) -> None:
    desk = kit.Desk(replace(sm4, algorithm=algorithm, dir_sfi=dir_sfi, fci_algorithm=named))
    expected = bytes.fromhex(f"840F{kit.NAME}{proprietary}")
    assert desk.send(f"00A404000F{kit.NAME}") == bytes((0x6F, len(expected))) + expected + b"\x90\x00"


def test_lengths_of_ssse_fci_are_those_of_the_sheet(sm4: Personality) -> None:
    assert kit.Desk(sm4).send(f"00A404000F{kit.NAME}")[1] == 0x1C
    assert kit.Desk(replace(sm4, dir_sfi=0)).send(f"00A404000F{kit.NAME}")[1] == 0x19
    assert kit.Desk(preset("v1-des")).send(f"00A404000F{kit.NAME}")[1] == 0x16
    assert kit.Desk(replace(preset("v1-des"), dir_sfi=0)).send(f"00A404000F{kit.NAME}")[1] == 0x13


def test_ssse_below_the_mf(sm4: Personality) -> None:
    desk = kit.Desk(replace(sm4, ssse_fid=0xDDF1))
    assert desk.chip.snapshot().current_df == "SSSE"
    assert desk.sw("00A4000002DF04") == 0x9000
    assert desk.send("00A4000002DDF1").startswith(bytes.fromhex(f"6F1C840F{kit.NAME}"))
    assert desk.sw("00A4000000") == 0x9000
    assert desk.chip.snapshot().current_df == "MF"


def test_the_financial_ddf_stands_behind_the_firewall(sm4: Personality) -> None:
    name = b"1PAY.SYS.DDF01".hex()
    desk = kit.Desk(sm4)
    assert desk.send(f"00A404000E{name}") == bytes.fromhex(f"6F12840E{name}A5009000")
    assert desk.chip.snapshot().current_df == "financial"
    assert desk.sw("00A4020002EF05") == 0x6A82
    assert desk.sw(kit.verify(kit.PIN)) != 0x9000
    assert kit.Desk(replace(sm4, financial=False)).sw(f"00A404000E{name}") == 0x6A82


def test_the_directory_lists_the_applications(sm4: Personality) -> None:
    desk = kit.Desk(replace(sm4, dir_sfi=1))
    for number, (label, df) in enumerate(
        [
            ("公共应用信息区", "DF01"),
            ("就业与失业信息区", "DF02"),
            ("社会保险信息区1", "DF03"),
            ("社会保险信息区2", "DF04"),
            ("人事人才信息区", "DF07"),
            ("生命与健康信息区", "DF05"),
        ],
        start=1,
    ):
        text = label.encode("gbk")
        name = bytes.fromhex(APPLICATIONS[df])
        template = bytes((0x4F, len(name))) + name + bytes((0x50, len(text))) + text
        record = bytes((0x61, len(template))) + template
        assert desk.send(bytes((0x00, 0xB2, number, 0x0C, len(record)))) == record + b"\x90\x00"
    assert desk.sw("00B2070C00") == 0x6A83


@pytest.mark.parametrize(("name", "sfi"), [("v1-des", 0x0B), ("v2-3des", 0x1E), ("v3-sm4", 0x1E)])
def test_each_generation_has_its_directory(name: str, sfi: int) -> None:
    address = sfi << 3 | 0b100
    assert kit.Desk(preset(name)).send(f"00B201{address:02X}1A").startswith(bytes.fromhex("61184F06D15600000500"))
    assert kit.Desk(replace(preset(name), dir_sfi=0)).sw(f"00B201{address:02X}1A") == 0x6A82


EF05 = (
    "0110510100D15600000500000001A1B2C3D4 020133 0304{version:02X}2E3030 040C915600000251000051010001"
    "050420250101 060420350101 0709413030303030303131"
)
EF06 = "0812343130343032313938353033313530303039 091ED5C5C8FD" + "00" * 26
EF06_END = "0A0132 0B0101 0C03410402 0D0419850315"


def test_whole_issuer_data_as_terminals_read_it(whole: kit.Desk) -> None:
    assert whole.sw("00A4020002EF05") == 0x9000
    expected = bytes.fromhex(EF05.format(version=ord(whole.personality.generation[0])))
    assert len(expected) == 0x40
    assert whole.send("00B2010540") == expected + b"\x90\x00"
    assert whole.send("00B2010541") == b"\x6c\x40"


def test_whole_holder_data_as_terminals_read_it(whole: kit.Desk) -> None:
    first, last = (whole.personality.generation == generation for generation in ("1.0", "3.0"))
    expected = bytes.fromhex(EF06 + ("" if first else "4E14" + "00" * 20) + EF06_END)
    read = bytes((0x00, 0xB2, 0x01, 0x05, 0x45 if first else 0x5B))
    assert whole.sw("00A4020002EF06") == 0x9000
    if last:
        assert whole.sw(read) == 0x6982
        whole.authenticate(kit.RKSSSE)
    assert whole.send(read) == expected + b"\x90\x00"


def test_a_fresh_card_knows_its_district_and_works_off_line(whole: kit.Desk) -> None:
    assert whole.verify() == 0x9000
    for df, sfi, tag, record in [
        ("DF01", 0x05, 0x0E, "0E03510100"),
        ("DF01", 0x06, 0x24, "2403510100"),
        ("DF04", 0x05, 0x84, "8403510100"),
        ("DF04", 0x05, 0x8F, "8F0132"),
        ("DF04", 0x05, 0x8C, "8C01FF"),
        ("DF04", 0x05, 0x83, "8309" + "00" * 9),
    ]:
        assert whole.sw(f"00A4000002{df}") == 0x9000
        expected = bytes.fromhex(record)
        assert whole.send(bytes((0x00, 0xB2, tag, sfi << 3, len(expected)))) == expected + b"\x90\x00"


@pytest.mark.parametrize(("df", "sfi", "tag", "count"), [("DF01", 0x15, 0x40, 3), ("DF03", 0x19, 0x79, 4)])
def test_a_tag_that_stands_several_times_is_walked_with_next(
    desk: kit.Desk, df: str, sfi: int, tag: int, count: int
) -> None:
    desk.verify()
    desk.sw(f"00A4000002{df}")
    length = next(item.length for item in files_of(build_layout("2.0"))[df, sfi].items if item.tag == tag)
    command = bytes((0x00, 0xB2, tag, sfi << 3 | 0b010, length + 2))
    assert [desk.sw(command) for _ in range(count + 1)] == [0x9000] * count + [0x6A83]


@pytest.mark.parametrize("padding", [0x00, 0x20, 0x30])
def test_short_text_is_padded_and_unwritten_text_is_00(des: Personality, padding: int) -> None:
    desk = kit.Desk(replace(des, an_padding=padding))
    desk.sw("00A4020002EF06")
    assert desk.send("00B2090020")[2:-2] == "张三".encode("gbk") + bytes((padding,)) * 26
    desk.verify()
    desk.sw("00A4000002DF01")
    assert desk.send("00B22E4848") == bytes.fromhex("2E46") + bytes(0x46) + b"\x90\x00"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("ssse_fid: DF03", "DF03 belongs to an application"),
        ("ssse_fid: DDF2", "DDF2 belongs to an application"),
        ("dir_sfi: 6", "6 is the SFI of a file of SSSE"),
        ("dir_sfi: 31", "dir_sfi"),
        ("an_padding: FF", "an_padding"),
    ],
)
def test_a_tree_that_clashes_is_refused(tmp_path: Path, line: str, problem: str) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(f"based_on: v3-sm4\nname: own\n{line}\n", encoding="utf-8")
    with pytest.raises(InputError, match=problem):
        find_personality(str(path))


def test_the_tree_is_chosen_in_a_personality_file(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    lines = (
        "based_on: v3-sm4",
        "name: own",
        "optional_applications: yes",
        "financial: no",
        "dir_sfi: 9",
        "an_padding: 20",
    )
    path.write_text("\n".join(lines), encoding="utf-8")
    own = find_personality(str(path))
    assert (own.optional_applications, own.financial, own.dir_sfi, own.an_padding) == (True, False, 9, 0x20)


def test_the_sheets_here_are_in_the_order_of_personalisation() -> None:
    for sheet in SHEETS.values():
        places = [(df.replace("SSSE", "DF00"), sfi) for df, sfi in rows(sheet)]
        assert all(earlier < later for earlier, later in pairwise(places))
