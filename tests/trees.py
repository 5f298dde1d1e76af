"""Syntax trees of source files, for tests about the code itself."""

import ast
import gc
from pathlib import Path


def tree(path: Path) -> ast.Module:
    """Without garbage collection: a finalizer that runs while Python 3.11 builds a tree makes it fail (CPython issue 106905)."""
    gc.disable()
    try:
        return ast.parse(path.read_text(encoding="utf-8"))
    finally:
        gc.enable()
