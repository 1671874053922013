"""How bytes travel: connections, the T=0 exchange over them, and what records them."""

from sscard.transport.connection import Connection, exchange
from sscard.transport.trace import Exchange, PowerEvent, Recorder, describe

__all__ = ["Connection", "Exchange", "PowerEvent", "Recorder", "describe", "exchange"]
