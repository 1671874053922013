"""Write docs/reference/pin-states.md and pin-states.zh.md, and their pictures, from the scenarios that walk the PIN.

python tools/pin_states.py           writes what differs
python tools/pin_states.py --check   exits 1 if a page or a picture differs

The scenarios with the tag ``pin-states`` run on their own cards. Each step that sends a PIN command or
switches the power is a transition: state before, command, status word, state after.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Final, NamedTuple

from commands_page import write
from sscard.i18n.language import CHINESE, ENGLISH, say, speaking
from sscard.i18n.phrase import Sayable, Words
from sscard.scenario import Scenario, builtin_scenarios
from sscard.scenario.cards import bench_of
from sscard.scenario.execution import perform, view_at
from sscard.scenario.reader import insertion
from sscard.scenario.step import Step
from sscard.scenario.steps.card import ChangePin, Verify, VerifyPin
from sscard.scenario.steps.file import Select
from sscard.scenario.steps.power import PowerOff, Reset
from sscard.scenario.steps.secure import PinChangeUnblock
from sscard.standard.choices import CHOICES, Personality

TAG: Final = "pin-states"
DOCS: Final = Path(__file__).parents[1] / "docs"
PAGES: Final = {ENGLISH: DOCS / "reference" / "pin-states.md", CHINESE: DOCS / "reference" / "pin-states.zh.md"}
PICTURES: Final = {ENGLISH: DOCS / "images" / "pin-states.svg", CHINESE: DOCS / "images" / "pin-states.zh.svg"}
SIZES: Final = ("pin_tries", "key_tries", "unlock_limit")
"""Choices that set a limit and no behaviour of the states."""

UNSET, SET, VERIFIED, BLOCKED = "unset", "set", "verified", "blocked"
STATES: Final = {
    UNSET: Words("no PIN set", "未设密码"),
    SET: Words("PIN set", "已设密码"),
    VERIFIED: Words("verified", "已校验"),
    BLOCKED: Words("blocked", "锁定"),
}
"""The states of the picture; blocked goes before unset, unset before verified."""
EVENTS: Final = (
    QUERY := Words("VERIFY without data", "VERIFY不带数据"),
    VERIFY := Words("VERIFY", "VERIFY"),
    CHANGE := Words("CHANGE PIN", "CHANGE PIN"),
    FIRST := Words("CHANGE PIN, no old PIN", "CHANGE PIN不带原密码"),
    OFF := Words("CHANGE PIN, no new PIN", "CHANGE PIN不带新密码"),
    RESET := Words("PIN CHANGE/UNBLOCK P2=01", "PIN CHANGE/UNBLOCK P2=01"),
    EMPTY := Words("PIN CHANGE/UNBLOCK P2=01, no PIN", "PIN CHANGE/UNBLOCK P2=01不带密码"),
    UNBLOCK := Words("PIN CHANGE/UNBLOCK P2=00", "PIN CHANGE/UNBLOCK P2=00"),
    WARM := Words("warm reset", "热复位"),
    POWER := Words("power-off", "断电"),
    SELECT := Words("SELECT of another application", "SELECT其他应用"),
)
"""What may change the state, in the order of the page."""
SHORT: Final = {
    QUERY: Words("query", "查询"),
    FIRST: Words("CHANGE, no old", "CHANGE无原密码"),
    OFF: Words("CHANGE, no new", "CHANGE无新密码"),
    CHANGE: Words("CHANGE", "CHANGE"),
    RESET: Words("reset", "重置"),
    EMPTY: Words("reset to no PIN", "重置为空"),
    UNBLOCK: Words("unblock", "解锁"),
    SELECT: Words("SELECT", "SELECT"),
}
"""Names in the picture."""


class Transition(NamedTuple):
    """A transition: the words of the state before and after, the event, the status word (empty: power).

    ``choices`` are those that the card of the scenario has instead of the defaults.
    """

    before: tuple[str, ...]
    event: Words
    sw: str
    after: tuple[str, ...]
    choices: str


Walked = dict[Transition, Scenario]
"""The transitions, and the first scenario that walks each."""


def generated() -> dict[Path, str]:
    """Each page and each picture as it should be."""
    return pages(walk(scenario for scenario in builtin_scenarios() if TAG in scenario.tags))


def pages(found: Walked) -> dict[Path, str]:
    """The pages and pictures of these transitions."""
    made = {}
    for language, page in PAGES.items():
        with speaking(language):
            made[page] = markdown(found, PICTURES[language].name)
            made[PICTURES[language]] = picture(found)
    return made


def walk(scenarios: Iterable[Scenario]) -> Walked:
    """The transitions of these scenarios, in the order of the page; with choices if they are not those of any card."""
    found: Walked = {}
    for scenario in scenarios:
        for transition in _transitions(scenario):
            found.setdefault(transition, scenario)
    ever = {transition for transition in found if not transition.choices}
    needed = {
        transition: scenario
        for transition, scenario in found.items()
        if not transition.choices or transition._replace(choices="") not in ever
    }
    return dict(sorted(needed.items(), key=lambda each: _rank(each[0])))


def _transitions(scenario: Scenario) -> Iterator[Transition]:
    choices = _choices(scenario)
    with bench_of(scenario.card, scenario.personality, scenario.title) as bench:
        first = insertion(scenario)
        before = _words(view_at(bench).state)
        for step in (*([first] if first else ()), *scenario.steps):
            outcome = perform(step, bench)
            after = _words(view_at(bench).state)
            event = _event(step)
            if event:
                powered = event in (WARM, POWER)
                yield Transition(before, event, "" if powered else _written(outcome.sw), after, choices)
            before = after


def _event(step: Step) -> Words | None:
    match step:
        case Verify(verify=data):
            return VERIFY if data else QUERY
        case VerifyPin():
            return VERIFY
        case ChangePin(change_pin=pins):
            return FIRST if not pins.old else CHANGE if pins.new else OFF
        case PinChangeUnblock(pin_change_unblock=asked):
            if asked.p2 == b"\0":
                return UNBLOCK
            return RESET if asked.plain() else EMPTY
        case Reset():
            return WARM
        case PowerOff():
            return POWER
        case Select(select=name) if name != "SSSE":
            return SELECT
    return None


def _written(sw: int | None) -> str:
    """A status word; ``63Cx`` for any number of tries but none."""
    assert sw is not None
    return "63Cx" if sw >> 4 == 0x63C and sw & 0xF else f"{sw:04X}"


def _words(state: frozenset[str]) -> tuple[str, ...]:
    """The words of a state that say something of the PIN."""
    names = {"no-pin": UNSET, "verified": VERIFIED, "blocked": BLOCKED}
    return tuple(name for word, name in names.items() if word in state) or (SET,)


def _node(words: tuple[str, ...]) -> str:
    """The state of the picture."""
    return next(state for state in (BLOCKED, UNSET, VERIFIED, SET) if state in words)


def _choices(scenario: Scenario) -> str:
    """The choices of the scenario's card that are not the defaults and not limits, as in its file."""
    given = {name: text for name, text in scenario.card.choices.items() if name not in SIZES}
    return ", ".join(f"{name}: {text}" for name, text in given.items() if not _is_default(name, text))


