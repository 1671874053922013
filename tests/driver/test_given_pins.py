"""PINs as parameters, without pad and prompts (driver-api.md §3.1), and the two forms of Step3."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

import kit
from kit.counter import ALL, CARD, Counter, ok
from kit.native import Line, Service, serving
from kit.waiting import in_thread, until
from sscard.driver.api import FUNCTIONS, SSCardDriver
from sscard.driver.server import serve_driver
from sscard.issuer import find_place

RESPONSE = "GET RESPONSE"


@pytest.fixture(params=ALL)
def counter(request: pytest.FixtureRequest) -> Iterator[Counter]:
    made = Counter(request.param)
    yield made
    assert made.pad.prompts == []


def names(counter: Counter) -> list[str]:
    return [name for name in counter.sent() if not name.startswith(RESPONSE)]


def test_verify_sends_select_and_verify_only_and_the_card_stays_powered(counter: Counter) -> None:
    assert counter.driver.iVerifyPIN(1, kit.PIN) == (0, "")
    assert [name.split()[0] for name in names(counter)] == ["SELECT", "VERIFY"]
    assert counter.chip.snapshot().powered
    assert counter.driver.iVerifyPIN(1, "654321") == (-51, "密码错误，剩余5次")
    assert counter.chip.snapshot().powered
    counter.pad.script(kit.PIN)
    assert counter.driver.iVerifyPIN(1) == (0, "")
    assert not counter.chip.snapshot().powered
    counter.pad.prompts.clear()


def test_close_powers_the_card_off(counter: Counter) -> None:
    ok(counter.driver.iVerifyPIN(1, kit.PIN))
    counter.driver.close()
    assert not counter.chip.snapshot().powered


def test_change_is_one_command(counter: Counter) -> None:
    ok(counter.driver.iChangePIN(1, kit.PIN, "24681357"))
    assert names(counter)[-1] == "CHANGE PIN"
    assert "VERIFY" not in names(counter)
    assert counter.has_pin("24681357")
    assert counter.driver.iChangePIN(1, "000000", "1234")[0] == -51


def test_an_empty_pin_is_left_out_of_a_change(counter: Counter) -> None:
    bare = Counter(counter.personality, pin="")
    ok(bare.driver.iChangePIN(1, "", "1234"))
    assert bare.has_pin("1234")


def test_an_odd_number_of_digits_has_the_programs_own_f(counter: Counter) -> None:
    ok(counter.driver.iChangePIN(1, kit.PIN, "1234567F"))
    assert counter.has_pin("1234567")
    assert counter.driver.iVerifyPIN(1, "1234567f") == (0, "")


@pytest.mark.parametrize(
    ("pin", "code"),
    [
        ("", -33),
        ("12", -33),
        ("123F", -33),
        ("12345", -33),
        ("12345678901234567F", -33),
        ("1234FF", -41),
        ("12345x", -41),
        ("１２３４", -41),
    ],
)
def test_a_pin_of_another_form_costs_no_try(counter: Counter, pin: str, code: int) -> None:
    assert counter.driver.iVerifyPIN(1, pin)[0] == code
    ok(counter.driver.iReloadPIN_HSM_Step1(1, CARD))
    key = "0" * 32
    assert counter.driver.iChangePIN(1, kit.PIN, pin or "1")[0] in (code, -33)
    assert counter.tries == 6
    assert counter.has_pin(kit.PIN)
    asked = ok(counter.driver.iReloadPIN_HSM_Step1(1, CARD))
    key = counter.host.authenticate(counter.basic, asked)
    assert counter.driver.iReloadPIN_HSM_Step2(key, pin)[0] == code
    assert counter.has_pin(kit.PIN)


@pytest.mark.parametrize("pin", ["1234", "1234567F", "12345678901234"])
@pytest.mark.parametrize("cut", [0, 10])
def test_a_reset_with_the_new_pin_in_field_5_as_given(counter: Counter, pin: str, cut: int) -> None:
    """pKey of Step3 is 34 or 50 digits with the header, 24 or 40 without."""
    counter.block_pin()
    asked = ok(counter.driver.iReloadPIN_HSM_Step1(1, CARD))
    asked = ok(counter.driver.iReloadPIN_HSM_Step2(counter.host.authenticate(counter.basic, asked), pin))
    assert asked.split("|")[4] == pin
    key = counter.host.safe_message(counter.basic, asked)
    assert len(key) == (50 if counter.algorithm == "03" else 34)
    ok(counter.driver.iReloadPIN_HSM_Step3(key[cut:]))
    assert counter.has_pin(pin.removesuffix("F"))
    assert counter.tries == 6
    counter.pad.prompts.clear()


@pytest.mark.parametrize("cut", [2, 8, 12])
def test_a_key_of_step_3_of_any_other_length_is_refused(counter: Counter, cut: int) -> None:
    key = counter.reset_up_to_step_2()
    counter.pad.prompts.clear()
    assert counter.driver.iReloadPIN_HSM_Step3(key[cut:])[0] == -42
    assert counter.has_pin(kit.PIN)


def test_an_unblock_has_the_header_always(counter: Counter) -> None:
    """iUnblockPIN does not exist in the form without header."""
    asked = ok(counter.driver.iUnblockPIN_HSM_Step1(1, CARD))
    asked = ok(counter.driver.iUnblockPIN_HSM_Step2(counter.host.authenticate(counter.basic, asked)))
    key = counter.host.safe_message(counter.basic, asked)
    assert counter.driver.iUnblockPIN_HSM_Step3(key[10:])[0] == -42


def test_the_initial_pin_is_refused_as_at_the_pad() -> None:
    counter = Counter(pin="777777", place=find_place("tries-3"))
    assert counter.driver.iChangePIN(1, "777777", "123456")[0] == -36
    asked = ok(counter.driver.iReloadPIN_HSM_Step1(1, CARD))
    assert counter.driver.iReloadPIN_HSM_Step2(counter.host.authenticate(counter.basic, asked), "123456")[0] == -36
    assert counter.has_pin("777777")


def test_help_shows_parameters_and_result() -> None:
    shown = {name: str(inspect.signature(getattr(SSCardDriver, name))) for name in FUNCTIONS}
    assert all(signature.endswith(" -> tuple[int, str]") for signature in shown.values())
    assert shown["iVerifyPIN"].startswith("(self, iType: 'int', pin: 'str | None' = None)")


# Over the line protocol


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with serving(str(tmp_path / "driver")) as served:
        yield served


def test_the_server_takes_the_pins_after_the_parameters(service: Service) -> None:
    with Line(service.place) as line:
        assert line.call("iVerifyPIN", "3", "123456") == (0, "")
        assert line.call("iChangePIN", "3", "123456", "654321") == (0, "")
        assert line.call("iVerifyPIN", "3", "123456") == (-51, "密码错误，剩余5次")
        assert line.call("iChangePIN", "3", "123456")[0] == -14, "one PIN of two"
    assert service.pad.prompts == []
    assert service.functions == ["iVerifyPIN 0", "iChangePIN 0", "iVerifyPIN -51", "iChangePIN -14"]


def test_the_card_stays_powered_until_the_connection_ends(counter: Counter, tmp_path: Path) -> None:
    server = serve_driver(counter.driver, str(tmp_path / "driver"))
    with server, in_thread(lambda: server.serve_forever(0.01), server.shutdown):
        with Line(server.place) as line:
            assert line.call("iVerifyPIN", "1", kit.PIN) == (0, "")
            assert counter.chip.snapshot().powered
        assert until(lambda: not counter.chip.snapshot().powered)


def test_the_end_of_a_connection_that_called_nothing_or_earlier_leaves_the_card_powered(
    counter: Counter, tmp_path: Path
) -> None:
    server = serve_driver(counter.driver, str(tmp_path / "driver"))
    with server, in_thread(lambda: server.serve_forever(0.01), server.shutdown), Line(server.place) as line:
        with Line(server.place), Line(server.place) as earlier:
            assert earlier.call("iVerifyPIN", "1", "000000")[0] == -51
            assert line.call("iVerifyPIN", "1", kit.PIN) == (0, "")
        assert until(lambda: len(server.connections) == 1)
        assert counter.chip.snapshot().powered
        assert counter.chip.snapshot().pin_verified
