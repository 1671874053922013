"""A recording as a scenario file: the recorded commands as steps, with proofs and MACs that the scenario computes.

The scenario has a made-up card, so holder's data and random numbers are not
checked, and made-up PINs of the recorded lengths. State and tries left are those
of a card of the personality after the same steps.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

from sscard.card import Personality
from sscard.conversation.explain import explain_command
from sscard.conversation.redaction import DATA, LC, MASK
from sscard.conversation.scripts import ANY, Power, Send, Statement, fill, fits, pin_numbers, plain_bytes, powered
from sscard.document import Document, Place
from sscard.i18n.language import say
from sscard.i18n.phrase import Phrase, Sayable
from sscard.issuer.issue import DEFAULT
from sscard.issuer.personalise import INITIAL_PIN
from sscard.issuer.personalities import preset, presets
from sscard.scenario.cards import CardData, bench_of
from sscard.scenario.context import Bench
from sscard.scenario.execution import perform, view_at
from sscard.scenario.step import Step, View, show_state
from sscard.scenario.verbs import VERBS
from sscard.standard.certificates import BANK, CERTIFICATE_DFS
from sscard.standard.choices import CHOICES
from sscard.standard.cipher import SUITES_BY_NAME
from sscard.standard.generations import NEWEST, OLDEST, build_layout
from sscard.standard.suite import ALGORITHM, ISSUER_DATA
from sscard.standard.tree import SSSE_NAME, DfSpec
from sscard.terminal.renewal import DONE, EXTERNAL, FETCHED, LOCAL, WRONG, grouped, is_computed, joined, sets_pin

POWER: Final = {"on": "power_on", "off": "power_off", "reset": "reset"}
BY_NAME, BY_EF, BY_FID = "00A40400", "00A40200", "00A40000"
READ_TAG = re.compile("00B2([0-9A-F]{2})00")
VERIFY, CHANGE, CHALLENGE = "00200000", "805E0100", "00840000"
SELECTED: Final[dict[str, tuple[tuple[DfSpec, ...], Any]]] = {
    "certificate_application": (CERTIFICATE_DFS, "stub"),
    "bank_application": ((BANK,), True),
}
"""The DFs that exist on a card with this choice only."""
NEW_PIN: Final = "246810"
"""The PIN that a reset sets if nothing verifies it later."""


def suited_personality(statements: Sequence[Statement]) -> Personality:
    """The first preset with the algorithm and the specification version that a recording shows, else the default."""
    data = "".join(each.data or "" for each in statements if isinstance(each, Send))
    algorithm = re.search(f"{ISSUER_DATA.hex().upper()}03{ALGORITHM:02X}01([0-9A-F]{{2}})", data)
    version = re.search("03043([1-9])2E3030", data)  # item 03 of EF05, as 1.00
    oldest = not algorithm and f"840F{SSSE_NAME.hex().upper()}" in data  # its FCI names no algorithm
    if "certificate_application" in shown_choices(statements) or not (algorithm or version or oldest):
        return preset(DEFAULT)
    for found in map(preset, presets()):
        if algorithm and int(algorithm[1], 16) != SUITES_BY_NAME[found.algorithm].algorithm_id:
            continue
        if found.generation == f"{version[1]}.0" if version else (found.generation == OLDEST) == oldest:
            return found
    return preset(DEFAULT)


def shown_choices(statements: Iterable[Statement], generation: str = NEWEST) -> dict[str, Any]:
    """The choices without which no card of a generation selects the DFs that a recording shows."""
    sends = (each for each in statements if isinstance(each, Send) and each.command.startswith(BY_NAME))
    done = [plain_bytes(each) for each in sends if each.sws and each.sws[0].startswith((DONE, FETCHED))]
    known = build_layout(generation).dfs
    names = [sent[DATA : DATA + sent[LC]] for sent in done]
    names = [name for name in names if not any(df.aid.startswith(name) for df in known)]
    return {
        choice: value
        for choice, (dfs, value) in SELECTED.items()
        if generation in (CHOICES[choice].generations or generation)
        if any(df.aid.startswith(name) for df in dfs for name in names)
    }


def write_scenario(statements: Sequence[Statement], name: str, personality: Personality, named: str) -> str:
    """The scenario file; a command that cannot be a step is a comment with the reason.

    ``named`` is the preset or the path of the personality, as the file has it.
    """
    pins = _Pins(statements)
    words = [sw[:2] for each in statements if isinstance(each, Send) for sw in each.sws]
    card: dict[str, Any] = {"personality": named, "pin": pins.initial}
    if pins.tries is not None and pins.tries <= personality.pin_tries:
        card["tries_left"] = pins.tries
    if not {"61", "6C"}.intersection(words):
        card["interface"] = "contactless"
    choices = shown_choices(statements, personality.generation)
    personality = replace(personality, **choices)
    if choices:
        card["choices"] = {choice: "yes" if value is True else value for choice, value in choices.items()}
    made = Document(card, {(): Place(1, 1)}, name).as_model(CardData)
    proves = say(Phrase("The card answers the recorded commands as it was recorded."))
    lines = [f"name: {_text(name)}", f"proves: {_text(proves)}", f"card: {_text(card)}", "steps:"]
    with bench_of(made, personality, name) as bench:
        for group in grouped(powered(statements)):
            for content, note in _steps(group, bench, pins):
                lines += [f"  # {line}" for line in (say(note),) if line]
                if content:
                    lines += _written(content, bench)
    return "".join(f"{line}\n" for line in lines)


class _Pins:
    """Made-up PINs in place of the recorded ones, by number: ``initial`` of the card, ``new`` of each reset in turn."""

    def __init__(self, statements: Iterable[Statement]) -> None:
        sends = [each for each in statements if isinstance(each, Send)]
        self._lengths: dict[int, int] = {0: 0}
        self._measure(sends)
        first, self.tries = None, None
        self.new: list[str] = []
        for place, each in enumerate(sends):
            numbers = pin_numbers(each)
            done = DONE in each.sws
            if sets_pin(each):
                self.new.append(self._next_right(sends[place + 1 :]))
            elif each.command.startswith((VERIFY, CHANGE)):
                if first is None and done and numbers and not self.new:
                    first = numbers[0]
                left = re.fullmatch("63C([0-9A-F])", each.sws[0]) if each.sws else None
                if self.tries is None and first is None and left and not self.new:
                    self.tries = int(left[1], 16) + bool(numbers)
        self._first = first
        self.initial = INITIAL_PIN if first is None else self.value(first)

    def _measure(self, sends: list[Send]) -> None:
        """The lengths of the PINs in bytes: VERIFY states one, CHANGE PIN that of both."""
        for each in sends:
            if each.command.startswith(VERIFY) and pin_numbers(each):
                self._lengths.setdefault(pin_numbers(each)[0], plain_bytes(each)[DATA - 1])
        for each in sends:
            if each.command.startswith(CHANGE) and len(pin_numbers(each)) == 2:
                total, (old, new) = plain_bytes(each)[DATA - 1] - 1, pin_numbers(each)
                known = self._lengths.get(old, total - self._lengths[new] if new in self._lengths else total // 2)
                self._lengths.setdefault(old, known)
                self._lengths.setdefault(new, total - self._lengths[old])

    def _next_right(self, sends: list[Send]) -> str:
        """The PIN that is right next, before another reset."""
        for each in sends:
            if sets_pin(each):
                break
            if each.command.startswith((VERIFY, CHANGE)) and DONE in each.sws and pin_numbers(each):
                return self.value(pin_numbers(each)[0])
        return NEW_PIN

    def value(self, number: int) -> str:
        """The digits of a PIN."""
        return f"{number:02d}345678901234"[: 2 * self._lengths.get(number, 3)]

    def values(self) -> list[str]:
        """The digits of every PIN, in the order of their numbers."""
        return [self.value(number) for number in range(1, max(self._lengths) + 1)]


def _steps(group: list[Statement], bench: Bench, pins: _Pins) -> Iterator[tuple[dict[str, Any], Sayable]]:
    """The steps of a command, each with a comment; no content if it cannot be one."""
    whole = joined(group)
    if isinstance(whole, Power):
        yield {POWER[whole.action]: ""}, ""
        return
    verb = _by_verb(whole)
    if verb:
        yield verb | _expected(whole), _note(whole)
        return
    for each in group:
        assert isinstance(each, Send)
        note = _note(each)
        content: dict[str, Any] = {}
        why: Sayable = each.obstacle
        if is_computed(each):
            content = _computed_step(each, bench, pins)
            why = Phrase("not exported: a scenario has no verb for it")
        elif not each.obstacle and MASK not in each.command:
            content, why = {"apdu": fill(each, pins.values(), "").hex().upper()}, ""
        yield content and content | _expected(each), note if content else Phrase("{note}: {why}", note=note, why=why)


def _note(statement: Send) -> Sayable:
    """The command in words, with the length of a PIN."""
    sent = plain_bytes(statement)
    return statement.note or explain_command(sent + bytes(sent[DATA - 1] if pin_numbers(statement) else 0))


def _by_verb(whole: Send) -> dict[str, Any]:
    """A verb that fetches the whole answer, if the terminal of a scenario sends the same command."""
    header, data = whole.command[:8], whole.command[10:]
    if header == BY_NAME and data.startswith(SSSE_NAME.hex().upper()):
        return {"select": "SSSE"}
    if header == BY_EF and data.startswith("EF") and len(data) == 4:
        return {"select": data}
    if header == BY_FID and len(data) == 4 and not data.startswith("EF"):
        return {"select": data}
    tag = READ_TAG.fullmatch(header)
    if tag:
        return {"read_record": tag[1]}
    if header == CHALLENGE and len(whole.command) == 10:
        return {"get_challenge": int(whole.command[8:], 16)}
    return {}


def _expected(statement: Send) -> dict[str, Any]:
    """Status word, and of an FCI the name: other data belong to a holder, or are random."""
    found: dict[str, Any] = {"sw": statement.sws[0]} if statement.sws and statement.sws[0] != DONE else {}
    data = statement.data or ""
    if data.startswith("6F") and data[4:6] == "84" and ANY not in data[6:8]:
        found["data"] = f"6F ?? {bytes.fromhex(data[4 : 8 + 2 * int(data[6:8], 16)]).hex(' ').upper()} ..."
    return found


def _computed_step(statement: Send, bench: Bench, pins: _Pins) -> dict[str, Any]:
    """The verb of a command with a proof or MAC, over the challenge of the step before; empty if there is none."""
    sent = plain_bytes(statement)
    wrong = any(sw.startswith(WRONG) for sw in statement.sws)
    message: dict[str, Any] = {"challenge": "last"} | ({"mac": "wrong"} if wrong else {})
    layout = bench.chip.profile.layout
    if sent[1] == EXTERNAL and len(sent) == DATA + 16:
        df = next(df for df in layout.dfs if df.name == bench.chip.snapshot().current_df)
        index = layout.key(df.fid if sent[3] & LOCAL else layout.ssse.fid, sent[3])
        if index is None:
            return {}
        proof = {"proof": "wrong"} if wrong else {}
        return {"authenticate": {"key": layout.keys[index].name, "challenge": "last"} | proof}
    match statement.command[:8]:
        case "84240000" | "84240001":
            new = {"pin": pins.new.pop(0)} if sets_pin(statement) else {}
            return {"pin_change_unblock": {"p2": statement.command[6:8]} | new | message}
        case "84160000":
            return {"card_block": message}
        case "841E0001":
            return {"application_block": message}
    return {}


def _written(content: dict[str, Any], bench: Bench) -> list[str]:
    """The lines of a step, with the tries left and the state that it changes on the card."""
    verb = next(iter(content))
    before = view_at(bench)
    sw = content.get("sw", "")
    outcome = perform(_step(content | ({"sw": DONE} if ANY in sw else {}), verb), bench)
    after = view_at(bench)
    if ANY in sw:  # a step names the whole status word
        known = outcome.sw is not None and fits(sw, outcome.sw.to_bytes(2, "big"))
        content = content | {"sw": f"{outcome.sw:04X}" if known else sw.replace(ANY, "0")}
    content = content | _changes(content, verb, before, after)
    lines = [f"{field}: {_text(value) if value != '' else ''}".rstrip() for field, value in content.items()]
    return [f"  - {lines[0]}", *(f"    {line}" for line in lines[1:])]


def _step(content: dict[str, Any], verb: str) -> Step:
    return Document(content, {(): Place(1, 1)}, "").as_model(VERBS[verb])


def _changes(content: dict[str, Any], verb: str, before: View, after: View) -> dict[str, Any]:
    found: dict[str, Any] = {"tries": after.tries} if after.tries != before.tries else {}
    keys = {
        key: " ".join(map(str, tries))
        for key, tries in after.card.key_tries.items()
        if tries != before.card.key_tries.get(key)
    }
    if keys:
        found["key_tries"] = keys
    if after.state != _step(content, verb).expected_state(before.state, after.tries):
        found["state"] = show_state(after.state)
    return found


def _text(value: object) -> str:
    """A value in the part of YAML that is JSON."""
    return json.dumps(value, ensure_ascii=False)
