"""The bench of the example programs: a daemon and an HSM service for each module."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from kit.bench import Bench
from kit.pcsc import demand_pcsc
from kit.programs import running
from sscard.transport.pcscd import PrivatePcscd


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    demand_pcsc()
    token = tmp_path_factory.mktemp("hsm") / "token"
    with PrivatePcscd() as daemon, running("hsm", "serve", "--port", 0, "--token-file", token) as service:
        url = service.line_with("HSM at ").split()[2].rstrip(",")
        places = {"SSCARD_HSM": url, "SSCARD_HSM_PORT": url.rpartition(":")[2], "SSCARD_HSM_TOKEN": str(token)}
        yield Bench(daemon, {**os.environ, **daemon.environment, **places})
