"""Cards by URL: a card file, a PC/SC reader, a TCP connection, a program, and what packages add (``sscard.cards``)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from random import Random
from typing import Final

from sscard.errors import InputError, MissingPart, TransportError
from sscard.i18n.phrase import Phrase
from sscard.issuer import cardfile
from sscard.issuer.cardfile import FileCard
from sscard.issuer.migrations import Notify, ignore
from sscard.lazy import Logger
from sscard.plugins import Registry
from sscard.transport.connection import Connection

logger = Logger("sscard.terminal")

IMAGE, PCSC, EXEC = "image", "pcsc", "exec"
SHORTEST_ANSWER: Final = 2
"""Bytes: a status word, or the least an ATR has."""

Opener = Callable[..., AbstractContextManager[Connection]]
"""``opener(url, contact=…, notify=…)``: a connection without power yet, closed at the end of the ``with`` block.

``contact`` and ``notify`` are those of ``open_card``; an opener that needs
neither takes ``**_``. Only the opener of card files gets ``sync`` and ``random``.
"""


def open_image(
    url: str,
    *,
    contact: bool = True,
    notify: Notify = ignore,
    sync: bool = False,
    random: Random | None = None,
) -> AbstractContextManager[FileCard]:
    """Hold the card of a card file, ``image:FILE`` or a path; ``InputError`` for any other card."""
    path = image_path(url)
    logger.debug("card file", file=str(path))
    return cardfile.open_card(path, random, contact=contact, notify=notify, sync=sync)


def _open_pcsc(url: str, *, exclusive: bool = False, **_options: object) -> AbstractContextManager[Connection]:
    """``pcsc:READER``; without READER the first reader with a card, or the first reader if no reader has one."""
    from sscard.transport.pcsc import PcscConnection, cards

    if name := _address(url):
        return PcscConnection(name, exclusive=exclusive)
    found = cards()
    if not found:
        raise MissingPart(Phrase("this machine has no reader"), "sscard doctor")
    chosen = next((name for name, atr in found.items() if atr), next(iter(found)))
    return PcscConnection(chosen, exclusive=exclusive)


def _open_tcp(url: str, **_options: object) -> AbstractContextManager[Connection]:
    """``tcp:HOST:PORT``: the card connects to us, or we to it."""
    from sscard.transport.tcp import TcpConnection

    return TcpConnection(_address(url))


def _open_exec(url: str, **_options: object) -> AbstractContextManager[Connection]:
    """``exec:COMMAND``: a program answers the commands."""
    from sscard.transport.exec import ExecConnection

    return ExecConnection(_address(url))


def _address(url: str) -> str:
    return url.partition(":")[2]


class PlugInCard:
    """The connection of a package's card: it answers bytes, or raises a ``TransportError`` that names the card."""

    def __init__(self, card: Connection, url: str) -> None:
        self._card = card
        self._url = url

    def power_on(self) -> bytes:
        return self._answer(self._card.power_on)

    def power_off(self) -> None:
        self._call(self._card.power_off)

    def reset(self) -> bytes:
        return self._answer(self._card.reset)

    def transmit(self, command: bytes) -> bytes:
        return self._answer(self._card.transmit, command)

    def _answer(self, ask: Callable[..., object], *sent: bytes) -> bytes:
        answer = self._call(ask, *sent)
        if not isinstance(answer, bytes):
            raise TransportError(
                Phrase(
                    "card {url}: {call} returned {type}, expected bytes", type=type(answer).__name__, **self._where(ask)
                )
            )
        if len(answer) < SHORTEST_ANSWER:
            raise TransportError(
                Phrase(
                    "card {url}: {call} returned {length} bytes, expected at least {least}",
                    length=len(answer),
                    least=SHORTEST_ANSWER,
                    **self._where(ask),
                )
            )
        return answer

    def _call(self, ask: Callable[..., object], *sent: bytes) -> object:
        try:
            return ask(*sent)
        except (TransportError, InputError, MissingPart):
            raise
        except (Exception, SystemExit) as error:
            # Not its text, which may repeat the command with its PIN.
            raise TransportError(
                Phrase("card {url}: {call} failed with {error}", error=type(error).__name__, **self._where(ask))
            ) from None

    def _where(self, ask: Callable[..., object]) -> dict[str, str]:
        return {"url": self._url, "call": ask.__name__}


CARDS: Final[Registry[Opener]] = Registry(
    "sscard.cards",
    Phrase("kind of card"),
    {
        IMAGE: open_image,
        PCSC: _open_pcsc,
        "tcp": _open_tcp,
        "exec": _open_exec,
    },
    IMAGE,
    result=Connection,
    guard=PlugInCard,
)


def open_card(
    url: str | Path,
    *,
    contact: bool = True,
    notify: Notify = ignore,
    sync: bool = False,
    random: Random | None = None,
    exclusive: bool = False,
) -> AbstractContextManager[Connection]:
    """A connection to the card at a URL, without power yet.

    ``image:FILE`` or a path, ``pcsc[:READER]``, ``tcp:HOST:PORT``, ``tcp::PORT``,
    ``exec:COMMAND``, or a scheme of an installed package. ``contact`` chooses
    the interface of a card file; ``notify`` gets messages, as of a migrated
    file; ``sync`` makes each change of a card file survive a power loss of the
    machine; ``random`` makes the challenges of a card file, by default the
    operating system; ``exclusive`` keeps other programs from a card in a PC/SC
    reader, as others are kept from every other card. Errors: ``InputError``, also for ``sync`` or ``random``
    with any other card, ``MissingPart``, and those of the connection.
    """
    kind = scheme_of(str(url))
    options: dict[str, object] = {}
    if sync:
        if kind != IMAGE:
            raise InputError(
                Phrase("{url}: only the changes of a card file can be synced", url=str(url)),
                remedy=Phrase("leave --sync out"),
            )
        options["sync"] = True
    if random is not None:
        if kind != IMAGE:
            raise InputError(
                Phrase("{url}: only the challenges of a card file can be fixed", url=str(url)),
                remedy=Phrase("leave --seed out"),
            )
        options["random"] = random
    if exclusive and kind == PCSC:
        options["exclusive"] = True
    opened = CARDS.open(str(url), contact=contact, notify=notify, **options)
    logger.info("card opened", kind=kind)
    return opened


def scheme_of(url: str) -> str:
    """The scheme of a card URL, ``image`` for a path; ``InputError`` if it is unknown."""
    return CARDS.resolve(url)[1].partition(":")[0]


def image_path(url: str) -> Path:
    """The path of a card file; ``InputError`` for any other card, whose memory nobody can see."""
    if scheme_of(url) != IMAGE:
        raise InputError(
            Phrase("{url}: the memory of this card cannot be read", url=url),
            remedy=Phrase("name a card file, or send commands with sscard apdu"),
        )
    return Path(_address(CARDS.resolve(url)[1]))
