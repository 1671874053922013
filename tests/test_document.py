"""Files a person writes: what no file may do to the program that reads it."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import yaml

from kit.programs import run
from sscard import document
from sscard.document import MOST_NODES, parse_document, read_document
from sscard.errors import InputError
from sscard.files import LARGEST


@pytest.fixture(params=["libyaml", "pure"])
def loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "pure":
        monkeypatch.setattr(document, "_Loader", yaml.SafeLoader)
    elif not yaml.__with_libyaml__:
        pytest.skip("PyYAML without libyaml")


LAUGHS = "\n".join(
    ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    + [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]" for level in range(1, 11)]
)
"""Nine to the power of ten words, from ten lines."""


@pytest.mark.usefixtures("loader")
def test_aliases_of_aliases_are_refused_at_the_alias_that_is_too_much() -> None:
    with pytest.raises(InputError, match="alias 'a4': at most 100000 values expected") as refused:
        parse_document(LAUGHS, "bomb.yaml")
    # a0 to a4 have 10, 91, 820, 7,381 and 66,430 nodes; the next alias of a4 is too much.
    assert (refused.value.file, refused.value.line, refused.value.column) == ("bomb.yaml", 6, 10)
    assert "fewer aliases" in str(refused.value)


def test_a_file_of_aliases_is_counted_and_not_expanded(tmp_path: Path) -> None:
    """In 64 MiB beside the program, where the expansion of ten lines would end in MemoryError."""
    resource = pytest.importorskip("resource")
    if not hasattr(resource, "RLIMIT_AS") or not Path("/proc/self/statm").exists():
        pytest.skip("no limit of the address space on this system")
    bomb = tmp_path / "bomb.yaml"
    bomb.write_text(LAUGHS, encoding="utf-8")
    ended = run("-c", LIMITED, bomb, program=(sys.executable,))
    assert ended.stdout.startswith(f"{bomb}:6:10: alias 'a4'"), ended.stderr


LIMITED = """\
import pathlib, resource, sys
from sscard.document import read_document
from sscard.errors import InputError
used = int(pathlib.Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (64 << 20),) * 2)
try:
    read_document(pathlib.Path(sys.argv[1]))
except InputError as error:
    print(error)
"""


def test_values_without_an_alias_are_counted_too() -> None:
    assert len(parse_document("- x\n" * (MOST_NODES - 1), "x").content) == MOST_NODES - 1
    with pytest.raises(InputError, match="document: at most 100000 values expected") as refused:
        parse_document("- x\n" * MOST_NODES, "long.yaml")
    assert (refused.value.line, refused.value.column) == (MOST_NODES, 3)
    assert "several files" in str(refused.value)


def test_as_many_aliases_as_a_person_writes_are_read() -> None:
    many = MOST_NODES // 4
    text = "base: &base {a: b}\nlist:\n" + "- *base\n" * many
    assert parse_document(text, "x").content["list"] == [{"a": "b"}] * many


MERGED = """\
base: &base {pin: "1", tries: 3}
other: &other {tries: 4, name: x}
one: {<<: *base, pin: "2"}
two:
  <<: [*base, *other]
  pin: "3"
quoted: {"<<": plain}
"""


@pytest.mark.usefixtures("loader")
def test_merge_keys_take_the_fields_of_a_mapping() -> None:
    read = parse_document(MERGED, "x")
    assert read.content["one"] == {"pin": "2", "tries": "3"}
    assert read.content["two"] == {"pin": "3", "tries": "3", "name": "x"}
    assert read.content["quoted"] == {"<<": "plain"}
    assert read.place(("two", "pin")) == (6, 3)
    assert read.place(("two", "tries")) == (1, 24)


@pytest.mark.usefixtures("loader")
@pytest.mark.parametrize("value", ["word", "[word]", "[[a]]"])
def test_a_merge_key_of_anything_else_is_refused(value: str) -> None:
    with pytest.raises(InputError, match="the merge key << takes fields") as refused:
        parse_document(f"a:\n  <<: {value}\n", "x.yaml")
    assert (refused.value.line, refused.value.column) == (2, 3)


@pytest.mark.usefixtures("loader")
@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("[" * 900 + "]" * 900, (1, 101), "document: nested too deeply, at most 100 levels expected"),
        ("[" * 101 + "]" * 101, (1, 101), "document: nested too deeply"),
        ("a: &a [*a]", (1, 8), "alias 'a': refers to itself"),
        ("a: &a {b: *a}", (1, 11), "alias 'a': refers to itself"),
        (
            "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 101)),
            (100, 12),
            "alias 'a98': nested too deeply",
        ),
    ],
    ids=["many brackets", "brackets", "a list in itself", "fields in themselves", "aliases of aliases"],
)
def test_what_is_nested_without_end_is_refused(text: str, place: tuple[int, int], says: str) -> None:
    with pytest.raises(InputError, match=re.escape(says)) as refused:
        parse_document(text, "deep.yaml")
    assert (refused.value.line, refused.value.column) == place
    assert parse_document("[" * 100 + "]" * 100, "x").content


@pytest.mark.usefixtures("loader")
def test_brackets_that_nothing_closes_are_refused() -> None:
    with pytest.raises(InputError, match="document: nested too deeply, at most 100 levels expected"):
        parse_document("[" * 3000, "deep.yaml")


def test_an_alias_that_may_be_a_key_is_not_repeated() -> None:
    anchor = "00112233445566778899AABBCCDDEEFF"
    with pytest.raises(InputError, match="refers to itself") as refused:
        parse_document(f"a: &{anchor} [*{anchor}]", "x")
    assert anchor not in str(refused.value)


@pytest.mark.parametrize("name", ["big.yaml", "/dev/zero"])
def test_a_file_that_is_too_large_is_refused(name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    if not file.exists():
        with file.open("wb") as big:
            big.truncate(LARGEST + 1)
    with pytest.raises(InputError, match="larger than 16 MiB") as refused:
        read_document(file)
    assert refused.value.file == str(file)


WRONG = {
    "an alias without an anchor": ("a: b\nc: *nope", (2, 4), "alias 'nope': there is no anchor of this name"),
    "a second document": ("a: b\n---\nc: d", (2, 1), "not valid YAML: a second document in the file"),
    "a tab": ("a:\n\t- b", (2, 1), "not valid YAML: a tab, indent with spaces"),
    "line ends of other kinds": ("a\x85b\u2028c: [", (3, 2), "not valid YAML"),
    "a control character": ("a: b\nc: d\x00e", (2, 5), "not valid YAML: a control character"),
    "a list as a key": ("[a]: b", (1, 1), "a key must be a word\n  expected fields, for example name: value"),
    "nothing": ("# comment", (1, 1), "is empty\n  expected fields, for example name: value"),
}


@pytest.mark.usefixtures("loader")
@pytest.mark.parametrize("case", WRONG)
def test_what_is_no_document_is_named_with_its_place(case: str) -> None:
    text, place, says = WRONG[case]
    with pytest.raises(InputError, match=re.escape(says)) as refused:
        parse_document(text, "x.yaml")
    assert (refused.value.line, refused.value.column) == place


def test_text_in_another_encoding_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes(b"a: b\nc: \xe9")
    with pytest.raises(InputError, match=re.escape("latin.yaml:2:4: is not UTF-8 text (byte 8)")) as refused:
        read_document(path)
    assert str(refused.value).endswith("save it as UTF-8")
