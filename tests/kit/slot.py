"""A PSAM in its slot: APDUs in hex, the proofs and messages of a terminal or issuer over its own keys."""

from __future__ import annotations

from random import Random

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import SM4 as SM4_ALGORITHM
from cryptography.hazmat.primitives.ciphers.modes import CBC

from kit.cards import ORIGINAL
from kit.command_sheet import allowed, generic
from sscard.issuer import CardReference, builtin_keys
from sscard.issuer.psam import PsamCard, builtin_own_keys, issue_psam
from sscard.psam.commands import TABLE
from sscard.psam.keys import TRIPLE_DES, KeyRecord
from sscard.psam.layout import file_cell
from sscard.standard.cipher import DES, SUITES_BY_NAME, pad

CARD = CardReference("510100", bytes.fromhex("8649510100000001"))
TERMINAL = "510100000001"
NAMES = {"DES": "7378312E73682EC9E7BBE1B1A3D5CF", "SM4": "7378332E73682EC9E7BBE1B1A3D5CF"}
SSF33 = "7378322E73682EC9E7BBE1B1A3D5CF"
FIDS = {"DES": "3F00", "SM4": "DDF2"}
AID = "D15600000590"
R8 = bytes.fromhex("1122334455667788")
PURCHASE = "A1A2A3A4 0007 000003E8 000000C8 00000064 02 20250101123000"


class Slot:
    """A powered PSAM in DF01 of one environment: APDUs in hex, status words out."""

    def __init__(self, algorithm: str = "SM4", level: str = "national", *, contact: bool = False, inside: bool = True):
        self.suite = SUITES_BY_NAME[algorithm]
        self.place = list(NAMES).index(algorithm)
        self.name = NAMES[algorithm]
        self.psam: PsamCard = issue_psam(builtin_keys(), TERMINAL, level)  # type: ignore[arg-type]
        self.memory = self.psam.memory
        self.chip = self.psam.chip(Random(1), contact=contact)
        self.random = b""
        self.power(inside=inside)

    def power(self, *, inside: bool = True) -> None:
        self.chip.power_off()
        self.chip.power_on()
        assert self.sw(f"00A404000F{self.name}") & 0xFF00 in (0x9000, 0x6100)
        if inside:
            assert self.sw(f"00A4040006{AID}") & 0xFF00 in (0x9000, 0x6100)

    def send(self, command: str) -> tuple[bytes, int]:
        """Send a command; its answer must be one that its declaration allows."""
        sent = bytes.fromhex(command)
        answer = self.chip.transmit(sent)
        word = int.from_bytes(answer[-2:], "big")
        declared = TABLE.by_code.get(sent[0] << 8 | sent[1]) if len(sent) >= 4 else None
        assert declared is None or generic(word) in allowed(declared), f"{declared.name} answers {word:04X}"
        return answer[:-2], word

    def sw(self, command: str) -> int:
        return self.send(command)[1]

    def get(self, command: str) -> bytes:
        data, sw = self.send(command)
        assert sw == 0x9000, f"{sw:04X}"
        return data

    def challenge(self) -> None:
        self.random = self.get("0084000008")

    def own(self, number: int) -> bytes:
        """An own key, as the issuer diversifies it to this PSAM."""
        name = ("DDF-MK", "KID-01", "KID-02", "KID-03")[number]
        serial = bytes.fromhex(TERMINAL.rjust(16, "0"))
        return builtin_own_keys().card_key(self.suite, name, 0, CardReference("510100", serial))

    def proof(self, number: int, *, right: bool = True, version: str = "") -> str:
        data = self.suite.authenticate(self.suite.key(self.own(number)), self.random or R8, ORIGINAL) + ORIGINAL
        if not right:
            data = bytes((data[0] ^ 1,)) + data[1:]
        return f"008200{number:02X}{16 + len(version) // 2:02X}{data.hex()}{version}"

    def prove(self, number: int) -> None:
        self.challenge()
        assert self.sw(self.proof(number)) == 0x9000

    def block(self, number: int) -> None:
        while self.tries(number):
            self.challenge()
            self.sw(self.proof(number, right=False))

    def tries(self, number: int) -> int:
        return self.chip.snapshot().key_tries[self.suite.name][("DDF-MK", "KID-01", "KID-02", "KID-03")[number]]

    def write_key(self, p1: int, plain: str, *, file: int = 0x11, right: bool = True, whole: bool = False) -> str:
        """CREATE (P1=00) or CHANGE KEY (01) over the last challenge; ``whole`` is a plain text with LD and padding."""
        block, key = self.suite.block, self.own(min(file & 0x0F, 3))
        data = bytes.fromhex(plain)
        if not whole:
            data = bytes((len(data),)) + data
            data = pad(data, block) if len(data) % block else data
        enciphered = self.suite.session_key(self.suite.key(key), self.random or R8).encrypt(data)
        head = bytes((0x84, 0xD4, p1, file, len(enciphered) + 4)) + enciphered
        last = cbc(key, block, (self.random or R8).ljust(block, b"\x00"), pad(head, block))[-block:]
        mac = self.suite.fold(last) if right else bytes(4)
        return (head + mac).hex()

    def deliver(self, usage: int, id_: int, factors: bytes = b"", input_: bytes = R8) -> str:
        data = factors + input_.ljust(self.suite.block, b"\x00")
        return f"BFDE{usage:02X}{id_:02X}{len(data):02X}{data.hex()}"

    def cipher(self, p1: int, data: bytes) -> str:
        return f"80FA{p1:02X}00{len(data):02X}{data.hex()}"

    def init(self, factors: bytes | None = None, version: int = 1, algorithm: int | None = None) -> str:
        factors = CARD.serial if factors is None else factors
        head = PURCHASE.replace(" ", "")
        algorithm = self.suite.algorithm_id if algorithm is None else algorithm
        return f"80700100{28 + len(factors):02X}{head}{version:02X}{algorithm:02X}{factors.hex()}"

    def mac2(self, opened: bytes) -> bytes:
        """The MAC2 that the card gives to the purchase that INIT SAM answered."""
        data = bytes.fromhex(PURCHASE.replace(" ", ""))
        root = self.suite.key(builtin_keys().card_key(self.suite, "DPK", 0, CARD))
        return self.suite.mac(self.suite.session_key(root, data[:6] + opened[2:4]), data[6:18])

    def keep(self, record: KeyRecord) -> None:
        """Put a record into the national key file, as an issuer's tool would."""
        self.memory.put_string(file_cell(self.place, 0x11), record.encode())

    @property
    def algorithm(self) -> int:
        return TRIPLE_DES if self.suite is DES else self.suite.algorithm_id


def cbc(key: bytes, block: int, initial: bytes, data: bytes) -> bytes:
    if block == 16:
        return Cipher(SM4_ALGORITHM(key), CBC(initial)).encryptor().update(data)
    whole = key * 3 if len(key) == 8 else key + key[:8]
    return Cipher(TripleDES(whole), CBC(initial)).encryptor().update(data)
