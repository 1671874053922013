"""``sscard farm``: many card images in many readers of a private PC/SC daemon."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple

import typer

from sscard.cli.insert import ENDS, OPEN_TO_ALL
from sscard.errors import InputError
from sscard.i18n.language import _

if TYPE_CHECKING:
    from rich.table import Table

    from sscard.transport.pcscd import PrivatePcscd

MOST: Final = 16
END: Final = ""
TICK: Final = 0.25
"""Seconds between two looks at the cards."""


class Place(NamedTuple):
    """A card image and the reader it goes into: its name, and the port behind it."""

    reader: str
    port: int
    image: Path


class Status(NamedTuple):
    """How a card in its reader stands."""

    state: str = "…"
    seated: bool = False
    served: int = 0
    tries: str = ""


def farm(
    cards: Annotated[list[Path], typer.Argument(help=_("Card images, and folders of them."))],
    readers: Annotated[int, typer.Option(min=0, max=MOST, help=_("How many readers; 0: one for each card."))] = 0,
    processes: Annotated[int, typer.Option(min=1, max=MOST, help=_("How many processes share the cards."))] = 1,
) -> None:
    """Put many cards into as many readers of a private PC/SC daemon, until Ctrl-C or SIGTERM.

    The first line printed is what a program needs in its environment to use them; it comes when all cards are in.
    """
    from sscard.transport.pcscd import PrivatePcscd

    images = _images(cards)
    count = readers or min(len(images), MOST)
    with PrivatePcscd(count) as daemon:
        places = [
            Place(daemon.reader_name(reader), daemon.port(reader), image) for reader, image in enumerate(images[:count])
        ]
        with _Farm(places, processes) as running:
            signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)  # not before: to start a process unblocks them
            _show(running, daemon, len(images) - len(places))


def _images(given: list[Path]) -> list[Path]:
    found: list[Path] = []
    for path in given:
        found += sorted(path.glob("[!.]*.json")) if path.is_dir() else [path]
    if not found:
        raise InputError(
            _("no card images here"),
            file=str(given[0]),
            remedy=_("sscard issue --count 4 -o {folder} makes four", folder=given[0]),
        )
    return found


def _show(running: _Farm, daemon: PrivatePcscd, left_over: int) -> None:
    from rich.console import Console
    from rich.live import Live

    console = Console(highlight=False)
    while not running.all_in():
        if _ended():
            return
        running.look()
    for name, value in daemon.environment.items():
        typer.echo(f"export {name}={value}")
    if left_over:
        typer.echo(_("cards without reader: {count}", count=left_over))
    typer.echo(_("end: Ctrl-C; {warning}", warning=_(OPEN_TO_ALL)))
    shown = Live(running.table(), console=console, auto_refresh=False) if console.is_terminal else nullcontext()
    with shown as live:
        while not _ended():
            running.look()
            if live is not None:
                live.update(running.table(), refresh=True)
        running.finish()
        if live is not None:
            live.update(running.table(), refresh=True)
    if not console.is_terminal:
        console.print(running.table())


def _ended() -> bool:
    """Wait a moment; whether the user ended it."""
    return signal.sigtimedwait(ENDS, TICK) is not None


class _Farm:
    """The processes that serve the cards, and what they tell of them."""

    def __init__(self, places: list[Place], processes: int) -> None:
        self._status = {place: Status() for place in places}
        self._shares = [places[first::processes] for first in range(min(processes, len(places)))]
        self._pipes: list[Pipe] = []
        self._open = ExitStack()

    def __enter__(self) -> _Farm:
        with ExitStack() as opening:
            for share in self._shares:
                self._pipes.append(opening.enter_context(_process(share)))
            self._open = opening.pop_all()
        return self

    def __exit__(self, *raised: object) -> None:
        self._open.close()

    def all_in(self) -> bool:
        return all(status.seated for status in self._status.values())

    def look(self) -> None:
        """Take in what the processes have told; ``InputError`` where one has failed."""
        for share, pipe in zip(self._shares, self._pipes, strict=True):
            while pipe.poll():
                self._take(share, _received(pipe))

    def finish(self) -> None:
        """Let the processes tell for the last time."""
        for share, pipe in zip(self._shares, self._pipes, strict=True):
            pipe.send(END)
            while (told := _received(pipe)) != END:
                self._take(share, told)

    def _take(self, share: list[Place], told: list[Status] | str) -> None:
        if isinstance(told, str):
            raise InputError(told)
        self._status.update(zip(share, told, strict=True))

    def table(self) -> Table:
        """A row per card."""
        from rich.table import Table

        table = Table(_("reader"), _("card"), _("state"), _("commands"), _("tries left"))
        for place, status in self._status.items():
            table.add_row(place.reader, place.image.name, _(status.state), str(status.served), status.tries)
        return table


def _received(pipe: Pipe) -> list[Status] | str:
    """What a process told: of each of its cards; ``END``; or why it cannot go on."""
    try:
        received: list[Status] | str = pipe.recv()
    except (EOFError, ConnectionResetError):
        return _("a process of the farm was killed")
    return received


@contextmanager
def _process(share: list[Place]) -> Iterator[Pipe]:
    """A process that serves these cards as long as we hold its pipe: it ends with us, however we end."""
    spawning = multiprocessing.get_context("spawn")
    ours, theirs = spawning.Pipe()
    process = spawning.Process(target=_work, args=(share, theirs))
    process.start()
    theirs.close()
    try:
        yield ours
    finally:
        ours.close()
        process.join()


def _work(share: list[Place], pipe: Pipe) -> None:
    """What such a process does: tell of its cards whenever something changed, until it is told to end."""
    from sscard.errors import MissingPart

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches us too, but the farm decides
    try:
        with ExitStack() as cards:
            _tell(cards, share, pipe)
    except (InputError, MissingPart) as error:
        pipe.send(str(error))
    except (BrokenPipeError, ConnectionResetError):
        pass  # the farm is gone, and so are its cards now


def _tell(cards: ExitStack, share: list[Place], pipe: Pipe) -> None:
    from sscard.issuer.cardfile import FileCard, open_card
    from sscard.transport.vpcd import Seat, VirtualReaderSlot

    def status(card: FileCard, slot: VirtualReaderSlot) -> Status:
        slot.wait_for(timeout=0)  # raises what ended it
        seen = card.chip.snapshot()
        tries = _("no PIN") if not seen.pin_set else _("blocked") if seen.pin_blocked else str(seen.pin_tries)
        return Status(slot.seat.value, slot.seat is Seat.SEATED, slot.served, tries)

    slots = []
    for place in share:
        card = cards.enter_context(open_card(place.image))
        slots.append((card, cards.enter_context(VirtualReaderSlot(place.port, card))))
    told: list[Status] = []
    ending = False
    while not ending:
        ending = pipe.poll(TICK)
        now = [status(card, slot) for card, slot in slots]
        if now != told:
            pipe.send(now)
            told = now
    pipe.send(END)
