"""What each driver function does at a terminal (driver API sheet §3 and §4).

A plain function answers its pOutInfo. A group of HSM steps is a generator: it
gives the pOutInfo of each step and takes the parameters of the next.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator

from sscard.driver import fields
from sscard.driver.card import DriverCard, Opening, needs_pin, read_access
from sscard.driver.errors import Code, DriverError
from sscard.driver.files import check_address, cycle_records, prepare, read_file, write_file
from sscard.driver.station import Terminal, algorithm_text
from sscard.standard.cipher import equal
from sscard.standard.encoding import encode_pin
from sscard.standard.generations import GENERATIONS
from sscard.terminal.pinpad import ENTER_OLD

Steps = Generator[str, tuple[str, ...], None]
"""A group of HSM steps."""

PUK, DPK, DTK = "PUK", "DPK", "DTK"
UNBLOCK, RESET = 0x00, 0x01
MEDICAL, DETAILS = "DF04", 0xEF08
PIN_OR_KEY = (1, 2)


def read_basic(terminal: Terminal, reader_type: int) -> str:
    """iReadCardBas."""
    card = terminal.open(reader_type)
    terminal.prove_genuine(card)
    holder_key = GENERATIONS[card.issuer.generation].holder_key
    if holder_key:
        terminal.prove_key(card, holder_key)
    return terminal.basic_data(card, terminal.psam.terminal_number())


def read_basic_steps(terminal: Terminal, reader_type: int) -> Steps:
    """iReadCardBas_HSM: the card's own proof is taken at once and compared in step 2."""
    card = terminal.open(reader_type)
    original, factor = card.two_challenges()
    proof = card.internal_authentication(factor, original)
    holder_key = GENERATIONS[card.issuer.generation].holder_key
    external = card.two_challenges() if holder_key else (b"", b"")
    (given,) = yield fields.join(
        card.identity.city_code,
        fields.upper_hex(card.historical),
        algorithm_text(card),
        card.identity.identification_code,
        *map(fields.upper_hex, (factor, original, external[1], external[0])),
    )
    internal, key_proof = fields.proofs(given)
    if not equal(internal, proof + original):
        raise DriverError(Code.NOT_GENUINE)
    if key_proof:
        card.prove(holder_key, key_proof)
    yield terminal.basic_data(card, terminal.number())


def read(terminal: Terminal, reader_type: int, by: int, card_info: str, addresses: str) -> str:
    """iReadCard: each file in turn, its key first, then the PIN, once, then its items."""
    given, files = fields.card_info(card_info), fields.files(addresses)
    card = terminal.open(reader_type, given)
    return "".join(_read(terminal, card, files, by))


def _read(terminal: Terminal, card: DriverCard, files: list[fields.FileFields], by: int) -> Iterator[str]:
    specs = [card.file(file.df, file.ef) for file in files]
    for spec, file in zip(specs, files, strict=True):
        check_address(spec, file)
    wanted = [read_access(spec.read_rule, lambda: _by_key(by)) for spec in specs]
    initial = terminal.initial_pin(card) if any(access.pin for access in wanted) else ""
    proved = False
    for file, spec, access in zip(files, specs, wanted, strict=True):
        card.enter(spec.df)
        if access.key:
            terminal.prove_key(card, access.key)
        if access.pin and not proved:
            terminal.prove_pin(card, "query", initial)
            proved = True
        yield read_file(card, spec, file)


def read_steps(terminal: Terminal, reader_type: int, card_info: str, addresses: str) -> Steps:
    """iReadCard_HSM: where the file asks for the PIN too, it is verified in step 1."""
    given, file = fields.card_info(card_info), fields.files(addresses)[0]
    card = terminal.open(reader_type, given)
    spec = card.file(file.df, file.ef)
    check_address(spec, file)
    access = read_access(spec.read_rule, lambda: True)
    if not access.key:
        raise DriverError(Code.HSM_NOT_NEEDED)
    initial = terminal.initial_pin(card) if access.pin else ""
    card.enter(spec.df)
    if access.pin:
        terminal.prove_pin(card, "query", initial)
    (proof,) = yield terminal.key_inputs(card, access.key)
    card.prove(access.key, fields.proof(proof))
    yield read_file(card, spec, file)


