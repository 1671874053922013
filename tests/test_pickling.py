"""What survives a process border: cards, orders, HSMs, results and every error of the package."""

from __future__ import annotations

import importlib
import inspect
import pickle
import pkgutil
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from copy import copy, deepcopy
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import click
import pytest

import kit
import sscard
from kit import citizens, pool
from sscard.benchmark.flows import NotCompleted
from sscard.campaign.checked_card import Broken
from sscard.card import Personality
from sscard.chip.memory import Moment, PowerLost
from sscard.cli.usage import BadValue, Unusable
from sscard.driver.errors import DriverError
from sscard.errors import InputError, InvalidValue, MissingPart, PhrasedError, TransportError
from sscard.fields import FieldError
from sscard.hsm import HsmUnavailable, SoftHsm
from sscard.hsm.http import HttpHsm
from sscard.hsm.protocol import UnusableAnswer
from sscard.i18n.language import speaking
from sscard.i18n.phrase import Phrase
from sscard.issuer import Card, builtin_keys, issue_card, load_keys, personalise, preset
from sscard.issuer.cardfile import load_card, open_card, save_card
from sscard.issuer.image import write_image
from sscard.issuer.psam import issue_psam
from sscard.proof.fuzz import Wrong
from sscard.proof.pinlife import Difference
from sscard.scenario import run_scenarios
from sscard.scenario.step import Outcome
from sscard.scenario.steps.memory import SweepFailed
from sscard.service import PinService
from sscard.service.case import KeyTaken, Stage, WrongStage
from sscard.service.journal.memory import CaseArchived, Overtaken
from sscard.standard.cipher import SUITES
from sscard.standard.encoding import InvalidPin
from sscard.standard.suite import UnknownAlgorithmId
from sscard.standard.tree import PIN, PIN_TRIES
from sscard.terminal import AuthenticationFailed, CardSession, UnknownAlgorithm, WrongPin
from sscard.terminal.errors import ApduError
from sscard.terminal.psam import PsamError
from sscard.testing.plugin import ScenarioFailed, StepFailed
from sscard.transport.connection import ShortAnswer
from sscard.transport.pcscd import DaemonFailed

LIMIT = 4096
"""Bytes of a pickled card."""
SAID = Phrase("not a card image")


def again(made: Any) -> Any:
    return pickle.loads(pickle.dumps(made))  # noqa: S301 - made here


# Errors


def errors_of_the_package() -> Iterator[type[Exception]]:
    """Every class of errors that a module of sscard defines, by name."""
    found: dict[str, type[Exception]] = {}
    for module in pkgutil.walk_packages(sscard.__path__, "sscard."):
        if not module.name.endswith("__main__"):
            for each in vars(importlib.import_module(module.name)).values():
                if inspect.isclass(each) and issubclass(each, Exception) and each.__module__.startswith("sscard"):
                    found[f"{each.__module__}.{each.__qualname__}"] = each
    return (found[name] for name in sorted(found))


