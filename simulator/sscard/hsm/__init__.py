"""The issuer's HSM (加密机): one protocol, opened by URL: in software, over HTTP, a PKCS#11 token, or a plug-in."""

from sscard.hsm.protocol import Hsm, HsmError, HsmUnavailable
from sscard.hsm.registry import open_hsm
from sscard.hsm.soft import SoftHsm

__all__ = ["Hsm", "HsmError", "HsmUnavailable", "SoftHsm", "open_hsm"]
