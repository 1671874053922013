"""Key files and diversification (card-security.md §8), and the HSM that alone uses the keys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

import kit
from sscard.errors import InputError
from sscard.hsm import HsmError, SoftHsm
from sscard.i18n.language import say
from sscard.issuer import CardReference, KeyHierarchy, builtin_keys, load_keys, personalise, preset
from sscard.issuer.formats import WrittenRoot
from sscard.issuer.psam import issue_psam
from sscard.psam.layout import OWN_KEYS
from sscard.standard.cipher import DES, SM4, SUITES, Suite

ROOT = "000102030405060708090A0B0C0D0E0F"
STK8 = "1011121314151617"
CARD = CardReference("510100", bytes.fromhex("8649510100000001"))
KEY_FILE = f"""name: roots of the vectors
keys:
  - name: PUK
    use: authenticate
    addresses: [1009]
    sm4: [{ROOT}]
    des: [{ROOT}]
  - name: STK
    use: mac and encipher
    addresses: [1004]
    sm4: [{ROOT}]
    des: [{STK8}]
  - name: STKDF03
    use: mac
    addresses: [100F]
    sm4: [{ROOT}]
    des: [{STK8}]
  - name: UKSSSE
    use: authenticate
    addresses: [1005, 1006]
    sm4: [{ROOT}, {ROOT[::-1]}]
    des: [{ROOT}, {ROOT[::-1]}]
