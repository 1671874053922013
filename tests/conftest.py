"""Fixtures of all tests, made of what is in ``kit``."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from hypothesis import settings

import kit
from kit.programs import CommandLine
from sscard.card import Personality
from sscard.cli.main import COLLECTED
from sscard.i18n.language import choose_language
from sscard.issuer import Card, preset
from sscard.scenario import Scenario, builtin_scenarios
from sscard.standard.cipher import SM4

os.environ["LANGUAGE"] = "en"  # for the programs that tests start, whatever the machine speaks

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell starts background jobs so, and programs inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)
for name in ("SIGHUP", "SIGQUIT"):  # nohup and such a shell
    if hasattr(signal, name) and signal.getsignal(getattr(signal, name)) is signal.SIG_IGN:
        signal.signal(getattr(signal, name), signal.SIG_DFL)

# The cipher library and the YAML parser in C know their classes from the first import, and pytester forgets what its
# tests import.
SM4.key(bytes(16))
yaml.safe_load("")

# As the command does: the objects of imports and of the suite stay, and looking through them is a tenth of the time.
gc.set_threshold(COLLECTED, *gc.get_threshold()[1:])

settings.register_profile("sscard", deadline=None)
settings.load_profile("sscard")


def pytest_collection_finish() -> None:
    """Exclude what was collected from garbage collection, which pytester does after each run that it starts here."""
    gc.freeze()


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    """Every test begins in English."""
    choose_language("en")
    yield
    choose_language("en")


@pytest.fixture(params=kit.PERSONALITIES)
def personality(request: pytest.FixtureRequest) -> Personality:
    """Each of the two personalities in turn."""
    return preset(request.param)


@pytest.fixture
def sm4() -> Personality:
    return preset("v3-sm4")


@pytest.fixture
def des() -> Personality:
    return preset("v2-3des")


@pytest.fixture
def card_of() -> Callable[..., Card]:
    """``card_of(personality or its name, pin="123456")``."""
    return kit.card_of


@pytest.fixture
def desk(personality: Personality) -> kit.Desk:
    """A powered contactless card of each personality, and the keys to talk to it."""
    return kit.Desk(personality)


@pytest.fixture
def desk_of() -> Callable[..., kit.Desk]:
    """``desk_of(personality or its name, pin="123456", contact=False, seed=1)``."""
    return kit.Desk


@pytest.fixture(scope="session")
def scenarios() -> list[Scenario]:
    """The built-in suite, which takes seconds to read."""
    return builtin_scenarios()


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache folder of the test, in which no earlier run has left what failed."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def sscard(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """``sscard("run", folder, stdin="")``: the command line in this process, on a wide terminal."""
    monkeypatch.setenv("COLUMNS", "200")
    return CommandLine(capsys, monkeypatch)
