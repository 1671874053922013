"""``sscard insert``: a card file in a virtual PC/SC reader."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import AbstractContextManager, ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from sscard.cli.options import (
    challenges_option,
    contactless_option,
    delay_option,
    faults_option,
    force_option,
    record_option,
    sync_option,
    trace_option,
)
from sscard.cli.output import check_output
from sscard.cli.planted import defect_option, planted_lines
from sscard.cli.serving import ends
from sscard.cli.target import asked_to_sync, challenges, open_image, tell
from sscard.cli.types import CARD, PORT, Number
from sscard.cli.usage import argument, command, option
from sscard.errors import InputError, MissingPart
from sscard.i18n.language import N_, _
from sscard.i18n.phrase import Phrase

if TYPE_CHECKING:
    from sscard.cli.readercard import ReaderCard
    from sscard.issuer.cardfile import FileCard
    from sscard.issuer.psamfile import FilePsam
    from sscard.scenario.faults import FaultData
    from sscard.transport.vpcd import VirtualReaderSlot

USUAL_PORT: Final = 35963
PORTS: Final = (USUAL_PORT, USUAL_PORT + 1)
"""Where the reader that the packaged driver configures waits for its two cards."""

TO_CONNECT: Final = 2.0
FOR_NOBODY: Final = 0.3
TO_BE_ASKED: Final = 2.0
TO_BE_TOLD: Final = 2.5
"""Seconds after which it is not going to happen: pcscd looks every 0.4 s."""

START_DAEMON: Final = N_("sudo systemctl restart pcscd   (without systemd: sudo pcscd)")
OPEN_TO_ALL: Final = N_("the reader's driver (vpcd) listens on all interfaces: keep the machine away from strangers")


@command("insert")
@argument("image", metavar=N_("CARD"), type=CARD, help=N_("Card file, or PSAM file."))
@option("--port", type=PORT, default=USUAL_PORT, help=N_("Port of the reader's driver."))
@option("--remove-after", type=Number(0), default=0, help=N_("Remove the card after N commands, 0: never."))
@contactless_option
@challenges_option
@delay_option
@faults_option
@defect_option
@record_option
@trace_option
@force_option
@sync_option
def insert(
    image: str,
    port: int,
    remove_after: int,
    contactless: bool,
    seed: int | None,
    delay: float | str | None,
    faults: tuple[FaultData, ...],
    defects: tuple[str, ...],
    record: Path | None,
    trace: Path | None,
    force: bool,
) -> None:
    """Put a card, or a PSAM, into a virtual PC/SC reader until Ctrl-C or SIGTERM.

    Every change is in the card file before the answer is sent. SIGUSR1 removes
    the card, SIGUSR2 inserts it again. If pcscd restarts, the card reconnects
    automatically. Each fault happens once. It is printed when a command reaches
    it, or at the end if no command did. A card with a defect measures the tests
    of a terminal: they have to notice it.
    """
    from sscard.cli.readercard import ReaderCard, Treatment
    from sscard.issuer.psamfile import FilePsam
    from sscard.transport.pcscd import demand_unix

    demand_unix()
    outputs = [file for file in (record, trace) if file is not None]
    for file in outputs:
        check_output(file, replace=force)
    # Before any thread begins, so that none of them is interrupted.
    signal.pthread_sigmask(signal.SIG_BLOCK, {*ends(), signal.SIGUSR1, signal.SIGUSR2})
    with ExitStack() as opened:
        card = opened.enter_context(_opened(image, contact=not contactless, seed=seed))
        if outputs and isinstance(card, FilePsam):
            raise InputError(
                _("is a PSAM; only a conversation with a card can be recorded, without its secrets"),
                file=image,
                remedy=_("leave out --record and --trace"),
            )
        for line in planted_lines(opened, defects, psam=isinstance(card, FilePsam)):
            click.echo(line)
        treated = ReaderCard(card, Treatment(seed, delay, faults))
        treated.keep(opened, record, trace)
        _Insertion(card, treated, port, remove_after).serve()


def _opened(url: str, *, contact: bool, seed: int | None) -> AbstractContextManager[FileCard | FilePsam]:
    """The card of a card file, or the PSAM of a PSAM file."""
    from sscard.files import resolved
    from sscard.issuer import database
    from sscard.issuer.psamfile import PSAM, open_psam
    from sscard.issuer.storage import CARD_FILE
    from sscard.terminal.cards import image_path

    file = image_path(url)
    if database.kind_in(resolved(file, CARD_FILE), url, (database.CARD, PSAM)).application_id == database.PSAM_ID:
        return open_psam(file, challenges(seed), contact=contact, notify=tell, sync=asked_to_sync())
    return open_image(url, contact=contact, seed=seed)


class _Insertion:
    """A card file, or a PSAM file, in a reader, and its messages for the user."""

    def __init__(self, card: FileCard | FilePsam, treated: ReaderCard, port: int, remove_after: int) -> None:
        self._card = card
        self._treated = treated
        self._port = port
        self._remove_after = remove_after
        self._commands = 0
        self._ending = threading.Event()
        self._slot: VirtualReaderSlot = treated.inserted(port, self._count)

    def serve(self) -> None:
        """Serve until a signal ends it, or what ends the slot: no room on the disk, for example."""
        from sscard.issuer.psamfile import FilePsam
        from sscard.transport.pcsc import cards

        card = self._card
        atr = card.card.profile.atr() if isinstance(card, FilePsam) else card.card.profile.atr(card.contact)
        alike: set[str] = set()
        with suppress(MissingPart):
            alike = {name for name, found in cards().items() if found == atr}
        with self._slot:
            self._demand_seat()
            self._introduce(atr, alike)
            teller = threading.Thread(target=self._tell_changes, daemon=True)
            teller.start()
            awaited = {*ends(), signal.SIGUSR1, signal.SIGUSR2}
            while (caught := signal.sigwait(awaited)) in (signal.SIGUSR1, signal.SIGUSR2):
                if caught == signal.SIGUSR1:
                    self._slot.remove()
                    continue
                self._treated.put_back()
                with suppress(ValueError):  # it is in
                    self._slot.insert()
                    self._commands = 0
            self._ending.set()
        teller.join()
        for line in self._treated.unreached():
            click.echo(line)
        click.echo(
            _("{path}: out of the reader, {served} commands served", path=self._card.path, served=self._slot.served)
        )

    def _count(self, command: bytes) -> None:
        """Behind every command, before its answer leaves."""
        from sscard.transport.connection import reader_answers  # not before a defect asks for the sources of the chip

        if not command:
            return
        for line in self._treated.reached():
            click.echo(line)
        self._treated.after(command)
        if reader_answers(command, contact=self._card.contact):
            return
        self._commands += 1
        if self._commands == self._remove_after:
            self._commands = 0
            self._slot.remove()

    def _demand_seat(self) -> None:
        """Wait until the reader has the card; --remove-after may have taken it out again meanwhile."""
        from sscard.transport.pcscd import daemon_answers
        from sscard.transport.vpcd import Seat

        # A daemon that waits for its first client begins now.
        patience = TO_CONNECT if daemon_answers() else FOR_NOBODY
        if not self._slot.wait_for(Seat.WAITING, Seat.SEATED, Seat.EMPTY, timeout=patience):
            raise _why_nobody_listens(self._card.path, self._port)
        if not self._slot.wait_for(Seat.SEATED, Seat.EMPTY, timeout=TO_BE_ASKED):
            others = [str(other) for other in PORTS if other != self._port] if self._port in PORTS else ["PORT"]
            raise MissingPart(
                _("the slot on port {port} holds another card", port=self._port),
                f"sscard insert {self._card.path} --port {others[0]}",
            )

    def _introduce(self, atr: bytes, alike: set[str]) -> None:
        """Print how to use the card; with the reader's name unless PC/SC is missing or several cards have this ATR."""
        from sscard.transport.pcsc import find_card

        reader = ""
        with suppress(MissingPart):
            found = find_card(atr, besides=alike, timeout=TO_BE_TOLD)
            reader = found or (alike.pop() if len(alike) == 1 else "")
        place = _("reader {reader!r}", reader=reader) if reader else _("a reader")
        asked = f"'pcsc:{reader}'" if reader else "pcsc"
        chosen = f" --reader '{reader}'" if reader else ""
        pid = os.getpid()
        what, further = self._described()
        lines = [
            _(
                "{path}: {what}, in {place} (port {port})",
                path=self._card.path,
                what=what,
                place=place,
                port=self._port,
            ),
            "  " + _("next      {command}", command=f"opensc-tool{chosen} --atr"),
            f"            {further.format(asked)}",
            "  " + _("take out  {command}", command=f"kill -USR1 {pid}"),
            "  " + _("put in    {command}", command=f"kill -USR2 {pid}"),
            "  " + _("end       Ctrl-C"),
            f"  {_(OPEN_TO_ALL)}",
        ]
        click.echo("\n".join(lines))

    def _described(self) -> tuple[str, str]:
        """What is in the reader, and a command that uses it; {} is the reader."""
        from sscard.issuer.psamfile import FilePsam

        if isinstance(self._card, FilePsam):
            return f"PSAM {self._card.chip.snapshot().terminal_number}", "sscard driver serve CARD --psam {}"
        tries = self._card.chip.snapshot().pin_tries
        left = Phrase.plural("{count} try left", "{count} tries left", count=tries)
        name = self._card.card.profile.personality.name
        return _("{personality}, {left}", personality=name, left=left), "sscard apdu {} 0020000000 --explain"

    def _tell_changes(self) -> None:
        from sscard.transport.vpcd import Seat

        follows = {
            Seat.SEATED: {
                Seat.EMPTY: N_("out of the reader"),
                Seat.SEEKING: N_("pcscd is gone; the card is back with it"),
            },
            Seat.SEEKING: {Seat.EMPTY: N_("out of the reader"), Seat.SEATED: N_("in the reader")},
            Seat.EMPTY: {Seat.SEATED: N_("in the reader")},
        }
        told = Seat.SEATED
        try:
            while not self._ending.is_set():
                self._slot.wait_for(*follows[told])
                seat = self._slot.seat
                if seat in follows[told] and not self._ending.is_set():
                    click.echo(_(follows[told][seat]))
                    told = seat
                    if seat is Seat.EMPTY and self._treated.take_swapped():
                        self._slot.insert()
        except Exception:  # stop() raises it again where it can be told
            os.kill(os.getpid(), signal.SIGTERM)


def _why_nobody_listens(image: Path, port: int) -> MissingPart:
    from sscard.transport.pcscd import daemon_answers, find_driver, find_pcscd

    try:
        find_pcscd()
        find_driver()
    except MissingPart as missing:
        return missing
    if not daemon_answers():
        start = _(START_DAEMON)
        if port != USUAL_PORT:
            start = _("{command}, or start the command with tcp::{port} first", command=start, port=port)
        return MissingPart(_("no PC/SC daemon is running"), start)
    if port not in PORTS:
        return MissingPart(
            _("no virtual reader listens on port {port}", port=port), f"sscard insert {image} --port {USUAL_PORT}"
        )
    return MissingPart(_("pcscd has no virtual reader on port {port}", port=port), "sudo systemctl restart pcscd")