def write(terminal: Terminal, reader_type: int, card_info: str, addresses: str, data: str) -> str:
    """iWriteCard: every value is known to fit before the first is written."""
    given, files = fields.card_info(card_info), fields.files(addresses)
    values = fields.files(data, fields.WRITE_DATA_LENGTH)
    if len(values) != len(files):
        raise DriverError(Code.ILLEGAL_DATA)
    card = terminal.open(reader_type, given)
    specs = [card.writable(file.df, file.ef) for file in files]
    updates = [prepare(*each) for each in zip(specs, files, values, strict=True)]
    for spec, commands in zip(specs, updates, strict=True):
        card.enter(spec.df)
        terminal.prove_key(card, spec.write_rule)
        write_file(card, spec, commands)
    return ""


def write_steps(terminal: Terminal, reader_type: int, card_info: str, addresses: str) -> Steps:
    """iWriteCard_HSM."""
    given, file = fields.card_info(card_info), fields.files(addresses)[0]
    card = terminal.open(reader_type, given)
    spec = card.writable(file.df, file.ef)
    check_address(spec, file)
    card.enter(spec.df)
    key, data = yield terminal.key_inputs(card, spec.write_rule)
    proof = fields.proof(key)
    updates = prepare(spec, file, fields.files(data, fields.WRITE_DATA_LENGTH)[0])
    card.prove(spec.write_rule, proof)
    write_file(card, spec, updates)
    yield ""


def verify_pin(terminal: Terminal, reader_type: int) -> str:
    """iVerifyPIN."""
    terminal.prove_pin(terminal.open(reader_type), "verify")
    return ""


def change_pin(terminal: Terminal, reader_type: int) -> str:
    """iChangePIN."""
    card = terminal.open(reader_type)
    initial = terminal.initial_pin(card)
    old = terminal.pins.ask(ENTER_OLD) if needs_pin(card) else ""
    card.change_pin(old, terminal.pins.ask_new(initial))
    return ""


def reload_pin(terminal: Terminal, reader_type: int, card_info: str) -> str:
    """iReloadPIN."""
    card = terminal.open(reader_type, fields.card_info(card_info))
    initial = terminal.initial_pin(card)
    terminal.prove_key(card, PUK)
    pin = encode_pin(terminal.pins.ask_new(initial))
    terminal.send_message(card, _reset_header(card, pin), pin, "reset PIN")
    return ""


def reload_pin_steps(terminal: Terminal, reader_type: int, card_info: str) -> Steps:
    """iReloadPIN_HSM."""
    card = terminal.open(reader_type, fields.card_info(card_info))
    initial = terminal.initial_pin(card)
    (proof,) = yield terminal.key_inputs(card, PUK)
    card.prove(PUK, fields.proof(proof))
    pin = encode_pin(terminal.pins.ask_new(initial))
    header = _reset_header(card, pin)
    (message,) = yield terminal.message_inputs(card, header, pin)
    card.demand(fields.message(message, header), "reset PIN")
    yield ""


def unblock_pin(terminal: Terminal, reader_type: int, card_info: str) -> str:
    """iUnblockPIN."""
    card = terminal.open(reader_type, fields.card_info(card_info))
    terminal.prove_key(card, PUK)
    terminal.send_message(card, fields.message_header(UNBLOCK, 0), None, "unblock PIN")
    return ""


def unblock_pin_steps(terminal: Terminal, reader_type: int, card_info: str) -> Steps:
    """iUnblockPIN_HSM."""
    card = terminal.open(reader_type, fields.card_info(card_info))
    (proof,) = yield terminal.key_inputs(card, PUK)
    card.prove(PUK, fields.proof(proof))
    header = fields.message_header(UNBLOCK, 0)
    (message,) = yield terminal.message_inputs(card, header, b"")
    card.demand(fields.message(message, header), "unblock PIN")
    yield ""


