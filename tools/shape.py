"""Check the shape of a package tree: helpers called once, module length, repeated lines.

``python tools/shape.py [TREE] [--list]`` prints one line per finding as
``file:line: what``, then the three figures; ``--list`` adds the helpers that
are called once. TREE defaults to ``simulator/sscard``. Exits 1 if there are
findings, 0 if not, 2 if TREE contains no Python file.

**Helpers called once: at most 8 % of functions.** A helper is a function or
method whose name starts with one underscore (a dunder is not a helper). It is
called once if the tree has exactly one use of it outside its own definition,
and this use is a call, a decoration, or the access to a property. The share is
taken of all functions and methods, nested ones included. Not counted, because
inlining is not an option:

- a function that is passed or stored (a row of a table, ``key=``, the target of
  a thread, a pydantic ``AfterValidator``): its one use is not a call;
- a function that only a framework calls (``do_POST``, ``_missing_``): no use;
- a function with a decorator that registers or changes it (pydantic, click,
  ``cache``, ``abstractmethod``). ``property``, ``classmethod``,
  ``staticmethod`` and ``contextmanager`` make no such exception.

A use is matched by name in the narrowest scope that defines it: an attribute by
the class around it, then the methods of the module, then those of the tree; a
plain name by the functions of the module, then those of the tree. The same name
in two modules is therefore two helpers, and a field is not a use of a function
with its name. A use that fits several definitions of one scope counts for each.

**Module length: at most 400 lines, except tables.** All lines count. A table is
a module in which at least 80 % of the lines of its top-level statements
(docstrings and imports aside) are assignments of data: literals, names,
attributes and calls of them, without lambda, comprehension or condition.

**Repeated lines: no run of six or more lines of logic in two places**, in two
modules or in one. Lines are compared without indentation and comments. Not
logic, and skipped: blank lines, docstrings, ``...``, imports, ``global``, lone
brackets, decorators, signatures and class headers (implementations of one
protocol share them), declarations of fields, and assignments of data outside
functions. The arguments of a call in a function are logic: the same long call
in two places is a repetition. A run may continue past the end of a function.
"""

from __future__ import annotations

import argparse
import ast
import sys
import tokenize
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

HELPERS_AT_MOST = 0.08
LINES_AT_MOST = 400
TABLE_FROM = 0.8
RUN = 6
TRANSPARENT = {"property", "classmethod", "staticmethod", "contextmanager"}
BRACKETS = "()[]{},:"
DATA = (
    *(ast.Constant, ast.Tuple, ast.List, ast.Set, ast.Dict, ast.JoinedStr, ast.FormattedValue),
    *(ast.Name, ast.Attribute, ast.Subscript, ast.Slice, ast.Call, ast.keyword, ast.Starred),
    *(ast.BinOp, ast.UnaryOp, ast.operator, ast.unaryop, ast.expr_context),
)
Definition = ast.FunctionDef | ast.AsyncFunctionDef
Scope = tuple[ast.ClassDef | Definition, ...]


@dataclass(frozen=True)
class Module:
    """A source file: its lines and its syntax tree."""

    path: Path
    lines: list[str]
    tree: ast.Module


@dataclass(frozen=True)
class Use:
    """A name in a source; ``scope`` holds the classes and functions around it."""

    module: Module
    node: ast.Name | ast.Attribute
    scope: Scope
    called: bool

    @property
    def owner(self) -> ast.ClassDef | None:
        """The innermost class around it."""
        return next((node for node in reversed(self.scope) if isinstance(node, ast.ClassDef)), None)