"""


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "keys.yaml"
    path.write_text(KEY_FILE)
    return path


@pytest.fixture
def vectors(key_file: Path) -> KeyHierarchy:
    return load_keys(key_file)


@pytest.mark.parametrize(
    ("suite", "key", "expected"),
    [
        (DES, "PUK", "A042B09FE59738E9DE4E252B8221EBCA"),
        (SM4, "PUK", "F5BD579ABFB26B2E0D725F8F133E4361"),
        (DES, "STK", "83925EA330AC606C"),
    ],
)
def test_card_key_is_the_root_of_three_levels(vectors: KeyHierarchy, suite: Suite, key: str, expected: str) -> None:
    assert vectors.card_key(suite, key, 0, CARD) == bytes.fromhex(expected)


def test_every_card_city_and_version_has_its_own_key(vectors: KeyHierarchy) -> None:
    cards = [CARD, CARD._replace(serial=bytes(8)), CARD._replace(city_code="510200"), CARD._replace(city_code="520100")]
    keys = {vectors.card_key(SM4, "UKSSSE", version, card) for card in cards for version in (0, 1)}
    assert len(keys) == 8


def test_districts_of_province_33_share_their_city_key(vectors: KeyHierarchy) -> None:
    one, other = (vectors.card_key(SM4, "PUK", 0, CARD._replace(city_code=city)) for city in ("330200", "330203"))
    assert one == other


def test_the_updating_key_of_a_1_0_card_is_that_of_ssse(vectors: KeyHierarchy) -> None:
    assert vectors.card_key(DES, "UKMF", 0, CARD) == vectors.card_key(DES, "UKSSSE", 0, CARD)
    assert vectors.address_of("UKMF") == "1005"


def test_addresses_name_key_version_and_use(vectors: KeyHierarchy) -> None:
    assert vectors.at("1006") == ("UKSSSE", 1, "authenticate")
    assert vectors.at("1FFF") is None
    assert vectors.address_of("UKSSSE", 1) == "1006"


def test_builtin_keys_personalise_every_preset() -> None:
    for name in kit.PERSONALITIES:
        card = personalise(kit.order_of(preset(name)), builtin_keys())
        assert card.chip(Random(1)).power_on()


@pytest.mark.parametrize("missing", ["IRK", "RKSSSE"])
def test_a_root_the_file_lacks_is_named(vectors: KeyHierarchy, missing: str) -> None:
    with pytest.raises(InputError, match=f"holds no root {missing} version 1") as refused:
        vectors.card_key(SM4, missing, 0, CARD)
    assert say(refused.value.remedy)


@pytest.mark.parametrize("suite", SUITES.values(), ids=repr)
def test_an_issuer_may_use_one_suite_only(key_file: Path, suite: Suite) -> None:
    whole = load_keys(key_file)
    others = [other.key_field for other in SUITES.values() if other is not suite]
    key_file.write_text("".join(line for line in KEY_FILE.splitlines(True) if line.split(":")[0].strip() not in others))
    held = load_keys(key_file)
    assert held.card_key(suite, "PUK", 0, CARD) == whole.card_key(suite, "PUK", 0, CARD)
    assert [held.root(other, "PUK", 0) for other in SUITES.values() if other is not suite] == [None] * len(others)
    with pytest.raises(InputError, match="holds no root PUK version 1"):
        held.card_key(next(other for other in SUITES.values() if other is not suite), "PUK", 0, CARD)


def test_every_suite_has_a_field_for_its_roots() -> None:
    assert {suite.key_field for suite in SUITES.values()} == set(WrittenRoot.model_fields) - {
        "name",
        "use",
        "addresses",
    }


def test_the_own_keys_of_psams_stand_beside_those_of_cards(key_file: Path) -> None:
    own = "".join(
        f"  - {{name: {name}, use: authenticate, addresses: [F00{number}], sm4: [{ROOT}]}}\n"
        for number, name in enumerate(OWN_KEYS)
    )
    key_file.write_text(f"{KEY_FILE}psam_keys:\n{own}")
    roots = load_keys(key_file)
    assert roots.psam_keys is not None
    assert roots.at("F000") is None
    assert roots.psam_keys.at("F000") == ("DDF-MK", 0, "authenticate")
    assert load_keys(key_file).root(SM4, "DDF-MK", 0) is None
    assert [held.suite for held in issue_psam(roots).profile.environments] == [SM4]


def test_a_card_of_an_incomplete_key_file_is_refused(vectors: KeyHierarchy) -> None:
    with pytest.raises(InputError, match="holds no root"):
        personalise(kit.order_of(preset("v3-sm4")), vectors)


# What can be wrong with a key file: the change, the place, what the text says

WRONG_FILES = [
    ("no hex digits", f"sm4: [{ROOT}]", f"sm4: [{ROOT[:-2]}ZZ]", (6, 11), "hex digits"),
    (
        "too short",
        f"sm4: [{ROOT}]",
        f"sm4: [{ROOT[:-2]}]",
        (3, 5),
        "PUK: sm4 values have 16 bytes\n  write 32 hex digits",
    ),
    (
        "too long",
        f"des: [{ROOT}]",
        f"des: [{ROOT}FF]",
        (3, 5),
        "PUK: des values have 8 or 16 bytes\n  write 16 or 32 hex digits",
    ),
    (
        "one value less",
        "addresses: [1009]",
        "addresses: [1009, 1010]",
        (3, 5),
        "one value of each of des, sm4 expected",
    ),
    ("no value", f"    sm4: [{ROOT}]\n    des: [{ROOT}]\n", "", (3, 5), "one value of each of des, sm4 expected"),
    ("a typing mistake", "    addresses: [1009]", "    adresses: [1009]", (5, 5), "did you mean 'addresses'?"),
    ("a field left out", "    use: authenticate\n", "", (3, 5), "'keys, entry 1, use' is missing"),
    ("a use it does not know", "use: authenticate", "use: sign", (4, 5), "'authenticate'"),
    ("a short address", "[1009]", "[9]", (5, 17), "four hex digits"),
    ("an address twice", "[1004]", "[1009]", (1, 1), "given twice: 1009"),
    ("a key twice", "name: STK\n", "name: PUK\n", (1, 1), "given twice: PUK"),
    ("a field twice", "    use: authenticate\n", "    use: authenticate\n    use: mac\n", (5, 5), "given twice"),
    ("a value where a list is due", f"sm4: [{ROOT}]", f"sm4: {ROOT}", (6, 5), "list"),
    ("a key as a field", "    use: authenticate\n", f"    use: authenticate\n    {ROOT}: 1\n", (5, 5), "unknown field"),
    ("a key as a field, twice", "    use: auth", f"    {ROOT}: 1\n    {ROOT}: 1\n    use: auth", (5, 5), "given twice"),
    ("an open bracket", f"sm4: [{ROOT}]", f"sm4: [{ROOT}", (7, 8), "not valid YAML"),
    ("an alias", f"sm4: [{ROOT}]", f"sm4: [*{ROOT}]", (6, 11), "there is no anchor of this name"),
    ("a nested list", f"sm4: [{ROOT}]", f"sm4: [[{ROOT}]]", (6, 11), "hex digits"),
]


@pytest.mark.parametrize(
    ("was", "now", "place", "says"), [row[1:] for row in WRONG_FILES], ids=[r[0] for r in WRONG_FILES]
)
def test_wrong_key_files(key_file: Path, was: str, now: str, place: tuple[int, int], says: str) -> None:
    text = KEY_FILE.replace(was, now, 1)
    assert text != KEY_FILE
    key_file.write_text(text)
    with pytest.raises(InputError) as refused:
        load_keys(key_file)
    told = str(refused.value)
    assert told.startswith(f"{key_file}:{place[0]}:{place[1]}: ")
    assert says in told
    assert (refused.value.line, refused.value.column) == place
    assert no_key_in(told)


def no_key_in(text: str) -> bool:
    shown = text.upper()
    return not any(ROOT[start : start + 8] in shown for start in range(len(ROOT) - 7)) and STK8[:8] not in shown


@pytest.mark.parametrize(
    ("content", "says"), [(b"", "is empty"), (b"\xff\xfe", "not UTF-8"), (b"- x", "fields expected")]
)
def test_files_that_are_no_key_files(key_file: Path, content: bytes, says: str) -> None:
    key_file.write_bytes(content)
    with pytest.raises(InputError, match=says) as refused:
        load_keys(key_file)
    assert refused.value.file == str(key_file)


def test_a_key_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file"):
        load_keys(tmp_path / "nowhere.yaml")


# The HSM


@pytest.fixture
def hsm(vectors: KeyHierarchy) -> SoftHsm:
    return SoftHsm(vectors)


R8, O8 = bytes.fromhex("1122334455667788"), bytes.fromhex("0102030405060708")
RESET = bytes.fromhex("8424000114")


def test_authentication_data_is_that_of_the_card_key(hsm: SoftHsm) -> None:
    key = SM4.key(bytes.fromhex("F5BD579ABFB26B2E0D725F8F133E4361"))
    assert hsm.authentication_data(0x03, "1009", CARD, R8, O8) == SM4.authenticate(key, R8, O8) + O8


def test_a_safe_message_is_header_enciphered_pin_and_mac(hsm: SoftHsm) -> None:
    stk = DES.session_key(DES.key(bytes.fromhex("83925EA330AC606C")), R8)
    message = hsm.safe_message(0x01, "1004", CARD, R8, bytes.fromhex("842400010C"), bytes.fromhex("123456"))
    assert message[:5].hex() == "842400010c"
    assert stk.decrypt(message[5:13]).hex() == "0312345680000000"
    assert message[13:] == DES.mac(stk, message[:13])
    unblock = hsm.safe_message(0x01, "1004", CARD, R8, bytes.fromhex("8424000004"), None)
    assert unblock == bytes.fromhex("8424000004") + DES.mac(stk, bytes.fromhex("8424000004"))


REFUSED = [
    ("no such address", lambda hsm: hsm.authentication_data(3, "1FFF", CARD, R8, O8), "no key at address 1FFF"),
    ("STK to authenticate", lambda hsm: hsm.authentication_data(3, "1004", CARD, R8, O8), "is not for 'authenticate'"),
    ("PUK for a MAC", lambda hsm: hsm.safe_message(3, "1009", CARD, R8, RESET, None), "is not for"),
    ("a MAC key for a PIN", lambda hsm: hsm.safe_message(3, "100F", CARD, R8, RESET, b"\x12\x34"), "is not for"),
    ("SSF33", lambda hsm: hsm.authentication_data(2, "1009", CARD, R8, O8), "algorithm 02 is not supported"),
    ("short original data", lambda hsm: hsm.authentication_data(3, "1009", CARD, R8, O8[:7]), "8 bytes"),
    ("a factor of 5 bytes", lambda hsm: hsm.authentication_data(3, "1009", CARD, R8[:5], O8), "process factor"),
    ("16 bytes under DES", lambda hsm: hsm.authentication_data(1, "1009", CARD, bytes(16), O8), "process factor"),
    ("a header of 4 bytes", lambda hsm: hsm.safe_message(3, "1004", CARD, R8, RESET[:4], None), "header"),
    ("another Lc", lambda hsm: hsm.safe_message(3, "1004", CARD, R8, b"\x84\x24\0\1\x0c", b"\x12\x34"), "Lc"),
    ("a key it has not", lambda hsm: hsm.address_of("BK"), "holds no BK"),
    ("a version it has not", lambda hsm: hsm.address_of("UKSSSE", 2), "holds no UKSSSE version 3"),
]


@pytest.mark.parametrize(("asked", "says"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_the_hsm_refuses(hsm: SoftHsm, asked: Callable[[SoftHsm], object], says: str) -> None:
    with pytest.raises(HsmError, match=says) as refused:
        asked(hsm)
    assert no_key_in(str(refused.value))
    assert "1234" not in str(refused.value)


def test_what_holds_keys_shows_none(vectors: KeyHierarchy, hsm: SoftHsm) -> None:
    assert repr(vectors) == "<KeyHierarchy roots of the vectors>"
    for thing in (vectors, hsm, vectors.at("1009")):
        assert no_key_in(f"{thing!r} {thing!s}")
    assert no_key_in(str(list(vars(vectors)["_roots"].values())))


def test_an_order_shows_no_pin() -> None:
    order = replace(kit.order_of(preset("v3-sm4")), pin="918273")
    assert "918273" not in f"{order!r} {order!s}"
