"""Calls of driver functions: the table of functions, return codes, and the step that a group waits for."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, wraps
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

from sscard.driver.errors import FAILURES, Code, DriverError, outcome
from sscard.driver.fields import fit
from sscard.driver.station import DriverOptions, KeyAddresses, PsamOfCity, Readers, Terminal
from sscard.driver.steps import Steps
from sscard.errors import InputError, MissingPart
from sscard.i18n.phrase import Sayable
from sscard.terminal.flow import Flow, run
from sscard.terminal.pinpad import PinPad
from sscard.terminal.psam import Psam

Result = tuple[int, str]
"""Return code and pOutInfo."""
P = ParamSpec("P")
D = TypeVar("D", bound="DriverCalls")

OUT_512, OUT_1024, OUT_2048, OUT_20480 = 512, 1024, 2048, 20480
"""Sizes of pOutInfo in bytes of GBK, including the terminating zero of C."""
LONGEST: Final = {
    "pCardInfo": 128,
    "pFileAddr": 1024,
    "pWriteData": 20480,
    "pPayInfo": 512,
    "pin": 16,
    "oldPin": 16,
    "newPin": 16,
}
"""Maximum bytes of a text parameter; for pKey see the function."""
LAST = ""
GIVEN_PINS: Final = "_Digits"
"""End of the name of the C function that takes the PINs as parameters, because C has no optional ones."""


@dataclass(frozen=True)
class Function:
    """A row of the table: parameters in the order of C without pOutInfo, size of pOutInfo, longest pKey.

    ``pins`` are the PINs that may follow, all or none, instead of an entry at
    the PIN pad (driver-api.md §3.1).
    """

    name: str
    parameters: dict[str, type[int] | type[str]]
    pins: tuple[str, ...]
    size: int
    key: int
    description: str

    @property
    def numbers(self) -> int:
        """Number of integer parameters, which come first."""
        return sum(kind is int for kind in self.parameters.values())

    @property
    def texts(self) -> int:
        """Number of text parameters."""
        return len(self.parameters) - self.numbers

    @property
    def counts(self) -> tuple[int, ...]:
        """Possible numbers of parameters, without the PINs and with them."""
        return tuple(sorted({len(self.parameters), len(self.parameters) + len(self.pins)}))

    def exported(self, count: int) -> str:
        """The name of the C function that takes this number of parameters."""
        return self.name if count == len(self.parameters) else self.name + GIVEN_PINS

    @cached_property
    def next_step(self) -> str:
        """The next step of its group, empty if none."""
        following = re.sub(r"\d$", lambda step: str(int(step[0]) + 1), self.name)
        return following if following != self.name and following in FUNCTIONS else LAST

    @cached_property
    def has_next_step(self) -> bool:
        return self.next_step != LAST


FUNCTIONS: Final[dict[str, Function]] = {}
"""The table of LD/T 33; ``function`` and ``step`` add a row."""


def function(size: int) -> Callable[[Callable[Concatenate[D, P], Flow[str]]], Callable[Concatenate[D, P], Result]]:
    """Add a function, or the first step of a group: the operation returns pOutInfo, at most ``size`` bytes."""

    def enter(operation: Callable[Concatenate[D, P], Flow[str]]) -> Callable[Concatenate[D, P], Result]:
        row = _enter(operation, size)

        @wraps(operation)
        def call(driver: D, /, *given: P.args, **named: P.kwargs) -> Result:
            return driver.begin(row, operation(driver, *given, **named))

        return _returning_result(call)

    return enter


def step(
    size: int, *, key: int
) -> Callable[[Callable[Concatenate[D, P], tuple[str, ...]]], Callable[Concatenate[D, P], Result]]:
    """Add a later step of a group; it returns the parameters with which the operation of step 1 resumes, pKey first.

    pKey has up to ``key`` characters.
    """

    def enter(declared: Callable[Concatenate[D, P], tuple[str, ...]]) -> Callable[Concatenate[D, P], Result]:
        row = _enter(declared, size, key)

        @wraps(declared)
        def call(driver: D, /, *given: P.args, **named: P.kwargs) -> Result:
            return driver.resume(row, *declared(driver, *given, **named))

        return _returning_result(call)

    return enter


def _returning_result(call: Callable[Concatenate[D, P], Result]) -> Callable[Concatenate[D, P], Result]:
    """The function, which help() shows with what it returns, and not with what the wrapped operation does."""
    call.__dict__["__signature__"] = inspect.signature(call).replace(return_annotation=Result)
    return call


def _enter(declared: Callable[..., Any], size: int, key: int = 0) -> Function:
    _, *given = inspect.signature(declared, eval_str=True).parameters.values()
    row = Function(
        declared.__name__,
        {each.name: each.annotation for each in given if each.default is each.empty},
        tuple(each.name for each in given if each.default is not each.empty),
        size,
        key,
        inspect.cleandoc(declared.__doc__ or ""),
    )
    FUNCTIONS[row.name] = row
    return row


class DriverCalls:
    """The driver of one terminal; one thread at a time may call it.

    ``psam`` is the PSAM in the terminal, or makes the one for the city of the
    card. ``addresses`` is the operator's key-address map, by default that of the
    built-in test keys. Between the steps of an HSM group the card stays
    powered; any error, ``close``, or any other function ends the group. After
    iVerifyPIN with a PIN it stays powered too. A PIN is returned only where the standard requires it: field 5 of
    iReloadPIN_HSM_Step2.
    """

    def __init__(
        self,
        readers: Readers,
        pinpad: PinPad,
        psam: Psam | PsamOfCity | None = None,
        addresses: KeyAddresses | None = None,
        options: DriverOptions | None = None,
    ) -> None:
        self._terminal = Terminal(readers, pinpad, psam, addresses, options)
        self._steps: Steps | None = None
        self._awaited = LAST
        self.reason: Sayable = ""
        """Why the last function could not use the card or PSAM, if no return code states it: its file was moved."""

    def close(self) -> None:
        """End an open group and power the card off."""
        steps, self._steps = self._steps, None
        self._awaited = LAST
        if steps is not None:
            steps.close()
        self._terminal.close()

    def begin(self, row: Function, operation: Flow[str]) -> Result:
        """A function that uses the PSAM, or the first step of a group."""
        self.close()
        if not row.has_next_step:
            return self._call(row, lambda: run(operation, self._terminal.send, self._terminal.answer))
        self._steps = Steps(self._terminal, operation)
        return self._call(row, self._steps.resume)

    def resume(self, row: Function, *parameters: str) -> Result:
        """A later step; −12 if the group does not wait for it."""
        steps = self._steps
        if steps is None or row.name != self._awaited:
            self.close()
            return self._call(row, _not_connected)
        return self._call(row, lambda: steps.resume(*parameters))

    def _call(self, row: Function, work: Callable[[], str]) -> Result:
        """One call; the device is closed afterwards, also on errors, unless the group waits for a further step."""
        self._awaited, self.reason = LAST, ""
        try:
            out = fit(work(), row.size - 1)
            if self._steps is not None and self._steps.waits:
                self._awaited = row.next_step
        except FAILURES as error:
            if isinstance(error, InputError | MissingPart):
                self.reason = error.said
            options = self._terminal.options
            return outcome(error, options.errors, row.name, reversed_tries=options.reversed_tries)
        else:
            return int(Code.OK), out
        finally:
            if self._awaited == LAST and not self._terminal.stays_powered:
                self.close()


def _not_connected() -> str:
    raise DriverError(Code.NOT_CONNECTED)