@dataclass
class Function:
    """A definition and its uses outside itself; ``owner`` is the class of a method."""

    module: Module
    node: Definition
    owner: ast.ClassDef | None
    uses: list[Use] = field(default_factory=list)

    def fits(self, use: Use) -> bool:
        """Whether a use is written as this function is used: method as an attribute, function as a plain name."""
        if isinstance(use.node, ast.Name):
            return self.owner is None or use.scope[-1:] == (self.owner,)
        return self.owner is not None or ast.unparse(use.node.value) == self.module.path.stem

    def is_helper_called_once(self) -> bool:
        """Whether name and decorators make it a helper, and its only use is a call."""
        decorators = {ast.unparse(decorator).rpartition(".")[2] for decorator in self.node.decorator_list}
        private = self.node.name.startswith("_") and not self.node.name.startswith("__")
        if not private or decorators - TRANSPARENT or len(self.uses) != 1:
            return False
        return self.uses[0].called or "property" in decorators


def read_tree(root: Path) -> list[Module]:
    """Parse every Python file below a directory, in the order of their paths."""
    sources = ((path, path.read_text("utf-8")) for path in sorted(root.rglob("*.py")))
    return [
        Module(path, source.removesuffix("\n").split("\n") if source else [], ast.parse(source, str(path)))
        for path, source in sources
    ]


def scoped(node: ast.AST, scope: Scope = ()) -> Iterator[tuple[ast.AST, Scope]]:
    """Every node below a node, parents first, with the classes and functions around it, outermost first."""
    for child in ast.iter_child_nodes(node):
        yield child, scope
        yield from scoped(child, (*scope, child) if isinstance(child, ast.ClassDef | Definition) else scope)


def read_functions(modules: list[Module]) -> list[Function]:
    """Every function and method of the modules, with its uses."""
    functions: list[Function] = []
    uses: dict[str, list[Use]] = defaultdict(list)
    for module in modules:
        called: set[ast.AST] = set()
        for node, scope in scoped(module.tree):
            match node:
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    called.update(node.decorator_list)
                    owner = scope[-1] if scope and isinstance(scope[-1], ast.ClassDef) else None
                    functions.append(Function(module, node, owner))
                case ast.Call():
                    called.add(node.func)
                case ast.Name(name) | ast.Attribute(_, name):
                    uses[name].append(Use(module, node, scope, node in called))
    namesakes: dict[str, list[Function]] = defaultdict(list)
    for function in functions:
        namesakes[function.node.name].append(function)
    for name, same in namesakes.items():
        for use in uses[name]:
            for function in meant(use, same):
                if function.node not in use.scope:
                    function.uses.append(use)
    return functions


def meant(use: Use, namesakes: list[Function]) -> list[Function]:
    """The functions a use means: those in the narrowest scope that has any."""
    fitting = [function for function in namesakes if function.fits(use)]
    here = [function for function in fitting if function.module is use.module]
    return [function for function in here if function.owner and function.owner is use.owner] or here or fitting


def helpers_called_once(functions: list[Function]) -> list[str]:
    """The helpers called once, each with the place of its call."""
    return [
        f"{helper.module.path}:{helper.node.lineno}: {helper.node.name} (to line {helper.node.end_lineno}) "
        f"is called once, at {helper.uses[0].module.path}:{helper.uses[0].node.lineno}"
        for helper in functions
        if helper.is_helper_called_once()
    ]


def span(node: ast.stmt) -> range:
    """The numbers of the lines of a statement."""
    return range(node.lineno, (node.end_lineno or node.lineno) + 1)


def is_data(statement: ast.stmt) -> bool:
    """Whether a statement assigns data or declares a name."""
    if not isinstance(statement, ast.Assign | ast.AnnAssign):
        return False
    return statement.value is None or all(isinstance(node, DATA) for node in ast.walk(statement.value))


def is_table(module: Module) -> bool:
    """Whether most of a module is data, by the lines of its top-level statements."""
    total = data = 0
    for statement in module.tree.body:
        match statement:
            case ast.Import() | ast.ImportFrom() | ast.Expr(ast.Constant()):
                continue
        total += len(span(statement))
        data += len(span(statement)) if is_data(statement) else 0
    return 0 < TABLE_FROM * total <= data


