"""A card while it is probed: commands from outside, what a probe may do to it, and what was seen so far."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final

from sscard.conversation.redaction import redact
from sscard.errors import InputError, PhrasedError, TransportError
from sscard.hsm import Hsm, HsmError
from sscard.i18n.phrase import Phrase, Sayable
from sscard.scenario.testbed.arrange import WRONG_PINS
from sscard.scenario.testbed.decision import Reason
from sscard.scenario.testbed.followed import ASK_TRIES, FEWEST, MORE_DATA
from sscard.scenario.testbed.survey import LEAST, OTHER_CARD, WRONG_PIN, UnusableCard
from sscard.standard.apdu import GET_RESPONSE_INS, SW, Answer, command, tries_in, tries_stated
from sscard.standard.applications import ANNEX_2, DF04, DFS_2
from sscard.standard.atr import historical_bytes
from sscard.standard.choices import CHOICES
from sscard.standard.encoding import encode_pin
from sscard.standard.tree import PURCHASE_TYPES
from sscard.terminal import flows
from sscard.terminal.answers import HsmAnswers
from sscard.terminal.card import OpenedCard
from sscard.terminal.errors import ApduError
from sscard.terminal.flow import Flow, Prove, Seal, run
from sscard.terminal.session import KEY_INDEX, TERMINAL_NUMBER
from sscard.transport.connection import Connection, answer_to, exchange

NAMES: Final = {df.fid: df.aid for df in (*DFS_2, *ANNEX_2)}
"""The name of each application of SSSE, by FID."""
FACTOR: Final = bytes(8)
FIRST_VERSION: Final = b"\x01"
OTHER_PIN: Final = bytes.fromhex("135790")
SPARE_PIN: Final = bytes.fromhex("246802")
"""PINs that a probe sets for a moment: one of them is not that of the card."""
AMOUNTS: Final = 12
"""Bytes of the three amounts of a purchase."""
SHOWN: Final = 40
"""Bytes of an answer that an observation repeats."""
NEEDS_PIN: Final = Phrase("needs the PIN of the card")
NO_PIN: Final = Phrase("the card has no PIN")
FEW_TRIES: Final = Phrase("tries of the PIN left: {left}; a wrong PIN would leave too few")
GIVE_PIN: Final = Phrase("give its PIN with --pin, or with pin: under card: in the testbed file")
NEEDS_KEYS: Final = Phrase("needs the keys of the card")
OTHER_KEYS: Final = Phrase("needs the keys of the card: its internal authentication is not that of the keys at hand")
ALIKE: Final = Phrase("the card answers alike with either value")
NOT_HELD: Final = Phrase(
    "the PIN of the card could not be restored; it is none, or one of a probe, which docs/howto/testbed.md lists"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Permissions:
    """What a probe may do: change the PIN and the account, use up tries, destroy the card; ``new`` if it is unused."""

    may_write: bool = False
    may_block: bool = False
    may_destroy: bool = False
    new: bool = False


@dataclass(frozen=True, slots=True)
class Observation:
    """What the card showed: the value of a choice, ``None`` for an answer that no value gives; command and answer."""

    value: int | str | None
    evidence: str


class Unclear(PhrasedError):
    """A choice cannot be known, for the reason that it says."""


class ProbedCard:
    """A powered card and what was seen of it. ``pin`` and ``hsm`` are ``None`` if nobody has them.

    ``claim`` is what the vendor says, by choice; of it ``key_tries`` and
    ``unlock_limit`` are believed. ``fci`` is that of SSSE, ``first_query`` the
    status word of the first question for the tries left, with its evidence.
    ``seen`` are the observations by choice. ``unblocks`` counts the successful
    PIN CHANGE/UNBLOCK. A refusal of the card raises
    ``ApduError``, other errors are those of the connection and the HSM.
    """

    def __init__(
        self,
        connection: Connection,
        pin: str | None,
        hsm: Hsm | None,
        claim: Mapping[str, Any],
        permissions: Permissions,
        *,
        contact: bool,
    ) -> None:
        self.claim = claim
        self.may = permissions
        self.contact = contact
        self.seen: dict[str, Observation] = {}
        self.unblocks = 0
        self._connection = connection
        self._hsm = hsm
        self._answers = HsmAnswers(hsm) if hsm is not None else None
        self._pin = encode_pin(pin) if pin else b""
        self._tries: int | None = None
        self._pin_problem: Sayable = NEEDS_PIN
        self._key_problem: Sayable = NEEDS_KEYS
        self._evidence: list[str] = []
        self._card = self._opened()

    def _opened(self) -> OpenedCard:
        """Power the card, and read its FCI, identity and tries."""
        try:
            self._historical = historical_bytes(self._connection.power_on())
        except IndexError:
            raise TransportError(Phrase("the card sent no ATR, or one that is too short")) from None
        try:
            card = run(flows.open_card(self._historical), partial(exchange, self._connection), _no_answer)
        except ApduError as error:
            raise UnusableCard(
                Phrase("the card cannot be used: {problem}", problem=error.said), remedy=OTHER_CARD
            ) from None
        self.fci = card.fci
        answer = self.ask(ASK_TRIES)
        self.first_query = answer.sw, self.evidence
        self._tries = tries_stated(answer.sw)
        return card

    def check_pin(self) -> None:
        """Verify the PIN once, if it is given, set, and has tries enough. Errors: ``InputError`` if it is wrong."""
        left = self._tries
        if left is None:
            self._pin_problem = NO_PIN
        elif self._pin and left < LEAST and not (self.may.may_block and left):
            self._pin_problem = FEW_TRIES.filled(left=left)
        elif self._pin:
            answer = self.ask(command(0x00, 0x20, 0, 0, self._pin))
            if answer.sw != SW.OK:
                raise InputError(WRONG_PIN.filled(left=tries_in(answer.sw) or 0), remedy=GIVE_PIN)
            self._pin_problem = ""

    def check_keys(self, algorithm: int) -> None:
        """Compare the card's internal authentication with the keys at hand: this costs no try of any key."""
        self._card.algorithm = algorithm
        if self._answers is None:
            return
        try:
            expected = self._answers(Prove(self._card, flows.IRK, FACTOR, FACTOR))
        except (HsmError, TransportError) as error:
            self._key_problem = error.said
            return
        answer = self.ask(command(0x00, 0x88, 0, 0, FACTOR + FACTOR + FIRST_VERSION))
        right = answer.sw == SW.OK and isinstance(expected, bytes) and expected.startswith(answer.data)
        self._key_problem = "" if right else OTHER_KEYS

    # Commands

    @property
    def evidence(self) -> str:
        """The last command, its secret bytes masked, and the answer."""
        return self._evidence[-1]

    def last(self, count: int) -> str:
        """The last commands and answers."""
        return "; ".join(self._evidence[-count:])

    def raw(self, sent: bytes | str) -> Answer:
        """The answer to a command as it is, with the data that wait after ``61xx``; ``6Cxx`` is not repeated."""
        apdu = sent if isinstance(sent, bytes) else bytes.fromhex(sent)
        data, sw = answer_to(self._connection, apdu)
        while sw >> 8 == MORE_DATA:
            more, sw = answer_to(self._connection, command(0x00, GET_RESPONSE_INS, 0, 0, le=sw & 0xFF))
            data += more
        return self._noted(apdu, Answer(data, sw))

    def ask(self, sent: bytes | str) -> Answer:
        """The answer to a command, repeated on ``6Cxx``."""
        apdu = sent if isinstance(sent, bytes) else bytes.fromhex(sent)
        return self._noted(apdu, exchange(self._connection, apdu))

    def _noted(self, sent: bytes, answer: Answer) -> Answer:
        data = answer.data.hex().upper()
        shown = data if len(answer.data) <= SHOWN else data[: 2 * SHOWN] + "…"
        self._evidence.append(f"{redact(sent)} → {f'{shown} ' if shown else ''}{answer.sw:04X}")
        return answer

    def begin(self, df: int = 0) -> None:
        """Reset the card, and select SSSE, or an application by its FID."""
        self._connection.reset()
        if df:
            self.enter(df)
        elif (answer := self.ask(flows.SELECT_SSSE)).sw != SW.OK:
            raise ApduError(Phrase("select {name}", name="SSSE"), answer.sw)

    def enter(self, df: int) -> None:
        """Select an application, and keep what a selection keeps."""
        answer = self.ask(command(0x00, 0xA4, 0x04, 0x00, NAMES[df]))
        if answer.sw != SW.OK:
            raise ApduError(Phrase("select {name}", name=f"{df:04X}"), answer.sw)

    def _run(self, flow: Flow[int]) -> int:
        """Run a flow with the keys at hand."""
        self.need_keys()
        assert self._answers is not None
        return run(flow, self.ask, self._answers)

    # What was seen

    def see(self, name: str, value: int | str | None, evidence: str = "") -> None:
        """Note the value of a choice; the evidence is the last command unless it is given."""
        self.seen[name] = Observation(value, evidence or self.evidence)

    def see_status(self, name: str, sw: int) -> None:
        """Note a status word as the value of a choice, or that no value is like it."""
        self.see(name, sw if sw in CHOICES[name].allowed else None)

    def see_case(self, name: str, sw: int, cases: dict[int, int | str]) -> None:
        """Note the value that goes with a status word, or that no value does."""
        self.see(name, cases.get(sw))

    def value(self, name: str) -> int | str | None:
        """The observed value of a choice, ``None`` if there is none."""
        found = self.seen.get(name)
        return found.value if found else None

    def number(self, name: str) -> int:
        """The observed value of a limit. Errors: ``Unclear`` if it is not known."""
        found = self.value(name)
        if not isinstance(found, int):
            raise Unclear(Phrase("{name} is not known", name=name))
        return found

    # Needs

    def need_pin(self) -> None:
        if self._pin_problem:
            raise Unclear(self._pin_problem)

    def need_keys(self) -> None:
        if self._key_problem:
            raise Unclear(self._key_problem)

    @property
    def has_pin(self) -> bool:
        return not self._pin_problem

    @property
    def has_keys(self) -> bool:
        return not self._key_problem

    def need(self, permission: str) -> None:
        """Errors: ``Unclear`` without a permission, by its name in a testbed file."""
        if not getattr(self.may, permission):
            raise Unclear(Reason.NOT_PERMITTED.value.filled(permission=permission))

    def spare_tries(self, count: int) -> None:
        """That so many wrong PINs in a row leave tries enough; the right PIN restores them."""
        self.need_pin()
        left = self.number("pin_tries") - count
        if left < 1:
            raise Unclear(FEW_TRIES.filled(left=self.number("pin_tries")))
        if left < FEWEST:
            self.need("may_block")

    # The PIN

    @property
    def pin(self) -> bytes:
        """The PIN of the card, as cn."""
        return self._pin

    @property
    def another_pin(self) -> bytes:
        return OTHER_PIN if self._pin != OTHER_PIN else SPARE_PIN

    def verify(self) -> None:
        """Verify the PIN, which restores its tries."""
        answer = self.ask(command(0x00, 0x20, 0, 0, self._pin))
        if answer.sw != SW.OK:
            raise ApduError(flows.VERIFY, answer.sw)

    def fail(self) -> Answer:
        """The answer to a wrong PIN."""
        wrong = next(pin for pin in WRONG_PINS if pin != self._pin)
        return self.ask(command(0x00, 0x20, 0, 0, wrong))

    def verified(self) -> bool:
        """Whether the PIN is verified, in DF04, whose basic data are read with it."""
        sw = self.raw("00B2012C00").sw
        if sw == SW.SECURITY_NOT_SATISFIED:
            return False
        if sw == SW.OK or sw >> 8 == SW.WRONG_LE >> 8:
            return True
        raise Unclear(Phrase("the right to read DF04/EF05 cannot be asked: {status:04X}", status=sw))

    def change(self, old: bytes, new: bytes) -> int:
        """The status word of CHANGE PIN."""
        return self.ask(command(0x80, 0x5E, 0x01, 0x00, old + b"\xff" + new)).sw

    def try_change(self, old: bytes, new: bytes) -> int:
        """The status word of a CHANGE PIN that the card may accept; then the PIN is changed back."""
        sw = self.change(old, new)
        shown = self.evidence
        if sw == SW.OK:
            with self.changed(new):
                pass
        self._evidence.append(shown)
        return sw

    @contextmanager
    def changed(self, held: bytes) -> Iterator[None]:
        """The card has another PIN, or none, until the end of the block.

        Errors: ``PinNotRestored`` if the card refuses to change back to its PIN.
        """
        try:
            yield
        finally:
            if self.change(held, self._pin) != SW.OK:
                raise PinNotRestored(NOT_HELD)

    # Keys

    def prove(self, key: str, number: int, version: int = 0, *, named: bool = True, right: bool = True) -> int:
        """The status word of EXTERNAL AUTHENTICATION with a version of a key; a wrong proof costs a try, if counted."""

        def flow() -> Flow[int]:
            original, factor = yield from flows.two_challenges()
            proof: bytes = yield Prove(self._card, key, factor, original, version)
            proof = proof if right else bytes((proof[0] ^ 1,)) + proof[1:]
            sent = command(0x00, 0x82, 0, number, proof + (bytes((version + 1,)) if named else b""))
            answer: Answer = yield sent
            return answer.sw

        sw = self._run(flow())
        if right and sw != SW.OK:
            raise ApduError(Phrase("authenticate {key}", key=key), sw)
        return sw

    def prove_puk(self, *, right: bool = True) -> int:
        """The status word of the proof of the PUK, which has one version."""
        return self.prove(flows.PUK, flows.PUK_NUMBER, named=False, right=right)

    def seal(self, header: str, pin: bytes | None = None) -> int:
        """The status word of a command under the MAC of STK, over a new challenge; a success of 84 24 is counted."""

        def flow() -> Flow[int]:
            factor = yield from flows.challenge()
            head = bytes.fromhex(header) if pin is None else flows.reset_header(self._card, pin)
            message: bytes = yield Seal(self._card, flows.STK, factor, head, pin)
            answer: Answer = yield message
            return answer.sw

        sw = self._run(flow())
        self.unblocks += sw == SW.OK and header.startswith("8424")
        return sw

    def pay(self, now: datetime, *, ascii_type: bool) -> None:
        """A purchase of amount 0, with the transaction type in MAC1 as given [OC-18]."""
        self.begin(DF04)
        self.verify()
        time = bytes.fromhex(f"{now:%Y%m%d%H%M%S}")
        kind = PURCHASE_TYPES[ascii_type]

        def flow() -> Flow[int]:
            yield from flows.purchase(self._card, KEY_INDEX, bytes(AMOUNTS), kind, TERMINAL_NUMBER, time)
            return SW.OK

        try:
            self._run(flow())
        except IndexError:
            raise Unclear(Phrase("the answer to INITIALIZE FOR PURCHASE is too short")) from None


class PinNotRestored(TransportError):
    """The card refused to change back to its PIN after a probe; the text says which PIN it may have. Exit code 1."""


def _no_answer(request: object) -> object:
    raise NotImplementedError(type(request).__name__)
