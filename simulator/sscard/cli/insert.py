"""``sscard insert``: a card file in a virtual PC/SC reader."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from sscard.cli.options import contactless_option, sync_option
from sscard.cli.serving import ends
from sscard.cli.target import open_image
from sscard.cli.types import FILE, PORT, Number
from sscard.cli.usage import argument, command, option
from sscard.errors import MissingPart
from sscard.i18n.language import N_, _
from sscard.i18n.phrase import Phrase

if TYPE_CHECKING:
    from sscard.issuer.cardfile import FileCard
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
@argument("image", metavar=N_("CARD"), type=FILE, help=N_("Card file."))
@option("--port", type=PORT, default=USUAL_PORT, help=N_("Port of the reader's driver."))
@option("--remove-after", type=Number(0), default=0, help=N_("Remove the card after N commands, 0: never."))
@contactless_option
@sync_option
def insert(image: Path, port: int, remove_after: int, contactless: bool) -> None:
    """Put a card into a virtual PC/SC reader until Ctrl-C or SIGTERM.

    Every change is in the card file before the answer is sent. SIGUSR1 removes
    the card, SIGUSR2 inserts it again. If pcscd restarts, the card reconnects
    automatically.
    """
    from sscard.transport.pcscd import demand_unix

    demand_unix()
    # Before any thread begins, so that none of them is interrupted.
    signal.pthread_sigmask(signal.SIG_BLOCK, {*ends(), signal.SIGUSR1, signal.SIGUSR2})
    with open_image(image, contact=not contactless) as card:
        _Insertion(card, port, remove_after).serve()


class _Insertion:
    """A card file in a reader, and its messages for the user."""

    def __init__(self, card: FileCard, port: int, remove_after: int) -> None:
        from sscard.transport.vpcd import VirtualReaderSlot

        self._card = card
        self._port = port
        self._remove_after = remove_after
        self._commands = 0
        self._ending = False
        self._slot: VirtualReaderSlot = VirtualReaderSlot(port, card, after=self._count)

    def serve(self) -> None:
        """Serve until a signal ends it, or what ends the slot: no room on the disk, for example."""
        from sscard.transport.pcsc import cards

        atr = self._card.card.profile.atr(self._card.contact)
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
                with suppress(ValueError):  # it is in
                    self._slot.insert()
                    self._commands = 0
            self._ending = True
        teller.join()
        click.echo(
            _("{path}: out of the reader, {served} commands served", path=self._card.path, served=self._slot.served)
        )

    def _count(self, command: bytes) -> None:
        """Behind every command, before its answer leaves."""
        if not command:
            return
        self._commands += 1
        if self._commands == self._remove_after:
            self._commands = 0
            self._slot.remove()

    def _demand_seat(self) -> None:
        from sscard.transport.pcscd import daemon_answers
        from sscard.transport.vpcd import Seat

        # A daemon that waits for its first client begins now.
        patience = TO_CONNECT if daemon_answers() else FOR_NOBODY
        if not self._slot.wait_for(Seat.WAITING, Seat.SEATED, timeout=patience):
            raise _why_nobody_listens(self._card.path, self._port)
        if not self._slot.wait_for(Seat.SEATED, timeout=TO_BE_ASKED):
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
        card = self._card.card
        tries = self._card.chip.snapshot().pin_tries
        place = _("reader {reader!r}", reader=reader) if reader else _("a reader")
        asked = f"'pcsc:{reader}'" if reader else "pcsc"
        chosen = f" --reader '{reader}'" if reader else ""
        pid = os.getpid()
        lines = [
            _(
                "{path}: {personality}, {left}, in {place} (port {port})",
                path=self._card.path,
                personality=card.profile.personality.name,
                left=Phrase.plural("{count} try left", "{count} tries left", count=tries),
                place=place,
                port=self._port,
            ),
            "  " + _("next      {command}", command=f"opensc-tool{chosen} --atr"),
            f"            sscard apdu {asked} 0020000000 --explain",
            "  " + _("take out  {command}", command=f"kill -USR1 {pid}"),
            "  " + _("put in    {command}", command=f"kill -USR2 {pid}"),
            "  " + _("end       Ctrl-C"),
            f"  {_(OPEN_TO_ALL)}",
        ]
        click.echo("\n".join(lines))

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
            while not self._ending:
                self._slot.wait_for(*follows[told])
                seat = self._slot.seat
                if seat in follows[told] and not self._ending:
                    click.echo(_(follows[told][seat]))
                    told = seat
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
        return MissingPart(_("no PC/SC daemon is running"), _(START_DAEMON))
    if port not in PORTS:
        return MissingPart(
            _("no virtual reader listens on port {port}", port=port), f"sscard insert {image} --port {USUAL_PORT}"
        )
    return MissingPart(_("pcscd has no virtual reader on port {port}", port=port), "sudo systemctl restart pcscd")
