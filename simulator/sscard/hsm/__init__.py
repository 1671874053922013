"""The issuer's HSM (加密机): one protocol, opened by URL: in software, over HTTP, a PKCS#11 token, or a plug-in."""

from sscard.lazy import names_on_use

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sscard.errors import HsmError, HsmUnavailable
    from sscard.hsm.protocol import Hsm
    from sscard.hsm.registry import open_hsm
    from sscard.hsm.soft import SoftHsm
else:
    __getattr__, __dir__ = names_on_use(
        __name__,
        {
            "sscard.errors": ("HsmError", "HsmUnavailable"),
            "sscard.hsm.protocol": ("Hsm",),
            "sscard.hsm.registry": ("open_hsm",),
            "sscard.hsm.soft": ("SoftHsm",),
        },
    )

__all__ = ["Hsm", "HsmError", "HsmUnavailable", "SoftHsm", "open_hsm"]
