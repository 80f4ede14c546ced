"""No module of the package needs one that needs it: neither at its top nor, hidden, inside a function."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]

KNOWN = {frozenset({"llast.artifacts", "llast.config", "llast.corpus"})}
"""A corpus source is configured by the class that fetches it: configuration needs sources, and steps configuration."""

Graph = dict[str, set[str]]


def modules() -> dict[str, Path]:
    paths = sorted((ROOT / "llast").rglob("*.py"))
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in paths
    }


def imports(tree: ast.AST) -> Iterator[str]:
    """Dotted names of all that a tree imports, modules or what is in them; not what only types need."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)):
            yield from imports(node)


def graph() -> Graph:
    """The modules of the package that each module imports."""
    files = modules()
    found: Graph = {}
    for module, path in files.items():
        names = imports(ast.parse(path.read_text()))
        found[module] = {name if name in files else name.rpartition(".")[0] for name in names} & set(files)
    return found


def circles(needs: Graph) -> set[frozenset[str]]:
    """Sets of nodes that can all be reached from each other."""

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = list(needs[start])
        while waiting:
            node = waiting.pop()
            if node not in seen:
                seen.add(node)
                waiting += needs[node]
        return seen

    reach = {node: reached(node) for node in needs}
    return {
        frozenset(other for other in reach[node] if node in reach[other])
        for node in needs
        if node in reach[node]
    }


def test_no_module_needs_one_that_needs_it() -> None:
    assert circles(graph()) == set()


def test_no_part_of_the_package_needs_one_that_needs_it() -> None:
    parts: Graph = {}
    for name, names in graph().items():
        part = ".".join(name.split(".")[:2])
        parts.setdefault(part, set()).update(".".join(other.split(".")[:2]) for other in names)
    without_self = {part: needed - {part} for part, needed in parts.items()}
    assert circles(without_self) == KNOWN


def test_a_circle_through_a_function_is_found() -> None:
    assert list(imports(ast.parse("def f():\n    from llast import a\n"))) == ["llast.a"]
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"d"}}) == {frozenset("bc"), frozenset("d")}
