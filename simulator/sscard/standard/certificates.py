"""The certificate application (数字证书应用) of a 3.0 card and its PINs, and the bank application; stubs of both.

Source: docs/standard/certificate-application.md. Two issuing programs are known, no text of a standard.
"""

from __future__ import annotations

from typing import Final

from sscard.standard.cipher import SM4
from sscard.standard.tree import MF, CertificatePin, DfSpec, FileSpec, Structure

NO_FID: Final = 0x10000
"""FIDs from here on are longer than any that SELECT carries: the DF has none, or only in its environment."""
NOWHERE: Final = -1
ENVIRONMENT: Final = NO_FID
BANK_ID: Final = NO_FID + 1
ADF_FID: Final = 0xDF01
"""The FID of the ADF in its environment; elsewhere on the card it is that of DF01."""
ADF: Final = NO_FID | ADF_FID

CERTIFICATE_DFS: Final = (
    DfSpec(
        ENVIRONMENT,
        "PKI",
        "数字证书环境",
        bytes.fromhex("504B492EC9E7BBE1B1A3D5CF"),
        ddf=True,
        outside=True,
        certificates=True,
        parent=MF,
    ),
    DfSpec(ADF, "certificates", "数字证书应用", b"SS.CERT.ADF1", outside=True, certificates=True, parent=ENVIRONMENT),
)
"""``PKI.社会保障`` in GB code, 12 bytes, and its ADF."""
BANK: Final = DfSpec(
    BANK_ID, "bank", "银行应用", bytes.fromhex("A000000333010101"), financial=True, outside=True, parent=MF
)

PUBLIC_KEY: Final = 66
PRIVATE_KEY: Final = 32
CERTIFICATE: Final = 1024
CERTIFICATE_FILES: Final = tuple(
    FileSpec(ADF, sfi, name, chinese, Structure.TRANSPARENT, read, "never", size=size, prefix=0x00)
    for sfi, name, chinese, read, size in (
        (0x12, "public key for signing", "签名公钥", "free", PUBLIC_KEY),
        (0x13, "private key for signing", "签名私钥", "never", PRIVATE_KEY),
        (0x14, "public key for encryption", "加密公钥", "free", PUBLIC_KEY),
        (0x15, "private key for encryption", "加密私钥", "never", PRIVATE_KEY),
        (0x18, "certificate for signing", "签名证书", "free", CERTIFICATE),
        (0x19, "certificate for encryption", "加密证书", "free", CERTIFICATE),
    )
)
"""Zero on a card without a key pair; nothing of the stub writes them."""

VERIFY_USER: Final = 0x0181
VERIFY_ADMINISTRATOR: Final = 0x0100
PIN_BY_P1P2: Final = {VERIFY_USER: CertificatePin.USER, VERIFY_ADMINISTRATOR: CertificatePin.ADMINISTRATOR}
"""The PIN that VERIFY means by P1 P2."""
INITIAL_PINS: Final = {CertificatePin.USER: "123456", CertificatePin.ADMINISTRATOR: "12345678"}
"""The first is the factory value of one program, the other an assumption of that length."""
CRYPTOGRAM_LENGTH: Final = 16
KEY_LENGTH: Final = 16


def fid_from(certificates: bool, fid: int, ssse: int) -> int:
    """The FID by which the layout knows a DF that is selected by FID; from the certificate environment few are."""
    if not certificates or fid in (MF, ssse):
        return fid
    return ADF if fid == ADF_FID else NOWHERE


def cryptogram(pin: bytes, challenge: bytes) -> bytes:
    """What VERIFY carries, 16 bytes: SM4 of the challenge, right-padded with 00, under SM3 of the PIN bytes cn."""
    from cryptography.hazmat.primitives.hashes import SM3, Hash

    digest = Hash(SM3())
    digest.update(pin)
    return SM4.passing_key(digest.finalize()[:KEY_LENGTH]).encrypt(challenge.ljust(CRYPTOGRAM_LENGTH, b"\0"))
