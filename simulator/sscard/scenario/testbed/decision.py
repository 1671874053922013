"""Whether a scenario runs on a card under test, on which state of it, and why not: fixed reasons, without the card."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from random import Random
from typing import Any, Final

from sscard.card import Personality
from sscard.chip.memory import Memory
from sscard.i18n.phrase import Phrase, Sayable
from sscard.issuer import make_order, personalise
from sscard.issuer.personalise import EF_ISSUER
from sscard.scenario.cards import CARD_AGE, first_moment, pin_of
from sscard.scenario.coverage.facts import MEMORY, POWER_CUT
from sscard.scenario.issuing import Issuer
from sscard.scenario.needs import injected
from sscard.scenario.prior_state import prior_cells
from sscard.scenario.reader import Scenario
from sscard.scenario.runner import ScenarioResult, run_scenario
from sscard.scenario.testbed.arrange import obstacle
from sscard.scenario.testbed.doubled_hsm import DoubledHsm
from sscard.scenario.testbed.file import Testbed
from sscard.scenario.testbed.followed import FEWEST, copy_of
from sscard.scenario.testbed.raw_scenarios import is_raw, only_reads
from sscard.scenario.testbed.rehearsal import Effects, rehearse
from sscard.scenario.testbed.removals import Removal, replaces
from sscard.scenario.testbed.survey import Surveyed, holder_for
from sscard.standard.choices import CHOICES
from sscard.standard.encoding import encode_pin, records
from sscard.standard.generations import EF_HOLDER
from sscard.standard.tree import MF, PIN, PIN_TRIES, SSSE_BELOW_MF, Layout


class Reason(Enum):
    """Why a scenario is not applicable to a card under test."""

    POWER_CUT = Phrase("power cut at a write point")
    FORGETS = Phrase(
        "power cut at a write point: the program of the card does not show that it keeps its state when it is ended"
    )
    WORN = Phrase("worn memory")
    MEMORY_ONLY = Phrase("a state that only the memory can arrange")
    INTERFACE = Phrase("other interface")
    GENERATION = Phrase("other generation")
    PRODUCT = Phrase("other card product: its choices differ from the claim")
    KEYS = Phrase("missing keys")
    NO_CLAIM = Phrase("the card claims nothing: only scenarios of raw commands that begin with power_on: run")
    NOT_PERMITTED = Phrase("not permitted: {permission}")
    UNKNOWN = Phrase("choice {choice} is not known")


WRITE, BLOCK, DESTROY, FRESH = "may_write", "may_block", "may_destroy", "fresh"
"""The permissions, as a testbed file names them."""
FEW: Final = 4
"""Values of a choice that are all tried."""
DATES: Final = (0x05, 0x06)
"""Items of EF05: the days of issue and of expiry."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be done with a scenario.

    ``reason`` is set if it is not applicable, ``unclear`` if sscard's own card
    does not pass it either. ``permission`` is the first permission that it needs
    and the testbed does not give, ``choice`` the first choice that its outcome
    depends on and that nobody knows. ``state`` is the state of the card it starts
    with, on a new card if ``fresh``; ``destroys`` states that no command restores
    the card after it. ``rehearsed`` is its result on sscard's own chip.
    """

    reason: Reason | None = None
    unclear: Sayable = ""
    permission: str = ""
    choice: str = ""
    state: Memory | None = None
    fresh: bool = False
    effects: Effects | None = None
    rehearsed: ScenarioResult | None = None

    @property
    def runs(self) -> bool:
        return self.state is not None and not self.reason and not self.unclear

    @property
    def destroys(self) -> bool:
        return bool(self.effects and self.effects.destroys)

    @property
    def said(self) -> Sayable:
        """Why it does not run."""
        if self.reason is None:
            return self.unclear
        said: Phrase = self.reason.value
        if self.choice:
            return said.filled(choice=self.choice)
        return said.filled(permission=self.permission) if self.permission else said


def fixed_reason(scenario: Scenario, testbed: Testbed) -> Reason | None:
    """The reason that holds for every card of the claim; the scenario is the one on the claim."""
    faults = {*injected(step for step in scenario.steps if type(step) is not Removal)}
    if POWER_CUT in faults:
        return Reason.POWER_CUT
    if MEMORY in faults:
        return Reason.WORN
    if scenario.card.image:
        return Reason.MEMORY_ONLY
    if scenario.card.interface != testbed.card.interface:
        return Reason.INTERFACE
    if replace(scenario.personality, name="") != replace(testbed.claim, name=""):
        return Reason.PRODUCT
    return None


def unknown_choice(scenario: Scenario, seed: int, unknown: Iterable[str]) -> str:
    """The first of these choices that the outcome of a scenario depends on, empty if there is none.

    The scenario is run on sscard's own cards with other values of the choices.
    """
    own = scenario.personality
    values = {name: others for name in sorted(unknown) if (others := other_values(own, name))}

    def differs(changes: Mapping[str, Any]) -> bool:
        return not run_scenario(replace(scenario, personality=replace(own, **changes)), seed).passed

    turns = max(map(len, values.values()), default=0)
    if not any(differs({name: each[turn % len(each)] for name, each in values.items()}) for turn in range(turns)):
        return ""
    single = (name for name, each in values.items() if any(differs({name: value}) for value in each))
    return next(single, next(iter(values)))


def other_values(personality: Personality, name: str) -> list[int | str]:
    """Values of a choice that a personality could have instead: of a number its neighbours, the first and the last."""
    choice, own = CHOICES[name], getattr(personality, name)
    if choice.generations and personality.generation not in choice.generations:
        return []
    allowed = [value for value in choice.allowed or (MF, SSSE_BELOW_MF) if value not in choice.refused]
    if len(allowed) > FEW and own in allowed:
        place = allowed.index(own)
        allowed = [*allowed[max(place - 1, 0) : place + 2], allowed[0], allowed[-1]]
    return [value for value in dict.fromkeys(allowed) if value != own]


def start_states(scenario: Scenario, seed: int, surveyed: Surveyed, now: Memory, issuer: Issuer) -> Iterator[Memory]:
    """The states that a scenario can start with on a card: as stated, then with the dates of a new card too."""
    wanted, profile = scenario.card, surveyed.card.profile
    layout = profile.layout
    state = copy_of(now)
    state.numbers[PIN_TRIES] = profile.personality.pin_tries
    for cell in layout.key_tries():
        if state.numbers[cell]:  # nothing restores an exhausted key
            state.numbers[cell] = profile.personality.key_tries
    state.strings[PIN] = encode_pin(pin_of(wanted, surveyed.holder))
    issued = wanted.issued or (first_moment(scenario.service, seed) - CARD_AGE).date()
    city = surveyed.reference.city_code
    order = make_order(profile.personality, Random(0), holder_for(wanted, surveyed), city, issued)
    made = personalise(order, issuer.keys).memory.strings
    if wanted.holder:
        cell = _cell(layout, EF_HOLDER)
        state.strings[cell] = made[cell]
    cell = _cell(layout, EF_ISSUER)
    old = [*records(state.strings[cell])]
    dated = b"".join(new if new[0] in DATES else held for held, new in zip(old, records(made[cell]), strict=False))
    for content in (state.strings[cell], dated) if wanted.issued is None else (dated,):
        each = copy_of(state)
        each.strings[cell] = content
        each.commit(*prior_cells(wanted, profile.personality, layout, each.strings))
        yield each


def _cell(layout: Layout, sfi: int) -> int:
    file = layout.file(layout.ssse.fid, sfi)
    assert file is not None
    return file.cell


def decide(
    scenario: Scenario, seed: int, testbed: Testbed, surveyed: Surveyed, now: Memory, issuer: Issuer
) -> Decision:
    """What to do with a scenario on the claim; ``surveyed`` has the state of a new card, ``now`` is the present one."""
    if testbed.claimed is None:
        return _decide_raw(scenario, testbed, now)
    reason = fixed_reason(scenario, testbed)
    if reason:
        return Decision(reason)
    wanted, city = scenario.card, surveyed.reference.city_code
    if "city_code" in wanted.model_fields_set and wanted.city_code != city:
        return Decision(Reason.MEMORY_ONLY)  # its keys depend on it
    found = _first_fit(scenario, seed, testbed, surveyed, now, issuer)
    if found.runs and (choice := unknown_choice(scenario, seed, testbed.unknown)):
        return Decision(Reason.UNKNOWN, choice=choice)
    if found.runs and not found.destroys:
        return _permitted(found, testbed)
    pristine = surveyed.card.memory
    if not found.runs and (now.numbers, now.strings) != (pristine.numbers, pristine.strings):
        found = _first_fit(scenario, seed, testbed, surveyed, pristine, issuer)
    found = replace(found, fresh=found.runs)
    return _permitted(found, testbed)


def _decide_raw(scenario: Scenario, testbed: Testbed, now: Memory) -> Decision:
    """The same on a card without a claim, of which nobody can predict what a command does that is no reading one."""
    if not is_raw(scenario):
        return Decision(Reason.NO_CLAIM)
    if only_reads(scenario):
        return Decision(state=now)
    effects = Effects(0, writes=True, destroys=True)
    return _permitted(Decision(state=now, fresh=bool(testbed.card.fresh), effects=effects), testbed)


def _first_fit(
    scenario: Scenario, seed: int, testbed: Testbed, surveyed: Surveyed, now: Memory, issuer: Issuer
) -> Decision:
    """The first state that commands can arrange and with which sscard's own chip passes."""
    problem: Sayable = ""
    for state in start_states(scenario, seed, surveyed, now, issuer):
        done = rehearse(scenario, seed, surveyed, state, now, issuer, contact=testbed.contact)
        if problem := done.problem:
            continue
        if done.effects.keys and not testbed.has_keys:
            return Decision(Reason.KEYS)
        if obstacle(surveyed.card.profile, now, state, has_keys=testbed.has_keys):
            return Decision(Reason.MEMORY_ONLY if testbed.has_keys else Reason.KEYS)
        return Decision(state=state, effects=done.effects, rehearsed=done.result)
    if isinstance(issuer.hsm, DoubledHsm):  # with the keys, PSAMs and other cards have them too
        found = _first_fit(scenario, seed, testbed, surveyed, now, Issuer(issuer.keys, issuer.hsm.own))
        return Decision(Reason.KEYS) if found.runs else found
    if run_scenario(scenario, seed).verdict == "passed":  # a known issue says nothing about the start state
        return Decision(Reason.POWER_CUT if replaces(scenario) else Reason.MEMORY_ONLY)
    return Decision(unclear=OWN_FAILS.filled(problem=problem))


OWN_FAILS: Final = Phrase("sscard's own card of this claim does not pass it: {problem}")


def _permitted(found: Decision, testbed: Testbed) -> Decision:
    """The same, or that the testbed does not permit it."""
    effects, card = found.effects, testbed.card
    if not found.runs or effects is None:
        return found
    needed = {
        WRITE: effects.writes and not card.may_write,
        BLOCK: effects.lowest < FEWEST and not card.may_block,
        DESTROY: effects.destroys and not card.may_destroy,
        FRESH: found.fresh and not card.fresh,
    }
    missing = next((name for name, lacks in needed.items() if lacks), "")
    return replace(found, reason=Reason.NOT_PERMITTED, permission=missing) if missing else found
