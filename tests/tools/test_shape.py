"""The check of the package's shape finds each fault in a small tree, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

import shape

Tree = Callable[..., list[shape.Module]]

RUN = """\
total = 0
for row in rows:
    if row.open:
        total += row.amount
    else:
        total -= row.amount
"""


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """``tree(a="source", b="source")`` writes the files a.py and b.py and reads them as modules."""

    def written(**sources: str) -> list[shape.Module]:
        for name, source in sources.items():
            (tmp_path / f"{name}.py").write_text(dedent(source), "utf-8")
        return shape.read_tree(tmp_path)

    return written


def called_once(modules: list[shape.Module]) -> list[str]:
    """Module and name of each helper called once."""
    functions = shape.read_functions(modules)
    return [f"{f.module.path.stem}.{f.node.name}" for f in functions if f.is_helper_called_once()]


def function(body: str, name: str = "work", parameter: str = "rows") -> str:
    indented = "".join(f"    {line}\n" for line in body.splitlines())
    return f"def {name}({parameter}):\n{indented}"


# Helpers called once


def test_helper_called_once_is_found_with_its_line_and_its_call(tree: Tree, tmp_path: Path) -> None:
    modules = tree(a="def _part():\n    return 1\n\n\ndef whole():\n    return _part()\n")
    expected = [f"{tmp_path}/a.py:1: _part (to line 2) is called once, at {tmp_path}/a.py:6"]
    assert shape.helpers_called_once(shape.read_functions(modules)) == expected


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("def _part(): ...\n_part()\n_part()", id="called twice"),
        pytest.param("def _part(): ...\n_part()\nROWS = {1: _part}", id="called and in a table"),
        pytest.param("def _part(): _part()", id="called by itself only"),
        pytest.param("def part(): ...\npart()", id="public"),
        pytest.param("def __getattr__(name): ...\n__getattr__('x')", id="dunder"),
        pytest.param("def _row(): ...\nROWS = {1: _row}", id="row of a table"),
        pytest.param("class A:\n    def _row(self): ...\n    ROWS = {1: _row}", id="row of a table in a class"),
        pytest.param("def _rank(x): ...\nsorted([], key=_rank)", id="passed as key"),
        pytest.param("class A:\n    def run(self): Thread(target=self._serve)\n    def _serve(self): ...", id="target"),
        pytest.param("def _hex(x): ...\nHex = Annotated[str, AfterValidator(_hex)]", id="pydantic annotation"),
        pytest.param("class A(Model):\n    @field_validator('x')\n    def _valid(cls, x): ...", id="pydantic method"),
        pytest.param("@app.command('x')\ndef _run(): ...\n_run()", id="command"),
        pytest.param("@cache\ndef _read(): ...\n_read()", id="cached"),
        pytest.param(
            "class A:\n    @abstractmethod\n    def _do(self): ...\n    def do(self): self._do()", id="abstract"
        ),
        pytest.param("class A(Handler):\n    def do_POST(self): ...\n    def handle(self): ...", id="handler"),
        pytest.param("class A(Enum):\n    @classmethod\n    def _missing_(cls, value): ...", id="enum hook"),
    ],
)
def test_function_that_no_one_can_inline_is_not_counted(tree: Tree, source: str) -> None:
    assert called_once(tree(a=source)) == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        pytest.param("def _part(n): return _part(n - 1)\n_part(3)", "_part", id="recursive, called once from outside"),
        pytest.param("class A:\n    def _part(self): ...\n    def do(self): self._part()", "_part", id="method"),
        pytest.param(
            "class A:\n    @property\n    def _x(self): ...\n    def y(self): return self._x", "_x", id="property"
        ),
        pytest.param("@contextmanager\ndef _open(): yield\nwith _open(): ...", "_open", id="context manager"),
        pytest.param("def _mark(f): ...\n@_mark\ndef work(): ...", "_mark", id="decorator"),
        pytest.param("def work():\n    def _inner(): ...\n    _inner()", "_inner", id="nested"),
        pytest.param("async def _part(): ...\nasync def work(): await _part()", "_part", id="async"),
        pytest.param("def _part(): ...\n_part()\nx._part = x._part + 1", "_part", id="field of the same name"),
    ],
)
def test_helper_of_each_kind_is_counted(tree: Tree, source: str, found: str) -> None:
    assert called_once(tree(a=source)) == [f"a.{found}"]


def test_same_name_in_two_modules_is_two_helpers(tree: Tree) -> None:
    source = "def _part(): ...\n_part()\n"
    assert called_once(tree(a=source, b=source)) == ["a._part", "b._part"]


def test_same_name_in_two_classes_is_two_helpers(tree: Tree) -> None:
    method = "    def _part(self): ...\n    def do(self): self._part()\n"
    assert called_once(tree(a=f"class A:\n{method}class B:\n{method}")) == ["a._part", "a._part"]


def test_use_in_another_module_counts(tree: Tree) -> None:
    helper = "def _part(): ...\n_part()\n"
    assert called_once(tree(a=helper, b="from a import _part\n_part()\n")) == []
    assert called_once(tree(a=helper, b="import a\na._part()\n")) == []
    base = "class A:\n    def _part(self): ...\n    def do(self): self._part()\n"
    assert called_once(tree(a=base, b="class B(A):\n    def more(self): self._part()\n")) == []


# Module length


def test_module_over_the_limit_is_found(tree: Tree, tmp_path: Path) -> None:
    at_limit = function("\n".join(f"print({n})" for n in range(399)))
    modules = tree(a=at_limit, b=f"{at_limit}    print()\n")
    assert shape.long_modules(modules) == [f"{tmp_path}/b.py:401: the module has 401 lines, at most 400"]


ROWS = "\n".join(
    ["import x", "ROWS = (", *(f"    Row({n}, x.part, name='row' + str(-{n}))," for n in range(410)), ")\n"]
)


@pytest.mark.parametrize(
    ("source", "is_table"),
    [
        pytest.param(ROWS, True, id="calls with literals and names"),
        pytest.param(ROWS + "print()\n" * 100, True, id="80 %"),
        pytest.param(ROWS + "print()\n" * 110, False, id="less than 80 %"),
        pytest.param(ROWS.replace("x.part", "lambda: 0"), False, id="lambda"),
        pytest.param(ROWS.replace("x.part", "[n for n in x]"), False, id="comprehension"),
        pytest.param(ROWS.replace("x.part", "1 if x else 2"), False, id="condition"),
        pytest.param(function(ROWS), False, id="in a function"),
        pytest.param("print()\n" * 410, False, id="statements"),
        pytest.param("import x\n" * 410, False, id="imports only"),
    ],
)
def test_only_table_may_be_long(tree: Tree, source: str, is_table: bool) -> None:
    assert len(shape.long_modules(tree(a=source))) == (0 if is_table else 1)


# Repeated lines


def test_run_in_two_modules_is_found_with_both_places(tree: Tree, tmp_path: Path) -> None:
    modules = tree(a=function(RUN), b="'''Docstring.'''\n" + function(RUN, "other", "rows, more"))
    assert shape.repeated_runs(modules) == [f"{tmp_path}/b.py:3: 6 lines of logic repeat {tmp_path}/a.py:2"]


def test_run_in_one_module_is_found(tree: Tree, tmp_path: Path) -> None:
    modules = tree(a=function(RUN) + "\n\n" + function(f"{RUN}return total", "other"))
    assert shape.repeated_runs(modules) == [f"{tmp_path}/a.py:11: 6 lines of logic repeat {tmp_path}/a.py:2"]


def test_longer_run_is_one_finding_and_each_further_place_is_one_more(tree: Tree, tmp_path: Path) -> None:
    body = f"{RUN}return total\n"
    assert shape.repeated_runs(tree(a=function(body), b=function(body), c=function(RUN))) == [
        f"{tmp_path}/b.py:2: 7 lines of logic repeat {tmp_path}/a.py:2",
        f"{tmp_path}/c.py:2: 6 lines of logic repeat {tmp_path}/a.py:2",
    ]


def test_comments_layout_and_indentation_do_not_hide_a_run(tree: Tree, tmp_path: Path) -> None:
    hidden = RUN.replace("else:", "\n# the rest\nelse:  # closed")
    modules = tree(
        a=function(RUN), b=function("with lock:\n" + "".join(f"    {line}\n" for line in hidden.split("\n")))
    )
    assert shape.repeated_runs(modules) == [f"{tmp_path}/b.py:3: 6 lines of logic repeat {tmp_path}/a.py:2"]


def test_five_lines_are_no_run(tree: Tree) -> None:
    five = RUN.removeprefix("total = 0\n")
    assert shape.repeated_runs(tree(a=function(five), b=function(five))) == []


def test_same_line_again_and_again_repeats_only_beyond_itself(tree: Tree, tmp_path: Path) -> None:
    assert shape.repeated_runs(tree(a=function("step()\n" * 11))) == []
    modules = tree(a=function("step()\n" * 12))
    assert shape.repeated_runs(modules) == [f"{tmp_path}/a.py:8: 6 lines of logic repeat {tmp_path}/a.py:2"]


def test_run_does_not_continue_in_the_next_module(tree: Tree) -> None:
    start, end = function("one()\ntwo()\nthree()"), function("four()\nfive()\nsix()")
    assert len(shape.repeated_runs(tree(a=start + end, b=start + end))) == 1
    assert shape.repeated_runs(tree(a=start, b=end, c=start, d=end)) == []


@pytest.mark.parametrize(
    "shared",
    [
        pytest.param("\n".join(f"import part{n}" for n in range(7)), id="imports"),
        pytest.param(
            "from part import (\n" + "".join(f"    name{n},\n" for n in range(7)) + ")\n", id="wrapped import"
        ),
        pytest.param("ROWS = {\n" + "".join(f"    {n}: Row({n}),\n" for n in range(7)) + "}\n", id="table"),
        pytest.param("class A:\n" + "".join(f"    field{n}: int\n" for n in range(7)), id="fields"),
        pytest.param("class A:\n" + "".join(f"    FIELD{n} = Row({n})\n" for n in range(7)), id="constants of a class"),
        pytest.param(
            "def f(\n" + "".join(f"    part{n}: int,\n" for n in range(7)) + ") -> int: ...\n", id="signature"
        ),
        pytest.param("".join(f"@mark({n})\n" for n in range(7)) + "def f(): ...\n", id="decorators"),
        pytest.param("def f():\n    '''First\n" + "    line\n" * 7 + "    '''\n", id="docstring"),
        pytest.param("def f():\n    return " + "(\n" * 7 + "1\n" + ")\n" * 7, id="brackets"),
    ],
)
def test_lines_that_are_not_logic_may_repeat(tree: Tree, shared: str) -> None:
    assert shape.repeated_runs(tree(a=shared, b=shared)) == []


def test_arguments_of_a_call_and_data_in_a_function_are_logic(tree: Tree) -> None:
    call = function("return build(\n" + "".join(f"    part{n}=part{n},\n" for n in range(5)) + ")\n")
    data = function("\n".join(f"part{n} = {n}" for n in range(6)))
    assert len(shape.repeated_runs(tree(a=call, b=call, c=data, d=data))) == 2


# The program


def test_clean_tree_exits_0_and_prints_the_figures(
    tree: Tree, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tree(a="def _part(): ...\n_part()\n" + "def public(): ...\n" * 12)
    assert shape.main([str(tmp_path)]) == 0
    figures = (
        f"{tmp_path}: 1 of 13 functions (7.7%) are helpers called once, at most 8%; "
        "0 modules over 400 lines; 0 repeated runs of 6 or more lines\n"
    )
    assert capsys.readouterr().out == figures
    assert shape.main([str(tmp_path), "--list"]) == 0
    listed = f"{tmp_path}/a.py:1: _part (to line 1) is called once, at {tmp_path}/a.py:2\n"
    assert capsys.readouterr().out == listed + figures


def test_share_over_the_limit_exits_1(tree: Tree, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tree(a="def _part(): ...\n_part()\n" + "def public(): ...\n" * 11)
    assert shape.main([str(tmp_path)]) == 1
    first, figures = capsys.readouterr().out.splitlines()
    assert first == f"{tmp_path}:1: too many helpers are called once"
    assert figures.startswith(f"{tmp_path}: 1 of 12 functions (8.3%)")


@pytest.mark.parametrize(
    ("sources", "figure"),
    [
        ({"a": "".join(f"print({n})\n" for n in range(401))}, "1 modules over 400 lines; 0 repeated"),
        ({"a": function(RUN), "b": function(RUN)}, "0 modules over 400 lines; 1 repeated"),
    ],
)
def test_each_other_finding_exits_1(
    tree: Tree, tmp_path: Path, capsys: pytest.CaptureFixture[str], sources: dict[str, str], figure: str
) -> None:
    tree(**sources)
    assert shape.main([str(tmp_path)]) == 1
    assert figure in capsys.readouterr().out


def test_tree_without_python_file_exits_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_info:
        shape.main([str(tmp_path / "absent")])
    assert exit_info.value.code == 2
    assert "contains no Python file" in capsys.readouterr().err
