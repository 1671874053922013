"""A scenario in sentences: its card, and what each step does and expects."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sscard.i18n.phrase import ROW, Phrase, Sayable
from sscard.issuer import Place
from sscard.scenario.captures import REPORTED
from sscard.scenario.cards import INTERFACES
from sscard.scenario.expansion import placeholders
from sscard.scenario.pins import masked
from sscard.scenario.reader import Scenario, insertion
from sscard.scenario.state_words import state_name
from sscard.scenario.step import Step, show_stage, show_state, show_sw, show_tries
from sscard.standard.apdu import SW


def explained(scenario: Scenario) -> Iterator[Sayable]:
    """The sentences of a scenario, in the order of the file."""
    yield scenario.proves
    yield _card(scenario)
    if stated := list(_service(scenario)):
        yield Phrase("The service has {facts}.", facts=Phrase.joined(ROW, stated))
    if scenario.known_issue:
        yield Phrase("It is expected to fail: known issue {ticket}.", ticket=scenario.known_issue)
    if insertion(scenario):
        yield Phrase("First the card is inserted into the terminal.")
    for number, step in enumerate(scenario.steps, 1):
        place = scenario.shown_place(number)
        for use in scenario.parts[number - 1].used:
            place = Phrase("{problem} ({place})", problem=place, place=use)
        captured = _captured(scenario, number)
        expected = [
            Phrase("{name}: {value}", name=REPORTED.get(field, field), value=captured[field])
            if field in captured
            else said
            for field, said in expectations(step)
        ]
        title, expected_row = step.title(), Phrase.joined(ROW, expected)
        yield Phrase("{place}: {title}. Expected: {expected}.", place=place, title=title, expected=expected_row)
        if step.note:
            yield captured.get("note") or masked(step.note, scenario)
    yield Phrase("State that a step does not mention must stay unchanged.")


def _captured(scenario: Scenario, number: int) -> dict[str, str]:
    """The fields of a step whose values earlier steps capture, as they are written: the step has examples of them."""
    part, verb = scenario.parts[number - 1], scenario.steps[number - 1].verb
    if not part.late:
        return {}
    content = part.document.content
    inner = content[verb] if isinstance(content[verb], dict) else {}
    found = {field: (value, placeholders(value)) for field, value in {**inner, **content}.items()}
    return {
        field: masked(value, scenario) if isinstance(value, str) else " ".join(f"${{{name}}}" for name in sorted(names))
        for field, (value, names) in found.items()
        if names
    }


def _card(scenario: Scenario) -> Phrase:
    card = scenario.card
    tries = card.tries_left
    if tries is None and not card.image:  # an image has tries of its own
        tries = scenario.personality.pin_tries
    facts: list[Sayable] = []
    if not card.pin:
        facts.append(Phrase("no PIN"))
    elif tries is not None:
        facts.append(Phrase.plural("{count} try left", "{count} tries left", count=tries))
    facts += [Phrase("{name}: {value}", name=name, value=value) for name, value in card.choices.items()]
    facts += [Phrase("application {name} locked", name=name) for name in card.locked]
    facts += [Phrase("card locked")] if card.card_blocked else []
    facts += [Phrase("tries left of {key}", key=show_tries(key, tries)) for key, tries in card.key_tries.items()]
    stated = {
        "certificate_tries": " ".join(map(str, card.certificate_tries or ())),
        "files": ", ".join(card.files),
        **{f"account.{name}": str(getattr(card.account, name)) for name in sorted(card.account.model_fields_set)},
        "image": Path(card.image).name,
        "place": _place(scenario, "card", card.place),
        "issued": str(card.issued or ""),
    }
    facts += [Phrase("{name}: {value}", name=name, value=value) for name, value in stated.items() if value]
    return Phrase(
        "The card is a {personality} over the {interface} interface: {facts}.",
        personality=scenario.personality.name,
        interface=INTERFACES[card.interface],
        facts=Phrase.joined(ROW, facts),
    )


def _service(scenario: Scenario) -> Iterator[Phrase]:
    """What the scenario states of the service; of fields of a policy, place or item their names."""
    service = scenario.service
    stated = {
        "clock": f"{service.clock:%Y-%m-%d %H:%M}" if service.clock else "",
        "journal": "" if service.journal == "memory" else service.journal,
        "place": _place(scenario, "service", service.place),
        "policy": _fields(scenario, "service", "policy"),
        "item": _fields(scenario, "service", "item"),
        "holder_base": ", ".join(f"{cards.first} {cards.standing}" for cards in service.holder_base),
    }
    yield from (Phrase("{name}: {value}", name=name, value=value) for name, value in stated.items() if value)


def _place(scenario: Scenario, section: str, place: object) -> str:
    """The name of a place policy; the names of its fields if the scenario states them."""
    return place.name if isinstance(place, Place) and place.name else _fields(scenario, section, "place")


def _fields(scenario: Scenario, section: str, field: str) -> str:
    """A field of a section as the file states it; of a mapping the names, for a value may be a PIN."""
    written = scenario.sections[section].get(field, "")
    return ", ".join(written) if isinstance(written, dict) else str(written)


def expectations(step: Step) -> Iterator[tuple[str, Sayable]]:
    """What a step expects, by the name of the field, the status word first."""
    answers = step.answers()
    if step.sw != SW.OK or "code" not in answers:  # a driver answers with a return code
        yield "sw", show_sw(step.sw) if step.sw != SW.OK else Phrase("success")
    for name, value in answers.items():
        yield name, Phrase("{name}: {value}", name=REPORTED.get(name, name), value=value)
    if step.data is not None:
        yield "data", Phrase("data {data}", data=step.data)
    counted = step.sw == SW.TRIES_LEFT + (step.tries or 0) and not step.key_tries and step.certificate_tries is None
    if step.tries is not None and not counted and answers.get("tries_left") != str(step.tries):
        yield "tries", Phrase.plural("{count} try left", "{count} tries left", count=step.tries)
    for key, tries in step.key_tries.items():
        yield "key_tries", Phrase("tries left of {key}", key=show_tries(key, tries))
    if step.certificate_tries is not None:
        yield "certificate_tries", Phrase("tries left of {key}", key=show_tries("", step.certificate_tries))
    if step.state is not None:
        yield "state", Phrase("state {state}", state=state_name(show_state(step.state)))
    if step.stage is not None and "stage" in step.model_fields_set:
        yield "stage", Phrase("stage of the case: {stage}", stage=show_stage(step.stage))
    if step.within is not None:
        yield "within", Phrase("within {limit} ms", limit=f"{step.within * 1000:g}")
