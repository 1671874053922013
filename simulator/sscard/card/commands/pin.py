"""The PIN commands: VERIFY, CHANGE PIN, PIN CHANGE/UNBLOCK (LD/T 32.5, card-commands.md §1.9–1.11)."""

from __future__ import annotations

from typing import Final

from sscard.card.commands.declared import (
    CHALLENGE,
    LOCKABLE,
    MAC,
    NO_PARAMETERS,
    SELECT_SSSE,
    WRONG_MAC,
    proof,
)
from sscard.card.commands.secure import mac_is_right, session_key
from sscard.card.session import Session
from sscard.chip.answers import (
    CONDITIONS_NOT_SATISFIED,
    KEY_NOT_FOUND,
    METHOD_BLOCKED,
    OK,
    SECURITY_NOT_SATISFIED,
    TRIES,
    WRONG_DATA,
    WRONG_LENGTH,
    WRONG_SECURE_MESSAGE,
    answer,
)
from sscard.chip.command import Command, Field, Parameter, Sent
from sscard.i18n.phrase import Phrase, Words
from sscard.standard.apdu import SW
from sscard.standard.choices import StatusEffect
from sscard.standard.cipher import MAC_LENGTH, BlockKey, equal
from sscard.standard.encoding import digits_in
from sscard.standard.tree import PIN, PIN_TRIES, PIN_VERIFIED, Layout

SEPARATOR: Final = b"\xff"
MIN_CHANGE: Final = 3
MAX_CHANGE: Final = 17
UNBLOCK: Final = 0x00
RESET: Final = 0x01


def verify(session: Session) -> bytes:
    """Verify the PIN (2–8 bytes cn); without data return the tries left."""
    if session.df.outside:
        return KEY_NOT_FOUND
    data = session.data
    memory = session.memory
    tries = memory.numbers[PIN_TRIES]
    if not data:
        if not memory.strings[PIN]:
            return OK
        if not tries:
            return answer(session.personality.blocked_query)
        verified = session.status & PIN_VERIFIED and session.personality.verified_query_ok
        return OK if verified else TRIES[tries]
    if not tries:
        return METHOD_BLOCKED
    if _attempt(session, tries, data):
        memory.put_number(PIN_TRIES, session.personality.pin_tries)
        session.status |= PIN_VERIFIED
        return OK
    if session.personality.failed_verify_clears:
        session.status &= ~PIN_VERIFIED
    return TRIES[memory.numbers[PIN_TRIES]]


def _attempt(session: Session, tries: int, given: bytes) -> bool:
    """Decrement the retry counter, then compare, so that a tear cannot restore the try (card-security.md §10.3)."""
    memory = session.memory
    stored = memory.strings[PIN]
    if not stored and not session.personality.empty_pin_counts:
        return False
    memory.put_number(PIN_TRIES, tries - 1)
    return equal(given, stored)


def change_pin(session: Session) -> bytes:
    """Replace the PIN by ``old ‖ FF ‖ new``; either side may be absent (no PIN)."""
    data = session.data
    if not session.p1:
        return answer(session.personality.reload_pin)
    if not MIN_CHANGE <= len(data) <= MAX_CHANGE:
        return WRONG_LENGTH
    if session.df.outside:
        return KEY_NOT_FOUND
    memory = session.memory
    tries = memory.numbers[PIN_TRIES]
    if tries == 0:
        return METHOD_BLOCKED
    personality = session.personality
    old, separator, new = data.partition(SEPARATOR)
    if (
        not separator
        or (old and not digits_in(old))
        or (new and digits_in(new) < personality.pin_min_digits)  # [OC-19, OC-19b]
    ):
        return WRONG_DATA
    if not old and not memory.strings[PIN]:
        right = True
    elif not old and not personality.absent_old_pin_counts:
        return WRONG_DATA
    else:
        right = _attempt(session, tries, old)
    if not right:
        return TRIES[memory.numbers[PIN_TRIES]]
    if not personality.same_pin_allowed and equal(old, new):
        memory.put_number(PIN_TRIES, tries)
        return WRONG_DATA
    memory.put_both(PIN_TRIES, personality.pin_tries, PIN, new)
    if personality.change_pin_status != "keep":
        _set_status(session, personality.change_pin_status)
    return OK


def _set_status(session: Session, effect: StatusEffect) -> None:
    """Update "PIN verified" after a new or unblocked PIN [OC-6]."""
    if effect == "set":
        session.status |= PIN_VERIFIED
    elif effect == "clear":
        session.status &= ~PIN_VERIFIED


