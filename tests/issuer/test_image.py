"""The card image: whole or refused, older ones migrated, written whole or not at all, held by one process."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from importlib import resources
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from kit import NAME, PIN, card_of
from kit.desk import PURCHASE, Desk
from sscard.card.commands import COMMANDS
from sscard.chip.memory import Moment, PowerLost
from sscard.errors import InputError
from sscard.hsm import SoftHsm
from sscard.i18n.language import say
from sscard.i18n.phrase import Sayable
from sscard.issuer import Card, builtin_keys, preset
from sscard.issuer.image import digest_of, read_image, write_image
from sscard.standard.generations import build_layout
from sscard.standard.keys import NAMED_KEYS
from sscard.standard.tree import PIN_TRIES, Account, Structure
from sscard.terminal import CardSession

PRESETS = ("v1-des", "v2-3des", "v3-sm4")
RELEASED = Path(__file__).parent.parent / "images"
IMAGES = sorted(RELEASED.glob("[0-9]/*.json"))
VARIED = {
    "below the MF": {"ssse_fid": 0xDDF1},
    "every application": {"optional_applications": True, "dir_sfi": 1},
    "no financial application": {"financial": False},
    "other choices": {"pin_tries": 15, "select_keeps": "all", "an_padding": 0x20, "blocked_query": 0x6983},
}


def nothing(desk: Desk) -> None:
    """A fresh card."""


def worn(desk: Desk) -> None:
    """Tries of PIN and keys spent, other PIN, records and account used, an application blocked."""
    desk.open_account()
    desk.load(1000)
    desk.purchase(300, 20, 4)
    desk.challenge()
    desk.send(desk.proof("UK1DF04", right=False, version=2))
    desk.block_application("DF03")
    desk.sw("805E010007123456FF654321")
    desk.verify("999999")


def blocked(desk: Desk) -> None:
    desk.block_pin()
    desk.block_key()
    desk.block_card()


def no_pin(desk: Desk) -> None:
    desk.sw("805E010004123456FF")


STATES: dict[str, Callable[[Desk], None]] = {
    "fresh": nothing,
    "worn": worn,
    "blocked": blocked,
    "without PIN": no_pin,
}


def same(one: Card, other: Card) -> bool:
    """Whether two cards agree in everything, what a log says included."""
    first, second = one.memory, other.memory
    logs = [log and (log.complete, log.numbers, log.strings) for log in (first.log, second.log)]
    layout = one.profile.layout
    return (
        one.profile.personality == other.profile.personality
        and one.profile.historical == other.profile.historical
        and all(
            one.profile.key(index, version) == other.profile.key(index, version)
            for index, key in enumerate(layout.keys)
            for version in range(key.versions)
        )
        and (first.numbers, first.strings) == (second.numbers, second.strings)
        and logs[0] == logs[1]
    )


def image_at(path: Path) -> Card:
    return read_image(path.read_text(encoding="utf-8"), str(path))


def sealed(content: dict[str, object]) -> str:
    """A content with the digest that belongs to it."""
    return json.dumps(content | {"digest": digest_of(content)})


# Round trips


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("name", PRESETS)
def test_an_image_holds_the_whole_card(name: str, state: str) -> None:
    desk = Desk(name)
    STATES[state](desk)
    text = write_image(desk.card)
    again = read_image(text, "card.json")
    assert same(desk.card, again)
    assert write_image(again) == text
    assert again.snapshot() == desk.card.snapshot()


@pytest.mark.parametrize("changes", VARIED.values(), ids=VARIED)
def test_an_image_holds_the_choices_of_its_card(changes: dict[str, object]) -> None:
    card = card_of(replace(preset("v2-3des"), **changes))
    assert same(card, read_image(write_image(card), "card.json"))


@pytest.mark.parametrize("moment", list(Moment))
@pytest.mark.parametrize("name", PRESETS)
def test_an_image_holds_a_torn_card(name: str, moment: Moment) -> None:
    """At every write point of a purchase; the card of the image recovers as the card does."""
    for point in range(9):
        desk = Desk(name)
        desk.open_account()
        desk.load(1000)
        command = desk.debit(desk.begin_purchase(300), 300)
        desk.memory.cut_power(point, moment)
        with suppress(PowerLost):
            desk.send(command)
        again = read_image(write_image(desk.card), "card.json")
        assert same(desk.card, again)
        for card in (desk.card, again):
            card.memory.mend()
            card.chip(Random(1)).power_on()
        assert same(desk.card, again)
        assert again.memory.numbers[again.profile.layout.medical + Account.BALANCE] in (700, 1000)


@settings(max_examples=25)
@given(st.data())
def test_any_memory_makes_the_round_trip(data: st.DataObject) -> None:
    card = card_of(data.draw(st.sampled_from(PRESETS)))
    layout, memory = card.profile.layout, card.memory
    memory.put_number(PIN_TRIES, data.draw(st.integers(0, 6)))
    memory.put_number(layout.medical + Account.BALANCE, data.draw(st.integers(0, 0xFFFF_FFFF)))
    file = data.draw(st.sampled_from([file for file in layout.files if file.structure == Structure.TRANSPARENT]))
    memory.put_string(file.cell, data.draw(st.binary(max_size=file.size)))
    assert same(card, read_image(write_image(card), "card.json"))


def test_an_image_is_deterministic_and_shows_no_pin_beside_its_cell() -> None:
    first, second = (write_image(card_of("v3-sm4")) for _ in range(2))
    assert first == second
    content = json.loads(first)
    assert content["memory"]["strings"].pop("pin") == PIN
    assert '"123456"' not in json.dumps(content)


def test_an_image_fits_its_schema() -> None:
    published = resources.files("sscard.issuer") / "card-image.schema.json"
    schema = json.loads(published.read_text(encoding="utf-8"))
    assert set(schema["required"]) == set(json.loads(write_image(card_of("v3-sm4"))))
    assert schema["additionalProperties"] is False


# What is no image, or not whole


def test_a_key_that_occurs_twice_is_refused_with_its_place() -> None:
    text = WHOLE.replace('"card blocked": 0,', '"card blocked": 0,\n   "pin tries": 6,')
    line = text[: text.index('"pin tries": 6,', text.index('"card blocked"'))].count("\n") + 1
    with pytest.raises(InputError, match=rf"card\.json:{line}:\d+: key 'pin tries' is given twice"):
        read_image(text, "card.json")


@pytest.mark.parametrize(
    ("kind", "name", "value", "problem"),
    [
        ("numbers", "pin tries", 7, "memory.numbers.pin tries: 0 to 6 expected, got 7"),
        ("numbers", "account year", 10000, "memory.numbers.account year: 0 to 9999 expected"),
        ("strings", "pin", "1F3456", "memory.strings.pin: 2 to 8 bytes of digits expected"),
        ("strings", "SSSE EF06", "0102", "memory.strings.SSSE EF06: complete TLV records expected"),
    ],
)
def test_a_value_that_no_card_has_is_refused_with_its_cell(kind: str, name: str, value: object, problem: str) -> None:
    content = json.loads(WHOLE)
    assert name in content["memory"][kind]
    content["memory"][kind][name] = value
    with pytest.raises(InputError, match=problem):
        read_image(sealed(content), "card.json")


@pytest.mark.parametrize("name", PRESETS)
def test_an_image_cut_off_anywhere_is_refused(name: str) -> None:
    text = write_image(card_of(name))
    for length in range(0, len(text) - 1, 97):
        with pytest.raises(InputError, match=r"^card\.json(:\d+:\d+)?: is (truncated|not a card image)"):
            read_image(text[:length], "card.json")
    with pytest.raises(InputError, match=r"card\.json:\d+:\d+: is truncated"):
        read_image(text[: len(text) // 2], "card.json")


WHOLE = write_image(card_of("v2-3des"))


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, len(WHOLE) - 1), st.characters(codec="utf-8"))
def test_an_image_edited_anywhere_is_refused(place: int, char: str) -> None:
    """Unless the edit changes no content, as white space between two values."""
    edited = WHOLE[:place] + char + WHOLE[place + 1 :]
    try:
        card = read_image(edited, "card.json")
    except InputError:
        return
    assert write_image(card) == WHOLE


@pytest.mark.parametrize(
    "path",
    [("memory", "numbers", "pin tries"), ("memory", "strings", "pin"), ("keys", "PUK"), ("personality", "pin_tries")],
)
def test_an_edit_is_called_one(path: tuple[str, ...]) -> None:
    content = json.loads(WHOLE)
    part = content
    for step in path[:-1]:
        part = part[step]
    part[path[-1]] = {"pin tries": 15, "pin": "999999", "PUK": ["00" * 16], "pin_tries": 15}[path[-1]]
    with pytest.raises(InputError, match=r"was edited: its digest does not fit its content\n  .*issue") as caught:
        read_image(json.dumps(content), "card.json")
    assert "999999" not in str(caught.value)


@pytest.mark.parametrize("version", [4, 99, 10**30])
def test_a_newer_image_is_refused(version: int) -> None:
    text = sealed(json.loads(WHOLE) | {"version": version})
    with pytest.raises(InputError, match=f"of version {version}, this sscard reads up to 3\n  use a newer sscard"):
        read_image(text, "card.json")


@pytest.mark.parametrize("version", [0, -1, True, None, "2", 2.0, [], {}])
def test_an_image_without_a_version_is_refused(version: object) -> None:
    with pytest.raises(InputError, match="has no version"):
        read_image(sealed(json.loads(WHOLE) | {"version": version}), "card.json")


OTHERS = [
    "",
    "\n",
    "null",
    "[]",
    "{}",
    '"sscard card image"',
    "1",
    "NaN",
    "steps:\n  - verify_pin: 1\n",
    "\x00",
    "{" * 9,
]
OTHERS += ['{"format": "other", "version": 2}', "[" * 100_000, "1" * 5_000, '{"format": "sscard card image"}']
OTHERS += ['{"format": "sscard card image", "version": 2, "digest": "sha256:", "note": "\\ud800"}']


@pytest.mark.parametrize("text", OTHERS, ids=range(len(OTHERS)))
def test_something_else_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"card\.json"):
        read_image(text, "card.json")


Content = dict[str, Any]


def torn(content: Content, **changes: object) -> None:
    content["memory"]["log"] = {"complete": True, "numbers": {}, "strings": {}} | changes


WRONG: list[tuple[Callable[[Content], object], str]] = [
    (lambda content: content.pop("keys"), "field 'keys' is missing"),
    (lambda content: content["keys"].pop("PUK"), "field 'keys.PUK' is missing"),
    (lambda content: content["keys"].update(PUK=[]), "field 'keys.PUK' is missing"),
    (lambda content: content["keys"].update(PUK=["zz"]), "keys.PUK, entry 1: pairs of hex digits expected"),
    (lambda content: content["keys"].update(PUK=["00" * 7]), "keys.PUK: 32 hex digits expected"),
    (lambda content: content["keys"].update(STK=["00" * 7]), "keys.STK: 16 or 32 hex digits expected"),
    (lambda content: content["keys"].update(DTK=["00" * 8]), "keys.DTK: 32 hex digits expected"),
    (lambda content: content["keys"].update(PUK="00" * 16), "keys.PUK: Input should be a valid list"),
    (lambda content: content["memory"]["numbers"].pop("pin tries"), "field 'memory.numbers.pin tries' is missing"),
    (lambda content: content["memory"]["strings"].pop("pin"), "field 'memory.strings.pin' is missing"),
    (lambda content: content["memory"]["numbers"].update({"pin tries": "six"}), "memory.numbers.pin tries: .*integer"),
    (
        lambda content: content["memory"]["numbers"].update({"pin tries": -1}),
        "memory.numbers.pin tries: .*than or equal",
    ),
    (lambda content: content["memory"]["strings"].update(pin="12345"), "memory.strings.pin: pairs of hex digits"),
    (lambda content: torn(content, complete=1), "memory.log.complete: .*boolean"),
    (lambda content: torn(content, numbers={"pin tries": None}), "memory.log.numbers.pin tries: .*integer"),
    (lambda content: content["memory"].pop("log"), "field 'memory.log' is missing"),
    (lambda content: content.update(personality={}), "personality: field 'name' is missing"),
    (lambda content: content["personality"].update(name=5), "personality: name: .*string"),
    (lambda content: content["personality"].update(algorithm="SM1"), "personality: algorithm: SM1 is not public"),
    (
        lambda content: content["personality"].update(generation="4.0"),
        "personality: generation: .*'1.0', '2.0' or '3.0'",
    ),
    (lambda content: content["personality"].update(pin_tries=16), "personality: pin_tries: .*less than or equal to 15"),
    (
        lambda content: content["personality"].update(unknown_ins=1),
        "\\*\\*\\* is not open here; expected one of: 6D00, 6A81",
    ),
    (lambda content: content["personality"].update(ssse_fid=0xDF01), "personality: ssse_fid: DF01 belongs to"),
    (lambda content: content["personality"].update(ssse_fid=-1), "personality: ssse_fid: four hex digits expected"),
    (lambda content: content["personality"].update(puk_once="maybe"), "personality: puk_once: .*boolean"),
    (lambda content: content.update(historical="00"), "historical: .*pattern"),
    (lambda content: content.update(extra=1), "unknown field 'extra'"),
    (lambda content: content.update(memory=None), "memory: fields expected"),
]


@pytest.mark.parametrize(("broken", "says"), WRONG, ids=range(len(WRONG)))
def test_a_content_that_makes_no_card_is_refused_by_its_field(broken: Callable[[Content], object], says: str) -> None:
    content = json.loads(WHOLE)
    broken(content)
    with pytest.raises(InputError, match=f"^card.json: is not a card image of version 3: .*{says}") as caught:
        read_image(sealed(content), "card.json")
    assert say(caught.value.remedy).startswith("take it from a backup")


PYTHON = re.compile(r"[A-Z]\w*(Error|Exception|Iteration|Interrupt)\b|Traceback|NoneType|object at 0x")
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.sampled_from(["00", "FF" * 16, "3.0", "SM4", "DES", "6983"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


def mutate(data: st.DataObject, content: Any) -> None:
    """Change, remove or add something somewhere."""
    part = content
    while True:
        steps = list(part) if isinstance(part, dict) else list(range(len(part)))
        step = data.draw(st.sampled_from(steps)) if steps else "new"
        inner = part[step] if steps else None
        if not (isinstance(inner, dict | list) and inner and data.draw(st.booleans())):
            break
        part = inner
    match data.draw(st.sampled_from(["change", "remove", "add"])):
        case "remove" if steps:
            del part[step]
        case "add" if isinstance(part, dict):
            part[data.draw(st.text(max_size=4))] = data.draw(VALUES)
        case _ if isinstance(part, dict) or steps:
            part[step] = data.draw(VALUES)


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(st.data(), st.sampled_from(IMAGES))
def test_any_mutation_of_an_image_gives_a_card_or_the_field_that_is_wrong(data: st.DataObject, path: Path) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    for _ in range(data.draw(st.integers(1, 3))):
        mutate(data, content)
    told: list[Sayable] = []
    try:
        card = read_image(sealed(content), "card.json", told.append)
    except InputError as error:
        told.append(error.said)
    else:
        card.memory.mend()
        assert card.chip(Random(1)).power_on()
        assert same(card, read_image(write_image(card), "card.json"))
    assert not [text for text in told if PYTHON.search(say(text))]


# Other trees


TREES = RELEASED / "trees"


def read_tree(name: str) -> tuple[Card, list[str], Content]:
    told: list[Sayable] = []
    path = TREES / f"{name}.json"
    card = read_image(path.read_text(encoding="utf-8"), str(path), told.append)
    return (
        card,
        [say(message).removeprefix(f"{path}: ") for message in told],
        json.loads(path.read_text(encoding="utf-8")),
    )


def test_an_image_of_an_earlier_tree_is_read() -> None:
    """It lacks EF15 and a counter of DF04, a key, a version of another, and a choice."""
    card, told, content = read_tree("earlier")
    layout = card.profile.layout
    assert told == [
        "is of version 2, migrated to version 3",
        "not in this image, left blank: memory.numbers.'account start day', memory.strings.'DF01 EF15'",
        "not in this image, the card lacks these keys: UK2DF01 3, UK6DF01",
    ]
    education = layout.file(0xDF01, 0x15)
    assert education is not None
    assert card.memory.strings[education.cell] == education.blank()
    assert (len(education.read), education.write) == (2, ())
    assert card.memory.numbers[layout.medical + Account.START_DAY] == 101
    assert layout.keys[layout.key_named("UK2DF01")].versions == 2
    assert card.profile.personality.select_child == "6A86"
    again = json.loads(write_image(card))
    assert again["keys"] == content["keys"]
    told.clear()
    assert same(card, read_image(json.dumps(again), "again", told.append))
    assert list(map(say, told)) == ["again: not in this image, the card lacks these keys: UK2DF01 3, UK6DF01"]


def test_a_card_without_a_later_key_behaves_as_it_was_issued() -> None:
    card, _, _ = read_tree("earlier")
    desk = Desk(card=card)
    assert desk.verify() == 0x9000
    desk.select("DF01")
    number = next(key.number for key in build_layout("3.0").keys if key.name == "UK6DF01")
    desk.challenge()
    assert desk.sw(f"008200{number:02X}10" + "00" * 16) == 0x6A88
    assert desk.sw("00B22AA800") >> 8 in (0x90, 0x6C), "EF15 is there and read with the PIN"
    assert desk.sw("00DC2AA8032A0101") == 0x6982, "its key is not"
    desk.challenge()
    assert desk.send(desk.proof("UK2DF01", version=2))[-2:] == b"\x90\x00"
    desk.challenge()
    assert desk.sw("0082008411" + "00" * 16 + "03") == 0x6A88


def test_no_command_needs_a_key_that_may_be_absent() -> None:
    """Each command with each P2 that the tree knows, on a card of which only the indispensable keys are left."""
    content = json.loads(write_image(card_of("v3-sm4")))
    content["keys"] = {name: values for name, values in content["keys"].items() if name in NAMED_KEYS}
    desk = Desk(card=read_image(sealed(content), "card.json"))
    numbers = {key.number for key in build_layout("3.0").keys} | {0x0100, 0x0101}
    for df, command in product(("SSSE", "DF01", "DF03", "DF04", "DF07"), COMMANDS):
        desk.select(df)
        desk.verify()
        for cla, length in product(command.clas, sorted(command.lengths)[::40] or [0]):
            for p1p2 in numbers.union(sorted(command.p1p2)[:20]):
                sent = f"{cla:02X}{command.ins:02X}{p1p2:04X}{length:02X}" + "11" * length
                assert len(desk.send(sent)) >= 2


def test_names_of_a_later_tree_are_listed_and_left_out() -> None:
    card, told, content = read_tree("later")
    assert told == [
        "is of version 2, migrated to version 3",
        "unknown to this sscard, left out: personality.'retries_after_reset', "
        "keys.'UK9DF04', keys.PUK 2, memory.numbers.'UK9DF04 1 tries', memory.strings.'DF04 EF20', "
        "memory.log.numbers.'UK9DF04 1 tries', memory.log.strings.'DF04 EF20'",
    ]
    assert card.memory.log is not None
    assert [value for _, value in card.memory.log.numbers] == [5]
    again = json.loads(write_image(card))
    assert "UK9DF04" not in json.dumps(again)
    assert all(
        again["memory"]["strings"][name] == value
        for name, value in content["memory"]["strings"].items()
        if name != "DF04 EF20"
    )


def test_a_name_that_may_be_key_material_is_not_repeated() -> None:
    content = json.loads(WHOLE)
    content["keys"]["AB" * 16] = ["00" * 16]
    told: list[Sayable] = []
    read_image(sealed(content), "card.json", told.append)
    (message,) = map(say, told)
    assert message == "card.json: unknown to this sscard, left out: keys.(hex digits)"


@settings(max_examples=100)
@given(st.text(max_size=200))
@example("\ud800")
def test_any_text_is_refused_in_words(text: str) -> None:
    with pytest.raises(InputError):
        read_image(text, "card.json")


# Released versions


@pytest.mark.parametrize("path", IMAGES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_images_of_every_version_load(path: Path) -> None:
    told: list[Sayable] = []
    card = read_image(path.read_text(encoding="utf-8"), str(path), told.append)
    if path.parent.name == "3":
        assert told == []
    else:
        assert list(map(say, told)) == [f"{path}: is of version {path.parent.name}, migrated to version 3"]
    content = json.loads(path.read_text(encoding="utf-8"))
    again = json.loads(write_image(card))
    for name, values in content["keys"].items():
        assert again["keys"][name] == values
    for kind in ("numbers", "strings"):
        for name, value in content["memory"][kind].items():
            assert again["memory"][kind][name] == value
    assert again["memory"]["log"] == content["memory"]["log"]
    assert again["personality"].items() >= content["personality"].items()


def test_there_are_images_of_all_versions_in_every_state() -> None:
    states = {"fresh", "blocked", "torn"}
    for version in ("1", "2", "3"):
        assert {path.stem.rpartition("-")[2] for path in IMAGES if path.parent.name == version} >= states


@pytest.mark.parametrize("path", IMAGES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_cards_of_every_version_work(path: Path) -> None:
    """A session, a reset, the medical account."""
    card = image_at(path)
    session = CardSession.start(card.chip(Random(1)), SoftHsm(builtin_keys()))
    before = session.tries_left()
    assert before == (0 if path.stem.endswith("blocked") else 6)
    assert session.read_basic().identity.card_number
    if before:
        session.verify_pin("654321" if path.stem.endswith("torn") else "123456")
    session.reset_pin("246810")
    session.verify_pin("246810")
    session.close()
    desk = Desk(card=card)
    desk.verify("246810")
    desk.select("DF04")
    assert desk.load(1000)[-2:] == b"\x90\x00"
    assert desk.purchase(300, 20, 4)[-2:] == b"\x90\x00"
    assert desk.proof_of(PURCHASE, 0)[-2:] == b"\x90\x00"
    assert desk.send("B026000104") == (700).to_bytes(4, "big") + b"\x90\x00"
    desk.select("DF01")
    assert desk.send("00B2243005")[:-2].hex() == "2403410400"
    desk.authenticate("UK1DF01")


@pytest.mark.parametrize("path", [path for path in IMAGES if path.parent.name < "3"], ids=lambda path: path.stem)
def test_a_migrated_card_answers_as_before(path: Path) -> None:
    """What later versions decide by a choice: FCI, P1=01, Le=00, DF05, unlocks without limit."""
    desk = Desk(card=image_at(path))
    algorithm = desk.card.profile.suite.algorithm_id
    assert desk.send(f"00A404000F{NAME}").hex().upper() == f"6F19840F{NAME}A5069F0C038601{algorithm:02X}9000"
    assert desk.sw("00A4010002DF03") == 0x6A86
    assert desk.sw("00B2012C00") == 0x6C12
    assert desk.sw("00A4000002DF05") == 0x6A82
    assert desk.card.memory.numbers[desk.card.profile.layout.unlocks] == 0
    assert desk.card.profile.personality.unlock_limit == 0


@pytest.mark.parametrize("path", [path for path in IMAGES if path.parent.name == "1"], ids=lambda path: path.stem)
def test_a_migrated_card_is_the_card_of_today(path: Path) -> None:
    """Where the same card was kept in both versions."""
    assert same(image_at(path), image_at(RELEASED / "2" / path.name))
