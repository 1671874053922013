"""The exit code of every command: 0 done, 1 refused or failed, 2 unusable input, 3 something missing, 130 interrupted.

A command of `sscard` without a row fails the test.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from random import Random
from threading import Thread
from typing import Any, NamedTuple, NoReturn

import click
import pytest
from pydantic_core import SchemaError, SchemaValidator, core_schema

import kit
from kit.programs import EACH_END, ENDS, SSCARD, run, running, standard_input
from sscard.cli import main as command_line
from sscard.cli.app import app
from sscard.errors import CardRemoved, InputError, MissingPart, ReaderMissing, TransportError
from sscard.hsm import SoftHsm
from sscard.hsm.server import HsmServer, service_token
from sscard.issuer import builtin_keys, make_order, personalise, preset
from sscard.issuer.cardfile import open_card, save_card
from sscard.issuer.holderbasefile import SqliteHolderBase
from sscard.issuer.psam import issue_psam
from sscard.issuer.psamfile import save_psam
from sscard.scenario.library import builtin_folder
from sscard.service.item import builtin_item_text
from sscard.transport import pcsc, pcscd

PIN, NEW, WRONG = "739184", "582036", "415926"
LONG_NAME = "A" * 63
GOOD = f"name: good\nproves: b\ncard: {{pin: {PIN}}}\nsteps:\n  - verify_pin: {PIN}\n    state: verified\n"
BAD = f"name: bad\nproves: b\ncard: {{pin: {PIN}}}\nsteps:\n  - verify_pin: {PIN}\n    sw: 63C5\n"
DIFFERS = "name: differs\nproves: b\nsteps:\n  - get_challenge: 16\n    state: challenge\n"
WAIVER = "- {{scenario: {name}, step: 1, field: sw, observed: 9000, reason: r, ticket: t, expires: {day}}}\n"
STATE = WAIVER.format(name="bad", day="2099-12-31").replace("sw", "state").replace("9000", "verified")
READER = "Reader 1"
CASE = "--journal {folder}/journal.db --journal-key {folder}/journal.key"
OPEN = f"--channel window --reason leaked --paper id-card --paper social-security-card --new {NEW} {CASE}"


class Row(NamedTuple):
    """A command line, its exit code, a text it prints (on standard error from 2 on), and the world it runs in."""

    command: str
    arguments: str
    code: int
    text: str = ""
    world: str = ""
    stdin: str = ""


def of(command: str, *rows: tuple[Any, ...]) -> Iterator[Any]:
    """Rows of one command; a mark after the fields of a row goes to the test."""
    for row in rows:
        fields = [field for field in row if not isinstance(field, pytest.MarkDecorator)]
        marks = [field for field in row if isinstance(field, pytest.MarkDecorator)]
        yield pytest.param(Row(command, *fields), marks=marks, id=" ".join([command, *map(str, fields)]))


PLANTED = ("", "", pytest.mark.skipif("SSCARD_COMPILED" in os.environ, reason="compiled methods cannot be replaced"))

IMAGE = Path(__file__).parent.parent / "images" / "2" / "v3-sm4-fresh.json"
CARD_ERRORS = (
    ("nowhere.db {rest}", 2, "nowhere.db: cannot be"),
    ("{folder} {rest}", 2, "is not a regular file"),
    ("{folder}/not.db {rest}", 2, "is not a card file"),
    ("pcsc {rest}", 3, "pip install 'sscard[pcsc]'", "no pyscard"),
    ("pcsc {rest}", 3, "this machine has no reader", "no reader"),
    ("pcsc:other {rest}", 3, "no reader called 'other'", "empty reader"),
    ("pcsc {rest}", 3, "no card in reader", "empty reader"),
)


def on_a_card(rest: str, stdin: str = "") -> list[tuple[Any, ...]]:
    """The errors of every command that works on a card; `rest` is what stands behind the card."""
    return [
        (arguments.replace("{rest}", rest), code, text, *world, *([""] if not world else []), stdin)
        for arguments, code, text, *world in CARD_ERRORS
    ]


REPORTS = ("doctor", "policy check", "scenario check", "place check")
"""Commands whose output is what is wrong."""
ROWS = [
    *of(
        "run",
        ("{folder}/good.yaml", 0, "1 passed"),
        ("{folder}/good.yaml {folder}/bad.yaml", 1, "1 failed"),
        ("nowhere.yaml", 2, "nowhere.yaml: cannot be read"),
        ("{folder}/empty", 2, "no scenarios here"),
        ("{folder}/not.db", 2, "not.db"),
        ("{folder}/good.yaml -k zzz", 2, "no scenario fits -k 'zzz'"),
        ("{folder}/good.yaml -m zzz", 2, "no scenario has the tag 'zzz'"),
        ("{folder}/good.yaml -n 2", 0, "1 passed"),
        ("{folder}/good.yaml -n many", 2, "-n"),
        ("{folder}/good.yaml --seeds 1,3-4", 0, "3 passed"),
        ("{folder}/good.yaml --seeds 1-", 2, "--seeds: no seeds '1-'"),
        ("{folder}/good.yaml --list", 0, "1 scenario"),
        ("{folder}/bad.yaml {folder}/good.yaml -x", 1, "stopped at a failure after 1 of 2 scenarios"),
        ("{folder}/good.yaml --against nowhere.json", 2, "nowhere.json: cannot be read"),
        ("{folder}/good.yaml --keys {folder}/not.db", 2, "not.db"),
        ("{folder}/good.yaml --hsm {hsm} --hsm-token {token}", 0, "1 passed"),
        ("{folder}/good.yaml --hsm {nobody} --hsm-token {token}", 3, "cannot be reached"),
        ("{folder}/good.yaml --hsm {hsm} --hsm-token {other_token}", 3, "token"),
        ("--personality v9", 2, "no personality 'v9'"),
        ("--seed x", 2, "--seed"),
        ("--nonsense", 2, "--nonsense"),
        ("{folder}/good.yaml --trace {folder}/no/trace", 2, "no/trace: cannot be written"),
        ("{folder}/good.yaml --html {folder}/no/page", 2, "no/page: cannot be written"),
        ("{folder}/good.yaml --junit {folder}/no/xml", 2, "no/xml: cannot be written"),
        ("{folder}/good.yaml --report form={folder}/no/form", 2, "no/form: cannot be written"),
        ("{folder}/good.yaml --form {folder}/good.yaml", 2, "good.yaml:1:1: "),
        ("{folder}/good.yaml --form nowhere.yaml", 2, "nowhere.yaml: cannot be read"),
        ("{folder}/good.yaml --evidence {folder}/proofs", 0, "1 passed"),
        ("{folder}/good.yaml --evidence {folder}", 2, "the folder is not empty"),
        ("{folder}/good.yaml --evidence {folder}/not.db", 2, "not.db: is not a folder"),
        ("{folder}/good.yaml --evidence {folder}/no/proofs", 2, "no/proofs: cannot be written"),
        ("{folder}/good.yaml --transport pcsc", 3, "sudo apt-get install pcscd", "no pcscd"),
        ("{folder}/bad.yaml --accept", 0, "-    sw: 63C5"),
        ("--accept", 2, "--accept: no scenario file is named"),
        ("{folder}/bad.yaml --waivers {folder}/waivers.yaml", 0, "1 waived"),
        ("{folder}/bad.yaml --waivers {folder}/expired.yaml", 1, "expired on 2020-01-01"),
        ("{folder}/good.yaml --waivers {folder}/stale.yaml", 1, "passes, remove the waiver"),
        ("{folder}/good.yaml --waivers {folder}/good.yaml", 2, "good.yaml:1:1: a list of waivers expected"),
        ("{folder}/good.yaml --waivers nowhere.yaml", 2, "nowhere.yaml: there is no such waiver file"),
        ("{folder}/good.yaml --ticket A-1", 2, "--ticket is for waivers that a run writes"),
        ("{folder}/good.yaml --testbed {folder}/testbed.yaml --accept", 2, "no waiver file is named"),
        ("{folder}/good.yaml --testbed {folder}/testbed.yaml --accept --waivers {folder}/new.yaml", 0, "1 passed"),
        ("{folder}/good.yaml --card {card}", 2, "the card does not accept its PIN: 5 tries left"),
        ("{folder}/good.yaml --card exec:false", 3, "the program of the card has ended"),
        ("{folder}/good.yaml --card nothing:", 2, "nothing"),
        ("{folder}/good.yaml --testbed {folder}/testbed.yaml", 0, "1 passed"),
        ("{folder}/good.yaml --testbed {folder}/hsm.yaml -n 2", 0, "1 passed"),
        ("{folder}/good.yaml --testbed {folder}/good.yaml", 2, "good.yaml:1:1: unknown field 'name'"),
        ("{folder}/good.yaml --testbed {folder}/testbed.yaml -n 2", 2, "--testbed and -n exclude each other"),
        ("{folder}/good.yaml --testbed {folder}/testbed.yaml --keys {folder}/keys.yaml", 2, "exclude each other"),
    ),
    *of(
        "testbed check",
        ("{folder}/testbed.yaml {folder}/good.yaml", 0, "1 scenario, 1 to run"),
        ("{folder}/hsm.yaml {folder}/good.yaml", 0, "sscard's own cards, HSM soft:"),
        ("{folder}/good.yaml", 2, "good.yaml:1:1: unknown field 'name'"),
        ("nowhere.yaml", 2, "nowhere.yaml: cannot be read"),
        ("{folder}/waived.yaml {folder}/good.yaml", 2, "waivers.yaml:1:4: unknown scenario 'bad'"),
    ),
    *of("testbed schema", ("", 0, "CardUnderTest"), ("--waivers", 0, '"expires"'), ("extra", 2, "extra")),
    *of(
        "probe",
        (f"{{card}} --pin {PIN}", 0, "52 choices"),
        ("{card} --pin none -o {folder}/seen.yaml", 0, "not determined (needs the PIN of the card)"),
        (f"{{card}} --pin {PIN} --personality v2-3des", 1, "contradicts the claim: algorithm: the card has SM4"),
        ("--testbed {folder}/testbed.yaml", 0, "0 contradict the claim"),
        (f"{{card}} --pin {WRONG}", 2, "the card does not accept its PIN: 5 tries left"),
        ("{card} --pin 12", 2, "--pin"),
        ("", 2, "no card is named"),
        ("{card} --testbed {folder}/testbed.yaml", 2, "--testbed and CARD exclude each other"),
        (f"{{card}} --pin {PIN} -o {{folder}}/good.yaml", 2, "--force"),
        (f"{{card}} --pin {PIN} --keys nowhere.yaml", 2, "nowhere.yaml: cannot be read"),
        (f"nothing: --pin {PIN}", 2, "nothing"),
        (f"exec:false --pin {PIN}", 3, "the program of the card has ended"),
    ),
    *of(
        "scenario new",
        ("{folder}/new.yaml", 0, "run it with: sscard run"),
        ("{folder}/good.yaml", 2, "--force"),
        ("{folder}/good.yaml --force", 0),
        ("--project {folder}/project", 0, "run it with: sscard run"),
        ("--project {folder}/good.yaml", 2, "good.yaml"),
        ("{folder}/new.yaml --project {folder}/project", 2, "exclude each other"),
        ("{folder}/no/new.yaml", 2, "no/new.yaml"),
    ),
    *of(
        "scenario check",
        ("{folder}/good.yaml", 0, "1 file, 1 scenario, 1 run: no errors"),
        ("{folder}/typo.yaml {folder}/good.yaml", 2, "typo.yaml:5:5: unknown verb 'verify_pn'"),
        ("{folder}/not.db", 2, "not.db"),
        ("nowhere.yaml", 2, "nowhere.yaml: cannot be read"),
        ("{folder}/empty", 2, "no scenarios here"),
    ),
    *of(
        "scenario list",
        ("{folder}/good.yaml", 0, "1 scenario, 1 run"),
        ("{folder}/typo.yaml", 2, "did you mean 'verify_pin'?"),
        ("nowhere.yaml", 2, "nowhere.yaml: cannot be read"),
    ),
    *of(
        "scenario explain",
        ("{folder}/good.yaml", 0, "line 5: verify_pin. Expected: success"),
        ("{folder}/typo.yaml", 2, "did you mean 'verify_pin'?"),
        ("nowhere.yaml", 2, "nowhere.yaml: cannot be read"),
    ),
    *of(
        "scenario verbs",
        ("", 0, "verify_pin"),
        ("verify_pin", 0, "### verify_pin"),
        ("verify_pn", 2, "did you mean 'verify_pin'?"),
    ),
    *of("scenario schema", ("", 0, '"$schema"'), ("extra", 2, "extra")),
    *of(
        "coverage",
        ("{folder}/good.yaml", 0, "Coverage of 1 scenario that passed"),
        ("{folder}/good.yaml {folder}/bad.yaml", 1, "1 scenario failed and covers nothing"),
        ("{folder}/good.yaml --fail-under faults=50", 1, "faults: 0.0 % covered, at least 50 % expected"),
        ("{folder}/good.yaml --fail-under command_status=0.1 --fail-under 0", 0),
        ("--fail-under fault=50", 2, "did you mean 'faults'?"),
        ("nowhere.yaml", 2, "nowhere.yaml: cannot be read"),
        ("{folder}/good.yaml -k zzz", 2, "no scenario fits -k 'zzz'"),
        ("{folder}/good.yaml --html {folder}/no/page", 2, "no/page: cannot be written"),
        ("{folder}/good.yaml --html {folder}/good.yaml", 2, "is an input or another output"),
    ),
    *of(
        "bench",
        ("verify case:leaked --count 10 --warm-up 0", 0, "case:leaked"),
        ("{folder}/good.yaml --count 5 --warm-up 0", 0, "good [v3-sm4]"),
        ("{folder}/bad.yaml --count 5 --warm-up 0", 1, "bad [v3-sm4]: operations failed"),
        ("verify --count 10 --warm-up 0 --threshold 'p99<1h'", 2, "column 6: a unit is missing"),
        ("verify --count 10 --warm-up 0 --threshold 'p99<3600s' --threshold 'errors<1%'", 0, "met"),
        ("verify --count 10 --warm-up 0 --threshold 'verify:p50>3600s'", 1, "not met"),
        ("verify --threshold 'change:p50<1s'", 2, "the flow change is not measured"),
        ("", 2, "argument FLOW is missing"),
        ("verfy", 2, "did you mean 'verify'?"),
        ("nowhere.yaml", 2, "nowhere.yaml: cannot be read"),
        ("{folder}/empty", 2, "no scenarios here"),
        ("verify --clients 0", 2, "--clients: 0 is out of range"),
        ("verify --rate 0", 2, "--rate: 0 is out of range"),
        ("verify --rate nan", 2, "--rate: nan is out of range"),
        ("verify --duration -1", 2, "--duration: -1 is out of range"),
        ("verify --duration 1 --count 10", 2, "--duration and --count exclude each other"),
        ("verify --rate 1 --think 1", 2, "--think and --rate exclude each other"),
        ("verify --count 3", 2, "3 operations cannot be divided into 5 rounds"),
        ("verify --clients 16 --transport pcsc", 2, "a private pcscd has readers for 15 clients"),
        ("verify --against nowhere.json", 2, "nowhere.json: cannot be read"),
        ("verify --against {folder}/good.yaml", 2, "is not the JSON of a benchmark"),
        ("verify --fail-above 20%", 2, "--fail-above needs --against"),
        ("verify --against old --fail-above 20", 2, "'20' is not a percentage"),
        ("verify --personality v9", 2, "no personality 'v9'"),
        ("verify --html {folder}/no/page", 2, "no/page: cannot be written"),
        ("verify --pytest-benchmark {folder}/no/file", 2, "no/file: cannot be written"),
        ("verify --hsm {nobody} --hsm-token {token}", 3, "cannot be reached"),
        ("verify --hsm {hsm} --hsm-token {token} --count 10 --warm-up 0", 0, "verify"),
        ("verify --card nowhere.db", 2, "nowhere.db: cannot be"),
        ("verify --card {card} --count 10 --warm-up 0", 1, "verify: verify PIN: 63C5"),
        ("change --card {card}", 2, "write may_write: yes below card: in a testbed file"),
        ("verify --card {card} --clients 2", 2, "one card under test has one client"),
        ("{folder}/good.yaml --card {card}", 2, "a scenario is measured on cards of sscard"),
        ("verify --card {card} --transport pcsc", 2, "--card and --transport exclude each other"),
    ),
    *of(
        "campaign run",
        ("--cards 3 --workers 1 --through card", 0, "digest"),
        ("--cards 3 --workers 1 --fail-above untouched=0% --through card", 1, "untouched=0%"),
        ("--card 3 --through card", 0, "outcome"),
        ("--help", 0, "--resume"),
        ("nowhere.yaml", 2, "nowhere.yaml: cannot be read"),
        ("{folder}/good.yaml", 2, "good.yaml:1"),
        ("--cards 0", 2, "--cards: 0 is out of range"),
        ("--workers 0", 2, "--workers: 0 is out of range"),
        ("--seed -1", 2, "--seed: -1 is out of range"),
        ("--seed 9223372036854775808", 2, "--seed: 9223372036854775808 is out of range"),
        ("--through window", 2, "--through: no 'window'"),
        ("--engine lokal", 2, "unknown engine 'lokal'"),
        ("--engine dask:tcp://127.0.0.1:1 --workers 2", 2, "the workers of this scheduler run already"),
        ("--resume", 2, "--resume needs --results"),
        ("--results {card}", 2, "exists already"),
        ("--results {card} --resume", 2, "is no results file of a campaign"),
        ("--results {folder}/no/results.db", 2, "no/results.db: cannot be written"),
        ("--parquet {folder}/no/cards.parquet", 2, "cannot be written"),
        ("--failures {folder}", 2, "holds"),
        ("--fail-above locked", 2, "'' is not a percentage"),
        ("--fail-above loked=1%", 2, "did you mean 'locked'?"),
        ("--card 3 --workers 2", 2, "--card and --workers exclude each other"),
        ("--card 3 --results {folder}/good.yaml", 2, "is no results file of a campaign"),
        ("--card 3 --results nowhere.db", 2, "there is no such file"),
        ("--card 3 --cards 3", 2, "expected: 0 to 2"),
    ),
    *of(
        "campaign show",
        ("nowhere.db", 2, "there is no such file"),
        ("{card}", 2, "is no results file of a campaign"),
        ("", 2, "argument FILE is missing"),
    ),
    *of("campaign schema", ("", 0, '"properties"'), ("extra", 2, "extra")),
    *of(
        "defects list",
        ("", 0, "wrong-pin-answers-630x"),
        ("630x --part card --json", 0, '"schema": "sscard.defects/1"'),
        ("no-such-word", 2, "no defect has one of these words"),
    ),
    *of(
        "defects run",
        ("{folder}/good.yaml --defect load-count-stays --fail-under 0", 0, "0 of 1 defect noticed", *PLANTED),
        ("{folder}/good.yaml --defect load-count-stays", 1, "not noticed", *PLANTED),
        ("--defect wrong-pin", 2, "no defect 'wrong-pin'", *PLANTED),
        ("nowhere.yaml", 2, "nowhere.yaml: cannot be read", *PLANTED),
        ("{folder}/good.yaml --html {folder}/good.yaml", 2, "is an input or another output", *PLANTED),
        ("{folder}/good.yaml --most 2 --all", 2, "--most and --all exclude each other", *PLANTED),
    ),
    *of(
        "issue",
        ("-o {folder}/new.db", 0, "sscard show"),
        ("", 2, "--output"),
        ("-o {card}", 2, "exists already"),
        ("-o {folder}/no/card.db", 2, "cannot be written"),
        ("-o {folder}/new.db --personality v9", 2, "no personality 'v9'"),
        ("-o {folder}/new.db --place nowhere", 2, "no place policy 'nowhere'"),
        ("-o {folder}/new.db --personality v1-des --city 110100", 2, "set fci_algorithm: yes"),
        ("-o {folder}/new.db --pin 415", 2, "--pin: a PIN has 4 to 16 digits"),
        ("-o {folder}/new.db --pin ''", 2, "4 to 16 digits, or 'none'"),
        (f"-o {{folder}}/new.db --name {LONG_NAME}", 2, "up to 25 Chinese characters or 35 letters"),
        ("-o {folder}/new.db --name 😀", 2, "all of them in GBK"),
        ("-o {folder}/new.db --certificates", 0, "sscard show"),
        ("-o {folder}/new.db --holder-base {folder}/new-base.db --standing not-enabled", 0, "sscard show"),
        ("-o {folder}/new.db --holder-base {folder}/not.db", 2, "not a holder base"),
        ("-o {folder}/new.db --standing lost", 2, "--standing needs --holder-base"),
        ("-o {folder}/new.db --certificates --personality v2-3des", 2, "for cards of generation 3.0 only"),
        ("-o {folder}/new.db --certificate-pin 2468", 2, "sscard issue --certificates"),
        ("-o {folder}/new.db --certificates --certificate-pin ''", 2, "--certificate-pin: is empty"),
        ("-o {folder}/new.db --certificates --administrator-pin 12", 2, "--administrator-pin: a PIN has 4 to 16"),
        ("-o {folder}/new.db --keys nowhere.yaml", 2, "nowhere.yaml: cannot be read"),
    ),
    *of(
        "show",
        ("{card}", 0, "6 of 6 tries left"),
        ("nowhere.db", 2, "nowhere.db: cannot be read"),
        ("{folder}", 2, "is not a regular file"),
        ("{folder}/not.db", 2, "is not a card file"),
    ),
    *of(
        "image export",
        ("{card} -o {folder}/new.json", 0, "image of"),
        ("{card} -o {folder}/no/new.json", 2, "cannot be written"),
        ("{card} -o {other}", 2, "exists already"),
        ("{card} -o {card} --force", 2, "is an input"),
        ("pcsc -o {folder}/new.json", 2, "the memory of this card cannot be read"),
        ("nowhere.db -o {folder}/new.json", 2, "nowhere.db: cannot be read"),
        ("{folder}/not.db -o {folder}/new.json", 2, "is not a card file"),
    ),
    *of(
        "image import",
        (f"{IMAGE} -o {{folder}}/new.db", 0, "sscard show"),
        (f"{IMAGE} -o {{folder}}/no/new.db", 2, "cannot be written"),
        (f"{IMAGE} -o {{card}}", 2, "exists already"),
        (f"{IMAGE} -o {{card}} --force", 2, "is open in this process", "held"),
        ("nowhere.json -o {folder}/new.db", 2, "nowhere.json: cannot be read"),
        ("{card} -o {folder}/new.db", 2, "is a card file or another database, not text"),
        ("{folder}/not.db -o {folder}/new.db", 2, "is not a card image"),
    ),
    *of(
        "image check",
        (IMAGE, 0, "is good"),
        ("nowhere.json", 2, "nowhere.json: cannot be read"),
        ("{folder}/not.db", 2, "not.db:1:1: is not a card image"),
    ),
    *of(
        "insert",
        ("nowhere.db", 2, "nowhere.db: cannot be read", "process"),
        ("{folder}/not.db", 2, "is not a card file", "process"),
        ("{card} --port 0", 2, "--port", "process"),
        ("{card} --port 1", 3, "no PC/SC daemon is running", "process"),
        ("{card} --delay 20", 2, "--delay: no time '20'", "process"),
        ("{card} --delay 61s", 2, "--delay: 61s: at most 60 s expected", "process"),
        ("{card} --fault mute", 2, "--fault: 'mute' names no command", "process"),
        ("{card} --fault slow=x@1", 2, "--fault: slow=x: ", "process"),
        ("{card} --seed x", 2, "--seed", "process"),
        ("{card} --record {card} --force", 2, "is an input", "process"),
        ("{card} --trace {folder}/no/trace", 2, "no/trace: cannot be written", "process"),
        ("{card} --defect wrong-pin-answers-63x", 2, "did you mean 'wrong-pin-answers-630x'?", "process"),
        ("{card} --defect another-card-is-operated", 2, "sscard defects run PATH --defect another-card", "process"),
        ("{card} --defect psam-takes-a-wrong-mac2", 2, "is one of the part PSAM", "process"),
        ("{psam} --defect wrong-pin-answers-630x", 2, "is one of the part card", "process"),
    ),
    *of(
        "farm",
        ("{folder}/empty", 2, "no card files here"),
        ("{card}", 3, "sudo apt-get install pcscd", "no pcscd"),
        ("{card} --readers 257", 2, "--readers: 257 is out of range"),
        ("{card} --fault mut@1", 2, "did you mean 'mute'?"),
        ("{card} --record {card}", 2, "card.db: cannot be written"),
        ("{card} --defects wrong-pin", 2, "no defect 'wrong-pin'", *PLANTED),
        ("{card} --defects hsm-service-accepts-any-token", 2, "is one of the part HSM", *PLANTED),
        ("{card} --defects all-of-card", 2, "sscard issue --count", *PLANTED),
    ),
    *of("doctor", ("", 3, "sudo apt-get install pcscd", "no pcscd")),
    *of(
        "apdu",
        ("{card} 0020000003111111 --defect wrong-pin-answers-630x", 1, "6305", *PLANTED),
        ("{card} 0020000003111111 --defect hsm-service-accepts-any-token", 2, "is one of the part HSM", *PLANTED),
        ("tcp:127.0.0.1:1 0020 --defect wrong-pin-answers-630x", 2, "in a card file only", *PLANTED),
        ("{card} 0084000008", 0, "9000"),
        ("{card} 00A4000002EEEE", 1, "6A82"),
        ("{card}", 1, "expected (6A82)", "", "CMD 00 84 00 00 08 (6A 82)"),
        ("{card} 00840", 2, "not hex digits in pairs"),
        ("{card}", 2, "<stdin>:2", "", "0084000008\nnonsense\n"),
        ("{card} 0084000008 --pin 41592x", 2, "--pin: a PIN has decimal digits only"),
        ("{card} 0084000008 --trace {folder}/no/trace", 2, "no/trace: cannot be written"),
        ("{card} 0084000008", 2, "is open in this process already", "held"),
        ("exec:true 0084000008 --seed 1", 2, "only the challenges of a card file can be fixed"),
        *on_a_card("0084000008"),
    ),
    *of(
        "verify-pin",
        (f"{{card}} --pin {PIN}", 0, "PIN is right"),
        (f"{{card}} --pin {WRONG}", 1, "5 tries left"),
        ("{card} --pin 12", 2, "--pin: a PIN has 4 to 16 digits, got 2"),
        ("{card}", 2, "--pin-file FILE", "end of input"),
        ("nowhere.db", 2, "nowhere.db: cannot be read", "end of input"),
        ("{card}", 130, "", "Ctrl-C"),
        (f"{{card}} --pin {PIN} --keys nowhere.yaml", 2, "nowhere.yaml: cannot be read"),
        (f"{{card}} --pin {PIN} --trace {{folder}}/no/trace", 2, "no/trace: cannot be written"),
        (f"{{card}} --pin {PIN}", 2, "is open in this process already", "held"),
        *on_a_card(f"--pin {PIN}"),
    ),
    *of(
        "change-pin",
        (f"{{card}} --old {PIN} --new {NEW}", 0, "PIN changed"),
        (f"{{card}} --old {WRONG} --new {NEW}", 1, "5 tries left"),
        (f"{{card}} --old {PIN} --new 12", 2, "--new: a PIN has 4 to 16 digits, got 2"),
        (f"{{card}} --old {PIN} --new {NEW} --place tries-3", 0, "PIN changed"),
        (f"{{card}} --old {PIN} --new {NEW} --place {{folder}}/place.yaml", 1, "the card is unchanged"),
        (f"{{card}} --old {PIN} --new {NEW} --place nowhere", 2, "no place policy 'nowhere'"),
        *on_a_card(f"--old {PIN} --new {NEW}"),
    ),
    *of(
        "reset-pin",
        (f"{{card}} --new {NEW}", 0, "PIN reset"),
        (f"{{card}} --new {NEW} --keys {{folder}}/keys.yaml", 1, "the card refused"),
        (f"{{card}} --new {NEW} --place {{folder}}/place.yaml", 1, "the card is unchanged"),
        ("{card} --new 475201 --place {folder}/place.yaml --keys {folder}/keys.yaml", 1, "ID number, which cannot be"),
        ("{card} --new 12", 2, "--new: a PIN has 4 to 16 digits, got 2"),
        (f"{{card}} --new {NEW} --hsm {{hsm}} --hsm-token {{token}}", 0, "PIN reset"),
        (f"{{card}} --new {NEW} --hsm {{nobody}} --hsm-token {{token}}", 3, "cannot be reached"),
        (f"{{card}} --new {NEW} --hsm {{hsm}} --hsm-token {{other_token}}", 3, "token"),
        (f"{{card}} --new {NEW} --hsm {{hsm}} --hsm-token {{folder}}/no-token", 2, "no-token"),
        *on_a_card(f"--new {NEW}"),
    ),
    *of(
        "unblock-pin",
        ("{card}", 0, "PIN unblocked"),
        ("{card} --keys {folder}/keys.yaml", 1, "the card refused"),
        ("{card} --keys nowhere.yaml", 2, "nowhere.yaml: cannot be read"),
        ("{card} --hsm {nobody} --hsm-token {token}", 3, "cannot be reached"),
        ("{card} --hsm {hsm} --hsm-token {other_token}", 3, "token"),
        *on_a_card(""),
    ),
    *of(
        "item",
        ("", 0, "社会保障卡密码修改与重置"),
        ("{folder}/window.yaml", 0, "社会保障卡密码修改与重置"),
        ("{folder}/late.yaml", 2, "the promised limit (2 个工作日) is longer than the legal one (1 个工作日)"),
        ("nowhere.yaml", 2, "nowhere.yaml: cannot be read"),
        ("--nonsense", 2, "--nonsense"),
    ),
    *of(
        "record",
        ("{card} -o {folder}/new.rec 0084000008", 0, "9000"),
        ("{card} -o {folder}/new.rec 00A4000002EEEE", 0, "6A82"),
        ("{card} -o {folder}/new.rec 00840", 2, "not hex digits in pairs"),
        ("{card} -o {folder}/no/new.rec 0084000008", 2, "no/new.rec: cannot be written"),
        ("{card} 0084000008", 2, "--output"),
        *on_a_card("-o {folder}/new.rec 0084000008"),
    ),
    *of(
        "replay",
        ("{folder}/script {card}", 0, "no difference"),
        ("{folder}/wrong {card}", 1, "1 difference"),
        ("nowhere {card}", 2, "nowhere: cannot be read"),
        ("{folder}/not.db {card}", 2, "not.db:1"),
        *((f"{{folder}}/script {arguments}", *rest) for arguments, *rest in on_a_card("")),
    ),
    *of(
        "compare",
        ("{folder}/script {card} {other}", 0, "no difference"),
        ("{folder}/holder {card} {other}", 1, "1 difference"),
        ("{folder}/good.yaml v3-sm4 v2-3des", 0, "no step differs"),
        ("{folder}/differs.yaml v3-sm4 v2-3des", 1, "1 step differs"),
        ("{folder}/good.yaml v3-sm4 v9", 2, "no personality 'v9'"),
        ("nowhere {card} {other}", 2, "nowhere: cannot be read"),
        *((f"{{folder}}/script {{other}} {arguments}", *rest) for arguments, *rest in on_a_card("")),
    ),
    *of(
        "export",
        ("{folder}/script --as etsi", 0, "CMD"),
        ("{folder}/script", 2, "--as"),
        ("{folder}/script --as nothing", 2, "--as"),
        ("nowhere --as etsi", 2, "nowhere: cannot be read"),
        ("{folder}/script --as etsi -o {folder}/no/file", 2, "no/file: cannot be written"),
    ),
    *of("commands", ("", 0, "VERIFY"), ("20 --json", 0, "sscard.commands/1"), ("VERFY", 2, "did you mean 'VERIFY'?")),
    *of("personality list", ("", 0, "v3-sm4"), ("--nonsense", 2, "--nonsense")),
    *of("personality show", ("v3-sm4", 0, "generation"), ("v9", 2, "no personality 'v9'")),
    *of("place list", ("", 0, "no-initial-pin"), ("--nonsense", 2, "--nonsense")),
    *of("place show", ("tries-8", 0, "initial_pin: last 6 of ID"), ("tries-9", 2, "no place policy 'tries-9'")),
    *of(
        "place check",
        ("tries-3 {folder}/place.yaml", 0, "2 files: no errors"),
        ("{folder}/good.yaml", 2, "good.yaml:2:1: unknown field 'proves'"),
        ("nowhere.yaml", 2, "nowhere.yaml: cannot be read"),
        ("tries-9", 2, "no place policy 'tries-9'"),
    ),
    *of("prove tears", ("--only disk", 2, "--only: no 'disk'")),
    *of("prove model", ("--commands 0", 2, "--commands: 0 is out of range")),
    *of("prove kills", ("--what disk", 2, "--what: no 'disk'")),
    *of(
        "prove fuzz",
        ("disk", 2, "no 'disk'"),
        ("--input {card}", 2, "--input is the input of one target"),
        ("hsm --input nowhere", 2, "nowhere: cannot be read"),
    ),
    *of(
        "personality check",
        ("v3-sm4", 0, "v3-sm4 is good"),
        ("nowhere.yaml", 2, "nowhere.yaml: cannot be read"),
        ("{folder}/good.yaml", 2, "good.yaml:2"),
    ),
    *of("policy list", ("", 0, "henan"), ("--nonsense", 2, "--nonsense")),
    *of("policy show", ("henan", 0, "minors: with guardian"), ("hennan", 2, "no policy 'hennan'")),
    *of(
        "policy check",
        ("{folder}/policy.yaml", 0, "policy.yaml: no errors"),
        ("nowhere.yaml", 2, "nowhere.yaml: cannot be read"),
        ("{folder}/good.yaml", 2, "good.yaml:1:1: unknown field 'name'"),
    ),
    *of(
        "case open",
        (f"{{card}} --old {PIN} {OPEN}", 0, "completed"),
        (f"{{card}} --old {WRONG} {OPEN}", 1, "accepted"),
        (f"{{card}} --old {PIN} {OPEN} --place {{folder}}/place.yaml", 1, "easy to guess: choose another PIN"),
        (f"{{card}} --old {PIN} {OPEN.replace('window', 'windw')}", 2, "did you mean 'window'?"),
        (f"{{card}} --old {PIN} {OPEN} --channel window", 2, "--channel: given 2 times"),
        (f"{{card}} --old {PIN} {OPEN} --policy nowhere.yaml", 2, "nowhere.yaml: cannot be read"),
        (f"{{card}} --old {PIN} {OPEN} --policy hennan", 2, "did you mean 'henan'?"),
        (f"{{card}} --old {PIN} {OPEN} --policy henan", 0, "completed"),
        (f"{{card}} --old {PIN} {OPEN.replace('{folder}/journal.db', 'mysql://x')}", 2, "not the URL of a journal"),
        (f"{{card}} --old {PIN} {OPEN} --application nowhere.yaml", 2, "nowhere.yaml: cannot be read"),
        (f"{{card}} --new {NEW} {CASE}", 2, "option --reason is missing"),
        (f"{OPEN}", 2, "argument CARD is missing"),
        *on_a_card(f"--old {PIN} {OPEN}"),
    ),
    *of(
        "case resume",
        (f"{{number}} {{card}} --old {PIN} --new {NEW} {CASE}", 0, "completed", "one case"),
        (f"{{number}} {{card}} --old {WRONG} --new {NEW} {CASE}", 1, "accepted", "one case"),
        (f"7 {{card}} --old {PIN} --new {NEW} {CASE}", 2, "no case '7' in this journal", "one case"),
        (f"{{number}} --abandon --at self-service {CASE}", 2, "--abandon and --at exclude each other", "one case"),
        (f"{{number}} --abandon {CASE}", 0, "failed", "one case"),
        (f"7 {{card}} --old {PIN} --new {NEW} {CASE}", 2, "there is no journal"),
    ),
    *of(
        "case list",
        (CASE, 0, "accepted", "one case"),
        (f"{CASE} --since yesterday", 2, "--since: no day 'yesterday'", "one case"),
        (f"{CASE} --stage ended", 2, "--stage: no 'ended'", "one case"),
        (CASE, 2, "there is no journal"),
    ),
    *of(
        "case consult",
        ("", 0, "0375-6182813"),
        ("--channel online --item {folder}/window.yaml", 1, "inquiries are not offered"),
        ("--channel onlin", 2, "did you mean 'online'?"),
        ("--item nowhere.yaml", 2, "nowhere.yaml: cannot be read"),
    ),
    *of("case overdue", (CASE, 0, "", "one case"), (CASE, 2, "there is no journal")),
    *of(
        "case show",
        (f"{{number}} {CASE}", 0, "accepted", "one case"),
        (f"7 {CASE}", 2, "no case '7' in this journal", "one case"),
        (f"7 {CASE}", 2, "there is no journal"),
    ),
    *of(
        "case archive",
        (f"--before 2000-01-01 --to {{folder}}/archive.db {CASE}", 0, "nothing to move", "one case"),
        (f"--before 2000-01-01 --to {{card}} {CASE}", 2, "is not a journal", "one case"),
        (f"--before 2000-01-01 {CASE}", 2, "option --to is missing", "one case"),
        (f"--before 2000-01-01 --to {{folder}}/archive.db {CASE}", 2, "there is no journal"),
    ),
    *of(
        "case stats",
        (CASE, 0, "cases 1 · open 1", "one case"),
        (f"{CASE} --since 2026-02-01 --until 2026-01-01", 2, "--until is before --since", "one case"),
        (f"{CASE} --html {{card}}", 2, "exists already", "one case"),
        (CASE, 2, "there is no journal"),
    ),
    *of("case verify", (CASE, 0, "the chain is whole", "one case"), (CASE, 2, "there is no journal")),
    *of("case reindex", (CASE, 0, "the chain is whole", "one case"), (CASE, 2, "there is no journal")),
    *of(
        "hsm serve",
        ("--port 99999", 2, "--port"),
        ("--keys nowhere.yaml", 2, "nowhere.yaml: cannot be read"),
        ("--keys {folder}/keys.yaml --module nothing.so", 2, "--module excludes --keys"),
        ("--port {busy} --token-file {token}", 2, "{busy}"),
        ("--holder-base nowhere.db --token-file {token}", 2, "nowhere.db: no such holder base"),
    ),
    *of(
        "holder-base set",
        ("{base} {card} lost", 0, ": lost"),
        ("{folder}/new-base.db A00000003 not-enabled --last A00000011", 0, "A00000003-A00000011: not enabled"),
        ("{base} A00000011 lost --last A00000003", 2, "--last is before CARD"),
        ("{base} A00000012 lost", 2, "neither a card number nor a card file"),
        ("{base} {card} stolen", 2, "STANDING"),
        ("{card} {card} lost", 2, "not a holder base"),
        ("{folder}/no/base.db A00000003 lost", 2, "the folder {folder}/no does not exist"),
        ("{folder} A00000003 lost", 2, "not a holder base"),
        ("{nobody} {card} lost", 2, "give the file on the host of the service"),
        ("sqlite:{base} {card} lost", 0, ": lost"),
    ),
    *of(
        "holder-base show",
        ("{base} {card}", 0, ": in use"),
        ("{base} {folder}/not.db", 2, "is not a card file"),
        ("nowhere.db {card}", 2, "nowhere.db: no such holder base"),
        ("{nobody} {card} --hsm-token {token}", 3, "start its service"),
        ("shelf:1 {card}", 2, "unknown kind of holder base 'shelf'"),
    ),
    *of("holder-base list", ("{base}", 0), ("nowhere.db", 2, "nowhere.db: no such holder base")),
    *of(
        "holder-base import",
        ("{base} {folder}/list.yaml", 0, "1 entry added"),
        ("{base} {folder}/good.yaml", 2, "cards"),
        ("{base} nowhere.yaml", 2, "nowhere.yaml: cannot be read"),
    ),
    *of(
        "hsm vectors",
        ("", 0, "vectors of sscard test keys, version 1"),
        ("--keys nowhere.yaml", 2, "nowhere.yaml: cannot be read"),
        ("--keys {folder}/good.yaml", 2, "keys"),
    ),
    *of(
        "hsm check",
        ("soft:", 0, "sm4/authenticate: 15 of 15 right"),
        ("{hsm} --hsm-token {token}", 0, "3des/proof: 3 of 3 right"),
        ("soft:{folder}/keys.yaml", 1, "The HSM has other root keys than sscard test keys"),
        ("soft: --without sm5", 2, "--without: no group 'sm5'"),
        ("soft: --without sm4 --without des --without 3des", 2, "--without leaves no vector"),
        ("soft: --keys nowhere.yaml", 2, "nowhere.yaml: cannot be read"),
        ("shelf:1", 2, "unknown kind of HSM 'shelf'"),
        ("{nobody} --hsm-token {token}", 3, "the HSM ended at address/"),
        ("{hsm} --hsm-token {other_token}", 3, "does not accept the token"),
    ),
    *of(
        "hsm load",
        ("", 2, "--module"),
        ("--module {folder}/nothing.so", 2, "nothing.so", "token PIN"),
        ("--module {folder}/nothing.so", 2, "nothing.so"),  # before the prompt, which needs a terminal
    ),
    *of(
        "driver build",
        ("-o {folder}/built --cc no-such-compiler", 3, "no-such-compiler"),
        ("--for win16", 2, "--for"),
    ),
    *of(
        "driver call",
        ("nothing.so iVerifyPIN 1", 2, "nothing.so: cannot be loaded"),
        ("nowhere:1 iVerifyPIN 1", 2, "unknown kind of driver library"),
        ("ws://127.0.0.1:1 iVerifyPIN 1", 3, "sscard driver serve CARD --listen ws:12342"),
        ("ws://127.0.0.1:1 iVerifyPIN 1", 3, "pip install 'sscard[server]'", "no websockets"),
        ("ws:12342 iVerifyPIN 1", 2, "for example ws://127.0.0.1:12342"),
    ),
    *of(
        "psam issue",
        ("-o {folder}/new-psam.db", 0, "PSAM 410400000001, of its province"),
        ("-o {folder}/new-psam.db --without sm4 --level national --terminal 510100000007", 0, "national"),
        ("-o {psam}", 2, "exists already"),
        ("-o {psam} --force", 0, "PSAM 410400000001"),
        ("-o {card} --keys {card} --force", 2, "{card}"),
        ("-o {folder}/new-psam.db --terminal 4104", 2, "not a terminal number"),
        ("-o {folder}/new-psam.db --level town", 2, "--level"),
        ("-o {folder}/no/psam.db", 2, "psam.db"),
        ("-o {folder}/new-psam.db --keys nowhere.yaml", 2, "nowhere.yaml: cannot be read"),
        ("", 2, "-o"),
    ),
    *of(
        "psam show",
        ("{psam} --all", 0, "47 10 UKSSSE"),
        ("{psam}", 0, "SM4: next terminal sequence 1"),
        ("{card}", 2, "is a card file, not a PSAM file"),
        ("{folder}/not.db", 2, "is not a PSAM file"),
        ("nowhere.db", 2, "nowhere.db: cannot be read"),
    ),
    *of("driver path", ("--for win16", 2, "--for"), ("", 2, "sscard driver build", "empty cache")),
    *of(
        "driver serve",
        ("{card} --listen tcp:99999", 2, "tcp:99999: not a port"),
        ("{card} --listen ws:x", 2, "ws:x: not a port"),
        ("{card} --listen ws:{busy} --pins 1234", 2, "cannot listen at ws://127.0.0.1:{busy}"),
        ("{card} --listen ws:0 --pins 1234", 3, "pip install 'sscard[server]'", "no websockets"),
        ("{card} --listen tcp:0 --origin https://his.example", 2, "--origin is for pages in a browser"),
        ("{card} --listen {folder}/no/socket", 2, "cannot listen at"),
        ("{card} --listen tcp:0 --psam nation", 2, "no PSAM 'nation'"),
        ("{card} --listen tcp:0 --psam {folder}/nowhere.db", 2, "nowhere.db: cannot be read"),
        ("{card} --listen tcp:0 --psam {other}", 2, "is a card file, not a PSAM file"),
        ("{card} --listen tcp:0 --psam {psam} --terminal 410400000002", 2, "--terminal is the number of a PSAM"),
        ("{card} --listen tcp:0 --psam city --terminal 1", 2, "not a terminal number"),
        ("{psam} --listen tcp:0", 2, "is a PSAM file, not a card file"),
        ("{card} --listen tcp:0 --keys nowhere.yaml", 2, "nowhere.yaml: cannot be read"),
        ("{card} --listen tcp:0 --place nowhere", 2, "no place policy 'nowhere'"),
        ("nowhere.db --listen tcp:0", 2, "nowhere.db: cannot be"),
        ("{folder}/not.db --listen tcp:0", 2, "is not a card file"),
    ),
]


def commands(group: click.Group, *names: str) -> Iterator[str]:
    """The full names of all commands."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, *names, name)
        else:
            yield " ".join((*names, name))


