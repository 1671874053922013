"""A witness for each defect, by its name; they use the cards and terminals of ``kit``.

The modules are named after those of ``defects``.
"""

from __future__ import annotations

from collections.abc import Mapping

from defects.witnesses import (
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
    rules,
    terminal,
)
from defects.witnesses.witness import Witness

WITNESSES: Mapping[str, Witness] = {
    **chip.WITNESSES,
    **pins.WITNESSES,
    **keys.WITNESSES,
    **files.WITNESSES,
    **medical.WITNESSES,
    **terminal.WITNESSES,
    **driver.WITNESSES,
    **acceptance.WITNESSES,
    **persons.WITNESSES,
    **operation.WITNESSES,
    **item.WITNESSES,
    **rules.WITNESSES,
}
