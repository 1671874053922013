"""A counter with a driver for the driver's tests: card, reader, PIN pad, PSAM and card-holder base.

The application's part is here too: it carries strings between driver and host, and nothing else.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

from kit.cards import PIN, card_of
from sscard.card import Chip, Personality
from sscard.conversation.recorder import Exchange, Recorder
from sscard.driver.api import DriverOptions, Readers, SSCardDriver
from sscard.driver.hoststrings import CardHolderBase
from sscard.hsm import SoftHsm
from sscard.i18n.language import say
from sscard.issuer import Card, KeyHierarchy, builtin_keys, preset
from sscard.issuer.lookup import read_key_file
from sscard.issuer.psam import Level, issue_psam
from sscard.standard.encoding import encode_pin
from sscard.terminal.pinpad import ScriptedPad
from sscard.terminal.psam import Psam
from sscard.transport.connection import Connection
from sscard.transport.faults import FaultyConnection

ALL = ("v1-des", "v2-3des", "v3-sm4")
CARD = "510100D15600000500000001A1B2C3D4|A00000011|"
"""pCardInfo of ``card_of``."""
OTHER = "510100D15600000500000002A1B2C3D4|B00000019|"
PAY = "12.34|5.60|20260105093000|"


def psam_of(level: Level = "province", **how: Any) -> Psam:
    """A PSAM in the terminal's slot; ``terminal_number`` and what ``issue_psam`` takes."""
    return Psam(issue_psam(builtin_keys(), level=level, **how).chip(Random(2)))


class Counter:
    """A driver with one card in the reader of one interface."""

    def __init__(
        self,
        personality: str | Personality = "v3-sm4",
        pin: str = PIN,
        *,
        contact: bool = True,
        psam: Psam | None = None,
        card: Card | None = None,
        **options: Any,
    ) -> None:
        self.card = card or card_of(personality, pin)
        self.personality = self.card.profile.personality
        self.chip: Chip = self.card.chip(Random(1), contact=contact)
        self.reader = FaultyConnection(self.chip, wait=lambda _: None)
        self.wire = Recorder(self.reader)
        self.pad = ScriptedPad()
        readers = Readers(contact=self._open) if contact else Readers(contactless=self._open)
        self.driver = SSCardDriver(readers, self.pad, psam, options=DriverOptions(**options))
        self.type = 1 if contact else 2
        self.host = CardHolderBase(SoftHsm(builtin_keys()))

    def _open(self) -> Connection:
        return self.wire

    @property
    def generation(self) -> str:
        return self.personality.generation

    @property
    def algorithm(self) -> str:
        return "03" if self.personality.algorithm == "SM4" else "01"

    @property
    def basic(self) -> str:
        """What the application keeps of iReadCardBas."""
        return f"510100||A00000011|{CARD[:32]}||1234A1B2C38649510100000001||||||"

    @property
    def tries(self) -> int:
        return self.card.snapshot().pin_tries

    def key_tries(self, name: str = "PUK") -> int:
        return self.card.snapshot().key_tries[name][0]

    def has_pin(self, pin: str) -> bool:
        """Whether this is the card's PIN: asked of the memory, the card is not touched."""
        return self.card.memory.strings[0] == encode_pin(pin)

    def sent(self) -> list[str]:
        """The names of the commands that went over the wire."""
        return [say(event.name) for event in self.wire.events if isinstance(event, Exchange)]

    def reset(self, new: str = "654321") -> tuple[int, str]:
        """A whole reset by the HSM steps; the first step that fails ends it."""
        self.pad.script(new, new)
        code, asked = self.driver.iReloadPIN_HSM_Step1(self.type, CARD)
        if code:
            return code, asked
        code, asked = self.driver.iReloadPIN_HSM_Step2(self.host.authenticate(self.basic, asked))
        if code:
            return code, asked
        return self.driver.iReloadPIN_HSM_Step3(self.host.safe_message(self.basic, asked))

    def reset_up_to_step_2(self, new: str = "654321") -> str:
        """The first two steps of a reset: pKey for the third."""
        self.pad.script(new, new)
        asked = ok(self.driver.iReloadPIN_HSM_Step1(self.type, CARD))
        asked = ok(self.driver.iReloadPIN_HSM_Step2(self.host.authenticate(self.basic, asked)))
        return self.host.safe_message(self.basic, asked)

    def unblock(self) -> tuple[int, str]:
        """A whole unblock by the HSM steps."""
        asked = ok(self.driver.iUnblockPIN_HSM_Step1(self.type, CARD))
        asked = ok(self.driver.iUnblockPIN_HSM_Step2(self.host.authenticate(self.basic, asked)))
        return self.driver.iUnblockPIN_HSM_Step3(self.host.safe_message(self.basic, asked))

    def block_pin(self) -> None:
        while self.tries:
            self.pad.script("999999")
            self.driver.iVerifyPIN(self.type)

    def unharmed(self) -> bool:
        """Nothing half done: no power, the old PIN with all its tries."""
        state = self.card.snapshot()
        return not self.chip.snapshot().powered and self.has_pin(PIN) and state.pin_tries == state.pin_tries_max


def ok(result: tuple[int, str]) -> str:
    code, out = result
    assert code == 0, (code, out)
    return out


def foreign_keys(*names: str) -> KeyHierarchy:
    """The built-in hierarchy with other values at these keys: the addresses lead to another root."""
    file = read_key_file()
    keys = [
        replace(key, by_suite={suite: [*map(_other, values)] for suite, values in key.by_suite.items()})
        if key.name in names
        else key
        for key in file.keys
    ]
    return KeyHierarchy(replace(file, name="foreign", keys=keys))


def _other(value: bytes) -> bytes:
    return bytes(byte ^ 0x5A for byte in value)


def varied(base: str = "v3-sm4", **changes: Any) -> Personality:
    return replace(preset(base), **changes)