def _is_default(name: str, text: str) -> bool:
    default = next(each.default for each in fields(Personality) if each.name == name)
    if isinstance(default, bool):
        return text == ("yes" if default else "no")
    return text == (f"{default:04X}" if CHOICES[name].digits else str(default))


def _rank(transition: Transition) -> tuple[object, ...]:
    before = (list(STATES).index(_node(transition.before)), len(transition.before), transition.before)
    return (*before, EVENTS.index(transition.event), transition.choices, transition.sw, transition.after)


# The page


def markdown(found: Walked, picture_name: str) -> str:
    """The page in the output language."""
    comma = say(Words(", ", "，"))
    lines = [
        f"# {say(TITLE)}",
        "",
        say(INTRODUCTION).format(count=len(found), scenarios=len({scenario.name for scenario in found.values()})),
        "",
        f"![{say(CAPTION)}](../images/{picture_name})",
        "",
        say(READING),
    ]
    for before, rows in groupby(found, key=lambda transition: transition.before):
        lines += ["", f"## {_name(before, comma)}", "", f"| {' | '.join(map(say, COLUMNS))} |", "|---|---|---|---|---|"]
        for row in rows:
            scenario = found[row]
            after = say(STAYS) if row.after == before else _name(row.after, comma)
            link = f"[{say(scenario.label)}](../../{scenario.source})"
            choices = f"`{row.choices}`" if row.choices else ""
            lines.append(f"| {say(row.event)} | {row.sw} | {after} | {choices} | {link} |")
    return "\n".join(lines) + "\n"


