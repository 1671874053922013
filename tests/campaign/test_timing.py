"""The timing model: its file, its sums, and what a wrapped connection counts."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from random import Random

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml

from sscard.campaign.line_time import ContactLine
from sscard.campaign.timing import LAYERS, ModelledConnection, PersonTime, TimingModel, cipher_blocks
from sscard.campaign.timing_file import PRESETS, TimingFile, find_timing, timing_in, timing_schema
from sscard.campaign.visit_time import VisitMeter
from sscard.chip.memory import PowerLost
from sscard.document import parse_document
from sscard.errors import InputError
from sscard.hsm import SoftHsm
from sscard.issuer import issue_card, preset
from sscard.service.words import Operation
from sscard.standard.choices import Personality
from sscard.terminal import CardSession

PAPERS = """
papers:
  change: {value: 60, unit: s, source: our windows}
  reset: {value: 120, p95: 300, unit: s, source: our windows}
  unblock: {value: 1.5, unit: min, source: our windows}
"""
MS = 1_000_000


def read(text: str) -> TimingFile:
    return timing_in(parse_document(text, "timing.yaml"))


@pytest.mark.parametrize("name", PRESETS)
def test_every_parameter_of_a_preset_has_value_unit_and_source(name: str) -> None:
    found = find_timing(name)
    parameters = found.model_dump(exclude={"interface", "papers"})
    assert found.interface == name
    assert parameters
    assert all(set(each) == {"value", "unit", "source"} and len(each["source"]) > 20 for each in parameters.values())


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_does_not_invent_how_long_papers_take(name: str) -> None:
    with pytest.raises(InputError, match=r"papers\.change") as caught:
        find_timing(name).for_windows()
    assert f"based_on: {name}" in str(caught.value)


def test_the_error_names_the_operation_without_a_time() -> None:
    text = "based_on: contact\npapers: {change: {value: 60, unit: s, source: here}}\n"
    with pytest.raises(InputError, match=r"papers\.reset"):
        read(text).for_windows()


@pytest.mark.parametrize(
    ("text", "place", "problem"),
    [
        ("based_on: contact\nclock: {value: 5, unit: GHz, source: x}\n", "2:19", "clock.unit"),
        ("based_on: contact\nclock: {value: 5, unit: MHz}\n", "2:1", "clock.source"),
        ("based_on: contact\nclock: {value: 5, unit: MHz, source: ''}\n", "2:30", "clock.source"),
        ("based_on: contact\nclock: {value: 0.9, unit: MHz, source: x}\n", "2:1", "1 to 20 MHz"),
        ("based_on: contact\nclock: {value: .inf, unit: MHz, source: x}\n", "2:9", "clock.value"),
        ("based_on: contact\nwrite: {value: -1, unit: ms, source: x}\n", "2:9", "write.value"),
        ("based_on: contact\nwirte: {value: 1, unit: ms, source: x}\n", "2:1", "wirte"),
        ("based_on: contact\npage: {value: 1.5, unit: bytes, source: x}\n", "2:8", "page.value"),
        ("based_on: contact\npapers: {renew: {value: 1, unit: s, source: x}}\n", "2:10", "papers.renew"),
        ("based_on: contact\npapers: {reset: {value: 9, p95: 3, unit: s, source: x}}\n", "2:10", "papers.reset"),
        ("based_on: contact\npapers: {reset: {value: 1e-9, p95: 1, unit: us, source: x}}\n", "2:10", "value above 0"),
        ("based_on: contact\nclock: {value: 4000, unit: MHz, source: x}\n", "2:1", "1 to 20 MHz"),
        ("based_on: contact\nclock: {value: 5, unit: kHz, source: x}\n", "2:1", "1 to 20 MHz"),
        ("based_on: contact\ncarrier: {value: 135.6, unit: MHz, source: x}\n", "2:1", "13 to 14 MHz"),
        ("based_on: contact\nhsm: {value: 2, unit: min, source: x}\n", "2:1", "at most 60 s"),
        ("based_on: contact\nhsm: {value: 1e300, unit: min, source: x}\n", "2:1", "at most 60 s"),
        ("based_on: contact\nclock: {value: 5, unit: MHz, source: '  '}\n", "2:30", "clock.source"),
        ("based_on: contact\npapers: {reset: {value: 1.0e+300, unit: min, source: x}}\n", "2:10", "86400 s"),
        ("based_on: contact\npapers: {reset: {value: 9, p95: 1441, unit: min, source: x}}\n", "2:10", "86400 s"),
        ("based_on: contakt\n", "1:1", "contakt"),
        ("based_on: [contact]\n", "1:1", "no timing model"),
        ("interface: contact\n", "1:1", "clock"),
        ("- contact\n", "1:1", "fields expected"),
    ],
)
def test_a_wrong_file_is_refused_with_line_and_column(text: str, place: str, problem: str) -> None:
    with pytest.raises(InputError) as caught:
        read(text)
    assert str(caught.value).startswith(f"timing.yaml:{place}: ")
    assert problem in str(caught.value)


def test_a_file_is_found_by_its_path(tmp_path: Path) -> None:
    file = tmp_path / "ours.yaml"
    file.write_text("based_on: contactless\nwrite: {value: 2, unit: ms, source: our chip}\n", encoding="utf-8")
    found = find_timing(str(file))
    assert found.interface == "contactless"
    assert found.model().write == 2 * MS


def test_nobody_takes_longer_than_a_day_whatever_the_95th_percentile() -> None:
    time = PersonTime(median=MS, p95=86_400_000 * MS)
    assert time.at(1 - 2**-49) == 86_400_000 * MS
    assert time.at(0.5) == MS


def test_a_name_that_is_no_preset_and_no_file_is_answered_with_the_presets(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no timing model 'contactles'") as caught:
        find_timing("contactles")
    assert "contactless" in str(caught.value.remedy)
    with pytest.raises(InputError, match="cannot be read"):
        find_timing(str(tmp_path / "none.yaml"))


def test_the_schema_accepts_what_is_read_and_refuses_an_unknown_field() -> None:
    schema = timing_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    check = jsonschema.Draft202012Validator(schema)
    assert check.is_valid(yaml.safe_load("based_on: contact" + PAPERS))
    assert check.is_valid(json.loads(find_timing("contact").model_dump_json(exclude_none=True)))
    assert not check.is_valid({"based_on": "contact", "wirte": {"value": 1, "unit": "ms", "source": "x"}})
    assert not check.is_valid({"interface": "contact"})


def test_a_model_pickles() -> None:
    model = read("based_on: contact" + PAPERS).model()
    assert pickle.loads(pickle.dumps(model)) == model  # noqa: S301 - what this test made


def test_an_exchange_has_its_time_by_layer() -> None:
    model = find_timing("contact").model()
    assert model.parts(12, 2, 7, 0) == (model.line.exchange(12, 2), 7 * 5 * MS, 0, 185_000)
    assert model.parts(21, 2, 0, 2) == (model.line.exchange(21, 2), 0, 2 * 200_000, 185_000)


def test_data_longer_than_a_page_are_written_as_pages_into_log_and_cell() -> None:
    model = find_timing("contact").model()
    assert [model.pages(5 + data, 3) for data in (0, 64, 65, 128, 129, 250)] == [3, 3, 5, 5, 7, 9]
    assert model.pages(255, 0) == 0


@pytest.mark.parametrize(
    ("command", "blocks"),
    [
        ("0020000003123456", 0),
        ("00820006100011223344556677889900112233445566", 2),  # session key and proof
        ("8424000114" + "00" * 20, 4),  # session key, one block of the PIN, two of the MAC (SM4)
        ("842400010c" + "00" * 12, 4),  # the same with DES
        ("8424000004" + "00" * 4, 2),  # session key and one block of the MAC
        ("8416000004" + "00" * 4, 2),
    ],
)
def test_cipher_blocks_are_those_of_the_fact_sheet(command: str, blocks: int) -> None:
    assert cipher_blocks(bytes.fromhex(command)) == blocks


def test_a_person_time_has_its_median_and_95th_percentile() -> None:
    time = PersonTime(120, 300)
    assert [time.at(part) for part in (0.5, 0.95)] == [120, 300]
    assert time.at(0.05) == 48  # 120 * 120 / 300
    assert PersonTime(60, 60).at(0.999) == 60


def measured_change(model: TimingModel, personality: Personality) -> dict[str, int]:
    """The nanoseconds by layer of a visit at which the PIN of a new card is changed."""
    card = issue_card(personality=personality, pin="123456", seed=0)
    meter = VisitMeter(model)
    connection = meter.insert(card.chip(Random(0), contact=isinstance(model.line, ContactLine)), card.memory)
    CardSession.start(connection, SoftHsm()).change_pin("123456", "654321")
    meter.end(Operation.CHANGE, 0, 0.5)
    return dict(meter.nanoseconds)


def test_a_change_on_v3_sm4_by_contact_takes_what_the_documentation_adds_up() -> None:
    """docs/timing-model.md, worked example."""
    model = read("based_on: contact" + PAPERS).model()
    exchanges = [(20, 2), (5, 32), (7, 2), (5, 2), (5, 20), (5, 2), (5, 13), (12, 2)]
    etu = [292, 464, 136, 92, 320, 92, 236, 196]
    assert [model.line.exchange(*each) // 93_000 for each in exchanges] == etu
    assert sum(etu) == 1828
    assert measured_change(model, preset("v3-sm4")) == {
        "line": 1828 * 93_000 + 38_972_000,
        "memory": 7 * 5 * MS,
        "cipher": 0,
        "terminal": 8 * 185_000,
        "hsm": 0,
        "entry": 3 * (1350 + 7 * 500) * MS,
        "papers": 60_000 * MS,
    }


def test_a_connection_counts_what_the_card_wrote_and_gives_it_once() -> None:
    model = find_timing("contact").model()
    card = issue_card(pin="123456", seed=1)
    timed = ModelledConnection(model)
    timed.insert(card.chip(Random(1)), card.memory)
    session = CardSession.start(timed, SoftHsm())
    timed.taken()
    before = card.memory.writes
    session.change_pin("123456", "654321")
    spent = timed.taken()
    assert spent["memory"] == (card.memory.writes - before) * 5 * MS > 0
    assert spent["line"] == model.line.exchange(12, 2)
    assert set(spent) == set(LAYERS)
    assert not any(timed.taken().values())


def test_a_torn_card_took_the_time_of_what_it_wrote() -> None:
    model = find_timing("contact").model()
    card = issue_card(pin="123456", seed=1)
    timed = ModelledConnection(model)
    timed.insert(card.chip(Random(1)), card.memory)
    session = CardSession.start(timed, SoftHsm())
    timed.taken()
    card.memory.cut_power(4)
    with pytest.raises(PowerLost):
        session.change_pin("123456", "654321")
    spent = timed.taken()
    assert spent["memory"] == 5 * 5 * MS
    assert spent["line"] == model.line.exchange(12, 0)


def test_without_the_memory_of_the_card_its_writes_are_not_known() -> None:
    card = issue_card(pin="123456", seed=1)
    timed = ModelledConnection(find_timing("contact").model())
    timed.insert(card.chip(Random(1)))
    CardSession.start(timed, SoftHsm()).change_pin("123456", "654321")
    assert timed.taken()["memory"] == 0


class Stub:
    """A card with an ATR that answers 9000 to every command."""

    def __init__(self, atr: str) -> None:
        self.atr = bytes.fromhex(atr)

    def power_on(self) -> bytes:
        return self.atr

    reset = power_on

    def power_off(self) -> None: ...

    def transmit(self, _command: bytes) -> bytes:
        return b"\x90\x00"


def test_the_rate_follows_the_atr_of_each_card() -> None:
    timed = ModelledConnection(find_timing("contact").model())
    spent = []
    for atr in ("3b00", "3b1018", "3b00"):
        timed.insert(Stub(atr))
        timed.power_on()
        timed.taken()
        timed.transmit(bytes.fromhex("0020000000"))
        spent.append(timed.taken()["line"])
    assert spent == [spent[0], spent[0] // 12, spent[0]]


@pytest.mark.parametrize("commands", [("00A4000002EF05", "00A4000001EF00"), ("00A4000001EF00", "00A4000002EF05")])
def test_an_le_behind_data_is_not_sent_whatever_command_of_the_same_length_was_before(
    commands: tuple[str, str],
) -> None:
    """The visit is a part of the digest, which must not depend on the cards that the process had before."""
    model = find_timing("contact").model()
    timed = ModelledConnection(model)
    timed.insert(Stub("3b00"))
    timed.power_on()
    timed.taken()
    spent = {}
    for command in commands:
        timed.transmit(bytes.fromhex(command))
        spent[command] = timed.taken()["line"]
    line = model.line.at(bytes.fromhex("3b00"))
    assert spent == {"00A4000002EF05": line.exchange(7, 2), "00A4000001EF00": line.exchange(6, 2)}
