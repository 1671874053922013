"""Sends the commands of a failed scenario to its card once more, as they were recorded, and compares the answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from sscard.card.commands import CardCommand
from sscard.card.commands.pin import CHANGE_PIN, PIN_CHANGE_UNBLOCK, VERIFY
from sscard.chip.engine import SW_LENGTH
from sscard.conversation import Exchange
from sscard.conversation.explain import explain_command, find_declaration
from sscard.conversation.redaction import blank, secret_places
from sscard.errors import HsmError, TransportError
from sscard.i18n.phrase import Phrase, Sayable
from sscard.scenario.pins import pins_of
from sscard.scenario.reader import Scenario
from sscard.scenario.repetition import Repetition, not_repeated
from sscard.scenario.runner import ScenarioResult
from sscard.scenario.step import show_sw
from sscard.scenario.steps.secure import PinChangeUnblock
from sscard.scenario.testbed.followed import (
    ASK_TRIES,
    DONE,
    FEWEST,
    INS,
    MORE_DATA,
    Followed,
    NotPermitted,
)
from sscard.scenario.testbed.recomputed import Known, NotRenewable, Renewal
from sscard.scenario.testbed.wire import Event, Wire
from sscard.standard.apdu import GET_RESPONSE_INS, command, tries_stated
from sscard.standard.certificates import INITIAL_PINS
from sscard.standard.encoding import encode_pin
from sscard.standard.tree import SSSE_NAME

LONGEST: Final = 64
"""Bytes of an answer that are shown."""
PIN_INS: Final = tuple(bytes((each.ins,)) for each in (VERIFY, CHANGE_PIN, PIN_CHANGE_UNBLOCK))


def known_to(scenario: Scenario, wire: Wire) -> Known:
    """The PINs and cipher texts that the commands of a scenario may carry."""
    pins = {*wire.pins, *map(encode_pin, (*pins_of(scenario), *INITIAL_PINS.values())), b""}
    asked = [step.pin_change_unblock for step in scenario.steps if isinstance(step, PinChangeUnblock)]
    pins.update(plain for each in asked if (plain := each.plain()) is not None)
    return Known(pins, [each.enciphered for each in asked if each.enciphered])


def fewest_tries(events: Iterable[Event]) -> int:
    """The fewest tries that a card said it had left; ``FEWEST`` if it said no fewer."""
    left = [_tries_in(event.answer) for event in events if event.answer]
    return min((tries for tries in left if tries is not None), default=FEWEST)


def proofs_are_right(rehearsed: ScenarioResult | None, number: int) -> bool:
    """Whether a step, by its number, has only right proofs and MACs: sscard's own chip has taken them."""
    steps = rehearsed.steps if rehearsed else ()
    events = [event for step in steps if step.number == number for event in step.events if isinstance(event, Exchange)]
    taken = (DONE.hex(), f"{MORE_DATA:02X}")
    return all(
        event.sw.startswith(taken)
        for event in events
        if (declared := find_declaration(event.sent)) and declared.bound_to_random
    )


def tries_of(followed: Followed) -> int | None:
    """The tries of the PIN that a card without power says it has left, ``None`` if it does not say."""
    followed.power_on()
    followed.transmit(command(0x00, 0xA4, 0x04, 0x00, SSSE_NAME))
    left = _tries_in(followed.transmit(ASK_TRIES))
    followed.power_off()
    return left


def tries_at_start(events: Iterable[Event]) -> int | None:
    """The tries of the PIN that a card said it had left before a command that can change them."""
    for event in events:
        if event.sent == ASK_TRIES:
            return _tries_in(event.answer or b"")
        if event.sent[INS : INS + 1] in PIN_INS:
            return None
    return None


def _tries_in(answer: bytes) -> int | None:
    """The tries left that an answer states."""
    return tries_stated(int.from_bytes(answer[-SW_LENGTH:], "big"))