def _name(words: tuple[str, ...], comma: str) -> str:
    return comma.join(say(STATES[word]) for word in words)


TITLE: Final = Words("States of the PIN", "密码的状态")
INTRODUCTION: Final = Words(
    "Generated from the scenarios with the tag `pin-states`: `python tools/pin_states.py`. "
    "{count} transitions, walked by {scenarios} scenarios; run them with `sscard run -m pin-states`.",
    "由带有标签`pin-states`的用例生成：`python tools/pin_states.py`。"
    "共{count}个转换，由{scenarios}个用例走过；运行方式：`sscard run -m pin-states`。",
)
CAPTION: Final = Words(
    "The four states of the PIN and the commands that lead from one to another", "密码的四个状态及其间的转换命令"
)
READING: Final = Words(
    "The picture shows the card with the default choices; the answers that do not change a state are in its box. "
    "*Query* is VERIFY without data, *CHANGE* is CHANGE PIN, *reset* and *unblock* are PIN CHANGE/UNBLOCK with P2=01 "
    "and P2=00. A PIN that is verified and then blocked is shown as blocked, one that is verified and then switched "
    "off as not set. The tables list every transition, also those of cards with other choices. In `63Cx`, x is 1 or "
    "more.",
    "图中为取默认选择的卡片；状态框内是不改变该状态的应答。“查询”指不带数据的VERIFY，“CHANGE”指CHANGE PIN，"
    "“重置”与“解锁”指P2=01与P2=00的PIN CHANGE/UNBLOCK。密码校验后又锁定的，图中归入锁定；校验后又取消的，"
    "归入未设密码。表中列出每一个转换，包括取其他选择的卡片。`63Cx`中x不小于1。",
)
COLUMNS: Final = (
    Words("Command", "命令"),
    Words("Status word", "状态码"),
    Words("State after", "之后的状态"),
    Words("Choices of the card", "卡片的选择"),
    Words("Scenario", "用例"),
)
STAYS: Final = Words("the same", "不变")


# The picture


class Box(NamedTuple):
    """Centre of a state's box."""

    x: int
    y: int


WIDTH, HEIGHT = 1180, 940
BOX_WIDTH, BOX_HEIGHT = 250, 210
LINE: Final = 17
BOXES: Final = {
    UNSET: Box(150, 515),
    SET: Box(590, 265),
    VERIFIED: Box(1030, 515),
    BLOCKED: Box(590, 810),
}


class Edge(NamedTuple):
    """The path of an arrow, and where its first line of text begins: x, y, anchor."""

    path: str
    x: int
    y: int
    anchor: str