def pin_change_unblock(session: Session) -> bytes:
    """Unblock (P2=00: MAC) or reset the PIN (P2=01: enciphered PIN ‖ MAC) after PUK authentication."""
    p2 = session.p2
    data = session.data
    enciphered = data[:-MAC_LENGTH]
    if (p2 == UNBLOCK and enciphered) or len(enciphered) % session.profile.suite.block:
        return WRONG_LENGTH
    if session.df.outside:
        return KEY_NOT_FOUND
    personality = session.personality
    puk = session.layout.puk
    memory = session.memory
    counter = session.layout.counter(puk, 0)
    tries = memory.numbers[counter]
    if not session.status & 2 << puk or not tries:
        return SECURITY_NOT_SATISFIED
    if not session.challenge:
        return answer(personality.no_challenge)
    stk = session_key(session, session.layout.stk)
    if not mac_is_right(session, stk, bytes((0x84, 0x24, 0x00, p2))):
        if personality.failed_mac_counts:
            memory.put_number(counter, tries - 1)
        if personality.failed_mac_clears:
            session.status &= ~(2 << puk)
        return WRONG_SECURE_MESSAGE
    if not memory.strings[PIN] and not personality.reset_empty_pin:
        return CONDITIONS_NOT_SATISFIED
    contents = []
    if p2 == RESET:
        new = _new_pin(session, stk, enciphered)
        if new is None:
            return WRONG_DATA
        contents.append((PIN, new))
    memory.commit([(PIN_TRIES, personality.pin_tries), *_counted(session)], contents)
    _set_status(session, personality.reset_pin_status)
    if personality.puk_once:
        session.status &= ~(2 << puk)
    return OK


def _counted(session: Session) -> list[tuple[int, int]]:
    """What an unblock or reset writes under a limit: the count, and after the last one no try for the PUK [OC-42]."""
    limit, layout = session.personality.unlock_limit, session.layout
    if not limit:
        return []
    unlocks = session.memory.numbers[layout.unlocks] + 1
    return [(layout.unlocks, unlocks), *([(layout.counter(layout.puk, 0), 0)] if unlocks >= limit else [])]


def _new_pin(session: Session, stk: BlockKey, enciphered: bytes) -> bytes | None:
    """The PIN to store, ``None`` if the personality refuses it [OC-14, OC-19, OC-20, OC-24]."""
    personality = session.personality
    if not enciphered:
        return b"" if personality.empty_pin_without_block else None
    pin = session.profile.suite.decipher_pin(stk, enciphered)
    if pin is None:
        return None
    if not pin:
        return pin if personality.empty_pin_as_block else None
    if digits_in(pin) < personality.pin_min_digits:
        return None
    if len(pin) == 8 and session.profile.suite.block == 8 and not personality.two_block_pin:
        return None
    if not personality.same_pin_allowed and equal(pin, session.memory.strings[PIN]):
        return None
    return pin


def _verify_words(layout: Layout, p1: int, p2: int, data: bytes, le: int) -> Phrase:
    if not data:
        return Phrase("ask the tries left")
    return Phrase.plural("PIN of {count} byte", "PIN of {count} bytes", count=len(data))


def _reset_words(layout: Layout, p1: int, p2: int, data: bytes, le: int) -> Phrase:
    if p2 == UNBLOCK:
        return Phrase("unblock")
    if len(data) < MAC_LENGTH:
        return Phrase("reset without a PIN")
    return Phrase.plural(
        "reset, enciphered PIN of {count} byte",
        "reset, enciphered PIN of {count} bytes",
        count=len(data) - MAC_LENGTH,
    )


_COMMON: Final = {
    **LOCKABLE,
    SW.MEMORY_FAILURE: Phrase("memory failure; the PIN is unchanged"),
    SW.KEY_NOT_FOUND: Phrase("no PIN here: the current DF lies outside SSSE"),
}
_PIN_BYTES: Final = range(2, 9)

