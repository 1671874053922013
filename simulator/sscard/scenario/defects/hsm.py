"""Defects of the HSM."""

from __future__ import annotations

from typing import Any

from sscard.hsm import SoftHsm, operations
from sscard.scenario.defect_parts import Part
from sscard.scenario.defects.catalogue import Catalogue, Patch

catalogue = Catalogue(Part.HSM)


@catalogue.defect("hsm/operations.py: each request needs the token of the service, else 401", "service-token")
def hsm_service_accepts_any_token(patch: Patch) -> None:
    """The HSM service accepts requests with any token."""
    patch.attribute(operations, "equal", lambda *_: True)


@catalogue.defect(
    "driver-api.md §9: each version of a key has an address, and the HSM uses the version at the address",
    "versions.yaml",
)
def hsm_uses_version_1_of_every_key(patch: Patch) -> None:
    """The HSM always uses version 1 of a key."""
    original: Any = patch.attribute(
        SoftHsm, "_at", lambda hsm, address: (found := original(hsm, address)) and found._replace(version=0)
    )


DEFECTS = tuple(catalogue.defects)
