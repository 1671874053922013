"""The verbs of the medical account, of the PSAM and of files: what they compare and what they refuse."""

from __future__ import annotations

import pytest

from sscard.errors import InputError
from sscard.i18n.language import say
from sscard.scenario.steps import account
from sscard.transport.connection import exchange

HEAD = "name: a\nproves: b\nsteps:\n"
OPEN = "  - verify_pin: 123456\n    state: verified\n  - select: DF04\n"
LOADED = OPEN + "  - load: {amount: 10.00}\n"
RECORDS = """  - purchase: {account: 1.00, pin: 123456}
  - transaction_records:
      - {kind: purchase, count: 0, account: 1.00}
      - {kind: load, count: 0, account: 10.00, time: 20260105093000}
"""


def missed(result):
    """The fields of the unmet expectations."""
    return [one.field for one in result.failure.mismatches] if result.failure else []


@pytest.mark.parametrize(
    ("steps", "fields"),
    [
        (LOADED + "  - get_balance: {account: 10.00}", []),
        (LOADED + "  - get_balance: {account: 10.01}", ["account"]),
        (LOADED + "  - get_balance: {year: 0000, pool: 0.00}", []),
        (LOADED + "  - get_balance: {self_paid: 0.00}\n    capture: {of: year}", []),
        (LOADED + "  - get_balance: {account: 10.00}\n    capture: {of: year}", ["capture"]),
        (OPEN + "  - initialize_for_load: {amount: 1.00, balance: 1.00, count: 0}", ["balance"]),
        (OPEN + "  - credit_for_load: {}\n    sw: 6901", []),
        (OPEN + "  - initialize_for_load: {amount: 1.00}\n  - credit_for_load: {mac: wrong}\n    sw: 9302", []),
        (
            LOADED + "  - get_balance: {account: 10.00, year: 0000}\n    capture: {held: account, of: year}\n"
            "  - get_balance: {account: '${held}', year: '${of}'}",
            [],
        ),
        (LOADED + "  - get_transaction_proof: {kind: load, count: 0}", []),
        (LOADED + "  - get_transaction_proof: {kind: load, count: 1}\n    sw: 9406", []),
        (OPEN + "  - get_starting_day: 0101", []),
        (OPEN + "  - get_starting_day: 0401", ["day"]),
        (OPEN + "  - update_starting_day: 0401\n    sw: 6982", []),
        (LOADED + RECORDS, []),
        (LOADED + RECORDS.replace("10.00", "9.00"), ["transaction_records"]),
        (LOADED + "  - purchase: {account: 10.01}\n    sw: 9401", []),
        ("  - purchase: {self_paid: 1.00}\n    sw: 6982", []),
        (OPEN + "  - psam: {missing: DPK}\n  - purchase: {self_paid: 1.00}\n    psam_code: -27272", []),
        (OPEN + "  - psam: {foreign: DPK}\n  - purchase: {self_paid: 1.00}\n    sw: 9302", []),
        (OPEN + "  - psam: {level: none}\n  - purchase: {self_paid: 1.00}\n    psam_code: -2201", []),
        (OPEN + "  - psam: {level: none}\n  - psam_apdu: 00 84 00 00 08", ["psam_apdu"]),
        ("  - psam_apdu: 00 B0 96 00 06\n    data: 41 04 02 00 00 01", []),
        ("  - psam_apdu: 00 84 00 00 09\n    sw: 6700", []),
        ("  - psam_apdu: 00 84 00 00 08\n  - psam: {level: city}\n  - psam_apdu: 00 84 00 00 08", []),
        ("  - check_genuine: hsm\n    state: challenge", []),
        ("  - psam: {foreign: IRK}\n  - check_genuine: psam\n    state: challenge", ["genuine"]),
        ("  - psam: {foreign: IRK}\n  - check_genuine: psam\n    genuine: no\n    state: challenge", []),
        ("  - read_file: {file: SSSE EF05, items: [03], values: [3.00]}", []),
        ("  - read_file: {file: SSSE EF05, items: ['03', '07'], values: [3.00, '*']}", []),
        ("  - read_file: {file: SSSE EF05, items: [03], values: [2.00]}", ["values"]),
        ("  - read_file: {file: DF01 EF05, rights: none, items: [20]}\n    sw: 6982", []),
        ("  - read_file: {file: DF01 EF05, rights: pin, items: [20]}", ["read_file"]),
        (
            "  - fault: {removed: during, ins: B2}\n  - read_file: {file: SSSE EF05, items: [03]}\n    sw: none",
            [],
        ),
        ("  - fault: {removed: during, ins: '88'}\n  - check_genuine: hsm\n    sw: none", []),
        ("  - read_file: {file: DF09 EF05, items: [20]}", ["read_file"]),
        ("  - read_file: {file: SSSE EF05}", ["read_file"]),
        ("  - read_file: {file: DF02 EF07, items: [20], rights: none}", ["read_file"]),
        ("  - write_file: {file: DF01 EF05, items: [20], values: [12]}\n    state: UK1DF01", []),
        ("  - write_file: {file: DF01 EF05, items: [20], values: [123]}", ["write_file"]),
        ("  - write_file: {file: DF01 EF05, key: XY, items: [20], values: [1]}", ["write_file"]),
    ],
)
def test_a_step_compares_what_the_card_returned(run, steps, fields):
    assert missed(run(steps)) == fields


def test_the_year_of_both_totals_is_compared(run, monkeypatch):
    def answered(connection, apdu):
        data, sw = exchange(connection, apdu)
        return (data[:4] + b"\x20\x25", sw) if apdu[1] == 0x26 and apdu[3] == 2 else (data, sw)

    monkeypatch.setattr(account, "exchange", answered)
    [wrong] = run(LOADED + "  - get_balance: {year: 0000}").failure.mismatches
    assert (wrong.field, wrong.actual) == ("year", "2025 0000")


@pytest.mark.parametrize(
    ("steps", "column", "problem", "remedy"),
    [
        ("  - load: {amount: 1}\n", 12, "amount", "12.34"),
        ("  - load: {amount: 99999999.99}\n", 12, "amount", "12.34"),
        ("  - credit_for_load: {time: 2026-01-05}\n", 23, "time", "YYYYMMDDhhmmss"),
        ("  - get_starting_day: 4/1\n", 5, "day", "0401"),
        ("  - get_balance: {}\n", 5, "no amount is stated", "account, self_paid, pool, year"),
        ("  - get_transaction_proof: {kind: cash, count: 0}\n", 29, "'load'", ""),
        ("  - initialize_for_load: {amount: 1.00, terminal: 12}\n", 41, "terminal", ""),
        ("  - psam: {level: world}\n", 12, "level", ""),
        ("  - psam: {missing: [PUKK]}\n", 12, "PUKK", "PUK"),
        ("  - psam: {terminal_number: 12}\n", 12, "terminal_number", ""),
        ("  - read_file: {file: EF05}\n", 17, "not a file", "DF01 EF05"),
        ("  - check_genuine: me\n", 5, "'hsm'", ""),
    ],
)
def test_what_a_file_may_not_state(read, steps, column, problem, remedy):
    with pytest.raises(InputError) as caught:
        read(HEAD + steps)
    error = caught.value
    assert (error.line, error.column) == (4, column), say(error.problem)
    assert problem in say(error.problem)
    assert remedy in say(error.remedy)
