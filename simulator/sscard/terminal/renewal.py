"""Replay of a recording on another card of the issuer: proofs and MACs are computed anew with an HSM.

What a recording keeps of a proof belongs to the keys and random numbers of the
recorded card. ``Renewed`` computes it for the card in the reader, as the flows of
a terminal do, and judges the answers that differ from card to card.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from sscard.conversation import Exchange
from sscard.conversation.explain import FCI_DATA, Selection, find_declaration
from sscard.conversation.redaction import DATA, LC, MASK
from sscard.conversation.replay import AsRecorded, Side
from sscard.conversation.scripts import ANY, Send, Statement, check_pins, fill, plain_bytes
from sscard.errors import InputError
from sscard.hsm import Hsm
from sscard.i18n.phrase import Phrase, Sayable
from sscard.standard.apdu import SW
from sscard.standard.cipher import FACTOR_LENGTH, MAC_LENGTH, SUITES
from sscard.standard.encoding import encode_pin
from sscard.standard.keys import KEYS, ROOT_OF
from sscard.standard.tree import LOAD_TYPES, MF, PURCHASE_TYPES, SSSE
from sscard.terminal.answers import HsmAnswers
from sscard.terminal.flow import Mac1, Prove, PurchaseMac, Seal
from sscard.terminal.flows import IRK, RESET, STK, reset_header
from sscard.terminal.session import CardSession
from sscard.transport.connection import Connection

GET_CHALLENGE, INTERNAL, EXTERNAL, PIN_CHANGE_UNBLOCK = 0x84, 0x88, 0x82, 0x24
APPLICATION_BLOCK, INITIALIZE, CREDIT, DEBIT, TRANSACTION_PROOF = 0x1E, 0x28, 0x2A, 0x2C, 0x2E
SECURED: Final = 0x04
"""Bit of CLA: the data end in a MAC."""
UPDATE_CLA: Final = 0x04
VARYING: Final = (GET_CHALLENGE, CREDIT, TRANSACTION_PROOF)
"""Commands with an answer that is random, or that the card computes with keys for others than the terminal."""
NEEDED: Final = {EXTERNAL: slice(16, None), CREDIT: slice(0, 7), DEBIT: slice(4, 11)}
"""What cannot be computed, in the data of a command: the version of a key, the time of a transaction."""
LOCAL: Final = 0x80
"""Bit of P2: a key of the current DF, else of SSSE."""
DF_STK: Final = 0x82
WRONG: Final = ("63C", "6988", "9302")
"""How the status word of a wrong proof or MAC begins."""
DONE: Final = f"{SW.OK:04X}"
FETCHED, REPEATED, GET_RESPONSE = "61", "6C", "00C00000"

_KEY_NAMES: Final = {(key.df, key.number): ROOT_OF.get(key.name, key.name) for key in KEYS}


class Renewed(AsRecorded):
    """Plays statements on any card of the issuer, with the steps of T=0 joined to whole commands.

    EXTERNAL AUTHENTICATION, and every command with a MAC, is computed anew with
    the HSM, over the random numbers of this card. ``new_pins`` are the PINs that
    the resets set, in their order: a recording does not contain them. What the
    recorded card refused as a wrong proof or MAC is sent wrong again.
    """

    any_atr = True

    def __init__(self, hsm: Hsm, pins: Sequence[str], new_pins: Sequence[str], source: str) -> None:
        super().__init__(pins, source)
        self._hsm = hsm
        self._answers = HsmAnswers(hsm)
        self._new_pins = new_pins
        self._resets = 0
        self._selection = Selection()
        self._challenge = bytes(FACTOR_LENGTH)
        self._opening = b"", b""
        self._bought: tuple[PurchaseMac, Mac1] | None = None

    def identify(self, connection: Connection) -> None:
        """Read algorithm and identity of the card, and power it off. Errors as of ``CardSession.start``."""
        session = CardSession.start(connection, self._hsm)
        self._card = session.card
        session.close()

    def prepare(self, statements: list[Statement]) -> list[Statement]:
        whole = list(map(joined, grouped(statements)))
        sends = [each for each in whole if isinstance(each, Send)]
        resets = [each for each in sends if sets_pin(each)]
        given = len(self._new_pins)
        if len(resets) > given:
            raise InputError(
                Phrase("the PIN is reset here, and the new one is not in a recording"),
                file=self._source,
                line=resets[given].line,
                remedy=Phrase.plural(
                    "give --new PIN {count} time, in the order of the resets",
                    "give --new PIN {count} times, in the order of the resets",
                    count=len(resets),
                ),
            )
        check_pins((each for each in sends if not is_computed(each)), self._pins, self._source)
        return whole

    def obstacle(self, statement: Send) -> Sayable:
        if not is_computed(statement):
            return super().obstacle(statement)
        sent = plain_bytes(statement)
        needed = slice(0, -MAC_LENGTH) if sent[0] == UPDATE_CLA else NEEDED.get(sent[1], slice(0, 0))
        digits = statement.command[2 * DATA :]
        if MASK in [digits[at : at + 2] for at in range(0, len(digits), 2)][needed]:
            return Phrase("not replayable: its masked data cannot be computed")
        if self._key(sent) is None:
            return Phrase("not replayable: no key {number:02X} is known in the current DF", number=sent[3])
        return ""

    def powered(self) -> None:
        self._selection = Selection()

    def play(self, statement: Send, side: Side) -> tuple[Exchange, Send]:
        if is_computed(statement):
            sent = self._proven(plain_bytes(statement), statement)
        else:
            sent = self._adapted(fill(statement, self._pins, self._source))
        answered = side.complete(sent)
        data = bytes.fromhex(answered.data)
        self._selection.follow(sent, data + bytes.fromhex(answered.sw))
        if answered.sw != DONE:
            return answered, statement
        expected = self._judged(statement, sent, answered)
        if sent[1] == GET_CHALLENGE:
            self._challenge = data
        elif sent[1] == INITIALIZE:
            self._opening = sent[DATA:], data
        return answered, expected

    def _key(self, sent: bytes) -> str | None:
        """The key that a computed command proves, or whose MAC it has; ``None`` for an unknown one."""
        cla, ins, __, number = sent[:LC]
        if ins in (CREDIT, DEBIT):
            return ""  # named by the card's answer to INITIALIZE
        if ins != EXTERNAL:
            local = cla == UPDATE_CLA or ins == APPLICATION_BLOCK
            return _KEY_NAMES.get((self._selection.df, DF_STK)) if local and self._selection.df != MF else STK
        return _KEY_NAMES.get((self._selection.df if number & LOCAL else SSSE, number))

    def _proven(self, recorded: bytes, statement: Send) -> bytes:
        """A recorded command with the proof or MAC for this card."""
        key, ins = self._key(recorded) or "", recorded[1]
        place = -1
        if ins == EXTERNAL:
            place, original = DATA, recorded[DATA + FACTOR_LENGTH : DATA + 2 * FACTOR_LENGTH]
            version = recorded[DATA + 2 * FACTOR_LENGTH :]
            sent = recorded[:DATA] + self._proof(key, self._challenge, original, version) + version
        elif ins in (CREDIT, DEBIT):
            sent = self._posting(recorded)
        else:
            pin, header = None, recorded[:DATA]
            if sets_pin(statement):
                pin = encode_pin(self._new_pins[self._resets])
                header = reset_header(self._card, pin)
                self._resets += 1
            elif recorded[0] == UPDATE_CLA:
                header = recorded[:-MAC_LENGTH]
            made = self._answers(Seal(self._card, key, self._challenge, header, pin))
            assert isinstance(made, bytes)
            sent = made
        if not any(sw.startswith(WRONG) for sw in statement.sws):
            return sent
        wrong = bytearray(sent)
        wrong[place] ^= 1
        return bytes(wrong)

    def _proof(self, key: str, factor: bytes, original: bytes, version: bytes) -> bytes:
        """Authentication data(8) ‖ original data(8) of a key's version(0 or 1), from 1."""
        proof = self._answers(Prove(self._card, key, factor, original, version[0] - 1 if version else 0))
        assert isinstance(proof, bytes)
        return proof

    def _posting(self, recorded: bytes) -> bytes:
        """CREDIT or DEBIT with the MAC over the card's answer to INITIALIZE; as recorded if the card opened nothing."""
        begun, opened = self._opening
        if not opened:
            return recorded
        if recorded[1] == CREDIT:
            time = recorded[DATA:-MAC_LENGTH]
            message = begun[1:5] + LOAD_TYPES[0] + begun[5:] + time
            return recorded[:-MAC_LENGTH] + self._answers.load_mac(self._card, opened[4:12], message)
        amounts, terminal, time = begun[1:13], begun[13:].hex(), recorded[9:-MAC_LENGTH]
        asked = PurchaseMac(self._card, begun[0], opened[14:22], amounts, PURCHASE_TYPES[0], terminal, time)
        made = self._answers(asked)
        assert isinstance(made, Mac1)
        self._bought = asked, made
        return recorded[:DATA] + b"".join(made)

    def _adapted(self, sent: bytes) -> bytes:
        """A challenge of 8 bytes if the algorithm of this card takes none of the recorded length."""
        suite = SUITES.get(self._card.algorithm)
        if sent[1] == GET_CHALLENGE and suite and sent[LC:] and sent[LC] not in suite.challenge_lengths:
            return sent[:LC] + bytes((FACTOR_LENGTH,))
        return sent

    def _judged(self, statement: Send, sent: bytes, answered: Exchange) -> Send:
        """The statement with the data to expect from this card.

        A proof of the card has to be right; of an FCI only the name of the DF is
        compared; random bytes, TAC and the algorithm are not.
        """
        if sent[1] == INTERNAL:
            version = sent[DATA + 2 * FACTOR_LENGTH :]
            factor, original = sent[DATA : DATA + FACTOR_LENGTH], sent[DATA + FACTOR_LENGTH : DATA + 2 * FACTOR_LENGTH]
            proof = self._proof(IRK, factor, original, version)[:FACTOR_LENGTH]
            return replace(statement, data=proof.hex().upper())
        if sent[1] == DEBIT and self._bought:
            asked, made = self._bought
            mac2 = self._answers.purchase_mac(asked, made.sequence, asked.amounts)
            return replace(statement, data=ANY * 2 * MAC_LENGTH + mac2.hex().upper())
        if sent[1] == INITIALIZE and statement.data:
            at = 2 * (17 if sent[2] else 7)  # the algorithm id of a purchase (P1=01), or of a load
            return replace(statement, data=f"{statement.data[:at]}{ANY * 2}{statement.data[at + 2 :]}")
        if sent[1] in VARYING:
            return replace(statement, data=None)
        name, own = _df_name(statement.data or ""), _df_name(answered.data)
        if answered.source == FCI_DATA and name and len(name) == len(own):
            return replace(statement, data=answered.data.replace(own, name, 1))
        return statement


