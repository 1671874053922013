"""The public API: what ``import sscard`` gives a Python program."""

from __future__ import annotations

import ast
import inspect
import os
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path
from random import Random
from typing import Any, TypeGuard

import pytest

import sscard as api
from kit.programs import CommandLine
from kit.waiting import PATIENCE
from sscard.issuer import preset

EXAMPLE = """\
from sscard import CardSession, SoftHsm, issue_card

card = issue_card(pin="123456")
session = CardSession.start(card.chip(), SoftHsm())
session.verify_pin("123456")
"""
PROBE = "import sys; import sscard; print(*sorted(name for name in sys.modules if name.startswith('sscard')))"


def python(*arguments: str) -> str:
    command = [sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE).stdout  # noqa: S603


def started() -> api.CardSession:
    return api.CardSession.start(api.issue_card(seed=1).chip(Random(1)), api.SoftHsm())


def test_a_pin_is_verified_in_at_most_six_lines() -> None:
    assert len(EXAMPLE.splitlines()) <= 6
    assert EXAMPLE in (api.__doc__ or "").replace("\n    ", "\n"), "the example is the one of the docstring"
    python("-c", EXAMPLE)


def test_importing_it_imports_nothing_of_the_package_but_the_version() -> None:
    assert python("-c", PROBE).split() == ["sscard", "sscard.lazy", "sscard.version"]


def _for_type_checkers(node: ast.stmt) -> TypeGuard[ast.If]:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


@pytest.mark.parametrize("package", ["", "hsm", "issuer", "scenario", "terminal", "transport"])
def test_names_on_use_are_those_that_type_checkers_see(package: str) -> None:
    path = Path(inspect.getfile(api)).parent / package / "__init__.py"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    (typed,) = [node for node in tree.body if _for_type_checkers(node)]
    imported = {
        alias.name: node.module for node in typed.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    (table,) = [node for part in typed.orelse for node in ast.walk(part) if isinstance(node, ast.Dict)]
    assert {name: home for home, names in ast.literal_eval(table).items() for name in names} == imported


def test_a_function_with_the_name_of_its_module_is_the_function() -> None:
    """The import system sets the name to the module when the module is imported, in whichever order."""
    for first in ("import sscard.issuer.personalise", "import sscard.issuer.places, sscard.issuer.cardfile"):
        python("-c", f"{first}; from sscard.issuer import personalise, places; places(), personalise.__code__")


def test_every_public_name_is_there_typed_and_documented() -> None:
    for name in api.__all__:
        found = getattr(api, name)
        assert isinstance(found, str) or inspect.getdoc(found), name
    (typed,) = [node for node in ast.parse(inspect.getsource(api)).body if _for_type_checkers(node)]
    for_checkers = {alias.name for node in typed.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert {*for_checkers, "__version__"} == set(api.__all__)
    assert set(api.__all__) <= set(dir(api))


def test_the_fixtures_are_documented_without_an_import_of_their_own() -> None:
    assert "social_card" in python("-c", "import sscard; help(sscard.testing)")


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'issue_crad'"):
        _ = api.issue_crad  # type: ignore[attr-defined]


def test_python_m_is_the_command_line() -> None:
    chip = "compiled" if "SSCARD_COMPILED" in os.environ else "plain Python"
    assert python("-m", "sscard", "--version") == f"sscard {api.__version__} ({chip} chip)\n"


def test_an_issued_card_is_that_of_the_command_line(sscard: CommandLine, tmp_path: Path) -> None:
    by_command, by_call = tmp_path / "command.db", tmp_path / "call.db"
    options = ("--seed", "7", "--personality", "v2-3des", "--place", "tries-3", "--city", "110100", "--name", "李四")
    assert sscard("issue", "-o", by_command, *options)[0] == 0
    card = api.issue_card(seed=7, personality="v2-3des", place="tries-3", city="110100", name="李四")
    api.save_card(card, by_call)
    assert by_call.read_bytes() == by_command.read_bytes()


def test_cards_of_one_random_differ_and_come_out_the_same_again() -> None:
    def numbers() -> list[bytes]:
        random = Random(1)
        return [api.issue_card(seed=random).profile.historical for _ in range(2)]

    first, second = numbers()
    assert first != second
    assert numbers() == [first, second]


CERTIFIED = replace(preset("v3-sm4"), certificate_application="stub")


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"city": "4104"}, "six digits"),
        ({"city": "41040０"}, "six digits"),  # a full-width digit
        ({"personality": "v9"}, "no personality 'v9'"),
        ({"place": "nowhere"}, "no place policy 'nowhere'"),
        ({"id_number": "410402198503150001"}, "not an identity number"),
        ({"number": 1.5, "seed": 1}, "number: 1.5 is not the number of a card in a series"),
        ({"number": "2", "seed": 1}, "number: '2' is not the number"),
        ({"number": True}, "number: True is not the number"),
        ({"number": 0}, "number: 0 is not the number"),
        ({"name": "A" * 63}, "does not fit"),
        ({"certificate_pin": "1234"}, "v3-sm4 has no certificate application"),
        ({"personality": CERTIFIED, "administrator_pin": ""}, "a PIN of the certificate application is empty"),
        ({"personality": replace(CERTIFIED, generation="2.0")}, "for cards of generation 3.0 only, this one is 2.0"),
    ],
)
def test_what_cannot_be_issued_is_an_input_error(wrong: dict[str, Any], named: str) -> None:
    with pytest.raises(api.InputError, match=named):
        api.issue_card(**wrong)


