"""The terminal's session over an in-process chip: verbs, bytes on the wire, errors (terminal-flows.md §1, §5, §6)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

import kit
from kit import NAME, PIN, Desk
from sscard.card import Chip, Personality
from sscard.errors import TransportError
from sscard.hsm import HsmError, SoftHsm
from sscard.issuer import builtin_keys, load_keys, personalise, preset
from sscard.standard.atr import historical_bytes
from sscard.terminal import AuthenticationFailed, CardSession, CardUnusable, KeyBlocked, PinBlocked, WrongPin
from sscard.terminal.errors import ApduError
from sscard.transport import exchange


class Wire:
    """A connection that keeps the bytes as they are; for tests only."""

    def __init__(self, chip: Chip) -> None:
        self.chip = chip
        self.sent: list[str] = []
        self.answers: list[str] = []

    def power_on(self) -> bytes:
        return self.chip.power_on()

    def power_off(self) -> None:
        self.chip.power_off()

    def reset(self) -> bytes:
        return self.chip.reset()

    def transmit(self, command: bytes) -> bytes:
        self.sent.append(command.hex().upper())
        answer = self.chip.transmit(command)
        self.answers.append(answer.hex().upper())
        return answer


class Counter:
    """A desk whose card stands at a terminal."""

    def __init__(self, personality: Personality | str, *, pin: str = PIN, contact: bool = False) -> None:
        self.desk = Desk(personality, pin, contact=contact)
        self.wire = Wire(self.desk.chip)
        self.session = CardSession.start(self.wire, SoftHsm(builtin_keys()))
        self.wire.sent.clear()
        self.wire.answers.clear()


@pytest.fixture(params=[True, False], ids=["contact", "contactless"])
def contact(request: pytest.FixtureRequest) -> bool:
    return request.param


@pytest.fixture
def counter(personality: Personality, contact: bool) -> Counter:
    return Counter(personality, contact=contact)


def shapes(sent: list[str], heads: list[str]) -> list[tuple[str, int]]:
    """Each command as its head and how many bytes follow."""
    return [(text[: len(head)], (len(text) - len(head)) // 2) for text, head in zip(sent, heads, strict=True)]


@pytest.mark.parametrize("contact", [True, False])
@pytest.mark.parametrize(
    ("name", "new", "last"),
    [
        ("v3-sm4", "654321", ("8424000114", 20)),
        ("v3-sm4", "1234567890123456", ("8424000114", 20)),
        ("v2-3des", "654321", ("842400010C", 12)),
        ("v2-3des", "12345678901234", ("842400010C", 12)),
        ("v2-3des", "123456789012345", ("8424000114", 20)),
    ],
)
def test_a_reset_on_the_wire(name: str, new: str, last: tuple[str, int], contact: bool) -> None:
    """terminal-flows.md §6.1, as in a field trace: two challenges, proof, a new challenge, the message."""
    counter = Counter(name, contact=contact)
    counter.session.reset_pin(new)
    expected = [("0084000008", 0), ("0084000008", 0), ("0082000610", 16), ("0084000008", 0), last]
    assert shapes(counter.wire.sent, [head for head, _ in expected]) == expected
    assert counter.wire.answers[-1] == "9000"
    assert counter.wire.sent[2].endswith(counter.wire.answers[0][:16]), "the first challenge is the original data"


def test_an_unblock_on_the_wire(counter: Counter) -> None:
    counter.desk.block_pin()
    counter.session.unblock_pin()
    expected = [("0084000008", 0), ("0084000008", 0), ("0082000610", 16), ("0084000008", 0), ("8424000004", 4)]
    assert shapes(counter.wire.sent, [head for head, _ in expected]) == expected
    assert counter.session.tries_left() == 6


def test_change_and_verify_on_the_wire(counter: Counter) -> None:
    counter.session.change_pin("123456", "654321")
    counter.session.verify_pin("654321")
    assert counter.session.tries_left() == 6
    assert counter.wire.sent == ["805E010007123456FF654321", "0020000003654321", "0020000000"]


def test_start_powers_selects_and_identifies(personality: Personality, contact: bool) -> None:
    wire = Wire(Desk(personality, contact=contact).chip)
    session = CardSession.start(wire, SoftHsm(builtin_keys()))
    assert wire.sent[0] == f"00A404000F{NAME}"
    assert wire.sent[1] == ("00C000001E" if contact else "00A4020002EF05")
    assert (session.identity.identification_code, session.identity.card_number) == (
        "510100D15600000500000001A1B2C3D4",
        "A00000011",
    )
    assert session.identity.city_code == "510100"
    assert session.historical.hex().upper() == "1234A1B2C38649510100000001"


class Stranger:
    """A card that answers every command with the same bytes and has any ATR."""

    def __init__(self, atr: str) -> None:
        self._atr = bytes.fromhex(atr)

    def power_on(self) -> bytes:
        return self._atr

    reset = power_on

    def power_off(self) -> None:
        pass

    def transmit(self, command: bytes) -> bytes:
        assert command[1] != 0x82, "a proof costs a try"
        return bytes.fromhex("6F8400000000A5FF9000")


@pytest.mark.parametrize("atr", ["", "3B", "3B80", "FFFF"])
def test_a_card_without_atr_is_a_transport_error(atr: str) -> None:
    with pytest.raises(TransportError, match="the card sent no ATR, or one that is too short"):
        CardSession.start(Stranger(atr), SoftHsm(builtin_keys()))


@pytest.mark.parametrize("atr", ["3B00", "3B03010203"])
def test_no_proof_for_a_card_that_does_not_say_what_picks_its_keys(atr: str) -> None:
    session = CardSession.start(Stranger(atr), SoftHsm(builtin_keys()))
    with pytest.raises(TransportError, match="no key can be computed"):
        session.reset_pin("654321")


def test_basic_data_are_read_on_every_card(counter: Counter) -> None:
    basic = counter.session.read_basic()
    assert (basic.name, basic.social_security_number, basic.sex, basic.birth_date) == (
        "张三",
        "410402198503150009",
        "2",
        "19850315",
    )
    assert (basic.issued, basic.expires, basic.version[:3]) == (
        "20250101",
        "20350101",
        counter.desk.personality.generation,
    )
    proven = any(text.startswith("0082000A") for text in counter.wire.sent)
    assert proven is (counter.desk.personality.generation == "3.0")


def test_a_wrong_pin_carries_the_tries_left(counter: Counter) -> None:
    for left in (5, 4, 3, 2, 1, 0):
        with pytest.raises(WrongPin) as refused:
            counter.session.verify_pin("999999")
        assert (refused.value.tries_left, refused.value.sw) == (left, 0x63C0 | left)
    with pytest.raises(PinBlocked) as blocked:
        counter.session.verify_pin(PIN)
    assert blocked.value.tries_left == 0
    with pytest.raises(PinBlocked):
        counter.session.change_pin(PIN, "654321")
    assert counter.session.tries_left() == 0


def test_a_wrong_old_pin_carries_the_tries_left(counter: Counter) -> None:
    with pytest.raises(WrongPin) as refused:
        counter.session.change_pin("999999", "654321")
    assert refused.value.tries_left == 5
    counter.session.change_pin(PIN, "654321")
    assert counter.session.tries_left() == 6


@pytest.mark.parametrize("answer", [0x63C0, 0x6983])
def test_a_blocked_pin_has_no_tries_whichever_word_says_so(personality: Personality, answer: int) -> None:
    counter = Counter(replace(personality, blocked_query=answer))
    counter.desk.block_pin()
    assert counter.session.tries_left() == 0


def test_a_card_without_pin_needs_none(personality: Personality, contact: bool) -> None:
    counter = Counter(personality, pin="", contact=contact)
    assert counter.session.tries_left() is None
    counter.session.change_pin("", "654321")
    counter.session.verify_pin("654321")
    counter.session.change_pin("654321", "")
    assert counter.session.tries_left() is None


def test_a_reset_brings_a_blocked_card_back(counter: Counter) -> None:
    counter.desk.block_pin()
    counter.session.reset_pin("654321")
    assert counter.session.tries_left() == 6
    counter.session.verify_pin("654321")
    counter.session.close()


def foreign_hsm(tmp_path: Path) -> SoftHsm:
    """The HSM of an issuer with another PUK."""
    root, stk = "A5" * 16, "5A" * 8
    path = tmp_path / "foreign.yaml"
    path.write_text(
        "name: foreign\nkeys:\n"
        f"  - {{name: PUK, use: authenticate, addresses: ['1009'], sm4: [{root}], des: [{root}]}}\n"
        f"  - {{name: STK, use: mac and encipher, addresses: ['1004'], sm4: [{root}], des: [{stk}]}}\n"
    )
    return SoftHsm(load_keys(path))


def test_a_foreign_issuer_is_refused_until_puk_is_blocked(personality: Personality, tmp_path: Path) -> None:
    desk = Desk(personality)
    session = CardSession.start(desk.chip, foreign_hsm(tmp_path))
    for left in (2, 1, 0):
        with pytest.raises(AuthenticationFailed) as refused:
            session.reset_pin("654321")
        assert refused.value.tries_left == left
    with pytest.raises(KeyBlocked):
        session.unblock_pin()
    assert desk.verify() == 0x9000


def test_a_blocked_card_or_application_is_unusable(personality: Personality) -> None:
    desk = Desk(personality)
    desk.block_card()
    with pytest.raises(CardUnusable) as refused:
        CardSession.start(desk.chip, SoftHsm(builtin_keys()))
    assert refused.value.sw == 0x6A81
    desk = Desk(personality)
    desk.block_application()
    with pytest.raises(CardUnusable) as refused:
        CardSession.start(desk.chip, SoftHsm(builtin_keys()))
    assert refused.value.sw == 0x9303


def test_any_other_refusal_is_an_apdu_error(counter: Counter) -> None:
    counter.desk.memory.fail()
    with pytest.raises(ApduError, match="6581 memory failure") as refused:
        counter.session.verify_pin(PIN)
    assert not isinstance(refused.value, (WrongPin, PinBlocked))


@pytest.mark.parametrize("pin", ["", "123", "12345678901234567", "12a456"])
def test_a_pin_of_another_shape_never_reaches_the_card(counter: Counter, pin: str) -> None:
    for verb in (counter.session.verify_pin, counter.session.reset_pin):
        with pytest.raises(ValueError, match="a PIN has"):
            verb(pin)
    assert counter.wire.sent == []
    assert counter.desk.tries == 6


# The transport protocol T=0: 61xx and 6Cxx


class Script:
    """A connection that plays back an exchange."""

    def __init__(self, *pairs: tuple[str, str]) -> None:
        self.pairs = list(pairs)

    def transmit(self, command: bytes) -> bytes:
        sent, answer = self.pairs.pop(0)
        assert command.hex().upper() == sent
        return bytes.fromhex(answer)


def test_t0_fetches_what_waits() -> None:
    script = Script(("00A4040000", "6104"), ("00C0000004", "AABB6102"), ("00C0000002", "CCDD9000"))
    assert exchange(script, bytes.fromhex("00A4040000")) == (bytes.fromhex("AABBCCDD"), 0x9000)


def test_t0_asks_again_with_the_right_length() -> None:
    script = Script(("00B2010000", "6C02"), ("00B2010002", "AABB9000"))
    assert exchange(script, bytes.fromhex("00B2010000")) == (b"\xaa\xbb", 0x9000)


def test_t0_leaves_a_refusal_alone() -> None:
    assert exchange(Script(("0020000000", "63C5")), bytes.fromhex("0020000000")) == (b"", 0x63C5)


def test_both_interfaces_give_the_same_data(personality: Personality) -> None:
    select = bytes.fromhex(f"00A404000F{NAME}")
    over = [exchange(Desk(personality, contact=contact).chip, select) for contact in (True, False)]
    assert over[0] == over[1]


# Algorithms that no HSM here computes


class OtherFci(Wire):
    """A card whose FCI names another algorithm, or none; a contactless one, so that it is answered whole."""

    def __init__(self, chip: Chip, algorithm: str) -> None:
        super().__init__(chip)
        self.named = bytes.fromhex(f"9F0C038601{algorithm}") if algorithm else b""

    def transmit(self, command: bytes) -> bytes:
        return super().transmit(command).replace(bytes.fromhex("9F0C03860103"), self.named)


CASES = {
    "07": ("510100", "the card names algorithm 07, which is unknown; known are 01 DES/3DES, 02 SSF33, 03 SM4"),
    "02": ("510100", "algorithm 02 is not supported; supported: 01 DES, 03 SM4"),
    "": ("110100", "(an FCI without an algorithm means 02 on a card of city 11)"),
}


@pytest.mark.parametrize(("algorithm", "city", "text"), [(key, *value) for key, value in CASES.items()])
def test_an_algorithm_nobody_computes_costs_no_try_and_the_pin_works(algorithm: str, city: str, text: str) -> None:
    card = personalise(replace(kit.order_of(preset("v3-sm4")), city_code=city), builtin_keys())
    wire = OtherFci(card.chip(Random(1), contact=False), algorithm)
    session = CardSession.start(wire, SoftHsm(builtin_keys()))
    for operation in (lambda: session.reset_pin("654321"), session.unblock_pin, session.read_basic):
        with pytest.raises(HsmError, match=text):
            operation()
    assert not any(text.startswith("0082") for text in wire.sent)
    assert card.snapshot().key_tries["PUK"] == (3,)
    session.verify_pin(PIN)
    session.change_pin(PIN, "654321")
    assert session.tries_left() == 6


HISTORICAL = "1234A1B2C38649510100000001"


@pytest.mark.parametrize(
    "atr",
    [
        f"3B6D0000{HISTORICAL}",
        f"3B2D00{HISTORICAL}",
        f"3B7D110000{HISTORICAL}",
        f"3B3D1100{HISTORICAL}",
        f"3BCD00801F07{HISTORICAL}00",
        f"3B8D801F07{HISTORICAL}00",
        f"3B8D8001{HISTORICAL}00",
    ],
)
def test_historical_bytes_of_every_atr_the_sheet_allows(atr: str) -> None:
    assert historical_bytes(bytes.fromhex(atr)).hex().upper() == HISTORICAL


def test_a_session_is_the_cards_own(personality: Personality) -> None:
    """Two cards of one issuer: what one HSM says for the one is worth nothing at the other."""
    hsm = SoftHsm(builtin_keys())
    session = CardSession.start(kit.fresh_chip(kit.card_of(personality, serial=2)), hsm)
    session.reset_pin("654321")
    assert kit.card_of(personality).snapshot().pin_tries == 6
