"""Files a person writes: what no file may do to the program that reads it."""

from __future__ import annotations

import pytest
import yaml

from sscard import document
from sscard.document import MOST_REPEATED, parse_document
from sscard.errors import InputError


@pytest.fixture(params=["libyaml", "pure"])
def loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "pure":
        monkeypatch.setattr(document, "_Loader", yaml.SafeLoader)
    elif not yaml.__with_libyaml__:
        pytest.skip("PyYAML without libyaml")


def test_aliases_of_aliases_do_not_fill_the_memory() -> None:
    """Nine to the power of ten words, from ten lines."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]" for level in range(1, 11)]
    with pytest.raises(InputError, match="aliases repeat more than 10000 parts of the document") as refused:
        parse_document("\n".join(lines), "bomb.yaml")
    assert (refused.value.file, refused.value.line) == ("bomb.yaml", 1)
    assert refused.value.remedy


def test_as_many_aliases_as_a_person_writes_are_read() -> None:
    many = MOST_REPEATED // 2
    text = "base: &base {a: b}\nlist:\n" + "- *base\n" * many
    assert parse_document(text, "x").content["list"] == [{"a": "b"}] * many
    assert len(parse_document("- x\n" * (2 * MOST_REPEATED), "x").content) == 2 * MOST_REPEATED


@pytest.mark.usefixtures("loader")
@pytest.mark.parametrize("text", ["[" * 3000, "[" * 900 + "]" * 900, "a: &a [*a]", "a: &a {b: *a}"])
def test_what_is_nested_without_end_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"refers to itself, or is nested too deeply|aliases repeat"):
        parse_document(text, "deep.yaml")
