"""What goes wrong between and within the steps: the right code, the card unharmed, nothing half done."""

from __future__ import annotations

import logging
from functools import partial

import pytest

import kit
from kit.counter import ALL, CARD, PAY, Counter, foreign_keys, ok, psam_of
from sscard.chip.memory import Moment
from sscard.driver.hoststrings import CardHolderBase
from sscard.hsm import HsmError, SoftHsm
from sscard.issuer import builtin_keys
from sscard.terminal import CardSession, Identity, Standing, recover_reset
from sscard.transport.faults import Corrupted, Fault, Mute, Removal, Swap, Truncated

NEW = "654321"
IDENTITY = Identity(*CARD.split("|")[:2])


@pytest.fixture(params=[(name, contact) for name in ALL for contact in (True, False)], ids=str)
def counter(request: pytest.FixtureRequest) -> Counter:
    name, contact = request.param
    return Counter(name, contact=contact)


def other_card(counter: Counter) -> Counter:
    card = kit.card_of(counter.personality, serial=2, card_body="B0000001")
    return Counter(counter.personality, card=card, contact=counter.type == 1)


def test_another_card_between_the_first_two_steps(counter: Counter) -> None:
    other = other_card(counter)
    asked = ok(counter.driver.iReloadPIN_HSM_Step1(counter.type, CARD))
    counter.reader.remove()
    counter.reader.insert(other.chip)
    assert counter.driver.iReloadPIN_HSM_Step2(counter.host.authenticate(counter.basic, asked)) == (-2, "无卡")
    for each in (counter, other):
        assert each.unharmed()
        assert each.key_tries() == 3
    assert counter.reset() == (-22, "传入数据与卡内数据不符")
    assert other.unharmed()


def test_another_card_between_the_last_two_steps(counter: Counter) -> None:
    other = other_card(counter)
    message = counter.reset_up_to_step_2()
    counter.reader.arm(Swap(other.chip))
    assert counter.driver.iReloadPIN_HSM_Step3(message)[0] == -2
    for each in (counter, other):
        assert each.unharmed()
        assert each.key_tries() == 3


def test_a_reader_that_does_not_notice_another_card(counter: Counter) -> None:
    """Other than PC/SC the reader keeps silent: the other card has no power, and would know no challenge."""
    other = other_card(counter)
    asked = ok(counter.driver.iReloadPIN_HSM_Step1(counter.type, CARD))
    counter.reader.connection = other.chip
    assert counter.driver.iReloadPIN_HSM_Step2(counter.host.authenticate(counter.basic, asked))[0] == -3
    assert other.unharmed()


def test_a_card_pulled_after_step_2(counter: Counter) -> None:
    message = counter.reset_up_to_step_2()
    counter.reader.remove()
    assert counter.driver.iReloadPIN_HSM_Step3(message) == (-2, "无卡")
    assert counter.unharmed()
    counter.reader.insert()
    assert counter.driver.iReloadPIN_HSM_Step3(message)[0] == -12, "the group is over"
    assert counter.reset(NEW) == (0, "")
    assert counter.has_pin(NEW)


def test_a_challenge_of_an_earlier_session(counter: Counter) -> None:
    asked = ok(counter.driver.iReloadPIN_HSM_Step1(counter.type, CARD))
    stale = counter.host.authenticate(counter.basic, asked)
    ok(counter.driver.iReloadPIN_HSM_Step1(counter.type, CARD))
    assert counter.driver.iReloadPIN_HSM_Step2(stale)[0] == -25538
    assert counter.unharmed()
    assert counter.reset(NEW) == (0, "")
    assert counter.key_tries() == 3


def test_a_message_over_an_earlier_challenge(counter: Counter) -> None:
    stale = counter.reset_up_to_step_2()
    counter.reset_up_to_step_2()
    assert counter.driver.iReloadPIN_HSM_Step3(stale)[0] == -27016
    assert counter.unharmed()
    assert counter.key_tries() == 3


