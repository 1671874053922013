"""Defects of the driver's calls."""

from __future__ import annotations

from typing import Any

from sscard.driver import api, errors
from sscard.driver.calls import DriverCalls, Function
from sscard.driver.pins import PinEntry
from sscard.driver.station import Terminal
from sscard.scenario.defect_parts import Part
from sscard.scenario.defects.catalogue import Catalogue, Patch
from sscard.terminal import flows
from sscard.terminal.card import OpenedCard
from sscard.terminal.flow import AskPin, Flow
from sscard.terminal.pinpad import ENTER_AGAIN, ENTER_NEW

catalogue = Catalogue(Part.DRIVER)


@catalogue.defect("driver-api.md §1: a later step of a group is refused if another one is due (−12)", "step-skipped")
def driver_takes_steps_in_any_order(patch: Patch) -> None:
    """The driver accepts the steps of an operation in any order."""

    def resume(driver: DriverCalls, row: Function, *parameters: str) -> Any:
        driver._awaited = row.name
        return original(driver, row, *parameters)

    original = patch.attribute(DriverCalls, "resume", resume)


@catalogue.defect("driver-api.md §1: each function powers the card off at its end", "08-driver-psam and verify")
def driver_leaves_the_card_powered(patch: Patch) -> None:
    """The driver leaves the card powered at the end of a function."""
    patch.attribute(Terminal, "close", lambda _terminal: None)


@catalogue.defect(
    "driver-api.md §6: −(25536 + x) means x tries left, unless an option reverses it",
    "reset-foreign-puk or reversed-tries",
)
def driver_reverses_the_tries_left(patch: Patch) -> None:
    """The driver reports the tries left in the reversed form."""

    def code_of(sw: int, *, reversed_tries: bool = False) -> int:
        return original(sw, reversed_tries=not reversed_tries)

    original = errors.code_of
    patch.function(original, code_of)


@catalogue.defect("driver-api.md §3: iReadDebitRecord gives the newest purchase first", "08-driver-psam and purchase")
def driver_gives_the_oldest_purchase_first(patch: Patch) -> None:
    """iReadDebitRecord gives the oldest purchase first."""

    def read_cycle() -> Flow[list[bytes]]:
        records: list[bytes] = yield from original()
        return records[::-1]

    original = patch.attribute(flows, "read_cycle", read_cycle)


@catalogue.defect(
    "driver-api.md §3: iReloadPIN with the pCardInfo of another card is refused (−22)",
    "card-info or reset-refused",
)
def driver_resets_another_card_than_the_one_it_read(patch: Patch) -> None:
    """The driver resets the PIN of another card than the one it read."""
    original: Any = patch.attribute(Terminal, "open", lambda terminal, reader, *_: original(terminal, reader))


@catalogue.defect("driver-api.md §3: a new PIN is entered twice, −34 if the entries differ", "reset-unequal")
def unequal_double_entry_of_a_pin_is_accepted(patch: Patch) -> None:
    """The driver accepts a new PIN whose two entries differ."""

    def ask_new(pins: PinEntry, id_number: str) -> Flow[str]:
        pin: str = yield AskPin(ENTER_NEW)
        yield AskPin(ENTER_AGAIN)
        pins.check_new(pin, id_number)
        return pin

    patch.attribute(PinEntry, "ask_new", ask_new)


@catalogue.defect(
    "terminal-flows.md §1.6, driver-api.md §3: no prompt for the PIN if the card has none",
    "driver and no-pin",
)
def driver_asks_for_a_pin_that_is_not_set(patch: Patch) -> None:
    """The driver prompts for the PIN of a card that has no PIN."""

    def needs_pin() -> Flow[bool]:
        yield from original()
        return True

    original = patch.attribute(api, "_needs_pin", needs_pin)


@catalogue.defect("driver-api.md §3: iReadCardBas refuses a card that cannot prove IRK (−21)", "not-genuine")
def driver_reads_a_card_that_is_not_genuine(patch: Patch) -> None:
    """The driver reads a card that cannot prove IRK."""

    def is_genuine(card: OpenedCard) -> Flow[bool]:
        yield from original(card)
        return True

    original = patch.attribute(flows, "is_genuine", is_genuine)
    patch.attribute(api, "equal", lambda *_: True)


@catalogue.defect("open-choices.md §3: where the initial PIN must be changed, it is no new PIN (−36)", "initial-pin")
def driver_sets_the_initial_pin_where_it_is_forbidden(patch: Patch) -> None:
    """The driver accepts new PINs that the place does not permit."""
    patch.attribute(PinEntry, "check_new", lambda *_: None)


DEFECTS = tuple(catalogue.defects)
