"""The driver of LD/T 33 (读写终端接口): the functions every hospital, pharmacy and window program calls.

Names, parameters and strings are those of driver-api.md §3 and §4. A
function answers ``(code, pOutInfo)``: 0 and the data, or a negative code and
its description in words. ``FUNCTIONS`` is the table of them.
"""

# ruff: noqa: N802, N803 - the names of the C functions and their parameters

from __future__ import annotations

from sscard.driver import fields
from sscard.driver.calls import (
    FUNCTIONS,
    OUT_512,
    OUT_1024,
    OUT_2048,
    OUT_20480,
    DriverCalls,
    Result,
    function,
    step,
)
from sscard.driver.errors import Code, DriverError
from sscard.driver.files import (
    BY_KEY,
    check_address,
    file_at,
    prepare,
    read_access,
    read_file,
    writable_file,
    write_file,
)
from sscard.driver.requests import BeginPurchase, CheckCard, Require, WriteData
from sscard.driver.station import DriverOptions, InternalAuth, KeyAddresses, Readers
from sscard.issuer.places import PinUse
from sscard.standard.apdu import SW
from sscard.standard.applications import DF04
from sscard.standard.cipher import equal
from sscard.standard.generations import GENERATIONS
from sscard.terminal import flows
from sscard.terminal.card import IssuerData, OpenedCard
from sscard.terminal.errors import ApduError
from sscard.terminal.flow import AskPin, Flow, Prove
from sscard.terminal.flows import PUK, STK
from sscard.terminal.pinpad import ENTER, ENTER_OLD

__all__ = ["FUNCTIONS", "DriverOptions", "KeyAddresses", "Readers", "Result", "SSCardDriver"]

DTK = "DTK"
DETAILS = 0xEF08
KEY_PROOFS, KEY_PROOF, KEY_RESET, KEY_UNBLOCK, KEY_PURCHASE = 128, 32, 50, 18, 128
"""Characters of a pKey: two proofs, one proof, the command of a reset and of an unblock, MAC1 of a purchase."""


