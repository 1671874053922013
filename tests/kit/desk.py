"""A desk that speaks raw APDUs to a card and can prove every key of it.

The formulas are those of card-commands.md §3.3 and card-security.md §4–6, over ``sscard.standard.cipher``, which
``test_cipher.py`` holds to the vectors of the specification; everything else is in bytes of card-commands.md.
"""

from __future__ import annotations

from random import Random

from kit.cards import NAME, NAMES, ORIGINAL, PIN, PUK, card_of, order_of
from kit.command_sheet import allowed, generic
from sscard.card import Personality
from sscard.chip.memory import Memory
from sscard.conversation.explain import find_declaration
from sscard.issuer import Card, CardReference
from sscard.issuer.personalise import card_reference
from sscard.standard.cipher import BlockKey
from sscard.standard.encoding import encode_pin
from sscard.standard.tree import CARD_BLOCKED, Account

TERMINAL = "510100000001"
TIME = "20250101123000"
LOAD, PURCHASE = 1, 2


class Desk:
    """A powered chip and the keys of its card: APDUs in, status words out; host and PSAM of the medical account.

    SSSE is current. ``card`` is a card that exists already, in place of a new one with a personality and PIN.
    """

    last = b""
    """The answer to the INITIALIZE that a test continues from."""

    def __init__(
        self,
        personality: Personality | str = "v3-sm4",
        pin: str = PIN,
        *,
        contact: bool = False,
        seed: int = 1,
        card: Card | None = None,
    ) -> None:
        self.card = card or card_of(personality, pin)
        self.personality = self.card.profile.personality
        self.suite = self.card.profile.suite
        self.chip = self.card.chip(Random(seed), contact=contact)
        self.chip.power_on()
        self.random = b""
        if self.personality.ssse_fid != 0x3F00:
            assert self.select("SSSE") & 0xFF00 in (0x9000, 0x6100)

    @property
    def memory(self) -> Memory:
        return self.card.memory

    @property
    def reference(self) -> CardReference:
        """What HSM and PSAM diversify the keys of ``card_of`` with."""
        return card_reference(order_of(self.personality))

    @property
    def tries(self) -> int:
        return self.chip.snapshot().pin_tries

    def key_tries(self, name: str = "PUK") -> int:
        return self.chip.snapshot().key_tries[name][0]

    def send(self, command: bytes | str) -> bytes:
        """Send a command; its answer must be one that its declaration allows."""
        sent = bytes.fromhex(command) if isinstance(command, str) else command
        answer = self.chip.transmit(sent)
        declared = find_declaration(sent)
        if declared is not None:
            word = int.from_bytes(answer[-2:], "big")
            assert generic(word) in allowed(declared, self.personality), f"{declared.name} answers {word:04X}"
        return answer

    def sw(self, command: bytes | str) -> int:
        return int.from_bytes(self.send(command)[-2:], "big")

    def fetch(self, command: bytes | str) -> bytes:
        """Send and fetch what waits; data ‖ SW."""
        answer = self.send(command)
        return self.send(bytes((0x00, 0xC0, 0, 0, answer[1]))) if len(answer) == 2 and answer[0] == 0x61 else answer

    def select(self, df: str) -> int:
        """SSSE by name, a DF by its FID as its name gives it, the financial DDF by name."""
        if df == "SSSE":
            return self.sw(f"00A404000F{NAME}")
        if df == "financial":
            return self.sw(f"00A404000E{b'1PAY.SYS.DDF01'.hex()}")
        return self.sw(f"00A4000002{df}")

    def repower(self) -> None:
        self.chip.power_off()
        self.chip.power_on()
        self.random = b""

    # PIN and keys

    def verify(self, pin: str = PIN) -> int:
        return self.sw(verify(pin))

    def key(self, name: str, version: int = 1) -> bytes:
        """The key of this card."""
        profile = self.card.profile
        return profile.key(profile.layout.key_named(name), version - 1)

    def challenge(self, length: int = 8) -> bytes:
        answer = self.send(bytes((0x00, 0x84, 0, 0, length)))
        assert answer[-2:] == b"\x90\x00"
        self.random = answer[:-2]
        return self.random

    def proof(self, key: int | str = PUK, *, right: bool = True, version: int | None = None) -> bytes:
        """EXTERNAL AUTHENTICATION with a key, by name or number in SSSE, over the last challenge taken."""
        name = NAMES[key] if isinstance(key, int) else key
        layout = self.card.profile.layout
        value = self.suite.key(self.key(name, version or 1))
        data = self.suite.authenticate(value, self.random or bytes(8), ORIGINAL) + ORIGINAL
        if not right:
            data = spoilt(data)
        if version is not None:
            data += bytes((version,))
        return bytes((0x00, 0x82, 0x00, layout.keys[layout.key_named(name)].number, len(data))) + data

    def authenticate(self, key: int | str = PUK) -> None:
        """Take a challenge and prove a key."""
        self.challenge()
        assert self.sw(self.proof(key)) == 0x9000

    def sealed(self, header: str, data: bytes | str = "", *, stk: str = "STK", right: bool = True) -> bytes:
        """CLA INS P1 P2 ‖ Lc ‖ data ‖ MAC under a STK, over the last challenge taken."""
        content = bytes.fromhex(data) if isinstance(data, str) else data
        message = bytes.fromhex(header) + bytes((len(content) + 4,)) + content
        mac = self.suite.mac(self._session_key(stk), message)
        return message + (mac if right else spoilt(mac))

    def message(self, p2: int, plain: bytes = b"", *, right: bool = True) -> bytes:
        """A PIN CHANGE/UNBLOCK over the last challenge: ``plain`` is what gets enciphered, whole blocks."""
        enciphered = self._session_key("STK").encrypt(plain) if plain else b""
        return self.sealed(f"842400{p2:02X}", enciphered, right=right)

    def block(self, pin: bytes) -> bytes:
        """LD ‖ PIN ‖ padding, as card-security.md §5 pads it."""
        plain = bytes((len(pin),)) + pin
        if len(plain) % self.suite.block:
            plain += b"\x80"
            plain += bytes(-len(plain) % self.suite.block)
        return plain

    def _session_key(self, stk: str) -> BlockKey:
        return self.suite.session_key(self.suite.key(self.key(stk)), self.random or bytes(8))

    # What blocks

    def block_pin(self) -> None:
        """Wrong PINs until no try is left."""
        while self.tries:
            self.verify("999999")

    def block_key(self, number: int = PUK) -> None:
        """Wrong proofs until no try is left."""
        while self.key_tries(NAMES[number]):
            self.challenge()
            self.send(self.proof(number, right=False))

    def block_card(self) -> None:
        """Block the card behind its back and power it anew."""
        self.memory.put_number(CARD_BLOCKED, 1)
        self.repower()

    def block_application(self, df: str = "SSSE") -> None:
        """Block an application behind the card's back and power the card anew."""
        dfs = self.card.profile.layout.dfs
        self.memory.put_number(next(found.blocked_cell for found in dfs if found.name == df), 1)
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

    def load_key(self, opened: bytes, version: int = 1) -> BlockKey:
        """SESLK from the answer to INITIALIZE FOR LOAD."""
        count, random = opened[4:6], opened[8:12]
        return self.suite.session_key(self.suite.key(self.key("DLK", version)), random + count + b"\x80\x00")

    def purchase_key(self, opened: bytes, terminal_count: bytes, version: int = 1) -> BlockKey:
        """SESPK from the answer to INITIALIZE FOR PURCHASE."""
        count, random = opened[14:16], opened[18:22]
        return self.suite.session_key(self.suite.key(self.key("DPK", version)), random + count + terminal_count[-2:])

    def tac(self, message: bytes) -> bytes:
        """TAC over a message, by DTK."""
        value = self.key("DTK")
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
        return b"\xb0\x2a\x00\x00\x0b" + bytes.fromhex(time) + (mac if right else spoilt(mac))

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
        return b"\xb0\x2c\x01\x00\x0f" + count + bytes.fromhex(time) + (mac if right else spoilt(mac))

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


def spoilt(data: bytes) -> bytes:
    """The same bytes but for one bit."""
    return bytes((data[0] ^ 1,)) + data[1:]


def verify(pin: str) -> bytes:
    data = encode_pin(pin)
    return bytes((0x00, 0x20, 0x00, 0x00, len(data))) + data


def change(old: str, new: str) -> bytes:
    data = encode_pin(old) + b"\xff" + encode_pin(new)
    return bytes((0x80, 0x5E, 0x01, 0x00, len(data))) + data
