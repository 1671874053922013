"""Every verb of the scenario language: adding one means writing its class and naming it here."""

from __future__ import annotations

from typing import Final

from sscard.scenario import account_steps as account
from sscard.scenario import card_steps as card
from sscard.scenario import disclosure_steps as disclosure
from sscard.scenario import driver_call_steps as driver_call
from sscard.scenario import driver_steps as driver
from sscard.scenario import file_steps as file
from sscard.scenario import medical_steps as medical
from sscard.scenario import memory_steps as memory
from sscard.scenario import power_steps as power
from sscard.scenario import psam_steps as psam
from sscard.scenario import secure_steps as secure
from sscard.scenario import service_steps as service
from sscard.scenario import terminal_steps as terminal
from sscard.scenario.faults import FaultStep
from sscard.scenario.step import Step

STEPS: Final[tuple[type[Step], ...]] = (
    power.Insert,
    power.PowerOn,
    power.Reset,
    power.PowerOff,
    memory.CutPower,
    memory.FailMemory,
    memory.MendMemory,
    FaultStep,
    card.Apdu,
    card.GetChallenge,
    card.GetResponse,
    card.Verify,
    card.Change,
    card.VerifyCertificatePin,
    file.Select,
    file.ReadBinary,
    file.ReadRecord,
    file.UpdateBinary,
    file.UpdateRecord,
    secure.Authenticate,
    secure.InternalAuthenticate,
    secure.PinChangeUnblock,
    secure.CardBlock,
    secure.ApplicationBlock,
    card.TriesLeft,
    card.VerifyPin,
    card.ChangePin,
    card.ResetPin,
    card.UnblockPin,
    card.ReadBasic,
    terminal.PreProcess,
    terminal.Recover,
    psam.InternalAuthentication,
    psam.ReadFile,
    psam.WriteFile,
    psam.InsertPsam,
    psam.PsamApdu,
    medical.InitializeForLoad,
    medical.CreditForLoad,
    medical.InitializeForPurchase,
    medical.DebitForPurchase,
    medical.Load,
    medical.Purchase,
    account.GetBalance,
    account.GetTransactionProof,
    account.GetStartingDay,
    account.UpdateStartingDay,
    account.TransactionRecords,
    driver.DriverReadBasic,
    driver.DriverRead,
    driver.DriverWrite,
    driver.DriverVerifyPin,
    driver.DriverChangePin,
    driver.DriverResetPin,
    driver.DriverUnblockPin,
    driver.DriverPurchase,
    driver.DriverPurchaseRecords,
    driver_call.Driver,
    driver_call.DriverOptionsStep,
    disclosure.TraceHides,
    disclosure.HsmRequest,
    service.Apply,
    service.Supplement,
    service.Operate,
    service.Complete,
    service.Accept,
    service.HandOver,
    service.Present,
    service.Resume,
    service.Abandon,
    service.Pharmacy,
    service.ReadCase,
    service.Consult,
    service.ReadItem,
    service.PassTime,
    service.TakeCard,
)
VERBS: Final[dict[str, type[Step]]] = {step.verb: step for step in STEPS}
