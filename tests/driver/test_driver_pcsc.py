"""The driver over real PC/SC: card and PSAM in readers of a private pcscd.

pyscard finds its daemon once in a process, so all of it happens in a process of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from functools import partial
from multiprocessing import get_context
from random import Random

import pytest

import kit
from kit.counter import ALL, CARD, PAY, ok
from kit.pcsc import demand_pcsc
from kit.waiting import PATIENCE
from sscard.driver.api import Readers, SSCardDriver
from sscard.driver.hoststrings import CardHolderBase
from sscard.hsm import SoftHsm
from sscard.issuer import builtin_keys
from sscard.issuer.psam import issue_psam
from sscard.terminal.pinpad import ScriptedPad
from sscard.terminal.psam import Psam
from sscard.transport.pcsc import PcscConnection, wait_for_card
from sscard.transport.pcscd import PrivatePcscd
from sscard.transport.vpcd import VirtualReaderSlot

CARD_READER, PSAM_READER, SPARE_READER = 0, 1, 2
Outcome = dict[str, object]


class Counter:
    """A counter whose card and PSAM stand in PC/SC readers."""

    def __init__(self, daemon: PrivatePcscd, contact: bool, psam: Psam) -> None:
        def reader(number: int) -> PcscConnection:
            return PcscConnection(daemon.reader_name(number), patience=0.5 if number == self.empty else PATIENCE)

        self.empty = SPARE_READER
        card, spare = partial(reader, CARD_READER), partial(reader, SPARE_READER)
        self.pad = ScriptedPad()
        readers = Readers(card, spare) if contact else Readers(spare, card)
        self.driver = SSCardDriver(readers, self.pad, psam)
        self.host = CardHolderBase(SoftHsm(builtin_keys()))
        self.type, self.auto = (1, 4) if contact else (2, 3)  # auto: the reader without card first

    def run(self, slot: VirtualReaderSlot) -> Outcome:
        """A window program's day; the card leaves at its end."""
        driver, pad, reader = self.driver, self.pad, self.type
        asked = ok(driver.iReadCardBas_HSM_Step1(reader))
        basic = ok(driver.iReadCardBas_HSM_Step2(self.host.check_card(asked)))
        done: Outcome = {"basic by HSM": basic, "basic by PSAM": driver.iReadCardBas(reader)}
        pad.script("654321", "654321")
        asked = ok(driver.iReloadPIN_HSM_Step1(reader, CARD))
        asked = ok(driver.iReloadPIN_HSM_Step2(self.host.authenticate(basic, asked)))
        done["reset by HSM"] = driver.iReloadPIN_HSM_Step3(self.host.safe_message(basic, asked))
        asked = ok(driver.iUnblockPIN_HSM_Step1(reader, CARD))
        asked = ok(driver.iUnblockPIN_HSM_Step2(self.host.authenticate(basic, asked)))
        done["unblock by HSM"] = driver.iUnblockPIN_HSM_Step3(self.host.safe_message(basic, asked))
        pad.script("654321", "7654321", "7654321", "123456", "123456")
        done["change"] = driver.iChangePIN(reader)
        done["reset by PSAM"] = driver.iReloadPIN(reader, CARD)
        done["unblock by PSAM"] = driver.iUnblockPIN(reader, CARD)
        pad.script("123456", "123456", "123457")
        done["debit by PSAM"] = driver.iDoDebit(reader, CARD, PAY)[0]
        done["read"] = driver.iReadCard(self.auto, 1, CARD, "DF01EF05|0E|$SSSEEF05|07|$")
        done["wrong PIN"] = driver.iVerifyPIN(reader)
        ok(driver.iReloadPIN_HSM_Step1(reader, CARD))
        slot.remove()
        self.empty = CARD_READER
        done["pulled"] = driver.iReloadPIN_HSM_Step2("0" * 32)[0]
        done["no card"] = driver.iVerifyPIN(reader)[0]
        return done


DAEMONS: list[PrivatePcscd] = []
"""The daemon of the process that all of it happens in."""


def start_daemon() -> None:
    """Start the daemon of this process."""
    DAEMONS.append(PrivatePcscd(3, timeout=PATIENCE).__enter__())


def stop_daemon() -> None:
    """Stop it."""
    DAEMONS.pop().__exit__(None, None, None)


def over_pcsc(personality: str, contact: bool) -> Outcome:
    """Everything of one card, in this process; at the end all readers are empty."""
    (daemon,) = DAEMONS
    card = kit.card_of(personality)
    psam = issue_psam(builtin_keys(), level="province")
    with ExitStack() as stack:
        for reader in (CARD_READER, PSAM_READER):
            stack.callback(wait_for_card, daemon.reader_name(reader), present=False, timeout=PATIENCE)
        slots = [
            stack.enter_context(VirtualReaderSlot(daemon.port(reader), chip))
            for reader, chip in (
                (CARD_READER, card.chip(Random(1), contact=contact)),
                (PSAM_READER, psam.chip(Random(2))),
            )
        ]
        for reader in (CARD_READER, PSAM_READER):
            assert wait_for_card(daemon.reader_name(reader), timeout=PATIENCE)
        sam = Psam(PcscConnection(daemon.reader_name(PSAM_READER), patience=PATIENCE))
        stack.callback(sam.close)
        counter = Counter(daemon, contact, sam)
        stack.callback(counter.driver.close)
        return counter.run(slots[0])


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPoolExecutor]:
    """A process with a daemon."""
    demand_pcsc()
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        process.submit(start_daemon).result()
        yield process
        process.submit(stop_daemon).result()


@pytest.mark.slow
@pytest.mark.parametrize("contact", [True, False], ids=["contact", "contactless"])
@pytest.mark.parametrize("personality", ALL)
def test_a_window_programs_day_over_pcsc(pool: ProcessPoolExecutor, personality: str, contact: bool) -> None:
    done = pool.submit(over_pcsc, personality, contact).result()
    basic = str(done["basic by HSM"])
    version = {"v1-des": "1.00", "v2-3des": "2.00", "v3-sm4": "3.00"}[personality]
    assert basic.split("|")[4:10] == [
        "张三",
        "1234A1B2C38649510100000001",
        version,
        "20250101",
        "20350101",
        "510100000001",
    ]
    assert done == {
        "basic by HSM": basic,
        "basic by PSAM": (0, basic),
        "reset by HSM": (0, ""),
        "unblock by HSM": (0, ""),
        "change": (0, ""),
        "reset by PSAM": (0, ""),
        "unblock by PSAM": (0, ""),
        "debit by PSAM": 0,
        "read": (0, "DF01EF05|510100|$SSSEEF05|A00000011|$"),
        "wrong PIN": (-51, "密码错误，剩余5次"),
        "pulled": -2,
        "no card": -2,
    }