def test_every_command_has_rows_for_what_ends_well_or_with_a_message() -> None:
    rows = [row for parameters in ROWS for row in parameters.values]
    known = {command: {row.code for row in rows if row.command == command} for command in commands(app)}
    assert set(known) == {row.command for row in rows}
    assert [command for command, codes in known.items() if not codes & {2, 3}] == []


class Stub:
    """pyscard's `scard`: a daemon with these readers, all empty. Waiting for a card moves its own clock."""

    def __init__(self, *readers: str) -> None:
        self._readers = list(readers)
        self.now = 0.0
        names = (
            "S_SUCCESS E_NO_SERVICE E_SERVICE_STOPPED E_NO_READERS_AVAILABLE E_UNKNOWN_READER E_TIMEOUT "
            "SHARE_EXCLUSIVE SHARE_SHARED PROTOCOL_T0 PROTOCOL_T1 PCI_T0 PCI_T1 SCOPE_USER UNPOWER_CARD"
        )
        for number, name in enumerate(names.split()):
            setattr(self, f"SCARD_{name}", number)
        self.SCARD_STATE_UNAWARE, self.SCARD_STATE_EMPTY = 0, 16
        self.SCARD_STATE_PRESENT, self.SCARD_STATE_MUTE = 32, 512

    def SCardEstablishContext(self, scope: int) -> tuple[int, int]:  # noqa: N802, ARG002
        return 0, 1

    def SCardReleaseContext(self, context: int) -> int:  # noqa: N802, ARG002
        return 0

    def SCardListReaders(self, context: int, groups: list[str]) -> tuple[int, list[str]]:  # noqa: N802, ARG002
        return (0 if self._readers else self.SCARD_E_NO_READERS_AVAILABLE), self._readers  # type: ignore[attr-defined]

    def SCardGetStatusChange(self, context: int, timeout: int, states: list[Any]) -> tuple[int, list[Any]]:  # noqa: N802, ARG002
        if any(name not in self._readers for name, _ in states):
            return self.SCARD_E_UNKNOWN_READER, []  # type: ignore[attr-defined]
        if any(state != self.SCARD_STATE_UNAWARE for _, state in states):
            self.now += timeout / 1000
            return self.SCARD_E_TIMEOUT, []  # type: ignore[attr-defined]
        return 0, [(name, self.SCARD_STATE_EMPTY, []) for name, _ in states]

    def monotonic(self) -> float:
        """In place of the clock of the machine."""
        return self.now

    def SCardGetErrorMessage(self, result: int) -> str:  # noqa: N802
        return f"error {result}"


