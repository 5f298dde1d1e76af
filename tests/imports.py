"""Which file of the repository imports which, read from the source, so that nothing has to be imported."""

import ast
from pathlib import Path

from trees import tree


def graph(root: Path, packages: tuple[str, ...]) -> dict[str, set[str]]:
    """File -> files it imports (as module names), anywhere in it: imports inside functions and for type checkers count.

    What a package's `__init__` hands on counts as an import of the file that defines it.
    """
    files = {_module(path, root): path for package in packages for path in sorted((root / package).rglob("*.py"))}
    imported = {module: list(_imported(module, path)) for module, path in files.items()}
    return {module: _targets(names, imported, files) - {module} for module, names in imported.items()}


def rings(graph: dict[str, set[str]]) -> list[set[str]]:
    """Sets of files that all import each other, directly or through others of the set (strongly connected components)."""
    reached = {module: _reached(module, graph) for module in graph}
    found = {frozenset(other for other in reached[module] if module in reached[other]) for module in graph}
    return [set(ring) for ring in sorted(found, key=sorted) if len(ring) > 1]


def _module(path: Path, root: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported(module: str, path: Path):
    """(module, name in it or None, name here) of each import."""
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None, alias.asname or alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*above, *([node.module] if node.module else [])])
            yield from ((source, alias.name, alias.asname or alias.name) for alias in node.names)


def _targets(names: list[tuple], imported: dict[str, list[tuple]], files: dict[str, Path]) -> set[str]:
    return {target for source, name, _ in names if (target := _defining(source, name, imported, files)) is not None}


def _defining(source: str, name: str | None, imported: dict[str, list[tuple]], files: dict[str, Path]) -> str | None:
    """The file in which `name` of module `source` is written; None outside of the packages looked at."""
    if source not in files:
        return None
    if name is None:
        return source
    if f"{source}.{name}" in files:
        return f"{source}.{name}"
    if files[source].name == "__init__.py":
        for further, original, here in imported[source]:
            if here == name and further in files and further != source:
                return _defining(further, original, imported, files)
    return source


def _reached(module: str, graph: dict[str, set[str]]) -> set[str]:
    seen, waiting = set(), [module]
    while waiting:
        new = graph[waiting.pop()] - seen
        seen |= new
        waiting += new
    return seen
