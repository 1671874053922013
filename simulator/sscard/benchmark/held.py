"""A card under test: not sscard's own, or a card file. Commands bring it into the state of each operation."""

from __future__ import annotations

from typing import Final

from sscard.benchmark.clients import NEW_PIN, PIN, AtDesk, Behind
from sscard.benchmark.clock import REAL_CLOCK, Clock
from sscard.benchmark.flows import Measured, NotCompleted, kind_of
from sscard.benchmark.load import Load, Notify, run_load
from sscard.benchmark.measure import layers_of
from sscard.benchmark.result import FlowResult
from sscard.errors import InputError, TransportError
from sscard.i18n.phrase import Phrase
from sscard.scenario.testbed.arrange import WRONG_PINS
from sscard.scenario.testbed.file import Testbed
from sscard.terminal import CardSession, WrongPin
from sscard.terminal.errors import ApduError, PinBlocked
from sscard.transport import Connection

WITHOUT_KEYS: Final = ("change", "verify", "driver-change")
"""The flows that need no key of the issuer."""
MOST_TRIES: Final = 16
"""More than ``63Cx`` can state."""


def check_permitted(flow: Measured, testbed: Testbed) -> None:
    """``InputError`` if the card claims nothing, may not be changed as the flow does, or nobody has its keys."""
    card = testbed.card
    if testbed.claimed is None:
        raise InputError(
            Phrase("{flow} is for social security cards, and the card of the testbed claims nothing", flow=flow.name),
            remedy=Phrase("name the vendor's claim with personality: under card:"),
        )
    if flow.name not in WITHOUT_KEYS and not testbed.has_keys:
        problem = Phrase("{flow} needs the keys of the card, and nobody has them", flow=flow.name)
        raise InputError(problem, remedy=Phrase("measure one of: {words}", words=", ".join(WITHOUT_KEYS)))
    for needed, name, permitted in (
        (flow.writes, "may_write", card.may_write),
        (flow.blocked, "may_block", card.may_block),
    ):
        if needed and not permitted:
            problem = Phrase(
                "{flow} needs {permission} of the testbed, which is not set", flow=flow.name, permission=name
            )
            remedy = Phrase("write {permission}: yes below card: in a testbed file", permission=name)
            raise InputError(problem, remedy=remedy)


class HeldCard(AtDesk):
    """The client of a card that stays in its reader.

    What the card refuses, and a lost connection, end the run: repeating it would cost tries. ``restore`` gives the
    card its PIN back.
    """

    def __init__(self, flow: Measured, testbed: Testbed, connection: Connection, behind: Behind, clock: Clock) -> None:
        super().__init__(flow, behind, clock)
        self._own = self.pin = testbed.card.pin
        self.new_pin = NEW_PIN if self.pin != NEW_PIN else PIN
        self._connection = connection
        self._hsm = behind.hsm
        self._blocked = self._unsettled = False
        self.connection = self.watch.measured("transport", connection)

    def prepare(self) -> None:
        """See ``load.Client``: use up the tries of the PIN if the flow needs it.

        Errors: ``WrongPin`` if they do not fall, ``NotCompleted`` if the card accepts a wrong PIN.
        """
        self._settle()
        if not self.flow.blocked or self._blocked:
            return
        self._unsettled = True  # until the last try is used, an error leaves the card with some of them
        session = CardSession.start(self._connection, self._hsm)
        wrong = next(pin for each in WRONG_PINS if (pin := each.hex()) != self.pin)
        left = MOST_TRIES
        while not self._blocked:
            try:
                session.verify_pin(wrong)
            except WrongPin as error:
                if error.tries_left >= left:  # it would never end
                    raise
                left = error.tries_left
                self._blocked = left == 0
            except PinBlocked:
                self._blocked = True
            else:
                raise NotCompleted("wrong PIN", Phrase("the card accepts a wrong PIN"))
        session.close()
        self._unsettled = False

    def operate(self) -> None:
        """See ``load.Client``."""
        self._unsettled = self.flow.changes
        try:
            super().operate()
        except ApduError:
            self._unsettled = False  # the card refused, and has the PIN that it had
            raise

    def finish(self, error: Exception | None, /) -> None:
        """See ``load.Client``."""
        self._connection.power_off()
        if error is None:
            self._blocked = self._unsettled = False
            if self.flow.changes:
                self.pin, self.new_pin = self.new_pin, self.pin

    def kind_of(self, error: Exception) -> str:
        """See ``load.Client``."""
        return "" if isinstance(error, ApduError | TransportError | NotCompleted) else kind_of(error)

    def _settle(self) -> None:
        """Find out which PIN the card has after a failure that may have come behind its change.

        A wrong one costs a try, which the right one restores.
        """
        if not self._unsettled:
            return
        session = CardSession.start(self._connection, self._hsm)
        try:
            session.verify_pin(self.pin)
            self._blocked = False
        except WrongPin:
            session.verify_pin(self.new_pin)
            self.pin, self.new_pin = self.new_pin, self.pin
            self._blocked = False
        except PinBlocked:
            self._blocked = True
        finally:
            session.close()
        self._unsettled = False

    def restore(self) -> None:
        """Give the card the PIN of the testbed again, with its tries."""
        self._settle()
        if self.pin == self._own and not self._blocked:
            return
        session = CardSession.start(self._connection, self._hsm)
        if self._blocked:
            session.reset_pin(self._own)
        else:
            session.change_pin(self.pin, self._own)
        session.close()


def measure_held(
    flow: Measured,
    testbed: Testbed,
    connection: Connection,
    behind: Behind,
    load: Load,
    *,
    clock: Clock = REAL_CLOCK,
    notify: Notify = None,
) -> FlowResult:
    """Measure a flow on the card of a testbed; its time belongs to the layer transport."""
    client = HeldCard(flow, testbed, connection, behind, clock)
    try:
        recorded = run_load(load, [client], clock, notify)
    finally:
        try:
            client.restore()
        finally:
            client.close()
    return FlowResult(flow.name, flow.title, recorded, layers_of(flow) - {"card"})
