"""The driver of LD/T 33 (读写终端接口): the functions every hospital, pharmacy and window program calls.

Names, parameters and strings are those of the driver API sheet §3 and §4. A
function answers ``(code, pOutInfo)``: 0 and the data, or a negative code and
its description in words.
"""

# ruff: noqa: N802, N803 - the names of the C functions and their parameters

from __future__ import annotations

from collections.abc import Callable

from sscard.driver import functions
from sscard.driver.errors import FAILURES, Code, DriverError, outcome
from sscard.driver.fields import fit
from sscard.driver.functions import Steps
from sscard.driver.station import DriverOptions, KeyAddresses, Readers, Terminal
from sscard.terminal.pinpad import PinPad
from sscard.terminal.psam import Psam

__all__ = ["DriverOptions", "KeyAddresses", "Readers", "Result", "SSCardDriver"]

Result = tuple[int, str]
"""Return code and pOutInfo."""

OUT_512, OUT_1024, OUT_2048, OUT_20480 = 512, 1024, 2048, 20480
"""Sizes of pOutInfo in bytes of GBK, the ending zero of C included."""
LAST = ""


class SSCardDriver:
    """The driver of one terminal; one thread at a time may call it.

    ``addresses`` is the operator's key-address map, that of the built-in test
    keys unless given. Between the steps of an HSM group the card stays under
    power; any error, ``close``, or any other function ends the group. A PIN
    appears in one place only, where the sheet wants it: field 5 of
    iReloadPIN_HSM_Step2.
    """

    def __init__(
        self,
        readers: Readers,
        pinpad: PinPad,
        psam: Psam | None = None,
        addresses: KeyAddresses | None = None,
        options: DriverOptions | None = None,
    ) -> None:
        self._terminal = Terminal(readers, pinpad, psam, addresses, options)
        self._steps: Steps | None = None
        self._awaited = LAST

    def close(self) -> None:
        """End an open group, take the card's power away."""
        steps, self._steps = self._steps, None
        self._awaited = LAST
        if steps is not None:
            steps.close()
        self._terminal.close()

    def iReadCardBas(self, iType: int) -> Result:
        """Prove the card by the PSAM, read the basic data (11 fields)."""
        return self._once(OUT_1024, lambda: functions.read_basic(self._terminal, iType))

    def iReadCardBas_HSM_Step1(self, iType: int) -> Result:
        """What the HSM needs to check the card, and to prove RKSSSE to a 3.0 card (8 fields)."""
        return self._begin("iReadCardBas_HSM_Step2", OUT_1024, functions.read_basic_steps(self._terminal, iType))

    def iReadCardBas_HSM_Step2(self, pKey: str) -> Result:
        """Compare the HSM's result with the card's, prove RKSSSE where given, read the basic data."""
        return self._go_on("iReadCardBas_HSM_Step2", LAST, OUT_1024, pKey)

    def iReadCard(self, iType: int, iAuthType: int, pCardInfo: str, pFileAddr: str) -> Result:
        """Read items of files; keys are proved by the PSAM."""
        return self._once(OUT_20480, lambda: functions.read(self._terminal, iType, iAuthType, pCardInfo, pFileAddr))

    def iReadCard_HSM_Step1(self, iType: int, pCardInfo: str, pFileAddr: str) -> Result:
        """What the HSM needs to prove the key of the first file (4 fields); −2204 where it has none."""
        return self._begin(
            "iReadCard_HSM_Step2", OUT_1024, functions.read_steps(self._terminal, iType, pCardInfo, pFileAddr)
        )

    def iReadCard_HSM_Step2(self, pKey: str) -> Result:
        """Prove the key, read the first file."""
        return self._go_on("iReadCard_HSM_Step2", LAST, OUT_20480, pKey)

    def iWriteCard(self, iType: int, pCardInfo: str, pFileAddr: str, pWriteData: str) -> Result:
        """Write items of files; keys are proved by the PSAM."""
        return self._once(OUT_1024, lambda: functions.write(self._terminal, iType, pCardInfo, pFileAddr, pWriteData))

    def iWriteCard_HSM_Step1(self, iType: int, pCardInfo: str, pFileAddr: str) -> Result:
        """What the HSM needs to prove the key that writes the first file (4 fields)."""
        return self._begin(
            "iWriteCard_HSM_Step2", OUT_1024, functions.write_steps(self._terminal, iType, pCardInfo, pFileAddr)
        )

    def iWriteCard_HSM_Step2(self, pKey: str, pWriteData: str) -> Result:
        """Prove the key, write the first file."""
        return self._go_on("iWriteCard_HSM_Step2", LAST, OUT_1024, pKey, pWriteData)

    def iVerifyPIN(self, iType: int) -> Result:
        """Ask for the PIN and verify it: −51 with the tries left. A card without PIN asks for none."""
        return self._once(OUT_512, lambda: functions.verify_pin(self._terminal, iType))

    def iChangePIN(self, iType: int) -> Result:
        """Ask for the old and twice for the new PIN, change it (修改). A card without PIN has no old one."""
        return self._once(OUT_512, lambda: functions.change_pin(self._terminal, iType))

    def iReloadPIN(self, iType: int, pCardInfo: str) -> Result:
        """Ask twice for a new PIN, set it (重置) by the PSAM."""
        return self._once(OUT_512, lambda: functions.reload_pin(self._terminal, iType, pCardInfo))

    def iReloadPIN_HSM_Step1(self, iType: int, pCardInfo: str) -> Result:
        """What the HSM needs to prove PUK (4 fields)."""
        return self._begin(
            "iReloadPIN_HSM_Step2", OUT_512, functions.reload_pin_steps(self._terminal, iType, pCardInfo)
        )

    def iReloadPIN_HSM_Step2(self, pKey: str) -> Result:
        """Prove PUK, ask twice for the new PIN; what the HSM needs for the command (5 fields, the PIN among them)."""
        return self._go_on("iReloadPIN_HSM_Step2", "iReloadPIN_HSM_Step3", OUT_1024, pKey)

    def iReloadPIN_HSM_Step3(self, pKey: str) -> Result:
        """Send the HSM's command to the card."""
        return self._go_on("iReloadPIN_HSM_Step3", LAST, OUT_1024, pKey)

    def iUnblockPIN(self, iType: int, pCardInfo: str) -> Result:
        """Free the PIN (解锁) by the PSAM."""
        return self._once(OUT_512, lambda: functions.unblock_pin(self._terminal, iType, pCardInfo))

    def iUnblockPIN_HSM_Step1(self, iType: int, pCardInfo: str) -> Result:
        """What the HSM needs to prove PUK (4 fields)."""
        return self._begin(
            "iUnblockPIN_HSM_Step2", OUT_512, functions.unblock_pin_steps(self._terminal, iType, pCardInfo)
        )

    def iUnblockPIN_HSM_Step2(self, pKey: str) -> Result:
        """Prove PUK; what the HSM needs for the command (5 fields)."""
        return self._go_on("iUnblockPIN_HSM_Step2", "iUnblockPIN_HSM_Step3", OUT_1024, pKey)

    def iUnblockPIN_HSM_Step3(self, pKey: str) -> Result:
        """Send the HSM's command to the card."""
        return self._go_on("iUnblockPIN_HSM_Step3", LAST, OUT_1024, pKey)

    def iDoDebit(self, iType: int, pCardInfo: str, pPayInfo: str) -> Result:
        """Ask for the PIN, buy (医疗消费) with the PSAM (8 fields)."""
        return self._once(OUT_512, lambda: functions.debit(self._terminal, iType, pCardInfo, pPayInfo))

    def iDoDebit_HSM_Step1(self, iType: int, pCardInfo: str, pPayInfo: str) -> Result:
        """Ask for the PIN, begin to buy; what the HSM needs for MAC1 (8 fields)."""
        return self._begin(
            "iDoDebit_HSM_Step2", OUT_512, functions.debit_steps(self._terminal, iType, pCardInfo, pPayInfo)
        )

    def iDoDebit_HSM_Step2(self, pKey: str) -> Result:
        """Buy: MAC2 and the receipt (9 fields)."""
        return self._go_on("iDoDebit_HSM_Step2", LAST, OUT_1024, pKey)

    def iReadDebitRecord(self, iType: int) -> Result:
        """Ask for the PIN, read the purchases, the newest first."""
        return self._once(OUT_2048, lambda: functions.read_debit_records(self._terminal, iType))

    def _once(self, size: int, work: Callable[[], str]) -> Result:
        """A function that stands alone."""
        self.close()
        return self._step(LAST, size, work)

    def _begin(self, awaited: str, size: int, steps: Steps) -> Result:
        """The first step of a group."""
        self.close()
        self._steps = steps
        return self._step(awaited, size, lambda: next(steps))

    def _go_on(self, step: str, awaited: str, size: int, *parameters: str) -> Result:
        """A later step; −12 where the group does not wait for it."""
        steps = self._steps
        if steps is None or step != self._awaited:
            return self._once(size, _not_connected)
        return self._step(awaited, size, lambda: steps.send(parameters))

    def _step(self, awaited: str, size: int, work: Callable[[], str]) -> Result:
        """One call: unless a further step is awaited, the device is closed before the answer, whatever happened."""
        self._awaited = LAST
        try:
            out = fit(work(), size - 1)
            self._awaited = awaited
        except FAILURES as error:
            return outcome(error, reversed_tries=self._terminal.options.reversed_tries)
        else:
            return int(Code.OK), out
        finally:
            if self._awaited == LAST:
                self.close()


def _not_connected() -> str:
    raise DriverError(Code.NOT_CONNECTED)
