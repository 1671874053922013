"""What `sscard probe` says of a card: never a wrong value, no change without permission, contradictions of a claim."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from kit.programs import CommandLine
from kit.testbeds import ForeignCard
from sscard.card import Chip, Personality
from sscard.errors import InputError
from sscard.hsm import SoftHsm
from sscard.issuer import Card, builtin_keys, load_keys, order_card, personalise, preset, presets
from sscard.issuer.hierarchy import TEST_KEYS
from sscard.issuer.personalities import written_fields
from sscard.scenario.testbed.observation import PROBES, Observed, observe
from sscard.scenario.testbed.probed_card import Permissions, PinNotRestored
from sscard.scenario.testbed.survey import UnusableCard
from sscard.standard.choices import CHOICES
from sscard.standard.encoding import encode_pin
from sscard.standard.tree import CARD_BLOCKED, PIN, PIN_TRIES
from sscard.transport.contactless import in_reader

PIN_OF_CARD = "123456"
NOTHING = Permissions()
WRITES = Permissions(may_write=True, may_block=True)
ALL = Permissions(may_write=True, may_block=True, may_destroy=True, new=True)
KNOWN_WITHOUT_PERMISSION = 32
"""The fewest choices, of 52, that a preset shows without a permission; with all of them:"""
KNOWN_WITH_ALL = 46
SHARE = 0.65
"""Of the choices of random products with random permissions, those that must be known."""


def product(random: Random) -> Personality:
    """A preset with about every third choice changed."""
    base = preset(random.choice(presets()))
    changes: dict[str, Any] = {}
    for name, choice in CHOICES.items():
        fitting = base.generation in (choice.generations or (base.generation,))
        if name not in ("generation", "algorithm") and fitting and random.random() < 0.35:
            allowed = choice.allowed or (0x3F00, 0xDDF1)
            changes[name] = random.choice([value for value in allowed if value not in choice.refused])
    return replace(base, **changes)


def made(personality: Personality, **order: Any) -> Card:
    return personalise(
        replace(order_card(personality=personality, seed=7, city="410402"), personality=personality, **order),
        builtin_keys(),
    )


class Watched:
    """A chip as a connection, with the fewest tries that each PIN and key had after a command."""

    def __init__(self, chip: Chip) -> None:
        self.chip = chip
        self.fewest = [*self._tries()]

    def _tries(self) -> Iterator[int]:
        return (self.chip.memory.numbers[cell] for cell in self.chip.profile.layout.all_tries())

    def power_on(self) -> bytes:
        return self.chip.power_on()

    def power_off(self) -> None:
        self.chip.power_off()

    def reset(self) -> bytes:
        return self.chip.reset()

    def transmit(self, command: bytes) -> bytes:
        answer = self.chip.transmit(command)
        self.fewest = [*map(min, self.fewest, self._tries())]
        return answer


def probed(card: Card, may: Permissions = NOTHING, claim: Personality | None = None, **given: Any) -> Observed:
    contact = given.pop("contact", True)
    connection = in_reader(card.chip(Random(3), contact=contact), contact=contact)
    return observe(connection, PIN_OF_CARD, SoftHsm(), may, claim, contact=contact, **given)


def wrong(observed: Observed, true: Personality) -> list[tuple[str, object, str]]:
    """The choices with another value than the true one, or with none of the values."""
    return [
        (each.name, each.value, each.evidence)
        for each in observed.findings
        if not each.reason and each.value != getattr(true, each.name)
    ]


def known(observed: Observed) -> int:
    return sum(each.known for each in observed.findings)


def test_each_choice_has_one_probe() -> None:
    asked = [name for _, names in PROBES for name in names]
    assert sorted(asked) == sorted(CHOICES)


@pytest.mark.parametrize("name", presets())
def test_what_is_not_known_of_a_preset_has_a_reason(name: str) -> None:
    for may, least in ((NOTHING, KNOWN_WITHOUT_PERMISSION), (ALL, KNOWN_WITH_ALL)):
        observed = probed(made(preset(name)), may)
        assert [each.name for each in observed.findings] == [*CHOICES]
        assert all(bool(each.known) != bool(each.reason) for each in observed.findings)
        assert all(each.evidence for each in observed.findings if each.known)
        assert known(observed) >= least
        assert not wrong(observed, preset(name))


def checked(seed: int, count: int) -> None:
    """Probe random products with random permissions: no value is wrong, a stated share is known."""
    random = Random(seed)
    seen = 0
    for _ in range(count):
        true = product(random)
        may = random.choice((NOTHING, Permissions(may_write=True), WRITES, ALL))
        claim = random.choice((None, true))
        observed = probed(made(true), may, claim, contact=random.random() < 0.8)
        assert not wrong(observed, true), true
        seen += known(observed)
    assert seen >= SHARE * count * len(CHOICES)


def test_no_observed_value_is_wrong() -> None:
    checked(1, 60)


@pytest.mark.nightly
def test_no_observed_value_is_wrong_in_a_large_sample() -> None:
    checked(2, 2000)


def cautious(seed: int, count: int) -> None:
    """Probe random products without permission, or with ``may_write`` alone."""
    random = Random(seed)
    for _ in range(count):
        card = made(product(random))
        layout = card.profile.layout
        first = [card.memory.numbers[cell] for cell in layout.all_tries()]
        before = list(card.memory.numbers), list(card.memory.strings)
        watched = Watched(card.chip(Random(3)))
        may = Permissions(may_write=random.random() < 0.5)
        observe(watched, PIN_OF_CARD, SoftHsm(), may)
        assert all(least >= min(2, start) for start, least in zip(first, watched.fewest, strict=True))
        assert [card.memory.numbers[cell] for cell in layout.all_tries()] == first
        if not may.may_write:
            assert (list(card.memory.numbers), list(card.memory.strings)) == before


def test_without_permission_nothing_changes_and_two_tries_stay() -> None:
    cautious(3, 40)


@pytest.mark.nightly
def test_without_permission_nothing_changes_in_a_large_sample() -> None:
    cautious(4, 1000)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("pin_tries", 8),
        ("select_child", "siblings"),
        ("challenge_lasts", "success"),
        ("unknown_ins", 0x6A81),
        ("dir_sfi", 12),
        ("verified_query_ok", True),
        ("change_pin_status", "set"),
        ("default_key_version", "newest"),
        ("select_keeps", "all"),
        ("an_padding", 0x30),
        ("failed_authentication_clears", False),
        ("ssse_fid", 0xDDF1),
        ("bank_application", True),
    ],
)
def test_a_claim_that_is_wrong_in_a_choice_is_contradicted_in_this_choice(name: str, value: Any) -> None:
    true = replace(preset("v3-sm4"), **{name: value})
    observed = probed(made(true), claim=preset("v3-sm4"))
    (found,) = observed.contradicted
    assert (found.name, found.value, found.claimed) == (name, value, getattr(preset("v3-sm4"), name))
    assert getattr(observed.personality, name) == value


@pytest.mark.parametrize("sw", ["6F00", "6300"])
def test_an_answer_that_no_value_gives_contradicts_every_claim(sw: str) -> None:
    class Other(Watched):
        def transmit(self, command: bytes) -> bytes:
            return bytes.fromhex(sw) if command[1] == 0x1C else super().transmit(command)

    observed = observe(Other(made(preset("v3-sm4")).chip(Random(3))), PIN_OF_CARD, SoftHsm(), NOTHING, preset("v3-sm4"))
    (found,) = observed.contradicted
    assert (found.name, found.value, found.evidence) == ("unknown_ins", None, f"001C000000 → {sw}")


def test_a_purchase_that_is_answered_without_data_leaves_its_choice_unknown() -> None:
    class Short(Watched):
        def transmit(self, command: bytes) -> bytes:
            return bytes.fromhex("9000") if command.startswith(b"\xb0\x28") else super().transmit(command)

    observed = observe(Short(made(preset("v3-sm4")).chip(Random(3))), PIN_OF_CARD, SoftHsm(), WRITES)
    assert reasons(observed)["transaction_type_ascii"].startswith("the answer to INITIALIZE FOR PURCHASE is too short")


def reasons(observed: Observed) -> dict[str, str]:
    return {each.name: str(getattr(each.reason, "text", each.reason)) for each in observed.findings if each.reason}


def test_without_keys_no_proof_is_sent_and_the_pin_still_shows_its_choices() -> None:
    card = made(preset("v3-sm4"))
    observed = observe(card.chip(Random(3)), PIN_OF_CARD, None, ALL)
    assert not wrong(observed, preset("v3-sm4"))
    assert {"no_challenge", "an_padding", "unlock_limit"} <= {
        name for name, why in reasons(observed).items() if why == "needs the keys of the card"
    }
    assert observed.personality.pin_tries == 6


def test_keys_of_another_issuer_cost_no_try(tmp_path: Path) -> None:
    other = tmp_path / "keys.yaml"
    text = Path(TEST_KEYS).read_text(encoding="utf-8")
    other.write_text(re.sub('"[0-9A-F]{16,32}"', lambda root: root[0][::-1], text), encoding="utf-8")
    card = made(preset("v3-sm4"))
    watched = Watched(card.chip(Random(3)))
    first = list(watched.fewest)
    observed = observe(watched, None, SoftHsm(load_keys(other)), ALL)
    assert reasons(observed)["no_challenge"].startswith("needs the keys of the card: its internal authentication")
    assert watched.fewest == first


def test_a_card_without_a_pin_keeps_what_needs_one_unknown() -> None:
    card = made(preset("v3-sm4"), pin="")
    observed = probed(card, ALL)
    assert reasons(observed)["pin_tries"] == "the card has no PIN"
    assert not wrong(observed, preset("v3-sm4"))
    assert not card.memory.strings[PIN]


def test_a_wrong_pin_costs_one_try_and_ends_the_probe() -> None:
    card = made(preset("v3-sm4"), pin="739184")
    with pytest.raises(InputError, match="the card does not accept its PIN: 5 tries left"):
        probed(card)
    assert card.memory.numbers[PIN_TRIES] == 5


def test_a_pin_with_two_tries_left_is_not_verified_without_permission() -> None:
    card = made(preset("v3-sm4"), pin="739184")
    card.memory.put_number(PIN_TRIES, 2)
    assert reasons(probed(card))["pin_tries"].startswith("tries of the PIN left")
    assert card.memory.numbers[PIN_TRIES] == 2


def test_a_blocked_pin_shows_how_it_answers() -> None:
    true = replace(preset("v3-sm4"), blocked_query=0x6983)
    card = made(true)
    card.memory.put_number(PIN_TRIES, 0)
    observed = probed(card)
    assert observed.personality.blocked_query == 0x6983
    assert not wrong(observed, true)


def test_a_locked_card_is_an_error() -> None:
    card = made(preset("v3-sm4"))
    card.memory.put_number(CARD_BLOCKED, 1)
    with pytest.raises(UnusableCard, match="the card cannot be used"):
        probed(card)


def test_a_limit_of_unlocks_ends_at_a_claim_that_does_not_exclude_it() -> None:
    true = replace(preset("v3-sm4"), unlock_limit=3)
    for may, claim in ((WRITES, None), (WRITES, true)):
        card = made(true)
        observed = probed(card, may, claim)
        assert reasons(observed)["puk_once"] == "not permitted: {permission}"
        assert not card.memory.numbers[card.profile.layout.unlocks]
    assert probed(made(true), ALL).personality.unlock_limit == 3


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 8])
def test_a_card_that_permits_few_unlocks_shows_no_wrong_value(limit: int) -> None:
    true = replace(preset("v2-3des"), unlock_limit=limit)
    observed = probed(made(true), ALL)
    assert not wrong(observed, true)
    assert observed.personality.unlock_limit == limit


def test_a_card_that_keeps_another_pin_is_an_error_that_says_so() -> None:
    class Stubborn(Watched):
        def transmit(self, command: bytes) -> bytes:
            back = command.startswith(b"\x80\x5e") and command.endswith(b"\xff" + encode_pin(PIN_OF_CARD))
            other = self.chip.memory.strings[PIN] != encode_pin(PIN_OF_CARD)
            return bytes.fromhex("6985") if back and other else super().transmit(command)

    with pytest.raises(PinNotRestored, match="the PIN of the card could not be restored") as raised:
        observe(Stubborn(made(preset("v3-sm4")).chip(Random(3))), PIN_OF_CARD, SoftHsm(), ALL)
    assert PIN_OF_CARD not in str(raised.value)


# The command


@pytest.mark.parametrize("name", presets())
def test_the_file_of_a_probe_is_a_personality(sscard: CommandLine, tmp_path: Path, name: str) -> None:
    foreign = ForeignCard(tmp_path, name)
    file = tmp_path / "seen.yaml"
    code, out, err = sscard("probe", foreign.program, "--pin", PIN_OF_CARD, "--json", "-o", file)
    assert (code, err) == (0, "")
    found = json.loads(out)["choices"]
    true = preset(name)
    assert all(each["value"] == getattr(true, each["name"]) for each in found if not each["reason"])
    assert PIN_OF_CARD not in out
    assert sscard("personality", "check", file)[:2] == (0, f"{file}: {name}-observed is good\n")
    text = file.read_text(encoding="utf-8")
    for each in found:
        (line,) = (line for line in text.splitlines() if line.startswith(f"{each['name']}: "))
        assert (
            line.split("  #")[0]
            == f"{each['name']}: {written_fields({each['name']: getattr(true, each['name'])})[each['name']]}"
        )
        assert line.endswith(f"  # not observed: of {name}") == bool(each["reason"])


@pytest.mark.parametrize("seed", [1, 2, *(pytest.param(seed, marks=pytest.mark.nightly) for seed in range(3, 15))])
def test_a_product_in_another_process_is_observed_right(sscard: CommandLine, tmp_path: Path, seed: int) -> None:
    true = replace(product(Random(seed)), name="product")
    file = tmp_path / "product.yaml"
    lines = [f"{name}: {value}" for name, value in written_fields(asdict(true)).items()]
    file.write_text("\n".join(lines), encoding="utf-8")
    foreign = ForeignCard(tmp_path, str(file), contact=seed % 3 > 0)
    interface = "contact" if foreign.contact else "contactless"
    command = ("probe", foreign.program, "--pin", PIN_OF_CARD, "--interface", interface, "--json")
    for permissions in ((), ("--may-write", "--may-block"), ("--may-write", "--may-block", "--may-destroy")):
        code, out, _ = sscard(*command, "--personality", file, *permissions)
        found = [each for each in json.loads(out)["choices"] if not each["reason"]]
        assert [each["name"] for each in found if each["value"] != getattr(true, each["name"])] == []
        assert (code, len(found) > 20) == (0, True)


def test_a_contradiction_ends_with_1(sscard: CommandLine, tmp_path: Path) -> None:
    foreign = ForeignCard(tmp_path)
    claim = tmp_path / "claim.yaml"
    claim.write_text("based_on: v3-sm4\nname: claim\npin_tries: 9\n", encoding="utf-8")
    code, out, _ = sscard("probe", foreign.program, "--pin", PIN_OF_CARD, "--personality", claim)
    assert code == 1
    assert "contradicts the claim: pin_tries: the card has 6, claimed is 9" in out
    assert out.rstrip().endswith("observed, 1 contradicts the claim")
    assert sscard("probe", "--testbed", foreign.placed())[0] == 0
    assert sscard("probe", "--testbed", foreign.placed(personality="unknown"))[0] == 2


def test_a_probe_with_all_permissions_ends_with_a_locked_card(sscard: CommandLine, tmp_path: Path) -> None:
    foreign = ForeignCard(tmp_path)
    code, out, _ = sscard("probe", "--testbed", foreign.placed(), "--json")
    choices = {each["name"]: each for each in json.loads(out)["choices"]}
    assert (code, choices["unlock_limit"]["value"]) == (0, 0)
    assert choices["card_block_reaches_financial"]["value"] is False
    assert sscard("probe", foreign.program, "--pin", "none")[0] == 2


# A claim that leaves choices open

PIN_LIMIT = """\
name: limit
proves: b
steps:
  - verify_pin: 999999
    sw: 63C(max - 1)
    tries: max - 1
  - verify_pin: 123456
    tries: max
    state: verified
