"""The pads: scripted, and at the terminal of the process (a pseudo-terminal here)."""

from __future__ import annotations

import os
import pty
from collections.abc import Iterator
from pathlib import Path

import pytest

from sscard.i18n.language import choose_language
from sscard.terminal import pinpad
from sscard.terminal.pinpad import EntryCancelled, EntryTimedOut, ScriptedPad, TerminalPad

LONG = 60.0


@pytest.fixture
def terminal() -> Iterator[tuple[int, Path]]:
    """The holder's end of a pseudo-terminal, and the path of the pad's end."""
    holder, pad = pty.openpty()
    yield holder, Path(os.ttyname(pad))
    os.close(holder)
    os.close(pad)


def typing(monkeypatch: pytest.MonkeyPatch, holder: int, line: bytes) -> None:
    """The holder types when the pad begins to wait: echo is off by then."""
    real = pinpad.select.select

    def wait(*arguments: object) -> object:
        os.write(holder, line)
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(pinpad.select, "select", wait)


def test_a_script_is_typed_in_turn() -> None:
    pad = ScriptedPad(["123456", EntryCancelled])
    assert pad.enter("请输入密码") == "123456"
    with pytest.raises(EntryCancelled):
        pad.enter("请输入密码")
    with pytest.raises(EntryTimedOut):
        pad.enter("请再次输入新密码")
    assert pad.prompts == ["请输入密码", "请输入密码", "请再次输入新密码"]


def test_a_script_keeps_its_pins_to_itself() -> None:
    assert repr(ScriptedPad(["48151623"])) == "<ScriptedPad, 1 entries left>"


def test_a_line_at_the_terminal(terminal: tuple[int, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    holder, path = terminal
    typing(monkeypatch, holder, b"123456\n")
    assert TerminalPad(LONG, path).enter("请输入密码") == "123456"
    shown = os.read(holder, 1024)
    assert b"Enter the PIN: " in shown
    assert b"123456" not in shown


@pytest.mark.parametrize("line", [b"\n", b"\x04"])
def test_an_empty_line_and_the_end_of_input_cancel(
    terminal: tuple[int, Path], monkeypatch: pytest.MonkeyPatch, line: bytes
) -> None:
    holder, path = terminal
    typing(monkeypatch, holder, line)
    with pytest.raises(EntryCancelled):
        TerminalPad(LONG, path).enter("请输入密码")


def test_nothing_typed_in_time(terminal: tuple[int, Path]) -> None:
    with pytest.raises(EntryTimedOut):
        TerminalPad(0.0, terminal[1]).enter("请输入密码")


@pytest.mark.parametrize("key", [KeyboardInterrupt, EOFError])
def test_without_a_timeout_getpass_asks(monkeypatch: pytest.MonkeyPatch, key: type[BaseException]) -> None:
    asked = []

    def getpass(prompt: str) -> str:
        asked.append(prompt)
        if len(asked) > 1:
            raise key
        return "123456"

    monkeypatch.setattr(pinpad, "getpass", getpass)
    assert TerminalPad().enter("请输入密码") == "123456"
    with pytest.raises(EntryCancelled):
        TerminalPad().enter("请输入密码")
    assert asked == ["Enter the PIN: ", "Enter the PIN: "]


def test_the_terminal_shows_the_standards_prompt_in_chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    choose_language("zh")
    asked = []
    monkeypatch.setattr(pinpad, "getpass", lambda prompt: asked.append(prompt) or "123456")
    TerminalPad().enter("请输入原密码")
    assert asked == ["请输入原密码: "]
