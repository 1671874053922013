"""``sscard farm``: many card files in many readers of a private PC/SC daemon."""

from __future__ import annotations

import multiprocessing
import signal
import sys
from contextlib import ExitStack, nullcontext
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from sscard.cli.formatter import terminal_width
from sscard.cli.insert import OPEN_TO_ALL
from sscard.cli.options import (
    challenges_option,
    delay_option,
    faults_option,
    force_option,
    json_option,
    sync_option,
)
from sscard.cli.output import check_output, print_json
from sscard.cli.planted import defect_of_each, defects_option, planted_lines
from sscard.cli.serving import ALWAYS, HANG_UPS, ends
from sscard.cli.target import asked_to_sync, challenges, tell
from sscard.cli.types import FILE, FOLDER, Number
from sscard.cli.usage import argument, command, option
from sscard.errors import InputError, MissingPart
from sscard.files import make_folder
from sscard.i18n.language import N_, _, say, visible
from sscard.i18n.phrase import Sayable

if TYPE_CHECKING:
    from rich.table import Table

    from sscard.cli.readercard import ReaderCard, Treatment
    from sscard.issuer.cardfile import FileCard
    from sscard.scenario.faults import FaultData
    from sscard.transport.pcscd import PrivatePcscd
    from sscard.transport.vpcd import VirtualReaderSlot

MOST: Final = 256
"""Readers of a farm: each has a thread, and each pair of them a copy of the driver."""
MOST_PROCESSES: Final = 16
END: Final = None
TICK: Final = 0.25
"""Seconds between two looks at the cards."""


class Place(NamedTuple):
    """A card file and the reader it goes into: its name, the socket of its daemon, and the port behind it.

    ``record`` and ``trace`` are the files of its conversation, ``defect`` is
    the name of what is wrong with the card, empty for a good one.
    """

    reader: str
    socket: str
    port: int
    image: Path
    record: Path | None
    trace: Path | None
    defect: str = ""


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


class _News(NamedTuple):
    """What happened to a card."""

    line: str


_Told = list[Status] | _News | _Failure