@contextmanager
def serving(server: HsmServer) -> Iterator[HsmServer]:
    with server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def hsm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The URL of an HSM service, and the file of its token."""
    token = tmp_path_factory.mktemp("hsm") / "token"
    with serving(HsmServer(SoftHsm(builtin_keys()), service_token(token), port=0)) as server:
        yield server.url, token


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with cards, scenarios, scripts and keys, which each test copies."""
    folder = tmp_path_factory.mktemp("files")
    order = make_order(preset("v3-sm4"), Random(1), kit.HOLDER, "410400", date(2026, 1, 5))
    save_card(personalise(replace(order, pin=PIN), builtin_keys()), folder / "card.db")
    save_card(kit.card_of("v2-3des", PIN), folder / "other.db")
    save_psam(issue_psam(builtin_keys(), "410400000001", "province"), folder / "psam.db")
    keys = (Path(command_line.__file__).parents[1] / "issuer" / "test-keys.yaml").read_text(encoding="utf-8")
    for name, text in {
        "not.db": "no card\n",
        "good.yaml": GOOD,
        "testbed.yaml": f"card: {{use: card.db, pin: '{PIN}'}}\n",
        "waived.yaml": "card: {use: card.db}\nwaivers: waivers.yaml\n",
        "waivers.yaml": WAIVER.format(name="bad", day="2099-12-31") + STATE,
        "expired.yaml": WAIVER.format(name="bad", day="2020-01-01"),
        "stale.yaml": WAIVER.format(name="good", day="2099-12-31"),
        "hsm.yaml": "hsm: {use: 'soft:'}\n",
        "place.yaml": f"name: here\nforbidden_pins: [{NEW}, birth date]\n",
        "bad.yaml": BAD,
        "differs.yaml": DIFFERS,
        "typo.yaml": GOOD.replace("verify_pin", "verify_pn"),
        "policy.yaml": "based_on: henan\n",
        "window.yaml": builtin_item_text().replace("互联网咨询、", ""),
        "late.yaml": builtin_item_text().replace("承诺办理时限: 1 ", "承诺办理时限: 2 "),
        "script": "0084000008\n",
        "wrong": "CMD 00 84 00 00 08 (6A 82)\n",
        "holder": "00B2012C12\n",
        "list.yaml": "cards: [{first: A00000003, standing: lost}]\n",
        "keys.yaml": re.sub('"[0-9A-F]{16,32}"', lambda root: root[0][::-1], keys),
    }.items():
        (folder / name).write_text(text, encoding="utf-8")
    SqliteHolderBase(folder / "base.db", create=True)
    (folder / "empty").mkdir()
    service_token(folder / "other_token")
    return folder


