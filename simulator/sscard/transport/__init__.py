"""Transport of bytes: connections, the T=0 exchange over them, and faults.

PC/SC is imported by module: ``transport.pcsc`` (a card in a reader, as a terminal uses it), ``transport.vpcd``
(a card inserted into a virtual reader) and ``transport.pcscd`` (a private daemon for tests).
"""

from sscard.lazy import names_on_use

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sscard.transport.connection import Connection, exchange
    from sscard.transport.faults import CardMute, CardRemoved, FaultyConnection, TransportError
else:
    __getattr__, __dir__ = names_on_use(
        __name__,
        {
            "sscard.transport.connection": ("Connection", "exchange"),
            "sscard.transport.faults": ("CardMute", "CardRemoved", "FaultyConnection", "TransportError"),
        },
    )

__all__ = ["CardMute", "CardRemoved", "Connection", "FaultyConnection", "TransportError", "exchange"]
