"""Which scenarios run on any smart card: they power it, send commands as they are written, and know nothing of it."""

from __future__ import annotations

from typing import Final

from sscard.chip.command import HEADER_LENGTH
from sscard.scenario.reader import Scenario, insertion
from sscard.scenario.step import Step
from sscard.scenario.steps.card import Apdu, GetChallenge, GetResponse
from sscard.scenario.steps.power import PowerOff, PowerOn, Reset
from sscard.standard.apdu import GET_RESPONSE_INS
from sscard.transport.connection import GET_DATA

RAW: Final[tuple[type[Step], ...]] = (PowerOn, PowerOff, Reset, Apdu, GetChallenge, GetResponse)
OF_A_CLAIM: Final = frozenset({"tries", "key_tries", "certificate_tries", "state", "stage"})
"""Fields of a step that state what only a social security card has."""
SECTIONS: Final = frozenset({"card", "needs", "service"})
READING: Final = frozenset({0xA4, 0xB0, 0xB1, 0xB2, 0xB3, 0x84, 0xCA, 0xCB, GET_RESPONSE_INS})
"""INS of ISO 7816-4 commands that change no card: SELECT, READ, GET CHALLENGE, GET DATA, GET RESPONSE."""
CHANNELS: Final = range(4)
"""CLA of a command without secure messaging, on each channel."""


def is_raw(scenario: Scenario) -> bool:
    """Whether a scenario runs on any card: it begins with ``power_on``, and names nothing of a social security card."""
    return (
        not SECTIONS.intersection(scenario.document.content)
        and not (scenario.names and scenario.names.used)
        and insertion(scenario) is None
        and all(type(step) in RAW and not OF_A_CLAIM & step.model_fields_set for step in scenario.steps)
    )


def only_reads(scenario: Scenario) -> bool:
    """Whether no command of a raw scenario can change a card, whatever card it is."""
    sent = [(part, step.apdu) for part, step in zip(scenario.parts, scenario.steps, strict=True) if type(step) is Apdu]
    return all(
        not part.late
        and len(command) >= HEADER_LENGTH
        and (command.startswith(GET_DATA) or (command[0] in CHANNELS and command[1] in READING))
        for part, command in sent
    )