class SSCardDriver(DriverCalls):
    """The driver of one terminal, a function per row; see ``DriverCalls``."""

    @function(OUT_1024)
    def iReadCardBas(self, iType: int) -> Flow[str]:
        """Authenticate the card with the PSAM, read the basic data (11 fields)."""
        card, issuer = self._open(iType)
        if not (yield from flows.is_genuine(card)):
            raise DriverError(Code.NOT_GENUINE)
        holder_key = GENERATIONS[issuer.generation].holder_key
        if holder_key:
            yield from _prove_key(card, holder_key)
        return (yield from self._terminal.basic_data(card, issuer, self._terminal.psam.terminal_number()))

    @function(OUT_1024)
    def iReadCardBas_HSM_Step1(self, iType: int) -> Flow[str]:
        """What the HSM needs to check the card, and for the proof of RKSSSE on a 3.0 card (8 or 9 fields)."""
        card, issuer = self._open(iType)
        original = factor = proof = key_original = key_factor = b""
        holder_key = GENERATIONS[issuer.generation].holder_key
        if holder_key or self._terminal.options.internal_authentication == InternalAuth.ALL:
            original, factor = yield from flows.two_challenges()
            proof = yield from flows.internal_authentication(factor, original)
        if holder_key:
            key_original, key_factor = yield from flows.two_challenges()
        internal, key_proof = yield CheckCard(card, factor, original, key_factor, key_original)
        if not equal(internal, proof + original):
            raise DriverError(Code.NOT_GENUINE)
        if key_proof:
            yield from flows.external_authentication(holder_key, _key_number(card, holder_key), key_proof)
        return (yield from self._terminal.basic_data(card, issuer, self._terminal.number()))

    @step(OUT_1024, key=KEY_PROOFS)
    def iReadCardBas_HSM_Step2(self, pKey: str) -> tuple[str, ...]:
        """Compare the HSM's result with the card's, send the proof of RKSSSE if given, read the basic data."""
        return (pKey,)

    @function(OUT_20480)
    def iReadCard(self, iType: int, iAuthType: int, pCardInfo: str, pFileAddr: str) -> Flow[str]:
        """Read items of files in turn: prove the file's key with the PSAM, verify the PIN once, read the items."""
        given, files = fields.card_info(pCardInfo), fields.files(pFileAddr)
        card = self._terminal.open(iType, given)
        specs = [file_at(card, *file.place) for file in files]
        for spec, file in zip(specs, files, strict=True):
            check_address(spec, file)
        wanted = [read_access(spec.read_rule, iAuthType) for spec in specs]
        initial = (yield from self._terminal.initial_pin(card)) if any(access.pin for access in wanted) else ""
        texts, verified = [], False
        for file, spec, access in zip(files, specs, wanted, strict=True):
            yield from flows.enter(card, spec.df)
            if access.key:
                yield from _prove_key(card, access.key)
            if access.pin and not verified:
                yield from self._verify_pin("query", initial)
                verified = True
            texts.append((yield from read_file(card, spec, file)))
        return "".join(texts)

    @function(OUT_1024)
    def iReadCard_HSM_Step1(self, iType: int, pCardInfo: str, pFileAddr: str) -> Flow[str]:
        """What the HSM needs to prove the key of the first file (4 fields); −2204 if the file needs no key.

        If the file requires the PIN too, it is verified here.
        """
        given, file = fields.card_info(pCardInfo), fields.files(pFileAddr)[0]
        card = self._terminal.open(iType, given)
        spec = file_at(card, *file.place)
        check_address(spec, file)
        access = read_access(spec.read_rule, BY_KEY)
        if not access.key:
            raise DriverError(Code.HSM_NOT_NEEDED)
        initial = (yield from self._terminal.initial_pin(card)) if access.pin else ""
        yield from flows.enter(card, spec.df)
        if access.pin:
            yield from self._verify_pin("query", initial)
        yield from _prove_key(card, access.key)
        return (yield from read_file(card, spec, file))

    @step(OUT_20480, key=KEY_PROOF)
    def iReadCard_HSM_Step2(self, pKey: str) -> tuple[str, ...]:
        """Prove the key, read the first file."""
        return (pKey,)

    @function(OUT_1024)
    def iWriteCard(self, iType: int, pCardInfo: str, pFileAddr: str, pWriteData: str) -> Flow[str]:
        """Write items of files, keys by the PSAM; all values are checked before the first is written."""
        given, files = fields.card_info(pCardInfo), fields.files(pFileAddr)
        values = fields.files(pWriteData, fields.WRITE_DATA_LENGTH)
        if len(values) != len(files):
            raise DriverError(Code.ILLEGAL_DATA)
        card = self._terminal.open(iType, given)
        specs = [writable_file(card, file) for file in files]
        updates = [prepare(*each) for each in zip(specs, files, values, strict=True)]
        for spec, commands in zip(specs, updates, strict=True):
            yield from flows.enter(card, spec.df)
            yield from _prove_key(card, spec.write_rule)
            yield from write_file(spec, commands)
        return ""

    @function(OUT_1024)
    def iWriteCard_HSM_Step1(self, iType: int, pCardInfo: str, pFileAddr: str) -> Flow[str]:
        """What the HSM needs to prove the key that writes the first file (4 fields)."""
        given, file = fields.card_info(pCardInfo), fields.files(pFileAddr)[0]
        card = self._terminal.open(iType, given)
        spec = writable_file(card, file)
        check_address(spec, file)
        key = spec.write_rule
        yield from flows.enter(card, spec.df)
        yield Require((key,))
        original, factor = yield from flows.two_challenges()
        proof: bytes = yield Prove(card, key, factor, original)
        values = fields.files((yield WriteData()), fields.WRITE_DATA_LENGTH)
        updates = prepare(spec, file, values[0])
        yield from flows.external_authentication(key, _key_number(card, key), proof)
        yield from write_file(spec, updates)
        return ""

    @step(OUT_1024, key=KEY_PROOF)
    def iWriteCard_HSM_Step2(self, pKey: str, pWriteData: str) -> tuple[str, ...]:
        """Prove the key, write the first file."""
        return pKey, pWriteData

    @function(OUT_512)
    def iVerifyPIN(self, iType: int, pin: str | None = None) -> Flow[str]:
        """Ask for the PIN and verify it: −51 with the tries left. No prompt if the card has no PIN.

        With ``pin`` (driver-api.md §3.1): power-up, SELECT SSSE and VERIFY
        only, and the card stays powered until the next function.
        """
        if pin is None:
            self._terminal.open(iType)
            yield from self._verify_pin("verify")
        else:
            digits = self._terminal.pins.given(pin)
            self._terminal.select(iType)
            yield from flows.verify_pin(digits)
        return ""

    @function(OUT_512)
    def iChangePIN(self, iType: int, oldPin: str | None = None, newPin: str | None = None) -> Flow[str]:
        """Ask for the old PIN and twice for the new PIN, change it (修改). No prompt for the old one without a PIN.

        With ``oldPin`` and ``newPin`` (driver-api.md §3.1): one CHANGE PIN
        with these, of which an empty one is left out.
        """
        pins = self._terminal.pins
        card = self._terminal.open(iType)
        id_number = yield from self._terminal.id_number_for_rules(card)
        if oldPin is None or newPin is None:
            old: str = (yield AskPin(ENTER_OLD)) if (yield from _needs_pin()) else ""
            new = yield from pins.ask_new(id_number)
        else:
            old, new = (pins.given(pin) if pin else "" for pin in (oldPin, newPin))
            if new:
                pins.check_new(new, id_number)
        yield from flows.change_pin(old, new)
        return ""

    @function(OUT_512)
    def iReloadPIN(self, iType: int, pCardInfo: str) -> Flow[str]:
        """Ask twice for a new PIN, set it (重置) by the PSAM."""
        return self._reload_pin(iType, pCardInfo)

    @function(OUT_512)
    def iReloadPIN_HSM_Step1(self, iType: int, pCardInfo: str) -> Flow[str]:
        """What the HSM needs to prove PUK (4 fields)."""
        return self._reload_pin(iType, pCardInfo)

    @step(OUT_1024, key=KEY_PROOF)
    def iReloadPIN_HSM_Step2(self, pKey: str, newPin: str | None = None) -> tuple[str, ...]:
        """Prove PUK, ask twice for the new PIN; what the HSM needs for the command (5 fields, the PIN among them).

        ``newPin`` replaces the prompts (driver-api.md §3.1).
        """
        return (pKey,) if newPin is None else (pKey, newPin)

    @step(OUT_1024, key=KEY_RESET)
    def iReloadPIN_HSM_Step3(self, pKey: str) -> tuple[str, ...]:
        """Send the HSM's command to the card; a pKey of its data alone gets the header of step 2."""
        return (pKey,)

    @function(OUT_512)
    def iUnblockPIN(self, iType: int, pCardInfo: str) -> Flow[str]:
        """Unblock the PIN (解锁) with the PSAM."""
        return self._unblock_pin(iType, pCardInfo)

    @function(OUT_512)
    def iUnblockPIN_HSM_Step1(self, iType: int, pCardInfo: str) -> Flow[str]:
        """What the HSM needs to prove PUK (4 fields)."""
        return self._unblock_pin(iType, pCardInfo)

    @step(OUT_1024, key=KEY_PROOF)
    def iUnblockPIN_HSM_Step2(self, pKey: str) -> tuple[str, ...]:
        """Prove PUK; what the HSM needs for the command (5 fields)."""
        return (pKey,)

    @step(OUT_1024, key=KEY_UNBLOCK)
    def iUnblockPIN_HSM_Step3(self, pKey: str) -> tuple[str, ...]:
        """Send the HSM's command to the card."""
        return (pKey,)

    @function(OUT_512)
    def iDoDebit(self, iType: int, pCardInfo: str, pPayInfo: str) -> Flow[str]:
        """Ask for the PIN, make a purchase (医疗消费) with the PSAM (8 fields)."""
        return self._debit(iType, pCardInfo, pPayInfo)

    @function(OUT_512)
    def iDoDebit_HSM_Step1(self, iType: int, pCardInfo: str, pPayInfo: str) -> Flow[str]:
        """Ask for the PIN, begin the purchase; what the HSM needs for MAC1 (8 fields)."""
        return self._debit(iType, pCardInfo, pPayInfo)

    @step(OUT_1024, key=KEY_PURCHASE)
    def iDoDebit_HSM_Step2(self, pKey: str) -> tuple[str, ...]:
        """Complete the purchase: MAC2 and the receipt (9 fields)."""
        return (pKey,)

    @function(OUT_2048)
    def iReadDebitRecord(self, iType: int) -> Flow[str]:
        """Ask for the PIN, read the purchases of DF04 EF08, the newest first."""
        card = self._terminal.open(iType)
        details = file_at(card, "DF04", DETAILS)
        initial = yield from self._terminal.initial_pin(card)
        yield from flows.enter(card, details.df)
        yield from self._verify_pin("query", initial)
        yield from flows.select_ef(DETAILS)
        held = yield from flows.read_cycle()
        out = ""
        for record in held:
            if record[2:3] in (b"\x02", b"2"):  # the type of a purchase, binary or ASCII [OC-18]
                sequence, terminal, time = fields.upper_hex(record[:2]), record[3:9].hex(), record[9:16].hex()
                total, rest = (fields.yuan(int.from_bytes(record[at : at + 4], "big")) for at in (20, 24))
                out += f"{sequence}^{terminal}^{time}^{total}^{rest}^|"
        return out

    def _open(self, reader_type: int) -> tuple[OpenedCard, IssuerData]:
        card = self._terminal.open(reader_type)
        assert card.issuer is not None
        return card, card.issuer

    def _verify_pin(self, use: PinUse, initial: str = "") -> Flow[None]:
        """Ask for the PIN and verify it, if the card has one."""
        if (yield from _needs_pin()):
            pin: str = yield AskPin(ENTER)
            yield from flows.verify_pin(pin)
            self._terminal.pins.permit(pin, initial, use)

    def _reload_pin(self, reader_type: int, card_info: str) -> Flow[str]:
        card = self._terminal.open(reader_type, fields.card_info(card_info))
        id_number = yield from self._terminal.id_number_for_rules(card)
        yield Require((PUK, STK))
        yield from flows.reset_pin(card, self._terminal.pins.ask_new(id_number))
        return ""

    def _unblock_pin(self, reader_type: int, card_info: str) -> Flow[str]:
        card = self._terminal.open(reader_type, fields.card_info(card_info))
        yield Require((PUK, STK))
        yield from flows.unblock_pin(card)
        return ""

    def _debit(self, reader_type: int, card_info: str, pay_info: str) -> Flow[str]:
        """The PIN, then the purchase: account 0, self-paid the total, pool the other amount (inferred).

        MAC2 precedes the receipt if it was not checked.
        """
        given, payment = fields.card_info(card_info), fields.pay_info(pay_info)
        card, options = self._terminal.open(reader_type, given), self._terminal.options
        number: str = yield BeginPurchase(card, options.purchase_key)
        initial = yield from self._terminal.initial_pin(card)
        yield from flows.enter(card, DF04)
        yield from self._verify_pin("transact", initial)
        amounts = b"".join(amount.to_bytes(4, "big") for amount in (0, payment.total, payment.account_and_pool))
        kind, time = bytes((options.purchase_type,)), bytes.fromhex(payment.time)
        bought = yield from flows.purchase(card, options.purchase_key, amounts, kind, number, time)
        made, mac2 = bought.made, () if bought.checked else (bought.mac2,)
        return fields.join(
            *map(fields.upper_hex, mac2),
            f"{card.algorithm:02X}",
            self._terminal.address(DTK),
            *map(fields.upper_hex, (amounts[4:], kind)),
            number,
            fields.upper_hex(made.sequence),
            made.time.hex(),
            fields.upper_hex(bought.tac),
        )


def _needs_pin() -> Flow[bool]:
    """Whether the card requires a PIN (terminal-flows.md §1.6); −52 if it is blocked."""
    tries = yield from flows.tries_left()
    if tries == 0:
        raise DriverError(Code.PIN_BLOCKED)
    return tries is not None


def _prove_key(card: OpenedCard, key: str) -> Flow[None]:
    """External authentication of a key of the selected DF."""
    yield Require((key,))
    yield from flows.authenticate(card, key, _key_number(card, key))


def _key_number(card: OpenedCard, key: str) -> int:
    """The key number on the card; the status word of the card if it has no such key."""
    layout = card.layout
    try:
        return layout.keys[layout.key_named(key)].number
    except KeyError:
        raise ApduError(f"authenticate {key}", SW.KEY_NOT_FOUND) from None