@pytest.fixture
def places(tmp_path: Path, files: Path, hsm: tuple[str, Path]) -> Iterator[dict[str, object]]:
    """Cards, scenarios, scripts, keys and an HSM, by the names that rows use."""
    shutil.copytree(files, tmp_path, dirs_exist_ok=True)
    url, token = hsm
    with (
        socket.create_server(("127.0.0.1", 0)) as busy,
        socket.create_server(("127.0.0.1", 0)) as gone,
    ):
        nobody = f"http://127.0.0.1:{gone.getsockname()[1]}"
        gone.close()
        yield {
            "folder": tmp_path,
            "card": tmp_path / "card.db",
            "other": tmp_path / "other.db",
            "psam": tmp_path / "psam.db",
            "base": tmp_path / "base.db",
            "token": token,
            "other_token": tmp_path / "other_token",
            "hsm": url,
            "nobody": nobody,
            "busy": busy.getsockname()[1],
        }


@pytest.fixture
def sscard(capsys: pytest.CaptureFixture[str]) -> Callable[[list[str]], tuple[int, str, str]]:
    """The command line in this process: exit code, output, errors."""

    def call(arguments: list[str]) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            command_line.main(arguments)
        output = capsys.readouterr()
        return int(ended.value.code or 0), output.out, output.err

    return call