"""
KEY_LIMIT = """\
name: key limit
proves: b
steps:
  - authenticate: {key: PUK, computed_with: BK}
    sw: 63C(key_tries - 1)
    key_tries: {PUK: key_tries - 1}
"""


def test_what_is_unknown_is_observed_before_a_run(sscard: CommandLine, tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("based_on: v3-sm4\nname: own\npin_tries: 9\n", encoding="utf-8")
    scenario = tmp_path / "limit.yaml"
    scenario.write_text(PIN_LIMIT, encoding="utf-8")
    foreign = ForeignCard(tmp_path, str(own), claim="{based_on: v3-sm4, pin_tries: unknown}")
    code, out, _ = sscard("run", "--testbed", foreign.placed(may_destroy="no"), scenario, "--json")
    (result,) = json.loads(out)["results"]
    assert (code, result["verdict"], result["steps"][-2]["sw"]) == (0, "passed", "63C8")
    own.write_text("based_on: v3-sm4\nname: own\npin_tries: unknown\n", encoding="utf-8")
    foreign.claim = str(own)
    code, out, _ = sscard("run", "--testbed", foreign.placed(may_destroy="no"), scenario, "--json")
    (result,) = json.loads(out)["results"]
    assert (code, result["personality"], result["steps"][-2]["sw"]) == (0, "own", "63C8")
    foreign.claim = "unknown"
    assert sscard("run", "--testbed", foreign.placed(may_destroy="no"), scenario)[0] == 0


def test_a_scenario_that_depends_on_an_unknown_choice_is_not_applicable(sscard: CommandLine, tmp_path: Path) -> None:
    for name, text in (("limit.yaml", PIN_LIMIT), ("keys.yaml", KEY_LIMIT)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    foreign = ForeignCard(tmp_path, claim="{based_on: v3-sm4, key_tries: unknown}")
    testbed = foreign.placed(may_block="no", may_destroy="no")
    code, out, _ = sscard("run", "--testbed", testbed, tmp_path / "limit.yaml", tmp_path / "keys.yaml", "--json")
    verdicts = {each["name"]: (each["verdict"], each["reason"]) for each in json.loads(out)["results"]}
    assert verdicts == {
        "limit": ("passed", ""),
        "key limit": ("not applicable", "choice key_tries is not known"),
    }
    code, out, _ = sscard("testbed", "check", testbed, tmp_path / "keys.yaml")
    assert (code, "choice key_tries is not known: 1" in out) == (0, True)


def test_a_plan_needs_a_personality(sscard: CommandLine, tmp_path: Path) -> None:
    foreign = ForeignCard(tmp_path, claim="unknown")
    code, _, err = sscard("testbed", "check", foreign.placed())
    assert code == 2
    assert "sscard probe --testbed" in err


@pytest.mark.parametrize(
    ("claim", "problem"),
    [
        ("{based_on: v3-sm4, pin_trys: unknown}", "unknown field 'pin_trys'"),
        ("{based_on: v3-sm5, pin_tries: unknown}", "no personality 'v3-sm5'"),
        ("{based_on: v3-sm4, pin_tries: 16}", "pin_tries"),
        ("[unknown]", "personality"),
        ("unkown", "no personality 'unkown'"),
        ("{generation: 3.0, algorithm: SM4, pin_tries: unknown}", "name"),
    ],
)
def test_a_wrong_claim_is_an_error_with_its_place(
    sscard: CommandLine, tmp_path: Path, claim: str, problem: str
) -> None:
    foreign = ForeignCard(tmp_path, claim=claim)
    code, _, err = sscard("testbed", "check", foreign.placed())
    assert code == 2
    assert "testbed.yaml:3:" in err
    assert problem in err
