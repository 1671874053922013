"""The issuer's HSM (加密机): one protocol, in software, over HTTP or as a PKCS#11 token."""

from sscard.hsm.protocol import Hsm, HsmError
from sscard.hsm.soft import SoftHsm

__all__ = ["Hsm", "HsmError", "SoftHsm"]
