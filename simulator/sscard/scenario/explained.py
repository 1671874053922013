"""A scenario in sentences: its card, and what each step does and expects."""

from __future__ import annotations

from collections.abc import Iterator

from sscard.i18n.phrase import ROW, Phrase, Sayable
from sscard.scenario.captures import REPORTED
from sscard.scenario.cards import INTERFACES
from sscard.scenario.pins import masked
from sscard.scenario.reader import Scenario, insertion
from sscard.scenario.state_words import state_name
from sscard.scenario.step import Step, show_stage, show_state, show_sw, show_tries
from sscard.standard.apdu import SW


def explained(scenario: Scenario) -> Iterator[Sayable]:
    """The sentences of a scenario, in the order of the file."""
    yield scenario.proves
    yield _card(scenario)
    if scenario.known_issue:
        yield Phrase("It is expected to fail: known issue {ticket}.", ticket=scenario.known_issue)
    if insertion(scenario):
        yield Phrase("First the card is inserted into the terminal.")
    for number, step in enumerate(scenario.steps, 1):
        place = scenario.shown_place(number)
        for use in scenario.parts[number - 1].used:
            place = Phrase("{problem} ({place})", problem=place, place=Phrase("used at {place}", place=use))
        yield Phrase(
            "{place}: {title}. Expected: {expected}.",
            place=place,
            title=step.title(),
            expected=Phrase.joined(ROW, list(expectations(step))),
        )
        if step.note:
            yield masked(step.note, scenario)
    yield Phrase("State that a step does not mention must stay unchanged.")


def _card(scenario: Scenario) -> Phrase:
    card = scenario.card
    tries = scenario.personality.pin_tries if card.tries_left is None else card.tries_left
    facts: list[Sayable] = [
        Phrase("no PIN") if not card.pin else Phrase.plural("{count} try left", "{count} tries left", count=tries)
    ]
    facts += [Phrase("{name}: {value}", name=name, value=value) for name, value in card.choices.items()]
    facts += [Phrase("application {name} locked", name=name) for name in card.locked]
    facts += [Phrase("card locked")] if card.card_blocked else []
    return Phrase(
        "The card is a {personality} over the {interface} interface: {facts}.",
        personality=scenario.personality.name,
        interface=INTERFACES[card.interface],
        facts=Phrase.joined(ROW, facts),
    )


def expectations(step: Step) -> Iterator[Sayable]:
    """What a step expects, the status word first."""
    answers = step.answers()
    if step.sw != SW.OK or "code" not in answers:  # a driver answers with a return code
        yield show_sw(step.sw) if step.sw != SW.OK else Phrase("success")
    for name, value in answers.items():
        yield Phrase("{name}: {value}", name=REPORTED.get(name, name), value=value)
    if step.data is not None:
        yield Phrase("data {data}", data=step.data)
    counted = step.sw == SW.TRIES_LEFT + (step.tries or 0) and not step.key_tries and step.certificate_tries is None
    if step.tries is not None and not counted and answers.get("tries_left") != str(step.tries):
        yield Phrase.plural("{count} try left", "{count} tries left", count=step.tries)
    for key, tries in step.key_tries.items():
        yield Phrase("tries left of {key}", key=show_tries(key, tries))
    if step.certificate_tries is not None:
        yield Phrase("tries left of {key}", key=show_tries("", step.certificate_tries))
    if step.state is not None:
        yield Phrase("state {state}", state=state_name(show_state(step.state)))
    if step.stage is not None and "stage" in step.model_fields_set:
        yield Phrase("stage of the case: {stage}", stage=show_stage(step.stage))
    if step.within is not None:
        yield Phrase("within {limit} ms", limit=f"{step.within * 1000:g}")