def failed_step(kind: Any) -> Exception:
    """That of a scenario which expects the wrong status word."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "scenario.yaml"
        path.write_text("name: a\nproves: b\nsteps:\n  - verify_pin: '999999'\n    sw: 9000\n", encoding="utf-8")
        [result] = run_scenarios(path)
    error: Exception = kind(result)
    return error


MADE: dict[type[Exception], Callable[[Any], Exception]] = {
    Exception: lambda kind: kind("reader 1"),
    PhrasedError: lambda kind: kind(SAID),
    TransportError: lambda kind: kind(SAID),
    ShortAnswer: lambda kind: kind(1),
    DaemonFailed: lambda kind: kind(Phrase("pcscd exited on start\n{log}", log="")),
    InputError: lambda kind: kind(SAID, file="card.db", line=3, column=7, remedy=Phrase("keep one of them")),
    FieldError: lambda kind: kind(("card", "pin"), SAID, Phrase("keep one of them")),
    InvalidValue: lambda kind: kind(SAID, Phrase("keep one of them")),
    MissingPart: lambda kind: kind(Phrase("pcscd is not installed"), "sudo apt-get install pcscd"),
    HsmUnavailable: lambda kind: kind(Phrase("the token's PIN is not given"), "SSCARD_TOKEN_PIN=PIN"),
    UnusableAnswer: lambda kind: kind(Phrase("{url} does not answer", url="http://a"), "sscard hsm serve", b"\1\2"),
    UnknownAlgorithm: lambda kind: kind(9),
    UnknownAlgorithmId: lambda kind: kind(9),
    InvalidPin: lambda kind: kind(Phrase("a PIN has decimal digits only")),
    ApduError: lambda kind: kind(Phrase("verify PIN"), 0x6A82, b"\x01"),
    WrongPin: lambda kind: kind(Phrase("verify PIN"), 0x63C4),
    AuthenticationFailed: lambda kind: kind(Phrase("verify PIN"), 0x63C2),
    PsamError: lambda kind: kind(-2201, Phrase("no PSAM in the terminal")),
    DriverError: lambda kind: kind(-25536, "PUK"),
    WrongStage: lambda kind: kind("7", Stage.ACCEPTED, Phrase("it has no reason")),
    NotCompleted: lambda kind: kind("Refusal", Phrase("verify PIN")),
    Overtaken: lambda kind: kind("7"),
    KeyTaken: lambda kind: kind("K9"),
    CaseArchived: lambda kind: kind("7"),
    Wrong: lambda kind: kind(SAID),
    Difference: lambda kind: kind("one answer", SAID),
    Broken: lambda kind: kind("as-the-oracle", SAID),
    Unusable: lambda kind: kind("no such command", "sscard --help", click.Context(click.Command("apdu"))),
    BadValue: lambda kind: kind("no number", "write 1", click.Option(["--count"])),
    ScenarioFailed: failed_step,
    SweepFailed: lambda kind: kind(SAID, Outcome(failure=SAID)),
}
"""How to make an error of a class: that of the class itself, or of the class whose constructor it inherits."""


def made(kind: type[Exception]) -> Exception:
    """An error of a class; fails for a new class with its own constructor that ``MADE`` does not know."""
    for base in kind.__mro__:
        if base in MADE:
            return MADE[base](kind)
        own = "__init__" in vars(base) and base.__module__.startswith("sscard")
        assert not own, f"{base} takes its own arguments: add it to MADE"
    raise AssertionError(kind)


def shown(error: Exception) -> tuple[str, str]:
    texts = []
    for language in ("en", "zh"):
        with speaking(language):
            texts.append(str(error))
    return texts[0], texts[1]


ERRORS = list(errors_of_the_package())


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: f"{kind.__module__}.{kind.__qualname__}")
def test_every_error_of_the_package_survives(kind: type[Exception]) -> None:
    error = made(kind)
    error.add_note("at window 3")
    back = again(error)
    assert type(back) is kind
    assert back.args == error.args
    assert shown(back) == shown(error)
    in_process = ("ctx", "cmd", "param")
    kept = {name: None if name in in_process else value for name, value in vars(error).items()}
    assert vars(back) == kept
    assert back.__notes__ == ["at window 3"]


def test_the_errors_that_a_caller_distinguishes_are_among_them() -> None:
    assert {PowerLost, InvalidPin, WrongPin, TransportError, StepFailed, UnknownAlgorithmId} <= set(ERRORS)


class AtWindow(WrongPin):
    """A user's error, made of something else than what it passes on."""

    def __init__(self, window: str) -> None:
        super().__init__(Phrase("verify PIN"), 0x63C1)
        self.window = window


class CableCut(PowerLost):
    """The same of an error of the chip."""

    def __init__(self, window: str) -> None:
        super().__init__("no power", 7)
        self.window = window


@pytest.mark.parametrize("kind", [AtWindow, CableCut])
def test_a_users_error_survives_with_any_constructor(kind: type[Exception]) -> None:
    error = kind("3")
    back = again(error)
    assert (type(back), back.args, shown(back), vars(back)) == (kind, error.args, shown(error), vars(error))


# Cards


def state(card: Card) -> tuple[Any, ...]:
    memory, log = card.memory, card.memory.log
    return (
        card.profile.personality,
        card.profile.historical,
        card.profile.all_keys(),
        (memory.numbers, memory.strings, log and (log.complete, log.numbers, log.strings)),
    )


