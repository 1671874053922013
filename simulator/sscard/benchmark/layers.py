"""Where the time of an operation goes: the layers, and wrappers that measure the running parts of a client."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, TypeVar, cast

from sscard.benchmark.clock import Clock
from sscard.i18n.phrase import Phrase, Sayable

P = TypeVar("P")
POWER_AND_COMMANDS: Final = ("power_on", "reset", "transmit")


class Layer(NamedTuple):
    """A layer: what it is called, and the methods of its part that are measured."""

    title: Sayable
    calls: tuple[str, ...]


LAYERS: Final[Mapping[str, Layer]] = {
    "service": Layer(Phrase("service"), ("intake", "accept", "operate", "complete")),
    "journal": Layer(Phrase("journal"), ("open_case", "append")),
    "driver": Layer(
        Phrase("driver"),
        (
            *("iChangePIN", "iReadCardBas_HSM_Step1", "iReadCardBas_HSM_Step2"),
            *("iReloadPIN_HSM_Step1", "iReloadPIN_HSM_Step2", "iReloadPIN_HSM_Step3"),
        ),
    ),
    "terminal": Layer(
        Phrase("terminal"),
        ("read_basic", "tries_left", "verify_pin", "change_pin", "reset_pin", "unblock_pin", "run"),
    ),
    "hsm": Layer(
        Phrase("HSM"),
        (
            *("authentication_data", "safe_message", "purchase_mac", "transaction_proof"),
            *("address_of", "reference_to"),
        ),
    ),
    "transport": Layer(Phrase("transport"), POWER_AND_COMMANDS),
    "card": Layer(Phrase("card"), POWER_AND_COMMANDS),
}
"""The layers from the top down. The time of a layer is that of its part without the layers that the part calls."""
WAITING, REMAINDER = "waiting", "remainder"
TITLES: Final[Mapping[str, Sayable]] = {
    WAITING: Phrase("waiting for a client"),
    **{name: layer.title for name, layer in LAYERS.items()},
    REMAINDER: Phrase("remainder"),
}
"""The rows of a budget: a late start under open load, the layers, and what no layer accounts for."""


class Watch:
    """The time that one client spends in each layer during an operation, in seconds.

    A card behind PC/SC is called by the thread of its reader while the thread
    of the terminal waits for the answer, so the two never write simultaneously.
    """

    def __init__(self, clock: Clock) -> None:
        self.seconds: dict[str, float] = {}
        self._now = clock.now
        self._inside = 0.0

    def begin(self) -> None:
        """An operation begins."""
        self.seconds = {}
        self._inside = 0.0

    def timed(self, layer: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The same function; its time counts for a layer, without the time of measured functions that it calls."""
        now = self._now

        def call(*arguments: Any, **named: Any) -> Any:
            before, self._inside = self._inside, 0.0
            started = now()
            try:
                return function(*arguments, **named)
            finally:
                spent = now() - started
                self.seconds[layer] = self.seconds.get(layer, 0.0) + spent - self._inside
                self._inside = before + spent

        return call

    def measured(self, layer: str, part: P) -> P:
        """The same part, with the methods of its layer measured."""
        return cast("P", _Measured(self, layer, part))

    def measured_class(self, layer: str, kind: type[P]) -> type[P]:
        """A subclass with the methods of a layer measured: for parts that are made during an operation."""
        timed = {name: self.timed(layer, getattr(kind, name)) for name in LAYERS[layer].calls}
        return type(kind.__name__, (kind,), timed)


class _Measured:
    """A part whose methods in the table of layers are measured; everything else is the part's own."""

    def __init__(self, watch: Watch, layer: str, part: object) -> None:
        self._part = part
        # As attributes of the object: that is also where isinstance looks for the methods of a protocol.
        for name in LAYERS[layer].calls:
            if (method := getattr(part, name, None)) is not None:
                self.__dict__[name] = watch.timed(layer, method)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._part, name)