def test_a_challenge_that_another_program_took_the_place_of(counter: Counter) -> None:
    message = counter.reset_up_to_step_2()
    counter.chip.transmit(bytes.fromhex("0084000008"))
    assert counter.driver.iReloadPIN_HSM_Step3(message)[0] == -27016
    assert counter.unharmed()


@pytest.mark.parametrize(("key", "code"), [("PUK", -25538), ("STK", -27016)])
def test_an_hsm_with_another_root_key(counter: Counter, key: str, code: int) -> None:
    counter.host = CardHolderBase(SoftHsm(foreign_keys(key)))
    assert counter.reset()[0] == code
    assert counter.unharmed()


@pytest.mark.parametrize("key", ["IRK", "RKSSSE"])
def test_an_hsm_with_another_root_key_at_the_card_check(counter: Counter, key: str) -> None:
    counter.host = CardHolderBase(SoftHsm(foreign_keys(key)))
    asked = ok(counter.driver.iReadCardBas_HSM_Step1(counter.type))
    code, _ = counter.driver.iReadCardBas_HSM_Step2(counter.host.check_card(asked))
    behind_rksssse = -25538 if counter.generation == "3.0" else 0
    assert code == (-21 if key == "IRK" else behind_rksssse)
    assert counter.unharmed()


class SilentHsm(SoftHsm):
    """An HSM whose answers do not come."""

    def authentication_data(self, *_: object) -> bytes:  # type: ignore[override]
        raise TimeoutError("the HSM gave no answer in 30 s")


class DownHsm(SilentHsm):
    def authentication_data(self, *_: object) -> bytes:  # type: ignore[override]
        raise HsmError("the HSM is down")


@pytest.mark.parametrize("hsm", [SilentHsm, DownHsm])
def test_an_hsm_that_gives_no_answer(counter: Counter, hsm: type[SoftHsm]) -> None:
    """The application gives up; whatever it calls next, the group is over and the card is as before."""
    counter.host = CardHolderBase(hsm(builtin_keys()))
    asked = ok(counter.driver.iReloadPIN_HSM_Step1(counter.type, CARD))
    with pytest.raises((TimeoutError, HsmError)):
        counter.host.authenticate(counter.basic, asked)
    assert counter.driver.iReloadPIN_HSM_Step2("") == (-42, "操作数长度错")
    assert counter.unharmed()
    ok(counter.driver.iUnblockPIN_HSM_Step1(counter.type, CARD))
    counter.driver.close()
    assert counter.unharmed()
    assert counter.key_tries() == 3


FAULTS: list[tuple[Fault, int]] = [
    (Removal(Moment.BEFORE), -2),
    (Removal(Moment.DURING), -2),
    (Mute(), -4),
    (Truncated(1), -4),
]


@pytest.mark.parametrize(("fault", "code"), FAULTS, ids=str)
def test_any_command_of_a_reset_may_fail(counter: Counter, fault: Fault, code: int) -> None:
    """Whatever command it is: the code says so, the PIN is the old or the new one, with all its tries."""
    counter.reset(kit.PIN)
    commands = len(counter.sent())
    for nth in range(1, commands + 1):
        counter.reader.arm(fault, nth=nth)
        answered, _ = counter.reset(NEW)
        assert answered == code
        counter.reader.insert()
        assert not counter.chip.snapshot().powered
        assert counter.tries == 6
        assert counter.has_pin(NEW) or counter.has_pin(kit.PIN)
        assert counter.reset(kit.PIN) == (0, "")
        assert counter.unharmed()
        assert counter.key_tries() == 3


def test_a_corrupted_answer_does_no_harm(counter: Counter) -> None:
    counter.reset(kit.PIN)
    for nth in range(1, len(counter.sent()) + 1):
        counter.reader.arm(Corrupted(0, 0x01), nth=nth)
        counter.reset(NEW)
        counter.reader.disarm()
        counter.driver.close()
        assert counter.tries == 6
        assert counter.has_pin(NEW) or counter.has_pin(kit.PIN)
        assert counter.reset(kit.PIN) == (0, "")


