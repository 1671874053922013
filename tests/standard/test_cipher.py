"""The arithmetic against every number of card-security.md §7 and §8, and against another DES."""

from __future__ import annotations

import gc
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from Crypto.Cipher import DES as WITNESS
from Crypto.Cipher import DES3
from hypothesis import given
from hypothesis import strategies as st

from sscard.standard import cipher
from sscard.standard.cipher import (
    ALGORITHM_NAMES,
    DES,
    KEPT_KEYS,
    SM4,
    SUITES,
    SUITES_BY_NAME,
    BlockKey,
    CipherError,
    Suite,
    city_factor,
    complement,
    equal,
    pad,
    province_factor,
)

hexed = bytes.fromhex

PUK = hexed("000102030405060708090A0B0C0D0E0F")
STK16 = hexed("101112131415161718191A1B1C1D1E1F")
STK8 = hexed("1011121314151617")
BK = hexed("202122232425262728292A2B2C2D2E2F")
IRK = hexed("303132333435363738393A3B3C3D3E3F")
ORIGINAL = hexed("0102030405060708")
R4 = hexed("11223344")
R8 = hexed("1122334455667788")
R16 = hexed("112233445566778899AABBCCDDEEFF00")

SUITE = {"SM4": SM4, "DES": DES}
CHALLENGE = {"R4": R4, "R8": R8, "R16": R16}
STK = {"SM4": (SM4, STK16), "DES STK8": (DES, STK8), "DES STK16": (DES, STK16)}

# card-security.md §3, §7 (self-tests)


def test_sm4_encrypts_the_example_of_its_standard() -> None:
    key = hexed("0123456789ABCDEFFEDCBA9876543210")
    assert SM4.key(key).encrypt(key) == hexed("681EDF34D206965E86B3E94F536E4246")
    assert SM4.key(key).decrypt(hexed("681EDF34D206965E86B3E94F536E4246")) == key


def test_des_encrypts_now_is_the_time() -> None:
    assert DES.key(hexed("0123456789ABCDEF")).encrypt(b"Now is t") == hexed("3FA40E8A984D4815")


def test_suites_are_found_by_fci_algorithm_id_and_by_name() -> None:
    assert SUITES == {0x01: DES, 0x03: SM4}
    assert SUITES_BY_NAME == {"DES": DES, "SM4": SM4}
    assert ALGORITHM_NAMES == {0x01: "DES/3DES", 0x02: "SSF33", 0x03: "SM4"}


def test_a_suite_takes_keys_of_its_lengths_only() -> None:
    for suite in SUITES.values():
        for length in range(40):
            if length in suite.key_lengths:
                assert suite.key(bytes(length)).length == length
            else:
                with pytest.raises(CipherError):
                    suite.key(bytes(length))


@pytest.mark.parametrize(("suite", "block", "session_key_length"), [(DES, 8, 8), (SM4, 16, 16)])
def test_suite_has_the_block_and_session_key_of_the_table(suite: Suite, block: int, session_key_length: int) -> None:
    assert (suite.block, suite.session_key_length) == (block, session_key_length)


# card-security.md §7.1

SESSION_KEYS = [
    ("SM4", "R4", PUK, "1257780F8AC726B82C97D6ABF80FBB53"),
    ("SM4", "R8", PUK, "987F5BD1E33A420A5BE85F148CDBDE02"),
    ("SM4", "R16", PUK, "120BE2503BA19F30BCA6E9009A113D65"),
    ("DES", "R4", PUK, "D89BF1492E64907E"),
    ("DES", "R8", PUK, "56BE32F01E736D0D"),
    ("SM4", "R4", STK16, "0682E816E7FC44E572C2E57804F4C16D"),
    ("SM4", "R8", STK16, "3AB41A9E8979C92E5C3DA12AFA072979"),
    ("SM4", "R16", STK16, "C51FE1D9D96F9A369E637CAE0C185E4C"),
    ("DES", "R4", STK8, "8F17133F54DE0E5D"),
    ("DES", "R4", STK16, "61EBFDD8B1B4D55A"),
    ("DES", "R8", STK8, "DA3EBFE2AD35DD78"),
    ("DES", "R8", STK16, "4BD6F979F21A4FC0"),
]


