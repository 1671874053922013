"""The errors of a refusal: their text, and what a subclass and a pickle of them keep."""

from __future__ import annotations

import pickle

import pytest

from sscard.i18n.language import CHINESE, speaking
from sscard.i18n.phrase import Phrase
from sscard.terminal.errors import ApduError, AuthenticationFailed, PinBlocked, WrongPin, pin_error
from sscard.terminal.psam import PsamError


def test_error_names_operation_and_status_word() -> None:
    error = ApduError("verify PIN", 0x63C2, b"\x01")
    assert str(error) == "verify PIN: 63C2 verification failed, 2 tries left"
    assert (error.operation, error.sw, error.data) == ("verify PIN", 0x63C2, b"\x01")


def test_an_error_made_in_english_is_shown_in_chinese() -> None:
    error = PinBlocked(Phrase("verify PIN"), 0x6983)
    assert str(error) == "verify PIN: 6983 PIN or key blocked"
    with speaking(CHINESE):
        assert str(error) == "校验密码: 6983 认证方法锁定"


class LastTry(WrongPin):
    """As a program that uses the terminal may define one."""

    def __init__(self, operation: str, sw: int, window: str = "") -> None:
        super().__init__(operation, sw)
        self.window = window


@pytest.mark.parametrize(
    "error",
    [
        ApduError("select", 0x6A82, b"\x01"),
        ApduError(Phrase("verify PIN"), 0x6A82),
        pin_error("verify PIN", 0x63C1),
        PinBlocked("verify PIN", 0x6983),
        AuthenticationFailed("prove PUK", 0x63C2),
        LastTry("verify PIN", 0x63C1, "window 3"),
        PsamError(-30, Phrase("no PSAM in the terminal")),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_pickled_error_comes_back_whole(error: ApduError | PsamError) -> None:
    back = pickle.loads(pickle.dumps(error))  # noqa: S301 -- made here
    assert type(back) is type(error)
    assert str(back) == str(error)
    assert vars(back) == vars(error)


def test_a_subclass_is_caught_as_what_it_is() -> None:
    with pytest.raises(WrongPin) as caught:
        raise LastTry("verify PIN", 0x63C1, "window 3")
    assert caught.value.tries_left == 1