@pytest.fixture
def enter(monkeypatch: pytest.MonkeyPatch, places: dict[str, object], sscard: Any) -> Iterator[Callable[[str], None]]:
    """Makes the world of a row."""
    with ExitStack() as held:

        def one_case() -> None:
            """An accepted case that waits for the right PIN."""
            told = sscard(shlex.split(f"case open {{card}} --old {WRONG} --json {OPEN}".format(**places)))
            places["number"] = json.loads(told[1])["number"]

        def empty_reader() -> None:
            stub = Stub(READER)
            monkeypatch.setattr(pcsc, "_scard", lambda: stub)
            monkeypatch.setattr(pcsc, "time", stub)

        def missing(*_arguments: object) -> NoReturn:
            raise MissingPart("pcscd is not installed", "sudo apt-get install pcscd")

        def press(error: type[BaseException]) -> None:
            def ask(*_arguments: object, **_options: object) -> NoReturn:
                raise error

            monkeypatch.setattr("getpass.getpass", ask)

        def no_websockets() -> None:
            for module in ("sscard.driver.control", "sscard.driver.websocket"):
                monkeypatch.delitem(sys.modules, module, raising=False)
            monkeypatch.setitem(sys.modules, "websockets.frames", None)

        worlds: dict[str, Callable[[], object]] = {
            "": lambda: None,
            "no pyscard": lambda: monkeypatch.setitem(sys.modules, "smartcard", None),
            "no websockets": no_websockets,
            "no pcscd": lambda: monkeypatch.setattr(pcscd, "find_pcscd", missing),
            "no reader": lambda: monkeypatch.setattr(pcsc, "_scard", Stub),
            "empty reader": empty_reader,
            "held": lambda: held.enter_context(open_card(Path(str(places["card"])))),
            "one case": one_case,
            "Ctrl-C": lambda: press(KeyboardInterrupt),
            "end of input": lambda: press(EOFError),
            "token PIN": lambda: monkeypatch.setenv("SSCARD_TOKEN_PIN", "12345678"),
            "empty cache": lambda: monkeypatch.setenv("XDG_CACHE_HOME", str(places["folder"])),
        }
        yield lambda world: worlds[world]() and None


