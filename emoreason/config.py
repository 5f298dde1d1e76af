"""One resolver for everything that is given by name or by path: a local path first, then what is shipped with the package."""

from difflib import get_close_matches
from pathlib import Path
from typing import Literal

from emoreason.errors import ConfigError

DEFAULT_MODEL = "tiny"  # the trained weights that the package carries
SHIPPED_WEIGHTS = Path(__file__).parent / "weights"  # trained ones, a folder each

Kind = Literal["models", "stages", "runs", "suites", "recipes", "demo"]

_FOLDERS: dict[str, str] = {
    "models": "configs/models",
    "stages": "configs/stages",
    "runs": "configs/runs",
    "suites": "configs/suites",
    "recipes": "data_recipes",
    "demo": "demo",
}
KINDS = tuple(_FOLDERS)


def shipped() -> Path:
    """Folder with configs/, data_recipes/ and demo/: the root of a checkout, or `_data` inside an installed package."""
    package = Path(__file__).parent
    return package.parent if (package.parent / "pyproject.toml").is_file() else package / "_data"


def checkpoint_of(model: str | Path) -> Path:
    """A path here, else the trained weights of that name that the package carries; what was given where there is neither."""
    here, inside = Path(model).expanduser(), SHIPPED_WEIGHTS / Path(model).name
    return inside if inside.is_dir() and str(model) == inside.name and not here.exists() else here


def names(kind: Kind) -> list[str]:
    """Names that `resolve` knows without a path."""
    return sorted(file.stem for file in (shipped() / _FOLDERS[kind]).glob("*.yaml"))


def shipped_file(kind: Kind, name: str) -> Path:
    """Path of the shipped file of a name that `names` lists."""
    return shipped() / _FOLDERS[kind] / f"{name}.yaml"


def resolve(kind: Kind, name_or_path: str | Path) -> Path:
    """Path of an existing local file or folder, else of the shipped one of that name ("x" or "x.yaml").

    Raises ConfigError naming what was looked for and the nearest known names.
    """
    if kind not in _FOLDERS:
        raise ConfigError(f"no kind of configuration is called '{kind}'; known: {', '.join(_FOLDERS)}")
    local = Path(name_or_path).expanduser()
    if local.exists():
        return local
    name = str(name_or_path)
    known = names(kind)
    if name.removesuffix(".yaml") in known:  # compared with the listing, so that no name can point outside the folder
        return shipped_file(kind, name.removesuffix(".yaml"))
    near = get_close_matches(name.removesuffix(".yaml"), known, 3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"shipped {kind}: {', '.join(known) or 'none'}"
    raise ConfigError(f"'{name}' is neither a file here nor one of the shipped {kind}; {hint}")


def model_file(source: str | Path) -> Path:
    """The model file of that name or path. Raises ConfigError naming what there is."""
    try:
        return resolve("models", source)
    except ConfigError as error:
        known = ", ".join(["composer", *names("models")])
        raise ConfigError(f"unknown model '{source}': known are {known}, a checkpoint folder, or a model file (.yaml)") from error
