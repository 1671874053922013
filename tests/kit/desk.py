"""A desk with every key of the card: proofs for any key, MACs under any STK, the medical account's counterpart.

The formulas are those of card-commands.md §3.3 and card-security.md §4–6, over the keys of the card at hand.
"""

from __future__ import annotations

from random import Random

from kit import NAME, ORIGINAL, Desk
from sscard.issuer import Card
from sscard.standard.cipher import BlockKey
from sscard.standard.tree import CARD_BLOCKED, Account

TERMINAL = "510100000001"
TIME = "20250101123000"
LOAD, PURCHASE = 1, 2


class WholeDesk(Desk):
    """A desk that can prove every key of its card and play host and PSAM of the medical account."""

    last = b""
    """The answer to the INITIALIZE that a test goes on from."""

    @classmethod
    def with_card(cls, card: Card, *, contact: bool = False) -> WholeDesk:
        """A desk for a card that is there already, powered."""
        desk = cls.__new__(cls)
        desk.card, desk.personality, desk.suite = card, card.profile.personality, card.profile.suite
        desk.chip = card.chip(Random(1), contact=contact)
        desk.chip.power_on()
        desk.random = b""
        return desk

    def select(self, df: str) -> int:
        """SSSE by name, a DF by its FID as its name tells it, the financial DDF by name."""
        if df == "SSSE":
            return self.sw(f"00A404000F{NAME}")
        if df == "financial":
            return self.sw(f"00A404000E{b'1PAY.SYS.DDF01'.hex()}")
        return self.sw(f"00A4000002{df}")

    def number(self, name: str) -> int:
        layout = self.card.profile.layout
        return layout.keys[layout.key_named(name)].number

    def value(self, name: str, version: int = 1) -> bytes:
        """The key as it stands on this card."""
        profile = self.card.profile
        return profile.key(profile.layout.key_named(name), version - 1)

    def prove(self, name: str, *, right: bool = True, version: int | None = None) -> bytes:
        """EXTERNAL AUTHENTICATION with a key by name, over the last challenge taken."""
        key = self.suite.key(self.value(name, version or 1))
        data = self.suite.authenticate(key, self.random or bytes(8), ORIGINAL) + ORIGINAL
        if not right:
            data = bytes((data[0] ^ 1,)) + data[1:]
        if version is not None:
            data += bytes((version,))
        return bytes((0x00, 0x82, 0x00, self.number(name), len(data))) + data

    def hold(self, name: str) -> None:
        """Prove a key."""
        self.challenge()
        assert self.sw(self.prove(name)) == 0x9000

    def sealed(self, header: str, data: str = "", *, stk: str = "STK", right: bool = True) -> bytes:
        """CLA INS P1 P2 ‖ Lc ‖ data ‖ MAC under a STK, over the last challenge taken."""
        session = self.suite.session_key(self.suite.key(self.value(stk)), self.random or bytes(8))
        content = bytes.fromhex(data)
        message = bytes.fromhex(header) + bytes((len(content) + 4,)) + content
        mac = self.suite.mac(session, message)
        return message + (mac if right else bytes((mac[0] ^ 1,)) + mac[1:])

    def block_df(self, df: str) -> None:
        """Block an application behind the card's back and power the card anew."""
        layout = self.card.profile.layout
        self.memory.put_number(next(found.blocked_cell for found in layout.dfs if found.name == df), 1)
        self.repower()

    def block_all(self) -> None:
        self.memory.put_number(CARD_BLOCKED, 1)
        self.repower()

    # The medical account

    def account(self, which: Account) -> int:
        return self.memory.numbers[self.card.profile.layout.medical + which]

    def set_account(self, which: Account, value: int) -> None:
        self.memory.put_number(self.card.profile.layout.medical + which, value)

    def details(self) -> list[bytes]:
        """The records of EF08, newest first."""
        layout = self.card.profile.layout
        file = layout.file(0xDF04, 0x08)
        assert file is not None
        content = self.memory.strings[file.cell]
        return [content[at : at + 28] for at in range(0, len(content), 28)]

    def open_account(self) -> None:
        """DF04 selected, PIN verified."""
        assert self.verify() == 0x9000
        assert self.select("DF04") & 0xFF00 in (0x9000, 0x6100)

    def kind(self, number: int) -> bytes:
        return bytes((number + 0x30 if self.personality.transaction_type_ascii else number,))

    def fetch(self, command: bytes | str) -> bytes:
        """Send and fetch what waits; data ‖ SW."""
        answer = self.send(command)
        return self.send(bytes((0x00, 0xC0, 0, 0, answer[1]))) if len(answer) == 2 and answer[0] == 0x61 else answer

    def load_key(self, opened: bytes, version: int = 1) -> BlockKey:
        """SESLK from the answer to INITIALIZE FOR LOAD."""
        count, random = opened[4:6], opened[8:12]
        return self.suite.session_key(self.suite.key(self.value("DLK", version)), random + count + b"\x80\x00")

    def purchase_key(self, opened: bytes, terminal_count: bytes, version: int = 1) -> BlockKey:
        """SESPK from the answer to INITIALIZE FOR PURCHASE."""
        count, random = opened[14:16], opened[18:22]
        return self.suite.session_key(self.suite.key(self.value("DPK", version)), random + count + terminal_count[-2:])

    def tac(self, message: bytes) -> bytes:
        value = self.value("DTK")
        if self.suite.block == 8:
            value = bytes(left ^ right for left, right in zip(value[:8], value[8:], strict=True))
        return self.suite.mac(self.suite.key(value), message)

    def begin_load(self, amount: int, version: int = 1) -> bytes:
        """INITIALIZE FOR LOAD; data ‖ SW."""
        data = bytes((version,)) + amount.to_bytes(4, "big") + bytes.fromhex(TERMINAL)
        return self.fetch(b"\xb0\x28\x00\x01\x0b" + data)

    def credit(self, opened: bytes, amount: int, *, time: str = TIME, right: bool = True, version: int = 1) -> bytes:
        """The CREDIT FOR LOAD that belongs to an answer to INITIALIZE FOR LOAD."""
        entry = amount.to_bytes(4, "big") + self.kind(LOAD) + bytes.fromhex(TERMINAL) + bytes.fromhex(time)
        mac = self.suite.mac(self.load_key(opened, version), entry)
        if not right:
            mac = bytes((mac[0] ^ 1,)) + mac[1:]
        return b"\xb0\x2a\x00\x00\x0b" + bytes.fromhex(time) + mac

    def begin_purchase(self, account: int, self_paid: int = 0, pool: int = 0, version: int = 1) -> bytes:
        """INITIALIZE FOR PURCHASE; data ‖ SW."""
        data = bytes((version,)) + amounts(account, self_paid, pool) + bytes.fromhex(TERMINAL)
        return self.fetch(b"\xb0\x28\x01\x01\x13" + data)

    def debit(
        self,
        opened: bytes,
        account: int,
        self_paid: int = 0,
        pool: int = 0,
        *,
        time: str = TIME,
        terminal_count: int = 0x23,
        right: bool = True,
        version: int = 1,
    ) -> bytes:
        """The DEBIT FOR PURCHASE that belongs to an answer to INITIALIZE FOR PURCHASE."""
        count = terminal_count.to_bytes(4, "big")
        entry = amounts(account, self_paid, pool) + self.kind(PURCHASE) + bytes.fromhex(TERMINAL) + bytes.fromhex(time)
        mac = self.suite.mac(self.purchase_key(opened, count, version), entry)
        if not right:
            mac = bytes((mac[0] ^ 1,)) + mac[1:]
        return b"\xb0\x2c\x01\x00\x0f" + count + bytes.fromhex(time) + mac

    def load(self, amount: int, *, time: str = TIME) -> bytes:
        """A whole load; the answer to CREDIT."""
        opened = self.begin_load(amount)
        assert opened[-2:] == b"\x90\x00", opened[-2:].hex()
        return self.fetch(self.credit(opened, amount, time=time))

    def purchase(self, account: int, self_paid: int = 0, pool: int = 0, *, time: str = TIME) -> bytes:
        """A whole purchase; the answer to DEBIT."""
        opened = self.begin_purchase(account, self_paid, pool)
        assert opened[-2:] == b"\x90\x00", opened[-2:].hex()
        return self.fetch(self.debit(opened, account, self_paid, pool, time=time))

    def proof_of(self, kind: int, count: int) -> bytes:
        """GET TRANSACTION PROOF; data ‖ SW."""
        return self.fetch(bytes((0xB0, 0x2E, 0, kind, 2)) + count.to_bytes(2, "big"))


def amounts(account: int, self_paid: int, pool: int) -> bytes:
    return b"".join(amount.to_bytes(4, "big") for amount in (account, self_paid, pool))