@pytest.mark.parametrize("row", ROWS)
def test_the_exit_code(
    row: Row, places: dict[str, object], enter: Any, sscard: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr("sys.stdin", standard_input(row.stdin))
    if row.world == "process":
        arguments = shlex.split(f"{row.command} {row.arguments}".format(**places))
        done = run(*arguments, PCSCLITE_CSOCK_NAME="/nonexistent/pcscd.comm")
        code, out, err = done.returncode, done.stdout, done.stderr
    else:
        enter(row.world)
        code, out, err = sscard(shlex.split(f"{row.command} {row.arguments}".format(**places)))
    assert code == row.code, out + err
    told = err if row.code in (2, 3) and row.command not in REPORTS else out + err
    text = row.text.format(**places)
    assert text in told or text in " ".join(told.split())  # a long path folds a line
    assert "Traceback" not in told
    assert not any(secret in err for secret in (PIN, NEW, WRONG, "41592x"))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("wrong", file="a.yaml", line=3, remedy="mend it"), 2),
        (MissingPart("no part", "install it"), 3),
        (ReaderMissing("no reader"), 3),
        (CardRemoved("no card"), 3),
        (TransportError("mute"), 1),
        (type("HsmUnavailable", (MissingPart, RuntimeError), {})("no HSM", "start it"), 3),
        (KeyboardInterrupt(), 130),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else str(value),
)
def test_an_error_has_the_code_of_its_nearest_class(
    error: BaseException, code: int, sscard: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object) -> NoReturn:
        raise error

    monkeypatch.setattr("sscard.cli.app.app", fail)
    told = sscard([])
    assert told[0] == code
    assert told[2] == (f"sscard: {error}\n" if str(error) else "interrupted\n")