@pytest.mark.parametrize(("algorithm", "challenge", "key", "expected"), SESSION_KEYS)
def test_session_key(algorithm: str, challenge: str, key: bytes, expected: str) -> None:
    suite = SUITE[algorithm]
    session = suite.session_key(suite.key(key), CHALLENGE[challenge])
    same = suite.key(hexed(expected))
    assert len(hexed(expected)) == suite.session_key_length
    assert session.encrypt(bytes(suite.block)) == same.encrypt(bytes(suite.block))


AUTHENTICATION_DATA = [
    ("SM4", "R4", PUK, "AFF51F314A0BC1B4"),
    ("SM4", "R8", PUK, "B7C9880EA1BE5A53"),
    ("SM4", "R16", PUK, "0B83F7EF7C25068C"),
    ("DES", "R4", PUK, "EAEF908F0A6D93C0"),
    ("DES", "R8", PUK, "3F9F856020E9CB9B"),
    ("SM4", "R8", IRK, "250C669C89FB1FA4"),
    ("DES", "R8", IRK, "35B9F036EE560A84"),
    ("SM4", "R8", BK, "5395A2E3CD31A7C0"),
    ("DES", "R8", BK, "851CAB2279CE78A3"),
]


@pytest.mark.parametrize(("algorithm", "challenge", "key", "expected"), AUTHENTICATION_DATA)
def test_authentication_data(algorithm: str, challenge: str, key: bytes, expected: str) -> None:
    suite = SUITE[algorithm]
    assert suite.authenticate(suite.key(key), CHALLENGE[challenge], ORIGINAL) == hexed(expected)


def test_sm4_authentication_data_is_the_two_halves_folded() -> None:
    whole = SM4.session_key(SM4.key(PUK), R8).encrypt(ORIGINAL + bytes(8))
    assert whole == hexed("0776833CE467C13EB0BF0B3245D99B6D")
    assert bytes(a ^ b for a, b in zip(whole[:8], whole[8:], strict=True)) == hexed("B7C9880EA1BE5A53")


def test_a_puk_used_as_single_des_of_its_left_half_fails() -> None:
    wrong = hexed("C88B67601EAC4920")
    assert DES.authenticate(DES.key(PUK[:8]), R8, ORIGINAL) == wrong
    assert DES.authenticate(DES.key(PUK), R8, ORIGINAL) != wrong


# card-security.md §7.2: algorithm and key, challenge, PIN, padded plain text, enciphered, MAC

RESETS = [
    ("SM4", "R4", "123456", "03123456800000000000000000000000", "C51CBBDDBDF117509B65267F6114BDBD", "25BA4407"),
    ("SM4", "R8", "123456", "03123456800000000000000000000000", "831FFAE8E8BA9B235027E88E4038BA83", "5F462402"),
    ("SM4", "R16", "123456", "03123456800000000000000000000000", "5514094763AA764719FD46F6D7B43CF7", "5833CCC0"),
    ("SM4", "R8", "1234", "02123480000000000000000000000000", "D876BB8E75000F1C5B52F924E9B3EDE3", "E8C7336E"),
    ("SM4", "R8", "12345F", "0312345F800000000000000000000000", "3317F9009A8D3F41C8C45DDC1F0E48CD", "EB6BC6DE"),
    (
        "SM4",
        "R8",
        "1234567890123456",
        "08123456789012345680000000000000",
        "C6F9FABF40EFEFCC46C71F5C164A9E51",
        "F9A4DA47",
    ),
    ("DES STK8", "R4", "123456", "0312345680000000", "93BBBA0952427266", "D7EF1B24"),
    ("DES STK8", "R8", "123456", "0312345680000000", "F824C6AFCA6FD16A", "90B763EC"),
    ("DES STK16", "R8", "123456", "0312345680000000", "8038FB7CE702AA2B", "7B84666C"),
    ("DES STK8", "R8", "1234", "0212348000000000", "A71D1F6798C2BAE1", "B6BB4422"),
    ("DES STK8", "R8", "12345F", "0312345F80000000", "BA77B0C7A9F8C437", "8D1CCC43"),
    ("DES STK8", "R8", "12345678901234", "0712345678901234", "B26EFC32743A1569", "1D8DB820"),
    (
        "DES STK8",
        "R8",
        "1234567890123456",
        "08123456789012345680000000000000",
        "ACFA91BAC72515FE05EADFE687ADA300",
        "278ACAF0",
    ),
    # The empty PIN as a block of LD=00 [OC-14 B].
    ("SM4", "R8", "", "00800000000000000000000000000000", "A4BFF153AE249C190FD9297544CC1D96", "547D3899"),
    ("DES STK8", "R8", "", "0080000000000000", "3AC9126A5E6501F3", "8C09F90F"),
]


