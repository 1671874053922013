"""What a card shows of its choices to the keys of its issuer, or if it may be changed: see the table of probes."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sscard.i18n.phrase import Phrase
from sscard.scenario.testbed.followed import FEWEST
from sscard.scenario.testbed.probed_card import ProbedCard, Unclear
from sscard.standard.apdu import SW, command, tries_in
from sscard.standard.applications import DF03, DF04, FINANCIAL_NAME
from sscard.standard.certificates import BANK
from sscard.standard.choices import CHOICES
from sscard.standard.encoding import encode_pin
from sscard.terminal import flows
from sscard.terminal.errors import ApduError

UNBLOCK: Final = "8424000004"
NO_MAC: Final = UNBLOCK + "00000000"
"""PIN CHANGE/UNBLOCK with a wrong MAC: without a challenge the card does not look at it."""
EMPTY_RESET: Final = "8424000104"
STARTING_DAY: Final = "B0560000020000"
"""A day that does not exist: refused, but with another status word if DSK is proven."""
CARD_BLOCK: Final = "8416000004"
DSK, BK, READER = 0x87, 0x05, 0x85
"""Numbers of keys: DSK of DF04, BK, and RK2DF03, which only reads."""
LAST_VERSION: Final = 2
ENOUGH_UNBLOCKS: Final = 20
"""An unlock limit from here on that a claim states is believed: the probes use up fewer."""
MOST_UNBLOCKS: Final = int(CHOICES["unlock_limit"].allowed[-1])
LONG_PIN: Final = encode_pin("1357924680135792")
FILLED: Final = {0x00: bytes(1), 0x20: b" ", 0x30: b"00"}
"""What the name ends with, by the byte that fills it; a name may end with one 30 of its own."""


def no_challenge(card: ProbedCard) -> None:
    """PIN CHANGE/UNBLOCK without a challenge, with PUK proven."""
    card.prove_puk()
    card.see_status("no_challenge", card.raw(NO_MAC).sw)
    card.prove_puk()


def _holds_puk(card: ProbedCard) -> bool:
    """Whether PUK is still proven: PIN CHANGE/UNBLOCK is refused for another reason then."""
    sw = card.raw(NO_MAC).sw
    if sw == SW.OK:
        raise Unclear(Phrase("the card accepts a wrong MAC"))
    return sw != SW.SECURITY_NOT_SATISFIED


def select_keeps(card: ProbedCard) -> None:
    """Whether the PIN is verified, and PUK proven, after the selection of another DF."""
    pin = puk = None
    shown = []
    if card.has_pin:
        card.verify()
        card.enter(DF04)
        pin = card.verified()
        shown.append(card.last(2))
        card.begin()
    if card.has_keys:
        card.prove_puk()
        card.enter(DF04)
        puk = _holds_puk(card)
        shown.append(card.last(2))
        card.prove_puk()
    if (pin, puk) in ((True, None), (None, False), (None, None)):
        card.need_keys()
        card.need_pin()
    value = "all" if puk and pin is not False else "pin" if pin and not puk else None if puk else "nothing"
    card.see("select_keeps", value, "; ".join(shown))


def failed_authentication(card: ProbedCard) -> None:
    """A wrong proof of DSK, which has no retry counter, after a right one: does the card still allow what it allows?"""
    card.need_keys()
    card.begin(DF04)
    without = card.raw(STARTING_DAY).sw
    card.prove("DSK", DSK)
    with_key = card.raw(STARTING_DAY).sw
    if without != SW.SECURITY_NOT_SATISFIED or with_key in (without, SW.OK):
        raise Unclear(Phrase("the right that DSK gives cannot be asked: the card is used on line"))
    card.prove("DSK", DSK, right=False)
    sw = card.raw(STARTING_DAY).sw
    card.see_case("failed_authentication_clears", sw, {SW.SECURITY_NOT_SATISFIED: True, with_key: False})


def padding(card: ProbedCard) -> None:
    """The end of the holder's name in EF06."""
    asked = "00B2093000"
    answer = card.ask(asked)
    if answer.sw == SW.SECURITY_NOT_SATISFIED:
        card.need_keys()
        card.prove("RKSSSE", flows.RKSSSE_NUMBER)
        answer = card.ask(asked)
    if answer.sw != SW.OK:
        raise ApduError(Phrase("read {file}", file="EF06"), answer.sw)
    name = answer.data[2:]
    byte = next((byte for byte, end in FILLED.items() if name.endswith(end)), None)
    if byte is None or not name.strip(b"\x00"):
        raise Unclear(Phrase("the holder's name is not shorter than its field, or not written"))
    card.see("an_padding", byte, f"{asked[:8]} {asked[8:]} → …{name[-1:].hex().upper()} 9000")


