"""A witness for each defect, by its name; they use the cards and terminals of ``kit``.

The modules are named after those of ``sscard.scenario.defects``.
"""

from __future__ import annotations

from collections.abc import Mapping

from witnesses import (
    acceptance,
    chip,
    driver,
    files,
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
from witnesses.witness import Witness

WITNESSES: Mapping[str, Witness] = {
    **chip.WITNESSES,
    **pins.WITNESSES,
    **keys.WITNESSES,
    **files.WITNESSES,
    **medical.WITNESSES,
    **psam.WITNESSES,
    **terminal.WITNESSES,
    **driver.WITNESSES,
    **acceptance.WITNESSES,
    **persons.WITNESSES,
    **operation.WITNESSES,
    **item.WITNESSES,
    **rules.WITNESSES,
}