# Standard output


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
@pytest.mark.parametrize(
    "arguments",
    ["--help", "item", "show {card}", "show {card} --json", "apdu {card} --raw 0084000008", "run {folder}/good.yaml"],
)
def test_a_full_disk_on_standard_output_ends_with_3(places: dict[str, object], arguments: str) -> None:
    command = [*SSCARD, *shlex.split(arguments.format(**places))]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)  # noqa: S603
    assert done.returncode == 3
    assert done.stderr.startswith("sscard: standard output cannot be written: No space left on device\n  ")
    assert "Traceback" not in done.stderr


def test_a_closed_pipe_ends_with_3_and_without_a_word(places: dict[str, object]) -> None:
    command = [*SSCARD, *shlex.split("show {card} --json".format(**places))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 3


# Interrupted


@pytest.mark.parametrize(
    "end", [pytest.param(end, marks=() if end == signal.SIGINT else pytest.mark.nightly) for end in ENDS]
)
def test_an_interrupted_run_has_its_summary_reports_and_trace(tmp_path: Path, end: signal.Signals) -> None:
    reports = [tmp_path / name for name in ("trace", "junit", "html")]
    options = [word for path in reports for word in (f"--{path.name}", path)]
    with running("run", builtin_folder() / "01-function", *options) as program:
        first = program.line_with("✓")
        code, rest = program.end(end)
    assert code == 130
    assert "passed, 0 failed" in rest
    assert "interrupted after" in rest
    assert "Traceback" not in rest
    name = first.partition("✓ ")[2].partition("  ")[0]
    assert [name in path.read_text(encoding="utf-8") for path in reports] == [True, True, True]


@pytest.mark.parametrize("end", EACH_END)
def test_a_signal_that_a_library_turns_into_its_own_error_is_an_interruption(
    end: signal.Signals, sscard: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted:
        def __repr__(self) -> str:
            signal.raise_signal(end)
            return ""

    choice = core_schema.literal_schema([Interrupted()])
    monkeypatch.setattr("sscard.cli.app.app", lambda *_arguments: SchemaValidator(choice))
    assert sscard([]) == (130, "", "interrupted\n")


def test_an_error_of_a_library_without_a_signal_is_none(sscard: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sscard.cli.app.app", lambda *_arguments: SchemaValidator({"type": "unknown"}))
    with pytest.raises(SchemaError):
        sscard([])


INTERRUPTS = """
import sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == interrupted:
            raise KeyboardInterrupt

interrupted = sys.argv.pop(1)
sys.meta_path.insert(0, Finder())
from sscard.__main__ import main
main()
"""


@pytest.mark.parametrize("module", ["sscard.cli.main", "sscard.cli.app", "click", "sscard.cli.show", "sscard.errors"])
def test_an_interrupted_import_ends_with_one_line(places: dict[str, object], module: str) -> None:
    done = run(module, "show", places["card"], program=(sys.executable, "-c", INTERRUPTS))
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")


@pytest.mark.parametrize(
    ("arguments", "ready"),
    [
        ("hsm serve --port 0 --token-file {token}", "HSM at"),
        ("driver serve {card} --listen tcp:0 --pins 1234", "driver at"),
        ("driver serve {card} --listen {folder}/socket --pins 1234", "driver at"),
        ("driver serve {card} --listen ws:0 --pins 1234", "driver at ws://127.0.0.1:"),
    ],
)
def test_ctrl_c_is_how_a_server_ends(places: dict[str, object], arguments: str, ready: str) -> None:
    with running(*shlex.split(arguments.format(**places))) as program:
        program.line_with(ready)
        code, rest = program.end(signal.SIGINT)
    assert code == 0
    assert "Traceback" not in rest


@pytest.mark.parametrize("end", EACH_END)
def test_an_interrupted_script_has_its_trace(places: dict[str, object], tmp_path: Path, end: signal.Signals) -> None:
    command = [*SSCARD, "apdu", str(places["card"]), "--raw", "--trace", str(tmp_path / "trace")]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, bufsize=1) as process:  # noqa: S603
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write("00A40000023F00\n")
        assert process.stdout.readline()
        process.send_signal(end)
        assert process.stderr.read() == "interrupted\n"
    assert process.returncode == 130
    assert "SELECT" in (tmp_path / "trace").read_text(encoding="utf-8")


@pytest.mark.parametrize("command", ["apdu {card} --raw --trace {file}", "record {card} -o {file}"])
def test_a_killed_conversation_leaves_what_was_done(places: dict[str, object], tmp_path: Path, command: str) -> None:
    file = tmp_path / "file"
    words = shlex.split(command.format(card=places["card"], file=file))
    pipe = subprocess.PIPE
    with subprocess.Popen([*SSCARD, *words], stdin=pipe, stdout=pipe, text=True, bufsize=1) as process:  # noqa: S603
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("0020000003123456\n")
        assert process.stdout.readline()
        process.kill()
    text = file.read_text(encoding="utf-8")
    assert "VERIFY (PIN of 3 bytes)" in text
    assert "123456" not in text.replace(" ", "")


NOHUP = "import os, signal, sys; signal.signal(signal.SIGHUP, signal.SIG_IGN); os.execv(sys.executable, sys.argv[1:])"


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system does not show ignored signals")
def test_a_server_under_nohup_ignores_the_end_of_its_terminal(places: dict[str, object]) -> None:
    server = [*SSCARD, *shlex.split("hsm serve --port 0 --token-file {token}".format(**places))]
    with running(*server, program=(sys.executable, "-c", NOHUP)) as program:
        program.line_with("HSM at")
        status = Path(f"/proc/{program.process.pid}/status").read_text(encoding="ascii")
        ignored = int(status.partition("SigIgn:")[2].split()[0], 16)
        assert ignored & 1 << (signal.SIGHUP - 1)
        assert program.end()[0] == 0