def key_limit(card: ProbedCard) -> None:
    """A wrong proof of the last version of RK2DF03 after a right one, which restores its tries too."""
    card.need_keys()
    card.need("may_block")
    if card.claim.get("key_tries", 1) < FEWEST:
        card.need("may_destroy")  # a limit of one: the key would be exhausted
    card.begin(DF03)
    card.prove("RK2DF03", READER, LAST_VERSION)
    left = tries_in(card.prove("RK2DF03", READER, LAST_VERSION, right=False))
    card.see("key_tries", None if left is None else left + 1)
    if left:
        card.prove("RK2DF03", READER, LAST_VERSION)


def failed_mac(card: ProbedCard) -> None:
    """A wrong MAC with PUK proven: is it still, and how many tries has it lost?"""
    card.need_keys()
    limit = card.number("key_tries")
    cost = 2 if card.value("challenge_lasts") in ("use", "command") else 3
    if limit - cost < 1:
        raise Unclear(Phrase("{limit} tries of the PUK are too few", limit=limit))
    if limit - cost < FEWEST:
        card.need("may_block")
    card.prove_puk()
    card.raw("0084000008")
    sw = card.raw(NO_MAC).sw
    wrong = 1
    try:
        if sw != SW.WRONG_SECURE_MESSAGE:
            raise Unclear(Phrase("the card does not answer 6988 to a wrong MAC"))
        sw = card.raw(NO_MAC).sw
        wrong += sw == SW.WRONG_SECURE_MESSAGE
        card.see("failed_mac_clears", sw == SW.SECURITY_NOT_SATISFIED, card.last(2))
        left = tries_in(card.prove_puk(right=False))
        lost = None if left is None else limit - 1 - left
        card.see("failed_mac_counts", None if lost not in (0, wrong) else bool(lost))
    finally:
        card.prove_puk()


def _need_unblocks(card: ProbedCard) -> None:
    """That PIN CHANGE/UNBLOCK may succeed a few times, each of which counts toward a limit that nothing restores."""
    card.need_keys()
    card.need("may_block")
    if 0 < card.claim.get("unlock_limit", 1) < ENOUGH_UNBLOCKS:
        card.need("may_destroy")


def _unblock(card: ProbedCard) -> None:
    card.prove_puk()
    sw = card.seal(UNBLOCK)
    if sw != SW.OK:
        raise ApduError(flows.UNBLOCK_PIN, sw)


def unblock(card: ProbedCard) -> None:
    """PIN CHANGE/UNBLOCK: is PUK still proven after it, and the PIN verified?"""
    _need_unblocks(card)
    card.begin(DF04)
    _unblock(card)
    held, shown = _holds_puk(card), card.evidence
    if not held:
        card.prove_puk()  # refused if the unblock was the last one that the card permits
    card.see("puk_once", not held, shown)
    card.need_pin()
    after = []
    for verified in (False, True):
        card.begin(DF04)
        if verified:
            card.verify()
        _unblock(card)
        after.append(card.verified())
    effects = {(True, True): "set", (False, True): "keep", (False, False): "clear"}
    card.see("reset_pin_status", effects.get((after[0], after[1])))


def blocked_pin(card: ProbedCard) -> None:
    """VERIFY without data while the PIN is blocked: as the card is, or after wrong PINs; then it is unblocked."""
    sw, shown = card.first_query
    if sw in CHOICES["blocked_query"].allowed:
        card.see("blocked_query", sw, shown)
        return
    card.need_pin()
    _need_unblocks(card)
    limit = card.number("pin_tries")
    card.verify()
    card.prove_puk()
    try:
        for _ in range(limit):
            card.fail()
        card.see_status("blocked_query", card.raw("0020000000").sw)
    finally:
        _unblock(card)


