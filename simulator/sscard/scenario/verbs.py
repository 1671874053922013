"""Every verb of the scenario language: adding one means writing its class and naming it here."""

from __future__ import annotations

from typing import Final

from sscard.scenario import card_steps as card
from sscard.scenario import power_steps as power
from sscard.scenario import service_steps as service
from sscard.scenario import terminal_steps as terminal
from sscard.scenario.faults import FaultStep
from sscard.scenario.step import Step

STEPS: Final[tuple[type[Step], ...]] = (
    power.Insert,
    power.PowerOn,
    power.Reset,
    power.PowerOff,
    power.CutPower,
    power.FailMemory,
    power.MendMemory,
    FaultStep,
    card.Apdu,
    card.Select,
    card.ReadRecord,
    card.GetChallenge,
    card.Authenticate,
    card.PinChangeUnblock,
    card.CardBlock,
    card.ApplicationBlock,
    card.TriesLeft,
    card.VerifyPin,
    card.ChangePin,
    card.ResetPin,
    card.UnblockPin,
    card.ReadBasic,
    terminal.PreProcess,
    terminal.Recover,
    service.Apply,
    service.Supplement,
    service.Operate,
    service.Complete,
)
VERBS: Final[dict[str, type[Step]]] = {step.verb: step for step in STEPS}
