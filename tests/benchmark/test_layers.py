"""Time per layer: what is injected into one layer appears there, and the parts add up to the latency."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from kit.benchmarks import CARD, Slow, VirtualClock
from sscard.benchmark.clients import Behind
from sscard.benchmark.flows import FLOWS
from sscard.benchmark.load import Load
from sscard.benchmark.measure import card_for, measure
from sscard.benchmark.pcsc import Terminals
from sscard.hsm import SoftHsm
from sscard.issuer import builtin_keys
from sscard.service import Applicant, MemoryJournal, PinService
from sscard.terminal import CardSession
from sscard.transport import Connection

INJECTED = 0.05
LAYERS = ["service", "journal", "terminal", "hsm", "transport", "card"]


@pytest.mark.parametrize("layer", [*LAYERS, "remainder"])
def test_what_is_injected_into_a_layer_appears_in_it_and_in_the_total(
    layer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = VirtualClock()

    def take() -> None:
        clock.take(INJECTED)

    @contextmanager
    def connect(card: Connection) -> Iterator[Connection]:
        yield Slow(card, "power_on", take) if layer == "transport" else card

    def slowed(kind: type, name: str) -> None:
        function = getattr(kind, name)
        monkeypatch.setattr(kind, name, lambda *given, **named: (take(), function(*given, **named))[1])

    hsm = Slow(SoftHsm(), "safe_message", take) if layer == "hsm" else SoftHsm()
    journal = Slow(MemoryJournal(), "open_case", take) if layer == "journal" else MemoryJournal()
    {
        "service": lambda: slowed(PinService, "accept"),
        "terminal": lambda: slowed(CardSession, "reset_pin"),
        "card": lambda: slowed(type(CARD.chip()), "power_on"),
        "remainder": lambda: monkeypatch.setattr("sscard.benchmark.flows.Applicant", _slow_applicant(take)),
    }.get(layer, lambda: None)()

    @contextmanager
    def journals() -> Iterator[MemoryJournal]:
        yield journal

    found = measure(
        FLOWS["case:forgotten"],
        CARD,
        Behind(hsm, journals),
        Load(count=20, warm_up=0),
        terminals=Terminals([connect]),
        clock=clock,
    )
    budget = {part.name: part.mean for part in found.budget}
    assert budget.keys() == {*LAYERS, "remainder"}
    assert budget.pop(layer) == pytest.approx(INJECTED, rel=0.05)
    assert set(budget.values()) == {0.0}
    assert found.latencies.mean == pytest.approx(INJECTED, rel=0.05)
    assert found.latencies.figures()["p99"] == pytest.approx(INJECTED, rel=0.05)


def _slow_applicant(take: Callable[[], None]) -> Callable[..., object]:
    def made(**named: str) -> Applicant:
        take()
        return Applicant(**named)

    return made


@pytest.mark.parametrize("name", FLOWS)
@pytest.mark.parametrize("personality", ["v3-sm4", "v2-3des", "v1-des"])
def test_every_flow_succeeds_each_time_and_its_budget_adds_up(name: str, personality: str) -> None:
    keys = builtin_keys()
    found = measure(
        FLOWS[name], card_for(personality, keys, 1), Behind(SoftHsm(keys)), Load(clients=2, count=10, warm_up=0)
    )
    assert (found.recorded.done, found.failed) == (10, 0)
    parts = found.budget
    assert sum(part.mean for part in parts) == pytest.approx(found.latencies.mean)
    assert sum(part.share for part in parts) == pytest.approx(1)
    assert parts[-1].mean >= 0
    assert found.throughput > 0
