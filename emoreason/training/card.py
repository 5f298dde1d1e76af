"""Model card of a run: what it was trained on, under which terms, what was measured, and what it must not be used for."""

from collections.abc import Mapping
from typing import Any

from emoreason.instructions.recipe import Recipe, load_recipe
from emoreason.training.parts import figures
from emoreason.training.run import Run

_WHOLE = (
    "Weights of emoreason: face-region encoder, voice pooling, heads, connectors and a LoRA adapter. The language model and "
    "the speech encoder are pinned third-party assets and are not part of this folder."
)
_TUNED = (
    "What a fine-tuning changed of the checkpoint `{path}` (sha256 of its weights {sha256}); all other weights are taken from "
    "there. Its card holds for what is not said here."
)
_TERMS = "Research, non-commercial: several sources below are (their terms bind the weights, too)."
_LIMITS = """\
## Limits

- Expressions are not inner states: the answers say what is shown, not what is felt. Abstaining is a valid answer.
- Training faces are small, mostly frontal pictures and posed laboratory expressions; voices are acted. Other ages, cultures,
  lighting, masks and spontaneous behaviour were not measured.
- There is no vision tower: the scene is not seen. English is the language of the explanations.
- Scores are calibrated on validation splits of the data above; elsewhere they may be too sure.

## Prohibited uses

No identification, no inference of protected traits, no decisions about people. Emotion inference at work and in education is
prohibited in the European Union (Regulation 2024/1689, article 5).
"""


def model_card(
    run: Run,
    measured: Mapping[str, Any],
    hours: Mapping[str, float],
    base: Mapping[str, str] | None = None,
    results: str = "",
) -> str:
    """Markdown. `measured`: what each finished stage saved beside its parts; hours: how long it trained; base: the checkpoint
    that the run began with, path and sha256; results: a section of test figures. No figure comes from anywhere else."""
    others = [name for stage in run.stages.values() for name in stage.data_sets()]
    recipes = {name: load_recipe(name) for name in [*run.data_sets(), *others]}
    missing = [name for name in run.stages if name not in measured]
    parts = [
        f"# {run.name}",
        _WHOLE if base is None else _TUNED.format(**base),
        *([f"**Not finished**: {', '.join(missing)}; what they train is as the stage before left it."] if missing else []),
        "## Terms\n\n" + (_TERMS if base is None else "Those of the base, and of the sources below."),
        "## Sources\n\n" + _table(["set", "licence", "terms", "kept apart"], [_source(recipe) for recipe in recipes.values()]),
        *([f"## Results\n\n{results.strip()}"] if results else []),
        "## Training\n\nFigures of validation splits, by which weights and settings were chosen.\n\n"
        + _table(["stage", "figure", "value"], list(_figures(measured))),
        _cost(hours),
        _LIMITS,
    ]
    return "\n\n".join(parts)


def _source(recipe: Recipe) -> list[str]:
    kept = "valid" if set(recipe.splits.members) == {"valid"} else "test"  # own clips may have no test split
    members = ", ".join(recipe.splits.members.get(kept, [])) if recipe.splits.folds is None else "one fold of subjects"
    return [recipe.title, recipe.licence, recipe.terms, f"{kept} split{f' ({members})' if members else ''}"]


def _cost(hours: Mapping[str, float]) -> str:
    rows = [[stage, f"{spent:.1f}"] for stage, spent in hours.items()]
    told = f"{sum(hours.values()):.1f} hours in all, as the logs have them. Energy was not measured."
    return "## Time to train\n\n" + _table(["stage", "hours"], rows) + f"\n\n{told}"


def _figures(measured: Mapping[str, Any]):
    for stage, info in measured.items():
        for name, value in figures(info).items():
            yield [stage, name, f"{value:.3f}" if isinstance(value, float) else str(value)]


def _table(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(" ".join(cell.replace("|", "/").split()) for cell in line) + " |" for line in lines)