def torn_card(personality: Personality) -> Card:
    """A card whose power was cut between the log and the cells of a change of PIN."""
    card = kit.card_of(personality)
    chip = kit.fresh_chip(card)
    card.memory.cut_power(4, Moment.BEFORE)
    with pytest.raises(PowerLost):
        chip.transmit(kit.change(kit.PIN, "654321"))
    assert card.memory.log is not None
    return card


def used_card(personality: Personality) -> Card:
    card = kit.card_of(personality)
    session = CardSession.start(card.chip(Random(1)), SoftHsm())
    session.reset_pin("654321")
    with pytest.raises(WrongPin):
        session.verify_pin("111111")
    return card


@pytest.mark.parametrize("make", [kit.card_of, torn_card, used_card])
def test_a_card_comes_back_in_its_state_with_the_layout_of_its_product(
    personality: Personality, make: Callable[[Personality], Card]
) -> None:
    card = make(personality)
    back = again(card)
    assert state(back) == state(card)
    assert back.profile.layout is card.profile.layout
    assert write_image(back) == write_image(card)
    assert state(again(back)) == state(card)


@pytest.mark.parametrize("name", ["v1-des", "v2-3des", "v3-sm4"])
def test_a_pickled_card_is_small(name: str) -> None:
    widest = replace(preset(name), ssse_fid=0xDDF1, dir_sfi=0x1E)
    assert len(pickle.dumps(used_card(preset(name)))) < LIMIT
    assert len(pickle.dumps(kit.card_of(widest, pin="1234567890123456"))) < LIMIT


def test_loaded_cards_share_blank_files_and_numbers(personality: Personality) -> None:
    one, other = again([kit.card_of(personality), kit.card_of(personality, serial=2)])
    photo = one.profile.layout.files[-1].cell
    assert one.memory.numbers is other.memory.numbers
    assert one.memory.strings[photo] is other.memory.strings[photo]
    assert one.profile.personality is other.profile.personality
    kit.fresh_chip(one).transmit(kit.verify("999999"))
    assert (one.memory.numbers[PIN_TRIES], other.memory.numbers[PIN_TRIES]) == (5, 6)


def test_a_pickled_card_holds_its_keys_and_no_root_key(personality: Personality) -> None:
    card = used_card(personality)
    pickled = pickle.dumps(card)
    puk = card.profile.layout.key_named("PUK")
    assert card.profile.key(puk) in pickled
    root = builtin_keys().root(card.profile.suite, "PUK", 0)
    assert root is not None
    assert root not in pickled


def test_keys_that_are_kept_for_use_do_not_change_the_pickle(personality: Personality) -> None:
    card = kit.card_of(personality)
    before = pickle.dumps(card)
    card.profile.key(card.profile.layout.key_named("PUK"))
    assert pickle.dumps(card) == before


def test_a_card_of_an_open_file_is_pickled_without_its_store(personality: Personality, tmp_path: Path) -> None:
    path = tmp_path / "card.db"
    save_card(kit.card_of(personality), path)
    with open_card(path) as held:
        held.power_on()
        back = again(held.card)
        kit.fresh_chip(back).transmit(kit.verify("999999"))
    assert back.memory.numbers[PIN_TRIES] == 5
    assert load_card(path).memory.numbers[PIN_TRIES] == 6


def test_a_copy_is_a_card_of_its_own(personality: Personality) -> None:
    card = kit.card_of(personality)
    twin = copy(card)
    kit.fresh_chip(twin).transmit(kit.verify("999999"))
    assert (card.memory.numbers[PIN_TRIES], twin.memory.numbers[PIN_TRIES]) == (6, 5)


def test_orders_personalities_and_snapshots_come_back_equal(personality: Personality) -> None:
    order = kit.order_of(personality)
    assert again(order) == order
    assert again(replace(personality, pin_tries=3)) == replace(personality, pin_tries=3)
    assert again(personality) is again(personality)
    assert again(used_card(personality).snapshot()) == used_card(personality).snapshot()
    back = personalise(again(order), builtin_keys())
    assert state(back) == state(personalise(order, builtin_keys()))


def test_a_psam_comes_back_and_its_suites_are_the_same() -> None:
    card = issue_psam(builtin_keys(), level="province")
    back = again(card)
    assert back.snapshot() == card.snapshot()
    assert all(
        one.suite is other.suite
        for one, other in zip(back.profile.environments, card.profile.environments, strict=True)
    )
    assert all(again(suite) is suite for suite in SUITES.values())