class Repeater:
    """Sends recorded commands to a card that is in the start state of its scenario.

    ``statuses_only`` is set if the card is another sample than the recorded one: then data are not compared.
    """

    def __init__(self, followed: Followed, renewal: Renewal, *, statuses_only: bool) -> None:
        self._followed = followed
        self._renewal = renewal
        self._statuses_only = statuses_only
        self._pending: tuple[CardCommand, bytes] | None = None
        self._powers = {"on": followed.power_on, "off": followed.power_off, "reset": followed.reset}

    def repeat(self, events: Sequence[Event], right_from: int) -> Repetition:
        """Send what the card got, until an answer differs.

        From the event with this number (from 0) the scenario has right proofs: a wrong one is the terminal's, and
        is replaced by the right one.
        """
        done = unlike = 0
        name: Sayable = ""
        randoms: list[bytes] = []
        for place, event in enumerate(events):
            try:
                if event.action != "send":
                    self._powers[event.action]()
                    self._pending = None
                    continue
                noted = len(self._followed.differences)
                declared, sent = self._command(event, is_right=place >= right_from)
                answer, failure = self._answer(sent)
            except (NotRenewable, NotPermitted, HsmError, TransportError) as error:
                return not_repeated(error.said, done)
            done += 1
            if not unlike and len(self._followed.differences) > noted:
                unlike, name = done, _named(event.sent)
            if self._compared(declared, event.answer) != self._compared(declared, answer):
                texts = _shown(event.answer, answer, failure)
                return Repetition("different", done, "", _named(event.sent), *texts, unlike)
            if declared and declared.random_answer and answer and len(answer) > SW_LENGTH:
                randoms.append(answer[:-SW_LENGTH][declared.random_answer])
            self._follow(declared, sent, event.answer, answer)
        return Repetition("same", done, name=name, unlike=unlike, random_twice=len(randoms) > len({*randoms}))

    def _command(self, event: Event, *, is_right: bool) -> tuple[CardCommand | None, bytes]:
        """The declaration of what a command asks for, and its bytes for this card."""
        if event.sent[INS : INS + 1] == bytes((GET_RESPONSE_INS,)):
            return self._pending[0] if self._pending else None, event.sent
        declared = self._followed.declared(event.sent)
        if declared is None or not declared.bound_to_random:
            return declared, event.sent
        layout, current = self._followed.chip.profile.layout, self._followed.chip.snapshot().current_df
        df = next((df for df in layout.dfs if df.name == current), None)
        return declared, self._renewal.command(declared, event.sent, df, is_right=is_right)

    def _answer(self, sent: bytes) -> tuple[bytes | None, Sayable]:
        """The answer of the card, or why there is none."""
        try:
            return self._followed.transmit(sent), ""
        except NotPermitted:
            raise
        except TransportError as error:
            return None, Phrase("no answer: {error}", error=error.said)

    def _compared(self, declared: CardCommand | None, answer: bytes | None) -> bytes | None:
        """An answer without its random bytes, and if only those are compared, its status word."""
        if answer is None or len(answer) < SW_LENGTH or self._statuses_only:
            return answer and answer[-SW_LENGTH:]
        data = bytearray(answer[:-SW_LENGTH])
        if declared is not None and declared.random_answer is not None:
            data[declared.random_answer] = bytes(len(data[declared.random_answer]))
        return bytes(data) + answer[-SW_LENGTH:]

    def _follow(self, declared: CardCommand | None, sent: bytes, recorded: bytes | None, answer: bytes | None) -> None:
        """Keep a random number that the card gave, also if its answer has to be fetched."""
        asked = self._pending[1] if self._pending and sent[INS] == GET_RESPONSE_INS else sent
        self._pending = None
        if declared is None or not recorded or not answer:
            return
        self._pending = (declared, asked) if answer[-SW_LENGTH] == MORE_DATA else None
        if recorded.endswith(DONE) and answer.endswith(DONE):
            self._renewal.follow(declared, asked, recorded[:-SW_LENGTH], answer[:-SW_LENGTH])


def _named(sent: bytes) -> Sayable:
    """What a command does, in words, without secrets."""
    return explain_command(blank(sent, secret_places(sent)))


def _shown(recorded: bytes | None, answer: bytes | None, failure: Sayable) -> tuple[Sayable, Sayable]:
    """The recorded answer and that of now: the status words, or the data if only they differ."""
    alike = recorded is not None and answer is not None and recorded[-SW_LENGTH:] == answer[-SW_LENGTH:]
    return _text(recorded, data=alike), failure or _text(answer, data=alike)


def _text(answer: bytes | None, *, data: bool) -> Sayable:
    if answer is None or len(answer) < SW_LENGTH:
        return Phrase("no answer")
    if data:
        return answer[:LONGEST].hex(" ").upper() + (" …" if len(answer) > LONGEST else "")
    return show_sw(int.from_bytes(answer[-SW_LENGTH:], "big"))
