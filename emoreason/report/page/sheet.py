"""What every page of ours has in common: one look, escaping of whatever comes from outside, and no way to the network."""

import base64
import hashlib
from functools import cache
from importlib import resources
from pathlib import Path

import jinja2

from emoreason.report.page import timeline


@cache
def style() -> str:
    """The style sheet of reports, timeline included; other pages add to it."""
    return timeline.style() + resources.files(__package__).joinpath("page.css").read_text("utf-8")


def scoped(selector: str) -> str:
    """The same style for one element of a page that has a style of its own (CSS nesting)."""
    page = resources.files(__package__).joinpath("page.css").read_text("utf-8")
    inner = page.replace(":root", "&").replace("\nbody {", "\n& {").replace("\nmain {", "\n& {")
    return f"{timeline.style()}\n{selector} {{\n{inner}\n}}\n"


def policy(css: str, js: str = "") -> str:
    """Content security policy: this style, this script, pictures inside the page, and nothing else."""
    script = f"script-src {_hash(js)}; " if js else ""
    return f"default-src 'none'; img-src data:; style-src {_hash(css)}; {script}base-uri 'none'; form-action 'none'"


def _hash(content: str) -> str:
    """A source expression of the content security policy: exactly this inline content may be used."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


def environment(package: str, folder: str) -> jinja2.Environment:
    """Templates of a package's folder: everything is escaped, a name that is not given is an error."""
    return _strict(jinja2.PackageLoader(package, folder))


def environment_at(folder: Path) -> jinja2.Environment:
    """The same of templates that belong to no package."""
    return _strict(jinja2.FileSystemLoader(folder))


def _strict(loader: jinja2.BaseLoader) -> jinja2.Environment:
    strict = {"autoescape": True, "undefined": jinja2.StrictUndefined}
    return jinja2.Environment(loader=loader, trim_blocks=True, lstrip_blocks=True, **strict)