VERIFY: Final = Command(
    "VERIFY",
    "校验个人密码",
    "card-commands.md §1.9",
    (0x00,),
    0x20,
    verify,
    {
        **_COMMON,
        SW.OK: Phrase("PIN right, and verified until power-off; without data: no PIN is set"),
        SW.TRIES_LEFT: Phrase("PIN wrong, x tries left; without data: x tries left, none is used"),
        SW.MEMORY_FAILURE: Phrase("memory failure; nothing is compared"),
        SW.METHOD_BLOCKED: Phrase("the PIN is blocked"),
        SW.NO_CHALLENGE: Phrase("listed by the standard; VERIFY uses no challenge"),
    },
    parameters=NO_PARAMETERS,
    data=(Field(Words("PIN; absent: ask for the tries left", "个人密码；缺省：查询剩余次数"), (0, *_PIN_BYTES), "cn"),),
    choices=("pin_tries", "blocked_query", "verified_query_ok", "empty_pin_counts", "failed_verify_clears"),
    example=(
        SELECT_SSSE,
        Sent("0020000000", "63C6"),
        Sent("0020000003 111111", "63C5"),
        Sent("0020000003 123456"),
    ),
    words=_verify_words,
    secret=slice(None),
    pins=b"",
)
CHANGE_PIN: Final = Command(
    "CHANGE PIN",
    "修改个人密码",
    "card-commands.md §1.10",
    (0x80,),
    0x5E,
    change_pin,
    {
        **_COMMON,
        SW.OK: Phrase("PIN changed, set or switched off; the retry counter is at the limit"),
        SW.TRIES_LEFT: Phrase("old PIN wrong, x tries left"),
        SW.METHOD_BLOCKED: Phrase("the PIN is blocked"),
        SW.WRONG_DATA: Phrase("no FF, a PIN that is not 2 to 8 bytes cn, or a new PIN with too few digits"),
    },
    parameters=(
        Parameter(0x01, 0x00, Phrase("change")),
        Parameter(0x00, 0x00, Phrase("reload of other card families; always refused")),
    ),
    data=(
        Field(Words("old PIN; absent if none is set", "原密码；未设时缺省"), (0, *_PIN_BYTES), "cn"),
        Field(Words("separator", "分隔符"), (1,), SEPARATOR.hex().upper()),
        Field(Words("new PIN; absent: switch the PIN off", "新密码；缺省：取消密码"), (0, *_PIN_BYTES), "cn"),
    ),
    lc=range(MIN_CHANGE, MAX_CHANGE + 1),
    lengths=range(256),
    choices=(
        "pin_tries",
        "pin_min_digits",
        "empty_pin_counts",
        "change_pin_status",
        "reload_pin",
        "same_pin_allowed",
        "absent_old_pin_counts",
    ),
    example=(SELECT_SSSE, Sent("805E010007 123456 FF 654321"), Sent("0020000003 654321")),
    secret=slice(None),
    pins=SEPARATOR,
)
PIN_CHANGE_UNBLOCK: Final = Command(
    "PIN CHANGE/UNBLOCK",
    "个人密码修改/解锁",
    "card-commands.md §1.11",
    (0x84,),
    0x24,
    pin_change_unblock,
    {
        **_COMMON,
        SW.OK: Phrase("PIN unblocked, or the new PIN is set; the retry counter is at the limit"),
        SW.WRONG_LENGTH: Phrase("Lc does not fit P2 or the block length"),
        SW.SECURITY_NOT_SATISFIED: Phrase("PUK is not proven, or blocked"),
        SW.NO_CHALLENGE: Phrase("no challenge since PUK was proven"),
        SW.CONDITIONS_NOT_SATISFIED: Phrase("no PIN is set"),
        SW.WRONG_SECURE_MESSAGE: WRONG_MAC,
        SW.WRONG_DATA: Phrase("new PIN refused: LD, padding, digits or length wrong"),
    },
    parameters=(
        Parameter(0x00, UNBLOCK, Phrase("unblock: retry counter to the limit, PIN unchanged (Lc 04)")),
        Parameter(0x00, RESET, Phrase("reset: new PIN, retry counter to the limit (Lc 0C or 14)")),
    ),
    data=(
        Field(
            Words("LD ‖ new PIN ‖ padding, enciphered; absent to unblock", "LD‖新密码‖填充，加密；解锁时缺省"),
            (0, 8, 16),
        ),
        MAC,
    ),
    choices=(
        "pin_tries",
        "pin_min_digits",
        "reset_pin_status",
        "failed_mac_counts",
        "failed_mac_clears",
        "puk_once",
        "challenge_lasts",
        "no_challenge",
        "empty_pin_without_block",
        "empty_pin_as_block",
        "same_pin_allowed",
        "two_block_pin",
        "reset_empty_pin",
        "unlock_limit",
    ),
    example=(
        SELECT_SSSE,
        *proof("PUK", 0x06),
        CHALLENGE,
        Sent("8424000004 {mac STK}"),
        CHALLENGE,
        Sent("8424000114 {enciphered 654321} {mac STK}"),
        Sent("0020000003 654321"),
    ),
    words=_reset_words,
    spends_challenge=True,
    secret=slice(None, -MAC_LENGTH),
)