@command("farm")
@argument("cards", metavar=N_("CARD"), type=FILE, nargs=-1, required=True, help=N_("Card files, and folders of them."))
@option("--readers", type=Number(0, MOST), default=0, help=N_("Number of readers, 0: one per card."))
@option("--processes", type=Number(1, MOST_PROCESSES), default=1, help=N_("Number of processes that share the cards."))
@defects_option
@challenges_option
@delay_option
@faults_option
@option("--record", type=FOLDER, help=N_("Record the conversation of each card, redacted: FOLDER/CARD.jsonl."))
@option("--trace", type=FOLDER, help=N_("Write the commands and answers of each card, redacted: FOLDER/CARD.txt."))
@force_option
@json_option
@sync_option
def farm(
    cards: tuple[Path, ...],
    readers: int,
    processes: int,
    defects: str,
    seed: int | None,
    delay: float | str | None,
    faults: tuple[FaultData, ...],
    record: Path | None,
    trace: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Put many cards into as many readers of a private PC/SC daemon, until Ctrl-C or SIGTERM.

    The first line printed is what a program needs in its environment to use
    them, then which reader has which card; both are printed when all cards are
    inserted, with --json as one object. For more readers than a daemon can have
    there are several daemons: the table has the socket of each reader.

    With --defects the first cards have a defect each, in a process of its own,
    the further ones none: table and JSON name it.

    Seed, delay and faults apply to each card. A fault is printed on standard
    error when a command reaches it, or at the end if no command did.
    """
    from sscard.cli.readercard import Treatment

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
    planted = defect_of_each(defects, min(count, len(images)))
    left_over = [str(image) for image in images[count:]]
    records = _files(images[:count], record, ".jsonl", images, force)
    traces = _files(images[:count], trace, ".txt", images, force)
    resource_tracker.ensure_running()  # it unblocks the signals when it starts
    with ExitStack() as running_daemons:
        daemons = _daemons(count, running_daemons)
        seats = [(daemon, reader) for daemon in daemons for reader in range(daemon.readers)]
        signal.pthread_sigmask(signal.SIG_BLOCK, ends())  # the processes of the farm begin with them blocked
        places = [
            Place(daemon.reader_name(reader), str(daemon.socket), daemon.port(reader), *files)
            for (daemon, reader), files in zip(seats, zip(images, records, traces, planted, strict=False), strict=False)
        ]
        with _Farm(places, processes, Treatment(seed, delay, faults), sync=asked_to_sync()) as running:
            while not running.all_in():
                if _ended():
                    return
                running.look()
            if as_json:
                content: dict[str, Any] = {"environment": daemons[0].environment} if len(daemons) == 1 else {}
                cards_in = [
                    {"reader": place.reader, "card": str(place.image), "socket": place.socket, "defect": place.defect}
                    for place in places
                ]
                print_json("farm", content | {"readers": cards_in, "without_reader": left_over})
                while not _ended():
                    running.look()
                running.finish()
            else:
                _show(running, daemons, len(left_over))


def _files(images: list[Path], folder: Path | None, suffix: str, inputs: list[Path], force: bool) -> list[Path | None]:
    """A file in the folder for each card, named after it."""
    if folder is None:
        return [None] * len(images)
    make_folder(folder)
    files = [folder / f"{image.stem}{suffix}" for image in images]
    for place, file in enumerate(files):
        if file in files[:place]:
            raise InputError(
                _("two cards have this name: their conversations need two files"),
                file=str(images[place]),
                remedy=_("rename one of the card files"),
            )
        check_output(file, inputs, replace=force)
    return [*files]


def _daemons(count: int, running: ExitStack) -> list[PrivatePcscd]:
    """Start daemons with so many readers together, numbered through."""
    from sscard.transport.pcscd import SLOTS, PrivatePcscd, reader_limit

    limit, daemons = reader_limit(), []
    for first in range(0, count, limit):
        daemon = PrivatePcscd(min(limit, count - first), first=first // SLOTS + 1)
        daemons.append(running.enter_context(daemon))
    return daemons


def _show(running: _Farm, daemons: list[PrivatePcscd], left_over: int) -> None:
    """Print the environment and the table: on a terminal with what happens, else at the start and at the end."""
    from rich.console import Console
    from rich.live import Live

    console = Console(highlight=False, width=terminal_width())
    for daemon in daemons:
        for name, value in daemon.environment.items():
            click.echo(f"export {name}={value}")
    if len(daemons) > 1:
        click.echo(_("{count} daemons: the table has the socket of each reader", count=len(daemons)))
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

    def __init__(self, places: list[Place], processes: int, treatment: Treatment, *, sync: bool) -> None:
        self._sync = sync
        self._treatment = treatment
        self._status = {place: Status() for place in places}
        good = [place for place in places if not place.defect]
        self._shares = [[place] for place in places if place.defect]  # a defect is in all cards of a process
        self._shares += [good[first::processes] for first in range(min(processes, len(good)))]
        self._pipes: list[Pipe] = []
        self._open = ExitStack()

    def __enter__(self) -> _Farm:
        spawning = multiprocessing.get_context("spawn")
        with ExitStack() as opening:
            for share in self._shares:
                pipe, theirs = spawning.Pipe()
                process = spawning.Process(target=_work, args=(share, theirs, self._treatment, self._sync))
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
        if isinstance(told, _News):
            tell(told.line)
        else:
            self._status.update(zip(share, told, strict=True))

    def table(self) -> Table:
        """A row per card."""
        from rich.table import Table
        from rich.text import Text

        table = Table(_("reader"), _("card"), _("state"), _("commands"), _("tries left"))
        several = len({place.socket for place in self._status}) > 1
        if several:
            table.add_column(_("socket"), overflow="fold")
        defective = any(place.defect for place in self._status)
        if defective:
            table.add_column(_("defect"), overflow="fold")
        for place, status in self._status.items():
            row = [place.reader, place.image.name, say(status.state), str(status.served), status.tries]
            row += [place.socket] if several else []
            table.add_row(*(Text(visible(cell)) for cell in (*row, *([place.defect] if defective else []))))
        return table


def _received(pipe: Pipe) -> _Told | None:
    """The next report of a process; ``END`` is the last."""
    try:
        received: _Told | None = pipe.recv()
    except (EOFError, ConnectionResetError):
        return _Failure(_("a process of the farm was killed"), _("start the farm again"), missing=True)
    return received


def _work(share: list[Place], pipe: Pipe, treatment: Treatment, sync: bool) -> None:
    """Serve the cards of a share in a process, and report them whenever something changed."""
    from sscard.cli.readercard import ReaderCard
    from sscard.issuer.cardfile import open_card
    from sscard.transport.vpcd import Seat

    def status(card: FileCard, slot: VirtualReaderSlot) -> Status:
        slot.wait_for(timeout=0)  # raises what ended it
        seen = card.chip.snapshot()
        tries = _("no PIN") if not seen.pin_set else _("blocked") if seen.pin_blocked else str(seen.pin_tries)
        return Status(slot.seat.value, slot.seat is Seat.SEATED, slot.served, tries)

    def put_in(place: Place) -> tuple[FileCard, ReaderCard, VirtualReaderSlot]:
        card = held.enter_context(
            open_card(place.image, challenges(treatment.seed), notify=tell, sync=sync),
        )
        treated = ReaderCard(card, treatment)
        treated.keep(held, place.record, place.trace)
        return card, treated, held.enter_context(treated.inserted(place.port, treated.after))

    for number in (*ALWAYS, *HANG_UPS):
        signal.signal(number, signal.SIG_IGN)  # those for the group of the farm reach us too, but the farm decides
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ALWAYS)
    try:
        with ExitStack() as held:
            list(planted_lines(held, [place.defect for place in share if place.defect]))
            slots = [put_in(place) for place in share]
            reported: list[Status] = []
            ending = False
            while not ending:
                ending = pipe.poll(TICK)
                now = [status(card, slot) for card, _treated, slot in slots]
                if now != reported:
                    pipe.send(now)
                    reported = now
                for place, (_card, treated, slot) in zip(share, slots, strict=True):
                    for line in (*treated.reached(), *(treated.unreached() if ending else ())):
                        pipe.send(_News(f"{place.reader}: {line}"))
                    if slot.seat is Seat.EMPTY and treated.take_swapped():
                        slot.insert()
            pipe.send(END)
    except MissingPart as error:
        pipe.send(_Failure(error.part, error.remedy, missing=True))
    except InputError as error:
        pipe.send(_Failure(str(error)))
    except (BrokenPipeError, ConnectionResetError):
        pass  # the farm is gone, and so are its cards now