@pytest.mark.parametrize("pin", ["123", "1" * 17, "12a4"])
def test_a_pin_of_another_form_is_refused_without_repeating_it(pin: str) -> None:
    with pytest.raises(ValueError, match="a PIN has") as refused:
        api.issue_card(pin=pin)
    assert pin not in str(refused.value)
    with pytest.raises(ValueError, match="a PIN has") as refused:
        api.issue_card(personality=CERTIFIED, certificate_pin=pin)
    assert pin not in str(refused.value)


def test_what_is_given_is_on_the_card() -> None:
    card = api.issue_card(id_number="410402198503150009", name="张三", issued=date(2024, 2, 29), city="510100")
    basic = api.CardSession.start(card.chip(), api.SoftHsm()).read_basic()
    assert (basic.social_security_number, basic.name, basic.issued) == ("410402198503150009", "张三", "20240229")
    assert basic.identity.city_code == "510100"


def test_an_empty_pin_makes_a_card_without_pin() -> None:
    assert api.CardSession.start(api.issue_card(pin="").chip(), api.SoftHsm()).tries_left() is None


def test_the_domain_errors_are_raised() -> None:
    session = started()
    with pytest.raises(api.WrongPin) as refused:
        session.verify_pin("000000")
    assert refused.value.tries_left == 5
    while session.tries_left():
        with pytest.raises(api.WrongPin):
            session.verify_pin("000000")
    with pytest.raises(api.PinBlocked):
        session.verify_pin("123456")
    session.reset_pin("654321")
    session.verify_pin("654321")


def test_a_saved_card_is_opened_by_its_path_and_keeps_what_happened(tmp_path: Path) -> None:
    file = tmp_path / "card.db"
    api.save_card(api.issue_card(seed=1), str(file))
    for target in (file, str(file), f"image:{file}"):
        with api.open_card(target) as connection:
            before = api.CardSession.start(connection, api.SoftHsm()).tries_left()
            with pytest.raises(api.WrongPin):
                api.CardSession.start(connection, api.SoftHsm()).verify_pin("000000")
    assert before == 4


def test_scenarios_are_run_selected_and_moved_to_another_personality(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(
        "name: Own\nproves: A wrong PIN is refused.\nsteps:\n  - verify_pin: 999999\n", encoding="utf-8"
    )
    (failed,) = api.run_scenarios(tmp_path, personality="v2-3des")
    assert not failed.passed
    assert failed.scenario.personality.name == "v2-3des"
    built_in = api.run_scenarios(select="reset and puk-once", seed=3)
    assert built_in
    assert all(result.passed for result in built_in)
    with pytest.raises(api.InputError, match="no scenario fits -k 'no-such-word'"):
        api.run_scenarios(tmp_path, select="no-such-word")
