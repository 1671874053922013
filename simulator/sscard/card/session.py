"""The volatile state of a card: selection, security statuses, challenge, pending answer."""

from __future__ import annotations

from sscard.card.profile import Profile
from sscard.chip.answers import APPLICATION_BLOCKED, NOT_SUPPORTED
from sscard.chip.memory import Memory
from sscard.chip.session import ChipSession, Random
from sscard.standard.tree import CARD_BLOCKED, PIN, PIN_VERIFIED, DfSpec, FileSpec


class Transaction:
    """A medical transaction between its INITIALIZE and its CREDIT or DEBIT.

    ``amounts`` is the amount of a load (4 bytes) or account, self-paid and
    pool amount of a purchase (12 bytes); ``terminal`` 6, ``random`` 4 bytes.
    """

    __slots__ = ("amounts", "count", "key_version", "purchase", "random", "terminal")

    def __init__(
        self, purchase: bool, key_version: int, amounts: bytes, terminal: bytes, count: int, random: bytes
    ) -> None:
        self.purchase = purchase
        self.key_version = key_version
        self.amounts = amounts
        self.terminal = terminal
        self.count = count
        self.random = random


class Session(ChipSession):
    """The session of a powered card.

    ``status`` is a mask of security statuses (see ``layout``), ``record`` the
    current record from 1 (0: none). ``own_status`` is the mask of the verified
    PINs of the certificate application: bit 0 the user's, bit 1 the administrator's.
    """

    __slots__ = (
        "df",
        "ef",
        "layout",
        "own_status",
        "partial",
        "personality",
        "profile",
        "record",
        "status",
        "transaction",
    )

    def __init__(self, profile: Profile, memory: Memory, random: Random, contact: bool) -> None:
        super().__init__(memory, random, contact, profile.personality.challenge_lasts)
        self.profile = profile
        self.personality = profile.personality
        self.layout = profile.layout
        self.df: DfSpec = profile.layout.dfs[0]
        self.ef: FileSpec | None = None
        self.record = 0
        self.status = 0
        self.own_status = 0
        self.partial = (b"", 0)
        self.barred = self.block_of(self.df)
        self.transaction: Transaction | None = None

    def block_of(self, df: DfSpec) -> bytes:
        """The status word of a blocked DF or card, empty if neither is blocked [OC-29, OC-34]."""
        numbers = self.memory.numbers
        if numbers[CARD_BLOCKED] and not (df.financial and not self.personality.card_block_reaches_financial):
            return NOT_SUPPORTED
        return APPLICATION_BLOCKED if numbers[df.blocked_cell] else b""

    def enter(self, df: DfSpec) -> None:
        """Make a DF current; statuses and challenge follow the rule of the personality [OC-9]."""
        self.ef = None
        self.record = 0
        if df is self.df:
            return
        self.df = df
        self.challenge = b""
        self.transaction = None
        keeps = self.personality.select_keeps
        if keeps == "pin":
            self.status &= PIN_VERIFIED
        elif keeps == "nothing":
            self.status = self.own_status = 0
        self.attentive = self.attentive or df.certificates  # so that the chip takes its commands
        self.barred = self.block_of(df)

    def open(self, ef: FileSpec, record: int) -> None:
        """Make an EF current, with this current record (0: none)."""
        self.ef = ef
        self.record = record

    def record_in(self, ef: FileSpec) -> int:
        """The current record of an EF, 0 if the EF is not current."""
        return self.record if ef is self.ef else 0

    def allows(self, rule: tuple[int, ...]) -> bool:
        """Whether the statuses held satisfy an access rule; with no PIN set, "PIN" is satisfied."""
        status = self.status
        if not self.memory.strings[PIN]:
            status |= PIN_VERIFIED
        for way in rule:
            if way & status == way:
                break
        else:
            return False
        return True