def session_of(algorithm: str, challenge: str) -> tuple[Suite, BlockKey]:
    suite, key = STK[algorithm]
    return suite, suite.session_key(suite.key(key), CHALLENGE[challenge])


@pytest.mark.parametrize(("algorithm", "challenge", "pin", "plain", "enciphered", "mac"), RESETS)
def test_pin_reset(algorithm: str, challenge: str, pin: str, plain: str, enciphered: str, mac: str) -> None:
    suite, session = session_of(algorithm, challenge)
    header = hexed("84240001") + bytes((len(enciphered) // 2 + 4,))
    assert suite.encipher_pin(session, hexed(pin)) == hexed(enciphered)
    assert session.decrypt(hexed(enciphered)) == hexed(plain)
    assert suite.mac(session, header + hexed(enciphered)) == hexed(mac)
    assert suite.decipher_pin(session, hexed(enciphered)) == hexed(pin)


@pytest.mark.parametrize(("algorithm", "mac"), [("SM4", "59FB307E"), ("DES STK8", "874C870C")])
def test_pin_reset_without_enciphered_part(algorithm: str, mac: str) -> None:
    suite, session = session_of(algorithm, "R8")
    assert suite.mac(session, hexed("8424000104")) == hexed(mac)


@pytest.mark.parametrize(
    ("message", "block", "padded"),
    [
        ("8424000114831FFAE8E8BA9B235027E88E4038BA83", 16, "8000000000000000000000"),
        ("842400010CF824C6AFCA6FD16A", 8, "800000"),
        ("", 8, "8000000000000000"),
        ("0011223344556677", 8, "8000000000000000"),
        ("00112233445566", 8, "80"),
    ],
)
def test_mac_input_always_ends_in_80_and_zeros(message: str, block: int, padded: str) -> None:
    assert pad(hexed(message), block) == hexed(message + padded)


# card-security.md §7.3: unblock, application block, card block

MACS = [
    ("SM4", "R4", "0B2DC615", "E17830CE", "4743CFAB"),
    ("SM4", "R8", "52BED249", "6F738E6B", "A0AA3044"),
    ("SM4", "R16", "FB6539AE", "4391BC34", "CDED1608"),
    ("DES STK8", "R4", "1D9731A1", "B2A708F3", "D707B62F"),
    ("DES STK8", "R8", "163FF12A", "6EFA8E09", "E4EB15A6"),
    ("DES STK16", "R4", "79FCAC8C", "3D1F0645", "66C3825A"),
    ("DES STK16", "R8", "38D2E880", "2BEE82CE", "C4F47CBE"),
]


@pytest.mark.parametrize(("algorithm", "challenge", "unblock", "application_block", "card_block"), MACS)
def test_mac_only_commands(
    algorithm: str, challenge: str, unblock: str, application_block: str, card_block: str
) -> None:
    suite, session = session_of(algorithm, challenge)
    assert suite.mac(session, hexed("8424000004")) == hexed(unblock)
    assert suite.mac(session, hexed("841E000104")) == hexed(application_block)
    assert suite.mac(session, hexed("8416000004")) == hexed(card_block)


# card-security.md §8

F1, F2, F3 = hexed("3531303030307368"), hexed("3531303130307378"), hexed("8649510100000001")

LEVELS = [
    ("DES", PUK, [F1], "15914F917A6F7D15444B925E17CD289C"),
    ("DES", PUK, [F1, F2], "C3C02CF3CEB9DE54B548A3AB58AA91A9"),
    ("DES", PUK, [F1, F2, F3], "A042B09FE59738E9DE4E252B8221EBCA"),
    ("DES", PUK, [F3], "DB07E4BC3202E3404FC514C9D9AED782"),
    ("SM4", PUK, [F1], "94B9A2C08396FAF96B1C3FF88A59FA85"),
    ("SM4", PUK, [F1, F2], "0195F989017BD25BA4F14E6226A1933A"),
    ("SM4", PUK, [F1, F2, F3], "F5BD579ABFB26B2E0D725F8F133E4361"),
    ("SM4", PUK, [F3], "B0C7F6913CD47D0F41896AB9F2FDF8E2"),
    ("DES", STK8, [F1], "B8DA07433572FFDF"),
    ("DES", STK8, [F1, F2], "B0D3C7DC87C7F8E5"),
    ("DES", STK8, [F1, F2, F3], "83925EA330AC606C"),
    ("DES", STK8, [F3], "DD92E2A30F026C0C"),
    ("DES", PUK, [F2], "2D37E33995DC71A60FFD86B9F9B4E4AA"),
    ("SM4", PUK, [F2], "ED590586E1E3BC8A74479A34BCE9A29E"),
]


@pytest.mark.parametrize(("algorithm", "root", "factors", "expected"), LEVELS)
def test_diversification(algorithm: str, root: bytes, factors: list[bytes], expected: str) -> None:
    suite, value = SUITE[algorithm], root
    for factor in factors:
        value = suite.diversify(suite.key(value), factor)
    assert value == hexed(expected)


@pytest.mark.parametrize(
    ("city", "province_level", "city_level"),
    [
        ("510100", "3531303030307368", "3531303130307378"),
        ("330100", "3333303030307368", "3333303130307378"),
        ("330200", "3333303030307368", "3333303230307378"),
        ("330203", "3333303030307368", "3333303230307378"),
        ("510107", "3531303030307368", "3531303130377378"),
        ("110105", "3131303030307368", "3131303130357378"),
    ],
)
def test_factors_of_a_city_code(city: str, province_level: str, city_level: str) -> None:
    assert province_factor(city) == hexed(province_level)
    assert city_factor(city) == hexed(city_level)


@given(st.binary(min_size=8, max_size=8))
def test_complement_has_every_bit_turned(factor: bytes) -> None:
    assert all(a ^ b == 0xFF for a, b in zip(factor, complement(factor), strict=True))


# Another implementation of DES as witness


def parity(key: bytes) -> bytes:
    """The key with odd parity, which DES ignores and pycryptodome wants distinct halves of."""
    return bytes(byte & 0xFE | (bin(byte >> 1).count("1") + 1) % 2 for byte in key)


blocks = st.integers(1, 4).flatmap(lambda count: st.binary(min_size=8 * count, max_size=8 * count))


@given(st.binary(min_size=8, max_size=8), blocks)
def test_single_des_agrees_with_another_implementation(key: bytes, plain: bytes) -> None:
    witness = WITNESS.new(key, WITNESS.MODE_ECB)  # noqa: S304
    assert DES.key(key).encrypt(plain) == witness.encrypt(plain)
    assert DES.key(key).decrypt(plain) == witness.decrypt(plain)


@given(st.binary(min_size=16, max_size=16).filter(lambda key: parity(key[:8]) != parity(key[8:])), blocks)
def test_two_key_3des_agrees_with_another_implementation(key: bytes, plain: bytes) -> None:
    witness = DES3.new(parity(key), DES3.MODE_ECB)
    assert DES.key(key).encrypt(plain) == witness.encrypt(plain)
    assert DES.key(key).decrypt(plain) == witness.decrypt(plain)


@given(st.binary(min_size=8, max_size=8), st.binary(max_size=40))
def test_des_mac_is_cbc_of_another_implementation(key: bytes, message: bytes) -> None:
    padded = message + b"\x80" + bytes(-(len(message) + 1) % 8)
    witness = WITNESS.new(key, WITNESS.MODE_CBC, iv=bytes(8)).encrypt(padded)  # noqa: S304
    assert DES.mac(DES.key(key), message) == witness[-8:-4]


# The PIN under way

suites = st.sampled_from([DES, SM4])


def pins() -> st.SearchStrategy[bytes]:
    return st.just(b"") | st.integers(2, 8).flatmap(
        lambda length: st.text("0123456789", min_size=2 * length, max_size=2 * length).map(bytes.fromhex)
    )


@given(suites, st.binary(min_size=16, max_size=16), st.sampled_from([R4, R8]), pins())
def test_a_pin_comes_out_as_it_went_in(suite: Suite, key: bytes, challenge: bytes, pin: bytes) -> None:
    session = suite.session_key(suite.key(key), challenge)
    enciphered = suite.encipher_pin(session, pin)
    assert len(enciphered) == (16 if suite is SM4 or len(pin) == 8 else 8)
    assert suite.decipher_pin(session, enciphered) == pin


@given(suites, pins(), st.data())
def test_changed_padding_or_length_is_not_a_pin(suite: Suite, pin: bytes, data: st.DataObject) -> None:
    session = suite.session_key(suite.key(STK16), R8)
    plain = bytearray(session.decrypt(suite.encipher_pin(session, pin)))
    places = [0, *range(1 + len(pin), len(plain))]
    place = data.draw(st.sampled_from(places))
    plain[place] ^= data.draw(st.integers(1, 255))
    found = suite.decipher_pin(session, session.encrypt(bytes(plain)))
    # A shorter LD can only be right where what follows reads as padding, which PIN digits 8000… may.
    assert found is None or (place == 0 and suite.encipher_pin(session, found) == session.encrypt(bytes(plain)))


@pytest.mark.parametrize(
    ("suite", "plain"),
    [
        (SM4, "09" + "12" * 9 + "80" + "00" * 5),
        (SM4, "FF" + "12" * 15),
        (SM4, "0F" + "12" * 15),
        (SM4, "0312345600" + "00" * 11),
        (SM4, "0312345680" + "00" * 10 + "01"),
        (DES, "0812345678901234"),
        (DES, "0312345600000000"),
        (DES, "0712345678901234" + "80" + "00" * 7),
        (DES, "0312345680000000" + "00" * 8),
        (DES, "0912345678901234" + "12" * 2 + "80" + "00" * 5),
    ],
)
def test_a_block_that_is_no_pin(suite: Suite, plain: str) -> None:
    session = suite.session_key(suite.key(STK16), R8)
    assert suite.decipher_pin(session, session.encrypt(hexed(plain))) is None


@pytest.mark.parametrize("length", [0, 1, 7, 9, 15, 17])
@pytest.mark.parametrize("suite", [DES, SM4], ids=repr)
def test_a_broken_block_is_no_pin(suite: Suite, length: int) -> None:
    session = suite.session_key(suite.key(STK16), R8)
    assert suite.decipher_pin(session, bytes(length)) is None


# Shapes the arithmetic does not define


@pytest.mark.parametrize(("suite", "lengths"), [(DES, {4, 8}), (SM4, {4, 8, 16})], ids=["DES", "SM4"])
def test_only_the_challenge_lengths_of_the_sheet_are_taken(suite: Suite, lengths: set[int]) -> None:
    key = suite.key(STK16)
    for length in range(20):
        if length in lengths:
            suite.session_key(key, bytes(length))
            continue
        with pytest.raises(CipherError):
            suite.session_key(key, bytes(length))


@pytest.mark.parametrize(("suite", "lengths"), [(DES, {8, 16}), (SM4, {16})], ids=["DES", "SM4"])
def test_keys_of_another_length_are_refused_without_showing_them(suite: Suite, lengths: set[int]) -> None:
    for length in set(range(33)) - lengths:
        with pytest.raises(CipherError) as refused:
            suite.key(b"\xa5" * length)
        assert "a5a5" not in str(refused.value).lower()


def test_keys_and_suites_show_nothing() -> None:
    key = SM4.key(hexed("0123456789ABCDEFFEDCBA9876543210"))
    assert "0123456789abcdef" not in repr(key).lower()
    assert repr(SM4) == "<Suite SM4>"


def test_equal_compares_bytes() -> None:
    assert equal(b"12", b"12")
    assert not equal(b"12", b"13")
    assert not equal(b"12", b"123")


# Keys that are kept


def keys_from(first: int) -> list[bytes]:
    return [number.to_bytes(16, "big") for number in range(first, first + KEPT_KEYS)]


@pytest.mark.parametrize("suite", SUITES.values(), ids=str)
def test_a_key_used_again_keeps_its_context_until_many_others_were_used(suite: Suite) -> None:
    kept = suite.key(STK16)
    assert suite.key(STK16) is kept
    for value in keys_from(1 << 64):
        suite.key(value)
    assert suite.key(STK16) is not kept
    assert suite.key(STK16).encrypt(bytes(suite.block)) == kept.encrypt(bytes(suite.block))


@pytest.mark.parametrize("suite", SUITES.values(), ids=str)
def test_session_keys_do_not_displace_the_keys_of_cards(suite: Suite) -> None:
    kept = suite.key(STK16)
    for challenge in range(2 * KEPT_KEYS):
        suite.session_key(kept, challenge.to_bytes(8, "big"))
    assert suite.key(STK16) is kept


@pytest.mark.parametrize("suite", SUITES.values(), ids=str)
def test_few_contexts_are_kept_however_many_keys_are_used(suite: Suite) -> None:
    def alive() -> int:
        gc.collect()
        return sum(type(thing) is BlockKey for thing in gc.get_objects())

    for value in keys_from(2 << 64):
        suite.session_key(suite.key(value), R8)
    before = alive()
    for value in keys_from(3 << 64):
        suite.session_key(suite.key(value), R8)
    assert alive() == before


@pytest.mark.parametrize("suite", SUITES.values(), ids=str)
def test_a_kept_key_is_not_shown_and_not_pickled(suite: Suite) -> None:
    key = suite.key(STK16)
    shown = repr(key) + repr(suite) + repr(vars(cipher))
    assert STK16.hex() not in shown.lower()
    assert repr(STK16) not in shown
    with pytest.raises(TypeError):
        pickle.dumps(key)


@pytest.mark.parametrize("suite", SUITES.values(), ids=str)
def test_threads_use_one_key_at_the_same_time(suite: Suite) -> None:
    key = suite.key(STK16)
    expected = key.encrypt(bytes(64 * suite.block))
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as threads:
            many = threads.map(lambda _: {key.encrypt(bytes(64 * suite.block)) for _ in range(5000)}, range(4))
            found = set[bytes]().union(*many)
    finally:
        sys.setswitchinterval(interval)
    assert found == {expected}


@pytest.mark.parametrize("suite", SUITES.values(), ids=str)
def test_part_of_a_block_is_refused_and_leaves_a_kept_key_as_it_was(suite: Suite) -> None:
    key = suite.key(STK16)
    expected = key.encrypt(bytes(suite.block))
    for length in (1, suite.block - 1, suite.block + 1):
        with pytest.raises(CipherError, match="whole blocks"):
            key.encrypt(bytes(length))
    assert key.encrypt(bytes(suite.block)) == expected
