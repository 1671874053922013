"""The terminal's PSAM client: it agrees with the HSM, resets and buys on cards, and fails with the driver's codes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

import pytest

from kit import ORIGINAL, PIN, Desk, card_of, fresh_chip, order_of, verify
from sscard.chip.memory import Moment
from sscard.hsm import SoftHsm
from sscard.issuer import CardReference, builtin_keys, personalise, preset
from sscard.issuer.personalise import card_reference
from sscard.issuer.psam import Level, PsamCard, issue_psam
from sscard.standard.cipher import SUITES
from sscard.standard.encoding import encode_pin
from sscard.standard.tree import Account
from sscard.terminal.psam import Psam, PsamError
from sscard.transport.faults import CardRemoved

SERIAL = bytes.fromhex("8649510100000001")
CARD = CardReference("510100", SERIAL)
R8 = bytes.fromhex("1122334455667788")
DES, SM4 = 1, 3
SSSE = "00A404000F7378312E73682EC9E7BBE1B1A3D5CF"
GENERATIONS = pytest.mark.parametrize("personality", ["v1-des", "v2-3des", "v3-sm4"])
SUITES_ = pytest.mark.parametrize("algorithm", [DES, SM4])
NEW = "654321"


def psam_of(
    level: Level = "national", *, terminal: str = "510100000001", contact: bool = True, **options: bool
) -> Psam:
    return Psam(issue_psam(builtin_keys(), terminal, level, **options).chip(Random(1), contact=contact))


def code_of(operation: Callable[[], object]) -> int:
    with pytest.raises(PsamError) as caught:
        operation()
    return caught.value.code


def proof(psam: Psam, key: str = "IRK", card: CardReference = CARD, algorithm: int = SM4) -> bytes:
    return psam.authentication_data(algorithm, key, card, R8, ORIGINAL)


def hsm_proof(key: str, card: CardReference, algorithm: int = SM4, factor: bytes = R8) -> bytes:
    hsm = SoftHsm(builtin_keys())
    return hsm.authentication_data(algorithm, hsm.address_of(key), card, factor, ORIGINAL)


# --- it says what the HSM says --------------------------------------------------------------------


@pytest.mark.parametrize("contact", [True, False])
@pytest.mark.parametrize("level", ["national", "province", "city"])
@SUITES_
def test_it_agrees_with_the_hsm(algorithm: int, level: Level, contact: bool) -> None:
    psam = psam_of(level, contact=contact)
    for key in ("IRK", "RKSSSE", "UK3DF01", "RK1DF04", "RK1DF01"):
        assert proof(psam, key, algorithm=algorithm) == hsm_proof(key, CARD, algorithm)
    if level != "national":
        for key in ("PUK", "BK", "UKSSSE", "UKMF", "LKDF04", "DSK"):
            assert proof(psam, key, algorithm=algorithm) == hsm_proof(key, CARD, algorithm)


@SUITES_
def test_every_process_factor_length_is_taken(algorithm: int) -> None:
    psam = psam_of()
    for length in SUITES[algorithm].challenge_lengths:
        factor = bytes(range(1, length + 1))
        given = psam.authentication_data(algorithm, "IRK", CARD, factor, ORIGINAL)
        assert given == hsm_proof("IRK", CARD, algorithm, factor)


@pytest.mark.parametrize(
    ("algorithm", "header", "pin"),
    [
        (DES, "8424000004", None),
        (SM4, "8424000004", None),
        (DES, "842400010C", "123456"),
        (DES, "842400010C", "12345678901234"),
        (DES, "8424000114", "1234567890123456"),
        (SM4, "8424000114", "1234"),
        (SM4, "8424000114", "1234567890123456"),
        (SM4, "8424000114", ""),
    ],
)
def test_a_safe_message_is_the_hsms(algorithm: int, header: str, pin: str | None) -> None:
    hsm = SoftHsm(builtin_keys())
    given = None if pin is None else encode_pin(pin)
    head = bytes.fromhex(header)
    expected = hsm.safe_message(algorithm, hsm.address_of("STK"), CARD, R8, head, given)
    assert psam_of().safe_message(algorithm, CARD, R8, head, given) == expected


def test_an_application_has_a_mac_key_of_its_own() -> None:
    hsm = SoftHsm(builtin_keys())
    head = bytes.fromhex("841E000104")
    expected = hsm.safe_message(SM4, hsm.address_of("STKDF03"), CARD, R8, head, None)
    assert psam_of().safe_message(SM4, CARD, R8, head, None, key="STKDF03") == expected


def test_environments_alternate() -> None:
    psam = psam_of()
    for algorithm in (SM4, DES, DES, SM4):
        assert proof(psam, algorithm=algorithm) == hsm_proof("IRK", CARD, algorithm)


# --- the PIN on a real card -----------------------------------------------------------------------


def standing(personality: str) -> Desk:
    """A card with a blocked PIN."""
    desk = Desk(personality)
    desk.block_pin()
    desk.repower()
    desk.send(SSSE)
    return desk


def authorise(desk: Desk, psam: Psam) -> bytes:
    """PUK authentication as terminal-flows.md §6.1 has it, steps 4 to 9: the factor of the safe message."""
    original = desk.challenge()
    factor = desk.challenge()
    data = psam.authentication_data(desk.suite.algorithm_id, "PUK", desk.reference, factor, original)
    assert desk.sw(bytes.fromhex("0082000610") + data) == 0x9000
    return desk.challenge()


@GENERATIONS
@pytest.mark.parametrize("level", ["province", "city"])
def test_a_whole_reset_by_psam(personality: str, level: Level) -> None:
    desk = standing(personality)
    psam = psam_of(level)
    factor = authorise(desk, psam)
    header = bytes.fromhex("842400010C" if desk.suite.block == 8 else "8424000114")
    message = psam.safe_message(desk.suite.algorithm_id, desk.reference, factor, header, encode_pin(NEW))
    assert desk.sw(message) == 0x9000
    assert desk.sw(verify(PIN)) == 0x63C5
    assert desk.sw(verify(NEW)) == 0x9000


@GENERATIONS
@pytest.mark.parametrize("level", ["province", "city"])
def test_a_whole_unblock_by_psam(personality: str, level: Level) -> None:
    desk = standing(personality)
    psam = psam_of(level)
    factor = authorise(desk, psam)
    header = bytes.fromhex("8424000004")
    assert desk.sw(psam.safe_message(desk.suite.algorithm_id, desk.reference, factor, header, None)) == 0x9000
    assert desk.sw(verify(PIN)) == 0x9000


@GENERATIONS
def test_a_card_proves_itself_to_the_psam(personality: str) -> None:
    desk = Desk(personality)
    desk.send(SSSE)
    answer = desk.send(bytes.fromhex("0088000010") + R8 + ORIGINAL)
    assert answer[:8] == psam_of().authentication_data(desk.suite.algorithm_id, "IRK", desk.reference, R8, ORIGINAL)[:8]


# --- the driver's codes ---------------------------------------------------------------------------


class Empty:
    """A slot whose card is gone."""

    def power_on(self) -> bytes:
        raise CardRemoved("no card in the reader")

    reset = power_on

    def power_off(self) -> None: ...

    def transmit(self, _command: bytes, /) -> bytes:
        raise CardRemoved("no card in the reader")


@pytest.mark.parametrize(
    "psam",
    [Psam(None), Psam(Empty()), Psam(card_of("v3-sm4").chip(Random(1)))],
    ids=["no slot", "empty slot", "a user's card"],
)
def test_no_psam(psam: Psam) -> None:
    assert code_of(psam.terminal_number) == -2201
    assert code_of(lambda: psam.environment(DES)) == -2201
    assert code_of(lambda: proof(psam)) == -2201
    assert code_of(lambda: psam.credit_purchase(bytes(4))) == -2201
    psam.close()


@pytest.mark.parametrize(("sm4", "algorithm"), [(False, SM4), (True, 2), (True, 4)])
def test_algorithm_missing(sm4: bool, algorithm: int) -> None:
    psam = psam_of(sm4=sm4)
    assert code_of(lambda: proof(psam, algorithm=algorithm)) == -2202
    assert proof(psam, algorithm=DES) == hsm_proof("IRK", CARD, DES)


def test_read_key_of_3_0_missing() -> None:
    psam = psam_of(read_key=False)
    assert code_of(lambda: proof(psam, "RKSSSE")) == -2203
    assert proof(psam, "IRK") == hsm_proof("IRK", CARD)


@pytest.mark.parametrize("key", ["PUK", "BK", "UKSSSE", "UKMF", "UK1DF01", "LKDF03", "DSK"])
def test_a_national_psam_holds_no_key_of_a_province(key: str) -> None:
    assert code_of(lambda: proof(psam_of(), key)) == -27272


@pytest.mark.parametrize("key", ["STK", "UK1DF07", "DTK", "nonsense"])
def test_keys_no_psam_authenticates_with(key: str) -> None:
    assert code_of(lambda: proof(psam_of("city"), key)) == -27272


def test_a_pin_needs_an_stk_that_enciphers() -> None:
    psam = psam_of(stk_enciphers=False)
    head = bytes.fromhex("8424000114")
    assert code_of(lambda: psam.safe_message(SM4, CARD, R8, head, encode_pin(NEW))) == -27272
    head = bytes.fromhex("8424000004")
    assert psam.safe_message(SM4, CARD, R8, head, None) == psam_of().safe_message(SM4, CARD, R8, head, None)


CITY, SAME_PROVINCE, ELSEWHERE = "510100", "510700", "440100"


@pytest.mark.parametrize(
    ("level", "key", "reached"),
    [
        ("national", "IRK", (CITY, SAME_PROVINCE, ELSEWHERE)),
        ("national", "RKSSSE", (CITY, SAME_PROVINCE, ELSEWHERE)),
        ("national", "UK3DF01", (CITY,)),
        ("province", "IRK", (CITY, SAME_PROVINCE)),
        ("province", "PUK", (CITY, SAME_PROVINCE)),
        ("province", "UK3DF01", (CITY,)),
        ("city", "IRK", (CITY,)),
        ("city", "PUK", (CITY,)),
    ],
)
def test_a_key_reaches_as_far_as_its_level(level: Level, key: str, reached: tuple[str, ...]) -> None:
    fresh = psam_of(level)
    knowing = psam_of(level)
    proof(knowing, key)  # it remembers the level from here on
    for city in (ELSEWHERE, SAME_PROVINCE, CITY, ELSEWHERE):
        card = CardReference(city, SERIAL)
        for psam in (fresh, knowing):
            if city in reached:
                assert proof(psam, key, card) == hsm_proof(key, card)
            else:
                assert code_of(lambda psam=psam, card=card: proof(psam, key, card)) == -24


def test_a_mac_key_of_another_city_is_never_used() -> None:
    card = CardReference(SAME_PROVINCE, SERIAL)
    head = bytes.fromhex("8424000004")
    assert code_of(lambda: psam_of("province").safe_message(SM4, card, R8, head, None)) == -24


def test_the_cities_of_province_33_share_a_factor() -> None:
    """f2 drops the district there: 330200 and 330203 have the same city key."""
    card = CardReference("330203", SERIAL)
    psam = psam_of("city", terminal="330200000001")
    assert proof(psam, "PUK", card) == hsm_proof("PUK", card)
    assert code_of(lambda: proof(psam, "PUK", CardReference("330300", SERIAL))) == -24


@pytest.mark.parametrize(
    "wrong",
    [
        lambda psam: psam.authentication_data(DES, "IRK", CARD, bytes(16), ORIGINAL),
        lambda psam: psam.authentication_data(SM4, "IRK", CARD, bytes(5), ORIGINAL),
        lambda psam: psam.authentication_data(SM4, "IRK", CARD, R8, bytes(7)),
        lambda psam: psam.safe_message(SM4, CARD, R8, bytes(4), None),
        lambda psam: psam.safe_message(DES, CARD, R8, bytes.fromhex("8424000114"), encode_pin(NEW)),
        lambda psam: psam.init_purchase(SM4, CARD, bytes(8), bytes(8), b"\x02", bytes(7)),
    ],
)
def test_wrong_parameters(wrong: Callable[[Psam], object]) -> None:
    psam = psam_of()
    assert code_of(lambda: wrong(psam)) == -14


def test_other_refusals_are_the_negated_status_word() -> None:
    assert code_of(lambda: psam_of().credit_purchase(bytes(4))) == -27013


def test_an_error_never_shows_the_pin() -> None:
    psam = psam_of(stk_enciphers=False)
    with pytest.raises(PsamError) as caught:
        psam.safe_message(SM4, CARD, R8, bytes.fromhex("8424000114"), encode_pin("97531864"))
    assert "97531864" not in f"{caught.value}{caught.value!r}"


# --- power ----------------------------------------------------------------------------------------


def test_it_powers_the_psam_once_and_lets_go() -> None:
    chip = issue_psam(builtin_keys()).chip(Random(1))
    psam = Psam(chip)
    assert not chip.snapshot().powered
    assert psam.terminal_number() == "510100000001"
    proof(psam)
    assert chip.snapshot().powered
    psam.close()
    assert not chip.snapshot().powered
    assert proof(psam) == hsm_proof("IRK", CARD)


def test_after_a_lost_power_the_next_use_begins_anew() -> None:
    chip = issue_psam(builtin_keys()).chip(Random(1))
    psam = Psam(chip)
    proof(psam)
    chip.power_off()
    assert code_of(lambda: proof(psam)) == -2201
    assert proof(psam) == hsm_proof("IRK", CARD)


# --- purchase -------------------------------------------------------------------------------------

AMOUNTS = bytes.fromhex("000003E8 000000C8 00000064")
TIME = bytes.fromhex("20250101123000")
TERMINAL = bytes.fromhex("510100000001")


class Till:
    """A card with 500 yuan on its account, its PIN verified, and a PSAM."""

    def __init__(self, personality: str, **options: bool) -> None:
        self.card = card_of(personality)
        layout = self.card.profile.layout
        self.balance_cell = layout.medical + Account.BALANCE
        self.card.memory.put_number(self.balance_cell, 50000)
        self.chip = fresh_chip(self.card)
        self.algorithm = self.card.profile.suite.algorithm_id
        self.reference = card_reference(order_of(self.card.profile.personality))
        self.psam_card: PsamCard = issue_psam(builtin_keys(), **options)
        self.psam = Psam(self.psam_card.chip(Random(2)))

    def send(self, command: bytes) -> tuple[bytes, int]:
        answer = self.chip.transmit(command)
        return answer[:-2], int.from_bytes(answer[-2:], "big")

    def get(self, command: bytes) -> bytes:
        data, sw = self.send(command)
        assert sw == 0x9000, f"{sw:04X}"
        return data

    def open(self, version: int = 1) -> bytes:
        """Up to INITIALIZE FOR PURCHASE: count, version, algorithm and random of its answer."""
        self.get(bytes.fromhex(SSSE))
        self.get(verify(PIN))
        self.get(bytes.fromhex("00A4000002DF04"))
        number = bytes.fromhex(self.psam.terminal_number())
        return self.get(bytes.fromhex("B028010113") + bytes((version,)) + AMOUNTS + number)[-8:]

    def debit(self, sequence: bytes, mac1: bytes) -> tuple[bytes, int]:
        return self.send(bytes.fromhex("B02C01000F") + sequence + TIME + mac1)

    @property
    def balance(self) -> int:
        return self.card.memory.numbers[self.balance_cell]


@GENERATIONS
@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_card_buys_with_a_psam(personality: str, version: int) -> None:
    till = Till(personality)
    for turn in (1, 2):
        opening = till.open(version)
        made = till.psam.init_purchase(till.algorithm, till.reference, opening, AMOUNTS, b"\x02", TIME)
        assert int.from_bytes(made.sequence, "big") == turn
        answer, sw = till.debit(made.sequence, made.mac1)
        assert sw == 0x9000
        assert till.balance == 50000 - 1000 * turn
        till.psam.credit_purchase(answer[4:])


def test_each_checks_the_mac_of_the_other() -> None:
    till = Till("v3-sm4")
    made = till.psam.init_purchase(till.algorithm, till.reference, till.open(), AMOUNTS, b"\x02", TIME)
    assert till.debit(made.sequence, bytes(4))[1] == 0x9302
    assert till.balance == 50000
    assert code_of(lambda: till.psam.credit_purchase(bytes(4))) == -37634
    assert code_of(lambda: till.psam.credit_purchase(bytes(4))) == -26881


def test_a_purchase_with_a_card_of_another_city_is_refused() -> None:
    psam = psam_of()
    card = CardReference(SAME_PROVINCE, SERIAL)
    opening = bytes.fromhex("0007 01 03 A1A2A3A4")
    assert code_of(lambda: psam.init_purchase(SM4, card, opening, AMOUNTS, b"\x02", TIME)) == -24
    unknown = bytes.fromhex("0007 04 03 A1A2A3A4")
    assert code_of(lambda: psam.init_purchase(SM4, CARD, unknown, AMOUNTS, b"\x02", TIME)) == -27272


@pytest.mark.parametrize("moment", list(Moment))
@pytest.mark.parametrize("point", range(3))
def test_after_a_psam_lost_its_power_the_purchase_begins_anew(point: int, moment: Moment) -> None:
    till = Till("v3-sm4")
    first = till.psam.init_purchase(till.algorithm, till.reference, till.open(), AMOUNTS, b"\x02", TIME)
    till.psam_card.memory.cut_power(point, moment)
    opening = till.open()
    with pytest.raises(PsamError) as lost:
        till.psam.init_purchase(till.algorithm, till.reference, opening, AMOUNTS, b"\x02", TIME)
    assert lost.value.code == -2201
    made = till.psam.init_purchase(till.algorithm, till.reference, opening, AMOUNTS, b"\x02", TIME)
    assert made.sequence > first.sequence
    answer, sw = till.debit(made.sequence, made.mac1)
    assert sw == 0x9000
    till.psam.credit_purchase(answer[4:])
    assert till.balance == 49000


def test_a_card_of_another_city_buys_with_a_psam_of_its_own() -> None:
    order = replace(order_of(preset("v2-3des")), city_code=ELSEWHERE)
    card = personalise(order, builtin_keys())
    reference = card_reference(order)
    psam = psam_of(terminal="440100000007")
    hsm = SoftHsm(builtin_keys())
    assert card.profile.suite.algorithm_id == DES
    given = psam.authentication_data(DES, "UK3DF01", reference, R8, ORIGINAL)
    assert given == hsm.authentication_data(DES, hsm.address_of("UK3DF01"), reference, R8, ORIGINAL)