EDGES: Final = {
    (UNSET, SET): Edge("M180 410 L180 235 L465 235", 188, 211, "start"),
    (SET, UNSET): Edge("M465 290 L240 290 L240 410", 248, 308, "start"),
    (SET, VERIFIED): Edge("M715 235 L1000 235 L1000 410", 992, 228, "end"),
    (VERIFIED, SET): Edge("M940 410 L940 290 L715 290", 932, 308, "end"),
    (UNSET, BLOCKED): Edge("M120 620 L120 840 L465 840", 128, 858, "start"),
    (BLOCKED, UNSET): Edge("M465 785 L210 785 L210 620", 218, 740, "start"),
    (VERIFIED, BLOCKED): Edge("M1060 620 L1060 840 L715 840", 1052, 858, "end"),
    (BLOCKED, VERIFIED): Edge("M715 785 L970 785 L970 620", 962, 740, "end"),
    (SET, BLOCKED): Edge("M560 370 L560 705", 552, 440, "end"),
    (BLOCKED, SET): Edge("M620 705 L620 370", 628, 440, "start"),
    (UNSET, VERIFIED): Edge("M100 410 L100 45 L1080 45 L1080 410", 590, 37, "middle"),
    (VERIFIED, UNSET): Edge("M1040 410 L1040 95 L140 95 L140 410", 590, 113, "middle"),
}
STYLE: Final = """\
  <style>
    .page { fill: #ffffff }
    .box { fill: #eef2f7; stroke: #7a8aa0 }
    .name { fill: #14202e; font-weight: 600; font-size: 16px }
    .what { fill: #40505f }
    .flow { stroke: #b5541c; stroke-width: 1.6; fill: none }
    .flowtext { fill: #b5541c }
    @media (prefers-color-scheme: dark) {
      .page { fill: #0d1117 }
      .box { fill: #1b2430; stroke: #6b7c93 }
      .name { fill: #e6edf3 }
      .what { fill: #a8b4c2 }
      .flow { stroke: #f0935a }
      .flowtext { fill: #f0935a }
    }
  </style>
  <defs>
    <marker id="go" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">\
<path class="flow" d="M0 0 L8 4 L0 8"/></marker>
  </defs>"""


def picture(found: Walked) -> str:
    """The states as boxes and the transitions between them as arrows, in SVG."""
    drawn: dict[tuple[str, str], dict[Words, list[str]]] = {}
    for transition in found:
        if not transition.choices:
            ends = _node(transition.before), _node(transition.after)
            answers = drawn.setdefault(ends, {}).setdefault(transition.event, [])
            if transition.sw not in answers:
                answers.append(transition.sw)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="system-ui, sans-serif" '
        f'font-size="13" role="img" aria-label="{escape(say(CAPTION))}">',
        STYLE,
        f'  <rect class="page" width="{WIDTH}" height="{HEIGHT}" rx="8"/>',
    ]
    for ends, edge in EDGES.items():
        if ends in drawn:
            lines.append(f'  <path class="flow" marker-end="url(#go)" d="{edge.path}"/>')
            lines += _text("flowtext", edge.x, edge.y, edge.anchor, _labels(drawn[ends]))
    for state, box in BOXES.items():
        left, top = box.x - BOX_WIDTH // 2, box.y - BOX_HEIGHT // 2
        lines.append(f'  <rect class="box" x="{left}" y="{top}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="8"/>')
        lines += _text("name", box.x, top + 22, "middle", [say(STATES[state])])
        lines += _text("what", box.x, top + 42, "middle", _labels(drawn.get((state, state), {})))
    return "\n".join((*lines, "</svg>")) + "\n"


def _labels(answers: dict[Words, list[str]]) -> list[str]:
    """A line for each event with its status words."""
    return [f"{say(_short(event))} {' '.join(answers[event])}".strip() for event in EVENTS if event in answers]


def _short(event: Words) -> Sayable:
    return SHORT.get(event, event)


def _text(style: str, x: int, y: int, anchor: str, texts: list[str]) -> list[str]:
    return [
        f'  <text class="{style}" x="{x}" y="{y + number * LINE}" text-anchor="{anchor}">{escape(text)}</text>'
        for number, text in enumerate(texts)
    ]


if __name__ == "__main__":
    raise SystemExit(write(generated, (__doc__ or "").partition("\n\n")[0]))
