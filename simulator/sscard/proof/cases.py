"""What ``tears`` sweeps: the states that a card or PSAM can be brought to, and every command that writes.

A state and a command have a name and a script (``sscard.proof.scripts``), as in the examples
of the commands; the last line of a command is the one under the fault.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Case(NamedTuple):
    """A command and what leads to it; ``guess`` pairs a right guess with the wrong one of the same word."""

    name: str
    script: tuple[str, ...]
    guess: str = ""
    right: bool = True


SSSE: Final = "00A404000F7378312E73682EC9E7BBE1B1A3D5CF"
CHALLENGE: Final = "0084000008"
WRONG_VERIFY: Final = "00200000 {wrong_pin}"
VERIFY: Final = "00200000 {pin}"


def proof(number: str, *, wrong: bool = False) -> tuple[str, str]:
    """Take a challenge and prove the key of this number."""
    return CHALLENGE, f"008200{number} {{{'wrong_' if wrong else ''}proof}}"


MEDICAL: Final = (VERIFY, "00A4000002DF04")
BEGIN_LOAD: Final = "B0280001 01000001F4 510100000001"
BEGIN_PURCHASE: Final = "B0280101 01000000640000001400000003 510100000001"
CREDIT: Final = "B02A0000 20250101123000 {load 500}"
DEBIT: Final = "B02C0100 00000023 20250101123000 {purchase 100 20 3}"
LOADED: Final = (*MEDICAL, BEGIN_LOAD, CREDIT)
RESET: Final = (SSSE, *proof("06"), CHALLENGE)

STATES: Final[dict[str, tuple[str, ...]]] = {
    "fresh": (),
    "3-tries-used": (SSSE, *(WRONG_VERIFY,) * 3),
    "one-try-left": (SSSE, *(WRONG_VERIFY,) * 5),
    "PIN-blocked": (SSSE, *(WRONG_VERIFY,) * 6),
    "no-PIN": (SSSE, "805E0100 {pin} FF"),
    "PUK-used": (SSSE, *proof("06", wrong=True)),
    "one-PUK-left": (SSSE, *proof("06", wrong=True) * 2),
    "PUK-blocked": (SSSE, *proof("06", wrong=True) * 3),
    "PIN-blocked-one-PUK-left": (SSSE, *(WRONG_VERIFY,) * 6, *proof("06", wrong=True) * 2),
    "UK-and-UK-of-DF01-used": (SSSE, *proof("04", wrong=True), "00A4000002DF01", *proof("83", wrong=True) * 2),
    "account-with-a-past": (*LOADED, BEGIN_PURCHASE, DEBIT, BEGIN_LOAD, CREDIT),
    "application-locked": ("00A4000002DF03", *proof("83"), CHALLENGE, "841E0001 {mac}"),
    "card-locked": (SSSE, *proof("05"), CHALLENGE, "84160000 {mac}"),
}

CARD_COMMANDS: Final = (
    Case("VERIFY-right", (SSSE, VERIFY), "VERIFY"),
    Case("VERIFY-wrong", (SSSE, WRONG_VERIFY), "VERIFY", right=False),
    Case("CHANGE-PIN", (SSSE, "805E0100 {pin} FF 654321"), "CHANGE-PIN"),
    Case("CHANGE-PIN-wrong", (SSSE, "805E0100 {wrong_pin} FF 654321"), "CHANGE-PIN", right=False),
    Case("CHANGE-PIN-to-none", (SSSE, "805E0100 {pin} FF")),
    Case("CHANGE-PIN-to-the-same", (SSSE, "805E0100 {pin} FF {pin}")),
    Case("CHANGE-PIN-after-VERIFY-wrong", (SSSE, VERIFY, "805E0100 {wrong_pin} FF 654321")),
    Case("reset", (*RESET, "84240001 {enciphered 654321} {mac}")),
    Case("reset-to-a-long-PIN", (*RESET, "84240001 {enciphered 1234567890123456} {mac}")),
    Case("reset-to-none", (*RESET, "84240001 {mac}")),
    Case("reset-wrong-MAC", (*RESET, "84240001 {enciphered 654321} {wrong_mac}")),
    Case("unblock", (*RESET, "84240000 {mac}")),
    Case("unblock-wrong-MAC", (*RESET, "84240000 {wrong_mac}")),
    Case("EXTERNAL-AUTHENTICATION-of-PUK", (SSSE, *proof("06")), "PUK"),
    Case("EXTERNAL-AUTHENTICATION-of-PUK-wrong", (SSSE, *proof("06", wrong=True)), "PUK", right=False),
    Case("EXTERNAL-AUTHENTICATION-of-UK", (SSSE, *proof("04")), "UK"),
    Case("EXTERNAL-AUTHENTICATION-of-UK-wrong", (SSSE, *proof("04", wrong=True)), "UK", right=False),
    Case("EXTERNAL-AUTHENTICATION-in-DF01", ("00A4000002DF01", *proof("83")), "UK1"),
    Case("EXTERNAL-AUTHENTICATION-in-DF01-wrong", ("00A4000002DF01", *proof("83", wrong=True)), "UK1", right=False),
    Case("UPDATE-BINARY", (SSSE, *proof("04"), "00D6870002AABB")),
    Case("UPDATE-BINARY-with-a-MAC", (SSSE, *proof("04"), CHALLENGE, "04D68700 AABB {mac}")),
    Case("UPDATE-RECORD", (SSSE, *proof("04"), "00DC022C03020134")),
    Case("UPDATE-RECORD-with-a-MAC", (SSSE, *proof("04"), CHALLENGE, "04DC022C 020134 {mac}")),
    Case("UPDATE-RECORD-of-a-cyclic-file", ("00A4000002DF02", *proof("85"), f"00DC003B55{'5A' * 85}")),
    Case("APPLICATION-BLOCK", ("00A4000002DF03", *proof("83"), CHALLENGE, "841E0001 {mac}")),
    Case("CARD-BLOCK", (SSSE, *proof("05"), CHALLENGE, "84160000 {mac}")),
    Case("CREDIT-FOR-LOAD", (*MEDICAL, BEGIN_LOAD, CREDIT)),
    Case("CREDIT-FOR-LOAD-wrong-MAC", (*MEDICAL, BEGIN_LOAD, CREDIT.replace("load", "wrong_load"))),
    Case("DEBIT-FOR-PURCHASE", (*LOADED, BEGIN_PURCHASE, DEBIT)),
    Case("DEBIT-FOR-PURCHASE-wrong-MAC", (*LOADED, BEGIN_PURCHASE, DEBIT.replace("purchase", "wrong_purchase"))),
    Case("UPDATE-STARTING-DAY", ("00A4000002DF04", *proof("87"), "B0560000020401")),
)

CERTIFICATES: Final = ("00A404000C53532E434552542E41444631", "0084000010")
"""The ADF of the certificate application, and a challenge for one of its PINs."""
USER: Final = "00200181 {cryptogram 123456}"
ADMINISTRATOR: Final = "00200100 {cryptogram 12345678}"
VERIFY_OWN: Final = b"\x00\x20\x01"
"""VERIFY of one of these PINs, up to P1."""
WRONG_USER: Final = (*CERTIFICATES, "00200181 {wrong_cryptogram 123456}")
WRONG_ADMINISTRATOR: Final = (*CERTIFICATES, "00200100 {wrong_cryptogram 12345678}")

CERTIFICATE_STATES: Final[dict[str, tuple[str, ...]]] = {
    "fresh": (),
    "user-PIN-used": WRONG_USER * 2,
    "one-try-of-the-user-PIN-left": WRONG_USER * 5,
    "user-PIN-blocked": (*WRONG_USER * 6, SSSE, WRONG_VERIFY),
    "administrator-PIN-blocked": (*WRONG_ADMINISTRATOR * 6, SSSE, *(WRONG_VERIFY,) * 6),
    "card-locked": (*WRONG_USER, SSSE, *proof("05"), CHALLENGE, "84160000 {mac}"),
}
CERTIFICATE_COMMANDS: Final = (
    *CARD_COMMANDS,
    Case("VERIFY-of-the-user-PIN", (*CERTIFICATES, USER), "user-PIN"),
    Case("VERIFY-of-the-user-PIN-wrong", WRONG_USER, "user-PIN", right=False),
    Case("VERIFY-of-the-administrator-PIN", (*CERTIFICATES, ADMINISTRATOR), "administrator-PIN"),
    Case("VERIFY-of-the-administrator-PIN-wrong", WRONG_ADMINISTRATOR, "administrator-PIN", right=False),
)
"""Those of a card with the certificate application: none on the social PIN may touch its PINs, and the reverse."""


def is_on_own_pin(command: bytes) -> bool:
    """Whether a command is on a PIN of the certificate application."""
    return command.startswith(VERIFY_OWN)


DF01: Final = "00A4040006D15600000590"
NEW_KEY: Final = (
    *proof("01"),
    CHALLENGE,
    "84D40011 {enciphered 670F00 algorithm 00000000 ABABABABABABABABABABABABABABABAB} {mac}",
)
INIT: Final = ("80700100 A1A2A3A4 0007 000003E8 000000C8 00000064 02 20250101123000 01 {algorithm} 8649510100000001",)
MAC2: Final = "80720000 {mac2 A1A2A3A40007 000003E8000000C800000064}"

PSAM_STATES: Final[dict[str, tuple[str, ...]]] = {
    "fresh": (),
    "KID-01-used": proof("01", wrong=True),
    "one-try-of-KID-01-left": proof("01", wrong=True) * 2,
    "KID-01-blocked": proof("01", wrong=True) * 3,
    "a-key-more": NEW_KEY,
    "a-purchase-done": (*INIT, MAC2),
}

PSAM_COMMANDS: Final = (
    Case("EXTERNAL-AUTHENTICATION-of-KID-01", proof("01"), "KID-01"),
    Case("EXTERNAL-AUTHENTICATION-of-KID-01-wrong", proof("01", wrong=True), "KID-01", right=False),
    Case("UPDATE-BINARY", (*proof("01"), "00D69A00020101")),
    Case("CREATE-KEY", NEW_KEY),
    Case(
        "CHANGE-KEY",
        (*proof("01"), CHALLENGE, "84D40111 {enciphered 670800 CDCDCDCDCDCDCDCDCDCDCDCDCDCDCDCD} {mac}"),
    ),
    Case("CREATE-KEY-wrong-MAC", (*NEW_KEY[:-1], NEW_KEY[-1].replace("{mac}", "{wrong_mac}"))),
    Case("INIT-SAM-FOR-PURCHASE", INIT),
    Case("CREDIT-SAM-FOR-PURCHASE", (*INIT, MAC2)),
)
