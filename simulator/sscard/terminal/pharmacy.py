"""A small pharmacy terminal: pays from DF04 with the PIN (LD/T 32.7 flows §7.3), an HSM in place of its PSAM."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sscard.hsm import Hsm
from sscard.i18n.language import _, is_chinese
from sscard.standard.apdu import command
from sscard.standard.cipher import equal
from sscard.terminal.errors import ApduError
from sscard.terminal.session import CardSession
from sscard.transport.connection import Connection

MEDICAL: Final = bytes.fromhex("DF04")
KEY_INDEX: Final = 1
PURCHASE_TYPES: Final = (b"\x02", b"\x32")
"""The transaction type that MAC1 covers, binary or ASCII [OC-18]."""
TERMINAL_NUMBER: Final = bytes.fromhex("410400000001")
WRONG_MAC2: Final = 0x9302


@dataclass(frozen=True, slots=True)
class Receipt:
    """A purchase that was posted: amounts in fen, the card's purchase count, its proof (TAC, 8 hex digits)."""

    account: int
    self_paid: int
    count: int
    time: datetime
    tac: str = field(repr=False)


class PharmacySession(CardSession):
    """A card at a pharmacy."""

    terminal_count = 0
    """How many purchases the session has begun."""

    @classmethod
    def start(cls, connection: Connection, hsm: Hsm) -> PharmacySession:
        """See ``CardSession.start``."""
        session = super().start(connection, hsm)
        assert isinstance(session, PharmacySession)
        return session

    def pay(
        self, pin: str, cost: int, hsm: Hsm, now: datetime, *, account: int = 0, ascii_type: bool = False
    ) -> Receipt:
        """Pay a cost in fen, ``account`` of it from the card's account and the rest out of the pocket.

        ``hsm`` stands in for the PSAM of the pharmacy. ``ApduError`` where the
        card refuses; ``WrongPin`` and ``PinBlocked`` as ``verify_pin``.
        """
        self._demand(command(0x00, 0xA4, 0x00, 0x00, MEDICAL), "SELECT DF04")
        self.verify_pin(pin)
        return self._purchase(account, cost - account, hsm, now, PURCHASE_TYPES[ascii_type])

    def _purchase(self, account: int, self_paid: int, hsm: Hsm, now: datetime, kind: bytes) -> Receipt:
        amounts = b"".join(amount.to_bytes(4, "big") for amount in (account, self_paid, 0))
        opening = self._demand(
            command(0xB0, 0x28, 0x01, 0x01, bytes((KEY_INDEX,)) + amounts + TERMINAL_NUMBER),
            _("initialize for purchase"),
        )
        count, version, random = opening[-8:-6], opening[-6], opening[-4:]
        self.terminal_count += 1
        terminal_count = self.terminal_count.to_bytes(4, "big")
        time = bytes.fromhex(f"{now:%Y%m%d%H%M%S}")
        key = (self._suite.algorithm_id, hsm.address_of("DPK", version - 1), self._reference)
        factor = random + count + terminal_count[2:]
        mac1 = hsm.purchase_mac(*key, factor, amounts + kind + TERMINAL_NUMBER + time)
        answer = self._demand(command(0xB0, 0x2C, 0x01, 0x00, terminal_count + time + mac1), _("debit for purchase"))
        if not equal(hsm.purchase_mac(*key, factor, amounts), answer[4:8]):
            raise ApduError(_("check MAC2"), WRONG_MAC2, chinese=is_chinese())
        return Receipt(account, self_paid, int.from_bytes(count, "big"), now, answer[:4].hex().upper())
