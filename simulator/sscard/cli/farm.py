"""``sscard farm``: many card files in many readers of a private PC/SC daemon."""

from __future__ import annotations

import multiprocessing
import signal
import sys
from contextlib import ExitStack, nullcontext
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import click

from sscard.cli.formatter import terminal_width
from sscard.cli.insert import OPEN_TO_ALL
from sscard.cli.options import json_option, sync_option
from sscard.cli.output import print_json
from sscard.cli.serving import ALWAYS, HANG_UPS, ends
from sscard.cli.target import asked_to_sync, tell
from sscard.cli.types import FILE, Number
from sscard.cli.usage import argument, command, option
from sscard.errors import InputError, MissingPart
from sscard.i18n.language import N_, _, say, visible
from sscard.i18n.phrase import Sayable

if TYPE_CHECKING:
    from rich.table import Table

    from sscard.transport.pcscd import PrivatePcscd

MOST: Final = 16
END: Final = None
TICK: Final = 0.25
"""Seconds between two looks at the cards."""


class Place(NamedTuple):
    """A card file and the reader it goes into: its name, and the port behind it."""

    reader: str
    port: int
    image: Path


class Status(NamedTuple):
    """How a card in its reader stands."""

    state: Sayable = "…"
    seated: bool = False
    served: int = 0
    tries: str = ""


class _Failure(NamedTuple):
    """Why a process has ended."""

    problem: Sayable
    remedy: Sayable = ""
    missing: bool = False


_Told = list[Status] | _Failure


@command("farm")
@argument("cards", metavar=N_("CARD"), type=FILE, nargs=-1, required=True, help=N_("Card files, and folders of them."))
@option("--readers", type=Number(0, MOST), default=0, help=N_("Number of readers, 0: one per card."))
@option("--processes", type=Number(1, MOST), default=1, help=N_("Number of processes that share the cards."))
@json_option
@sync_option
def farm(cards: tuple[Path, ...], readers: int, processes: int, as_json: bool) -> None:
    """Put many cards into as many readers of a private PC/SC daemon, until Ctrl-C or SIGTERM.

    The first line printed is what a program needs in its environment to use
    them, then which reader has which card; both are printed when all cards are
    inserted, with --json as one object.
    """
    from sscard.transport.pcscd import PrivatePcscd

    images: list[Path] = []
    for path in cards:
        images += sorted(path.glob("[!.]*.db")) if path.is_dir() else [path]
    if not images:
        raise InputError(
            _("no card files here"),
            file=str(cards[0]),
            remedy=_("sscard issue --count 4 -o {folder} makes four", folder=cards[0]),
        )
    count = readers or min(len(images), MOST)
    resource_tracker.ensure_running()  # it unblocks the signals when it starts
    with PrivatePcscd(count) as daemon:
        signal.pthread_sigmask(signal.SIG_BLOCK, ends())  # the processes of the farm begin with them blocked
        places = [
            Place(daemon.reader_name(reader), daemon.port(reader), image) for reader, image in enumerate(images[:count])
        ]
        with _Farm(places, processes, sync=asked_to_sync()) as running:
            while not running.all_in():
                if _ended():
                    return
                running.look()
            left_over = [str(image) for image in images[count:]]
            if as_json:
                cards_in = [{"reader": place.reader, "card": str(place.image)} for place in places]
                content = {"environment": daemon.environment, "readers": cards_in, "without_reader": left_over}
                print_json("farm", content)
                while not _ended():
                    running.look()
                running.finish()
            else:
                _show(running, daemon, len(left_over))


def _show(running: _Farm, daemon: PrivatePcscd, left_over: int) -> None:
    """Print the environment and the table: on a terminal with what happens, else at the start and at the end."""
    from rich.console import Console
    from rich.live import Live

    console = Console(highlight=False, width=terminal_width())
    for name, value in daemon.environment.items():
        click.echo(f"export {name}={value}")
    if left_over:
        click.echo(_("cards without reader: {count}", count=left_over))
    click.echo(_("end: Ctrl-C; {warning}", warning=_(OPEN_TO_ALL)))
    shown = Live(running.table(), console=console, auto_refresh=False) if console.is_terminal else nullcontext()
    with shown as live:
        if live is None:
            console.print(running.table())
            sys.stdout.flush()
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
    return signal.sigtimedwait(ends(), TICK) is not None


