"""The card at the beginning: an image, a place policy, counters, locks, contents of files, amounts."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest

from sscard.errors import InputError
from sscard.issuer import Holder, builtin_keys, issue_card, make_order, personalise, preset
from sscard.issuer.image import write_image
from sscard.scenario import read_scenario, run_scenario
from sscard.scenario.cards import holder_on

if TYPE_CHECKING:
    from conftest import Run, Write

PRIOR = """
card:
  choices: {certificate_application: stub}
  tries_left: 2
  key_tries: {PUK: 1, UK2DF01: 3 0 2}
  locked: [DF03]
  files:
    EF07: AA BB
    DF01/EF05: {21: 北京市, 20: "1"}
    DF01/EF15:
      2A: "12"
      40:2: "5703313233580312345659280000000000000000
        0000000000000000000000000000000000000000000000000000000000000000"
    DF02/EF16: ["313131202601012026010120270101410400", "323232202601012026010120270101410400"]
  account: {balance: 100000, load_count: 7}
  certificate_tries: 2 1
  certificate_pin: "654321"
"""


def test_the_card_has_the_stated_state(run: Run) -> None:
    assert run(
        """
- verify_pin: "000000"
  sw: 63C1
  tries: 1
- verify_pin: 123456
  tries: 6
  state: verified DF03-blocked
- select: DF01
- read_record: {file: EF15, number: 3}
  data: 40 34 57 03 31 32 33 58 03 12 34 56 ...
- read_record: {file: EF05, tag: 21}
  data: 21 50 B1 B1 BE A9 CA D0 00 ...
- authenticate: {key: UK2DF01, version: 2}
  sw: 6983
- authenticate: {key: UK2DF01, version: 3, proof: wrong}
  sw: 63C1
  key_tries: {UK2DF01: 3 0 1}
- select: DF02
- read_record: {file: EF16, number: 2}
  data: 32 32 32 ...
- apdu: B0 26 00 01 04
  sw: 6985
- select: DF04
- apdu: B0 26 00 01 04
  data: 00 01 86 A0
- select: DF03
  sw: 9303
- select: SS.CERT.ADF1
- verify_certificate_pin: {administrator: 12345678, cryptogram: wrong}
  sw: 63C0
  certificate_tries: 2 0
- verify_certificate_pin: {user: 654321}
  certificate_tries: 6 0
  state: verified DF03-blocked certificate-user
""",
        PRIOR,
    ).passed


def test_a_place_policy_sets_tries_and_pin(run: Run) -> None:
    assert run("- tries_left: 10\n- verify_pin: 000000\n  state: verified", "card: {place: tries-10}").passed
    assert run("- verify_pin: 246810\n  state: verified", "card: {place: tries-10, pin: 246810}").passed


def test_an_image_is_the_card(write: Write, tmp_path: Path) -> None:
    card = issue_card(personality="v2-3des", pin="246810", seed=3)
    (tmp_path / "card.json").write_text(write_image(card), encoding="utf-8")
    text = """
name: a
proves: b
card: {image: card.json, tries_left: 3}
steps:
  - verify_pin: 000000
    sw: 63C2
    tries: 2
  - reset_pin: 135790
    tries: 6
    state: PUK
"""
    path = write(text)
    [scenario] = read_scenario(path)
    assert scenario.personality.name == "v2-3des"
    assert run_scenario(scenario).passed
    [other] = read_scenario(path, personality=preset("v3-sm4"))
    assert other.misfit is not None


@pytest.mark.parametrize(
    ("filling", "name"), [(0x00, "张小明"), (0x20, "张小明"), (0x30, "张小明"), (0x00, "LI 700"), (0x20, "LI 700")]
)
def test_the_holder_of_an_image_has_the_name_without_its_fill(
    write: Write, tmp_path: Path, filling: int, name: str
) -> None:
    product = replace(preset("v3-sm4"), name="own", an_padding=filling)
    holder = Holder(name, "510104199406134837")
    card = personalise(make_order(product, Random(3), holder, "410402", date(2025, 1, 5)), builtin_keys())
    assert holder_on(card) == holder
    (tmp_path / "card.json").write_text(write_image(card), encoding="utf-8")
    [scenario] = read_scenario(
        write("name: a\nproves: b\ncard: {image: card.json}\nsteps:\n  - driver_read_basic: {by: psam}\n")
    )
    result = run_scenario(scenario)
    assert result.passed, result.crash or result.failure


WRONG = [
    ("{tries_left: 7}", 7, "more tries left than the card's limit"),
    ("{key_tries: {PUK: 4}}", 7, "1 number of 0 to 3 expected\n  write it as {PUK: 3}"),
    ("{key_tries: {UK2DF01: 1 2}}", 7, "3 numbers of 0 to 3 expected\n  write it as {UK2DF01: 3 3 3}"),
    ("{key_tries: {BK: 1}}", 7, "this card has no counted key 'BK'"),
    ("{key_tries: {PUKK: 1}}", 7, "unknown key 'PUKK'"),
    ("{locked: [DF08]}", 7, "no application 'DF08'"),
    ("{personality: v1-des, locked: [DF07]}", 7, "this card has no application 'DF07'"),
    ("{files: {EF09: AA}}", 7, "unknown field 'EF09'"),
    ("{files: {DF01/EF05: {99: x}}}", 7, "unknown field '99'"),
    ("{files: {DF01/EF05: {0E: abc}}}", 7, "cn of up to 3 bytes expected"),
    ("{files: {DF01/EF05: {20: 123}}}", 7, "an of up to 2 bytes expected"),
    ("{files: {EF07: A}}", 7, "pairs of hex digits expected"),
    ("{files: {EF07: {01: A}}}", 7, "this file has no items"),
    ("{files: {DF02/EF07: [AABB]}}", 7, "records of 85 bytes expected"),
    ("{account: {balance: -1}}", 7, "account.balance"),
    ("{certificate_tries: 1 1}", 7, "the card has no certificate application"),
    ("{certificate_pin: 123456}", 7, "the card has no certificate application"),
    (
        "{choices: {certificate_application: stub}, certificate_tries: 7 1}",
        7,
        "6 expected\n  write it as certificate_tries: 6 6",
    ),
    ("{place: nowhere}", 7, "no place policy 'nowhere'"),
    ("{image: card.json, pin: 123456}", 1, "the card of an image has its own pin"),
    ("{image: none.json}", 7, ""),
    ("{key_tries: {PUK: -1}}", 7, "not a count"),
    ("{key_tries: {PUK: key_tries - 4}}", 7, "not a count"),
    ("{key_tries: {PUK: []}}", 7, "not a count"),
]


@pytest.mark.parametrize(("card", "column", "said"), WRONG, ids=[card for card, _, _ in WRONG])
def test_refuses(run: Run, card: str, column: int, said: str) -> None:
    with pytest.raises(InputError) as caught:
        run("- tries_left: 6", f"card: {card}")
    assert said in str(caught.value)
    assert "123456" not in str(caught.value)
    if said:
        assert caught.value.line == 3
        assert caught.value.column >= column
