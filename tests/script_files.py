"""A file of scripts/ as a module."""

import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

SCRIPTS = Path(__file__).parents[1] / "scripts"


def script_file(name: str):
    module_name = f"script_{name.removesuffix('.py')}"
    module = module_from_spec(spec_from_loader(module_name, SourceFileLoader(module_name, str(SCRIPTS / name))))
    sys.modules[module_name] = module  # dataclasses look it up there
    module.__spec__.loader.exec_module(module)
    return module
