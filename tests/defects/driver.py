"""Defects of the driver's calls, and of the PSAM in the terminal."""

from __future__ import annotations

from typing import Any

from defects.catalogue import Catalogue, Patch
from sscard.driver import errors
from sscard.driver.calls import DriverCalls, Function
from sscard.driver.station import Terminal
from sscard.psam import purchase
from sscard.terminal import flows
from sscard.terminal.flow import Flow
from sscard.terminal.psam import Psam

catalogue = Catalogue("driver")


@catalogue.add("driver-api.md §1: a later step of a group is refused if another one is due (−12)", "step-skipped")
def driver_takes_steps_in_any_order(patch: Patch) -> None:
    def resume(driver: DriverCalls, row: Function, *parameters: str) -> Any:
        driver._awaited = row.name
        return original(driver, row, *parameters)

    original = patch.attribute(DriverCalls, "resume", resume)


@catalogue.add("driver-api.md §1: each function powers the card off at its end", "08-driver-psam and verify")
def driver_leaves_the_card_powered(patch: Patch) -> None:
    patch.attribute(Terminal, "close", lambda _terminal: None)


@catalogue.add(
    "driver-api.md §6: −(25536 + x) means x tries left, unless an option reverses it",
    "reset-foreign-puk or reversed-tries",
)
def driver_reverses_the_tries_left(patch: Patch) -> None:
    def code_of(sw: int, *, reversed_tries: bool = False) -> int:
        return original(sw, reversed_tries=not reversed_tries)

    original = errors.code_of
    patch.function(original, code_of)


@catalogue.add("driver-api.md §3: iReadDebitRecord gives the newest purchase first", "08-driver-psam and purchase")
def driver_gives_the_oldest_purchase_first(patch: Patch) -> None:
    def read_cycle() -> Flow[list[bytes]]:
        return (yield from original())[::-1]

    original = patch.attribute(flows, "read_cycle", read_cycle)


@catalogue.add("driver-api.md §8: CREDIT SAM FOR PURCHASE refuses a wrong MAC2 (9302)", "wrong-mac2")
def psam_takes_a_wrong_mac2(patch: Patch) -> None:
    patch.attribute(purchase, "equal", lambda *_: True)


@catalogue.add(
    "card-security.md §8: a PSAM with the root of another region does not serve a card",
    "reset-refused or read-basic-refused",
)
def psam_serves_cards_of_every_region(patch: Patch) -> None:
    patch.attribute(Psam, "_serves", lambda *_: True)


DEFECTS = tuple(catalogue.defects)
