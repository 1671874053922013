"""What a test with PC/SC needs on this machine; without it the test is skipped with the reason."""

from __future__ import annotations

import pytest

from sscard.errors import MissingPart
from sscard.transport.pcscd import check_private_pcscd


def demand_pcsc() -> None:
    """Skip without pyscard or a private pcscd."""
    demand_pyscard()
    demand_pcscd()


def demand_pyscard() -> None:
    """Skip without pyscard."""
    pytest.importorskip("smartcard", reason="pyscard is not installed: pip install 'sscard[pcsc]'")


def demand_pcscd() -> None:
    """Skip if a private pcscd cannot run here."""
    try:
        check_private_pcscd()
    except MissingPart as missing:
        pytest.skip(str(missing))