def no_pin(card: ProbedCard) -> None:
    """The PIN is taken away: VERIFY with one, PIN CHANGE/UNBLOCK; then the PIN is set again."""
    card.spare_tries(1)
    card.need("may_write")
    limit = card.number("pin_tries")
    sw = card.change(card.pin, b"")
    if sw != SW.OK:
        raise ApduError(flows.CHANGE, sw)
    with card.changed(b""):
        left = tries_in(card.fail().sw)
        card.see("empty_pin_counts", None if left not in (limit - 1, limit) else left < limit)
        _need_unblocks(card)
        card.prove_puk()
        sw = card.seal(UNBLOCK)
        card.see_case("reset_empty_pin", sw, {SW.OK: True, SW.CONDITIONS_NOT_SATISFIED: False})


def empty_resets(card: ProbedCard) -> None:
    """PIN resets that set no PIN, without an enciphered part and with an empty block, and one of 16 digits."""
    card.need_pin()
    card.need("may_write")
    _need_unblocks(card)
    cases: dict[int, int | str] = {SW.OK: True, SW.WRONG_DATA: False}
    for name, header, pin in (
        ("empty_pin_without_block", EMPTY_RESET, None),
        ("empty_pin_as_block", "8424", b""),
        ("two_block_pin", "8424", LONG_PIN),
    ):
        if pin == LONG_PIN and card.value("algorithm") != "DES":
            raise Unclear(Phrase("shows only on a card with DES"))
        card.prove_puk()
        sw = card.seal(header, pin)
        card.see_case(name, sw, cases)
        if sw == SW.OK:
            with card.changed(pin or b""):
                pass


def transaction_type(card: ProbedCard) -> None:
    """A purchase of amount 0, with the type in ASCII, then binary: the account has one transaction more."""
    card.need_pin()
    card.need_keys()
    card.need("may_write")
    for ascii_type in (True, False):
        try:
            card.pay(datetime.now().astimezone(), ascii_type=ascii_type)
        except ApduError as error:
            if error.sw != SW.WRONG_MAC:
                raise
            continue
        card.see("transaction_type_ascii", ascii_type)
        return
    raise Unclear(Phrase("the card accepts neither MAC1"))


def unlock_limit(card: ProbedCard) -> None:
    """PIN CHANGE/UNBLOCK until the PUK is blocked for ever, or more often than any limit allows."""
    card.need_keys()
    card.need("may_block")
    card.need("may_destroy")
    for _ in range(MOST_UNBLOCKS + 1):
        try:
            _unblock(card)
        except ApduError as error:
            if not card.may.new or error.sw != SW.METHOD_BLOCKED:
                raise Unclear(
                    Phrase("the PUK is blocked, and the card is not known to be new: see fresh in the testbed file")
                ) from None
            card.see("unlock_limit", card.unblocks)
            return
    card.see("unlock_limit", 0)


def card_block(card: ProbedCard) -> None:
    """CARD BLOCK, then SELECT of the financial or bank application. Nothing restores the card."""
    if not card.value("financial") and not card.value("bank_application"):
        raise Unclear(Phrase("shows only on a card with a financial application"))
    card.need_keys()
    card.need("may_destroy")
    card.prove("BK", BK, named=False)
    sw = card.seal(CARD_BLOCK)
    if sw != SW.OK:
        raise ApduError(Phrase("CARD BLOCK"), sw)
    name = FINANCIAL_NAME if card.value("financial") else BANK.aid
    sw = card.ask(command(0x00, 0xA4, 0x04, 0, name)).sw
    card.see_case("card_block_reaches_financial", sw, {SW.NOT_SUPPORTED: True, SW.OK: False})


def certificate_pins(card: ProbedCard) -> None:
    """No probe: a wrong PIN of this application costs a try that only that PIN restores."""
    if card.value("certificate_application") == "absent":
        raise Unclear(Phrase("the card has no certificate application"))
    raise Unclear(Phrase("needs the PINs of the certificate application"))
