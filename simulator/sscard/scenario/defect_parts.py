"""The parts of the chain that can have a defect; the catalogue of defects imports the chip, this does not."""

from __future__ import annotations

from sscard.i18n.word import Word


class Part(Word):
    """The part of the chain that has a defect."""

    CARD = "card", "卡"
    PSAM = "psam", "PSAM", "PSAM"
    TERMINAL = "terminal", "终端"
    DRIVER = "driver", "驱动"
    HSM = "hsm", "加密机", "HSM"
    SERVICE = "service", "服务"
