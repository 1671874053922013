"""Citizens with real cards in process, and the service at a fixed time."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from service.citizens import Citizen, Ticking, make_citizen
from sscard.issuer import KeyHierarchy, builtin_keys
from sscard.service import Case, PinService, Reason


@pytest.fixture
def service() -> PinService:
    return PinService(Ticking())


@pytest.fixture
def citizen_with() -> Callable[..., Citizen]:
    """``citizen_with(personality=, id_number=, city=, pin=)``."""
    return make_citizen


@pytest.fixture
def citizen() -> Citizen:
    return make_citizen()


@pytest.fixture
def accepted(service: PinService, citizen: Citizen) -> Callable[[Reason], Case]:
    """A case of the citizen's, accepted, for a reason."""

    def make(reason: Reason) -> Case:
        case = service.intake(citizen.application(reason))
        service.accept(case)
        return case

    return make


@pytest.fixture
def keys() -> KeyHierarchy:
    return builtin_keys()
