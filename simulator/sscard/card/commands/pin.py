"""The PIN's life: VERIFY, CHANGE PIN, PIN CHANGE/UNBLOCK (LD/T 32.5, card-commands.md §1.9–1.11)."""

from __future__ import annotations

from typing import Final

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
    WRONG_P1P2,
    WRONG_SECURE_MESSAGE,
    answer,
)
from sscard.chip.command import Command
from sscard.i18n.phrase import Phrase
from sscard.standard.apdu import SW
from sscard.standard.choices import Personality, StatusEffect
from sscard.standard.cipher import MAC_LENGTH, BlockKey, equal
from sscard.standard.encoding import digits_in
from sscard.standard.tree import PIN, PIN_TRIES, PIN_VERIFIED, Layout

SEPARATOR: Final = b"\xff"
UNBLOCK: Final = 0x00
RESET: Final = 0x01


def verify(session: Session) -> bytes:
    """Compare the PIN (2–8 bytes cn); without data tell the tries left."""
    data = session.data
    if session.df.outside:
        return KEY_NOT_FOUND
    memory = session.memory
    tries = memory.numbers[PIN_TRIES]
    personality = session.personality
    if not data:
        verified = session.status & PIN_VERIFIED and personality.verified_query_ok
        if not memory.strings[PIN] or (tries and verified):
            return OK
        return TRIES[tries] if tries else answer(personality.blocked_query)
    if tries == 0:
        return METHOD_BLOCKED
    if not _attempt(session, tries, data):
        if personality.failed_verify_clears:
            session.status &= ~PIN_VERIFIED
        return TRIES[memory.numbers[PIN_TRIES]]
    memory.put_number(PIN_TRIES, personality.pin_tries)
    session.status |= PIN_VERIFIED
    return OK


def _attempt(session: Session, tries: int, given: bytes) -> bool:
    """Pay one try, then compare: whatever tears afterwards, the try is gone (card-security.md §10.3)."""
    memory = session.memory
    stored = memory.strings[PIN]
    if not stored and not session.personality.empty_pin_counts:
        return False
    memory.put_number(PIN_TRIES, tries - 1)
    return equal(given, stored)


def change_pin(session: Session) -> bytes:
    """Replace the PIN by ``old ‖ FF ‖ new``; either side may be absent (no PIN)."""
    p1 = session.p1
    p2 = session.p2
    data = session.data
    if (p1, p2) != (1, 0):
        return WRONG_P1P2 if p1 or p2 else answer(session.personality.reload_pin)
    if not 3 <= len(data) <= 17:
        return WRONG_LENGTH
    if session.df.outside:
        return KEY_NOT_FOUND
    memory = session.memory
    tries = memory.numbers[PIN_TRIES]
    if tries == 0:
        return METHOD_BLOCKED
    old, separator, new = data.partition(SEPARATOR)
    if not separator or (old and not digits_in(old)) or not _acceptable(session.personality, new):
        return WRONG_DATA
    stored = memory.strings[PIN]
    if not old and not stored:
        right = True
    elif not old and not session.personality.absent_old_pin_counts:
        return WRONG_DATA
    else:
        right = _attempt(session, tries, old)
    if not right:
        return TRIES[memory.numbers[PIN_TRIES]]
    if equal(old, new) and not session.personality.same_pin_allowed:
        memory.put_number(PIN_TRIES, tries)
        return WRONG_DATA
    _store(session, new)
    _set_status(session, session.personality.change_pin_status)
    return OK


def _acceptable(personality: Personality, pin: bytes) -> bool:
    """A new PIN: empty, or 2–8 bytes cn with enough digits [OC-19, OC-19b]."""
    return not pin or digits_in(pin) >= personality.pin_min_digits


def _store(session: Session, pin: bytes) -> None:
    session.memory.commit([(PIN_TRIES, session.personality.pin_tries)], [(PIN, pin)])


def _set_status(session: Session, effect: StatusEffect) -> None:
    """What a new or freed PIN does to "PIN verified" [OC-6]."""
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
    if p2 == UNBLOCK:
        memory.put_number(PIN_TRIES, personality.pin_tries)
    else:
        new = _new_pin(session, stk, enciphered)
        if new is None:
            return WRONG_DATA
        _store(session, new)
    _set_status(session, personality.reset_pin_status)
    if personality.puk_once:
        session.status &= ~(2 << puk)
    return OK


def _new_pin(session: Session, stk: BlockKey, enciphered: bytes) -> bytes | None:
    """The PIN to store, ``None`` where the personality refuses it [OC-14, OC-19, OC-20, OC-24]."""
    personality = session.personality
    if not enciphered:
        return b"" if personality.empty_pin_without_block else None
    pin = session.profile.suite.decipher_pin(stk, enciphered)
    if pin is None or not _acceptable(personality, pin):
        return None
    if not pin:
        return pin if personality.empty_pin_as_block else None
    if len(pin) == 8 and session.profile.suite.block == 8 and not personality.two_block_pin:
        return None
    if not personality.same_pin_allowed and equal(pin, session.memory.strings[PIN]):
        return None
    return pin


def _verify_words(layout: Layout, p1: int, p2: int, data: bytes, le: int) -> Phrase:
    return Phrase("PIN of {length} bytes", length=len(data)) if data else Phrase("ask the tries left")


def _reset_words(layout: Layout, p1: int, p2: int, data: bytes, le: int) -> Phrase:
    if p2 == UNBLOCK:
        return Phrase("unblock")
    if len(data) < MAC_LENGTH:
        return Phrase("reset without a PIN")
    return Phrase("reset, enciphered PIN of {length} bytes", length=len(data) - MAC_LENGTH)


_COMMON: Final = (SW.OK, SW.MEMORY_FAILURE, SW.WRONG_LENGTH, SW.NOT_SUPPORTED, SW.WRONG_P1P2, SW.UNKNOWN_CLA)

VERIFY: Final = Command(
    "VERIFY",
    "校验个人密码",
    "1.9",
    (0x00,),
    0x20,
    verify,
    (*_COMMON, SW.TRIES_LEFT, SW.METHOD_BLOCKED, SW.NO_CHALLENGE, SW.KEY_NOT_FOUND, SW.APPLICATION_BLOCKED),
    p1p2=(0x0000,),
    lengths=(0, *range(2, 9)),
    words=_verify_words,
    secret=slice(None),
    pins=b"",
)
CHANGE_PIN: Final = Command(
    "CHANGE PIN",
    "修改个人密码",
    "1.10",
    (0x80,),
    0x5E,
    change_pin,
    (*_COMMON, SW.TRIES_LEFT, SW.METHOD_BLOCKED, SW.WRONG_DATA, SW.APPLICATION_BLOCKED),
    lengths=range(256),
    secret=slice(None),
    pins=SEPARATOR,
)
PIN_CHANGE_UNBLOCK: Final = Command(
    "PIN CHANGE/UNBLOCK",
    "个人密码修改/解锁",
    "1.11",
    (0x84,),
    0x24,
    pin_change_unblock,
    (
        *_COMMON,
        SW.SECURITY_NOT_SATISFIED,
        SW.NO_CHALLENGE,
        SW.CONDITIONS_NOT_SATISFIED,
        SW.WRONG_SECURE_MESSAGE,
        SW.WRONG_DATA,
        SW.KEY_NOT_FOUND,
        SW.APPLICATION_BLOCKED,
    ),
    p1p2=(0x0000, 0x0001),
    lengths=(0x04, 0x0C, 0x14),
    words=_reset_words,
    spends_challenge=True,
    secret=slice(None, -MAC_LENGTH),
)