def debit(terminal: Terminal, reader_type: int, card_info: str, pay_info: str) -> str:
    """iDoDebit."""
    given, payment = fields.card_info(card_info), fields.pay_info(pay_info)
    card = terminal.open(reader_type, given)
    number = terminal.psam.terminal_number()
    terminal.psam.environment(card.algorithm)
    opening, amounts = _open_purchase(terminal, card, payment, number)
    kind, time = _purchase_type(terminal), bytes.fromhex(payment.time)
    made = terminal.psam.init_purchase(card.algorithm, card.reference, opening.whole, amounts, kind, time)
    tac, mac2 = card.debit(made.sequence + time + made.mac1)
    terminal.psam.credit_purchase(mac2)
    return _receipt(terminal, card, amounts, number, fields.PurchaseKey(made.sequence, time, made.mac1), tac)


def debit_steps(terminal: Terminal, reader_type: int, card_info: str, pay_info: str) -> Steps:
    """iDoDebit_HSM."""
    given, payment = fields.card_info(card_info), fields.pay_info(pay_info)
    card = terminal.open(reader_type, given)
    address = terminal.address(DPK, terminal.options.purchase_key - 1)
    number = terminal.number()
    opening, amounts = _open_purchase(terminal, card, payment, number)
    (key,) = yield fields.join(
        algorithm_text(card),
        address,
        *map(fields.upper_hex, (opening.random, opening.count, amounts[4:], _purchase_type(terminal))),
        number,
        payment.time,
    )
    made = fields.purchase_key(key)
    tac, mac2 = card.debit(made.sequence + made.time + made.mac1)
    yield fields.join(fields.upper_hex(mac2)) + _receipt(terminal, card, amounts, number, made, tac)


def read_debit_records(terminal: Terminal, reader_type: int) -> str:
    """iReadDebitRecord: the purchases in DF04 EF08, the newest first."""
    card = terminal.open(reader_type)
    details = card.file(MEDICAL, DETAILS)
    initial = terminal.initial_pin(card)
    card.enter(details.df)
    terminal.prove_pin(card, "query", initial)
    card.select(DETAILS)
    return "".join(debit_record(record) for record in cycle_records(card) if _is_purchase(record))


def debit_record(record: bytes) -> str:
    """A purchase of EF08: sequence (hex), terminal, time, total, account and pool fund in yuan."""
    count, terminal, time = record[:2], record[3:9], record[9:16]
    total, account_and_pool = record[20:24], record[24:28]
    amounts = (fields.yuan(int.from_bytes(amount, "big")) for amount in (total, account_and_pool))
    return "^".join((fields.upper_hex(count), terminal.hex(), time.hex(), *amounts)) + "^|"


def _is_purchase(record: bytes) -> bool:
    """Type 02, or 32 in ASCII [OC-18]."""
    return record[2:3] in (b"\x02", b"2")


def _open_purchase(terminal: Terminal, card: DriverCard, payment: fields.Payment, number: str) -> tuple[Opening, bytes]:
    """The PIN, then INITIALIZE FOR PURCHASE: account 0, self-paid the total, pool the other amount (inferred)."""
    initial = terminal.initial_pin(card)
    card.enter(card.file(MEDICAL, DETAILS).df)
    terminal.prove_pin(card, "transact", initial)
    amounts = b"".join(amount.to_bytes(4, "big") for amount in (0, payment.total, payment.account_and_pool))
    opening = card.initialize_purchase(terminal.options.purchase_key, amounts, bytes.fromhex(number))
    return opening, amounts


def _receipt(
    terminal: Terminal, card: DriverCard, amounts: bytes, number: str, made: fields.PurchaseKey, tac: bytes
) -> str:
    """The eight fields of iDoDebit."""
    return fields.join(
        algorithm_text(card),
        terminal.address(DTK),
        fields.upper_hex(amounts[4:]),
        fields.upper_hex(_purchase_type(terminal)),
        number,
        fields.upper_hex(made.sequence),
        made.time.hex(),
        fields.upper_hex(tac),
    )


def _purchase_type(terminal: Terminal) -> bytes:
    return bytes((terminal.options.purchase_type,))


def _reset_header(card: DriverCard, pin: bytes) -> bytes:
    """Header of a PIN reset: LD ‖ PIN in whole blocks, then the MAC."""
    return fields.message_header(RESET, (len(pin) + card.block) // card.block * card.block)


def _by_key(by: int) -> bool:
    """Whether iAuthType means the key: −14 for neither."""
    if by not in PIN_OR_KEY:
        raise DriverError(Code.PARAMETER)
    return by == 2