class _Farm:
    """The processes that serve the cards, and the status they report."""

    def __init__(self, places: list[Place], processes: int, *, sync: bool) -> None:
        self._sync = sync
        self._status = {place: Status() for place in places}
        self._shares = [places[first::processes] for first in range(min(processes, len(places)))]
        self._pipes: list[Pipe] = []
        self._open = ExitStack()

    def __enter__(self) -> _Farm:
        spawning = multiprocessing.get_context("spawn")
        with ExitStack() as opening:
            for share in self._shares:
                pipe, theirs = spawning.Pipe()
                process = spawning.Process(target=_work, args=(share, theirs, self._sync))
                process.start()
                theirs.close()
                # A process serves its cards as long as we hold its pipe: it ends with us, however we end.
                opening.callback(process.join)
                opening.callback(pipe.close)
                self._pipes.append(pipe)
            self._open = opening.pop_all()
        return self

    def __exit__(self, *raised: object) -> None:
        self._open.close()

    def all_in(self) -> bool:
        return all(status.seated for status in self._status.values())

    def look(self) -> None:
        """Take in what the processes have reported; the error of one that has failed."""
        for share, pipe in zip(self._shares, self._pipes, strict=True):
            while pipe.poll() and (told := _received(pipe)) is not END:
                self._take(share, told)

    def finish(self) -> None:
        """Collect the final reports of the processes."""
        for share, pipe in zip(self._shares, self._pipes, strict=True):
            pipe.send(END)
            while (told := _received(pipe)) is not END:
                self._take(share, told)

    def _take(self, share: list[Place], told: _Told) -> None:
        if isinstance(told, _Failure):
            raise MissingPart(told.problem, told.remedy) if told.missing else InputError(told.problem)
        self._status.update(zip(share, told, strict=True))

    def table(self) -> Table:
        """A row per card."""
        from rich.table import Table
        from rich.text import Text

        table = Table(_("reader"), _("card"), _("state"), _("commands"), _("tries left"))
        for place, status in self._status.items():
            row = (place.reader, place.image.name, say(status.state), str(status.served), status.tries)
            table.add_row(*(Text(visible(cell)) for cell in row))
        return table


def _received(pipe: Pipe) -> _Told | None:
    """The next report of a process; ``END`` is the last."""
    try:
        received: _Told | None = pipe.recv()
    except (EOFError, ConnectionResetError):
        return _Failure(_("a process of the farm was killed"), _("start the farm again"), missing=True)
    return received


def _work(share: list[Place], pipe: Pipe, sync: bool) -> None:
    """Serve the cards of a share in a process, and report them whenever something changed."""
    from sscard.issuer.cardfile import FileCard, open_card
    from sscard.transport.vpcd import Seat, VirtualReaderSlot

    def status(card: FileCard, slot: VirtualReaderSlot) -> Status:
        slot.wait_for(timeout=0)  # raises what ended it
        seen = card.chip.snapshot()
        tries = _("no PIN") if not seen.pin_set else _("blocked") if seen.pin_blocked else str(seen.pin_tries)
        return Status(slot.seat.value, slot.seat is Seat.SEATED, slot.served, tries)

    for number in (signal.SIGINT, *HANG_UPS):
        signal.signal(number, signal.SIG_IGN)  # those of the terminal reach us too, but the farm decides
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ALWAYS)
    try:
        with ExitStack() as held:
            slots = []
            for place in share:
                card = held.enter_context(open_card(place.image, notify=tell, sync=sync))
                slots.append((card, held.enter_context(VirtualReaderSlot(place.port, card))))
            reported: list[Status] = []
            ending = False
            while not ending:
                ending = pipe.poll(TICK)
                now = [status(card, slot) for card, slot in slots]
                if now != reported:
                    pipe.send(now)
                    reported = now
            pipe.send(END)
    except MissingPart as error:
        pipe.send(_Failure(error.part, error.remedy, missing=True))
    except InputError as error:
        pipe.send(_Failure(str(error)))
    except (BrokenPipeError, ConnectionResetError):
        pass  # the farm is gone, and so are its cards now