def grouped(statements: Iterable[Statement]) -> Iterator[list[Statement]]:
    """The statements, those of one command together: its repetition after 6Cxx, and GET RESPONSE after 61xx."""
    group: list[Statement] = []
    for each in statements:
        last = group[-1] if group else None
        if isinstance(last, Send) and isinstance(each, Send):
            fetches = _ends_with(last, FETCHED) and each.command.startswith(GET_RESPONSE)
            if fetches or (_ends_with(last, REPEATED) and each.command[: 2 * LC] == last.command[: 2 * LC]):
                group.append(each)
                continue
        if group:
            yield group
        group = [each]
    if group:
        yield group


def joined(group: Sequence[Statement]) -> Statement:
    """One statement for a whole command, so that its answer can be compared with one of another length or interface."""
    whole = group[0]
    if not isinstance(whole, Send):
        return whole
    for each in group[1:]:
        assert isinstance(each, Send)
        if each.command.startswith(GET_RESPONSE):
            data = None if each.data is None else (whole.data or "") + each.data
            whole = replace(whole, data=data, sws=each.sws, details=each.details)
        else:
            whole = each
    if not _ends_with(whole, FETCHED) and not _ends_with(whole, REPEATED):
        return whole
    # The answer was announced and not fetched: the command is done, with any data.
    sws = (DONE if sw.startswith((FETCHED, REPEATED)) else sw for sw in whole.sws)
    return replace(whole, data=None, sws=tuple(dict.fromkeys(sws)))


def _ends_with(statement: Send, first: str) -> bool:
    return any(sw.startswith(first) for sw in statement.sws)


def is_computed(statement: Send) -> bool:
    """Whether the data of a command are computed over a random number of the card, in a way that is known here."""
    sent = plain_bytes(statement)
    declared = find_declaration(sent)
    known = bool(sent[0] & SECURED) or sent[1] in NEEDED
    return declared is not None and declared.bound_to_random and known


def sets_pin(statement: Send) -> bool:
    """Whether it is a PIN CHANGE/UNBLOCK with an enciphered PIN."""
    sent = plain_bytes(statement)
    return sent[:2] == bytes((0x84, PIN_CHANGE_UNBLOCK)) and sent[3] == RESET and len(sent) > DATA + MAC_LENGTH


def _df_name(fci: str) -> str:
    """The digits of the DF name in an FCI; empty for other data."""
    if not fci.startswith("6F") or fci[4:6] != "84" or ANY in fci[6:8]:
        return ""
    return fci[8 : 8 + 2 * int(fci[6:8], 16)]
