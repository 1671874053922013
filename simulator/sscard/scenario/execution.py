"""Executes a step, and shows the state before and after it."""

from __future__ import annotations

from collections.abc import Callable

from sscard.chip.engine import PowerError
from sscard.chip.memory import PowerLost
from sscard.hsm import HsmError
from sscard.i18n.phrase import Phrase
from sscard.scenario.context import Bench, NotPossible
from sscard.scenario.service_faults import ProcessKilled
from sscard.scenario.step import Outcome, Step, View, view_of
from sscard.terminal.errors import ApduError
from sscard.transport import CardMute, CardRemoved, TransportError
from sscard.transport.connection import ShortAnswer


def answered(run: Callable[[Bench], Outcome], bench: Bench) -> Outcome:
    """The outcome of ``run``, also if the card refuses it or does not answer, or the service's process is killed."""
    try:
        return run(bench)
    except ApduError as error:
        return Outcome(error.sw, error.data)
    except (PowerLost, CardRemoved, CardMute, ShortAnswer):
        return Outcome(None)
    except ProcessKilled:
        bench.restart_service()
        return Outcome(None)


def perform(step: Step, bench: Bench) -> Outcome:
    """The outcome of a step, also if it could not be executed."""
    try:
        return answered(step.run, bench)
    except PowerError:
        return Outcome(failure=Phrase("the card has no power: add a step `power_on:` before this one"))
    except NotPossible as error:
        return Outcome(failure=error.said)
    except (TransportError, HsmError) as error:
        return Outcome(failure=error.said, inconclusive=True)


def view_at(bench: Bench) -> View:
    """The state that steps are checked against."""
    return view_of(bench.look(), bench.case.stage if bench.case else None)