# HSMs


def test_the_soft_hsm_with_the_built_in_keys_is_pickled_by_reference() -> None:
    assert again(SoftHsm())._hierarchy is builtin_keys()
    assert len(pickle.dumps(SoftHsm())) < 256


def test_the_soft_hsm_of_a_key_file_comes_back_with_its_roots(personality: Personality, tmp_path: Path) -> None:
    path = tmp_path / "keys.yaml"
    path.write_bytes((Path(sscard.__path__[0]) / "issuer" / "test-keys.yaml").read_bytes())
    keys = load_keys(path)
    back = again(SoftHsm(keys))
    CardSession.start(personalise(kit.order_of(personality), keys).chip(), back).reset_pin("654321")


def test_the_http_hsm_comes_back_with_its_token() -> None:
    back = again(HttpHsm("http://127.0.0.1:8440/hsm", "secret", timeout=3))
    assert repr(back) == "<HttpHsm http://127.0.0.1:8440/hsm>"
    assert (back._token, back._timeout) == ("secret", 3)


# Results


def test_results_of_scenarios_come_back_equal() -> None:
    results = run_scenarios(select="verify", personality="v3-sm4")
    assert results
    assert again(results) == results


def test_a_case_and_the_recording_of_its_card_come_back_equal() -> None:
    citizen = citizens.make_citizen()
    [case] = citizens.run_cases(PinService(citizens.Ticking()), citizen, 1)
    back = again(case)
    assert (back.number, back.stage, back.events) == (case.number, case.stage, case.events)
    assert back.events
    assert again(citizen.wire.events) == citizen.wire.events
    assert again(citizen.session.read_basic()) == citizen.session.read_basic()


# A pool


@pytest.mark.slow
def test_a_pool_of_processes_goes_on_after_a_wrong_pin(personality: Personality) -> None:
    card, order, hsm = kit.card_of(personality), kit.order_of(personality), SoftHsm()
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as processes:
        with pytest.raises(WrongPin, match="5 tries left") as wrong:
            processes.submit(pool.verify_pin, card, hsm, "999999").result()
        assert wrong.value.tries_left == 5
        for error in (PowerLost("cut"), InputError(SAID, file="card.db", line=3), UnknownAlgorithmId(9)):
            with pytest.raises(type(error)) as raised:
                processes.submit(pool.fail, error).result()
            assert str(raised.value) == str(error)
            assert "at window 3" in raised.value.__notes__
        back = processes.submit(pool.verify_pin, card, hsm, kit.PIN).result()
        assert back.profile.layout is card.profile.layout
        reset = processes.submit(pool.reset_pin, order, builtin_keys(), hsm, "654321").result()
    CardSession.start(reset.chip(), hsm).verify_pin("654321")


@pytest.mark.parametrize("again_", [again, copy, deepcopy], ids=["pickle", "copy", "deepcopy"])
@pytest.mark.parametrize(("point", "moment"), [(0, Moment.AFTER), (1, Moment.BEFORE)])
def test_a_card_with_a_log_that_is_copied_leaves_new_cards_whole(
    again_: Callable[[Card], Card], point: int, moment: Moment
) -> None:
    card = issue_card(seed=1)
    card.memory.cut_power(point, moment)
    with suppress(PowerLost):
        CardSession.start(card.chip(), SoftHsm()).verify_pin("000000")
    assert card.memory.log is not None
    copied = again_(card)
    CardSession.start(copied.chip(), SoftHsm())
    assert copied.snapshot().pin_tries == 5
    assert issue_card(seed=2).snapshot().pin_tries == 6


def test_a_copy_of_a_memory_is_one_of_its_own() -> None:
    card = issue_card(seed=1)
    memory = copy(card.memory)
    memory.put_number(PIN_TRIES, 0)
    memory.put_string(PIN, b"")
    assert card.snapshot().pin_tries == issue_card(seed=2).snapshot().pin_tries == 6
    assert card.snapshot().pin_set


def test_a_chip_is_not_pickled_and_says_what_to_pickle() -> None:
    with pytest.raises(TypeError, match="pickle the card"):
        pickle.dumps(issue_card(seed=1).chip())