def long_modules(modules: list[Module]) -> list[str]:
    """The modules over the limit that are not tables."""
    return [
        f"{module.path}:{LINES_AT_MOST + 1}: the module has {len(module.lines)} lines, at most {LINES_AT_MOST}"
        for module in modules
        if len(module.lines) > LINES_AT_MOST and not is_table(module)
    ]


def logic_of(module: Module) -> list[tuple[int, str]]:
    """The lines of logic of a module with their numbers, without indentation and comments."""
    lines = dict(enumerate(module.lines, 1))
    for token in tokenize.generate_tokens((f"{line}\n" for line in module.lines).__next__):
        if token.type == tokenize.COMMENT:
            lines[token.start[0]] = lines[token.start[0]][: token.start[1]]
    for node, scope in scoped(module.tree):
        match node:
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                first = min(part.lineno for part in (node, *node.decorator_list))
                skipped = range(first, max(node.lineno + 1, node.body[0].lineno))
            case ast.Import() | ast.ImportFrom() | ast.Global() | ast.Nonlocal() | ast.Expr(ast.Constant()):
                skipped = span(node)
            case ast.Assign() | ast.AnnAssign() if is_data(node) and not (scope and isinstance(scope[-1], Definition)):
                skipped = span(node)
            case _:
                continue
        for number in skipped:
            lines.pop(number, None)
    stripped = ((number, line.strip()) for number, line in lines.items())
    return [(number, line) for number, line in stripped if line.strip(BRACKETS)]


def repeated_runs(modules: list[Module]) -> list[str]:
    """The runs of lines of logic that stand at an earlier place too, with the first such place."""
    places: list[tuple[Module, int, str]] = []
    for module in modules:
        places += [(module, number, line) for number, line in logic_of(module)]
        places.append((module, 0, f"end of {module.path}\n"))  # equal to no line: no run crosses it
    lines = [line for _, _, line in places]
    first = {tuple(lines[at : at + RUN]): at for at in reversed(range(len(lines)))}
    findings = []
    at = 0
    while at < len(lines):
        earlier = first[tuple(lines[at : at + RUN])]
        length = 0
        while earlier + length < at and lines[earlier + length] == lines[at + length]:
            length += 1
        if length >= RUN:
            (module, number, _), (other, origin, _) = places[at], places[earlier]
            findings.append(f"{module.path}:{number}: {length} lines of logic repeat {other.path}:{origin}")
        at += length if length >= RUN else 1
    return findings


def main(arguments: list[str] | None = None) -> int:
    """Print findings and figures; return the exit code."""
    parser = argparse.ArgumentParser(description="Check the shape of a package tree. Exits 1 if there are findings.")
    parser.add_argument("tree", nargs="?", type=Path, default=Path("simulator/sscard"), help="default: %(default)s")
    parser.add_argument("--list", action="store_true", help="print each helper that is called once")
    options = parser.parse_args(arguments)
    modules = read_tree(options.tree)
    if not modules:
        parser.error(f"{options.tree} contains no Python file")
    functions = read_functions(modules)
    helpers, long, repeated = helpers_called_once(functions), long_modules(modules), repeated_runs(modules)
    share = len(helpers) / max(len(functions), 1)
    too_many = [f"{options.tree}:1: too many helpers are called once"] if share > HELPERS_AT_MOST else []
    for line in (*(helpers if options.list else ()), *too_many, *long, *repeated):
        sys.stdout.write(f"{line}\n")
    sys.stdout.write(
        f"{options.tree}: {len(helpers)} of {len(functions)} functions ({share:.1%}) are helpers called once, "
        f"at most {HELPERS_AT_MOST:.0%}; {len(long)} modules over {LINES_AT_MOST} lines; "
        f"{len(repeated)} repeated runs of {RUN} or more lines\n"
    )
    return 1 if too_many or long or repeated else 0


if __name__ == "__main__":
    raise SystemExit(main())
