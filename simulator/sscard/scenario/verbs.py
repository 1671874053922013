"""Every verb of the scenario language: adding one means writing its class and naming it here."""

from __future__ import annotations

from typing import Final

from sscard.document import Document, Report
from sscard.errors import InputError, suggestion
from sscard.i18n.phrase import Phrase
from sscard.scenario import account_steps as account
from sscard.scenario import card_steps as card
from sscard.scenario import disclosure_steps as disclosure
from sscard.scenario import driver_call_steps as driver_call
from sscard.scenario import driver_steps as driver
from sscard.scenario import file_steps as file
from sscard.scenario import item_steps as item
from sscard.scenario import medical_steps as medical
from sscard.scenario import memory_steps as memory
from sscard.scenario import power_steps as power
from sscard.scenario import psam_steps as psam
from sscard.scenario import secure_steps as secure
from sscard.scenario import service_steps as service
from sscard.scenario import terminal_steps as terminal
from sscard.scenario.expansion import Part, replaced
from sscard.scenario.expressions import Names
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
    item.Consult,
    item.ReadItem,
    service.PassTime,
    service.TakeCard,
)
VERBS: Final[dict[str, type[Step]]] = {step.verb: step for step in STEPS}
EXAMPLES: Final = ("00" * 8, "0000", "1", "123456")
"""Values that stand in for a captured one while a file is read; a step must accept one of them."""


def read_step(document: Document, names: Names | None = None, report: Report | None = None) -> Step:
    """A step from its fields, of which one is a verb; ``names`` are the numbers of the card's choices."""
    content = document.content
    if not isinstance(content, dict):
        raise document.error((), Phrase("a step is a verb, a colon and its value"), Phrase("write it as `- insert:`"))
    verbs = [key for key in content if key in VERBS]
    if len(verbs) > 1:
        raise document.error(
            (verbs[1],),
            Phrase("two verbs in one step: {verbs}", verbs=", ".join(verbs)),
            Phrase("write a separate step for each"),
        )
    if verbs:
        return document.as_model(VERBS[verbs[0]], names, report)
    unknown = [key for key in content if key not in Step.model_fields]
    if not unknown:
        raise document.error(
            (), Phrase("a step without a verb"), Phrase("add one of: {verbs}", verbs=", ".join(sorted(VERBS)))
        )
    raise document.error((unknown[0],), Phrase("unknown verb {verb!r}", verb=unknown[0]), suggestion(unknown[0], VERBS))


def example_of(part: Part, names: Names) -> Step:
    """A step with examples of the values that are captured when it runs."""
    first: InputError | None = None
    for example in EXAMPLES:
        try:
            return read_step(replaced(part.document, _Examples(example)).document, names)
        except InputError as error:
            first = first or error
    assert first is not None
    raise first


class _Examples(dict[str, str]):
    """The same example for every name."""

    def __init__(self, example: str) -> None:
        super().__init__()
        self._example = example

    def __contains__(self, _name: object) -> bool:
        return True

    def __getitem__(self, _name: str) -> str:
        return self._example
