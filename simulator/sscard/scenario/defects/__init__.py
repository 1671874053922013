"""Defects to plant in the product: one small wrong change each, which the built-in suite has to notice.

``catalogue``   what a defect is, how it is planted and taken out again, and the scenarios that notice it
``chip``        defects of the card: what all commands share
``pins``        defects of the card: the PIN commands
``keys``        defects of the card: challenges, keys, locks
``files``       defects of the card: selection, rights, reading and writing, memory
``medical``     defects of the card: the medical account
``psam``        defects of the PSAM
``terminal``    defects of the terminal, and of its use of the PSAM
``driver``      defects of the driver's calls
``hsm``         defects of the HSM
``acceptance``  defects of the service: who and what is accepted
``persons``     defects of the service: documents and papers of persons, proofs of identity
``operation``   defects of the service: the operation on the card, the end of a case
``item``        defects of the service: statements of the item that are not applied
``rules``       defects made from the tables of rules, one for each row
"""

from sscard.scenario.defects import (
    acceptance,
    chip,
    driver,
    files,
    hsm,
    item,
    keys,
    medical,
    operation,
    persons,
    pins,
    psam,
    rules,
    terminal,
)
from sscard.scenario.defects.catalogue import Defect

__all__ = ["DEFECTS", "Defect"]

DEFECTS: tuple[Defect, ...] = (
    *chip.DEFECTS,
    *pins.DEFECTS,
    *keys.DEFECTS,
    *files.DEFECTS,
    *medical.DEFECTS,
    *psam.DEFECTS,
    *terminal.DEFECTS,
    *driver.DEFECTS,
    *hsm.DEFECTS,
    *acceptance.DEFECTS,
    *persons.DEFECTS,
    *operation.DEFECTS,
    *item.DEFECTS,
    *rules.DEFECTS,
)
"""The catalogue, in the order of the parts of the chain."""
