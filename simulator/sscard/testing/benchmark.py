"""The fixture ``card_benchmark``: pytest-benchmark on a card in its issued state.

Registered by the plugin if pytest-benchmark is installed. Nothing of the
simulator is imported until a test uses the fixture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from math import ceil
from random import Random
from time import perf_counter
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec, TypeVar

import pytest

if TYPE_CHECKING:
    from sscard.hsm import Hsm
    from sscard.issuer import Card
    from sscard.terminal import CardSession
    from sscard.transport import Connection

P = ParamSpec("P")
T = TypeVar("T")

WARM_UP: Final = 5
"""Rounds before the measurement, whose shortest decides how many rounds are measured."""
MOST_ROUNDS: Final = 10_000


class CardBenchmark:
    """Measures an operation on ``social_card``, which is as issued before each round.

    Calling it is like calling ``benchmark`` of pytest-benchmark, but the
    operation gets a ``CardSession`` as its first argument. Before each round, outside the measured
    time, the memory of the card is restored and a session is started. An error of the
    operation ends the benchmark and fails the test. After it, ``card`` is as the last round left it.

    ``connection`` is the terminal's connection to the card, for raw APDUs:
    ``card_benchmark.connection.transmit(b"...")``. ``hsm`` has the keys of the card.
    """

    def __init__(
        self, card: Card, connection: Connection, hsm: Hsm, benchmark: Any, min_rounds: int, max_time: float
    ) -> None:
        self.card = card
        self.connection = connection
        self.hsm = hsm
        self._benchmark = benchmark
        self._min_rounds = min_rounds
        self._max_time = max_time
        self._issued = [*enumerate(card.memory.numbers)], [*enumerate(card.memory.strings)]

    def __call__(self, operation: Callable[Concatenate[CardSession, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Measure ``operation(session, *args, **kwargs)`` and return what its last round returned.

        The options and the marker of pytest-benchmark decide how many rounds there are: ``min_rounds``, and as many
        as take ``max_time`` seconds, at most 10,000. Each round is one operation.
        """
        rounds = 1
        if self._benchmark.enabled:
            try:
                took = min(self._timed(operation, *args, **kwargs) for _ in range(WARM_UP))
            except Exception:
                self._benchmark._mode = "card_benchmark(...)"  # or it warns that it was not used
                self._benchmark.has_error = True
                raise
            rounds = max(self._min_rounds, min(MOST_ROUNDS, ceil(self._max_time / max(took, 1e-6))))
        return self.pedantic(operation, args, kwargs, rounds=rounds)

    def pedantic(
        self,
        operation: Callable[..., T],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        setup: Callable[[CardSession], object] | None = None,
        blocked: bool = False,
        rounds: int = 1,
        warmup_rounds: int = 0,
    ) -> T:
        """Measure ``operation(session, *args, **kwargs)`` in so many rounds, as ``benchmark.pedantic`` does.

        ``setup(session)`` brings the card into another state before each round, outside the measured time. With
        ``blocked`` its PIN has no try left before that. Returns what the last round returned.
        """

        def prepare() -> tuple[tuple[Any, ...], Mapping[str, Any]]:
            session = self.restart(blocked=blocked)
            if setup is not None:
                setup(session)
            return (session, *args), kwargs or {}

        result: T = self._benchmark.pedantic(operation, setup=prepare, rounds=rounds, warmup_rounds=warmup_rounds)
        return result

    def restart(self, *, blocked: bool = False) -> CardSession:
        """Give the card its issued state, power it on, and return a session on it."""
        from sscard.standard.tree import PIN_TRIES
        from sscard.terminal import CardSession

        memory = self.card.memory
        memory.mend()
        memory.recover()
        memory.commit(*self._issued)
        if blocked:
            memory.put_number(PIN_TRIES, 0)
        return CardSession.start(self.connection, self.hsm)

    def _timed(
        self, operation: Callable[Concatenate[CardSession, P], object], /, *args: P.args, **kwargs: P.kwargs
    ) -> float:
        session = self.restart()
        begun = perf_counter()
        operation(session, *args, **kwargs)
        return perf_counter() - begun


@pytest.fixture
def card_benchmark(request: pytest.FixtureRequest, benchmark: Any, social_card: Card) -> Iterator[CardBenchmark]:
    """Measure an operation on social_card in its issued state, by pytest-benchmark: card_benchmark(operation)."""
    from sscard.hsm import SoftHsm
    from sscard.i18n.language import say
    from sscard.scenario.reports.run import this_machine
    from sscard.testing.options import marked, seed_of
    from sscard.transport.pcsc import PcscConnection

    option, marker = request.config.getoption, request.node.get_closest_marker("benchmark")
    chosen = marker.kwargs if marker else {}
    pcsc = option("--sscard-transport") == "pcsc" or "virtual_reader" in request.fixturenames
    with ExitStack() as opened:
        connection: Connection = (
            opened.enter_context(PcscConnection(request.getfixturevalue("virtual_reader").name))
            if pcsc
            else social_card.chip(Random(seed_of(request)))
        )
        benchmark.extra_info |= {
            "personality": social_card.profile.personality.name,
            "transport": "pcsc" if pcsc else "local",
            **{name: say(value) for name, value in this_machine().items()},
        }
        yield CardBenchmark(
            social_card,
            connection,
            SoftHsm(marked(request).get("keys")),
            benchmark,
            int(chosen.get("min_rounds", option("benchmark_min_rounds"))),
            float(chosen.get("max_time", option("benchmark_max_time"))),
        )
        connection.power_off()