@pytest.mark.parametrize("moment", list(Moment))
def test_a_card_pulled_over_the_last_step_and_put_back(counter: Counter, moment: Moment) -> None:
    """Power cut at every write point of the reset: the terminal finds out what the card did."""
    memory, seen = counter.card.memory, set()
    for point in range(8):
        message = counter.reset_up_to_step_2(NEW)
        interrupt = partial(memory.cut_power, point, moment)
        counter.reader.arm(Removal(Moment.DURING, interrupt))
        assert counter.driver.iReloadPIN_HSM_Step3(message)[0] == -2
        memory.cut_power(1 << 62)
        counter.reader.insert()
        session = CardSession.start(counter.chip, SoftHsm(builtin_keys()))
        found = session.run(recover_reset(session.card, IDENTITY, NEW))
        counter.chip.power_off()
        assert found.standing is (Standing.DONE if counter.has_pin(NEW) else Standing.NOT_DONE)
        assert counter.has_pin(NEW) or counter.has_pin(kit.PIN)
        seen.add(found.standing)
        assert counter.reset(kit.PIN) == (0, "")
    first_write_decides = {Standing.DONE} if moment is Moment.AFTER else {Standing.DONE, Standing.NOT_DONE}
    assert seen == first_write_decides


def test_a_change_pulled_at_any_write_point(counter: Counter) -> None:
    for point in range(8):
        counter.pad.script(kit.PIN, NEW, NEW)
        counter.reader.arm(Removal(Moment.DURING, partial(counter.card.memory.cut_power, point)), ins=0x5E)
        assert counter.driver.iChangePIN(counter.type)[0] == -2
        counter.card.memory.cut_power(1 << 62)
        counter.reader.insert()
        counter.chip.power_on()
        counter.chip.power_off()
        assert counter.has_pin(NEW) or counter.has_pin(kit.PIN)
        assert counter.reset(kit.PIN) == (0, "")


SECRET, SECRET_NEW = "48151623", "15926535"


def test_no_pin_in_any_text(counter: Counter, caplog: pytest.LogCaptureFixture) -> None:
    """Only field 5 of iReloadPIN_HSM_Step2 holds the new PIN: the sheet wants it there."""
    caplog.set_level(logging.DEBUG)
    spied = Counter(counter.personality, SECRET, psam=psam_of("province"))
    driver, texts = spied.driver, []
    spied.pad.script(SECRET, SECRET, SECRET_NEW, SECRET_NEW, "31415926", SECRET_NEW, "31415926", "1")
    texts += [driver.iVerifyPIN(1), driver.iChangePIN(1), driver.iVerifyPIN(1), driver.iChangePIN(1)]
    for call in (partial(driver.iReadCard, 1, 1, CARD, "DF01EF05|0E|$"), partial(driver.iDoDebit, 1, CARD, PAY)):
        spied.pad.script(SECRET_NEW)
        texts.append(call())
    spied.pad.script(SECRET, SECRET)
    asked = ok(driver.iReloadPIN_HSM_Step1(1, CARD))
    handed = ok(driver.iReloadPIN_HSM_Step2(spied.host.authenticate(spied.basic, asked)))
    assert handed.split("|")[4] == SECRET
    held = [driver, driver._steps, driver._terminal, driver._terminal.pins, spied.pad, spied.host, spied.wire]
    texts += [(0, repr(thing)) for thing in held]
    message = spied.host.safe_message(spied.basic, handed)
    texts.append(driver.iReloadPIN_HSM_Step3(message[:-1] + ("0" if message[-1] != "0" else "1")))
    texts += [(0, str(event)) for event in spied.wire.events]
    texts += [(0, asked), (0, caplog.text), (0, handed.replace(f"|{SECRET}|", "||"))]
    for _, text in texts:
        for secret in (SECRET, SECRET_NEW, "31415926"):
            assert secret not in text
