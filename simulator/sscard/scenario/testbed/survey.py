"""Reads a card once, so that a chip of sscard can follow it: its identity, its holder, its files, the PIN's tries."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from random import Random
from typing import Final

from sscard.card import Profile
from sscard.errors import HsmError, InputError
from sscard.i18n.phrase import Phrase
from sscard.issuer import Card, CardReference, Holder, make_holder, make_order, personalise
from sscard.issuer.personalise import diversify_for
from sscard.scenario.cards import CITY_CODE, CardData, holder_on
from sscard.scenario.issuing import Issuer
from sscard.scenario.testbed.card_kind import NO_SUCH_FILE, look_at
from sscard.scenario.testbed.file import Testbed
from sscard.scenario.testbed.operations import account, content, prove, select
from sscard.standard.apdu import SW
from sscard.standard.cipher import SUITES_BY_NAME
from sscard.standard.encoding import encode_pin
from sscard.standard.tree import PIN, PIN_TRIES, Account, DfSpec, Purpose
from sscard.terminal import CardSession, flows
from sscard.terminal.errors import ApduError, AuthenticationFailed, KeyBlocked, PinBlocked, WrongPin
from sscard.transport.connection import Connection

DAY_OF_ISSUE: Final = date(2026, 1, 5)
LEAST: Final = 3
"""Tries that the PIN must have before the survey verifies it."""
DF04: Final = 0xDF04
AMOUNTS: Final = (Account.BALANCE, Account.SELF_PAID, Account.POOL_PAID)
"""In the order of INITIALIZE FOR PURCHASE."""
WRONG_PIN: Final = Phrase("the card does not accept its PIN: {left} tries left")
GIVE_PIN: Final = Phrase("write its PIN with pin: under card: in a testbed file")
WRONG_KEY: Final = Phrase("the card does not accept the key {key}, version {version}: it has {left} tries left")
OTHER_KEYS: Final = Phrase(
    "the keys are not those of the card: its internal authentication is another; no try was lost"
)
GIVE_KEYS: Final = Phrase("name the root keys of its issuer with keys: under card:, or write keys: none")
OR_PERMIT: Final = Phrase("{remedy}; if its internal authentication is at fault, write may_destroy: yes")
GIVE_HSM: Final = Phrase("name the HSM that has the keys of the card with hsm:, or write keys: none under card:")
OTHER_ALGORITHM: Final = Phrase("the card is not of the claimed personality {name}: its FCI names another algorithm")
OTHER_CARD: Final = Phrase("put a new card there, or name a command that does with fresh: in the testbed file")
NOT_ONE: Final = Phrase("the card is {kind}. Its ATR is {atr}; it answers {answers}")
RAW_ONLY: Final = Phrase(
    "put a social security card there, or write personality: none under card: in a testbed file and name scenarios of"
    " raw commands"
)
GIVE_CLAIM: Final = Phrase("correct personality: under card: in the testbed file")


class UnusableCard(InputError):
    """The card cannot be selected or read: it is locked, or no social security card. Exit code 2."""


@dataclass(slots=True)
class Surveyed:
    """What is known of a card: ``card`` has its keys and what was read of its memory.

    ``unread`` are the files that could not be read, by name; ``card`` has those of a
    new card.
    """

    card: Card
    reference: CardReference
    holder: Holder
    unread: list[str] = field(default_factory=list)


def holder_for(wanted: CardData, surveyed: Surveyed) -> Holder:
    """The holder that a scenario states, else the one of the card."""
    return Holder(wanted.holder.name, wanted.holder.id_number) if wanted.holder else surveyed.holder


def survey(connection: Connection, testbed: Testbed, issuer: Issuer) -> Surveyed:
    """Read a card, which has no power before and after.

    Verifies the PIN and proves every key at hand once, which restores their tries. Unless the card may be destroyed,
    its internal authentication shows first whether the keys are its own: that costs no try. Errors: ``InputError`` if
    they are not, ``UnusableCard``, and those of the connection.
    """
    try:
        session = CardSession.start(connection, issuer.hsm)
        try:
            return _Survey(session, testbed, issuer).surveyed()
        finally:
            session.close()
    except ApduError as error:
        if error.sw in NO_SUCH_FILE:
            look = look_at(connection)
            problem = NOT_ONE.filled(kind=look.kind, atr=look.atr.hex(" ").upper(), answers=look.answers)
            raise UnusableCard(problem, remedy=RAW_ONLY) from None
        raise UnusableCard(
            Phrase("the card cannot be used: {problem}", problem=error.said), remedy=OTHER_CARD
        ) from None


class _Survey:
    """The survey of one card under power."""

    def __init__(self, session: CardSession, testbed: Testbed, issuer: Issuer) -> None:
        self._session = session
        self._testbed = testbed
        if session.card.algorithm != SUITES_BY_NAME[testbed.claim.algorithm].algorithm_id:
            raise InputError(OTHER_ALGORITHM.filled(name=testbed.claim.name), remedy=GIVE_CLAIM)
        city = session.identity.city_code
        order = make_order(testbed.claim, Random(0), make_holder(Random(0)), city or CITY_CODE, DAY_OF_ISSUE)
        made = personalise(order, issuer.keys)
        self._layout = made.profile.layout
        keys = diversify_for(city, issuer.keys)
        self.card = Card(Profile(testbed.claim, self._layout, session.historical, keys), made.memory)

    def surveyed(self) -> Surveyed:
        """The card with what can be read of it."""
        memory = self.card.memory
        if self._testbed.has_keys and not self._testbed.card.may_destroy:
            self._check_keys()
        tries = self._session.tries_left()
        memory.put_string(PIN, encode_pin(self._testbed.card.pin) if tries is not None else b"")
        if tries is not None:
            memory.put_number(PIN_TRIES, tries)
        unread: list[str] = []
        for df in self._layout.dfs:
            if df.outside or df.certificates or not self._entered(df):
                continue
            self._prove_all(df)
            for file in (file for file in self._layout.files if file.df == df.fid):
                try:
                    found = self._session.run(content(file))
                except ApduError:
                    unread.append(f"{df.name}/EF{file.sfi:02X}")
                    continue
                if found != memory.strings[file.cell]:
                    memory.put_string(file.cell, found)
            if df.fid == DF04:
                self._read_account()
        holder = make_holder(Random(0))
        with suppress(InputError):
            holder = holder_on(self.card)
        return Surveyed(self.card, self._session.card.reference, holder, unread)

    def _check_keys(self) -> None:
        """Compare the internal authentication of the card with the keys at hand, if card and HSM have one."""
        with suppress(ApduError, HsmError):
            if not self._session.run(flows.is_genuine(self._session.card)):
                raise InputError(OTHER_KEYS, remedy=OR_PERMIT.filled(remedy=self._give_keys))

    @property
    def _give_keys(self) -> Phrase:
        return GIVE_HSM if self._testbed.issuing.only_hsm else GIVE_KEYS

    def _entered(self, df: DfSpec) -> bool:
        try:
            self._session.run(select(df))
        except ApduError as error:
            if error.sw == SW.APPLICATION_BLOCKED:
                self.card.memory.put_number(df.blocked_cell, 1)
            return False
        return True

    def _prove_all(self, df: DfSpec) -> None:
        """Verify the PIN, and prove the keys of a DF."""
        memory = self.card.memory
        left = memory.numbers[PIN_TRIES]
        if memory.strings[PIN] and left >= LEAST:
            try:
                self._session.verify_pin(self._testbed.card.pin)
            except (WrongPin, PinBlocked) as error:
                raise InputError(WRONG_PIN.filled(left=error.tries_left), remedy=GIVE_PIN) from None
            memory.put_number(PIN_TRIES, self._testbed.claim.pin_tries)
        for key in self._layout.keys if self._testbed.has_keys else ():
            if key.df != df.fid or key.purpose != Purpose.EXTERNAL:
                continue
            for version in range(key.versions):
                try:
                    self._session.run(prove(self._session.card, key, version))
                except AuthenticationFailed as error:
                    problem = WRONG_KEY.filled(key=key.name, version=version + 1, left=error.tries_left)
                    raise InputError(problem, remedy=self._give_keys) from None
                except KeyBlocked:
                    index = self._layout.key_named(key.name)
                    memory.put_number(self._layout.counter(index, version), 0)

    def _read_account(self) -> None:
        """Amounts, counts, starting day and last proofs of the medical account, as far as the card shows them."""
        memory, layout, run = self.card.memory, self._layout, self._session.run
        found: dict[Account, int] = {}
        with suppress(ApduError):
            day, load, opened = run(account())
            found[Account.START_DAY] = int(day.hex())
            found[Account.LOAD_COUNT] = int.from_bytes(load[4:6], "big")
            amounts = (int.from_bytes(opened[place : place + 4], "big") for place in range(0, 12, 4))
            found |= dict(zip(AMOUNTS, amounts, strict=True))
            found[Account.YEAR] = int(opened[12:14].hex())
            found[Account.PURCHASE_COUNT] = int.from_bytes(opened[14:16], "big")
        memory.commit([(layout.medical + which, value) for which, value in found.items()], [])
        for kind, which in enumerate((Account.LOAD_COUNT, Account.PURCHASE_COUNT)):
            if count := found.get(which):
                with suppress(ApduError):
                    proof = b"".join(run(flows.transaction_proof(kind + 1, count - 1)))
                    memory.put_string(layout.proofs + kind, (count - 1).to_bytes(2, "big") + proof)
